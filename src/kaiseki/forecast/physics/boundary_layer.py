"""Diffusivities of the vertical turbulent mixing, and the mixing itself.

Local diffusivities depend on the gradient Richardson number (stable: Louis, Tiedtke and Geleyn 1982; unstable: Holtslag
and Boville 1993, J. Climate 6, 1825-1842), in cloud on its moist form (Durran and Klemp 1982, J. Atmos. Sci. 39,
2152-2158). Over a warm surface the profile of Troen and Mahrt (1986, Boundary-Layer Meteorol. 37, 129-148) holds up to
the height where a parcel from the ground loses its buoyancy, with the velocity scale of Noh et al. (2003,
Boundary-Layer Meteorol. 107, 401-427), without their counter-gradient term.

The other closure is local everywhere: level 2 of Mellor and Yamada (1974, J. Atmos. Sci. 31, 1791-1806), in which shear
and buoyancy produce what is dissipated at the same place, with the constants of Nakanishi and Niino (2009, J. Meteor.
Soc. Japan 87, 895-912, doi:10.2151/jmsj.87.895) and the same length scale as above.
"""

from __future__ import annotations

import jax.numpy as jnp
from jax import Array

from kaiseki.config.physics import BoundaryLayer
from kaiseki.core.constants import CP_DRY, EPSILON, GRAVITY, LATENT_VAPORISATION, R_DRY, VON_KARMAN
from kaiseki.forecast.physics.columns import Columns
from kaiseki.forecast.physics.diffusion import diffuse

CLOUDY = 1.0e-5
"""Condensate at which a layer is half cloudy for the stability, kg/kg."""
VELOCITY_FACTOR = 8.0
"""Weight of the convective velocity in the velocity scale (Noh et al. 2003)."""
LEAST_SHEAR = 1.0e-5
"""Least shear, added in quadrature, s-1."""

_B1, _B2, _C2, _C3, _C5 = 24.0, 15.0, 0.75, 0.352, 0.2
_GAMMA1, _PRANDTL = 0.235, 0.74
_A1 = _B1 * (1.0 - 3.0 * _GAMMA1) / 6.0
_A2 = 1.0 / (3.0 * _GAMMA1 * _B1 ** (1 / 3) * _PRANDTL)
_C1 = _GAMMA1 - 1.0 / (3.0 * _A1 * _B1 ** (1 / 3))
_GAMMA2 = (2.0 * _A1 * (3.0 - 2.0 * _C2) + _B2 * (1.0 - _C3)) / _B1
_F1 = _B1 * (_GAMMA1 - _C1) + 2.0 * _A1 * (3.0 - 2.0 * _C2) + 3.0 * _A2 * (1.0 - _C2) * (1.0 - _C5)
_F2 = _B1 * (_GAMMA1 + _GAMMA2) - 3.0 * _A1 * (1.0 - _C2)
CRITICAL_FLUX_RICHARDSON = _GAMMA1 / (_GAMMA1 + _GAMMA2)
"""Flux Richardson number at which turbulence of level 2 ends, about 0.3 (Nakanishi and Niino 2009)."""


def _between(x: Array) -> Array:
    return 0.5 * (x[1:] + x[:-1])


def local_gradients(columns: Columns) -> tuple[Array, Array]:
    """Square of the shear and stratification (squared buoyancy frequency) at the nz-1 inner interfaces, s-2."""
    dz = columns.height[1:] - columns.height[:-1]

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
    return shear2, dry + cloud / (cloud + CLOUDY) * (moist - dry)


def mixing_length(columns: Columns, asymptotic: float, p: BoundaryLayer) -> Array:
    """Mixing length at the nz-1 inner interfaces, m, for its asymptotic value near the ground."""
    z = columns.height[:-1] + 0.5 * columns.thickness[:-1]
    far = p.free_length + (asymptotic - p.free_length) * jnp.exp(-z / p.length_decay)
    return VON_KARMAN * z / (1.0 + VON_KARMAN * z / far)


def local_diffusivities(columns: Columns, p: BoundaryLayer) -> tuple[Array, Array]:
    """Diffusivities of momentum and heat at the nz-1 inner interfaces, m2/s, from the local gradients."""
    shear2, stratification = local_gradients(columns)
    length_m, length_h = (mixing_length(columns, x, p) for x in (p.mixing_length, p.heat_length))
    stable = jnp.clip(stratification / shear2, 0.0, 1e3)
    root = jnp.sqrt(1.0 + p.stability * stable)
    rate = jnp.sqrt(shear2 + 18.0 * jnp.maximum(-stratification, 0.0))
    momentum = length_m**2 * rate / (1.0 + 2.0 * p.stability * stable / root)
    heat = length_m * length_h * rate / (1.0 + 3.0 * p.stability * stable * root)
    return momentum, heat


def level_two(richardson: Array) -> tuple[Array, Array]:
    """Stability functions S_M and S_H of level 2 for a gradient Richardson number, any shape; 0 where R_f is critical.

    Their ratio and the flux Richardson number R_f = Ri S_H / S_M determine each other (Nakanishi and Niino 2009,
    appendix A), which is a quadratic equation for R_f.
    """
    factor = _A1 * _F1 / (_A2 * _F2)
    first, second = _B1 * (_GAMMA1 - _C1) / _F1, _B1 * _GAMMA1 / _F2
    half = 0.5 * (first + richardson / factor)
    # The smaller root; written so that a stable and a very unstable column keep their digits.
    root = jnp.sqrt(half**2 - second * richardson / factor)
    flux = jnp.where(half > 0.0, second * richardson / factor / jnp.where(half > 0.0, half + root, 1.0), half - root)
    flux = jnp.minimum(flux, CRITICAL_FLUX_RICHARDSON)
    heat = 3.0 * _A2 * (_GAMMA1 + _GAMMA2) * (CRITICAL_FLUX_RICHARDSON - flux) / (1.0 - flux)
    return factor * (first - flux) / (second - flux) * heat, heat


def level_two_diffusivities(columns: Columns, p: BoundaryLayer) -> tuple[Array, Array]:
    """Diffusivities of momentum and heat at the nz-1 inner interfaces, m2/s, from the local balance of turbulent
    energy: l q S with q^2 = B1 l^2 (S_M shear^2 - S_H N^2)."""
    shear2, stratification = local_gradients(columns)
    momentum, heat = level_two(jnp.clip(stratification / shear2, -1e3, 1e3))
    length = mixing_length(columns, p.mixing_length, p)
    # Nowhere exactly 0, where the root has no derivative.
    energy = _B1 * length**2 * jnp.maximum(momentum * shear2 - heat * stratification, 1e-12)
    speed = length * jnp.sqrt(energy)
    return speed * momentum, speed * heat


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
