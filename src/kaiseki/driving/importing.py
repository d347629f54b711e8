"""Import of others' gridded data into a release store on their own grid, one day after another.

It stands with the readers of driving data, whose table of conventions says what the files hold: this package may use
the archive, which knows nothing of the forms of other producers.
"""

from __future__ import annotations

import dataclasses
import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

import numpy as np

from kaiseki.archive.release import schema
from kaiseki.archive.release.encoding import BoundSet
from kaiseki.archive.release.layout import Chunks, ReleaseLayout
from kaiseki.archive.release.store import QUALITY, ReleaseStore, names_of, states_of
from kaiseki.archive.release.writing import DayWriter
from kaiseki.archive.store.storage import Location
from kaiseki.core.errors import InputError, StoreError
from kaiseki.core.progress import Progress
from kaiseki.core.timing import format_utc
from kaiseki.driving.origin import FileOrigin, file_origin
from kaiseki.driving.release_fields import Field, ReleaseFields
from kaiseki.driving.sources.joined import open_all

AXIS: Final = "hourly"
"""Axis in time of the groups that are imported; its step is that of the data."""

STREAM: Final = "import"
"""Stream of the commits."""

SHORTEST: Final = 60
"""Shortest step of the axis, s."""


@dataclass(frozen=True, kw_only=True)
class ImportSettings:
    """How files are imported.

    Attributes:
        source: name of the reader of all files, None for the first that recognises each.
        start: first day imported, None from the first of the files.
        end: last day imported, None to the last of the files.
        axis_start: first day of a new release, None: the first that is imported.
        axis_end: last day of a new release, None: the last that is imported.
        times_per_day: of a new release, None for as few as hold the times of the files, from 00 UTC in equal steps.
        bounds: set of error bounds of a new release.
        preliminary: whether the days will be replaced later.
        replace: whether final days may be replaced.
        title: of a new release, empty for that of the files.
        chunks: sizes of a new release.
        attributes: further global attributes of a new release: license, references, citation ...
        interval: length [h] of that over which sums and means of NetCDF files are that do not tell it, to their time.
    """

    source: str | None = None
    start: str | None = None
    end: str | None = None
    axis_start: str | None = None
    axis_end: str | None = None
    times_per_day: int | None = None
    bounds: BoundSet = "tight"
    preliminary: bool = False
    replace: bool = False
    title: str = ""
    chunks: Chunks = field(default_factory=Chunks)
    attributes: Mapping[str, str] = field(default_factory=dict)
    interval: float | None = None


@dataclass(frozen=True)
class Imported:
    """What a call of `import_files` did.

    Attributes:
        days: written now.
        kept: days that the release held already.
        left_out: what the files hold and the release does not get, each with the reason.
        limited: by variable, how many of the values written lay beyond its physical range and were set to the end of
            it, and by how much at most.
        series: blocks of the copies for point series written.
    """

    days: tuple[np.datetime64, ...]
    kept: tuple[np.datetime64, ...]
    left_out: tuple[str, ...]
    limited: Mapping[str, tuple[int, float]]
    series: int


