"""Predictors of the transformed rain: radar, its means around, a background field, and the constants between them.

Where radar sees, z follows b0 + b1 sqrt(R) + b2 sqrt(mean of R) + b3 (share of wet cells around) [+ b4 sqrt(B)]; where
it does not, c0 [+ c1 sqrt(B) + c2 (share of wet cells of B around)], with the square root standing for the power of the
transform and B a background field. A radar of quality q between 0 and 1 gives q of the first and 1 - q of the second.
The coefficients have a normal prior; without any gauge the expected amount is that of the radar within a few per cent.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.ndimage import uniform_filter

from kaiseki.precipitation.analysis.mesh import spacing
from kaiseki.precipitation.analysis.settings import AnalysisSettings
from kaiseki.precipitation.analysis.transform import PowerTransform
from kaiseki.precipitation.data import RadarRain, RainGrid, fractional_index


@dataclass(frozen=True, eq=False)
class Predictors:
    """Fields of predictors of one interval on their own grid.

    Attributes:
        grid: of the fields.
        fields: amount transformed, mean transformed, share of wet cells around, (3, ny, nx), float32; 0 where unknown.
        quality: from 0, unknown, to 1, (ny, nx), float32.
        exact: whether the quality is 0 or 1 everywhere.
    """

    grid: RainGrid
    fields: np.ndarray
    quality: np.ndarray


def predictors(field: RadarRain, number: int, settings: AnalysisSettings) -> Predictors:
    """Predictors of an interval of a radar or background field, by its number."""
    amount = field.amount[number]
    known = np.isfinite(amount)
    quality = np.where(known, np.clip(np.nan_to_num(field.quality), 0.0, 1.0), 0.0).astype(np.float32)
    rain = np.where(known, amount, 0.0).astype(np.float32)
    transform = PowerTransform(settings.exponent)
    seen = known.astype(np.float32)
    smooth = _mean_around(rain, seen, _cells(field.grid, settings.smoothing_km))
    wet = _mean_around((rain >= settings.wet_mm).astype(np.float32), seen, _cells(field.grid, settings.wet_box_km))
    fields = np.stack([transform.forward(rain), transform.forward(np.maximum(smooth, 0.0)), wet])
    return Predictors(field.grid, fields.astype(np.float32), quality)


def at_places(one: Predictors, lat: np.ndarray, lon: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Predictors (3, n) and quality (n,) at places, bilinear among the cells that are known; quality 0 outside."""
    row, column = fractional_index(one.grid, lat, lon)
    return between_cells(one, row, column)


def between_cells(one: Predictors, row: np.ndarray, column: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Predictors (3, ...) and quality (...) at fractional rows and columns, which broadcast against each other."""
    ny, nx = one.quality.shape
    inside = (row >= -0.5) & (row <= ny - 0.5) & (column >= -0.5) & (column <= nx - 0.5)
    row, column = np.clip(row, 0.0, ny - 1.0), np.clip(column, 0.0, nx - 1.0)
    j, i = np.minimum(row.astype(int), max(ny - 2, 0)), np.minimum(column.astype(int), max(nx - 2, 0))
    v, u = (row - j).astype(np.float32), (column - i).astype(np.float32)
    shape = np.broadcast_shapes(row.shape, column.shape)
    total, sums, quality = np.zeros(shape, np.float32), np.zeros((3, *shape), np.float32), np.zeros(shape, np.float32)
    for dj, wj in ((0, 1.0 - v), (1, v)):
        for di, wi in ((0, 1.0 - u), (1, u)):
            jj, ii = np.minimum(j + dj, ny - 1), np.minimum(i + di, nx - 1)
            here = one.quality[jj, ii]
            weight = wj * wi * (here > 0.0)
            total += weight
            quality += weight * here
            for part in range(3):
                sums[part] += weight * one.fields[part][jj, ii]
    seen = inside & (total >= 0.5)
    divisor = np.where(seen, total, 1.0)
    return np.where(seen, sums / divisor, 0.0), np.where(seen, quality / divisor, 0.0)


def design(radar: np.ndarray, quality: np.ndarray, background: np.ndarray | None) -> tuple[np.ndarray, np.ndarray]:
    """Amplitudes (3, ...) of the fields and predictors (p, ...) of the drift, from those of radar and background."""
    unseen = 1.0 - quality
    amplitude = np.stack([np.ones_like(quality), quality * radar[0], np.sqrt(np.maximum(unseen, 0.0))])
    rows = [quality, quality * radar[0], quality * radar[1], quality * radar[2], unseen]
    if background is not None:
        rows += [quality * background[0], unseen * background[0], unseen * background[2]]
    return amplitude, np.stack(rows)


def drift_prior(with_background: bool) -> tuple[np.ndarray, np.ndarray]:
    """Mean and standard deviation (p,) of the prior of the coefficients."""
    mean, sd = [-0.2, 0.75, 0.16, 0.2, -0.5], [0.2, 0.3, 0.2, 0.2, 1.5]
    if with_background:
        mean, sd = [*mean[:4], -0.2, 0.0, 0.8, 0.2], [*sd[:4], 0.3, 0.2, 0.4, 0.2]
    return np.array(mean), np.array(sd)


def _cells(grid: RainGrid, width_km: float) -> tuple[int, int]:
    """Rows and columns of a box of a width, odd, at least one."""
    rows, columns = (2 * int(0.5 * width_km / one) + 1 for one in spacing(grid))
    return rows, columns


def _mean_around(values: np.ndarray, seen: np.ndarray, cells: tuple[int, int]) -> np.ndarray:
    """Mean over boxes of what is seen; 0 where nothing is."""
    share = uniform_filter(seen, cells, mode="constant")
    return np.where(share > 1e-6, uniform_filter(values * seen, cells, mode="constant") / np.maximum(share, 1e-6), 0.0)
