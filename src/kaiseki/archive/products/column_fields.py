"""Fields that follow from whole columns on model levels: pressure at sea level, energies of parcels, freezing level."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Final

import numpy as np

from kaiseki.archive.products.blocks import Block
from kaiseki.archive.products.height_levels import AtHeights, height_above_ground
from kaiseki.archive.products.local_fields import virtual_temperature
from kaiseki.core.constants import FREEZING, STANDARD_LAPSE_RATE
from kaiseki.core.errors import InputError
from kaiseki.diagnostics import convection, humidity, thermodynamics, wind
from kaiseki.diagnostics.columns import ColumnInterpolation, lowest_fall_through
from kaiseki.diagnostics.pressure import pressure_below, sea_level_pressure

MIXED_LAYER_DEPTH: Final = 500.0
"""Depth of the layer above the ground whose mean air the mixed-layer parcel has, m."""


@dataclass(frozen=True)
class Ground:
    """Air at the ground, (...) each.

    Attributes:
        pressure: [Pa].
        virtual_temperature: [K], of the lowest model level brought down with the standard lapse rate.
        temperature: [K], brought down likewise.
        height: of the ground above sea level [m].
    """

    pressure: np.ndarray
    virtual_temperature: np.ndarray
    temperature: np.ndarray
    height: np.ndarray


def ground(block: Block) -> Ground:
    """The air at the ground: its pressure is the dataset's own or, without it, that of the lowest level brought down
    hydrostatically. The temperature at 2 m is not used: an inversion at the ground says nothing of the air below."""

    def make() -> Ground:
        depth = height_above_ground(block)[0]
        virtual = np.asarray(virtual_temperature(block)[0], float)
        if block.has("surface_pressure"):
            pressure = np.asarray(block["surface_pressure"], float)
        else:
            pressure = pressure_below(np.asarray(block["pressure"][0], float), virtual, depth)
        warmer = STANDARD_LAPSE_RATE * depth
        lowest = np.asarray(block["temperature"][0], float)
        return Ground(pressure, virtual + warmer, lowest + warmer, np.asarray(block["terrain"], float))

    return block.once("ground", make)


@dataclass(frozen=True)
class Column:
    """Columns with the air at 2 m as their lowest level where the dataset has it, (z, ...) each."""

    pressure: np.ndarray
    temperature: np.ndarray
    qv: np.ndarray
    height: np.ndarray


def column(block: Block) -> Column:
    """Model levels, and below them the air at 2 m if its temperature and humidity are in the dataset.

    Raises:
        InputError: pressure does not fall with height.
    """

    def make() -> Column:
        height = height_above_ground(block)
        fields = [block["pressure"], block["temperature"], block["qv"], height]
        if block.has("temperature_2m", "specific_humidity_2m"):
            if np.nanmin(height[0]) <= 2.0:
                raise InputError("The lowest model level lies below 2 m, so that the air at 2 m is not under it")
            warm, moist = block["temperature_2m"], block["specific_humidity_2m"]
            virtual = thermodynamics.virtual_temperature(warm, moist)
            near = [pressure_below(ground(block).pressure, virtual, -2.0), warm, moist, np.full_like(height[0], 2.0)]
            shape = np.broadcast_shapes(*(field.shape[1:] for field in fields), *(field.shape for field in near))
            fields = [
                np.concatenate([np.broadcast_to(low, (1, *shape)), np.broadcast_to(field, (len(field), *shape))])
                for low, field in zip(near, fields, strict=True)
            ]
        if np.any(np.diff(fields[0], axis=0) >= 0.0):
            raise InputError("Pressure must fall from the ground upwards at every point, which it does not")
        shape = np.broadcast_shapes(*(field.shape for field in fields))
        return Column(*(np.broadcast_to(field, shape) for field in fields))

    return block.once("column", make)


def _sea_level(block: Block) -> np.ndarray:
    air = ground(block)
    return np.asarray(sea_level_pressure(air.pressure, air.virtual_temperature, air.height))


def _precipitable_water(block: Block) -> np.ndarray:
    pressure = np.asarray(block["pressure"], float)
    if np.any(pressure[0] > ground(block).pressure):
        raise InputError("The pressure of the lowest model level exceeds that at the ground")
    return humidity.precipitable_water(block["qv"], pressure, ground(block).pressure)


def _freezing_level(block: Block) -> np.ndarray:
    height, temperature = height_above_ground(block), block["temperature"]
    shape = np.broadcast_shapes(height.shape, temperature.shape)
    height, temperature = np.broadcast_to(height, shape), np.broadcast_to(temperature, shape)
    if block.has("temperature_2m"):
        low = np.broadcast_to(block["temperature_2m"], shape[1:])
        temperature = np.concatenate([low[None], temperature])
        height = np.concatenate([np.full((1, *shape[1:]), 2.0), height])
    found = lowest_fall_through(temperature, height, FREEZING)
    # All frozen: the ground. All above freezing: nowhere.
    found = np.where(np.isinf(found), np.where(found > 0.0, np.nan, 0.0), found)
    return found + np.asarray(block["terrain"], float)


def _ascent(block: Block, kind: str) -> convection.Ascent:
    def make() -> convection.Ascent:
        air = column(block)
        profile = (air.pressure, air.temperature, air.qv)
        if kind == "surface":
            parcel = convection.lowest_parcel(*profile)
        elif kind == "mixed_layer":
            top = ColumnInterpolation.to(np.array([MIXED_LAYER_DEPTH]), air.height)(np.log(air.pressure))[0]
            parcel = convection.mixed_parcel(*profile, np.exp(top.astype(float)))
        else:
            parcel = convection.most_unstable_parcel(*profile)
        return convection.lift(parcel, *profile)

    return block.once(("ascent", kind), make)


def _gust(block: Block) -> np.ndarray:
    height = height_above_ground(block)
    theta_v = thermodynamics.potential_temperature(virtual_temperature(block), block["pressure"])
    height = np.broadcast_to(height, np.broadcast_shapes(height.shape, theta_v.shape))
    top = wind.mixed_layer_height(theta_v, height)
    near = wind.wind_speed(block["eastward_wind_10m"], block["northward_wind_10m"])
    return wind.mixed_down_gust(wind.wind_speed(block["eastward_wind"], block["northward_wind"]), height, near, top)


def _near_ground(block: Block) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Specific humidity, temperature and pressure at 2 m."""
    moist, warm = block["specific_humidity_2m"], block["temperature_2m"]
    pressure = block["surface_pressure"] if block.has("surface_pressure") else ground(block).pressure
    return moist, warm, pressure_below(pressure, thermodynamics.virtual_temperature(warm, moist), -2.0)


