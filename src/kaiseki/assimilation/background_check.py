"""The background check: values too far from the background are not assimilated.

A value is rejected where |d| > k sqrt(sigma_b^2 + sigma_o^2), sigma_b the standard deviation of the background *at the
value*, from H B H^T. Winds are judged as vectors, against sqrt(2) times that; an ascent of which most of one group
(mass, moisture, wind) is rejected loses the whole group.
"""

from __future__ import annotations

from typing import Final

import numpy as np

from kaiseki.observations import Flag, Table

LEAST_LEVELS: Final = 4
"""Values of a group below which an ascent is not judged as a whole."""

BAD_PART: Final = 0.5
"""Part of the values of a group above which the whole group of the ascent is rejected."""

_GROUP: Final = {
    "eastward_wind": 0,
    "northward_wind": 0,
    "air_temperature": 1,
    "virtual_temperature": 1,
    "specific_humidity": 2,
}


def _wind_partners(table: Table, rows: np.ndarray) -> np.ndarray:
    """Position of the other wind component among the rows (indices), for each of them; -1 where there is none."""
    east, north = table.where(quantity="eastward_wind")[rows], table.where(quantity="northward_wind")[rows]
    partner = np.full(len(rows), -1)
    wind = np.flatnonzero(east | north)
    if not len(wind):
        return partner
    keys = np.stack(
        [
            table.column("report")[rows[wind]].astype(np.float64),
            table.column("level")[rows[wind]],
            np.nan_to_num(table.column("pressure")[rows[wind]], nan=-1.0),
        ],
        axis=1,
    )
    _, group, count = np.unique(keys, axis=0, return_inverse=True, return_counts=True)
    group = group.reshape(-1)
    order = np.argsort(group, kind="stable")
    starts = np.cumsum(count) - count
    first = starts[count == 2]
    one, other = wind[order[first]], wind[order[first + 1]]
    pair = east[one] != east[other]
    partner[one[pair]], partner[other[pair]] = other[pair], one[pair]
    return partner


def check(
    table: Table, rows: np.ndarray, departure: np.ndarray, sigma_b: np.ndarray, error: np.ndarray, tolerance: float
) -> Table:
    """Table with `Flag.BACKGROUND` set on the rows that are too far from the background.

    Args:
        table: observations.
        rows: (m,) indices of the values judged; the others are not looked at.
        departure, sigma_b, error: (m,) of these.
        tolerance: k.
    """
    size = departure**2 / (sigma_b**2 + error**2)
    partner = _wind_partners(table, rows)
    paired = partner >= 0
    size = np.where(paired, 0.5 * (size + size[partner]), size)
    far = size > tolerance**2
    far |= _bad_ascents(table, rows, far)
    flagged = np.zeros(len(table), dtype=bool)
    flagged[rows[far]] = True
    return table.with_flags(flagged, Flag.BACKGROUND)


def _bad_ascents(table: Table, rows: np.ndarray, far: np.ndarray) -> np.ndarray:
    """Mask (m,) of values whose ascent is mostly rejected in their group."""
    codes, words = table.codes("quantity")
    group = np.array([_GROUP.get(word, -1) for word in words])[codes][rows]
    judged = np.flatnonzero((group >= 0) & table.where(kind=("sonde", "pilot"))[rows])
    if not len(judged):
        return np.zeros(len(rows), dtype=bool)
    reports = np.unique(table.column("report")[rows[judged]], return_inverse=True)[1].reshape(-1)
    cell = reports * 3 + group[judged]
    total = np.bincount(cell)
    bad = np.bincount(cell, weights=far[judged])
    whole = (total >= LEAST_LEVELS) & (bad > BAD_PART * total)
    found = np.zeros(len(rows), dtype=bool)
    found[judged] = whole[cell]
    return found
