"""Integration in time: physics, dynamics, clouds, boundary, step after step."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
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
from kaiseki.forecast.physics.surface import Sea, Surface
from kaiseki.forecast.rim import Boundary, Relaxation, interpolate, relax
from kaiseki.forecast.state import State


@jax.tree_util.register_dataclass
@dataclass(frozen=True)
class Forcing:
    """What drives a stretch of the run, linear in time from its start to its end.

    Attributes:
        before, after: boundary states at the start and the end.
        sea: state of the sea at the start and the end; None where it stays as it is in the state.
    """

    before: Boundary
    after: Boundary
    sea: tuple[Sea, Sea] | None = None

    @classmethod
    def between(cls, start: tuple[Boundary, Sea | None], end: tuple[Boundary, Sea | None]) -> Forcing:
        """The forcing from boundary and sea at the start to those at the end."""
        sea = None if start[1] is None or end[1] is None else (start[1], end[1])
        return cls(start[0], end[0], sea)


@jax.tree_util.register_dataclass
@dataclass(frozen=True)
class FixedParts:
    """Parts of a model that stay the same from step to step; a pytree, the last two static.

    Attributes:
        metrics: geometry and reference state.
        relaxation: to the boundary; None where nothing drives the model.
        site: place and start of the run, for the physics; None without.
        parameters: of the dynamics.
        physics: switches and constants; None for dry dynamics with passive water.
    """

    metrics: Metrics
    relaxation: Relaxation | None
    site: Site | None
    parameters: DynamicsParameters = dataclasses.field(metadata={"static": True})
    physics: Physics | None = dataclasses.field(metadata={"static": True})


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


def with_sea(state: State, forcing: Forcing | None, weight: Array | float) -> State:
    """The state with the sea at `weight` between the ends of the forcing; itself where there is none."""
    if forcing is None or forcing.sea is None or not isinstance(state.surface, Surface):
        return state
    sea: Sea = jax.tree.map(lambda a, b: a + weight * (b - a), *forcing.sea)
    return dataclasses.replace(state, surface=state.surface.with_sea(sea))


def step(
    state: State,
    forcing: Forcing | None,
    weight: Array | float,
    fixed: FixedParts,
    sign: Array | float,
) -> State:
    """One step: what the physics does before the dynamics, the dynamics, clouds and precipitation, the boundary and the
    sea (at `weight` between their ends); no physics backwards."""
    metrics, relaxation, site = fixed.metrics, fixed.relaxation, fixed.site
    p, physics = fixed.parameters, fixed.physics
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
    return with_sea(driven(state, forcing, weight, relaxation), forcing, weight)


def steps(
    state: State,
    forcing: Forcing | None,
    fixed: FixedParts,
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
        return step(state, forcing, weight, fixed, sign)

    return lax.fori_loop(0, n, body, state)


advance = jax.jit(steps)
"""`steps`, compiled."""


@jax.jit
def is_finite(state: State) -> Array:
    """Whether every prognostic field of the air is."""
    fields = (state.ru, state.rv, state.rw, state.drho, state.drt, state.water)
    return jnp.all(jnp.stack([jnp.all(jnp.isfinite(a)) for a in fields]))
