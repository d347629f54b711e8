"""Daily statistics against pandas and numpy.

What can go wrong:
- the hour at midnight goes to the wrong day, in UTC or in JST; leap days; the first and last hours of a series;
- results depend on how many hours are read at once;
- a missing hour, absent from the axis or NaN, passes as a complete day;
- sums of another length than they seem, or labelled elsewhere, are added up; speeds are taken from mean components.
"""

from __future__ import annotations

from datetime import UTC, timedelta, timezone
from pathlib import Path
from zoneinfo import ZoneInfo

import numpy as np
import pandas as pd
import pytest
import xarray as xr
from hypothesis import given, settings
from hypothesis import strategies as st

from archive.products.series import SHAPE, dataset, hours
from kaiseki.archive.products.days import daily_statistics, each_day
from kaiseki.archive.products.periods import period_statistics
from kaiseki.core.errors import InputError
from kaiseki.core.timing import JST


def by_pandas(source: xr.Dataset, name: str, how: str, offset: str = "0h", minimum: int = 24) -> pd.DataFrame:
    """One column per point, resampled by the right-closed days of pandas, labelled by their begin."""
    frame = pd.DataFrame(source[name].values.reshape(source.sizes["time"], -1).astype(float), source["time"].values)
    groups = frame.resample("24h", closed="right", label="left", offset=offset)
    values = groups.sum() if how == "sum" else getattr(groups, how)()
    return values.where(groups.count() >= minimum)


@pytest.mark.parametrize(
    ("zone", "offset", "shift"), [(UTC, "0h", 0), (JST, "15h", 9), (timezone(-timedelta(hours=5)), "5h", -5)]
)
def test_days_agree_with_pandas_over_a_leap_day(zone: timezone, offset: str, shift: int) -> None:
    source = dataset(hours("2020-02-26T00", 24 * 6 + 1))
    product = daily_statistics(source, timezone=zone)
    assert set(product.data_vars) == {
        *(f"temperature_2m_{how}" for how in ("mean", "minimum", "maximum", "count")),
        "precipitation_sum",
        "precipitation_count",
        "time_bnds",
    }
    for name, how, word in (
        ("temperature_2m", "mean", "mean"),
        ("temperature_2m", "min", "minimum"),
        ("temperature_2m", "max", "maximum"),
        ("precipitation", "sum", "sum"),
    ):
        expected = by_pandas(source, name, how, offset).dropna()
        result = product[f"{name}_{word}"]
        assert list(result["time"].dt.strftime("%Y-%m-%d").values) == [
            str(moment.date()) for moment in expected.index + pd.Timedelta(hours=shift)
        ]
        np.testing.assert_allclose(result.values.reshape(len(expected), -1), expected.values, rtol=1e-6)
    np.testing.assert_array_equal(product["time_bnds"].values[:, 0], expected.index.values)
    assert "2020-02-29" in product["time"].dt.strftime("%Y-%m-%d").values
    assert np.all(product["temperature_2m_count"] == 24)


def test_a_day_holds_the_labels_01_to_24() -> None:
    rain = np.zeros((49, 1, 1))
    rain[[0, 1, 24, 25, 48]] = np.array([1, 2, 4, 8, 16])[:, None, None]
    product = daily_statistics(dataset(hours("2021-06-01T00", 49), ("precipitation",), precipitation=rain))
    np.testing.assert_array_equal(product["precipitation_sum"][:, 0, 0], [2 + 4, 8 + 16])
    assert product.sel(time="2021-06-01").sizes["time"] == 1


