"""The power transform of amounts, and what a Gaussian distribution of the transformed amount says of the amount.

z = P^b for rain; a z that is not positive is no rain. With z of mean m and standard deviation s,
P = max(z, 0)^(1/b), so that the mean of P is s^(1/b) M(m/s), M(t) = E[max(t + n, 0)^(1/b)] for standard normal n, and
quantiles of P are those of z transformed.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Final

import numpy as np
from scipy.special import ndtr, ndtri

_FAR: Final = 8.0
"""Mean in standard deviations beyond which an expansion exact to 1e-5 replaces the table."""


@dataclass(frozen=True)
class PowerTransform:
    """Transform z = P^exponent of amounts, mm."""

    exponent: float

    def forward(self, amount: np.ndarray) -> np.ndarray:
        """Transformed amounts, of amounts >= 0."""
        return np.asarray(np.sqrt(amount) if self.exponent == 0.5 else np.power(amount, self.exponent))

    def inverse(self, z: np.ndarray) -> np.ndarray:
        """Amounts of transformed ones; 0 where z is not positive."""
        positive = np.maximum(z, 0.0)
        return np.asarray(positive * positive if self.exponent == 0.5 else np.power(positive, 1.0 / self.exponent))

    def slope(self, amount: np.ndarray) -> np.ndarray:
        """Derivative dz/dP at amounts > 0."""
        return np.asarray(self.exponent * np.power(amount, self.exponent - 1.0))

    def mean(self, z: np.ndarray, sd: np.ndarray) -> np.ndarray:
        """Expected amount of a Gaussian z."""
        t = z / sd
        if self.exponent == 0.5:
            density = np.exp(-0.5 * t * t) * np.asarray(1.0 / np.sqrt(2.0 * np.pi), dtype=t.dtype)
            return np.asarray(np.maximum(sd * sd * ((t * t + 1.0) * ndtr(t) + t * density), 0.0))
        power = 1.0 / self.exponent
        inside = np.interp(t, *self._table).astype(t.dtype)
        beyond = np.power(np.maximum(t, 1.0), power) * (1.0 + 0.5 * power * (power - 1.0) / np.maximum(t, 1.0) ** 2)
        return np.asarray(np.power(sd, power) * np.where(t < _FAR, inside, beyond))

    def quantile(self, probability: float, z: np.ndarray, sd: np.ndarray) -> np.ndarray:
        """Amount that a Gaussian z does not exceed with the probability."""
        return self.inverse(z + np.asarray(ndtri(probability), dtype=sd.dtype) * sd)

    def exceedance(self, amount: float, z: np.ndarray, sd: np.ndarray) -> np.ndarray:
        """Probability of at least an amount > 0 of a Gaussian z."""
        return np.asarray(ndtr((z - np.asarray(self.forward(np.asarray(amount)), dtype=sd.dtype)) / sd))

    @cached_property
    def _table(self) -> tuple[np.ndarray, np.ndarray]:
        """Means M(t) of unit standard deviation, by Simpson's rule over the positive side."""
        t = np.linspace(-_FAR, _FAR, 3201)
        n = np.linspace(0.0, 2.0 * _FAR, 4001)
        weight = np.full(n.size, 2.0)
        weight[1::2], weight[[0, -1]] = 4.0, 1.0
        weight *= (n[1] - n[0]) / 3.0 / np.sqrt(2.0 * np.pi)
        power = weight * np.power(n, 1.0 / self.exponent)
        return t, np.array([power @ np.exp(-0.5 * (n - one) ** 2) for one in t])
