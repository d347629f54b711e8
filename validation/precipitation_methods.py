"""Methods of rain analysis that the studies of precipitation compare, and their table of scores.

Every method predicts the stations of one fold from those of the others; places that one of the methods cannot tell
are scored for none. Intervals are 95 %, by resampling 20-km squares.
"""

from __future__ import annotations

import json
import time as clock
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

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

OURS = "analysis"
FOLDS = 5
DRAWS = 500


def analysis(time: np.datetime64, settings: AnalysisSettings | None = None, *, with_radar: bool = True) -> Method:
    """The analysis as a method."""

    def method(gauges: Gauges, radar: RadarRain | None, lat: np.ndarray, lon: np.ndarray) -> Predicted:
        one = at_places(gauges, radar if with_radar else None, time, lat, lon, settings)
        return Predicted(one.mean, np.stack([one.quantile(level) for level in LEVELS]))

    return method


def local_adjustment(time: np.datetime64) -> Method:
    """The local stage of the reference, in the manner of JMA's analysed precipitation, as a method."""

    def method(gauges: Gauges, radar: RadarRain | None, lat: np.ndarray, lon: np.ndarray) -> Predicted:
        if radar is None:
            return Predicted(np.full(np.shape(lat), np.nan))
        return Predicted(adjusted_at(radar, gauges, time, lat, lon))

    return method


def methods(time: np.datetime64) -> dict[str, Method]:
    """All methods for an hour with radar, by name, from the simplest."""
    return {
        "raw radar": raw_radar,
        "mean-field bias": mean_field_bias,
        "log-ratio IDW": log_ratio,
        "local adjustment": local_adjustment(time),
        "gauges alone, IDW": gauges_alone,
        "analysis without radar": analysis(time, with_radar=False),
        "analysis, parameters not fitted": analysis(time, AnalysisSettings(fit=False)),
        OURS: analysis(time),
    }


def predictions(
    compared: Mapping[str, Method], gauges: Gauges, radar: RadarRain | None, time: np.datetime64, fold: np.ndarray
) -> tuple[dict[str, Predicted], dict[str, float]]:
    """What each method predicts at the stations of each fold, and the processor time that it took, s."""
    found, seconds = {}, {}
    for name, method in compared.items():
        start = clock.process_time()
        found[name] = cross_validated(method, gauges, radar, time, fold)
        seconds[name] = round(clock.process_time() - start, 1)
        print(f"  {name}: {seconds[name]} s of the processor", flush=True)
    return found, seconds


def rows(
    observed: np.ndarray, found: Mapping[str, Predicted], block: np.ndarray, draws: int = DRAWS, ours: str = OURS
) -> dict[str, Any]:
    """Scores of each method with intervals, where all methods say something; NaN becomes None."""
    known = np.isfinite(observed) & np.all([np.isfinite(one.mean) for one in found.values()], axis=0)
    chosen = {
        name: replace(
            one, mean=one.mean[known], quantiles=one.quantiles[:, known] if one.quantiles.size else one.quantiles
        )
        for name, one in found.items()
    }
    observed, block = observed[known], block[known]
    within = intervals(observed, chosen, block, draws)
    return {
        name: {
            "places": int(observed.size),
            "scores": table(observed, one),
            "intervals": within[name],
            "rmse_of_analysis_over_this": ratio_interval(observed, chosen[ours], one, block, draws),
        }
        for name, one in chosen.items()
    }


def scored(
    compared: Mapping[str, Method], gauges: Gauges, radar: RadarRain | None, time: np.datetime64, seed: int
) -> dict[str, Any]:
    """Tables of all methods by folds of stations and of 20-km squares."""
    square = clusters(gauges.lat, gauges.lon)
    folds = {
        "by stations": station_folds(gauges.lat.size, FOLDS, seed),
        "by 20-km squares": cluster_folds(square, FOLDS, seed),
    }
    result = {}
    for how, fold in folds.items():
        print(how, flush=True)
        found, seconds = predictions(compared, gauges, radar, time, fold)
        result[how] = rows(gauges.at(time).amount[0], found, square)
        for name, one in result[how].items():
            one["processor_seconds"] = seconds[name]
    return result


def plain(value: Any) -> Any:
    """Numbers for JSON: NaN becomes None, numpy's own types Python's."""
    if isinstance(value, Mapping):
        return {str(name): plain(one) for name, one in value.items()}
    if isinstance(value, list | tuple | np.ndarray):
        return [plain(one) for one in value]
    if isinstance(value, np.generic):
        value = value.item()
    if isinstance(value, float):
        return float(f"{value:.6g}") if np.isfinite(value) else None
    return value


def write(path: Path, result: Mapping[str, Any]) -> None:
    """Write a result as JSON."""
    path.write_text(json.dumps(plain(result), indent=1) + "\n", encoding="utf-8")
