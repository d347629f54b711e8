"""Expiry of old snapshots and collection of garbage, without taking what a reader or writer holds.

Kept always: what tags and branches point at, and what they can reach after the expiry. Kept besides: every snapshot
that was the newest of its branch at any time within the minimum age, so that a dataset opened less than that ago can
be read to its end without its reader having said anything; and what leases name (see `leases`).
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final

import icechunk

from kaiseki.archive.release import schema
from kaiseki.archive.release.commits import commit_lock
from kaiseki.archive.release.leases import Holder, clock, has_leases, holders
from kaiseki.archive.store.storage import Place, storage_errors
from kaiseki.core.errors import StoreError

MINIMUM_AGE: Final = timedelta(days=7)
"""Time for which everything stays that a reader may have opened."""

MARGIN: Final = timedelta(minutes=15)
"""Time before the beginning of the oldest lease from which on nothing is collected: more than the ten minutes by which
Icechunk lets the clock of a machine differ from that of the store."""


@dataclass(frozen=True)
class Tidied:
    """What was removed, or would be.

    Attributes:
        snapshots: number of snapshots that expired.
        bytes: what the files or objects removed had taken.
        chunks: number of chunks removed.
        failed: number of files or objects that could not be removed; the next time tries again.
        cutoff: time (UTC) before which what nothing points at was removed.
        kept_from: time (UTC) of the oldest snapshot that was spared from expiry by its age.
        holders: who held leases.
        postponed: why nothing was removed but the history alone, None where it was.
    """

    snapshots: int
    bytes: int
    chunks: int
    failed: int
    cutoff: datetime
    kept_from: datetime
    holders: tuple[Holder, ...]
    postponed: str | None = None


def tidy(
    repository: icechunk.Repository,
    place: Place,
    *,
    minimum_age: timedelta = MINIMUM_AGE,
    margin: timedelta = MARGIN,
    dry_run: bool = False,
) -> Tidied:
    """Let old snapshots expire and give the space of what nothing needs back.

    Writers may go on; in a local directory their commits wait meanwhile.

    Args:
        repository: open, of the place.
        place: of the repository.
        minimum_age: for how long everything stays that a reader may have opened without a lease.
        margin: spared before the beginning of the oldest lease.
        dry_run: count the garbage that is there now; nothing expires and nothing is removed.

    Raises:
        StoreError: a reader holds a snapshot that is gone, the lock cannot be had, or the storage failed; a minimum
            age below a day where holders cannot announce themselves.
    """
    if not has_leases(place) and minimum_age < timedelta(days=1):
        raise StoreError(f"{place.where} has no leases, so a minimum age of less than a day could take what is in use")
    now = clock(place)
    held = tuple(holders(place)) if has_leases(place) else ()
    cutoff = min([now - minimum_age, *(holder.since - margin for holder in held)])
    with commit_lock(place), storage_errors(place.where, "tidied"):
        kept_from = _kept_from(repository, cutoff, held)
        postponed = _postponed(repository, cutoff, minimum_age)
        expired = set() if dry_run else repository.expire_snapshots(older_than=kept_from)
        if postponed is not None:
            return Tidied(len(expired), 0, 0, 0, cutoff, kept_from, held, postponed)
        summary = repository.garbage_collect(cutoff, dry_run=dry_run)
    return Tidied(
        len(expired),
        summary.bytes_deleted,
        summary.chunks_deleted,
        summary.objects_failed_to_delete,
        cutoff,
        kept_from,
        held,
    )


def _kept_from(repository: icechunk.Repository, cutoff: datetime, held: Iterable[Holder]) -> datetime:
    """Time of the oldest snapshot that was the newest of a branch at the cut-off or later, or that a reader holds.

    A snapshot's own age does not matter: what was written a year ago is in use until the next commit.
    """
    times = []
    # Known issues are read at once, and their last change may be long ago.
    for branch in repository.list_branches() - {schema.ISSUES}:
        for info in repository.ancestry(branch=branch):
            times.append(info.written_at)
            if info.written_at <= cutoff:
                break
    # A branch that was moved was at another snapshot until then. What tags point at does not expire.
    tagged = {repository.lookup_tag(tag) for tag in repository.list_tags()}
    moved = {snapshot for snapshot, _ in _left(repository, cutoff)} - tagged
    times += [info.written_at for info in _ancestors(repository) if info.id in moved]
    for holder in held:
        if holder.snapshot is not None:
            try:
                times.append(repository.lookup_snapshot(holder.snapshot).written_at)
            except icechunk.IcechunkError as error:
                raise StoreError(
                    f"The snapshot {holder.snapshot} that {holder.words} holds is not in the repository any more; "
                    "open it anew"
                ) from error
    return min(times)


def _postponed(repository: icechunk.Repository, cutoff: datetime, minimum_age: timedelta) -> str | None:
    """Why nothing may be collected: the last of the references to a snapshot was taken away after the cut-off.

    What it alone pointed at is garbage at once, however old, while readers may have it open.
    """
    lost = dict[str, tuple[str, datetime]]()
    for snapshot, update in _left(repository, cutoff):
        # The log begins with the newest, and the last loss is what counts.
        lost.setdefault(snapshot, (_named(update.kind), update.updated_at))
    if not lost:
        return None
    kept = {info.id for info in _ancestors(repository)}
    for snapshot, (name, time) in lost.items():
        if snapshot not in kept:
            return (
                f"{name} was moved or deleted on {time:%Y-%m-%d %H:%M} UTC and nothing else leads to its snapshot "
                f"{snapshot}, which readers may still have open; nothing is collected before "
                f"{time + minimum_age:%Y-%m-%d %H:%M} UTC unless a tag keeps it"
            )
    return None


def _left(repository: icechunk.Repository, cutoff: datetime) -> Iterator[tuple[str, Any]]:
    """Snapshots from which a branch or tag was moved or taken away after the cut-off, the newest such change first."""
    for update in repository.ops_log():
        if update.updated_at < cutoff:
            break
        snapshot = getattr(update.kind, "previous_snap_id", None)
        if snapshot is not None:
            yield str(snapshot), update


def _ancestors(repository: icechunk.Repository) -> Iterable[Any]:
    """Snapshots that branches and tags lead to."""
    for branch in repository.list_branches():
        yield from repository.ancestry(branch=branch)
    for tag in repository.list_tags():
        yield from repository.ancestry(tag=tag)


def _named(kind: Any) -> str:
    word = "tag" if "Tag" in type(kind).__name__ else "branch"
    return f"The {word} {getattr(kind, 'name', None) or kind.branch!r}"
