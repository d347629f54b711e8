"""Fields that follow at each point from others there: humidity, temperatures, speed and direction, omega."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Final, Protocol, runtime_checkable

import numpy as np

from kaiseki.diagnostics import humidity, thermodynamics, wind


@runtime_checkable
class Fields(Protocol):
    """Fields by name, as arrays that broadcast against each other."""

    def __getitem__(self, name: str) -> np.ndarray:
        """The field of a name."""

    def has(self, *names: str) -> bool:
        """Whether there are fields of all these names."""


OF_WIND: Final[Mapping[str, Callable[[np.ndarray, np.ndarray], np.ndarray]]] = {
    "wind_speed": wind.wind_speed,
    "wind_from_direction": wind.wind_from_direction,
}
"""Fields of the eastward and the northward wind, by name; on other levels they are made of the interpolated vector."""

CONDENSATE: Final = ("qc", "qr", "qi", "qs", "qg")
"""Names of the specific contents of what is no vapour."""


def condensate(fields: Fields) -> np.ndarray | float:
    """Sum of the condensates that there are (kg/kg)."""
    return sum((fields[name] for name in CONDENSATE if fields.has(name)), start=0.0)


def density(fields: Fields) -> np.ndarray:
    """Density of air with its vapour and condensate (kg m-3)."""
    return np.asarray(
        thermodynamics.density(fields["pressure"], fields["temperature"], fields["qv"], condensate(fields))
    )


def virtual_temperature(fields: Fields) -> np.ndarray:
    """Virtual temperature (K); that of dry air where the dataset has no humidity at all."""
    if not fields.has("qv"):
        return fields["temperature"]
    return np.asarray(thermodynamics.virtual_temperature(fields["temperature"], fields["qv"]))


def _humid(fields: Fields) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Specific humidity, temperature and pressure."""
    return fields["qv"], fields["temperature"], fields["pressure"]


def _equivalent(fields: Fields) -> np.ndarray:
    qv, temperature, pressure = _humid(fields)
    return np.asarray(thermodynamics.equivalent_potential_temperature(temperature, pressure, qv))


def _of_wind(formula: Callable[[np.ndarray, np.ndarray], np.ndarray]) -> Callable[[Fields], np.ndarray]:
    return lambda fields: formula(fields["eastward_wind"], fields["northward_wind"])


LOCAL: Final[Mapping[str, Callable[[Fields], np.ndarray]]] = {
    "theta": lambda fields: thermodynamics.potential_temperature(fields["temperature"], fields["pressure"]),
    "virtual_temperature": lambda fields: thermodynamics.virtual_temperature(fields["temperature"], fields["qv"]),
    "equivalent_potential_temperature": _equivalent,
    "rho": density,
    "relative_humidity": lambda fields: humidity.relative_humidity(*_humid(fields)),
    "dew_point": lambda fields: humidity.dew_point(humidity.vapour_pressure(fields["qv"], fields["pressure"])),
    "omega": lambda fields: wind.pressure_velocity(fields["w"], density(fields)),
    **{name: _of_wind(formula) for name, formula in OF_WIND.items()},
}
"""Fields in the air by name, each a function of the fields that it needs."""
