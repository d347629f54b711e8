"""Warm rain of one moment: vapour, cloud water, rain, no ice.

Kessler (1969, Meteor. Monogr. 10, No. 32) in the form of Soong and Ogura (1973) and of Klemp and Wilhelmson (1978, J.
Atmos. Sci. 35, 1070-1096), which the published supercells use; constants as in DCMIP2016 (Zarzycki et al. 2019, Geosci.
Model Dev. 12, 879-892, doi:10.5194/gmd-12-879-2019). Rain falls on one implicit way from the top to the ground, so that
a long step needs no shorter ones.
"""

from __future__ import annotations

import jax
import jax.numpy as jnp
from jax import Array, lax

from kaiseki.config.physics import WarmRain
from kaiseki.core.constants import CP_DRY, LATENT_VAPORISATION
from kaiseki.diagnostics import saturation
from kaiseki.forecast.physics.columns import Columns, Water


def condensation(temperature: Array, pressure: Array, vapour: Array, liquid: Array) -> tuple[Array, Array, Array]:
    """Temperature and mixing ratios of vapour and cloud water in equilibrium over water, enthalpy and water unchanged.

    Newton's method on cp T + Lv rv; the temperature returned follows from the final water, so enthalpy is exact.
    """

    def excess(t: Array) -> Array:
        saturated = saturation.mixing_ratio(saturation.over_water(t), pressure)
        return CP_DRY * (t - temperature) + LATENT_VAPORISATION * (saturated - vapour)

    t = temperature
    for _ in range(3):
        value, slope = jax.jvp(excess, (t,), (jnp.ones_like(t),))
        t = t - value / slope
    change = jnp.maximum(CP_DRY / LATENT_VAPORISATION * (t - temperature), -liquid)
    return temperature + LATENT_VAPORISATION / CP_DRY * change, vapour - change, liquid + change


def fall_speed(content: Array, ratio: Array, p: WarmRain) -> Array:
    """Fall speed of rain (m/s) from its content (kg m-3) and the density at the ground over that of the air (Klemp and
    Wilhelmson 1978, eq. 2.15)."""
    return p.speed * (1e-3 * jnp.maximum(content, 1e-12)) ** p.speed_power * jnp.sqrt(ratio)


def warm_rain(columns: Columns, dt: float, p: WarmRain) -> tuple[Array, Water, Array]:
    """One long step of cloud water and rain.

    Returns:
        temperature (K) and mixing ratios (z, y, x) after it; rain that reached the ground, kg m-2.
    """
    density, pressure = columns.density, columns.pressure
    water = columns.water
    # Negative condensate, left by advection of limited accuracy, is filled from the vapour.
    rc, rr = jnp.maximum(water.rc, 0.0), jnp.maximum(water.rr, 0.0)
    fill = rc - water.rc + rr - water.rr
    rv, t = water.rv - fill, columns.temperature + LATENT_VAPORISATION / CP_DRY * fill

    # Rain falls: what leaves a layer in the step is its share of an implicit upwind step.
    leaving = dt / columns.thickness * fall_speed(density * rr, density[:1] / density, p)
    stays = 1.0 / (1.0 + leaving)
    mass = columns.dry * rr

    def fall(above: Array, level: tuple[Array, Array]) -> tuple[Array, Array]:
        held, stay = level
        kept = (held + above) * stay
        return held + above - kept, kept

    ground, kept = lax.scan(fall, jnp.zeros_like(mass[0]), (mass, stays), reverse=True)
    rr = kept / columns.dry

    # Autoconversion and accretion (eq. 2.12 f.), implicit in the cloud water that they use up.
    collected = p.accretion_rate * jnp.maximum(rr, 1e-12) ** p.accretion_power
    left = (rc - dt * jnp.maximum(p.autoconversion_rate * (rc - p.autoconversion_threshold), 0.0)) / (
        1.0 + dt * collected
    )
    rr, rc = rr + rc - left, left

    t, rv, rc = condensation(t, pressure, rv, rc)
    # Evaporation of rain (eq. 2.14), at most to saturation and at most all of it.
    saturated = saturation.mixing_ratio(saturation.over_water(t), pressure)
    deficit = jnp.maximum(saturated - rv, 0.0)
    grams = jnp.maximum(1e-3 * density * rr, 1e-15)
    ventilation = 1.6 + 124.9 * grams**0.2046
    rate = deficit / saturated * ventilation * grams**0.525 / (5.4e5 + 2.55e8 / (pressure * saturated))
    slope = 1.0 + LATENT_VAPORISATION / CP_DRY * saturated * 4098.0 / jnp.square(t - 35.86)
    evaporated = jnp.minimum(jnp.minimum(dt * rate / (1e-3 * density), deficit / slope), rr)
    t, rv, rr = t - LATENT_VAPORISATION / CP_DRY * evaporated, rv + evaporated, rr - evaporated
    return t, Water(rv, rc, rr, water.ri, water.rs), ground
