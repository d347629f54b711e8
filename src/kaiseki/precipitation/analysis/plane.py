"""The plane of the covariances: a conformal map of small distortion on which distances are taken, km."""

from __future__ import annotations

import numpy as np

from kaiseki.grid.projection import LambertConformal, Mercator, PolarStereographic, Projection
from kaiseki.grid.regular import LatLonGrid
from kaiseki.precipitation.data import RainGrid


def plane_of(grid: RainGrid) -> Projection:
    """The plane of a grid."""
    rows, columns = (np.unique(np.linspace(0, size - 1, 50).astype(int)) for size in grid.shape)
    if isinstance(grid, LatLonGrid):
        lat, lon = np.meshgrid(grid.lat[rows], grid.lon[columns], indexing="ij")
    else:
        lat, lon = grid.projection.inverse(*np.meshgrid(grid.x[columns], grid.y[rows]))
    return plane_around(lat, lon)


def plane_around(lat: np.ndarray, lon: np.ndarray) -> Projection:
    """A projection whose scale is right within a few per cent over the latitudes of places, degrees."""
    south, north = float(lat.min()), float(lat.max())
    # The mean of directions is the middle across the date line too.
    turn = np.deg2rad(lon)
    middle = float(np.rad2deg(np.arctan2(np.sin(turn).mean(), np.cos(turn).mean())))
    inner, outer = sorted((abs(south), abs(north)))
    if south * north < 0.0 or inner < 10.0:
        return Mercator(parallel=0.7 * outer if outer < 85.0 else 0.0, central_longitude=middle)
    if outer > 80.0:
        sign = 1.0 if north > 0.0 else -1.0
        return PolarStereographic(parallel=sign * 0.5 * (inner + outer), central_longitude=middle)
    sixth = (north - south) / 6.0
    return LambertConformal(parallel_1=south + sixth, parallel_2=north - sixth, central_longitude=middle)


def coordinates(
    projection: Projection, lat: np.ndarray, lon: np.ndarray, height: np.ndarray | None, factor: float
) -> np.ndarray:
    """Coordinates (n, 3) of places, km: of the map, and height, m, in km times the factor (unknown heights are 0)."""
    x, y = projection.forward(np.ravel(lat), np.ravel(lon))
    up = np.zeros(x.size) if height is None else np.nan_to_num(np.ravel(height)) * (factor / 1e3)
    return np.column_stack([x / 1e3, y / 1e3, up])
