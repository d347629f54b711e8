"""The horizontal grid of a dataset: where places lie among its cells, how large the cells are.

Places are geographic longitude and latitude. The model's Earth is a sphere, and its latitudes are taken as those of
WGS 84 and JGD2011 without a shift, as is usual in weather prediction; the old Tokyo datum, some 400 m away, is not
supported.
"""

from __future__ import annotations

import json
from collections import OrderedDict
from collections.abc import Callable, Hashable, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Final

import numpy as np
import xarray as xr

from kaiseki.archive.selection.inputs import need_dataset
from kaiseki.core.constants import EARTH_RADIUS
from kaiseki.core.errors import InputError
from kaiseki.core.places import place_words
from kaiseki.grid import LambertConformal, Mercator, PolarStereographic, Projection

Transform = Callable[[np.ndarray, np.ndarray], tuple[np.ndarray, np.ndarray]]


@dataclass(frozen=True, eq=False)
class Grid:
    """The cells of a dataset in its own plane: x and y of a map in metres, or longitude and latitude in degrees.

    Attributes:
        dims: names of the dimensions, rows first.
        rows: centres of the rows (ny,), rising or falling.
        columns: centres of the columns (nx,), rising.
        forward: gives the coordinates (column, row) in the plane from latitude and longitude, degrees.
        inverse: gives latitude and longitude from the coordinates (column, row) in the plane.
        on_map: whether the plane is that of a map, not of longitude and latitude.
        periodic: whether the columns go round the Earth.
        cut: longitude of the meridian along which the map is cut, None on a grid of longitude and latitude.
    """

    dims: tuple[str, str]
    rows: np.ndarray
    columns: np.ndarray
    forward: Transform
    inverse: Transform
    on_map: bool
    periodic: bool
    cut: float | None

    @property
    def shape(self) -> tuple[int, int]:
        """Number of rows and columns."""
        return self.rows.size, self.columns.size

    def edges(self) -> tuple[np.ndarray, np.ndarray]:
        """Edges of the rows (ny + 1,) and of the columns (nx + 1,) in the plane, halfway between the centres."""
        rows = _edges(self.rows)
        return (rows if self.on_map else np.clip(rows, -90.0, 90.0)), _edges(self.columns)

    def turned(self, lon: np.ndarray) -> np.ndarray:
        """Longitudes on the turn on which the columns of a grid of longitude and latitude count."""
        west, east = _edges(self.columns)[[0, -1]]
        # The gap between the two edges is halved, so that a place slightly outside lies slightly outside.
        start = west - 0.5 * max(0.0, 360.0 - (east - west))
        return np.asarray(start + (np.asarray(lon, float) - start) % 360.0)

    def index(self, lat: np.ndarray, lon: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Fractional numbers (row, column) of places; beyond the outermost centres they go on at the same step."""
        x, y = self.forward(np.asarray(lat, float), np.asarray(lon, float))
        column = _fraction(self.columns, x)
        if self.periodic:
            column = _fraction(np.append(self.columns, self.columns[0] + 360.0), x)
        return _fraction(self.rows, y), column

    def area(self) -> np.ndarray:
        """Area of the cells on the sphere (ny, nx), m2; worked out once, read-only."""
        return self._area

    @cached_property
    def _area(self) -> np.ndarray:
        area = self._worked_out_area()
        area.flags.writeable = False
        return area

    def _worked_out_area(self) -> np.ndarray:
        rows, columns = self.edges()
        if not self.on_map:
            bands = np.abs(np.diff(np.sin(np.deg2rad(rows))))
            return np.asarray(EARTH_RADIUS**2 * bands[:, None] * np.deg2rad(np.diff(columns)))
        # The map is conformal: the flow of area through it is the square of the length that a small step has.
        x, y = np.meshgrid(self.columns, self.rows)
        step = 100.0
        flat = np.diff(columns) * np.abs(np.diff(rows))[:, None]
        return np.asarray(flat * _area_factor(self.inverse, x, y, step))


def _area_factor(inverse: Transform, x: np.ndarray, y: np.ndarray, step: float) -> np.ndarray:
    """Area on the sphere over area on the map, of a small square about each point."""
    corners = [inverse(x + a * step, y + b * step) for a, b in ((-1, -1), (1, -1), (1, 1), (-1, 1))]
    unit = [
        np.stack([np.cos(p) * np.cos(q), np.cos(p) * np.sin(q), np.sin(p)], -1)
        for p, q in ((np.deg2rad(lat), np.deg2rad(lon)) for lat, lon in corners)
    ]
    crossed = np.cross(unit[2] - unit[0], unit[3] - unit[1])
    return np.asarray(0.5 * EARTH_RADIUS**2 * np.linalg.norm(crossed, axis=-1) / (2.0 * step) ** 2)


def _edges(centres: np.ndarray) -> np.ndarray:
    """Edges halfway between centres; the outermost cells are as wide on their outer side."""
    if centres.size < 2:
        raise InputError("The grid has a single row or column, so that the size of its cells is not known; take two")
    middle = 0.5 * (centres[1:] + centres[:-1])
    return np.concatenate([[2.0 * centres[0] - middle[0]], middle, [2.0 * centres[-1] - middle[-1]]])


def _fraction(axis: np.ndarray, wanted: np.ndarray) -> np.ndarray:
    """Fractional numbers of coordinates along a monotonic axis, linear within each step and beyond the ends."""
    if axis.size < 2:
        raise InputError("The grid has a single row or column, so that places cannot be found on it; take two")
    rising = axis if axis[-1] > axis[0] else -axis
    target = wanted if axis[-1] > axis[0] else -wanted
    low = np.clip(np.searchsorted(rising, target, side="right") - 1, 0, axis.size - 2)
    return np.asarray(low + (target - rising[low]) / (rising[low + 1] - rising[low]))


_KNOWN: Final[OrderedDict[tuple[Any, ...], Grid]] = OrderedDict()
_KEPT: Final = 16


def grid_of(dataset: xr.Dataset) -> Grid:
    """The horizontal grid of a dataset of `kaiseki.open`.

    Raises:
        InputError: there is no grid, its axes are not monotonic or in other units, or the grid mapping does not give
            the latitudes and longitudes that the dataset holds.
    """
    need_dataset(dataset)
    if {"y", "x"} <= set(dataset.dims):
        dims, mapping = ("y", "x"), _mapping(dataset)
    elif {"lat", "lon"} <= set(dataset.dims):
        dims, mapping = ("lat", "lon"), {}
    else:
        raise InputError(
            "The dataset has no horizontal grid: the dimensions y, x or lat, lon are missing from "
            f"{', '.join(map(str, dataset.dims)) or 'none'}; select places before anything takes the grid away"
        )
    rows, columns = (_axis(dataset, name) for name in dims)
    key = (dims, rows.tobytes(), columns.tobytes(), json.dumps(mapping, sort_keys=True, default=str))
    if key in _KNOWN:
        _KNOWN.move_to_end(key)
        return _KNOWN[key]
    grid = _on_map(dataset, mapping, rows, columns) if dims == ("y", "x") else _of_degrees(rows, columns)
    _KNOWN[key] = grid
    if len(_KNOWN) > _KEPT:
        _KNOWN.popitem(last=False)
    return grid


def _axis(dataset: xr.Dataset, name: str) -> np.ndarray:
    """The axis as float64, checked."""
    if name not in dataset.coords:
        raise InputError(f"The dimension {name} of the dataset has no coordinate, so that places cannot be found")
    axis = np.asarray(dataset[name].values, float)
    steps = np.diff(axis)
    falling = name in ("lat", "y") and steps.size > 0 and bool(np.all(steps < 0.0))
    if not np.all(np.isfinite(axis)) or not (falling or bool(np.all(steps > 0.0))):
        raise InputError(f"The coordinate {name} must rise from value to value")
    units = str(dataset[name].attrs.get("units", "m" if name in "xy" else "degrees"))
    if units not in ("m", "metre", "meter", "metres", "meters") if name in "xy" else not units.startswith("degree"):
        raise InputError(f"The coordinate {name} is in {units!r}; expected {'m' if name in 'xy' else 'degrees'}")
    return axis


def _mapping(dataset: xr.Dataset) -> dict[str, Any]:
    """Attributes of the grid mapping."""
    for name in ("crs", *{str(array.attrs.get("grid_mapping", "crs")) for array in dataset.data_vars.values()}):
        if name in dataset.variables and "grid_mapping_name" in dataset[name].attrs:
            attributes = dataset[name].attrs
            return {str(key): np.asarray(attributes[key]).tolist() for key in attributes}
    raise InputError(
        "The dataset has no grid mapping (the coordinate crs), so that x and y of a place are not known; keep the "
        "coordinate crs of kaiseki.open"
    )


def _of_degrees(lat: np.ndarray, lon: np.ndarray) -> Grid:
    """A grid of latitude and longitude."""
    if lat.min() < -90.0001 or lat.max() > 90.0001:
        raise InputError(f"The coordinate lat goes from {lat.min():g} to {lat.max():g}; expected -90 to 90 degrees")
    edges = _edges(lon)
    width = float(edges[-1] - edges[0])
    step = float(np.diff(lon).max())
    if width > 360.0 + 0.01 * step:
        raise InputError(f"The coordinate lon covers {width:g} degrees, more than once round the Earth")

    def forward(lat: np.ndarray, lon: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        return grid.turned(lon), np.asarray(lat, float)

    def inverse(x: np.ndarray, y: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        return np.asarray(y, float), np.asarray(x, float)

    periodic = abs(width - 360.0) <= 0.01 * step
    grid = Grid(("lat", "lon"), lat, lon, forward, inverse, False, periodic, None)
    return grid


def _on_map(dataset: xr.Dataset, mapping: Mapping[str, Any], rows: np.ndarray, columns: np.ndarray) -> Grid:
    """A grid on the map of a grid mapping, checked with latitudes and longitudes of the dataset."""
    forward, inverse, cut = _transforms(mapping)
    grid = Grid(("y", "x"), rows, columns, forward, inverse, True, False, cut)
    if not {"lat", "lon"} <= set(dataset.variables):
        return grid
    spacing = float(np.abs(np.diff(columns)).min())
    for j, i in {(0, 0), (0, columns.size - 1), (rows.size - 1, 0), (rows.size - 1, columns.size - 1)}:
        place: dict[Hashable, int] = {"y": j, "x": i}
        lat, lon = (float(dataset[name].variable.isel(place).values) for name in ("lat", "lon"))
        x, y = grid.forward(np.asarray(lat), np.asarray(lon))
        off = float(np.hypot(x - columns[i], y - rows[j]))
        if not off <= 0.01 * spacing:
            raise InputError(
                f"The grid mapping puts the cell at {place_words(lat, lon)} {off:.0f} m away from where x and y of the "
                "dataset put it; the grid mapping and the coordinates do not belong together"
            )
    return grid


def _transforms(mapping: Mapping[str, Any]) -> tuple[Transform, Transform, float]:
    """Transforms to and from the map of a grid mapping, and the meridian along which it is cut."""
    projection = _own(mapping)
    if projection is None:
        return _by_pyproj(mapping)
    origin_lat = float(mapping.get("latitude_of_projection_origin", 0.0))
    # The image of the pole is the origin of x and y there; the formulas do not hold at a pole.
    origin = (np.asarray(origin_lat), np.asarray(projection.central_longitude))
    x0, y0 = (0.0, 0.0) if abs(origin_lat) == 90.0 else (float(one) for one in projection.forward(*origin))
    east, north = (float(mapping.get(name, 0.0)) for name in ("false_easting", "false_northing"))

    def forward(lat: np.ndarray, lon: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        x, y = projection.forward(lat, lon)
        return np.asarray(x - x0 + east), np.asarray(y - y0 + north)

    def inverse(x: np.ndarray, y: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        return projection.inverse(np.asarray(x + x0 - east), np.asarray(y + y0 - north))

    return forward, inverse, projection.central_longitude + 180.0


def _own(mapping: Mapping[str, Any]) -> Projection | None:
    """The projection of the sphere that a grid mapping describes, None where it is another or of an ellipsoid."""
    radius = float(mapping.get("earth_radius", 0.0))
    kind = mapping["grid_mapping_name"]
    parallels = np.atleast_1d(np.asarray(mapping.get("standard_parallel", []), float))
    if radius <= 0.0 or "inverse_flattening" in mapping or parallels.size == 0:
        return None
    first, last = float(parallels[0]), float(parallels[-1])
    if kind == "lambert_conformal_conic":
        return LambertConformal(first, last, float(mapping["longitude_of_central_meridian"]), radius)
    if kind == "mercator":
        return Mercator(first, float(mapping["longitude_of_projection_origin"]), radius)
    if kind == "polar_stereographic" and float(mapping.get("latitude_of_projection_origin", 90.0)) * first > 0.0:
        return PolarStereographic(first, float(mapping["straight_vertical_longitude_from_pole"]), radius)
    return None


def _by_pyproj(mapping: Mapping[str, Any]) -> tuple[Transform, Transform, float]:
    """Transforms of any other grid mapping, by PROJ."""
    from kaiseki.core.proj import pyproj

    try:
        crs = pyproj.CRS.from_cf(dict(mapping))
        there = pyproj.Transformer.from_crs(crs.geodetic_crs, crs, always_xy=True)
    except (pyproj.exceptions.ProjError, KeyError, TypeError, AttributeError) as error:
        raise InputError(
            f"The grid mapping {mapping.get('grid_mapping_name')!r} cannot be understood: {error}"
        ) from None
    centre = next((float(mapping[name]) for name in _CENTRES if name in mapping), 0.0)

    def forward(lat: np.ndarray, lon: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        x, y = there.transform(lon, lat)
        return np.asarray(x), np.asarray(y)

    def inverse(x: np.ndarray, y: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        lon, lat = there.transform(x, y, direction="INVERSE")
        return np.asarray(lat), np.asarray(lon)

    return forward, inverse, centre + 180.0


_CENTRES: Final = (
    "longitude_of_central_meridian",
    "longitude_of_projection_origin",
    "straight_vertical_longitude_from_pole",
)
