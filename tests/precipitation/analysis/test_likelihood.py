"""Pseudo-observations for the likelihood of gauges.

What could fail: the weights are not those of a t distribution, a dry gauge moves the field where it is dry anyway, the
moments of a bounded field are wrong.
"""

import numpy as np
from scipy.integrate import quad
from scipy.stats import norm

from kaiseki.precipitation.analysis.covariance import Points, of_signal
from kaiseki.precipitation.analysis.likelihood import iterate, observed
from kaiseki.precipitation.analysis.settings import Parameters

PARAMETERS = Parameters(np.array([[0.5], [0.2], [0.3]]), np.array([30.0]), np.ones((3, 1)), np.array([0.15, 0.0]))


def one_gauge(z: float, wet: bool, drift: float) -> tuple[Points, object]:
    """A gauge, with an additive field alone."""
    points = Points(np.zeros((1, 3)), np.zeros(1), np.array([[1.0, 0.0, 0.0]]), np.ones((1, 1)))
    given = np.array([z]), np.array([wet]), np.zeros(1), np.ones(1, bool), np.array([drift])
    return points, iterate(observed(points, *given), PARAMETERS, np.array([drift]), 1e9, 40)


def moments(value: float, variance: float, drift: float) -> tuple[float, float]:
    """Mean and variance of z given the pseudo-observation."""
    gain = 0.25 / (0.25 + variance)
    return drift + gain * (value - drift), 0.25 * (1.0 - gain)


def test_a_dry_gauge_leaves_the_moments_of_the_tobit_likelihood():
    for drift, bound in ((0.5, 0.2), (-0.1, 0.2), (0.2, 0.05)):
        _, one = one_gauge(bound, False, drift)

        def density(z: float, drift: float = drift, bound: float = bound) -> float:
            return norm.pdf(z, drift, 0.5) * norm.cdf((bound - z) / 0.15)

        total, first, second = (quad(lambda z, k=k, p=density: z**k * p(z), -4.0, 4.0)[0] for k in range(3))
        found = moments(one.value[0], one.variance[0], drift)
        # The t weight of a bound that the mean exceeds widens the error a little.
        np.testing.assert_allclose(found, (first / total, second / total - (first / total) ** 2), atol=2e-3)


def test_a_dry_gauge_where_it_is_dry_anyway_says_nothing():
    _, one = one_gauge(0.2, False, -5.0)
    assert abs(moments(one.value[0], one.variance[0], -5.0)[0] + 5.0) < 1e-4


def test_an_outlier_gets_a_small_weight_and_moves_little():
    rng = np.random.default_rng(0)
    x = np.column_stack([rng.uniform(0.0, 60.0, (40, 2)), np.zeros(40)])
    points = Points(x, np.zeros(40), np.column_stack([np.ones(40), np.zeros((40, 2))]), np.ones((40, 1)))
    field = np.linalg.cholesky(of_signal(points, PARAMETERS) + 1e-9 * np.eye(40)) @ rng.standard_normal(40)
    z = 2.0 + field + 0.15 * rng.standard_normal(40)
    z[5] += 6.0
    given = z, np.ones(40, bool), np.zeros(40), np.ones(40, bool), np.array([2.0])
    robust = iterate(observed(points, *given), PARAMETERS, np.array([2.0]), 4.0, 20)
    normal = iterate(observed(points, *given), PARAMETERS, np.array([2.0]), np.inf, 20)
    assert robust.weight[5] < 0.02
    assert np.median(robust.weight) > 0.8
    truth = 2.0 + field
    assert np.abs(robust.estimate - truth)[5] < 0.2 * np.abs(normal.estimate - truth)[5]
