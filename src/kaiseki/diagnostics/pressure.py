"""Pressure at the ground and at mean sea level."""

from __future__ import annotations

from kaiseki.core.constants import GRAVITY, R_DRY, STANDARD_LAPSE_RATE
from kaiseki.diagnostics.namespace import Field, namespace


def pressure_below(pressure: Field, virtual_temperature: Field, depth: Field) -> Field:
    """Pressure (Pa) `depth` metres below a point with given pressure (Pa) and virtual temperature (K).

    Hydrostatic, the temperature rising downwards with the standard lapse rate (ISO 2533:1975).
    """
    xp = namespace(pressure, virtual_temperature, depth)
    exponent = GRAVITY / (R_DRY * STANDARD_LAPSE_RATE)
    return pressure * xp.exp(exponent * xp.log1p(STANDARD_LAPSE_RATE * depth / virtual_temperature))


def sea_level_pressure(surface_pressure: Field, virtual_temperature: Field, height: Field) -> Field:
    """Mean sea-level pressure (Pa) from pressure (Pa), virtual temperature (K) and height (m) of the ground.

    The fictitious column below the ground has the standard lapse rate. Over high ground in very cold or very warm air
    the result depends on that convention by some hPa.
    """
    return pressure_below(surface_pressure, virtual_temperature, height)
