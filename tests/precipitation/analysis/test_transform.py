"""The power transform.

What could fail: the mean of the back-transform, its tails, quantiles out of order, amounts from nothing.
"""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.integrate import quad
from scipy.stats import norm

from kaiseki.precipitation.analysis.transform import PowerTransform

TRANSFORMS = {exponent: PowerTransform(exponent) for exponent in (0.3, 0.5)}


@pytest.mark.parametrize("exponent", [0.3, 0.4, 0.5, 1.0])
def test_mean_is_the_integral(exponent):
    transform = PowerTransform(exponent)
    for z, sd in ((1.0, 0.3), (0.0, 0.5), (-0.8, 0.4), (4.0, 0.2), (2.0, 1.5)):
        low, high = max(z - 10.0 * sd, 0.0), z + 10.0 * sd
        expected = quad(lambda n, z=z, sd=sd: n ** (1.0 / exponent) * norm.pdf(n, z, sd), low, high)[0]
        found = transform.mean(np.array([z]), np.array([sd]))[0]
        assert abs(found - expected) < 1e-4 * max(expected, 1e-2)


@given(st.floats(-3.0, 8.0), st.floats(0.01, 2.0), st.sampled_from([0.3, 0.5]))
def test_quantiles_rise_and_nothing_is_negative(z, sd, exponent):
    transform = TRANSFORMS[exponent]
    mean, spread = np.array([z]), np.array([sd])
    quantiles = [transform.quantile(level, mean, spread)[0] for level in (0.1, 0.5, 0.9)]
    assert 0.0 <= quantiles[0] <= quantiles[1] <= quantiles[2]
    assert transform.mean(mean, spread)[0] >= 0.0
    assert 0.0 <= transform.exceedance(0.5, mean, spread)[0] <= 1.0


@given(st.floats(1e-3, 500.0), st.sampled_from([0.3, 0.5, 1.0]))
def test_there_and_back(amount, exponent):
    transform = PowerTransform(exponent)
    one = np.array([amount])
    np.testing.assert_allclose(transform.inverse(transform.forward(one)), one, rtol=1e-10)
    slope = (transform.forward(one * 1.0001) - transform.forward(one * 0.9999)) / (2e-4 * one)
    np.testing.assert_allclose(transform.slope(one), slope, rtol=1e-5)
