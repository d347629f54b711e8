"""Stores of every schema version that was ever released can be read, and gone on with, for ever."""

from __future__ import annotations

import tarfile
from pathlib import Path

import numpy as np
import pytest

import kaiseki
from archive.fixtures import make
from archive.release import days
from archive.runs import (
    HOUR,
    START,
    analysis_fields,
    cycle_times,
    forecast_fields,
    restart,
    small_domain,
    table,
    write_stretch,
)
from kaiseki.archive import SCHEMA_VERSION, ForecastStore, RunStore, observations
from kaiseki.archive.care.verify import verify
from kaiseki.archive.release import schema
from kaiseki.archive.release.store import ReleaseStore


def unpacked(name: str, version: int, folder: Path) -> Path:
    with tarfile.open(Path(make.__file__).parent / f"{name}_v{version}.tar.xz") as archive:
        archive.extractall(folder, filter="data")
    return folder / name


@pytest.fixture
def run(tmp_path: Path, request: pytest.FixtureRequest) -> Path:
    return unpacked("run", request.param, tmp_path)


@pytest.mark.parametrize("name", ["run", "forecasts"])
def test_there_is_a_fixture_of_every_version(name: str) -> None:
    names = {file.name for file in Path(make.__file__).parent.glob(f"{name}_*")}
    assert names == {f"{name}_v{version}.tar.xz" for version in range(1, SCHEMA_VERSION + 1)}


def test_there_is_a_release_of_every_version() -> None:
    names = {file.name for file in Path(make.__file__).parent.glob("release_*")}
    assert names == {f"release_v{version}.tar.xz" for version in range(1, schema.VERSION + 1)}


@pytest.mark.parametrize("version", range(1, schema.VERSION + 1))
def test_old_releases_are_read_verified_and_gone_on_with(version: int, tmp_path: Path) -> None:
    path = unpacked("release", version, tmp_path)
    found = verify(path)
    assert found.sound, found.as_text()
    assert found.values > 0
    published, waiting = ReleaseStore.open(path).root("v1"), ReleaseStore.open(path).root("quality")
    assert "observations/19890101" in published
    assert "observations/19890102" in waiting
    assert "observations/19890102" not in published
    assert found.notes, "a copy for series waits"
    for group in schema.GROUPS:
        old, new = kaiseki.open(path, group, version="v1"), kaiseki.open(path, group, version="quality")
        assert old["time"].values[-1] < np.datetime64("1989-01-02") <= new["time"].values[-1], group
        kept = [str(name) for name in new.data_vars if name in days.MEANS or name == "pressure"]
        direct = group not in ("pressure_levels", "height_levels")
        assert kept or not direct
        for name in kept:
            bound = new[name].attrs["maximum_absolute_error"]
            for number, time in enumerate(new["time"].values if direct else ()):
                if name == "precipitation" and time == days.START:
                    continue
                now = days.values(name, time)
                for part in ({}, {"y": 2, "x": 3}):
                    there = now[..., 2, 3] if part else now
                    assert np.abs(new[name].isel(time=number, **part).values - there).max() <= bound, (group, name)
        for dataset in (old, new):
            for name in dataset.data_vars:
                assert np.isfinite(dataset[name].values.astype(float)).any(), (group, name)
    series = kaiseki.open(path, "surface", version="quality")["temperature_2m"].isel(y=2, x=3).values
    assert series.shape == (13,)
    assert np.abs(series[0] - days.values("temperature_2m", days.START)[2, 3]) <= 0.01
    with ReleaseStore.open(path, "a") as store:
        store.publish("v2")
    assert kaiseki.open(path, "surface", version="v2").sizes["time"] == 13


@pytest.mark.parametrize("version", range(1, SCHEMA_VERSION + 1))
def test_old_forecasts_are_read_and_gone_on_with(version: int, tmp_path: Path) -> None:
    path = unpacked("forecasts", version, tmp_path)
    opened = kaiseki.open(path)
    for row in (0, 1):
        now = opened.sel(forecast_reference_time=START + row * HOUR, forecast_period="2h")
        assert now["time"].values == START + (row + 2) * HOUR
        assert np.array_equal(now["temperature"], forecast_fields(100 * row + 2)["temperature"])
        assert np.array_equal(now["precipitation"], forecast_fields(100 * row + 2)["precipitation"])
    with ForecastStore.open(path) as store:
        assert store.read_restart()["time"] == restart(1)["time"]
        write_stretch(store, 3)
    assert np.array_equal(kaiseki.open(path)["temperature"][1, 3], forecast_fields(103)["temperature"])


@pytest.mark.parametrize("run", range(1, SCHEMA_VERSION + 1), indirect=True)
def test_an_old_store_is_read(run: Path) -> None:
    analysis, background = kaiseki.open(run), kaiseki.open(run, "background")
    for number in (0, 1):
        now = analysis.sel(time=cycle_times(1)[number])
        assert np.array_equal(now["temperature"], analysis_fields(number)["temperature"])
    east = small_domain().to_east_north(*(analysis_fields(1)[name].astype(float) for name in ("u", "v")))[0]
    np.testing.assert_allclose(analysis["eastward_wind"].isel(time=1), east, atol=1e-6)
    for hour in range(4):
        now = background.isel(time=hour)
        assert np.array_equal(now["temperature_2m"], forecast_fields(hour)["temperature_2m"])
    np.testing.assert_allclose(analysis["lat"], small_domain().lat, atol=1e-9)
    np.testing.assert_allclose(analysis["altitude"], small_domain().z, rtol=1e-6)
    assert observations(run)["report"].to_pylist() == [0, 1, 100, 101, 102]
    assert observations(run)["station"].to_pylist() == [
        *table(0)["station"].to_pylist(),
        *table(1)["station"].to_pylist(),
    ]
    store = RunStore.open(run, "a")
    expected, state = restart(1), store.read_restart()
    assert state["time"] == expected["time"]
    assert np.array_equal(state["state"]["theta"], expected["state"]["theta"])
    assert np.array_equal(state["seed"], expected["seed"])
    assert store.read_diagnostics(cycle_times(1)[1]) == {"cost": [2.0, 1.0], "number": 1}
    store.close()
