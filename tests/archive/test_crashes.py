"""kill -9 at any moment, a full disk, a limit of file size: whole cycles only, and the run goes on all the same."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from archive import crashes

CYCLES = 3


def answers_of(*arguments: str, prefix: tuple[str, ...] = ()) -> tuple[dict[str, Any], str]:
    """What `crashes.py` answers, and what its children said on standard error."""
    program = [sys.executable, "-W", "ignore", crashes.__file__]
    environment = {"PYTHONPATH": str(Path(crashes.__file__).parent.parent), "PATH": "/usr/sbin:/usr/bin:/sbin:/bin"}
    done = subprocess.run([*prefix, *program, *arguments], capture_output=True, text=True, env=environment, timeout=200)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout.splitlines()[-1]), done.stderr


@pytest.mark.parametrize("kills", [6, pytest.param(80, marks=pytest.mark.slow)])
def test_killed_at_random_moments_shows_whole_cycles_and_ends_like_the_uninterrupted_run(
    tmp_path: Path, kills: int
) -> None:
    result, words = answers_of("kill", str(tmp_path), str(CYCLES), str(kills))
    counts = [count for run in result["seen"] for count in run]
    assert len(counts) == kills
    assert all(count == crashes.NOT_THERE or count <= CYCLES + 1 for count in counts), words
    for run in result["seen"]:
        complete = [count for count in run if count != crashes.NOT_THERE]
        assert complete == sorted(complete)
    assert result["end"] == 0, words
    assert set(result["same"]) == {0}


def test_full_disk_is_one_sentence_and_leaves_the_archive_as_it_was(tmp_path: Path) -> None:
    user_space = ("unshare", "--map-root-user", "--mount")
    if shutil.which("unshare") is None:
        pytest.skip("no unshare: a small file system cannot be made")
    trial = subprocess.run(
        [*user_space, "mount", "-t", "tmpfs", "-o", "size=64k", "none", str(tmp_path)], capture_output=True, text=True
    )
    if trial.returncode:
        pytest.skip(f"a small file system cannot be mounted here: {trial.stderr.strip()}")
    result, words = answers_of("fill", str(tmp_path), str(CYCLES), "230", prefix=user_space)
    for outcome in result["answers"]:
        assert outcome["full"] == outcome["again"] == 106, words
        assert 1 <= outcome["before"] <= CYCLES, "the disk must become full in the middle of the run"
        assert outcome["after"] == outcome["same"] == 0, words
    lines = [line for line in words.splitlines() if line.strip()]
    assert len(lines) == 2 * len(result["answers"])
    assert all(line.startswith("ResourceError: The disk that holds ") for line in lines), words


def test_limit_of_file_size_is_one_sentence_and_the_run_goes_on_without_it(tmp_path: Path) -> None:
    result, words = answers_of("limit", str(tmp_path), str(CYCLES), "9000")
    (outcome,) = result["answers"]
    assert outcome["full"] == 106, words
    assert 1 <= outcome["before"] <= CYCLES
    assert outcome["after"] == 0, words
    assert "file size limit" in words
    assert len(words.splitlines()) == 1
