"""Products for users: fields on pressure levels.

Interpolation is linear in the logarithm of pressure, in which temperature, wind and height of the free atmosphere are
closer to linear than in pressure (for height it is exact in an isothermal layer). Below the lowest and above the
highest model level the result is NaN: nothing is extrapolated under the ground.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import xarray as xr

from kaiseki.core.errors import InputError
from kaiseki.core.variables import VARIABLES

HEIGHT = "geopotential_height"


def interpolate_to_pressure(field: np.ndarray, pressure: np.ndarray, levels: np.ndarray) -> np.ndarray:
    """A field on surfaces of constant pressure, linear in ln p between model levels.

    Args:
        field: (..., z, y, x) on model levels, z up.
        pressure: (..., z, y, x) [Pa], falling with z.
        levels: (p,) pressures wanted [Pa], in any order.

    Returns:
        (..., p, y, x) in the type of the field; NaN where the surface lies below the lowest model level (below ground)
        or above the highest.

    Raises:
        InputError: the shapes differ, a level is not positive, or pressure does not fall with height.
    """
    field, pressure = np.asarray(field), np.asarray(pressure)
    wanted = np.atleast_1d(np.asarray(levels, float))
    if field.shape != pressure.shape or field.ndim < 3:
        raise InputError(
            f"The field {field.shape} and its pressure {pressure.shape} must have one shape (..., z, y, x)"
        )
    if wanted.ndim != 1 or not np.all(wanted > 0.0):
        raise InputError("Pressure levels must be positive, in Pa")
    if not np.all(np.diff(pressure, axis=-3) < 0.0) or not np.all(pressure > 0.0):
        raise InputError("Pressure must fall with height at every point, and be positive, to interpolate to its levels")
    height = -np.log(pressure.astype(float))
    result = np.full((*field.shape[:-3], wanted.size, *field.shape[-2:]), np.nan, np.result_type(field, np.float32))
    for number, target in enumerate(-np.log(wanted)):
        # Number of model levels at or below the surface wanted: the interval is [above - 1, above].
        count = np.sum(height <= target, axis=-3, keepdims=True)
        above = np.clip(count, 1, field.shape[-3] - 1)
        low, high = (np.take_along_axis(height, index, axis=-3) for index in (above - 1, above))
        weight = (target - low) / (high - low)
        below, over = (np.take_along_axis(field, index, axis=-3) for index in (above - 1, above))
        value = below + weight * (over - below)
        inside = (weight >= 0.0) & (weight <= 1.0)
        result[..., number, :, :] = np.where(inside, value, np.nan)[..., 0, :, :]
    return result


def on_pressure_levels(
    dataset: xr.Dataset, levels: Sequence[float] | np.ndarray, variables: Sequence[str] | None = None
) -> xr.Dataset:
    """Fields of `kaiseki.open` on pressure levels, with geopotential height.

    One time is read after another; the result is in memory. Geopotential height is the model's height above sea level:
    the model takes gravity as constant, so that the two are the same there.

    Args:
        dataset: from `kaiseki.open`, with `pressure` and `altitude`; choose times before.
        levels: pressures [Pa].
        variables: internal names of fields on model levels, or "geopotential_height"; None for all of them.

    Returns:
        Dataset with the dimensions (time, pressure, y, x) and the coordinates of the map; NaN below ground.

    Raises:
        InputError: the dataset has no pressure on model levels or lacks a variable.
    """
    if "pressure" not in dataset or "level" not in dataset["pressure"].dims:
        raise InputError("Pressure levels need the field 'pressure' on model levels, which this dataset does not have")
    air = [str(name) for name, array in dataset.data_vars.items() if "level" in array.dims and name != "pressure"]
    names = [*air, HEIGHT] if variables is None else list(variables)
    for name in names:
        if name != HEIGHT and name not in air:
            raise InputError(f"There is no field {name!r} on model levels; there are {', '.join([*air, HEIGHT])}")
    wanted = np.asarray(levels, float)
    single = "time" not in dataset["pressure"].dims
    source = dataset.expand_dims("time") if single else dataset
    shape = (source.sizes["time"], wanted.size, source.sizes["y"], source.sizes["x"])
    results = {name: np.empty(shape, np.float32) for name in names}
    for step in range(shape[0]):
        now = source.isel(time=step)
        pressure = now["pressure"].transpose("level", "y", "x").values
        for name in names:
            values = now["altitude" if name == HEIGHT else name].transpose("level", "y", "x").values
            results[name][step] = interpolate_to_pressure(values, pressure, wanted)
    axes = ("time", "pressure", "y", "x")
    mapping = {"grid_mapping": "crs"} if "crs" in dataset.coords else {}
    product = xr.Dataset(
        {name: (axes, values, VARIABLES[name].attributes() | mapping) for name, values in results.items()},
        {"pressure": ("pressure", wanted, _PRESSURE)},
        dict(dataset.attrs),
    )
    kept = ("time", "x", "y", "lat", "lon", "crs", "terrain")
    product = product.assign_coords({name: source[name] for name in kept if name in source.coords})
    return product.isel(time=0) if single else product


_PRESSURE = {
    "standard_name": "air_pressure",
    "long_name": "pressure",
    "units": "Pa",
    "positive": "down",
    "axis": "Z",
}
