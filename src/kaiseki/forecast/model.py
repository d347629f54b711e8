"""The forecast model: what is fixed for a run, and how far one call carries the state."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from typing import NoReturn

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array

from kaiseki.config import DigitalFilter, Dynamics
from kaiseki.config.physics import Physics
from kaiseki.core.errors import ConfigError, NumericsError
from kaiseki.core.interrupt import stop_if_asked
from kaiseki.forecast.checks import blown_up, check_levels, check_start, check_steps, longest_acoustic_substep
from kaiseki.forecast.convert import add_increment, to_atmosphere, to_state
from kaiseki.forecast.dynamics.edges import Edges
from kaiseki.forecast.dynamics.metrics import Metrics, make_metrics
from kaiseki.forecast.dynamics.parameters import DynamicsParameters
from kaiseki.forecast.fields import WATER, Atmosphere
from kaiseki.forecast.filter import filter_steps, filter_weights
from kaiseki.forecast.ground import surface_fields
from kaiseki.forecast.integrate import FixedParts, Forcing, advance, is_finite
from kaiseki.forecast.physics.driver import Site, make_site
from kaiseki.forecast.physics.surface import Sea, make_sea, make_surface
from kaiseki.forecast.reference import ReferenceProfile
from kaiseki.forecast.rim import Boundary, Relaxation, make_relaxation
from kaiseki.forecast.state import State
from kaiseki.grid.domain import Domain

STEP_PER_KILOMETRE = 5.0
"""Long step per spacing, s/km; the advective Courant number stays below 0.6 in a jet of 120 m/s."""


def default_parameters(spacing: float, max_map_factor: float = 1.06, lateral: str = "rim") -> DynamicsParameters:
    """Time steps for a spacing (m): the longest divisor of 15 minutes (of an hour from 900 s) within the limits, and
    enough acoustic sub-steps."""
    limit = STEP_PER_KILOMETRE * spacing / 1000.0
    dt = max((d for d in range(1, 1801) if 3600 % d == 0 and d <= limit), default=1)
    short = longest_acoustic_substep(spacing, max_map_factor)
    n = max(2, 2 * math.ceil(dt / short / 2.0))
    return DynamicsParameters(time_step=float(dt), acoustic_substeps=n, lateral=lateral)  # type: ignore[arg-type]


def with_time_steps(dynamics: Dynamics, domain: Domain) -> DynamicsParameters:
    """Numerical parameters of the experiment's section `dynamics`; time steps left out follow from the grid."""
    usual = default_parameters(domain.spacing, float(np.max(domain.map_factor)))
    given = {one.name: getattr(dynamics, one.name) for one in dataclasses.fields(Dynamics)}
    given["time_step"] = dynamics.time_step or usual.time_step
    given["acoustic_substeps"] = dynamics.acoustic_substeps or usual.acoustic_substeps
    return DynamicsParameters(**given)


