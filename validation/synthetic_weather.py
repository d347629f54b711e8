"""Weather made up to measure an archive with: smooth, moving, intermittent fields that follow from a seed and the time.

A field is a mean, plus patterns with a structure in the vertical each. A pattern is a random sum of plane waves whose
variance falls with the wave number like k^-3 down to wave lengths of 200 km, like k^-5/3 to 35 km, and like k^-3 again
below seven cells, which no model resolves; each wave travels with the wind of its pattern and at a speed of its own, so
that shapes change while they move. Condensate and precipitation are what such a field has above a threshold. Any time
is made without those before.

It solves no equation: what real fields need in bits is measured by `archive_size.py`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import lru_cache
from typing import Any, Final

import numpy as np
import xarray as xr

from kaiseki.archive.selection.lazy import Key, computed
from kaiseki.archive.store.layout import static_fields
from kaiseki.core.variables import VARIABLES
from kaiseki.grid import Domain, LambertConformal
from kaiseki.grid.levels import decay, stretched_interfaces

SPACING: Final = 5000.0
PATTERNS: Final = 12
SOIL_DEPTH: Final = np.array([0.05, 0.25, 0.7, 1.5])
START: Final = np.datetime64("1989-01-01", "s")

AIR: Final = ("eastward_wind", "northward_wind", "w", "temperature", "pressure", "qv", "qc", "qr", "qi", "qs")
ANALYSED: Final = ("eastward_wind", "northward_wind", "temperature", "pressure", "qv")
SPREADS: Final = ("eastward_wind_spread", "northward_wind_spread", "temperature_spread", "qv_spread")
PRECIPITATION: Final = ("precipitation", "snowfall")
SURFACE: Final = (
    "surface_pressure", "skin_temperature", "temperature_2m", "specific_humidity_2m", "eastward_wind_10m",
    "northward_wind_10m", "cloud_fraction", "shortwave_down", "shortwave_up", "longwave_down", "longwave_up",
    "sensible_heat_flux", "latent_heat_flux", "snow", "soil_temperature", "soil_moisture",
)  # fmt: skip

_CONDENSATE: Final[Mapping[str, tuple[float, float, float]]] = {
    "qc": (2000.0, 1500.0, 6e-4),
    "qr": (1000.0, 1200.0, 4e-4),
    "qi": (9000.0, 2500.0, 1.5e-4),
    "qs": (5000.0, 2500.0, 3e-4),
}
"""Height of the most of a condensate [m], depth of its layer [m], and amount [kg kg-1]."""


class Weather:
    """Fields of all variables of a run at any time.

    Attributes:
        domain: the grid, over Japan, with a terrain of its own.
    """

    def __init__(self, shape: tuple[int, int, int] = (48, 160, 200), seed: int = 15) -> None:
        """Weather on a grid of (levels, rows, columns) cells of 5 km, decided by a seed."""
        nz, ny, nx = shape
        self._seed, self._plane = seed, (ny, nx)
        generator = np.random.default_rng(seed)
        # The waves are periodic on a plane larger than the grid, which so sees no side of it twice.
        rows, columns = ny + max(ny // 5, 4), nx + max(nx // 4, 4)
        self._wide = (rows, columns)
        ky = 2.0 * np.pi * np.fft.fftfreq(rows, SPACING)[:, None]
        kx = 2.0 * np.pi * np.fft.rfftfreq(columns, SPACING)[None, :]
        k = np.hypot(kx, ky)
        bend, end = 2.0 * np.pi / 200e3, 2.0 * np.pi / (7.0 * SPACING)
        with np.errstate(divide="ignore"):
            # Variance of one wave: that of its wave number, shared by the waves on a circle.
            variance = np.where(k < bend, (k / bend) ** -3.0, (k / bend) ** (-5.0 / 3.0)) / k
        variance[k > end] *= (k[k > end] / end) ** (-4.0 / 3.0)
        variance[0, 0] = 0.0
        size = (PATTERNS, *k.shape)
        waves = generator.normal(size=size) + 1j * generator.normal(size=size)
        waves *= np.sqrt(variance)
        spread = np.fft.irfft2(waves, self._wide).std(axis=(1, 2))
        self._waves = waves / spread[:, None, None]
        wind = generator.normal((12.0, 2.0), 6.0, (PATTERNS, 2))
        own = generator.normal(size=size) * 0.3 * (k / bend) ** (2.0 / 3.0) / 6.0 / 3600.0
        self._rates = kx * wind[:, 0, None, None] + ky * wind[:, 1, None, None] + own
        self._patterns = lru_cache(maxsize=30)(self._at)
        self._mixtures = lru_cache(maxsize=None)(self._mixture)
        self.domain = self._domain(nz)
        self.z = np.asarray(self.domain.z, np.float32)

    def _domain(self, nz: int) -> Domain:
        ny, nx = self._plane
        projection = LambertConformal()
        x0, y0 = projection.forward(np.asarray(36.0), np.asarray(138.0))
        hills = self._patterns(-(10.0**7))[0]
        terrain = np.maximum(600.0 * hills - 100.0, 0.0)
        zeta = stretched_interfaces(nz, 21_000.0, 40.0)
        return Domain(
            name="synthetic",
            projection=projection,
            spacing=SPACING,
            x=float(x0) + SPACING * (np.arange(nx) - nx // 2),
            y=float(y0) + SPACING * (np.arange(ny) - ny // 2),
            zeta_half=zeta,
            decay_half=decay(zeta, 21_000.0),
            terrain=terrain.astype(float),
            land_fraction=(terrain > 0.0).astype(float),
            rim_width=min(10, ny // 4),
        )

    def _at(self, seconds: float) -> np.ndarray:
        """Patterns (pattern, y, x) of variance one, some seconds after the start."""
        turned = self._waves * np.exp(-1j * self._rates * seconds)
        return np.fft.irfft2(turned, self._wide)[:, : self._plane[0], : self._plane[1]].astype(np.float32)

    def _mixture(self, name: str) -> np.ndarray:
        """Shares (level, pattern) of the patterns in a variable at each level, of length one and smooth."""
        generator = np.random.default_rng([self._seed, *map(ord, name)])
        height = np.sqrt(self.domain.zeta / 21_000.0)[:, None]
        shares = np.zeros((height.size, PATTERNS))
        for wave in range(4):
            phase = generator.uniform(0.0, 2.0 * np.pi, PATTERNS)
            shares += np.exp(-0.5 * wave) * generator.normal(size=PATTERNS) * np.cos(np.pi * wave * height + phase)
        return (shares / np.linalg.norm(shares, axis=1, keepdims=True)).astype(np.float32)

    def noise(self, name: str, time: np.datetime64, levels: slice) -> np.ndarray:
        """The random part (level, y, x) of a variable, of variance one."""
        seconds = float((time.astype("datetime64[s]") - START).astype(int))
        patterns = self._patterns(seconds)
        mixed = self._mixtures(name)[levels] @ patterns.reshape(PATTERNS, -1)
        return np.asarray(mixed.reshape(-1, *self._plane))

    def field(self, name: str, time: np.datetime64, levels: slice = slice(None)) -> np.ndarray:
        """A field ([level,] y, x) in single precision, of all levels or some of them."""
        kind = VARIABLES[name].levels
        if kind == "air":
            return self._air(name, time, levels).astype(np.float32)
        noise = self.noise(name, time, slice(0, 1))[0]
        if kind == "soil":
            depth = SOIL_DEPTH[levels, None, None]
            base, swing = (279.0, 4.0) if name == "soil_temperature" else (0.3, 0.06)
            return (base + swing * np.exp(-depth) * np.clip(noise, -3.5, 3.5)).astype(np.float32)
        return self._flat(name, time, noise).astype(np.float32)

    def _air(self, name: str, time: np.datetime64, levels: slice) -> np.ndarray:
        """A field on model levels."""
        zeta = self.domain.zeta[levels, None, None].astype(np.float32)
        z, noise = self.z[levels], self.noise(name, time, levels)
        if name.endswith("_spread"):
            scale = {"temperature_spread": 0.6, "qv_spread": 4e-4}.get(name, 1.2)
            return scale * np.clip(1.0 + 0.25 * noise, 0.2, 2.0)
        if name in _CONDENSATE:
            top, deep, amount = _CONDENSATE[name]
            return amount * np.exp(-(((zeta - top) / deep) ** 2)) * np.maximum(noise - 1.0, 0.0)
        if name == "pressure":
            return 101_325.0 * np.exp(-z / 7600.0) * (1.0 + 0.008 * np.clip(noise, -4.0, 4.0) * np.exp(-z / 12_000.0))
        if name == "temperature":
            return np.maximum(285.0 - 6.5e-3 * z, 215.0) + 2.5 * noise
        if name == "qv":
            return 8e-3 * np.exp(-z / 2500.0) * np.clip(1.0 + 0.35 * noise, 0.05, 2.5)
        if name == "w":
            return 0.15 * noise * np.sin(np.pi * np.minimum(zeta / 21_000.0, 1.0))
        mean, calm = (8.0, 4.0) if name == "eastward_wind" else (-1.0, 4.0)
        jet = np.exp(-(((zeta - 11_000.0) / 5000.0) ** 2))
        return mean + 30.0 * jet * (name == "eastward_wind") + (calm + 5.0 * jet) * noise

    def _flat(self, name: str, time: np.datetime64, noise: np.ndarray) -> np.ndarray:
        """A field at the surface."""
        hour = float((time - time.astype("datetime64[D]")).astype("timedelta64[s]").astype(int)) / 3600.0
        sun = max(0.0, np.sin(np.pi * (hour + 9.0 - 6.0) / 12.0))
        soft = np.clip(noise, -3.5, 3.5)
        to_ground = np.exp((self.z[0] - self.domain.terrain) / 7600.0)
        fields: Mapping[str, Callable[[], np.ndarray]] = {
            "surface_pressure": lambda: self._air("pressure", time, slice(0, 1))[0] * to_ground,
            "skin_temperature": lambda: 280.0 + 6.0 * sun + 4.0 * soft,
            "temperature_2m": lambda: 281.0 + 4.0 * sun + 3.0 * soft - 6.5e-3 * self.domain.terrain,
            "specific_humidity_2m": lambda: 7e-3 * np.clip(1.0 + 0.3 * noise, 0.1, 2.0),
            "eastward_wind_10m": lambda: 3.0 + 4.0 * soft,
            "northward_wind_10m": lambda: -2.0 + 4.0 * soft,
            "cloud_fraction": lambda: np.clip(0.5 + 0.45 * noise, 0.0, 1.0),
            "shortwave_down": lambda: 600.0 * sun * np.clip(0.8 + 0.25 * noise, 0.1, 1.0),
            "shortwave_up": lambda: 90.0 * sun * np.clip(0.8 + 0.25 * noise, 0.1, 1.0),
            "longwave_down": lambda: 300.0 + 25.0 * soft,
            "longwave_up": lambda: 370.0 + 15.0 * soft,
            "sensible_heat_flux": lambda: 120.0 * sun + 30.0 * soft,
            "latent_heat_flux": lambda: 90.0 * sun + 30.0 * soft,
            "snow": lambda: 40.0 * np.maximum(noise - 0.5, 0.0) * (self.domain.terrain > 0.0),
            "precipitation": lambda: 4.0 * np.maximum(noise - 1.0, 0.0) ** 1.5,
            "snowfall": lambda: 1.5 * np.maximum(noise - 1.4, 0.0) ** 1.5,
        }
        return np.asarray(fields[name]())

    def dataset(self, names: tuple[str, ...], times: np.ndarray) -> xr.Dataset:
        """Variables at times as a dataset that makes what is asked of it, as a run store gives it."""
        domain = self.domain
        fields = {name: self._lazily(name, times) for name in names}
        coordinates = {"time": times.astype("datetime64[ns]"), "y": domain.y, "x": domain.x, "level": domain.zeta}
        if any(VARIABLES[name].levels == "soil" for name in names):
            coordinates["soil_level"] = SOIL_DEPTH
        static = static_fields(domain)
        more: dict[str, Any] = {name: static[name] for name in ("lat", "lon", "altitude", "decay", "terrain", "crs")}
        return xr.Dataset(fields, coordinates | more)

    def _lazily(self, name: str, times: np.ndarray) -> xr.Variable:
        vertical = {"air": ("level", self.domain.nz), "soil": ("soil_level", SOIL_DEPTH.size)}
        axis, deep = vertical.get(VARIABLES[name].levels, ("", 0))
        sizes = {"time": times.size} | ({axis: deep} if axis else {}) | {"y": self._plane[0], "x": self._plane[1]}

        def part(key: dict[Any, Key]) -> np.ndarray:
            chosen = times[key["time"]]
            levels = key.get(axis, slice(None))
            cut = (..., key["y"], slice(None)), (..., key["x"])
            made = []
            for time in chosen:
                whole = self.field(name, time, levels if isinstance(levels, slice) else slice(None))
                whole = whole if isinstance(levels, slice) else whole[levels]
                made.append(whole[cut[0]][cut[1]])
            shape = (0, *(() if not axis else (len(range(deep)[levels]) if isinstance(levels, slice) else 0,)), 0, 0)
            return np.stack(made) if made else np.zeros(shape, np.float32)

        return computed(sizes, np.float32, part, VARIABLES[name].attributes())


def groups(weather: Weather, times: np.ndarray, names: tuple[str, ...] | None = None) -> dict[str, xr.Dataset]:
    """The fields of a run by group of a release, or some of them by name.

    Args:
        weather: that makes them.
        times: hours, datetime64[s]; analyses are those at full three hours.
        names: internal names wanted, None for all.
    """
    analyses = times[times.astype("datetime64[h]").astype(int) % 3 == 0]
    wanted = {
        "model_levels": (AIR, times),
        "analysis": (ANALYSED, analyses),
        "surface": (SURFACE, times),
        "precipitation": (PRECIPITATION, times),
        "uncertainty": (SPREADS, analyses),
    }
    result = {}
    for group, (all_names, axis) in wanted.items():
        chosen = tuple(name for name in all_names if names is None or name in names)
        if chosen:
            result[group] = weather.dataset(chosen, axis)
    return result
