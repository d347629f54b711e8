"""What is compared of two releases, and what their comparison found."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final

import numpy as np

from kaiseki.archive.release.store import ReleaseStore
from kaiseki.archive.store.storage import Location

ALL: Final = "all"
"""Month of the rows over the whole period."""


@dataclass(frozen=True)
class Side:
    """One of the two that are compared.

    Attributes:
        location: of the release store.
        version: a tag, "quality", or None for what was published last.
        storage_options: for S3, see `storage.resolve`.
    """

    location: Location
    version: str | None = None
    storage_options: Mapping[str, Any] | None = field(default=None, repr=False)

    @classmethod
    def parse(cls, text: str, storage_options: Mapping[str, Any] | None = None) -> Side:
        """A side from "place" or "place@version"; a place whose own name has the sign is taken whole."""
        place, sign, version = text.rpartition("@")
        if not sign or "/" in version or ReleaseStore.exists(text, storage_options=storage_options):
            return cls(text, None, storage_options)
        return cls(place, version, storage_options)


@dataclass(frozen=True, kw_only=True)
class CompareSettings:
    """What is compared.

    Attributes:
        groups: names of groups, none for all.
        variables: internal names, none for all.
        start, end: first and last day, None for all.
        polygon: a further region; see `selection.areas.polygon`.
        maps: variables of which the map of the root mean square difference is kept.
    """

    groups: tuple[str, ...] = ()
    variables: tuple[str, ...] = ()
    start: str | None = None
    end: str | None = None
    polygon: Any = None
    maps: tuple[str, ...] = ()


@dataclass(frozen=True)
class Row:
    """Differences B - A of one variable at one level in one region and month.

    Attributes:
        group, variable: compared.
        level: height [m], pressure [Pa] or depth of the level; None for the surface, or for all levels together.
        region: "whole", "interior" (without the rim), "land", "sea" or "polygon".
        month: "1989-01", or `ALL`.
        n: number of values that both have.
        bias, rms: mean and root mean square of the differences, in the units of the variable.
        largest: largest absolute difference.
        only_a, only_b: number of values that only one has.
    """

    group: str
    variable: str
    level: float | None
    region: str
    month: str
    n: int
    bias: float
    rms: float
    largest: float
    only_a: int
    only_b: int


@dataclass
class Comparison:
    """What two releases differ in.

    Attributes:
        a, b: names of both with their versions.
        rows: by variable, level, region and month, and over all of them.
        lacking: what only one of them has, in words.
        identical: number of days of variables that are known to be equal without having been read.
        read: number of days of variables that were read.
        maps: (group, variable) -> root mean square difference over times and levels (y, x).
    """

    a: str
    b: str
    rows: list[Row] = field(default_factory=list)
    lacking: list[dict[str, str]] = field(default_factory=list)
    identical: int = 0
    read: int = 0
    maps: dict[tuple[str, str], np.ndarray] = field(default_factory=dict)

    def as_mapping(self) -> dict[str, Any]:
        """The result for JSON, without maps; numbers that do not exist are null."""
        rows = [
            {key: None if isinstance(value, float) and not np.isfinite(value) else value for key, value in row.items()}
            for row in map(dataclasses.asdict, self.rows)
        ]
        return {
            "a": self.a,
            "b": self.b,
            "difference": "b - a",
            "identical_days": self.identical,
            "read_days": self.read,
            "lacking": self.lacking,
            "rows": rows,
        }

    def as_text(self) -> str:
        """A table over all levels and months, and what one of both lacks."""
        head = f"{'group':<16}{'variable':<30}{'region':<10}{'n':>14}{'bias':>12}{'rms':>12}{'largest':>12}"
        lines = [f"A: {self.a}", f"B: {self.b}", "differences B - A over all levels and months:", head]
        for row in self.rows:
            if row.level is None and row.month == ALL:
                lines.append(
                    f"{row.group:<16}{row.variable:<30}{row.region:<10}{row.n:>14,}{row.bias:>12.4g}{row.rms:>12.4g}"
                    f"{row.largest:>12.4g}"
                )
                if row.only_a or row.only_b:
                    lines.append(f"{'':<56}values that only A has: {row.only_a:,}, only B: {row.only_b:,}")
        lines += [f"only {entry['in']} has {entry['what']}" for entry in self.lacking]
        lines.append(f"days of variables: {self.read} read, {self.identical} identical by their chunks and not read")
        return "\n".join(lines)