@dataclass(frozen=True)
class Model:
    """A Domain with everything that stays the same during a run. Make one with `Model.make`."""

    domain: Domain
    reference: ReferenceProfile
    parameters: DynamicsParameters
    metrics: Metrics
    relaxation: Relaxation | None
    physics: Physics | None = None
    site: Site | None = None

    @classmethod
    def make(
        cls,
        domain: Domain,
        reference: ReferenceProfile,
        parameters: DynamicsParameters | None = None,
        physics: Physics | None = None,
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
            ConfigError: physics without an epoch; levels that fold; steps too long for sound.
        """
        if physics is not None and epoch is None:
            raise ConfigError(
                "A model with physics needs the UTC of its time 0 (epoch), from which the sun's place follows."
            )
        check_levels(domain)
        parameters = parameters or default_parameters(domain.spacing, float(np.max(domain.map_factor)))
        check_steps(domain, parameters)
        metrics = make_metrics(domain, reference, parameters.lateral, dtype)
        relaxation = None
        if parameters.lateral == "rim":
            p = parameters
            relaxation = make_relaxation(domain, p.dt, p.rim_time, p.driving_depth, p.driving_time, dtype)
        site = None if physics is None or epoch is None else make_site(domain, epoch, dtype)
        return cls(domain, reference, parameters, metrics, relaxation, physics, site)

    def start(self, fields: Mapping[str, np.ndarray], time: int = 0) -> State:
        """State from fields at cell centres as `driving` gives them: u, v, temperature, pressure, qv, and where present
        w and condensate; with physics also sst (needed where there is sea and a process that feels it), and sea_ice,
        ice_temperature, skin_temperature, soil_temperature, soil_moisture and snow where present (see
        `physics.surface.make_surface`).

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
        return to_state(atmosphere, self.domain, self.reference, self.metrics, time, edges=edges, categories=n)

    def boundary(self, fields: Mapping[str, np.ndarray]) -> Boundary:
        """Driving fields of one time in the model's own variables; the same fields as for `start`."""
        return Boundary.of(self._air(fields, 0))

    def sea(self, fields: Mapping[str, np.ndarray]) -> Sea | None:
        """State of the sea of one time, as part of the forcing, from the fields `sst` (K) and `sea_ice` (fraction of
        the sea); None where no process feels it or the fields have no `sst`."""
        if self.physics is None or not self.physics.before_dynamics:
            return None
        return make_sea(fields, self.physics, self.metrics.volume.dtype.type)

    def add_increment(self, state: State, increment: Mapping[str, np.ndarray]) -> State:
        """State plus an analysis increment of u, v, temperature, pressure and qv at cell centres (see
        `convert.add_increment`)."""
        return add_increment(state, dict(increment), self.domain, self.reference, self.metrics)

    def surface_fields(self, state: State) -> dict[str, np.ndarray]:
        """What lies at the ground, by the names of core/variables.csv: pressures and precipitation (kg m-2 since
        `state.begin_interval`), and with physics the surface, the soil and the air near the ground (see
        `ground.surface_fields`)."""
        found = surface_fields(state, self.metrics, self.site, self.physics, self.parameters.edges)
        fields = {name: np.asarray(a) for name, a in found.items()}
        if "u_10m" in fields:
            u, v = self.domain.to_east_north(fields.pop("u_10m"), fields.pop("v_10m"))
            fields["eastward_wind_10m"], fields["northward_wind_10m"] = u, v
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
    def fixed(self) -> FixedParts:
        """Parts that stay the same from step to step."""
        return FixedParts(self.metrics, self.relaxation, self.site, self.parameters, self.physics)

    def advance(
        self, state: State, forcing: Forcing | None, seconds: float, duration: float | None = None, elapsed: float = 0.0
    ) -> State:
        """Carry the state forwards by `seconds`; precipitation is added to what the state has (see
        `state.begin_interval`).

        Args:
            state: where to begin.
            forcing: boundary and sea, moving linearly from `before` to `after`.
            seconds: a whole number of steps.
            duration: time between `before` and `after`; by default `seconds`.
            elapsed: time from `before` to the state.

        Raises:
            BlownUp: the state is no longer finite; says where and when, and holds the last good state.
        """
        stop_if_asked()
        n, dt = self.steps(seconds), self.parameters.dt
        span = duration or seconds

        def go(state: State, n: int, elapsed: float) -> State:
            return advance(state, forcing, self.fixed, n, elapsed / span, dt / span, 1.0)

        new = go(state, n, elapsed)
        if not bool(is_finite(new)):
            self.explain(state, lambda s, k: go(s, 1, elapsed + k * dt), n)
        return new

    def explain(
        self,
        state: State,
        step: Callable[[State, int], State],
        n: int,
        whole: Callable[[State], State] = lambda s: s,
    ) -> NoReturn:
        """Go through n steps again, one by one, to the one that is no longer finite; `whole` puts a divided state
        together.

        Raises:
            BlownUp: says where and when.
        """
        for k in range(n):
            new = step(state, k)
            if not bool(is_finite(new)):
                break
            state = new
        raise blown_up(whole(state), whole(new), self.domain, self.parameters)

    def initialise(self, state: State, boundary: Boundary | None, filter_: DigitalFilter) -> State:
        """Digital-filter initialisation of a state at its own time: adiabatic backwards, then the model forwards,
        filtered.

        The boundary stands still at `boundary` meanwhile. Surface and accumulations are those of the given state.
        """
        p = self.parameters
        still = None if boundary is None else Forcing(boundary, boundary)
        weights = filter_weights(filter_.half_span, filter_.cutoff, p.dt)
        s = advance(state, still, self.fixed, filter_steps(filter_.half_span, p.dt), 0.0, 0.0, -1.0)
        total = _accumulate(None, s, float(weights[0]))
        for weight in weights[1:]:
            s = advance(s, still, self.fixed, 1, 0.0, 0.0, 1.0)
            total = _accumulate(total, s, float(weight))
        total["water"] = jnp.maximum(total["water"], 0.0)
        filtered = dataclasses.replace(state, **total)
        if not bool(jnp.isfinite(jnp.sum(filtered.drho))):
            raise NumericsError(
                f"The digital filter on {self.domain.name} gave a non-finite state; its half span or the time step "
                "is too long."
            )
        return filtered


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
