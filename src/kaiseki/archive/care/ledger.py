"""Checks of the ledger of a release that read no values: completeness, and presence of chunks."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field

import icechunk
import numpy as np
import zarr

from kaiseki.archive.care.chunks import shards_of
from kaiseki.archive.care.faults import Verification
from kaiseki.archive.release import schema
from kaiseki.archive.release.encoding import Packing, packing_of
from kaiseki.archive.release.layout import map_levels
from kaiseki.archive.release.store import names_of
from kaiseki.archive.store.arrays import array_at, values_at
from kaiseki.core.variables import variable

_LEAST, _MISSING, _LARGEST = (schema.STATISTICS.index(name) for name in ("least", "missing", "largest_error"))


@dataclass
class Kept:
    """What the ledger says of a variable, and which shards of it exist.

    Attributes:
        array: of the core.
        packing: with which it is read, None where every bit is kept.
        statistics: (day, statistic), NaN where the variable was not written.
        shards: existing shards by layout; see `chunks.shards_of`.
    """

    array: zarr.Array
    packing: Packing | None
    statistics: np.ndarray
    shards: dict[str, dict[int, set[tuple[int, ...]]]]

    def written(self, day: int) -> bool:
        """Whether the ledger says that the variable was written on a day."""
        return bool(np.isfinite(self.statistics[day, _MISSING]))

    def has_values(self, day: int) -> bool:
        """Whether the ledger says that not all of it was missing on a day."""
        return bool(np.isfinite(self.statistics[day, _LEAST]))


@dataclass
class Books:
    """The ledger of one group.

    Attributes:
        group: of the fields.
        states: by layout ("", "map", "series"): (day, step).
        variables: by name.
    """

    group: schema.Group
    states: dict[str, np.ndarray]
    variables: dict[str, Kept] = field(default_factory=dict)

    def has_any(self, day: int) -> bool:
        """Whether the ledger or a chunk says that there is something of a day."""
        return bool(self.states[""][day].any()) or any(
            kept.written(day) or day in kept.shards["core"] for kept in self.variables.values()
        )


def open_books(
    root: zarr.Group, session: icechunk.Session, group: schema.Group, times: schema.Times, found: Verification
) -> Books | None:
    """The ledger of a group and the list of its shards, None where it cannot be read; faults are noted."""
    steps = times.steps[group.axis]
    states = {}
    for copy in ("", *group.copies):
        place = "/".join(part for part in (schema.LEDGER, copy, group.name, "state") if part)
        with found.reading(group.name, "state"):
            states[copy] = values_at(root, place).reshape(times.days, steps)
    if len(states) <= len(group.copies):
        return None
    books = Books(group, states)
    for name in names_of(root, group.name):
        with found.reading(group.name, name):
            array = array_at(root, f"{group.name}/{name}")
            packing = packing_of(variable(name), root.attrs["bounds"])  # type: ignore[arg-type]
            statistics = values_at(root, f"{schema.LEDGER}/{group.name}/statistics/{name}")
            shards = {"core": shards_of(session, f"{group.name}/{name}")}
            for copy in group.copies:
                if f"{copy}/{group.name}/{name}" in root:
                    shards[copy] = shards_of(session, f"{copy}/{group.name}/{name}")
                    _check_encoding(array_at(root, f"{copy}/{group.name}/{name}"), packing, found, group, name, copy)
            _check_encoding(array, packing, found, group, name, "core")
            books.variables[name] = Kept(array, packing, statistics, shards)
    return books


def _check_encoding(
    array: zarr.Array, packing: Packing | None, found: Verification, group: schema.Group, name: str, layout: str
) -> None:
    """Compare the attributes of packing with those by which values are unpacked."""
    wanted = {} if packing is None else packing.attributes()
    for key, value in wanted.items():
        if array.attrs.get(key) != value:
            text = f"{key} is {array.attrs.get(key)}, and values are read with {value}"
            found.add("encoding", text, group.name, name, layout=layout)
    if packing is not None and array.dtype != packing.dtype:
        text = f"integers of {array.dtype}, and values are read as {packing.dtype}"
        found.add("encoding", text, group.name, name, layout=layout)


def check_completeness(
    books: Books, times: schema.Times, days: range, asked: tuple[bool, bool], found: Verification
) -> None:
    """Name the holes of a group: times between the first and the last that were produced, and variables of a day.

    Args:
        books: of the group.
        times: axes.
        days: numbers of the days to verify.
        asked: whether the first and the last of the days were asked for, so that days without any time before those
            that were produced, and after them, are holes too.
        found: takes the faults.
    """
    states = books.states[""][days.start : days.stop]
    if not books.states[""].any():
        return
    steps = states.shape[1]
    flat = states.ravel() > 0
    used = np.flatnonzero(flat)
    if used.size:
        index, order = np.arange(flat.size), np.arange(states.shape[0])
        lacking = (~flat & (index >= used[0]) & (index <= used[-1])).reshape(states.shape)
        outside = ((order < used[0] // steps) & asked[0]) | ((order > used[-1] // steps) & asked[1])
        lacking |= outside[:, None]
    else:
        lacking = np.full(states.shape, all(asked))
    counts = lacking.sum(axis=1)
    for first, last in _runs(counts, steps):
        number = int(counts[first])
        words = f"{number} of {steps} times were not produced" + (" on each day" if last > first else "")
        found.add("hole", words, books.group.name, day=_span(times, days.start + first, days.start + last))
    produced = states.any(axis=1)
    for name, kept in books.variables.items():
        rows = np.isfinite(kept.statistics[days.start : days.stop, _MISSING])
        given = np.flatnonzero(rows)
        if given.size:
            inside = np.arange(rows.size)
            lost = produced & ~rows & (inside > given[0]) & (inside < given[-1])
            for first, last in _runs(lost.astype(int), 0):
                span = _span(times, days.start + first, days.start + last)
                found.add("hole", "the group was produced without this variable", books.group.name, name, span)


def _runs(counts: np.ndarray, full: int) -> Iterable[tuple[int, int]]:
    """First and last index of runs of positive counts; only runs of `full` counts are joined (0: all)."""
    start = None
    for index, count in enumerate([*counts, 0]):
        if start is not None and (count == 0 or (full and (count != full or counts[start] != full))):
            yield start, index - 1
            start = None
        if count and start is None:
            start = index


def _span(times: schema.Times, first: int, last: int) -> str:
    return str(times.day(first)) + ("" if last == first else f"/{times.day(last)}")


def check_presence(root: zarr.Group, books: Books, times: schema.Times, days: range, found: Verification) -> None:
    """Compare the ledger of a group with itself and with the chunks that exist; no values are read."""
    group = books.group.name
    for number in days:
        day = str(times.day(number))
        produced = books.states[""][number] > 0
        rows = [name for name, kept in books.variables.items() if kept.has_values(number)]
        if produced.any() and not rows:
            found.add("ledger", "times are marked as produced, and no variable has values", group, day=day)
        if rows and not produced.any():
            text = f"{', '.join(rows)} has values, and no time is marked as produced"
            found.add("ledger", text, group, day=day)
        if (books.states[""][number] > schema.FINAL).any():
            found.add("ledger", f"states are {sorted(set(books.states[''][number].tolist()))}", group, day=day)
        if "map" in books.states and not np.array_equal(books.states["map"][number], books.states[""][number]):
            found.add("ledger", "the copy for maps is marked differently from the core", group, day=day, layout="map")
        for name, kept in books.variables.items():
            _check_day(root, books, name, kept, (number, day), found)
    if "series" in books.states:
        _check_series(books, times, days, found)


def _check_day(
    root: zarr.Group, books: Books, name: str, kept: Kept, when: tuple[int, str], found: Verification
) -> None:
    number, day = when
    group, missing, error = books.group.name, kept.statistics[number, _MISSING], kept.statistics[number, _LARGEST]
    if not kept.written(number):
        for layout in ("core", "map"):
            if kept.shards.get(layout, {}).get(number):
                found.add("unexpected", "there are chunks, and the ledger knows nothing", group, name, day, layout)
        return
    bound = 0.0 if kept.packing is None else kept.packing.bound
    if not error <= bound:
        found.add("error bound", f"packing made an error of {error:g}, declared is {bound:g}", group, name, day)
    steps = books.states[""].shape[1]
    plane = kept.array.shape[-2] * kept.array.shape[-1]
    lost = []
    if kept.array.ndim == 4:
        deep = kept.array.shards[1] if kept.array.shards else kept.array.chunks[1]
        levels = kept.array.shape[1]
        absent = set(range(-(-levels // deep))) - {place[0] for place in kept.shards["core"].get(number, ())}
        lost = [(k * deep, min((k + 1) * deep, levels)) for k in sorted(absent)]
        count = sum(b - a for a, b in lost) * steps * plane
    else:
        count = 0 if number in kept.shards["core"] else steps * plane
    # Shards in which all is missing are not stored.
    if count > missing:
        where = f" at levels {', '.join(f'{a}-{b - 1}' for a, b in lost)}" if lost else ""
        text = f"{count} values{where} are not there, where the ledger has {missing:g} missing"
        found.add("missing", text, group, name, day)
    if "map" in kept.shards:
        there = kept.shards["map"].get(number, set())
        chosen = map_levels(root, books.group)
        if kept.array.ndim == 4:
            total = kept.array.shape[1] if chosen is None else chosen.size
            count = (total - len({place[0] for place in there})) * steps * plane
        else:
            count = 0 if there else steps * plane
        if count > missing:
            text = f"{count} values are not there, where the ledger has {missing:g} missing"
            found.add("missing", text, group, name, day, "map")


def _check_series(books: Books, times: schema.Times, days: range, found: Verification) -> None:
    """Check the blocks of the copy for point series: marked as the core or as not written, and there if marked."""
    core, copied, group = books.states[""], books.states["series"], books.group.name
    for number in days:
        if not (np.isin(copied[number], [0]) | (copied[number] == core[number])).all():
            day = str(times.day(number))
            found.add(
                "ledger", "the copy for series is marked differently from the core", group, day=day, layout="series"
            )
    waiting = [
        number for number in days if (core[number] > 0).any() and not np.array_equal(core[number], copied[number])
    ]
    if waiting:
        found.notes.append(
            f"the copy for series of {group} was not written yet for {len(waiting)} days from {times.day(waiting[0])}; "
            "kaiseki archive pack completes it"
        )
    for block in sorted({number // schema.BLOCK_DAYS for number in days}):
        span = slice(block * schema.BLOCK_DAYS, min((block + 1) * schema.BLOCK_DAYS, times.days))
        if not copied[span].any():
            continue
        text_day = _span(times, span.start, span.stop - 1)
        for name, kept in books.variables.items():
            rows = kept.statistics[span, _MISSING]
            if "series" in kept.shards and np.isfinite(rows).any() and block not in kept.shards["series"]:
                full = core.shape[1] * int(np.prod(kept.array.shape[1:]))
                if (rows[np.isfinite(rows)] < full).any():
                    found.add("missing", "the block is not there", group, name, text_day, "series")
