"""Rain gauges as instruments: the step of their amounts, and what the wind carries past them."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Final

import numpy as np

from kaiseki.core.errors import ConfigError, InputError
from kaiseki.precipitation.data import Gauges

STEPS: Final = (1.0, 0.5, 0.254, 0.25, 0.2, 0.1, 0.05, 0.01)
"""Contents of tipping buckets and steps of records in use, mm, largest first."""
_SHARE: Final = 0.98
_WET: Final = 20


def estimated_resolution(gauges: Gauges, wet: int = _WET) -> np.ndarray:
    """Step of the amounts of each gauge (n,), mm: the largest of `STEPS` of which 98 % of its amounts are multiples.

    NaN where there are fewer amounts above zero than `wet`, or none of the steps fits.
    """
    found = np.full(gauges.station.size, np.nan)
    for number in range(found.size):
        amount = gauges.amount[gauges.usable[:, number], number]
        amount = amount[amount > 0.0]
        if amount.size < wet:
            continue
        for step in STEPS:
            ratio = amount / step
            # Records are rounded to 0.1 or 0.01 mm, so that a multiple of 0.254 may miss by half of that.
            if (np.abs(ratio - np.rint(ratio)) * step <= max(0.02 * step, 1e-6)).mean() >= _SHARE:
                found[number] = step
                break
    return found


@dataclass(frozen=True, kw_only=True)
class Undercatch:
    """Catch of a kind of gauge, 1 / (1 + m U), with a coefficient m for rain and one for snow, s m-1.

    The form is that of the comparison of Japanese gauges by Yokoyama and others (2003, Seppyo 65, 303-316), which gives
    m for each kind of gauge. There is no default: m differs by a factor of five between gauges.

    Attributes:
        rain: coefficient for rain.
        snow: coefficient for snow.
        all_snow: temperature at which and below all precipitation is snow, degrees Celsius.
        all_rain: temperature at which and above all of it is rain; in between the share is linear.
        strongest: wind beyond which the coefficients do not hold, and which stronger ones are taken as, m s-1.
    """

    rain: float
    snow: float
    all_snow: float = 0.0
    all_rain: float = 3.0
    strongest: float = 7.0

    def __post_init__(self) -> None:
        if not (0.0 <= self.rain <= self.snow and self.all_snow < self.all_rain):
            raise ConfigError(
                f"Undercatch needs 0 <= rain <= snow and all_snow < all_rain; got {self.rain:g}, {self.snow:g}, "
                f"{self.all_snow:g} and {self.all_rain:g}"
            )


def undercatch(gauges: Gauges, wind: np.ndarray, temperature: np.ndarray, settings: Undercatch) -> Gauges:
    """Gauges with P (1 + m U) for their amounts P; where wind or temperature is NaN they stay as they are.

    Args:
        gauges: amounts over intervals.
        wind: at the height of the gauge's mouth, (t, n), m s-1.
        temperature: of the air, (t, n), degrees Celsius.
        settings: coefficients and temperatures.

    Raises:
        InputError: shapes differ, a wind is negative, or temperatures are in kelvin.
    """
    for name, values in (("wind", wind), ("temperature", temperature)):
        if np.shape(values) != gauges.amount.shape:
            raise InputError(f"The {name} at gauges has shape {np.shape(values)}; expected {gauges.amount.shape}")
    if np.nanmin(wind, initial=0.0) < 0.0:
        raise InputError("The wind at gauges is negative; expected its speed")
    if np.nanmax(temperature, initial=0.0) > 70.0:
        raise InputError("The temperature at gauges is above 70; expected degrees Celsius, not kelvin")
    snow = np.clip((settings.all_rain - temperature) / (settings.all_rain - settings.all_snow), 0.0, 1.0)
    m = snow * settings.snow + (1.0 - snow) * settings.rain
    factor = 1.0 + m * np.minimum(wind, settings.strongest)
    return replace(gauges, amount=gauges.amount * np.where(np.isfinite(factor), factor, 1.0))
