"""Neighbours of gauges, and what a radar says at their places."""

from __future__ import annotations

import numpy as np

from kaiseki.core.constants import EARTH_RADIUS
from kaiseki.precipitation.data import Gauges, RadarRain, fractional_index


def neighbours(gauges: Gauges, number: int, reach: float) -> np.ndarray:
    """Numbers of the nearest gauges (n, number) within a distance in m, nearest first; -1 where there are none."""
    from scipy.spatial import cKDTree

    lat, lon = np.deg2rad(gauges.lat), np.deg2rad(gauges.lon)
    place = EARTH_RADIUS * np.stack([np.cos(lat) * np.cos(lon), np.cos(lat) * np.sin(lon), np.sin(lat)], axis=1)
    count = min(number + 1, len(place))
    apart, index = cKDTree(place).query(place, k=count)
    apart, index = apart.reshape(len(place), count), index.reshape(len(place), count)
    found = np.full((len(place), number), -1)
    for row in range(len(place)):
        near = index[row][(index[row] != row) & (apart[row] <= reach)][:number]
        found[row, : near.size] = near
    return found


def around(values: np.ndarray, near: np.ndarray) -> np.ndarray:
    """Values (t, n, k) of the neighbours of each gauge, NaN where there is none."""
    return np.where(near >= 0, values[:, np.maximum(near, 0)], np.nan)


def at_gauges(radar: RadarRain, gauges: Gauges) -> np.ndarray:
    """Amounts of a radar (t, n) at gauges and their times: the cell among nine that differs least, NaN where unknown.

    The cell over a gauge need not be the one whose rain reaches it, so that a gauge is compared with the nearest value
    of its surroundings.
    """
    row, column = (np.rint(one) for one in fractional_index(radar.grid, gauges.lat, gauges.lon))
    ny, nx = radar.grid.shape
    inside = (row >= 0) & (row < ny) & (column >= 0) & (column < nx)
    row, column = (np.where(inside, one, 0).astype(int) for one in (row, column))
    found = np.full(gauges.amount.shape, np.nan)
    if radar.period != gauges.period:
        return found
    place = {int(time.astype(np.int64)): number for number, time in enumerate(radar.time)}
    for number, time in enumerate(gauges.time):
        at = place.get(int(time.astype(np.int64)))
        if at is None:
            continue
        block = np.stack(
            [
                radar.amount[at][np.clip(row + dr, 0, ny - 1), np.clip(column + dc, 0, nx - 1)]
                for dr in (-1, 0, 1)
                for dc in (-1, 0, 1)
            ]
        )
        apart = np.abs(block - np.nan_to_num(gauges.amount[number]))
        best = np.where(np.isnan(apart), np.inf, apart).argmin(axis=0)
        value = block[best, np.arange(row.size)]
        found[number] = np.where(inside, value, np.nan)
    return found
