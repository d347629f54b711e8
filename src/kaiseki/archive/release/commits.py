"""Commits of several writers into one repository, none of which is lost.

In a local directory, which knows no conditional writes, a commit is made under a lock; in S3 Icechunk's conditional
writes suffice, once the store is known to keep to them (see `probe`). A commit after another writer's is rebased: it
succeeds where the two changed different chunks. Whatever the reason of a failure, nothing of the commit is kept.
"""

from __future__ import annotations

import random
import secrets
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass, field
from datetime import UTC, datetime
from itertools import islice
from typing import Any, Final

import icechunk

from kaiseki.archive.release.leases import has_leases, hold
from kaiseki.archive.store.storage import LOCK_NAME, Place, first_line, storage_errors
from kaiseki.core.errors import StoreError
from kaiseki.core.lock import WriterLock
from kaiseki.core.progress import say

_NAME = "kaiseki_commit"
"""Key of the metadata by which a commit is known again."""

SKEW: Final = "snapshot-timestamp"
"""Kind of the error by which Icechunk refuses a commit of a wrong clock."""


@dataclass(frozen=True)
class CommitPolicy:
    """How long a commit tries.

    Attributes:
        patience: longest time to wait for the lock of a local directory [s].
        tries: number of times that a commit is put on top of those of others.
        pause: mean pause before the second of these [s]; it doubles from one to the next up to `longest_pause`.
        longest_pause: longest mean pause [s].
        skew: by how much the clock of this machine may be behind that of the writer before, which is waited for [s].
    """

    patience: float = 600.0
    tries: int = 100
    pause: float = 0.02
    longest_pause: float = 0.5
    skew: float = 60.0


@dataclass
class PendingCommit:
    """A commit under way, made by `committed`.

    Attributes:
        session: to write into.
        metadata: kept with the snapshot; entries may be added within the block.
        snapshot: identity of the commit, set at the end of the block.
    """

    session: icechunk.Session
    metadata: dict[str, Any] = field(default_factory=dict)
    snapshot: str | None = None


class CommitConflict(StoreError):
    """Another writer changed the same part of a store first, so that nothing of a commit was kept."""


def commit_lock(place: Place, patience: float = 600.0) -> WriterLock | nullcontext[None]:
    """Lock under which references of a repository are changed: commits, tags, branches, configuration, expiry.

    A context manager. It locks the file `kaiseki.lock` of a local directory, which stays, and nothing elsewhere.

    Raises:
        StoreError: another holds it still when the patience [s] is over, or the file system has no locks that suffice.
    """
    if place.directory is None:
        return nullcontext()
    return WriterLock(place.directory / LOCK_NAME, place.where, patience)


@contextmanager
def committed(
    repository: icechunk.Repository,
    place: Place,
    branch: str,
    message: str,
    *,
    metadata: Mapping[str, Any] | None = None,
    policy: CommitPolicy | None = None,
) -> Iterator[PendingCommit]:
    """A session that is committed at the end of the block, or of which nothing is kept if the block ends by an error.

    From the first write to the commit a lease is held, so that no collection of garbage takes its chunks. A block that
    changes nothing, because another writer was faster, commits nothing.

    Args:
        repository: open, of the place.
        place: of the repository.
        branch: to commit to.
        message: of the commit.
        metadata: kept with the snapshot.
        policy: how long to try; None for the defaults.

    Raises:
        StoreError: others changed the same chunks or the same metadata, the lock or the branch could not be had, the
            clock is wrong, the lease was lost, or the storage failed.
        ResourceError: the disk is full.
    """
    with hold(place) if has_leases(place) else nullcontext() as lease:
        with storage_errors(place.where, "written"):
            pending = PendingCommit(repository.writable_session(branch), dict(metadata or {}))
        try:
            yield pending
            if lease is not None:
                lease.check()
            if not pending.session.has_uncommitted_changes:
                pending.snapshot = pending.session.snapshot_id
                return
            pending.snapshot = commit(repository, place, pending.session, message, pending.metadata, policy)
        except BaseException:
            if not pending.session.read_only:
                pending.session.discard_changes()
            raise


