"""Several files of one analysis as one: what can go wrong is that a file is left out, put in the wrong order, or mixed
with what does not belong to it."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import xarray as xr

from driving.cases import PlainDomain, Profile, dataset_of
from kaiseki.core.errors import InputError
from kaiseki.driving import atmosphere_on_domain, read_joined

LEVELS = 100.0 * np.array([1000.0, 850.0, 700.0, 500.0, 300.0, 200.0, 100.0, 50.0, 20.0])


def at(hour: int, warmer: float = 0.0) -> xr.Dataset:
    """An analysis of 2000-01-01 whose temperature rises by 1 K in six hours, over a terrain."""
    dataset = dataset_of(Profile(), LEVELS, humidity=1e-5)
    dataset["air_temperature"] = dataset["air_temperature"] + hour / 6.0 + warmer
    dataset["surface_altitude"] = ("latitude", "longitude"), 100.0 + np.zeros((27, 39))
    dataset["surface_temperature"] = ("time", "latitude", "longitude"), 280.0 + np.zeros((1, 27, 39))
    return dataset.assign_coords(time=np.array([f"2000-01-01T{hour:02d}"], "datetime64[ns]"))


def write(folder: Path, name: str, dataset: xr.Dataset) -> Path:
    path = folder / name
    dataset.to_netcdf(path, engine="scipy")
    return path


def test_files_in_any_order_are_joined_along_time(tmp_path: Path) -> None:
    files = [write(tmp_path, f"{hour}.nc", at(hour)) for hour in (12, 0, 18, 6)]
    joined = read_joined(files)
    hours = (joined["time"].values - np.datetime64("2000-01-01")) / np.timedelta64(1, "h")
    np.testing.assert_array_equal(hours, [0.0, 6.0, 12.0, 18.0])
    base = at(0)["air_temperature"].values[0]
    for number in range(4):
        np.testing.assert_allclose(joined["air_temperature"].values[number], base + number, rtol=1e-7)
    assert joined["surface_altitude"].dims == ("latitude", "longitude")
    assert joined.attrs["file"] == "12.nc and 3 more files"
    # As one file with all the times.
    whole = read_joined([write(tmp_path, "whole.nc", joined)])
    xr.testing.assert_allclose(whole, joined)
    small = PlainDomain(nx=6, ny=5)
    time = np.datetime64("2000-01-01T09")
    one, other = (atmosphere_on_domain(dataset, small, time) for dataset in (whole, joined))
    for name, field in one.items():
        np.testing.assert_allclose(other[name], field, rtol=1e-12, err_msg=name)


def test_a_time_in_two_files_that_agree_counts_once(tmp_path: Path) -> None:
    first = xr.concat([at(0), at(6)], "time", data_vars="minimal")
    second = xr.concat([at(6), at(12)], "time", data_vars="minimal")
    # What packing in 16 bits leaves in one file.
    noise = 1e-5 * float(np.ptp(second["air_temperature"].values))
    second["air_temperature"] = second["air_temperature"] + noise
    joined = read_joined([write(tmp_path, "b.nc", second), write(tmp_path, "a.nc", first)])
    assert joined.sizes["time"] == 3
    rising = np.diff(joined["air_temperature"].values[:, 0, 0, 0])
    np.testing.assert_allclose(rising, 1.0, atol=2.0 * noise)


def test_files_that_contradict_each_other_are_refused(tmp_path: Path) -> None:
    a, b = write(tmp_path, "a.nc", at(6)), write(tmp_path, "b.nc", at(6, warmer=0.1))
    with pytest.raises(
        InputError, match=r"a\.nc and .*b\.nc hold different values of air_temperature at 2000-01-01T06"
    ):
        read_joined([a, b])


def test_files_that_do_not_belong_together_are_refused(tmp_path: Path) -> None:
    good, later = write(tmp_path, "good.nc", at(0)), at(6)
    moved = later.copy(deep=True)
    moved["surface_altitude"] = moved["surface_altitude"] + np.linspace(0.0, 50.0, 39)
    for dataset, message in (
        (later.drop_vars("surface_temperature"), "only one has surface_temperature"),
        (later.isel(latitude=slice(1, None)), "differ in their latitude"),
        (later.assign_coords(longitude=later["longitude"] + 0.5), "differ in their longitude"),
        (later.isel(pressure=slice(0, -1)), "differ in their pressure"),
        (moved, "differ in surface_altitude, which does not change in time"),
    ):
        other = write(tmp_path, "other.nc", dataset)
        with pytest.raises(InputError, match=message) as caught:
            read_joined([good, other])
        assert str(good) in str(caught.value)
        assert str(other) in str(caught.value)
    with pytest.raises(InputError, match="give at least one"):
        read_joined([])
