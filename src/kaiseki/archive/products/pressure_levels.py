"""Fields on pressure levels.

Interpolation is linear in the logarithm of pressure, in which temperature, wind and height of the free atmosphere are
closer to linear than in pressure (for height it is exact in an isothermal layer). Above the highest model level the
result is NaN. Below the lowest it is NaN too, unless it is asked to be extrapolated as weather services do.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

import numpy as np
import xarray as xr

from kaiseki.archive.products.blocks import Block, Target, assembled
from kaiseki.archive.products.column_fields import ground
from kaiseki.archive.products.derived import ROTATION, air_field
from kaiseki.archive.products.local_fields import CONDENSATE, LOCAL, OF_WIND
from kaiseki.archive.selection import inputs
from kaiseki.archive.selection.inputs import need_dataset, numbers
from kaiseki.core.errors import InputError
from kaiseki.diagnostics.columns import ColumnInterpolation
from kaiseki.diagnostics.pressure import height_below_ground, temperature_below_ground

HEIGHT: Final = "geopotential_height"

JMA_PRESSURE_LEVELS: Final = tuple(
    100.0 * level for level in (1000, 975, 950, 925, 900, 850, 800, 700, 600, 500, 400, 300, 250, 200, 150, 100)
)
"""Pressure levels of JMA's mesoscale model as distributed, Pa."""

BELOW_GROUND: Final = "below_ground"
"""Name of the mask of extrapolated values."""

_AS_LOWEST: Final = ("eastward_wind", "northward_wind", "w", "omega", "qv", *CONDENSATE, "relative_humidity")
"""Fields that have the value of the lowest model level below it."""

_PRESSURE: Final[Mapping[str, Any]] = {
    "standard_name": "air_pressure",
    "long_name": "pressure",
    "units": "Pa",
    "positive": "down",
    "axis": "Z",
}

_MASK: Final[Mapping[str, Any]] = {
    "long_name": "whether the pressure level lies below the ground, where values are extrapolated",
    "flag_values": np.array([0, 1], np.int8),
    "flag_meanings": "above_ground below_ground",
}


def interpolate_to_pressure(field: np.ndarray, pressure: np.ndarray, levels: np.ndarray) -> np.ndarray:
    """A field on surfaces of constant pressure, linear in ln p between model levels.

    Args:
        field: (..., z, y, x) on model levels, z up.
        pressure: (..., z, y, x) [Pa], falling with z; columns with NaN give NaN.
        levels: (p,) pressures wanted [Pa], in any order.

    Returns:
        (..., p, y, x) in the type of the field; NaN where the surface lies below the lowest model level (below ground)
        or above the highest.

    Raises:
        InputError: the shapes differ, a level is not positive, or pressure does not fall with height.
    """
    field, pressure = np.asarray(field), np.asarray(pressure)
    wanted = _positive(levels)
    if field.shape != pressure.shape or field.ndim < 3:
        raise InputError(
            f"The field {field.shape} and its pressure {pressure.shape} must have one shape (..., z, y, x)"
        )
    interpolation = _interpolation(np.moveaxis(pressure, -3, 0), wanted)
    return np.moveaxis(interpolation(np.moveaxis(field, -3, 0)), 0, -3)


def _positive(levels: Sequence[float] | np.ndarray) -> np.ndarray:
    wanted = np.atleast_1d(numbers(levels, "Pressure levels"))
    if wanted.ndim != 1 or wanted.size == 0 or not np.all(wanted > 0.0):
        raise InputError("Pressure levels must be positive, in Pa")
    return wanted


def _interpolation(pressure: np.ndarray, wanted: np.ndarray) -> ColumnInterpolation:
    """Weights from model levels of the pressure (z, ...) to pressures."""
    if np.any(np.diff(pressure, axis=0) >= 0.0) or np.any(pressure <= 0.0):
        raise InputError("Pressure must fall with height at every point, and be positive, to interpolate to its levels")
    return ColumnInterpolation.to(-np.log(wanted), -np.log(pressure.astype(float)))


