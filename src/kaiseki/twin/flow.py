"""An analytic large-scale winter flow over East Asia: jet, travelling wave with a tilt, surface low and high, front, moisture.

The geopotential is written down and everything else follows from it: temperature hydrostatically, wind geostrophically (with a floor on the
Coriolis parameter). It plays the global analysis of the twin experiment, at any time; a perturbed copy of it plays the imperfect one.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import xarray as xr

from kaiseki.core.constants import EARTH_RADIUS, EARTH_ROTATION, GRAVITY, R_DRY
from kaiseki.driving import saturation

LEVELS = np.array([1000, 975, 950, 925, 900, 850, 800, 750, 700, 650, 600, 550, 500, 450, 400, 350, 300, 250, 200, 150, 100, 70, 50, 30, 20, 10]) * 100.0
"""Pressure levels of the flow, Pa."""


@dataclass(frozen=True)
class Flow:
    """Parameters of the flow; the defaults are the truth.

    Args:
        jet_speed: largest wind of the jet, m/s.
        jet_latitude: its mean latitude, degrees.
        jet_width: half width, m.
        wavelength: of the baroclinic wave, m.
        phase_speed: eastward, m/s.
        phase: position of the trough at time zero, degrees east at 40N.
        amplitude: meridional displacement of the jet, degrees.
        low_depth: amplitude of the surface-pressure wave, Pa.
        humidity: factor on relative humidity.
        warmth: addition to the temperature of the lowest levels, K.
    """

    jet_speed: float = 68.0
    jet_latitude: float = 36.0
    jet_width: float = 850e3
    wavelength: float = 4200e3
    phase_speed: float = 14.0
    phase: float = 128.0
    amplitude: float = 4.0
    low_depth: float = 1100.0
    humidity: float = 1.0
    warmth: float = 0.0

    def perturbed(self, seed: int, size: float = 1.0) -> Flow:
        """The same flow with typical errors of a global analysis in every parameter, drawn from a seed."""
        r = np.random.default_rng([seed, 7])
        n = r.normal(size=8) * size
        return Flow(
            jet_speed=self.jet_speed * (1 + 0.06 * n[0]),
            jet_latitude=self.jet_latitude + 0.7 * n[1],
            jet_width=self.jet_width * (1 + 0.08 * n[2]),
            wavelength=self.wavelength * (1 + 0.04 * n[3]),
            phase_speed=self.phase_speed,
            phase=self.phase + 2.0 * n[4],
            amplitude=self.amplitude * (1 + 0.15 * n[5]),
            low_depth=self.low_depth * (1 + 0.15 * n[6]),
            humidity=self.humidity * (1 + 0.06 * n[7]),
            warmth=self.warmth + 0.8 * n[0] * size,
        )

    def geopotential(self, lat: np.ndarray, lon: np.ndarray, log_sigma: np.ndarray, seconds: float) -> np.ndarray:
        """Geopotential (m2 s-2) on (level, lat, lon) for log(p / 1000 hPa) of the levels."""
        s = log_sigma[:, None, None]
        phi, lam = lat[None, :, None], lon[None, None, :]
        k = 2 * np.pi / self.wavelength
        metres = np.deg2rad(1.0) * EARTH_RADIUS * np.cos(np.deg2rad(40.0))
        # The wave tilts westward with height: 90 degrees of phase between 1000 and 250 hPa.
        angle = k * ((lam - self.phase) * metres - self.phase_speed * seconds) - 0.5 * np.pi * s / np.log(0.25)
        axis = self.jet_latitude - self.amplitude * np.cos(angle) * np.exp(-(((lam - 135.0) / 60.0) ** 2))
        f = 2 * EARTH_ROTATION * np.sin(np.deg2rad(self.jet_latitude))
        step = -f * self.jet_speed * self.jet_width * np.tanh((phi - axis) * np.deg2rad(1.0) * EARTH_RADIUS / self.jet_width)
        # Largest at 250 hPa, nothing at the ground, decaying into the stratosphere.
        x = s / np.log(0.25)
        shape = np.where(x < 1.0, np.sin(0.5 * np.pi * np.minimum(x, 1.0)), np.exp(-((np.maximum(x, 1.0) - 1.0) ** 2) / 0.6))
        low = -self.low_depth / 1.25 * np.cos(angle - 0.5 * np.pi) * np.exp(-(((phi - 42.0) / 12.0) ** 2)) * np.exp(s)
        ridge = 650.0 / 1.25 * np.exp(-(((phi - 28.0) / 12.0) ** 2)) * np.exp(s)
        return self._mean(s) + step * shape + low + ridge

    def _mean(self, s: np.ndarray) -> np.ndarray:
        """Horizontal mean: T falls from 282 K by 6.5 K/km-like to 216 K, integrated hydrostatically in log pressure."""
        fine = np.linspace(np.log(1.1), np.log(1e-3), 4000)
        temperature = 216.0 + 66.0 / (1.0 + np.exp(-(fine + 0.95) / 0.32)) + 6.0 * np.tanh((fine + 0.2) / 0.4)
        temperature = temperature + self.warmth * np.exp(np.minimum(fine, 0.0) * 3.0)
        integral = np.concatenate([[0.0], np.cumsum(-0.5 * (temperature[1:] + temperature[:-1]) * np.diff(fine))]) * R_DRY
        integral -= np.interp(0.0, -fine, integral)
        return np.interp(-s, -fine, integral) + 130.0 * GRAVITY

    def dataset(self, time: np.datetime64, origin: np.datetime64) -> xr.Dataset:
        """The flow at a time as a global analysis reader would give it, on 1 degree between 75E and 195E, 0 and 72N."""
        lat, lon = np.arange(-2.0, 74.1, 1.0), np.arange(70.0, 205.1, 1.0)
        seconds = float((time - origin) / np.timedelta64(1, "s"))
        log_sigma = np.log(LEVELS / 1e5)
        phi = self.geopotential(lat, lon, log_sigma, seconds)
        d = 0.01
        up, down = self.geopotential(lat, lon, log_sigma - d, seconds), self.geopotential(lat, lon, log_sigma + d, seconds)
        tv = (up - down) / (2 * d) / R_DRY
        f = 2 * EARTH_ROTATION * np.sin(np.deg2rad(np.maximum(lat, 12.0)))[None, :, None]
        fade = np.clip(lat / 12.0, 0.0, 1.0)[None, :, None] ** 2
        e = 0.05
        dphi_dy = (self.geopotential(lat + e, lon, log_sigma, seconds) - self.geopotential(lat - e, lon, log_sigma, seconds)) / (2 * np.deg2rad(e) * EARTH_RADIUS)
        cos = np.cos(np.deg2rad(lat))[None, :, None]
        dphi_dx = (self.geopotential(lat, lon + e, log_sigma, seconds) - self.geopotential(lat, lon - e, log_sigma, seconds)) / (2 * np.deg2rad(e) * EARTH_RADIUS * cos)
        u, v = -fade * dphi_dy / f, fade * dphi_dx / f
        temperature = tv / 1.002
        p = LEVELS[:, None, None]
        rh = self._relative_humidity(p, lat[None, :, None], v)
        q = saturation.specific_humidity_from_relative(np.broadcast_to(rh, temperature.shape), temperature, np.broadcast_to(p, temperature.shape))
        temperature = tv / (1.0 + 0.608 * q)
        sst = 273.15 + np.clip(29.0 - 0.62 * np.maximum(lat - 12.0, 0.0), 0.0, 29.0)[:, None] + 2.5 * np.exp(-(((lon - 148.0) / 15.0) ** 2))[None, :] * np.exp(-(((lat - 36.0) / 6.0) ** 2))[:, None]
        dims = ("time", "pressure", "latitude", "longitude")
        surface = ("time", "latitude", "longitude")
        return xr.Dataset(
            {
                "air_temperature": (dims, temperature[None]),
                "eastward_wind": (dims, u[None]),
                "northward_wind": (dims, v[None]),
                "geopotential_height": (dims, phi[None] / GRAVITY),
                "specific_humidity": (dims, q[None]),
                "sea_surface_temperature": (surface, sst[None]),
                "land_area_fraction": (surface, np.zeros_like(sst)[None]),
            },
            coords={"time": [time.astype("datetime64[s]")], "pressure": LEVELS, "latitude": lat, "longitude": lon},
            attrs={"source": "twin", "file": "analytic flow"},
        )

    def _relative_humidity(self, p: np.ndarray, lat: np.ndarray, v: np.ndarray) -> np.ndarray:
        """Moist near the ground and in southerly flow ahead of the trough, dry behind it and aloft; 0..0.98."""
        base = 0.30 + 0.5 * np.exp(-(((1e5 - p) / 3.0e4) ** 2))
        moist = 0.25 * np.tanh(v / 12.0)
        rh = np.clip((base + moist * np.clip(p / 5e4, 0.0, 1.0)) * self.humidity, 0.05, 0.98)
        return np.where(p < 2.0e4, 0.02, rh)
