"""Ascents as levels: one row per report and pressure, one column per quantity."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from kaiseki.observations.table import Table

TEMPERATURES = ("air_temperature", "virtual_temperature")
WINDS = ("eastward_wind", "northward_wind")


@dataclass(frozen=True)
class AscentLevels:
    """Levels sorted by report, then upwards.

    Attributes:
        report: (m,) dense number of the report.
        pressure: (m,) Pa.
        rows: (m, quantities) row in the table, -1 where the level lacks the quantity.
        values: (m, quantities) NaN where it lacks it.
    """

    report: np.ndarray
    pressure: np.ndarray
    rows: np.ndarray
    values: np.ndarray

    def __len__(self) -> int:
        return len(self.report)

    def keep(self, mask: np.ndarray) -> AscentLevels:
        """The levels of a mask (m,)."""
        return AscentLevels(self.report[mask], self.pressure[mask], self.rows[mask], self.values[mask])


def dense_reports(table: Table) -> np.ndarray:
    """Number of each row's report, 0 to the number of reports, (n,)."""
    return np.unique(table.column("report"), return_inverse=True)[1].astype(np.int64)


def levels(table: Table, quantities: tuple[str, ...], rows: np.ndarray) -> AscentLevels:
    """Bring the rows of a mask (n,) that have a pressure and one of the quantities into levels.

    Values of one report within 1 Pa are one level; of a quantity given twice the first row counts.
    """
    codes, words = table.codes("quantity")
    column = np.array([quantities.index(word) if word in quantities else -1 for word in words])[codes]
    pressure = table.column("pressure")
    used = np.flatnonzero(
        rows & (column >= 0) & np.isfinite(pressure) & (pressure > 0) & np.isfinite(table.column("value"))
    )
    report = dense_reports(table)[used]
    order = np.lexsort((used, -np.rint(pressure[used]), report))
    used, report = used[order], report[order]
    rounded = np.rint(pressure[used])
    new = np.ones(len(used), dtype=bool)
    new[1:] = (report[1:] != report[:-1]) | (rounded[1:] != rounded[:-1])
    level = np.cumsum(new) - 1
    count = int(new.sum())
    found = np.full((count, len(quantities)), -1, dtype=np.int64)
    found[level[::-1], column[used][::-1]] = used[::-1]
    values = np.where(found >= 0, table.column("value")[found], np.nan) if len(table) else np.empty(found.shape)
    return AscentLevels(report[new], pressure[used][new], found, values)


def starts_of(report: np.ndarray) -> np.ndarray:
    """Indices where a new report begins, with the length at the end: report i is [starts[i], starts[i + 1])."""
    if not len(report):
        return np.zeros(1, dtype=np.int64)
    return np.concatenate([[0], np.flatnonzero(report[1:] != report[:-1]) + 1, [len(report)]])