def on_pressure_levels(
    dataset: xr.Dataset,
    levels: Sequence[float] | np.ndarray = JMA_PRESSURE_LEVELS,
    variables: Sequence[str] | None = None,
    *,
    below_ground: str = "missing",
) -> xr.Dataset:
    """Fields of `kaiseki.open` on pressure levels, with geopotential height.

    Some times are read after another; the result is in memory. Geopotential height is the model's height above sea
    level: the model takes gravity as constant, so that the two are the same there.

    Args:
        dataset: from `kaiseki.open`, with `pressure` and `altitude`; choose times and places before.
        levels: pressures [Pa].
        variables: fields on model levels, derived fields in the air (`products.derived`) or "geopotential_height"; None
            for all that the dataset has, and the height.
        below_ground: "missing": NaN below the lowest model level; that is up to its height above the ground, some tens
            of metres, more than what is below ground. "extrapolated": temperature and height continue as in Trenberth
            et al. (1993, see `diagnostics.pressure`), wind and humidity have the value of the lowest model level, and
            the mask `below_ground` says where the pressure exceeds that at the ground.

    Returns:
        Dataset with the axis `pressure` in the place of `level`.

    Raises:
        InputError: the dataset has no pressure on model levels or lacks a variable, a variable cannot be extrapolated,
            or infinities.
    """
    need_dataset(dataset)
    wanted = _positive(levels)
    if "pressure" not in dataset or "level" not in dataset["pressure"].dims:
        raise InputError("Pressure levels need the field 'pressure' on model levels, which this dataset does not have")
    if below_ground not in ("missing", "extrapolated"):
        raise InputError(f"Below the ground values are 'missing' or 'extrapolated', not {below_ground!r}")
    air = [str(name) for name, array in dataset.data_vars.items() if "level" in array.dims and name != "pressure"]
    names = [*air, HEIGHT] if variables is None else inputs.names(variables, "Variables")
    for name in names:
        if name not in (HEIGHT, *air, *LOCAL, *ROTATION):
            raise InputError(f"There is no field {name!r} on model levels; there are {', '.join([*air, HEIGHT])}")
        if below_ground == "extrapolated" and name not in (HEIGHT, "temperature", *_AS_LOWEST):
            raise InputError(
                f"The field {name!r} is not extrapolated below the ground; these are: temperature, {HEIGHT}, "
                f"{', '.join(_AS_LOWEST)}"
            )
    target = Target("pressure", wanted, _PRESSURE)
    extrapolated = below_ground == "extrapolated"

    def make(block: Block) -> dict[str, np.ndarray]:
        pressure = block["pressure"]
        interpolation = _interpolation(pressure, wanted)

        def at_levels(name: str) -> np.ndarray:
            if name in OF_WIND:
                return OF_WIND[name](at_levels("eastward_wind"), at_levels("northward_wind"))
            field = block["altitude"] if name == HEIGHT else air_field(block, name)
            return interpolation(np.broadcast_to(field, pressure.shape))

        made = {name: at_levels(name) for name in names}
        if extrapolated:
            _extrapolate(made, block, wanted)
        return made

    fields: dict[str, Target | str | None] = dict.fromkeys(names, target)
    if extrapolated:
        fields[BELOW_GROUND] = target
    product = assembled(dataset, fields, make, {BELOW_GROUND: _MASK})
    if extrapolated:
        for name in names:
            product[name].attrs["ancillary_variables"] = BELOW_GROUND
    return product


def _extrapolate(made: dict[str, np.ndarray], block: Block, wanted: np.ndarray) -> None:
    """Fill in what lies below the lowest model level, and the mask of what lies below the ground."""
    pressure, air = block["pressure"], ground(block)
    surface = np.broadcast_to(air.pressure, pressure.shape[1:])
    made[BELOW_GROUND] = np.zeros((wanted.size, *surface.shape), np.int8)
    for number, level in enumerate(wanted):
        made[BELOW_GROUND][number] = level > surface
        lower = level > pressure[0]
        for name, values in made.items():
            if name == BELOW_GROUND:
                continue
            if name == "temperature":
                below = temperature_below_ground(level, air.pressure, air.temperature, air.height)
            elif name == HEIGHT:
                below = height_below_ground(level, air.pressure, air.virtual_temperature, air.height)
            else:
                below = air_field(block, name)[0]
            values[number] = np.where(lower, below, values[number])
