"""Terrain and land in TIFF files with GeoTIFF tags or a world file."""

from __future__ import annotations

import contextlib
import io
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from kaiseki.core.errors import InputError, KaisekiError
from kaiseki.grid.raster import Raster

if TYPE_CHECKING:
    from kaiseki.grid.sources.opening import RasterQuantity

_GEOGRAPHIC, _PIXEL_IS_POINT = 2, 2
_MODEL_TYPE, _RASTER_TYPE = 1024, 1025
"""GeoKeys (OGC GeoTIFF 1.1, 19-008r4)."""


def _from_tags(path: Path, tags: Any) -> tuple[float, float, float, float] | None:
    """West, north, step in longitude, step in latitude from GeoTIFF tags, edges of pixels; None without them."""
    if 33550 not in tags or 33922 not in tags:
        return None
    keys = tags[34735].value if 34735 in tags else ()
    key = {keys[k]: keys[k + 3] for k in range(4, len(keys), 4)}
    if key.get(_MODEL_TYPE, _GEOGRAPHIC) != _GEOGRAPHIC:
        raise InputError(f"{path}: is on a map projection; only rasters in latitude and longitude are read.")
    scale, tie = tags[33550].value, tags[33922].value
    half = 0.5 if key.get(_RASTER_TYPE) == _PIXEL_IS_POINT else 0.0
    column, row = tie[0] + half, tie[1] + half
    return tie[3] - column * scale[0], tie[4] + row * scale[1], scale[0], scale[1]


def _from_world_file(path: Path, reduced: bool) -> tuple[float, float, float, float]:
    """West, north, step in longitude, step in latitude from the six numbers of a world file, which gives the centre of
    the first pixel.

    One with the file's own name describes this image. An overview (reduced-resolution image, name ending in _overview
    or .ovr) may go with the world file of the full image, whose pixels are half as large.
    """
    stem = path.name.removesuffix(path.suffix)
    full = stem.removesuffix("_overview") if path.suffix.lower() != ".ovr" else Path(stem).stem
    for name, factor in ((stem, 1.0), (full, 2.0)):
        if factor == 2.0 and (not reduced or full == stem):
            continue
        for suffix in (".tfw", ".TFW", ".tifw", ".wld"):
            world = path.with_name(name + suffix)
            if world.is_file():
                break
        else:
            continue
        try:
            a, d, b, e, x, y = (float(word) for word in world.read_text(encoding="ascii").split())
        except (ValueError, OSError) as error:
            raise InputError(f"{world}: is no world file; expected six numbers ({error}).") from error
        if a <= 0 or e >= 0 or b != 0 or d != 0:
            raise InputError(f"{world}: describes a rotated or mirrored image; expected rows from north to south.")
        return x - 0.5 * a, y - 0.5 * e, a * factor, -e * factor
    raise InputError(f"{path}: has no GeoTIFF tags and no world file {stem}.tfw beside it, so its place is not known.")


def read(path: Path, quantity: RasterQuantity) -> Raster:
    """The first image of the file as heights in metres or land fraction; the GDAL no-data value marks what is missing.

    Raises:
        InputError: damaged, not one value per pixel, without a place on the Earth or on a map projection.
        KaisekiError: the TIFF library is not installed.
    """
    try:
        import tifffile
    except ImportError as error:
        raise KaisekiError(
            f"{path}: is TIFF, for which the package tifffile is needed; install kaiseki[formats]."
        ) from error
    try:
        # From memory: for damaged files the library leaves its own handle open.
        with tifffile.TiffFile(io.BytesIO(path.read_bytes())) as file:
            page: Any = file.pages[0]
            values, tags, reduced = page.asarray(), page.tags, bool(page.is_reduced)
            missing = None
            if 42113 in tags:
                with contextlib.suppress(ValueError):
                    missing = float(str(tags[42113].value).strip("\0 "))
            place = _from_tags(path, tags)
    except InputError:
        raise
    except Exception as error:  # the library raises errors of many kinds for damaged files
        raise InputError(
            f"{path}: cannot be read as TIFF ({type(error).__name__}: {error}); it is damaged or truncated."
        ) from error
    if values.ndim != 2:
        raise InputError(f"{path}: has the shape {values.shape}; expected one value per pixel.")
    if quantity == "land":
        known = values[np.isfinite(values) & (True if missing is None else values != missing)]
        if known.size and (known.min() < 0 or known.max() > 1):
            raise InputError(f"{path}: runs from {known.min()} to {known.max()}; expected a land fraction from 0 to 1.")
    west, north, step_lon, step_lat = place or _from_world_file(path, reduced)
    south = north - values.shape[0] * step_lat
    if not (-90.1 <= south < north <= 90.1 and -360.0 <= west <= 360.0):
        raise InputError(f"{path}: reaches from {south:g} to {north:g} degrees north; expected latitude and longitude.")
    return Raster(str(path), south, west, step_lat, step_lon, np.asarray(values)[::-1], missing)
