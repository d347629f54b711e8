"""Expiry and collection of garbage take nothing that a reader or writer holds, and give the space of the rest back.

What can go wrong:
- a dataset opened before the collection cannot be read to its end;
- a writer's chunks are collected before its commit, which then points at nothing;
- the age of a snapshot is taken for the time since it was replaced;
- a tag, or a branch that was moved, loses what readers have open;
- a lease of the dead keeps everything for ever, or a lease of the living is taken for dead;
- a holder that lost its lease commits all the same;
- nothing is given back.
"""

from __future__ import annotations

import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path

import icechunk
import numpy as np
import obstore
import pytest
import zarr

from archive.release.servers import new_bucket, options
from archive.release.writers import CELLS, block, lay_out, messages, write, written
from kaiseki.archive.release import leases
from kaiseki.archive.release.commits import committed
from kaiseki.archive.release.leases import clock, hold, holders
from kaiseki.archive.release.objects import Objects
from kaiseki.archive.release.upkeep import tidy
from kaiseki.archive.store.storage import Place, open_repository, resolve
from kaiseki.core.errors import StoreError

AT_ONCE = {"minimum_age": timedelta(0), "margin": timedelta(0)}
"""For tests: nothing is spared for its age alone."""


@pytest.fixture(params=["directory", "s3"])
def place(request: pytest.FixtureRequest, tmp_path: Path) -> Place:
    """A place of each kind."""
    if request.param == "directory":
        return resolve(tmp_path / "release")
    address = request.getfixturevalue("s3")
    return resolve(new_bucket(address), options(address))


def rewrite(repository: icechunk.Repository, place: Place, times: range) -> None:
    """Replace what is there: the old chunks belong to older snapshots alone."""
    for time_ in times:
        write(repository, place, time_)


def size(place: Place) -> int:
    """Bytes of all files or objects of the chunks."""
    if place.directory is not None:
        return sum(path.stat().st_size for path in (place.directory / "chunks").rglob("*") if path.is_file())
    return sum(each["size"] for batch in obstore.list(Objects(place)._store, "chunks") for each in batch)


def pause(place: Place) -> None:
    """Until the clock of the place, of whole seconds in S3, shows another time."""
    time.sleep(0.3 if place.directory is not None else 2.1)


def test_space_of_replaced_data_is_given_back_and_the_content_stays(place: Place) -> None:
    repository = lay_out(place, 4)
    rewrite(repository, place, range(4))
    alone = size(place)
    assert alone == 4 * 2 * 4 * CELLS
    for _ in range(2):
        rewrite(repository, place, range(4))
    assert size(place) == 3 * alone
    pause(place)
    tidied = tidy(repository, place, **AT_ONCE)
    assert size(place) == alone
    assert tidied.bytes >= 2 * alone
    assert tidied.chunks == 2 * 2 * 4
    assert tidied.failed == 0
    assert tidied.postponed is None
    assert written(open_repository(place)) == [0, 1, 2, 3]
    assert len(messages(repository)) < 14
    write(repository, place, 3)
    assert written(repository) == [0, 1, 2, 3]


def test_what_is_young_is_spared_by_default(place: Place) -> None:
    repository = lay_out(place, 4)
    for _ in range(2):
        rewrite(repository, place, range(4))
    before, history = size(place), messages(repository)
    pause(place)
    tidied = tidy(repository, place)
    assert (tidied.snapshots, tidied.chunks) == (0, 0)
    assert size(place) == before
    assert messages(repository) == history


def test_dry_run_removes_nothing(place: Place) -> None:
    repository = lay_out(place, 4)
    with pytest.raises(RuntimeError), committed(repository, place, "main", "given up") as pending:  # noqa: PT012
        zarr.open_array(pending.session.store, path="field")[1] = block(1)
        raise RuntimeError
    before = size(place)
    pause(place)
    assert tidy(repository, place, dry_run=True, **AT_ONCE).chunks == 1
    assert size(place) == before == 4 * CELLS
    assert tidy(repository, place, **AT_ONCE).chunks == 1
    assert size(place) == 0


