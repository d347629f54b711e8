"""The one table of variables: internal name, CF name, units, GRIB2 and JMA code, packing bound, physical range.

The rows stand in `variables.csv`; this module says what the columns mean and looks names up.

Every package takes names, units and limits from here. Internal names are those of the field (`u v w theta rho qv ...`);
CF standard names are used wherever an `xarray.Dataset` or an observation meets the user.

Sources: CF standard name table; WMO Manual on Codes, code tables 4.2.d.c (checked against ecCodes by a test); JMA
short names as found in public files and format descriptions of JMA (RRJ-ClimCORE trial files for P, T, QVa, UMET and
VMET; the customary GRIB abbreviations for the others, which were not confirmed from a document of JMA), None where no
name is known.
"""

from __future__ import annotations

import csv
import difflib
from collections.abc import Mapping
from dataclasses import dataclass
from importlib import resources
from types import MappingProxyType
from typing import Any, NamedTuple

from kaiseki.core.errors import InputError


class Grib2(NamedTuple):
    """Parameter of GRIB2, and the fixed surface it belongs to where that is part of its meaning.

    `surface` is code table 4.5 (1 ground or sea surface, 4 level of 0 degC, 10 entire atmosphere, 17 and 18 departure
    level of the most unstable and of a mixed-layer parcel, 101 mean sea level, 103 height above ground, 106 depth below
    land surface), `height` the value of that surface [m]. `scale` times our value is the value in GRIB (per cent
    where ours is a fraction).
    """

    discipline: int
    category: int
    number: int
    surface: int | None = None
    height: float | None = None
    scale: float = 1.0


@dataclass(frozen=True, slots=True)
class Variable:
    """One row of the table.

    Attributes:
        name: name used inside.
        standard_name: CF standard name, empty where CF has none.
        long_name: words for titles and `long_name`.
        units: SI units in the notation of CF (UDUNITS).
        levels: "air" (z, y, x), "soil" (soil level, y, x) or "surface" (y, x).
        bound: largest absolute error that packing may make in the archive of producers (the tight set), in `units`
            (0: keep every bit).
        user_bound: largest absolute error that packing may make in an archive for users (the user set), in `units`.
        low, high: physical range over the Earth's troposphere and stratosphere, in `units`; a value outside is wrong.
        grib2: parameter of GRIB2, None where WMO has none.
        jma: short name in files of JMA, None where none is known.
        cell_methods: CF; "time: sum" and "time: mean" refer to the interval that ends at the label; empty
            for what does not change with time.
        flags: meanings of the values of a flag by value, none for a quantity.
    """

    name: str
    standard_name: str
    long_name: str
    units: str
    levels: str
    bound: float
    user_bound: float
    low: float
    high: float
    grib2: Grib2 | None = None
    jma: str | None = None
    cell_methods: str = "time: point"
    flags: tuple[tuple[int, str], ...] = ()

    def attributes(self) -> dict[str, Any]:
        """CF attributes of a data variable: standard_name, if CF has one, long_name, units and, unless fixed in time,
        cell_methods; of a flag its values and their meanings too."""
        named = {"standard_name": self.standard_name} if self.standard_name else {}
        methods = {"cell_methods": self.cell_methods} if self.cell_methods else {}
        flags: dict[str, Any] = {}
        if self.flags:
            values, words = zip(*self.flags, strict=True)
            flags = {"flag_values": [float(one) for one in values], "flag_meanings": " ".join(words)}
        return {**named, "long_name": self.long_name, "units": self.units, **methods, **flags}


def _row(cells: dict[str, str]) -> Variable:
    """One line of the table as a `Variable`."""
    grib2 = None
    if cells["grib2"]:
        discipline, category, number = (int(part) for part in cells["grib2"].split("-"))
        grib2 = Grib2(
            discipline,
            category,
            number,
            int(cells["surface"]) if cells["surface"] else None,
            float(cells["height"]) if cells["height"] else None,
            float(cells["scale"]) if cells["scale"] else 1.0,
        )
    return Variable(
        name=cells["name"],
        standard_name=cells["standard_name"],
        long_name=cells["long_name"],
        units=cells["units"],
        levels=cells["levels"],
        bound=float(cells["bound"]),
        user_bound=float(cells["user_bound"]),
        low=float(cells["low"]),
        high=float(cells["high"]),
        grib2=grib2,
        jma=cells["jma"] or None,
        cell_methods=cells["cell_methods"],
        flags=_flags(cells["flags"] or ""),
    )


def _flags(text: str) -> tuple[tuple[int, str], ...]:
    """Values of a flag and their meanings from "1 radar 2 gauges"."""
    words = text.split()
    return tuple((int(value), meaning) for value, meaning in zip(words[::2], words[1::2], strict=True))


def _table() -> Mapping[str, Variable]:
    """The table by internal name, read from `variables.csv` beside this module."""
    text = resources.files(__package__).joinpath("variables.csv").read_text(encoding="utf-8")
    return MappingProxyType({row.name: row for row in map(_row, csv.DictReader(text.splitlines()))})


VARIABLES: Mapping[str, Variable] = _table()
"""The table by internal name, in its printed order."""


def variable(name: str) -> Variable:
    """The variable with this internal name or, failing that, the first with this CF standard name.

    Raises:
        InputError: no such variable; the message names the nearest one.
    """
    if name in VARIABLES:
        return VARIABLES[name]
    for row in VARIABLES.values():
        if name and row.standard_name == name:
            return row
    names = [*VARIABLES, *(row.standard_name for row in VARIABLES.values() if row.standard_name)]
    near = difflib.get_close_matches(name, names, n=1)
    hint = f"; did you mean {near[0]!r}?" if near else f"; known are {', '.join(VARIABLES)}"
    raise InputError(f"There is no variable {name!r}{hint}")
