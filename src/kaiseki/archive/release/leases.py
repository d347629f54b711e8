"""Leases: how writers, and readers of old snapshots, say that they are at work, so that their data are not collected.

A writer's chunks belong to no snapshot before its commit. Garbage collection spares what is younger than the oldest
lease; a writer whose lease was lost must not commit, since its chunks may be gone.

In a local directory a lease is a locked file of the folder `leases`: the kernel frees it when its holder ends, however
it ends. In S3 it is an object that its holder renews; a holder that has not renewed for `LIFE` is taken for dead, and
its object is replaced by a conditional write, so that holder and collector cannot both be right.
Times are those of the store's clock (last change of the file or object), never those of the machine that reads them.
"""

from __future__ import annotations

import contextlib
import json
import os
import secrets
import socket
import threading
from abc import ABC, abstractmethod
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Final, Self

from kaiseki.archive.release.objects import Objects, Refused, Stored
from kaiseki.archive.store.storage import Place
from kaiseki.core.errors import KaisekiError, ResourceError, StoreError
from kaiseki.core.files import out_of_space

FOLDER: Final = "leases"
LIFE: Final = timedelta(hours=1)
"""Time without renewal after which the holder of a lease in S3 is taken for dead."""

_RENEWALS = 6
"""Renewals within a life."""


@dataclass(frozen=True)
class Holder:
    """Who holds a lease.

    Attributes:
        since: when it began, by the store's clock (UTC).
        snapshot: what a reader has open; None for a writer.
        words: the process, for messages.
    """

    since: datetime
    snapshot: str | None
    words: str


class Lease(ABC):
    """A lease that is held; a context manager, given back by `release` or by the end of the process.

    Attributes:
        where: the store, for messages.
    """

    def __init__(self, where: str) -> None:
        self.where = where

    @abstractmethod
    def check(self) -> None:
        """Make sure that the lease was never lost.

        Raises:
            StoreError: it was, so that what was written under it may be gone.
        """

    @abstractmethod
    def release(self) -> None:
        """Give the lease back; a second call does nothing."""

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.release()

    def _lost(self) -> StoreError:
        return StoreError(
            f"The lease on {self.where} was lost, and what was written under it may have been collected; "
            "nothing was committed, write it again"
        )


def hold(place: Place, snapshot: str | None = None, *, life: timedelta = LIFE) -> Lease:
    """A new lease.

    Args:
        place: of the repository, a directory or an address of S3.
        snapshot: identity of what a reader has open and wants to keep; None for a writer.
        life: see `LIFE`; of leases in S3.

    Raises:
        StoreError: the place cannot be written, or has no leases (an `icechunk.Storage` given as such).
        ResourceError: the disk is full.
        InstallationError: obstore is not installed, for S3.
    """
    who = {"pid": os.getpid(), "host": socket.gethostname(), "snapshot": snapshot, "life": life.total_seconds()}
    if place.directory is not None:
        return _FileLease(place.directory / FOLDER, place.where, who)
    return _ObjectLease(Objects(place), who)


def has_leases(place: Place) -> bool:
    """Whether holders can announce themselves at the place."""
    return place.directory is not None or place.options is not None


def holders(place: Place) -> list[Holder]:
    """All leases that are held; those of the dead are removed.

    Raises:
        StoreError: the storage failed.
    """
    if place.directory is not None:
        found = [_file_holder(path) for path in sorted((place.directory / FOLDER).glob("*.json"))]
    else:
        objects = Objects(place)
        now = clock(place)
        stored = [each for each in objects.list(FOLDER) if each.key.endswith(".json")]
        found = [_object_holder(objects, each, now) for each in stored]
    return [holder for holder in found if holder is not None]


def clock(place: Place) -> datetime:
    """Time by the clock that stamps the files or objects of the place (UTC)."""
    if place.directory is not None:
        path = place.directory / FOLDER / f"clock-{secrets.token_hex(8)}"
        with _file_errors(place.where):
            path.parent.mkdir(exist_ok=True)
            try:
                path.write_bytes(b"")
                return _changed(path)
            finally:
                path.unlink(missing_ok=True)
    if place.options is None:
        return datetime.now(UTC)
    objects, key = Objects(place), f"{FOLDER}/clock-{secrets.token_hex(8)}"
    objects.create(key, b"")
    try:
        found = objects.read(key)
    finally:
        objects.delete(key)
    if found is None:
        raise StoreError(f"An object of {place.where} could not be read after it was written")
    return found[1].changed


