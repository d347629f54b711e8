"""Writers of disjoint stretches of time into one array, as functions and as a program.

As a program: writes its blocks one by one, each with a commit of its own, and goes on where it was left.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from contextlib import nullcontext
from pathlib import Path
from typing import Any

import icechunk
import numpy as np
import zarr

from kaiseki.archive.release import commits
from kaiseki.archive.release.commits import committed
from kaiseki.archive.store.storage import Place, configuration, open_repository, resolve

CELLS = 600
"""Values of a time: more than Icechunk keeps within a manifest, so that each time is an object."""


def lay_out(place: Place, times: int) -> icechunk.Repository:
    """A new repository with an array of fields and one that says which times are written."""
    if place.directory is not None:
        place.directory.mkdir(parents=True, exist_ok=True)
    repository = icechunk.Repository.create(place.storage, config=configuration())
    with committed(repository, place, "main", "layout") as pending:
        group = zarr.open_group(pending.session.store, mode="a")
        shared = {"chunks": (1, CELLS), "dtype": "int32", "fill_value": -1, "compressors": None}
        names = ("time", "cell")
        group.create_array("field", shape=(times, CELLS), dimension_names=names, **shared)
        group.create_array("twice", shape=(times, CELLS), dimension_names=names, **shared)
    return repository


def block(time: int) -> np.ndarray:
    """What is written at a time."""
    return (np.arange(CELLS) + 1000 * time).astype(np.int32)


def write(repository: icechunk.Repository, place: Place, time: int, who: str = "writer") -> str:
    """Write a time of both arrays and commit it; returns the snapshot."""
    with committed(repository, place, "main", f"{who} {time}") as pending:
        group = zarr.open_group(pending.session.store, mode="r+")
        for name, factor in (("field", 1), ("twice", 2)):
            group[name][time] = factor * block(time)  # type: ignore[index]
    assert pending.snapshot is not None
    return pending.snapshot


def written(repository: icechunk.Repository, *, snapshot: str | None = None) -> list[int]:
    """Times that a reader sees, each found whole."""
    chosen: dict[str, Any] = {"branch": "main"} if snapshot is None else {"snapshot_id": snapshot}
    group = zarr.open_group(repository.readonly_session(**chosen).store, mode="r")
    field, twice = (np.asarray(group[name][:]) for name in ("field", "twice"))  # type: ignore[index]
    seen = np.flatnonzero((field != -1).any(axis=1) | (twice != -1).any(axis=1))
    for time in seen:
        assert np.array_equal(field[time], block(time)), f"time {time} is seen in part"
        assert np.array_equal(twice[time], 2 * block(time)), f"time {time} is seen in part"
    return [int(time) for time in seen]


def messages(repository: icechunk.Repository) -> list[str]:
    return [info.message for info in repository.ancestry(branch="main")]


def start(
    location: str, options: dict[str, Any] | None, first: int, count: int, *prefix: str, locked: bool = True
) -> subprocess.Popen[str]:
    """This module as a process that writes `count` times, with the lock or for comparison without it.

    `prefix` stands before the command.
    """
    paths = [str(Path(__file__).parents[2]), *filter(None, [os.environ.get("PYTHONPATH")])]
    command = [*prefix, sys.executable, "-W", "ignore", __file__, location, json.dumps(options), str(first), str(count)]
    command += [] if locked else ["unlocked"]
    environment = os.environ | {"PYTHONPATH": os.pathsep.join(paths)}
    return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=environment)


def main(location: str, options: dict[str, Any] | None, first: int, count: int) -> None:
    """Write the times from `first` on that are not there yet."""
    place = resolve(location if location.startswith("s3://") else Path(location), options)
    repository = open_repository(place)
    there = set(written(repository))
    print("ready", flush=True)
    for time in range(first, first + count):
        if time not in there:
            write(repository, place, time, str(first))
            print(time, flush=True)


if __name__ == "__main__":
    if sys.argv[5:] == ["unlocked"]:
        commits.commit_lock = lambda *_: nullcontext()  # type: ignore[assignment]
    main(sys.argv[1], json.loads(sys.argv[2]), int(sys.argv[3]), int(sys.argv[4]))