def test_uncommitted_chunks_of_a_writer_survive_and_its_commit_succeeds(place: Place) -> None:
    repository, other = lay_out(place, 4), open_repository(place)
    with committed(repository, place, "main", "slow") as pending:
        group = zarr.open_group(pending.session.store, mode="r+")
        group["field"][1] = block(1)  # type: ignore[index]
        pause(place)
        (holder,) = tidy(other, place, **AT_ONCE).holders
        assert holder.snapshot is None
        group["twice"][1] = 2 * block(1)  # type: ignore[index]
        tidy(other, place, **AT_ONCE)
    assert written(open_repository(place)) == [1]
    assert holders(place) == []


def test_without_the_lease_the_same_chunks_are_taken(place: Place) -> None:
    """What the tests above would see if leases did nothing."""
    repository = lay_out(place, 4)
    session = repository.writable_session("main")
    zarr.open_array(session.store, path="field")[1] = block(1)
    pause(place)
    assert tidy(repository, place, **AT_ONCE).chunks == 1


def test_reader_that_opened_before_reads_everything_after(place: Place) -> None:
    repository = lay_out(place, 4)
    rewrite(repository, place, range(3))
    opened = zarr.open_group(open_repository(place).readonly_session("main").store, mode="r")
    pause(place)
    # It was the newest until after this moment, however old it may be itself.
    spared = clock(place)
    pause(place)
    rewrite(repository, place, range(4))
    tidied = tidy(repository, place, minimum_age=clock(place) - spared, margin=timedelta(0))
    for number in range(3):
        assert np.array_equal(opened["field"][number], block(number))  # type: ignore[index]
    assert tidied.snapshots >= 1, "what came before has expired"
    pause(place)
    tidy(repository, place, **AT_ONCE)
    with pytest.raises(icechunk.IcechunkError):
        opened["field"][0]  # type: ignore[index]


def test_reader_with_a_lease_keeps_an_old_snapshot(place: Place) -> None:
    repository = lay_out(place, 4)
    rewrite(repository, place, range(2))
    old = repository.lookup_branch("main")
    rewrite(repository, place, range(4))
    with hold(place, old):
        pause(place)
        tidied = tidy(repository, place, **AT_ONCE)
        assert [holder.snapshot for holder in tidied.holders] == [old]
        assert written(open_repository(place), snapshot=old) == [0, 1]
    before = size(place)
    pause(place)
    assert tidy(repository, place, **AT_ONCE).chunks == 2 * 2
    assert size(place) < before
    assert written(open_repository(place)) == [0, 1, 2, 3]


def test_tags_keep_everything(place: Place) -> None:
    repository = lay_out(place, 4)
    rewrite(repository, place, range(2))
    repository.create_tag("v1", repository.lookup_branch("main"))
    rewrite(repository, place, range(4))
    pause(place)
    tidy(repository, place, **AT_ONCE)
    assert written(repository, snapshot=repository.lookup_tag("v1")) == [0, 1]
    assert written(repository) == [0, 1, 2, 3]


@pytest.mark.parametrize("how", ["moved", "deleted"])
def test_branch_that_was_moved_away_postpones_the_collection(tmp_path: Path, how: str) -> None:
    place = resolve(tmp_path / "release")
    repository = lay_out(place, 4)
    start = repository.lookup_branch("main")
    rewrite(repository, place, range(3))
    lost = repository.lookup_branch("main")
    pause(place)
    before = clock(place)
    pause(place)
    if how == "deleted":
        repository.create_branch("quality", lost)
        repository.reset_branch("main", start)
        repository.delete_branch("quality")
    else:
        repository.reset_branch("main", start)
    write(repository, place, 3)
    tidied = tidy(repository, place, minimum_age=clock(place) - before, margin=timedelta(0))
    assert tidied.postponed is not None
    name = "'quality' was moved or deleted" if how == "deleted" else "'main' was moved or deleted"
    assert tidied.postponed.startswith(f"The branch {name}")
    assert tidied.chunks == 0
    assert written(repository, snapshot=lost) == [0, 1, 2]
    tidied = tidy(repository, place, **AT_ONCE)
    assert tidied.postponed is None
    assert tidied.chunks == 2 * 3


