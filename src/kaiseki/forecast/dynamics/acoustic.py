"""Short steps: horizontally explicit, vertically implicit, linear in the deviations from the stage's state.

The split follows Wicker and Skamarock (2002) and Klemp, Skamarock and Dudhia (2007, Mon. Wea. Rev. 135, 2897-2913,
doi:10.1175/MWR3440.1): the slow tendencies hold everything evaluated at the stage; the short steps carry pressure
gradient, buoyancy and mass divergence of the deviation. The vertical implicit problem is tridiagonal in the momentum W.
"""

from __future__ import annotations

from dataclasses import dataclass

import jax
import jax.numpy as jnp
from jax import Array, lax

from kaiseki.core.constants import GRAVITY
from kaiseki.forecast.dynamics.metrics import Metrics
from kaiseki.forecast.dynamics.operators import close_periodic, difference, low_high, to_cells, to_faces, to_interfaces
from kaiseki.forecast.dynamics.parameters import DynamicsParameters


@jax.tree_util.register_dataclass
@dataclass(frozen=True)
class Slow:
    """Tendencies held during the short steps, with the shapes of the state's fields."""

    ru: Array
    rv: Array
    rw: Array
    drho: Array
    drt: Array


@jax.tree_util.register_dataclass
@dataclass(frozen=True)
class Deviation:
    """State minus the stage's state; `drt_before` is drt one short step earlier (divergence damping)."""

    ru: Array
    rv: Array
    rw: Array
    drho: Array
    drt: Array
    drt_before: Array


def slope_flux(ru: Array, rv: Array, metrics: Metrics) -> Array:
    """a rho (u dz/dx + v dz/dy) m at the interfaces below the lid, (z, y, x): what W must have to follow the levels.

    The lowest interface takes the lowest layer's wind.
    """
    ua, va = ru / metrics.thickness_u, rv / metrics.thickness_v
    u = jnp.concatenate([ua[:1], to_interfaces(ua, metrics.thickness_u)])
    v = jnp.concatenate([va[:1], to_interfaces(va, metrics.thickness_v)])
    return to_cells(u * metrics.slope_u[:-1], -1) + to_cells(v * metrics.slope_v[:-1], -2)


def divergence(ru: Array, rv: Array, metrics: Metrics) -> Array:
    """Horizontal divergence of the mass flux, kg m-2 s-1."""
    return (difference(ru, -1) + difference(rv, -2)) / metrics.spacing


def sloping_gradient(p: Array, axis: int, metrics: Metrics, periodic: bool) -> Array:
    """dp/dx at constant height by the chain rule along the levels, Pa/m on faces; for small deviations only."""
    slope, thickness = (metrics.slope_u, metrics.thickness) if axis == -1 else (metrics.slope_v, metrics.thickness)
    low, high = low_high(p, axis, periodic)
    inner = (p[1:] - p[:-1]) / (0.5 * (thickness[1:] + thickness[:-1]))
    dpdz = 0.5 * (jnp.concatenate([inner[:1], inner]) + jnp.concatenate([inner, inner[-1:]]))
    return (high - low) / metrics.spacing - 0.5 * (slope[1:] + slope[:-1]) * to_faces(dpdz, axis, periodic)


@jax.tree_util.register_dataclass
@dataclass(frozen=True)
class Implicit:
    """The factorised tridiagonal problem of one stage on the nz-1 inner interfaces, and the stage's coefficients."""

    lower: Array
    pivot: Array
    ratio: Array
    stiffness: Array
    theta_h: Array


def factorise(stiffness: Array, theta: Array, metrics: Metrics, tau: Array, b: float) -> Implicit:
    """Set up and factorise (Thomas algorithm) for short steps of length tau; theta_h on inner interfaces."""
    h = metrics.thickness
    theta_h = to_interfaces(theta, h)
    area_dz = metrics.area / (0.5 * (h[1:] + h[:-1]))
    share_below, share_above = h[1:] / (h[1:] + h[:-1]), h[:-1] / (h[1:] + h[:-1])
    gravity = GRAVITY * metrics.area
    above, below = share_above * gravity / metrics.volume[1:], share_below * gravity / metrics.volume[:-1]
    c_above, c_below = area_dz * stiffness[1:], area_dz * stiffness[:-1]
    theta_up = jnp.concatenate([theta_h[1:], theta[-1:]])
    theta_down = jnp.concatenate([theta[:1], theta_h[:-1]])
    factor = (tau * b) ** 2
    diagonal = 1.0 + factor * ((c_above + c_below) * theta_h + above - below)
    upper = -factor * (c_above * theta_up + above)
    lower = -factor * (c_below * theta_down - below)

    def forward(ratio: Array, row: tuple[Array, Array, Array]) -> tuple[Array, tuple[Array, Array]]:
        low, mid, up = row
        pivot = 1.0 / (mid - low * ratio)
        return up * pivot, (pivot, up * pivot)

    _, (pivot, ratio) = lax.scan(forward, jnp.zeros_like(diagonal[0]), (lower, diagonal, upper))
    return Implicit(lower=lower, pivot=pivot, ratio=ratio, stiffness=stiffness, theta_h=theta_h)