@settings(max_examples=25, deadline=None)
@given(memory=st.integers(1, 5000), absent=st.sets(st.integers(0, 96), max_size=20), seed=st.integers(0, 99))
def test_neither_blocks_nor_the_cut_of_the_series_change_a_bit(memory: int, absent: set[int], seed: int) -> None:
    kept = np.array(sorted(set(range(97)) - absent))
    source = dataset(hours("1999-12-30T00", 97)[kept], seed=seed)
    options = {"completeness": 0.5, "interval": np.timedelta64(1, "h")}
    try:
        whole = daily_statistics(source, **options)
    except InputError:
        assert min(absent) < 97
        return
    parts = list(each_day(source, memory=memory, **options))
    for number, day in enumerate(parts):
        xr.testing.assert_identical(day, whole.isel(time=[number]))
    # The day alone, without the rest of the series.
    for day in parts:
        begin, end = day["time_bnds"].values[0]
        hours_of_day = source.isel(time=(source["time"].values > begin) & (source["time"].values <= end))
        if hours_of_day.sizes["time"] >= 12:
            xr.testing.assert_identical(daily_statistics(hours_of_day, **options), day)
    expected = by_pandas(source, "temperature_2m", "mean", minimum=12)
    for day in parts:
        row = expected.loc[day["time_bnds"].values[0, 0]].values.reshape(SHAPE)
        np.testing.assert_allclose(day["temperature_2m_mean"].values[0], row, rtol=1e-6)


def test_missing_hours_are_counted_and_make_a_day_missing() -> None:
    source = dataset(hours("2010-01-01T01", 72))
    source["temperature_2m"][30, 1, 2] = np.nan
    strict = daily_statistics(source)
    assert np.isnan(strict["temperature_2m_mean"].values[1, 1, 2])
    assert np.isnan(strict["temperature_2m_mean"].values).sum() == 1
    assert strict["temperature_2m_count"].values[1, 1, 2] == 23
    lenient = daily_statistics(source, completeness=23 / 24)
    expected = np.nanmean(source["temperature_2m"].values[24:48, 1, 2].astype(float))
    assert lenient["temperature_2m_mean"].values[1, 1, 2] == pytest.approx(expected, rel=1e-6)
    # A whole day absent from the axis is there, and NaN.
    holed = source.isel(time=[*range(24), *range(48, 72)])
    product = daily_statistics(holed)
    assert product.sizes["time"] == 3
    assert np.all(np.isnan(product["precipitation_sum"].values[1]))
    assert np.all(product["precipitation_count"].values[:, 0, 0] == [24, 0, 24])


def test_speed_is_no_length_of_the_mean_vector() -> None:
    names = ("eastward_wind_10m", "northward_wind_10m")
    source = dataset(hours("2001-03-04T01", 24), names)
    product = daily_statistics(source)
    east, north = (source[name].values.astype(float) for name in names)
    np.testing.assert_allclose(product["eastward_wind_10m_mean"][0], east.mean(axis=0), rtol=1e-5, atol=1e-6)
    np.testing.assert_allclose(product["wind_speed_10m_mean"][0], np.hypot(east, north).mean(axis=0), rtol=1e-6)
    np.testing.assert_allclose(product["wind_speed_10m_maximum"][0], np.hypot(east, north).max(axis=0), rtol=1e-6)
    assert product["wind_speed_10m_mean"].attrs["standard_name"] == "wind_speed"
    assert "eastward_wind_10m_maximum" not in product
    assert np.all(product["wind_speed_10m_mean"] > np.hypot(*(product[f"{name}_mean"] for name in names)))


def test_three_dimensions_and_six_hourly_instants_in_japan() -> None:
    times = hours("2001-03-04T00", 13, np.timedelta64(6 * 3600, "s"))
    source = dataset(times, ("temperature_2m",))
    levels = source.rename(temperature_2m="temperature")
    column = levels["temperature"].expand_dims(level=[10.0, 50.0]).transpose("time", "level", "y", "x")
    levels["temperature"] = column + column["level"]
    product = daily_statistics(levels, {"temperature": ("mean",)}, timezone=JST)
    # A day of Japan from 15 to 15 UTC holds 18, 00, 06 and 12 UTC.
    np.testing.assert_allclose(product["temperature_mean"][0], levels["temperature"][3:7].mean("time"), rtol=1e-6)
    assert product["temperature_mean"].dims == ("time", "level", "y", "x")
    assert product["temperature_mean"].attrs["cell_methods"] == (
        "time: mean (interval: 6 hour comment: sampled instantaneously)"
    )


