"""Commits of several writers into one repository: none is lost, none is seen in part.

What can go wrong:
- two processes commit at the same moment and one of the two commits is gone without an error;
- a reader sees a part of a commit;
- a conflict that cannot be resolved leaves something behind, or takes the other writer's data away;
- the answer to a commit is lost and the commit is made twice, or called a failure;
- the clock of a writer is behind that of the writer before, or is set back.
"""

from __future__ import annotations

import shutil
import threading
from pathlib import Path
from typing import Any

import icechunk
import pytest
import zarr

from archive.release.proxy import proxied
from archive.release.servers import new_bucket, options
from archive.release.writers import block, lay_out, messages, start, write, written
from kaiseki.archive.release.commits import CommitPolicy, commit, commit_lock, committed
from kaiseki.archive.release.leases import holders
from kaiseki.archive.store.storage import LOCK_NAME, Place, open_repository, resolve
from kaiseki.core.errors import StoreError
from kaiseki.core.lock import WriterLock


@pytest.fixture
def place(tmp_path: Path) -> Place:
    return resolve(tmp_path / "release")


def four_writers(location: str, given: dict[str, Any] | None, count: int) -> None:
    """Four processes write disjoint times while this one reads; then everything is there."""
    place = resolve(location, given)
    repository = lay_out(place, 4 * count)
    processes = [start(location, given, first * count, count) for first in range(4)]
    answers: list[tuple[str, str]] = []
    waiting = threading.Thread(target=lambda: answers.extend(each.communicate(timeout=240) for each in processes))
    waiting.start()
    seen = [written(repository)]
    while waiting.is_alive():
        seen.append(written(open_repository(place)))
        assert set(seen[-2]) <= set(seen[-1]), "what a reader has seen stays"
    waiting.join()
    assert [(each.returncode, error) for each, (_, error) in zip(processes, answers, strict=True)] == [(0, "")] * 4
    assert written(open_repository(place)) == list(range(4 * count))
    commits = messages(repository)
    assert sorted(commits[:-2]) == sorted(f"{count * (time // count)} {time}" for time in range(4 * count))
    assert any(0 < len(times) < 4 * count for times in seen), "a reader looked while they were writing"


def test_four_writers_in_a_directory_lose_nothing(tmp_path: Path) -> None:
    four_writers(str(tmp_path / "release"), None, 12)
    assert holders(resolve(tmp_path / "release")) == []
    assert (tmp_path / "release" / LOCK_NAME).exists()


def test_four_writers_in_s3_lose_nothing(s3: str) -> None:
    location = new_bucket(s3)
    four_writers(location, options(s3), 4)
    assert holders(resolve(location, options(s3))) == []


def test_error_in_the_block_keeps_nothing(place: Place) -> None:
    repository = lay_out(place, 4)
    with pytest.raises(RuntimeError, match="stop"), committed(repository, place, "main", "half") as pending:  # noqa: PT012
        zarr.open_array(pending.session.store, path="field")[1] = block(1)
        raise RuntimeError("stop")
    assert pending.snapshot is None
    assert messages(repository)[0] == "layout"
    assert written(repository) == []
    assert holders(place) == []


def test_metadata_is_kept_with_the_snapshot(place: Place) -> None:
    repository = lay_out(place, 4)
    with committed(repository, place, "main", "one", metadata={"stream": "a"}) as pending:
        zarr.open_array(pending.session.store, path="field")[1] = block(1)
        pending.metadata["days"] = ["2020-01-01"]
    info = next(iter(repository.ancestry(branch="main")))
    assert info.id == pending.snapshot
    assert {name: info.metadata[name] for name in ("stream", "days")} == {"stream": "a", "days": ["2020-01-01"]}


def test_same_chunk_by_two_writers_is_one_sentence_and_the_first_stays(place: Place) -> None:
    repository = lay_out(place, 4)
    other = open_repository(place)
    here = r"^Another writer changed the same part of .* \(/field, chunk double update at \(2, 0\), and 1 more\)"
    with pytest.raises(StoreError, match=here), committed(repository, place, "main", "late") as pending:  # noqa: PT012
        group = zarr.open_group(pending.session.store, mode="r+")
        for name in ("field", "twice"):
            group[name][2] = 7  # type: ignore[index]
        write(other, place, 2)
    assert messages(repository)[0] == "writer 2"
    assert written(repository) == [2]
    write(repository, place, 3)
    assert written(repository) == [2, 3]


