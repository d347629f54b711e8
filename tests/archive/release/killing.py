"""Writers killed (SIGKILL) at random moments: the frame of such tests, whatever the writer does.

    outcome = kill_often(start, check, kills=50, seed=1)

`start` begins a writer as a process that prints a line when it is about to write, goes on where the one before was
killed, and ends with 0 when all is done. `check` is called after each kill, looks at what is there as a reader would,
raises AssertionError if it is not as it should be, and returns what it saw.
"""

from __future__ import annotations

import subprocess
import time
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

Start = Callable[[], subprocess.Popen[str]]


@dataclass(frozen=True)
class Outcome[T]:
    """What came of it.

    Attributes:
        seen: answers of `check` after each kill, in order, in a list for each piece of work begun anew.
        ended: number of writers that were done before their time to be killed had come.
    """

    seen: list[list[T]]
    ended: int


def work_through(start: Start) -> float:
    """Let a writer do its work to the end; returns the time from its first line to its end [s]."""
    process = start()
    _wait_for_line(process)
    begun = time.monotonic()
    _, error = process.communicate(timeout=600)
    assert process.returncode == 0, error
    return time.monotonic() - begun


def kill_often[T](
    start: Start,
    check: Callable[[], T],
    *,
    kills: int,
    seed: int,
    longest: float,
    again: Callable[[], None] | None = None,
) -> Outcome[T]:
    """Kill writers at random moments, look each time, and let the last one come to its end.

    Args:
        start: a writer that goes on.
        check: a reader.
        kills: number of writers to kill.
        seed: of the random moments.
        longest: latest moment after the first line of a writer [s], as `work_through` tells of the whole work.
        again: puts everything back to the beginning after a writer has come to its end before all kills; without it
            this is an error.

    Returns:
        What the reader saw; afterwards the work is complete.
    """
    generator = np.random.default_rng(seed)
    seen: list[list[T]] = [[]]
    ended = 0
    while sum(map(len, seen)) < kills:
        process = start()
        _wait_for_line(process)
        try:
            process.communicate(timeout=float(generator.uniform(0.0, longest)))
        except subprocess.TimeoutExpired:
            process.kill()
        _, error = process.communicate()
        if process.returncode == 0:
            assert again is not None, f"the work was done after {sum(map(len, seen))} kills of {kills}"
            ended += 1
            check()
            again()
            seen.append([])
            continue
        assert process.returncode == -9, error
        seen[-1].append(check())
    work_through(start)
    return Outcome(seen, ended)


def _wait_for_line(process: subprocess.Popen[str]) -> None:
    assert process.stdout is not None
    if not process.stdout.readline():
        _, error = process.communicate(timeout=60)
        raise AssertionError(f"the writer ended before its first line: {error}")
