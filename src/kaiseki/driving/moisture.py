"""Splitting virtual temperature into temperature and humidity without touching mass."""

from __future__ import annotations

import numpy as np

from kaiseki.diagnostics.saturation import saturation_specific_humidity
from kaiseki.diagnostics.thermodynamics import density_factor

ITERATIONS = 12
"""Number of iterations for the humidity at saturation; the fixed point of q = qsat(Tv / (1 + VIRTUAL q)) contracts by
0.3 or better per turn below 310 K."""


def split_virtual_temperature(
    virtual_temperature: np.ndarray, pressure: np.ndarray, humidity: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Temperature (K) and specific humidity (kg/kg), the latter between 0 and saturation, with exactly the given
    virtual temperature.

    Args:
        virtual_temperature, pressure: K and Pa, any equal shape.
        humidity: wanted specific humidity; above saturation it is cut to saturation, and temperature is raised so that
            Tv stays.
    """
    wanted = np.maximum(humidity, 0.0)
    held = wanted
    for _ in range(ITERATIONS):
        saturation = np.asarray(saturation_specific_humidity(virtual_temperature / density_factor(held), pressure))
        held = np.minimum(wanted, saturation)
    return virtual_temperature / density_factor(held), held


def from_relative_humidity(
    virtual_temperature: np.ndarray, pressure: np.ndarray, relative: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Temperature (K) and specific humidity (kg/kg) from virtual temperature and relative humidity (0..1)."""
    humidity = np.zeros_like(virtual_temperature)
    for _ in range(ITERATIONS):
        temperature = virtual_temperature / density_factor(humidity)
        humidity = relative * np.asarray(saturation_specific_humidity(temperature, pressure))
    return virtual_temperature / density_factor(humidity), humidity
