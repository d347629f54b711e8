"""Physical ranges, and limits of climate by level that only gross errors pass."""

from __future__ import annotations

from typing import Final

import numpy as np

from kaiseki.diagnostics.saturation import saturation_humidity_over_water
from kaiseki.diagnostics.standard_atmosphere import reduced_to_sea_level
from kaiseki.observations.flags import Flag
from kaiseki.observations.profiles import TEMPERATURES, WINDS, levels
from kaiseki.observations.table import Table

LEVELS: Final = tuple(100.0 * p for p in (1000, 850, 700, 500, 300, 200, 100, 50, 10))
"""Pressures of the limits [Pa]; between them linear in ln p, beyond them constant (heights: extended)."""

TEMPERATURE: Final = (
    (205.0, 205.0, 205.0, 203.0, 196.0, 183.0, 172.0, 172.0, 180.0),
    (333.0, 318.0, 303.0, 285.0, 257.0, 252.0, 252.0, 258.0, 292.0),
)
"""Lowest and highest temperature [K]: the extremes of all climates of each level, with 5 to 10 K to spare.

At the surface the records of WMO's archive of weather extremes are 184 K (Antarctic plateau) and 330 K.
"""

SURFACE_TEMPERATURE: Final = (183.0, 331.0)
"""Records at the surface [K] (WMO Weather and Climate Extremes Archive: -89.2 and 56.7 degC, rounded outwards)."""

HEIGHT: Final = (
    (-700.0, 650.0, 2100.0, 4500.0, 7500.0, 10000.0, 14000.0, 18000.0, 27000.0),
    (700.0, 1850.0, 3450.0, 6150.0, 10050.0, 12950.0, 17100.0, 21500.0, 33500.0),
)
"""Lowest and highest geopotential height [m]: the extremes of analysed climate with some 200 m to spare."""

WIND: Final = (75.0, 85.0, 90.0, 120.0, 150.0, 150.0, 120.0, 120.0, 180.0)
"""Highest wind speed [m s-1]; jets over Japan reach 120."""

SURFACE_WIND: Final = 75.0
"""Highest mean wind at the surface [m s-1]."""

SEA_LEVEL_PRESSURE: Final = (87_000.0, 108_500.0)
"""Records of sea-level pressure [Pa] (WMO archive: 870 hPa in typhoon Tip 1979, 1084.8 hPa in Tosontsengel 2001)."""

REDUCTION_SLACK: Final = 1.5
"""What a reduction to sea level with standard temperatures may be wrong by [Pa per metre of elevation]."""

HUMIDITY: Final = 0.035
"""Highest specific humidity [kg kg-1] (dew point about 35 degC)."""

SUPERSATURATION: Final = 1.2
"""Highest ratio of specific humidity to saturation over water."""

_SURFACE_KINDS: Final = ("synop", "ship", "buoy", "paob")
_VIRTUAL_EXCESS: Final = 8.0


def _limit(values: tuple[float, ...], pressure: np.ndarray) -> np.ndarray:
    return np.interp(-np.log(pressure), -np.log(LEVELS), values)


def check_ranges(table: Table) -> np.ndarray:
    """`Flag.RANGE` on impossible values, uint32 (n,).

    Also on values that are not finite, pressures or elevations that are impossible, and humidity above saturation by
    more than a fifth. Both components of a wind fall together.
    """
    value = table.column("value")
    pressure = table.column("pressure")
    aloft = np.isfinite(pressure) & (pressure > 0)
    level = np.where(aloft, pressure, LEVELS[0])
    surface = table.where(kind=_SURFACE_KINDS)
    bad = ~np.isfinite(value) | (np.isfinite(pressure) & ~((pressure > 0) & (pressure < 110_000.0)))

    for quantity, excess in zip(TEMPERATURES, (0.0, _VIRTUAL_EXCESS), strict=True):
        rows = table.where(quantity=quantity)
        low = np.where(surface, SURFACE_TEMPERATURE[0], _limit(TEMPERATURE[0], level))
        high = np.where(surface, SURFACE_TEMPERATURE[1], _limit(TEMPERATURE[1], level)) + excess
        bad |= rows & ~((value >= low) & (value <= high))
    rows = table.where(quantity="specific_humidity")
    bad |= rows & ~((value >= 0.0) & (value <= HUMIDITY))
    rows = table.where(quantity="geopotential_height")
    # Below 1000 hPa heights fall by about 8.4 m per hPa, above 10 hPa they rise beyond any fixed limit.
    below = 8.4e-2 * np.maximum(level - LEVELS[0], 0.0)
    bad |= rows & aloft & ~(value >= _limit(HEIGHT[0], level) - below)
    bad |= rows & aloft & (level >= LEVELS[-1]) & ~(value <= _limit(HEIGHT[1], level))
    bad |= rows & ~aloft
    bad |= table.where(quantity="mean_sea_level_pressure") & ~_between(value, SEA_LEVEL_PRESSURE)
    bad |= table.where(quantity="surface_pressure") & ~_plausible_pressure(value, table.column("station_elevation"))
    return np.where(bad | _fast(table, level, surface) | _supersaturated(table), np.uint32(Flag.RANGE), np.uint32(0))


def _between(value: np.ndarray, limits: tuple[float, float]) -> np.ndarray:
    return (value >= limits[0]) & (value <= limits[1])


def _plausible_pressure(value: np.ndarray, elevation: np.ndarray) -> np.ndarray:
    """Station pressures that give a possible sea-level pressure; without an elevation any up to 4500 m."""
    known = np.isfinite(elevation)
    height = np.where(known, elevation, 0.0)
    possible = (height > -450.0) & (height < 6000.0)
    reduced = reduced_to_sea_level(value, np.clip(height, -450.0, 6000.0))
    slack = REDUCTION_SLACK * np.abs(height)
    fits = (reduced >= SEA_LEVEL_PRESSURE[0] - slack) & (reduced <= SEA_LEVEL_PRESSURE[1] + slack)
    return np.where(known, possible & fits, _between(value, (57_000.0, SEA_LEVEL_PRESSURE[1])))


def _fast(table: Table, level: np.ndarray, surface: np.ndarray) -> np.ndarray:
    """Mask (n,) of both components of winds that are too fast."""
    found = levels(table.with_columns(pressure=level), WINDS, np.ones(len(table), dtype=bool))
    speed = np.hypot(np.nan_to_num(found.values[:, 0]), np.nan_to_num(found.values[:, 1]))
    at_surface = surface[found.rows.max(axis=1)] if len(found) else np.zeros(0, dtype=bool)
    limit = np.where(at_surface, SURFACE_WIND, _limit(WIND, found.pressure) if len(found) else 0.0)
    rows = found.rows[speed > limit]
    bad = np.zeros(len(table), dtype=bool)
    bad[rows[rows >= 0]] = True
    return bad


def _supersaturated(table: Table) -> np.ndarray:
    """Mask (n,) of humidities far above saturation over water at the temperature of their level."""
    found = levels(table, ("specific_humidity", "air_temperature"), np.ones(len(table), dtype=bool))
    bad = np.zeros(len(table), dtype=bool)
    if len(found):
        # The resolution of dew points makes small humidities coarse: a floor below which nothing is judged.
        limit = SUPERSATURATION * saturation_humidity_over_water(found.values[:, 1], found.pressure) + 1e-5
        bad[found.rows[found.values[:, 0] > limit, 0]] = True
    return bad
