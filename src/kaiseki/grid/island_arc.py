"""An invented surface for twin experiments: an island arc like Japan and the edge of a continent to its west.

A smooth function of latitude and longitude that needs no data. It resembles the real coast enough for monsoon flow over
a warm sea onto mountains, and nothing more should be read into it.
"""

from __future__ import annotations

from functools import lru_cache

import numpy as np
from scipy.interpolate import CubicSpline
from scipy.spatial import cKDTree

from kaiseki.core.constants import EARTH_RADIUS
from kaiseki.grid.domain import Domain

COAST = 8e3
"""Half the width over which land goes over into sea, m."""
CONTINENT_HEIGHT = 350.0
"""Mean height of the continent far from its coast, m."""
_POINTS = 500_000

# Backbone of the arc: latitude, longitude (degrees), half the width (km; below 0: a strait), height of the ridge (m).
_ARC = np.array(
    [
        [30.6, 130.4, 12.0, 200.0],
        [31.8, 130.9, 60.0, 700.0],
        [33.1, 131.2, 75.0, 900.0],
        [34.4, 132.6, 65.0, 700.0],
        [35.1, 134.6, 85.0, 700.0],
        [35.8, 136.8, 120.0, 1100.0],
        [36.2, 138.4, 135.0, 1500.0],
        [37.4, 139.6, 105.0, 1100.0],
        [39.2, 140.6, 85.0, 850.0],
        [40.7, 140.8, 60.0, 600.0],
        [41.5, 140.9, -25.0, 0.0],
        [42.4, 141.6, 55.0, 600.0],
        [43.3, 142.8, 125.0, 1100.0],
        [44.4, 142.9, 80.0, 700.0],
        [45.4, 142.2, 15.0, 200.0],
    ]
)
# East coast of the continent: latitude, longitude, degrees.
_COAST = np.array(
    [
        [0.0, 103.0],
        [10.0, 106.0],
        [17.0, 107.0],
        [21.5, 111.0],
        [25.0, 118.5],
        [30.0, 121.5],
        [34.0, 120.0],
        [38.0, 121.0],
        [40.5, 126.0],
        [43.5, 133.5],
        [48.0, 140.0],
        [53.0, 140.5],
        [58.0, 150.0],
        [62.0, 163.0],
        [70.0, 175.0],
        [90.0, 180.0],
    ]
)


def _unit(lat: np.ndarray, lon: np.ndarray) -> np.ndarray:
    phi, lam = np.deg2rad(lat), np.deg2rad(lon)
    return np.stack([np.cos(phi) * np.cos(lam), np.cos(phi) * np.sin(lam), np.sin(phi)], axis=-1)


@lru_cache(maxsize=1)
def _backbone() -> tuple[cKDTree, np.ndarray, np.ndarray]:
    """Points along the arc about 0.3 km apart, half the width there (m) and height of the ridge (m)."""
    node = np.arange(len(_ARC))
    t = np.linspace(0, len(_ARC) - 1, 8001)
    lat, lon, width, height = CubicSpline(node, _ARC)(t).T
    return cKDTree(_unit(lat, lon)), 1e3 * width, np.maximum(height, 0.0)


@lru_cache(maxsize=1)
def _coast() -> CubicSpline:
    return CubicSpline(_COAST[:, 0], _COAST[:, 1])


def _islands(lat: np.ndarray, lon: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Distance inland from the arc's coast (m, negative at sea) and height (m)."""
    tree, width, height = _backbone()
    chord, nearest = tree.query(_unit(lat, lon))
    distance = 2.0 * EARTH_RADIUS * np.arcsin(np.minimum(0.5 * chord, 1.0))
    half = width[nearest]
    ratio = np.minimum(distance / np.maximum(half, 1.0), 1.0)
    return half - distance, height[nearest] * (1.0 - ratio**2) ** 2


def _continent(lat: np.ndarray, lon: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """As `_islands`; a peninsula like Korea stands out of the coast."""
    degree = np.deg2rad(EARTH_RADIUS)
    peninsula = 6.5 * np.exp(-(((lat - 36.8) / 2.0) ** 2))
    edge = _coast()(np.clip(lat, 0.0, 90.0)) + peninsula
    east = (np.asarray(lon) - 130.0 + 180.0) % 360.0 - 180.0 + 130.0
    # Along a parallel, shortened for coasts that slant to it.
    inland = 0.7 * (edge - east) * degree * np.cos(np.deg2rad(lat))
    hills = 1.0 + 0.5 * np.sin(np.deg2rad(22.0 * lat)) * np.sin(np.deg2rad(16.0 * east))
    rise = 1.0 - np.exp(-((np.maximum(inland, 0.0) / 300e3) ** 2))
    return inland, CONTINENT_HEIGHT * hills * rise


def surface(lat: np.ndarray, lon: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Height of the surface (m, 0 at sea) and land fraction (0..1, smooth across the coast), of the shape of `lat`."""
    lat, lon = np.asarray(lat, dtype=float), np.asarray(lon, dtype=float)
    inland, height = _islands(lat, lon)
    inland_west, height_west = _continent(lat, lon)
    land = 0.5 * (1.0 + np.tanh(np.maximum(inland, inland_west) / COAST))
    return np.hypot(height, height_west), land


def on(domain: Domain) -> tuple[np.ndarray, np.ndarray]:
    """Terrain (m) and land fraction averaged over the cells, (ny, nx) each.

    Gauss-Legendre quadrature with points at most about 10 km apart, weighted with the area on the sphere.
    """
    order = int(np.clip(np.ceil(domain.spacing / 10e3), 2, 16))
    node, weight = np.polynomial.legendre.leggauss(order)
    offset = 0.5 * domain.spacing * node
    x = (domain.x[:, None] + offset).ravel()
    height, land = np.empty((domain.ny, domain.nx)), np.empty((domain.ny, domain.nx))
    rows = max(1, _POINTS // (x.size * order))
    for first in range(0, domain.ny, rows):
        y = (domain.y[first : first + rows, None] + offset).ravel()
        lat, lon = domain.projection.inverse(*np.meshgrid(x, y))
        share = np.tile(weight, y.size // order)[:, None] * np.tile(weight, domain.nx)
        share = share / domain.projection.map_factor(lat) ** 2
        parts = (y.size // order, order, domain.nx, order)
        total = share.reshape(parts).sum((1, 3))
        for result, values in zip((height, land), surface(lat, lon), strict=True):
            result[first : first + rows] = (share * values).reshape(parts).sum((1, 3)) / total
    return height, land
