"""NetCDF files against the CF conventions, by the compliance checker of IOOS, for every kind of dataset.

What can go wrong:
- a kind of dataset (forecasts, heights, degrees, one level, packed) breaks a rule that the others keep;
- the grid mapping in WKT says something else than its numbers, or than latitude and longitude;
- a coordinate is promised to a variable that it does not belong to.
"""

from __future__ import annotations

import json
import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pyproj
import pytest
import xarray as xr

import kaiseki
from archive.exchange.grids import MAPS, archive, domain, on_degrees, on_heights
from archive.release.days import a_run
from archive.runs import whole_forecasts
from kaiseki.archive import on_pressure_levels
from kaiseki.archive.exchange.cf import cf_dataset
from kaiseki.archive.exchange.climcore import write_single_fields
from kaiseki.archive.exchange.netcdf import write_days, write_netcdf
from kaiseki.archive.exchange.regridded import regridded
from kaiseki.archive.exchange.source import chosen, open_source
from kaiseki.archive.products.days import daily_statistics
from kaiseki.archive.release.packing import PackSettings, pack
from kaiseki.archive.selection.points import points
from kaiseki.grid.regridding import LatLonGrid

RULES = "cf:1.11"
_SLIP = re.compile(r"^[a-z_] is a required attribute for grid mapping mercator$")
"""The checker takes a name without a comma after it for a list of names of one letter (its appendix F, mercator)."""


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """Kind of dataset -> its file."""
    folder = tmp_path_factory.mktemp("files")
    run = archive(folder / "run.store", hours=3)
    forecasts = whole_forecasts(folder / "forecasts.store", 2)
    background = kaiseki.open(run, "background")
    datasets = {
        "analysis": kaiseki.open(run),
        "background": background,
        "surface": background[["temperature_2m", "precipitation", "time_bnds"]],
        "forecasts": kaiseki.open(forecasts),
        "pressure_levels": on_pressure_levels(kaiseki.open(run), [85000.0, 50000.0]),
        "heights": on_heights(run),
        "one_level_one_time": background.isel(time=1, level=1),
        "soil": background[["soil_temperature"]],
        "degrees_north_first": on_degrees(rising=False, mapped=True),
        "degrees_without_sphere": on_degrees(rising=True, mapped=False),
    }
    for name in ("mercator", "lambert_tangent", "stereographic_south"):
        datasets[name] = kaiseki.open(archive(folder / f"{name}.store", name, hours=1))
    pack([a_run(folder / "winter")], folder / "release.store", PackSettings(pressures=(90_000.0, 70_000.0)))
    for group in RELEASED:
        datasets[f"release_{group}"] = kaiseki.open(folder / "release.store", group, version="quality")
    datasets["daily_statistics"] = daily_statistics(kaiseki.open(folder / "winter", "background"))
    target = LatLonGrid(lat=np.arange(36.0, 37.5, 0.25)[::-1], lon=np.arange(136.5, 138.0, 0.25))
    datasets["regridded"] = regridded(background.isel(time=slice(0, 2)), target)
    datasets["places"] = points(background[["temperature_2m"]], [137.0, 138.0], [36.0, 36.5])
    made = {name: write_netcdf(dataset, folder / f"{name}.nc") for name, dataset in datasets.items()}
    made["packed"] = write_netcdf(background, folder / "packed.nc", "tight")
    made["one_forecast"] = write_days(open_source(forecasts), folder / "days", "forecast").files[1]
    part = chosen(open_source(run), variables=["pressure", "temperature_2m"])
    made["climcore_air"], made["climcore_surface"] = write_single_fields(part, folder / "climcore").files[:2]
    made["climcore_terrain"] = folder / "climcore/const/ZS.nc"
    return made


@pytest.fixture(scope="module")
def verdicts(files: dict[str, Path], tmp_path_factory: pytest.TempPathFactory) -> dict[str, list[str]]:
    """Kind of dataset -> errors that the checker finds, and its own failures."""
    out = tmp_path_factory.mktemp("checked") / "checked.json"
    command = [str(Path(sys.executable).with_name("compliance-checker")), "-t", RULES, "-c", "strict", "-f", "json_new"]
    ended = subprocess.run(
        [*command, "-o", str(out), *map(str, files.values())], capture_output=True, text=True, check=False
    )
    assert out.exists(), ended.stderr
    assert "exceptions occurred" not in ended.stdout + ended.stderr, ended.stdout + ended.stderr
    reports = json.loads(out.read_text())
    found = {}
    for name, path in files.items():
        groups = reports[str(path)][RULES]["high_priorities"]
        found[name] = [message for group in groups for message in group["msgs"] if not _SLIP.match(message)]
    return found


