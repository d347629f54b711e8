"""Packing of runs into a release store, one day after another."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

import numpy as np
import pyarrow as pa
import xarray as xr

from kaiseki.archive.products.height_levels import HEIGHT_LEVELS
from kaiseki.archive.products.local_fields import CONDENSATE
from kaiseki.archive.products.pressure_levels import JMA_PRESSURE_LEVELS
from kaiseki.archive.release import schema
from kaiseki.archive.release.commits import CommitConflict
from kaiseki.archive.release.derivation import axis_of, derivable, write_derived
from kaiseki.archive.release.encoding import BoundSet
from kaiseki.archive.release.layout import Chunks, ReleaseLayout, of_domain
from kaiseki.archive.release.store import QUALITY, ReleaseStore
from kaiseki.archive.release.writing import DayWriter
from kaiseki.archive.store.arrays import array_at
from kaiseki.archive.store.dataset import analysis_of, run_dataset
from kaiseki.archive.store.run_store import RunStore
from kaiseki.archive.store.storage import Location
from kaiseki.core.errors import InputError, StoreError
from kaiseki.core.progress import Progress
from kaiseki.core.variables import VARIABLES

PRECIPITATION: Final = ("precipitation", "snowfall")
"""Variables of the group `precipitation`."""

_NEAR_GROUND: Final = (
    "temperature_2m",
    "specific_humidity_2m",
    "surface_pressure",
    "eastward_wind_10m",
    "northward_wind_10m",
)
"""Fields that continue those on model levels to the ground, where the run has them."""


@dataclass(frozen=True, kw_only=True)
class PackSettings:
    """How runs are packed.

    Attributes:
        start: first day packed, None from the first of the run.
        end: last day packed, None to the last of the run.
        axis_start: first day of a new release, None: that of the first run.
        axis_end: last day of a new release, None: that of the last run.
        bounds: set of error bounds of a new release.
        pressures: pressure levels of a new release [Pa]; none for no such group.
        heights: heights above ground of a new release [m]; none for no such group.
        preliminary: whether the days will be replaced later.
        replace: whether final days may be replaced.
        overlap: whether the days are ones that another stream has too, kept apart.
        title: of a new release.
        chunks: sizes of a new release.
        attributes: further global attributes of a new release.
    """

    start: str | None = None
    end: str | None = None
    axis_start: str | None = None
    axis_end: str | None = None
    bounds: BoundSet = "tight"
    pressures: tuple[float, ...] = JMA_PRESSURE_LEVELS
    heights: tuple[float, ...] = HEIGHT_LEVELS
    preliminary: bool = False
    replace: bool = False
    overlap: bool = False
    title: str = ""
    chunks: Chunks = field(default_factory=Chunks)
    attributes: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Packed:
    """What a call of `pack` did.

    Attributes:
        days: written now.
        kept: days that the release held already.
        waiting: days that the runs have not completed yet.
        series: blocks of the copies for point series written.
    """

    days: tuple[np.datetime64, ...]
    kept: tuple[np.datetime64, ...]
    waiting: tuple[np.datetime64, ...]
    series: int


def pack(
    runs: Sequence[Location],
    release: Location,
    settings: PackSettings | None = None,
    *,
    storage_options: Mapping[str, Any] | None = None,
) -> Packed:
    """Pack the complete days of runs into a release store, which is made when it is not there.

    A day is packed when all its hours that the run has on its axis are complete. Days that the release holds are left,
    so that a call which was ended is simply called again.

    Args:
        runs: folders of runs, or stores of them; each is a stream named like its folder.
        release: place of the release store.
        settings: how.
        storage_options: of the release, for S3; see `storage.resolve`.

    Raises:
        StoreError: a run or the release cannot be used, their grids differ, or a day is final already.
        InputError: a field cannot be packed.
        ResourceError: the disk is full.
    """
    settings = settings or PackSettings()
    streams = [_Stream(run) for run in runs]
    if not streams:
        raise InputError("There is no run to pack; name at least one folder")
    store = _opened(release, streams, settings, storage_options)
    written: list[np.datetime64] = []
    kept: list[np.datetime64] = []
    waiting: list[np.datetime64] = []
    with store:
        for stream in streams:
            stream.check_grid(store)
            store.add_variables(stream.variables(store), stream.name if settings.overlap else None)
            days = [day for day in stream.days() if _within(day, settings)]
            with Progress(f"packing {stream.name}", len(days), unit="day") as progress:
                for day in days:
                    if not stream.is_complete(day):
                        waiting.append(day)
                    elif not settings.overlap and _is_there(store, stream, day, settings):
                        kept.append(day)
                    else:
                        (written if _pack_first(store, stream, day, settings) else kept).append(day)
                    progress.advance(1, str(day))
        series = store.pack_series()
    return Packed(tuple(written), tuple(kept), tuple(waiting), series)


def _opened(
    release: Location, streams: Sequence[_Stream], settings: PackSettings, storage_options: Mapping[str, Any] | None
) -> ReleaseStore:
    """The release, open for writing; it is made where there is none and no other packer makes it meanwhile."""
    if not ReleaseStore.exists(release, storage_options=storage_options):
        try:
            return ReleaseStore.create(release, _layout(streams, settings), storage_options=storage_options)
        except StoreError:
            if not ReleaseStore.exists(release, storage_options=storage_options):
                raise
    return ReleaseStore.open(release, "a", storage_options=storage_options)


def release_run(run: Path, place: Path) -> str:
    """Pack a run into a release of its own and publish what is new; returns the tag of the last version.

    Args:
        run: folder of the run.
        place: of the release store.

    Raises:
        StoreError, InputError, ResourceError: as `pack`.
    """
    done = pack([run], place)
    with ReleaseStore.open(place, "a") as store:
        versions = store.versions()
        if done.days or done.series or not versions:
            versions = [*versions, f"v{len(versions) + 1}"]
            store.publish(versions[-1])
    return versions[-1]


class _Stream:
    """A run as a source of days."""

    def __init__(self, run: Location) -> None:
        self.store = RunStore.open(analysis_of(run), "r")
        path = Path(str(run))
        self.name = (path.parent if path.name == "analysis.store" else path).name or "run"
        self.background = run_dataset(self.store, "background")
        try:
            self.analysis: xr.Dataset | None = run_dataset(self.store, "analysis")
        except StoreError:
            self.analysis = None
        self.domain = self.store.domain()

    def days(self) -> list[np.datetime64]:
        """All days of the axis of the run."""
        return list(np.unique(self.store.times.astype("datetime64[D]")))

    def is_complete(self, day: np.datetime64) -> bool:
        """Whether all times of the axis within a day were produced."""
        planned = self.store.times[self.store.times.astype("datetime64[D]") == day]
        produced = self.background["time"].values.astype("datetime64[s]")
        cycles = self.store.cycle_times[self.store.cycle_times.astype("datetime64[D]") == day]
        done = self.store.completed_cycles()
        return bool(np.isin(planned, produced).all() and np.isin(cycles, done).all())

    def groups(self) -> dict[str, xr.Dataset]:
        """The fields of the run by group of the release."""
        names = [str(name) for name in self.background.data_vars if name in VARIABLES]
        air = [name for name in names if VARIABLES[name].levels == "air"]
        rest = [name for name in names if name not in air]
        result = {
            "model_levels": self.background[air],
            "surface": self.background[[name for name in rest if name not in PRECIPITATION]],
            "precipitation": self.background[[name for name in rest if name in PRECIPITATION]],
        }
        if self.analysis is not None:
            analysed = [str(name) for name in self.analysis.data_vars if name in VARIABLES]
            errors = [name for name in analysed if name.endswith("_spread")]
            result["analysis"] = self.analysis[[name for name in analysed if name not in errors]]
            result["uncertainty"] = self.analysis[errors]
        return {group: fields for group, fields in result.items() if fields.data_vars}

    def variables(self, store: ReleaseStore) -> dict[tuple[str, str], str | None]:
        """What the run gives: (group, internal name) -> vertical axis."""
        result: dict[tuple[str, str], str | None] = {}
        for group, fields in self.groups().items():
            for name, array in fields.data_vars.items():
                vertical = [str(axis) for axis in array.dims if axis not in ("time", "y", "x")]
                result[group, str(name)] = vertical[0] if vertical else None
        for one in derivable(self.background, store.root(QUALITY)):
            result[one.group, one.name] = axis_of(one)
        return result

    def observations(self, day: np.datetime64) -> pa.Table | None:
        """The observation tables of the cycles that end on a day, with the column `cycle`."""
        tables = []
        for time in self.store.completed_cycles():
            if time.astype("datetime64[D]") != day:
                continue
            table = self.store.read_observations(time)
            if table is not None:
                cycle = pa.array(np.full(table.num_rows, time, "datetime64[s]"), pa.timestamp("s"))
                tables.append(table if "cycle" in table.column_names else table.append_column("cycle", cycle))
        return pa.concat_tables(tables, promote_options="default").unify_dictionaries() if tables else None

    def check_grid(self, store: ReleaseStore) -> None:
        """Refuse a release of another grid.

        Raises:
            StoreError: it is of another grid.
        """
        root = store.root(QUALITY)
        static: Any = root[schema.STATIC]
        for name, mine in (
            ("lat", self.domain.lat),
            ("lon", self.domain.lon),
            ("terrain", self.domain.terrain),
            ("level", self.domain.zeta),
        ):
            theirs = np.asarray(static[name]) if name in static else np.zeros(0)
            if theirs.shape != mine.shape or not np.array_equal(theirs, mine):
                raise StoreError(
                    f"The grid of {self.store.where} and that of {store.where} differ in {name}; pack it into a "
                    "release of its own"
                )


def _layout(streams: Sequence[_Stream], settings: PackSettings) -> ReleaseLayout:
    """The layout of a new release from the runs that will be packed first."""
    first = min(stream.days()[0] for stream in streams)
    last = max(stream.days()[-1] for stream in streams)
    start = first if settings.axis_start is None else _date(settings.axis_start)
    end = last if settings.axis_end is None else _date(settings.axis_end)
    one = streams[0].store
    interval = int(np.min(np.diff(one.cycle_times)).astype(int)) if one.cycle_times.size > 1 else 10_800
    hours = int(np.min(np.diff(one.times)).astype(int)) if one.times.size > 1 else 3600
    if 86400 % interval or 86400 % hours:
        raise StoreError(
            f"The output interval of {one.where} does not divide a day, so that it cannot be packed by days"
        )
    times = schema.Times(
        start.astype("datetime64[s]"),
        int((end - start).astype(int)) + 1,
        {"hourly": 86400 // hours, "analysis": 86400 // interval},
    )
    about: Any = one.attributes
    return ReleaseLayout(
        times=times,
        **of_domain(streams[0].domain, one.soil_depth()),
        experiment_json=one.experiment_json,
        bounds=settings.bounds,
        pressures=settings.pressures,
        heights=settings.heights,
        chunks=settings.chunks,
        title=settings.title or str(about["title"]),
        attributes={name: str(about[name]) for name in about["described_by"]} | dict(settings.attributes),
    )


def _pack_first(store: ReleaseStore, stream: _Stream, day: np.datetime64, settings: PackSettings) -> bool:
    """Pack a day, unless another packer does so meanwhile; returns whether this one did.

    Raises:
        CommitConflict: another writer changed the day, and it is not there now as it would be.
    """
    try:
        _pack_day(store, stream, day, settings)
    except CommitConflict:
        if settings.overlap or settings.replace or not _is_there(store, stream, day, settings):
            raise
        return False
    return True


def _pack_day(store: ReleaseStore, stream: _Stream, day: np.datetime64, settings: PackSettings) -> None:
    """Write one day of a run."""
    with store.day(
        stream.name, day, preliminary=settings.preliminary, replace=settings.replace, overlap=settings.overlap
    ) as writer:
        for group, fields in stream.groups().items():
            axis = store.times.axis(schema.GROUPS[group].axis)[
                store.times.slots(schema.GROUPS[group].axis, writer.number)
            ]
            write_day(writer, group, fields, axis)
        write_products(writer, store, stream.background)
        table = stream.observations(day)
        if table is not None:
            writer.write_observations(table)


def write_day(writer: DayWriter, group: str, fields: xr.Dataset, axis: np.ndarray) -> None:
    """Write the times of a day of lazily read fields, shard after shard.

    Args:
        writer: of the day.
        group: name of the group.
        fields: with the dimension `time`; times that are missing are written as missing.
        axis: times of the day in the release, datetime64[s].
    """
    fields, slots = _of_day(fields, axis)
    if not slots.size:
        return
    for name, array in fields.data_vars.items():
        if name not in VARIABLES:
            continue
        for levels in writer.shards(group, str(name)):
            part = array if array.ndim < 4 else array.isel({array.dims[1]: levels})
            values = np.full((axis.size, *part.shape[1:]), np.nan, np.float32)
            values[slots] = part.values
            writer.write(group, str(name), values, levels)


def _of_day(fields: xr.Dataset, axis: np.ndarray) -> tuple[xr.Dataset, np.ndarray]:
    """The fields at those times that are on the axis of a day, and their places there."""
    have = fields["time"].values.astype("datetime64[s]")
    used = np.flatnonzero(np.isin(have, axis))
    if not used.size:
        return fields.isel(time=slice(0, 0)), used
    # A slice is read in one piece, a list of times in pieces.
    whole = used[-1] - used[0] + 1 == used.size
    chosen = fields.isel(time=slice(int(used[0]), int(used[-1]) + 1) if whole else used)
    return chosen, np.searchsorted(axis, have[used])


def write_products(writer: DayWriter, store: ReleaseStore, fields: xr.Dataset) -> None:
    """Derive and write what a release has beside the fields of a run; see `derivation.DERIVATIONS`.

    Args:
        writer: of the day.
        store: the release.
        fields: on model levels and at the surface, with the dimension `time`.
    """
    root = store.root(QUALITY)
    axis = store.times.of_day("hourly", writer.number)
    today, slots = _of_day(fields, axis)
    chosen = derivable(fields, root)
    needed = {name for one in chosen for name in one.needs} | {*CONDENSATE, *_NEAR_GROUND}
    kept = [str(name) for name in today.data_vars if name in needed]
    if chosen and slots.size:
        write_derived(writer, root, today[kept], slots, axis.size, chosen)


def _is_there(store: ReleaseStore, stream: _Stream, day: np.datetime64, settings: PackSettings) -> bool:
    """Whether the release holds the hours of a day that the run has, and they are not to be replaced."""
    root = store.root(QUALITY)
    slots = store.times.slots("hourly", store.times.number(day))
    place = f"{schema.LEDGER}/model_levels/state"
    # Only those of the day: the ledger of decades is long.
    states = np.asarray(array_at(root, place)[slots]) if place in root else np.zeros(1)
    if not states.any():
        return False
    if settings.replace or ((states == schema.PRELIMINARY).any() and not settings.preliminary):
        return False
    axis = store.times.of_day("hourly", store.times.number(day))
    return bool(states[np.isin(axis, stream.store.times)].all())


def _date(text: str) -> np.datetime64:
    try:
        return np.datetime64(text, "D")
    except ValueError:
        raise InputError(f"{text!r} is no date; give one such as 1989-01-31") from None


def _within(day: np.datetime64, settings: PackSettings) -> bool:
    after = settings.start is None or day >= _date(settings.start)
    return bool(after and (settings.end is None or day <= _date(settings.end)))
