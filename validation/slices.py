"""Shared by the two-dimensional cases: analytic profiles, a start without rebalancing, a loop with own tendencies."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

import jax
import numpy as np
from jax import Array

from kaiseki.core.constants import CP_DRY, GRAVITY, KAPPA, P0
from kaiseki.forecast.convert import to_state
from kaiseki.forecast.dynamics.metrics import Metrics
from kaiseki.forecast.dynamics.parameters import DynamicsParameters
from kaiseki.forecast.dynamics.step import dynamics_step, no_forcing
from kaiseki.forecast.fields import Atmosphere
from kaiseki.forecast.model import Model
from kaiseki.forecast.reference import ReferenceProfile
from kaiseki.forecast.state import State


@dataclass(frozen=True)
class ConstantStability(ReferenceProfile):
    """theta(z) = warm exp(N^2 z / g) with N = `stability` (s-1, 0 for neutral air), hydrostatic, 1000 hPa at z = 0."""

    surface_pressure: float = P0
    stability: float = 0.0

    def potential_temperature(self, z: np.ndarray) -> np.ndarray:
        return self.warm * np.exp(self.stability**2 / GRAVITY * np.asarray(z, dtype=float))

    def _exner(self, z: np.ndarray) -> np.ndarray:
        z, s = np.asarray(z, dtype=float), self.stability**2 / GRAVITY
        depth = -np.expm1(-s * z) / s if s > 0.0 else z
        return 1.0 - GRAVITY / (CP_DRY * self.warm) * depth

    def pressure(self, z: np.ndarray) -> np.ndarray:
        return P0 * self._exner(z) ** (1.0 / KAPPA)

    def temperature(self, z: np.ndarray) -> np.ndarray:
        return self.potential_temperature(z) * self._exner(z)


def isothermal(temperature: float) -> ReferenceProfile:
    """The same temperature (K) everywhere, 1000 hPa at z = 0."""
    return ReferenceProfile(warm=temperature, cold=temperature, surface_pressure=P0)


def start(model: Model, wind: float = 0.0, warming: np.ndarray | None = None) -> State:
    """The model's reference profile with a uniform wind (m/s) along x; `warming` (K) at unchanged pressure.

    The pressure is not rebalanced: the published cases prescribe it.
    """
    domain, reference = model.domain, model.reference
    temperature = reference.temperature(domain.z) + (0.0 if warming is None else warming)
    zero = np.zeros(domain.shape)
    air = Atmosphere.from_dict(
        {
            "u": zero + wind,
            "v": zero,
            "temperature": temperature,
            "pressure": reference.pressure(domain.z),
            "qv": zero,
        }
    )
    return to_state(air, domain, reference, model.metrics, balance=False, edges=model.parameters.edges, categories=1)


@partial(jax.jit, static_argnames=("p", "forcing", "after"))
def _loop(
    state: State,
    metrics: Metrics,
    given: object,
    steps: Array | int,
    p: DynamicsParameters,
    forcing: Callable | None,
    after: Callable | None,
) -> State:
    def body(_: Array, s: State) -> State:
        tendency = None if forcing is None else forcing(s, no_forcing(s)[0], metrics, given)
        s = dynamics_step(s, tendency, None, metrics, p)
        return s if after is None else after(s, given)

    return jax.lax.fori_loop(0, steps, body, state)


def run(
    model: Model,
    state: State,
    seconds: float,
    given: object = None,
    forcing: Callable | None = None,
    after: Callable | None = None,
) -> State:
    """Advance by `seconds` with own tendencies `forcing(state, zeros, metrics, given)` before and a correction
    `after(state, given)` behind every step."""
    return _loop(state, model.metrics, given, model.steps(seconds), model.parameters, forcing, after)
