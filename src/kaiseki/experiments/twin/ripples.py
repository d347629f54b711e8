"""Random waves in the geopotential: what an analytic flow lacks, and what an analysis gets wrong.

A sum of plane waves of many lengths and directions with random vertical structure is, by the central limit theorem,
close to a Gaussian random field. Because it is a geopotential, temperature and wind derived from it are balanced.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np

from kaiseki.core.constants import EARTH_RADIUS, GRAVITY

LENGTHS = (1.2e6, 4.0e6)
"""Lengths of the shortest and the longest wave, m; the shortest is resolved by a one-degree analysis and by any sonde
network."""
MIDDLE_LENGTH = 2.4e6
"""Length of the wave whose amplitude is the typical one, m; amplitudes are proportional to length, so that winds are
alike."""
VERTICAL = (0.8, 4.0)
"""Range of the vertical wave number in ln p; pi / ln(10) = 1.4 turns the sign between 1000 and 100 hPa."""
SPEED = (12.0, 4.0)
"""Mean and spread of the eastward phase speed, m/s."""
COUNT = 40
PARALLEL = 40.0
"""Latitude, degrees north, where a degree of longitude has its true length in the waves' plane."""
MIDDLE_LONGITUDE = 125.0
MIDDLE_LATITUDE = 37.0
HALF_WIDTH = 24.0
HALF_HEIGHT = 20.0
"""Middle and extent of the region where there are waves, degrees."""


def envelope(lon: np.ndarray, middle: float = MIDDLE_LONGITUDE) -> np.ndarray:
    """Envelope of the waves: 1 around the meridian `middle`, 0 far away; coordinates in degrees, of any shape."""
    return np.asarray(np.exp(-(((lon - middle) / HALF_WIDTH) ** 4)))


@dataclass(frozen=True)
class Ripples:
    """One draw of the random field.

    Args:
        seed: what it is drawn from.
        height: standard deviation of geopotential height in the middle of the waves, m.
        longitude: of the middle of the waves, degrees east; see `envelope`.
        memory: 0 for waves of different speeds. Else all travel alike, and their phases drift, so that the field seen
            from a place that travels with them has the correlation exp(-(t / memory)^2 / 2) in time, s.
    """

    seed: tuple[int, ...]
    height: float
    longitude: float = MIDDLE_LONGITUDE
    memory: float = 0.0

    @cached_property
    def _waves(self) -> dict[str, np.ndarray]:
        r = np.random.default_rng(self.seed)
        shortest, longest = np.log(LENGTHS)
        length = np.exp(r.uniform(shortest, longest, COUNT))
        direction = r.uniform(-np.pi / 2, np.pi / 2, COUNT)
        amplitude = length / MIDDLE_LENGTH
        amplitude *= self.height * GRAVITY / np.sqrt(np.mean(amplitude**2) * COUNT / 4.0)
        kx, ky = 2 * np.pi / length * np.cos(direction), 2 * np.pi / length * np.sin(direction)
        if self.memory > 0.0:
            frequency = kx * SPEED[0] + r.normal(0.0, 1.0, COUNT) / self.memory
        else:
            frequency = kx * r.normal(*SPEED, COUNT)
        return {
            "amplitude": amplitude,
            "kx": kx,
            "ky": ky,
            "frequency": frequency,
            "phase": r.uniform(0, 2 * np.pi, COUNT),
            "m": r.uniform(*VERTICAL, COUNT),
            "vertical_phase": r.uniform(0, 2 * np.pi, COUNT),
        }

    def geopotential(self, lat: np.ndarray, lon: np.ndarray, log_sigma: np.ndarray, seconds: float) -> np.ndarray:
        """Geopotential (m2 s-2) on (level, lat, lon), mean 0; arguments as `Flow.geopotential`."""
        w = self._waves
        degree = np.deg2rad(1.0) * EARTH_RADIUS
        x = lon * degree * np.cos(np.deg2rad(PARALLEL))
        alpha = np.multiply.outer(w["kx"], x) + (w["phase"] - w["frequency"] * seconds)[:, None]
        beta = np.multiply.outer(w["ky"], lat * degree)
        column = w["amplitude"] * np.cos(np.multiply.outer(log_sigma, w["m"]) + w["vertical_phase"])
        # cos(a + b) by the addition theorem, so that the sum over waves is two matrix products.
        even = np.einsum("kw,wy,wx->kyx", column, np.cos(beta), np.cos(alpha), optimize=True)
        odd = np.einsum("kw,wy,wx->kyx", column, np.sin(beta), np.sin(alpha), optimize=True)
        fading = np.exp(-(((lat - MIDDLE_LATITUDE) / HALF_HEIGHT) ** 2))[:, None] * envelope(lon, self.longitude)
        return np.asarray((even - odd) * fading)
