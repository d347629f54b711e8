"""Simple methods that an analysis of precipitation must beat: raw radar, mean-field bias, distances, gauges alone."""

from __future__ import annotations

from typing import Final

import numpy as np
from scipy.ndimage import map_coordinates
from scipy.spatial import cKDTree

from kaiseki.precipitation.data import Gauges, RadarRain, fractional_index
from kaiseki.precipitation.scores import Predicted

_NEAREST: Final = 10
"""Number of gauges whose distances weigh them."""
_RAIN: Final = 0.1
"""Amount of gauge and radar from which their ratio is taken, mm."""


def raw_radar(gauges: Gauges, radar: RadarRain | None, lat: np.ndarray, lon: np.ndarray) -> Predicted:
    """The amount of the cell in which a place lies; NaN without radar."""
    return Predicted(_nearest(radar, lat, lon))


def mean_field_bias(gauges: Gauges, radar: RadarRain | None, lat: np.ndarray, lon: np.ndarray) -> Predicted:
    """The radar times the sum of the gauges over the sum of the radar at them."""
    amount, there = _pairs(gauges, radar)
    factor = amount.sum() / there.sum() if there.sum() > 0.0 else 1.0
    return Predicted(factor * _nearest(radar, lat, lon))


def log_ratio(gauges: Gauges, radar: RadarRain | None, lat: np.ndarray, lon: np.ndarray) -> Predicted:
    """The radar times ratios of gauge and radar, logarithms weighted by the inverse square of the distance."""
    amount, there = _pairs(gauges, radar)
    both = (amount >= _RAIN) & (there >= _RAIN)
    seen = _nearest(radar, lat, lon)
    if not both.any():
        return Predicted(seen)
    known = _usable(gauges)
    ratio = _by_distance(known.lat[both], known.lon[both], np.log(amount[both] / there[both]), lat, lon)
    return Predicted(seen * np.exp(ratio))


def gauges_alone(gauges: Gauges, radar: RadarRain | None, lat: np.ndarray, lon: np.ndarray) -> Predicted:
    """Amounts of the nearest gauges weighted by the inverse square of the distance."""
    known = _usable(gauges)
    return Predicted(_by_distance(known.lat, known.lon, known.amount[0], lat, lon))


def _usable(gauges: Gauges) -> Gauges:
    """The last interval, and the stations with a value there."""
    last = gauges.at(gauges.time[-1])
    return last.some(last.usable[0])


def _pairs(gauges: Gauges, radar: RadarRain | None) -> tuple[np.ndarray, np.ndarray]:
    """Amounts of the usable gauges and of the radar there, 0 where no radar sees."""
    known = _usable(gauges)
    return known.amount[0], np.nan_to_num(_nearest(radar, known.lat, known.lon))


def _nearest(radar: RadarRain | None, lat: np.ndarray, lon: np.ndarray) -> np.ndarray:
    if radar is None:
        return np.full(np.shape(lat), np.nan)
    index = np.stack(fractional_index(radar.grid, lat, lon))
    return np.asarray(map_coordinates(radar.amount[-1], index, order=0, mode="constant", cval=np.nan), float)


def _by_distance(
    lat: np.ndarray, lon: np.ndarray, values: np.ndarray, to_lat: np.ndarray, to_lon: np.ndarray
) -> np.ndarray:
    if not values.size:
        return np.full(np.shape(to_lat), np.nan)
    tree = cKDTree(_on_sphere(lat, lon))
    distance, number = tree.query(_on_sphere(to_lat, to_lon), k=min(_NEAREST, values.size))
    distance, number = distance.reshape(len(to_lat), -1), number.reshape(len(to_lat), -1)
    weight = 1.0 / np.maximum(distance, 0.1) ** 2
    return np.asarray((weight * values[number]).sum(axis=1) / weight.sum(axis=1))


def _on_sphere(lat: np.ndarray, lon: np.ndarray) -> np.ndarray:
    """Coordinates (n, 3) on a sphere of the Earth's radius, km."""
    up, along = np.deg2rad(lat), np.deg2rad(lon)
    return 6371.0 * np.column_stack([np.cos(up) * np.cos(along), np.cos(up) * np.sin(along), np.sin(up)])
