"""CF datasets of JMA's files.

What can go wrong:
- rows upside down, tiles at wrong places or upon each other, times that are starts;
- values that packing changes; level 0 written as 0; marks lost;
- metadata that checkers or readers refuse.
"""

from __future__ import annotations

import json
import re
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import xarray as xr

from formats.jma_grib.jma_messages import AMOUNT, END, GRID, hour, tile, tiled, written
from kaiseki.core.errors import InputError
from kaiseki.formats.jma_grib.dataset import convert_to_netcdf, to_dataset
from kaiseki.formats.jma_grib.reading import read
from kaiseki.formats.jma_grib.writing import encode

RULES = "cf:1.11"
ONE_GRID = re.compile(r"^grid mapping latitude_longitude requires exactly one variable with standard_name")
"""What the checker says of a file with two grids, which the conventions allow."""


def converted(path: Path, out: Path) -> xr.Dataset:
    convert_to_netcdf(path, out)
    with xr.open_dataset(out, engine="h5netcdf") as dataset:
        return dataset.load()


def test_an_hour(tmp_path: Path) -> None:
    dataset = converted(written(tmp_path / "a.grib2", hour()), tmp_path / "a.nc")
    rain = dataset["precipitation_amount"]
    assert (rain.dims, rain.shape) == (("time", "lat", "lon"), (1, 3, 5))
    assert (rain.attrs["units"], rain.attrs["standard_name"]) == ("kg m-2", "precipitation_amount")
    assert rain.attrs["cell_methods"] == "time: sum"
    np.testing.assert_allclose(rain.values[0], AMOUNT[::-1], rtol=1e-7)
    np.testing.assert_allclose(dataset["lat"], GRID.latitudes[::-1])
    np.testing.assert_allclose(dataset["lon"], GRID.longitudes)
    assert dataset["time"].values == END
    np.testing.assert_array_equal(dataset["time_bnds"].values, [[END - np.timedelta64(1, "h"), END]])
    assert dataset.attrs["institution"] == "no originating centre is stated"
    assert dataset.attrs["operation_radars_1"] == "f" * 16


def test_values_are_the_whole_numbers_of_the_file(tmp_path: Path) -> None:
    path = written(tmp_path / "a.grib2", hour())
    convert_to_netcdf(path, tmp_path / "a.nc")
    with xr.open_dataset(tmp_path / "a.nc", engine="h5netcdf", mask_and_scale=False) as raw:
        stored = raw["precipitation_amount"]
        assert stored.dtype == np.int16
        assert stored.attrs["scale_factor"] == 0.1
        numbers = stored.values[0][::-1]
    missing = np.isnan(AMOUNT)
    assert (numbers[missing] == np.iinfo(np.int16).min).all()
    np.testing.assert_array_equal(numbers[~missing], np.round(10.0 * AMOUNT[~missing]))


def test_two_hours_are_an_axis_of_time(tmp_path: Path) -> None:
    later = encode(2.0 * np.nan_to_num(AMOUNT), GRID, END + np.timedelta64(3600, "s")).message
    dataset = to_dataset(list(read(written(tmp_path / "a.grib2", later + hour()))), tmp_path / "a.grib2")
    assert dataset.sizes["time"] == 2
    values = xr.decode_cf(dataset)["precipitation_amount"].values
    np.testing.assert_allclose(values[0], AMOUNT[::-1], rtol=1e-7)
    assert np.isfinite(values[1]).all()


def test_the_same_hour_twice_is_refused(tmp_path: Path) -> None:
    path = written(tmp_path / "a.grib2", hour() + hour())
    with pytest.raises(InputError, match="two fields of precipitation of one hour"):
        convert_to_netcdf(path, tmp_path / "a.nc")
    assert [one.name for one in tmp_path.iterdir()] == ["a.grib2"]


def test_hours_on_two_grids_are_refused(tmp_path: Path) -> None:
    other = replace(GRID, first=(35_004_167, GRID.first[1]), last=(34_987_500, GRID.last[1]))
    path = written(tmp_path / "a.grib2", hour() + encode(AMOUNT, other, END + np.timedelta64(3600, "s")).message)
    with pytest.raises(InputError, match="different grids"):
        convert_to_netcdf(path, tmp_path / "a.nc")


def corner(row: int, column: int, cells: int) -> tuple[int, int]:
    """North-western point of a tile, rounded to microdegrees: the cell (row, column) south-east of 36 N 138 E."""
    return round(36e6 - (row + 0.5) * 1e6 / cells), round(138e6 + (column + 0.5) * 1.5e6 / cells)


