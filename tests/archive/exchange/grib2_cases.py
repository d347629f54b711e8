"""Datasets for the tests of GRIB 2 files, and ways to read such files back."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import xarray as xr

from archive.runs import small_domain
from kaiseki.archive.store.metadata import grid_mapping
from kaiseki.core.variables import VARIABLES
from kaiseki.formats.grib.library import eccodes
from kaiseki.formats.grib.messages import single_fields

TIMES = np.array(["1989-01-01T12:00", "1989-01-01T13:00"], "datetime64[ns]")
HOUR = np.timedelta64(1, "h")
SURFACE = {
    "mean_sea_level_pressure": (95_000.0, 104_000.0),
    "surface_pressure": (70_000.0, 103_000.0),
    "eastward_wind_10m": (-30.0, 30.0),
    "northward_wind_10m": (-30.0, 30.0),
    "temperature_2m": (230.0, 310.0),
    "cloud_fraction": (0.0, 1.0),
    "precipitation": (0.0, 80.0),
    "shortwave_down": (0.0, 1000.0),
}
UPPER = {
    "geopotential_height": (100.0, 1000.0),
    "eastward_wind": (-80.0, 80.0),
    "northward_wind": (-80.0, 80.0),
    "temperature": (265.0, 275.0),
    "relative_humidity": (0.0, 1.0),
}


def fields(names: dict[str, tuple[float, float]], dims: tuple[str, ...], shape: tuple[int, ...]) -> dict[str, Any]:
    """Random fields within ranges, with the attributes of the archive."""
    random = np.random.default_rng(1)
    return {
        name: (dims, random.uniform(*limits, shape).astype(np.float32), VARIABLES[name].attributes())
        for name, limits in names.items()
    }


def bounds() -> tuple[tuple[str, str], np.ndarray]:
    return ("time", "bounds"), np.stack([TIMES - HOUR, TIMES], axis=1)


def on_degrees(lat: np.ndarray, lon: np.ndarray) -> xr.Dataset:
    """Surface fields on a latitude-longitude grid."""
    data = fields(SURFACE, ("time", "lat", "lon"), (TIMES.size, lat.size, lon.size)) | {"time_bnds": bounds()}
    return xr.Dataset(data, {"time": TIMES, "lat": lat, "lon": lon}, {"kind": "analysis"})


def on_map(names: dict[str, tuple[float, float]]) -> xr.Dataset:
    """Fields on the map of the small domain, at the surface or on pressure levels, one of them partly below ground."""
    domain = small_domain()
    upper = "geopotential_height" in names
    dims, shape = ("time", "y", "x"), (TIMES.size, domain.ny, domain.nx)
    coordinates: dict[str, Any] = {"time": TIMES, "y": domain.y, "x": domain.x}
    if upper:
        dims, shape = ("time", "pressure", "y", "x"), (TIMES.size, 4, domain.ny, domain.nx)
        coordinates["pressure"] = ("pressure", [25_000.0, 100_000.0, 85_000.0, 51_000.0], {"units": "Pa"})
    data = fields(names, dims, shape)
    if upper:
        # As high as the temperatures allow, which readers check.
        log = np.log(1e5 / np.array(coordinates["pressure"][1]))[:, None, None]
        data["geopotential_height"][1][:] = 7900.0 * log + data["geopotential_height"][1] / 100.0
        for _, values, _ in data.values():
            values[:, 1, :2] = np.nan
    coordinates |= {"lat": (("y", "x"), domain.lat), "lon": (("y", "x"), domain.lon)}
    coordinates["crs"] = ((), 0, grid_mapping(domain.projection))
    return xr.Dataset(data | ({} if upper else {"time_bnds": bounds()}), coordinates, {"kind": "analysis"})


NUMBERS = ("typeOfFirstFixedSurface", "centre")
"""Keys for which ecCodes has words."""


def keys_of(path: Path, *names: str) -> list[tuple[Any, ...]]:
    """Values of keys, of all fields of a file in their order."""
    found = []
    for _, message in single_fields(path):
        handle = eccodes.codes_new_from_message(message)
        found.append(tuple(eccodes.codes_get(handle, name, int if name in NUMBERS else None) for name in names))
        eccodes.codes_release(handle)
    return found


def opened(path: Path, **chosen: Any) -> xr.Dataset:
    """Fields of a file by keys, as cfgrib reads them."""
    pytest.importorskip("cfgrib")
    return xr.open_dataset(
        path, engine="cfgrib", decode_timedelta=True, backend_kwargs={"indexpath": "", "filter_by_keys": chosen}
    )
