"""Slow tendencies of the dry dynamics: advection, pressure gradient, Coriolis and curvature, diffusion of momentum."""

from __future__ import annotations

from dataclasses import dataclass

import jax
import jax.numpy as jnp
from jax import Array

from kaiseki.core.constants import GRAVITY
from kaiseki.forecast.dynamics.acoustic import Slow, divergence, slope_flux, sloping_gradient
from kaiseki.forecast.dynamics.advection import FaceValue, flux_difference
from kaiseki.forecast.dynamics.metrics import Metrics
from kaiseki.forecast.dynamics.operators import (
    close_periodic,
    difference,
    low_high,
    pad,
    pad_faces,
    to_cells,
    to_faces,
    to_interfaces,
)
from kaiseki.forecast.dynamics.parameters import DynamicsParameters
from kaiseki.forecast.dynamics.pressure_gradient import horizontal_gradient
from kaiseki.forecast.dynamics.thermo import Derived


@jax.tree_util.register_dataclass
@dataclass(frozen=True)
class Gradient:
    """Horizontal pressure gradient at the start of the step (Pa/m on u and v faces) and the pressure perturbation it
    belongs to."""

    x: Array
    y: Array
    p_prime: Array


def exact_gradient(p_prime: Array, metrics: Metrics, periodic: bool) -> Gradient:
    """The truly horizontal gradient, evaluated once per step; stages add the gradient of what has changed since."""
    x = horizontal_gradient(*low_high(p_prime, -1, periodic), metrics.stencil_u, metrics.spacing)
    y = horizontal_gradient(*low_high(p_prime, -2, periodic), metrics.stencil_v, metrics.spacing)
    return Gradient(x, y, p_prime)


def vertical_flux(ru: Array, rv: Array, rw: Array, metrics: Metrics) -> Array:
    """Mass flux through the levels on all interfaces, kg m-2 s-1 times a; zero at the ground and the lid."""
    slope = slope_flux(ru, rv, metrics)
    inner = rw[1:-1] - slope[1:]
    none = jnp.zeros_like(inner[:1])
    return jnp.concatenate([none, inner, none])


def _vertical(flux_inner: Array, q: Array, face_value: FaceValue) -> Array:
    """Flux difference over the layers with no flux through ground and lid."""
    p = jnp.pad(q, [(1, 1), (0, 0), (0, 0)], mode="edge")
    n = flux_inner.shape[0]
    f = face_value(flux_inner, p[:n], p[1 : n + 1], p[2 : n + 2], p[3 : n + 3])
    none = jnp.zeros_like(f[:1])
    return jnp.concatenate([f, none]) - jnp.concatenate([none, f])


def scalar_advection(
    q: Array, ru: Array, rv: Array, omega: Array, metrics: Metrics, periodic: bool, face_value: FaceValue
) -> Array:
    """Divergence of the flux of q (per unit mass): d(h a rho q)/dt = minus this."""
    x = flux_difference(ru, pad(q, -1, 2, periodic), -1, face_value)
    y = flux_difference(rv, pad(q, -2, 2, periodic), -2, face_value)
    return (x + y) / metrics.spacing + _vertical(omega[1:-1], q, face_value)


def _u_advection(
    u: Array, ru: Array, rv: Array, omega: Array, metrics: Metrics, periodic: bool, face_value: FaceValue
) -> Array:
    """Divergence of the flux of u over the u cells, on all x faces (the outermost are meaningful only where
    periodic)."""
    flux = pad(to_cells(ru, -1), -1, 1, periodic)
    x = flux_difference(flux, pad_faces(u, -1, 2, periodic), -1, face_value)
    y = flux_difference(to_faces(rv, -1, periodic), pad(u, -2, 2, periodic), -2, face_value)
    return (x + y) / metrics.spacing + _vertical(to_faces(omega[1:-1], -1, periodic), u, face_value)


def _v_advection(
    v: Array, ru: Array, rv: Array, omega: Array, metrics: Metrics, periodic: bool, face_value: FaceValue
) -> Array:
    flux = pad(to_cells(rv, -2), -2, 1, periodic)
    y = flux_difference(flux, pad_faces(v, -2, 2, periodic), -2, face_value)
    x = flux_difference(to_faces(ru, -2, periodic), pad(v, -1, 2, periodic), -1, face_value)
    return (x + y) / metrics.spacing + _vertical(to_faces(omega[1:-1], -2, periodic), v, face_value)


