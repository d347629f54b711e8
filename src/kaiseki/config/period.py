"""Sections `case` and `period`: what is made, and when."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import numpy as np

from kaiseki.config.base import (
    Positive,
    Section,
    UtcTime,
)
from kaiseki.core.errors import ConfigError
from kaiseki.core.timing import Time, Window, hours, parse_time, windows

LONGEST_NAME = 100
"""Most characters of the name of a case: names of files may have 255 bytes, and some have more in them."""


@dataclass(frozen=True, kw_only=True)
class Case(Section):
    """Name and kind of the experiment."""

    name: str
    """Short name, used in file names and in the column `case` of the scores."""
    title: str = ""
    """Title at the head of the report, one line."""
    kind: Literal["twin", "real"]
    """Kind of the experiment: observations of a nature run of the program itself ("twin") or of files ("real")."""
    time_zone: str | None = None
    """Civil time that reports show beside UTC, by its name in the time-zone database ("Europe/Berlin"); "UTC" for none.
    Without it the presets of Japan show Japan Standard Time and all other domains UTC alone."""

    def __post_init__(self) -> None:
        super().__post_init__()
        if not re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9._-]*", self.name):
            raise ConfigError(
                f"name = {self.name!r}, but it becomes part of file names: letters, digits, dots, underscores and "
                "hyphens only, beginning with a letter or digit"
            )
        if len(self.name) > LONGEST_NAME:
            raise ConfigError(f"name has {len(self.name)} characters; {LONGEST_NAME} are allowed in names of files")
        try:
            if self.time_zone is not None:
                ZoneInfo(self.time_zone)
        except (ZoneInfoNotFoundError, ValueError, OSError):
            raise ConfigError(
                f'time_zone = {self.time_zone!r}: no such time zone here; give a name such as "Europe/Berlin", or "UTC"'
            ) from None


@dataclass(frozen=True, kw_only=True)
class Period(Section):
    """Cold start, end, cycling window and output interval."""

    cold_start: UtcTime
    """Time of the first analysis (UTC); its observations are not used again."""
    end: UtcTime
    """Time of the last analysis (UTC)."""
    window_hours: Positive = 3.0
    """Length of the assimilation window (T - window, T], h."""
    output_hours: Positive = 1.0
    """Interval of the forecast output, h."""

    def __post_init__(self) -> None:
        super().__post_init__()
        span = (self.end - self.cold_start).total_seconds()
        window, output = self.window_hours * 3600, self.output_hours * 3600
        if span <= 0:
            raise ConfigError("end must lie after cold_start")
        if window != round(window) or output != round(output):
            raise ConfigError("window_hours and output_hours must be whole seconds")
        if span % window:
            raise ConfigError(f"end must lie a whole number of windows of {self.window_hours:g} h after cold_start")
        if window % output:
            raise ConfigError("output_hours must divide window_hours")

    @property
    def first(self) -> Time:
        """`cold_start` as datetime64[s]."""
        return parse_time(self.cold_start)

    @property
    def last(self) -> Time:
        """`end` as datetime64[s]."""
        return parse_time(self.end)

    @property
    def window(self) -> np.timedelta64:
        """Length of the window as timedelta64[s]."""
        return hours(self.window_hours)

    @property
    def output_interval(self) -> np.timedelta64:
        """Interval of the output as timedelta64[s]."""
        return hours(self.output_hours)

    @property
    def cycles(self) -> int:
        """Number of windows."""
        return round((self.end - self.cold_start).total_seconds() / (self.window_hours * 3600.0))

    def windows(self) -> Iterator[Window]:
        """The windows of the cycles: the first starts at the cold start, the last ends at `end`."""
        return windows(self.first, self.last, self.window)
