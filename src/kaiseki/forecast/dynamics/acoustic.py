"""Acoustic sub-steps: horizontally explicit, vertically implicit, linear in the deviations from the stage's state.

The split follows Wicker and Skamarock (2002) and Klemp, Skamarock and Dudhia (2007, Mon. Wea. Rev. 135, 2897-2913,
doi:10.1175/MWR3440.1): the slow tendencies hold everything evaluated at the stage; the acoustic sub-steps carry
pressure gradient, buoyancy and mass divergence of the deviation. The vertical implicit problem is tridiagonal in the
momentum W.
"""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass

import jax
import jax.numpy as jnp
from jax import Array, lax

from kaiseki.core.constants import GRAVITY
from kaiseki.forecast.dynamics import tridiagonal
from kaiseki.forecast.dynamics.edges import OPEN, Edges, extend
from kaiseki.forecast.dynamics.metrics import Metrics
from kaiseki.forecast.dynamics.operators import close_levels, difference, mean, to_faces, to_interfaces
from kaiseki.forecast.dynamics.parameters import DynamicsParameters


@jax.tree_util.register_dataclass
@dataclass(frozen=True)
class Slow:
    """Tendencies held during the acoustic sub-steps, with the shapes of the state's fields."""

    ru: Array
    rv: Array
    rw: Array
    drho: Array
    drt: Array


@jax.tree_util.register_dataclass
@dataclass(frozen=True)
class Deviation:
    """State minus the stage's state; `drt_before` is drt one acoustic sub-step earlier (divergence damping)."""

    ru: Array
    rv: Array
    rw: Array
    drho: Array
    drt: Array
    drt_before: Array


def slope_flux(ru: Array, rv: Array, metrics: Metrics) -> Array:
    """Vertical mass flux of a flow along the levels, a rho (u dz/dx + v dz/dy) m at the interfaces below the model top,
    (z, y, x).

    The lowest interface takes the lowest layer's wind.
    """
    ground = mean(metrics.climb_u[1, :1] * ru[:1], -1) + mean(metrics.climb_v[1, :1] * rv[:1], -2)
    return jnp.concatenate([ground, _inner_slope_flux(ru, rv, metrics)])


def _inner_slope_flux(ru: Array, rv: Array, metrics: Metrics) -> Array:
    u = metrics.climb_u[0, 1:] * ru[:-1] + metrics.climb_u[1, 1:] * ru[1:]
    v = metrics.climb_v[0, 1:] * rv[:-1] + metrics.climb_v[1, 1:] * rv[1:]
    return mean(u, -1) + mean(v, -2)


def divergence(ru: Array, rv: Array, metrics: Metrics) -> Array:
    """Horizontal divergence of the mass flux, kg m-2 s-1."""
    return (difference(ru, -1) + difference(rv, -2)) / metrics.spacing


def force(p: Array, metrics: Metrics, edges: Edges) -> tuple[Array, Array]:
    """Layer thickness times the gradient of p (Pa) at constant height by the chain rule along the levels, on u and v
    faces; for small deviations only. Nothing on the outermost faces of a domain that is not periodic."""
    wide = extend(p, edges, y=1, x=1)
    steep = mean(extend(difference(wide, -3) * metrics.inverse_dz, OPEN, z=1), -3)
    x = metrics.push_u * difference(wide[:, 1:-1], -1) - metrics.tilt_u * mean(steep[:, 1:-1], -1)
    y = metrics.push_v * difference(wide[:, :, 1:-1], -2) - metrics.tilt_v * mean(steep[:, :, 1:-1], -2)
    return x, y


@jax.tree_util.register_dataclass
@dataclass(frozen=True)
class Implicit:
    """The tridiagonal problem of one stage on the nz-1 inner interfaces, its factors, and the stage's coefficients."""

    lower: Array
    diagonal: Array
    upper: Array
    pivot: Array
    ratio: Array
    stiffness: Array
    theta_h: Array


def factorise(stiffness: Array, theta: Array, metrics: Metrics, tau: Array, b: float) -> Implicit:
    """Set up and factorise (Thomas algorithm) for acoustic sub-steps of length tau; theta_h on all interfaces, of no
    account at ground and model top."""
    h = metrics.thickness
    inner = to_interfaces(theta, h)
    theta_h = jnp.concatenate([theta[:1], inner, theta[-1:]])
    area_dz = metrics.area / (0.5 * (h[1:] + h[:-1]))
    share_below, share_above = h[1:] / (h[1:] + h[:-1]), h[:-1] / (h[1:] + h[:-1])
    gravity = GRAVITY * metrics.area
    above, below = share_above * gravity / metrics.volume[1:], share_below * gravity / metrics.volume[:-1]
    c_above, c_below = area_dz * stiffness[1:], area_dz * stiffness[:-1]
    factor = (tau * b) ** 2
    diagonal = 1.0 + factor * ((c_above + c_below) * inner + above - below)
    upper = -factor * (c_above * theta_h[2:] + above)
    lower = -factor * (c_below * theta_h[:-2] - below)
    pivot, ratio = tridiagonal.factorise(lower, diagonal, upper)
    return Implicit(lower, diagonal, upper, pivot, ratio, stiffness, theta_h)


