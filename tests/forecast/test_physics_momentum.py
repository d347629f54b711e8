"""Momentum of the columns while water moves in them.

Failure modes: mass that falls out leaves its momentum behind and speeds up the air that is left; mass that arrives
slows it down; a uniform wind does not stay uniform; mixing of vapour makes momentum.
"""

from __future__ import annotations

import dataclasses

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from forecast.test_physics_model import double
from kaiseki.forecast.dynamics.metrics import Metrics
from kaiseki.forecast.linear.simplified_physics import RegularPhysics, regular_physics
from kaiseki.forecast.physics import Physics
from kaiseki.forecast.physics.driver import condense, tendencies
from kaiseki.forecast.physics.surface import Surface
from kaiseki.forecast.state import State

DT = 300.0


def faces(a: jax.Array, axis: int) -> np.ndarray:
    """Means of neighbouring cells on the inner faces."""
    wide = np.moveaxis(np.asarray(a), axis, -1)
    return np.moveaxis(0.5 * (wide[..., 1:] + wide[..., :-1]), -1, axis)


def inner(a: jax.Array, axis: int) -> np.ndarray:
    return np.take(np.asarray(a), range(1, a.shape[axis] - 1), axis)


def wind(state: State, metrics: Metrics, axis: int) -> np.ndarray:
    """Wind on the inner faces along an axis (1: v, 2: u), m/s."""
    flux, factor = (state.rv, metrics.map_v) if axis == 1 else (state.ru, metrics.map_u)
    mass = metrics.volume * metrics.rho_ref + state.drho
    return inner(flux, axis) / (faces(mass, axis) * inner(factor[None], axis))


def uniform(state: State, metrics: Metrics, u: float, v: float) -> State:
    mass = metrics.volume * metrics.rho_ref + state.drho
    ru, rv = np.array(state.ru), np.array(state.rv)
    ru[:, :, 1:-1] = u * faces(mass, 2) * np.asarray(metrics.map_u)[:, 1:-1]
    rv[:, 1:-1] = v * faces(mass, 1) * np.asarray(metrics.map_v)[1:-1]
    return dataclasses.replace(state, ru=jnp.asarray(ru), rv=jnp.asarray(rv))


@pytest.mark.parametrize("warm", [False, True])
def test_rain_takes_its_momentum_out_at_the_ground(x64: None, warm: bool) -> None:
    """A column loses what its precipitation has in the lowest wind, nothing else."""
    _, model, state, _ = double(0.5)
    physics = Physics(warm_rain=warm, radiation=False)
    if warm:
        state = dataclasses.replace(state, water=state.water[: physics.categories].at[2].set(1e-4))
    new = condense(state, model.metrics, physics, DT)
    rain = model.metrics.area * new.precipitation
    assert float(rain.max()) > 0.01
    for axis, before, after in ((2, state.ru, new.ru), (1, state.rv, new.rv)):
        lost = inner(jnp.sum(before - after, axis=0)[None], axis)[0]
        factor = inner((model.metrics.map_v if axis == 1 else model.metrics.map_u)[None], axis)[0]
        expected = factor * faces(rain[None], axis)[0] * wind(state, model.metrics, axis)[0]
        np.testing.assert_allclose(lost, expected, rtol=1e-8, atol=1e-9 * np.abs(expected).max())


def test_a_uniform_wind_stays_while_rain_falls(x64: None) -> None:
    _, model, state, _ = double(0.5)
    state = uniform(state, model.metrics, 30.0, -20.0)
    assert model.physics is not None
    new = condense(state, model.metrics, model.physics, DT)
    assert float(jnp.max(jnp.abs(new.drho - state.drho))) > 0.01
    for axis, expected in ((2, 30.0), (1, -20.0)):
        found = wind(new, model.metrics, axis)
        np.testing.assert_allclose(found, expected, rtol=1e-12)


def test_rain_slows_what_it_falls_into_from_calm_air(x64: None) -> None:
    """A layer that receives water from a layer at rest keeps its momentum, so its wind falls as its mass grows."""
    _, model, state, c = double(0.5)
    state = uniform(state, model.metrics, 30.0, 0.0)
    calm = c.height > 3000.0
    ru = jnp.where((calm[:, :, 1:] | calm[:, :, :-1]), 0.0, state.ru[:, :, 1:-1])
    state = dataclasses.replace(state, ru=state.ru.at[:, :, 1:-1].set(ru))
    assert model.physics is not None
    new = condense(state, model.metrics, model.physics, DT)
    column = (slice(None), 2, 2)
    first = int(np.argmax(wind(state, model.metrics, 2)[column] == 0.0)) - 1
    mass = [faces(model.metrics.volume * model.metrics.rho_ref + s.drho, 2)[column] for s in (state, new)]
    arrived = (mass[1] - mass[0])[first + 1 :].sum()  # what the layers above have lost came here
    assert arrived < 0.0
    expected = 30.0 * (1.0 + arrived / mass[1][first])
    assert wind(new, model.metrics, 2)[column][first] == pytest.approx(expected, rel=1e-9)


def test_turbulence_hands_momentum_on(x64: None) -> None:
    """Over frictionless ground that gives vapour the column keeps its momentum while vapour is mixed."""
    _, model, state, _ = double(0.0)
    physics = Physics(surface=False, soil=False, radiation=False)
    assert model.site is not None
    assert isinstance(state.surface, Surface)
    slow, source, _ = tendencies(state, model.metrics, model.site, physics, DT)
    moved = float(jnp.max(jnp.abs(source[0])))
    assert moved > 0.0
    for axis, push in ((2, slow.ru), (1, slow.rv)):
        size = np.abs(inner(push, axis)).sum(axis=0).max()
        assert np.abs(inner(jnp.sum(push, axis=0)[None], axis)).max() < 1e-12 * size


def test_the_linear_model_follows(x64: None) -> None:
    """Vapour that condenses and falls out in the linear model takes its momentum along."""
    domain, model, state, _ = double(0.0)
    state = uniform(state, model.metrics, 30.0, -20.0)
    land = jnp.asarray(domain.land_fraction)
    slow, _ = regular_physics(state, land, model.metrics, RegularPhysics(mixing=False), DT)
    assert float(jnp.min(slow.drho)) < 0.0
    after = dataclasses.replace(
        state, ru=state.ru + DT * slow.ru, rv=state.rv + DT * slow.rv, drho=state.drho + DT * slow.drho
    )
    for axis, expected in ((2, 30.0), (1, -20.0)):
        found = wind(after, model.metrics, axis)
        np.testing.assert_allclose(found, expected, rtol=1e-12)
