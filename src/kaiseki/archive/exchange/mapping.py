"""The horizontal grid of a dataset by its CF metadata: axes, grid mapping, sphere."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final, NamedTuple

import numpy as np
import xarray as xr

from kaiseki.archive.store.metadata import GRID_MAPPING
from kaiseki.core.errors import InputError
from kaiseki.grid import LambertConformal, Mercator, PolarStereographic, Projection
from kaiseki.grid.regular import LatLonGrid, MapGrid

_LENGTHS: Final[Mapping[str, float]] = {"m": 1.0, "metre": 1.0, "meter": 1.0, "metres": 1.0, "meters": 1.0, "km": 1e3}
_AXES: Final[Mapping[str, tuple[str, ...]]] = {
    "projection_y_coordinate": ("y",),
    "projection_x_coordinate": ("x",),
    "latitude": ("lat", "latitude"),
    "longitude": ("lon", "longitude"),
}
"""Standard names of horizontal axes, and what such an axis may be called where it has none."""
_PLACED: Final = 0.05
"""Part of a cell by which the latitudes and longitudes of a dataset may differ from those of its map."""


class Horizontal(NamedTuple):
    """Names of the two horizontal dimensions of a dataset and of its grid mapping variable, if it has one."""

    rows: str
    columns: str
    mapping: str | None


def grid_of(dataset: xr.Dataset) -> MapGrid | LatLonGrid:
    """The horizontal grid of a dataset with CF metadata, such as that of `kaiseki.open`.

    A grid of a map has axes of projection coordinates (m or km) and a grid mapping variable of the Lambert conformal,
    Mercator or polar stereographic projection of a sphere; where it also has latitudes and longitudes of its points,
    these must agree with the map. Any other grid must have one-dimensional latitudes and longitudes.

    Raises:
        InputError: there is no such grid, or its metadata contradict each other.
    """
    rows, columns, mapping = horizontal(dataset)
    if dataset[rows].attrs.get("standard_name") == "latitude" or rows in _AXES["latitude"]:
        lon = np.asarray(dataset[columns].values, float)
        # Longitudes that go on at -180 after 180 rise again by one turn.
        return LatLonGrid(dataset[rows].values, np.rad2deg(np.unwrap(np.deg2rad(lon))) if _jumps(lon) else lon)
    if mapping is None:
        raise InputError(
            f"The dataset has axes {rows} and {columns} of a map but no grid mapping variable (with grid_mapping_name) "
            "that says which map"
        )
    attributes = dataset[mapping].attrs
    projection = projection_of(attributes)
    left, lower = _origin(projection, attributes)
    axes = []
    for name, shift in ((columns, left), (rows, lower)):
        units = str(dataset[name].attrs.get("units", "m"))
        if units not in _LENGTHS:
            raise InputError(f"The axis {name} of the map is in {units!r}; expected m or km")
        axes.append(np.asarray(dataset[name].values, float) * _LENGTHS[units] + shift)
    grid = MapGrid(projection, *axes)
    _check_places(dataset, grid, rows, columns)
    return grid


def horizontal(dataset: xr.Dataset) -> Horizontal:
    """Names of the horizontal dimensions and of the grid mapping of a dataset; InputError if there are none."""
    mappings = [str(name) for name, one in dataset.variables.items() if "grid_mapping_name" in one.attrs]
    if len(mappings) > 1 and GRID_MAPPING not in mappings:
        raise InputError(f"The dataset has several grid mappings ({', '.join(mappings)}); keep the variables of one")
    mapping = None if not mappings else GRID_MAPPING if GRID_MAPPING in mappings else mappings[0]
    for pair in (("projection_y_coordinate", "projection_x_coordinate"), ("latitude", "longitude")):
        found = [_axis(dataset, standard_name) for standard_name in pair]
        if found[0] is not None and found[1] is not None:
            return Horizontal(found[0], found[1], mapping)
    raise InputError(
        "The dataset has no horizontal grid that can be used: expected one-dimensional axes y and x of a map "
        "(projection_y_coordinate, projection_x_coordinate), or lat and lon; there are "
        + (", ".join(map(str, dataset.dims)) or "none")
    )


def projection_of(attributes: Mapping[str, Any]) -> Projection:
    """Projection of the attributes of a CF grid mapping variable (CF appendix F), on the sphere that they state.

    Raises:
        InputError: another kind of map, an ellipsoid, or a number is missing.
    """
    kind = str(attributes.get("grid_mapping_name", ""))
    radius = _radius(attributes)

    def number(name: str) -> float:
        if name not in attributes:
            raise InputError(f"The grid mapping {kind} lacks {name}")
        return float(np.ravel(attributes[name])[0])

    match kind:
        case "lambert_conformal_conic":
            first, last = number("standard_parallel"), float(np.ravel(attributes["standard_parallel"])[-1])
            return LambertConformal(first, last, number("longitude_of_central_meridian"), radius)
        case "mercator" if "standard_parallel" in attributes:
            return Mercator(number("standard_parallel"), number("longitude_of_projection_origin"), radius)
        case "polar_stereographic" if "standard_parallel" in attributes:
            # Some files give the parallel of a southern map without its sign.
            pole = float(attributes.get("latitude_of_projection_origin", number("standard_parallel")))
            parallel = float(np.copysign(number("standard_parallel"), pole))
            return PolarStereographic(parallel, number("straight_vertical_longitude_from_pole"), radius)
    raise InputError(
        f"The grid mapping {kind or 'without a name'} is not supported; expected lambert_conformal_conic, mercator or "
        "polar_stereographic with standard_parallel, or latitudes and longitudes as axes"
    )


def _radius(attributes: Mapping[str, Any]) -> float:
    """Radius of the sphere, m; InputError for an ellipsoid, or where nothing is stated."""
    major, minor = (attributes.get(name) for name in ("semi_major_axis", "semi_minor_axis"))
    flat = float(attributes.get("inverse_flattening", 0.0))
    if flat != 0.0 or (major is not None and minor is not None and float(major) != float(minor)):
        raise InputError("The map is one of an ellipsoid; only maps of a sphere are supported, so reproject the data")
    radius = attributes.get("earth_radius", major)
    if radius is None:
        raise InputError("The grid mapping does not state the radius of its sphere (earth_radius, m)")
    return float(radius)


def _origin(projection: Projection, attributes: Mapping[str, Any]) -> tuple[float, float]:
    """Coordinates, m, that the origin of the stated map has on ours, less its false easting and northing."""
    x, y = 0.0, 0.0
    if isinstance(projection, LambertConformal):
        # Ours is at the pole; a map by its one parallel alone has it there.
        single = projection.parallel_1 if projection.parallel_1 == projection.parallel_2 else None
        lat = attributes.get("latitude_of_projection_origin", single)
        if lat is None:
            raise InputError("The grid mapping lambert_conformal_conic lacks latitude_of_projection_origin")
        lat = float(lat)
        if abs(lat) < 90.0:
            y = float(projection.forward(np.asarray(lat), np.asarray(projection.central_longitude))[1])
    return x - float(attributes.get("false_easting", 0.0)), y - float(attributes.get("false_northing", 0.0))


def _axis(dataset: xr.Dataset, standard_name: str) -> str | None:
    """Dimension whose coordinate has a standard name or, where it states none, one of the usual names."""
    for name in map(str, dataset.dims):
        if name in dataset.coords:
            stated = dataset[name].attrs.get("standard_name")
            if stated == standard_name or (stated is None and name in _AXES[standard_name]):
                return name
    return None


def _jumps(lon: np.ndarray) -> bool:
    """Whether longitudes rise but for one step back by most of a turn."""
    step = np.diff(lon)
    return bool(np.sum(step < -180.0) == 1 and np.all((step > 0.0) | (step < -180.0)))


def _check_places(dataset: xr.Dataset, grid: MapGrid, rows: str, columns: str) -> None:
    """Refuse a map that does not agree with the latitudes and longitudes of the dataset's points."""
    if not all(name in dataset.coords and dataset[name].dims == (rows, columns) for name in ("lat", "lon")):
        return
    j, i = (np.unique([0, n // 2, n - 1]) for n in grid.shape)
    lat, lon = (dataset[name].isel({rows: j, columns: i}).values.astype(float) for name in ("lat", "lon"))
    x, y = grid.projection.forward(lat, lon)
    step = min(np.abs(np.diff(grid.x)).min(), np.abs(np.diff(grid.y)).min())
    apart = float(np.max(np.hypot(x - grid.x[i], y - grid.y[j][:, None])))
    if not apart < _PLACED * step:
        raise InputError(
            f"The latitudes and longitudes of the dataset lie up to {apart:.0f} m from where its map "
            f"({grid.projection.name}) puts them, with cells of {step:.0f} m; one of them is wrong"
        )
