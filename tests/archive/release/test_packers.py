"""Packers that are killed, many at once, and into an object store.

What can go wrong:
- a reader sees a part of a day, or a day in some groups only;
- a packer called again does not go on, or makes a release that differs from an undisturbed one;
- packers of different days are in each other's way where they lay out variables or write the copy for series;
- what works in a folder does not in an object store.
"""

from __future__ import annotations

import shutil
from itertools import pairwise
from pathlib import Path

import icechunk
import numpy as np
import pytest

import kaiseki
from archive.release.days import a_release, a_run, date, write
from archive.release.killing import kill_often, work_through
from archive.release.packers import Content, content, days_seen, same, start
from archive.release.servers import new_bucket, options
from kaiseki.archive.release.leases import holders
from kaiseki.archive.release.packing import PackSettings, pack
from kaiseki.archive.release.store import ReleaseStore
from kaiseki.archive.store.storage import resolve
from kaiseki.core.errors import StoreError

DAYS = 4


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run from noon of the first day to the last cycle of the last."""
    return a_run(tmp_path_factory.mktemp("packers") / "winter", 24 * DAYS - 15)


@pytest.fixture(scope="module")
def undisturbed(run: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[float, Content]:
    """Time that packing takes [s], and what it makes."""
    place = str(tmp_path_factory.mktemp("packers") / "whole")
    took = work_through(lambda: start(run, place))
    return took, content(place)


def test_killed_packers_leave_whole_days(run: Path, undisturbed: tuple[float, Content], tmp_path: Path) -> None:
    longest, whole = undisturbed
    place = tmp_path / "release"

    def check() -> list[int]:
        if place.exists():
            assert holders(resolve(place)) == []
        return days_seen(str(place), whole)

    outcome = kill_often(
        lambda: start(run, str(place)),
        check,
        kills=6,
        seed=4,
        longest=longest,
        again=lambda: shutil.rmtree(place),
    )
    assert sum(map(len, outcome.seen)) == 6
    for seen in outcome.seen:
        assert all(set(before) <= set(after) for before, after in pairwise(seen))
    assert check() == list(range(DAYS))
    assert same(content(str(place)), whole)


@pytest.mark.parametrize("step", ["lay_out", "commit", "create_branch"])
def test_a_creation_that_was_ended_is_begun_anew(step: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import kaiseki.archive.release.store as module

    class Ended(BaseException):
        """What ends a process, caught by nobody."""

    def end(*_: object) -> None:
        raise Ended

    places = {"lay_out": (module, "lay_out"), "commit": (icechunk.Session, "commit")}
    with monkeypatch.context() as patch:
        patch.setattr(*places.get(step, (icechunk.Repository, "create_branch")), end)
        with pytest.raises(Ended):
            a_release(tmp_path / "r")
    assert not ReleaseStore.exists(tmp_path / "r")
    with a_release(tmp_path / "r", 3) as store:
        write(store, 0)
        store.publish("v1")
    assert ReleaseStore.open(tmp_path / "r").times.days == 3
    assert kaiseki.open(tmp_path / "r", "surface").sizes["time"] == 24
    with pytest.raises(StoreError, match="There is a store at"):
        a_release(tmp_path / "r")


def test_the_look_of_a_reader_finds_a_day_in_part(
    run: Path, undisturbed: tuple[float, Content], tmp_path: Path
) -> None:
    place = tmp_path / "release"
    pack([run], place, PackSettings(pressures=(95_000.0, 85_000.0, 70_000.0), end=str(date(1))))
    whole = undisturbed[1]
    assert days_seen(str(place), whole) == [0, 1]
    wrong = dict(whole)
    wrong["surface/temperature_2m"] = np.where(whole["surface/temperature_2m"] > 0, 1, 0)
    with pytest.raises(AssertionError, match="surface/temperature_2m is wrong"):
        days_seen(str(place), wrong)
    with ReleaseStore.open(place, "a") as store, store.day("winter", date(2)) as writer:
        shape = (24, *whole["surface/temperature_2m"].shape[1:])
        writer.write("surface", "temperature_2m", np.full(shape, 280.0, np.float32))
    with pytest.raises(AssertionError, match="day 2 is there in some groups only"):
        days_seen(str(place), whole)


@pytest.mark.parametrize("where", ["folder", "s3"])
def test_four_packers_at_once_make_what_one_makes(
    where: str, run: Path, undisturbed: tuple[float, Content], tmp_path: Path, s3: str
) -> None:
    given = options(s3) if where == "s3" else None
    place = new_bucket(s3) if where == "s3" else str(tmp_path / "release")
    whole = undisturbed[1]
    more = {} if given is None else {"storage_options": given}
    packers = []
    for number in range(DAYS):
        # A stream is named like its folder.
        stream = tmp_path / f"stream-{number}"
        stream.symlink_to(run)
        days = {"start": str(date(number)), "end": str(date(number))}
        packers.append(start(stream, place, **days, **more))
    errors = [packer.communicate(timeout=600)[1] for packer in packers]
    assert [packer.returncode for packer in packers] == [0] * DAYS, errors
    assert days_seen(place, whole, given) == list(range(DAYS))
    with ReleaseStore.open(place, "a", storage_options=given) as store:
        streams = {message.rpartition(" ")[2] for message in store.history() if message.startswith("day ")}
        assert streams == {f"stream-{number}" for number in range(DAYS)}
        store.pack_series()
        store.publish("v1")
    assert same(content(place, given, "v1"), whole)
    surface = kaiseki.open(place, "surface", storage_options=given)["temperature_2m"]
    truth = kaiseki.open(run, "background")["temperature_2m"]
    times = surface["time"].values
    np.testing.assert_allclose(surface.isel(y=2, x=3).values, truth.sel(time=times).isel(y=2, x=3).values, atol=0.01)
    np.testing.assert_allclose(surface.isel(time=40).values, truth.sel(time=times[40]).values, atol=0.01)


def test_two_packers_of_the_same_days_disturb_nobody(
    run: Path, undisturbed: tuple[float, Content], tmp_path: Path
) -> None:
    place = str(tmp_path / "release")
    packers = [start(run, place) for _ in range(2)]
    errors = [packer.communicate(timeout=600)[1] for packer in packers]
    assert [packer.returncode for packer in packers] == [0, 0], errors
    with ReleaseStore.open(place, "a") as store:
        assert sum(message.startswith("day ") for message in store.history()) == DAYS
        store.pack_series()
    assert days_seen(place, undisturbed[1]) == list(range(DAYS))
