"""The analysis of precipitation of one hour: at places, and on a grid."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any, Final

import numpy as np
from scipy.spatial import cKDTree

from kaiseki.core.errors import InputError
from kaiseki.grid.projection import Projection
from kaiseki.precipitation.analysis.calibration import radar_weight
from kaiseki.precipitation.analysis.covariance import Points, present
from kaiseki.precipitation.analysis.field import on_grid, smooth_fields
from kaiseki.precipitation.analysis.fitting import Fitted, fit, spreads
from kaiseki.precipitation.analysis.local import combine, solve
from kaiseki.precipitation.analysis.plane import coordinates, plane_around, plane_of
from kaiseki.precipitation.analysis.settings import SPEED, AnalysisSettings
from kaiseki.precipitation.analysis.transform import PowerTransform
from kaiseki.precipitation.analysis.window import Window, gather
from kaiseki.precipitation.data import AnalysisFlag, Gauges, RadarRain, RainAnalysis, RainGrid

_NEARLY_ONE: Final = 0.95
"""Weight of the model with radar from which it is taken alone."""


@dataclass(frozen=True, eq=False)
class AtPlaces:
    """Distribution of the amount at n places.

    Attributes:
        z: mean of the transformed amount, (n,).
        latent: standard deviation of z of the mean rain of a cell, (n,).
        rain: standard deviation of z with what truly varies within a cell, from which the mean amount follows, (n,).
        measured: standard deviation of z of what a gauge would measure there, (n,).
        gauge_weight: share of the prior variance that gauges took away, (n,).
        factor: of the expected amount, by the calibration, (n,).
        transform: of the amounts.
        drizzle: mean below which a place with median 0 is dry, mm.
    """

    z: np.ndarray
    latent: np.ndarray
    rain: np.ndarray
    measured: np.ndarray
    gauge_weight: np.ndarray
    factor: np.ndarray
    transform: PowerTransform
    drizzle: float

    @property
    def mean(self) -> np.ndarray:
        """Expected amount, (n,), mm."""
        mean = self.factor * self.transform.mean(self.z, self.rain)
        return np.where((self.z <= 0.0) & (mean < self.drizzle), 0.0, mean)

    def quantile(self, probability: float) -> np.ndarray:
        """Amount (n,), mm, that a gauge would not exceed with the probability."""
        return self.transform.quantile(probability, self.z, self.measured)


def analyse(
    gauges: Gauges,
    radar: RadarRain | None,
    time: np.datetime64,
    grid: RainGrid,
    settings: AnalysisSettings | None = None,
    background: RadarRain | None = None,
    terrain: np.ndarray | None = None,
) -> RainAnalysis:
    """Analysed precipitation of the interval that ends at a time, on a grid, with its uncertainty.

    Args:
        gauges: of the window in time; values with a flag are not used, gauges outside the grid are.
        radar: fields on any grid; None, or NaN, where there are none.
        time: end of the interval.
        grid: of the result.
        settings: of the analysis.
        background: fields of a model, used where no radar sees and as a further predictor where one does.
        terrain: height of the cells, (ny, nx), m, for correlations that weaken across terrain.

    Raises:
        InputError: gauges and fields have amounts over different intervals, or the terrain is not on the grid.
    """
    settings = settings or AnalysisSettings()
    if terrain is not None and np.shape(terrain) != grid.shape:
        raise InputError(f"The terrain has shape {np.shape(terrain)}, the grid of the analysis {grid.shape}")
    projection = plane_of(grid)
    model = _model(gauges, radar, background, time, projection, settings)
    one = _on_grid(model, time, grid, projection, settings, terrain, None)
    if radar is None:
        return one
    alone = _model(gauges, None, background, time, projection, settings)
    weight = _weight(model, alone, settings)
    seen = (one.flag & AnalysisFlag.RADAR) > 0
    share = np.where(seen, np.float32(weight), np.float32(0.0))
    wanted = (share < 1.0) & (one.flag != AnalysisFlag.GAP)
    if not wanted.any():
        return one
    other = _on_grid(alone, time, grid, projection, settings, terrain, wanted)
    # Where radar sees, gauges alone are known as far as they reach; beyond, radar is all there is.
    share = np.where(wanted & np.isfinite(other.mean), share, np.float32(1.0))
    fields = ("mean", "quantiles", "probability", "gauge_weight", "samples")
    mixed: dict[str, Any] = {name: _mixed(share, getattr(one, name), getattr(other, name)) for name in fields}
    return replace(one, **mixed)


def _model(
    gauges: Gauges,
    radar: RadarRain | None,
    background: RadarRain | None,
    time: np.datetime64,
    projection: Projection,
    settings: AnalysisSettings,
) -> tuple[Window, Fitted]:
    """Observations with or without radar, and what they say."""
    window = gather(gauges, radar, background, time, projection, settings)
    return window, fit(window.observed, window.drift_mean, window.drift_sd, settings)


def _on_grid(
    model: tuple[Window, Fitted],
    time: np.datetime64,
    grid: RainGrid,
    projection: Projection,
    settings: AnalysisSettings,
    terrain: np.ndarray | None,
    only: np.ndarray | None,
) -> RainAnalysis:
    """Analysis by one model of all cells, or of those rows that have a cell of a mask (ny, nx)."""
    smooth = smooth_fields(grid, model[1], projection, settings, terrain)
    return on_grid(grid, time, *model, smooth, settings, only)


def _weight(model: tuple[Window, Fitted], alone: tuple[Window, Fitted], settings: AnalysisSettings) -> float:
    """Weight of the model with radar where radar sees; 1 if it is nearly that."""
    transform = PowerTransform(settings.exponent)
    weight = radar_weight(model[1].observed, model[1].without, alone[1].without, transform)
    return 1.0 if weight > _NEARLY_ONE else weight


def _mixed(share: np.ndarray, one: np.ndarray, other: np.ndarray) -> np.ndarray:
    """Mean of two fields with a share of the first; quantiles stay in order so."""
    with np.errstate(invalid="ignore"):
        mixed = share * one + (share.dtype.type(1.0) - share) * other
    return np.where(share >= 1.0, one, np.where(share <= 0.0, other, mixed))


def at_places(
    gauges: Gauges,
    radar: RadarRain | None,
    time: np.datetime64,
    lat: np.ndarray,
    lon: np.ndarray,
    settings: AnalysisSettings | None = None,
    *,
    background: RadarRain | None = None,
    height: np.ndarray | None = None,
) -> AtPlaces:
    """Analysis at places, (n,), without a grid between."""
    settings = settings or AnalysisSettings()
    lat, lon = np.atleast_1d(np.asarray(lat, float)), np.atleast_1d(np.asarray(lon, float))
    projection = plane_around(lat, lon) if radar is None else plane_of(radar.grid)
    given = (lat, lon, height, projection, settings)
    model = _model(gauges, radar, background, time, projection, settings)
    one, quality = _at_places(model, *given)
    if radar is None:
        return one
    alone = _model(gauges, None, background, time, projection, settings)
    share = np.where(quality > 0.0, _weight(model, alone, settings), 0.0)
    if (share == 1.0).all():
        return one
    other = _at_places(alone, *given)[0]
    fields = ("z", "latent", "measured", "gauge_weight", "factor")
    mixed: dict[str, Any] = {name: _mixed(share, getattr(one, name), getattr(other, name)) for name in fields}
    # The mean of amounts is that of the two models: their difference is a part of the variance.
    variance = _mixed(share, one.rain**2, other.rain**2) + share * (1.0 - share) * (one.z - other.z) ** 2
    return replace(one, rain=np.sqrt(variance), **mixed)


def _at_places(
    model: tuple[Window, Fitted],
    lat: np.ndarray,
    lon: np.ndarray,
    height: np.ndarray | None,
    projection: Projection,
    settings: AnalysisSettings,
) -> tuple[AtPlaces, np.ndarray]:
    """Analysis at places by one model, and the quality of the radar there, (n,)."""
    window, fitted = model
    amplitude, rows, quality = window.design(lat, lon)
    x = coordinates(projection, lat, lon, height, settings.terrain_km_per_km)
    z, latent, share = _everywhere(Points(x, np.zeros(lat.size), amplitude.T, rows.T), fitted, settings)
    rain, measured = spreads(latent, z, fitted)
    factor = np.full(z.size, fitted.calibration.factor)
    transform = PowerTransform(settings.exponent)
    return AtPlaces(z, np.sqrt(latent), rain, measured, share, factor, transform, settings.drizzle_mm), quality


def _everywhere(
    targets: Points, fitted: Fitted, settings: AnalysisSettings
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Mean and variance of z and the gauges' share at scattered targets, in groups with their neighbours."""
    one = fitted.observed
    residual = (one.value - one.points.drift @ fitted.drift)[:, None]
    z, variance, share = np.empty(targets.size), np.empty(targets.size), np.empty(targets.size)
    where = np.column_stack([one.points.x, SPEED * np.abs(one.points.hours)])
    tree = cKDTree(where) if one.size else None
    for chosen in _groups(targets.x, 400 if one.size <= settings.neighbours else 50):
        group = targets.some(chosen)
        near = np.arange(one.size)
        if tree is not None and one.size > settings.neighbours:
            near = np.sort(tree.query(np.append(group.x.mean(axis=0), 0.0), k=settings.neighbours)[1])
        fields = solve(group, one.some(near), fitted.parameters, present(group), residual[near])
        z[chosen], variance[chosen], share[chosen] = combine(
            fields, group.amplitude.T, group.drift.T, fitted.drift, fitted.drift_covariance, fitted.parameters.variance
        )
    return z, variance, share


def _groups(x: np.ndarray, most: int) -> list[np.ndarray]:
    def halves(chosen: np.ndarray) -> list[np.ndarray]:
        if chosen.size <= most:
            return [chosen]
        order = chosen[np.argsort(x[chosen, int(np.argmax(np.ptp(x[chosen], axis=0)))], kind="stable")]
        return halves(order[: order.size // 2]) + halves(order[order.size // 2 :])

    return halves(np.arange(len(x))) if len(x) else []
