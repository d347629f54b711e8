"""Synthetic radars that see one made rain field through known factors."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.ndimage import gaussian_filter

from kaiseki.grid.regular import LatLonGrid
from kaiseki.precipitation.data import Gauges, RadarRain

SENSITIVITY = np.log([0.6, 1.0, 1.7, 2.4])
"""Logarithms of the factors that correct the four radars."""
SLOPE = np.array([0.10, -0.05, 0.15, 0.0])
"""Changes of those with the height of the beam, km-1."""


@dataclass(frozen=True)
class Network:
    """A truth (t, ny, nx), the radars that see it, the heights of their beams and gauges on land."""

    truth: np.ndarray
    radars: list[RadarRain]
    heights: list[np.ndarray]
    gauges: Gauges


def network(seed: int, hours: int = 1, noise: float = 0.4, stations: int = 150, land: float = 1.0) -> Network:
    """Four radars of 180 km reach on 300 x 300 cells of 2 km; gauges on the western part `land` of the grid."""
    generator = np.random.default_rng(seed)
    ny = nx = 300
    grid = LatLonGrid(33.0 + 2.0 / 111.0 * np.arange(ny), 133.0 + 2.0 / 91.0 * np.arange(nx))
    smooth = np.array([gaussian_filter(generator.standard_normal((ny, nx)), 12.0, mode="wrap") for _ in range(hours)])
    truth = np.maximum(smooth / smooth.std() + 0.5, 0.0) ** 2 * 3.0
    rows, columns = np.meshgrid(np.arange(ny), np.arange(nx), indexing="ij")
    time = np.datetime64("2024-10-18T01", "s") + np.timedelta64(3600, "s") * np.arange(hours)
    radars, heights = [], []
    for number, (row, column) in enumerate([(80, 80), (80, 220), (220, 80), (220, 220)]):
        distance = 2.0 * np.hypot(rows - row, columns - column)
        # A beam of 0.6 degrees over an Earth of 4/3 radius.
        height = distance * np.sin(np.deg2rad(0.6)) + distance**2 / (2.0 * 8495.0)
        error = np.array([gaussian_filter(generator.standard_normal((ny, nx)), 2.0, mode="wrap") for _ in range(hours)])
        seen = truth * np.exp(-SENSITIVITY[number] - SLOPE[number] * height + noise * error / error.std())
        radars.append(RadarRain(grid=grid, time=time, amount=np.where(distance < 180.0, seen, np.nan)))
        heights.append(height)
    row, column = generator.integers(0, ny, stations), generator.integers(0, int(land * nx), stations)
    amount = truth[:, row, column] * np.exp(0.2 * generator.standard_normal((hours, stations)))
    return Network(
        truth,
        radars,
        heights,
        Gauges(
            station=np.array([f"g{k}" for k in range(stations)]),
            lat=grid.lat[row],
            lon=grid.lon[column],
            time=time,
            amount=amount,
        ),
    )
