"""All checks in their order, and what they found."""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from kaiseki.core.observables import KINDS, QUANTITIES
from kaiseki.observations.flags import Flag
from kaiseki.observations.quality.buddy import TOLERANCE, check_buddies
from kaiseki.observations.quality.duplicates import check_duplicates
from kaiseki.observations.quality.hydrostatic import check_hydrostatic
from kaiseki.observations.quality.lapse import check_lapse
from kaiseki.observations.quality.marks import REJECTED, check_marks
from kaiseki.observations.quality.position import SurfaceMap, check_position
from kaiseki.observations.quality.ranges import check_ranges
from kaiseki.observations.quality.shear import check_shear
from kaiseki.observations.table import Table


@dataclass(frozen=True)
class FlagCount:
    """Values of one kind and quantity that one check flagged, of how many."""

    check: str
    kind: str
    quantity: str
    flagged: int
    total: int


class Checked(NamedTuple):
    """The table with its flags, and the counts of every check that flagged anything."""

    table: Table
    summary: tuple[FlagCount, ...]


def run_all(
    table: Table,
    surface: SurfaceMap | None = None,
    *,
    rejected_marks: tuple[int, ...] = REJECTED,
    buddy_tolerance: float = TOLERANCE,
) -> Checked:
    """Run every check that needs no model; each sees the flags of those before it.

    Withheld values are checked against themselves only (ranges, hydrostatic, lapse rate, shear, duplicates, position):
    the buddy check neither uses nor judges them. Set `withheld` before.

    Args:
        table: observations, of one window or of several.
        surface: land fraction and its grid (a `grid.Domain`); None leaves ships on land unseen.
        rejected_marks: quality marks of the source that reject.
        buddy_tolerance: tolerance of the buddy check, in standard deviations.
    """
    for flags in (
        lambda now: check_marks(now, rejected_marks),
        check_ranges,
        check_duplicates,
        lambda now: check_position(now, surface),
        check_hydrostatic,
        check_lapse,
        check_shear,
        lambda now: check_buddies(now, buddy_tolerance),
    ):
        table = table.with_columns(flags=table.column("flags") | flags(table))
    return Checked(table, summary(table))


def summary(table: Table) -> tuple[FlagCount, ...]:
    """Counts of all flags that are set, by kind and quantity, in the order of `Flag`, `KINDS` and `QUANTITIES`."""
    kind, quantity = table.codes("kind")[0], table.codes("quantity")[0]
    cell = kind.astype(np.int64) * len(QUANTITIES) + quantity
    size = len(KINDS) * len(QUANTITIES)
    totals = np.bincount(cell, minlength=size)
    found: list[FlagCount] = []
    for flag in Flag:
        flagged = np.bincount(cell[(table.column("flags") & np.uint32(flag)) != 0], minlength=size)
        name = (flag.name or "").lower()
        for place in np.flatnonzero(flagged):
            k, q = divmod(int(place), len(QUANTITIES))
            found.append(FlagCount(name, KINDS[k], QUANTITIES[q], int(flagged[place]), int(totals[place])))
    return tuple(found)
