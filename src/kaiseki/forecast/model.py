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

from kaiseki.core.errors import ConfigError, NumericsError
from kaiseki.forecast.checks import check_levels, check_start
from kaiseki.forecast.convert import add_increment, to_atmosphere, to_state
from kaiseki.forecast.dynamics.acoustic import Slow
from kaiseki.forecast.dynamics.edges import Edges
from kaiseki.forecast.dynamics.metrics import Metrics, make_metrics
from kaiseki.forecast.dynamics.parameters import DynamicsParameters
from kaiseki.forecast.dynamics.step import dynamics_step, no_forcing
from kaiseki.forecast.fields import WATER, Atmosphere
from kaiseki.forecast.filter import DigitalFilter
from kaiseki.forecast.ground import surface_fields
from kaiseki.forecast.physics.driver import Site, condense, make_site, tendencies
from kaiseki.forecast.physics.parameters import PhysicsParameters
from kaiseki.forecast.physics.surface import make_surface
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
    physics: PhysicsParameters | None = None
    site: Site | None = None

    @classmethod
    def make(
        cls,
        domain: Domain,
        reference: ReferenceProfile,
        parameters: DynamicsParameters | None = None,
        physics: PhysicsParameters | None = None,
        epoch: np.datetime64 | None = None,
        dtype: type = np.float32,
    ) -> Model:
        """Metric terms, relaxation weights and time steps for a Domain.

        Args:
            domain, reference: the grid and the profile from which perturbations are counted.
            parameters: of the dynamics; by default those that follow from the spacing.
            physics: switches and constants; None for dry dynamics with passive water.
            epoch: UTC of time 0, for the sun; must be given with physics.
            dtype: of the arithmetic; float64 needs JAX's x64 switch.

        Raises:
            ConfigError: physics without an epoch; levels that fold.
        """
        if physics is not None and epoch is None:
            raise ConfigError(
                "A model with physics needs the UTC of its time 0 (epoch), from which the sun's place follows."
            )
        check_levels(domain)
        parameters = parameters or default_parameters(domain.spacing, float(np.max(domain.map_factor)))
        metrics = make_metrics(domain, reference, parameters.lateral, dtype)
        relaxation = None
        if parameters.lateral == "rim":
            p = parameters
            relaxation = make_relaxation(domain, p.dt, p.rim_time, p.driving_depth, p.driving_time, dtype)
        site = None if physics is None or epoch is None else make_site(domain, epoch, dtype)
        return cls(domain, reference, parameters, metrics, relaxation, physics, site)

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
            driving_depth=section.driving_depth,
            driving_time=section.driving_time,
        )

    def start(self, fields: Mapping[str, np.ndarray], time: int = 0) -> State:
        """State from fields at cell centres as `driving` gives them: u, v, temperature, pressure, qv, and where present
        w and condensate; with physics also skin_temperature, sst, soil_temperature, soil_moisture and snow where
        present.

        The pressure above the lowest level is replaced by the discrete hydrostatic one.

        Raises:
            InputError: a field is missing, has another shape, is not finite or impossible.
            ConfigError: the time step is too long for the wind.
        """
        check_start(fields, self.domain, self.parameters)
        state = self._air(fields, time)
        if self.physics is None or not self.physics.before_dynamics:
            return state
        dtype = state.drho.dtype.type
        return dataclasses.replace(state, surface=make_surface(fields, self.domain, self.physics, dtype))

    def _air(self, fields: Mapping[str, np.ndarray], time: int) -> State:
        names = {f.name for f in dataclasses.fields(Atmosphere)}
        atmosphere = Atmosphere.from_dict({name: np.asarray(a) for name, a in fields.items() if name in names})
        n = len(WATER) if self.physics is None else self.physics.categories
        edges = self.parameters.edges
        return to_state(atmosphere, self.domain, self.reference, self.metrics, None, time, edges=edges, categories=n)

    def boundary(self, fields: Mapping[str, np.ndarray]) -> Boundary:
        """Driving fields of one time in the model's own variables; the same fields as for `start`."""
        return Boundary.of(self._air(fields, 0))

    def add_increment(self, state: State, increment: Mapping[str, np.ndarray]) -> State:
        """State plus an analysis increment of u, v, temperature, pressure and qv at cell centres (see
        `convert.add_increment`)."""
        return add_increment(state, dict(increment), self.domain, self.reference, self.metrics)

    def surface_fields(self, state: State) -> dict[str, np.ndarray]:
        """What lies at the ground, by the names of core/variables.csv: pressures and precipitation (kg m-2 since time
        0), and with physics the surface, the soil and the air near the ground (see `ground.surface_fields`)."""
        winds = (self.domain.to_east_north,) if self.physics is not None else ()
        found = surface_fields(state, self.metrics, self.site, self.physics, self.parameters.edges)
        fields = {name: np.asarray(a) for name, a in found.items()}
        for turn in winds:
            u, v = fields.pop("u_10m"), fields.pop("v_10m")
            fields["eastward_wind_10m"], fields["northward_wind_10m"] = turn(u, v)
        return fields

    def steps(self, seconds: float) -> int:
        """Number of long steps in a time that must be a whole multiple of the step."""
        n = round(seconds / self.parameters.dt)
        if abs(n * self.parameters.dt - seconds) > 1e-6:
            raise ValueError(f"{seconds} s is not a whole number of steps of {self.parameters.dt} s")
        return n

    def atmosphere(self, state: State) -> Atmosphere:
        """The unstaggered fields of a state."""
        return _atmosphere(state, self.metrics, self.parameters.edges)

    @property
    def _fixed(self) -> tuple[Metrics, Relaxation | None, Site | None, DynamicsParameters, PhysicsParameters | None]:
        return self.metrics, self.relaxation, self.site, self.parameters, self.physics

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
        new = _advance(state, forcing, *self._fixed, n, elapsed / span, dt / span, 1.0)
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
        still = None if boundary is None else Forcing(boundary, boundary)
        fixed = (still, *self._fixed)
        weights = filter_.weights(p.dt)
        s = _advance(state, *fixed, filter_.steps(p.dt), 0.0, 0.0, -1.0)
        total = _accumulate(None, s, float(weights[0]))
        for weight in weights[1:]:
            s = _advance(s, *fixed, 1, 0.0, 0.0, 1.0)
            total = _accumulate(total, s, float(weight))
        total["water"] = jnp.maximum(total["water"], 0.0)
        filtered = dataclasses.replace(state, **total)
        if not bool(jnp.isfinite(jnp.sum(filtered.drho))):
            raise NumericsError(
                f"The digital filter on {self.domain.name} gave a non-finite state; its half span or the time step "
                "is too long."
            )
        return filtered


