"""Kriging of the fields at targets.

What could fail: a field lacks its amplitude, the uncertainty of the drift is left out or counted twice, the time or the
height does not matter. The whole is compared with a Gaussian process written down once more, densely, with the drift as
a part of its covariance.
"""

from dataclasses import replace

import numpy as np
import pytest

from kaiseki.precipitation.analysis import AnalysisSettings
from kaiseki.precipitation.analysis.covariance import Points
from kaiseki.precipitation.analysis.fitting import _coefficients
from kaiseki.precipitation.analysis.likelihood import iterate, observed
from kaiseki.precipitation.analysis.local import combine, solve
from kaiseki.precipitation.analysis.settings import Parameters

PARAMETERS = Parameters(
    np.array([[0.3, 0.2], [0.15, 0.4], [0.8, 0.6]]),
    np.array([20.0, 70.0]),
    np.array([[1.0, 1.5], [3.0, 2.0], [2.0, 0.5]]),
    np.array([0.2, 0.1]),
)
MEAN, SD = np.array([-0.2, 0.9]), np.array([0.3, 0.4])


def places(count: int, seed: int, spread: float = 400.0) -> Points:
    """Places with radar or without, at three times."""
    rng = np.random.default_rng(seed)
    seen = rng.random(count) < 0.7
    radar = rng.uniform(0.0, 2.0, count) * seen
    x = np.column_stack([rng.uniform(0.0, spread, (count, 2)), rng.uniform(0.0, 30.0, count)])
    amplitude = np.column_stack([np.ones(count), radar, 1.0 - seen])
    return Points(x, rng.integers(-1, 2, count).astype(float), amplitude, np.column_stack([np.ones(count), radar]))


def dense(one: Points, other: Points) -> np.ndarray:
    """Covariance with the drift in it, element by element."""
    total = np.empty((one.size, other.size))
    for a in range(one.size):
        for b in range(other.size):
            distance = np.sqrt(((one.x[a] - other.x[b]) ** 2).sum())
            value = (SD**2 * one.drift[a] * other.drift[b]).sum()
            for field in range(3):
                for number in range(2):
                    lost = np.exp(-abs(one.hours[a] - other.hours[b]) / PARAMETERS.hours[field, number])
                    u = np.sqrt(3.0) * distance / PARAMETERS.ranges[number]
                    value += (
                        one.amplitude[a, field]
                        * other.amplitude[b, field]
                        * PARAMETERS.sd[field, number] ** 2
                        * (1.0 + u)
                        * np.exp(-u)
                        * lost
                    )
            total[a, b] = value
    return total


def test_mean_and_variance_are_those_of_a_dense_gaussian_process():
    points, targets = replace(places(35, 1), hours=np.zeros(35)), places(20, 2)
    z = np.random.default_rng(3).uniform(1.0, 3.0, 35)
    one = observed(points, z, np.ones(35, bool), np.full(35, 0.02), np.ones(35, bool), MEAN)
    one = iterate(one, PARAMETERS, MEAN, np.inf, 4)
    drift, covariance = _coefficients(one, [np.arange(35)], PARAMETERS, MEAN, SD)
    residual = (one.value - points.drift @ drift)[:, None]
    fields = solve(targets, one, PARAMETERS, [0, 1, 2], residual)
    mean, variance, share = combine(
        fields, targets.amplitude.T, targets.drift.T, drift, covariance, PARAMETERS.variance
    )
    distance = np.sqrt(((points.x[:, None] - points.x) ** 2).sum(axis=2))
    gauges = dense(points, points) + np.diag(one.variance)
    near = (distance < 10.0) & ~np.eye(35, dtype=bool) & (points.hours[:, None] == points.hours)
    gauges += np.where(near, 0.75 * np.exp(-distance / 2.0) * np.sqrt(np.outer(one.base, one.base)), 0.0)
    across = dense(targets, points)
    weights = np.linalg.solve(gauges, across.T).T
    np.testing.assert_allclose(mean, targets.drift @ MEAN + weights @ (z - points.drift @ MEAN), atol=1e-6)
    np.testing.assert_allclose(variance, np.diag(dense(targets, targets)) - (weights * across).sum(axis=1), atol=1e-6)
    assert ((share >= 0.0) & (share <= 1.0)).all()


def test_far_from_gauges_there_is_the_drift_alone():
    points = places(10, 1)
    far = places(5, 2)
    far = Points(far.x + 1e5, far.hours, far.amplitude, far.drift)
    one = observed(points, np.ones(10), np.ones(10, bool), np.full(10, 0.02), np.ones(10, bool), MEAN)
    one = iterate(one, PARAMETERS, MEAN, np.inf, 2)
    fields = solve(far, one, PARAMETERS, [0, 1, 2], one.value[:, None])
    mean, variance, share = combine(fields, far.amplitude.T, far.drift.T, MEAN, np.diag(SD**2), PARAMETERS.variance)
    np.testing.assert_allclose(mean, far.drift @ MEAN, atol=1e-9)
    expected = far.amplitude**2 @ PARAMETERS.variance + far.drift**2 @ SD**2
    np.testing.assert_allclose(variance, expected, atol=1e-9)
    np.testing.assert_allclose(share, 0.0, atol=1e-9)


@pytest.mark.parametrize("samples", [0, 2])
def test_no_gauge_near_gives_nothing(samples):
    points = places(4, 1)
    one = observed(points, np.ones(4), np.ones(4, bool), np.ones(4), np.ones(4, bool), MEAN)
    none = one.some(np.empty(0, int))
    fields = solve(points, none, PARAMETERS, [0, 1], np.empty((0, 1 + samples)))
    assert fields.samples.shape == (samples, 3, 4)
    assert not fields.mean.any()
    assert AnalysisSettings().samples == 0
