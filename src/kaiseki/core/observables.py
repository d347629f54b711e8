"""Names of observed quantities and of kinds of report: ours, and those that plug-ins bring."""

from __future__ import annotations

from typing import Final

from kaiseki.core import plugins

OWN_QUANTITIES: Final[tuple[str, ...]] = (
    "air_temperature",
    "virtual_temperature",
    "specific_humidity",
    "eastward_wind",
    "northward_wind",
    "surface_pressure",
    "geopotential_height",
    "mean_sea_level_pressure",
)
"""Quantities that this package has an operator for, in CF standard names where CF has one; `surface_pressure` is at
`station_elevation`."""

OWN_KINDS: Final[tuple[str, ...]] = (
    "sonde",
    "pilot",
    "synop",
    "ship",
    "buoy",
    "aircraft",
    "satwind",
    "paob",
    "unknown",
)
"""Kinds of report that this package reads; `unknown` is kept for the record and used for nothing."""

QUANTITIES: Final[tuple[str, ...]] = (
    *OWN_QUANTITIES,
    *plugins.further("observation_operators", OWN_QUANTITIES),
)
"""Observed quantities: ours, and one per operator of a plug-in, which is registered under the quantity's name."""

KINDS: Final[tuple[str, ...]] = (*OWN_KINDS, *plugins.further("observation_sources", OWN_KINDS))
"""Kinds of report: ours, and one per source of a plug-in, which is registered under the kind's name."""
