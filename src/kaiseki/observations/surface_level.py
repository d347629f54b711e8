"""Which level of an ascent is the station itself."""

from __future__ import annotations

from itertools import pairwise
from typing import Final

import numpy as np

from kaiseki.core.constants import GRAVITY, R_DRY
from kaiseki.observations.profiles import dense_reports, levels, starts_of
from kaiseki.observations.table import Table

NEAR: Final = 25.0
"""Largest difference between the height of the lowest level and the elevation of the station [m]."""

_ASCENTS: Final = ("sonde", "pilot")


def surface_levels(table: Table) -> np.ndarray:
    """Mask (n,) of the values of ascents that were measured at the station.

    Level 0; and in messages that do not mark it, the lowest level with a temperature when its height, integrated
    hydrostatically to the lowest level with a height, is the elevation of the station.
    """
    found = table.where(kind=_ASCENTS) & (table.column("level") == 0)
    rows = table.where(kind="sonde")
    profile = levels(table, ("air_temperature", "geopotential_height"), rows)
    if not len(profile):
        return found
    temperature, height = profile.values.T
    elevation = table.column("station_elevation")[profile.rows.max(axis=1)]
    report = dense_reports(table)
    surface = np.full(report.max() + 1, np.inf)
    for start, stop in pairwise(starts_of(profile.report)):
        warm = np.flatnonzero(np.isfinite(temperature[start:stop])) + start
        high = np.flatnonzero(np.isfinite(height[start:stop])) + start
        if not len(warm) or not len(high):
            continue
        lowest, known = warm[0], high[0]
        mean = 0.5 * (temperature[lowest] + temperature[warm[np.argmin(np.abs(warm - known))]])
        depth = np.log(profile.pressure[known] / profile.pressure[lowest])
        if abs(height[known] + R_DRY * mean / GRAVITY * depth - elevation[lowest]) <= NEAR:
            surface[profile.report[lowest]] = profile.pressure[lowest]
    lower = table.column("pressure") >= surface[report] - 1.0
    return found | (rows & np.asarray(lower))
