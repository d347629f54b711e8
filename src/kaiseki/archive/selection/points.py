"""Fields at places: one or thousands at once, from the nearest cell or between four."""

from __future__ import annotations

from typing import Any, Final, Literal

import numpy as np
import xarray as xr

from kaiseki.archive.selection.cells import Cells, at_cells
from kaiseki.archive.selection.grid import Grid, grid_of
from kaiseki.core.errors import InputError
from kaiseki.core.places import place_words

Method = Literal["nearest", "bilinear"]
Outside = Literal["raise", "nan"]

PLACE: Final = "place"
_EDGE: Final = 1e-6
"""Part of a cell by which rounding may put a place beyond an edge."""


def points(
    dataset: xr.Dataset, lon: Any, lat: Any, method: Method = "nearest", *, outside: Outside = "raise"
) -> xr.Dataset:
    """Fields of a dataset at one place or at many.

    Nothing is read before values are asked for; then each chunk that holds one of the places is read once.

    Args:
        dataset: from `kaiseki.open`.
        lon: longitude or longitudes (n,), degrees east, on any turn.
        lat: latitude or latitudes (n,), degrees north.
        method: "nearest" for the cell in which a place lies, "bilinear" for the four cells whose centres lie about it,
            linear in both coordinates of the map.
        outside: what becomes of a place outside the grid: "raise" refuses it, "nan" gives missing values. For
            "bilinear" the half cell between the outermost centres and the edge lies outside.

    Returns:
        Dataset with the dimension `place` in the place of the two horizontal ones, or with neither for a single place.
        Coordinates: `lon`, `lat` of the places; `cell_lon`, `cell_lat` of the cells for "nearest"; `in_rim`, where the
        dataset tells the rim: whether driving data rule the value.

    Raises:
        InputError: places that are none, or outside; the dataset has no grid.
    """
    longitude, latitude, single = _places(lon, lat)
    grid = grid_of(dataset)
    cells = cells_at(grid, longitude, latitude, method, outside)
    result = at_cells(dataset, cells, PLACE)
    renamed = {}
    for name, array in {"lat": latitude, "lon": longitude}.items():
        attributes = dict(dataset[name].attrs) if name in dataset.variables else {}
        attributes.pop("axis", None)
        if method == "nearest":
            renamed[f"cell_{name}"] = xr.Variable(PLACE, _centres(result, grid, cells, name), attributes)
        result = result.drop_vars(name, errors="ignore")
        renamed[name] = xr.Variable(PLACE, array, attributes | _DEGREES[name])
    result = result.assign_coords(renamed)
    result = _with_rim(result, dataset, grid, longitude, latitude)
    return result.isel({PLACE: 0}) if single else result


_DEGREES: Final = {
    "lat": {"standard_name": "latitude", "long_name": "latitude of the place", "units": "degrees_north"},
    "lon": {"standard_name": "longitude", "long_name": "longitude of the place", "units": "degrees_east"},
}


def _places(lon: Any, lat: Any) -> tuple[np.ndarray, np.ndarray, bool]:
    """Longitudes and latitudes (n,) as float64, and whether a single place was given."""
    found = []
    for name, given in (("longitude", lon), ("latitude", lat)):
        try:
            array = np.asarray(given, float)
        except (TypeError, ValueError):
            raise InputError(f"The {name} of a place must be a number in degrees, or an array of them") from None
        if array.ndim > 1:
            raise InputError(f"The {name}s of places must be one number or a list, not an array {array.shape}")
        found.append(array)
    longitude, latitude = found
    if longitude.shape != latitude.shape:
        raise InputError(f"There must be as many longitudes as latitudes; got {longitude.size} and {latitude.size}")
    single = longitude.ndim == 0
    longitude, latitude = np.atleast_1d(longitude), np.atleast_1d(latitude)
    if longitude.size == 0:
        raise InputError("There is no place: the lists of longitudes and latitudes are empty")
    wrong = ~np.isfinite(longitude) | ~np.isfinite(latitude) | (np.abs(latitude) > 90.0) | (np.abs(longitude) > 540.0)
    if np.any(wrong):
        first = int(np.flatnonzero(wrong)[0])
        swapped = " (longitude comes first)" if 90.0 < abs(latitude[first]) <= 360.0 else ""
        raise InputError(
            f"Place number {first} has longitude {longitude[first]:g} and latitude {latitude[first]:g}, which is no "
            f"place on Earth{swapped}"
        )
    return longitude, latitude, single


