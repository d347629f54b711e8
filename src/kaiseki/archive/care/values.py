"""Checks that read every value of a release: readable, in range, as the ledger says, copies equal."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field

import numpy as np
import zarr

from kaiseki.archive.care.chunks import read_part, words_of
from kaiseki.archive.care.faults import Verification
from kaiseki.archive.care.ledger import Books, Kept
from kaiseki.archive.release import schema
from kaiseki.archive.release.encoding import Packing, packing_of
from kaiseki.archive.release.layout import map_levels
from kaiseki.archive.store.arrays import array_at, axes_of
from kaiseki.core.timing import format_utc
from kaiseki.core.variables import VARIABLES, Variable


@dataclass
class Tally:
    """What the values of a variable on a day are, read block after block.

    Attributes:
        present: (step,), whether a time has any value.
        count: number of values that are not missing.
        missing: number of those that are.
        total: sum, in stored units.
        least, greatest: in stored units.
        wrong: number of values outside the physical range.
        first_wrong: the first of these and its indices (step, [level,] y, x).
        damaged: words for damaged chunks.
    """

    present: np.ndarray
    count: int = 0
    missing: int = 0
    total: float = 0.0
    least: float = np.inf
    greatest: float = -np.inf
    wrong: int = 0
    first_wrong: tuple[float, tuple[int, ...]] | None = None
    damaged: list[str] = field(default_factory=list)

    def add(self, values: np.ndarray, packing: Packing | None, row: Variable, level: int | None) -> None:
        """Count the values of a block (step, [level,] y, x), of which the first level has this number."""
        good = np.isfinite(values) | np.isinf(values) if packing is None else values != packing.fill
        self.present |= good.any(axis=tuple(range(1, values.ndim)))
        count = int(np.count_nonzero(good))
        self.count, self.missing = self.count + count, self.missing + values.size - count
        if not count:
            return
        kind = np.float64 if packing is None else np.int64
        limits = (np.inf, -np.inf) if packing is None else (np.iinfo(values.dtype).max, np.iinfo(values.dtype).min)
        self.total += float(np.sum(values, where=good, dtype=kind))
        least = float(np.min(values, where=good, initial=limits[0]))
        greatest = float(np.max(values, where=good, initial=limits[1]))
        self.least, self.greatest = min(self.least, least), max(self.greatest, greatest)
        step, bound = (1.0, 0.0) if packing is None else (packing.step, packing.bound)
        # Where a value within the bound outside the range was rounded, it may be one step further.
        low, high = (row.low - bound) / step, (row.high + bound) / step
        margin = 0.0 if packing is None else 0.5
        if least >= low - margin and greatest <= high + margin and np.isfinite([least, greatest]).all():
            return
        wrong = good & ((values < low - margin) | (values > high + margin) | ~np.isfinite(values))
        self.wrong += int(wrong.sum())
        if self.first_wrong is None:
            place = tuple(int(index) for index in np.argwhere(wrong)[0])
            value = float(values[place]) * step
            if level is not None:
                place = (place[0], place[1] + level, *place[2:])
            self.first_wrong = value, place


def check_day(root: zarr.Group, books: Books, times: schema.Times, number: int, found: Verification) -> None:
    """Read all variables of a group on one day, and its copies for maps; faults are noted."""
    group = books.group
    day = str(times.day(number))
    slots = times.slots(group.axis, number)
    produced = books.states[""][number] > 0
    present = np.zeros(produced.size, bool)
    intact = True
    for name, kept in books.variables.items():
        if not kept.written(number) and number not in kept.shards["core"]:
            continue
        tally = _read(root, books, name, (slots, day), found)
        found.values += tally.count + tally.missing
        present |= tally.present
        if tally.damaged:
            intact = False
            first, more = tally.damaged[0], len(tally.damaged) - 1
            found.add("unreadable", first + (f"; and {more} more chunks" if more else ""), group.name, name, day)
        if tally.first_wrong is not None:
            value, place = tally.first_wrong
            row = VARIABLES[name]
            time = format_utc(times.axis(group.axis)[slots.start + place[0]])
            text = (
                f"{tally.wrong} values outside {row.low:g} to {row.high:g} {row.units}; the first is {value:g} at "
                f"{time}, indices {place[1:]}"
            )
            found.add("range", text, group.name, name, day)
        wild = tally.present & ~produced
        if wild.any():
            text = f"values at {int(wild.sum())} times that are not marked as produced"
            found.add("unexpected", text, group.name, name, day)
        if not tally.damaged and kept.written(number) and not found.has(group.name, name, day, "missing"):
            _compare_statistics(kept, tally, number, (group.name, name, day), found)
    if intact and (produced & ~present).any():
        empty = produced & ~present
        text = f"{int(empty.sum())} times are marked as produced, and no variable has values there"
        found.add("ledger", text, group.name, day=day)


def _read(root: zarr.Group, books: Books, name: str, when: tuple[slice, str], found: Verification) -> Tally:
    """Tally of a variable on a day, some levels after others; its copy for maps is compared on the way."""
    kept, (slots, day) = books.variables[name], when
    array, row = kept.array, VARIABLES[name]
    axes = axes_of(array)
    place = f"map/{books.group.name}/{name}"
    mapped = array_at(root, place) if place in root else None
    tally = Tally(np.zeros(slots.stop - slots.start, bool))
    differing = dict[str, list[str]]()
    plane = (slice(0, array.shape[-2]), slice(0, array.shape[-1]))
    depth = array.chunks[1] if array.ndim == 4 else 1
    for level in range(0, array.shape[1], depth) if array.ndim == 4 else (None,):
        deep = () if level is None else (slice(level, min(level + depth, array.shape[1])),)
        part = read_part(array, (slots, *deep, *plane))
        tally.damaged += [f"{words_of(axes, window)}: {words}" for window, words in part.damaged]
        tally.add(part.values, kept.packing, row, level)
        if mapped is not None:
            core = None if part.damaged else part.values
            levels = map_levels(root, books.group)
            for kind, words in _map_differs(mapped, core, slots, deep, levels):
                differing.setdefault(kind, []).append(words)
    for kind, texts in differing.items():
        more = len(texts) - 1
        text = texts[0] + (f"; and {more} more levels" if more else "")
        found.add(kind, text, books.group.name, name, day, "map")
    return tally


def _map_differs(
    mapped: zarr.Array, core: np.ndarray | None, slots: slice, deep: tuple[slice, ...], chosen: np.ndarray | None
) -> Iterator[tuple[str, str]]:
    """Kind of fault and words for each level at which the copy for maps cannot be read or is not the core, bit for bit.

    Where the core itself is damaged, None, the copy is read all the same.
    """
    plane = tuple(slice(0, size) for size in mapped.shape[-2:])
    if not deep:
        pairs: list[tuple[tuple[slice, ...], np.ndarray | None, str]] = [((slots, *plane), core, "")]
    else:
        levels = range(deep[0].start, deep[0].stop)
        kept = levels if chosen is None else [int(level) for level in chosen if level in levels]
        index = {level: level if chosen is None else int(np.flatnonzero(chosen == level)[0]) for level in kept}
        pairs = [
            (
                (slots, slice(index[level], index[level] + 1), *plane),
                None if core is None else core[:, [level - deep[0].start]],
                f"level {level}: ",
            )
            for level in kept
        ]
    for key, values, where in pairs:
        part = read_part(mapped, key)
        if part.damaged:
            yield "unreadable", f"{where}{len(part.damaged)} chunks cannot be read ({part.damaged[0][1]})"
        elif values is not None and (words := _differs(part.values, values)):
            yield "copy", where + words


def _differs(copy: np.ndarray, core: np.ndarray) -> str:
    """Words for how a part of a copy differs from the core, "" where it does not."""
    if copy.dtype == core.dtype and copy.tobytes() == core.tobytes():
        return ""
    wrong = ~((copy == core) | (np.not_equal(copy, copy) & np.not_equal(core, core)))
    return f"{int(wrong.sum())} of {wrong.size} values are not those of the core"


def _compare_statistics(
    kept: Kept, tally: Tally, number: int, names: tuple[str, str, str], found: Verification
) -> None:
    """Compare what was read with the ledger, which has the values before packing: up to the error made they agree."""
    least, mean, greatest, missing, error = kept.statistics[number]
    step = 1.0 if kept.packing is None else kept.packing.step
    differences = []
    if tally.missing != missing:
        differences.append(f"{tally.missing} values are missing, {missing:g} in the ledger")
    elif tally.count:
        largest = max(abs(tally.least), abs(tally.greatest)) * step
        # Single precision of what users get, and the order of the sum.
        allowed = error + (2.0**-24 + 1e-9) * largest
        for what, mine, theirs in (
            ("least", tally.least * step, least),
            ("mean", tally.total / tally.count * step, mean),
            ("greatest", tally.greatest * step, greatest),
        ):
            if not abs(mine - theirs) <= allowed:
                differences.append(f"the {what} value is {mine:g}, {theirs:g} in the ledger")
    if differences:
        found.add("statistics", "; ".join(differences), *names)


def check_series(root: zarr.Group, books: Books, times: schema.Times, days: range, found: Verification) -> None:
    """Compare the copies for point series with the core, block after block."""
    group = books.group
    for block in sorted({number // schema.BLOCK_DAYS for number in days}):
        first = block * schema.BLOCK_DAYS
        span = [number for number in range(first, min(first + schema.BLOCK_DAYS, times.days)) if number in days]
        copied = [number for number in span if (books.states["series"][number] > 0).any()]
        if not copied:
            continue
        for name in books.variables:
            place = f"series/{group.name}/{name}"
            if place in root:
                _compare_block(root, books, name, times, copied, found)


def _compare_block(
    root: zarr.Group, books: Books, name: str, times: schema.Times, numbers: list[int], found: Verification
) -> None:
    """Compare the days of one block, a strip of one level after another."""
    core, series = books.variables[name].array, array_at(root, f"series/{books.group.name}/{name}")
    axis = books.group.axis
    whole = slice(times.slots(axis, numbers[0]).start, times.slots(axis, numbers[-1]).stop)
    rows = series.shards[-2] if series.shards else series.chunks[-2]
    columns = slice(0, core.shape[-1])
    wrong = dict[int, str]()
    for level in range(core.shape[1]) if core.ndim == 4 else (None,):
        deep = () if level is None else (slice(level, level + 1),)
        for row in range(0, core.shape[-2], rows):
            strip = (*deep, slice(row, min(row + rows, core.shape[-2])), columns)
            part = read_part(series, (whole, *strip))
            if part.damaged:
                day = f"{times.day(numbers[0])}/{times.day(numbers[-1])}"
                text = f"{len(part.damaged)} chunks cannot be read: {words_of(axes_of(core), part.damaged[0][0])}: "
                found.add("unreadable", text + part.damaged[0][1], books.group.name, name, day, "series")
                continue
            for number in numbers:
                slots = times.slots(axis, number)
                source = read_part(core, (slots, *strip))
                mine = part.values[slots.start - whole.start : slots.stop - whole.start]
                if not source.damaged and (words := _differs(mine, source.values)):
                    wrong.setdefault(number, words if level is None else f"level {level}: {words}")
    for number, words in sorted(wrong.items()):
        found.add("copy", words, books.group.name, name, str(times.day(number)), "series")


def check_overlap(
    root: zarr.Group, times: schema.Times, days: range, place: str, shards: set[int], found: Verification
) -> None:
    """Read the days of one array of an overlap, which has no ledger."""
    array = array_at(root, place)
    _, stream, group, name = place.split("/")
    row = VARIABLES[name]
    packing = packing_of(row, root.attrs["bounds"])  # type: ignore[arg-type]
    for number in sorted(shards & set(days)):
        slots = times.slots(schema.GROUPS[group].axis, number)
        part = read_part(array, (slots, *(slice(0, size) for size in array.shape[1:])))
        tally = Tally(np.zeros(slots.stop - slots.start, bool))
        tally.add(part.values, packing, row, 0 if array.ndim == 4 else None)
        found.values += part.values.size
        where = (f"{schema.OVERLAP}/{stream}/{group}", name, str(times.day(number)))
        if part.damaged:
            found.add("unreadable", f"{words_of(axes_of(array), part.damaged[0][0])}: {part.damaged[0][1]}", *where)
        if tally.first_wrong is not None:
            text = f"{tally.wrong} values outside {row.low:g} to {row.high:g} {row.units}"
            found.add("range", text, *where)