def test_cell_methods_keep_what_is_said_of_space() -> None:
    source = dataset(hours("2001-03-04T01", 24), ("precipitation",))
    source["precipitation"].attrs["cell_methods"] = "area: mean time: sum"
    attributes = daily_statistics(source)["precipitation_sum"].attrs
    assert attributes["cell_methods"] == "area: mean time: sum (interval: 1 hour)"
    assert attributes["units"] == "kg m-2"
    assert attributes["ancillary_variables"] == "precipitation_count"


def test_errors_of_the_analysis_and_directions_are_no_part() -> None:
    source = dataset(hours("2001-03-04T01", 24), ("temperature_2m", "surface_pressure_spread"))
    assert "surface_pressure_spread_mean" not in daily_statistics(source)
    with pytest.raises(InputError, match="without their correlations"):
        daily_statistics(source, {"surface_pressure_spread": ("mean",)})
    source["temperature_2m"].attrs["standard_name"] = "wind_from_direction"
    with pytest.raises(InputError, match="angles"):
        daily_statistics(source, {"temperature_2m": ("mean",)})


def test_the_civil_time_of_days_goes_by_name_and_is_of_its_years() -> None:
    source = dataset(hours("2001-03-03T16", 24))
    expected = daily_statistics(source, timezone=JST)
    for name in ("JST", "jst", "+09:00", "Asia/Tokyo", ZoneInfo("Asia/Tokyo")):
        assert daily_statistics(source, timezone=name).identical(expected)
        assert next(iter(each_day(source, timezone=name))).identical(expected)
    assert expected["time"].attrs["comment"] == "days begin at 00:00 UTC+09:00"
    assert daily_statistics(dataset(hours("2001-03-04T01", 24)), timezone=ZoneInfo("UTC")).sizes["time"] == 1
    # Japan had summer time from 1948 to 1951.
    with pytest.raises(InputError, match="Asia/Tokyo has no fixed offset from UTC in the years 1949 to 1949"):
        daily_statistics(dataset(hours("1949-01-03T16", 24)), timezone="Asia/Tokyo")


def test_refusals() -> None:
    source = dataset(hours("2001-03-04T01", 24))
    with pytest.raises(InputError, match="fixed offset"):
        daily_statistics(source, timezone=ZoneInfo("America/New_York"))
    with pytest.raises(InputError, match="makes no sense of 'precipitation'"):
        daily_statistics(source, {"precipitation": ("mean",)})
    with pytest.raises(InputError, match="makes no sense of 'temperature_2m'"):
        daily_statistics(source, {"temperature_2m": ("sum",)})
    with pytest.raises(InputError, match="not 'median'"):
        daily_statistics(source, {"temperature_2m": ("median",)})
    with pytest.raises(InputError, match="no variable 'rain'"):
        daily_statistics(source, {"rain": ("sum",)})
    with pytest.raises(InputError, match="completeness"):
        daily_statistics(source, completeness=0.0)
    with pytest.raises(InputError, match="No day from"):
        daily_statistics(source.isel(time=slice(0, 23)))
    with pytest.raises(InputError, match="follows"):
        daily_statistics(source.isel(time=slice(None, None, -1)))
    with pytest.raises(InputError, match="whole multiples"):
        daily_statistics(source.assign_coords(time=source["time"] + np.timedelta64(30, "m")))
    with pytest.raises(InputError, match="no time bounds"):
        daily_statistics(source.drop_vars("time_bnds"))
    with pytest.raises(InputError, match="dimension time"):
        daily_statistics(source.rename(time="forecast_period"))
    with pytest.raises(InputError, match="do not fit into days"):
        daily_statistics(source, timezone=timezone(timedelta(hours=5, minutes=30)))
    with pytest.raises(InputError, match="give interval"):
        daily_statistics(source.isel(time=[0]))
    source["temperature_2m"].attrs.pop("cell_methods")
    with pytest.raises(InputError, match="must say once"):
        daily_statistics(source)


def test_sums_of_other_lengths_are_refused() -> None:
    source = dataset(hours("2001-03-04T01", 48))
    with pytest.raises(InputError, match="as long as the times are apart"):
        daily_statistics(source.isel(time=slice(2, None, 3)))
    with pytest.raises(InputError, match="must end at their label"):
        source.assign(time_bnds=source["time_bnds"] + np.timedelta64(1, "h")).pipe(daily_statistics)
    # Daily statistics are not hours.
    days = daily_statistics(source)
    with pytest.raises(InputError):
        daily_statistics(days)


