"""The little thermodynamics that checks and errors need: saturation, standard atmosphere. NumPy, SI."""

from __future__ import annotations

import numpy as np

from kaiseki.core.constants import (
    EPSILON,
    FREEZING,
    GRAVITY,
    R_DRY,
    STANDARD_LAPSE_RATE,
    STANDARD_PRESSURE,
    STANDARD_TEMPERATURE,
    VIRTUAL,
)

TROPOPAUSE_PRESSURE = 22_632.0
"""Pressure of the tropopause of the standard atmosphere [Pa] (ISO 2533:1975, 11 km)."""

_EXPONENT = GRAVITY / (R_DRY * STANDARD_LAPSE_RATE)


def saturation_humidity(temperature: np.ndarray, pressure: np.ndarray) -> np.ndarray:
    """Specific humidity [kg kg-1] at saturation over water; temperature [K], pressure [Pa] of one shape.

    Bolton 1980 (Mon. Wea. Rev. 108, 1046-1053), equation 10, fitted from -30 to 35 degC. NaN where the vapour pressure
    would exceed half of the pressure.
    """
    celsius = temperature - FREEZING
    vapour = 611.2 * np.exp(17.67 * celsius / np.maximum(celsius + 243.5, 1.0))
    vapour = np.where(vapour < 0.5 * pressure, vapour, np.nan)
    return EPSILON * vapour / (pressure - (1.0 - EPSILON) * vapour)


def virtual_temperature(temperature: np.ndarray, humidity: np.ndarray) -> np.ndarray:
    """Virtual temperature [K] from temperature [K] and specific humidity [kg kg-1]; humidity NaN counts as dry."""
    return temperature * (1.0 + VIRTUAL * np.nan_to_num(humidity))


def standard_temperature(pressure: np.ndarray) -> np.ndarray:
    """Temperature [K] of the standard atmosphere (ISO 2533:1975) at a pressure [Pa]; isothermal above 11 km."""
    below = np.maximum(pressure, TROPOPAUSE_PRESSURE)
    return STANDARD_TEMPERATURE * (below / STANDARD_PRESSURE) ** (1.0 / _EXPONENT)


def standard_height(pressure: np.ndarray) -> np.ndarray:
    """Geopotential height [m] of the standard atmosphere (ISO 2533:1975) at a pressure [Pa]."""
    below = np.maximum(pressure, TROPOPAUSE_PRESSURE)
    height = STANDARD_TEMPERATURE / STANDARD_LAPSE_RATE * (1.0 - (below / STANDARD_PRESSURE) ** (1.0 / _EXPONENT))
    above = R_DRY * standard_temperature(pressure) / GRAVITY * np.log(below / np.minimum(pressure, below))
    return height + above


def standard_pressure(height: np.ndarray) -> np.ndarray:
    """Pressure [Pa] of the standard atmosphere (ISO 2533:1975) at a geopotential height [m] below 11 km."""
    return STANDARD_PRESSURE * (1.0 - STANDARD_LAPSE_RATE * height / STANDARD_TEMPERATURE) ** _EXPONENT


def reduced_to_sea_level(pressure: np.ndarray, elevation: np.ndarray) -> np.ndarray:
    """Sea-level pressure [Pa] from station pressure [Pa] and elevation [m], both with the standard temperatures.

    Hydrostatic with the lapse rate of the standard atmosphere (ISO 2533:1975); in cold air over high ground it is too
    low by about 4 % of the weight of the air below the station for every 10 K.
    """
    return pressure * STANDARD_PRESSURE / standard_pressure(elevation)
