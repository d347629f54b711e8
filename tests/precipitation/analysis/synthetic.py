"""Synthetic rain with a known truth: storms, a radar with a biased view of them, gauges."""

import numpy as np

from kaiseki.grid.regular import LatLonGrid
from kaiseki.precipitation.analysis.sampling import Box
from kaiseki.precipitation.data import Gauges, RadarRain, fractional_index

TIME = np.datetime64("2024-07-01T00:00:00", "s")


def grid(ny: int = 96, nx: int = 100) -> LatLonGrid:
    """A grid of about 1 km, north first."""
    return LatLonGrid(36.0 - np.arange(ny) / 120.0, 138.0 + np.arange(nx) / 80.0)


def noise(shape: tuple[int, int], range_km: float, rng: np.random.Generator) -> np.ndarray:
    """A Gaussian field of unit variance on cells of 1 km."""
    box = Box(np.zeros(3), np.ones(3), (1, 2 * shape[0], 2 * shape[1]))
    return box.draw(np.ones(1), np.array([range_km]), rng)[0, : shape[0], : shape[1]]


def storms(seed: int = 3, factor: float = 1.0, spread: float = 0.15) -> tuple[np.ndarray, RadarRain]:
    """A true field (ny, nx), mm, and a radar that sees it with a bias that varies in space."""
    rng, where = np.random.default_rng(seed), grid()
    z = 1.0 + 1.2 * noise(where.shape, 25.0, rng)
    truth = np.maximum(z, 0.0) ** 2
    seen = (
        np.maximum(z * (1.0 + spread * noise(where.shape, 60.0, rng)) + 0.1 * noise(where.shape, 20.0, rng), 0.0) ** 2
    )
    return truth, RadarRain(grid=where, time=np.array([TIME]), amount=(factor * np.where(z > 0.0, seen, 0.0))[None])


def gauges(truth: np.ndarray, count: int, seed: int = 5, resolution: float = 0.1, error: float = 0.0) -> Gauges:
    """Gauges at places spread at random over the grid, that read the truth of their cell in steps."""
    rng, where = np.random.default_rng(seed), grid()
    lat, lon = rng.uniform(where.lat.min(), where.lat.max(), count), rng.uniform(where.lon[0], where.lon[-1], count)
    row, column = (one.round().astype(int) for one in fractional_index(where, lat, lon))
    amount = truth[row, column] * np.exp(error * rng.standard_normal(count))
    return of(lat, lon, np.round(amount / resolution) * resolution, resolution)


def of(lat: np.ndarray, lon: np.ndarray, amount: np.ndarray, resolution: float = 0.1) -> Gauges:
    """Gauges of one interval."""
    lat = np.asarray(lat, float)
    return Gauges(
        station=np.arange(lat.size).astype(str),
        lat=lat,
        lon=np.asarray(lon, float),
        time=np.array([TIME]),
        amount=np.asarray(amount, float)[None],
        resolution=np.full(lat.size, resolution),
    )
