"""Latitude-longitude grids of GRIB 2 (grid definition template 3.0), from and to the octets of section 3."""

from __future__ import annotations

import struct
from dataclasses import dataclass
from typing import Final

import numpy as np

from kaiseki.core.errors import InputError

MICRODEGREES: Final = 1_000_000
_LENGTH: Final = 72
_GRS80: Final = 4
"""Shape of the Earth (code table 3.2) of the world geodetic system in Japan, IAG-GRS80."""
_GRS80_AXES: Final = (1, 63_781_370, 1, 63_567_523)
"""Scale factors and scaled values of the axes of GRS80 [m] as JMA writes them."""
_BOTH_INCREMENTS: Final = 0b0011_0000
_SOUTH_TO_NORTH: Final = 0b0100_0000
_SHAPES: Final = (0, 1, 2, 3, 4, 5, 6, 7, 8, 9)


@dataclass(frozen=True)
class Grid:
    """Regular latitude-longitude grid; numbers are whole millionths of a degree, as in the file.

    Attributes:
        shape: number of rows and of columns.
        first: latitude and longitude of the first point.
        last: latitude and longitude of the last point; rows run from west to east.
        step: distances of rows and of columns, rounded.
        shape_of_earth: code table 3.2.
    """

    shape: tuple[int, int]
    first: tuple[int, int]
    last: tuple[int, int]
    step: tuple[int, int]
    shape_of_earth: int = _GRS80

    @property
    def latitudes(self) -> np.ndarray:
        """Latitudes (ny,) of the rows in their order, degrees; evenly between the first and the last, because the
        rounded step would be off by a tenth of a row at the end."""
        return np.linspace(self.first[0], self.last[0], self.shape[0]) / MICRODEGREES

    @property
    def longitudes(self) -> np.ndarray:
        """Longitudes (nx,) of the columns, degrees from the first on, rising; they may go past 360."""
        return np.linspace(self.first[1], self.first[1] + _eastward(self.first[1], self.last[1]), self.shape[1]) / (
            MICRODEGREES
        )

    @classmethod
    def from_axes(cls, latitudes: np.ndarray, longitudes: np.ndarray) -> Grid:
        """Grid with these axes on the Earth of GRS80.

        Args:
            latitudes: (ny,) evenly falling or rising, degrees.
            longitudes: (nx,) evenly rising, degrees, over less than 360.

        Raises:
            InputError: an axis has less than two values or is not even: to two millionths of a degree or, of an axis
                in single precision, to its rounding.
        """
        steps = []
        for name, given in (("latitude", latitudes), ("longitude", longitudes)):
            axis = np.asarray(given, float)
            rounding = 2.0 * float(np.spacing(np.abs(given).max())) if given.dtype == np.float32 else 0.0
            even = np.linspace(axis[0], axis[-1], axis.size) if axis.size > 1 else axis
            off = float(np.abs(axis - even).max())
            if axis.size < 2 or not off <= max(2e-6, rounding) or axis[0] == axis[-1]:
                raise InputError(
                    f"GRIB states a regular grid by its ends and steps; the axis of {name} with {axis.size} values is "
                    f"off an even one by up to {off:.2g} degrees"
                )
            steps.append(round(abs(axis[-1] - axis[0]) / (axis.size - 1) * MICRODEGREES))
        if not 0.0 < longitudes[-1] - longitudes[0] < 360.0 or np.abs(latitudes).max() > 90.0:
            raise InputError(
                "The longitudes of a grid in GRIB rise from west to east over less than 360 degrees, its latitudes are "
                "within 90"
            )
        ends = [(round(float(a) * MICRODEGREES), round(float(b % 360.0) * MICRODEGREES)) for a, b in (
            (latitudes[0], longitudes[0]), (latitudes[-1], longitudes[-1])
        )]  # fmt: skip
        return cls((len(latitudes), len(longitudes)), ends[0], ends[1], (steps[0], steps[1]))


JMA_1KM: Final = Grid((3360, 2560), (47_995_833, 118_006_250), (20_004_167, 149_993_750), (8_333, 12_500))
"""Grid of JMA's 1-km products, the cells of the third-level standard area mesh (JIS X 0410), from the north-west."""


def _eastward(first: int, last: int) -> int:
    """Way from one longitude eastward to another, millionths of a degree."""
    return (last - first) % (360 * MICRODEGREES)


