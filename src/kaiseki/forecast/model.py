"""The forecast model: what is fixed for a run, and how far one call carries the state."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array, lax

from kaiseki.core.errors import NumericsError
from kaiseki.forecast.convert import add_increment, to_atmosphere, to_state
from kaiseki.forecast.dynamics.metrics import Metrics, make_metrics
from kaiseki.forecast.dynamics.parameters import DynamicsParameters
from kaiseki.forecast.dynamics.step import dynamics_step, no_forcing
from kaiseki.forecast.fields import Atmosphere
from kaiseki.forecast.filter import DigitalFilter
from kaiseki.forecast.reference import ReferenceProfile
from kaiseki.forecast.rim import Boundary, Relaxation, interpolate, make_relaxation, relax
from kaiseki.forecast.state import State
from kaiseki.grid.domain import Domain

STEP_PER_KILOMETRE = 5.0
"""s of long step per km of spacing; the advective Courant number stays below 0.6 in a jet of 120 m/s."""
SOUND_SPEED = 360.0
"""m/s: bound used for the acoustic Courant number."""


def default_parameters(spacing: float, max_map_factor: float = 1.06, lateral: str = "rim") -> DynamicsParameters:
    """Time steps for a spacing (m): the longest divisor of 15 minutes (of an hour from 900 s) within the limits, and
    enough short steps."""
    limit = STEP_PER_KILOMETRE * spacing / 1000.0
    dt = max((d for d in range(1, 1801) if 3600 % d == 0 and d <= limit), default=1)
    short = spacing / (max_map_factor * SOUND_SPEED * math.sqrt(2.0))
    n = max(2, 2 * math.ceil(dt / short / 2.0))
    return DynamicsParameters(dt=float(dt), acoustic_substeps=n, lateral=lateral)  # type: ignore[arg-type]


@jax.tree_util.register_dataclass
@dataclass(frozen=True)
class Forcing:
    """What drives a stretch of the run: boundary states at its start and end, sea-surface temperature is part of the
    surface."""

    before: Boundary
    after: Boundary


@dataclass(frozen=True)
class Model:
    """A Domain with everything that stays the same during a run. Make one with `Model.make`."""

    domain: Domain
    reference: ReferenceProfile
    parameters: DynamicsParameters
    metrics: Metrics
    relaxation: Relaxation | None

    @classmethod
    def make(cls, domain: Domain, reference: ReferenceProfile, parameters: DynamicsParameters | None = None) -> Model:
        """Metric terms, relaxation weights and time steps for a Domain."""
        parameters = parameters or default_parameters(domain.spacing, float(np.max(domain.map_factor)))
        metrics = make_metrics(domain, reference, parameters.lateral)
        relaxation = (
            make_relaxation(domain, parameters.dt, parameters.rim_time) if parameters.lateral == "rim" else None
        )
        return cls(domain, reference, parameters, metrics, relaxation)

    @staticmethod
    def parameters_of(section: Any, domain: Domain) -> DynamicsParameters:
        """Numerical parameters from the experiment's section `dynamics`; time steps left out follow from the grid."""
        base = default_parameters(domain.spacing, float(np.max(domain.map_factor)))
        return dataclasses.replace(
            base,
            dt=section.time_step or base.dt,
            acoustic_substeps=section.acoustic_substeps or base.acoustic_substeps,
            off_centring=section.off_centring,
            divergence_damping=section.divergence_damping,
            momentum_diffusion=section.momentum_diffusion,
            damping_depth=section.damping_depth,
            damping_rate=section.damping_rate,
            rim_time=section.rim_time,
        )

    def start(self, fields: Mapping[str, np.ndarray], time: int = 0) -> State:
        """State from fields at cell centres as `driving` gives them: u, v, temperature, pressure, qv, and where present
        w and condensate.

        The pressure above the lowest level is replaced by the discrete hydrostatic one.
        """
        names = {f.name for f in dataclasses.fields(Atmosphere)}
        atmosphere = Atmosphere.from_dict({name: np.asarray(a) for name, a in fields.items() if name in names})
        return to_state(
            atmosphere, self.domain, self.reference, self.metrics, None, time, periodic=self.parameters.periodic
        )

    def boundary(self, fields: Mapping[str, np.ndarray]) -> Boundary:
        """Driving fields of one time in the model's own variables; the same fields as for `start`."""
        return Boundary.of(self.start(fields))

    def add_increment(self, state: State, increment: Mapping[str, np.ndarray]) -> State:
        """State plus an analysis increment of u, v, temperature, pressure and qv at cell centres (see
        `convert.add_increment`)."""
        return add_increment(state, dict(increment), self.domain, self.reference, self.metrics)

    def surface_fields(self, state: State) -> dict[str, np.ndarray]:
        """What lies at the ground, (y, x) each: precipitation (kg m-2 since time 0) and what the physics keeps."""
        return {"precipitation": np.asarray(state.precipitation)}

    def steps(self, seconds: float) -> int:
        """Number of long steps in a time that must be a whole multiple of the step."""
        n = round(seconds / self.parameters.dt)
        if abs(n * self.parameters.dt - seconds) > 1e-6:
            raise ValueError(f"{seconds} s is not a whole number of steps of {self.parameters.dt} s")
        return n

    def atmosphere(self, state: State) -> Atmosphere:
        """The unstaggered fields of a state."""
        return _atmosphere(state, self.metrics, self.parameters.periodic)

    def advance(
        self, state: State, forcing: Forcing | None, seconds: float, duration: float | None = None, elapsed: float = 0.0
    ) -> State:
        """Carry the state forwards by `seconds`.

        Args:
            state: where to begin.
            forcing: boundary, moving linearly from `before` to `after`.
            seconds: a whole number of steps.
            duration: time between `before` and `after`; by default `seconds`.
            elapsed: time from `before` to the state.

        Raises:
            NumericsError: when the state is no longer finite; says when. The caller still holds the state before.
        """
        n, dt = self.steps(seconds), self.parameters.dt
        span = duration or seconds
        new = _advance(
            state, forcing, self.metrics, self.relaxation, self.parameters, n, elapsed / span, dt / span
        )
        if not bool(jnp.isfinite(jnp.sum(new.drho)) & jnp.isfinite(jnp.sum(new.ru))):
            raise NumericsError(
                f"The model became non-finite between {int(state.time)} s and {int(new.time)} s of the run on "
                f"{self.domain.name} with a step of {dt:g} s; the state before is kept. Shorten the step or smooth the "
                "terrain."
            )
        return new

    def initialise(self, state: State, boundary: Boundary | None, filter_: DigitalFilter) -> State:
        """Digital-filter initialisation of a state at its own time: adiabatic backwards, then the model forwards,
        filtered.

        The boundary stands still at `boundary` meanwhile. Surface and accumulations are those of the given state.
        """
        p = self.parameters
        weights = jnp.asarray(filter_.weights(p.dt), dtype=state.drho.dtype)
        filtered = _initialise(state, boundary, weights, self.metrics, self.relaxation, p, filter_.steps(p.dt))
        if not bool(jnp.isfinite(jnp.sum(filtered.drho))):
            raise NumericsError(
                f"The digital filter on {self.domain.name} gave a non-finite state; its half span or the time step "
                "is too long."
            )
        return filtered


