"""The release store: days are packed on the branch `quality`; `main` is what has been published, tags are releases.

layout = ReleaseLayout(times=Times(start, days, {"hourly": 24, "analysis": 8}), **of_domain(domain))
with ReleaseStore.create(place, layout) as store:
    store.add_variables({("surface", "temperature_2m"): None})
    with store.day("stream-1", day) as writer:
        writer.write("surface", "temperature_2m", values)
    store.publish("v1.0")
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, nullcontext
from functools import lru_cache
from itertools import islice
from typing import Any, Final, Literal, Self

import icechunk
import numpy as np
import zarr

from kaiseki.archive.release import schema
from kaiseki.archive.release.commits import SKEW, CommitConflict, CommitPolicy, commit_lock, committed, wait_for_clock
from kaiseki.archive.release.layout import ReleaseLayout, add_variable, lay_out, times_of, write_summary
from kaiseki.archive.release.leases import has_leases, hold
from kaiseki.archive.release.probe import probe_conditional_writes
from kaiseki.archive.release.writing import DayWriter, series_is_old, write_series
from kaiseki.archive.store.arrays import arrays_at, values_at
from kaiseki.archive.store.reading import Described, ReadingStore
from kaiseki.archive.store.storage import (
    Location,
    Place,
    check_free_place,
    open_repository,
    resolve,
    storage_errors,
)
from kaiseki.core.errors import InputError, StoreError
from kaiseki.core.variables import VARIABLES

PUBLIC: Final = "main"
"""Branch of what has been published."""

QUALITY: Final = "quality"
"""Branch of what has been packed and waits for publication."""

_TRIES: Final = 50
"""Number of times that a publication begins anew after the commit of another writer."""

DAYS_PER_MANIFEST: Final = 31
"""Shards along time in one manifest, so that a commit rewrites the references of one month at most."""


class ReleaseStore:
    """A release store that is open; made by `create` or `open`.

    Several processes may write days of different streams at once: on a local file system a lock is held around each
    commit, an object store must know conditional writes.

    Attributes:
        where: how messages name the store.
        times: axes in time.
        attributes: of the whole store.
    """

    def __init__(self, repository: icechunk.Repository, place: Place, writable: bool) -> None:
        self.where, self._place = place.where, place
        self._repository, self._writable = repository, writable
        root = self.root(QUALITY)
        self.attributes: Mapping[str, Any] = dict(root.attrs)
        _check_version(self.attributes, place.where)
        self.times = times_of(root)

    @classmethod
    def create(
        cls, location: Location, layout: ReleaseLayout, *, storage_options: Mapping[str, Any] | None = None
    ) -> Self:
        """A new store with its layout, open for writing.

        Raises:
            StoreError: the place is taken or cannot be written; the object store has no conditional writes; the layout
                is wrong.
            ResourceError: the disk is full.
        """
        layout = layout.checked()
        place = resolve(location, storage_options)
        check_free_place(place)
        with storage_errors(place.where, "created"):
            if place.directory is not None:
                place.directory.mkdir(parents=True, exist_ok=True)
            _check_conditional_writes(location, storage_options)
            with commit_lock(place):
                if icechunk.Repository.exists(place.storage):
                    repository = icechunk.Repository.open(place.storage)
                    if QUALITY in repository.list_branches() or not _is_ours(repository):
                        raise StoreError(f"There is a store at {place.where} already; give a new place")
                    # A creation that was ended before its last step left a layout of which nobody knows.
                    *_, empty = repository.ancestry(branch=PUBLIC)
                    repository.reset_branch(PUBLIC, empty.id)
                else:
                    repository = icechunk.Repository.create(
                        place.storage, config=_configuration(), check_clean_root=False
                    )
                session = repository.writable_session(PUBLIC)
                lay_out(session.store, layout)
                first = session.commit(f"layout, schema version {schema.VERSION}")
                # The last step, by which the store is there for others: it fails where another was faster.
                repository.create_branch(QUALITY, first)
        return cls(open_repository(place), place, writable=True)

    @classmethod
    def open(
        cls,
        location: Location,
        mode: Literal["a", "r"] = "r",
        *,
        storage_options: Mapping[str, Any] | None = None,
    ) -> Self:
        """An existing store to read ("r") or to write days of ("a").

        Raises:
            StoreError: it is no release store, or is newer than this program.
        """
        place = resolve(location, storage_options)
        if mode == "a":
            _check_conditional_writes(location, storage_options)
        repository = open_repository(place)
        with storage_errors(place.where, "read"):
            if QUALITY not in repository.list_branches():
                raise StoreError(f"{place.where} is no release store; make one with kaiseki archive pack")
        return cls(repository, place, writable=mode == "a")

    @staticmethod
    def exists(location: Location, *, storage_options: Mapping[str, Any] | None = None) -> bool:
        """Whether there is a release store whose creation was completed."""
        place = resolve(location, storage_options)
        if place.directory is not None and not place.directory.is_dir():
            return False
        with storage_errors(place.where, "read"):
            if not icechunk.Repository.exists(place.storage):
                return False
            return QUALITY in open_repository(place).list_branches()

    @property
    def repository(self) -> icechunk.Repository:
        """Repository of Icechunk, for what concerns the whole of it."""
        return self._repository

    @property
    def place(self) -> Place:
        """Where the store is."""
        return self._place

    def session(self, version: str | None = None) -> icechunk.Session:
        """A session of Icechunk that reads a version; see `root`."""
        with storage_errors(self.where, "read"):
            return self._repository.readonly_session(snapshot_id=self.snapshot(version))

    def close(self) -> None:
        """No more writes."""
        self._writable = False

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def root(self, version: str | None = None) -> zarr.Group:
        """A version as a Zarr group, read only.

        Args:
            version: a tag, "quality", or None for what was published last.

        Raises:
            StoreError: no such version, or nothing was published yet.
        """
        return self.at(self.snapshot(version))

    def at(self, snapshot: str) -> zarr.Group:
        """The state of a commit as a Zarr group, read only; what is committed meanwhile does not change it."""
        with storage_errors(self.where, "read"):
            session = self._repository.readonly_session(snapshot_id=snapshot)
            store = ReadingStore(session.store, Described(self.where))
            return zarr.open_group(store, mode="r", zarr_format=3, use_consolidated=False)

    def snapshot(self, version: str | None = None) -> str:
        """Identity of the commit of a version, as of `root`."""
        with storage_errors(self.where, "read"):
            if version == QUALITY:
                return str(self._repository.lookup_branch(QUALITY))
            tags = self._repository.list_tags()
            if version is not None:
                if version not in tags:
                    known = ", ".join(sorted(tags)) or "none"
                    raise InputError(f"{self.where} has no version {version!r}; there are {known}, and quality")
                return str(self._repository.lookup_tag(version))
            if not tags:
                raise StoreError(
                    f"Nothing of {self.where} was published yet; call kaiseki archive publish, or open it with "
                    'version="quality"'
                )
            return str(self._repository.lookup_branch(PUBLIC))

    def versions(self) -> list[str]:
        """Tags of what was published, by time of publication, oldest first."""
        with storage_errors(self.where, "read"):
            order = {info.id: index for index, info in enumerate(self._repository.ancestry(branch=QUALITY))}
            tags = {tag: self._repository.lookup_tag(tag) for tag in self._repository.list_tags()}
        return sorted(tags, key=lambda tag: (-order.get(tags[tag], -1), tag))

    def states(self, group: str, version: str | None = QUALITY, copy: str = "") -> np.ndarray:
        """State of every time of a group: 0 not produced, 1 preliminary, 2 final, (time,) uint8."""
        return self.ledger(self.snapshot(version))(group, copy)

    def ledger(self, snapshot: str, root: zarr.Group | None = None) -> Callable[..., np.ndarray]:
        """Function (group, copy="") that gives the state of every time, from the summary if the commit is one.

        Args:
            snapshot: identity of the commit.
            root: its group, where it is open already.
        """
        opened = self.at(snapshot) if root is None else root
        with storage_errors(self.where, "read"):
            newest = next(iter(self._repository.ancestry(snapshot_id=snapshot)))
        if not newest.metadata.get(schema.SUMMARY):
            return lambda group, copy="": states_of(opened, group, copy)

        @lru_cache
        def summary(group: str) -> np.ndarray:
            return values_at(opened, f"{schema.LEDGER}/{schema.SUMMARY}/{group}")

        return lambda group, copy="": summary(group)[("", *schema.GROUPS[group].copies).index(copy)]

    def add_variables(self, variables: Mapping[tuple[str, str], str | None], stream: str | None = None) -> None:
        """Lay out variables that the store does not have, in one commit of their own.

        Args:
            variables: (group, internal name) -> vertical axis, None for fields of the surface.
            stream: name of a stream of which days that another has too will be kept apart.

        Raises:
            StoreError: the store is open for reading only or lacks a group, or another writer was faster too often.
        """
        prefix = "" if stream is None else f"{schema.OVERLAP}/{stream}/"

        def missing() -> list[tuple[str, str]]:
            root = self.root(QUALITY)
            return [key for key in variables if f"{prefix}{key[0]}/{key[1]}" not in root]

        def lay_out_missing(new: list[tuple[str, str]]) -> None:
            with committed(self._repository, self._place, QUALITY, f"lay out {len(new)} variables") as pending:
                root = zarr.open_group(pending.session.store, mode="r+", zarr_format=3, use_consolidated=False)
                for key in new:
                    if key[0] not in root:
                        raise StoreError(f"{self.where} was made without the group {key[0]}")
                    add_variable(root, schema.GROUPS[key[0]], key[1], variables[key], prefix)

        self._until_there(missing, lay_out_missing)

    def _until_there[T](self, missing: Callable[[], T], write: Callable[[T], None]) -> int:
        """Write what is missing, and look again where another writer came before; returns how often it was written."""
        for _ in range(_TRIES):
            wanted = missing()
            if not wanted:
                return 0
            self.check_writable()
            try:
                write(wanted)
            except CommitConflict:
                continue
            return 1
        raise StoreError(f"{self.where} was changed by other writers at each of {_TRIES} trials; call it again later")

    @contextmanager
    def day(
        self, stream: str, day: Any, *, preliminary: bool = False, replace: bool = False, overlap: bool = False
    ) -> Iterator[DayWriter]:
        """The writer of one day: one commit at the end of the block, nothing if it is left by an error.

        Args:
            stream: name of the stream of production, for the history.
            day: date, or any instant of it.
            preliminary: whether it will be replaced later.
            replace: whether a final day may be replaced; preliminary ones may always be.
            overlap: whether the day is one that another stream has too, to be kept apart.

        Raises:
            StoreError: the store is open for reading only, the day is outside the axis, another writer wrote it, or the
                storage failed.
            InputError: a field cannot be packed.
            ResourceError: the disk is full.
        """
        self.check_writable()
        number = self.times.number(day)
        prefix = f"{schema.OVERLAP}/{stream}/" if overlap else ""
        date = str(self.times.day(number))
        message = f"day {date} of {stream}" + (" (overlap)" if overlap else "")
        about = {"stream": stream, "day": date, "overlap": overlap}
        # Opened anew, since a repository keeps the list of nodes of every commit that it has seen.
        self._repository = open_repository(self._place)
        with committed(self._repository, self._place, QUALITY, message, metadata=about) as pending:
            with storage_errors(self.where, "written"):
                root = zarr.open_group(pending.session.store, mode="r+")
            writer = DayWriter(root, self.where, number, prefix, preliminary=preliminary, replace=replace)
            with storage_errors(self.where, "written"):
                yield writer
                writer.finish()

    def pack_series(self, *, complete_only: bool = False) -> int:
        """Write the copies for point series of all blocks of days whose core is newer; returns how many were written.

        Args:
            complete_only: leave blocks in which days are still missing.
        """
        self.check_writable()
        count = 0
        root = self.root(QUALITY)
        for group in schema.GROUPS.values():
            if "series" not in group.copies or group.name not in root:
                continue
            for block in range(-(-self.times.days // schema.BLOCK_DAYS)):
                count += self._pack_block(group, block, complete_only)
        return count

    def _pack_block(self, group: schema.Group, block: int, complete_only: bool) -> int:
        """Write the copy for point series of one block of days where it is old; returns how often."""

        def is_old() -> bool:
            return series_is_old(self.root(QUALITY), group, block, complete_only=complete_only)

        def write(_: bool) -> None:
            message = f"series of {group.name}, days from {self.times.day(block * schema.BLOCK_DAYS)}"
            with committed(self._repository, self._place, QUALITY, message) as pending:
                root = zarr.open_group(pending.session.store, mode="r+", zarr_format=3, use_consolidated=False)
                write_series(root, group, block)

        return self._until_there(is_old, write)

    def publish(self, tag: str) -> str:
        """Make what is on the branch `quality` public under a tag; returns the identity of the commit.

        Raises:
            InputError: the tag is taken or no usable name.
            StoreError: nothing was packed yet, or the storage failed.
        """
        self.check_writable()
        if not tag or tag in (QUALITY, PUBLIC) or any(sign in tag for sign in "/ \\"):
            raise InputError(f"{tag!r} cannot name a version; give a name such as v1.0 or 2026-11-preliminary")
        lease = hold(self._place) if has_leases(self._place) else nullcontext()
        with lease, commit_lock(self._place), storage_errors(self.where, "published"):
            if tag in self._repository.list_tags():
                raise InputError(f"{self.where} has the version {tag} already; versions are never changed")
            head = self._summarised(tag)
            self._repository.create_tag(tag, head)
            self._repository.reset_branch(PUBLIC, head)
        return head

    def _summarised(self, tag: str) -> str:
        """Commit a summary of the ledger; returns the identity of the commit.

        It is not put on top of what others commit meanwhile, of which it would not tell, but made anew.
        """
        for _ in range(_TRIES):
            session = self._repository.writable_session(QUALITY)
            root = zarr.open_group(session.store, mode="r+", zarr_format=3, use_consolidated=False)
            if not any(_any_produced(root, name) for name in schema.GROUPS):
                raise StoreError(f"{self.where} holds no day yet, so that there is nothing to publish")
            write_summary(root)
            try:
                return str(session.commit(f"summary of {tag}", {schema.SUMMARY: True}, allow_empty=True))
            except icechunk.ConflictError:
                continue
            except icechunk.FormatError as error:
                if error.kind != SKEW:
                    raise
                wait_for_clock(self._repository, session, self._place, CommitPolicy(), error)
        raise StoreError(f"{self.where} was changed by other writers at each of {_TRIES} trials; publish it later")

    def history(self) -> list[str]:
        """Messages of all commits on the branch `quality`, oldest first."""
        with storage_errors(self.where, "read"):
            return [info.message for info in self._repository.ancestry(branch=QUALITY)][::-1]

    def check_writable(self) -> None:
        """Refuse to write a store that is open for reading.

        Raises:
            StoreError: it is.
        """
        if not self._writable:
            raise StoreError(f"{self.where} is not open for writing; open it with mode 'a'")


def _check_conditional_writes(location: Location, storage_options: Mapping[str, Any] | None) -> None:
    """Refuse an object store that would lose commits; whoever gives an `icechunk.Storage` answers for it."""
    if isinstance(location, str) and "://" in location:
        probe_conditional_writes(location, storage_options)


def states_of(root: zarr.Group, group: str, copy: str = "") -> np.ndarray:
    """State of every time of a group in a version; see `ReleaseStore.states`."""
    place = "/".join(part for part in (schema.LEDGER, copy, group, "state") if part)
    return values_at(root, place)


def _any_produced(root: zarr.Group, group: str) -> bool:
    return group in root and bool(states_of(root, group).any())


def _configuration() -> icechunk.RepositoryConfig:
    """Configuration saved in a new repository: manifests split along time."""
    config = icechunk.RepositoryConfig.default()
    condition: dict[Any, int] = {icechunk.ManifestSplitDimCondition.DimensionName("time"): DAYS_PER_MANIFEST}
    splitting = icechunk.ManifestSplittingConfig.from_dict({icechunk.ManifestSplitCondition.AnyArray(): condition})
    config.manifest = icechunk.ManifestConfig(splitting=splitting)
    return config


def _is_ours(repository: icechunk.Repository) -> bool:
    """Whether a repository is empty, or holds the layout of a release store alone."""
    commits = len(list(islice(repository.ancestry(branch=PUBLIC), 3)))
    if commits == 1:
        return True
    root = zarr.open_group(repository.readonly_session(PUBLIC).store, mode="r", zarr_format=3, use_consolidated=False)
    return commits == 2 and root.attrs.get("kaiseki_store") == schema.KIND


def _check_version(attributes: Mapping[str, Any], where: str) -> None:
    """Refuse what is no release store, or one that is newer than this program."""
    if attributes.get("kaiseki_store") != schema.KIND:
        raise StoreError(f"{where} is no release store; make one with kaiseki archive pack")
    version = attributes.get("schema_version")
    if not isinstance(version, int) or version > schema.VERSION:
        raise StoreError(
            f"{where} has schema version {version} of release stores, and this Kaiseki reads up to {schema.VERSION}; "
            "install a newer one"
        )


def fields_of(root: zarr.Group, group: str) -> dict[str, zarr.Array]:
    """Arrays of the fields of a group by internal name, in the order of the table; none where there is no group."""
    arrays = arrays_at(root, group)
    return {name: arrays[name] for name in VARIABLES if name in arrays and arrays[name].ndim > 2}


def names_of(root: zarr.Group, group: str) -> list[str]:
    """Internal names of the variables of a group, in the order of the table."""
    return list(fields_of(root, group))
