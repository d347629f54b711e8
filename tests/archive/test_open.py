"""`kaiseki.open`: CF metadata against the table of variables, places against pyproj, laziness, the feedback archive."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pyarrow.parquet
import pyproj
import pytest
import xarray as xr

import kaiseki
from archive.runs import (
    HOUR,
    START,
    analysis_fields,
    create,
    cycle_times,
    field,
    forecast_fields,
    small_domain,
    table,
    times,
    whole_run,
    write_cycle,
)
from kaiseki.archive import export_netcdf, export_observations, observations, open_archive, open_domain
from kaiseki.core.errors import InputError, StoreError
from kaiseki.core.variables import VARIABLES

CYCLES = 2


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return whole_run(tmp_path_factory.mktemp("archive") / "run", CYCLES)


def check_cf(dataset: xr.Dataset) -> None:
    """What CF-1.11 asks of a gridded dataset, as far as it concerns this archive."""
    assert dataset.attrs["Conventions"] == "CF-1.11"
    for name in ("title", "source", "history", "comment"):
        assert dataset.attrs[name]
    mapping = dataset["crs"].attrs
    assert mapping["grid_mapping_name"] == "lambert_conformal_conic"
    for name, array in dataset.data_vars.items():
        if name in ("time_bnds", "rim"):
            continue
        row = VARIABLES[str(name)]
        assert {key: array.attrs[key] for key in ("standard_name", "units", "long_name")} == {
            "standard_name": row.standard_name,
            "units": row.units,
            "long_name": row.long_name,
        }
        assert array.attrs["cell_methods"] == row.cell_methods
        assert (array.encoding | array.attrs)["grid_mapping"] == "crs"
        assert set(array.encoding["coordinates"].split()) <= set(dataset.coords)
        assert array.dims[-2:] == ("y", "x")
    axes = {str(name): array.attrs.get("axis") for name, array in dataset.coords.items() if array.dims == (name,)}
    assert {name: axes[name] for name in ("time", "y", "x", "level")} == {"time": "T", "y": "Y", "x": "X", "level": "Z"}
    assert dataset["lat"].attrs["standard_name"] == "latitude"
    assert dataset["lon"].attrs["units"] == "degrees_east"
    assert dataset["level"].attrs["positive"] == "up"
    level = dataset["level"]
    terms = (level.encoding | level.attrs)["formula_terms"].split()
    assert terms[::2] == ["a:", "b:", "orog:"]
    assert set(terms[1::2]) <= set(dataset.coords)


@pytest.mark.parametrize("kind", ["analysis", "background"])
def test_metadata(run: Path, kind: str) -> None:
    dataset = kaiseki.open(run, kind)
    check_cf(dataset)
    assert dataset.attrs["schema_version"] == 1
    assert dataset.attrs["kind"] == kind
    assert dataset.attrs["snapshot"] in dataset.attrs["citation"]


def test_values_and_winds(run: Path) -> None:
    dataset = kaiseki.open(run)
    assert list(dataset) == ["eastward_wind", "northward_wind", "temperature", "pressure"]
    assert np.array_equal(dataset["time"].values, cycle_times(CYCLES))
    for number in range(CYCLES + 1):
        given = analysis_fields(number)
        now = dataset.isel(time=number)
        assert np.array_equal(now["temperature"], given["temperature"])
        east, north = small_domain().to_east_north(given["u"].astype(float), given["v"].astype(float))
        np.testing.assert_allclose(now["eastward_wind"], east, atol=1e-6)
        np.testing.assert_allclose(now["northward_wind"], north, atol=1e-6)


def test_winds_against_the_direction_of_north_on_the_map(run: Path) -> None:
    """A wind along the grid's y axis blows where a small step along y leads on the sphere."""
    domain = small_domain()
    ahead_lat, ahead_lon = domain.projection.inverse(*np.meshgrid(domain.x, domain.y + 100.0))
    sphere = pyproj.Geod(a=domain.projection.radius, b=domain.projection.radius)
    azimuth = np.deg2rad(sphere.inv(domain.lon, domain.lat, ahead_lon, ahead_lat)[0])
    with create(run.parent / "along_y", 0) as store, store.cycle(START) as transaction:
        zero = np.zeros(domain.shape, np.float32)
        transaction.write_fields("analysis", START, {"u": zero, "v": zero + 10.0})
    dataset = kaiseki.open(run.parent / "along_y").isel(time=0, level=0)
    np.testing.assert_allclose(dataset["eastward_wind"], 10.0 * np.sin(azimuth), atol=1e-4)
    np.testing.assert_allclose(dataset["northward_wind"], 10.0 * np.cos(azimuth), atol=1e-4)