def _relax(state: State, target: Boundary | None, relaxation: Relaxation | None) -> State:
    return state if target is None or relaxation is None else relax(state, target, relaxation)


def _step(
    state: State, target: Boundary | None, metrics: Metrics, relaxation: Relaxation | None, p: DynamicsParameters
) -> State:
    forcing, water_forcing = no_forcing(state)
    return _relax(dynamics_step(state, forcing, water_forcing, metrics, p), target, relaxation)


@partial(jax.jit, static_argnames=("p",))
def _advance(
    state: State,
    forcing: Forcing | None,
    metrics: Metrics,
    relaxation: Relaxation | None,
    p: DynamicsParameters,
    n: Array,
    start: Array,
    increment: Array,
) -> State:
    """n steps; the number is an argument, not a constant, so that every length of run shares one compilation."""

    def body(k: Array, state: State) -> State:
        weight = start + (k + 1.0) * increment
        target = None if forcing is None else interpolate(forcing.before, forcing.after, weight)
        return _step(state, target, metrics, relaxation, p)

    return lax.fori_loop(0, n, body, state)


@partial(jax.jit, static_argnames=("p", "n"))
def _initialise(
    state: State,
    boundary: Boundary | None,
    weights: Array,
    metrics: Metrics,
    relaxation: Relaxation | None,
    p: DynamicsParameters,
    n: int,
) -> State:
    def backward(_: Array, s: State) -> State:
        forcing, water_forcing = no_forcing(s)
        return _relax(dynamics_step(s, forcing, water_forcing, metrics, p, backward=True), boundary, relaxation)

    def forward(carry: tuple[State, dict[str, Array]], weight: Array) -> tuple[tuple[State, dict[str, Array]], None]:
        s, total = carry
        s = _step(s, boundary, metrics, relaxation, p)
        return (s, jax.tree.map(lambda a, b: a + weight * b, total, _filtered(s))), None

    start = lax.fori_loop(0, n, backward, state)
    total = jax.tree.map(lambda a: weights[0] * a, _filtered(start))
    (_, total), _ = lax.scan(forward, (start, total), weights[1:])
    total["water"] = jnp.maximum(total["water"], 0.0)
    return dataclasses.replace(state, **total)


def _filtered(state: State) -> dict[str, Array]:
    """The fields of a state that the filter averages."""
    return {name: getattr(state, name) for name in ("ru", "rv", "rw", "drho", "drt", "water")}


@partial(jax.jit, static_argnames=("periodic",))
def _atmosphere(state: State, metrics: Metrics, periodic: bool) -> Atmosphere:
    return to_atmosphere(state, metrics, periodic)
