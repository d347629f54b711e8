"""The analysis on a grid: smooth fields on a mesh, tile by tile, then every cell with its own radar amount."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Final

import numpy as np
from scipy.ndimage import uniform_filter
from scipy.spatial import cKDTree

from kaiseki.grid.projection import Projection
from kaiseki.grid.regular import LatLonGrid
from kaiseki.precipitation.analysis.covariance import Points
from kaiseki.precipitation.analysis.drift import Predictors, between_cells, design
from kaiseki.precipitation.analysis.fitting import Fitted, spreads
from kaiseki.precipitation.analysis.local import Local, combine, solve
from kaiseki.precipitation.analysis.mesh import Mesh, spacing, tiles
from kaiseki.precipitation.analysis.plane import coordinates
from kaiseki.precipitation.analysis.sampling import Box, prior_draws
from kaiseki.precipitation.analysis.settings import SPEED, AnalysisSettings
from kaiseki.precipitation.analysis.transform import PowerTransform
from kaiseki.precipitation.analysis.window import Window
from kaiseki.precipitation.data import PROBABILITIES, THRESHOLD, AnalysisFlag, RainAnalysis, RainGrid, fractional_index

_ROWS: Final = 64
"""Rows of the grid that are made at once."""
_THREADS: Final = 2


@dataclass(frozen=True, eq=False)
class Smooth:
    """Smooth fields of an analysis on its mesh.

    Attributes:
        mesh: of the fields.
        local: fields, their last axis being the mesh.
        drifts: coefficients of the drift of each sample, (k, p).
        distance: to the nearest gauge used, (my, mx), km.
    """

    mesh: Mesh
    local: Local
    drifts: np.ndarray
    distance: np.ndarray


def smooth_fields(
    grid: RainGrid,
    fitted: Fitted,
    projection: Projection,
    settings: AnalysisSettings,
    terrain: np.ndarray | None,
) -> Smooth:
    """Smooth fields on the mesh of a grid, from tiles with their gauges."""
    mesh = Mesh.of(grid, settings.mesh_km)
    x = coordinates(projection, mesh.lat, mesh.lon, _height(grid, mesh, terrain, settings), settings.terrain_km_per_km)
    one = fitted.observed
    draws, drifts, residual = _draws(x, fitted, settings)
    fields = [number for number in range(3) if one.size and np.abs(one.points.amplitude[:, number]).max() > 0.0]
    count, predictors, my, mx = settings.samples, fitted.drift.size, *mesh.shape
    total = Local(*(np.zeros((*lead, my, mx), np.float32) for lead in ((3,), (6,), (predictors, 3), (count, 3))))
    weight = np.zeros(mesh.shape, np.float32)
    nodes = x.reshape(my, mx, 3)
    informative = np.flatnonzero(one.variance < 1e3)
    # Time is a fourth coordinate of what is near.
    when = SPEED * np.abs(one.points.hours[informative, None])
    there = np.concatenate([one.points.x[informative], when], axis=1)
    now = np.concatenate([nodes, np.zeros((my, mx, 1))], axis=2)
    for tile in tiles(mesh, now, there, settings.reach_km, settings.neighbours):
        part = nodes[tile.rows, tile.columns].reshape(-1, 3)
        near = informative[tile.near]
        targets = Points(part, np.zeros(len(part)), np.empty((len(part), 3)), np.empty((len(part), 0)))
        local = solve(targets, one.some(near), fitted.parameters, fields, residual[near])
        for name in ("mean", "removed", "leverage", "samples"):
            values = getattr(local, name)
            where = getattr(total, name)[..., tile.rows, tile.columns]
            where += tile.weight * values.reshape(*values.shape[:-1], *tile.weight.shape)
        weight[tile.rows, tile.columns] += tile.weight
    for name in ("mean", "removed", "leverage", "samples"):
        values = getattr(total, name)
        values /= np.where(weight > 0.0, weight, 1.0)
    total.samples[...] += draws.reshape(total.samples.shape)
    places = one.points.x[one.points.hours == 0.0]
    distance = cKDTree(places[:, :2]).query(x[:, :2])[0] if len(places) else np.full(len(x), np.inf)
    return Smooth(mesh, total, drifts, np.minimum(distance, 1e6).reshape(mesh.shape).astype(np.float32))


def _draws(x: np.ndarray, fitted: Fitted, settings: AnalysisSettings) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Prior draws of the fields at nodes (k, 3, m), drawn coefficients (k, p) and residuals (n, 1 + k) to solve for."""
    one, rng = fitted.observed, np.random.default_rng(settings.seed)
    drifts = rng.multivariate_normal(fitted.drift, fitted.drift_covariance, settings.samples, method="cholesky")
    drifts = drifts.reshape(settings.samples, fitted.drift.size)
    draws = np.zeros((settings.samples, 3, len(x)), np.float32)
    residual = [one.value - one.points.drift @ fitted.drift]
    if settings.samples:
        everywhere = np.concatenate([x, one.points.x])
        box = Box.around(everywhere, settings.mesh_km, float(fitted.parameters.ranges[-1]))
        for number in range(settings.samples):
            there, here = prior_draws(box, x, one.points.x, one.points.hours, fitted.parameters, rng)
            draws[number] = there
            signal = np.einsum("fn,nf->n", here, one.points.amplitude)
            noise = np.sqrt(one.variance) * rng.standard_normal(one.size)
            residual.append(one.value - one.points.drift @ drifts[number] - signal - noise)
    return draws, drifts, np.column_stack(residual)


