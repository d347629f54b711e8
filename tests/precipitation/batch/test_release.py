"""Analysed precipitation in a release.

What can go wrong:
- values, times, rows from the north or flags change on the way;
- a gap becomes zero, an hour that was not asked for a gap;
- a day is written twice, half, or over one that is final; settings or grids are mixed in one release;
- a value beyond the physical range ends the run;
- a release that is no analysis is written to.
"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

import kaiseki
from kaiseki.archive.release.layout import ReleaseLayout, of_latlon
from kaiseki.archive.release.schema import Times
from kaiseki.archive.release.store import ReleaseStore
from kaiseki.core.errors import ConfigError, StoreError
from kaiseki.grid.proj_map import ProjGrid, ProjMap
from kaiseki.grid.projection import PolarStereographic
from kaiseki.grid.regular import LatLonGrid, MapGrid
from kaiseki.precipitation.analysis import AnalysisSettings
from kaiseki.precipitation.batch.hour import gap
from kaiseki.precipitation.batch.hour_file import FIELDS, file_name, write_hour
from kaiseki.precipitation.batch.release import IntoRelease, ReleaseSettings, days_held, pack_series, prepare
from kaiseki.precipitation.data import RainAnalysis, RainGrid
from precipitation.batch.rain_files import HOUR, START, grid

DAY = np.datetime64("2024-07-01", "D")
ANALYSIS = AnalysisSettings()
RELEASE = ReleaseSettings(axis_start=DAY, axis_end=DAY + np.timedelta64(1, "D"))


def analysis(number: int, where: RainGrid, largest: float = 30.0) -> RainAnalysis:
    """An hour of random fields."""
    rng = np.random.default_rng(number)
    shape = where.shape
    mean = rng.uniform(0.0, largest, shape).astype(np.float32)
    quantiles = np.stack([factor * mean for factor in (0.5, 0.9, 2.0)]).astype(np.float32)
    probability, weight = (rng.uniform(0.0, 1.0, shape).astype(np.float32) for _ in range(2))
    flag = rng.integers(1, 8, shape).astype(np.uint8)
    return RainAnalysis(
        grid=where, time=START + number * HOUR, mean=mean, quantiles=quantiles, probability=probability,
        gauge_weight=weight, flag=flag,
    )  # fmt: skip


def written(folder: Path, hours: list[RainAnalysis]) -> list[Path]:
    folder.mkdir(exist_ok=True)
    paths = [folder / file_name(one.time) for one in hours]
    for path, one in zip(paths, hours, strict=True):
        write_hour(path, one, {})
    return paths


@pytest.mark.parametrize("falling", [False, True])
def test_a_day_comes_back_as_it_was(tmp_path: Path, falling: bool) -> None:
    where = grid()
    where = LatLonGrid(where.lat[::-1], where.lon) if falling else where
    hours = [analysis(number, where) for number in range(2, 5)]
    paths = written(tmp_path / "hours", hours)
    finish = prepare(tmp_path / "release", where, ANALYSIS, RELEASE, "gauges")
    finish(DAY, paths)
    assert not any(path.exists() for path in paths)
    dataset = kaiseki.open(tmp_path / "release", "precipitation", version="quality")
    assert list(dataset["time"].values) == [one.time for one in hours]
    assert (np.diff(dataset["lat"].values) > 0.0).all()
    for number, one in enumerate(hours):
        expected = dict(
            zip(FIELDS, (one.mean, *one.quantiles, one.probability, one.gauge_weight, one.flag), strict=True)
        )
        for name, values in expected.items():
            found = dataset[name].isel(time=number).values
            bound = dataset[name].attrs.get("maximum_absolute_error", 0.0)
            np.testing.assert_allclose(found, values[::-1] if falling else values, rtol=0.0, atol=bound, err_msg=name)
    assert dataset["precipitation_flag"].attrs["flag_meanings"].split()[-1] == "gap"
    assert dataset["precipitation"].attrs["standard_name"] == "precipitation_amount"
    np.testing.assert_array_equal(np.diff(dataset["time_bnds"].values, axis=1).ravel(), HOUR)


def test_a_gap_is_a_gap_and_what_was_not_asked_for_is_not_there(tmp_path: Path) -> None:
    hours = [analysis(1, grid()), gap(grid(), START + 2 * HOUR)]
    prepare(tmp_path / "release", grid(), ANALYSIS, RELEASE, "gauges")(DAY, written(tmp_path / "hours", hours))
    dataset = kaiseki.open(tmp_path / "release", "precipitation", version="quality")
    assert list(dataset["time"].values) == [START + HOUR, START + 2 * HOUR]
    assert np.isnan(dataset["precipitation"].isel(time=1)).all()
    assert (dataset["precipitation_flag"].isel(time=1) == 8).all()
    assert (dataset["state"] == 2).all()


def test_days_that_are_held_are_known_and_not_written_over(tmp_path: Path) -> None:
    place = tmp_path / "release"
    finish = prepare(place, grid(), ANALYSIS, RELEASE, "gauges")
    hours = START + HOUR * np.arange(1, 4)
    assert days_held(place, hours, RELEASE) == frozenset()
    finish(DAY, written(tmp_path / "hours", [analysis(number, grid()) for number in range(1, 4)]))
    assert days_held(place, hours, RELEASE) == {DAY}
    with pytest.raises(StoreError, match="without all the hours asked for"):
        days_held(place, START + HOUR * np.arange(1, 6), RELEASE)
    assert days_held(place, hours, replace(RELEASE, replace=True)) == frozenset()
    with pytest.raises(StoreError, match="final"):
        finish(DAY, written(tmp_path / "hours", [analysis(1, grid())]))
    prepare(place, grid(), ANALYSIS, replace(RELEASE, replace=True), "gauges")(
        DAY, written(tmp_path / "hours", [analysis(1, grid())])
    )
    assert pack_series(place) == 1
    with pytest.raises(ConfigError, match="whole hours UTC"):
        days_held(place, hours + np.timedelta64(600, "s"), RELEASE)
    with pytest.raises(StoreError, match="outside the axis"):
        days_held(place, hours + np.timedelta64(5, "D"), RELEASE)


def test_a_release_is_of_one_analysis_on_one_grid(tmp_path: Path) -> None:
    place = tmp_path / "release"
    prepare(place, grid(), ANALYSIS, RELEASE, "gauges")
    prepare(place, grid(), replace(ANALYSIS, samples=3), RELEASE, "gauges")
    with pytest.raises(StoreError, match=r"made with exponent = 0\.5, not 0\.4"):
        prepare(place, grid(), replace(ANALYSIS, exponent=0.4), RELEASE, "gauges")
    with pytest.raises(StoreError, match=r"grid of .* is another"):
        prepare(place, grid(23), ANALYSIS, RELEASE, "gauges")


def test_another_release_is_not_written_to(tmp_path: Path) -> None:
    times = Times(START, 1, {"hourly": 24, "analysis": 8})
    ReleaseStore.create(tmp_path / "other", ReleaseLayout(times=times, **of_latlon(grid().lat, grid().lon, {})))
    with pytest.raises(StoreError, match="holds something else than analysed precipitation"):
        prepare(tmp_path / "other", grid(), ANALYSIS, RELEASE, "gauges")


def test_values_beyond_the_physical_range_are_set_to_its_end(tmp_path: Path) -> None:
    hours = [analysis(1, grid(), largest=400.0)]
    prepare(tmp_path / "release", grid(), ANALYSIS, RELEASE, "gauges")(DAY, written(tmp_path / "hours", hours))
    dataset = kaiseki.open(tmp_path / "release", "precipitation", version="quality")
    assert float(dataset["precipitation_p90"].max()) == pytest.approx(500.0, abs=0.01)


def test_a_map_of_the_sphere_is_stated_and_one_of_an_ellipsoid_refused(tmp_path: Path) -> None:
    x, y = 1e3 * np.arange(20.0), 1e3 * np.arange(30.0, 12.0, -1.0)
    where = MapGrid(PolarStereographic(60.0, 10.0, 6_370_040.0), x, y)
    one = analysis(1, where)
    finish = prepare(tmp_path / "release", where, ANALYSIS, RELEASE, "gauges")
    assert isinstance(finish, IntoRelease)
    finish(DAY, written(tmp_path / "hours", [one]))
    dataset = kaiseki.open(tmp_path / "release", "precipitation", version="quality")
    np.testing.assert_array_equal(dataset["y"], y[::-1])
    np.testing.assert_allclose(dataset["precipitation"].values[0], one.mean[::-1], atol=0.01)
    foreign = ProjGrid(ProjMap(definition="+proj=laea +lat_0=55 +lon_0=10 +ellps=WGS84"), x, y)
    with pytest.raises(StoreError, match="cannot state the map"):
        prepare(tmp_path / "foreign", foreign, ANALYSIS, RELEASE, "gauges")
