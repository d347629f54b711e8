"""Potential, equivalent potential, virtual and density temperatures, and density."""

from __future__ import annotations

from kaiseki.core.constants import EPSILON, KAPPA, P0, R_DRY, VIRTUAL
from kaiseki.diagnostics.humidity import LEAST_VAPOUR_PRESSURE, vapour_pressure
from kaiseki.diagnostics.namespace import Field, namespace


def exner(pressure: Field) -> Field:
    """Exner function (p / p0)^kappa of pressure (Pa): temperature over potential temperature."""
    return (pressure / P0) ** KAPPA


def potential_temperature(temperature: Field, pressure: Field) -> Field:
    """Potential temperature (K) from temperature (K) and pressure (Pa)."""
    return temperature / exner(pressure)


def density_factor(qv: Field, condensate: Field = 0.0) -> Field:
    """Ratio of density temperature to temperature, 1 + (Rv/Rd - 1) qv - condensate; specific contents (kg/kg)."""
    return 1.0 + VIRTUAL * qv - condensate


def virtual_temperature(temperature: Field, qv: Field) -> Field:
    """Temperature (K) at which dry air has the density of air with specific humidity qv (kg/kg)."""
    return temperature * density_factor(qv)


def density_potential_temperature(temperature: Field, pressure: Field, qv: Field, condensate: Field = 0.0) -> Field:
    """Potential temperature (K) of the density temperature, condensate (kg/kg) included."""
    return potential_temperature(temperature, pressure) * density_factor(qv, condensate)


def density(pressure: Field, temperature: Field, qv: Field, condensate: Field = 0.0) -> Field:
    """Density of air (kg m-3) from pressure (Pa), temperature (K), specific humidity and condensate (kg/kg)."""
    return pressure / (R_DRY * temperature * density_factor(qv, condensate))


def equivalent_potential_temperature(temperature: Field, pressure: Field, qv: Field) -> Field:
    """Equivalent potential temperature (K) of the pseudoadiabatic process.

    Bolton (1980, Mon. Weather Rev. 108, 1046-1053), equation 39, with the temperature of the lifting condensation level
    by his equation 21. Arguments: temperature (K), pressure (Pa), specific humidity (kg/kg).
    """
    xp = namespace(temperature, pressure, qv)
    e = xp.maximum(vapour_pressure(qv, pressure), LEAST_VAPOUR_PRESSURE)
    ratio = EPSILON * e / (pressure - e)
    condensation = 2840.0 / (3.5 * xp.log(temperature) - xp.log(0.01 * e) - 4.805) + 55.0
    dry = potential_temperature(temperature, pressure - e) * (temperature / condensation) ** (0.28 * ratio)
    return dry * xp.exp((3036.0 / condensation - 1.78) * ratio * (1.0 + 0.448 * ratio))