def test_moving_a_branch_forward_postpones_nothing(tmp_path: Path) -> None:
    place = resolve(tmp_path / "release")
    repository = lay_out(place, 4)
    repository.create_branch("quality", repository.lookup_branch("main"))
    with committed(repository, place, "quality", "one") as pending:
        zarr.open_array(pending.session.store, path="field")[1] = block(1)
    assert pending.snapshot is not None
    repository.reset_branch("main", pending.snapshot)
    assert tidy(repository, place, margin=timedelta(0)).postponed is None


def test_the_old_tip_of_a_branch_that_was_moved_forward_is_kept_for_those_who_opened_it(tmp_path: Path) -> None:
    """A release is published by moving its branch from version to version, over the days that were packed between."""
    place = resolve(tmp_path / "release")
    repository = lay_out(place, 4)
    rewrite(repository, place, range(2))
    old = repository.lookup_branch("main")
    repository.create_branch("quality", old)
    for _ in range(3):
        with committed(repository, place, "quality", "replaced") as pending:
            group = zarr.open_group(pending.session.store, mode="r+")
            group["field"][0] = 5 * block(1)  # type: ignore[index]
    pause(place)
    before = clock(place)
    pause(place)
    assert pending.snapshot is not None
    repository.reset_branch("main", pending.snapshot)
    for _ in range(2):
        # The second finds what the first left.
        tidied = tidy(repository, place, minimum_age=clock(place) - before, margin=timedelta(0))
        assert tidied.postponed is None
        assert written(repository, snapshot=old) == [0, 1], "it was the tip within the minimum age"
        pause(place)
    tidied = tidy(repository, place, **AT_ONCE)
    assert tidied.postponed is None
    assert tidied.chunks == 3, "twice what was replaced between, and the first values"
    assert np.array_equal(
        zarr.open_group(repository.readonly_session("main").store, mode="r")["field"][0], 5 * block(1)
    )


def test_all_that_anything_leads_to_stays_and_all_else_goes(tmp_path: Path) -> None:
    """Versions, branches, readers with leases and the tips of this moment; everything else is given back."""
    place = resolve(tmp_path / "release")
    repository = lay_out(place, 4)
    kept: dict[str, np.ndarray] = {}

    def state(value: float) -> str:
        with committed(repository, place, "main", str(value)) as pending:
            zarr.open_group(pending.session.store, mode="r+")["field"][0] = value * block(1)  # type: ignore[index]
        assert pending.snapshot is not None
        return pending.snapshot

    def remember(snapshot: str, value: float) -> None:
        kept[snapshot] = value * block(1)

    states = [state(value) for value in range(2, 9)]
    repository.create_tag("v1", states[1])
    remember(states[1], 3)
    repository.create_branch("side", states[3])
    remember(states[6], 8)
    with committed(repository, place, "side", "of its own") as pending:
        zarr.open_group(pending.session.store, mode="r+")["field"][0] = 20 * block(1)  # type: ignore[index]
    assert pending.snapshot is not None
    remember(pending.snapshot, 20)
    pause(place)
    with hold(place, states[5]):
        remember(states[5], 7)
        tidy(repository, place, **AT_ONCE)
        for snapshot, values in kept.items():
            group = zarr.open_group(open_repository(place).readonly_session(snapshot_id=snapshot).store, mode="r")
            assert np.array_equal(group["field"][0], values)  # type: ignore[index]
    del kept[states[5]]
    pause(place)
    tidy(repository, place, **AT_ONCE)
    for snapshot, values in kept.items():
        group = zarr.open_group(open_repository(place).readonly_session(snapshot_id=snapshot).store, mode="r")
        assert np.array_equal(group["field"][0], values)  # type: ignore[index]
    assert size(place) == len(kept) * 4 * CELLS, "one chunk for each state that something leads to"


