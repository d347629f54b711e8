"""Grids of GRIB 2 files: the dataset's own map, JMA's, or another latitude-longitude grid."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cache

import numpy as np
import xarray as xr

from kaiseki.archive.exchange.jma_form import FORMS, Form, axes, even_axes
from kaiseki.archive.exchange.mapping import grid_of, horizontal
from kaiseki.core.errors import InputError
from kaiseki.formats.grib.writing import Keys, lambert, latitude_longitude
from kaiseki.grid import LambertConformal
from kaiseki.grid.regridding import LatLonGrid, MapGrid, Regridding, bilinear, conservative

Change = Callable[[np.ndarray], np.ndarray]
ChangeOfWind = Callable[[np.ndarray, np.ndarray], tuple[np.ndarray, np.ndarray]]


@dataclass(frozen=True)
class GribGrid:
    """Grid of a file and the way onto it.

    Attributes:
        keys: section 3 for ecCodes.
        label: part of the file's name that says which grid it is.
        dims: horizontal dimensions of the fields that are given, rows first.
        field: a field (..., *source) on the grid as (..., points) in the order of the file.
        total: an amount per area, such as precipitation, likewise.
        wind: eastward and northward wind likewise, as vectors.
    """

    keys: Keys
    label: str
    dims: tuple[str, str]
    field: Change
    total: Change
    wind: ChangeOfWind


def grid_around(dataset: xr.Dataset, spacing: tuple[float, float]) -> LatLonGrid:
    """The latitude-longitude grid around all points of a dataset, at multiples of a spacing.

    Args:
        dataset: with a grid that `grid_of` knows.
        spacing: in latitude and longitude, degrees.

    Raises:
        InputError: the dataset has no such grid, or the spacing is not positive.
    """
    if min(spacing) <= 0.0:
        raise InputError(f"The spacing of a grid must be positive, not {spacing}")
    source = grid_of(dataset)
    lat, lon = source.points()
    if isinstance(source, MapGrid):
        # On the turn of the map, which may lie across the date line.
        lon = source.projection.central_longitude + source.projection.from_centre(lon)
    south, west = (step * np.ceil(axis.min() / step - 1e-6) for axis, step in zip((lat, lon), spacing, strict=True))
    north, east = (step * np.floor(axis.max() / step + 1e-6) for axis, step in zip((lat, lon), spacing, strict=True))
    return LatLonGrid(*even_axes(spacing, (south, north, west, min(east, west + 360.0 - spacing[1]))))


def chosen_grid(dataset: xr.Dataset, form: Form, wanted: LatLonGrid | str | None) -> GribGrid:
    """The grid of a file that was asked for, see `grib2.write_grib2`.

    Raises:
        InputError: no such grid.
    """
    if isinstance(wanted, str) and wanted not in ("jma", "own"):
        raise InputError(f"The grid of GRIB files is 'jma', 'own' or a LatLonGrid, not {wanted!r}")
    if wanted == "own":
        return own_grid(dataset)
    if isinstance(wanted, LatLonGrid):
        return on_grid(dataset, wanted)
    jma = LatLonGrid(*axes(form))
    if wanted == "jma" or bool((bilinear(grid_of(dataset), jma).covered > 0.0).all()):
        return on_grid(dataset, jma)
    if isinstance(grid_of(dataset), LatLonGrid):
        return own_grid(dataset)
    return on_grid(dataset, grid_around(dataset, FORMS[form].spacing))


def own_grid(dataset: xr.Dataset) -> GribGrid:
    """The grid of a dataset as it is: latitude-longitude (template 3.0) with rows from the north, as JMA has them, or
    Lambert conformal (template 3.30) with rows from the south.

    Raises:
        InputError: the grid is neither, or cannot be stated in GRIB.
    """
    grid = grid_of(dataset)
    from_north = isinstance(grid, LatLonGrid)
    down, across = (grid.lat, grid.lon) if isinstance(grid, LatLonGrid) else (grid.y, grid.x)
    rows = slice(None, None, -1) if down.size > 1 and bool(down[1] > down[0]) is from_north else slice(None)
    columns = slice(None, None, -1) if across.size > 1 and across[1] < across[0] else slice(None)
    down, across = down[rows], across[columns]
    if isinstance(grid, MapGrid):
        keys, label = _lambert(grid, down, across)
    else:
        keys, label = latitude_longitude(down, across), label_of(LatLonGrid(down, across))

    def in_order(field: np.ndarray) -> np.ndarray:
        return np.ascontiguousarray(field[..., rows, columns]).reshape(*field.shape[:-2], -1)

    place = horizontal(dataset)
    dims = (place.rows, place.columns)
    return GribGrid(keys, label, dims, in_order, in_order, lambda east, north: (in_order(east), in_order(north)))


def on_grid(dataset: xr.Dataset, target: LatLonGrid) -> GribGrid:
    """A latitude-longitude grid onto which fields are interpolated bilinearly, winds as vectors; amounts per area are
    means over the cells (`grid.regridding`). A dataset that is on this grid already stays as it is.

    Raises:
        InputError: the grid cannot be stated in GRIB.
    """
    source = grid_of(dataset)
    lat = target.lat if target.lat.size < 2 or target.lat[1] < target.lat[0] else target.lat[::-1]
    target = LatLonGrid(lat, target.lon)
    keys, label = latitude_longitude(lat, target.lon), label_of(target)
    own = own_grid(dataset) if isinstance(source, LatLonGrid) else None
    if own is not None and own.keys == keys:
        return own
    points = bilinear(source, target)

    @cache
    def cells() -> Regridding:
        return conservative(source, target)

    def flat(field: np.ndarray) -> np.ndarray:
        return field.reshape(*field.shape[:-2], -1)

    def wind(east: np.ndarray, north: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        u, v = points.wind(east, north)
        return flat(u), flat(v)

    place = horizontal(dataset)
    dims = (place.rows, place.columns)
    return GribGrid(keys, label, dims, lambda field: flat(points(field)), lambda field: flat(cells()(field)), wind)


def label_of(grid: LatLonGrid) -> str:
    """Name of a latitude-longitude grid: "Rjp" for those of JMA, else by the spacing in longitude and latitude, such as
    "Gll0p125x0p1deg"."""
    jma = (LatLonGrid(*axes(form)) for form in FORMS)
    if any(
        grid.shape == one.shape and np.allclose(grid.lat, one.lat) and np.allclose(grid.lon, one.lon) for one in jma
    ):
        return "Rjp"
    text = (f"{abs(float(axis[1] - axis[0])):.6f}".rstrip("0").rstrip(".") for axis in (grid.lon, grid.lat))
    return f"Gll{'x'.join(text).replace('.', 'p')}deg"


def _lambert(grid: MapGrid, y: np.ndarray, x: np.ndarray) -> tuple[Keys, str]:
    """Section 3 and name of a Lambert conformal grid; y and x rise."""
    projection = grid.projection
    if not isinstance(projection, LambertConformal):
        raise InputError(
            f"Of maps, GRIB files are written on Lambert conformal grids alone, not on {projection.name}; choose a "
            "latitude-longitude grid"
        )
    step = float(x[1] - x[0])
    if np.abs(np.diff(x) - step).max() > 1e-6 * step or np.abs(np.diff(y) - step).max() > 1e-6 * step:
        raise InputError("The map of the dataset has no single even spacing, so it cannot be stated in GRIB")
    lat, lon = projection.inverse(np.asarray(x[0]), np.asarray(y[0]))
    parallels = (projection.parallel_1, projection.parallel_2)
    keys = lambert(
        (y.size, x.size),
        (float(lat), float(lon)),
        round(step, 3),
        parallels,
        projection.central_longitude,
        projection.radius,
    )
    return keys, f"Glc{step / 1000.0:.6g}km".replace(".", "p")