def acoustic_substep(
    d: Deviation,
    slow: Slow,
    implicit: Implicit,
    metrics: Metrics,
    tau: Array,
    kick: Array,
    p: DynamicsParameters,
    theta_u: Array,
    theta_v: Array,
    damping: Array,
    stage_rw: Array,
) -> tuple[Deviation, tuple[Array, Array, Array]]:
    """One acoustic sub-step of length tau, the horizontal momentum first moved over `kick`; also returns the
    deviation's mass fluxes (u, v, contravariant vertical on all interfaces) it used."""
    b, h, theta = p.off_centring, metrics.thickness, implicit.theta_h
    ru, rv = _pushed(d, slow, implicit, metrics, kick, p)
    slope = slope_flux(ru, rv, metrics)
    # Vertical flux of the explicit part: (1 - b) of the old W minus the slope's share.
    old = lax.optimization_barrier(close_levels((1.0 - b) * d.rw[1:-1] - slope[1:]))
    drho = d.drho + tau * (slow.drho - divergence(ru, rv, metrics) - difference(old, -3))
    drt = d.drt + tau * (slow.drt - divergence(ru * theta_u, rv * theta_v, metrics) - difference(theta * old, -3))
    drho, drt = lax.optimization_barrier((drho, drt))
    p_mid = implicit.stiffness * ((1.0 - b) * d.drt + b * drt)
    r_mid = ((1.0 - b) * d.drho + b * drho) / metrics.volume
    gradient = difference(p_mid, -3) / (0.5 * (h[1:] + h[:-1]))
    buoyancy = GRAVITY * to_interfaces(r_mid, h)
    rhs = d.rw[1:-1] + tau * (slow.rw[1:-1] - metrics.area * (gradient + buoyancy))
    inner = tridiagonal.solve(
        implicit.lower, implicit.diagonal, implicit.upper, implicit.pivot, implicit.ratio, lax.optimization_barrier(rhs)
    )
    # Implicit Rayleigh damping of the full W below the model top (Klemp et al. 2008).
    inner = (inner + stage_rw[1:-1]) * damping[1:-1] - stage_rw[1:-1]
    rw = jnp.concatenate([slope[:1], inner, jnp.zeros_like(slope[:1])])
    new = lax.optimization_barrier(close_levels(b * inner))
    drho = drho - tau * difference(new, -3)
    drt = drt - tau * difference(theta * new, -3)
    return Deviation(ru, rv, rw, drho, drt, d.drt), (ru, rv, old + new)


def _pushed(
    d: Deviation, slow: Slow, implicit: Implicit, metrics: Metrics, kick: Array, p: DynamicsParameters
) -> tuple[Array, Array]:
    """Horizontal momentum after the pressure force has acted for `kick` seconds."""
    damped = d.drt + p.divergence_damping * (d.drt - d.drt_before)
    force_u, force_v = force(implicit.stiffness * damped, metrics, p.edges)
    return lax.optimization_barrier((d.ru + kick * (slow.ru - force_u), d.rv + kick * (slow.rv - force_v)))


def acoustic_substeps_of_stage(
    d: Deviation,
    slow: Slow,
    implicit: Implicit,
    metrics: Metrics,
    tau: Array,
    count: Array | int,
    p: DynamicsParameters,
    theta: Array,
    damping: Array,
    stage_rw: Array,
) -> tuple[Deviation, tuple[Array, Array, Array]]:
    """`count` acoustic sub-steps of length tau: the deviation at their end and the mean of the mass fluxes over them.

    Horizontal momentum leaps over mass and heat: half a step at the beginning, whole ones between, half a step at the
    end (Stoermer and Verlet). Plain forward-backward steps leave it half an acoustic sub-step behind, an error of first
    order.

    With `count` an array one compiled loop serves all stages; reverse differentiation needs an int.
    """
    theta_u, theta_v = lax.optimization_barrier((to_faces(theta, -1, p.edges), to_faces(theta, -2, p.edges)))

    type Carry = tuple[Deviation, tuple[Array, Array, Array]]

    def body(k: Array, carry: Carry) -> Carry:
        deviation, total = carry
        kick = tau * jnp.where(k == 0, 0.5, 1.0).astype(tau.dtype)
        rest = (p, theta_u, theta_v, damping, stage_rw)
        deviation, flux = acoustic_substep(deviation, slow, implicit, metrics, tau, kick, *rest)
        return deviation, jax.tree.map(jnp.add, total, flux)

    zeros = (jnp.zeros_like(d.ru), jnp.zeros_like(d.rv), jnp.zeros_like(d.rw))
    # A loop of fixed length can be differentiated backwards.
    d, total = lax.fori_loop(0, count, body, (d, zeros))
    ru, rv = _pushed(d, slow, implicit, metrics, 0.5 * tau, p)
    d = dataclasses.replace(d, ru=ru, rv=rv, rw=d.rw.at[0].set(slope_flux(ru, rv, metrics)[0]))
    return d, jax.tree.map(lambda f: f / count, total)
