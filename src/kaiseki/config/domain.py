"""Section `domain`: the grid."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Literal

import numpy as np

from kaiseki.config.base import (
    Bounds,
    Count,
    Files,
    Latitude,
    Longitude,
    NotNegative,
    Positive,
    Section,
)
from kaiseki.core.errors import ConfigError

Projection = Literal["lambert_conformal", "mercator", "polar_stereographic"]
Preset = Literal["japan-5km-96", "japan-5km-76", "japan-20km", "japan-40km", "japan-60km"]


MOST_COLUMNS = 100_000_000
"""Most cells of a level: all the Earth at 2 km."""


@dataclass(frozen=True, kw_only=True)
class Levels(Section):
    """Nominal heights of the model levels: thin at the ground, stretched upwards."""

    number: Count = 40
    """Number of model layers."""
    top: Positive = 22_000.0
    """Height of the model top, m."""
    first_thickness: Positive = 60.0
    """Thickness of the lowest layer, m."""
    stretching: Annotated[float, Bounds(gt=0, le=20)] = 1.5
    """Exponent p of the growth of the thickness with the layer index k, first_thickness * (1 + c k^p)."""
    table: tuple[NotNegative, ...] = ()
    """Heights of all interfaces from 0 to the top, m; if given, it replaces the four values above."""
    terrain_decay: Positive = 9000.0
    """Height where the levels follow the terrain by half only, m; provisional, since JMA's value is not published."""

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.table and (len(self.table) < 3 or self.table[0] != 0 or not np.all(np.diff(self.table) > 0)):
            raise ConfigError("table must start at 0 and rise strictly, with at least two layers")
        if self.first_thickness * self.number > self.top and not self.table:
            raise ConfigError("number times first_thickness must not exceed top")


@dataclass(frozen=True, kw_only=True)
class DomainSettings(Section):
    """The grid: a preset or, without one, an explicit grid on a conformal projection.

    The reference point of the 5-km presets and the level tables are provisional: the originals are not published.
    """

    preset: Preset | None = None
    """Name of a preset grid; values given beside it replace those of the preset."""
    projection: Projection | None = None
    """Map projection of the grid: "lambert_conformal" for middle latitudes of either hemisphere (the default),
    "mercator" for the tropics, "polar_stereographic" near a pole."""
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
    standard_parallels: tuple[Latitude, ...] | None = None
    """Latitudes where the spacing is true, degrees north: two of a Lambert conformal grid, equal for a tangent cone;
    one of the others, whose sign in a polar stereographic grid says about which pole."""
    central_longitude: Longitude | None = None
    """Meridian along which the grid's y axis points north, degrees east."""
    levels: Levels | None = None
    rim_width: Count | None = None
    """Width of the lateral relaxation zone, cells."""
    terrain: Literal["files", "analytic", "flat"] = "flat"
    """Source of terrain and land: the files of `terrain_files`, the island arc of the twin experiment, or none."""
    terrain_files: Files = ()
    """Files of terrain heights, m."""
    terrain_voids: Literal["refuse", "mask"] = "refuse"
    """Treatment of heights below -500 m or above 9,000 m where there is land, as voids without a no-data value have:
    refused, or taken as no data, so that the next of the terrain files counts there."""
    mask_files: Files = ()
    """Files of land-sea masks."""
    coast_files: Files = ()
    """Files of coastlines (GeoJSON) for the maps of the report."""
    terrain_smoothing: Annotated[float, Bounds(ge=0, le=100)] = 1.0
    """Strength of the terrain smoothing, in grid lengths, at most 100; 0 leaves the conservative averages."""

    def __post_init__(self) -> None:
        super().__post_init__()
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
            raise ConfigError(f"without a preset the grid needs {', '.join(missing)} as well")
        if self.shape is not None and self.shape[0] * self.shape[1] > MOST_COLUMNS:
            raise ConfigError(
                f"shape = {self.shape[0]} x {self.shape[1]}: no machine holds more than {MOST_COLUMNS:g} cells a level"
            )
        number = 2 if self.projection in (None, "lambert_conformal") else 1
        if self.standard_parallels is not None and len(self.standard_parallels) != number:
            raise ConfigError(
                f"standard_parallels must be {'two latitudes' if number == 2 else 'one latitude'} for the projection "
                f"{self.projection or 'lambert_conformal'}, not {len(self.standard_parallels)}"
            )
        if number == 1 and self.standard_parallels is None:
            raise ConfigError(f"the projection {self.projection} needs standard_parallels, one latitude")
        if self.terrain == "files" and not self.terrain_files:
            raise ConfigError('terrain = "files" needs terrain_files')
