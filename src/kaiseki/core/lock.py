"""One writer at a time where the file system cannot do conditional writes.

Icechunk makes two simultaneous commits safe by conditional writes of the object store. A local file system has none,
and commits of two writers would be lost without an error, so that a writer holds this lock as long as it has the store
open. The kernel keeps it (flock), hence a holder that was killed holds nothing; the file only says who holds it.
"""

from __future__ import annotations

import errno
import json
import os
import socket
from datetime import UTC, datetime
from pathlib import Path
from typing import Self

from kaiseki.core.errors import ResourceError, StoreError


class WriterLock:
    """Exclusive lock on a file; a context manager, released by `release` or by the end of the process.

    Args:
        path: the lock file; it stays after the release.
        guarded: how messages name what is locked.

    Raises:
        StoreError: another process or another store object of this process holds it (the message names the holder),
            or the file system has no locks.
    """

    def __init__(self, path: Path, guarded: str) -> None:
        self.path, self.guarded = path, guarded
        self._descriptor: int | None = _acquire(path, guarded)

    def release(self) -> None:
        """Give the lock back; a second call does nothing."""
        if self._descriptor is not None:
            descriptor, self._descriptor = self._descriptor, None
            os.close(descriptor)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.release()


def _acquire(path: Path, guarded: str) -> int:
    """Descriptor of the locked file."""
    try:
        import fcntl
    except ImportError:
        raise StoreError(f"{guarded} cannot be written on this system, which has no flock; read it only") from None
    try:
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT, 0o644)
    except OSError as error:
        kind = ResourceError if error.errno in (errno.ENOSPC, errno.EDQUOT) else StoreError
        raise kind(f"The lock {path} could not be made: {os.strerror(error.errno or 0)}") from error
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        holder = _holder(descriptor)
        os.close(descriptor)
        if error.errno in (errno.EWOULDBLOCK, errno.EACCES):
            raise StoreError(f"{guarded} is being written by {holder}; wait for it or stop it") from None
        raise StoreError(
            f"{guarded} lies on a file system without locks ({os.strerror(error.errno or 0)}); use a local disk or S3"
        ) from error
    try:
        who = {"pid": os.getpid(), "host": socket.gethostname(), "since": datetime.now(UTC).isoformat(" ", "seconds")}
        os.ftruncate(descriptor, 0)
        os.pwrite(descriptor, json.dumps(who).encode(), 0)
    except OSError:
        # The lock is held all the same: on a full disk only its holder's name is lost.
        pass
    return descriptor


def _holder(descriptor: int) -> str:
    """Words for who holds the lock."""
    try:
        who = json.loads(os.pread(descriptor, 4096, 0))
        return f"process {who['pid']} on {who['host']} since {who['since']}"
    except (OSError, ValueError, KeyError, TypeError):
        return "another process"