def on_grid(
    grid: RainGrid,
    time: np.datetime64,
    window: Window,
    fitted: Fitted,
    smooth: Smooth,
    settings: AnalysisSettings,
    only: np.ndarray | None = None,
) -> RainAnalysis:
    """The analysis of every cell from the smooth fields and the predictors of the cell itself.

    Rows far from any cell of a mask `only` (ny, nx) are left undefined.
    """
    maker = _Maker(grid, window, fitted, smooth, settings)
    starts = [first for first in range(0, grid.shape[0], _ROWS) if only is None or only[first : first + _ROWS].any()]
    with ThreadPoolExecutor(_THREADS) as pool:
        list(pool.map(maker.rows, starts))
    return RainAnalysis(
        grid=grid,
        time=np.datetime64(time, "s"),
        mean=maker.mean,
        quantiles=maker.quantiles,
        probability=maker.probability,
        gauge_weight=maker.gauge_weight,
        flag=maker.flag,
        samples=maker.samples,
    )


class _Maker:
    """The fields of an analysis, filled some rows at a time."""

    def __init__(
        self, grid: RainGrid, window: Window, fitted: Fitted, smooth: Smooth, settings: AnalysisSettings
    ) -> None:
        self.grid, self.window, self.fitted, self.smooth, self.settings = grid, window, fitted, smooth, settings
        self.transform = PowerTransform(settings.exponent)
        self.mean, self.probability, self.gauge_weight = (np.empty(grid.shape, np.float32) for _ in range(3))
        self.quantiles = np.empty((len(PROBABILITIES), *grid.shape), np.float32)
        self.samples = np.empty((settings.samples, *grid.shape), np.float32)
        self.flag = np.empty(grid.shape, np.uint8)

    def rows(self, first: int) -> None:
        """Fill rows from the one given."""
        last = min(first + _ROWS, self.grid.shape[0])
        part = slice(first, last)
        radar, quality = self._predictors(self.window.radar, first, last)
        background, known = self._predictors(self.window.background, first, last)
        with_background = self.window.drift_mean.size > 5
        amplitude, predictors = design(radar, quality, background if with_background else None)
        local, mesh = self.smooth.local, self.smooth.mesh
        fields = Local(
            *(mesh.interpolate(one, first, last) for one in (local.mean, local.removed, local.leverage, local.samples))
        )
        fitted, transform = self.fitted, self.transform
        drift, covariance, variance = (
            one.astype(np.float32) for one in (fitted.drift, fitted.drift_covariance, fitted.parameters.variance)
        )
        z, spread, share = combine(fields, amplitude, predictors, drift, covariance, variance)
        near = mesh.interpolate(self.smooth.distance, first, last) <= self.settings.gauge_reach_km
        flag = (
            AnalysisFlag.RADAR * (quality > 0.0) + AnalysisFlag.GAUGES * near + AnalysisFlag.BACKGROUND * (known > 0.0)
        ).astype(np.uint8)
        gap = flag == 0
        self.flag[part] = np.where(gap, np.uint8(AnalysisFlag.GAP), flag)
        rain, measured = spreads(spread, z, fitted)
        mean = np.float32(fitted.calibration.factor) * transform.mean(z, rain)
        dry = (z <= 0.0) & (mean < self.settings.drizzle_mm)
        self.mean[part] = _hidden(np.where(dry, 0.0, mean), gap)
        for number, probability in enumerate(PROBABILITIES):
            amount = transform.quantile(probability, z, measured)
            amount[amount < self.settings.drizzle_mm] = 0.0
            self.quantiles[number, part] = _hidden(amount, gap)
        self.probability[part] = _hidden(transform.exceedance(THRESHOLD, z, measured), gap)
        self.gauge_weight[part] = _hidden(share, gap)
        for number, coefficients in enumerate(self.smooth.drifts.astype(np.float32)):
            drawn = np.tensordot(coefficients, predictors, axes=1)
            drawn += np.einsum("f...,f...->...", amplitude, fields.samples[number])
            self.samples[number, part] = _hidden(transform.inverse(drawn), gap)

    def _predictors(self, one: Predictors | None, first: int, last: int) -> tuple[np.ndarray, np.ndarray]:
        """Predictors (3, rows, nx) and quality (rows, nx) of a field at rows of the grid."""
        shape = (last - first, self.grid.shape[1])
        if one is None:
            return np.zeros((3, *shape), np.float32), np.zeros(shape, np.float32)
        if _same(one.grid, self.grid):
            return one.fields[:, first:last], one.quality[first:last]
        if isinstance(self.grid, LatLonGrid):
            lat, lon = self.grid.lat[first:last, None], self.grid.lon[None, :]
        else:
            lat, lon = self.grid.projection.inverse(*np.meshgrid(self.grid.x, self.grid.y[first:last]))
        return between_cells(one, *fractional_index(one.grid, lat, lon))


