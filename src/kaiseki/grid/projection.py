"""Conformal map projections of the sphere (Snyder 1987, USGS Professional Paper 1395, doi:10.3133/pp1395).

All of them turn the sphere about its axis: the map factor depends on the latitude alone, the angle between grid and
geographic north on the longitude alone.
"""

from __future__ import annotations

import dataclasses
from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any, ClassVar, Final

import numpy as np

from kaiseki.core.constants import EARTH_RADIUS


class Projection(ABC):
    """A conformal projection whose y axis points north along one meridian.

    Attributes:
        name: what an experiment and a store call the projection.
        central_longitude: the meridian along which y points north, degrees; the map is cut along the opposite one.
        radius: of the sphere, m.
        cone: rate at which grid north turns against north with longitude, -1 to 1.
    """

    name: ClassVar[str]
    central_longitude: float
    radius: float

    @property
    @abstractmethod
    def cone(self) -> float:
        """Cone constant n: positive where meridians meet in the north, 0 where they are parallel."""

    @abstractmethod
    def forward(self, lat: np.ndarray, lon: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Coordinates x, y (m) from latitude and longitude (degrees)."""

    @abstractmethod
    def inverse(self, x: np.ndarray, y: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Latitude and longitude (degrees, -180..180) from x, y (m)."""

    @abstractmethod
    def map_factor(self, lat: np.ndarray) -> np.ndarray:
        """Map factor m: distance on the map over distance on the sphere."""

    def from_centre(self, lon: np.ndarray) -> np.ndarray:
        """Longitudes counted from the central one, -180 to 180 degrees, whatever turn they are given on."""
        return np.asarray((np.asarray(lon, dtype=float) - self.central_longitude + 180.0) % 360.0 - 180.0)

    def rotation(self, lon: np.ndarray) -> np.ndarray:
        """Angle g = n (lon - lon0), rad: u_east = u cos g + v sin g, v_north = -u sin g + v cos g."""
        return np.asarray(self.cone * np.deg2rad(self.from_centre(lon)))

    def numbers(self) -> dict[str, float]:
        """The numbers that define the projection, by the names of its constructor."""
        return {one.name: float(getattr(self, one.name)) for one in dataclasses.fields(self)}  # type: ignore[arg-type]


@dataclass(frozen=True)
class LambertConformal(Projection):
    """Lambert conformal conic projection, for middle latitudes of either hemisphere (equations 15-1 to 15-11).

    The two standard parallels, degrees, are equal if the cone is tangent; their sum says towards which pole it closes,
    whose image is the origin of x and y.
    """

    name: ClassVar[str] = "lambert_conformal"
    parallel_1: float = 30.0
    parallel_2: float = 60.0
    central_longitude: float = 140.0
    radius: float = EARTH_RADIUS

    @cached_property
    def cone(self) -> float:
        """Cone constant n (15-3), negative where the cone closes towards the south pole."""
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

    def forward(self, lat: np.ndarray, lon: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Coordinates x, y (m) from latitude and longitude (degrees); the origin is the image of the pole towards which
        the cone closes."""
        rho, gamma = self._rho(np.asarray(lat, dtype=float)), self.rotation(lon)
        return np.asarray(rho * np.sin(gamma)), np.asarray(-rho * np.cos(gamma))

    def inverse(self, x: np.ndarray, y: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Latitude and longitude (degrees, -180..180) from x, y (m)."""
        pole = np.copysign(1.0, self.cone)
        x, y = pole * np.asarray(x, dtype=float), pole * np.asarray(y, dtype=float)
        rho, gamma = pole * np.hypot(x, y), np.arctan2(x, -y)
        lat = np.rad2deg(2 * np.arctan((self.radius * self._scale / rho) ** (1 / self.cone)) - np.pi / 2)
        lon = self.central_longitude + np.rad2deg(gamma / self.cone)
        return np.asarray(lat), np.asarray((lon + 180.0) % 360.0 - 180.0)

    def map_factor(self, lat: np.ndarray) -> np.ndarray:
        """Map factor m: distance on the map over distance on the sphere (15-9)."""
        lat = np.asarray(lat, dtype=float)
        return np.asarray(self.cone * self._rho(lat) / (self.radius * np.cos(np.deg2rad(lat))))


@dataclass(frozen=True)
class Mercator(Projection):
    """Mercator projection, for the tropics (equations 7-1 to 7-5).

    True to scale at the latitudes +-`parallel`, degrees; y is 0 at the equator, x at the central longitude.
    """

    name: ClassVar[str] = "mercator"
    parallel: float = 0.0
    central_longitude: float = 0.0
    radius: float = EARTH_RADIUS

    @property
    def cone(self) -> float:
        """Cone constant n: 0, for meridians are parallel on the map."""
        return 0.0

    @cached_property
    def _at_equator(self) -> float:
        return float(self.radius * np.cos(np.deg2rad(self.parallel)))

    def forward(self, lat: np.ndarray, lon: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Coordinates x, y (m) from latitude and longitude (degrees)."""
        y = self._at_equator * np.arcsinh(np.tan(np.deg2rad(np.asarray(lat, dtype=float))))
        x, y = np.broadcast_arrays(self._at_equator * np.deg2rad(self.from_centre(lon)), y)
        return np.array(x), np.array(y)

    def inverse(self, x: np.ndarray, y: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Latitude and longitude (degrees, -180..180) from x, y (m)."""
        x, y = np.broadcast_arrays(np.asarray(x, dtype=float), np.asarray(y, dtype=float))
        lat = np.rad2deg(np.arctan(np.sinh(y / self._at_equator)))
        lon = self.central_longitude + np.rad2deg(x / self._at_equator)
        return np.asarray(lat), np.asarray((lon + 180.0) % 360.0 - 180.0)

    def map_factor(self, lat: np.ndarray) -> np.ndarray:
        """Map factor m: distance on the map over distance on the sphere (7-3)."""
        lat = np.deg2rad(np.asarray(lat, dtype=float))
        return np.asarray(np.cos(np.deg2rad(self.parallel)) / np.cos(lat))


@dataclass(frozen=True)
class PolarStereographic(Projection):
    """Polar stereographic projection, for either polar region (equations 21-5 to 21-11 and 21-14, 21-15).

    True to scale at the latitude `parallel`, degrees, whose sign says about which pole; its image is the origin of x
    and y.
    """

    name: ClassVar[str] = "polar_stereographic"
    parallel: float = 70.0
    central_longitude: float = 0.0
    radius: float = EARTH_RADIUS

    @property
    def cone(self) -> float:
        """Cone constant n: 1 about the north pole, -1 about the south pole."""
        return 1.0 if self.parallel > 0.0 else -1.0

    @cached_property
    def _twice_at_pole(self) -> float:
        """Twice the map factor at the pole."""
        return float(1.0 + np.sin(np.deg2rad(abs(self.parallel))))

    def forward(self, lat: np.ndarray, lon: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Coordinates x, y (m) from latitude and longitude (degrees); the origin is the image of the pole."""
        pole = self.cone
        from_pole = 0.5 * np.deg2rad(90.0 - pole * np.asarray(lat, dtype=float))
        rho, angle = self.radius * self._twice_at_pole * np.tan(from_pole), np.deg2rad(self.from_centre(lon))
        return np.asarray(rho * np.sin(angle)), np.asarray(-pole * rho * np.cos(angle))

    def inverse(self, x: np.ndarray, y: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Latitude and longitude (degrees, -180..180) from x, y (m)."""
        x, y = np.asarray(x, dtype=float), np.asarray(y, dtype=float)
        from_pole = 2.0 * np.arctan(np.hypot(x, y) / (self.radius * self._twice_at_pole))
        lat = self.cone * (90.0 - np.rad2deg(from_pole))
        lon = self.central_longitude + np.rad2deg(np.arctan2(x, -self.cone * y))
        return np.asarray(lat), np.asarray((lon + 180.0) % 360.0 - 180.0)

    def map_factor(self, lat: np.ndarray) -> np.ndarray:
        """Map factor m: distance on the map over distance on the sphere (21-11)."""
        lat = np.deg2rad(np.asarray(lat, dtype=float))
        return np.asarray(self._twice_at_pole / (1.0 + self.cone * np.sin(lat)))


_KINDS: Final = {kind.name: kind for kind in (LambertConformal, Mercator, PolarStereographic)}


def projection_of(name: str, numbers: Mapping[str, Any]) -> Projection:
    """The projection of a name and the numbers that `Projection.numbers` gave.

    Raises:
        KeyError: no such projection.
    """
    return _KINDS[name](**numbers)
