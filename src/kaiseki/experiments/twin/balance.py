"""Winds that belong to a geopotential: in balance with the curvature of its contours, and without divergence.

Geostrophic wind alone will not do: a jet of 70 m/s in a winter trough has a Rossby number near one, and on a sphere
geostrophic wind converges by beta v / f, which would move the surface pressure by several hPa an hour.
"""

from __future__ import annotations

from functools import lru_cache
from typing import Any

import numpy as np
from scipy.sparse import csc_matrix, diags, eye, kron
from scipy.sparse.linalg import splu

from kaiseki.core.constants import EARTH_RADIUS, EARTH_ROTATION

BALANCED_LATITUDE = 12.0
"""Latitude, degrees north, equatorwards of which the wind fades to nothing instead of becoming geostrophic with a
vanishing f."""
MOST_ANTICYCLONIC = 0.2
"""Bound on -k V_g / f; at 0.25 the gradient wind has no solution (Holton 2004, section 3.2.5)."""
PASSES = 3
"""Corrections of the divergence, each of what the last one left."""
SLOWEST = 1.0
"""Wind speed, m/s, below which its direction, and with it the motion of the pattern, counts less and less."""


def gradient_wind(
    phi_x: np.ndarray, phi_y: np.ndarray, lat: np.ndarray, lon: np.ndarray, speed: float
) -> tuple[np.ndarray, np.ndarray]:
    """Wind (u, v) along the contours of a pattern that travels eastward, in balance with its own curvature.

    The geostrophic speed V_g becomes that of the gradient wind V (Holton 2004, An Introduction to Dynamic Meteorology,
    sections 3.2.5 and 3.3), V^2 k + f V = f V_g. The curvature k, positive around lows, is that of trajectories: of
    the contours, k_c (1 - c cos(a) / V) with the speed c of the pattern and the angle a between wind and east, plus
    that of the circle of latitude, cos(a) tan(lat) / r.

    Args:
        phi_x, phi_y: gradient of the geopotential (m s-2) to the east and north, (level, lat, lon).
        lat, lon: degrees, equally spaced.
        speed: c, m/s.
    """
    north = np.deg2rad(lat)[None, :, None]
    f = 2 * EARTH_ROTATION * np.sin(np.maximum(north, np.deg2rad(BALANCED_LATITUDE)))
    dy, dx = _spacings(lat, lon)
    phi_xx, phi_xy = np.gradient(phi_x, axis=2) / dx, np.gradient(phi_x, axis=1) / dy
    phi_yy = np.gradient(phi_y, axis=1) / dy
    square = phi_x**2 + phi_y**2 + (f * SLOWEST) ** 2
    eastward = -phi_y / np.sqrt(square)
    geostrophic = np.sqrt(square) / f
    # Times V_g / f, since a curvature alone would be infinite where there is no wind.
    bend = (phi_xx * phi_y**2 - 2 * phi_xy * phi_x * phi_y + phi_yy * phi_x**2) / (square * f**2)
    bend = bend * (1.0 - np.clip(speed * eastward / geostrophic, -0.8, 0.8))
    bend = bend + eastward * np.tan(north) / EARTH_RADIUS * geostrophic / f
    share = 2.0 / (1.0 + np.sqrt(1.0 + 4.0 * np.clip(bend, -MOST_ANTICYCLONIC, None)))
    fade = share * np.clip(lat / BALANCED_LATITUDE, 0.0, 1.0)[None, :, None] ** 2 / f
    return -fade * phi_y, fade * phi_x


def divergence(u: np.ndarray, v: np.ndarray, lat: np.ndarray, lon: np.ndarray) -> np.ndarray:
    """Horizontal divergence (s-1) of winds (level, lat, lon) on the sphere, by central differences."""
    dy, dx = _spacings(lat, lon)
    cos = np.cos(np.deg2rad(lat))[None, :, None]
    return np.asarray(np.gradient(u, axis=2) / dx + np.gradient(v * cos, axis=1) / (dy * cos))


def without_divergence(u: np.ndarray, v: np.ndarray, lat: np.ndarray, lon: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The winds (level, lat, lon) less the gradient of a velocity potential that vanishes at the edge of the grid and
    has their divergence."""
    solve = _poisson(lat.tobytes(), lon.tobytes())
    dy, dx = _spacings(lat, lon)
    # The solver's differences are shorter than those of `divergence`: a second pass takes what the first one left.
    for _ in range(PASSES):
        source = divergence(u, v, lat, lon)
        potential = solve(source.reshape(len(source), -1).T).T.reshape(u.shape)
        u, v = u - np.gradient(potential, axis=2) / dx, v - np.gradient(potential, axis=1) / dy
    return u, v


def _spacings(lat: np.ndarray, lon: np.ndarray) -> tuple[float, np.ndarray]:
    """Distance between neighbours to the north, and to the east (1, lat, 1), m."""
    dy = np.deg2rad(lat[1] - lat[0]) * EARTH_RADIUS
    dx = np.deg2rad(lon[1] - lon[0]) * EARTH_RADIUS * np.cos(np.deg2rad(lat))[None, :, None]
    return float(dy), dx


@lru_cache(maxsize=2)
def _poisson(lat_bytes: bytes, lon_bytes: bytes) -> Any:
    """Solver of the Laplace equation on the sphere (five-point), factorised once for a grid."""
    lat, lon = np.frombuffer(lat_bytes), np.frombuffer(lon_bytes)
    dy, dx = _spacings(lat, lon)
    cos, between = np.cos(np.deg2rad(lat)), np.cos(np.deg2rad(0.5 * (lat[1:] + lat[:-1])))
    step = np.deg2rad(lat[1] - lat[0])
    below, above = np.cos(np.deg2rad(lat) - step / 2), np.cos(np.deg2rad(lat) + step / 2)
    north_south = diags([between / cos[1:], -(below + above) / cos, between / cos[:-1]], [-1, 0, 1]) / dy**2
    one = diags([1.0, -2.0, 1.0], [-1, 0, 1], shape=(len(lon), len(lon)))
    laplacian = kron(north_south, eye(len(lon))) + kron(diags(1.0 / dx[0, :, 0] ** 2), one)
    return splu(csc_matrix(laplacian)).solve
