"""Clouds and precipitation of one moment: vapour, cloud water, rain, cloud ice, snow.

Cloud condensate is in equilibrium with the vapour, liquid and ice together according to temperature
(`diagnostics.saturation`). Cloud water becomes rain after Khairoutdinov and Kogan (2000, Mon. Wea. Rev. 128, 229-243)
or, by choice, Kessler (1969, Meteor. Monogr. 10, No. 32); ice aggregates to snow and is collected by it after Lin,
Farley and Orville (1983, J. Climate Appl. Meteor. 22, 1065-1092); rain evaporates, snow grows or sublimates, rain
freezes (Bigg 1953) with the ventilated rates of Hong, Dudhia and Chen (2004, Mon. Wea. Rev. 132, 103-120). Snow melts
as wet spheres at 0 degC: by the heat of the air, of the vapour that condenses on it or evaporates from it, and of the
cloud water and rain that it collects (Lin et al. 1983, eq. 32; Rutledge and Hobbs 1983, J. Atmos. Sci. 40, 1185-1206,
eq. A25 for the ventilation of flakes). Everything happens on one way from the top to the ground, so that what falls
through many layers within a long step takes part in all of them; no process can take more than there is.

Rain that snow collects gives its heat but stays rain: below the melting point it freezes by nuclei alone. Conductivity,
viscosity and Schmidt number of the air are those at 0 degC.
"""

from __future__ import annotations

import math

import jax
import jax.numpy as jnp
from jax import Array, lax

from kaiseki.config.physics import Microphysics
from kaiseki.core.constants import (
    C_LIQUID,
    CP_DRY,
    FREEZING,
    LATENT_FUSION,
    LATENT_SUBLIMATION,
    LATENT_VAPORISATION,
    R_VAPOUR,
    WATER_DENSITY,
)
from kaiseki.diagnostics import saturation
from kaiseki.forecast.physics.columns import Columns, Water

SURFACE_DENSITY = 1.28
"""Density of air, kg m-3, for which fall speeds were measured (Hong et al. 2004)."""
CONDUCTIVITY = 0.0243
"""Heat conductivity of air at 0 degC, W m-1 K-1."""
VISCOSITY = 1.72e-5
"""Dynamic viscosity of air at 0 degC, kg m-1 s-1."""
SCHMIDT = 0.6
"""Schmidt number of water vapour in air."""
TRACE = 1e-9
"""Content of precipitation below which there are no particles, kg m-3."""
FASTEST = 12.0
"""Largest fall speed, m/s."""

type Particles = tuple[Array, Array, Array]
"""Content (kg m-3), inverse slope 1/lambda (m) and intercept (m-4) of an exponential size distribution."""


def equilibrium_temperature(temperature: Array, pressure: Array, vapour: Array, liquid: Array, ice: Array) -> Array:
    """Temperature (K) at which the air is saturated, enthalpy cp T + Lv rv - Lf ri and water unchanged; unsaturated air
    needs negative condensate for it.

    Three steps of Newton's method: to round-off where less than a few grams per kilogram condense.
    """
    total = vapour + liquid + ice
    enthalpy = CP_DRY * temperature + LATENT_VAPORISATION * vapour - LATENT_FUSION * ice

    def excess(t: Array) -> Array:
        # Smooth and convex because condensate may turn negative here: Newton's steps cannot be thrown about by a kink.
        rv = saturation.mixing_ratio(saturation.saturation_vapour_pressure(t), pressure)
        ri = (1.0 - saturation.liquid_fraction(t)) * (total - rv)
        return CP_DRY * t + LATENT_VAPORISATION * rv - LATENT_FUSION * ri - enthalpy

    t = temperature
    for _ in range(3):
        value, slope = jax.jvp(excess, (t,), (jnp.ones_like(t),))
        t = t - value / slope
    return t


def saturation_adjustment(
    temperature: Array, pressure: Array, vapour: Array, liquid: Array, ice: Array
) -> tuple[Array, Array, Array, Array]:
    """Temperature and mixing ratios of vapour, cloud water and cloud ice in equilibrium, enthalpy and water unchanged.

    The temperature returned follows from the final water, so enthalpy is exact.
    """
    total = vapour + liquid + ice
    enthalpy = CP_DRY * temperature + LATENT_VAPORISATION * vapour - LATENT_FUSION * ice
    cloudless = (enthalpy - LATENT_VAPORISATION * total) / CP_DRY

    def saturated(t: Array) -> Array:
        return saturation.mixing_ratio(saturation.saturation_vapour_pressure(t), pressure)

    t = equilibrium_temperature(temperature, pressure, vapour, liquid, ice)
    cloudy = saturated(cloudless) < total
    rv = jnp.where(cloudy, jnp.minimum(total, saturated(t)), total)
    ri = (1.0 - saturation.liquid_fraction(t)) * (total - rv)
    return (enthalpy - LATENT_VAPORISATION * rv + LATENT_FUSION * ri) / CP_DRY, rv, total - rv - ri, ri


