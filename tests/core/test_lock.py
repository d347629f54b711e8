"""One writer at a time on a local directory; conflicting commits elsewhere are refused, never lost."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
from pathlib import Path

import icechunk
import pytest

from archive import contender
from archive.runs import create, cycle_times, every_array, same_values, whole_run, write_cycle
from kaiseki.archive import RunStore
from kaiseki.core import lock, progress
from kaiseki.core.errors import StoreError
from kaiseki.core.file_system import FileSystem
from kaiseki.core.lock import WriterLock


def start(path: Path, *arguments: str) -> subprocess.Popen[str]:
    environment = {"PYTHONPATH": str(Path(contender.__file__).parent.parent)}
    command = [sys.executable, contender.__file__, str(path), *arguments]
    return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=environment)


def test_second_writer_is_told_who_holds_the_store_and_a_killed_holder_holds_nothing(tmp_path: Path) -> None:
    create(tmp_path / "run", 2).close()
    holder = start(tmp_path / "run", "hold")
    try:
        assert holder.stdout is not None
        assert holder.stdout.readline() == "held\n"
        with pytest.raises(StoreError, match=f"is being written by process {holder.pid} on "):
            RunStore.open(tmp_path / "run")
        with pytest.raises(StoreError, match=f"is being written by process {holder.pid} on "):
            create(tmp_path / "run", 2)
        assert RunStore.open(tmp_path / "run", "r").completed_cycles().size == 0, "readers need no lock"
    finally:
        holder.send_signal(signal.SIGKILL)
        holder.communicate()
    with RunStore.open(tmp_path / "run") as store:
        write_cycle(store, 0)


def test_two_processes_that_want_the_store_lose_no_commit(tmp_path: Path) -> None:
    cycles = 5
    create(tmp_path / "run", cycles).close()
    writers = [start(tmp_path / "run") for _ in range(2)]
    answers = [writer.communicate(timeout=120) for writer in writers]
    assert [error for _, error in answers] == ["", ""]
    written = [int(text.split()[0]) for text, _ in answers]
    assert sum(written) == cycles + 1
    whole_run(tmp_path / "whole", cycles)
    together, alone = (RunStore.open(tmp_path / name, "r") for name in ("run", "whole"))
    assert together.commits() == alone.commits()
    assert same_values(every_array(together.root()), every_array(alone.root()))


def test_the_same_process_cannot_open_for_writing_twice(tmp_path: Path) -> None:
    with create(tmp_path / "run", 1), pytest.raises(StoreError, match="is being written by process"):
        RunStore.open(tmp_path / "run")
    RunStore.open(tmp_path / "run").close()


def test_lock_without_a_readable_holder(tmp_path: Path) -> None:
    with WriterLock(tmp_path / "lock", "The store"):
        (tmp_path / "lock").write_text("{")
        with pytest.raises(StoreError, match="The store is being written by another process; wait"):
            WriterLock(tmp_path / "lock", "The store")


def test_lock_in_a_place_that_cannot_be_written(tmp_path: Path) -> None:
    with pytest.raises(StoreError, match="could not be made: No such file"):
        WriterLock(tmp_path / "absent" / "lock", "The store")


def test_lock_that_comes_free_in_time_is_waited_for_with_a_line_to_the_user(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(lock, "LINE_INTERVAL", 0.05)
    token = progress._mode.set(progress.Mode.LINES)
    held = WriterLock(tmp_path / "lock", "The store")
    release = threading.Timer(0.4, held.release)
    release.start()
    with WriterLock(tmp_path / "lock", "The store", patience=60.0):
        release.join()
    progress._mode.reset(token)
    assert f"Waiting for The store, which is being written by process {os.getpid()} on " in capsys.readouterr().err


def test_patience_ends_in_one_sentence(tmp_path: Path) -> None:
    with (
        WriterLock(tmp_path / "lock", "The store"),
        pytest.raises(StoreError, match=r"by process .* and still is after 0 s; wait for it or stop it"),
    ):
        WriterLock(tmp_path / "lock", "The store", patience=0.1)


@pytest.mark.parametrize("kind", ["ext4", "fuse.sshfs"])
def test_file_of_another_machine_is_refused_where_locks_do_not_leave_the_machine(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, kind: str
) -> None:
    path = tmp_path / "lock"
    path.write_text(json.dumps({"pid": 1, "host": "elsewhere", "since": "then"}))
    monkeypatch.setattr(lock, "file_system_of", lambda _: FileSystem(tmp_path, kind, frozenset()))
    if kind == "ext4":
        WriterLock(path, "The store").release()
        return
    for _ in range(2):
        with pytest.raises(StoreError, match=r"was last written on elsewhere, .* \(fuse.sshfs at .* or remove .*lock"):
            WriterLock(path, "The store")
    path.unlink()
    WriterLock(path, "The store").release()
    WriterLock(path, "The store").release()


def test_where_commits_are_conditional_the_slower_writer_is_refused_and_nothing_is_lost() -> None:
    storage = icechunk.in_memory_storage()
    first = create(storage, 2)
    second = RunStore.open(storage)
    with pytest.raises(StoreError, match="changed by another writer"), second.cycle(cycle_times(2)[0]) as slow:  # noqa: PT012
        write_cycle(first, 0)
        slow.write_diagnostics({"who": "second"})
    assert second.read_diagnostics(cycle_times(2)[0])["number"] == 0
    write_cycle(second, 1)
    assert first.completed_cycles().size == 2
