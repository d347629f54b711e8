"""Checks of what was read against itself: fields that say the same thing twice, terrain and humidity that cannot be."""

from __future__ import annotations

import numpy as np

from kaiseki.core.errors import InputError
from kaiseki.diagnostics.saturation import saturation_specific_humidity
from kaiseki.diagnostics.standard_atmosphere import standard_height

SAME_GROUND = 1.0
"""Largest difference, m, of terrain that two fields give, packed by different scales."""
SAME_PRESSURE = 20.0
"""Largest mean difference, Pa, of the surface pressure that two fields give, interpolated each in its own way."""
SAME_HEIGHT = 20.0
"""Largest mean difference, m, of the heights of a level that geopotential and geopotential height give."""
GROUND_ERROR = 1000.0
"""Largest mean difference, m, of terrain from the height of the surface pressure in the standard atmosphere, which the
strongest lows and the coldest air move by 500 m."""
LOWER = 30000.0
"""Pressure over which humidity is checked, Pa: where there is less, models differ and values are small."""
SUPERSATURATED = 1.2
"""Ratio of mean humidity to mean saturation that no atmosphere reaches."""


def check_terrain(where: str, altitude: np.ndarray, surface_pressure: np.ndarray) -> None:
    """Refuse a terrain (m) that does not belong to the surface pressure (Pa), both (ny, nx).

    Raises:
        InputError: on average they lie `GROUND_ERROR` apart.
    """
    known = np.isfinite(altitude) & np.isfinite(surface_pressure)
    if not known.any():
        return
    apart = float(np.abs(altitude[known] - standard_height(surface_pressure[known])).mean())
    if apart > GROUND_ERROR:
        raise InputError(
            f"{where}: the terrain lies {apart:.0f} m from the height of the surface pressure on average; the field "
            "is the height of something else or has another unit, leave it out."
        )


def check_same(one: tuple[str, np.ndarray], other: tuple[str, np.ndarray], unit: str, limit: float, mean: bool) -> None:
    """Refuse two fields that should say the same.

    Args:
        one, other: where each stands, and its values.
        unit: of the values and the limit.
        limit: of the largest difference, or of the mean.
        mean: which of them.

    Raises:
        InputError: names both fields and their difference.
    """
    difference = np.abs(one[1] - other[1])
    difference = difference[np.isfinite(difference)]
    if difference.size and (found := float(difference.mean() if mean else difference.max())) > limit:
        raise InputError(
            f"{one[0]} and {other[0]} contradict each other by {found:.3g} {unit} "
            f"{'on average' if mean else 'at most'}; leave one of them out."
        )


def check_humidity(where: str, humidity: np.ndarray, temperature: np.ndarray, pressure: np.ndarray) -> None:
    """Refuse a specific humidity that is zero everywhere or far over saturation.

    Args:
        where: for messages.
        humidity, temperature: (n, ny, nx), kg/kg and K.
        pressure: (n, 1, 1) or (n, ny, nx), Pa; only levels under 300 hPa count.

    Raises:
        InputError: as above.
    """
    lower = np.broadcast_to(pressure > LOWER, humidity.shape) & np.isfinite(humidity) & np.isfinite(temperature)
    if not lower.any():
        return
    if not humidity[lower].any():
        raise InputError(f"{where}: specific_humidity is 0 everywhere; the variable was not filled, fetch it again.")
    saturated = np.asarray(saturation_specific_humidity(temperature, pressure))
    ratio = float(humidity[lower].mean() / saturated[lower].mean())
    if ratio > SUPERSATURATED:
        raise InputError(
            f"{where}: specific_humidity is {ratio:.3g} times that of saturated air on average; check its unit and "
            "those of temperature and the levels."
        )