def fall_speed(
    content: Array, density: Array, factor: float, power: float, particle_density: float, intercept: Array | float
) -> Array:
    """Mass-weighted fall speed (m/s) of an exponential distribution of particles with speed factor D^power; content in
    kg m-3."""
    slope = (jnp.maximum(content, TRACE) / (math.pi * particle_density * intercept)) ** (0.25 * power)
    mean = factor * math.gamma(4.0 + power) / 6.0 * slope * jnp.sqrt(SURFACE_DENSITY / density)
    return jnp.minimum(mean, FASTEST)


def arriving_speed(
    flux: Array, density: Array, factor: float, power: float, particle_density: float, intercept: Array | float
) -> Array:
    """Mass-weighted fall speed (m/s) of particles known by their flux (kg m-2 s-1) from above: content = flux /
    speed."""
    s = 0.25 * power
    one = (
        factor
        * math.gamma(4.0 + power)
        / 6.0
        * (math.pi * particle_density * intercept) ** (-s)
        * jnp.sqrt(SURFACE_DENSITY / density)
    )
    return jnp.minimum((one * jnp.maximum(flux, TRACE) ** s) ** (1.0 / (1.0 + s)), FASTEST)


def _particles(content: Array, particle_density: float, intercept: Array | float) -> Particles:
    inverse = (jnp.maximum(content, TRACE) / (math.pi * particle_density * intercept)) ** 0.25
    return content, inverse, intercept * jnp.where(content > TRACE, 1.0, 0.0)


PLATES = 4.0
"""Shape factor of plates: 4 pi times the capacitance of a thin disc over its diameter D, D / pi."""
SPHERES = 2.0 * math.pi
"""Shape factor of spheres: 4 pi times the capacitance of a sphere over its diameter D, D / 2."""


def _ventilation(
    particles: Particles, density: Array, factor: float, power: float, shape: tuple[float, float, float]
) -> Array:
    """Diffusional exchange of a distribution, m-2: shape0 times the sum of D (shape1 + shape2 Sc^1/3 Re^1/2) over it,
    N0 shape0 [shape1 / lambda^2 + shape2 ventilation] (Hong et al. 2004, A.7 and A.13)."""
    _, inverse, intercept = particles
    b = 0.5 * (power + 5.0)
    wind = (
        SCHMIDT ** (1 / 3)
        * math.gamma(b)
        * jnp.sqrt(factor * density / VISCOSITY)
        * (SURFACE_DENSITY / density) ** 0.25
    )
    return shape[0] * intercept * (shape[1] * inverse**2 + shape[2] * wind * inverse**b)


def _diffusivity(t: Array, p: Array) -> Array:
    """Diffusivity of water vapour in air, m2/s (Hong et al. 2004)."""
    return 8.794e-5 * jnp.maximum(t, saturation.COLDEST) ** 1.81 / p


def _approach(
    exchange: Array, t: Array, p: Array, rv: Array, density: Array, latent: float, saturated: Array, dt: float
) -> Array:
    """Vapour (mixing ratio) that particles give off in dt on the way to saturation: positive evaporates, negative is
    deposited."""
    resistance = latent**2 / (CONDUCTIVITY * R_VAPOUR * t**2) + 1.0 / (density * saturated * _diffusivity(t, p))
    rate = exchange / (density * resistance * saturated)
    feedback = 1.0 + latent**2 * saturated / (CP_DRY * R_VAPOUR * t**2)
    return (saturated - rv) / feedback * -jnp.expm1(-rate * feedback * dt)


def autoconversion(rc: Array, p: Microphysics) -> Array:
    """Rate (s-1) at which cloud water of a mixing ratio rc > 0 turns into rain by itself."""
    if p.autoconversion == "kessler":
        return p.kessler_rate * jnp.maximum(rc - p.kessler_threshold, 0.0) / rc
    return p.autoconversion_rate * p.droplet_number**-1.79 * rc**1.47


