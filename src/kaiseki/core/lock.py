"""One writer at a time where the file system cannot do conditional writes.

Icechunk makes two simultaneous commits safe by conditional writes of the object store. A local file system has none,
and commits of two writers would be lost without an error, so that a writer holds this lock as long as it has the store
open, or as long as a commit takes. The kernel keeps it (flock), hence a holder that was killed holds nothing; the file
stays and says who holds it or held it last.

On a network file system whose locks do not leave the machine (see `core.file_system`), a file that names another
machine is refused: all writers must then be on one machine. Two machines that write there for the first time at the
same moment are not found out.
"""

from __future__ import annotations

import errno
import json
import os
import random
import socket
import time
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Self

from kaiseki.core.errors import ResourceError, StoreError
from kaiseki.core.file_system import file_system_of
from kaiseki.core.interrupt import stop_if_asked
from kaiseki.core.progress import LINE_INTERVAL, say

_LONGEST_PAUSE = 0.05
"""Longest pause between two trials of a lock that is waited for [s]."""


class WriterLock:
    """Exclusive lock on a file; a context manager, released by `release` or by the end of the process.

    Args:
        path: the lock file; it stays after the release.
        guarded: how messages name what is locked.
        patience: how long to wait for another holder [s], with a line to the user now and then.

    Raises:
        StoreError: another process or another store object of this process holds it (the message names the holder)
            and still does when the patience is over; the file system has no locks, or its locks do not reach the
            machine that wrote last.
    """

    def __init__(self, path: Path, guarded: str, patience: float = 0.0) -> None:
        self.path, self.guarded = path, guarded
        self._descriptor: int | None = _acquire(path, guarded, patience)

    def release(self) -> None:
        """Give the lock back; a second call does nothing."""
        if self._descriptor is not None:
            descriptor, self._descriptor = self._descriptor, None
            os.close(descriptor)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.release()


def _acquire(path: Path, guarded: str, patience: float) -> int:
    """Descriptor of the locked file."""
    try:
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT, 0o644)
    except OSError as error:
        kind = ResourceError if error.errno in (errno.ENOSPC, errno.EDQUOT) else StoreError
        raise kind(f"The lock {path} could not be made: {os.strerror(error.errno or 0)}") from error
    try:
        _wait(descriptor, guarded, patience)
        _check_machine(path, descriptor, guarded)
    except BaseException:
        os.close(descriptor)
        raise
    try:
        who = {"pid": os.getpid(), "host": socket.gethostname(), "since": datetime.now(UTC).isoformat(" ", "seconds")}
        os.ftruncate(descriptor, 0)
        os.pwrite(descriptor, json.dumps(who).encode(), 0)
    except OSError:
        # The lock is held all the same: on a full disk only its holder's name is lost.
        pass
    return descriptor


def _wait(descriptor: int, guarded: str, patience: float) -> None:
    """Lock the file, at the latest when the patience is over."""
    try:
        import fcntl
    except ImportError:
        raise StoreError(f"{guarded} cannot be written on this system, which has no flock; read it only") from None
    begun = told = time.monotonic()
    pause = 0.002
    while True:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            return
        except OSError as error:
            if error.errno not in (errno.EWOULDBLOCK, errno.EACCES):
                raise StoreError(
                    f"{guarded} lies on a file system without locks ({os.strerror(error.errno or 0)}); "
                    "use a local disk or S3"
                ) from error
        now = time.monotonic()
        if now - begun >= patience:
            waited = f" and still is after {patience:.0f} s" if patience else ""
            raise StoreError(f"{guarded} is being written by {_holder(descriptor)}{waited}; wait for it or stop it")
        if now - told >= LINE_INTERVAL:
            say(f"Waiting for {guarded}, which is being written by {_holder(descriptor)}")
            told = now
        stop_if_asked()
        # Chance keeps several that wait from trying in step.
        time.sleep(random.uniform(0.5, 1.0) * pause)
        pause = min(2.0 * pause, _LONGEST_PAUSE)


def _check_machine(path: Path, descriptor: int, guarded: str) -> None:
    """Refuse a file that another machine wrote last where locks do not leave the machine."""
    host, here = _written(descriptor).get("host"), socket.gethostname()
    if host is None or host == here:
        return
    system = file_system_of(path)
    if system is not None and not system.locks_reach_all:
        raise StoreError(
            f"{guarded} was last written on {host}, and the locks of its file system ({system.kind} at {system.point}) "
            f"do not reach from there to {here}: write on one machine only, or remove {path} when nothing on {host} "
            "writes any more"
        )


def _holder(descriptor: int) -> str:
    """Words for who holds the lock."""
    try:
        who = _written(descriptor)
        return f"process {who['pid']} on {who['host']} since {who['since']}"
    except KeyError:
        return "another process"


def _written(descriptor: int) -> dict[str, Any]:
    """What the holder wrote of itself; empty where that cannot be read."""
    try:
        content = json.loads(os.pread(descriptor, 4096, 0))
    except (OSError, ValueError):
        return {}
    return content if isinstance(content, dict) else {}
