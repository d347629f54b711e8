"""Cross-validation of the analysis beside simple methods, over hours: what `kaiseki precip score` computes.

Every method predicts the stations of one fold from those of the others, by stations drawn at random and by squares with
all their stations. Only places where all methods that are compared say something are scored. Intervals are 95 %, by
resampling squares with all their hours. Parameters of the analysis are found on the training stations of each fold.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

import numpy as np

from kaiseki.core.errors import InputError
from kaiseki.core.progress import Progress
from kaiseki.core.timing import format_utc
from kaiseki.precipitation.analysis import AnalysisSettings, at_places
from kaiseki.precipitation.baselines import gauges_alone, log_ratio, mean_field_bias, raw_radar
from kaiseki.precipitation.data import Gauges, RadarRain
from kaiseki.precipitation.reference.adjustment import adjusted_at
from kaiseki.precipitation.scores import (
    LEVELS,
    Method,
    Predicted,
    cluster_folds,
    clusters,
    cross_validated,
    intervals,
    ratio_interval,
    station_folds,
    table,
)

OURS: Final = "analysis"
_NEEDS_RADAR: Final = ("raw radar", "mean-field bias", "log-ratio inverse distance", "local adjustment as JMA")
LEAST: Final = 20
"""Smallest number of stations with a value that are cross-validated."""


@dataclass(frozen=True, kw_only=True)
class ComparisonSettings:
    """How methods are compared.

    Attributes:
        analysis: settings of the analysis.
        folds: number of folds.
        square: side of the squares, km.
        seed: of the folds.
        draws: number of resamplings.
    """

    analysis: AnalysisSettings = field(default_factory=AnalysisSettings)
    folds: int = 5
    square: float = 20.0
    seed: int = 1
    draws: int = 500

    def __post_init__(self) -> None:
        if self.folds < 2 or not self.square > 0.0 or self.draws < 10:
            raise InputError("Cross-validation needs at least 2 folds, squares with a side and 10 draws")


type Hourly = Callable[[np.datetime64], RadarRain | None]
"""Function that gives the radar of the window of an hour, None where there is none."""


def methods_of(time: np.datetime64, settings: AnalysisSettings, *, with_radar: bool) -> dict[str, Method]:
    """Methods that are compared, by name."""

    def ours(gauges: Gauges, radar: RadarRain | None, lat: np.ndarray, lon: np.ndarray) -> Predicted:
        one = at_places(gauges, radar, time, lat, lon, settings)
        return Predicted(one.mean, np.stack([one.quantile(level) for level in LEVELS]))

    def local(gauges: Gauges, radar: RadarRain | None, lat: np.ndarray, lon: np.ndarray) -> Predicted:
        assert radar is not None
        return Predicted(adjusted_at(radar, gauges, time, lat, lon))

    def now(method: Method) -> Method:
        """A method that takes the hour alone."""
        return lambda gauges, radar, lat, lon: method(
            gauges.at(time), None if radar is None else radar.at(time), lat, lon
        )

    found: dict[str, Method] = {"gauges alone, inverse distance": now(gauges_alone)}
    if with_radar:
        simple: Sequence[Method] = (raw_radar, mean_field_bias, log_ratio, local)
        found |= {name: now(method) for name, method in zip(_NEEDS_RADAR, simple, strict=True)}
    return found | {OURS: ours}


def compare(
    gauges: Gauges, radar: Hourly, times: Sequence[np.datetime64], settings: ComparisonSettings | None = None
) -> dict[str, Any]:
    """Scores of all methods over hours, by stations and by squares.

    Hours with fewer than 20 stations with values are left out and named; methods that need a radar are left out, and
    named as absent, unless every hour has one.

    Args:
        gauges: of all hours and their windows.
        radar: gives the radar of an hour.
        times: ends of the hours.
        settings: of the comparison.

    Raises:
        InputError: no hour has enough stations.
    """
    settings = settings or ComparisonSettings()
    kept = [time for time in times if gauges.at(time).usable.sum() >= LEAST]
    if not kept:
        raise InputError(
            f"No hour from {format_utc(times[0])} to {format_utc(times[-1])} has {LEAST} stations with a "
            "value, so that nothing can be scored"
        )
    square = clusters(gauges.lat, gauges.lon, settings.square)
    folds = {
        "by stations": station_folds(gauges.lat.size, settings.folds, settings.seed),
        f"by squares of {settings.square:g} km": cluster_folds(square, settings.folds, settings.seed),
    }
    parts: dict[str, list[_Hour]] = {how: [] for how in folds}
    with Progress("scoring", len(kept), unit="hour") as progress:
        for time in kept:
            fields = radar(time)
            for how, fold in folds.items():
                parts[how].append(_hour(gauges, fields, time, fold, square, settings))
            progress.advance(1, format_utc(time))
    return {
        "hours": [format_utc(time) for time in kept],
        "left_out": [format_utc(time) for time in times if time not in kept],
        "folds": settings.folds,
        "seed": settings.seed,
        **{how: _scored(of_hours, settings) for how, of_hours in parts.items()},
    }


@dataclass(frozen=True, eq=False)
class _Hour:
    observed: np.ndarray
    block: np.ndarray
    predicted: Mapping[str, Predicted]


def _hour(
    gauges: Gauges,
    radar: RadarRain | None,
    time: np.datetime64,
    fold: np.ndarray,
    square: np.ndarray,
    settings: ComparisonSettings,
) -> _Hour:
    """Predictions of all methods for an hour at the stations that are usable in it."""
    now = gauges.at(time)
    usable = now.usable[0]
    chosen = gauges.some(usable)
    methods = methods_of(time, settings.analysis, with_radar=radar is not None)
    found = {name: cross_validated(one, chosen, radar, time, fold[usable]) for name, one in methods.items()}
    known = np.all([np.isfinite(one.mean) for one in found.values()], axis=0)
    return _Hour(
        now.amount[0][usable][known],
        square[usable][known],
        {name: _where(one, known) for name, one in found.items()},
    )


def _scored(parts: Sequence[_Hour], settings: ComparisonSettings) -> dict[str, Any]:
    """Tables of all methods that every hour has."""
    names = [name for name in parts[-1].predicted if all(name in one.predicted for one in parts)]
    observed, block = (np.concatenate([getattr(one, name) for one in parts]) for name in ("observed", "block"))
    found = {name: _pooled([one.predicted[name] for one in parts]) for name in names}
    within = intervals(observed, found, block, settings.draws, settings.seed)
    return {
        "places": int(observed.size),
        "absent": [name for name in (*_NEEDS_RADAR, OURS) if name not in names],
        "methods": {
            name: {
                "scores": {score: _plain(value) for score, value in table(observed, one).items()},
                "intervals": {score: [_plain(end) for end in ends] for score, ends in within[name].items()},
                "rmse_of_analysis_over_this": [
                    _plain(value)
                    for value in ratio_interval(observed, found[OURS], one, block, settings.draws, settings.seed)
                ],
            }
            for name, one in found.items()
        },
    }


def _where(one: Predicted, chosen: np.ndarray) -> Predicted:
    return Predicted(one.mean[chosen], one.quantiles[:, chosen] if one.quantiles.size else one.quantiles)


def _pooled(parts: Sequence[Predicted]) -> Predicted:
    mean = np.concatenate([one.mean for one in parts])
    if not all(one.quantiles.size for one in parts):
        return Predicted(mean)
    return Predicted(mean, np.concatenate([one.quantiles for one in parts], axis=1))


def _plain(value: float) -> float | None:
    return float(value) if np.isfinite(value) else None


def as_text(result: Mapping[str, Any]) -> str:
    """The comparison as a table for a terminal."""
    lines = [f"{len(result['hours'])} hours, {result['hours'][0]} to {result['hours'][-1]}; amounts in mm"]
    if result["left_out"]:
        lines.append(f"left out, for want of gauges: {len(result['left_out'])} hours")
    heads = ("rmse", "mae", "bias", "correlation", "crps", "coverage_80", "ets_1mm", "ets_5mm", "ets_10mm")
    shown = ("rmse", "mae", "bias", "corr", "crps", "80 %", "ets 1", "ets 5", "ets 10")
    for how, one in result.items():
        if not isinstance(one, Mapping):
            continue
        lines.append("")
        lines.append(f"{how}, {one['places']} places")
        lines.append(f"{'':32}" + "".join(f"{word:>8}" for word in shown) + "   analysis/this [95 %]")
        for name, row in one["methods"].items():
            values = "".join("       -" if row["scores"][k] is None else f"{row['scores'][k]:8.3f}" for k in heads)
            ratio = row["rmse_of_analysis_over_this"]
            compared = "" if name == OURS or None in ratio else f"   {ratio[0]:.3f} [{ratio[1]:.3f}, {ratio[2]:.3f}]"
            lines.append(f"{name:32}{values}{compared}")
        if one["absent"]:
            lines.append(f"absent, for want of a radar: {', '.join(one['absent'])}")
    return "\n".join(lines)
