"""Two experiments on the same observations: the ratio of their rms with a bootstrap interval, and what may be said.

The draws take the same stations for both, so that what makes a day easy or hard for both does not widen the interval.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from kaiseki.core.errors import InputError
from kaiseki.verification.bootstrap import CONFIDENCE, SAMPLES, Groups, interval

MINIMUM_COUNT = 15
"""Smallest number of values from which a verdict is drawn."""


@dataclass(frozen=True)
class Comparison:
    """Ratio of the rms of an experiment to that of a baseline on the same `n` values, with its interval."""

    n: int
    ratio: float
    low: float
    high: float

    @property
    def reduction(self) -> float:
        """Part by which the rms of the baseline is reduced, 1 - ratio."""
        return 1.0 - self.ratio


def compare(
    experiment: np.ndarray,
    baseline: np.ndarray,
    group: np.ndarray,
    *,
    weights: np.ndarray | None = None,
    samples: int = SAMPLES,
    confidence: float = CONFIDENCE,
    seed: int = 1,
) -> Comparison:
    """Ratio of two rms.

    Args:
        experiment, baseline: departures from the same values, (n,) or (n, components).
        group: label of the group (station, block) of each value, (n,).
        weights: how much each value counts, (n,); 1 without them.
        samples: draws.
        confidence: coverage of the interval.
        seed: seed of the draws.

    Raises:
        InputError: no values, different shapes, or a baseline without error.
    """
    if experiment.shape != baseline.shape or len(group) != len(experiment):
        raise InputError(
            f"A paired comparison needs the same values on both sides; got {experiment.shape} and {baseline.shape}"
        )
    groups = Groups.draw(group, samples, seed)
    one, other = (np.square(values.reshape(len(values), -1)).sum(axis=1) for values in (experiment, baseline))
    below = np.average(other, weights=weights)
    if below == 0.0:
        raise InputError("The baseline has no error at all, so that nothing can be compared with it")
    first, second = groups.means(one, weights), groups.means(other, weights)
    drawn = np.sqrt(first / np.where(second > 0.0, second, np.nan))
    low, high = interval(drawn, confidence)
    return Comparison(len(experiment), float(np.sqrt(np.average(one, weights=weights) / below)), low, high)


def verdict(comparison: Comparison, minimum: int = MINIMUM_COUNT) -> str:
    """ "better", "worse" or "no difference shown" (the interval holds 1); "too few" below `minimum` values."""
    if comparison.n < minimum:
        return "too few"
    if comparison.high < 1.0:
        return "better"
    return "worse" if comparison.low > 1.0 else "no difference shown"