def commit(
    repository: icechunk.Repository,
    place: Place,
    session: icechunk.Session,
    message: str,
    metadata: Mapping[str, Any] | None = None,
    policy: CommitPolicy | None = None,
) -> str:
    """Commit a session, on top of what others committed meanwhile; returns the identity of the snapshot.

    The caller holds a lease since before the session was opened (`committed` does).

    Raises:
        StoreError: see `committed`.
        ResourceError: the disk is full.
    """
    policy = policy or CommitPolicy()
    mark = secrets.token_hex(8)
    marked = {**(metadata or {}), _NAME: mark}
    with commit_lock(place, policy.patience), storage_errors(place.where, "written"):
        pause, overtaken = policy.pause, False
        for _ in range(policy.tries):
            if overtaken:
                if place.directory is None:
                    # The pause comes first: from the rebase on, each moment is one in which others can be faster.
                    time.sleep(random.uniform(0.5, 1.5) * pause)
                    pause = min(2.0 * pause, policy.longest_pause)
                _rebase(session, place)
                overtaken = False
            try:
                return str(session.commit(message, marked))
            except icechunk.ConflictError:
                if done := _already(repository, session, mark):
                    return done
                overtaken = True
            except icechunk.FormatError as error:
                if error.kind != SKEW:
                    raise
                wait_for_clock(repository, session, place, policy, error)
            except icechunk.StorageError:
                # The answer may have been lost, not the commit.
                if done := _already(repository, session, mark):
                    return done
                raise
    raise StoreError(
        f"{place.where} was changed by other writers at each of {policy.tries} trials, so {message!r} was not "
        "committed and nothing of it was kept; write it again when fewer are writing"
    )


def _rebase(session: icechunk.Session, place: Place) -> None:
    try:
        session.rebase(icechunk.ConflictDetector())
    except icechunk.RebaseFailedError as error:
        raise CommitConflict(
            f"Another writer changed the same part of {place.where} ({_conflicts(error)}), so nothing of this commit "
            "was kept; let only one writer have a stretch of time, and write it again"
        ) from error


def _conflicts(error: icechunk.RebaseFailedError) -> str:
    """Words for the first conflict and the number of the others."""
    conflicts = sorted(error.conflicts or [], key=lambda conflict: str(conflict.path))
    if not conflicts:
        return "it is not known where"
    first = conflicts[0]
    where = f"{first.path}, {str(first.conflict_type).lower()}"
    if first.conflicted_chunks:
        where += f" at {tuple(first.conflicted_chunks[0])}"
    return where if len(conflicts) == 1 else f"{where}, and {len(conflicts) - 1} more"


def _already(repository: icechunk.Repository, session: icechunk.Session, mark: str) -> str | None:
    """Identity of the snapshot if the commit did succeed although its answer said otherwise."""
    base = session.snapshot_id
    for info in islice(repository.ancestry(branch=session.branch), 10_000):
        if info.metadata.get(_NAME) == mark:
            return str(info.id)
        if info.id == base:
            return None
    return None


def wait_for_clock(
    repository: icechunk.Repository,
    session: icechunk.Session,
    place: Place,
    policy: CommitPolicy,
    error: icechunk.FormatError,
) -> None:
    """Wait until this machine's clock has passed the time of the commit before, if that is soon.

    Icechunk refuses a snapshot that is older than its parent, or that differs by ten minutes from the store's clock.

    Raises:
        StoreError: it is not soon.
    """
    kept = "so nothing of this commit was kept; set the clock and write it again"
    now, newest = datetime.now(UTC), next(iter(repository.ancestry(branch=session.branch))).written_at
    # The update of the repository is stamped after the snapshot, and can still be a moment too early.
    early = "latest update time" in first_line(error)
    if "ordering" not in first_line(error) and not early:
        raise StoreError(
            f"The clock of this machine ({now:%Y-%m-%d %H:%M:%S} UTC) is more than ten minutes from that of "
            f"{place.where}, {kept}"
        ) from error
    behind = max((newest - now).total_seconds(), 0.1 if early else 0.0)
    if behind > policy.skew:
        raise StoreError(
            f"The clock of this machine ({now:%Y-%m-%d %H:%M:%S} UTC) is behind the newest commit of {place.where} "
            f"({newest:%Y-%m-%d %H:%M:%S} UTC), {kept}"
        ) from error
    if behind > 1.0:
        say(f"The clock of this machine is {behind:.0f} s behind the newest commit of {place.where}; waiting")
    time.sleep(behind)
