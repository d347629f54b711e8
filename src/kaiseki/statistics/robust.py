"""Robust likelihoods of observations: penalties and the weights that minimise them by re-weighted least squares.

With r the departure in standard deviations, the cost of an observation is rho(r). Both penalties here are concave
functions of r^2, so the quadratic w(r0) r^2 / 2 (plus a constant) that touches rho at r0 lies above it everywhere;
minimising that quadratic can therefore only lower the true cost (Hunter and Lange 2004, Am. Stat. 58, 30-37). That is
what the outer loops of `minimise.reweighted` do.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol, runtime_checkable

import numpy as np

from kaiseki.core.errors import ConfigError


@runtime_checkable
class Likelihood(Protocol):
    """A penalty of normalised departures."""

    def penalty(self, departure: np.ndarray) -> np.ndarray:
        """Penalty rho(r) >= 0, rho(0) = 0, close to r^2 / 2 for small r."""
        ...

    def weight(self, departure: np.ndarray) -> np.ndarray:
        """Weight rho'(r) / r, 1 for a Gaussian."""
        ...


@dataclass(frozen=True)
class Gaussian:
    """The quadratic penalty r^2 / 2: every observation keeps its full weight."""

    def penalty(self, departure: np.ndarray) -> np.ndarray:
        """Penalty r^2 / 2."""
        return 0.5 * departure**2

    def weight(self, departure: np.ndarray) -> np.ndarray:
        """Weight 1 of all departures."""
        return np.ones_like(departure)


@dataclass(frozen=True)
class Huber:
    """Huber's penalty: quadratic within `threshold` standard deviations, linear beyond.

    Huber 1964 (Ann. Math. Stat. 35, 73-101); for observations of the atmosphere Tavolato and Isaksen 2015 (Q. J. R.
    Meteorol. Soc. 141, 1514-1527), whose thresholds lie between 0.5 and 3 by kind of observation; one symmetric
    threshold here.
    """

    threshold: float = 2.5

    def __post_init__(self) -> None:
        if not self.threshold > 0.0:
            raise ConfigError(f"The threshold of the Huber norm must be positive; got {self.threshold}")

    def penalty(self, departure: np.ndarray) -> np.ndarray:
        """Penalty r^2/2 where |r| <= c, else c |r| - c^2/2."""
        size, c = np.abs(departure), self.threshold
        return np.where(size <= c, 0.5 * size**2, c * size - 0.5 * c**2)

    def weight(self, departure: np.ndarray) -> np.ndarray:
        """Weight min(1, c / |r|)."""
        return self.threshold / np.maximum(np.abs(departure), self.threshold)


def likelihood(name: str, threshold: float) -> Likelihood:
    """The likelihood called `huber` (with its threshold) or `none`.

    Raises:
        ConfigError: no such name.
    """
    if name == "huber":
        return Huber(threshold)
    if name == "none":
        return Gaussian()
    raise ConfigError(f"There is no robust likelihood {name!r}; known are huber, none")
