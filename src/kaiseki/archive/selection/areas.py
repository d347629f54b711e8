"""Fields over areas: boxes, polygons, prefectures, and their means."""

from __future__ import annotations

from typing import Any, Final, Literal

import numpy as np
import xarray as xr

from kaiseki.archive.selection.cells import Cells, at_cells
from kaiseki.archive.selection.grid import Grid, grid_of
from kaiseki.archive.selection.inputs import need_dataset, numbers
from kaiseki.archive.selection.lazy import PIECE, Key, computed, count, floating, values
from kaiseki.archive.selection.prefectures import prefecture_of, shape_of
from kaiseki.archive.selection.shapes import Polygon, area_of, cover, polygons_of
from kaiseki.core.errors import InputError

Chosen = Literal["centre", "overlap"]
Partly = Literal["raise", "drop"]

CELL: Final = "cell"
_MISSED: Final = 1e-3
"""Part of an area that may lie outside the grid unnoticed: above the error of areas on the map, 1e-5."""


def polygon(
    dataset: xr.Dataset, shape: Any, cells: Chosen = "centre", *, outside: Partly = "raise", mask: bool = False
) -> xr.Dataset:
    """The cells of a dataset in a polygon, or in several.

    Args:
        dataset: from `kaiseki.open`.
        shape: GeoJSON (a mapping with Polygon, MultiPolygon, Feature or FeatureCollection), the path of such a file, a
            pair (longitudes, latitudes) of one ring, or an object with `__geo_interface__`. Holes, islands and the date
            line are heeded; edges are straight in longitude and latitude, of WGS 84 or JGD2011.
        cells: "centre" for the cells whose centre lies inside, "overlap" for all that the polygon touches.
        outside: "raise" refuses a polygon that reaches beyond the grid, "drop" leaves out what lies there.
        mask: whether the cells stay on the grid, for a map: the smallest rectangle that holds them, missing elsewhere.

    Returns:
        Dataset with the dimension `cell` in the place of the two horizontal ones; coordinates `lon`, `lat` of the
        centres and `area` [m2]: that of the cell for "centre", of its part in the polygon for "overlap". `area_mean`
        makes means with these areas. With `mask` the horizontal dimensions and all coordinates stay, and `area` is 0
        outside. Fields are read when they are asked for.

    Raises:
        InputError: the shape is no polygon, misses the grid or reaches beyond it, or holds no centre of a cell.
    """
    return _selected(dataset, polygons_of(shape), ("The polygon", cells, outside), mask=mask)


def _selected(dataset: xr.Dataset, polygons: Any, how: tuple[str, Chosen, Partly], *, mask: bool) -> xr.Dataset:
    """The cells of a dataset in polygons that messages call so, chosen so, with what lies outside treated so."""
    words, cells, outside = how
    if cells not in ("centre", "overlap"):
        raise InputError(f"The cells of an area are chosen by centre or overlap, not {cells!r}")
    grid = grid_of(dataset)
    rows, columns, fraction = covered_cells(grid, polygons, words, outside, centre=cells == "centre")
    if rows.size == 0:
        raise InputError(f'{words} holds no centre of a cell; use cells="overlap", or points for the nearest cell')
    area = grid.area()[rows, columns] * fraction
    if mask:
        return _masked(dataset, grid, (rows, columns), area)
    result = at_cells(dataset, Cells(grid.dims, rows[None], columns[None]), CELL)
    return _described(result, grid, rows, columns, area)


def _masked(dataset: xr.Dataset, grid: Grid, places: tuple[np.ndarray, np.ndarray], area: np.ndarray) -> xr.Dataset:
    """The rectangle of the grid about cells, with what is no part of them missing."""
    (rows, columns), (j, i) = places, (int(one.min()) for one in places)
    window = {grid.dims[0]: slice(j, int(rows.max()) + 1), grid.dims[1]: slice(i, int(columns.max()) + 1)}
    result = dataset.isel(window)
    covered = np.zeros([one.stop - one.start for one in window.values()])
    covered[rows - j, columns - i] = area
    inside = covered > 0.0
    fields = {
        name: _only_inside(one.variable, grid.dims, inside)
        for name, one in result.data_vars.items()
        if set(grid.dims) <= set(one.dims) and one.dtype.kind in "fiub"
    }
    attributes = {"standard_name": "cell_area", "long_name": "area of the part selected", "units": "m2"}
    return result.assign(fields).assign_coords(area=(grid.dims, covered, attributes))


