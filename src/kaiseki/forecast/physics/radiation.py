"""Broadband radiation: thermal fluxes of a few grey shares of the spectrum, solar absorption by vapour and reflection
by cloud.

Thermal: weighted sum of grey gases (Hottel and Sarofim 1967), each solved upward and downward through isothermal
    layers. Solar: Lacis and Hansen (1974, J. Atmos. Sci. 31, 118-133) for Rayleigh scattering, water vapour and cloud
    albedo. No cloud fraction: a cell is cloudy by its own condensate.
"""

from __future__ import annotations

import jax.numpy as jnp
from jax import Array, lax

from kaiseki.config.physics import Radiation
from kaiseki.core.constants import CP_DRY, GRAVITY, P0, SOLAR_CONSTANT, STEFAN_BOLTZMANN, WATER_DENSITY
from kaiseki.forecast.physics.columns import Columns

ICE_DENSITY = 917.0
"""Density of ice, kg m-3."""


def thermal(columns: Columns, ground: Array, p: Radiation) -> tuple[Array, Array, Array]:
    """Thermal heating (K/s, (z, y, x)), downward flux at the ground and outgoing flux at the top (W m-2), from the
    ground's emission (W m-2)."""
    water, dry = columns.water, columns.dry
    scaling = (columns.pressure / P0) ** p.pressure_power
    grey = (
        p.liquid * jnp.maximum(water.rc, 0.0) + p.ice * jnp.maximum(water.ri, 0.0) + p.snow * jnp.maximum(water.rs, 0.0)
    )
    shape = (len(p.weights), 1, 1)
    weights, k_vapour, k_carbon = (
        jnp.asarray(k, dry.dtype).reshape(shape) for k in (p.weights, p.vapour, p.carbon_dioxide)
    )
    source = STEFAN_BOLTZMANN * columns.temperature**4

    def passed(layer: tuple[Array, ...]) -> Array:
        vapour, air, cloud = layer
        return jnp.exp(-p.diffusivity * (k_vapour * vapour + k_carbon * air + cloud))

    layers = (dry * scaling * jnp.maximum(water.rv, 0.0), dry * scaling, dry * grey)

    def travel(flux: Array, cell: tuple[tuple[Array, ...], Array]) -> tuple[Array, Array]:
        layer, emission = cell
        t = passed(layer)
        new = flux * t + weights * emission * (1.0 - t)
        return new, jnp.sum(new - flux, axis=0)

    # Above the model top: carbon dioxide as warm as the highest level.
    above = columns.pressure[-1] / GRAVITY * scaling[-1]
    nothing = jnp.zeros_like(above)
    top = weights * source[-1] * (1.0 - passed((nothing, above, nothing)))
    down, gain_down = lax.scan(travel, top, (layers, source), reverse=True)
    up, gain_up = lax.scan(travel, weights * ground, (layers, source))
    return -(gain_down + gain_up) / (CP_DRY * dry), jnp.sum(down, axis=0), jnp.sum(up, axis=0)


def vapour_absorption(path: Array) -> Array:
    """Share of the sun's radiation absorbed by a path of water vapour in cm (Lacis and Hansen 1974, equation 21, after
    Yamamoto 1962)."""
    return 2.9 * path / ((1.0 + 141.5 * path) ** 0.635 + 5.925 * path)


def solar(columns: Columns, cosine: Array, distance: Array, albedo: Array, p: Radiation) -> tuple[Array, Array]:
    """Solar heating (K/s) and flux at the ground before reflection (W m-2) for the cosine of the zenith angle, (mean
    distance / distance)^2, albedo."""
    mu = jnp.maximum(cosine, 0.0)
    slant = 35.0 / jnp.sqrt(1224.0 * mu**2 + 1.0)
    water, dry = columns.water, columns.dry
    vapour = 0.1 * dry * jnp.maximum(water.rv, 0.0) * columns.pressure / P0
    thickness = (
        1.5
        * dry
        * (
            jnp.maximum(water.rc, 0.0) / (WATER_DENSITY * p.droplet_radius)
            + jnp.maximum(water.ri + 0.1 * water.rs, 0.0) / (ICE_DENSITY * p.ice_radius)
        )
    )
    # Sums from the model top down to the bottom of each layer.
    absorbed = vapour_absorption(slant * jnp.cumsum(vapour[::-1], axis=0)[::-1])
    depth = 3.0**0.5 * (1.0 - p.asymmetry) * jnp.cumsum(thickness[::-1], axis=0)[::-1]
    through = 2.0 / (2.0 + depth)
    incoming = SOLAR_CONSTANT * distance * mu
    in_layer = absorbed - jnp.concatenate([absorbed[1:], jnp.zeros_like(absorbed[:1])])
    heating = incoming * through * in_layer / (CP_DRY * dry)
    clear = 1.0 - 0.28 / (1.0 + 6.43 * mu) - p.ozone - p.aerosol - absorbed[0]
    reflected = 1.0 - through[0] + 0.0685 * through[0]
    return heating, incoming * clear * through[0] / (1.0 - albedo * reflected)
