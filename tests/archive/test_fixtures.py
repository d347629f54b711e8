"""Stores of every schema version that was ever released can be read, and gone on with, for ever."""

from __future__ import annotations

import tarfile
from pathlib import Path

import numpy as np
import pytest

import kaiseki
from archive.fixtures import make
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
