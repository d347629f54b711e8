"""Damage of single bits: could pass verification, or give wrong values in silence, in the core or in a copy.

Every file of chunks of a small release is damaged in turn, at a place that is drawn.
"""

from __future__ import annotations

import warnings
from pathlib import Path

import numpy as np
import pytest
import xarray as xr

import kaiseki
from archive.release.days import a_release, date, of_day
from kaiseki.archive.care.verify import verify
from kaiseki.core.errors import StoreError

NAMES = ("temperature_2m", "precipitation")
PARTS = (
    {},
    {"time": 5},
    {"y": 2, "x": 3},
    {"y": xr.DataArray([0, 3, 4], dims="n"), "x": xr.DataArray([1, 1, 5], dims="n")},
)
"""Everything, a map, a series, series at places: the core, both copies, and points."""


@pytest.fixture(scope="module")
def release(tmp_path_factory: pytest.TempPathFactory) -> Path:
    place = tmp_path_factory.mktemp("damage") / "r"
    with a_release(place) as store:
        store.add_variables({("precipitation", "precipitation"): None})
        for day in range(2):
            with store.day("one", date(day)) as writer:
                writer.write("model_levels", "temperature", of_day("temperature", day))
                writer.write("surface", "temperature_2m", of_day("temperature_2m", day))
                writer.write("precipitation", "precipitation", of_day("precipitation", day))
        store.pack_series()
        store.publish("v1")
    return place


def readings(place: Path) -> list[np.ndarray | None]:
    """What every way of reading gives, None where it is refused by a sentence."""
    found: list[np.ndarray | None] = []
    for group, name in (("model_levels", "temperature"), ("surface", NAMES[0]), ("precipitation", NAMES[1])):
        for part in PARTS:
            try:
                found.append(kaiseki.open(place, group)[name].isel(part).values)
            except StoreError:
                found.append(None)
    return found


def test_a_flipped_bit_is_found_by_verify_and_never_read_as_a_value(release: Path) -> None:
    whole = readings(release)
    assert all(one is not None for one in whole)
    random = np.random.default_rng(15)
    layouts: dict[str, int] = {}
    refused = replaced = 0
    for file in sorted((release / "chunks").iterdir()):
        content = file.read_bytes()
        for place in (len(content) - 1, random.integers(0, len(content))):
            changed = bytearray(content)
            changed[int(place)] ^= 1 << int(random.integers(0, 8))
            file.write_bytes(bytes(changed))
            found = verify(release)
            assert not found.sound, (file, place)
            for fault in found.faults:
                layouts[fault.layout] = layouts.get(fault.layout, 0) + 1
            with warnings.catch_warnings(record=True) as said:
                warnings.simplefilter("always")
                now = readings(release)
            for before, after in zip(whole, now, strict=True):
                if after is not None:
                    np.testing.assert_array_equal(before, after, err_msg=f"{file} {place}")
            if {fault.layout for fault in found.faults} <= {"map", "series"}:
                assert all(one is not None for one in now), "the core is read in the place of a copy"
                replaced += sum("so the core was read" in str(one.message) for one in said)
            refused += sum(one is None for one in now)
        file.write_bytes(content)
    assert set(layouts) == {"core", "map", "series"}
    assert refused > 0
    assert replaced > 0
    assert verify(release).sound


def test_a_copy_is_looked_at_where_the_core_is_damaged_too(release: Path, tmp_path: Path) -> None:
    import shutil

    place = Path(shutil.copytree(release, tmp_path / "r"))
    for file in (place / "chunks").iterdir():
        content = bytearray(file.read_bytes())
        content[len(content) // 3] ^= 0x55
        file.write_bytes(bytes(content))
    kinds = {(fault.layout, fault.kind) for fault in verify(place).faults if fault.group == "surface"}
    assert {("core", "unreadable"), ("map", "unreadable"), ("series", "unreadable")} <= kinds
