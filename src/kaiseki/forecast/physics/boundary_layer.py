"""Diffusivities of the vertical turbulent mixing, and the mixing itself.

Local diffusivities depend on the gradient Richardson number (stable: Louis, Tiedtke and Geleyn 1982; unstable: Holtslag
and Boville 1993, J. Climate 6, 1825-1842), in cloud on its moist form (Durran and Klemp 1982, J. Atmos. Sci. 39,
2152-2158). Over a warm surface the profile of Troen and Mahrt (1986, Boundary-Layer Meteorol. 37, 129-148) holds up to
the height where a parcel from the ground loses its buoyancy, with the velocity scale of Noh et al. (2003,
Boundary-Layer Meteorol. 107, 401-427), without their counter-gradient term.
"""

from __future__ import annotations

import jax.numpy as jnp
from jax import Array

from kaiseki.core.constants import CP_DRY, EPSILON, GRAVITY, LATENT_VAPORISATION, R_DRY, VON_KARMAN
from kaiseki.forecast.physics.columns import Columns
from kaiseki.forecast.physics.diffusion import diffuse
from kaiseki.forecast.physics.parameters import BoundaryLayer

CLOUDY = 1.0e-5
"""kg/kg of condensate at which a layer is half cloudy for the stability."""
VELOCITY_FACTOR = 8.0
"""Weight of the convective velocity in the velocity scale (Noh et al. 2003)."""
LEAST_SHEAR = 1.0e-5
"""s-1, added in quadrature."""


def _between(x: Array) -> Array:
    return 0.5 * (x[1:] + x[:-1])


def local_diffusivities(columns: Columns, p: BoundaryLayer) -> tuple[Array, Array]:
    """Of momentum and heat at the nz-1 inner interfaces, m2/s, from the local gradients."""
    dz = columns.height[1:] - columns.height[:-1]
    z = columns.height[:-1] + 0.5 * columns.thickness[:-1]

    def gradient(x: Array) -> Array:
        return (x[1:] - x[:-1]) / dz

    shear2 = gradient(columns.u) ** 2 + gradient(columns.v) ** 2 + LEAST_SHEAR**2
    theta_v = columns.theta_v
    dry = GRAVITY * gradient(theta_v) / _between(theta_v)
    water, t = columns.water, _between(columns.temperature)
    rv, condensate = _between(water.rv), water.rc + water.ri
    heating = LATENT_VAPORISATION * rv / (R_DRY * t)
    cooling = EPSILON * LATENT_VAPORISATION**2 * rv / (CP_DRY * R_DRY * t**2)
    theta = columns.temperature / columns.exner
    moist = (
        (1.0 + heating)
        / (1.0 + cooling)
        * (gradient(theta) / _between(theta) + LATENT_VAPORISATION / (CP_DRY * t) * gradient(water.rv))
    )
    moist = GRAVITY * (moist - gradient(water.rv + condensate))
    cloud = jnp.maximum(jnp.minimum(condensate[1:], condensate[:-1]), 0.0)
    stratification = dry + cloud / (cloud + CLOUDY) * (moist - dry)

    asymptotic = tuple(
        p.free_length + (x - p.free_length) * jnp.exp(-z / p.length_decay) for x in (p.mixing_length, p.heat_length)
    )
    length_m, length_h = (VON_KARMAN * z / (1.0 + VON_KARMAN * z / a) for a in asymptotic)
    stable = jnp.clip(stratification / shear2, 0.0, 1e3)
    root = jnp.sqrt(1.0 + p.stability * stable)
    rate = jnp.sqrt(shear2 + 18.0 * jnp.maximum(-stratification, 0.0))
    momentum = length_m**2 * rate / (1.0 + 2.0 * p.stability * stable / root)
    heat = length_m * length_h * rate / (1.0 + 3.0 * p.stability * stable * root)
    return momentum, heat


