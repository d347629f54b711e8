"""Parameters of the covariances from gauges.

What could fail: the gradient is wrong, so that the search stops early; the likelihood differs from that of a Gaussian
process written down plainly; a dry network runs to long ranges and large errors.
"""

import numpy as np
from scipy.stats import multivariate_normal

from kaiseki.precipitation.analysis import AnalysisSettings
from kaiseki.precipitation.analysis.covariance import Points
from kaiseki.precipitation.analysis.fitting import _Block, cut, fit
from kaiseki.precipitation.analysis.likelihood import Observed, iterate, observed
from kaiseki.precipitation.analysis.settings import Parameters, prior

MEAN, SD = np.array([-0.2, 0.9]), np.array([0.2, 0.4])


def network(count: int, seed: int = 1, wet: float = 0.7, size: float = 100.0, times: int = 2) -> Observed:
    """Gauges of a slope 0.9 on the radar with noise."""
    rng = np.random.default_rng(seed)
    x = np.column_stack([rng.uniform(0.0, size, (count, 2)), np.zeros(count)])
    radar = np.abs(rng.standard_normal(count)) * (rng.random(count) < wet)
    amplitude = np.column_stack([np.ones(count), radar, np.zeros(count)])
    drift = np.column_stack([np.ones(count), radar])
    z = -0.2 + 0.9 * radar + 0.2 * rng.standard_normal(count)
    points = Points(x, rng.integers(0, times, count).astype(float), amplitude, drift)
    dry = z < 0.2
    return observed(points, np.where(dry, 0.2, z), ~dry, np.full(count, 1e-3), ~dry | (radar > 0.0), MEAN)


def test_gradient_of_the_likelihood():
    settings = AnalysisSettings()
    one = iterate(network(40, size=20.0), prior(settings), MEAN, 4.0, 3)
    block = _Block(one, MEAN, SD)
    rng = np.random.default_rng(0)
    start = prior(settings)
    at = start.to_vector() + 0.3 * rng.standard_normal(start.to_vector().size)
    gradient = block.cost(start.from_vector(at))[1]
    for number in range(at.size):
        step = 1e-5 * np.eye(at.size)[number]
        ahead, behind = (block.cost(start.from_vector(at + sign * step))[0] for sign in (1.0, -1.0))
        assert abs(gradient[number] - (ahead - behind) / 2e-5) < 1e-5 * max(1.0, abs(gradient[number]))


def test_likelihood_is_that_of_a_gaussian_process():
    """Written down again, with scipy's density: all wet, no weights, gauges far apart."""
    rng = np.random.default_rng(4)
    count = 30
    x = np.column_stack([50.0 * rng.permutation(count), np.zeros((count, 2))])
    radar = rng.uniform(0.5, 2.0, count)
    z = 3.0 + rng.standard_normal(count)
    points = Points(
        x,
        np.zeros(count),
        np.column_stack([np.ones(count), radar, np.zeros(count)]),
        np.column_stack([np.ones(count), radar]),
    )
    one = observed(points, z, np.ones(count, bool), np.full(count, 0.01), np.ones(count, bool), MEAN)
    parameters = Parameters(
        np.array([[0.3, 0.2], [0.1, 0.4], [1.0, 1.0]]), np.array([30.0, 90.0]), np.ones((3, 2)), np.array([0.2, 0.1])
    )
    one = iterate(one, parameters, MEAN, np.inf, 3)
    covariance = np.diag(0.2**2 + (0.1 * one.estimate) ** 2 + 0.01)
    covariance += SD[0] ** 2 + SD[1] ** 2 * np.outer(radar, radar)
    for a in range(count):
        for b in range(count):
            u = np.sqrt(3.0) * abs(x[a, 0] - x[b, 0]) / np.array([30.0, 90.0])
            k = (1.0 + u) * np.exp(-u)
            covariance[a, b] += 0.09 * k[0] + 0.04 * k[1] + radar[a] * radar[b] * (0.01 * k[0] + 0.16 * k[1])
    expected = -multivariate_normal(MEAN[0] + MEAN[1] * radar, covariance).logpdf(z)
    value = _Block(one, MEAN, SD).cost(parameters)[0]
    assert abs(value - expected + 0.5 * count * np.log(2.0 * np.pi)) < 1e-8


def test_a_dry_network_keeps_the_parameters_in_bounds():
    """The guards: 95 % dry gauges leave ranges and errors near where a wet network has them."""
    few_wet = network(400, wet=0.05, size=600.0, times=1)
    found = fit(few_wet, MEAN, SD, AnalysisSettings()).parameters
    middle = prior(AnalysisSettings())
    assert found.ranges[0] < 3.0 * middle.ranges[0]
    assert found.noise[0] < 3.0 * middle.noise[0]
    assert found.noise[0] ** 2 < 12.0 * found.variance[0]
    assert not few_wet.active.all()


def test_dry_gauges_far_from_rain_change_no_parameter():
    """The active set: a thousand more of them give the same parameters."""
    near = network(60, times=1)
    far = network(250, seed=2, wet=0.0, times=1)
    far = far.some(np.flatnonzero(~far.wet)[:200])
    points = Points(
        np.concatenate([near.points.x, far.points.x + 5000.0]),
        np.zeros(260),
        np.concatenate([near.points.amplitude, far.points.amplitude]),
        np.concatenate([near.points.drift, far.points.drift]),
    )
    parts = [np.concatenate([getattr(near, name), getattr(far, name)]) for name in ("z", "wet", "instrument", "active")]
    both = observed(points, parts[0], parts[1], parts[2], parts[3], MEAN)
    alone, together = (fit(one, MEAN, SD, AnalysisSettings()).parameters for one in (near, both))
    np.testing.assert_allclose(together.to_vector(), alone.to_vector(), atol=0.05)


def test_blocks_hold_every_value_once():
    one = network(900, times=1)
    blocks = cut(one, 500)
    assert len(blocks) > 1
    assert max(map(len, blocks)) <= 350
    np.testing.assert_array_equal(np.sort(np.concatenate(blocks)), np.arange(900))
    assert [len(part) for part in cut(one, 900)] == [900]
