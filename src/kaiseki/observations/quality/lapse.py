"""Super-adiabatic lapse rates in ascents."""

from __future__ import annotations

from typing import Final

import numpy as np

from kaiseki.core.constants import KAPPA
from kaiseki.observations.flags import Flag
from kaiseki.observations.profiles import TEMPERATURES, levels
from kaiseki.observations.quality.spikes import odd_one_out
from kaiseki.observations.table import Table

TOLERANCE: Final = 2.0
"""Fall of potential temperature, as temperature of the upper level [K], that rounding and sensors may make."""

SURFACE_TOLERANCE: Final = 6.0
"""Fall of potential temperature [K] that is tolerated within `SURFACE_DEPTH` of the lowest level: heated ground, a
thermometer of another make."""

SURFACE_DEPTH: Final = 5_000.0
"""Depth of the layer where the air may be superadiabatic [Pa]."""


def check_lapse(table: Table) -> np.ndarray:
    """`Flag.SUPERADIABATIC` on temperatures of sondes with a lapse rate beyond the dry adiabatic, uint32 (n,).

    The lapse rate is dry adiabatic where potential temperature is constant with height (Poisson's equation). Of the two
    levels the one that deviates from its neighbours is flagged.
    """
    flags = np.zeros(len(table), dtype=np.uint32)
    refused = np.uint32(Flag.RANGE | Flag.HYDROSTATIC | Flag.DUPLICATE)
    rows = table.where(kind="sonde") & ((table.column("flags") & refused) == 0)
    found = levels(table, TEMPERATURES, rows)
    if len(found) < 2:
        return flags
    temperature = np.where(np.isfinite(found.values[:, 0]), found.values[:, 0], found.values[:, 1])
    pressure, report = found.pressure, found.report
    same = report[1:] == report[:-1]
    adiabatic = temperature[:-1] * (pressure[1:] / pressure[:-1]) ** KAPPA
    lowest = np.zeros(report.max() + 1)
    np.maximum.at(lowest, report, pressure)
    near_ground = pressure[:-1] > lowest[report[:-1]] - SURFACE_DEPTH
    tolerance = np.where(near_ground, SURFACE_TOLERANCE, TOLERANCE)
    lower = np.flatnonzero(same & (temperature[1:] < adiabatic - tolerance))
    fault = odd_one_out(report, -np.log(pressure), temperature, lower)
    wrong = found.rows[fault].ravel()
    flags[wrong[wrong >= 0]] = np.uint32(Flag.SUPERADIABATIC)
    return flags
