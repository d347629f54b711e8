"""Levels of PREPBUFR reports: from stacks of events to one value per level, in the units of the file."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from kaiseki.formats.prepbufr import Reports

Floats = NDArray[np.float64]
PROFILES = ("PRSLEVEL", "PRSLEVLA")
"""Replications of levels: of ascents, and of aircraft in files since 2012, whether they have one level or many."""
ROOT = ""
HEADER = ("SID", "XOB", "YOB", "DHR", "ELV", "TYP", "T29", "SQN", "PROCN")
STACKS = {
    "pressure": ("P", "POB"),
    "humidity": ("Q", "QOB"),
    "temperature": ("T", "TOB"),
    "height": ("Z", "ZOB"),
    "eastward": ("W", "UOB"),
    "northward": ("W", "VOB"),
}
ELEMENTS = frozenset(
    {*HEADER, "CAT", "PMO", "PMQ", "XDR", "YDR", "HRDR"}
    | {name for _, name in STACKS.values()}
    | {f"{letter}{suffix}" for letter, _ in STACKS.values() for suffix in ("QM", "PC")}
)
"""Mnemonics that the observation table is made of."""


@dataclass(frozen=True)
class Value:
    """One quantity at all levels: (levels,) value, NaN where there is none, and quality mark, NaN where missing."""

    value: Floats
    mark: Floats


@dataclass(frozen=True)
class ReportLevels:
    """All levels of all reports of a message type; a report with a single level has one row.

    Attributes:
        report: (levels,) row of the report.
        category: (levels,) CAT, 0 is the surface.
        longitude, latitude, hours: (levels,) where the balloon or aircraft was and when, relative to the cycle; NaN
            where the file does not follow it.
        values: by the keys of `STACKS`; "temperature" is the sensible one.
        virtual: temperatures of which the file holds only the virtual one.
    """

    report: NDArray[np.int64]
    category: Floats
    longitude: Floats
    latitude: Floats
    hours: Floats
    values: dict[str, Value]
    virtual: Value

    def take(self, chosen: NDArray[np.bool_]) -> ReportLevels:
        """The levels of a mask."""
        return ReportLevels(
            report=self.report[chosen],
            category=self.category[chosen],
            longitude=self.longitude[chosen],
            latitude=self.latitude[chosen],
            hours=self.hours[chosen],
            values={key: Value(v.value[chosen], v.mark[chosen]) for key, v in self.values.items()},
            virtual=Value(self.virtual.value[chosen], self.virtual.mark[chosen]),
        )


def levels(reports: Reports, virtual_code: int | None) -> ReportLevels:
    """Take the levels apart.

    Args:
        reports: decoded reports.
        virtual_code: code of the program that turns temperatures into virtual ones; an event of it is passed over for
            the one beneath. None if the file does not know such a program.
    """
    found = [_levels_in(reports, base, virtual_code) for base in _bases(reports)]
    # A report whose levels stand in a replication may repeat one of them outside.
    for i in range(1, len(found)):
        told = np.concatenate([part.report for part in found[:i]])
        found[i] = found[i].take(np.isin(found[i].report, told, invert=True))
    return found[0] if len(found) == 1 else _joined(found)


def _bases(reports: Reports) -> list[str]:
    """The nodes whose rows are levels."""
    found = [base for base in PROFILES if base in reports.nodes]
    if not found or any(f"{letter}___INFO" in reports.nodes for letter, _ in STACKS.values()):
        found.append(ROOT)
    return found


def _levels_in(reports: Reports, base: str, virtual_code: int | None) -> ReportLevels:
    count = len(reports.nodes[base])
    values = {}
    for key, (letter, name) in STACKS.items():
        if key != "temperature":
            values[key] = _event(reports, base, letter, name, None)[0]
    values["temperature"], virtual = _event(reports, base, "T", "TOB", virtual_code)
    drift = _join(base, "DRFTINFO")
    return ReportLevels(
        report=reports.ancestor(base, ROOT),
        category=_optional(reports, base, base, "CAT", count),
        longitude=_optional(reports, base, drift, "XDR", count),
        latitude=_optional(reports, base, drift, "YDR", count),
        hours=_optional(reports, base, drift, "HRDR", count),
        values=values,
        virtual=virtual,
    )


def _joined(parts: list[ReportLevels]) -> ReportLevels:
    def both(values: list[Value]) -> Value:
        return Value(np.concatenate([v.value for v in values]), np.concatenate([v.mark for v in values]))

    return ReportLevels(
        report=np.concatenate([part.report for part in parts]),
        category=np.concatenate([part.category for part in parts]),
        longitude=np.concatenate([part.longitude for part in parts]),
        latitude=np.concatenate([part.latitude for part in parts]),
        hours=np.concatenate([part.hours for part in parts]),
        values={key: both([part.values[key] for part in parts]) for key in STACKS},
        virtual=both([part.virtual for part in parts]),
    )


def sea_level_pressure(reports: Reports) -> Value:
    """Mean sea-level pressure (reports,), one per report."""
    count = len(reports)
    path = "PMSL_SEQ"
    return Value(*(_optional(reports, ROOT, path, name, count) for name in ("PMO", "PMQ")))


def _join(base: str, *names: str) -> str:
    return "/".join((base, *names) if base else names)


def _optional(reports: Reports, base: str, path: str, name: str, count: int) -> Floats:
    """Spread the values of a node that comes at most once per row of `base` over the rows of `base`."""
    found = np.full(count, np.nan)
    node = reports.nodes.get(path)
    if node is None or name not in node.columns:
        return found
    first = _first_of(reports.ancestor(path, base))
    found[reports.ancestor(path, base)[first]] = node.columns[name][first]
    return found


def _first_of(rows: NDArray[np.int64]) -> NDArray[np.bool_]:
    """Mask of the first entry of each run of equal rows."""
    return np.concatenate([[True], rows[1:] != rows[:-1]]) if rows.size else np.zeros(0, bool)


def _event(reports: Reports, base: str, letter: str, name: str, passed_over: int | None) -> tuple[Value, Value]:
    """The latest event that is not of the program `passed_over`, and the latest of all where no other exists."""
    count = len(reports.nodes[base])
    path = _join(base, f"{letter}___INFO", f"{letter}__EVENT")
    chosen = Value(np.full(count, np.nan), np.full(count, np.nan))
    remaining = Value(np.full(count, np.nan), np.full(count, np.nan))
    node = reports.nodes.get(path)
    if node is None or name not in node.columns or not len(node):
        return chosen, remaining
    row = reports.ancestor(path, base)
    nothing = np.full(len(node), np.nan)
    value, mark, program = (
        np.asarray(node.columns.get(column, nothing), dtype=float) for column in (name, f"{letter}QM", f"{letter}PC")
    )
    wanted = np.flatnonzero(program != (-1 if passed_over is None else passed_over))
    wanted = wanted[_first_of(row[wanted])]
    chosen.value[row[wanted]], chosen.mark[row[wanted]] = value[wanted], mark[wanted]
    top = np.flatnonzero(_first_of(row))
    top = top[~np.isin(row[top], row[wanted])]
    remaining.value[row[top]], remaining.mark[row[top]] = value[top], mark[top]
    return chosen, remaining