def test_a_release_opened_lazily(tmp_path: Path) -> None:
    """The state of the times goes along; packed sums add up."""
    import kaiseki
    from archive.release.days import a_run
    from kaiseki.archive.release.packing import PackSettings, pack
    from kaiseki.archive.release.store import ReleaseStore

    pack([a_run(tmp_path / "run", 60)], tmp_path / "release", PackSettings(pressures=(90_000.0,)))
    with ReleaseStore.open(tmp_path / "release", "a") as store:
        store.publish("v1")
    rain = kaiseki.open(tmp_path / "release", "precipitation")
    product = daily_statistics(rain)
    begin, end = product["time_bnds"].values[0]
    hours_of_day = rain["precipitation"].sel(time=slice(begin + np.timedelta64(1, "h"), end))
    assert hours_of_day.sizes["time"] == 24
    np.testing.assert_allclose(
        product["precipitation_sum"][0], hours_of_day.values.astype(float).sum(axis=0), rtol=1e-6
    )
    assert product["state"].dims == ("time",)
    assert product["state"].values[0] == rain["state"].sel(time=end).values
    # A day with one preliminary hour is preliminary, so is its month; a day without any time was not produced.
    states = rain["state"].values.copy()
    states[rain["time"].values == end] = 1
    several = rain.assign_coords(state=("time", states)).isel(time=rain["time"].values != begin)
    assert daily_statistics(several)["state"].values.tolist()[0] == 1
    assert period_statistics(daily_statistics(several), completeness=0.01)["state"].values.tolist() == [1]
    later = rain.isel(time=slice(1, 25)).assign_coords(time=rain["time"].values[1:25] + np.timedelta64(10, "D"))
    later["time_bnds"] = later["time_bnds"] + np.timedelta64(10, "D")
    apart = daily_statistics(xr.concat([rain, later], "time"), completeness=0.5)
    assert 0 in apart["state"].values
    assert "maximum_absolute_error" not in product["precipitation_sum"].attrs
    assert product["precipitation_sum"].attrs["grid_mapping"] == "crs"
    assert list(product["time"].encoding.items()) == list(product["time_bnds"].encoding.items())


def test_a_run_opened_lazily(tmp_path: Path) -> None:
    import kaiseki
    from archive.runs import whole_run

    background = kaiseki.open(whole_run(tmp_path / "run", 12), kind="background")
    product = daily_statistics(background)
    first = str(product["time"].values[0])[:10]
    begin, end = product["time_bnds"].values[0]
    chosen = background["temperature"].sel(time=slice(begin + np.timedelta64(1, "h"), end))
    assert chosen.sizes["time"] == 24
    np.testing.assert_allclose(
        product["temperature_mean"].sel(time=first)[0], chosen.astype(float).mean("time"), rtol=1e-6
    )
    assert set(product.coords) >= {"lat", "lon", "altitude", "terrain", "crs"}


def test_amedas_temperature_agrees_with_pandas(data: Path) -> None:
    """Hourly instants of 1,287 stations without 00 UTC: 23 of 24 are there at most."""
    with xr.open_dataset(data / "amedas/amedas_hourly_20230713_20231206.nc", engine="h5netcdf") as opened:
        stations = opened[["temp"]].isel(station=slice(0, 200)).load()
    stations["temp"].attrs["cell_methods"] = "time: point"
    product = daily_statistics(stations, timezone=JST, completeness=22 / 24)
    frame = pd.DataFrame(stations["temp"].values.astype(float), stations["time"].values)
    groups = frame.resample("24h", closed="right", label="left", offset="15h")
    for how, word in (("mean", "mean"), ("min", "minimum"), ("max", "maximum")):
        expected = getattr(groups, how)().where(groups.count() >= 22).loc[product["time_bnds"].values[:, 0]]
        np.testing.assert_allclose(product[f"temp_{word}"].values, expected.values, rtol=1e-5, atol=1e-5)
    assert np.isfinite(product["temp_mean"].values).sum() > 10_000
