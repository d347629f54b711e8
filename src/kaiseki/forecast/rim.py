"""Lateral relaxation towards the driving state (Davies 1976, Quart. J. Roy. Meteor. Soc. 102, 405-418) and damping
towards it under the model top."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array

from kaiseki.forecast.perturbation import Perturbation
from kaiseki.forecast.state import State
from kaiseki.grid.domain import Domain

GRAVITY_WAVE_SPEED = 300.0
"""Speed of the external gravity wave, m/s, which sets the strength of the relaxation at the outer edge."""


@jax.tree_util.register_dataclass
@dataclass(frozen=True)
class Boundary:
    """Driving fields in the model's own variables at one time, shapes as in `State`."""

    ru: Array
    rv: Array
    drho: Array
    drt: Array
    water: Array

    @classmethod
    def of(cls, state: State | Perturbation) -> Boundary:
        """The driving part of a state, or of a small change of one."""
        return cls(state.ru, state.rv, state.drho, state.drt, state.water)

    def less(self, other: Boundary) -> Boundary:
        """Change from other boundary fields to these."""
        change: Boundary = jax.tree.map(jnp.subtract, self, other)
        return change

    def plus(self, change: Boundary) -> Boundary:
        """Boundary fields plus a change of them; water stays positive."""
        moved: Boundary = jax.tree.map(jnp.add, self, change)
        return dataclasses.replace(moved, water=jnp.maximum(moved.water, 0.0))


@jax.tree_util.register_dataclass
@dataclass(frozen=True)
class Relaxation:
    """Fraction of the difference to the driving state removed per long step, on cells, u faces and v faces; `top`
    (z,1,1) is added for momentum and heat."""

    cell: Array
    u: Array
    v: Array
    top: Array


def _rate(distance: np.ndarray, width: int, dt: float, spacing: float, rim_time: float) -> np.ndarray:
    """Fraction removed in a step: all at the outer edge, falling as cos^2 to nothing at the rim's inner edge."""
    time = rim_time * spacing / GRAVITY_WAVE_SPEED
    shape = np.where(distance < width, np.cos(0.5 * np.pi * distance / width) ** 2, 0.0)
    return np.where(distance < 0.75, 1.0, 1.0 - np.exp(-dt / time * shape))


def make_relaxation(
    domain: Domain,
    dt: float,
    rim_time: float,
    top_depth: float,
    top_time: float,
    dtype: type = np.float32,
) -> Relaxation:
    """Weights for a Domain and a step: rim from `domain.rim_width`; the uppermost `top_depth` metres follow the driving
    state with `top_time` (s) at the model top."""
    ny, nx, width = domain.ny, domain.nx, domain.rim_width

    def distance(n_y: int, n_x: int, offset_y: float, offset_x: float) -> np.ndarray:
        y, x = np.arange(n_y) + offset_y, np.arange(n_x) + offset_x
        dy, dx = np.minimum(y, ny - y), np.minimum(x, nx - x)
        return np.minimum(dy[:, None], dx[None, :])

    def make(n_y: int, n_x: int, offset_y: float, offset_x: float) -> Array:
        rate = _rate(distance(n_y, n_x, offset_y, offset_x), width, dt, domain.spacing, rim_time)
        return jnp.asarray(rate.astype(dtype))

    depth = np.clip((domain.zeta - (domain.zeta_half[-1] - top_depth)) / max(top_depth, 1e-3), 0.0, 1.0)
    top = 1.0 - np.exp(-dt / top_time * np.sin(0.5 * np.pi * depth) ** 2)
    return Relaxation(
        cell=make(ny, nx, 0.5, 0.5),
        u=make(ny, nx + 1, 0.5, 0.0),
        v=make(ny + 1, nx, 0.0, 0.5),
        top=jnp.asarray(top[:, None, None].astype(dtype)),
    )


def interpolate(before: Boundary, after: Boundary, weight: Array | float) -> Boundary:
    """Boundary between two, linear in time: `weight` 0 gives before, 1 after."""
    return jax.tree.map(lambda a, b: a + weight * (b - a), before, after)


def relax(state: State, target: Boundary, relaxation: Relaxation) -> State:
    """Move the state towards the driving state in the rim, and momentum and heat also under the model top; w fades at
    the outer edge."""

    def move(q: Array, b: Array, rate: Array) -> Array:
        return q + rate * (b - q)

    cell = jnp.maximum(relaxation.cell, relaxation.top)
    edge = relaxation.cell
    return dataclasses.replace(
        state,
        ru=move(state.ru, target.ru, jnp.maximum(relaxation.u, relaxation.top)),
        rv=move(state.rv, target.rv, jnp.maximum(relaxation.v, relaxation.top)),
        rw=state.rw * (1.0 - edge),
        drho=move(state.drho, target.drho, cell),
        drt=move(state.drt, target.drt, cell),
        water=move(state.water, target.water, edge),
    )