def read_grid(section: bytes, where: str) -> Grid:
    """Grid of section 3.

    Args:
        section: whole section.
        where: file and field, for messages.

    Raises:
        InputError: another kind of grid, another scanning order, or numbers that contradict each other.
    """
    source, points, listed, template = struct.unpack(">BIBxH", section[5:14]) if len(section) >= 14 else (255, 0, 0, 0)
    if source != 0 or template != 0 or listed != 0 or len(section) != _LENGTH:
        raise InputError(
            f"{where} has the grid definition template 3.{template} in a section of {len(section)} octets; of JMA's "
            "fields regular latitude-longitude grids (3.0, 72 octets) are read."
        )
    nx, ny, basic, subdivisions = struct.unpack(">IIII", section[30:46])
    first = (signed(section[46:50]), signed(section[50:54]))
    last = (signed(section[55:59]), signed(section[59:63]))
    dx, dy = struct.unpack(">II", section[63:71])
    flags, scanning, shape = section[54], section[71], section[14]
    if basic not in (0, 0xFFFFFFFF) or subdivisions not in (0, 0xFFFFFFFF) or flags & _BOTH_INCREMENTS != 0x30:
        raise InputError(f"{where} states its grid in other units than millionths of a degree, or without its steps.")
    if scanning not in (0, _SOUTH_TO_NORTH):
        raise InputError(
            f"{where} has the scanning mode {scanning}; rows from west to east, the next to the south (0) or to the "
            "north (64), are read."
        )
    found = Grid((ny, nx), first, last, (dy, dx), shape)
    _check(found, points, scanning, where)
    return found


def _check(grid: Grid, points: int, scanning: int, where: str) -> None:
    """Refuse a grid whose numbers contradict each other."""
    (ny, nx), (dy, dx) = grid.shape, grid.step
    south, east = grid.last[0] - grid.first[0], _eastward(grid.first[1], grid.last[1])
    south = south if scanning == _SOUTH_TO_NORTH else -south
    # The step is rounded to a millionth of a degree, the ends too.
    fits = abs(south - (ny - 1) * dy) <= ny and abs(east - (nx - 1) * dx) <= nx
    on_earth = max(abs(grid.first[0]), abs(grid.last[0])) <= 90 * MICRODEGREES and all(
        abs(lon) <= 360 * MICRODEGREES for lon in (grid.first[1], grid.last[1])
    )
    if points != nx * ny or nx < 1 or ny < 1 or not fits or not on_earth or grid.shape_of_earth not in _SHAPES:
        raise InputError(
            f"{where} has a grid that contradicts itself: {nx} by {ny} of {points} points, from {grid.first} to "
            f"{grid.last} in steps of {grid.step} millionths of a degree; the file is damaged, fetch it again."
        )


def grid_section(grid: Grid) -> bytes:
    """Section 3 of a grid; the octets of JMA's for the grid of its 1-km products."""
    axes = _GRS80_AXES if grid.shape_of_earth == _GRS80 else (255, 0xFFFFFFFF, 255, 0xFFFFFFFF)
    scanning = _SOUTH_TO_NORTH if grid.last[0] > grid.first[0] else 0
    ny, nx = grid.shape
    return (
        struct.pack(">IBBIBBH", _LENGTH, 3, 0, nx * ny, 0, 0, 0)
        + struct.pack(">BBIBIBI", grid.shape_of_earth, 255, 0xFFFFFFFF, *axes)
        + struct.pack(">IIII", nx, ny, 0, 0xFFFFFFFF)
        + b"".join(signed_octets(number, 4) for number in grid.first)
        + bytes([_BOTH_INCREMENTS])
        + b"".join(signed_octets(number, 4) for number in grid.last)
        + struct.pack(">IIB", grid.step[1], grid.step[0], scanning)
    )


def signed(octets: bytes) -> int:
    """Number of GRIB whose first bit is its sign (WMO-No. 306, regulation 92.1.5)."""
    number = int.from_bytes(octets)
    sign = 1 << (8 * len(octets) - 1)
    return number if number < sign else sign - number


def signed_octets(number: int, length: int) -> bytes:
    """Octets of a number whose first bit is its sign."""
    sign = 1 << (8 * length - 1) if number < 0 else 0
    return (abs(number) | sign).to_bytes(length)
