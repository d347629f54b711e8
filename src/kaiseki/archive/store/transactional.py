"""A store with one commit per piece of work, in an Icechunk repository with Zarr v3 inside: what stores share.

A piece is committed whole at the end of its `with` block or not at all, whatever ends the process. Chunks hold one
time (and 16 levels of 256 x 256 cells): what suits the writer; the release store is packed for readers.
What it does not do: survive a loss of power without loss of the last commit (files are not forced to the disk); live
through a fork of the process (the storage library has threads; start workers by "spawn").
"""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC, datetime
from itertools import islice
from typing import Any, ClassVar, Literal, Self

import icechunk
import numpy as np
import zarr

from kaiseki.archive.store import schema
from kaiseki.archive.store.arrays import group_at, values_at
from kaiseki.archive.store.layout import AnyLayout, lay_out, stored_domain
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
from kaiseki.archive.store.transaction import CycleTransaction, Piece
from kaiseki.core.errors import KaisekiError, ResourceError, StoreError
from kaiseki.core.lock import WriterLock
from kaiseki.grid import Domain

BRANCH = "main"


class TransactionalStore:
    """A store that is open; made by `create` or `open`, closed by `close` or as a context manager.

    Attributes:
        where: how messages name the store.
        attributes: of the whole store, for people: title, source, and what its maker added.
        experiment_json: the experiment that it was made with, JSON text.
    """

    kind: ClassVar[str]
    """Value of the root attribute that tells one kind of store from another."""

    def __init__(self, repository: icechunk.Repository, place: Place, lock: WriterLock | None, writable: bool) -> None:
        self.where = place.where
        self._repository, self._place, self._lock, self._writable = repository, place, lock, writable
        self._busy = False
        self._described = Described(place.where)
        root = self._read()
        self.attributes = dict(root.attrs)
        schema.check_version(self.attributes, place.where, self.kind)
        self.experiment_json = str(self.attributes["experiment"])
        angle = values_at(root, f"{schema.STATIC}/rotation")
        self._turn = np.cos(angle).astype(np.float32), np.sin(angle).astype(np.float32)
        self._described.axes = self._read_axes(root)

    @abstractmethod
    def _read_axes(self, root: zarr.Group) -> Mapping[str, np.ndarray]:
        """Read the axes in time; returns those of the groups of fields, for messages."""

    @classmethod
    def create(
        cls,
        location: Location,
        layout: AnyLayout,
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
                session = repository.writable_session(BRANCH)
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
            StoreError: it is no store of this kind, is newer than this program, or is being written by another process.
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
    def _piece(self, piece: Piece, message: str) -> Iterator[CycleTransaction]:
        """The transaction of one piece: one commit at the end of the block, nothing if the block is left by an error.

        Raises:
            StoreError: the store is open for reading only, the piece is not the next one, another is under way,
                another writer was faster, or the storage failed.
            ResourceError: the disk is full.
        """
        if not self._writable:
            raise StoreError(f"{self.where} is not open for writing; open it with mode 'a'")
        if self._busy:
            raise StoreError(f"A cycle of {self.where} is being written already; end it before the next")
        # Opened anew, since a repository keeps the list of nodes of every commit that it has seen. With less room than
        # the newest list needs it would keep none, and read the whole list again for every access.
        self._repository = open_repository(self._place)
        with storage_errors(self.where, "written"):
            session = self._repository.writable_session(BRANCH)
            root = zarr.open_group(session.store, mode="r+")
            self._check_next(root, piece)
            transaction = CycleTransaction(root, self.where, piece, self._turn)
        self._busy = True
        try:
            yield transaction
            transaction.finish()
            with storage_errors(self.where, "written"):
                session.commit(message)
        except BaseException as error:
            session.discard_changes()
            if isinstance(error, ResourceError):
                self._tidy()
            raise
        finally:
            transaction.close()
            self._busy = False

    @abstractmethod
    def _check_next(self, root: zarr.Group, piece: Piece) -> None:
        """Refuse a piece that is not the next one."""

    def _restart(self, root: zarr.Group, number: int) -> dict[str, Any] | None:
        """The restart state that a piece wrote, None where it wrote none or a later one replaced it."""
        group = root.get(schema.RESTART)
        if number < 0 or not isinstance(group, zarr.Group) or group.attrs["cycle"] != number:
            return None
        with storage_errors(self.where, "read"):
            return read_tree(group_at(group, "state"))

    def domain(self) -> Domain:
        """The grid that the store was made with."""
        return stored_domain(self._read())

    def root(self) -> zarr.Group:
        """The newest commit as a Zarr group, read only."""
        return self._read()

    def snapshot(self) -> str:
        """Identity of the newest commit."""
        with storage_errors(self.where, "read"):
            return str(self._repository.lookup_branch(BRANCH))

    def commits(self) -> list[str]:
        """Messages of all commits since the creation, oldest first."""
        with storage_errors(self.where, "read"):
            return [info.message for info in self._repository.ancestry(branch=BRANCH)][::-1]

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
            return self._opened(self._repository.readonly_session(BRANCH))

    def _opened(self, session: icechunk.Session) -> zarr.Group:
        """The root of a session for reading."""
        return zarr.open_group(ReadingStore(session.store, self._described), mode="r")


def kind_at(location: Location, storage_options: Mapping[str, Any] | None = None) -> str:
    """Kind of the store at a location, of `schema.KINDS`, or another value where it is none of ours.

    Raises:
        StoreError: there is no store, or it cannot be read.
    """
    place = resolve(location, storage_options)
    repository = open_repository(place)
    with storage_errors(place.where, "read"):
        if not _has_layout(repository):
            raise StoreError(f"The creation of {place.where} was interrupted and it holds nothing; create it again")
        store = repository.readonly_session(BRANCH).store
        root = zarr.open_group(store, mode="r", zarr_format=3, use_consolidated=False)
    return str(root.attrs.get("kaiseki_store"))


def count(root: zarr.Group) -> int:
    """Number of complete pieces."""
    return int(np.count_nonzero(values_at(root, f"{schema.CYCLES}/complete")))


def _has_layout(repository: icechunk.Repository) -> bool:
    """Whether anything was committed after the empty first snapshot."""
    return len(list(islice(repository.ancestry(branch=BRANCH), 2))) > 1


def _lock(place: Place) -> WriterLock | None:
    return None if place.directory is None else WriterLock(place.directory / LOCK_NAME, place.where)