def _relax(state: State, target: Boundary | None, relaxation: Relaxation | None) -> State:
    return state if target is None or relaxation is None else relax(state, target, relaxation)


def _step(
    state: State,
    target: Boundary | None,
    metrics: Metrics,
    relaxation: Relaxation | None,
    site: Site | None,
    p: DynamicsParameters,
    physics: PhysicsParameters | None,
    sign: Array | float,
) -> State:
    """One step: what the physics does before the dynamics, the dynamics, clouds and precipitation, the boundary; no
    physics backwards."""
    if physics is None or site is None:
        return _relax(dynamics_step(state, None, None, metrics, p, sign), target, relaxation)

    def before(s: State) -> tuple[Slow, Array, Any]:
        return tendencies(s, metrics, site, physics, p.dt, p.edges)

    def after(s: State) -> State:
        return condense(s, metrics, physics, p.dt, p.edges)

    onwards = jnp.asarray(sign) > 0.0
    forcing, water_forcing = None, None
    if physics.before_dynamics:
        forcing, water_forcing, surface = lax.cond(onwards, before, lambda s: (*no_forcing(s), s.surface), state)
        state = dataclasses.replace(state, surface=surface)
    state = dynamics_step(state, forcing, water_forcing, metrics, p, sign)
    if physics.microphysics:
        state = lax.cond(onwards, after, lambda s: s, state)
    return _relax(state, target, relaxation)


@partial(jax.jit, static_argnames=("p", "physics"))
def _advance(
    state: State,
    forcing: Forcing | None,
    metrics: Metrics,
    relaxation: Relaxation | None,
    site: Site | None,
    p: DynamicsParameters,
    physics: PhysicsParameters | None,
    n: Array | int,
    start: Array | float,
    increment: Array | float,
    sign: Array | float,
) -> State:
    """n steps forwards (sign 1) or adiabatically backwards (sign -1).

    Number and sign are arguments, not constants, so that runs of every length and the digital filter share one
    compilation.
    """

    def body(k: Array, state: State) -> State:
        weight = start + (k + 1.0) * increment
        target = None if forcing is None else interpolate(forcing.before, forcing.after, weight)
        return _step(state, target, metrics, relaxation, site, p, physics, sign)

    return lax.fori_loop(0, n, body, state)


FILTERED = ("ru", "rv", "rw", "drho", "drt", "water")
"""Fields of a state that the digital filter averages."""


@jax.jit
def _accumulate(total: dict[str, Array] | None, state: State, weight: Array | float) -> dict[str, Array]:
    """Add a state's share to the filter's sum."""
    share = {name: weight * getattr(state, name) for name in FILTERED}
    return share if total is None else jax.tree.map(jnp.add, total, share)


@partial(jax.jit, static_argnames=("edges",))
def _atmosphere(state: State, metrics: Metrics, edges: Edges) -> Atmosphere:
    return to_atmosphere(state, metrics, edges)
