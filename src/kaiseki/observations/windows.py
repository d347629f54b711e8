"""Half-open windows (T - 3 h, T]: each report enters exactly one, and its levels stay together."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable
from pathlib import Path
from typing import Final

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from kaiseki.core.errors import InputError
from kaiseki.core.files import whole_file
from kaiseki.core.timing import Window, window_index
from kaiseki.observations.table import FILE_ORDER, FILE_TIME, Table

ROWS_OF_A_GROUP: Final = 16_384
"""Most rows of a row group of an `ObservationFile`: what is read beyond a window is at most two of them."""


def report_times(table: Table) -> np.ndarray:
    """Time of the report of each row, datetime64[s] (n,): that of its earliest value, the release of a balloon."""
    if not len(table):
        return table.column("time")
    _, report = np.unique(table.column("report"), return_inverse=True)
    earliest = np.full(report.max() + 1, np.iinfo(np.int64).max)
    np.minimum.at(earliest, report, table.column("time").astype(np.int64))
    return earliest[report].astype("datetime64[s]")


@dataclasses.dataclass(frozen=True)
class ObservationFile:
    """A Parquet file of observations, sorted by the time of the report, of which a window is read at a time.

    A window comes out with the same values in the same order as `select` takes them from the whole table.

    Attributes:
        path: of the file. One that `Table.to_parquet` wrote is not sorted; it is read whole for every window.
    """

    path: Path

    @classmethod
    def write(cls, table: Table, path: Path) -> ObservationFile:
        """Write a table sorted by the time of its reports, whole or not at all.

        Raises:
            StoreError: the file cannot be written.
            ResourceError: the disk is full.
        """
        times = report_times(table)
        order = np.argsort(times, kind="stable")
        arrow = table.take(order).to_arrow()
        for name, column in ((FILE_TIME, times[order]), (FILE_ORDER, order.astype(np.int64))):
            arrow = arrow.append_column(name, pa.array(column))
        # Arrow takes no path that is no text in the locale's encoding.
        with whole_file(path) as scratch, scratch.open("wb") as file:
            pq.write_table(arrow, file, compression="zstd", row_group_size=ROWS_OF_A_GROUP)
        return cls(path)

    def window(self, window: Window) -> Table:
        """The reports whose time lies in (start, end], whole; an empty table where there are none.

        Raises:
            InputError: no such file, not Parquet, or columns that do not fit.
        """
        try:
            with self.path.open("rb") as file:
                if FILE_TIME not in pq.read_schema(file).names:
                    return select(Table.from_parquet(self.path), window)
                file.seek(0)
                # One thread reads a row group at a time, so that no other lies in memory beside the window.
                found = pq.read_table(file, filters=_inside(window), use_threads=False)
        except FileNotFoundError as error:
            raise InputError(f"There is no file of observations at {self.path}") from error
        except (OSError, pa.ArrowInvalid) as error:
            raise InputError(f"{self.path} is not a Parquet file of observations: {error}") from error
        found = found.unify_dictionaries().sort_by(FILE_ORDER)
        try:
            return Table.from_arrow(found.drop_columns([FILE_TIME, FILE_ORDER]))
        except InputError as error:
            raise InputError(f"{self.path}: {error}") from error


def _inside(window: Window) -> pc.Expression:
    """Condition on the rows of an `ObservationFile`, (start, end]."""
    start, end = (
        pa.scalar(time.astype("datetime64[s]").item(), pa.timestamp("s")) for time in (window.start, window.end)
    )
    return (pc.field(FILE_TIME) > start) & (pc.field(FILE_TIME) <= end)


type Observed = Table | ObservationFile
"""Observations of a whole period: in memory, or in a file that is read by windows."""


def select(table: Observed, window: Window) -> Table:
    """The reports whose time lies in (start, end], whole; an empty table where there are none."""
    if isinstance(table, ObservationFile):
        return table.window(window)
    return table.take(np.asarray(window.contains(report_times(table)), dtype=bool))


def numbers(table: Table, start: np.datetime64, length: np.timedelta64) -> np.ndarray:
    """Number of the window of each row's report, int64 (n,): 0 for (start, start + length], negative before."""
    return np.asarray(window_index(report_times(table), start, length))


def split(table: Table, windows: Iterable[Window]) -> list[Table]:
    """One table per window, in their order; reports outside all windows are left out."""
    times = report_times(table)
    return [table.take(np.asarray(window.contains(times), dtype=bool)) for window in windows]
