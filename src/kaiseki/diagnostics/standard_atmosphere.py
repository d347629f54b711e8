"""The standard atmosphere (ISO 2533:1975) up to 20 km: 6.5 K per km up to 11 km, isothermal above, without end."""

from __future__ import annotations

from typing import Final

import numpy as np

from kaiseki.core.constants import GRAVITY, R_DRY, STANDARD_LAPSE_RATE, STANDARD_PRESSURE, STANDARD_TEMPERATURE

TROPOPAUSE: Final = 11_000.0
"""Geopotential height of the tropopause [m]."""

TROPOPAUSE_TEMPERATURE: Final = STANDARD_TEMPERATURE - STANDARD_LAPSE_RATE * TROPOPAUSE
"""Temperature at the tropopause and above [K]."""

_EXPONENT: Final = GRAVITY / (R_DRY * STANDARD_LAPSE_RATE)

TROPOPAUSE_PRESSURE: Final = STANDARD_PRESSURE * (TROPOPAUSE_TEMPERATURE / STANDARD_TEMPERATURE) ** _EXPONENT
"""Pressure at the tropopause [Pa]."""


def standard_temperature(pressure: np.ndarray) -> np.ndarray:
    """Temperature [K] at a pressure [Pa]."""
    below = np.maximum(pressure, TROPOPAUSE_PRESSURE)
    return STANDARD_TEMPERATURE * (below / STANDARD_PRESSURE) ** (1.0 / _EXPONENT)


def standard_height(pressure: np.ndarray) -> np.ndarray:
    """Geopotential height [m] at a pressure [Pa]."""
    below = np.maximum(pressure, TROPOPAUSE_PRESSURE)
    height = STANDARD_TEMPERATURE / STANDARD_LAPSE_RATE * (1.0 - (below / STANDARD_PRESSURE) ** (1.0 / _EXPONENT))
    return height + R_DRY * TROPOPAUSE_TEMPERATURE / GRAVITY * np.log(below / np.minimum(pressure, below))


def standard_log_pressure(height: np.ndarray) -> np.ndarray:
    """Natural logarithm of the pressure in Pa at a geopotential height [m]."""
    low = np.minimum(height, TROPOPAUSE)
    below = _EXPONENT * np.log1p(-STANDARD_LAPSE_RATE * low / STANDARD_TEMPERATURE)
    return np.log(STANDARD_PRESSURE) + below - GRAVITY / (R_DRY * TROPOPAUSE_TEMPERATURE) * (height - low)


def standard_pressure(height: np.ndarray) -> np.ndarray:
    """Pressure [Pa] at a geopotential height [m]."""
    return np.exp(standard_log_pressure(height))


def reduced_to_sea_level(pressure: np.ndarray, elevation: np.ndarray) -> np.ndarray:
    """Sea-level pressure [Pa] from station pressure [Pa] and elevation [m], both with the standard temperatures.

    Hydrostatic with the lapse rate of the standard atmosphere; in cold air over high ground it is too low by about 4 %
    of the weight of the air below the station for every 10 K.
    """
    return pressure * STANDARD_PRESSURE / standard_pressure(elevation)
