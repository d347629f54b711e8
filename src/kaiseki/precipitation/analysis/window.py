"""Gauges, radar and background of a window in time, made ready for the model."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.spatial import cKDTree

from kaiseki.core.errors import InputError
from kaiseki.grid.projection import Projection
from kaiseki.precipitation.analysis.covariance import Points
from kaiseki.precipitation.analysis.drift import Predictors, at_places, design, drift_prior, predictors
from kaiseki.precipitation.analysis.likelihood import Observed, observed
from kaiseki.precipitation.analysis.plane import coordinates
from kaiseki.precipitation.analysis.settings import AnalysisSettings
from kaiseki.precipitation.analysis.transform import PowerTransform
from kaiseki.precipitation.data import Gauges, RadarRain


@dataclass(frozen=True, eq=False)
class Window:
    """What is known about one time: the fields there, and the observations of the hours around.

    Attributes:
        radar: predictors from the radar, None without.
        background: predictors from the background, None without.
        observed: usable gauge values of the window.
        drift_mean: of the prior of the coefficients, (p,).
        drift_sd: standard deviations of that prior, (p,).
    """

    radar: Predictors | None
    background: Predictors | None
    observed: Observed
    drift_mean: np.ndarray
    drift_sd: np.ndarray

    def design(self, lat: np.ndarray, lon: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Amplitudes (3, n), predictors (p, n) and quality of the radar (n,) at places, at the time itself."""
        return _design(self.radar, self.background, lat, lon, self.drift_mean.size)


def gather(
    gauges: Gauges,
    radar: RadarRain | None,
    background: RadarRain | None,
    time: np.datetime64,
    projection: Projection,
    settings: AnalysisSettings,
) -> Window:
    """Observations and predictors of the window around a time.

    Raises:
        InputError: the intervals of gauges, radar and background are of different lengths.
    """
    for name, field in (("radar", radar), ("background", background)):
        if field is not None and field.period != gauges.period:
            raise InputError(
                f"The {name} has amounts over {field.period}, the gauges over {gauges.period}; accumulate both "
                "over one interval"
            )
    time = np.datetime64(time, "s")
    mean, sd = drift_prior(background is not None)
    steps = range(-settings.hours_before, settings.hours_after + 1)
    parts = []
    now: tuple[Predictors | None, Predictors | None] = (None, None)
    for step in steps:
        there = time + step * gauges.period
        fields = (_predictors(radar, there, settings), _predictors(background, there, settings))
        if step == 0:
            now = fields
        hours = step * gauges.period / np.timedelta64(3600, "s")
        parts.append(_observed(gauges, there, hours, fields, mean, projection, settings))
    joined = _join(parts)
    if len(parts) > 1:
        # Dry values of other times far from rain say nothing about the bias now.
        joined = joined.some(joined.active | (joined.points.hours == 0.0))
    return Window(now[0], now[1], joined, mean, sd)


def _predictors(field: RadarRain | None, time: np.datetime64, settings: AnalysisSettings) -> Predictors | None:
    if field is None:
        return None
    found = np.flatnonzero(field.time == time)
    return predictors(field, int(found[0]), settings) if found.size else None


def _design(
    radar: Predictors | None, background: Predictors | None, lat: np.ndarray, lon: np.ndarray, count: int
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    values, quality = np.zeros((3, lat.size), np.float32), np.zeros(lat.size, np.float32)
    if radar is not None:
        values, quality = at_places(radar, lat, lon)
    beside = None
    if count > drift_prior(False)[0].size:
        beside = np.zeros_like(values) if background is None else at_places(background, lat, lon)[0]
    amplitude, rows = design(values, quality, beside)
    return amplitude.astype(float), rows.astype(float), quality


def _observed(
    gauges: Gauges,
    time: np.datetime64,
    hours: float,
    fields: tuple[Predictors | None, Predictors | None],
    drift: np.ndarray,
    projection: Projection,
    settings: AnalysisSettings,
) -> Observed:
    """Usable values of one interval."""
    one = gauges.at(time)
    one = one.some(one.usable[0])
    amount = one.amount[0]
    step = np.where(np.isfinite(one.resolution), one.resolution, settings.resolution_mm)
    amplitude, rows, _ = _design(*fields, one.lat, one.lon, drift.size)
    points = Points(
        coordinates(projection, one.lat, one.lon, one.height, settings.terrain_km_per_km),
        np.full(one.lat.size, hours),
        amplitude.T,
        rows.T,
    )
    transform = PowerTransform(settings.exponent)
    wet = amount > 0.0
    held = np.where(wet, amount, 0.5 * step)
    # An amount x of a bucket of content q lies within q of the truth, evenly; errors of z follow by the slope there.
    slope = transform.slope(np.maximum(held, 0.5 * step))
    instrument = slope**2 * (step**2 / 12.0 + np.nan_to_num(one.error) ** 2)
    return observed(
        points,
        transform.forward(held),
        wet,
        np.where(wet, instrument, 0.0),
        wet | (_wet_around(rows) > 0.0) | _near(points.x, wet, settings.active_km) & (rows[4] > 0.0),
        drift,
    )


def _wet_around(rows: np.ndarray) -> np.ndarray:
    """Share of wet cells of radar or background around, from the predictors."""
    around = rows[3]
    return np.asarray(around + rows[7] if len(rows) > 7 else around)


def _near(x: np.ndarray, wet: np.ndarray, distance: float) -> np.ndarray:
    """Whether each place (n, 3) is within a distance of a wet one; all wet ones are."""
    if not wet.any():
        return wet
    return np.asarray(cKDTree(x[wet]).query(x)[0] <= distance)


def _join(parts: list[Observed]) -> Observed:
    points = Points(
        *(
            np.concatenate([getattr(part.points, name) for part in parts])
            for name in ("x", "hours", "amplitude", "drift")
        )
    )
    names = [name for name in Observed.__dataclass_fields__ if name != "points"]
    return Observed(points=points, **{name: np.concatenate([getattr(part, name) for part in parts]) for name in names})