def _hidden(field: np.ndarray, gap: np.ndarray) -> np.ndarray:
    return np.where(gap, np.float32(np.nan), field)


def _same(one: RainGrid, other: RainGrid) -> bool:
    """Whether two grids have the same cells in the same order."""
    if isinstance(one, LatLonGrid) and isinstance(other, LatLonGrid):
        return np.array_equal(one.lat, other.lat) and np.array_equal(one.lon, other.lon)
    if isinstance(one, LatLonGrid) or isinstance(other, LatLonGrid):
        return False
    return one.projection == other.projection and np.array_equal(one.x, other.x) and np.array_equal(one.y, other.y)


def _height(grid: RainGrid, mesh: Mesh, terrain: np.ndarray | None, settings: AnalysisSettings) -> np.ndarray | None:
    """Height of the nodes (my, mx), m: the mean of the terrain (ny, nx) around each."""
    if terrain is None or settings.terrain_km_per_km == 0.0:
        return None
    cells = [max(int(settings.mesh_km / one), 1) for one in spacing(grid)]
    around = uniform_filter(np.nan_to_num(np.asarray(terrain, float)), cells, mode="nearest")
    row, column = (
        np.minimum(one, size - 1).astype(int) for one, size in zip((mesh.rows, mesh.columns), grid.shape, strict=True)
    )
    return np.asarray(around[np.ix_(row, column)])
