"""A replaced day is of one packing: could break by old variables, groups, copies or tables that stay beside the new."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

import kaiseki
from archive.release.days import DAY, a_release, date, of_day, write
from archive.runs import table
from kaiseki.archive.care.verify import verify
from kaiseki.archive.release.store import QUALITY, ReleaseStore
from kaiseki.core.errors import StoreError

EXTRA = {("surface", "surface_pressure"): None, ("precipitation", "precipitation"): None}
PRESSURE = np.full((24, 5, 6), 1e5, np.float32)


@pytest.fixture
def store(tmp_path: Path) -> ReleaseStore:
    """A release of two days with three groups, the copies and observations, published as v1."""
    store = a_release(tmp_path / "r")
    store.add_variables(EXTRA)
    for day in range(2):
        with store.day("one", date(day)) as writer:
            writer.write("model_levels", "temperature", of_day("temperature", day))
            writer.write("surface", "temperature_2m", of_day("temperature_2m", day))
            writer.write("surface", "surface_pressure", PRESSURE)
            writer.write("precipitation", "precipitation", of_day("precipitation", day))
            writer.write_observations(table(day))
    store.pack_series()
    store.publish("v1")
    return store


def test_what_is_not_written_anew_is_taken_away(store: ReleaseStore) -> None:
    with store.day("two", DAY, replace=True) as writer:
        writer.write("surface", "temperature_2m", of_day("temperature_2m", 1))
    root = store.root(QUALITY)
    for group in ("model_levels", "precipitation"):
        for copy in ("", *(("map", "series") if group == "precipitation" else ())):
            assert not store.states(group, copy=copy)[:24].any(), (group, copy)
            assert store.states(group, copy=copy)[24:].all()
    assert "observations/19890101" not in root
    assert "observations/19890102" in root
    store.pack_series()
    found = kaiseki.open(store.where, "surface", version=QUALITY)
    for part in ({"time": slice(0, 24)}, {"time": 3}, {"time": slice(0, 24), "y": 2, "x": 3}):
        assert np.isnan(found["surface_pressure"].isel(part)).all(), part
        assert np.isfinite(found["temperature_2m"].isel(part)).all()
    assert np.isfinite(found["surface_pressure"].isel(time=slice(24, 48))).all()
    assert verify(store.where).sound, verify(store.where).as_text()
    old = kaiseki.open(store.where, "surface", version="v1")
    assert np.isfinite(old["surface_pressure"]).all(), "the version published before keeps what it held"


def test_a_group_that_is_added_to_a_day_leaves_the_others(tmp_path: Path) -> None:
    with a_release(tmp_path / "r") as store:
        with store.day("one", DAY) as writer:
            writer.write("model_levels", "temperature", of_day("temperature", 0))
            writer.write_observations(table(0))
        with store.day("one", DAY) as writer:
            writer.write("surface", "temperature_2m", of_day("temperature_2m", 0))
        assert store.states("model_levels")[:24].all()
        assert "observations/19890101" in store.root(QUALITY)
    assert verify(tmp_path / "r", end="1989-01-01").sound


def test_an_overlapping_day_is_of_one_packing_too(store: ReleaseStore) -> None:
    variables = {("surface", "temperature_2m"): None, ("surface", "surface_pressure"): None}
    store.add_variables(variables, "spin-up")
    for both in (True, False):
        with store.day("spin-up", DAY, overlap=True) as writer:
            writer.write("surface", "temperature_2m", of_day("temperature_2m", 1))
            if both:
                writer.write("surface", "surface_pressure", PRESSURE)
    group = store.root(QUALITY)["overlap/spin-up/surface"]
    kept = np.asarray(group["surface_pressure"][:24])  # type: ignore[index]
    assert (kept == group["surface_pressure"].fill_value).all()  # type: ignore[index, union-attr]
    assert store.states("surface")[:24].all(), "the day itself is not touched"


def test_a_variable_of_which_levels_are_lacking_is_refused(tmp_path: Path) -> None:
    from archive.release.days import layout
    from kaiseki.archive.release.layout import Chunks

    with ReleaseStore.create(tmp_path / "r", layout(1, chunks=Chunks(levels=1, shard_levels=1))) as store:
        store.add_variables({("model_levels", "temperature"): "level"})
        values = of_day("temperature", 0)
        with pytest.raises(StoreError, match="Only 2 of 3 levels of temperature"):
            _write_parts(store, values, 2)
        assert not store.states("model_levels").any()
        _write_parts(store, values, 3)
        assert store.states("model_levels").all()


def _write_parts(store: ReleaseStore, values: np.ndarray, count: int) -> None:
    with store.day("one", DAY) as writer:
        for part in writer.shards("model_levels", "temperature")[:count]:
            writer.write("model_levels", "temperature", values[:, part], part)


def test_a_preliminary_day_is_replaced_whole_as_well(tmp_path: Path) -> None:
    with a_release(tmp_path / "r") as store:
        write(store, 0, preliminary=True)
        with store.day("one", DAY) as writer:
            writer.write("surface", "temperature_2m", of_day("temperature_2m", 0))
        assert not store.states("model_levels").any()