def _w_advection(
    w: Array, ru: Array, rv: Array, omega: Array, metrics: Metrics, periodic: bool, face_value: FaceValue
) -> Array:
    """Divergence of the flux of w over the nz-1 inner interfaces, per unit thickness of the w cell."""
    inner = w[1:-1]
    x = flux_difference(0.5 * (ru[1:] + ru[:-1]), pad(inner, -1, 2, periodic), -1, face_value)
    y = flux_difference(0.5 * (rv[1:] + rv[:-1]), pad(inner, -2, 2, periodic), -2, face_value)
    p = jnp.concatenate([w[:1], w, w[-1:]])
    n = w.shape[0] - 1
    flux = face_value(0.5 * (omega[1:] + omega[:-1]), p[:n], p[1 : n + 1], p[2 : n + 2], p[3 : n + 3])
    return ((x + y) / metrics.spacing + flux[1:] - flux[:-1]) / (0.5 * (metrics.thickness[1:] + metrics.thickness[:-1]))


def _laplacian(q: Array, periodic: bool) -> Array:
    px, py = pad_faces(q, -1, 1, periodic), pad_faces(q, -2, 1, periodic)
    return difference(difference(px, -1), -1) + difference(difference(py, -2), -2)


def slow_tendencies(
    ru: Array,
    rv: Array,
    rw: Array,
    derived: Derived,
    drho: Array,
    gradient: Gradient,
    metrics: Metrics,
    p: DynamicsParameters,
    face_value: FaceValue,
    sign: Array | float = 1.0,
) -> tuple[Slow, Array]:
    """All tendencies of a Runge-Kutta stage that the short steps hold fixed, and the stage's vertical mass flux."""
    periodic = p.periodic
    mass_u, mass_v = to_faces(derived.mass, -1, periodic), to_faces(derived.mass, -2, periodic)
    u, v = ru / (mass_u * metrics.map_u), rv / (mass_v * metrics.map_v)
    rho = derived.mass / metrics.volume
    w_inner = rw[1:-1] / (metrics.area * to_interfaces(rho, metrics.thickness))
    slope = slope_flux(ru, rv, metrics)
    omega = jnp.concatenate([jnp.zeros_like(slope[:1]), rw[1:-1] - slope[1:], jnp.zeros_like(slope[:1])])
    w = jnp.concatenate([slope[:1] / (metrics.area * rho[:1]), w_inner, jnp.zeros_like(slope[:1])])

    change = derived.p_prime - gradient.p_prime
    px = gradient.x + sloping_gradient(change, -1, metrics, periodic)
    py = gradient.y + sloping_gradient(change, -2, metrics, periodic)

    # Coriolis and the curvature of the projection, cf. Skamarock et al. (2019, NCAR/TN-556+STR, eq. 2.23 ff.).
    rv_u = to_faces(to_cells(rv, -2), -1, periodic)
    ru_v = to_faces(to_cells(ru, -1), -2, periodic)
    v_u = to_faces(to_cells(v, -2), -1, periodic)
    u_v = to_faces(to_cells(u, -1), -2, periodic)
    turn_u = metrics.coriolis_u + u * metrics.dmdy_u - v_u * to_faces(to_cells(metrics.dmdx_v, -2), -1, periodic)
    turn_v = metrics.coriolis_v + u_v * to_faces(to_cells(metrics.dmdy_u, -1), -2, periodic) - v * metrics.dmdx_v

    fu = (
        -metrics.map_u * _u_advection(u, ru, rv, omega, metrics, periodic, face_value)
        - metrics.thickness_u * px
        + turn_u * rv_u
    )
    fv = (
        -metrics.map_v * _v_advection(v, ru, rv, omega, metrics, periodic, face_value)
        - metrics.thickness_v * py
        - turn_v * ru_v
    )
    if p.momentum_diffusion > 0.0:
        k = -sign * p.momentum_diffusion / p.dt
        fu = fu + k * mass_u * metrics.map_u * _laplacian(_laplacian(u, periodic), periodic)
        fv = fv + k * mass_v * metrics.map_v * _laplacian(_laplacian(v, periodic), periodic)
    if periodic:
        fu, fv = close_periodic(fu, -1), close_periodic(fv, -2)
    else:
        fu = fu.at[..., 0].set(0.0).at[..., -1].set(0.0)
        fv = fv.at[..., 0, :].set(0.0).at[..., -1, :].set(0.0)

    dpdz = (derived.p_prime[1:] - derived.p_prime[:-1]) / (0.5 * (metrics.thickness[1:] + metrics.thickness[:-1]))
    buoyancy = GRAVITY * to_interfaces(drho / metrics.volume, metrics.thickness)
    inner = -metrics.area * (dpdz + buoyancy) - _w_advection(w, ru, rv, omega, metrics, periodic, face_value)
    none = jnp.zeros_like(inner[:1])
    f_mass = -divergence(ru, rv, metrics) - (omega[1:] - omega[:-1])
    f_heat = -scalar_advection(derived.theta, ru, rv, omega, metrics, periodic, face_value)
    return Slow(fu, fv, jnp.concatenate([none, inner, none]), f_mass, f_heat), omega