def test_tiles_are_put_together(tmp_path: Path) -> None:
    """Three of four tiles of 8 x 8 cells of 1/480 degree; the rounded corners lie up to half a microdegree off."""
    rng = np.random.default_rng(1)
    whole = rng.integers(1, 4, (16, 16))
    whole[8:, :8] = 0
    places = [(0, 8), (8, 8), (0, 0)]
    message = tiled(*(tile(corner(r, c, 480), 480, 8, whole[r : r + 8, c : c + 8]) for r, c in places))
    dataset = converted(written(tmp_path / "a.grib2", message), tmp_path / "a.nc")
    rate = dataset["precipitation_rate"]
    expected = np.array([np.nan, 0.0, 0.1, 0.25])[whole]
    np.testing.assert_allclose(rate.values[0], expected[::-1], rtol=1e-7)
    np.testing.assert_allclose(dataset["lat"], 36.0 - (np.arange(16)[::-1] + 0.5) / 480.0, atol=1e-6)
    np.testing.assert_allclose(dataset["lon"], 138.0 + (np.arange(16) + 0.5) / 320.0, atol=1e-6)


def test_tiles_of_two_resolutions_have_axes_of_their_own(tmp_path: Path) -> None:
    fine, coarse = np.full((8, 8), 2), np.full((4, 4), 3)
    message = tiled(tile(corner(0, 0, 480), 480, 8, fine), tile(corner(0, 8, 120), 120, 4, coarse))
    dataset = converted(written(tmp_path / "a.grib2", message), tmp_path / "a.nc")
    assert dataset["precipitation_rate_250m"].dims == ("time", "lat_250m", "lon_250m")
    assert dataset["precipitation_rate_250m"].shape == (1, 8, 8)
    assert dataset["precipitation_rate_1km"].shape == (1, 4, 4)
    assert np.unique(dataset["precipitation_rate_1km"]) == 0.25


@pytest.mark.parametrize(("row", "words"), [(4, "two fields of"), (8.4, "do not lie on one grid")])
def test_tiles_that_overlap_or_are_askew_are_refused(tmp_path: Path, row: float, words: str) -> None:
    first = corner(0, 0, 480)
    second = (round(first[0] - row * 1e6 / 480), first[1])
    message = tiled(tile(first, 480, 8, np.ones((8, 8))), tile(second, 480, 8, np.ones((8, 8))))
    with pytest.raises(InputError, match=words):
        convert_to_netcdf(written(tmp_path / "a.grib2", message), tmp_path / "a.nc")


def test_the_soil_water_index_has_three_variables_and_the_marks(data: Path, tmp_path: Path) -> None:
    path = data / "jma" / "dojou_20170807_0000Z.grib2"
    dataset = converted(path, tmp_path / "a.nc")
    assert {"soil_water_index", "soil_water_first_tank", "soil_water_second_tank"} <= set(dataset.data_vars)
    assert "time_bnds" not in dataset
    second = list(read(path))[2]
    signs = np.concatenate(([0], second.table.scaled < 0))[second.levels][::-1]
    np.testing.assert_array_equal(dataset["soil_water_second_tank_mark"].values[0], signs)
    assert float(dataset["soil_water_second_tank"].min()) == 0.0
    assert dataset["soil_water_index"].attrs["units"] == "mm"


def test_a_forecast_says_when_it_started(data: Path, tmp_path: Path) -> None:
    dataset = converted(data / "jma" / "tanjikan_20170807_0010Z_FH01-06.grib2", tmp_path / "a.nc")
    assert dataset["forecast_reference_time"].values == np.datetime64("2017-08-07T00:10")
    assert dataset["time"].values[0] == np.datetime64("2017-08-07T01:10")
    assert dataset["mesoscale_model_weight"].shape == (6, 13)


def test_the_checker_of_the_cf_conventions_finds_no_error(data: Path, tmp_path: Path) -> None:
    tiles = tiled(tile(corner(0, 0, 480), 480, 8, np.ones((8, 8))), tile(corner(0, 8, 120), 120, 4, np.ones((4, 4))))
    sources = {"hour": written(tmp_path / "hour.grib2", hour()), "tiles": written(tmp_path / "tiles.grib2", tiles)}
    for name in ("dojou_20170807_0000Z", "tanjikan_20170807_0010Z_FH01-06", "dosha_judge_20180706_0950Z"):
        sources[name] = data / "jma" / f"{name}.grib2"
    files = [str(tmp_path / f"{name}.nc") for name in sources]
    for file, source in zip(files, sources.values(), strict=True):
        convert_to_netcdf(source, Path(file))
    out = tmp_path / "checked.json"
    command = [str(Path(sys.executable).with_name("compliance-checker")), "-t", RULES, "-c", "strict", "-f", "json_new"]
    ended = subprocess.run([*command, "-o", str(out), *files], capture_output=True, text=True, check=False)
    assert out.exists(), ended.stderr
    assert "exceptions occurred" not in ended.stdout + ended.stderr, ended.stdout + ended.stderr
    reports = json.loads(out.read_text())
    for file in files:
        found = [message for group in reports[file][RULES]["high_priorities"] for message in group["msgs"]]
        assert [message for message in found if not ONE_GRID.match(message)] == [], file
