"""Standard deviations of observation errors by kind, quantity and pressure, with their sources.

Values of instruments plus what a model of some tens of kilometres cannot represent in the original tables; a named
factor per kind (`representativeness`) scales them further.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any, Final

import numpy as np

from kaiseki.core.errors import ConfigError
from kaiseki.core.observables import KINDS, OWN_KINDS, OWN_QUANTITIES, QUANTITIES
from kaiseki.diagnostics.saturation import saturation_humidity_over_water
from kaiseki.observations.flags import Flag, trusted
from kaiseki.observations.profiles import TEMPERATURES, levels
from kaiseki.observations.table import Table

HEIGHT_DIFFERENCE_LIMIT: Final = 300.0
"""Largest |model height - station height| at which surface pressure is used [m]."""

PRESSURE_PER_METRE: Final = 0.5
"""Growth of the surface-pressure error with the height difference [Pa m-1], added in quadrature.

Bringing pressure from one height to another with a temperature that is wrong by 10 K errs by g p / (R T^2) 10 K, about
0.5 Pa per metre.
"""

COLDEST_HUMIDITY: Final = 233.15
"""Humidity of sondes is not used below this temperature [K] (-40 degC; sensors of the 1980s do not follow)."""


@dataclass(frozen=True)
class Profile:
    """Error as a function of pressure: `error` at falling `pressure` [Pa], linear in ln p, constant beyond the ends."""

    pressure: tuple[float, ...]
    error: tuple[float, ...]
    source: str = "configuration"

    def __post_init__(self) -> None:
        if len(self.error) != max(1, len(self.pressure)) or min(self.error) <= 0.0:
            raise ConfigError(f"An error profile needs one positive value per pressure; got {self.error}")
        if any(low <= high for low, high in zip(self.pressure, self.pressure[1:], strict=False)):
            raise ConfigError(f"The pressures of an error profile must fall; got {self.pressure}")

    def at(self, pressure: np.ndarray) -> np.ndarray:
        """Errors at pressures [Pa] of any shape; where the pressure is missing, the lowest value of the profile."""
        if not self.pressure:
            return np.full(np.shape(pressure), self.error[0])
        lowest = np.where(np.isfinite(pressure) & (pressure > 0), pressure, self.pressure[0])
        return np.interp(-np.log(lowest), -np.log(self.pressure), self.error)


_WRFDA: Final = "WRFDA, var/obsproc/obserr.txt"
_PROVISIONAL: Final = "provisional, from memory of NCEP's prepobs error table; not confirmed"
_RAOB_WIND: Final = Profile(
    tuple(100.0 * p for p in (800, 700, 600, 500, 400, 350, 300, 200, 150, 100)),
    (1.1, 1.4, 1.8, 2.3, 2.8, 3.0, 3.3, 3.3, 3.0, 2.7),
    _WRFDA,
)
_PIBAL_WIND: Final = Profile(
    tuple(100.0 * p for p in (700, 600, 500, 400, 300, 200, 100)), (2.2, 2.6, 2.8, 3.0, 3.2, 3.0, 2.8), _WRFDA
)


def _constant(error: float, source: str = _WRFDA) -> Profile:
    return Profile((), (error,), source)


def _table() -> dict[tuple[str, str], Profile]:
    table = {("sonde", temperature): _constant(1.0) for temperature in TEMPERATURES}
    table |= {("aircraft", temperature): _constant(1.0) for temperature in TEMPERATURES}
    table |= {(kind, temperature): _constant(2.0) for kind in ("synop", "ship", "buoy") for temperature in TEMPERATURES}
    winds = {
        "sonde": _RAOB_WIND,
        "pilot": _PIBAL_WIND,
        "aircraft": _constant(3.6),
        "satwind": _constant(3.7),
        "synop": _constant(2.5, _PROVISIONAL),
        "ship": _constant(2.5, _PROVISIONAL),
        "buoy": _constant(2.5, _PROVISIONAL),
    }
    for kind, profile in winds.items():
        table |= {(kind, component): profile for component in ("eastward_wind", "northward_wind")}
    for kind, error in (("sonde", 100.0), ("synop", 100.0), ("ship", 160.0), ("buoy", 160.0)):
        table[kind, "surface_pressure"] = table[kind, "mean_sea_level_pressure"] = _constant(error)
    table["paob", "mean_sea_level_pressure"] = table["paob", "surface_pressure"] = _constant(400.0, _PROVISIONAL)
    table["sonde", "geopotential_height"] = Profile(
        (100_000.0, 85_000.0, 70_000.0, 50_000.0, 40_000.0, 30_000.0, 25_000.0, 20_000.0, 15_000.0, 10_000.0, 7_000.0),
        (7.0, 8.0, 8.6, 12.1, 14.9, 18.8, 25.4, 27.7, 32.4, 39.4, 50.3),
        _WRFDA,
    )
    return table


DEFAULT: Final[Mapping[tuple[str, str], Profile]] = MappingProxyType(_table())
"""Errors by (kind, quantity). Specific humidity stands apart: see `RELATIVE_HUMIDITY`."""

RELATIVE_HUMIDITY: Final = Profile((100_000.0, 85_000.0), (0.15, 0.10), _WRFDA)
"""Error of relative humidity (fraction): 15 % near 1000 hPa, 10 % above 850 hPa."""


def overridden(overrides: Mapping[tuple[str, str], Profile]) -> dict[tuple[str, str], Profile]:
    """The table with some of its profiles replaced.

    Raises:
        ConfigError: no such kind or quantity.
    """
    for kind, quantity in overrides:
        if kind not in KINDS or quantity not in QUANTITIES:
            raise ConfigError(f"There are no observation errors for {quantity!r} of {kind!r}")
    return {**DEFAULT, **overrides}


def assign(
    table: Table,
    errors: Mapping[tuple[str, str], Profile] = DEFAULT,
    relative_humidity: Profile = RELATIVE_HUMIDITY,
    representativeness: Mapping[str, float] | None = None,
) -> Table:
    """Table with the column `error` set, and `Flag.NO_ERROR` where there is none.

    Specific humidity of a level gets the error of relative humidity times the saturation value at the temperature of
    its level; where that temperature is missing, not trusted, or below -40 degC, it gets `Flag.NO_ERROR` and NaN.

    Args:
        table: observations.
        errors: profiles by (kind, quantity).
        relative_humidity: error of relative humidity, fraction.
        representativeness: factor on the errors by kind, 1 where not named.
    """
    kind, quantity = table.codes("kind")[0], table.codes("quantity")[0]
    pressure = table.column("pressure")
    # Sources of plug-ins give errors with their values; a profile of the experiment takes their place.
    brought = (kind >= len(OWN_KINDS)) | (quantity >= len(OWN_QUANTITIES))
    found = np.where(brought, table.column("error"), np.nan)
    for (kind_name, quantity_name), profile in errors.items():
        mask = (kind == KINDS.index(kind_name)) & (quantity == QUANTITIES.index(quantity_name))
        found[mask] = profile.at(pressure[mask])
    found = np.where((quantity == QUANTITIES.index("specific_humidity")) & ~brought, np.nan, found)
    humid, error = _humidity_errors(table, relative_humidity)
    own = ~brought[humid]
    found[humid[own]] = error[own]
    for kind_name, factor in (representativeness or {}).items():
        if kind_name not in KINDS or not factor > 0.0:
            raise ConfigError(
                f"The representativeness factor {factor} of {kind_name!r} must be positive and of a known kind"
            )
        found[kind == KINDS.index(kind_name)] *= factor
    return table.with_columns(error=found).with_flags(np.isnan(found), Flag.NO_ERROR)


def _humidity_errors(table: Table, relative_humidity: Profile) -> tuple[np.ndarray, Any]:
    """Rows with specific humidity whose level has a good temperature above -40 degC, and their errors [kg kg-1]."""
    good = table.where(quantity="specific_humidity") | trusted(table.column("flags"))
    found = levels(table, ("specific_humidity", "air_temperature"), good)
    warm = (found.rows[:, 0] >= 0) & (found.values[:, 1] >= COLDEST_HUMIDITY)
    found = found.keep(warm)
    saturation = saturation_humidity_over_water(found.values[:, 1], found.pressure)
    return found.rows[:, 0], relative_humidity.at(found.pressure) * saturation


def surface_pressure_error(base: Any, difference: Any, growth: float = PRESSURE_PER_METRE) -> np.ndarray:
    """Error of surface pressure [Pa] compared at a model height that differs from the station's.

    Args:
        base: error of the instrument [Pa], any shape.
        difference: model height minus station height [m], same shape.
        growth: Pa per metre, added in quadrature.

    Returns:
        The error; NaN where |difference| reaches `HEIGHT_DIFFERENCE_LIMIT`: not to be used.
    """
    difference = np.abs(np.asarray(difference, dtype=float))
    error = np.hypot(np.asarray(base, dtype=float), growth * difference)
    return np.where(difference < HEIGHT_DIFFERENCE_LIMIT, error, np.nan)
