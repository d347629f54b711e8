"""Derivatives of a forecast by automatic differentiation: tangent-linear and adjoint over a window, with checkpoints.

The linear model is the code of the forecast with the smooth advection of `dynamics.advection` (the monotone limiter has
a derivative, but one that says little about changes of the size of an analysis increment). Backwards, the state is
kept once per segment of a few steps and computed anew from there, keeping what enters each Runge-Kutta stage; the
inside of a stage is computed once more when its turn comes. A window costs three forecasts and the adjoint itself.
"""

from __future__ import annotations

import dataclasses
import math
from dataclasses import dataclass
from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array, lax

from kaiseki.core.constants import CP_DRY, CV_DRY, GRAVITY, LATENT_VAPORISATION
from kaiseki.forecast.dynamics.metrics import Metrics
from kaiseki.forecast.dynamics.parameters import DynamicsParameters
from kaiseki.forecast.dynamics.thermo import derive
from kaiseki.forecast.integrate import Forcing, step
from kaiseki.forecast.model import Model
from kaiseki.forecast.perturbation import FIELDS, Perturbation, plain_product
from kaiseki.forecast.rim import Relaxation
from kaiseki.forecast.state import State

STABILITY = 1e-4
"""Square of the buoyancy frequency in the energy of temperature, s-2."""
TEMPERATURE = 270.0
"""Reference temperature in the energy of vapour, K."""

type Fixed = tuple[Forcing | None, Metrics, Relaxation | None]
"""What does not change with the start."""


def smooth(parameters: DynamicsParameters) -> DynamicsParameters:
    """The parameters of the linear model that belongs to a forecast."""
    return dataclasses.replace(parameters, tracer_advection="smooth", reversible=True)


@dataclass(frozen=True, eq=False)
class LinearModel:
    """Forecast over n steps as a differentiable function of its start. Make one with `LinearModel.make`.

    Physics is left out; water is carried.
    """

    model: Model
    forcing: Forcing | None
    n: int

    @classmethod
    def make(cls, model: Model, forcing: Forcing | None, seconds: float) -> LinearModel:
        """The smooth form of a model over a window of `seconds`, the boundary moving as in `Model.advance`."""
        inner = dataclasses.replace(model, parameters=smooth(model.parameters), physics=None, site=None)
        return cls(inner, forcing, inner.steps(seconds))

    @property
    def _fixed(self) -> Fixed:
        return self.forcing, self.model.metrics, self.model.relaxation

    def forecast(self, state: State) -> State:
        """The nonlinear forecast."""
        return _forecast(state, self._fixed, self.model.parameters, self.n)

    def tangent(self, state: State, change: Perturbation) -> tuple[State, Perturbation]:
        """The forecast and the linear growth of a change of its start."""
        return _tangent(state, change, self._fixed, self.model.parameters, self.n)

    def adjoint(self, state: State, sensitivity: Perturbation) -> tuple[State, Perturbation]:
        """The forecast and the derivative by its start of a number whose derivative by its end is `sensitivity`."""
        return _adjoint(state, sensitivity, self._fixed, self.model.parameters, self.n)


