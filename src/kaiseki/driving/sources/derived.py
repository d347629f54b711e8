"""Quantities that drive a model, made of those that files hold: humidity, heights, pressure, columns under ground."""

from __future__ import annotations

import numpy as np

from kaiseki.core.constants import GRAVITY, R_DRY, STANDARD_LAPSE_RATE
from kaiseki.core.errors import InputError
from kaiseki.diagnostics.saturation import specific_humidity_from_relative
from kaiseki.diagnostics.thermodynamics import virtual_temperature

FRACTION_AS_PERCENT = 0.015
"""Largest relative humidity of a whole atmosphere that was given as a fraction and called percent."""
TROPOSPHERE = 30000.0
"""Pressure over which air is humid somewhere in any area, Pa."""
LAYER_ERROR = 0.2
"""Relative error of a layer's thickness against the hydrostatic, on average over an area, from which on heights and
temperatures do not belong together. Levels as sparse as 1000, 500 and 100 hPa give 0.05."""
ICE, WARM = 0.5, 278.15
"""Sea-ice fraction and surface temperature (K) that do not go together."""


def from_relative(where: str, relative: np.ndarray, temperature: np.ndarray, pressure: np.ndarray) -> np.ndarray:
    """Specific humidity from relative humidity (a fraction, as its centre means it: over water, ice or both).

    Args:
        where: for messages.
        relative, temperature: (n, ny, nx).
        pressure: (n, 1, 1) or (n, ny, nx), Pa; the stratosphere is as dry as that anyhow, so that lower levels count.

    Raises:
        InputError: the values are those of a fraction though their unit said percent.
    """
    known = relative[np.isfinite(relative) & np.broadcast_to(pressure > TROPOSPHERE, relative.shape)]
    if known.size and (most := float(known.max())) <= FRACTION_AS_PERCENT:
        raise InputError(
            f"{where}: relative_humidity nowhere exceeds {100.0 * most:.2g} %; its unit says percent but its values "
            "are fractions, so correct the attribute units."
        )
    made = specific_humidity_from_relative(np.clip(relative, 0.0, 1.0), temperature, pressure)
    return np.asarray(made)


def check_hydrostatic(
    where: str, pressure: np.ndarray, temperature: np.ndarray, humidity: np.ndarray | None, height: np.ndarray
) -> None:
    """Refuse heights that do not belong to the temperatures and pressures, layer by layer over the area.

    Args:
        where: for messages.
        pressure: (n, 1, 1) or (n, ny, nx), Pa, bottom first.
        temperature, humidity, height: (n, ny, nx), K, kg/kg (None for dry), m.

    Raises:
        InputError: names the first layer.
    """
    tv = temperature if humidity is None else virtual_temperature(temperature, humidity)
    expected = -R_DRY / GRAVITY * 0.5 * (tv[:-1] + tv[1:]) * np.diff(np.log(pressure), axis=0)
    found = np.diff(height, axis=0)
    for k in range(found.shape[0]):
        known = np.isfinite(found[k]) & np.isfinite(expected[k])
        if not known.any():
            continue
        ratio = float(found[k][known].mean() / np.broadcast_to(expected[k], found[k].shape)[known].mean())
        if abs(ratio - 1.0) > LAYER_ERROR:
            low, high = (float(np.nanmean(p)) / 100.0 for p in (pressure[k], pressure[k + 1]))
            raise InputError(
                f"{where}: the heights of {low:g} and {high:g} hPa lie {ratio:.2g} times as far apart as the "
                "temperatures between them allow; check the units of geopotential or height, of temperature and of "
                "the levels."
            )


def check_ice(where: str, ice: np.ndarray, *temperatures: np.ndarray | None) -> None:
    """Refuse a sea-ice fraction that covers warm water; InputError if it does in over a hundredth of the area."""
    for temperature in temperatures:
        if temperature is None:
            continue
        with np.errstate(invalid="ignore"):
            share = float(np.mean((ice > ICE) & (temperature > WARM)))
        if share > 0.01:
            raise InputError(
                f"{where}: sea_ice_area_fraction says ice in {100.0 * share:.0f} % of the area where the surface is "
                f"warmer than {WARM:g} K; the variable is something else, leave it out."
            )


def filled_under_ground(
    fields: dict[str, np.ndarray], pressure: np.ndarray, surface_pressure: np.ndarray
) -> dict[str, np.ndarray]:
    """Fields whose missing values on pressure levels under the ground are continued from the lowest level above it.

    Temperature rises with `STANDARD_LAPSE_RATE` and heights follow hydrostatically; wind and humidity stay. Values that
    are missing elsewhere stay missing.

    Args:
        fields: the five of the state or some of them, (n, ny, nx), bottom first.
        pressure: (n,), Pa, falling.
        surface_pressure: (ny, nx), Pa.
    """
    under = pressure[:, None, None] > surface_pressure
    made = {name: np.array(values) for name, values in fields.items()}
    temperature = made["air_temperature"]
    exponent = R_DRY * STANDARD_LAPSE_RATE / GRAVITY
    for k in range(pressure.size - 2, -1, -1):
        step = np.log(pressure[k] / pressure[k + 1])
        for name, values in made.items():
            gap = np.isnan(values[k]) & under[k] & np.isfinite(values[k + 1])
            if name == "geopotential_height":
                continue
            below = values[k + 1] * np.exp(exponent * step) if name == "air_temperature" else values[k + 1]
            values[k] = np.where(gap, below, values[k])
    if "geopotential_height" in made:
        height = made["geopotential_height"]
        humidity = made.get("specific_humidity", np.zeros_like(temperature))
        tv = virtual_temperature(temperature, humidity)
        for k in range(pressure.size - 2, -1, -1):
            gap = np.isnan(height[k]) & under[k]
            thickness = R_DRY / GRAVITY * 0.5 * (tv[k] + tv[k + 1]) * np.log(pressure[k] / pressure[k + 1])
            height[k] = np.where(gap, height[k + 1] - thickness, height[k])
    return made
