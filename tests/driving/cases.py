"""Analytic atmospheres and a Lambert domain built with pyproj, independent of `kaiseki.grid`."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np
import pyproj
import xarray as xr

from kaiseki.core.constants import GRAVITY, R_DRY
from kaiseki.driving.sources.conventions import Axes, assemble

ERA5_LEVELS = 100.0 * np.array(
    [
        *(1000, 975, 950, 925, 900, 875, 850, 825, 800, 775, 750, 700, 650, 600, 550, 500, 450, 400, 350, 300),
        *(250, 225, 200, 175, 150, 125, 100, 70, 50, 30, 20, 10, 7, 5, 3, 2, 1),
    ]
)


class PyprojLambert:
    """Lambert conformal projection of the sphere, by PROJ."""

    def __init__(self, longitude: float) -> None:
        self.longitude = longitude
        self.proj = pyproj.Proj(f"+proj=lcc +lat_1=30 +lat_2=60 +lat_0=30 +lon_0={longitude} +R=6371000")
        low, high = np.radians(30.0), np.radians(60.0)
        self.n = np.log(np.cos(low) / np.cos(high)) / np.log(np.tan(np.pi / 4 + high / 2) / np.tan(np.pi / 4 + low / 2))

    def forward(self, lat: np.ndarray, lon: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        return self.proj(lon, lat)

    def rotation(self, lon: np.ndarray) -> np.ndarray:
        return self.n * np.radians(np.mod(lon - self.longitude + 180.0, 360.0) - 180.0)


@dataclass
class PlainDomain:
    """What `kaiseki.grid.Domain` promises and `kaiseki.driving` uses."""

    longitude: float = 140.0
    latitude: float = 36.0
    spacing: float = 60e3
    nx: int = 30
    ny: int = 26
    nz: int = 40
    top: float = 22000.0
    terrain_function: Callable[[np.ndarray, np.ndarray], np.ndarray] | None = None
    centre: float | None = None
    name: str = "plain"
    projection: PyprojLambert = field(init=False)

    def __post_init__(self) -> None:
        self.projection = PyprojLambert(self.longitude)
        xc, yc = self.projection.forward(self.latitude, self.centre or self.longitude)
        self.x = xc + (np.arange(self.nx) - (self.nx - 1) / 2) * self.spacing
        self.y = yc + (np.arange(self.ny) - (self.ny - 1) / 2) * self.spacing
        self.lon, self.lat = self.projection.proj(*np.meshgrid(self.x, self.y), inverse=True)
        self.rotation = self.projection.rotation(self.lon)
        self.shape = (self.nz, self.ny, self.nx)
        t = np.linspace(0.0, 1.0, self.nz + 1)
        half = self.top * (0.2 * t + 0.8 * t**2)
        self.zeta = 0.5 * (half[1:] + half[:-1])
        shape = self.lat.shape
        self.terrain = np.zeros(shape) if self.terrain_function is None else self.terrain_function(self.lat, self.lon)
        self.land_fraction = (self.terrain > 1.0).astype(float)
        self.z = self.zeta[:, None, None] + self.terrain * ((1.0 - self.zeta / self.top) ** 2)[:, None, None]

    def to_grid(self, east: np.ndarray, north: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        c, s = np.cos(self.rotation), np.sin(self.rotation)
        return east * c - north * s, east * s + north * c

    def to_east_north(self, u: np.ndarray, v: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        c, s = np.cos(self.rotation), np.sin(self.rotation)
        return u * c + v * s, -u * s + v * c


@dataclass(frozen=True)
class Profile:
    """Dry atmosphere of constant lapse rate up to `tropopause`, isothermal above; analytic in both directions."""

    surface_temperature: float = 288.15
    lapse: float = 0.0065
    tropopause: float = 11000.0
    surface_pressure: float = 101325.0

    def temperature(self, z: np.ndarray) -> np.ndarray:
        return self.surface_temperature - self.lapse * np.minimum(z, self.tropopause)

    def pressure(self, z: np.ndarray) -> np.ndarray:
        low = np.minimum(z, self.tropopause)
        if self.lapse == 0.0:
            return self.surface_pressure * np.exp(-GRAVITY * z / (R_DRY * self.surface_temperature))
        exponent = GRAVITY / (R_DRY * self.lapse)
        below = (self.temperature(low) / self.surface_temperature) ** exponent
        return (
            self.surface_pressure
            * below
            * np.exp(-GRAVITY * (z - low) / (R_DRY * self.temperature(np.array([1e5]))[0]))
        )

    def height(self, pressure: np.ndarray) -> np.ndarray:
        table = np.arange(-1500.0, 60000.0, 5.0)
        guess = np.interp(-np.log(pressure), -np.log(self.pressure(table)), table)
        for _ in range(20):
            guess = guess + R_DRY * self.temperature(guess) / GRAVITY * np.log(self.pressure(guess) / pressure)
        return guess


def dataset_of(
    profile: Profile,
    levels: np.ndarray = ERA5_LEVELS,
    wind: Callable[[np.ndarray, np.ndarray], tuple[np.ndarray, np.ndarray]] | None = None,
    humidity: float = 0.0,
) -> xr.Dataset:
    """The profile everywhere on a 2.5-degree grid, 95-190E and 5-70N, in the common form."""
    latitude, longitude = np.arange(5.0, 70.1, 2.5), np.arange(95.0, 190.1, 2.5)
    shape = (1, levels.size, latitude.size, longitude.size)
    z = profile.height(levels)
    lat, lon = np.meshgrid(latitude, longitude, indexing="ij")
    u, v = (np.zeros_like(lat), np.zeros_like(lat)) if wind is None else wind(lat, lon)
    fields = {
        "air_temperature": np.broadcast_to(profile.temperature(z)[:, None, None], shape),
        "geopotential_height": np.broadcast_to(z[:, None, None], shape),
        "eastward_wind": np.broadcast_to(u, shape),
        "northward_wind": np.broadcast_to(v, shape),
        "specific_humidity": np.full(shape, humidity),
    }
    time = np.array(["2000-01-01T00"], dtype="datetime64[s]")
    return assemble("analytic", "test", Axes(time, latitude, longitude, levels), fields)


def hill(lat: np.ndarray, lon: np.ndarray) -> np.ndarray:
    """A 2-km mountain at 36N 138E."""
    return 2000.0 * np.exp(-((lat - 36.0) ** 2 + (lon - 138.0) ** 2) / 4.0)