def _dew_point_2m(block: Block) -> np.ndarray:
    moist, _, pressure = _near_ground(block)
    return np.asarray(humidity.dew_point(humidity.vapour_pressure(moist, pressure)))


def _at_100m(name: str) -> Callable[[Block], np.ndarray]:
    def make(block: Block) -> np.ndarray:
        fields: AtHeights = block.once("at 100 m", lambda: AtHeights(block, np.array([100.0])))
        return fields[name][0]

    return make


def _ten_metres(formula: Callable[[np.ndarray, np.ndarray], np.ndarray]) -> Callable[[Block], np.ndarray]:
    return lambda block: formula(block["eastward_wind_10m"], block["northward_wind_10m"])


COLUMN: Final[Mapping[str, Callable[[Block], np.ndarray]]] = {
    "mean_sea_level_pressure": _sea_level,
    "surface_pressure": lambda block: ground(block).pressure,
    "precipitable_water": _precipitable_water,
    "freezing_level": _freezing_level,
    "cape_surface": lambda block: _ascent(block, "surface").cape,
    "cin_surface": lambda block: _ascent(block, "surface").cin,
    "cape_mixed_layer": lambda block: _ascent(block, "mixed_layer").cape,
    "cin_mixed_layer": lambda block: _ascent(block, "mixed_layer").cin,
    "cape_most_unstable": lambda block: _ascent(block, "most_unstable").cape,
    "cin_most_unstable": lambda block: _ascent(block, "most_unstable").cin,
    "eastward_wind_100m": _at_100m("eastward_wind"),
    "northward_wind_100m": _at_100m("northward_wind"),
    "wind_gust_10m": _gust,
    "wind_speed_10m": _ten_metres(wind.wind_speed),
    "wind_from_direction_10m": _ten_metres(wind.wind_from_direction),
    "relative_humidity_2m": lambda block: humidity.relative_humidity(*_near_ground(block)),
    "dew_point_2m": _dew_point_2m,
}
"""Fields without a vertical axis by name, each a function of a block."""