def test_writers_that_never_come_to_an_end_are_told_after_the_last_trial(
    place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    repository, other = lay_out(place, 90), open_repository(place)
    rebase, times = icechunk.Session.rebase, iter(range(10, 90))

    def rebase_and_be_overtaken(session: icechunk.Session, solver: icechunk.ConflictSolver) -> None:
        rebase(session, solver)
        faster = other.writable_session("main")
        zarr.open_array(faster.store, path="field")[next(times)] = 1
        faster.commit("faster")

    monkeypatch.setattr(icechunk.Session, "rebase", rebase_and_be_overtaken)
    late, faster = (each.writable_session("main") for each in (repository, other))
    zarr.open_array(late.store, path="field")[2] = 7
    zarr.open_array(faster.store, path="field")[3] = 1
    faster.commit("faster")
    with pytest.raises(StoreError, match=r"at each of 3 trials, so 'late' was not committed"):
        commit(repository, place, late, "late", policy=CommitPolicy(tries=3, pause=0.001))
    assert messages(repository)[:-2] == ["faster"] * 3


def test_lock_that_is_held_is_waited_for(place: Place) -> None:
    repository = lay_out(place, 4)
    holder = commit_lock(place)
    assert isinstance(holder, WriterLock)
    release = threading.Timer(0.3, holder.release)
    release.start()
    write(repository, place, 1)
    release.join()
    held, policy = r"is being written by process .* and still is after", CommitPolicy(patience=0.05)
    with (
        commit_lock(place),
        pytest.raises(StoreError, match=held),
        committed(repository, place, "main", "late", policy=policy) as pending,
    ):
        zarr.open_array(pending.session.store, path="field")[2] = 7
    assert written(repository) == [1]


@pytest.mark.parametrize("times_lost", [1, 1000])
def test_commit_whose_answer_was_lost_is_made_once(s3: str, times_lost: int) -> None:
    location = new_bucket(s3)
    lay_out(resolve(location, options(s3)), 4)
    count = 0

    def lost(method: str, path: str) -> bool:
        nonlocal count
        count += method == "PUT" and path.split("?")[0].endswith("/repo")
        return method == "PUT" and path.split("?")[0].endswith("/repo") and count <= times_lost

    with proxied(s3, lost=lost) as proxy:
        place = resolve(location, options(proxy.address))
        # Few trials of Icechunk's own, so that it gives up soon.
        retries = icechunk.StorageRetriesSettings(max_tries=2, initial_backoff_ms=10, max_backoff_ms=20)
        config = icechunk.RepositoryConfig(storage=icechunk.StorageSettings(retries=retries))
        repository = icechunk.Repository.open(place.storage, config)
        snapshot = write(repository, place, 1)
    assert count >= 1
    seen = open_repository(resolve(location, options(s3)))
    assert messages(seen) == ["writer 1", "layout", "Repository initialized"]
    assert seen.lookup_branch("main") == snapshot
    assert written(seen) == [1]


def faketime(offset: str) -> tuple[str, ...]:
    if shutil.which("faketime") is None:
        pytest.skip("no faketime: the clock of a process cannot be set")
    return ("faketime", "-f", offset)


@pytest.mark.parametrize(
    ("offset", "reason"),
    [("-3m", "is behind the newest commit of"), ("+2h", "is more than ten minutes from that of")],
)
def test_wrong_clock_is_one_sentence_and_keeps_nothing(place: Place, offset: str, reason: str) -> None:
    repository = lay_out(place, 4)
    write(repository, place, 0)
    process = start(place.where, None, 1, 1, *faketime(offset))
    _, error = process.communicate(timeout=120)
    assert process.returncode == 1
    last = error.strip().splitlines()[-1]
    assert last.startswith("kaiseki.core.errors.StoreError: The clock of this machine (")
    assert reason in last
    assert messages(repository)[0] == "writer 0"
    assert written(repository) == [0]
    write(repository, place, 2)
    assert written(repository) == [0, 2]


def test_clock_a_little_behind_is_waited_for(place: Place) -> None:
    repository = lay_out(place, 4)
    process = start(place.where, None, 1, 1, *faketime("-5s"))
    write(repository, place, 0)
    _, error = process.communicate(timeout=120)
    assert process.returncode == 0, error
    assert written(repository) == [0, 1]
