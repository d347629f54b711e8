"""The watch and the tables of the ten-day study, by hand: which cycle belongs to which day, what is compared."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from kaiseki.verification.run import Judgement
from report import synthetic
from validation import ten_days


def test_days_begin_after_the_cold_start() -> None:
    """With 3-h windows the cycles at work on day 2 are those while 9 to 16 are complete."""
    memory = {0: 900.0, **{number: 100.0 + number for number in range(1, 18)}}
    first, second, third = ten_days.by_day(memory, 8, 3, max)
    assert (first, second, third) == (108.0, 116.0, 117.0)
    disk = {number: 10.0 * number for number in range(1, 18)}
    assert ten_days.added(disk, 8, 2) == [80.0, 80.0]
    assert ten_days.ratio([900.0, 100.0, 105.0]) == pytest.approx(1.05)
    assert ten_days.ratio([1.0, 2.0]) is None


def test_the_memory_of_a_process_is_seen_and_nought_after_its_end() -> None:
    held = "block = bytearray(64 * 2**20); print(len(block), flush=True); input()"
    process = subprocess.Popen([sys.executable, "-c", held], stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    try:
        assert process.stdout is not None
        process.stdout.readline()
        assert 64.0 < ten_days.memory_of(process.pid) < 200.0
    finally:
        process.send_signal(signal.SIGKILL)
        process.communicate()
    assert ten_days.memory_of(process.pid) == 0.0
    assert ten_days.memory_of(os.getpid()) > 10.0


def test_one_changed_value_is_found(twin: Path, tmp_path: Path) -> None:
    """A run equals itself; another seed of observations does not."""
    cycles = 2
    assert ten_days.differences(twin, twin, cycles) == []
    other = tmp_path / "other"
    synthetic.make_run(other, seed=4)
    wrong = ten_days.differences(twin, other, cycles)
    assert wrong
    assert all("observations" in one for one in wrong)


def test_the_table_pools_days_and_counts_those_that_are_worse(judged: Judgement) -> None:
    table = ten_days.table_of(judged.distance_rows)
    assert {row["distance"] for row in table} <= set(ten_days.CLASSES)
    for row in table:
        chosen = [
            one
            for one in judged.distance_rows
            if one["experiment"] == "free_run"
            and one["against"] == "truth"
            and all(one[name] == row[name] for name in ("variable", "level", "distance"))
        ]
        sums = sum(one["n"] * one["rms"] ** 2 for one in chosen) / sum(one["n"] for one in chosen)
        assert row["free_run"] == pytest.approx(np.sqrt(sums))
        assert row["days_worse"] == 0  # the analysis of the synthetic run is the better one by construction
