"""Run as a program by the tests: writers that are killed, and writers that find the disk full.

Every writer and checker is a fork of this process, which imports all that is slow to import but never the storage
library, whose threads would not live through a fork. The answer is one line of JSON on standard output.
"""

from __future__ import annotations

import json
import os
import resource
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pyarrow.parquet
import xarray
import zarr.codecs

import kaiseki.core.variables
import kaiseki.grid
from kaiseki.core.errors import KaisekiError

PRELOADED = (pyarrow.parquet, xarray, zarr.codecs, kaiseki.core.variables, kaiseki.grid)

NOT_THERE = 200
"""Answer of a checker where no store exists yet."""


def go_on(path: Path, cycles: int) -> None:
    """Begin or resume the run and take it to its end."""
    from archive.runs import create, write_cycle
    from kaiseki.archive import RunStore

    with RunStore.open(path) if RunStore.exists(path) else create(path, cycles) as store:
        for number in range(store.completed_cycles().size, cycles + 1):
            write_cycle(store, number)


def check(path: Path, cycles: int) -> int:
    """Number of complete cycles, after everything in the store was found to be of whole cycles."""
    from archive.runs import cycle_times, every_array, restart, table
    from kaiseki.archive import RunStore

    if not RunStore.exists(path):
        return NOT_THERE
    store = RunStore.open(path, "r")
    done = store.completed_cycles().size
    root = store.root()
    for group, last in (("analysis", done), ("forecast", max(0, 3 * done - 2))):
        owners = every_array(root)[f"/{group}/cycle"]
        assert np.all(owners[:last] >= 0), f"{group} misses a time of a complete cycle"
        assert np.all(owners[last:] == -1), f"{group} shows a time of a cycle that is not complete"
    for number in range(done):
        seen = store.read_observations(cycle_times(cycles)[number])
        assert seen is not None
        assert seen.drop_columns("analysis_departure").equals(table(number).drop_columns("analysis_departure"))
    if done:
        state, expected = store.read_restart(), restart(done - 1)
        assert state["time"] == expected["time"]
        assert np.array_equal(state["state"]["theta"], expected["state"]["theta"])
    return done


def fork(work: Callable[[], int | None]) -> int:
    """A child that does this and leaves with its answer; 255 after an unexpected error."""
    child = os.fork()
    if child:
        return child
    code = 255
    try:
        code = work() or 0
    except BaseException as error:
        print(f"{type(error).__name__}: {error}", file=sys.stderr, flush=True)
        if isinstance(error, KaisekiError):
            code = 100 + error.exit_code
    finally:
        os._exit(code)


def answer(work: Callable[[], int | None]) -> int:
    """What a child answers."""
    return os.waitstatus_to_exitcode(os.waitpid(fork(work), 0)[1])


def kill_often(folder: Path, cycles: int, kills: int) -> dict[str, object]:
    """Kill writers at random times, look at the store each time, resume; a finished run is followed by another."""
    generator = np.random.default_rng(7)
    begun = time.monotonic()
    assert answer(lambda: go_on(folder / "whole", cycles)) == 0
    longest = time.monotonic() - begun
    seen: list[list[int]] = [[]]
    same: list[int] = []
    while sum(map(len, seen)) < kills:
        path = folder / str(len(seen))
        writer = fork(lambda path=path: go_on(path, cycles))  # type: ignore[misc]
        time.sleep(generator.uniform(0.2, 0.8) * longest)
        os.kill(writer, signal.SIGKILL)
        if os.waitstatus_to_exitcode(os.waitpid(writer, 0)[1]) == 0:
            same.append(answer(lambda path=path: compare(path, folder / "whole")))  # type: ignore[misc]
            seen.append([])
        else:
            seen[-1].append(answer(lambda path=path: check(path, cycles)))  # type: ignore[misc]
    path = folder / str(len(seen))
    end = answer(lambda: go_on(path, cycles))
    return {"seen": seen, "end": end, "same": [*same, answer(lambda: compare(path, folder / "whole"))]}


def compare(path: Path, other: Path) -> int:
    """0 if two stores have the same values in every array."""
    from archive.runs import every_array, same_values
    from kaiseki.archive import RunStore

    one, two = (every_array(RunStore.open(place, "r").root()) for place in (path, other))
    return 0 if same_values(one, two) else 1


def fill_disk(folder: Path, cycles: int, sizes: list[int]) -> dict[str, object]:
    """Runs on a small file system of these sizes [kB], each then given space and resumed."""
    path, answers = folder / "run", []
    for size in sizes:
        subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={size}k", "none", str(folder)], check=True)
        try:
            full = answer(lambda: go_on(path, cycles))
            before = answer(lambda: check(path, cycles))
            again = answer(lambda: go_on(path, cycles))
            subprocess.run(["mount", "-o", "remount,size=64m", str(folder)], check=True)
            after = answer(lambda: go_on(path, cycles))
            whole = answer(lambda: go_on(folder / "whole", cycles))
            same = answer(lambda: compare(path, folder / "whole"))
            answers.append({"full": full, "before": before, "again": again, "after": after, "same": same + whole})
        finally:
            subprocess.run(["umount", "-l", str(folder)], check=True)
    return {"answers": answers}


def limit_files(path: Path, cycles: int, sizes: list[int]) -> dict[str, object]:
    """Runs that may not write files larger than this [bytes]; each goes on without the limit afterwards."""

    def limited(size: int, place: Path) -> None:
        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        resource.setrlimit(resource.RLIMIT_FSIZE, (size, resource.RLIM_INFINITY))
        go_on(place, cycles)

    answers = []
    for size in sizes:
        place = path / str(size)
        limit = answer(lambda size=size, place=place: limited(size, place))  # type: ignore[misc]
        before = answer(lambda place=place: check(place, cycles))  # type: ignore[misc]
        after = answer(lambda place=place: go_on(place, cycles))  # type: ignore[misc]
        answers.append({"full": limit, "before": before, "after": after})
    return {"answers": answers}


if __name__ == "__main__":
    what, where, count = sys.argv[1], Path(sys.argv[2]), int(sys.argv[3])
    numbers = [int(text) for text in sys.argv[4:]]
    if what == "kill":
        print(json.dumps(kill_often(where, count, numbers[0])))
    elif what == "fill":
        print(json.dumps(fill_disk(where, count, numbers)))
    else:
        print(json.dumps(limit_files(where, count, numbers)))
