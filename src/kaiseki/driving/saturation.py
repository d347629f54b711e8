"""Saturation over water, ice and in between, as the global models define it."""

from __future__ import annotations

import numpy as np

from kaiseki.core.constants import EPSILON, TRIPLE_POINT

ALL_ICE = 250.16
"""K, below which saturation is that over ice alone; between it and the triple point both are mixed (IFS)."""


def saturation_vapour_pressure(temperature: np.ndarray) -> np.ndarray:
    """Over water above the triple point, over ice below 250.16 K, mixed quadratically in between; Pa.

    IFS Documentation CY47R3 Part IV, section 7.4.2: water after Buck 1981 (J. Appl. Meteorol. 20, 1527-1532), ice after
    Alduchov and Eskridge 1996 (J. Appl. Meteorol. 35, 601-609).
    """
    excess = temperature - TRIPLE_POINT
    water = 611.21 * np.exp(17.502 * excess / (temperature - 32.19))
    ice = 611.21 * np.exp(22.587 * excess / (temperature + 0.7))
    share = np.clip((temperature - ALL_ICE) / (TRIPLE_POINT - ALL_ICE), 0.0, 1.0) ** 2
    return np.asarray(share * water + (1.0 - share) * ice)


def _specific(vapour_pressure: np.ndarray, pressure: np.ndarray) -> np.ndarray:
    # High in the stratosphere saturation would exceed the pressure itself; half of it is far beyond any humidity there.
    bounded = np.minimum(vapour_pressure, 0.5 * pressure)
    return np.asarray(EPSILON * bounded / (pressure - (1.0 - EPSILON) * bounded))


def saturation_specific_humidity(temperature: np.ndarray, pressure: np.ndarray) -> np.ndarray:
    """Specific humidity (kg/kg) of saturated air at temperature (K) and pressure (Pa), broadcast against each other."""
    return _specific(saturation_vapour_pressure(temperature), pressure)


def specific_humidity_from_relative(relative: np.ndarray, temperature: np.ndarray, pressure: np.ndarray) -> np.ndarray:
    """Specific humidity (kg/kg) from relative humidity (0..1, by vapour pressure), temperature (K), pressure (Pa)."""
    return _specific(relative * saturation_vapour_pressure(temperature), pressure)
