"""Bootstrap over groups: the station, or the block of the map, is drawn, with all its values.

Values of one sounding, or of neighbouring cells, are not independent; drawing single values would make intervals too
narrow. Whole groups are drawn with replacement and the percentiles of the statistic are taken.

Source: Efron and Tibshirani 1993, An Introduction to the Bootstrap, chapters 13 (percentile interval) and 8.6 (data
that come in groups); for blocks of a map Hall 1985, Stochastic Processes and their Applications 20, 231-246.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from kaiseki.config import Verification
from kaiseki.core.errors import InputError

DEFAULTS = Verification()
"""Settings of scores and bootstrap where the caller says nothing: those of an experiment that says nothing."""


@dataclass(frozen=True)
class Groups:
    """Which group each value belongs to, and how often each draw took each group.

    Attributes:
        index: (n,) number of the group of each value, 0 to `number` - 1.
        number: how many groups there are.
        weights: (samples, number) how often each group was drawn.
    """

    index: np.ndarray
    number: int
    weights: np.ndarray

    @classmethod
    def draw(cls, group: np.ndarray, samples: int = DEFAULTS.bootstrap_samples, seed: int = 1) -> Groups:
        """Groups of the values (n,) by any label, and `samples` draws of as many groups as there are.

        The draws depend on the seed and the number of groups only, and groups are numbered in the order of their
        labels, so that the order of the values does not matter.

        Raises:
            InputError: no values.
        """
        if group.size == 0:
            raise InputError("There are no values to draw from; an interval needs at least one")
        labels, index = np.unique(group, return_inverse=True)
        number = labels.size
        generator = np.random.default_rng(seed)
        weights = generator.multinomial(number, np.full(number, 1.0 / number), size=samples)
        return cls(index, number, weights.astype(float))

    def means(self, values: np.ndarray, weights: np.ndarray | None = None) -> np.ndarray:
        """Mean of `values` (n,) in every draw, (samples,); each value counts `weights` (n,), 1 without them."""
        measure = np.ones(values.size) if weights is None else weights
        size = np.bincount(self.index, measure, self.number)
        total = np.bincount(self.index, measure * values, self.number)
        count = self.weights @ size
        # A draw of groups without weight has no mean; percentiles leave it out.
        safe = np.where(count > 0.0, count, 1.0)
        return np.where(count > 0.0, (self.weights @ total) / safe, np.nan)


def interval(statistic: np.ndarray, confidence: float = DEFAULTS.confidence) -> tuple[float, float]:
    """Percentiles of a statistic over the draws that leave (1 - confidence) / 2 outside at either end."""
    tail = 50.0 * (1.0 - confidence)
    low, high = np.nanpercentile(statistic, [tail, 100.0 - tail])
    return float(low), float(high)
