"""Tangent-linear and adjoint models against each other and against the forecast."""

from __future__ import annotations

import jax
import numpy as np

from kaiseki.forecast.linear.forecast import Energy, LinearModel, Perturbation, plain_product
from validation import derivatives


def test_dot_product_and_taylor_over_a_window(x64: None) -> None:
    """A dozen steps over a mountain in double precision; the window of 3 h and single precision are in the study."""
    assert derivatives.dot_product(n=8, nz=10, hours=12 * 100.0 / 3600.0) < 1e-12
    steps = (1.0, 1e-1, 1e-2, 1e-3)
    errors = derivatives.taylor(n=8, nz=10, hours=12 * 100.0 / 3600.0, steps=steps)
    order = np.polyfit(np.log(steps[1:]), np.log(errors[1:]), 1)[0]
    assert 0.9 < order < 1.1, errors


def test_the_energy_is_a_norm_of_wind_pressure_and_temperature(x64: None) -> None:
    model, state = derivatives.moist_wind(6, 8, 20000.0, np.float64)
    energy = Energy(state, model)
    a, b = (derivatives.perturbation(model, state, seed) for seed in (1, 2))
    assert abs(energy.product(a, b) - energy.product(b, a)) < 1e-12 * energy.norm(a) * energy.norm(b)
    # 1 m/s of wind everywhere has half a joule per kilogram.
    mass = np.asarray(model.metrics.volume * model.metrics.rho_ref + state.drho)
    zero = jax.tree.map(lambda x: np.zeros(x.shape), a)
    momentum = np.concatenate([mass, mass[..., -1:]], axis=-1)
    momentum = 0.5 * (momentum + np.concatenate([mass[..., :1], mass], axis=-1))
    breeze = Perturbation(momentum, *jax.tree.leaves(zero)[1:])
    np.testing.assert_allclose(energy.product(breeze, breeze), 0.5 * momentum.sum(), rtol=1e-12)
    assert plain_product(energy.weighted(a), a) > 0.0


def test_the_forecast_of_the_linear_model_is_the_models_where_nothing_is_limited(x64: None) -> None:
    model, state = derivatives.moist_wind(6, 8, 20000.0, np.float64)
    linear = LinearModel.make(model, None, 400.0)
    ours, theirs = linear.forecast(state), model.advance(state, None, 400.0)
    assert int(ours.time) == int(theirs.time)
    np.testing.assert_allclose(np.asarray(ours.ru), np.asarray(theirs.ru), rtol=1e-11, atol=1e-8)
