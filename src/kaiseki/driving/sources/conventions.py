"""The one form in which every global or regional analysis leaves its reader: names, units, axes, order."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import xarray as xr

from kaiseki.core.errors import InputError
from kaiseki.driving.sources.quantities import QUANTITIES

LEVEL_DIMS = ("time", "pressure", "latitude", "longitude")
SURFACE_DIMS = ("time", "latitude", "longitude")
STATIC_DIMS = ("latitude", "longitude")
SOIL_DIMS = ("time", "depth", "latitude", "longitude")
MOISTURE_DIMS = ("time", "moisture_depth", "latitude", "longitude")
DIMENSIONS = ("time", "latitude", "longitude")
"""Dimensions that fields on any kind of levels have."""
SOIL_AXES = {"soil_temperature": "depth", "volume_fraction_of_condensed_water_in_soil": "moisture_depth"}
"""Axis of the soil layers of each quantity of the soil, whose layers may differ."""

UNITS: dict[str, tuple[tuple[str, ...], str]] = {
    "air_temperature": (LEVEL_DIMS, "K"),
    "eastward_wind": (LEVEL_DIMS, "m s-1"),
    "northward_wind": (LEVEL_DIMS, "m s-1"),
    "geopotential_height": (LEVEL_DIMS, "m"),
    "specific_humidity": (LEVEL_DIMS, "kg kg-1"),
    "surface_air_pressure": (SURFACE_DIMS, "Pa"),
    "sea_surface_temperature": (SURFACE_DIMS, "K"),
    "surface_temperature": (SURFACE_DIMS, "K"),
    "sea_ice_area_fraction": (SURFACE_DIMS, "1"),
    "surface_snow_amount": (SURFACE_DIMS, "kg m-2"),
    "surface_snow_thickness": (SURFACE_DIMS, "m"),
    "soil_temperature": (SOIL_DIMS, "K"),
    "volume_fraction_of_condensed_water_in_soil": (MOISTURE_DIMS, "1"),
    "air_pressure": (("time", "level", "latitude", "longitude"), "Pa"),
    "surface_altitude": (STATIC_DIMS, "m"),
    "land_area_fraction": (STATIC_DIMS, "1"),
}
"""Dimensions and units by CF standard name. `surface_temperature` is the skin temperature; `air_pressure` is given on
model levels, where `level` takes the place of `pressure` for all."""

STATE = ("air_temperature", "eastward_wind", "northward_wind", "geopotential_height", "specific_humidity")
"""What an analysis must hold to drive a model; a file may hold less and then says so when used."""

PLAUSIBLE = {
    name: (quantity.low, quantity.high) for name, quantity in QUANTITIES.items() if name != "sea_surface_temperature"
}
"""Wide bounds (SI) outside which a field has been decoded wrongly."""


SEA_LIMIT = 0.5
"""Land fraction above which a source cell does not count as sea."""


@dataclass(frozen=True)
class Axes:
    """Coordinates as they lie in the file: time (nt,) datetime64[s], pressure (np,) Pa, latitude and longitude in
    degrees."""

    time: np.ndarray
    latitude: np.ndarray
    longitude: np.ndarray
    pressure: np.ndarray | None = None
    depth: np.ndarray | None = None


def assemble(path: str, source: str, axes: Axes, fields: Mapping[str, np.ndarray]) -> xr.Dataset:
    """A Dataset in the common form from arrays whose dimensions already stand in the order of `UNITS`.

    Latitude becomes ascending, longitude 0..360 ascending, pressure descending (bottom first), depth ascending.

    Raises:
        InputError: an axis is not monotone, a shape does not fit, or values are outside any plausible range.
    """
    coordinates: dict[str, tuple[str, np.ndarray, dict[str, str]]] = {
        "time": ("time", axes.time.astype("datetime64[s]"), {"standard_name": "time"}),
        "latitude": ("latitude", axes.latitude, {"standard_name": "latitude", "units": "degrees_north"}),
        "longitude": (
            "longitude",
            np.mod(axes.longitude, 360.0),
            {"standard_name": "longitude", "units": "degrees_east"},
        ),
    }
    if axes.pressure is not None:
        attributes = {"standard_name": "air_pressure", "units": "Pa", "positive": "down"}
        coordinates["pressure"] = ("pressure", axes.pressure, attributes)
    if axes.depth is not None:
        coordinates["depth"] = ("depth", axes.depth, {"standard_name": "depth", "units": "m", "positive": "down"})
    variables = {}
    for name, values in fields.items():
        dims, units = UNITS[name]
        shape = tuple(len(coordinates[d][1]) for d in dims)
        if values.shape != shape:
            raise InputError(
                f"{path}: {name} has shape {values.shape}, but its axes {dims} have {shape}; the file is inconsistent."
            )
        low, high = PLAUSIBLE.get(name, (-np.inf, np.inf))
        if np.isnan(values).all() or np.nanmin(values) < low or np.nanmax(values) > high:
            raise InputError(
                f"{path}: {name} is missing everywhere or outside {low:g} to {high:g} {units}; "
                "check the file's units or whether it is damaged."
            )
        variables[name] = (dims, np.asarray(values, dtype=np.float64), {"standard_name": name, "units": units})
    dataset = xr.Dataset(
        variables, coordinates, {"source": source, "file": path.rsplit("/", 1)[-1], "Conventions": "CF-1.11"}
    )
    dataset = dataset.sortby(["time", "latitude", "longitude", *(["depth"] if axes.depth is not None else [])])
    if axes.pressure is not None:
        dataset = dataset.sortby("pressure", ascending=False)
    for name, index in dataset.indexes.items():
        if not index.is_unique:
            raise InputError(
                f"{path}: the axis {name} holds the same value twice; give a file with one field per {name}."
            )
    return dataset


def sea_alone(fields: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
    """Fields of a file with the sea-surface temperature missing over land, where the file tells land from sea.

    Some sources continue it over land with the temperature of the ground, which would spoil the coast.
    """
    sst, land = (fields.get(name) for name in ("sea_surface_temperature", "land_area_fraction"))
    if sst is None or land is None or (land > SEA_LIMIT).all():
        return fields
    return fields | {"sea_surface_temperature": np.where(land > SEA_LIMIT, np.nan, sst)}


STRATOSPHERE = 3.0e-6
"""Specific humidity of the lower stratosphere, kg/kg: most of ten years of soundings with frost-point hygrometers lie
between 2 and 3 ppm by mass (Mastenbrook 1974, Can. J. Chem. 52, 1527-1531), later ones a little higher."""
DRY_FROM = 10000.0
"""Pressure of the levels at which that humidity is reached, at the latest at half the pressure of the highest level
that has humidity, Pa."""


def fill_humidity(
    log_pressure: np.ndarray, humidity: np.ndarray, missing: np.ndarray, saturated: np.ndarray
) -> np.ndarray:
    """Humidity on levels the file leaves out, never over saturation.

    Between levels that have it, it is linear in ln p; under the lowest, constant. Over the highest its logarithm falls
    linearly in ln p to that of the stratosphere, and stays; where it is less already it is constant.

    Args:
        log_pressure: ln of the levels' pressure in Pa, (np,).
        humidity: (nt, np, nlat, nlon); values on missing levels are ignored.
        missing: (np,) True where the file has no humidity.
        saturated: specific humidity of saturated air, shape of `humidity`.
    """
    if not missing.any():
        return humidity
    present = np.flatnonzero(~missing)
    order = present[np.argsort(log_pressure[present])]
    filled = humidity.copy()
    top = log_pressure[order[0]]
    dry = min(np.log(DRY_FROM), top - np.log(2.0))
    highest = np.maximum(humidity[:, order[0]], 0.0)
    for k in np.flatnonzero(missing):
        if log_pressure[k] < top:
            share = min((top - log_pressure[k]) / (top - dry), 1.0)
            lowered = np.maximum(highest, STRATOSPHERE) ** (1.0 - share) * STRATOSPHERE**share
            values = np.where(highest > STRATOSPHERE, lowered, highest)
        else:
            position = np.interp(log_pressure[k], log_pressure[order], np.arange(order.size, dtype=float))
            low = min(int(position), order.size - 1)
            high = min(low + 1, order.size - 1)
            weight = position - low
            values = (1.0 - weight) * humidity[:, order[low]] + weight * humidity[:, order[high]]
        filled[:, k] = np.minimum(values, saturated[:, k])
    return filled
