"""Packers as processes of their own, and what a reader sees of their work.

As a program: packs a run, or some days of it, into a release, as `kaiseki archive pack` does.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import zarr

from kaiseki.archive.release import schema
from kaiseki.archive.release.packing import PackSettings, pack
from kaiseki.archive.release.store import QUALITY, ReleaseStore, fields_of
from kaiseki.archive.store.columns import read_table

PRESSURES = (95_000.0, 85_000.0, 70_000.0)


def start(run: Path, release: str, **more: Any) -> subprocess.Popen[str]:
    """This module as a process; `more` are settings of packing and `storage_options`."""
    paths = [str(Path(__file__).parents[2]), *filter(None, [os.environ.get("PYTHONPATH")])]
    command = [sys.executable, "-W", "ignore", __file__, str(run), release, json.dumps(more)]
    environment = os.environ | {"PYTHONPATH": os.pathsep.join(paths)}
    return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=environment)


def main(run: str, release: str, more: dict[str, Any]) -> None:
    """Pack, and say so before."""
    options = more.pop("storage_options", None)
    print("ready", flush=True)
    pack([run], release, PackSettings(pressures=PRESSURES, **more), storage_options=options)


type Content = dict[str, np.ndarray]


def content(location: str, options: dict[str, Any] | None = None, version: str = QUALITY) -> Content:
    """Every value of the fields, copies, static fields, observations and the ledger, by place; time for its origin."""
    root = ReleaseStore.open(location, storage_options=options).root(version)
    result: Content = {}

    def add(group: zarr.Group, place: str) -> None:
        for name, array in group.arrays():
            result[f"{place}{name}"] = np.asarray(array[...])
        for name, inner in group.groups():
            add(inner, f"{place}{name}/")

    add(root, "")
    # What a publication writes depends on when it is made.
    return {place: values for place, values in result.items() if f"/{schema.SUMMARY}/" not in place}


def same(one: Content, other: Content) -> bool:
    """Whether two releases hold the same."""
    return one.keys() == other.keys() and all(
        np.array_equal(values, other[place], equal_nan=values.dtype.kind == "f") for place, values in one.items()
    )


def days_seen(location: str, whole: Content, options: dict[str, Any] | None = None) -> list[int]:
    """Numbers of the days that a reader sees, each found whole and right, and nothing else.

    Args:
        location: of the release that is looked at.
        whole: content of one that nothing disturbed.
        options: of its storage.

    Raises:
        AssertionError: a day is seen in part, or is wrong.
    """
    if not ReleaseStore.exists(location, storage_options=options):
        return []
    store = ReleaseStore.open(location, storage_options=options)
    # All looks are at one commit, for a packer may be at work.
    snapshot = store.snapshot(QUALITY)
    root = store.at(snapshot)
    states = store.ledger(snapshot, root)
    groups = [group for group in schema.GROUPS.values() if f"{schema.LEDGER}/{group.name}/state" in whole]
    seen: set[int] = set()
    for number in range(store.times.days):
        produced = []
        for group in groups:
            slots = store.times.slots(group.axis, number)
            expected = whole[f"{schema.LEDGER}/{group.name}/state"][slots]
            found = states(group.name)[slots]
            assert not found.any() or np.array_equal(found, expected), f"day {number} of {group.name} is there in part"
            if expected.any():
                produced.append(bool(found.any()))
        assert len(set(produced)) <= 1, f"day {number} is there in some groups only"
        if any(produced):
            seen.add(number)
        day = np.datetime_as_string(store.times.day(number)).replace("-", "")
        table = f"{schema.OBSERVATIONS}/{day}"
        assert (table in root) == (any(produced) and any(place.startswith(table) for place in whole))
        if table in root:
            member = root[table]
            assert isinstance(member, zarr.Group)
            assert read_table(member).num_rows > 0
    for group in groups:
        there = np.repeat([number in seen for number in range(store.times.days)], store.times.steps[group.axis])
        for copy in ("", *group.copies):
            held = there if copy != "series" else states(group.name, "series") > 0
            _check_fields(root, "/".join(filter(None, (copy, group.name))), held, whole)
    return sorted(seen)


def _check_fields(root: zarr.Group, place: str, held: np.ndarray, whole: Content) -> None:
    """The fields of a group are those of an undisturbed release at the times that are held, and missing at others."""
    for name, array in fields_of(root, place).items():
        values, expected = np.asarray(array[...]), whole[f"{place}/{name}"]
        assert np.array_equal(values[held], expected[held], equal_nan=True), f"{place}/{name} is wrong"
        if not place.startswith("series/"):
            rest = values[~held]
            missing = np.isnan(rest) if rest.dtype.kind == "f" else rest == array.fill_value
            assert missing.all(), f"{place}/{name} shows what no commit holds"


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2], json.loads(sys.argv[3]))