def lease_of_another(place: Place) -> subprocess.Popen[str]:
    program = (
        "import sys, time; from pathlib import Path; from kaiseki.archive.release.leases import hold; "
        "from kaiseki.archive.store.storage import resolve; lease = hold(resolve(Path(sys.argv[1]))); "
        "print('held', flush=True); time.sleep(100)"
    )
    command = [sys.executable, "-W", "ignore", "-c", program, place.where]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    assert process.stdout.readline() == "held\n"
    return process


def test_lease_of_a_killed_process_holds_nothing_and_that_of_one_that_stands_still_does(tmp_path: Path) -> None:
    place = resolve(tmp_path / "release")
    (tmp_path / "release").mkdir()
    process = lease_of_another(place)
    try:
        process.send_signal(signal.SIGSTOP)
        (holder,) = holders(place)
        assert f"process {process.pid} on " in holder.words
    finally:
        process.kill()
        process.communicate()
    assert holders(place) == []
    assert list((tmp_path / "release" / leases.FOLDER).iterdir()) == []


def test_lease_that_was_lost_lets_nothing_be_committed(tmp_path: Path) -> None:
    place = resolve(tmp_path / "release")
    repository = lay_out(place, 4)
    lost = pytest.raises(StoreError, match=r"^The lease on .* was lost, .* nothing was committed, write it again")
    with lost, committed(repository, place, "main", "late") as pending:
        zarr.open_array(pending.session.store, path="field")[1] = block(1)
        for path in (tmp_path / "release" / leases.FOLDER).iterdir():
            path.unlink()
    assert messages(repository)[0] == "layout"


@contextmanager
def frozen_renewal(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Leases whose threads do not renew them, as of a machine that was suspended."""
    with monkeypatch.context() as patch:
        patch.setattr(leases._ObjectLease, "_renew", lambda _: None)
        yield


def test_lease_in_s3_that_is_not_renewed_ends_and_is_not_given_back(s3: str, monkeypatch: pytest.MonkeyPatch) -> None:
    place = resolve(new_bucket(s3), options(s3))
    with frozen_renewal(monkeypatch):
        lease = hold(place, life=timedelta(seconds=2))
    assert len(holders(place)) == 1
    lease.check()
    time.sleep(4.0)
    assert holders(place) == []
    for _ in range(2):
        with pytest.raises(StoreError, match="was lost"):
            lease.check()
    lease.release()
    assert Objects(place).list(leases.FOLDER) == []


def test_lease_in_s3_is_renewed_and_keeps_its_beginning(s3: str) -> None:
    place = resolve(new_bucket(s3), options(s3))
    with hold(place, life=timedelta(seconds=3)) as lease:
        (first,) = holders(place)
        time.sleep(5.0)
        (later,) = holders(place)
        lease.check()
    assert first.since == later.since
    assert holders(place) == []
    lease.release()


def test_store_without_leases_takes_no_short_ages() -> None:
    storage = icechunk.in_memory_storage()
    place = resolve(storage)
    repository = lay_out(place, 4)
    write(repository, place, 1)
    with pytest.raises(StoreError, match="has no leases"):
        tidy(repository, place, minimum_age=timedelta(hours=1))
    assert tidy(repository, place).chunks == 0


@pytest.mark.parametrize("make", [lambda place: hold(place), lambda place: clock(place)])
def test_directory_that_cannot_be_written_is_one_sentence(tmp_path: Path, make: Callable[[Place], object]) -> None:
    (tmp_path / leases.FOLDER).write_text("in the way")
    with pytest.raises(StoreError, match=r"^The folder leases of .* cannot be written: "):
        make(resolve(tmp_path))
