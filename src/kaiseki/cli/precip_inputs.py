"""Options that the commands about analysed precipitation share: inputs, period, grid and settings of the analysis."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import numpy as np
from cyclopts import Parameter

from kaiseki.core.errors import ConfigError
from kaiseki.core.timing import parse_time

if TYPE_CHECKING:
    from kaiseki.precipitation.analysis import AnalysisSettings
    from kaiseki.precipitation.batch import InputSettings

Files = Annotated[list[Path] | None, Parameter(negative="", consume_multiple=True)]
Mode = Literal["hour", "filter", "smoother"]


@Parameter(name="*")
@dataclass(frozen=True, kw_only=True)
class InputOptions:
    """Options that name the inputs and what they leave unsaid."""

    gauges: Files = None
    """Files of rain gauges: AMeDAS, NetCDF, BUFR, CSV."""
    radar: Files = None
    """Files of radar fields of one grid: ODIM, CfRadial, RADOLAN, NetCDF, GRIB 2 of JMA."""
    links: Files = None
    """Files of microwave links."""
    background: str = ""
    """Release with hourly precipitation of a model, for places without radar."""
    time_zone: str = ""
    """Time zone of gauge times without one: UTC, +09:00, Asia/Tokyo."""
    time_is: Literal["", "end", "start"] = ""
    """Whether gauge times are the end or the start of their intervals, where files do not say."""
    period: float | None = None
    """Length of the intervals of the gauges, minutes, where files do not say."""
    units: str = ""
    """Units of the gauges, where files do not say: mm, mm h-1."""
    stations: Path | None = None
    """Table of AMeDAS stations, for files that hold no places."""
    radar_time_is: Literal["", "end", "start"] = ""
    """Whether radar times are the end or the start of their intervals, where files do not say."""
    radar_period: float | None = None
    """Time that each radar field stands for, minutes, where files do not say."""
    radar_units: str = ""
    """Units of the radar fields, where files do not say: mm, mm h-1, dBZ."""
    radar_variable: str = ""
    """Variable of the radar files, where there are several."""
    radar_missing: float = 0.2
    """Largest part of an hour without radar fields that is made up for by the rest of it."""
    checks: bool = True
    """Quality control of the gauges."""

    def settings(self) -> InputSettings:
        """What is read and how.

        Raises:
            ConfigError: there is no input, or an option is wrong.
        """
        from kaiseki.precipitation.accumulation import Accumulation
        from kaiseki.precipitation.batch import InputSettings
        from kaiseki.precipitation.quality import Checks
        from kaiseki.precipitation.sources import Reading

        gauge_reading = Reading(
            time_zone=self.time_zone,
            time_is=self.time_is,
            period=_minutes(self.period),
            units=self.units,
            stations=self.stations,
        )
        radar_reading = Reading(
            time_is=self.radar_time_is,
            period=_minutes(self.radar_period),
            units=self.radar_units,
            variable=self.radar_variable,
        )
        return InputSettings(
            gauges=tuple(self.gauges or ()),
            radar=tuple(self.radar or ()),
            links=tuple(self.links or ()),
            background=self.background,
            gauge_reading=gauge_reading,
            radar_reading=radar_reading,
            accumulation=Accumulation(missing=self.radar_missing),
            checks=Checks() if self.checks else None,
        )


def analysis_settings(mode: Mode, window: int, samples: int) -> AnalysisSettings:
    """Settings of the analysis of an hour: alone, with hours before it, or with hours before and after it.

    Raises:
        ConfigError: a number is out of its range.
    """
    from kaiseki.precipitation.analysis import AnalysisSettings

    settings = AnalysisSettings(samples=samples)
    if mode == "hour":
        return settings
    return replace(settings, hours_before=window, hours_after=window if mode == "smoother" else 0)


def hour(text: str, *, last: bool = False) -> np.datetime64:
    """End of an hour, UTC; of a date alone the first hour that ends on it, 00 UTC, or the last, 23 UTC.

    Raises:
        ConfigError: it is no time.
    """
    time = parse_time(text)
    if len(text.strip()) <= len("2024-10-18"):
        return time + np.timedelta64(23 * 3600 if last else 0, "s")
    return time


def _minutes(value: float | None) -> np.timedelta64 | None:
    if value is None:
        return None
    if not (value > 0.0 and float(value * 60.0).is_integer()):
        raise ConfigError(f"A period of {value:g} minutes is no whole number of seconds above 0")
    return np.timedelta64(int(value * 60.0), "s")
