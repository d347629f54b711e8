"""Small datasets in time in the form of `kaiseki.open`, for the tests of statistics."""

from __future__ import annotations

from typing import Any

import numpy as np
import xarray as xr

from kaiseki.core.variables import VARIABLES

SHAPE = (3, 4)
HOUR = np.timedelta64(3600, "s")


def hours(start: str, count: int, step: np.timedelta64 = HOUR) -> np.ndarray:
    return np.datetime64(start, "s") + step * np.arange(count)


def dataset(
    times: np.ndarray, names: tuple[str, ...] = ("temperature_2m", "precipitation"), seed: int = 0, **fields: Any
) -> xr.Dataset:
    """Random fields (time, y, x) of these variables, or those given, with bounds and coordinates in space."""
    generator = np.random.default_rng(seed)
    shape = (times.size, *SHAPE)
    made = {}
    for name in names:
        if name in fields:
            values = np.broadcast_to(fields[name], shape).astype(np.float32)
        elif VARIABLES[name].cell_methods == "time: sum":
            values = generator.gamma(0.2, 3.0, shape).astype(np.float32)
        elif name == "temperature_2m":
            values = (285.0 + 8.0 * generator.normal(size=shape)).astype(np.float32)
        else:
            values = (8.0 * generator.normal(size=shape)).astype(np.float32)
        made[name] = (("time", "y", "x"), values, VARIABLES[name].attributes() | {"grid_mapping": "crs"})
    step = np.min(np.diff(times)) if times.size > 1 else HOUR
    latitude, longitude = np.meshgrid(30.0 + np.arange(SHAPE[0]), 130.0 + np.arange(SHAPE[1]), indexing="ij")
    result = xr.Dataset(
        made | {"time_bnds": (("time", "bounds"), np.stack([times - step, times], axis=1).astype("datetime64[ns]"))},
        {
            "time": ("time", times.astype("datetime64[ns]"), {"standard_name": "time", "bounds": "time_bnds"}),
            "y": ("y", 5e3 * np.arange(SHAPE[0]), {"standard_name": "projection_y_coordinate", "units": "m"}),
            "x": ("x", 5e3 * np.arange(SHAPE[1]), {"standard_name": "projection_x_coordinate", "units": "m"}),
            "lat": (("y", "x"), latitude, {"standard_name": "latitude", "units": "degrees_north"}),
            "lon": (("y", "x"), longitude, {"standard_name": "longitude", "units": "degrees_east"}),
            "crs": ((), 0, CRS),
        },
        {"title": "series", "history": "made", "Conventions": "CF-1.11", "source": "random numbers"},
    )
    for name in names:
        result[name].encoding["coordinates"] = "lat lon"
    return result


def daily(start: np.datetime64, count: int, name: str = "temperature_2m", seed: int = 0) -> xr.Dataset:
    """Random daily means and maxima in the form of daily statistics, without their making."""
    begin = start.astype("datetime64[s]") + 24 * HOUR * np.arange(count)
    bounds = np.stack([begin, begin + 24 * HOUR], axis=1).astype("datetime64[ns]")
    generator = np.random.default_rng(seed)
    fields = {
        f"{name}_{how}": (
            ("time", "y", "x"),
            (285.0 + 8.0 * generator.normal(size=(count, *SHAPE))).astype(np.float32),
            {"units": "K", "standard_name": "air_temperature", "cell_methods": f"time: {how} (interval: 1 hour)"},
        )
        for how in ("mean", "maximum")
    }
    time = ("time", bounds[:, 0] + np.timedelta64(12, "h"), {"bounds": "time_bnds"})
    return xr.Dataset(fields | {"time_bnds": (("time", "bounds"), bounds)}, {"time": time})


CRS = {
    "grid_mapping_name": "lambert_conformal_conic",
    "standard_parallel": [30.0, 60.0],
    "longitude_of_central_meridian": 140.0,
    "latitude_of_projection_origin": 30.0,
}
