"""Half-open windows (T - 3 h, T]: each report enters exactly one, and its levels stay together."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np

from kaiseki.core.timing import Window, window_index
from kaiseki.observations.table import Table


def report_times(table: Table) -> np.ndarray:
    """Time of the report of each row, datetime64[s] (n,): that of its earliest value, the release of a balloon."""
    if not len(table):
        return table.column("time")
    _, report = np.unique(table.column("report"), return_inverse=True)
    earliest = np.full(report.max() + 1, np.iinfo(np.int64).max)
    np.minimum.at(earliest, report, table.column("time").astype(np.int64))
    return earliest[report].astype("datetime64[s]")


def select(table: Table, window: Window) -> Table:
    """The reports whose time lies in (start, end], whole; an empty table where there are none."""
    return table.take(np.asarray(window.contains(report_times(table)), dtype=bool))


def numbers(table: Table, start: np.datetime64, length: np.timedelta64) -> np.ndarray:
    """Number of the window of each row's report, int64 (n,): 0 for (start, start + length], negative before."""
    return np.asarray(window_index(report_times(table), start, length))


def split(table: Table, windows: Iterable[Window]) -> list[Table]:
    """One table per window, in their order; reports outside all windows are left out."""
    times = report_times(table)
    return [table.take(np.asarray(window.contains(times), dtype=bool)) for window in windows]
