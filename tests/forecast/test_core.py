"""The dynamical core: rest, conservation, advection, acoustic balance, reversal."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from jax import Array
from validation.idealised import bell, stretched_levels

from kaiseki.forecast.convert import to_atmosphere, to_state
from kaiseki.forecast.dynamics.advection import koren, upwind3
from kaiseki.forecast.dynamics.edges import Edges
from kaiseki.forecast.dynamics.metrics import Metrics, make_metrics
from kaiseki.forecast.dynamics.parameters import DynamicsParameters
from kaiseki.forecast.dynamics.step import dynamics_step, no_forcing
from kaiseki.forecast.fields import Atmosphere
from kaiseki.forecast.filter import filter_response, filter_weights
from kaiseki.forecast.reference import ReferenceProfile
from kaiseki.forecast.state import State
from kaiseki.grid.plane import Plane, plane
from validation import idealised

REFERENCE = ReferenceProfile()
PERIODIC = Edges(periodic=True)


def at_rest(ground: Plane, temperature: Callable[[np.ndarray], np.ndarray]) -> Atmosphere:
    return Atmosphere.from_dict(idealised.at_rest(ground, temperature))


@partial(jax.jit, static_argnames=("p",))
def _run(state: State, metrics: Metrics, p: DynamicsParameters, steps: Array | int, sign: Array | float) -> State:
    forcing, water = no_forcing(state)
    return jax.lax.fori_loop(0, steps, lambda _, x: dynamics_step(x, forcing, water, metrics, p, sign), state)


def run(state: State, metrics: Metrics, p: DynamicsParameters, steps: int, backward: bool = False) -> State:
    return _run(state, metrics, p, steps, -1.0 if backward else 1.0)


def mountain(n: int = 16, height: float = 3000.0) -> Plane:
    return plane(bell(n, 5000.0, height, 20000.0), stretched_levels(24, 20000.0, 1.08), 5000.0)


def test_rest_in_the_reference_profile_stays_at_rest() -> None:
    ground = mountain()
    metrics = make_metrics(ground, REFERENCE, "periodic")
    state = to_state(at_rest(ground, REFERENCE.temperature), ground, REFERENCE, metrics)
    end = to_atmosphere(
        run(state, metrics, DynamicsParameters(time_step=20.0, acoustic_substeps=4, lateral="periodic"), 40),
        metrics,
        PERIODIC,
    )
    assert float(jnp.abs(end.u).max()) < 1e-3
    assert float(jnp.abs(end.w).max()) < 1e-3


@pytest.mark.parametrize("profile", ["isothermal", "inversion"])
def test_rest_far_from_the_reference_profile(profile: str) -> None:
    def temperature(z: np.ndarray) -> np.ndarray:
        if profile == "isothermal":
            return np.full(np.shape(z), 265.0)
        return REFERENCE.temperature(z) + 10.0 * np.tanh((z - 1500.0) / 300.0) * np.exp(-z / 6000.0)

    ground = mountain()
    metrics = make_metrics(ground, REFERENCE, "periodic")
    state = to_state(at_rest(ground, temperature), ground, REFERENCE, metrics)
    end = to_atmosphere(
        run(state, metrics, DynamicsParameters(time_step=20.0, acoustic_substeps=4, lateral="periodic"), 180),
        metrics,
        PERIODIC,
    )
    assert float(jnp.abs(end.u).max()) < 1.0
    assert float(jnp.abs(end.w).max()) < 0.3


def blown(ground: Plane, metrics: Metrics, seed: int = 0) -> State:
    """A warm bubble, wind and moisture: everything moves."""
    a = at_rest(ground, REFERENCE.temperature)
    z = 0.5 * (ground.z_half[1:] + ground.z_half[:-1])
    x = np.linspace(-1, 1, ground.nx)
    hump = np.exp(-((x[None, :] / 0.4) ** 2 + (x[:, None] / 0.4) ** 2)) * np.exp(-(((z - 3000.0) / 2000.0) ** 2))
    noise = np.random.default_rng(seed).normal(size=z.shape)
    a = dataclasses.replace(
        a,
        temperature=a.temperature + 3.0 * hump,
        u=a.u + 10.0 + noise,
        v=a.v - 5.0 + noise,
        qv=0.008 * np.exp(-z / 2500.0) * (1 + 0.1 * hump),
    )
    return to_state(a, ground, REFERENCE, metrics, edges=PERIODIC)


@pytest.mark.parametrize("lateral", ["wall", "periodic"])
def test_mass_and_water_are_conserved_to_round_off(lateral: str) -> None:
    with jax.enable_x64(True):
        ground = mountain(16, 1000.0)
        metrics = make_metrics(ground, REFERENCE, lateral, dtype=np.float64)  # type: ignore[arg-type]
        state = blown(ground, metrics)
        if lateral == "wall":
            ru, rv = state.ru.at[..., 0].set(0).at[..., -1].set(0), state.rv.at[..., 0, :].set(0).at[..., -1, :].set(0)
            state = dataclasses.replace(state, ru=ru, rv=rv)
        end = run(state, metrics, DynamicsParameters(time_step=20.0, acoustic_substeps=4, lateral=lateral), 30)  # type: ignore[arg-type]
        volume = metrics.volume * metrics.rho_ref

        def totals(s: State) -> np.ndarray:
            mass = volume + s.drho
            return np.array(
                [
                    float(mass.sum()),
                    float((mass * s.water[0]).sum()),
                    float((metrics.volume * metrics.rt_ref + s.drt).sum()),
                ]
            )

        assert float(jnp.abs(end.ru - state.ru).max()) > 1.0
        np.testing.assert_allclose(totals(end), totals(state), rtol=2e-14)


def test_tracer_stays_within_its_bounds() -> None:
    ground = mountain(16, 1000.0)
    metrics = make_metrics(ground, REFERENCE, "periodic")
    state = blown(ground, metrics)
    step_function = jnp.zeros_like(state.water).at[:, 4:10, 4:10, 4:10].set(1.0)
    constant = step_function.at[0].set(0.5)
    end = run(
        dataclasses.replace(state, water=constant),
        metrics,
        DynamicsParameters(time_step=20.0, acoustic_substeps=4, lateral="periodic"),
        30,
    )
    np.testing.assert_allclose(np.asarray(end.water[0]), 0.5, rtol=2e-5)
    assert float(end.water[1:].min()) > -1e-6
    assert float(end.water[1:].max()) < 1.0 + 1e-3


def test_a_sound_free_hydrostatic_start_stays_quiet_without_wind() -> None:
    """A horizontally uniform column started in the discrete balance has no vertical motion at all."""
    ground = plane(np.zeros((16, 16)), stretched_levels(24, 20000.0, 1.08), 5000.0)
    metrics = make_metrics(ground, REFERENCE, "periodic")
    state = to_state(at_rest(ground, lambda z: 300.0 - 0.006 * np.minimum(z, 11000.0)), ground, REFERENCE, metrics)
    end = to_atmosphere(
        run(state, metrics, DynamicsParameters(time_step=20.0, acoustic_substeps=4, lateral="periodic"), 40),
        metrics,
        PERIODIC,
    )
    assert float(jnp.abs(end.w).max()) < 2e-4


def test_backward_steps_undo_forward_steps() -> None:
    ground = mountain(16, 500.0)
    metrics = make_metrics(ground, REFERENCE, "periodic")
    p = DynamicsParameters(time_step=20.0, acoustic_substeps=4, lateral="periodic")
    a = at_rest(ground, REFERENCE.temperature)
    z = 0.5 * (ground.z_half[1:] + ground.z_half[:-1])
    wave = np.sin(2 * np.pi * np.arange(ground.nx) / ground.nx)
    a = dataclasses.replace(a, temperature=a.temperature + 2.0 * wave * np.exp(-(((z - 5000.0) / 3000.0) ** 2)))
    start = run(to_state(a, ground, REFERENCE, metrics), metrics, p, 30)
    there = run(start, metrics, p, 20)
    back = run(there, metrics, p, 20, backward=True)
    assert int(back.time) == int(start.time)
    below = z.max(axis=(1, 2)) < 12000.0  # above, waves are absorbed on purpose
    u0, u1, u2 = (np.asarray(to_atmosphere(s, metrics, PERIODIC).u)[below] for s in (start, there, back))
    assert np.sqrt(np.mean((u2 - u0) ** 2)) < 0.1 * np.sqrt(np.mean((u1 - u0) ** 2))


@given(st.lists(st.floats(-5.0, 5.0), min_size=4, max_size=4), st.floats(-3.0, 3.0))
@settings(max_examples=200, deadline=None)
def test_limited_face_value_lies_between_its_neighbours(values: list[float], flux: float) -> None:
    q = [jnp.asarray(v, jnp.float32) for v in values]
    face = float(koren(jnp.asarray(1.0), *q)) if flux >= 0 else -float(koren(jnp.asarray(-1.0), *q))
    assert min(values[1], values[2]) - 1e-5 <= face <= max(values[1], values[2]) + 1e-5


def test_advection_order_on_a_sine() -> None:
    """Flux differences of a smooth function, mean error: third order, and nearly so where the limiter clips extrema."""
    errors: dict[str, list[float]] = {"upwind3": [], "koren": []}
    sizes = [32, 64, 128]
    with jax.enable_x64(True):
        for n in sizes:
            edges = np.linspace(0.0, 2 * np.pi, n + 1)
            mean = jnp.asarray(-np.diff(np.cos(edges)) / np.diff(edges))
            padded = jnp.concatenate([mean[-2:], mean, mean[:2]])
            for name, scheme in (("upwind3", upwind3), ("koren", koren)):
                face = scheme(jnp.ones(n + 1), padded[: n + 1], padded[1 : n + 2], padded[2 : n + 3], padded[3 : n + 4])
                slope = np.asarray(jnp.diff(face)) / np.diff(edges)
                exact = np.diff(np.sin(edges)) / np.diff(edges)
                errors[name].append(float(np.mean(np.abs(slope - exact))))
    for name, least in (("upwind3", 2.9), ("koren", 1.8)):
        order = -np.polyfit(np.log(sizes), np.log(errors[name]), 1)[0]
        assert order > least, (name, order, errors)


def test_digital_filter_passes_slow_and_stops_fast_waves() -> None:
    w = filter_weights(3600.0, 7200.0, 300.0)
    assert w.sum() == pytest.approx(1.0)
    assert len(w) == 25
    np.testing.assert_allclose(w, w[::-1])
    slow, fast = filter_response(3600.0, 7200.0, 300.0, np.array([12 * 3600.0, 1800.0]))
    assert slow > 0.9
    assert abs(fast) < 0.1