def _only_inside(source: xr.Variable, dims: tuple[str, str], inside: np.ndarray) -> xr.Variable:
    """A variable that is missing outside an area."""

    def part(key: dict[Any, Key]) -> np.ndarray:
        found = values(source, key)
        chosen = inside[key[dims[0]]][:, key[dims[1]]]
        if source.dims.index(dims[0]) > source.dims.index(dims[1]):
            chosen = chosen.T
        shape = [size if dim in dims else 1 for dim, size in zip(source.dims, found.shape, strict=True)]
        return np.where(chosen.reshape(shape), found, np.nan)

    result = computed(source.sizes, floating(source.dtype), part, source.attrs)
    result.encoding = {key: value for key, value in source.encoding.items() if key == "coordinates"}
    return result


def covered_cells(
    grid: Grid, polygons: Any, words: str, outside: Partly, *, centre: bool
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Rows and columns of the cells in polygons, and the part of each that belongs to the area.

    Raises:
        InputError: the polygons miss the grid, or reach beyond it.
    """
    if outside not in ("raise", "drop"):
        raise InputError(f"The word for what lies outside is raise or drop, not {outside!r}")
    found = cover(grid, polygons)
    whole = area_of(polygons)
    ny, nx = (0, 0) if found is None else found.fraction.shape
    if found is None or not np.any(found.fraction > 0.0):
        raise InputError(f"{words} lies outside the grid")
    window = np.s_[found.row : found.row + ny, found.column : found.column + nx]
    inside = float(np.sum(grid.area()[window] * found.fraction))
    if outside == "raise" and inside < (1.0 - _MISSED) * whole:
        raise InputError(
            f'{words} reaches beyond the grid with {100.0 * (1.0 - inside / whole):.1f} % of its area; outside="drop" '
            "takes what lies within"
        )
    chosen = found.centre if centre else found.fraction > 1e-12
    j, i = np.nonzero(chosen)
    return j + found.row, i + found.column, np.ones(j.size) if centre else found.fraction[j, i]


def _described(result: xr.Dataset, grid: Grid, rows: np.ndarray, columns: np.ndarray, area: np.ndarray) -> xr.Dataset:
    """Selected cells with their places and areas."""
    lat, lon = grid.inverse(grid.columns[columns], grid.rows[rows])
    result = result.drop_vars([name for name in ("lat", "lon") if name in result.variables])
    more: dict[str, Any] = {
        "lat": (CELL, lat, {"standard_name": "latitude", "units": "degrees_north"}),
        "lon": (CELL, lon, {"standard_name": "longitude", "units": "degrees_east"}),
        "area": (CELL, area, {"standard_name": "cell_area", "long_name": "area of the part selected", "units": "m2"}),
    }
    if grid.on_map:
        more |= {"y": (CELL, grid.rows[rows], {"units": "m"}), "x": (CELL, grid.columns[columns], {"units": "m"})}
    return result.assign_coords(more)


def area_mean(selected: xr.Dataset) -> xr.Dataset:
    """The means over the cells of `polygon` or `prefecture`, each cell with its area as the weight.

    Worked out when values are asked for, in pieces that are kept small. Missing values are left out; where all are, the
    mean is missing.

    Args:
        selected: with the dimension `cell` and the coordinate `area`.

    Raises:
        InputError: the dataset is none of an area.
    """
    need_dataset(selected)
    if CELL not in selected.dims or "area" not in selected.coords:
        raise InputError("The dataset is none of an area: select one with polygon or prefecture before its mean")
    weights = np.asarray(selected["area"].values, float)
    fields = {
        name: _mean(one.variable, weights) if CELL in one.dims else one.variable
        for name, one in selected.data_vars.items()
    }
    kept = {name: selected.variables[name] for name in selected.coords if CELL not in selected.variables[name].dims}
    result = xr.Dataset(fields, kept, dict(selected.attrs))
    return result.assign_coords(area=((), float(weights.sum()), dict(selected["area"].attrs)))


def _mean(source: xr.Variable, weights: np.ndarray) -> xr.Variable:
    """The mean of one variable over its cells."""
    axis = source.dims.index(CELL)
    sizes = {dim: size for dim, size in source.sizes.items() if dim != CELL}
    first = next(iter(sizes), None)

    def once(key: dict[Any, Key]) -> np.ndarray:
        read = np.moveaxis(values(source, key), axis, -1).astype(float)
        used = np.isfinite(read)
        total, share = np.where(used, read, 0.0) @ weights, used @ weights
        return np.divide(total, share, out=np.full(np.shape(total), np.nan), where=share > 0.0)

    def part(key: dict[Any, Key]) -> np.ndarray:
        if first is None:
            return np.asarray(once(key))
        numbers = np.arange(sizes[first])[key[first]]
        each = weights.size * 8
        for dim in list(sizes)[1:]:
            each *= count(key[dim], sizes[dim])
        length = max(1, PIECE // max(each, 1))
        pieces = [once({**key, first: numbers[start : start + length]}) for start in range(0, numbers.size, length)]
        return np.concatenate(pieces) if pieces else np.empty([count(key[dim], sizes[dim]) for dim in sizes])

    attributes = dict(source.attrs)
    methods = str(attributes.get("cell_methods", ""))
    attributes["cell_methods"] = f"{methods} area: mean".strip()
    return computed(sizes, floating(source.dtype), part, attributes)


def prefecture(
    dataset: xr.Dataset,
    name: str | int,
    areas: Any = None,
    cells: Chosen = "centre",
    *,
    outside: Partly = "raise",
    mask: bool = False,
) -> xr.Dataset:
    """The cells of a dataset in a prefecture of Japan.

    Args:
        dataset: from `kaiseki.open`.
        name: name ("東京都", "東京", "Tokyo") or code of JIS X 0401 (13, "13").
        areas: path of a GeoJSON file with the borders, one or more features per prefecture, such as National Land
            Numerical Information N03 of MLIT; its credit is the user's to give.
        cells: "centre" or "overlap", as of `polygon`.
        outside: "raise" or "drop", as of `polygon`: remote islands often lie outside the grid.
        mask: whether the cells stay on the grid, for a map, as of `polygon`.

    Returns:
        Dataset as of `polygon`, with the scalar coordinate `prefecture`.

    Raises:
        InputError: no such prefecture, in Japan or in the file; else as `polygon`.
    """
    polygons, japanese = _prefecture(name, areas)
    return _selected(dataset, polygons, (japanese, cells, outside), mask=mask).assign_coords(prefecture=((), japanese))


def outline(name: str | int, areas: Any) -> list[tuple[np.ndarray, np.ndarray]]:
    """The border of a prefecture of Japan as lines to be drawn: longitudes and latitudes of each closed ring, degrees.

    Args:
        name: name or code, as of `prefecture`.
        areas: path of a GeoJSON file with the borders, as of `prefecture`.

    Raises:
        InputError: no such prefecture, in Japan or in the file.
    """
    polygons, _ = _prefecture(name, areas)
    return [(ring[:, 0], ring[:, 1]) for rings in polygons for ring in rings]


def _prefecture(name: str | int, areas: Any) -> tuple[list[Polygon], str]:
    """The polygons of a prefecture and its Japanese name."""
    code, japanese = prefecture_of(name)
    if areas is None:
        raise InputError(
            f"The borders of {japanese} are needed: give the path of a GeoJSON file with those of the prefectures, "
            "such as National Land Numerical Information N03"
        )
    return polygons_of(shape_of(areas, code, japanese)), japanese


def box(dataset: xr.Dataset, west: float, south: float, east: float, north: float) -> xr.Dataset:
    """The smallest rectangle of the grid that holds all cells whose centre lies in a box of longitude and latitude.

    On a map the rectangle holds other cells too, for meridians are not parallel to its columns; for the cells in the
    box alone use `polygon`. Nothing is read.

    Args:
        dataset: from `kaiseki.open`.
        west: western side, degrees east; greater than `east` where the box lies across the date line.
        south: southern side, degrees north.
        east: eastern side, degrees east.
        north: northern side, degrees north.

    Raises:
        InputError: the sides are none, or no centre of a cell lies in the box.
    """
    sides = numbers([west, south, east, north], "The sides of a box")
    if (
        sides.ndim > 1
        or not np.all(np.isfinite(sides))
        or not -90.0 <= south < north <= 90.0
        or np.abs(sides[[0, 2]]).max() > 540.0
        or east - west > 360.0
    ):
        raise InputError(
            f"A box goes from west {west:g}, south {south:g} to east {east:g}, north {north:g}; expected -90 <= south "
            "< north <= 90 and at most 360 degrees from west to east"
        )
    grid = grid_of(dataset)
    width = (east - west) % 360.0 or (360.0 if east != west else 0.0)
    lat, lon = grid.inverse(*np.meshgrid(grid.columns, grid.rows))
    inside = (lat >= south) & (lat <= north) & ((lon - west) % 360.0 <= width)
    rows, columns = np.flatnonzero(inside.any(axis=1)), np.flatnonzero(inside.any(axis=0))
    if rows.size == 0:
        raise InputError(f"No centre of a cell lies in the box {west:g} to {east:g} E, {south:g} to {north:g} N")
    along_rows = slice(int(rows[0]), int(rows[-1]) + 1)
    gaps = np.flatnonzero(np.diff(columns) > 1)
    if grid.periodic and gaps.size:
        # The box lies across the place where the columns begin.
        order = np.concatenate([columns[gaps[0] + 1 :], columns[: gaps[0] + 1]])
        degrees = np.unwrap(grid.columns[order], period=360.0)
        chosen = dataset.isel({grid.dims[0]: along_rows, grid.dims[1]: order})
        return chosen.assign_coords({grid.dims[1]: (grid.dims[1], degrees, dataset[grid.dims[1]].attrs)})
    return dataset.isel({grid.dims[0]: along_rows, grid.dims[1]: slice(int(columns[0]), int(columns[-1]) + 1)})
