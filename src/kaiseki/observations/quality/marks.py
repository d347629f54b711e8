"""The quality marks of the source."""

from __future__ import annotations

from typing import Final

import numpy as np

from kaiseki.observations.flags import Flag
from kaiseki.observations.table import Table

REJECTED: Final = tuple(range(4, 15))
"""Marks of PREPBUFR with which NCEP did not use a value: 4 to 14 (PREPBUFR documentation, table 7).

15 is missing from this list: it also says "not for this analysis", as of humidity in the cold and of winds at the
surface, which is no judgement of the value.
"""


def check_marks(table: Table, rejected: tuple[int, ...] = REJECTED) -> np.ndarray:
    """`Flag.SOURCE_MARK` on values whose `quality_mark` is one of `rejected`, uint32 (n,); -1 is no mark."""
    return np.where(np.isin(table.column("quality_mark"), rejected), np.uint32(Flag.SOURCE_MARK), np.uint32(0))