RELEASED = ("model_levels", "analysis", "surface", "pressure_levels", "height_levels", "precipitation", "uncertainty")
KINDS = (
    "analysis background surface forecasts pressure_levels heights one_level_one_time soil degrees_north_first "
    "degrees_without_sphere mercator lambert_tangent stereographic_south packed one_forecast climcore_air "
    "climcore_surface climcore_terrain daily_statistics regridded places"
).split() + [f"release_{group}" for group in RELEASED]


@pytest.mark.parametrize("kind", KINDS)
def test_the_checker_finds_no_error(verdicts: dict[str, list[str]], kind: str) -> None:
    assert verdicts[kind] == []


def test_every_file_is_judged(verdicts: dict[str, list[str]]) -> None:
    assert set(verdicts) == set(KINDS)


@pytest.mark.parametrize("name", MAPS)
def test_wkt_gives_latitude_and_longitude(tmp_path: Path, name: str) -> None:
    described = cf_dataset(kaiseki.open(archive(tmp_path / "run", name, hours=1)), "looked at")
    where, attributes = domain(name), described["crs"].attrs
    wkt = attributes.pop("crs_wkt")
    for crs in (pyproj.CRS.from_wkt(wkt), pyproj.CRS.from_cf(attributes)):
        to_degrees = pyproj.Transformer.from_crs(crs, crs.geodetic_crs, always_xy=True)
        lon, lat = to_degrees.transform(*np.meshgrid(where.x, where.y))
        np.testing.assert_allclose(lat, where.lat, atol=1e-9)
        np.testing.assert_allclose(lon, where.lon, atol=1e-9)


def test_the_single_parallel_of_older_stores_is_not_taken_for_the_origin(tmp_path: Path) -> None:
    dataset = kaiseki.open(archive(tmp_path / "run", "lambert_tangent", hours=1))
    dataset["crs"].attrs["standard_parallel"] = [40.0]
    crs = pyproj.CRS.from_wkt(cf_dataset(dataset, "looked at")["crs"].attrs["crs_wkt"])
    lon, lat = pyproj.Transformer.from_crs(crs, crs.geodetic_crs, always_xy=True).transform(
        dataset["x"][0], dataset["y"][0]
    )
    np.testing.assert_allclose([lat, lon], [46.0, 8.0], atol=1e-9)


def test_coordinates_belong_to_their_variables(files: dict[str, Path]) -> None:
    with xr.open_dataset(files["one_level_one_time"], engine="h5netcdf", decode_cf=False) as raw:
        listed = {str(name): raw[name].attrs.get("coordinates", "").split() for name in raw.variables}
    assert listed["temperature"] == ["lat", "lon", "time", "level", "altitude"]
    assert listed["temperature_2m"] == ["lat", "lon", "time", "height_2m"]
    assert listed["soil_temperature"] == ["lat", "lon", "time"]
    assert listed["precipitation"] == ["lat", "lon", "time"]
    with xr.open_dataset(files["soil"], engine="h5netcdf", decode_cf=False) as raw:
        assert "height_2m" not in raw, "the height of another variable"
        assert raw["time"].attrs["calendar"] == "standard"
        assert raw["time"].attrs["units_metadata"] == "leap_seconds: none"
        assert raw["soil_temperature"].attrs["units_metadata"] == "temperature: on_scale"
    with xr.open_dataset(files["climcore_surface"], engine="h5netcdf", decode_cf=False) as raw:
        assert raw["TMP"].attrs["coordinates"] == "lat lon height_2m"


def test_flags_go_with_the_fields(files: dict[str, Path]) -> None:
    with xr.open_dataset(files["release_surface"], engine="h5netcdf", decode_cf=False) as raw:
        assert set(raw["temperature_2m"].attrs["ancillary_variables"].split()) == {"state", "rim"}
        assert raw["temperature_2m"].attrs["coordinates"].split()[:2] == ["lat", "lon"]
        assert raw["state"].attrs["flag_values"].dtype == raw["state"].dtype
    with xr.open_dataset(files["places"], engine="h5netcdf", decode_cf=False) as raw:
        assert raw["in_rim"].dtype == np.int8
        assert raw["in_rim"].attrs["flag_meanings"] == "false true"


def test_a_vertical_coordinate_without_its_terms_promises_no_formula(tmp_path: Path) -> None:
    dataset = kaiseki.open(archive(tmp_path / "run", hours=1)).drop_vars("decay")
    level = cf_dataset(dataset, "looked at")["level"].attrs
    assert "formula_terms" not in level
    assert "standard_name" not in level
    assert level["positive"] == "up"
