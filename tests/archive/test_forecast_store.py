"""The store of forecasts: what is written comes back by start and lead time, in order, whole stretches only, as CF."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import xarray as xr

import kaiseki
from archive import runs
from archive.runs import HOUR, LEADS, START, forecast_fields, forecast_layout, restart, small_domain, whole_forecasts
from kaiseki.archive import ForecastStore, RunStore, export_netcdf, open_domain
from kaiseki.core.errors import InputError, StoreError

STARTS = 2


@pytest.fixture(scope="module")
def forecasts(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return whole_forecasts(tmp_path_factory.mktemp("forecasts") / "a.store", STARTS)


def write_twice(store: ForecastStore, good: np.datetime64, bad: np.datetime64, group: str = "forecast") -> None:
    """The next stretch with a field that belongs to it and one that does not."""
    with store.stretch(store.stretches[store.done()]) as out:
        out.write_fields("forecast", good, forecast_fields(9))
        out.write_fields(group, bad, forecast_fields(9))


def test_every_field_comes_back_by_start_and_lead_time(forecasts: Path) -> None:
    opened = kaiseki.open(forecasts)
    assert opened.attrs["kind"] == "forecast"
    assert opened.attrs["forecasts"] == "made up"
    assert opened["temperature"].dims == ("forecast_reference_time", "forecast_period", "level", "y", "x")
    for row in range(STARTS):
        for hour in range(4):
            now = opened.sel(forecast_reference_time=START + row * HOUR, forecast_period=f"{hour}h")
            expected = forecast_fields(100 * row + hour)
            assert now["time"].values == START + (row + hour) * HOUR
            np.testing.assert_array_equal(now["temperature"], expected["temperature"])
            east, north = small_domain().to_east_north(*(expected[name].astype(float) for name in ("u", "v")))
            np.testing.assert_allclose(now["eastward_wind"], east, atol=1e-6)
            np.testing.assert_allclose(now["northward_wind"], north, atol=1e-6)
            if hour:
                np.testing.assert_array_equal(now["precipitation"], expected["precipitation"])
            else:
                assert np.isnan(now["precipitation"]).all(), "nothing has fallen at the start"
    np.testing.assert_allclose(open_domain(forecasts).lat, opened["lat"], atol=1e-12)


def test_times_and_intervals_are_cf(forecasts: Path) -> None:
    opened = kaiseki.open(forecasts)
    for name, standard in (
        ("forecast_reference_time", "forecast_reference_time"),
        ("forecast_period", "forecast_period"),
        ("time", "time"),
    ):
        assert opened[name].attrs["standard_name"] == standard
    assert "time" in opened.coords
    assert "time" in opened["temperature"].encoding["coordinates"].split()
    assert opened["precipitation"].attrs["cell_methods"] == "time: sum"
    bounds = opened["time_bnds"]
    assert opened["time"].attrs["bounds"] == "time_bnds"
    np.testing.assert_array_equal(bounds.isel(bounds=1), opened["time"])
    np.testing.assert_array_equal(bounds.isel(bounds=0)[:, 1:], opened["time"][:, :-1])
    np.testing.assert_array_equal(bounds.isel(bounds=0)[:, 0], opened["time"][:, 0])


def test_a_file_of_forecasts_says_the_same(forecasts: Path, tmp_path: Path) -> None:
    path = export_netcdf(forecasts, tmp_path / "a.nc", times=[START + HOUR], variables=["temperature", "precipitation"])
    opened = kaiseki.open(forecasts).isel(forecast_reference_time=[1])
    with xr.open_dataset(path, decode_timedelta=True) as read:
        for name in ("temperature", "precipitation", "forecast_period", "forecast_reference_time", "time"):
            np.testing.assert_array_equal(read[name], opened[name], err_msg=name)
            assert read[name].attrs["standard_name"] == opened[name].attrs["standard_name"]
        assert "time" in read["temperature"].coords
    with pytest.raises(InputError, match="1989-01-01T20:00Z was asked of the forecast fields"):
        export_netcdf(forecasts, tmp_path / "b.nc", times=["1989-01-01T20:00Z"])


def test_a_store_that_was_ended_shows_whole_stretches_and_goes_on(forecasts: Path, tmp_path: Path) -> None:
    path = whole_forecasts(tmp_path / "a.store", STARTS, 3)
    opened = kaiseki.open(path)
    assert opened.sizes["forecast_reference_time"] == STARTS
    reached = np.isfinite(opened["temperature"]).all(("level", "y", "x"))
    np.testing.assert_array_equal(reached, [[True] * 4, [True, True, True, False]])
    with ForecastStore.open(path) as store:
        assert store.done() == 3
        assert store.complete_forecasts().tolist() == [START]
        assert store.read_restart()["time"] == restart(1)["time"]
        with pytest.raises(StoreError, match="is not among the 4 forecast times"):
            write_twice(store, START + 4 * HOUR, START)
        assert store.done() == 3
        runs.write_stretch(store, 3)
    whole, resumed = (runs.every_array(ForecastStore.open(one, "r").root()) for one in (forecasts, path))
    assert runs.same_values(whole, resumed)


def test_of_one_stretch_later_lead_times_are_left_out(tmp_path: Path) -> None:
    opened = kaiseki.open(whole_forecasts(tmp_path / "a.store", STARTS, 1))
    assert dict(opened.sizes) | {"forecast_reference_time": 1, "forecast_period": 3} == dict(opened.sizes)
    with pytest.raises(StoreError, match="holds no forecast yet"):
        kaiseki.open(whole_forecasts(tmp_path / "b.store", STARTS, 0))


def test_stretches_are_written_in_order_each_once(tmp_path: Path) -> None:
    with ForecastStore.create(tmp_path / "a.store", forecast_layout(STARTS)) as store:
        first = store.stretches[0]
        with pytest.raises(StoreError, match=r"forecast of 1989-01-01T12:00Z to \+3 h is number 1 and not the next"):
            runs.write_stretch(store, 1)
        runs.write_stretch(store, 0)
        with pytest.raises(StoreError, match="is number 0 and not the next"):
            runs.write_stretch(store, 0)
        with pytest.raises(StoreError, match="1989-01-01T13:00Z were written by an earlier cycle"):
            write_twice(store, first.reference + 3 * HOUR, first.reference + HOUR)
        with pytest.raises(StoreError, match="field groups forecast, not 'analysis'"):
            write_twice(store, first.reference + 3 * HOUR, first.reference + 3 * HOUR, "analysis")
        with pytest.raises(StoreError, match="no forecast of 1989-01-01T13:00Z yet"):
            store.read_diagnostics(START + HOUR)
        assert store.read_diagnostics(START) == {"row": 0}


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"lead_times": LEADS[1:]}, "must rise strictly from 0"),
        ({"lead_times": LEADS[[0, 2, 1]]}, "must rise strictly from 0"),
        ({"lead_times": LEADS[:1]}, "at least two"),
        ({"stretch": HOUR / 2}, "must end at lead times"),
        ({"stretch": 0 * HOUR}, "must end at lead times"),
        ({"reference_times": START + HOUR * np.array([1, 0])}, "start times of a run store"),
        ({"experiment_json": "{"}, "must be JSON"),
    ],
)
def test_a_layout_without_sense_is_refused(tmp_path: Path, change: dict[str, Any], message: str) -> None:
    with pytest.raises(StoreError, match=message):
        ForecastStore.create(tmp_path / "a.store", forecast_layout(STARTS, **change))
    assert not (tmp_path / "a.store").exists()


def test_a_store_is_not_taken_for_one_of_the_other_kind(forecasts: Path, tmp_path: Path) -> None:
    with pytest.raises(StoreError, match="is a store of forecasts and not a run store; give the path of a run store"):
        RunStore.open(forecasts, "r")
    run = runs.whole_run(tmp_path / "run", 1)
    with pytest.raises(StoreError, match="is a run store and not a store of forecasts"):
        ForecastStore.open(run, "r")
    for kind in ("analysis", "background"):
        with pytest.raises(StoreError, match="is a store of forecasts and not"):
            kaiseki.open(forecasts, kind)
    with pytest.raises(StoreError, match="is a run store and not"):
        kaiseki.open(run, "forecast")
