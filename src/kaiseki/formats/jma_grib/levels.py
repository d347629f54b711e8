"""Tables of levels: which value each level of a packed field stands for, and which level a value gets.

Level 0 stands for no value: outside the coverage of the radars, or missing. Level m has the m-th number of the table,
times 10^-D; numbers with the first bit set are negative (WMO-No. 306, regulation 92.1.5).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np

MISSING: Final = 0
"""Level of points without a value."""
_BINS: Final = 64
"""Bins per unit, a power of two: the product is exact, and so is the order of values by bins."""


@dataclass(frozen=True, eq=False)
class LevelTable:
    """Table of levels of a packed field.

    Attributes:
        scaled: (M,) int32, values of the levels 1 .. M times 10^decimal.
        decimal: decimal scale factor D.
    """

    scaled: np.ndarray
    decimal: int

    @property
    def values(self) -> np.ndarray:
        """Values (M + 1,) of the levels from 0 on, float64; level 0 is NaN."""
        return np.concatenate(([np.nan], self.scaled / 10.0**self.decimal))

    def level_of(self, values: np.ndarray) -> np.ndarray:
        """Levels of values: that with the nearest value, of two equally near the higher; 0 of NaN.

        Values below the first level get level 1, values above the last the last; the caller says what that means. The
        table must rise.

        Args:
            values: of any shape.
        """
        steps = self.scaled / 10.0**self.decimal
        edges = (0.5 * (steps[1:] + steps[:-1])).astype(values.dtype)
        kind = np.uint8 if self.scaled.size < 255 else np.uint16
        missing = np.isnan(values)
        # Narrow bins tell the level of nearly all values by a look-up; in those with an edge it is searched for.
        low = edges[0] - edges.dtype.type(2.0 / _BINS)
        numbers = ((np.clip(np.where(missing, low, values), low, edges[-1]) - low) * _BINS).astype(np.int32)
        at_edges = ((edges - low) * _BINS).astype(np.int32)
        every = np.arange(at_edges[-1] + 1)
        levels = (np.searchsorted(at_edges, every) + 1).astype(kind)[numbers]
        unclear = np.flatnonzero(np.isin(every, at_edges)[numbers])
        levels.flat[unclear] = np.searchsorted(edges, values.flat[unclear], side="right") + 1
        levels[missing] = MISSING
        return levels


ANALYSED_PRECIPITATION: Final = LevelTable(
    np.array(
        [0, 4, *range(10, 780, 10), *range(800, 1301, 50), *range(1400, 2001, 100), 2550],
        np.int32,
    ),
    1,
)
"""Table of JMA's hourly analysed precipitation, mm: 98 levels 0, 0.4, 1, 2 .. 77, 80, 85 .. 130, 140 .. 200, 255.

As the short-range forecast of 2017-08-07 00:10 UTC states it. Files of analyses hold the first part of it alone, as far
as the hour needs it (90 and 88 levels on 2016-11-21).
"""