def test_grid_mapping_gives_latitude_and_longitude_by_pyproj(run: Path) -> None:
    dataset = kaiseki.open(run)
    crs = pyproj.CRS.from_cf(dataset["crs"].attrs)
    to_degrees = pyproj.Transformer.from_crs(crs, crs.geodetic_crs, always_xy=True)
    lon, lat = to_degrees.transform(*np.meshgrid(dataset["x"].values, dataset["y"].values))
    np.testing.assert_allclose(dataset["lat"], lat, atol=1e-9)
    np.testing.assert_allclose(dataset["lon"], lon, atol=1e-9)


def test_altitude_follows_from_the_formula_terms(run: Path) -> None:
    dataset = kaiseki.open(run)
    altitude = dataset["level"] + dataset["decay"] * dataset["terrain"]
    np.testing.assert_allclose(dataset["altitude"], altitude, rtol=1e-6)


def test_intervals_end_at_their_label(run: Path) -> None:
    dataset = kaiseki.open(run, "background")
    assert dataset["time"].attrs["bounds"] == "time_bnds"
    bounds = dataset["time_bnds"].values.astype("datetime64[s]")
    assert np.array_equal(bounds[:, 1], times(CYCLES))
    assert np.array_equal(bounds[:, 0], times(CYCLES) - HOUR)
    assert "time_bnds" not in kaiseki.open(run), "analyses are instants"


def test_height_above_ground_belongs_to_its_variable_only(run: Path) -> None:
    dataset = kaiseki.open(run, "background")
    assert dataset["height_2m"] == 2.0
    assert "height_2m" in dataset["temperature_2m"].encoding["coordinates"]
    assert "height_2m" not in dataset["temperature"].encoding["coordinates"]
    assert "height_10m" not in dataset.coords


def test_nothing_but_axes_is_read_before_it_is_used(run: Path) -> None:
    dataset = kaiseki.open(run, "background")
    part = dataset["temperature"].isel(time=2, level=0)
    assert all(not array.variable._in_memory for name, array in dataset.data_vars.items() if name != "time_bnds")
    assert not dataset["altitude"].variable._in_memory
    assert np.array_equal(part.values, forecast_fields(2)["temperature"][0])
    assert not dataset["temperature"].variable._in_memory


def test_only_times_that_were_produced(tmp_path: Path) -> None:
    with create(tmp_path / "run", 8) as store:
        with pytest.raises(StoreError, match="holds no analysis fields yet; run it first"):
            open_archive(tmp_path / "run")
        with store.cycle(START) as transaction:
            transaction.write_fields("forecast", START, {"temperature": field(1)})
        with pytest.raises(StoreError, match="can be opened with kind='background'"):
            open_archive(tmp_path / "run")
        for number in (1, 2):
            write_cycle(store, number)
    background = open_archive(tmp_path / "run", "background")
    assert np.array_equal(background["time"].values, times(2))
    assert np.array_equal(background["temperature"].isel(time=-1), forecast_fields(6)["temperature"])
    analysis = open_archive(tmp_path / "run")
    assert np.array_equal(analysis["time"].values, cycle_times(2)[1:])
    assert np.array_equal(analysis["temperature"].isel(time=0), analysis_fields(1)["temperature"])


def test_a_path_that_is_no_archive(tmp_path: Path, run: Path) -> None:
    with pytest.raises(
        StoreError, match=r"is neither a run store nor a release store of Kaiseki; give an analysis\.store"
    ):
        kaiseki.open(tmp_path)
    with pytest.raises(StoreError, match="does not exist"):
        kaiseki.open(tmp_path / "absent")