def _collected_rain(drops: Particles, flakes: Particles, approach: Array) -> Array:
    """Rain that flakes sweep up, kg m-3 s-1, both kinds meeting at one speed `approach` (m/s; Lin et al. 1983, eq.
    28)."""
    d, f = drops[1], flakes[1]
    places = d**4 * (5.0 * d**2 * f + 2.0 * d * f**2 + 0.5 * f**3)
    return math.pi**2 * WATER_DENSITY * drops[2] * flakes[2] * approach * places


def _melting(
    exchange: Array, t: Array, p: Array, rv: Array, snow: Array, density: Array, collected: Array, dt: float
) -> tuple[Array, Array, Array]:
    """Melting of wet flakes at 0 degC within dt.

    Args:
        exchange: of the flakes as spheres, m-2.
        t, p, rv, snow, density: of the air, the mixing ratios of vapour and snow.
        collected: cloud water and rain that the flakes collect, kg per kg of dry air and second.

    Returns:
        snow that became rain, snow that became vapour (negative: vapour that became rain), and whether flakes are wet:
        else the heat does not make up for what evaporates, they stay colder than 0 degC and only sublimate.
    """
    warmth = jnp.maximum(t - FREEZING, 0.0)
    rate = CONDUCTIVITY * exchange / (density * CP_DRY) + C_LIQUID / CP_DRY * collected
    heat = CP_DRY * warmth * -jnp.expm1(-rate * dt)
    surface = saturation.mixing_ratio(saturation.over_ice(jnp.full_like(t, FREEZING)), p)
    evaporated = (surface - rv) * -jnp.expm1(-exchange * _diffusivity(t, p) * dt)
    # Melting and evaporating from water take what sublimating and melting the rest take.
    melted = (heat - LATENT_SUBLIMATION * evaporated) / LATENT_FUSION
    wet = (t > FREEZING) & (melted > 0.0)
    lost = jnp.where(wet, melted + evaporated, 1.0)
    share = jnp.where(wet, jnp.minimum(snow / jnp.maximum(lost, 1e-30), 1.0), 0.0)
    return share * melted, share * evaporated, wet


