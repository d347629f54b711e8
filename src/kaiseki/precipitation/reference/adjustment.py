"""Composite of calibrated radars and its local adjustment by gauges, as operational radar-gauge analyses do.

The composite takes the amounts of all radars that see a cell, weighted by the height of their beams. The adjustment
multiplies it by a factor that follows the ratios of gauge to composite nearby: the weighted mean of their logarithms,
with weights that fall with distance and with the difference in intensity, and with one further weight on the factor
one, so that the field returns to the composite where gauges are far, as over the sea.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from scipy.spatial import cKDTree

from kaiseki.core.errors import InputError
from kaiseki.precipitation.data import Gauges, RadarRain, fractional_index
from kaiseki.precipitation.reference.calibration import Calibration

EARTH_KM = 6371.0


@dataclass(frozen=True, kw_only=True)
class AdjustmentSettings:
    """How ratios of gauge to radar are spread around the gauges.

    Attributes:
        reach: distance at which the weight of a gauge has fallen to exp(-1/2), km.
        neighbours: largest number of gauges used for a cell.
        least: smallest amount of gauge and composite that make a ratio, mm.
        offset: amount added to both before the ratio, mm, so that small amounts do not make large ratios.
        likeness: difference of ln(amount) between cell and gauge at which the weight has fallen to exp(-1/2).
        trust: weight of the composite as it is.
        bound: largest factor, and one over the smallest.
    """

    reach: float = 30.0
    neighbours: int = 10
    least: float = 0.1
    offset: float = 0.1
    likeness: float = 1.5
    trust: float = 0.1
    bound: float = 5.0


def composite(radars: Sequence[RadarRain], heights: Sequence[np.ndarray], calibration: Calibration) -> RadarRain:
    """One field out of calibrated radars: their mean, weighted by 1 / (1 + (beam height in km)^2).

    Args:
        radars: those that were calibrated, in the same order.
        heights: of their beams, (ny, nx), km.
        calibration: their factors.
    """
    total = np.zeros(radars[0].amount.shape)
    weight = np.zeros(radars[0].amount.shape)
    for number, (radar, height) in enumerate(zip(radars, heights, strict=True)):
        share = 1.0 / (1.0 + np.asarray(height, float) ** 2)
        for hour in range(radar.time.size):
            seen = np.isfinite(radar.amount[hour]) & np.isfinite(height)
            factor = calibration.factor(hour, number, height)
            total[hour] += np.where(seen, share * factor * np.nan_to_num(radar.amount[hour]), 0.0)
            weight[hour] += np.where(seen, share, 0.0)
    amount = np.where(weight > 0.0, total / np.where(weight > 0.0, weight, 1.0), np.nan)
    return replace(radars[0], amount=amount, quality=np.empty((0, 0)), source="composite of calibrated radars")


def adjusted(
    radar: RadarRain, gauges: Gauges, settings: AdjustmentSettings | None = None, rows: int = 256
) -> RadarRain:
    """A composite adjusted by the gauges of each of its intervals; NaN stays NaN.

    Args:
        radar: composite.
        gauges: over the same intervals; those with flags are left out.
        settings: of the weights.
        rows: rows of the grid treated at once, which bounds memory.

    Raises:
        InputError: the gauges measure over another interval.
    """
    if gauges.period != radar.period:
        raise InputError(f"The gauges measure over {gauges.period}, the radar over {radar.period}")
    settings = settings or AdjustmentSettings()
    lat, lon = radar.grid.points()
    amount = np.array(radar.amount)
    for hour, time in enumerate(radar.time):
        logarithm = _Ratios.of(radar, gauges, time, settings)
        for first in range(0, lat.shape[0], rows) if logarithm.size else ():
            part = slice(first, first + rows)
            amount[hour, part] *= logarithm.factors(lat[part], lon[part], radar.amount[hour, part])
    return replace(radar, amount=amount)


def adjusted_at(
    radar: RadarRain,
    gauges: Gauges,
    time: np.datetime64,
    lat: np.ndarray,
    lon: np.ndarray,
    settings: AdjustmentSettings | None = None,
) -> np.ndarray:
    """Amounts (n,) of a composite adjusted by the gauges of an interval, in the cells of places; NaN where it has none.

    Args:
        radar: composite.
        gauges: over the same interval; those with flags are left out.
        time: end of the interval.
        lat, lon: of the places, (n,), degrees.
        settings: of the weights.

    Raises:
        InputError: the gauges measure over another interval.
    """
    if gauges.period != radar.period:
        raise InputError(f"The gauges measure over {gauges.period}, the radar over {radar.period}")
    row, column = (np.rint(one).astype(int) for one in fractional_index(radar.grid, lat, lon))
    inside = (row >= 0) & (row < radar.grid.shape[0]) & (column >= 0) & (column < radar.grid.shape[1])
    field = radar.at(time).amount[0]
    amount = np.where(inside, field[np.where(inside, row, 0), np.where(inside, column, 0)], np.nan).astype(float)
    logarithm = _Ratios.of(radar, gauges, time, settings or AdjustmentSettings())
    return amount * logarithm.factors(np.asarray(lat), np.asarray(lon), amount) if logarithm.size else amount


@dataclass(frozen=True, eq=False)
class _Ratios:
    """Logarithms (n,) of gauge over radar at the gauges, and the logarithm (n,) of the amount of the radar there."""

    tree: cKDTree
    ratio: np.ndarray
    intensity: np.ndarray
    settings: AdjustmentSettings

    @property
    def size(self) -> int:
        return self.ratio.size

    @staticmethod
    def of(radar: RadarRain, gauges: Gauges, time: np.datetime64, settings: AdjustmentSettings) -> _Ratios:
        now, field = gauges.at(time), radar.at(time).amount[0]
        row, column = (np.rint(one).astype(int) for one in fractional_index(radar.grid, gauges.lat, gauges.lon))
        good = now.usable[0] & (row >= 0) & (row < field.shape[0]) & (column >= 0) & (column < field.shape[1])
        lat, lon, amount = gauges.lat[good], gauges.lon[good], now.amount[0][good]
        seen = field[row[good], column[good]].astype(float)
        wet = (seen >= settings.least) & (amount >= settings.least)
        offset = settings.offset
        return _Ratios(
            cKDTree(_on_sphere(lat[wet], lon[wet])),
            np.log((amount[wet] + offset) / (seen[wet] + offset)),
            np.log(seen[wet] + offset),
            settings,
        )

    def factors(self, lat: np.ndarray, lon: np.ndarray, rain: np.ndarray) -> np.ndarray:
        """Factors at cells with so much rain, of their shape; 1 where there is none."""
        chosen = self.settings
        factor = np.ones(rain.shape)
        wet = np.nan_to_num(rain) > 0.0
        if not wet.any():
            return factor
        near = min(chosen.neighbours, self.size)
        distance, index = self.tree.query(_on_sphere(lat[wet], lon[wet]), near, distance_upper_bound=6.0 * chosen.reach)
        distance, index = distance.reshape(-1, near), index.reshape(-1, near)
        there = index < self.size
        index = np.where(there, index, 0)
        apart = (np.log(rain[wet].astype(float) + chosen.offset)[:, None] - self.intensity[index]) / chosen.likeness
        weight = np.where(there, np.exp(-0.5 * ((np.where(there, distance, 0.0) / chosen.reach) ** 2 + apart**2)), 0.0)
        mean = (weight * self.ratio[index]).sum(axis=1) / (weight.sum(axis=1) + chosen.trust)
        factor[wet] = np.exp(np.clip(mean, -np.log(chosen.bound), np.log(chosen.bound)))
        return factor


def _on_sphere(lat: np.ndarray, lon: np.ndarray) -> np.ndarray:
    """Points (n, 3) on the sphere, km."""
    phi, lam = np.deg2rad(np.ravel(lat)), np.deg2rad(np.ravel(lon))
    return EARTH_KM * np.stack([np.cos(phi) * np.cos(lam), np.cos(phi) * np.sin(lam), np.sin(phi)], axis=-1)
