"""kill -9 of a writer at any moment: readers see whole commits, and the next writer goes on.

What can go wrong:
- a reader sees a part of a commit, or a commit that was seen is gone;
- a lock or lease of the dead keeps the living from writing;
- the store at the end differs from an undisturbed one;
- the frame of the test itself kills nobody, or does not notice what is wrong.
"""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import zarr

from archive.release.killing import kill_often, work_through
from archive.release.writers import lay_out, messages, start, written
from kaiseki.archive.release.leases import holders
from kaiseki.archive.store.storage import open_repository, resolve

TIMES = 24


def every_value(path: Path) -> dict[str, np.ndarray]:
    group = zarr.open_group(open_repository(resolve(path)).readonly_session("main").store, mode="r")
    return {name: np.asarray(array[:]) for name, array in group.arrays()}


@pytest.mark.parametrize("kills", [3, pytest.param(50, marks=pytest.mark.slow)])
def test_killed_writers_leave_whole_commits_and_the_end_is_that_of_one_undisturbed(tmp_path: Path, kills: int) -> None:
    whole, path = tmp_path / "whole", tmp_path / "release"
    for place in (whole, path):
        lay_out(resolve(place), TIMES)
    longest = work_through(lambda: start(str(whole), None, 0, TIMES))

    def check() -> list[int]:
        repository = open_repository(resolve(path))
        seen = written(repository)
        assert seen == list(range(len(seen)))
        assert len(messages(repository)) == len(seen) + 2
        assert holders(resolve(path)) == []
        return seen

    def again() -> None:
        shutil.rmtree(path)
        lay_out(resolve(path), TIMES)

    outcome = kill_often(
        lambda: start(str(path), None, 0, TIMES), check, kills=kills, seed=15, longest=longest, again=again
    )
    assert sum(map(len, outcome.seen)) == kills
    for seen in outcome.seen:
        assert [len(times) for times in seen] == sorted(len(times) for times in seen), "what was seen stays"
    assert any(0 < len(times) < TIMES for seen in outcome.seen for times in seen), "some were killed in their work"
    assert check() == list(range(TIMES))
    values, expected = every_value(path), every_value(whole)
    assert values.keys() == expected.keys()
    assert all(np.array_equal(values[name], expected[name]) for name in values)


def program(text: str) -> subprocess.Popen[str]:
    command = [sys.executable, "-c", text]
    return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


def test_frame_tells_of_a_writer_that_fails_and_of_one_that_is_too_fast() -> None:
    with pytest.raises(AssertionError, match=r"before its first line: .*no such thing"):
        kill_often(lambda: program("raise SystemExit('no such thing')"), int, kills=1, seed=1, longest=1.0)
    with pytest.raises(AssertionError, match="failed midway"):
        kill_often(
            lambda: program("print(1, flush=True); raise SystemExit('failed midway')"),
            int,
            kills=1,
            seed=1,
            longest=99.0,
        )
    with pytest.raises(AssertionError, match="the work was done after 0 kills of 1"):
        kill_often(lambda: program("print(1, flush=True)"), int, kills=1, seed=1, longest=99.0)


def test_frame_passes_on_what_the_reader_finds_wrong() -> None:
    def check() -> None:
        raise AssertionError("half a day")

    with pytest.raises(AssertionError, match="half a day"):
        kill_often(
            lambda: program("import time; print(1, flush=True); time.sleep(99)"), check, kills=1, seed=1, longest=0.1
        )
