"""Reports that came twice: in consecutive files, in parts, or over two ways."""

from __future__ import annotations

from typing import Final

import numpy as np

from kaiseki.core.observables import KINDS
from kaiseki.observations.flags import Flag
from kaiseki.observations.profiles import dense_reports
from kaiseki.observations.table import Table
from kaiseki.observations.windows import report_times
from kaiseki.observations.withholding import ANONYMOUS

ASCENT_MINUTES: Final = 90
"""Ascents of one station that start within this time are one: times of release are not always known."""

SURFACE_MINUTES: Final = 5
"""Time within which reports of one station with a single level are one, minutes."""

SAME_PLACE: Final = 0.3
"""Reports of one station further apart than this are not the same, degrees."""

_ASCENTS: Final = ("sonde", "pilot")
_UNNAMED: Final = ("aircraft", "satwind", "paob")


def check_duplicates(table: Table) -> np.ndarray:
    """`Flag.DUPLICATE` on values that a more complete report of the same station and time holds too, (n,).

    Reports are the same when kind and station are, their times lie within `ASCENT_MINUTES` (ascents) or
    `SURFACE_MINUTES`, and their places within `SAME_PLACE`; those of platforms without an identifier of their own, and
    of aircraft and satellites, when besides time and place to 0.01 degree and pressure to 1 hPa are equal. The report
    with most values is kept, at a tie the earlier, then the one with the larger sum of values: whatever the order of
    rows. What only the less complete report holds (another part of the ascent) is kept as well.
    """
    flags = np.zeros(len(table), dtype=np.uint32)
    if not len(table):
        return flags
    report = dense_reports(table)
    size = np.bincount(report)
    first = np.full(len(size), -1)
    order = np.lexsort((-table.column("pressure"), table.column("level"), report))
    first[report[order][::-1]] = order[::-1]
    heads = table.take(first)
    seconds = report_times(table)[first].astype(np.int64)
    total = np.bincount(report, weights=np.nan_to_num(table.column("value"), posinf=0.0, neginf=0.0))
    event = _events(heads, seconds)

    rank = np.empty(len(size), dtype=np.int64)
    rank[np.lexsort((-total, seconds, -size))] = np.arange(len(size))
    repeated = np.flatnonzero(np.bincount(event)[event[report]] > 1)
    pressure = np.rint(np.nan_to_num(table.column("pressure")[repeated]) / 100.0).astype(np.int64)
    single = np.isin(table.codes("kind")[0][repeated], [KINDS.index(kind) for kind in _ASCENTS], invert=True)
    pressure[single] = 0
    quantity = table.codes("quantity")[0][repeated].astype(np.int64)
    keys = (quantity, pressure, event[report[repeated]])
    order = np.lexsort((rank[report[repeated]], *keys))
    again = np.zeros(len(order), dtype=bool)
    again[1:] = np.logical_and.reduce([key[order][1:] == key[order][:-1] for key in keys])
    # A level that one report gives twice is not a duplicate of another report.
    best = np.maximum.accumulate(np.where(again, 0, np.arange(len(order))))
    again &= report[repeated][order] != report[repeated][order][best]
    flags[repeated[order[again]]] = np.uint32(Flag.DUPLICATE)
    return flags


def _events(heads: Table, seconds: np.ndarray) -> np.ndarray:
    """Number of the observing event of each report: reports with the same number are the same, (reports,)."""
    kind, (station, words) = heads.codes("kind")[0].astype(np.int64), heads.codes("station")
    shared = np.array([word.strip() in ANONYMOUS for word in words])[station]
    shared |= heads.where(kind=_UNNAMED)
    rounded = [np.rint(heads.column(name) * 100.0).astype(np.int64) for name in ("latitude", "longitude")]
    pressure = np.rint(np.nan_to_num(heads.column("pressure")) / 100.0).astype(np.int64)
    exact = [np.where(shared, key, 0) for key in (*rounded, pressure, seconds)]
    keys = [shared.astype(np.int64), kind, station.astype(np.int64), *exact]
    order = np.lexsort((seconds, *keys))
    gap = np.where(heads.where(kind=_ASCENTS), ASCENT_MINUTES, SURFACE_MINUTES)[order][1:] * 60
    same = np.logical_and.reduce([key[order][1:] == key[order][:-1] for key in keys])
    same &= np.diff(seconds[order]) <= gap
    for name in ("latitude", "longitude"):
        apart = np.abs(np.diff(heads.column(name)[order]))
        same &= np.minimum(apart, 360.0 - apart) <= SAME_PLACE
    event = np.empty(len(heads), dtype=np.int64)
    event[order] = np.cumsum(np.concatenate([[0], ~same]))
    return event
