"""Vertical wind shear in ascents."""

from __future__ import annotations

from typing import Final

import numpy as np

from kaiseki.diagnostics.standard_atmosphere import standard_height
from kaiseki.observations.flags import Flag
from kaiseki.observations.profiles import WINDS, levels
from kaiseki.observations.quality.spikes import odd_one_out
from kaiseki.observations.table import Table

BASE: Final = 20.0
"""Change of wind between levels that is credible however close they are [m s-1]."""

PER_METRE: Final = 0.025
"""Further change per metre [s-1]: below the winter jet over Japan shear reaches 0.02 through a kilometre."""

MOST: Final = 80.0
"""Change of wind beyond which neighbouring levels are suspect whatever their distance [m s-1]."""


def check_shear(table: Table) -> np.ndarray:
    """`Flag.WIND_SHEAR` on winds of sondes and pilot balloons that jump between levels, uint32 (n,).

    The change of the wind vector between neighbouring levels is compared with `BASE` + `PER_METRE` times their
    distance, at most `MOST`; of the two levels the one that deviates from its neighbours is flagged, both
    components. The limits are this program's own choice: gross errors only.
    """
    flags = np.zeros(len(table), dtype=np.uint32)
    rows = table.where(kind=("sonde", "pilot")) & (
        (table.column("flags") & np.uint32(Flag.RANGE | Flag.DUPLICATE)) == 0
    )
    found = levels(table, WINDS, rows)
    found = found.keep((found.rows >= 0).all(axis=1))
    if len(found) < 2:
        return flags
    same = found.report[1:] == found.report[:-1]
    distance = np.diff(standard_height(found.pressure))
    limit = np.minimum(BASE + PER_METRE * np.abs(distance), MOST)
    change = np.linalg.norm(np.diff(found.values, axis=0), axis=1)
    fault = odd_one_out(found.report, -np.log(found.pressure), found.values, np.flatnonzero(same & (change > limit)))
    flags[found.rows[fault].ravel()] = np.uint32(Flag.WIND_SHEAR)
    return flags