class _FileLease(Lease):
    """A locked file."""

    def __init__(self, folder: Path, where: str, who: dict[str, Any]) -> None:
        super().__init__(where)
        self._path = folder / f"{secrets.token_hex(8)}.json"
        self._descriptor: int | None = None
        with _file_errors(where):
            folder.mkdir(exist_ok=True)
            while self._descriptor is None:
                descriptor = os.open(self._path, os.O_RDWR | os.O_CREAT, 0o644)
                # A collector that came between the two lines took the file for that of a dead holder.
                if _locked(descriptor) and _is_still(self._path, descriptor):
                    self._descriptor = descriptor
                else:
                    os.close(descriptor)
            os.pwrite(self._descriptor, json.dumps(who).encode(), 0)

    def check(self) -> None:
        if self._descriptor is None or not _is_still(self._path, self._descriptor):
            raise self._lost()

    def release(self) -> None:
        if self._descriptor is not None:
            descriptor, self._descriptor = self._descriptor, None
            with contextlib.suppress(OSError):
                self._path.unlink()
            os.close(descriptor)


def _file_holder(path: Path) -> Holder | None:
    """The holder of a lease file; a file that nobody holds is removed."""
    try:
        descriptor = os.open(path, os.O_RDWR)
    except FileNotFoundError:
        return None
    except OSError as error:
        raise StoreError(f"The lease {path} cannot be read: {os.strerror(error.errno or 0)}") from error
    try:
        # While it is locked here nobody else can take it.
        if _locked(descriptor):
            path.unlink(missing_ok=True)
            return None
        try:
            who = json.loads(os.pread(descriptor, 4096, 0))
        except ValueError:
            # Its holder is just writing it.
            who = {}
        return _holder(_changed(path), who)
    except FileNotFoundError:
        return None
    finally:
        os.close(descriptor)


def _locked(descriptor: int) -> bool:
    import fcntl

    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def _is_still(path: Path, descriptor: int) -> bool:
    """Whether the path is still that of the open file."""
    try:
        return path.stat().st_ino == os.fstat(descriptor).st_ino
    except FileNotFoundError:
        return False


def _changed(path: Path) -> datetime:
    # Rounded down: a file of the same tick of the clock is not older than this one.
    return datetime(1970, 1, 1, tzinfo=UTC) + timedelta(microseconds=path.stat().st_mtime_ns // 1000)


@contextlib.contextmanager
def _file_errors(where: str) -> Any:
    try:
        yield
    except OSError as error:
        full: ResourceError | None = out_of_space(error, where, "nothing was changed", "try again")
        raise full or StoreError(
            f"The folder {FOLDER} of {where} cannot be written: {os.strerror(error.errno or 0)}"
        ) from error


class _ObjectLease(Lease):
    """An object that a thread renews."""

    def __init__(self, objects: Objects, who: dict[str, Any]) -> None:
        super().__init__(objects.where)
        self._objects, self._who = objects, who
        self._key = f"{FOLDER}/{secrets.token_hex(8)}.json"
        self._mutex, self._ended = threading.Lock(), threading.Event()
        self._version = objects.create(self._key, json.dumps(who).encode())
        found = objects.read(self._key)
        if found is None or self._version is None:
            raise StoreError(f"An object of {self.where} could not be read after it was written")
        # The first write tells when the lease began; those that renew it change the time of the object.
        self._who = who | {"since": found[1].changed.isoformat()}
        self._renewing = threading.Thread(target=self._renew, name="lease", daemon=True)
        self._renewing.start()

    def _renew(self) -> None:
        while not self._ended.wait(float(self._who["life"]) / _RENEWALS):
            # A store out of reach is asked again; if it stays so the lease is lost, and `check` will tell.
            with contextlib.suppress(KaisekiError):
                self.check()

    def check(self) -> None:
        with self._mutex:
            if self._version is None:
                raise self._lost()
            try:
                self._version = self._objects.replace(self._key, json.dumps(self._who).encode(), self._version)
            except Refused:
                self._version = None
                raise self._lost() from None

    def release(self) -> None:
        if self._ended.is_set():
            return
        self._ended.set()
        with self._mutex:
            self._version = None
            # What stays behind is removed as that of a dead holder.
            with contextlib.suppress(KaisekiError):
                self._objects.delete(self._key)


def _object_holder(objects: Objects, stored: Stored, now: datetime) -> Holder | None:
    """The holder of a lease object; one that has not been renewed for its life is removed."""
    found = objects.read(stored.key)
    if found is None:
        return None
    content, seen = found
    try:
        who = json.loads(content)
    except ValueError as error:
        raise StoreError(f"{objects.where}/{stored.key} is no lease; remove it if nothing writes") from error
    if now - seen.changed > timedelta(seconds=float(who.get("life", LIFE.total_seconds()))):
        try:
            # After this the holder cannot renew it, and so will not commit.
            objects.replace(stored.key, content, seen.version or "")
        except Refused:
            # It was renewed meanwhile.
            return _holder(seen.changed, who)
        objects.delete(stored.key)
        return None
    return _holder(seen.changed, who)


def _holder(changed: datetime, who: dict[str, Any]) -> Holder:
    since = datetime.fromisoformat(who["since"]) if "since" in who else changed
    words = f"process {who.get('pid', '?')} on {who.get('host', '?')}"
    return Holder(since, who.get("snapshot"), words)
