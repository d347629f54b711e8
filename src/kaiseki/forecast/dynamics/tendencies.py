"""Slow tendencies of the dry dynamics: advection, pressure gradient, Coriolis and curvature, diffusion of momentum."""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import jax
import jax.numpy as jnp
from jax import Array

from kaiseki.core.constants import GRAVITY
from kaiseki.forecast.dynamics.acoustic import Slow, divergence, force, slope_flux
from kaiseki.forecast.dynamics.advection import FaceValue, windows
from kaiseki.forecast.dynamics.edges import Edges, close, extend
from kaiseki.forecast.dynamics.metrics import Metrics
from kaiseki.forecast.dynamics.operators import (
    close_levels,
    difference,
    mean,
    to_faces,
    to_interfaces,
)
from kaiseki.forecast.dynamics.parameters import DynamicsParameters
from kaiseki.forecast.dynamics.thermo import Derived


@jax.tree_util.register_dataclass
@dataclass(frozen=True)
class Gradient:
    """Horizontal pressure force at the start of the step (Pa on u and v faces, times layer thickness over spacing) and
    the pressure perturbation it belongs to."""

    x: Array
    y: Array
    p_prime: Array


def exact_gradient(p_prime: Array, metrics: Metrics, edges: Edges) -> Gradient:
    """The truly horizontal gradient, evaluated once per step; stages add the gradient of what has changed since."""
    u, v = metrics.stencil_u, metrics.stencil_v
    x = u.difference(extend(p_prime, edges, z=u.reach, x=1), -1)
    y = v.difference(extend(p_prime, edges, z=v.reach, y=1), -2)
    return Gradient(metrics.push_u * x, metrics.push_v * y, p_prime)


def transport(q: Array, flux: tuple[Array, ...], spacing: Array, face_value: FaceValue) -> Array:
    """Divergence of the flux of q (per unit mass) over n cells along each axis.

    Args:
        q: extended by two on every side (n + 4).
        flux: mass fluxes along x, y and z through the n + 1 faces along each axis.
        spacing: m.
        face_value: the scheme.

    Returns:
        (z, y, x); d(mass q)/dt = minus this.
    """
    flux_x, flux_y, flux_z = flux
    x = difference(face_value(flux_x, *windows(q[2:-2, 2:-2], -1)), -1)
    y = difference(face_value(flux_y, *windows(q[2:-2, :, 2:-2], -2)), -2)
    z = difference(face_value(flux_z, *windows(q[:, 2:-2, 2:-2], -3)), -3)
    return (x + y) / spacing + z


def diffusion(
    u: Array, v: Array, mass: Array, metrics: Metrics, rate: Array | float, edges: Edges
) -> tuple[Array, Array]:
    """Fourth-order diffusion of momentum along the levels from the wind on faces (m/s): tendencies of ru and rv.

    rate: share of spacing^4 per second.
    """
    fu = -rate * to_faces(mass, -1, edges) * metrics.map_u * _bilaplacian(extend(u, edges, y=2, x=2, faces="x"))
    fv = -rate * to_faces(mass, -2, edges) * metrics.map_v * _bilaplacian(extend(v, edges, y=2, x=2, faces="y"))
    return fu, fv


def _bilaplacian(q: Array) -> Array:
    """Laplacian of the Laplacian in units of the spacing; q extended by two."""
    ny, nx = q.shape[1] - 4, q.shape[2] - 4

    def at(j: int, i: int) -> Array:
        return q[:, 2 + j : 2 + j + ny, 2 + i : 2 + i + nx]

    near = at(0, 1) + at(0, -1) + at(1, 0) + at(-1, 0)
    diagonal = at(1, 1) + at(1, -1) + at(-1, 1) + at(-1, -1)
    far = at(0, 2) + at(0, -2) + at(2, 0) + at(-2, 0)
    return 20.0 * at(0, 0) - 8.0 * near + 2.0 * diagonal + far


def _beyond(theta: Array) -> Array:
    """Two more levels below and above, extrapolated: a copy would make the flux out of a stratified layer next to the
    ground one order less accurate."""
    low, high = theta[0] - theta[1], theta[-1] - theta[-2]
    below, above = [theta[0] + 2.0 * low, theta[0] + low], [theta[-1] + high, theta[-1] + 2.0 * high]
    return jnp.concatenate([jnp.stack(below), theta, jnp.stack(above)])


