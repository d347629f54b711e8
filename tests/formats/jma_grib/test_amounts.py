"""Hours of precipitation from NetCDF to GRIB.

What can go wrong:
- other units taken for mm; the start of an hour for its end; three hours or ten minutes for one hour;
- a grid that is not of latitude and longitude; a transposed field;
- a file left half-written when a later hour cannot be written.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import xarray as xr

from formats.jma_grib.jma_messages import AMOUNT, END, GRID, hour, written
from kaiseki.core.errors import InputError
from kaiseki.formats.jma_grib.amounts import convert_to_grib, hours
from kaiseki.formats.jma_grib.dataset import convert_to_netcdf
from kaiseki.formats.jma_grib.reading import read

HOUR = np.timedelta64(3600, "s")


def rain(values: np.ndarray = AMOUNT, **attributes: Any) -> xr.Dataset:
    """Two hours on the small grid, the second dry, as others' files have them."""
    ends = np.array([END, END + HOUR]).astype("datetime64[ns]")
    both = np.stack([values, np.zeros_like(values)])
    attrs = {"standard_name": "precipitation_amount", "units": "mm", "cell_methods": "time: sum"} | attributes
    dataset = xr.Dataset(
        {
            "rain": (("time", "lat", "lon"), both, attrs),
            "time_bnds": (("time", "bnds"), np.stack([ends - HOUR, ends], 1)),
        },
        {
            "time": ("time", ends, {"bounds": "time_bnds", "standard_name": "time"}),
            "lat": ("lat", GRID.latitudes, {"units": "degrees_north", "standard_name": "latitude"}),
            "lon": ("lon", GRID.longitudes, {"units": "degrees_east", "standard_name": "longitude"}),
        },
    )
    dataset["time"].encoding["units"] = "minutes since 2000-01-01"
    return dataset


def stored(dataset: xr.Dataset, path: Path) -> Path:
    dataset.to_netcdf(path, engine="h5netcdf")
    return path


def test_a_file_of_jma_goes_to_netcdf_and_back(data: Path, tmp_path: Path) -> None:
    path = data / "jma" / "kaiseki_20161121_0100Z.grib2"
    convert_to_netcdf(path, tmp_path / "a.nc")
    summary = convert_to_grib(tmp_path / "a.nc", tmp_path / "a.grib2")
    assert (summary.largest_error, summary.above_last) == (pytest.approx(0.0, abs=1e-6), 0)
    (theirs,), (ours,) = read(path), read(tmp_path / "a.grib2")
    np.testing.assert_array_equal(ours.levels, theirs.levels)
    assert (ours.time, ours.grid, ours.centre) == (theirs.time, theirs.grid, 65535)


def test_hours_become_messages(tmp_path: Path) -> None:
    summary = convert_to_grib(stored(rain(), tmp_path / "a.nc"), tmp_path / "a.grib2")
    assert summary.ends == (END, END + HOUR)
    first, second = read(tmp_path / "a.grib2")
    np.testing.assert_array_equal(first.values(), AMOUNT)
    assert second.time == END + HOUR
    assert (second.values() == 0.0).all()


def test_the_order_of_axes_and_rows_does_not_matter(tmp_path: Path) -> None:
    turned = rain().transpose("lon", "lat", "time", "bnds").isel(lat=slice(None, None, -1))
    convert_to_grib(stored(turned, tmp_path / "a.nc"), tmp_path / "a.grib2")
    convert_to_grib(stored(rain(), tmp_path / "b.nc"), tmp_path / "b.grib2")
    assert (tmp_path / "a.grib2").read_bytes() == (tmp_path / "b.grib2").read_bytes()


@pytest.mark.parametrize(
    ("units", "factor", "methods"),
    [("m", 1e-3, "time: sum"), ("kg m-2 s-1", 1 / 3600, "time: mean"), ("mm h-1", 1.0, "time: mean"), ("mm", 1.0, "")],
)
def test_units_are_brought_to_mm(tmp_path: Path, units: str, factor: float, methods: str) -> None:
    dataset = rain(AMOUNT.astype(float) * factor, units=units, cell_methods=methods)
    found = list(hours(stored(dataset, tmp_path / "a.nc")))
    np.testing.assert_allclose(found[0].amount, AMOUNT, rtol=1e-6)


@pytest.mark.parametrize(
    ("attributes", "words"),
    [
        ({"units": "inch"}, "the units 'inch'"),
        ({"units": ""}, "the units ''"),
        ({"cell_methods": "time: mean"}, "do not make an amount"),
        ({"cell_methods": "time: maximum"}, "do not make an amount"),
        ({"standard_name": "air_temperature"}, "no variable with a CF standard name"),
    ],
)
def test_what_is_no_amount_of_an_hour_is_refused(tmp_path: Path, attributes: dict[str, str], words: str) -> None:
    with pytest.raises(InputError, match=words):
        convert_to_grib(stored(rain(**attributes), tmp_path / "a.nc"), tmp_path / "a.grib2")
    assert [one.name for one in tmp_path.iterdir()] == ["a.nc"]


def test_other_intervals_and_times_without_bounds_are_refused(tmp_path: Path) -> None:
    dataset = rain()
    bounds = dataset["time_bnds"].values.copy()
    bounds[:, 0] -= np.timedelta64(7200, "s")
    three = dataset.assign(time_bnds=(("time", "bnds"), bounds))
    with pytest.raises(InputError, match="an interval of 10800 s"):
        list(hours(stored(three, tmp_path / "a.nc")))
    without = dataset.drop_vars("time_bnds")
    with pytest.raises(InputError, match="has no bounds"):
        list(hours(stored(without, tmp_path / "b.nc")))


def test_grids_that_are_not_regular_are_refused(tmp_path: Path) -> None:
    bent = rain().assign_coords(lat=("lat", np.array([36.0, 35.9, 35.5]), rain()["lat"].attrs))
    with pytest.raises(InputError, match="off an even one"):
        list(hours(stored(bent, tmp_path / "a.nc")))
    plane = rain().drop_vars(["lat", "lon"]).rename(lat="y", lon="x")
    with pytest.raises(InputError, match="regular latitude-longitude grid"):
        list(hours(stored(plane, tmp_path / "b.nc")))


def test_one_variable_is_chosen_by_name(tmp_path: Path) -> None:
    two = rain().assign(other=rain(3.0 * AMOUNT)["rain"])
    path = stored(two, tmp_path / "a.nc")
    with pytest.raises(InputError, match="several"):
        list(hours(path))
    np.testing.assert_array_equal(next(hours(path, "other")).amount, 3.0 * AMOUNT)
    with pytest.raises(InputError, match="no variable 'third'"):
        list(hours(path, "third"))


def test_nothing_is_left_when_a_later_hour_cannot_be_written(tmp_path: Path) -> None:
    bad = rain()
    bad["rain"].values[1, 0, 0] = -1.0
    out = written(tmp_path / "a.grib2", hour())
    with pytest.raises(InputError, match=r"the hour to 2016-11-21T02:00:00Z: Precipitation from -1"):
        convert_to_grib(stored(bad, tmp_path / "a.nc"), out)
    assert out.read_bytes() == hour()
    assert sorted(one.name for one in tmp_path.iterdir()) == ["a.grib2", "a.nc"]


def test_a_file_that_is_no_netcdf_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="cannot be read as NetCDF"):
        list(hours(written(tmp_path / "a.nc", b"\x89HDF\r\n\x1a\n" + b"\0" * 40)))
