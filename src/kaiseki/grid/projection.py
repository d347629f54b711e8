"""Lambert conformal conic projection on a sphere (Snyder 1987, USGS Professional Paper 1395, eqs 15-1 to 15-11)."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np

from kaiseki.core.constants import EARTH_RADIUS


@dataclass(frozen=True)
class LambertConformal:
    """Lambert conformal projection: two standard parallels (equal if tangent), the meridian along which y points north,
    degrees; radius in m."""

    parallel_1: float = 30.0
    parallel_2: float = 60.0
    central_longitude: float = 140.0
    radius: float = EARTH_RADIUS

    @cached_property
    def cone(self) -> float:
        """Cone constant n (15-3)."""
        p1, p2 = np.deg2rad(self.parallel_1), np.deg2rad(self.parallel_2)
        if abs(p1 - p2) < 1e-12:
            return float(np.sin(p1))
        return float(np.log(np.cos(p1) / np.cos(p2)) / np.log(np.tan(np.pi / 4 + p2 / 2) / np.tan(np.pi / 4 + p1 / 2)))

    @cached_property
    def _scale(self) -> float:
        p1, n = np.deg2rad(self.parallel_1), self.cone
        return float(np.cos(p1) * np.tan(np.pi / 4 + p1 / 2) ** n / n)

    def _rho(self, lat: np.ndarray) -> np.ndarray:
        return np.asarray(self.radius * self._scale / np.tan(np.pi / 4 + np.deg2rad(lat) / 2) ** self.cone)

    def rotation(self, lon: np.ndarray) -> np.ndarray:
        """Angle g = n (lon - lon0), rad: u_east = u cos g + v sin g, v_north = -u sin g + v cos g."""
        difference = (np.asarray(lon, dtype=float) - self.central_longitude + 180.0) % 360.0 - 180.0
        return np.asarray(self.cone * np.deg2rad(difference))

    def forward(self, lat: np.ndarray, lon: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Coordinates x, y (m) from latitude and longitude (degrees); the origin is the north pole's image, y pointing
        to it."""
        rho, gamma = self._rho(np.asarray(lat, dtype=float)), self.rotation(lon)
        return np.asarray(rho * np.sin(gamma)), np.asarray(-rho * np.cos(gamma))

    def inverse(self, x: np.ndarray, y: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Latitude and longitude (degrees, -180..180) from x, y (m)."""
        x, y = np.asarray(x, dtype=float), np.asarray(y, dtype=float)
        rho, gamma = np.hypot(x, y), np.arctan2(x, -y)
        lat = np.rad2deg(2 * np.arctan((self.radius * self._scale / rho) ** (1 / self.cone)) - np.pi / 2)
        lon = self.central_longitude + np.rad2deg(gamma / self.cone)
        return np.asarray(lat), np.asarray((lon + 180.0) % 360.0 - 180.0)

    def map_factor(self, lat: np.ndarray) -> np.ndarray:
        """Map factor m: distance on the map over distance on the sphere (15-9)."""
        lat = np.asarray(lat, dtype=float)
        return np.asarray(self.cone * self._rho(lat) / (self.radius * np.cos(np.deg2rad(lat))))
