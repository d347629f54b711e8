"""Verification of a release: ledger against data, every checksum, ranges, statistics, copies, axes, observations."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import icechunk
import numpy as np
import zarr

from kaiseki.archive.care.axes import check_axes
from kaiseki.archive.care.chunks import shards_of
from kaiseki.archive.care.faults import Verification
from kaiseki.archive.care.ledger import Books, check_completeness, check_presence, open_books
from kaiseki.archive.care.values import check_day, check_overlap, check_series
from kaiseki.archive.release import schema
from kaiseki.archive.release.store import QUALITY, ReleaseStore
from kaiseki.archive.store.columns import read_table
from kaiseki.archive.store.storage import Location
from kaiseki.core.errors import InputError, StoreError
from kaiseki.core.progress import Progress


def verify(
    location: Location,
    version: str | None = QUALITY,
    *,
    start: str | None = None,
    end: str | None = None,
    quick: bool = False,
    storage_options: Mapping[str, Any] | None = None,
) -> Verification:
    """What is wrong with a release; all faults are found in one pass, each with its group, variable and day.

    Every chunk of the days is read, so that its checksum is checked. Some levels of one variable and day are in memory
    at a time, and of the copy for point series a strip of one block.

    Args:
        location: of the release store.
        version: a tag, "quality", or None for what was published last.
        start: first day to verify, "1989-01-31"; None for the first of the axis.
        end: last day to verify; None for the last of the axis.
        quick: check axes, coordinates, the ledger and which chunks exist, and read no values.
        storage_options: for S3, see `storage.resolve`.

    Raises:
        StoreError: no release store, or no such version.
        InputError: the days are none or in the wrong order.
    """
    store = ReleaseStore.open(location, "r", storage_options=storage_options)
    session, root = store.session(version), store.root(version)
    found = Verification(store.where, version or "the last published", store.snapshot(version), quick)
    days = days_of(store.times, start, end)
    check_axes(root, store.times, found)
    # Ledgers with one state a time stay in memory: a few megabytes for decades.
    ledgers = []
    for group in schema.GROUPS.values():
        if group.name in root and (books := open_books(root, session, group, store.times, found)) is not None:
            check_completeness(books, store.times, days, (start is not None, end is not None), found)
            check_presence(root, books, store.times, days, found)
            ledgers.append(books)
    used = [(books, [number for number in days if books.has_any(number)]) for books in ledgers]
    found.days = sum(len(numbers) for _, numbers in used)
    if not quick:
        _read_all(root, used, store.times, days, found)
        _read_overlaps(root, session, store.times, days, found)
    _read_observations(root, store.times, days, quick, found)
    return found


def days_of(times: schema.Times, start: str | None, end: str | None) -> range:
    """Numbers of the days of a period.

    Raises:
        InputError: the text is no date, or the last day is before the first.
        StoreError: a day is outside the axis.
    """
    try:
        first = 0 if start is None else times.number(np.datetime64(start, "D"))
        last = times.days - 1 if end is None else times.number(np.datetime64(end, "D"))
    except ValueError as error:
        raise InputError(f"{start if end is None else end!r} is no date; give one such as 1989-01-31") from error
    if last < first:
        raise InputError(f"The last day {end} is before the first, {start}")
    return range(first, last + 1)


def _read_all(
    root: zarr.Group, used: list[tuple[Books, list[int]]], times: schema.Times, days: range, found: Verification
) -> None:
    """Read the fields, group after group and day after day, and the copies for point series."""
    with Progress("verifying", sum(len(numbers) for _, numbers in used), unit="group-day") as progress:
        for books, numbers in used:
            for number in numbers:
                check_day(root, books, times, number, found)
                progress.advance(1, f"{books.group.name} {times.day(number)}")
            if "series" in books.states:
                check_series(root, books, times, days, found)


def _read_overlaps(
    root: zarr.Group, session: icechunk.Session, times: schema.Times, days: range, found: Verification
) -> None:
    members: Any = root.get(schema.OVERLAP, {})
    for stream in sorted(members):
        for group in sorted(name for name in members[stream] if name in schema.GROUPS):
            for name in sorted(members[stream][group].array_keys()):
                place = f"{schema.OVERLAP}/{stream}/{group}/{name}"
                with found.reading(f"{schema.OVERLAP}/{stream}/{group}", name):
                    check_overlap(root, times, days, place, set(shards_of(session, place)), found)


def _read_observations(root: zarr.Group, times: schema.Times, days: range, quick: bool, found: Verification) -> None:
    """Read the tables of observations of the days, or only see that they are of days of the axis."""
    members: Any = root[schema.OBSERVATIONS]
    for name in sorted(members.group_keys()):
        text = f"{name[:4]}-{name[4:6]}-{name[6:]}"
        try:
            number = times.number(text)
        except (ValueError, StoreError):
            found.add("observations", f"{name} is no day of the axis", schema.OBSERVATIONS)
            continue
        if number not in days or quick:
            continue
        try:
            rows = read_table(members[name]).num_rows
        except MemoryError:
            raise
        except Exception as error:
            found.add(
                "observations", f"the table cannot be read ({error})".split("\n")[0], schema.OBSERVATIONS, day=text
            )
            continue
        if rows != members[name].attrs["rows"]:
            words = f"{rows} rows, {members[name].attrs['rows']} were written"
            found.add("observations", words, schema.OBSERVATIONS, day=text)
