"""Schema of the release store, version 1: its groups, its axes in time, its ledger.

Groups (Zarr v3): `static`; groups of fields on the axes that `GROUPS` tells; `map/...` and `series/...`, copies of some
of them in other chunks; `observations/<day>`, one table a day; `ledger/...`, what has been produced; `overlap/<stream>/
...`, days of a stream that another stream has too.

The axes in time are laid out whole when the store is made: hours, or analysis times, from 00 UTC of the first day to
the end of the last. A day is the unit of production: shards and manifests end with it, one commit holds it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final, Literal

import numpy as np

from kaiseki.core.errors import StoreError

KIND: Final = "kaiseki-release-store"
"""Value of the root attribute `kaiseki_store` of a release store."""

VERSION: Final = 1
"""Version of the schema written by this program; all from 1 on are read."""

STATIC, LEDGER, OBSERVATIONS, OVERLAP = "static", "ledger", "observations", "overlap"

ISSUES: Final = "issues"
"""Branch of the known issues, which are apart from the data so that they concern versions published before."""

SUMMARY: Final = "summary"
"""Group of the ledger with the states of all times in one piece for each group, as they were at a publication; and key
of the metadata of the commit that wrote it, by which a reader knows that it is not older than the days."""

Axis = Literal["hourly", "analysis"]


@dataclass(frozen=True)
class Group:
    """A group of fields.

    Attributes:
        name: of the group, and what `kaiseki.open` takes as kind.
        axis: of time: every hour, or the analysis times.
        title: what it holds.
        copies: layouts beside the core: "map", "series".
    """

    name: str
    axis: Axis
    title: str
    copies: tuple[str, ...] = ()


GROUPS: Final[Mapping[str, Group]] = {
    group.name: group
    for group in (
        Group("model_levels", "hourly", "hourly fields of the forecasts along the cycles on model levels"),
        Group("analysis", "analysis", "analyses on model levels and at the surface"),
        Group("surface", "hourly", "hourly fields at the surface, in the soil, and means since the hour before",
              ("map", "series")),
        Group("precipitation", "hourly", "hourly sums of precipitation", ("map", "series")),
        Group("pressure_levels", "hourly", "hourly fields on pressure levels", ("map",)),
        Group("height_levels", "hourly", "hourly fields at heights above ground", ("series",)),
        Group("uncertainty", "analysis", "standard deviations of the error of the analysis"),
    )
}  # fmt: skip
"""The groups of fields by name."""

COPIES: Final = ("map", "series")
"""Layouts beside the core: one time of the whole domain in a chunk; many times of few cells in a chunk."""

NOT_PRODUCED, PRELIMINARY, FINAL = 0, 1, 2
"""States of a time in the ledger."""

STATISTICS: Final = ("least", "mean", "greatest", "missing", "largest_error")
"""What the ledger keeps of every variable and day: of the values before packing, and the largest error that it made."""

DAY: Final = np.timedelta64(86400, "s")
BLOCK_DAYS: Final = 30
"""Days in one chunk of the copy for point series, counted from the first day of the store."""


@dataclass(frozen=True)
class Times:
    """The axes in time of a release.

    Attributes:
        start: 00 UTC of the first day, datetime64[s].
        days: number of days.
        steps: number of times of a day, by axis; the times of a day begin at 00 UTC.
    """

    start: np.datetime64
    days: int
    steps: Mapping[str, int]

    def __post_init__(self) -> None:
        if np.datetime64(self.start, "D").astype("datetime64[s]") != self.start:
            raise StoreError(f"A release begins at 00 UTC of a day, not at {self.start}")
        if self.days < 1:
            raise StoreError("A release needs at least one day; its end lies before its start")
        if wrong := [count for count in self.steps.values() if count < 1 or 86400 % count]:
            raise StoreError(f"A day cannot hold {wrong[0]} equal steps of whole seconds")

    def axis(self, name: str) -> np.ndarray:
        """All times of an axis, datetime64[s]."""
        count = self.steps[name]
        return self.start + np.arange(self.days * count) * np.timedelta64(86400 // count, "s")

    def day(self, number: int) -> np.datetime64:
        """Start of a day by its number from 0, datetime64[D]."""
        return (self.start + number * DAY).astype("datetime64[D]")

    def number(self, day: Any) -> int:
        """Number of a day.

        Raises:
            StoreError: it lies outside.
        """
        date = np.datetime64(day, "D")
        number = int((date - np.datetime64(self.start, "D")).astype(int))
        if not 0 <= number < self.days:
            raise StoreError(
                f"{date} is outside the axis of the release, {self.day(0)} to {self.day(self.days - 1)}, which "
                "was laid out when it was made"
            )
        return number

    def slots(self, axis: str, number: int) -> slice:
        """Indices of the times of a day along an axis."""
        count = self.steps[axis]
        return slice(number * count, (number + 1) * count)

    def of_day(self, axis: str, number: int) -> np.ndarray:
        """Times of a day along an axis, datetime64[s]."""
        return self.axis(axis)[self.slots(axis, number)]