def solve(implicit: Implicit, rhs: Array) -> Array:
    """W on the nz-1 inner interfaces; no mass crosses the ground and the lid."""

    def forward(before: Array, row: tuple[Array, Array, Array]) -> tuple[Array, Array]:
        low, pivot, r = row
        value = (r - low * before) * pivot
        return value, value

    none = jnp.zeros_like(rhs[0])
    _, partial = lax.scan(forward, none, (implicit.lower, implicit.pivot, rhs))

    def backward(after: Array, row: tuple[Array, Array]) -> tuple[Array, Array]:
        value, ratio = row
        result = value - ratio * after
        return result, result

    _, w = lax.scan(backward, none, (partial, implicit.ratio), reverse=True)
    return w


def short_step(
    d: Deviation,
    slow: Slow,
    implicit: Implicit,
    metrics: Metrics,
    tau: Array,
    p: DynamicsParameters,
    theta_u: Array,
    theta_v: Array,
    damping: Array,
    stage_rw: Array,
) -> tuple[Deviation, tuple[Array, Array, Array]]:
    """One short step; also returns the deviation's mass fluxes (u, v, contravariant vertical on all interfaces) it
    used."""
    b, h = p.off_centring, metrics.thickness
    damped = d.drt + p.divergence_damping * (d.drt - d.drt_before)
    pressure = implicit.stiffness * damped
    gx = metrics.thickness_u * sloping_gradient(pressure, -1, metrics, p.periodic)
    gy = metrics.thickness_v * sloping_gradient(pressure, -2, metrics, p.periodic)
    if not p.periodic:  # the outermost faces move with the forcing or stand still
        gx = gx.at[..., 0].set(0.0).at[..., -1].set(0.0)
        gy = gy.at[..., 0, :].set(0.0).at[..., -1, :].set(0.0)
    ru, rv = d.ru + tau * (slow.ru - gx), d.rv + tau * (slow.rv - gy)

    slope = slope_flux(ru, rv, metrics)
    # Vertical flux of the explicit part: (1 - b) of the old W minus the slope's share.
    old = jnp.concatenate([(1.0 - b) * d.rw[:-1] - slope, jnp.zeros_like(slope[:1])]).at[0].set(0.0)
    theta_full = jnp.concatenate([implicit.theta_h[:1], implicit.theta_h, implicit.theta_h[-1:]])
    drho = d.drho + tau * (slow.drho - divergence(ru, rv, metrics) - (old[1:] - old[:-1]))
    drt = d.drt + tau * (
        slow.drt
        - divergence(ru * theta_u, rv * theta_v, metrics)
        - (theta_full[1:] * old[1:] - theta_full[:-1] * old[:-1])
    )
    p_mid = implicit.stiffness * ((1.0 - b) * d.drt + b * drt)
    r_mid = ((1.0 - b) * d.drho + b * drho) / metrics.volume
    gradient = (p_mid[1:] - p_mid[:-1]) / (0.5 * (h[1:] + h[:-1]))
    buoyancy = GRAVITY * to_interfaces(r_mid, h)
    rhs = d.rw[1:-1] + tau * (slow.rw[1:-1] - metrics.area * (gradient + buoyancy))
    inner = solve(implicit, rhs)
    # Implicit Rayleigh damping of the full W below the lid (Klemp et al. 2008).
    inner = (inner + stage_rw[1:-1]) * damping[1:-1] - stage_rw[1:-1]
    rw = jnp.concatenate([slope[:1], inner, jnp.zeros_like(slope[:1])])
    new = jnp.concatenate([jnp.zeros_like(slope[:1]), b * inner, jnp.zeros_like(slope[:1])])
    drho = drho - tau * (new[1:] - new[:-1])
    drt = drt - tau * (theta_full[1:] * new[1:] - theta_full[:-1] * new[:-1])
    return Deviation(ru, rv, rw, drho, drt, d.drt), (ru, rv, old + new)


def short_steps(
    d: Deviation,
    slow: Slow,
    implicit: Implicit,
    metrics: Metrics,
    tau: Array,
    count: Array,
    p: DynamicsParameters,
    theta: Array,
    damping: Array,
    stage_rw: Array,
) -> tuple[Deviation, tuple[Array, Array, Array]]:
    """`count` (at most p.acoustic_substeps) short steps of length tau: the deviation at their end and the mean of the
    mass fluxes over them.

    One compiled short step serves all stages: the loop has its full length, and what exceeds `count` is skipped.
    """
    theta_u, theta_v = to_faces(theta, -1, p.periodic), to_faces(theta, -2, p.periodic)

    type Carry = tuple[Deviation, tuple[Array, Array, Array]]

    def one(carry: Carry) -> Carry:
        deviation, total = carry
        deviation, flux = short_step(deviation, slow, implicit, metrics, tau, p, theta_u, theta_v, damping, stage_rw)
        return deviation, jax.tree.map(jnp.add, total, flux)

    def body(carry: Carry, k: Array) -> tuple[Carry, None]:
        return lax.cond(k < count, one, lambda same: same, carry), None

    zeros = (jnp.zeros_like(d.ru), jnp.zeros_like(d.rv), jnp.zeros_like(d.rw))
    (d, total), _ = lax.scan(body, (d, zeros), jnp.arange(p.acoustic_substeps))
    ru, rv = (close_periodic(d.ru, -1), close_periodic(d.rv, -2)) if p.periodic else (d.ru, d.rv)
    return Deviation(ru, rv, d.rw, d.drho, d.drt, d.drt_before), jax.tree.map(lambda f: f / count, total)
