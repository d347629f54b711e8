"""Standard area meshes of Japan, JIS X 0410: codes as boxes of latitude and longitude, and fields over them.

Meshes are those of the Japanese geodetic datum 2000 or 2011. Codes on the old Tokyo datum have the same digits and lie
some 400 m away; they are not supported and cannot be told apart. Supported are the standard meshes of 1st, 2nd and 3rd
order (4, 6, 8 digits), the divided ones of 1/2, 1/4 and 1/8 (9, 10, 11 digits) and the joined ones of 5 (7 digits) and
2 (9 digits, the last a 5) times the 3rd order. The tenths of the 3rd order that National Land Numerical Information has
are written with 10 digits too; they are not supported.

Sources: JIS X 0410 (Grid Square Code); Statistics Bureau of Japan, outline of the standard area meshes.
"""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction
from typing import Any, Final, NamedTuple

import numpy as np
import xarray as xr

from kaiseki.archive.selection.areas import Partly, covered_cells
from kaiseki.archive.selection.cells import Cells, at_cells
from kaiseki.archive.selection.grid import grid_of
from kaiseki.core.errors import InputError

MESH: Final = "mesh"
_LATITUDES: Final = range(30, 69)
_LONGITUDES: Final = range(22, 54)


class Box(NamedTuple):
    """A mesh: its sides in degrees, exact fractions."""

    south: Fraction
    west: Fraction
    north: Fraction
    east: Fraction


def mesh_box(code: str | int) -> Box:
    """The sides of a mesh, exact.

    Raises:
        InputError: the code is none of JIS X 0410 in Japan; the message says which digit is wrong.
    """
    text = str(code).strip().replace("-", "")
    if isinstance(code, bool) or not (text.isascii() and text.isdigit()) or len(text) not in (4, 6, 7, 8, 9, 10, 11):
        raise InputError(f"{code!r} is no mesh code of JIS X 0410; expected 4, 6, 7, 8, 9, 10 or 11 digits")
    if int(text[:2]) not in _LATITUDES or int(text[2:4]) not in _LONGITUDES:
        raise InputError(
            f"The mesh code {text} begins with {text[:4]}, which is no mesh of 1st order in Japan; expected "
            f"{_LATITUDES[0]} to {_LATITUDES[-1]} and then {_LONGITUDES[0]} to {_LONGITUDES[-1]}"
        )
    south, west = Fraction(int(text[:2]) * 2, 3), Fraction(100 + int(text[2:4]))
    height, width = Fraction(2, 3), Fraction(1)
    for parts, rows, columns in _steps(text):
        height, width = height / parts, width / parts
        south, west = south + rows * height, west + columns * width
    return Box(south, west, south + height, west + width)


def _steps(text: str) -> list[tuple[Fraction, Fraction, Fraction]]:
    """Divisions of the mesh of 1st order that the digits tell: into how many parts, which row, which column."""
    steps = []

    def pair(at: int, parts: int, size: int = 1) -> None:
        digits = []
        for position in (at, at + 1):
            digit = int(text[position])
            if digit >= parts * size or digit % size:
                allowed = "0, 2, 4, 6, 8" if size == 2 else f"0 to {parts - 1}"
                raise InputError(f"Digit {position + 1} of the mesh code {text} is {digit}; expected {allowed}")
            digits.append(Fraction(digit // size))
        steps.append((Fraction(parts), digits[0], digits[1]))

    def quarter(at: int) -> None:
        digit = int(text[at])
        if not 1 <= digit <= 4:
            extra = " or 5" if at == 8 and len(text) == 9 else ""
            raise InputError(f"Digit {at + 1} of the mesh code {text} is {digit}; expected 1 to 4{extra}")
        steps.append((Fraction(2), Fraction((digit - 1) // 2), Fraction((digit - 1) % 2)))

    if len(text) >= 6:
        pair(4, 8)
    if len(text) == 7:
        quarter(6)
    elif len(text) == 9 and text[8] == "5":
        pair(6, 5, 2)
    elif len(text) >= 8:
        pair(6, 10)
        for at in range(8, len(text)):
            quarter(at)
    return steps


def mesh(dataset: xr.Dataset, code: str | int | Sequence[str | int], *, outside: Partly = "raise") -> xr.Dataset:
    """The means of the fields of a dataset over one or many standard area meshes of Japan (JIS X 0410).

    Each cell of the grid counts with the exact area of its part in the mesh; a mesh within one cell has the value of
    that cell. Missing values are left out. Fields are read when they are asked for.

    Args:
        dataset: from `kaiseki.open`.
        code: code or codes, digits as text or number, with hyphens if wanted: "5339", "5339-45", "53394525" ... Codes
            are those of JGD2000 or JGD2011; the old Tokyo datum is not supported.
        outside: "raise" refuses a mesh that reaches beyond the grid, "drop" leaves out what lies there.

    Returns:
        Dataset with the dimension `mesh` in the place of the two horizontal ones, or with neither for a single code;
        coordinates `mesh` (the digits) and `lon`, `lat` of the centres of the meshes.

    Raises:
        InputError: a code that is none; a mesh outside the grid.
    """
    single = isinstance(code, str | int | np.integer)
    try:
        codes: list[Any] = [code] if single else list(code)  # type: ignore[arg-type]
    except TypeError:
        raise InputError(f"{code!r} is no mesh code of JIS X 0410 and no list of them") from None
    if not codes:
        raise InputError("No mesh code was given")
    texts = [str(one).strip().replace("-", "") for one in codes]
    boxes = [mesh_box(text) for text in texts]
    grid = grid_of(dataset)
    area = grid.area()
    found = []
    for text, one in zip(texts, boxes, strict=True):
        south, west, north, east = (float(side) for side in one)
        ring = np.array([[west, south], [east, south], [east, north], [west, north], [west, south]])
        found.append(covered_cells(grid, [[ring]], f"The mesh {text}", outside, centre=False))
    most = max(rows.size for rows, _, _ in found)
    rows, columns = np.zeros((most, len(found)), int), np.zeros((most, len(found)), int)
    weights = np.zeros((most, len(found)))
    for number, (j, i, fraction) in enumerate(found):
        rows[: j.size, number], columns[: j.size, number] = j, i
        # Places that are not used repeat a cell, so that no other is read.
        rows[j.size :, number], columns[j.size :, number] = j[0], i[0]
        share = fraction * area[j, i]
        weights[: j.size, number] = share / share.sum()
    result = at_cells(dataset, Cells(grid.dims, rows, columns, weights, skip=True), MESH)
    result = result.drop_vars([name for name in ("lat", "lon", "rim") if name in result.variables])
    centres = np.array([[float((b.south + b.north) / 2), float((b.west + b.east) / 2)] for b in boxes])
    result = result.assign_coords(
        {
            MESH: (MESH, texts, {"long_name": "standard area mesh code (JIS X 0410)"}),
            "lat": (MESH, centres[:, 0], {"standard_name": "latitude", "units": "degrees_north"}),
            "lon": (MESH, centres[:, 1], {"standard_name": "longitude", "units": "degrees_east"}),
        }
    )
    return result.isel({MESH: 0}) if single else result
