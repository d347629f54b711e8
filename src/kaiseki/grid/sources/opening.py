"""Which reader opens which file of terrain or land."""

from __future__ import annotations

import gzip
import zlib
from pathlib import Path
from typing import Literal

from kaiseki.core.errors import InputError
from kaiseki.formats.netcdf import is_netcdf, is_zarr
from kaiseki.grid.raster import Raster
from kaiseki.grid.sources import netcdf, plain, tiff

RasterQuantity = Literal["height", "land"]
"""Quantity of a raster: "height" of the surface, m, or "land", the part that is land, 0..1; lakes count as land, for
want of their temperature."""

_HEAD = 256


def open_raster(path: str | Path, quantity: RasterQuantity) -> Raster:
    """Read a raster; the content, not the name, says of which kind the file is.

    TIFF with a world file or GeoTIFF tags, NetCDF and Zarr (geopotential, height or land fraction) can hold either
    quantity; the ETOPO20 table in text holds heights, a global grid of bytes (0 sea, 1 land, 2 lake) land; both may be
    gzipped.

    Raises:
        InputError: no such file, of no known kind, damaged, or without the quantity.
    """
    path = Path(path)
    if is_zarr(path):
        return netcdf.read(path, quantity)
    if path.is_dir():
        raise InputError(f"{path}: is a folder and no Zarr store; name the files of terrain or land in it.")
    try:
        with path.open("rb") as stream:
            head = stream.read(_HEAD)
        if head.startswith(b"\x1f\x8b"):
            with gzip.open(path) as stream:
                head = stream.read(_HEAD)
    except (OSError, EOFError, zlib.error) as error:
        reason = getattr(error, "strerror", None) or str(error)
        raise InputError(f"{path}: cannot be read ({reason}); name another file of terrain or land.") from error
    if head.startswith((b"II*\0", b"MM\0*", b"II+\0", b"MM\0+")):
        return tiff.read(path, quantity)
    if is_netcdf(head):
        return netcdf.read(path, quantity)
    if head and all(byte in b"0123456789+-.eE \t\r\n" for byte in head):
        return plain.read_etopo20(path, quantity)
    if head and all(byte in plain.CODES for byte in head):
        return plain.read_codes(path, quantity)
    raise InputError(
        f"{path}: is no raster that can be read (it begins with {head[:8]!r}); "
        "expected TIFF, NetCDF, Zarr, the ETOPO20 table, or a global grid of the bytes 0, 1 and 2."
    )
