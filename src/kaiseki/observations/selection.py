"""What each kind of report is used for: assimilated, compared only, or kept for verification.

Sonde heights are integrals of the temperatures that are assimilated, so using both would count the same measurement
twice; temperature at 2 m and wind at 10 m over land speak of a terrain and a surface that a grid of 20 to 60 km does
not have. Bogus pressures (PAOBs) are opinions of an analyst, not measurements.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from enum import StrEnum
from types import MappingProxyType
from typing import Final

import numpy as np

from kaiseki.core.observables import KINDS, OWN_KINDS, OWN_QUANTITIES, QUANTITIES
from kaiseki.observations.flags import Flag
from kaiseki.observations.surface_level import surface_levels
from kaiseki.observations.table import Table


class Use(StrEnum):
    """What a value is for."""

    ASSIMILATED = "assimilated"
    MONITORED = "monitored"
    """Compared with background and analysis, never assimilated."""
    VERIFIED = "verified"
    """Serves quality control and verification."""
    UNUSED = "unused"
    """Neither compared nor assimilated."""


_WIND: Final = ("eastward_wind", "northward_wind")
_MASS: Final = ("air_temperature", "virtual_temperature", "specific_humidity")
_HEIGHTS: Final = dict.fromkeys(("geopotential_height", "mean_sea_level_pressure"), Use.VERIFIED)

_OF_NO_USE: Final = {("unknown", quantity): Use.UNUSED for quantity in QUANTITIES}

UPPER_AIR: Final[Mapping[tuple[str, str], Use]] = MappingProxyType(
    {
        **_OF_NO_USE,
        **{("sonde", quantity): Use.ASSIMILATED for quantity in (*_MASS, *_WIND, "surface_pressure")},
        **{("pilot", quantity): Use.ASSIMILATED for quantity in _WIND},
        **{("aircraft", quantity): Use.ASSIMILATED for quantity in ("air_temperature", "virtual_temperature", *_WIND)},
        **{("satwind", quantity): Use.ASSIMILATED for quantity in _WIND},
        **{
            (kind, quantity): use
            for kind in ("sonde", "pilot", "aircraft", "satwind")
            for quantity, use in _HEIGHTS.items()
        },
    }
)
"""Use of values above the surface; what is not named is monitored."""

SURFACE: Final[Mapping[tuple[str, str], Use]] = MappingProxyType(
    {
        **{(kind, "surface_pressure"): Use.ASSIMILATED for kind in ("sonde", "synop", "ship", "buoy")},
        **{(kind, quantity): Use.ASSIMILATED for kind in ("ship", "buoy") for quantity in _WIND},
        **{(kind, quantity): use for kind in KINDS for quantity, use in _HEIGHTS.items()},
        **_OF_NO_USE,
        **{("paob", quantity): Use.UNUSED for quantity in QUANTITIES},
    }
)
"""Use of values at the surface, among them the surface level of sondes; what is not named is monitored."""

_SURFACE_KINDS: Final = ("synop", "ship", "buoy", "paob")


def at_surface(table: Table) -> np.ndarray:
    """Mask (n,) of the values measured at the surface: surface stations, and the surface level of ascents."""
    surface = table.where(kind=_SURFACE_KINDS) | table.where(quantity="surface_pressure")
    return surface | surface_levels(table)


def uses(
    table: Table, kinds: Collection[str] = KINDS, overrides: Mapping[tuple[str, str], Use] | None = None
) -> np.ndarray:
    """`Use` of each row, unicode (n,).

    Args:
        table: observations.
        kinds: kinds of report that may be assimilated; of the others what would be assimilated is monitored.
        overrides: uses by (kind, quantity) that replace those of the tables, at the surface and above.
    """
    words = list(Use)
    choice = np.empty((2, len(KINDS), len(QUANTITIES)), dtype=np.int64)
    for surface, rules in enumerate((UPPER_AIR, SURFACE)):
        for k, kind in enumerate(KINDS):
            for q, quantity in enumerate(QUANTITIES):
                # What a plug-in brings is there to be used: the experiment names its kind, or it would be monitored.
                brought = kind not in OWN_KINDS or quantity not in OWN_QUANTITIES
                usual = Use.ASSIMILATED if brought and kind not in ("unknown", "paob") else Use.MONITORED
                use = (overrides or {}).get((kind, quantity), rules.get((kind, quantity), usual))
                if use == Use.ASSIMILATED and kind not in kinds:
                    use = Use.MONITORED
                choice[surface, k, q] = words.index(use)
    codes = choice[at_surface(table).astype(int), table.codes("kind")[0], table.codes("quantity")[0]]
    return np.array(words, dtype=np.str_)[codes]


def select(
    table: Table, kinds: Collection[str] = KINDS, overrides: Mapping[tuple[str, str], Use] | None = None
) -> Table:
    """Table with `Flag.MONITORED` set on all rows that are not to be assimilated; arguments as `uses`."""
    return table.with_flags(uses(table, kinds, overrides) != Use.ASSIMILATED, Flag.MONITORED)
