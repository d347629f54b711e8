"""Small datasets in the form of `kaiseki.open`, with fields that are functions of place, height and time."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import xarray as xr

from kaiseki.archive.store.metadata import AXIS_ATTRIBUTES, grid_mapping
from kaiseki.core.variables import VARIABLES
from kaiseki.grid import LambertConformal, Projection

SHAPE = (6, 12, 14)
START = np.datetime64("2019-10-11T12:00", "ns")
HOUR = np.timedelta64(3_600_000_000_000, "ns")

Field = Callable[[Any, Any, Any, Any], Any]
"""Function of x, y [m], altitude [m] and hours."""


def zero_terrain(x: Any, y: Any) -> Any:
    return 0.0 * x * y


def on_map(
    fields: dict[str, Field],
    *,
    hours: int = 6,
    spacing: float = 20e3,
    projection: Projection | None = None,
    origin: tuple[float, float] = (34.0, 137.0),
    terrain: Callable[[Any, Any], Any] = zero_terrain,
    dtype: type = np.float64,
) -> xr.Dataset:
    """Fields on model levels of a map; those of the table at the surface are taken at altitude zero."""
    projection = projection or LambertConformal()
    nz, ny, nx = SHAPE
    x0, y0 = projection.forward(np.asarray(origin[0]), np.asarray(origin[1]))
    x, y = float(x0) + spacing * np.arange(nx), float(y0) + spacing * np.arange(ny)
    lat, lon = projection.inverse(*np.meshgrid(x, y))
    level = np.array([50.0, 200.0, 600.0, 1500.0, 3500.0, 7000.0])
    decay = np.array([1.0, 0.9, 0.8, 0.5, 0.2, 0.0])
    ground = np.broadcast_to(terrain(x[None] - x[0], y[:, None] - y[0]), (ny, nx)).astype(float)
    altitude = level[:, None, None] + decay[:, None, None] * ground
    hour = np.arange(hours, dtype=float)
    data = {}
    for name, field in fields.items():
        row = VARIABLES[name]
        if row.levels == "air":
            dims: tuple[str, ...] = ("time", "level", "y", "x")
            values = field(x, y[:, None], altitude, hour[:, None, None, None])
            shape: tuple[int, ...] = (hours, nz, ny, nx)
        else:
            dims = ("time", "y", "x")
            values = field(x, y[:, None], 0.0, hour[:, None, None])
            shape = (hours, ny, nx)
        data[name] = (dims, np.array(np.broadcast_to(values, shape), dtype), row.attributes() | {"grid_mapping": "crs"})
    rim = np.ones((ny, nx), np.uint8)
    rim[1:-1, 1:-1] = 0
    coordinates = {
        "time": ("time", START + HOUR * np.arange(hours)),
        "level": ("level", level, AXIS_ATTRIBUTES["level"]),
        "y": ("y", y, AXIS_ATTRIBUTES["y"]),
        "x": ("x", x, AXIS_ATTRIBUTES["x"]),
        "lat": (("y", "x"), lat, {"units": "degrees_north"}),
        "lon": (("y", "x"), lon, {"units": "degrees_east"}),
        "terrain": (("y", "x"), ground, VARIABLES["terrain"].attributes()),
        "decay": ("level", decay),
        "altitude": (("level", "y", "x"), altitude, {"units": "m"}),
        "rim": (("y", "x"), rim),
        "crs": ((), np.int32(0), grid_mapping(projection)),
    }
    return xr.Dataset(data, coordinates)


def of_degrees(lat: Any, lon: Any, field: Callable[[Any, Any], Any]) -> xr.Dataset:
    """One surface field on a grid of latitude and longitude, a function of longitude and latitude."""
    lat, lon = np.asarray(lat, float), np.asarray(lon, float)
    values = np.broadcast_to(field(lon, lat[:, None]), (lat.size, lon.size)).astype(float)
    return xr.Dataset(
        {"temperature_2m": (("time", "lat", "lon"), values[None], VARIABLES["temperature_2m"].attributes())},
        {
            "time": ("time", [START]),
            "lat": ("lat", lat, {"units": "degrees_north"}),
            "lon": ("lon", lon, {"units": "degrees_east"}),
        },
    )


def to_zarr(dataset: xr.Dataset, folder: Path, chunk: int = 4) -> xr.Dataset:
    """The dataset from a Zarr store, read lazily, in chunks of so many cells along each axis."""
    copied = dataset.copy()
    for one in copied.variables.values():
        one.encoding = {}
    encoding: dict[Any, Any] = {
        name: {"chunks": tuple(min(chunk, size) for size in one.shape)} for name, one in dataset.data_vars.items()
    }
    copied.to_zarr(folder, encoding=encoding, zarr_format=3, consolidated=False)
    return xr.open_zarr(folder, chunks=None, consolidated=False, zarr_format=3).set_coords(list(dataset.coords))
