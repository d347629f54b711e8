"""An invented surface for twin experiments: an island arc like Japan and the edge of a continent to its west.

A smooth function of latitude and longitude that needs no data. It resembles the real coast enough for monsoon flow over
a warm sea onto mountains, and nothing more should be read into it.
"""

from __future__ import annotations

from functools import lru_cache

import numpy as np
from scipy.interpolate import PchipInterpolator
from scipy.spatial import cKDTree

from kaiseki.core.constants import EARTH_RADIUS
from kaiseki.grid.domain import Domain

COAST = 8e3
"""Half the width over which land goes over into sea, m."""
CONTINENT_HEIGHT = 350.0
"""Mean height of the continent far from its coast, m."""
_REACH = 400e3
"""Farther than this from a ridge line is sea, m."""
_POINTS = 400_000
"""Quadrature points handled at once."""

# Lines of ridges: latitude, longitude (degrees), half the width of the land (km; below 0: a strait), height (m).
_RIDGES = (
    (  # Kyushu, Honshu, Hokkaido
        (30.6, 130.4, 12.0, 200.0),
        (31.8, 130.9, 60.0, 700.0),
        (33.1, 131.2, 75.0, 900.0),
        (34.3, 132.6, 75.0, 700.0),
        (34.9, 134.6, 95.0, 700.0),
        (35.7, 136.8, 120.0, 1100.0),
        (36.2, 138.4, 135.0, 1500.0),
        (37.4, 139.6, 105.0, 1100.0),
        (39.2, 140.8, 85.0, 850.0),
        (40.7, 140.9, 60.0, 600.0),
        (41.5, 140.9, -25.0, 0.0),
        (42.4, 141.6, 55.0, 600.0),
        (43.3, 142.8, 125.0, 1100.0),
        (44.4, 142.6, 80.0, 700.0),
        (45.4, 142.1, 15.0, 200.0),
    ),
    ((42.0, 127.0, 120.0, 500.0), (39.5, 126.8, 110.0, 450.0), (37.0, 128.0, 120.0, 450.0), (34.8, 127.5, 90.0, 300.0)),
    ((46.3, 142.3, 20.0, 200.0), (49.0, 142.9, 60.0, 450.0), (52.5, 142.9, 40.0, 250.0), (54.2, 142.8, 10.0, 50.0)),
    ((22.2, 120.8, 15.0, 300.0), (23.6, 121.0, 65.0, 1300.0), (25.0, 121.4, 40.0, 500.0)),
)
# East coast of the continent without its peninsulas: latitude, longitude, degrees.
_COAST = np.array(
    [
        (0.0, 103.0),
        (10.0, 107.0),
        (17.0, 107.0),
        (21.5, 109.5),
        (22.5, 115.0),
        (25.0, 119.3),
        (30.0, 121.9),
        (34.0, 120.3),
        (38.0, 119.5),
        (40.0, 122.5),
        (41.5, 128.5),
        (43.0, 132.5),
        (44.5, 136.0),
        (48.0, 140.0),
        (53.0, 141.0),
        (59.0, 143.0),
        (61.0, 160.0),
        (65.0, 175.0),
        (70.0, 180.0),
    ]
)


def _unit(lat: np.ndarray, lon: np.ndarray) -> np.ndarray:
    phi, lam = np.deg2rad(lat), np.deg2rad(lon)
    return np.stack([np.cos(phi) * np.cos(lam), np.cos(phi) * np.sin(lam), np.sin(phi)], axis=-1)


@lru_cache(maxsize=1)
def _lines() -> tuple[tuple[cKDTree, np.ndarray, np.ndarray], ...]:
    """Points of every line of ridges, less than 1 km apart, half the width there (m) and the height (m).

    The arrays have one more element, for "no point within reach".
    """
    lines = []
    for table in _RIDGES:
        nodes = np.array(table)
        t = np.linspace(0, len(nodes) - 1, 300 * (len(nodes) - 1) + 1)
        lat, lon, width, height = PchipInterpolator(np.arange(len(nodes)), nodes)(t).T
        lines.append((cKDTree(_unit(lat, lon)), np.append(1e3 * width, 0.0), np.append(height, 0.0)))
    return tuple(lines)


@lru_cache(maxsize=1)
def _coast() -> PchipInterpolator:
    return PchipInterpolator(*_COAST.T)


def _islands(lat: np.ndarray, lon: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Distance inland from the coast of the ridges (m, negative at sea) and height (m)."""
    place = _unit(lat, lon)
    inland, height = np.full(lat.shape, -_REACH), np.zeros(lat.shape)
    for tree, width, ridge in _lines():
        chord, nearest = tree.query(place, distance_upper_bound=_REACH / EARTH_RADIUS)
        distance = 2.0 * EARTH_RADIUS * np.arcsin(np.minimum(0.5 * chord, 1.0))
        half = width[nearest]
        ratio = np.minimum(distance / np.maximum(half, 1.0), 1.0)
        inland = np.maximum(inland, half - distance)
        height = np.hypot(height, ridge[nearest] * (1.0 - ratio**2) ** 2)
    return inland, height


def _continent(lat: np.ndarray, lon: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Distance inland from the coast of the continent, measured along the parallel, and height of its hills."""
    degree = np.deg2rad(EARTH_RADIUS)
    # Continuous across the antimeridian; the cut lies in the Atlantic.
    east = np.mod(np.asarray(lon) + 30.0, 360.0) - 30.0
    inland = (_coast()(lat.clip(0.0, 70.0)) - east) * degree * np.cos(np.deg2rad(lat))
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

    Gauss-Legendre quadrature with points on average at most 10 km apart, weighted with the area on the sphere.
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