def _window(fields: Perturbation, state: State, fixed: Fixed, p: DynamicsParameters, n: int) -> Perturbation:
    forcing, metrics, relaxation = fixed

    def one(carry: tuple[Perturbation, Array], k: Array) -> tuple[tuple[Perturbation, Array], None]:
        fields, time = carry
        at = dataclasses.replace(fields.onto(state), time=time)
        new = step(at, forcing, (k + 1.0) / n, metrics, relaxation, None, p, None, 1.0)
        return (Perturbation.of(new), new.time), None

    # A state weighs about a tenth of what is kept of a step, so the least memory is at sqrt(n / 10) steps a segment; a
    # divisor, for a remainder would have to be compiled apart.
    inner = max(d for d in range(1, n + 1) if n % d == 0 and d * d <= max(n / 10.0, 1.0))

    def segment(carry: tuple[Perturbation, Array], start: Array) -> tuple[tuple[Perturbation, Array], None]:
        return lax.scan(one, carry, start + jnp.arange(inner))[0], None

    (end, _), _ = lax.scan(jax.checkpoint(segment), (fields, state.time), inner * jnp.arange(n // inner))
    return end


def _after(state: State, end: Perturbation, p: DynamicsParameters, n: int) -> State:
    return dataclasses.replace(end.onto(state), time=state.time + jnp.asarray(round(p.dt * n), state.time.dtype))


@partial(jax.jit, static_argnames=("p", "n"))
def _forecast(state: State, fixed: Fixed, p: DynamicsParameters, n: int) -> State:
    return _after(state, _window(Perturbation.of(state), state, fixed, p, n), p, n)


@partial(jax.jit, static_argnames=("p", "n"))
def _tangent(
    state: State, change: Perturbation, fixed: Fixed, p: DynamicsParameters, n: int
) -> tuple[State, Perturbation]:
    end, grown = jax.jvp(lambda f: _window(f, state, fixed, p, n), (Perturbation.of(state),), (change,))
    return _after(state, end, p, n), grown


@partial(jax.jit, static_argnames=("p", "n"))
def _adjoint(
    state: State, sensitivity: Perturbation, fixed: Fixed, p: DynamicsParameters, n: int
) -> tuple[State, Perturbation]:
    end, back = jax.vjp(lambda f: _window(f, state, fixed, p, n), Perturbation.of(state))
    return _after(state, end, p, n), back(sensitivity)[0]


def means_on_faces(a: np.ndarray, axis: int) -> np.ndarray:
    """Means of neighbouring cells along an axis, the outermost cells' own values at both ends: one face more than
    cells (`operators.to_faces` in double precision on the host)."""
    wide = np.concatenate([np.take(a, [0], axis), a, np.take(a, [-1], axis)], axis)
    n = wide.shape[axis]
    return np.asarray(0.5 * (np.take(wide, range(n - 1), axis) + np.take(wide, range(1, n), axis)))


class Energy:
    """Total energy of small changes about a state: kinetic, elastic (p'^2 / 2 rho c^2), potential (g^2 theta'^2 / 2 N^2
    theta^2) and of vapour (Lv^2 q'^2 / 2 cp T), in float64 on the host.

    A diagonal form in wind, pressure, potential temperature and water; J per cell of true area times metres.
    """

    def __init__(self, state: State, model: Model) -> None:
        d = derive(state.drho, state.drt, model.metrics)
        m = model.metrics
        self._mass, self._theta, self._stiffness, volume, area, p = (
            np.asarray(a, np.float64) for a in (d.mass, d.theta, d.stiffness, m.volume, m.area, m.p_ref + d.p_prime)
        )
        self._sound = CP_DRY / CV_DRY * p / (self._mass / volume)
        self._volume = volume

        self._u = means_on_faces(self._mass, 2) * np.asarray(m.map_u, np.float64) ** 2
        self._v = means_on_faces(self._mass, 1) * np.asarray(m.map_v, np.float64) ** 2
        self._w = area * means_on_faces(self._mass, 0) / means_on_faces(volume, 0) / means_on_faces(volume / area, 0)

    def weighted(self, a: Perturbation) -> Perturbation:
        """The energy's matrix times a, so that <a, b> is the plain product of this with b."""
        f = {name: np.asarray(getattr(a, name), np.float64) for name in FIELDS}
        pressure = self._stiffness * f["drt"] * self._volume / (self._mass / self._volume * self._sound)
        theta = (f["drt"] - self._theta * f["drho"]) / self._mass
        buoyancy = self._mass * (GRAVITY / self._theta) ** 2 / STABILITY * theta
        vapour = LATENT_VAPORISATION**2 / (CP_DRY * TEMPERATURE) * self._mass
        parts = Perturbation(
            ru=f["ru"] / self._u,
            rv=f["rv"] / self._v,
            rw=f["rw"] / self._w,
            drho=-self._theta / self._mass * buoyancy,
            drt=self._stiffness * pressure + buoyancy / self._mass,
            water=vapour * f["water"],
        )
        return jax.tree.map(lambda x: 0.5 * x, parts)

    def product(self, a: Perturbation, b: Perturbation) -> float:
        """Inner product <a, b> of two changes."""
        return plain_product(self.weighted(a), b)

    def norm(self, a: Perturbation) -> float:
        """Norm sqrt <a, a> of a change."""
        return math.sqrt(self.product(a, a))