def microphysics(columns: Columns, dt: float, p: Microphysics) -> tuple[Array, Water, Array, Array]:
    """One long step of clouds and precipitation.

    Returns:
        temperature (K) and mixing ratios (z, y, x) after it; rain and snow (ice included) that reached the ground, kg
        m-2.
    """

    def level(
        fallen: tuple[Array, Array, Array], cell: tuple[Array, ...]
    ) -> tuple[tuple[Array, Array, Array], tuple[Array, ...]]:
        t, pressure, dry, h, *ratios = cell
        density = dry / h
        held = tuple(jnp.maximum(r, 0.0) for r in ratios[1:])
        # Negative condensate, left by advection of limited accuracy, is filled from the vapour.
        fill = tuple(a - b for a, b in zip(held, ratios[1:], strict=True))
        t = t + (LATENT_VAPORISATION * (fill[0] + fill[1]) + LATENT_SUBLIMATION * (fill[2] + fill[3])) / CP_DRY
        rv = ratios[0] - (fill[0] + fill[1] + fill[2] + fill[3])
        rain_in, snow_in, ice_in = fallen
        t, rv, rc, ri = saturation_adjustment(t, pressure, rv, held[0], held[2] + ice_in / dry)
        rain, snow = held[1] + rain_in / dry, held[3] + snow_in / dry

        cold = FREEZING - t
        snow_intercept = jnp.minimum(
            p.snow_intercept * jnp.exp(p.snow_intercept_cooling * jnp.clip(cold, 0.0, 60.0)), p.snow_intercept_limit
        )
        kinds: tuple[tuple[float, float, float, Array | float], ...] = (
            (p.rain_speed, p.rain_speed_power, WATER_DENSITY, p.rain_intercept),
            (p.snow_speed, p.snow_speed_power, p.snow_density, snow_intercept),
        )
        v_rain, v_snow = (
            jnp.maximum(fall_speed(density * r, density, *kind), arriving_speed(flux / dt, density, *kind))
            for r, flux, kind in zip((held[1], held[3]), (rain_in, snow_in), kinds, strict=True)
        )
        v_ice = p.ice_speed * jnp.maximum(density * ri, TRACE) ** p.ice_speed_power
        stay_rain, stay_snow, stay_ice = (1.0 / (1.0 + dt * v / h) for v in (v_rain, v_snow, v_ice))

        drops = _particles(density * rain * stay_rain, WATER_DENSITY, p.rain_intercept)
        flakes = _particles(density * snow * stay_snow, p.snow_density, snow_intercept)
        sweep = (
            0.25 * math.pi * p.snow_speed * math.gamma(3.0 + p.snow_speed_power) * jnp.sqrt(SURFACE_DENSITY / density)
        )
        sweep = sweep * flakes[2] * flakes[1] ** (3.0 + p.snow_speed_power)

        # Cloud water to rain and snow.
        safe = jnp.maximum(rc, 1e-10)
        to_rain = autoconversion(safe, p)
        to_rain = to_rain + p.accretion_rate * safe**0.15 * jnp.maximum(drops[0] / density, 1e-12) ** 1.15
        riming = p.collection_liquid * sweep
        taken = rc * dt / (1.0 + (to_rain + riming) * dt)
        rimed = jnp.where(cold > 0.0, jnp.minimum(taken * riming, CP_DRY / LATENT_FUSION * jnp.maximum(cold, 0.0)), 0.0)
        left = taken * (to_rain + riming) - rimed
        rc, rain, snow = rc - taken * (to_rain + riming), rain + left, snow + rimed
        t = t + LATENT_FUSION / CP_DRY * rimed
        collected = taken * riming / dt

        # Cloud ice to snow.
        chill = jnp.exp(-p.aggregation_cooling * jnp.clip(cold, 0.0, 100.0))
        to_snow = chill * (
            p.aggregation_rate * -jnp.expm1(-((ri / p.aggregation_content) ** 2)) + p.collection_ice * sweep
        )
        taken = ri * to_snow * dt / (1.0 + to_snow * dt)
        ri, snow = ri - taken, snow + taken

        # Evaporation of rain; growth, sublimation or melting of snow.
        exchange = _ventilation(drops, density, p.rain_speed, p.rain_speed_power, (SPHERES, 0.78, 0.31))
        saturated = saturation.mixing_ratio(saturation.over_water(t), pressure)
        change = jnp.clip(_approach(exchange, t, pressure, rv, density, LATENT_VAPORISATION, saturated, dt), 0.0, rain)
        rv, rain, t = rv + change, rain - change, t - LATENT_VAPORISATION / CP_DRY * change
        shape = (0.65, 0.44)
        exchange = _ventilation(flakes, density, p.snow_speed, p.snow_speed_power, (SPHERES, *shape))
        swept = p.collection_rain * _collected_rain(drops, flakes, jnp.abs(v_rain - v_snow)) / density
        collected = collected + jnp.minimum(swept, rain / dt)
        melted, sublimated, wet = _melting(exchange, t, pressure, rv, snow, density, collected, dt)
        saturated = saturation.mixing_ratio(saturation.over_ice(t), pressure)
        change = _approach(PLATES / SPHERES * exchange, t, pressure, rv, density, LATENT_SUBLIMATION, saturated, dt)
        change = jnp.minimum(jnp.where(t < FREEZING, change, jnp.maximum(change, 0.0)), snow)
        change = jnp.where(wet, sublimated, change)
        rv, rain, snow = rv + change, rain + melted, snow - change - melted
        t = t - (LATENT_SUBLIMATION * change + LATENT_FUSION * melted) / CP_DRY

        # Freezing of drops, at most to the melting point.
        capacity = CP_DRY / LATENT_FUSION * (t - FREEZING)
        nuclei = jnp.expm1(p.freezing_cooling * jnp.clip(FREEZING - t, 0.0, 40.0))
        bigg = 20.0 * math.pi**2 * p.freezing_rate * WATER_DENSITY * p.rain_intercept * nuclei * drops[1] ** 7
        rate = bigg / jnp.maximum(drops[0], TRACE)
        frozen = jnp.clip(jnp.minimum(rain * rate * dt / (1.0 + rate * dt), -capacity), 0.0)
        rain, snow, t = rain - frozen, snow + frozen, t + LATENT_FUSION / CP_DRY * frozen

        out = (rain * (1.0 - stay_rain), snow * (1.0 - stay_snow), ri * (1.0 - stay_ice))
        result = (t, rv, rc, rain - out[0], ri - out[2], snow - out[1])
        return tuple(dry * o for o in out), result  # type: ignore[return-value]

    none = jnp.zeros_like(columns.dry[0])
    cells = (columns.temperature, columns.pressure, columns.dry, columns.thickness, *columns.water.parts())
    # Reverse differentiation computes a level anew instead of keeping everything between its processes.
    (rain, snow, ice), (t, rv, rc, rr, ri, rs) = lax.scan(
        jax.checkpoint(level), (none, none, none), cells, reverse=True
    )
    return t, Water(rv, rc, rr, ri, rs), rain, snow + ice