def test_the_folder_of_a_run_stands_for_its_analysis(run: Path, tmp_path: Path) -> None:
    folder = tmp_path / "case"
    shutil.copytree(run, folder / "analysis.store")
    np.testing.assert_array_equal(kaiseki.open(folder)["temperature"].values, kaiseki.open(run)["temperature"].values)
    assert kaiseki.open_observations(folder)["report"].to_pylist() == observations(run)["report"].to_pylist()
    (folder / "analysis.store").rename(folder / "truth.store")
    with pytest.raises(
        StoreError,
        match=r"is neither a run store nor a release store of Kaiseki; it holds truth\.store: open one of these",
    ):
        kaiseki.open(folder)


def test_domain(run: Path) -> None:
    assert np.array_equal(open_domain(run).lat, small_domain().lat)


def test_feedback_archive_is_one_table(run: Path, tmp_path: Path) -> None:
    whole = observations(run)
    assert whole.num_rows == sum(table(number).num_rows for number in range(CYCLES + 1))
    assert whole["report"].to_pylist() == [100 * n + row for n in range(CYCLES + 1) for row in range(2 + n)]
    assert whole["station"].to_pylist()[-1] == "station 2 2 東京"
    assert whole["quantity"].to_pylist()[-1] == "q2"
    assert set(whole["cycle"].to_pylist()) == {time.item() for time in cycle_times(CYCLES)}
    part = observations(run, "1989-01-01T15:00Z", cycle_times(CYCLES)[1])
    assert part.drop_columns(["cycle", "analysis_departure"]).equals(table(1).drop_columns("analysis_departure"))
    with pytest.raises(StoreError, match="no complete cycle with observations from"):
        observations(run, "1990-01-01T00:00Z")
    file = export_observations(run, tmp_path / "feedback.parquet")
    # Parquet counts time in milliseconds at the coarsest.
    read = pyarrow.parquet.read_table(file).cast(whole.schema)
    assert read.drop_columns("analysis_departure").equals(whole.drop_columns("analysis_departure"))


def test_netcdf(run: Path, tmp_path: Path) -> None:
    file = export_netcdf(
        run,
        tmp_path / "part.nc",
        kind="background",
        times=["1989-01-01T17:00Z", START],
        variables=["temperature", "temperature_2m", "precipitation"],
    )
    assert list(tmp_path.iterdir()) == [file]
    with xr.open_dataset(file, engine="h5netcdf", decode_coords="all") as dataset:
        check_cf(dataset)
        assert np.array_equal(dataset["time"].values, [START, START + 5 * HOUR])
        assert np.array_equal(dataset["temperature"].isel(time=1), forecast_fields(5)["temperature"])
        assert dataset["temperature"].dtype == np.float32
        bounds = dataset["time_bnds"].values.astype("datetime64[s]")
        assert np.array_equal(bounds[:, 0], bounds[:, 1] - HOUR)
        assert dataset.attrs["history"].count("\n") == 1, "one line for the creation, one for the export"
    with xr.open_dataset(file, engine="h5netcdf", decode_cf=False) as raw:
        assert raw["temperature"].attrs["coordinates"] == "lat lon altitude"
        assert raw["temperature_2m"].attrs["coordinates"] == "lat lon height_2m"
        assert raw["temperature_2m"].attrs["ancillary_variables"] == "rim"
        assert raw["time"].attrs["units"].startswith("seconds since 1970-01-01")
        assert "coordinates" not in raw.attrs


def test_refusals_of_export(run: Path, tmp_path: Path) -> None:
    file = tmp_path / "a.nc"
    with pytest.raises(InputError, match="have no variable 'rain'; there are eastward_wind"):
        export_netcdf(run, file, variables=["rain"])
    with pytest.raises(InputError, match="1989-01-01T13:00Z was asked of the analysis fields"):
        export_netcdf(run, file, times=["1989-01-01T13:00Z"])
    with pytest.raises(InputError, match="no time at all"):
        export_netcdf(run, file, times=[])
    with pytest.raises(StoreError, match="does not exist"):
        export_netcdf(run, tmp_path / "absent" / "a.nc")
    assert list(tmp_path.iterdir()) == []


def test_no_jax() -> None:
    code = (
        "import sys, kaiseki.archive; sys.exit(any(name.split('.')[0] in ('jax', 'equinox') for name in sys.modules))"
    )
    assert subprocess.run([sys.executable, "-c", code]).returncode == 0
