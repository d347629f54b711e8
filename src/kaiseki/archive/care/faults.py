"""Faults of a release, and what a verification found."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any, Final

from kaiseki.archive.store.storage import first_line

KINDS: Final = {
    "axis": "an axis in time or height is not as it was laid out",
    "coordinate": "a coordinate or fixed field is missing, not finite or out of its range",
    "encoding": "the packing of an array is not the one with which it is read",
    "ledger": "the ledger and the data disagree on what was produced",
    "hole": "times within the period are missing",
    "missing": "chunks that the ledger promises are not there",
    "unexpected": "there are data that the ledger does not know",
    "unreadable": "bytes are damaged, lost or cannot be reached",
    "range": "values lie outside the physical range of their variable",
    "statistics": "values do not have the statistics that the ledger keeps of them",
    "error bound": "packing made a larger error than declared",
    "copy": "a copy differs from the core",
    "observations": "a table of observations cannot be read",
}
"""Kinds of faults and what they mean."""


@dataclass(frozen=True)
class Fault:
    """One fault.

    Attributes:
        kind: one of `KINDS`.
        text: what was found and expected.
        group: of the fields, "" for the whole store.
        variable: internal name, "" where it concerns the whole group.
        day: date, or "first/last" for several days in a row, "" where it concerns no day.
        layout: "core", "map" or "series".
    """

    kind: str
    text: str
    group: str = ""
    variable: str = ""
    day: str = ""
    layout: str = "core"

    def __str__(self) -> str:
        layout = "" if self.layout == "core" else f"{self.layout}/"
        place = f"{layout}{self.group}" + (f"/{self.variable}" if self.variable else "")
        return ": ".join(part for part in (self.kind, f"{place} {self.day}".strip(), self.text) if part)


@dataclass
class Verification:
    """What a verification looked at and found.

    Attributes:
        where: name of the store.
        version: what was verified.
        snapshot: identity of its commit.
        quick: whether values were left unread.
        days: number of days with something in them, summed over the groups.
        values: number of values read.
        faults: in the order of groups, days and variables.
        notes: what is no fault but should be known.
    """

    where: str
    version: str
    snapshot: str
    quick: bool
    days: int = 0
    values: int = 0
    faults: list[Fault] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    _seen: set[tuple[str, str, str, str]] = field(default_factory=set, repr=False)

    @property
    def sound(self) -> bool:
        """Whether nothing is wrong."""
        return not self.faults

    def add(
        self, kind: str, text: str, group: str = "", variable: str = "", day: str = "", layout: str = "core"
    ) -> None:
        """Note a fault; see `Fault`."""
        self.faults.append(Fault(kind, text, group, variable, day, layout))
        if layout == "core":
            self._seen.add((kind, group, variable, day))

    def has(self, group: str, variable: str, day: str, *kinds: str) -> bool:
        """Whether a fault of the core of these kinds was noted for a variable and day."""
        return any((kind, group, variable, day) in self._seen for kind in kinds)

    @contextmanager
    def reading(self, group: str = "", variable: str = "", day: str = "", layout: str = "core") -> Iterator[None]:
        """Note what cannot be read within the block as a fault, and go on after it."""
        try:
            yield
        except MemoryError:
            raise
        except READ_ERRORS as error:
            self.add("unreadable", first_line(error), group, variable, day, layout)

    def as_mapping(self) -> dict[str, Any]:
        """The result for JSON."""
        return {
            "release": self.where,
            "version": self.version,
            "snapshot": self.snapshot,
            "quick": self.quick,
            "days": self.days,
            "values": self.values,
            "sound": self.sound,
            "faults": [dataclasses.asdict(fault) for fault in self.faults],
            "notes": self.notes,
        }

    def as_text(self) -> str:
        """The result for people."""
        lines = [str(fault) for fault in self.faults]
        lines += [f"note: {note}" for note in self.notes]
        read = "no values read" if self.quick else f"{self.values:,} values read"
        verdict = "sound" if self.sound else f"{len(self.faults)} faults"
        lines.append(
            f"{self.where}, version {self.version}: {verdict}; {self.days} group-days (a day of each group), {read}"
        )
        return "\n".join(lines)


# Codecs raise what their libraries raise, and a verification must go on after all of it.
READ_ERRORS: Final = (Exception,)
"""Errors by which the bytes of a store show that they are not what was written."""
