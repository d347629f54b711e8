"""The demonstration of analysed precipitation: synthetic storms calibrated, analysed, and scored against the truth."""

from __future__ import annotations

import time as clock
from dataclasses import dataclass
from typing import Any, Final

import numpy as np

from kaiseki.core.progress import Progress
from kaiseki.core.timing import format_utc
from kaiseki.experiments.storms import Storms
from kaiseki.precipitation.analysis import AnalysisSettings, analyse
from kaiseki.precipitation.data import Gauges, RadarRain, RainAnalysis
from kaiseki.precipitation.quality import check
from kaiseki.precipitation.reference.adjustment import adjusted, composite
from kaiseki.precipitation.reference.calibration import Calibration, CalibrationSettings, calibrate
from kaiseki.precipitation.scores import bias_ratio, correlation, equitable_threat_score, mae, rmse

OURS: Final = "analysis"


@dataclass(frozen=True, eq=False)
class RainDemo:
    """Storms, what was made of them, and how well.

    Attributes:
        storms: with the truth.
        gauges: checked.
        raw: composite of the radars as they are.
        calibrated: composite of the calibrated radars.
        analyses: of the hours.
        scores: by method, over all cells that a radar sees and all hours.
        factors: rows (radar, sensitivity and slope, planted and found).
        found: stations with a planted fault that the quality control flagged.
        seconds: of the calibration, and of an hour of analysis.
    """

    storms: Storms
    gauges: Gauges
    raw: RadarRain
    calibrated: RadarRain
    analyses: tuple[RainAnalysis, ...]
    scores: dict[str, dict[str, float]]
    factors: list[dict[str, Any]]
    found: tuple[str, ...]
    seconds: dict[str, float]


def rain_demo(storms: Storms, settings: AnalysisSettings | None = None) -> RainDemo:
    """Calibrate the radars of storms, analyse every hour, and score all methods against the truth."""
    settings = settings or AnalysisSettings()
    begin = clock.monotonic()
    count = len(storms.radars)
    nothing = np.zeros((storms.time.size, count))
    raw = composite(storms.radars, storms.heights, Calibration(nothing, nothing, nothing, nothing))
    gauges = check(storms.gauges, raw)
    flagged = {str(name) for name in gauges.station[(gauges.flags != 0).any(axis=0)]}
    calibration = calibrate(storms.radars, storms.heights, gauges, CalibrationSettings(hold=24.0))
    calibrated = composite(storms.radars, storms.heights, calibration)
    calibrated_at = clock.monotonic()
    analyses = []
    with Progress("analysing synthetic storms", storms.time.size, unit="hour") as progress:
        for time in storms.time:
            analyses.append(analyse(gauges, calibrated, time, storms.grid, settings))
            progress.advance(1, format_utc(time))
    ended = clock.monotonic()
    fields = {
        "radars as they are": raw.amount,
        "with one factor for all (mean-field bias)": _mean_field(raw, gauges),
        "radars calibrated, each with its factors": calibrated.amount,
        "calibrated, adjusted locally as JMA does": adjusted(calibrated, gauges).amount,
        OURS: np.stack([one.mean for one in analyses]),
    }
    return RainDemo(
        storms,
        gauges,
        raw,
        calibrated,
        tuple(analyses),
        _scores(storms, raw, fields, analyses),
        _factors(storms, calibration),
        tuple(sorted(flagged & storms.faulty.keys())),
        {"calibration": calibrated_at - begin, "hour": (ended - calibrated_at) / storms.time.size},
    )


def _mean_field(raw: RadarRain, gauges: Gauges) -> np.ndarray:
    """The radar times one factor for each hour: sum of the gauges over the sum of the radar at them."""
    from kaiseki.precipitation.baselines import mean_field_bias

    lat, lon = (one.ravel() for one in raw.grid.points())
    hours = [mean_field_bias(gauges.at(time), raw.at(time), lat, lon).mean for time in raw.time]
    return np.stack(hours).reshape(raw.amount.shape)


def _scores(
    storms: Storms, raw: RadarRain, fields: dict[str, np.ndarray], analyses: list[RainAnalysis]
) -> dict[str, dict[str, float]]:
    """Scores of fields (t, ny, nx) over the cells that a radar sees."""
    seen = np.isfinite(raw.amount)
    truth = storms.truth[seen].astype(float)
    found = {}
    for name, amount in fields.items():
        mean = amount[seen].astype(float)
        found[name] = {
            "rmse": rmse(truth, mean),
            "mae": mae(truth, mean),
            "bias": bias_ratio(truth, mean),
            "correlation": correlation(truth, mean),
            "ets_1mm": equitable_threat_score(truth, mean, 1.0),
            "ets_10mm": equitable_threat_score(truth, mean, 10.0),
        }
    low, high = (np.stack([one.quantiles[k] for one in analyses])[seen] for k in (0, 2))
    wet = (truth >= 0.1) | (fields[OURS][seen] >= 0.1)
    found[OURS]["coverage_80"] = float(((truth >= low) & (truth <= high))[wet].mean())
    return found


def _factors(storms: Storms, calibration: Calibration) -> list[dict[str, Any]]:
    """Factors of the radars at the mean height of their beams, planted and found."""
    rows = []
    for number, (radar, height) in enumerate(zip(storms.settings.radars, storms.heights, strict=True)):
        middle = float(np.nanmean(height))
        found = [float(calibration.factor(hour, number, np.array([middle]))[0]) for hour in range(storms.time.size)]
        planted = float(np.exp(radar.sensitivity + radar.slope * middle))
        rows.append(
            {
                "radar": radar.name,
                "height": middle,
                "planted": planted,
                "found": float(np.mean(found)),
                "error": float(np.mean(found)) / planted - 1.0,
            }
        )
    return rows