def boundary_layer_height(columns: Columns, excess: Array, p: BoundaryLayer) -> Array:
    """Height (y, x) in m where the bulk Richardson number, counted from the lowest level warmed by `excess` (K), passes
    its critical value."""
    theta_v = columns.theta_v
    wind2 = (columns.u - columns.u[:1]) ** 2 + (columns.v - columns.v[:1]) ** 2 + 1.0
    z = columns.height
    bulk = GRAVITY * (z - z[:1]) * (theta_v - theta_v[:1] - excess) / (theta_v[:1] * wind2)
    over = bulk[1:] > p.critical_richardson
    k = jnp.where(jnp.any(over, axis=0), jnp.argmax(over, axis=0), over.shape[0] - 1)[None]

    def at(x: Array, index: Array) -> Array:
        return jnp.take_along_axis(x, index, axis=0)[0]

    low, high = at(bulk, k), at(bulk, k + 1)
    share = jnp.clip((p.critical_richardson - low) / jnp.maximum(high - low, 1e-6), 0.0, 1.0)
    return jnp.maximum(at(z, k) + share * (at(z, k + 1) - at(z, k)), 2.0 * z[0])


def profile_diffusivities(
    columns: Columns, friction: Array, heat_flux: Array, buoyancy_flux: Array, p: BoundaryLayer
) -> tuple[Array, Array]:
    """Diffusivity at the inner interfaces (m2/s) under a heated boundary layer, nothing elsewhere; and the layer's
    height (m).

    Args:
        friction: friction velocity, m/s.
        heat_flux: upward flux of virtual temperature at the ground, K m/s.
        buoyancy_flux: g / theta_v times it, m2 s-3.
    """
    up = jnp.maximum(buoyancy_flux, 0.0)
    first = (friction**3 + VELOCITY_FACTOR * VON_KARMAN * 0.1 * up * 500.0 + 1e-6) ** (1 / 3)
    excess = jnp.clip(p.excess * heat_flux / first, 0.0, p.excess_limit)
    h = boundary_layer_height(columns, excess, p)
    z = columns.height[:-1] + 0.5 * columns.thickness[:-1]
    relative = jnp.clip(z / h, 0.0, 1.0)
    speed = (friction**3 + VELOCITY_FACTOR * VON_KARMAN * relative * up * h + 1e-6) ** (1 / 3)
    k = VON_KARMAN * speed * z * (1.0 - relative) ** p.profile_power
    return jnp.where(buoyancy_flux > 0.0, k, 0.0), h


def conductance(columns: Columns, k: Array, p: BoundaryLayer) -> Array:
    """Exchange between neighbouring layers, kg m-2 s-1, for diffusivities (m2/s) at the inner interfaces."""
    dz = columns.height[1:] - columns.height[:-1]
    density = (columns.dry[1:] + columns.dry[:-1]) / (columns.thickness[1:] + columns.thickness[:-1])
    return density * jnp.clip(k, p.background_diffusivity, p.largest_diffusivity) / dz


def mix(
    columns: Columns,
    momentum: Array,
    heat: Array,
    dt: float,
    drag: Array,
    warmth: tuple[Array, Array],
    moisture: tuple[Array, Array],
) -> tuple[tuple[Array, ...], tuple[Array, ...]]:
    """Mix wind, dry static energy and water for one step; dry air is the mass that is mixed, with its water where it is
    momentum that is mixed.

    Args:
        momentum, heat: conductances between the layers, kg m-2 s-1.
        drag: exchange coefficient of momentum at the ground, kg m-2 s-1.
        warmth, moisture: (coefficient, source) of dry static energy over cp, counted from the ground, and of vapour
            there.

    Returns:
        changes (z, y, x) of u, v, temperature, rv, rc, ri; fluxes into the lowest layer of T (K kg m-2 s-1) and rv (kg
        m-2 s-1).
    """
    none = (jnp.zeros_like(drag), jnp.zeros_like(drag))
    energy = columns.temperature + GRAVITY / CP_DRY * columns.height
    water = columns.water
    moist = 1.0 + water.total()
    (du, dv), _ = diffuse(
        (columns.u, columns.v),
        columns.dry * moist,
        momentum * _between(moist),
        dt,
        ((drag, none[0]), (drag, none[0])),
    )
    changes, fluxes = diffuse(
        (energy, water.rv, water.rc, water.ri), columns.dry, heat, dt, (warmth, moisture, none, none)
    )
    return (du, dv, *changes), fluxes[:2]
