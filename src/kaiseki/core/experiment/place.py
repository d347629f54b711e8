"""Sections that say what is made, where and when: case, domain, period."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Literal, Self
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import numpy as np
from pydantic import Field, field_validator, model_validator

from kaiseki.core.experiment.base import Count, Files, Latitude, Longitude, NotNegative, Positive, Section, UtcTime
from kaiseki.core.timing import Time, Window, hours, parse_time, windows

Preset = Literal["japan-5km-96", "japan-5km-76", "japan-20km", "japan-40km", "japan-60km"]


class Case(Section):
    """What the experiment is called and where its truth comes from."""

    name: str = Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]*$")
    """Short name, used in file names and in the column `case` of the scores."""
    title: str = ""
    """One line for the head of the report."""
    kind: Literal["twin", "real"]
    """Where observations come from: a nature run of our own (twin) or files (real)."""
    time_zone: str | None = None
    """Civil time that reports show beside UTC, by its name in the time-zone database ("Europe/Berlin"); "UTC" for none.
    Without it the presets of Japan show Japan Standard Time and all other domains UTC alone."""

    @field_validator("time_zone")
    @classmethod
    def _known_zone(cls, value: str | None) -> str | None:
        try:
            if value is not None:
                ZoneInfo(value)
        except (ZoneInfoNotFoundError, ValueError, OSError):
            raise ValueError('no such time zone here; give a name such as "Europe/Berlin", or "UTC"') from None
        return value


class Levels(Section):
    """Nominal heights of the model levels: thin at the ground, stretched upwards."""

    number: Count = 40
    """Number of layers."""
    top: Positive = 22_000.0
    """Height of the model top, m."""
    first_thickness: Positive = 60.0
    """Thickness of the lowest layer, m."""
    stretching: Positive = 1.5
    """Exponent p of the growth of the thickness with the layer index k, first_thickness * (1 + c k^p)."""
    table: tuple[NotNegative, ...] = ()
    """Heights of all interfaces from 0 to the top, m; if given, it replaces the four values above."""
    terrain_decay: Positive = 9000.0
    """Height where the levels follow the terrain by half only, m; provisional, since JMA's value is not published."""

    @model_validator(mode="after")
    def _rising(self) -> Self:
        if self.table and (len(self.table) < 3 or self.table[0] != 0 or not np.all(np.diff(self.table) > 0)):
            raise ValueError("table must start at 0 and rise strictly, with at least two layers")
        if self.first_thickness * self.number > self.top and not self.table:
            raise ValueError("number times first_thickness must not exceed top")
        return self


class Domain(Section):
    """The grid: a preset or, without one, an explicit Lambert conformal grid.

    The reference point of the 5-km presets and the level tables are provisional: the originals are not published.
    """

    preset: Preset | None = None
    """A named grid; values given beside it replace those of the preset."""
    spacing: Positive | None = None
    """Grid length, true at the standard parallels, m."""
    shape: tuple[Count, Count] | None = None
    """Number of cells (ny, nx)."""
    reference_latitude: Latitude | None = None
    """Latitude of the reference point, degrees north."""
    reference_longitude: Longitude | None = None
    """Longitude of the reference point, degrees east."""
    reference_index: tuple[float, float] | None = None
    """Cell of the reference point (j, i), counted from 0 at the south-west cell; need not be whole. Without it the
    reference point is the middle of the grid."""
    standard_parallels: tuple[Latitude, Latitude] | None = None
    """Latitudes where the spacing is true, degrees north."""
    central_longitude: Longitude | None = None
    """Meridian along which the grid's y axis points north, degrees east."""
    levels: Levels | None = None
    rim_width: int | None = Field(default=None, ge=1)
    """Width of the lateral relaxation zone, cells."""
    terrain: Literal["files", "analytic", "flat"] = "flat"
    """Where terrain and land come from: files below, the island arc of the twin experiment, or none."""
    terrain_files: Files = ()
    """Terrain heights."""
    terrain_voids: Literal["refuse", "mask"] = "refuse"
    """What becomes of heights below -500 m or above 9,000 m where there is land, as voids without a no-data value have:
    refused, or taken as no data, so that the next of the terrain files counts there."""
    mask_files: Files = ()
    """Land-sea masks."""
    coast_files: Files = ()
    """Coastlines for the maps of the report."""
    terrain_smoothing: NotNegative = 1.0
    """Strength of the terrain smoothing, in grid lengths; 0 leaves the conservative averages."""

    @model_validator(mode="after")
    def _complete(self) -> Self:
        needed = (
            "spacing",
            "shape",
            "reference_latitude",
            "reference_longitude",
            "standard_parallels",
            "central_longitude",
        )
        missing = [name for name in needed if getattr(self, name) is None]
        if self.preset is None and missing:
            raise ValueError(f"without a preset the grid needs {', '.join(missing)} as well")
        if self.terrain == "files" and not self.terrain_files:
            raise ValueError('terrain = "files" needs terrain_files')
        return self


class Period(Section):
    """Cold start, end, cycling window and output interval."""

    cold_start: UtcTime
    """Time of the first analysis; its observations are not used again."""
    end: UtcTime
    """Time of the last analysis."""
    window_hours: Positive = 3.0
    """Length of the assimilation window (T - window, T]."""
    output_hours: Positive = 1.0
    """Interval of the forecast output."""

    @model_validator(mode="after")
    def _whole_windows(self) -> Self:
        span = (self.end - self.cold_start).total_seconds()
        window, output = self.window_hours * 3600, self.output_hours * 3600
        if span <= 0:
            raise ValueError("end must lie after cold_start")
        if window != round(window) or output != round(output):
            raise ValueError("window_hours and output_hours must be whole seconds")
        if span % window:
            raise ValueError(f"end must lie a whole number of windows of {self.window_hours:g} h after cold_start")
        if window % output:
            raise ValueError("output_hours must divide window_hours")
        return self

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

    def windows(self) -> Iterator[Window]:
        """The windows of the cycles: the first starts at the cold start, the last ends at `end`."""
        return windows(self.first, self.last, self.window)


__all__ = ["Case", "Domain", "Levels", "Period", "Preset"]
