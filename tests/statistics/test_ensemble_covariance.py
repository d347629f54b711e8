"""Localised covariances of ensembles against the covariance of the sample, and joined with the static one."""

from __future__ import annotations

import jax.numpy as jnp
import numpy as np
import pytest

from assimilation import worlds
from kaiseki.core.errors import ConfigError
from kaiseki.diagnostics.standard_atmosphere import standard_log_pressure
from kaiseki.grid.coarsening import Coarsening
from kaiseki.statistics import ANALYSIS_VARIABLES
from kaiseki.statistics.ensemble_covariance import GAUSSIAN, hybrid, of_ensemble

pytestmark = pytest.mark.usefixtures("x64")

GRID = worlds.domain(ny=12, nx=14, nz=6)
COARSE = Coarsening.build(GRID, 2)
WIDE = 1e9
"""m: a localisation that takes nothing away."""


def members(number: int, fields: int, shape: tuple[int, int, int], seed: int = 0) -> np.ndarray:
    drawn = np.random.default_rng(seed).standard_normal((number, fields, *shape))
    return drawn - drawn.mean(axis=0)


def test_without_localisation_it_is_the_covariance_of_the_sample() -> None:
    x = members(5, 2, COARSE.coarse.shape)
    covariance = of_ensemble(COARSE.coarse, x, WIDE, WIDE)
    assert covariance.control_size == 5
    flat = x.reshape(5, -1)
    unit = np.random.default_rng(1).standard_normal(flat.shape[1])
    found = covariance.sqrt(covariance.sqrt_transpose(jnp.asarray(unit.reshape(x.shape[1:]))))
    np.testing.assert_allclose(np.ravel(found), flat.T @ (flat @ unit) / 4.0, rtol=1e-9, atol=1e-9)


def test_localisation_multiplies_the_covariance_of_the_sample_by_a_correlation_of_distance() -> None:
    length, depth = 700e3, 0.8
    grid = COARSE.coarse
    x = members(6, 1, grid.shape)
    covariance = of_ensemble(grid, x, length, depth)
    unit = np.zeros(x.shape[1:])
    k, j, i = 2, 3, 2
    unit[0, k, j, i] = 1.0
    found = np.asarray(covariance.sqrt(covariance.sqrt_transpose(jnp.asarray(unit))))[0]
    sample = np.einsum("nkji,n->kji", x[:, 0], x[:, 0, k, j, i]) / 5.0
    middle = grid.map_factor[grid.ny // 2, grid.nx // 2]
    log_pressure = standard_log_pressure(grid.zeta)
    distance = ((grid.x - grid.x[i]) / middle / length) ** 2 + ((grid.y - grid.y[j]) / middle / length)[:, None] ** 2
    upwards = ((log_pressure - log_pressure[k]) / depth) ** 2
    taper = np.exp(-0.5 / GAUSSIAN**2 * (distance + upwards[:, None, None]))
    # One hundredth of the variance in each direction is left out of the square root.
    np.testing.assert_allclose(found, taper * sample, atol=0.05 * np.abs(sample).max())
    assert found[k, j, i] == pytest.approx(sample[k, j, i], rel=1e-9)


@pytest.mark.parametrize("share", [0.0, 0.3, 1.0])
def test_the_hybrid_is_the_sum_of_both_and_has_an_exact_transpose(share: float) -> None:
    fields = worlds.lapsing(GRID)
    static = worlds.covariance(GRID, fields)
    ensemble = of_ensemble(COARSE.coarse, members(4, len(ANALYSIS_VARIABLES), COARSE.coarse.shape), 600e3, 0.7)
    joined = hybrid(static, ensemble, share, COARSE)
    random = np.random.default_rng(2)
    v = random.standard_normal(joined.control_size)
    found = joined.sqrt(jnp.asarray(v))
    first = static.sqrt(jnp.asarray(v[: static.control_size]))
    second = COARSE.refine(np.asarray(ensemble.sqrt(jnp.asarray(v[static.control_size :]))))
    for number, name in enumerate(ANALYSIS_VARIABLES):
        expected = np.sqrt(1 - share) * np.asarray(first[name])
        expected = expected + np.sqrt(share) * second[number] * np.asarray(static.balance.mask)
        np.testing.assert_allclose(found[name], expected, rtol=1e-8, atol=1e-10)
    other = {name: random.standard_normal(GRID.shape) for name in ANALYSIS_VARIABLES}
    back = joined.sqrt_transpose({name: jnp.asarray(field) for name, field in other.items()})
    forward = sum(float(np.vdot(np.asarray(found[name]), other[name])) for name in ANALYSIS_VARIABLES)
    assert forward == pytest.approx(float(v @ np.asarray(back)), rel=1e-10)


def test_what_makes_no_sense_is_refused() -> None:
    with pytest.raises(ConfigError, match="two members"):
        of_ensemble(COARSE.coarse, np.zeros((1, 5, *COARSE.coarse.shape)), 1e5, 1.0)
    static = worlds.covariance(GRID, worlds.lapsing(GRID))
    ensemble = of_ensemble(COARSE.coarse, members(3, 5, COARSE.coarse.shape), 1e6, 1.0)
    with pytest.raises(ConfigError, match="share"):
        hybrid(static, ensemble, 1.5, COARSE)
