"""`kaiseki precip score`: cross-validation of the analysis beside simple methods."""

from __future__ import annotations

import json as json_module
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from cyclopts import Parameter

from kaiseki.cli.installed import need
from kaiseki.cli.output import Json, begin, emit
from kaiseki.cli.precip_inputs import InputOptions, Mode, analysis_settings, hour
from kaiseki.core.errors import ConfigError


@Parameter(name="*")
@dataclass(frozen=True, kw_only=True)
class Options:
    """Options that say which hours are scored, and how."""

    start: str
    """End of the first hour, UTC: 2024-10-18T01:00Z; of a date alone its first hour, to 00 UTC."""
    end: str | None = None
    """End of the last hour; by default the first alone."""
    mode: Mode = "hour"
    """Which hours the analysis uses: the hour alone, with some before it (filter), or around it (smoother)."""
    window: int = 1
    """Number of hours before, and after, of filter and smoother."""
    folds: int = 5
    """Number of folds."""
    square: float = 20.0
    """Side of the squares, km."""
    seed: int = 1
    """Seed of the folds."""
    out: Path | None = None
    """JSON file of the result."""


def score(*, options: Options, inputs: InputOptions | None = None, json: Json = False) -> None:
    """Cross-validate the analysis beside raw radar, mean-field bias, log-ratio inverse distance and JMA's adjustment.

    Each method predicts the stations of one fold from those of the others: by stations drawn at random, and by squares
    with all their stations.
    """
    begin(json)
    need("formats", "precip", what="kaiseki precip score")
    from kaiseki.core.files import write_text
    from kaiseki.precipitation.batch import Inputs
    from kaiseki.precipitation.batch.hour import window_of
    from kaiseki.precipitation.comparison import ComparisonSettings, as_text, compare
    from kaiseki.precipitation.data import HOUR, RadarRain
    from kaiseki.precipitation.quality import check

    wanted = (inputs or InputOptions()).settings()
    if not (wanted.gauges or wanted.links):
        raise ConfigError("Scores are against gauges; name their files with --gauges")
    first = hour(options.start)
    last = hour(options.end, last=True) if options.end else first
    if last < first:
        raise ConfigError(f"The last hour, {options.end}, lies before the first, {options.start}")
    settings = ComparisonSettings(
        analysis=analysis_settings(options.mode, options.window, 0),
        folds=options.folds,
        square=options.square,
        seed=options.seed,
    )
    opened = Inputs.open(wanted)

    def radar(time: np.datetime64) -> RadarRain | None:
        files = opened.radar
        return None if files is None else window_of(settings.analysis, time, lambda _, one: files.hour(one))

    times = list(np.arange(first, last + HOUR, HOUR).astype("datetime64[s]"))
    gauges = opened.gauges
    if opened.checks is not None:
        near = (gauges.time >= first - 13 * HOUR) & (gauges.time <= last + 13 * HOUR)
        gauges = replace(gauges, time=gauges.time[near], amount=gauges.amount[near], flags=gauges.flags[near])
        gauges = check(gauges, None, opened.checks) if near.any() and opened.radar is None else gauges
    result = compare(gauges, radar, times, settings)
    if options.out is not None:
        write_text(options.out, json_module.dumps(result, indent=1))
    emit(result, json=json, text=lambda: as_text(result))
