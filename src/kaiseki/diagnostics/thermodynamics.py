"""Potential, virtual and density temperatures."""

from __future__ import annotations

from kaiseki.core.constants import KAPPA, P0, VIRTUAL
from kaiseki.diagnostics.namespace import Field


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
