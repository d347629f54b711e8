"""Writing an hour of analysed precipitation in the form of JMA's: run-length packing with the table of 98 levels.

The octets are those of JMA's files but for what says who made them: originating centre (missing, unless one is
given), production status (re-analysis), generating processes and the words about radars and gauges (not stated). The
same numbers give the same octets; nothing comes from a clock.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass
from typing import Final, Literal

import numpy as np

from kaiseki.core.errors import ConfigError, InputError
from kaiseki.formats.grib.messages import END, START
from kaiseki.formats.jma_grib.grids import Grid, grid_section, signed_octets
from kaiseki.formats.jma_grib.levels import ANALYSED_PRECIPITATION
from kaiseki.formats.jma_grib.product_section import (
    NOT_STATED,
    Definition,
    OperationWords,
    definition_section,
    time_octets,
)
from kaiseki.formats.jma_grib.reading import RUN_LENGTH
from kaiseki.formats.jma_grib.run_length import pack

Form = Literal["jma", "wmo"]
_CODES: Final = {"centre": 65535, "sub_centre": 65535, "status": 255, "background": 255, "identifier": 255}
"""Codes of an origin and their largest numbers."""
_TEMPLATES: Final[dict[Form, tuple[int, tuple[int, int]]]] = {"jma": (50008, (1, 200)), "wmo": (8, (1, 8))}
_HOUR: Final = 3600
_BITS: Final = 8
_REANALYSIS: Final = 3
"""Production status of processed data, code table 1.3."""
_ANALYSIS: Final = 0
_MASTER_TABLES: Final = 2
"""Version of the master tables, as in JMA's analysed precipitation; no later entry is used."""


@dataclass(frozen=True)
class Origin:
    """What a file says of its maker, and by which codes it calls its contents.

    Attributes:
        centre: originating centre, common code table C-11; 65535 is missing. Use the number of a centre only as that
            centre: 34 says that JMA made the file.
        sub_centre: sub-centre, common code table C-12; 0 is none.
        status: production status, code table 1.3: 0 operational, 1 test, 2 research, 3 re-analysis.
        background, identifier: generating processes, as the centre numbers them; 255 is missing.
        form: "jma" for JMA's local codes (product template 4.50008, parameter 0-1-200), which decoders of JMA's files
            look for; "wmo" for the standard ones (4.8, total precipitation 0-1-8), whose meaning does not depend on
            the centre.
        words: about radars and gauges, in the form "jma" alone.
    """

    centre: int = 65535
    sub_centre: int = 0
    status: int = _REANALYSIS
    background: int = 255
    identifier: int = 255
    form: Form = "jma"
    words: OperationWords = NOT_STATED

    def __post_init__(self) -> None:
        for name, most in _CODES.items():
            if not 0 <= getattr(self, name) <= most:
                raise ConfigError(f"{name} = {getattr(self, name)} of a GRIB file is none of the codes 0 to {most}")


@dataclass(frozen=True)
class Encoded:
    """A message and what rounding to the levels did.

    Attributes:
        message: the whole message.
        largest_error: largest distance of a value up to that of the last level from its level, mm.
        above_last: number of values above that of the last level (255 mm), which got the last level.
    """

    message: bytes
    largest_error: float
    above_last: int


def encode(amount: np.ndarray, grid: Grid, end: np.datetime64, origin: Origin | None = None) -> Encoded:
    """An hour of analysed precipitation as a message of GRIB 2.

    A value gets the level whose value is nearest, of two equally near the higher: below 0.2 mm is 0, from 0.2 to below
    0.7 mm is 0.4, from 0.7 to below 1.5 mm is 1, and so on; values that are levels stay what they are. More than 255 mm
    becomes 255 mm and is counted. NaN is level 0, outside coverage.

    Args:
        amount: (ny, nx) precipitation of the hour, mm, in the order of the grid.
        grid: of the points.
        end: end of the hour, UTC, a whole minute.
        origin: None for the defaults.

    Raises:
        InputError: a value is negative or infinite, the shape is not that of the grid, or the time no whole minute.
    """
    origin = origin or Origin()
    if amount.shape != grid.shape:
        raise InputError(f"A field of shape {amount.shape} does not fit a grid of shape {grid.shape}")
    if end != end.astype("datetime64[m]"):
        raise InputError(f"GRIB states the end of an hour of rain by whole minutes; {end} is none")
    values = amount.ravel()
    if not np.issubdtype(values.dtype, np.floating):
        values = values.astype(np.float32)
    lowest, highest = float(np.fmin.reduce(values, initial=0.0)), float(np.fmax.reduce(values, initial=0.0))
    if lowest < 0.0 or not np.isfinite(highest):
        raise InputError(
            f"Precipitation from {lowest:g} to {highest:g} mm cannot be written: amounts are at least 0 and finite, "
            "and NaN outside coverage"
        )
    table = ANALYSED_PRECIPITATION
    levels = table.level_of(values)
    error, above = _rounding(values, levels)
    if grid.last[0] > grid.first[0]:
        levels = levels.reshape(grid.shape)[::-1].ravel()
        grid = _from_north(grid)
    template, parameter = _TEMPLATES[origin.form]
    definition = Definition(
        template, parameter, _ANALYSIS, origin.background, origin.identifier,
        begin=-_HOUR, length=_HOUR, end=end, statistic=1, words=origin.words,
    )  # fmt: skip
    used = max(int(levels.max()), 1)
    body = (
        _identification(end, origin)
        + grid_section(grid)
        + definition_section(definition)
        + struct.pack(
            ">IBIHBHH", 17 + 2 * table.scaled.size, 5, levels.size, RUN_LENGTH, _BITS, used, table.scaled.size
        )
        + signed_octets(table.decimal, 1)
        + table.scaled.astype(">u2").tobytes()
        + struct.pack(">IBB", 6, 6, 255)
        + _data(levels, used)
        + END
    )
    message = START + b"\xff\xff\x00\x02" + struct.pack(">Q", 16 + len(body)) + body
    return Encoded(message, error, above)


def _from_north(grid: Grid) -> Grid:
    """The grid with its rows from north to south, as JMA's files have them."""
    first, last = (grid.last[0], grid.first[1]), (grid.first[0], grid.last[1])
    return Grid(grid.shape, first, last, grid.step, grid.shape_of_earth)


def _identification(reference: np.datetime64, origin: Origin) -> bytes:
    """Section 1 of an analysis; local tables are those of the centre, so that of none there are none."""
    local = 1 if origin.form == "jma" else 0
    return (
        struct.pack(">IBHHBBB", 21, 1, origin.centre, origin.sub_centre, _MASTER_TABLES, local, 0)
        + time_octets(reference)
        + bytes([origin.status, 0])
    )


def _data(levels: np.ndarray, used: int) -> bytes:
    packed = pack(levels, highest=used, bits=_BITS)
    return struct.pack(">IB", 5 + len(packed), 7) + packed


def _rounding(values: np.ndarray, levels: np.ndarray) -> tuple[float, int]:
    """Largest error of values up to that of the last level, mm, and the number of values above it."""
    steps = ANALYSED_PRECIPITATION.values.astype(values.dtype)
    above = values > steps[-1]
    errors = np.abs(steps[levels] - values)
    errors[above] = 0.0
    return float(np.fmax.reduce(errors, initial=0.0)), int(np.count_nonzero(above))
