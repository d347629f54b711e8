"""The fields of the weather maps at one time, from a dataset of `kaiseki.open`."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import xarray as xr

from kaiseki.archive import on_pressure_levels
from kaiseki.diagnostics.pressure import pressure_below
from kaiseki.diagnostics.thermodynamics import virtual_temperature
from kaiseki.grid import Domain

LEVELS = (85_000.0, 50_000.0, 25_000.0)
"""Pressures of the maps [Pa]."""


@dataclass(frozen=True)
class Level:
    """Fields on one pressure surface (y, x), NaN below ground; winds along the grid, for drawing on its map."""

    temperature: np.ndarray
    height: np.ndarray
    u: np.ndarray
    v: np.ndarray

    @property
    def speed(self) -> np.ndarray:
        """Wind speed [m s-1]."""
        return np.hypot(self.u, self.v)


@dataclass(frozen=True)
class Weather:
    """What is drawn of one time.

    Attributes:
        sea_level_pressure: (y, x) [Pa].
        u, v: wind at the lowest model level along the grid (y, x) [m s-1].
        temperature: at 2 m or, where the run has not stored it, at the lowest model level (y, x) [K].
        temperature_height: which of the two, in words.
        levels: fields by pressure [Pa].
    """

    sea_level_pressure: np.ndarray
    u: np.ndarray
    v: np.ndarray
    temperature: np.ndarray
    temperature_height: str
    levels: dict[float, Level]


def weather(dataset: xr.Dataset, domain: Domain) -> Weather:
    """Fields of the maps from a dataset of one time."""
    names = ["temperature", "geopotential_height", "eastward_wind", "northward_wind"]
    product = on_pressure_levels(dataset, LEVELS, names)
    levels = {}
    for number, pressure in enumerate(LEVELS):
        t, z, e, n = (product[name].values[number].astype(float) for name in names)
        u, v = domain.to_grid(e, n)
        levels[pressure] = Level(t, z, u, v)
    east, north = (dataset[name].values[0].astype(float) for name in names[2:])
    u, v = domain.to_grid(east, north)
    if "temperature_2m" in dataset:
        near, words = dataset["temperature_2m"].values.astype(float), "at 2 m"
    else:
        near, words = dataset["temperature"].values[0].astype(float), "at the lowest model level"
    return Weather(sea_level_pressure(dataset, domain), u, v, near, words, levels)


def sea_level_pressure(dataset: xr.Dataset, domain: Domain) -> np.ndarray:
    """Pressure at mean sea level (y, x) [Pa]: the stored field or, without it, from the lowest model level.

    The column below that level has the standard lapse rate (see `diagnostics.pressure`).
    """
    if "mean_sea_level_pressure" in dataset:
        return np.asarray(dataset["mean_sea_level_pressure"].values, float)
    pressure, temperature = (dataset[name].values[0].astype(float) for name in ("pressure", "temperature"))
    if "qv" in dataset:
        temperature = virtual_temperature(temperature, dataset["qv"].values[0].astype(float))
    return np.asarray(pressure_below(pressure, temperature, domain.z[0]))