def import_files(
    files: Sequence[str | Path],
    release: Location,
    settings: ImportSettings | None = None,
    *,
    storage_options: Mapping[str, Any] | None = None,
) -> Imported:
    """Import files of one producer and grid into a release store, which is made when it is not there.

    The files together hold analyses or forecasts, as of `open_all`; their units and meaning are checked as there.
    Values are kept but for packing. A day is one commit; groups of it that the release holds are left, so that a call
    which was ended is simply called again.

    Args:
        files: NetCDF, Zarr or GRIB, in any order.
        release: place of the release store.
        settings: how.
        storage_options: of the release, for S3; see `storage.resolve`.

    Raises:
        InputError: the files cannot be read or understood, contradict each other, or a field cannot be packed.
        StoreError: the release is of another grid, source, set of variables or step, or a day is final already.
        ResourceError: the disk is full.
    """
    settings = settings or ImportSettings()
    if (hours := settings.interval) is not None and not 0.0 < hours <= 24.0:
        raise InputError(f"The interval of sums and means is a length of up to 24 hours, not {hours:g}")
    interval = None if hours is None else np.timedelta64(round(3600.0 * hours), "s")
    held = open_all(files, settings.source, interval)
    data, where = held.state, held.state.file
    state = [p for q in data.catalogue.places for p in data.catalogue.pieces(q)]
    origin = file_origin([*state, *held.near.pieces()], held.refused)
    fields = ReleaseFields(data, held.near)
    store = None
    if ReleaseStore.exists(release, storage_options=storage_options):
        store = ReleaseStore.open(release, "a", storage_options=storage_options)
    steps = settings.times_per_day if store is None else store.times.steps[AXIS]
    steps = _steps(fields, where) if steps is None else steps
    fields = dataclasses.replace(fields, step=np.timedelta64(86400 // max(steps, 1), "s"))
    chosen = _chosen(fields, settings)
    times = np.unique(np.concatenate(list(chosen.values())))
    if store is None:
        layout = _layout(fields, origin, times, steps, settings)
        store = ReleaseStore.create(release, layout, storage_options=storage_options)
    else:
        _check_release(store, fields, origin)
    _check_axis(store, times, where)
    written: list[np.datetime64] = []
    kept: list[np.datetime64] = []
    with store:
        store.add_variables({(one.group, one.name): one.vertical for one in fields.fields})
        days = np.unique(times.astype("datetime64[D]"))
        with Progress(f"importing {where}", days.size, unit="day") as progress:
            for day in days:
                of_day = {group: own[own.astype("datetime64[D]") == day] for group, own in chosen.items()}
                wanted = _wanted(store, fields, {group: own for group, own in of_day.items() if own.size}, settings)
                if wanted:
                    _import_day(store, fields, {group: of_day[group] for group in wanted}, settings)
                (written if wanted else kept).append(day)
                progress.advance(1, str(day))
        series = store.pack_series()
    left_out = (*fields.left_out, *_lacking(fields, chosen), *map(str, held.refused), *origin.unread)
    return Imported(tuple(written), tuple(kept), left_out, dict(fields.limited), series)


def _chosen(fields: ReleaseFields, settings: ImportSettings) -> dict[str, np.ndarray]:
    """Times of the files that are imported, by group, datetime64[s].

    The last day is left for another call where the files hold nothing of it but what ends at its 00 UTC.
    """
    chosen = {}
    for group, times in fields.times.items():
        days = times.astype("datetime64[D]")
        after = np.full(times.size, True) if settings.start is None else days >= _date(settings.start)
        before = np.full(times.size, True) if settings.end is None else days <= _date(settings.end)
        chosen[group] = times[after & before]
    if not any(times.size for times in chosen.values()):
        raise InputError(f"{fields.data.file}: no time lies from {settings.start} to {settings.end}")
    last = max(times[-1] for times in chosen.values() if times.size)
    if settings.end is None and last == last.astype("datetime64[D]") and fields.only_ends(last):
        earlier = {group: times[times < last] for group, times in chosen.items()}
        chosen = earlier if any(times.size for times in earlier.values()) else chosen
    return {group: times for group, times in chosen.items() if times.size}


def _lacking(fields: ReleaseFields, chosen: Mapping[str, np.ndarray]) -> list[str]:
    """Variables that the files do not hold at all times of their group, one line each."""
    lines = []
    for one in fields.fields:
        times = chosen.get(one.group, np.array([], dtype="datetime64[s]"))
        lacking = times[~np.isin(times, fields.own_times(one))]
        if lacking.size:
            lines.append(
                f"{one.name} is missing at {lacking.size} of {times.size} times of {one.group}, from "
                f"{format_utc(lacking[0])}"
            )
    return lines


def _layout(
    fields: ReleaseFields, origin: FileOrigin, times: np.ndarray, steps: int, settings: ImportSettings
) -> ReleaseLayout:
    """The layout of a new release."""
    days = times.astype("datetime64[D]")
    start = days[0] if settings.axis_start is None else _date(settings.axis_start)
    end = days[-1] if settings.axis_end is None else _date(settings.axis_end)
    axes = schema.Times(
        start.astype("datetime64[s]"), int((end - start).astype(int)) + 1, dict.fromkeys((AXIS, "analysis"), steps)
    )
    stated = origin.attributes
    source = f"{stated.get('source', origin.producer)}; imported by Kaiseki, values changed by packing alone"
    history = f"; before: {stated['history']}" if "history" in stated else ""
    own = {name: text for name, text in stated.items() if name not in ("title", "source", "history")}
    summary = (
        "Data of another producer. The error that packing made here, at most maximum_absolute_error of each variable, "
        "comes on top of that of the source's own packing."
    )
    return ReleaseLayout(
        times=axes,
        **fields.grid(),
        experiment_json=json.dumps({"imported": _identity(fields, origin)}),
        bounds=settings.bounds,
        pressures=tuple(fields.pressures),
        chunks=settings.chunks,
        title=settings.title or stated.get("title", f"Imported data of {origin.producer}"),
        source=source,
        origin=f"{fields.data.file}{history}",
        attributes={"summary": summary} | own | dict(settings.attributes),
    )


def _identity(fields: ReleaseFields, origin: FileOrigin) -> dict[str, Any]:
    """What must be the same in all files of a release, beside the grid and the variables."""
    return {"reader": fields.data.source, "producer": origin.producer}


def _steps(fields: ReleaseFields, where: str) -> int:
    """Fewest equal steps of a day from 00 UTC that hold all times and the starts of all sums and means."""
    starts = np.array(fields.near.starts(), dtype="datetime64[s]")
    times = np.concatenate([*fields.times.values(), starts])
    seconds = (times - times.astype("datetime64[D]")).astype("timedelta64[s]").astype(int)
    step = math.gcd(86400, *map(int, seconds))
    if step < SHORTEST:
        raise InputError(f"{where}: its times lie on no even axis of a day in steps of a minute or more")
    return 86400 // step


def _check_axis(store: ReleaseStore, times: np.ndarray, where: str) -> None:
    """Refuse times that are not on the axis of a release."""
    for time in times[[0, -1]]:
        store.times.number(time)
    if (missing := times[~np.isin(times, store.times.axis(AXIS))]).size:
        raise StoreError(
            f"{where}: {format_utc(missing[0])} is not on the axis of {store.where}, which has "
            f"{store.times.steps[AXIS]} times a day; import it into a release of its own, made with more of them"
        )


def _check_release(store: ReleaseStore, fields: ReleaseFields, origin: FileOrigin) -> None:
    """Refuse a release of another source, grid or set of levels.

    Raises:
        StoreError: names what differs.
    """
    made = json.loads(str(store.attributes["experiment"])).get("imported")
    mine = _identity(fields, origin)
    if made is None:
        raise StoreError(f"{store.where} was packed from runs; import other data into a release of their own")
    if made["producer"] != mine["producer"]:
        raise StoreError(
            f"{fields.data.file} is of the producer {mine['producer']}, but {store.where} holds data of "
            f"{made['producer']}; import it into a release of its own"
        )
    root: Any = store.root(QUALITY)
    grid = fields.grid()
    expected: dict[str, np.ndarray] = {name: np.asarray(grid["static"][name][1]) for name in grid["horizontal"]}
    theirs: Any = root[schema.STATIC]
    for name in ("terrain", "land_fraction", "soil_level", "level"):
        if name in grid["static"] and name in theirs:
            expected[name] = np.asarray(grid["static"][name][1])
    for name, values in expected.items():
        held = np.asarray(theirs[name]) if name in theirs else np.zeros(0)
        if held.shape != values.shape or not np.allclose(held, values, rtol=1e-6, atol=1e-6, equal_nan=True):
            raise StoreError(
                f"The grid of {fields.data.file} and that of {store.where} differ in {name}; import it into a release "
                "of its own"
            )
    if fields.pressures:
        held = np.asarray(root["pressure_levels/pressure"]) if "pressure_levels" in root else np.zeros(0)
        if not np.array_equal(held, fields.pressures):
            raise StoreError(
                f"{fields.data.file} has {len(fields.pressures)} pressure levels and {store.where} {held.size} or "
                "others; import it into a release of its own"
            )
    _check_variables(store, fields)


def _check_variables(store: ReleaseStore, fields: ReleaseFields) -> None:
    """Refuse files whose variables of a group are others than those that it holds already."""
    root = store.root(QUALITY)
    for group in {one.group for one in fields.fields}:
        mine = {one.name for one in fields.fields if one.group == group}
        if not states_of(root, group).any():
            continue
        if differing := sorted(mine ^ set(names_of(root, group))):
            name = differing[0]
            which = ("the files", store.where) if name not in mine else (store.where, "the files")
            raise StoreError(
                f"{fields.data.file}: {name} of {group} is missing in {which[0]}, but not in {which[1]}; give files "
                "with the same variables, or make a release of their own"
            )


def _wanted(
    store: ReleaseStore, fields: ReleaseFields, times: Mapping[str, np.ndarray], settings: ImportSettings
) -> list[str]:
    """Groups of a day, with their times, that are to be written.

    Raises:
        StoreError: the release holds other times of the day, which would be lost.
    """
    root = store.root(QUALITY)
    wanted = []
    for group, own in times.items():
        number = store.times.number(own[0])
        mine = np.isin(store.times.of_day(AXIS, number), own)
        states = states_of(root, group)[store.times.slots(AXIS, number)]
        replaced = settings.replace or ((states == schema.PRELIMINARY).any() and not settings.preliminary)
        if replaced or not states.any():
            wanted.append(group)
        elif not (states > 0)[mine].all():
            raise StoreError(
                f"{store.times.day(number)} of {group} is in {store.where} already, without all the times of "
                f"{fields.data.file}; a day is written at once, so give all its files together and say --replace"
            )
    return wanted


def _import_day(
    store: ReleaseStore, fields: ReleaseFields, times: Mapping[str, np.ndarray], settings: ImportSettings
) -> None:
    """Write the times of the groups of a day, after the checks of the readers on each of them."""
    every = np.unique(np.concatenate(list(times.values())))
    for time in every:
        fields.check(time)
    with store.day(STREAM, every[0], preliminary=settings.preliminary, replace=settings.replace) as writer:
        for one in fields.fields:
            if one.group in times:
                _write(writer, store, fields, one, times[one.group])


def _write(writer: DayWriter, store: ReleaseStore, fields: ReleaseFields, one: Field, times: np.ndarray) -> None:
    """Write a variable of a day, shard after shard."""
    slots = np.searchsorted(store.times.of_day(AXIS, writer.number), times)
    plane = (fields.window.y.size, fields.window.x.size)
    for levels in writer.shards(one.group, one.name):
        deep = () if one.vertical is None else (len(fields.levels(one)[levels]),)
        values = np.full((store.times.steps[AXIS], *deep, *plane), np.nan, np.float32)
        for slot, time in zip(slots, times, strict=True):
            values[slot] = fields.read(one, time, levels).reshape((*deep, *plane))
        writer.write(one.group, one.name, values, levels)


def _date(text: str) -> np.datetime64:
    try:
        return np.datetime64(text, "D")
    except ValueError:
        raise InputError(f"{text!r} is no date; give one such as 1989-01-31") from None
