"""The projection that suits a place: little distortion, and no pole or cut of the map in the grid."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from kaiseki.core.constants import EARTH_RADIUS
from kaiseki.core.errors import ConfigError
from kaiseki.grid.presets import MOST_DISTORTION
from kaiseki.grid.projection import LambertConformal, Mercator, PolarStereographic

TROPIC, POLAR_CIRCLE = 23.4, 66.6
"""Latitudes of the tropics and of the polar circles, degrees: Mercator for grids whose centre lies between the former,
polar stereographic for those beyond the latter."""
PART = 1.0 / 6.0
"""Distance of the standard parallels of a Lambert conformal grid from its southern and northern edge, in parts of its
extent in latitude (Snyder 1987, USGS Professional Paper 1395, page 99)."""
NEAR_POLE = 3.0
"""Distance from a pole within which the edge of a Lambert conformal grid is not laid, degrees."""


@dataclass(frozen=True)
class Fitted:
    """A projection and a grid on it for a place.

    Attributes:
        projection: name of the projection.
        standard_parallels: its latitudes, degrees.
        central_longitude: meridian along which y points north, degrees.
        shape: number of cells (ny, nx).
        reason: why this projection, a clause.
    """

    projection: str
    standard_parallels: tuple[float, ...]
    central_longitude: float
    shape: tuple[int, int]
    reason: str


def fitted(latitude: float, longitude: float, width: float, height: float, spacing: float) -> Fitted:
    """The grid for a place and a size, the rim included.

    Args:
        latitude, longitude: of its middle, degrees.
        width, height: extent along x and y, m.
        spacing: of the cells, m.

    Raises:
        ConfigError: the place is none, or the grid is larger than one map can hold.
    """
    if not (-90.0 <= latitude <= 90.0 and -180.0 <= longitude <= 360.0):
        raise ConfigError(
            f"There is no place at latitude {latitude:g} and longitude {longitude:g}; give the latitude first, from "
            "-90 to 90, then the longitude, from -180 to 360, both in degrees."
        )
    shape = max(1, round(height / spacing)), max(1, round(width / spacing))
    longitude = (longitude + 180.0) % 360.0 - 180.0
    half = math.degrees(0.5 * height / EARTH_RADIUS)
    south, north = latitude - half, latitude + half
    pole = math.copysign(1.0, latitude)
    if abs(latitude) > POLAR_CIRCLE or max(north, -south) > 90.0 - NEAR_POLE:
        reach = math.degrees(0.5 * math.hypot(width, height) / EARTH_RADIUS)
        least, most = abs(latitude) - reach, min(abs(latitude) + reach, 90.0)
        if least <= 0.0:
            raise _too_large(width, height)
        # The map factor is as far above one at the equatorward corner as it is below at the poleward one.
        sine = math.sqrt((1.0 + math.sin(math.radians(least))) * (1.0 + math.sin(math.radians(most)))) - 1.0
        parallel = pole * round(math.degrees(math.asin(sine)), 1)
        words = "beyond the polar circle" if abs(latitude) > POLAR_CIRCLE else "reaching near the pole"
        return Fitted(PolarStereographic.name, (parallel,), longitude, shape, f"{words}, where no cone closes well")
    if abs(latitude) < TROPIC:
        if width >= 2.0 * math.pi * EARTH_RADIUS * math.cos(math.radians(latitude)) or max(north, -south) > 75.0:
            raise _too_large(width, height)
        most = max(abs(south), abs(north))
        least = 0.0 if south < 0.0 < north else min(abs(south), abs(north))
        cosine = math.sqrt(math.cos(math.radians(least)) * math.cos(math.radians(most)))
        parallel = math.copysign(round(math.degrees(math.acos(cosine)), 1), latitude)
        return Fitted(Mercator.name, (parallel,), longitude, shape, "in the tropics, where a cone is nearly a cylinder")
    first, second = (round(edge, 1) for edge in (south + PART * 2.0 * half, north - PART * 2.0 * half))
    if first + second == 0.0:
        raise _too_large(width, height)
    words = "in the middle latitudes of the " + ("north" if pole > 0.0 else "south")
    return Fitted(LambertConformal.name, (first, second), longitude, shape, words)


def _too_large(width: float, height: float) -> ConfigError:
    return ConfigError(
        f"A domain of {width / 1e3:.0f} x {height / 1e3:.0f} km is too large for one map of so little distortion that "
        f"its cells differ by less than {MOST_DISTORTION:g} times; make it smaller."
    )


def factor_range(factor: np.ndarray) -> str:
    """The range of a map factor in words."""
    return f"{float(factor.min()):.3f} to {float(factor.max()):.3f}"
