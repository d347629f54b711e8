"""Draws of random fields.

What could fail: the covariance of the draws is not that asked for, in the map or across heights, or memory in time.
"""

import numpy as np

from kaiseki.precipitation.analysis.sampling import Box, prior_draws
from kaiseki.precipitation.analysis.settings import Parameters


def matern(distance: np.ndarray, length: float) -> np.ndarray:
    """Matern 3/2 correlation."""
    u = np.sqrt(3.0) * distance / length
    return (1.0 + u) * np.exp(-u)


def test_covariance_of_draws():
    rng = np.random.default_rng(1)
    box = Box.around(np.array([[0.0, 0.0, 0.0], [60.0, 40.0, 0.0]]), 4.0, 30.0)
    assert box.shape[0] == 1
    draws = np.array([box.draw(np.array([0.6, 0.8]), np.array([10.0, 30.0]), rng)[0] for _ in range(400)])
    for step in (0, 2, 5, 10):
        shifted = np.roll(draws, -step, axis=2)
        expected = 0.36 * matern(4.0 * step, 10.0) + 0.64 * matern(4.0 * step, 30.0)
        assert abs((draws * shifted).mean() - expected) < 0.03
        assert abs((draws * np.roll(draws, -step, axis=1)).mean() - expected) < 0.03


def test_covariance_across_heights_and_in_time():
    rng = np.random.default_rng(2)
    targets = np.array([[20.0, 20.0, 0.0], [20.0, 20.0, 24.0], [44.0, 20.0, 0.0]])
    gauges, hours = np.repeat(targets[:1], 2, axis=0), np.array([-1.0, 0.0])
    parameters = Parameters(np.array([[1.0], [0.0], [0.0]]), np.array([30.0]), np.full((3, 1), 2.0), np.full(2, 0.1))
    box = Box.around(np.concatenate([targets, [[0.0, 0.0, 0.0]]]), 6.0, 30.0)
    drawn = []
    for _ in range(1500):
        at_targets, at_gauges = prior_draws(box, targets, gauges, hours, parameters, rng)
        drawn.append(np.concatenate([at_targets[0], at_gauges[0]]))
    covariance = np.cov(np.array(drawn).T)
    apart = matern(24.0, 30.0)
    # Linear interpolation between points of the box takes a few per cent of the variance.
    np.testing.assert_allclose(np.diag(covariance), 1.0, atol=0.15)
    assert abs(covariance[0, 1] - apart) < 0.1
    assert abs(covariance[0, 2] - apart) < 0.1
    assert abs(covariance[0, 3] - np.exp(-0.5)) < 0.1
    assert abs(covariance[0, 4] - covariance[0, 0]) < 1e-9
