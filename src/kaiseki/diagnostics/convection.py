"""Convective available potential energy and convective inhibition of parcels lifted pseudoadiabatically.

A parcel rises dry-adiabatically to its condensation level and from there saturated over liquid water, all condensate
falling out at once; there is no ice and no mixing. Buoyancy is the difference of virtual temperatures (Doswell and
Rasmussen 1994, Weather Forecast. 9, 625-629), linear in ln p between levels.

Levels are the first axis, upwards; what follows is the same for all arrays. NaN anywhere in a column gives NaN.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from kaiseki.core.constants import (
    C_LIQUID,
    CP_DRY,
    CP_VAPOUR,
    EPSILON,
    FREEZING,
    KAPPA,
    LATENT_VAPORISATION,
    R_DRY,
    R_VAPOUR,
)
from kaiseki.diagnostics.humidity import LEAST_VAPOUR_PRESSURE, vapour_pressure
from kaiseki.diagnostics.namespace import Field
from kaiseki.diagnostics.saturation import mixing_ratio, over_water, over_water_slope
from kaiseki.diagnostics.thermodynamics import (
    equivalent_potential_temperature,
    exner,
    potential_temperature,
    virtual_temperature,
)

LONGEST_STEP = 0.1
"""Longest step in ln p of the integration along the pseudoadiabat, of fourth order."""
MOST_UNSTABLE_DEPTH = 30_000.0
"""Depth of the layer above the lowest level in which the most unstable parcel is sought, Pa."""


@dataclass(frozen=True)
class Parcel:
    """Air before it is lifted, (...) each.

    Attributes:
        pressure: where it starts [Pa].
        temperature: [K].
        qv: specific humidity [kg/kg].
    """

    pressure: Field
    temperature: Field
    qv: Field


@dataclass(frozen=True)
class Ascent:
    """Energies of a lifted parcel, (...) each.

    Attributes:
        cape: convective available potential energy [J/kg], 0 without a level of free convection.
        cin: convective inhibition [J/kg], not negative: the energy that it takes to lift the parcel to its level of
            free convection; NaN without one.
        condensation: pressure of the lifting condensation level [Pa].
    """

    cape: Field
    cin: Field
    condensation: Field


def condensation_level(parcel: Parcel) -> tuple[Field, Field]:
    """Pressure (Pa) and temperature (K) at which the parcel, lifted dry-adiabatically, is saturated over water.

    By Newton's method on ln(saturation vapour pressure) - ln(vapour pressure), which falls as T^(1/kappa). A saturated
    parcel stays where it is.
    """
    vapour = np.maximum(vapour_pressure(parcel.qv, parcel.pressure), LEAST_VAPOUR_PRESSURE)
    temperature = np.array(parcel.temperature, float)
    for _ in range(8):
        lifted = np.log(vapour) + np.log(temperature / parcel.temperature) / KAPPA
        excess = np.log(over_water(temperature)) - lifted
        temperature = temperature - excess / (over_water_slope(temperature) - 1.0 / (KAPPA * temperature))
    temperature = np.minimum(temperature, parcel.temperature)
    return parcel.pressure * (temperature / parcel.temperature) ** (1.0 / KAPPA), temperature


def _moist_slope(logarithm: Field, temperature: Field) -> Field:
    """Change of temperature with ln p (K) along the pseudoadiabat, at ln p (p in Pa) and temperature (K).

    From the enthalpy of dry air and vapour, of which what condenses leaves:
    (cp + r cpv) dT + L dr = (Rd + r Rv) T dln p, with r the saturation mixing ratio and L linear in temperature
    (Kirchhoff).
    """
    ratio = mixing_ratio(over_water(temperature), np.exp(logarithm))
    latent = LATENT_VAPORISATION - (C_LIQUID - CP_VAPOUR) * (temperature - FREEZING)
    released = latent * ratio * (1.0 + ratio / EPSILON)
    gas = (R_DRY + ratio * R_VAPOUR) * temperature
    return np.asarray((gas + released) / (CP_DRY + ratio * CP_VAPOUR + released * over_water_slope(temperature)))


def pseudoadiabat(temperature: Field, start: Field, end: Field) -> Field:
    """Temperature (K) of saturated air that goes pseudoadiabatically from a pressure to another (Pa), (...) each."""
    x, distance = np.log(start), np.log(end) - np.log(start)
    longest = float(np.max(np.abs(distance), initial=0.0, where=np.isfinite(distance)))
    steps = max(1, int(np.ceil(longest / LONGEST_STEP)))
    h = distance / steps
    for _ in range(steps):
        k1 = _moist_slope(x, temperature)
        k2 = _moist_slope(x + 0.5 * h, temperature + 0.5 * h * k1)
        k3 = _moist_slope(x + 0.5 * h, temperature + 0.5 * h * k2)
        k4 = _moist_slope(x + h, temperature + h * k3)
        temperature, x = temperature + h / 6.0 * (k1 + 2.0 * (k2 + k3) + k4), x + h
    return temperature


def _areas(lower: Field, upper: Field, width: Field) -> tuple[Field, Field]:
    """Positive and negative area, both as positive numbers, under a straight line between two values."""
    high, low = np.maximum(np.maximum(lower, upper), 0.0), np.maximum(np.maximum(-lower, -upper), 0.0)
    both = high + low
    crossing = np.where((high > 0.0) & (low > 0.0), both, 1.0)
    mean = 0.5 * width
    positive = np.where(low > 0.0, mean * high * high / crossing, mean * (np.maximum(lower, 0) + np.maximum(upper, 0)))
    negative = np.where(high > 0.0, mean * low * low / crossing, mean * (np.maximum(-lower, 0) + np.maximum(-upper, 0)))
    return np.where(high > 0.0, positive, 0.0), np.where(low > 0.0, negative, 0.0)


def lift(parcel: Parcel, pressure: Field, temperature: Field, qv: Field) -> Ascent:
    """Energies of a parcel lifted through a column.

    CAPE is the energy of all layers of positive buoyancy above the level of free convection, which is the lowest level
    at or above the condensation level where the parcel is buoyant; layers of negative buoyancy higher up take nothing
    from it. A parcel that is buoyant at the top of the column is counted as far as there. CIN is the energy of the
    layers of negative buoyancy below the level of free convection.

    Args:
        parcel: starts at or above the lowest level.
        pressure: (z, ...) [Pa], falling with z.
        temperature: (z, ...) [K].
        qv: (z, ...) specific humidity [kg/kg].
    """
    start = np.log(parcel.pressure)
    level, at_level = condensation_level(parcel)
    condensation = np.log(level)
    dry_virtual = virtual_temperature(parcel.temperature, parcel.qv)
    cape, cin = np.zeros(start.shape), np.zeros(start.shape)
    free = np.zeros(start.shape, bool)
    missing = np.isnan(start) | np.isnan(dry_virtual)
    moist_from, moist = condensation, at_level
    x_low = np.log(np.asarray(pressure[0], float))
    air_low = virtual_temperature(np.asarray(temperature[0], float), np.asarray(qv[0], float))
    for k in range(1, len(pressure)):
        x_high = np.log(np.asarray(pressure[k], float))
        air_high = virtual_temperature(np.asarray(temperature[k], float), np.asarray(qv[k], float))
        missing |= np.isnan(x_low + x_high + air_low + air_high)
        slope = (air_high - air_low) / (x_high - x_low)
        # The layer above the parcel's start, in a dry and a moist part; each may be empty.
        bottom = np.clip(start, x_high, x_low)
        middle = np.clip(condensation, x_high, bottom)
        dry = [dry_virtual * np.exp(KAPPA * (x - start)) - (air_low + slope * (x - x_low)) for x in (bottom, middle)]
        positive, negative = _areas(dry[0], dry[1], bottom - middle)
        cin += np.where(free, 0.0, negative)
        top = np.minimum(moist_from, x_high)
        above = pseudoadiabat(moist, np.exp(moist_from), np.exp(top))
        is_moist = middle > x_high
        wet = [
            _saturated_virtual(t, x) - (air_low + slope * (x - x_low)) for t, x in ((moist, middle), (above, x_high))
        ]
        positive, negative = _areas(wet[0], wet[1], middle - x_high)
        cin += np.where(is_moist & ~free & (wet[0] <= 0.0), negative, 0.0)
        free |= is_moist & ((wet[0] > 0.0) | (wet[1] > 0.0))
        cape += np.where(is_moist & free, positive, 0.0)
        moist_from, moist = top, above
        x_low, air_low = x_high, air_high
    cape, cin = R_DRY * cape, np.where(free, R_DRY * cin, np.nan)
    return Ascent(*(np.where(missing, np.nan, one) for one in (cape, cin, level)))


def _saturated_virtual(temperature: Field, logarithm: Field) -> Field:
    """Virtual temperature (K) of saturated air at a temperature (K) and ln p (p in Pa)."""
    ratio = mixing_ratio(over_water(temperature), np.exp(logarithm))
    return np.asarray(virtual_temperature(temperature, ratio / (1.0 + ratio)))


def lowest_parcel(pressure: Field, temperature: Field, qv: Field) -> Parcel:
    """The air of the lowest level, from columns (z, ...)."""
    return Parcel(*(np.asarray(field[0], float) for field in (pressure, temperature, qv)))


def mixed_parcel(pressure: Field, temperature: Field, qv: Field, top: Field) -> Parcel:
    """Air with the mean potential temperature and specific humidity of a layer, by mass, at the lowest level.

    Args:
        pressure, temperature, qv: (z, ...) [Pa, K, kg/kg], z up.
        top: (...) pressure at the top of the layer [Pa], below that of the lowest level; values there are linear in
            pressure between levels.
    """
    theta_sum, qv_sum, mass = (np.zeros(top.shape) for _ in range(3))
    theta = potential_temperature(np.asarray(temperature[0], float), np.asarray(pressure[0], float))
    for k in range(1, len(pressure)):
        p_low, p_high = np.asarray(pressure[k - 1], float), np.asarray(pressure[k], float)
        above = potential_temperature(np.asarray(temperature[k], float), p_high)
        depth = np.clip(p_low - top, 0.0, p_low - p_high)
        # The mean of a straight line over the lower part of the layer.
        half = 0.5 * depth / (p_low - p_high)
        theta_sum += depth * (theta + half * (above - theta))
        qv_sum += depth * (qv[k - 1] + half * (np.asarray(qv[k], float) - qv[k - 1]))
        mass += depth
        theta = above
    lowest = np.asarray(pressure[0], float)
    return Parcel(lowest, theta_sum / mass * exner(lowest), qv_sum / mass)


def most_unstable_parcel(pressure: Field, temperature: Field, qv: Field, depth: float = MOST_UNSTABLE_DEPTH) -> Parcel:
    """The air of the level with the highest equivalent potential temperature (Bolton 1980) within a depth (Pa) above
    the lowest level, from columns (z, ...)."""
    p, t, q = (np.array(field[0], float) for field in (pressure, temperature, qv))
    lowest, best = p, equivalent_potential_temperature(t, p, q)
    for k in range(1, len(pressure)):
        candidate = [np.asarray(field[k], float) for field in (pressure, temperature, qv)]
        theta = equivalent_potential_temperature(candidate[1], candidate[0], candidate[2])
        better = (theta > best) & (lowest - candidate[0] <= depth)
        if not better.any() and np.all((lowest - candidate[0] > depth) | np.isnan(lowest)):
            break
        best = np.where(better, theta, best)
        p, t, q = (np.where(better, new, old) for new, old in zip(candidate, (p, t, q), strict=True))
    return Parcel(p, t, q)
