"""Integration in time: physics, dynamics, clouds, boundary, step after step."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
from jax import Array, lax

from kaiseki.config.physics import Physics
from kaiseki.forecast.dynamics.acoustic import Slow
from kaiseki.forecast.dynamics.metrics import Metrics
from kaiseki.forecast.dynamics.parameters import DynamicsParameters
from kaiseki.forecast.dynamics.step import dynamics_step, no_forcing
from kaiseki.forecast.physics.driver import Site, condense, tendencies
from kaiseki.forecast.rim import Boundary, Relaxation, interpolate, relax
from kaiseki.forecast.state import State


@jax.tree_util.register_dataclass
@dataclass(frozen=True)
class Forcing:
    """What drives a stretch of the run: boundary states at its start and end, sea-surface temperature is part of the
    surface."""

    before: Boundary
    after: Boundary


def driven(
    state: State,
    forcing: Forcing | None,
    weight: Array | float,
    relaxation: Relaxation | None,
    change: Boundary | None = None,
) -> State:
    """The state relaxed to the boundary at `weight` between its ends, plus a change; itself where nothing drives it."""
    if forcing is None or relaxation is None:
        return state
    target = interpolate(forcing.before, forcing.after, weight)
    if change is not None:
        target = jax.tree.map(jnp.add, target, change)
    return relax(state, target, relaxation)


def step(
    state: State,
    forcing: Forcing | None,
    weight: Array | float,
    metrics: Metrics,
    relaxation: Relaxation | None,
    site: Site | None,
    p: DynamicsParameters,
    physics: Physics | None,
    sign: Array | float,
) -> State:
    """One step: what the physics does before the dynamics, the dynamics, clouds and precipitation, the boundary (at
    `weight` between its ends); no physics backwards."""
    if physics is None or site is None:
        return driven(dynamics_step(state, None, None, metrics, p, sign), forcing, weight, relaxation)

    def before(s: State) -> tuple[Slow, Array, Any]:
        return tendencies(s, metrics, site, physics, p.dt, p.edges)

    def after(s: State) -> State:
        return condense(s, metrics, physics, p.dt, p.edges)

    onwards = jnp.asarray(sign) > 0.0
    slow, water = None, None
    if physics.before_dynamics:
        slow, water, surface = lax.cond(onwards, before, lambda s: (*no_forcing(s), s.surface), state)
        state = dataclasses.replace(state, surface=surface)
    state = dynamics_step(state, slow, water, metrics, p, sign)
    if physics.microphysics:
        state = lax.cond(onwards, after, lambda s: s, state)
    return driven(state, forcing, weight, relaxation)


def steps(
    state: State,
    forcing: Forcing | None,
    metrics: Metrics,
    relaxation: Relaxation | None,
    site: Site | None,
    p: DynamicsParameters,
    physics: Physics | None,
    n: Array | int,
    start: Array | float,
    increment: Array | float,
    sign: Array | float,
) -> State:
    """State after n steps forwards (sign 1) or adiabatically backwards (sign -1), the boundary moving from `start` by
    `increment` per step.

    Number and sign are arguments, not constants, so that runs of every length and the digital filter share one
    compilation.
    """

    def body(k: Array, state: State) -> State:
        weight = start + (k + 1.0) * increment
        return step(state, forcing, weight, metrics, relaxation, site, p, physics, sign)

    return lax.fori_loop(0, n, body, state)


advance = partial(jax.jit, static_argnames=("p", "physics"))(steps)
"""`steps`, compiled."""


@jax.jit
def is_finite(state: State) -> Array:
    """Whether every prognostic field of the air is."""
    fields = (state.ru, state.rv, state.rw, state.drho, state.drt, state.water)
    return jnp.all(jnp.stack([jnp.all(jnp.isfinite(a)) for a in fields]))