def cells_at(grid: Grid, lon: np.ndarray, lat: np.ndarray, method: Method, outside: Outside) -> Cells:
    """The cells that make the value at each place.

    Raises:
        InputError: no such method; a place outside, unless missing values are wanted.
    """
    if method not in ("nearest", "bilinear"):
        raise InputError(f"The method is nearest or bilinear, not {method!r}")
    if outside not in ("raise", "nan"):
        raise InputError(f"The word for places outside is raise or nan, not {outside!r}")
    row, column = grid.index(lat, lon)
    beyond = outside_grid(grid, row, column, 0.0 if method == "bilinear" else 0.5)
    if outside == "raise" and np.any(beyond):
        refuse(grid, lon, lat, beyond, method)
    absent = beyond if np.any(beyond) else None
    ny, nx = grid.shape
    row, column = np.where(beyond, 0.0, row), np.where(beyond, 0.0, column)
    if method == "nearest":
        rows = np.clip(np.floor(row + 0.5).astype(int), 0, ny - 1)
        columns = np.floor(column + 0.5).astype(int)
        columns = columns % nx if grid.periodic else np.clip(columns, 0, nx - 1)
        return Cells(grid.dims, rows[None], columns[None], None, absent)
    low_row = np.clip(np.floor(row).astype(int), 0, ny - 2)
    low_column = np.floor(column).astype(int)
    if not grid.periodic:
        low_column = np.clip(low_column, 0, nx - 2)
    b, a = (np.clip(one, 0.0, 1.0) for one in (row - low_row, column - low_column))
    # A neighbour of weight zero is not read.
    high_row, high_column = low_row + (b > 0.0), low_column + (a > 0.0)
    rows = np.stack([low_row, low_row, high_row, high_row])
    columns = np.stack([low_column, high_column, low_column, high_column]) % nx
    weights = np.stack([(1 - b) * (1 - a), (1 - b) * a, b * (1 - a), b * a])
    return Cells(grid.dims, rows, columns, weights, absent)


def outside_grid(grid: Grid, row: np.ndarray, column: np.ndarray, margin: float) -> np.ndarray:
    """Whether fractional numbers lie more than a part of a cell beyond the outermost centres."""
    ny, nx = grid.shape
    off = ~(np.isfinite(row) & np.isfinite(column))
    off |= (row < -margin - _EDGE) | (row > ny - 1 + margin + _EDGE)
    if not grid.periodic:
        off |= (column < -margin - _EDGE) | (column > nx - 1 + margin + _EDGE)
    return np.asarray(off)


def refuse(grid: Grid, lon: np.ndarray, lat: np.ndarray, beyond: np.ndarray, method: Method) -> None:
    """Refuse places outside the grid, naming the first.

    Raises:
        InputError: always.
    """
    first = int(np.flatnonzero(beyond)[0])
    number = f", place number {first}," if lon.size > 1 else ""
    more = f", and {int(beyond.sum()) - 1} more are" if beyond.sum() > 1 else ""
    corner = [grid.inverse(np.asarray(grid.columns[i]), np.asarray(grid.rows[j])) for j, i in ((0, 0), (-1, -1))]
    (lat0, lon0), (lat1, lon1) = ((float(a), float(b)) for a, b in corner)
    near = " between its outermost centres" if method == "bilinear" else ""
    raise InputError(
        f"{place_words(float(lat[first]), float(lon[first]), 3)}{number} lies outside the grid{near}{more}; its "
        f'corners are at {place_words(lat0, lon0)} and {place_words(lat1, lon1)} (outside="nan" gives missing values)'
    )


def _centres(result: xr.Dataset, grid: Grid, cells: Cells, name: str) -> np.ndarray:
    """Latitude or longitude of the centres of the cells chosen, NaN outside."""
    lat, lon = grid.inverse(grid.columns[cells.columns[0]], grid.rows[cells.rows[0]])
    chosen = lat if name == "lat" else lon
    return chosen if cells.absent is None else np.where(cells.absent, np.nan, chosen)


def _with_rim(result: xr.Dataset, dataset: xr.Dataset, grid: Grid, lon: np.ndarray, lat: np.ndarray) -> xr.Dataset:
    """The dataset with the coordinate `in_rim` where the rim of the grid is known."""
    result = result.drop_vars("rim", errors="ignore")
    if "rim" not in dataset.variables:
        return result
    cells = cells_at(grid, lon, lat, "nearest", "nan")
    rim = cells.part(dataset["rim"].variable, {}, slice(None)) != 0
    attributes = {"long_name": "whether the place lies in the relaxation zone at the rim, where the driving data rule"}
    return result.assign_coords(in_rim=(PLACE, np.asarray(rim), attributes))