def winds(ru: Array, rv: Array, mass: Array, metrics: Metrics, edges: Edges) -> tuple[Array, Array]:
    """Wind along the grid on u and v faces, m/s."""
    m = extend(mass, edges, y=1, x=1)
    u = ru / (mean(m[:, 1:-1], -1) * metrics.map_u)
    v = rv / (mean(m[:, :, 1:-1], -2) * metrics.map_v)
    return u, v


class Prognostic(NamedTuple):
    """Prognostic fields of a Runge-Kutta stage, shapes as in `State`."""

    ru: Array
    rv: Array
    rw: Array
    drho: Array
    drt: Array
    water: Array


def slow_tendencies(
    fields: Prognostic,
    derived: Derived,
    gradient: Gradient,
    metrics: Metrics,
    p: DynamicsParameters,
    face_value: FaceValue,
) -> tuple[Slow, Array]:
    """All tendencies of a Runge-Kutta stage that the acoustic sub-steps hold fixed, and the stage's vertical mass flux
    through the levels on all interfaces (kg m-2 s-1 times a; none at the ground and the model top)."""
    edges, spacing = p.edges, metrics.spacing
    ru, rv, rw = fields.ru, fields.rv, fields.rw
    u, v = winds(ru, rv, derived.mass, metrics, edges)
    rho = derived.mass / metrics.volume
    slope = slope_flux(ru, rv, metrics)
    omega = close_levels(rw[1:-1] - slope[1:])
    w_ground = slope[:1] / (metrics.area * rho[:1])
    w_inner = rw[1:-1] / (metrics.area * to_interfaces(rho, metrics.thickness))
    w = jnp.concatenate([w_ground, w_inner, jnp.zeros_like(w_ground)])

    # Everything the stencils read, extended once.
    wide_u, wide_v = extend(u, edges, 2, 2, 2, "x"), extend(v, edges, 2, 2, 2, "y")
    wide_w, theta = extend(w, edges, 1, 2, 2), extend(_beyond(derived.theta), edges, 0, 2, 2)
    flux_u, flux_v = extend(ru, edges, 0, 1, 1, "x"), extend(rv, edges, 0, 1, 1, "y")
    flux_w = extend(omega, edges, 0, 1, 1)
    push_x, push_y = force(derived.p_prime - gradient.p_prime, metrics, edges)

    # Coriolis and the curvature of the projection, cf. Skamarock et al. (2019, NCAR/TN-556+STR, eq. 2.23 ff.).
    ru_v, rv_u = mean(mean(flux_u[:, :, 1:-1], -1), -2), mean(mean(flux_v[:, 1:-1], -2), -1)
    u_v, v_u = mean(mean(wide_u[2:-2, 1:-1, 2:-2], -1), -2), mean(mean(wide_v[2:-2, 2:-2, 1:-1], -2), -1)
    turn_u = metrics.coriolis_u + u * metrics.dmdy_u - v_u * metrics.dmdx_u
    turn_v = metrics.coriolis_v + u_v * metrics.dmdy_v - v * metrics.dmdx_v

    along_u = tuple(mean(f[:, 1:-1], -1) for f in (flux_u, flux_v, flux_w))
    u_advection = transport(wide_u, along_u, spacing, face_value)
    along_v = tuple(mean(f[:, :, 1:-1], -2) for f in (flux_u, flux_v, flux_w))
    v_advection = transport(wide_v, along_v, spacing, face_value)
    fu = -metrics.map_u * u_advection - gradient.x - push_x + turn_u * rv_u
    fv = -metrics.map_v * v_advection - gradient.y - push_y - turn_v * ru_v

    fu, fv = close(fu, -1, edges), close(fv, -2, edges)

    between = 0.5 * (metrics.thickness[1:] + metrics.thickness[:-1])
    w_advection = transport(wide_w, (mean(ru, -3), mean(rv, -3), mean(omega, -3)), spacing, face_value) / between
    buoyancy = GRAVITY * to_interfaces(fields.drho / metrics.volume, metrics.thickness)
    fw = -metrics.area * (difference(derived.p_prime, -3) / between + buoyancy) - w_advection

    f_mass = -divergence(ru, rv, metrics) - difference(omega, -3)
    f_heat = -transport(theta, (ru, rv, omega), spacing, face_value)
    return Slow(fu, fv, close_levels(fw), f_mass, f_heat), omega
