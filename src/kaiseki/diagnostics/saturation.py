"""Saturation of water vapour over liquid water, over ice and over both together.

Water after Buck (1981, J. Appl. Meteorol. 20, 1527-1532), ice after Alduchov and Eskridge (1996, J. Appl. Meteorol. 35,
601-609), both and the mixture as in the IFS (Documentation CY47R3, Part IV, section 7.4.2).
"""

from __future__ import annotations

from kaiseki.core.constants import EPSILON, TRIPLE_POINT
from kaiseki.diagnostics.namespace import Field, namespace

ALL_ICE = 250.16
"""Temperature below which condensate is all ice, K; between it and the triple point ice and liquid coexist (IFS)."""
TRIPLE_POINT_PRESSURE = 611.21
"""Vapour pressure at the triple point in the formulas of Buck (1981), Pa."""
OVER_WATER_FACTOR, OVER_WATER_OFFSET = 17.502, 32.19
"""Constants of Buck (1981) for liquid water: a [1] and b [K] in e0 exp(a (T - T0) / (T - b))."""
COLDEST = 100.0
"""Lower bound of the temperature in the formulas of saturation, K, far from their singularities."""


def over_water(temperature: Field) -> Field:
    """Saturation vapour pressure over liquid water (Pa), temperature in K."""
    xp = namespace(temperature)
    t = xp.maximum(temperature, COLDEST)
    return TRIPLE_POINT_PRESSURE * xp.exp(OVER_WATER_FACTOR * (t - TRIPLE_POINT) / (t - OVER_WATER_OFFSET))


def over_water_slope(temperature: Field) -> Field:
    """Derivative of the logarithm of `over_water` with respect to temperature (K-1), temperature in K."""
    t = namespace(temperature).maximum(temperature, COLDEST)
    return OVER_WATER_FACTOR * (TRIPLE_POINT - OVER_WATER_OFFSET) / (t - OVER_WATER_OFFSET) ** 2


def over_ice(temperature: Field) -> Field:
    """Saturation vapour pressure over ice (Pa), temperature in K."""
    xp = namespace(temperature)
    t = xp.maximum(temperature, COLDEST)
    return TRIPLE_POINT_PRESSURE * xp.exp(22.587 * (t - TRIPLE_POINT) / (t + 0.7))


def liquid_fraction(temperature: Field) -> Field:
    """Share of liquid in cloud condensate: 1 above the triple point, 0 below 250.16 K, quadratic in between."""
    xp = namespace(temperature)
    return xp.clip((temperature - ALL_ICE) / (TRIPLE_POINT - ALL_ICE), 0.0, 1.0) ** 2


def saturation_vapour_pressure(temperature: Field) -> Field:
    """Saturation vapour pressure over water, ice or both according to `liquid_fraction`, Pa."""
    share = liquid_fraction(temperature)
    return share * over_water(temperature) + (1.0 - share) * over_ice(temperature)


def bounded(vapour_pressure: Field, pressure: Field) -> Field:
    """Vapour pressure cut at half of the pressure: high in the stratosphere saturation would exceed the pressure
    itself."""
    return namespace(vapour_pressure, pressure).minimum(vapour_pressure, 0.5 * pressure)


def specific_humidity(vapour_pressure: Field, pressure: Field) -> Field:
    """Specific humidity (kg per kg of moist air) from vapour pressure and pressure (Pa)."""
    e = bounded(vapour_pressure, pressure)
    return EPSILON * e / (pressure - (1.0 - EPSILON) * e)


def mixing_ratio(vapour_pressure: Field, pressure: Field) -> Field:
    """Mixing ratio (kg of vapour per kg of dry air) from vapour pressure and pressure (Pa)."""
    e = bounded(vapour_pressure, pressure)
    return EPSILON * e / (pressure - e)


def saturation_specific_humidity(temperature: Field, pressure: Field) -> Field:
    """Specific humidity (kg/kg) of saturated air at temperature (K) and pressure (Pa), broadcast against each other."""
    return specific_humidity(saturation_vapour_pressure(temperature), pressure)


def saturation_humidity_over_water(temperature: Field, pressure: Field) -> Field:
    """Specific humidity (kg/kg) saturated over liquid water at temperature (K) and pressure (Pa): what the relative
    humidity of soundings refers to at all temperatures (WMO-No. 8, chapter 4)."""
    return specific_humidity(over_water(temperature), pressure)


def specific_humidity_from_relative(relative: Field, temperature: Field, pressure: Field) -> Field:
    """Specific humidity (kg/kg) from relative humidity (0..1, by vapour pressure), temperature (K), pressure (Pa)."""
    return specific_humidity(relative * saturation_vapour_pressure(temperature), pressure)
