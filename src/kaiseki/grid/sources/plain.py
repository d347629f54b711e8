"""Rasters without a header, text or bytes, whose layout is known from their size alone."""

from __future__ import annotations

import gzip
import math
import zlib
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from kaiseki.core.errors import InputError
from kaiseki.grid.raster import LAND_HEIGHTS, Raster

if TYPE_CHECKING:
    from kaiseki.grid.sources.opening import RasterQuantity

ETOPO20 = (540, 1081)
"""Rows from the south and columns of NOAA's ETOPO20 table: pixels of 20', first edge at 20E, last column repeated."""
CODES = (0, 1, 2)
"""Sea, land, lake in the bytes of a land-sea mask."""
_PIECE = 1 << 20


def _content(path: Path) -> bytes:
    try:
        content = path.read_bytes()
        return gzip.decompress(content) if content.startswith(b"\x1f\x8b") else content
    except (OSError, EOFError, zlib.error) as error:
        raise InputError(f"{path}: cannot be read to its end ({error}); it is damaged or truncated.") from error


def read_etopo20(path: Path, quantity: RasterQuantity) -> Raster:
    """The ETOPO20 table of heights and depths, m; the floor of the deep sea, which no land has, is no data.

    Raises:
        InputError: damaged, of another shape, or land was asked for.
    """
    if quantity != "height":
        raise InputError(f"{path}: is a table of heights, but a land-sea mask is wanted.")
    try:
        values = np.array(_content(path).split(), dtype=float)
    except ValueError as error:
        raise InputError(f"{path}: is not a table of numbers ({error}).") from error
    rows, columns = ETOPO20
    if values.size != rows * columns:
        raise InputError(f"{path}: has {values.size} numbers; expected the {rows} x {columns} heights of ETOPO20.")
    values[values < LAND_HEIGHTS[0]] = np.nan
    return Raster(str(path), -90.0, 20.0, 1 / 3, 1 / 3, values.reshape(ETOPO20)[:, :-1])


def read_codes(path: Path, quantity: RasterQuantity) -> Raster:
    """A global grid of bytes, n rows from the south and 2 n columns from 180W: 0 sea, 1 land, 2 lake.

    Raises:
        InputError: damaged, of another shape, with other bytes, or heights were asked for.
    """
    if quantity != "land":
        raise InputError(f"{path}: is a land-sea mask, but heights are wanted.")
    try:
        with path.open("rb") as file:
            zipped = file.read(2) == b"\x1f\x8b"
            file.seek(-4 if zipped else 0, 2)
            # A gzip file ends with the length of its content (RFC 1952).
            size = int.from_bytes(file.read(4), "little") if zipped else file.tell()
        rows = math.isqrt(size // 2)
        if rows == 0 or 2 * rows * rows != size:
            raise InputError(f"{path}: does not hold n rows of 2 n bytes of a global land-sea mask, or is truncated.")
        # In pieces, since the whole is large and never needed as bytes.
        land, done = np.empty(size, dtype=bool), 0
        with gzip.open(path) if zipped else path.open("rb") as stream:
            while piece := stream.read(_PIECE):
                codes = np.frombuffer(piece, dtype=np.uint8)
                if codes.max() > max(CODES):
                    raise InputError(f"{path}: holds the byte {codes.max()}; expected 0 sea, 1 land, 2 lake.")
                np.not_equal(codes, 0, out=land[done : done + codes.size])
                done += codes.size
    except (OSError, EOFError, ValueError, zlib.error) as error:
        raise InputError(f"{path}: cannot be read to its end ({error}); it is damaged or truncated.") from error
    step = 180.0 / rows
    return Raster(str(path), -90.0, -180.0, step, step, land.reshape(rows, 2 * rows))
