"""Verification: could break by faults that it misses, by faults that it sees in a sound store, by ending at the first.

Each fault is made on purpose, most of them by writing around the checks, and must be named by kind, variable and day.
"""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pytest
import zarr

from archive.release.days import a_run
from kaiseki.archive.care.faults import KINDS, Fault, Verification
from kaiseki.archive.care.verify import verify
from kaiseki.archive.release.packing import PackSettings, pack
from kaiseki.archive.release.store import ReleaseStore
from kaiseki.core.errors import InputError, StoreError

DAYS = ("1989-01-01", "1989-01-02", "1989-01-03", "1989-01-04")


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return a_run(tmp_path_factory.mktemp("care") / "winter", hours=60)


@pytest.fixture(scope="module")
def sound(run: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """All groups from noon of the first day to 00 UTC of the fourth."""
    place = tmp_path_factory.mktemp("care") / "release"
    pack([run], place, PackSettings(pressures=(100_000.0, 90_000.0, 85_000.0, 70_000.0)))
    return place


@pytest.fixture
def release(sound: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(sound, tmp_path / "release"))


@contextmanager
def around(place: Path) -> Iterator[zarr.Group]:
    """The arrays of a release, writable without any check."""
    store = ReleaseStore.open(place, "a")
    session = store.repository.writable_session("quality")
    yield zarr.open_group(session.store, mode="r+")
    session.commit("a fault")


def brief(found: Verification) -> set[tuple[str, str, str, str]]:
    return {(fault.kind, fault.group, fault.variable, fault.day) for fault in found.faults}


def test_a_sound_store_has_no_faults(sound: Path) -> None:
    found = verify(sound)
    assert found.sound, found.as_text()
    assert found.values > 0
    assert not found.notes
    quick = verify(sound, quick=True)
    assert quick.sound, quick.as_text()
    assert quick.values == 0
    assert quick.days == found.days


def day_of(values: int) -> slice:
    """Hours of a day by its number."""
    return slice(24 * values, 24 * values + 24)


def one_value(root: zarr.Group) -> None:
    array = root["model_levels/temperature"]
    array[30, 1, 2, 3] = int(400.0 / array.attrs["scale_factor"])


def copy_for_maps(root: zarr.Group) -> None:
    array = root["map/surface/temperature_2m"]
    array[30, 2, 3] = int(array[30, 2, 3]) + 1


def copy_for_series(root: zarr.Group) -> None:
    array = root["series/surface/temperature_2m"]
    array[30, 2, 3] = int(array[30, 2, 3]) - 1


def wrong_time(root: zarr.Group) -> None:
    array = root["surface/time"]
    array[30] = int(array[29])


def lying_state(root: zarr.Group) -> None:
    for layout in ("", "map/", "series/"):
        root[f"ledger/{layout}surface/state"][3] = 2


def hidden_state(root: zarr.Group) -> None:
    for layout in ("", "map/", "series/"):
        root[f"ledger/{layout}surface/state"][day_of(2)] = 0


def lying_statistics(root: zarr.Group) -> None:
    row = root["ledger/surface/statistics/temperature_2m"]
    row[1] = row[1] + np.array([0.0, 1.0, 0.0, 0.0, 0.0])


def lying_error(root: zarr.Group) -> None:
    row = root["ledger/surface/statistics/temperature_2m"]
    row[1] = row[1] + np.array([0.0, 0.0, 0.0, 0.0, 1.0])


def no_latitude(root: zarr.Group) -> None:
    root["static/lat"][2, 3] = np.nan


def other_step(root: zarr.Group) -> None:
    root["surface/temperature_2m"].attrs["scale_factor"] = 0.5


def lost_variable(root: zarr.Group) -> None:
    root["model_levels/temperature"][day_of(1)] = root["model_levels/temperature"].fill_value


def lost_table(root: zarr.Group) -> None:
    name = sorted(root["observations/19890102"].array_keys())[0]
    del root[f"observations/19890102/{name}"]


FAULTS: dict[str, tuple[Callable[[zarr.Group], None], Fault, bool]] = {
    "out of range": (one_value, Fault("range", "", "model_levels", "temperature", DAYS[1]), False),
    "map changed": (copy_for_maps, Fault("copy", "", "surface", "temperature_2m", DAYS[1], "map"), False),
    "series changed": (copy_for_series, Fault("copy", "", "surface", "temperature_2m", DAYS[1], "series"), False),
    "time repeated": (wrong_time, Fault("axis", "", "surface", "time", DAYS[1]), True),
    "ledger promises a time": (lying_state, Fault("ledger", "", "surface", "", DAYS[0]), False),
    "ledger hides a day": (hidden_state, Fault("hole", "", "surface", "", DAYS[2]), True),
    "ledger has another mean": (
        lying_statistics,
        Fault("statistics", "", "surface", "temperature_2m", DAYS[1]),
        False,
    ),
    "error above the bound": (lying_error, Fault("error bound", "", "surface", "temperature_2m", DAYS[1]), True),
    "latitude missing": (no_latitude, Fault("coordinate", "", "static", "lat"), True),
    "another step": (other_step, Fault("encoding", "", "surface", "temperature_2m"), True),
    "chunks erased": (lost_variable, Fault("missing", "", "model_levels", "temperature", DAYS[1]), True),
    "table damaged": (lost_table, Fault("observations", "", "observations", "", DAYS[1]), False),
}
"""Fault made, what must be found, and whether the quick form finds it too."""


@pytest.mark.parametrize("case", FAULTS)
def test_each_fault_is_named(release: Path, case: str) -> None:
    make, wanted, quickly = FAULTS[case]
    with around(release) as root:
        make(root)
    found = verify(release)
    hits = [
        fault
        for fault in found.faults
        if (fault.kind, fault.group, fault.variable, fault.day, fault.layout)
        == (wanted.kind, wanted.group, wanted.variable, wanted.day, wanted.layout)
    ]
    assert hits, found.as_text()
    assert hits[0].text
    assert hits[0].kind in KINDS
    quick = verify(release, quick=True)
    assert any((f.kind, f.group, f.variable) == (wanted.kind, wanted.group, wanted.variable) for f in quick.faults) == (
        quickly
    ), quick.as_text()


def test_all_faults_are_found_in_one_pass_and_nowhere_else(release: Path) -> None:
    with around(release) as root:
        for make in (one_value, copy_for_maps, wrong_time, lying_error, no_latitude):
            make(root)
    assert {fault.kind for fault in verify(release).faults} == {
        "range", "statistics", "copy", "axis", "error bound", "coordinate",
    }  # fmt: skip
    assert brief(verify(release, start=DAYS[2])) <= {
        ("axis", "surface", "time", DAYS[1]),
        ("coordinate", "static", "lat", ""),
    }


def largest_chunks(place: Path) -> list[Path]:
    return sorted((place / "chunks").iterdir(), key=lambda path: -path.stat().st_size)


def test_a_flipped_byte_in_a_shard_is_found_wherever_it_lies(release: Path) -> None:
    random = np.random.default_rng(7)
    for file in largest_chunks(release)[:5]:
        whole = file.read_bytes()
        place = int(random.integers(0, len(whole)))
        changed = bytearray(whole)
        changed[place] ^= 0x10
        file.write_bytes(bytes(changed))
        found = verify(release)
        assert not found.sound, (file, place)
        assert {fault.kind for fault in found.faults} <= {"unreadable", "copy", "observations", "statistics"}
        assert all(fault.group for fault in found.faults)
        file.write_bytes(whole)
    assert verify(release).sound


def test_a_lost_file_is_found_and_the_rest_still_read(release: Path) -> None:
    files = largest_chunks(release)[:2]
    for file in files:
        file.unlink()
    found = verify(release)
    assert len({(fault.group, fault.variable, fault.day, fault.layout) for fault in found.faults}) == 2, found.as_text()
    assert {fault.kind for fault in found.faults} <= {"unreadable", "copy"}
    assert found.values > 0


def test_a_missing_day_is_named_in_every_group(run: Path, tmp_path: Path) -> None:
    place = tmp_path / "release"
    for day in (DAYS[0], DAYS[2]):
        pack([run], place, PackSettings(start=day, end=day))
    found = verify(place)
    holes = [fault for fault in found.faults if fault.kind == "hole"]
    assert len(holes) == len(found.faults)
    assert {fault.day for fault in holes} == {DAYS[1]}
    assert {fault.group for fault in holes} >= {"model_levels", "surface", "precipitation", "analysis"}
    # Days at the end are missing only for those who ask for them.
    assert {fault.day for fault in verify(place, quick=True, end=DAYS[3]).faults} == {DAYS[1], DAYS[3]}
    assert {fault.day for fault in verify(place, quick=True, start=DAYS[1]).faults} == {DAYS[1]}
    assert verify(place, quick=True, start=DAYS[2]).sound
    assert {fault.day for fault in verify(place, quick=True, start=DAYS[1], end=DAYS[1]).faults} == {DAYS[1]}


def test_a_day_of_one_variable_that_was_left_out_is_a_hole(release: Path) -> None:
    with around(release) as root:
        array = root["model_levels/temperature"]
        array[day_of(1)] = array.fill_value
        root["ledger/model_levels/statistics/temperature"][1] = np.nan
    assert brief(verify(release)) == {("hole", "model_levels", "temperature", DAYS[1])}


def test_what_cannot_be_asked_is_refused(sound: Path) -> None:
    with pytest.raises(InputError, match="no date"):
        verify(sound, start="yesterday")
    with pytest.raises(InputError, match="before the first"):
        verify(sound, start=DAYS[2], end=DAYS[1])
    with pytest.raises(StoreError, match="outside the axis"):
        verify(sound, start="2001-01-01")
    with pytest.raises(InputError, match="no version"):
        verify(sound, "v7")
