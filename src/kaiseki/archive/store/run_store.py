"""The run store: one commit per cycle in an Icechunk repository with Zarr v3 inside.

    layout = Layout(experiment_json=text, domain=domain, times=times, cycle_times=cycle_times)
    with RunStore.create(path, layout) as store:
        with store.cycle(time) as transaction:
            transaction.write_fields("analysis", time, fields)
            transaction.write_observations(table)
            transaction.write_restart(state)
            transaction.write_diagnostics(numbers)

A cycle is committed whole at the end of its `with` block or not at all, whatever ends the process. Chunks hold one
time (and 16 levels of 256 x 256 cells): what suits the writer; the release store is packed for readers.
What it does not do: survive a loss of power without loss of the last commit (files are not forced to the disk); live
through a fork of the process (the storage library has threads; start workers by "spawn").
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC, datetime
from itertools import islice
from typing import Any, Literal, Self

import icechunk
import numpy as np
import pyarrow as pa
import zarr

from kaiseki.archive.store import schema
from kaiseki.archive.store.arrays import group_at, values_at
from kaiseki.archive.store.columns import read_table
from kaiseki.archive.store.layout import Layout, lay_out, stored_domain
from kaiseki.archive.store.reading import Described, ReadingStore
from kaiseki.archive.store.restart import read_tree
from kaiseki.archive.store.storage import (
    LOCK_NAME,
    Location,
    Place,
    check_free_place,
    configuration,
    open_repository,
    resolve,
    storage_errors,
)
from kaiseki.archive.store.transaction import CycleTransaction
from kaiseki.core.errors import KaisekiError, ResourceError, StoreError
from kaiseki.core.lock import WriterLock
from kaiseki.core.timing import format_utc
from kaiseki.grid import Domain

_BRANCH = "main"


class RunStore:
    """A run store that is open; made by `create` or `open`, closed by `close` or as a context manager.

    Attributes:
        where: how messages name the store.
        times: axis of the group `forecast`, datetime64[s].
        cycle_times: ends of the cycles, datetime64[s].
        experiment_json: the experiment that the run was made with, JSON text.
    """

    def __init__(self, repository: icechunk.Repository, place: Place, lock: WriterLock | None, writable: bool) -> None:
        self.where = place.where
        self._repository, self._lock, self._writable = repository, lock, writable
        self._busy = False
        self._described = Described(place.where)
        root = self._read()
        attributes = dict(root.attrs)
        schema.check_version(attributes, place.where)
        self.experiment_json = str(attributes["experiment"])
        self.times = schema.decode_time(values_at(root, f"{schema.FORECAST}/time"))
        self.cycle_times = schema.decode_time(values_at(root, f"{schema.CYCLES}/time"))
        self._described.axes = {schema.FORECAST: self.times, schema.ANALYSIS: self.cycle_times}
        angle = values_at(root, f"{schema.STATIC}/rotation")
        self._turn = np.cos(angle).astype(np.float32), np.sin(angle).astype(np.float32)

    @classmethod
    def create(
        cls,
        location: Location,
        layout: Layout,
        *,
        storage_options: Mapping[str, Any] | None = None,
    ) -> Self:
        """A new store with its layout, open for writing.

        Args:
            location: new or empty directory, "s3://bucket/prefix" or an `icechunk.Storage`.
            layout: axes, static fields, encoding and description.
            storage_options: for S3, see `storage.resolve`.

        Raises:
            StoreError: the place is taken, locked or cannot be written; the times or depths do not rise; no JSON.
            ResourceError: the disk is full.
        """
        layout = layout.checked()
        place = resolve(location, storage_options)
        check_free_place(place)
        with storage_errors(place.where, "created"):
            if place.directory is not None:
                place.directory.mkdir(parents=True, exist_ok=True)
        lock = _lock(place)
        try:
            with storage_errors(place.where, "created"):
                if icechunk.Repository.exists(place.storage):
                    # A creation that was killed leaves an empty repository; anything else is a run.
                    repository = icechunk.Repository.open(place.storage)
                    if _has_layout(repository):
                        raise StoreError(
                            f"There is a run store at {place.where} already; resume it or give a new place"
                        )
                else:
                    repository = icechunk.Repository.create(
                        place.storage, config=configuration(), check_clean_root=False
                    )
                session = repository.writable_session(_BRANCH)
                lay_out(session.store, layout)
                session.commit(f"layout, schema version {schema.SCHEMA_VERSION}")
            return cls(repository, place, lock, writable=True)
        except BaseException:
            if lock is not None:
                lock.release()
            raise

    @classmethod
    def open(
        cls,
        location: Location,
        mode: Literal["a", "r"] = "a",
        *,
        storage_options: Mapping[str, Any] | None = None,
    ) -> Self:
        """An existing store, to go on with ("a") or to read ("r", takes no lock, sees whole cycles only).

        Raises:
            StoreError: it is no run store, is newer than this program, or is being written by another process.
        """
        place = resolve(location, storage_options)
        repository = open_repository(place)
        lock = _lock(place) if mode == "a" else None
        try:
            if lock is not None:
                # What was read before the lock was ours may be old.
                repository = open_repository(place)
            if not _has_layout(repository):
                raise StoreError(f"The creation of {place.where} was interrupted and it holds nothing; create it again")
            return cls(repository, place, lock, writable=mode == "a")
        except BaseException:
            if lock is not None:
                lock.release()
            raise

    @staticmethod
    def exists(location: Location, *, storage_options: Mapping[str, Any] | None = None) -> bool:
        """Whether there is a store whose creation was completed, so that a run is resumed and not begun."""
        place = resolve(location, storage_options)
        if place.directory is not None and not place.directory.is_dir():
            return False
        with storage_errors(place.where, "read"):
            return icechunk.Repository.exists(place.storage) and _has_layout(open_repository(place))

    def close(self) -> None:
        """Give the lock back; the store object takes no more cycles."""
        self._writable = False
        if self._lock is not None:
            self._lock.release()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    @contextmanager
    def cycle(self, time: np.datetime64) -> Iterator[CycleTransaction]:
        """The transaction of one cycle: one commit at the end of the block, nothing if the block is left by an error.

        Args:
            time: end of the cycle, the first of `cycle_times` that is not complete.

        Raises:
            StoreError: the store is open for reading only, the cycle is not the next one, another is under way,
                another writer was faster, or the storage failed.
            ResourceError: the disk is full.
        """
        if not self._writable:
            raise StoreError(f"{self.where} is not open for writing; open it with mode 'a'")
        if self._busy:
            raise StoreError(f"A cycle of {self.where} is being written already; end it before the next")
        moment = np.datetime64(time, "s")
        with storage_errors(self.where, "written"):
            session = self._repository.writable_session(_BRANCH)
            root = zarr.open_group(session.store, mode="r+")
            number = self._next_number(root, moment)
            transaction = CycleTransaction(root, self.where, number, moment, self._turn)
        self._busy = True
        try:
            yield transaction
            transaction.finish()
            with storage_errors(self.where, "written"):
                session.commit(_message(moment))
        except BaseException as error:
            session.discard_changes()
            if isinstance(error, ResourceError):
                self._tidy()
            raise
        finally:
            transaction.close()
            self._busy = False

    def completed_cycles(self) -> np.ndarray:
        """Ends of the complete cycles, oldest first, datetime64[s]."""
        return self.cycle_times[: _count(self._read())]

    def next_cycle(self) -> np.datetime64 | None:
        """End of the first cycle that is not complete, None when all are."""
        done = _count(self._read())
        return None if done == self.cycle_times.size else self.cycle_times[done]

    def read_restart(self, time: np.datetime64 | None = None) -> dict[str, Any]:
        """The restart state of a cycle, as it was given (arrays as NumPy arrays).

        Args:
            time: of the cycle, by default the last complete one; `compact` forgets earlier ones.

        Raises:
            StoreError: no cycle is complete, the cycle wrote no restart state, or it was forgotten.
        """
        root = self._read() if time is None else self._after(time)
        last = _count(root) - 1
        group = root.get(schema.RESTART)
        if last < 0 or not isinstance(group, zarr.Group) or group.attrs["cycle"] != last:
            what = "has no complete cycle" if last < 0 else f"has no restart state of {self.cycle_times[last]}Z"
            raise StoreError(f"{self.where} {what}, so that the run cannot go on from it")
        with storage_errors(self.where, "read"):
            return read_tree(group_at(group, "state"))

    def read_diagnostics(self, time: np.datetime64) -> dict[str, Any]:
        """What a complete cycle wrote as diagnostics, {} if nothing.

        Raises:
            StoreError: the cycle is not complete.
        """
        value: Any = self._cycle_group(time).attrs.get("diagnostics", {})
        return dict(value)

    def read_observations(self, time: np.datetime64) -> pa.Table | None:
        """The observation table of a complete cycle, None if it wrote none.

        Raises:
            StoreError: the cycle is not complete.
        """
        group = self._cycle_group(time)
        return read_table(group_at(group, "observations")) if "observations" in group else None

    def domain(self) -> Domain:
        """The grid that the store was made with."""
        return stored_domain(self._read())

    def soil_depth(self) -> np.ndarray | None:
        """Depths of the middle of the soil layers [m], None for a store without soil."""
        static: Any = self._read()[schema.STATIC]
        return np.asarray(static["soil_level"], np.float64) if "soil_level" in static else None

    def root(self) -> zarr.Group:
        """The newest commit as a Zarr group, read only."""
        return self._read()

    def snapshot(self) -> str:
        """Identity of the newest commit."""
        with storage_errors(self.where, "read"):
            return str(self._repository.lookup_branch(_BRANCH))

    def commits(self) -> list[str]:
        """Messages of all commits since the creation, oldest first."""
        with storage_errors(self.where, "read"):
            return [info.message for info in self._repository.ancestry(branch=_BRANCH)][::-1]

    def compact(self) -> None:
        """Forget the history, above all old restart states, and what killed writers left; the content stays.

        Raises:
            StoreError: the store is not open for writing, or the storage failed.
        """
        if not self._writable or self._busy:
            raise StoreError(f"{self.where} cannot be compacted now; open it with mode 'a', outside a cycle")
        now = datetime.now(UTC)
        with storage_errors(self.where, "compacted"):
            self._repository.expire_snapshots(older_than=now)
            self._repository.garbage_collect(now)

    def _tidy(self) -> None:
        """Remove the chunks of a commit that found the disk full. Only with the lock: nobody else may be writing."""
        if self._lock is None:
            return
        try:
            with storage_errors(self.where, "tidied"):
                self._repository.garbage_collect(datetime.now(UTC))
        except KaisekiError:
            # The first error is the one to tell; `compact` can do this later.
            pass

    def _read(self) -> zarr.Group:
        with storage_errors(self.where, "read"):
            return self._opened(self._repository.readonly_session(_BRANCH))

    def _opened(self, session: icechunk.Session) -> zarr.Group:
        """The root of a session for reading."""
        return zarr.open_group(ReadingStore(session.store, self._described), mode="r")

    def _after(self, time: np.datetime64) -> zarr.Group:
        """The root as the commit of a cycle left it."""
        message = _message(time)
        with storage_errors(self.where, "read"):
            for info in self._repository.ancestry(branch=_BRANCH):
                if info.message == message:
                    return self._opened(self._repository.readonly_session(snapshot_id=info.id))
        raise StoreError(f"The history of {self.where} does not hold {message}; it was compacted, or never run")

    def _next_number(self, root: zarr.Group, time: np.datetime64) -> int:
        """Number of the cycle, which must be the next one."""
        number = _count(root)
        if number == self.cycle_times.size:
            raise StoreError(f"All {number} cycles of {self.where} are complete; nothing more can be written")
        if self.cycle_times[number] != time:
            expected = format_utc(self.cycle_times[number])
            raise StoreError(f"The next cycle of {self.where} is {expected}, not {format_utc(time)}")
        return number

    def _cycle_group(self, time: np.datetime64) -> zarr.Group:
        root, moment = self._read(), np.datetime64(time, "s")
        if moment not in self.cycle_times[: _count(root)]:
            raise StoreError(f"{self.where} has no complete cycle {format_utc(moment)}")
        return group_at(root, f"{schema.CYCLES}/{schema.label(moment)}")


def _message(time: np.datetime64) -> str:
    """Message of the commit of a cycle."""
    return f"cycle {format_utc(np.datetime64(time, 's'))}"


def _count(root: zarr.Group) -> int:
    """Number of complete cycles."""
    return int(np.count_nonzero(values_at(root, f"{schema.CYCLES}/complete")))


def _has_layout(repository: icechunk.Repository) -> bool:
    """Whether anything was committed after the empty first snapshot."""
    return len(list(islice(repository.ancestry(branch=_BRANCH), 2))) > 1


def _lock(place: Place) -> WriterLock | None:
    return None if place.directory is None else WriterLock(place.directory / LOCK_NAME, place.where)
