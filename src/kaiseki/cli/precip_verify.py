"""`kaiseki precip verify`: rain of forecasts, reanalyses and gauges against an analysis of precipitation."""

from __future__ import annotations

import json as json_module
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Literal

from cyclopts import Parameter

from kaiseki.cli.installed import need
from kaiseki.cli.output import Json, begin, emit
from kaiseki.cli.precip_inputs import Files
from kaiseki.core.errors import ConfigError

Places = Annotated[list[str] | None, Parameter(negative="", consume_multiple=True)]


@Parameter(name="*")
@dataclass(frozen=True, kw_only=True)
class Options:
    """Options that name what is compared; what is not given is named as absent."""

    against: Annotated[list[str], Parameter(negative="", consume_multiple=True)]
    """Analysis of precipitation: a release, a folder of analysed hours, or files."""
    reanalysis: Places = None
    """Reanalysis, or forecasts from its analyses: a store, or files of hours."""
    gauges: Files = None
    """Files of rain gauges, which are interpolated here."""
    global_reanalysis: Places = None
    """Global reanalysis: a release made of it, or files of hours."""
    without_assimilation: Places = None
    """Model without assimilation: a store, or files of hours."""
    operational: Places = None
    """Operational model: a release made of its files, or files of hours."""
    hours: int = 3
    """Length of the sums, h."""
    box: float = 20.0
    """Side of the boxes, km."""
    thresholds: Annotated[tuple[float, ...], Parameter(consume_multiple=True)] = (1.0, 5.0, 10.0, 20.0)
    """Amounts, mm."""
    first_lead: int = 3
    """Shortest lead time of forecasts, h."""
    last_lead: int = 15
    """Longest lead time of forecasts, h."""
    by: Literal["all", "year", "month", "lead"] = "year"
    """How the cases are divided."""
    time_zone: str = ""
    """Time zone of gauge times without one."""
    time_is: Literal["", "end", "start"] = ""
    """Whether times are the end or the start of their intervals, where files do not say."""
    out: Path | None = None
    """JSON file of the result."""


def verify(*, options: Options, json: Json = False) -> None:
    """Score the rain of forecasts, reanalyses and interpolated gauges over boxes against an analysis of precipitation.

    Threat score, frequency bias and fractions skill score of sums of 3 h over boxes of 20 km, side by side and by year,
    with intervals from draws of whole days. Each source is scored on the boxes that its own grid covers.
    """
    begin(json)
    need("formats", "precip", what="kaiseki precip verify")
    from kaiseki.core.files import write_text
    from kaiseki.experiments.rain_series import RainSeries, interpolated, series_of
    from kaiseki.experiments.rain_verification import SOURCES, as_text, compare_rain, rows_of
    from kaiseki.precipitation.batch import Inputs, InputSettings
    from kaiseki.precipitation.sources import Reading
    from kaiseki.verification.rain import RainVerification

    given = (
        options.reanalysis, options.gauges, options.global_reanalysis, options.without_assimilation, options.operational
    )  # fmt: skip
    if not any(given):
        raise ConfigError("There is nothing to verify; name at least one source, such as --reanalysis or --gauges")
    settings = RainVerification(hours=options.hours, box=1e3 * options.box, thresholds=options.thresholds)
    reading = Reading(time_is=options.time_is)
    analysis = series_of("the analysis", options.against, reading)
    if len(analysis) != 1 or analysis[0].start is not None:
        raise ConfigError(f"{options.against[0]} holds forecasts; --against needs an analysis of precipitation")
    sources: dict[str, list[RainSeries] | None] = {}
    for name, places in zip(SOURCES, given, strict=True):
        if not places:
            sources[name] = None
        elif name == "gauges interpolated":
            words = Reading(time_zone=options.time_zone, time_is=options.time_is)
            opened = Inputs.open(InputSettings(gauges=tuple(Path(one) for one in places), gauge_reading=words))
            sources[name] = [interpolated(name, opened.gauges)]
        else:
            sources[name] = series_of(name, places, reading)
    counts = compare_rain(sources, analysis[0], settings, (options.first_lead, options.last_lead))
    rows = rows_of(counts, options.by)
    result = {"hours": options.hours, "box_km": options.box, "by": options.by, "rows": rows}
    if options.out is not None:
        write_text(options.out, json_module.dumps(result, indent=1))
    emit(result, json=json, text=lambda: as_text(rows, settings))
