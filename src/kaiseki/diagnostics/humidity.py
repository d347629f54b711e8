"""Measures of humidity and the water vapour of a column. Saturation is over liquid water throughout (WMO-No. 8)."""

from __future__ import annotations

import numpy as np

from kaiseki.core.constants import EPSILON, GRAVITY, TRIPLE_POINT
from kaiseki.diagnostics.namespace import Field, namespace
from kaiseki.diagnostics.saturation import OVER_WATER_FACTOR, OVER_WATER_OFFSET, TRIPLE_POINT_PRESSURE, over_water

LEAST_VAPOUR_PRESSURE = 1e-6
"""Vapour pressure below which there is no dew point, Pa: that of saturation over water at about 143 K."""


def vapour_pressure(qv: Field, pressure: Field) -> Field:
    """Vapour pressure (Pa) from specific humidity (kg/kg) and pressure (Pa)."""
    return qv * pressure / (EPSILON + (1.0 - EPSILON) * qv)


def relative_humidity(qv: Field, temperature: Field, pressure: Field) -> Field:
    """Relative humidity over liquid water at all temperatures, as a fraction: vapour pressure over that of saturation.

    This is how soundings report it (WMO-No. 8, chapter 4). In cold cloud of ice it stays below 1. Arguments: specific
    humidity (kg/kg), temperature (K), pressure (Pa).
    """
    return vapour_pressure(qv, pressure) / over_water(temperature)


def dew_point(vapour_pressure: Field) -> Field:
    """Dew point (K), over liquid water at all temperatures, from vapour pressure (Pa).

    The inverse of `saturation.over_water`; NaN where there is less vapour than `LEAST_VAPOUR_PRESSURE`.
    """
    xp = namespace(vapour_pressure)
    logarithm = xp.log(xp.maximum(vapour_pressure, LEAST_VAPOUR_PRESSURE) / TRIPLE_POINT_PRESSURE)
    ratio = logarithm / OVER_WATER_FACTOR
    found = (TRIPLE_POINT - OVER_WATER_OFFSET * ratio) / (1.0 - ratio)
    return xp.where(vapour_pressure >= LEAST_VAPOUR_PRESSURE, found, xp.nan)


def precipitable_water(qv: np.ndarray, pressure: np.ndarray, surface_pressure: Field) -> Field:
    """Mass of the water vapour of a column (kg m-2): the integral of qv dp / g, by the trapezoidal rule.

    The air is taken as hydrostatic. Between the ground and the lowest level the humidity is that of the lowest level;
    above the highest level there is none.

    Args:
        qv: (z, ...) specific humidity [kg/kg], z up.
        pressure: (z, ...) [Pa].
        surface_pressure: (...) [Pa].
    """
    below = (surface_pressure - pressure[0]) * qv[0]
    layers = 0.5 * (qv[1:] + qv[:-1]) * (pressure[:-1] - pressure[1:])
    return (below + layers.sum(axis=0)) / GRAVITY
