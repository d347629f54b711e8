"""Tangent-linear and adjoint models against each other and against the forecast."""

from __future__ import annotations

import dataclasses

import jax
import numpy as np
import pytest
from validation.idealised import at_rest, stretched_levels

from kaiseki.assimilation.inner import parameters_on
from kaiseki.forecast.linear.forecast import Energy, LinearModel, Perturbation, plain_product
from kaiseki.forecast.model import Model, default_parameters
from kaiseki.forecast.reference import ReferenceProfile
from kaiseki.grid.coarsening import Coarsening
from kaiseki.grid.plane import plane
from kaiseki.grid.presets import preset
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


@pytest.mark.parametrize("dt", [100.0, 300.0])
def test_diffusion_of_a_shear_does_not_depend_on_the_step(x64: None, dt: float) -> None:
    """u = sin(k y) on a plane without rotation is steady but for the diffusion: exp(-K (2 sin(k dy / 2))^4 t)."""
    n, spacing = 8, 60_000.0
    domain = plane(np.zeros((n, n)), stretched_levels(6, 12_000.0, 1.1), spacing)
    p = dataclasses.replace(default_parameters(spacing, lateral="periodic"), time_step=dt, diffusion_time=300.0)
    reference = ReferenceProfile()
    model = Model.make(domain, reference, p, dtype=np.float64)
    fields = at_rest(domain, reference.temperature)
    wave = np.sin(2.0 * np.pi * np.arange(n) / n)[None, :, None]
    fields["u"] = fields["u"] + 0.1 * wave
    end = model.atmosphere(model.advance(model.start(fields), None, 3.0 * 3600.0))
    left = float(np.mean(np.asarray(end.u) * wave) / np.mean(0.1 * wave**2))
    expected = np.exp(-p.momentum_diffusion / 300.0 * (2.0 * np.sin(np.pi / n)) ** 4 * 3.0 * 3600.0)
    assert left == pytest.approx(expected, rel=0.01)


def test_diffusion_of_the_inner_model_follows_from_its_grid_alone() -> None:
    coarsening = Coarsening.build(preset("japan-60km"), 2)
    found = [
        parameters_on(coarsening, dataclasses.replace(default_parameters(60_000.0), time_step=dt), 2, 3600.0)
        for dt in (60.0, 300.0)
    ]
    assert found[0].dt < found[1].dt
    assert found[0].diffusion_time == found[1].diffusion_time
