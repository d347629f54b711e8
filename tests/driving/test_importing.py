"""Import of others' data into a release store.

Ways to fail: values turned, shifted or of another level; a unit, a sign or a factor; winds along the grid; a grid that
jumps at Greenwich; days lost or doubled by a second call; files of another grid, source or set of variables mixed in;
times that the axis does not have; a store that selection and regridding do not understand. The sources are read with
ecCodes and xarray alone, never with the readers under test.
"""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import xarray as xr

import kaiseki
from kaiseki.archive.exchange.regridded import regridded
from kaiseki.archive.products.days import daily_statistics
from kaiseki.archive.release.store import ReleaseStore
from kaiseki.cli import main
from kaiseki.core.errors import InputError, StoreError
from kaiseki.driving.importing import ImportSettings, import_files
from kaiseki.formats.grib.library import eccodes
from kaiseki.grid.regular import LatLonGrid

GFS = "gfs/gfs_20170322_00Z_analysis_2p5deg.grib2"
ERA5 = "era5/era5_20110117_14Z_30-40N_120-140E_ztq.grib"
ERA5_TL31 = "era5/era5_tl31_1959010200.nc"
ECMWF = "ecmwf_20240603/ecmwf_20240603_0604_6hourly_10deg.grib"
MERRA2 = ("merra2_eus_20200330/MERRA_pres_20200330.nc4", "merra2_eus_20200330/MERRA2_sfc_20200330.nc4")
RUC = "ruc13_conus_20050807/driving/2005080700_wrfprs_ruc13_00_tm00_G212.grib1"
GRAVITY = 9.80665

Opened = Callable[[str, str], xr.Dataset]


@pytest.fixture(scope="module")
def place(data: Path, tmp_path_factory: pytest.TempPathFactory) -> Callable[..., Path]:
    """Release of the named files, made once."""
    made: dict[tuple[str, ...], Path] = {}
    folder = tmp_path_factory.mktemp("imported")

    def of(*files: str) -> Path:
        if files not in made:
            made[files] = folder / str(len(made))
            import_files([data / "driving" / name for name in files], made[files])
        return made[files]

    return of


def message(path: Path, **keys: Any) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Values, latitudes and longitudes of the first GRIB field with these keys, in the order of the file."""
    with path.open("rb") as stream:
        while (handle := eccodes.codes_grib_new_from_file(stream)) is not None:
            if all(str(eccodes.codes_get(handle, key)) == str(value) for key, value in keys.items()):
                eccodes.codes_set(handle, "missingValue", 1e30)
                found = [np.array(eccodes.codes_get_array(handle, k)) for k in ("values", "latitudes", "longitudes")]
                eccodes.codes_release(handle)
                found[0][found[0] == 1e30] = np.nan
                return found[0], found[1], found[2]
            eccodes.codes_release(handle)
    raise AssertionError(f"no field {keys} in {path}")


def within(field: xr.DataArray, source: np.ndarray) -> bool:
    """Whether values are those of the source within the declared bound and the rounding of the source to float32."""
    most = field.attrs["maximum_absolute_error"] + 0.5 * float(np.spacing(np.float32(np.nanmax(np.abs(source)))))
    difference = np.abs(field.values.astype(float) - source)
    return bool(np.array_equal(np.isnan(field.values), np.isnan(source)) and np.nanmax(difference) <= most)


def at_places(field: xr.DataArray, lat: np.ndarray, lon: np.ndarray) -> xr.DataArray:
    """A map on latitudes and longitudes at places of the source, each found by its coordinates."""
    return field.sel(lat=xr.DataArray(lat, dims="n"), lon=xr.DataArray(lon, dims="n"), method="nearest", tolerance=1e-3)


@pytest.mark.parametrize(
    ("file", "name", "scale", "keys"),
    [
        (GFS, "temperature", 1.0, {"shortName": "t"}),
        (GFS, "relative_humidity", 100.0, {"shortName": "r"}),
        (GFS, "geopotential_height", 1.0, {"shortName": "gh"}),
        (GFS, "northward_wind", 1.0, {"shortName": "v"}),
        (ERA5, "temperature", 1.0, {"shortName": "t"}),
        (ERA5, "qv", 1.0, {"shortName": "q"}),
        (ERA5, "geopotential_height", GRAVITY, {"shortName": "z"}),
    ],
)
@pytest.mark.parametrize("level", [850, 250])
def test_a_map_on_a_pressure_level_equals_the_grib_field(
    place: Any, data: Path, file: str, name: str, scale: float, keys: dict[str, str], level: int
) -> None:
    dataset = kaiseki.open(place(file), "pressure_levels", version="quality")
    source, lat, lon = message(data / "driving" / file, typeOfLevel="isobaricInhPa", level=level, **keys)
    made = at_places(dataset[name].sel(pressure=100.0 * level).isel(time=0), lat, lon)
    assert within(made, source / scale)


@pytest.mark.parametrize(
    ("name", "keys"),
    [
        ("surface_pressure", {"shortName": "sp", "typeOfLevel": "surface"}),
        ("skin_temperature", {"shortName": "t", "typeOfLevel": "surface"}),
        ("snow", {"shortName": "sdwe", "typeOfLevel": "surface"}),
    ],
)
def test_a_surface_field_equals_the_grib_field(place: Any, data: Path, name: str, keys: dict[str, str]) -> None:
    dataset = kaiseki.open(place(GFS), "surface", version="quality")
    source, lat, lon = message(data / "driving" / GFS, **keys)
    assert within(at_places(dataset[name].isel(time=0), lat, lon), source)


def test_a_point_and_a_map_of_era5_in_netcdf_equal_the_file(place: Any, data: Path) -> None:
    dataset = kaiseki.open(place(ERA5_TL31), "pressure_levels", version="quality")
    with xr.open_dataset(data / "driving" / ERA5_TL31) as raw:
        field = raw["u_component_of_wind"].squeeze(drop=True).transpose("level", "latitude", "longitude")
        source = field.sel(level=500).sel(latitude=dataset["lat"].values, longitude=dataset["lon"].values)
        assert within(dataset["eastward_wind"].sel(pressure=50_000.0).isel(time=0), source.values.astype(float))
        lat, lon = float(dataset["lat"][20]), float(dataset["lon"][25])
        column = field.sel(latitude=lat, longitude=lon).sel(level=dataset["pressure"].values / 100.0)
    point = dataset.kaiseki.points(lon, lat).isel(time=0)
    assert within(point["eastward_wind"].squeeze(), column.values.astype(float))
    assert dataset["lat"].values[0] < dataset["lat"].values[-1]


def test_merra2_on_model_levels_equals_the_file_at_all_times(place: Any, data: Path) -> None:
    dataset = kaiseki.open(place(*MERRA2), "model_levels", version="quality")
    surface = kaiseki.open(place(*MERRA2), "surface", version="quality")
    with xr.open_dataset(data / "driving" / MERRA2[0]) as raw, xr.open_dataset(data / "driving" / MERRA2[1]) as ground:
        raw = raw.sel(lev=dataset["level"].values, lat=dataset["lat"].values, lon=dataset["lon"].values)
        assert np.array_equal(dataset["time"].values, raw["time"].values)
        for name, own in (
            ("temperature", "T"),
            ("pressure", "PL"),
            ("geopotential_height", "H"),
            ("eastward_wind", "U"),
        ):
            assert within(dataset[name], raw[own].values.astype(float)), name
        held = ground.sel(time=surface["time"].values, lat=surface["lat"].values, lon=surface["lon"].values)
        assert within(surface["surface_pressure"], held["PS"].values.astype(float))
    assert surface["time"].size == 8
    assert surface["time"].values[1] - surface["time"].values[0] == np.timedelta64(3, "h")
    # The lowest level first, as everywhere in the archive.
    assert float(dataset["pressure"].isel(level=0).mean()) > float(dataset["pressure"].isel(level=-1).mean())


def test_a_lambert_grid_keeps_its_places_and_turns_its_winds(place: Any, data: Path) -> None:
    dataset = kaiseki.open(place(RUC), "pressure_levels", version="quality")
    keys = {"typeOfLevel": "isobaricInhPa", "level": 500}
    source, lat, lon = message(data / "driving" / RUC, shortName="t", **keys)
    shape = dataset["lat"].shape
    # The file goes from south to north, so that its order is that of the release.
    assert np.allclose(dataset["lat"].values, lat.reshape(shape), atol=2e-3)
    assert np.allclose(dataset["lon"].values % 360.0, lon.reshape(shape) % 360.0, atol=2e-3)
    level = dataset.sel(pressure=50_000.0).isel(time=0)
    assert within(level["temperature"], source.reshape(shape))
    u, v = (message(data / "driving" / RUC, shortName=name, **keys)[0].reshape(shape) for name in "uv")
    # The angle of the map from the places themselves: the direction of the next column, by the sphere.
    east = np.deg2rad(lon.reshape(shape)[:, 2:] - lon.reshape(shape)[:, :-2])
    north = np.deg2rad(lat.reshape(shape)[:, 2:] - lat.reshape(shape)[:, :-2])
    angle = np.arctan2(north, east * np.cos(np.deg2rad(lat.reshape(shape)[:, 1:-1])))
    u, v = u[:, 1:-1], v[:, 1:-1]
    eastward, northward = u * np.cos(angle) - v * np.sin(angle), u * np.sin(angle) + v * np.cos(angle)
    inner = {"x": slice(1, -1)}
    # The angle is a difference over two cells of 40 km, and places of edition 1 are rounded.
    assert np.nanmax(np.abs(level["eastward_wind"].isel(inner).values - eastward)) < 0.1
    assert np.nanmax(np.abs(level["northward_wind"].isel(inner).values - northward)) < 0.1
    assert np.nanmax(np.abs(u - eastward)) > 1.0  # the winds of the file are along the grid


def test_selection_regridding_and_statistics_work_on_imported_data(place: Any) -> None:
    dataset = kaiseki.open(place(ECMWF), "pressure_levels", version="quality")
    assert dataset["time"].size == 8
    select = dataset.kaiseki
    near = select.points([140.0, 10.0], [40.0, -30.0])["temperature"]
    assert np.array_equal(near.isel(place=0).values, dataset["temperature"].sel(lat=40.0, lon=140.0).values)
    middle = select.points(145.0, 40.0, method="bilinear")["temperature"].squeeze()
    both = dataset["temperature"].sel(lat=40.0, lon=[140.0, 150.0]).mean("lon")
    assert np.allclose(middle.values, both.values, atol=1e-3)
    assert select.box(95.0, 5.0, 155.0, 45.0)["temperature"].shape == (8, 6, 4, 6)
    levels = dataset["pressure"].values
    path = select.path([140.0], [40.0], dataset["time"].values[:1], pressure=[float(levels[1])])["temperature"]
    assert float(path[0]) == pytest.approx(float(dataset["temperature"].sel(lat=40.0, lon=140.0)[0, 1]), abs=1e-3)
    column = dataset.sel(lat=40.0, lon=140.0).isel(time=0)
    height = float(column["geopotential_height"][2])
    path = select.path([140.0], [40.0], dataset["time"].values[:1], height=[height])["temperature"]
    assert float(path[0]) == pytest.approx(float(column["temperature"][2]), abs=1e-2)
    assert select.in_time_zone("Asia/Tokyo").sizes["time"] == 8
    own = LatLonGrid(dataset["lat"].values, dataset["lon"].values)
    assert np.allclose(regridded(dataset[["temperature"]], own)["temperature"].values, dataset["temperature"].values)
    daily = daily_statistics(dataset[["temperature"]])
    # A day holds 06, 12, 18 and 24 UTC.
    mean = dataset["temperature"].isel(time=slice(1, 5)).mean("time")
    made = next(array for name, array in daily.data_vars.items() if "mean" in str(name))
    assert np.allclose(made.isel(time=0).values, mean.values, atol=1e-2)


def test_a_second_call_keeps_what_is_there_and_goes_on(data: Path, tmp_path: Path) -> None:
    file, place = data / "driving" / ECMWF, tmp_path / "release"
    settings = ImportSettings(end="2024-06-03", axis_end="2024-06-05")
    assert [str(day) for day in import_files([file], place, settings).days] == ["2024-06-03"]
    done = import_files([file], place)
    assert [str(day) for day in done.days] == ["2024-06-04"]
    assert [str(day) for day in done.kept] == ["2024-06-03"]
    # ECMWF's relative humidity goes below 0 in spectral space; the archive's does not, and says so.
    assert done.limited["relative_humidity"][1] < 0.05
    messages = ReleaseStore.open(place).history()
    assert sum("day 2024-06-03" in text for text in messages) == 1
    assert import_files([file], place).days == ()
    assert kaiseki.open(place, "pressure_levels", version="quality")["time"].size == 8
    assert import_files([file], place, ImportSettings(replace=True, end="2024-06-03")).days


def test_files_of_another_source_grid_or_axis_are_refused(place: Any, data: Path) -> None:
    release = place(ECMWF)
    before = ReleaseStore.open(release).history()
    with pytest.raises(StoreError, match="producer"):
        import_files([data / "driving" / GFS], release)
    with pytest.raises(StoreError, match="differ in lat"):
        import_files([data / "driving" / ERA5], release)
    assert ReleaseStore.open(release).history() == before


def written(
    path: Path,
    hours: list[int],
    lon: np.ndarray,
    *,
    falling: bool = True,
    names: str = "tuv",
    levels: tuple[int, ...] = (500, 850),
) -> Path:
    """A small file in the form of ERA5's NetCDF, with a temperature that tells place, level and time apart."""
    lat = np.array([50.0, 40.0, 30.0]) if falling else np.array([30.0, 40.0, 50.0])
    time = np.datetime64("2020-01-01T00", "ns") + np.array(hours) * np.timedelta64(1, "h")
    shape = (time.size, len(levels), lat.size, lon.size)
    fields = {}
    for name in names:
        values = np.zeros(shape)
        values += lat[:, None] + np.mod(lon, 360.0) / 10.0 + np.array(levels)[:, None, None] / 100.0
        values += np.array(hours)[:, None, None, None]
        units = "K" if name == "t" else "m s-1"
        fields[name] = (
            ("time", "level", "latitude", "longitude"),
            values + (150.0 if name == "t" else -50.0),
            {"units": units},
        )
    axes = {
        "time": time,
        "level": ("level", np.array(levels), {"units": "hPa"}),
        "latitude": ("latitude", lat, {"units": "degrees_north"}),
        "longitude": ("longitude", lon, {"units": "degrees_east"}),
    }
    xr.Dataset(fields, axes, {"title": "Small ERA5", "license": "CC-BY-4.0"}).to_netcdf(path, engine="h5netcdf")
    return path


@pytest.mark.parametrize(
    "lon", [np.array([-20.0, -10.0, 0.0, 10.0]), np.array([340.0, 350.0, 0.0, 10.0]), np.array([170.0, 180.0, -170.0])]
)
@pytest.mark.parametrize("falling", [True, False])
def test_longitudes_rise_across_greenwich_and_the_date_line(tmp_path: Path, lon: np.ndarray, falling: bool) -> None:
    import_files([written(tmp_path / "a.nc", [0, 6], lon, falling=falling)], tmp_path / "release")
    dataset = kaiseki.open(tmp_path / "release", "pressure_levels", version="quality")
    assert np.all(np.diff(dataset["lon"].values) == 10.0)
    assert dataset["lat"].values.tolist() == [30.0, 40.0, 50.0]
    field = dataset["temperature"].sel(pressure=85_000.0).isel(time=1)
    expected = 150.0 + 8.5 + 6.0 + dataset["lat"].values[:, None] + np.mod(dataset["lon"].values, 360.0) / 10.0
    assert within(field, expected)
    assert dataset.attrs["title"] == "Small ERA5"
    assert dataset.attrs["license"] == "CC-BY-4.0"
    assert "a.nc" in dataset.attrs["history"]


def test_a_day_of_which_other_times_are_there_is_refused_not_lost(tmp_path: Path) -> None:
    lon, place = np.array([100.0, 110.0, 120.0]), tmp_path / "release"
    first, later = written(tmp_path / "a.nc", [0], lon), written(tmp_path / "b.nc", [12], lon)
    import_files([first], place, ImportSettings(times_per_day=4))
    with pytest.raises(StoreError, match="give all its files together"):
        import_files([later], place)
    assert kaiseki.open(place, "pressure_levels", version="quality")["time"].size == 1
    import_files([first, later], place, ImportSettings(replace=True))
    times = kaiseki.open(place, "pressure_levels", version="quality")["time"].values
    assert [str(time)[11:13] for time in times] == ["00", "12"]
    with pytest.raises(StoreError, match="not on the axis"):
        import_files([written(tmp_path / "c.nc", [1], lon)], place)
    with pytest.raises(StoreError, match="pressure levels"):
        import_files([written(tmp_path / "d.nc", [12], lon, levels=(300, 500))], place)
    with pytest.raises(StoreError, match=r"(eastward|northward)_wind of pressure_levels is missing in the files"):
        import_files([written(tmp_path / "e.nc", [0, 12], lon, names="t")], place)


@pytest.mark.parametrize(("per_day", "days"), [(8, 31), (4, 2)])
def test_the_copy_for_series_holds_with_other_steps_than_an_hour(tmp_path: Path, per_day: int, days: int) -> None:
    hours = list(range(0, 24 * days, 24 // per_day))
    lon = np.array([0.0, 10.0, 20.0])
    file = tmp_path / "a.nc"
    time = np.datetime64("2020-01-01", "ns") + np.array(hours) * np.timedelta64(1, "h")
    values = 280.0 + np.array(hours)[:, None, None] / 24.0 + np.zeros((len(hours), 3, 3))
    axes = {"time": time, "latitude": [30.0, 40.0, 50.0], "longitude": lon}
    fields = {"skt": (("time", "latitude", "longitude"), values, {"units": "K"})}
    xr.Dataset(fields, axes).to_netcdf(file, engine="h5netcdf")
    done = import_files([file], tmp_path / "release")
    assert done.series == -(-days // 30)
    assert len(done.days) == days
    dataset = kaiseki.open(tmp_path / "release", "surface", version="quality")
    assert np.array_equal(dataset["time"].values, time)
    # From the core and from the copies.
    assert within(dataset["skin_temperature"], values)
    assert within(dataset["skin_temperature"].isel(lat=1, lon=2), values[:, 1, 2])
    assert within(dataset["skin_temperature"].isel(time=-1), values[-1])


def test_files_without_a_field_of_a_known_kind_are_refused(tmp_path: Path) -> None:
    axes = {"time": [np.datetime64("2020-01-01", "ns")], "latitude": [0.0, 1.0], "longitude": [0.0, 1.0]}
    fields = {"tp": (("time", "latitude", "longitude"), np.zeros((1, 2, 2)), {"units": "m"})}
    xr.Dataset(fields, axes).to_netcdf(tmp_path / "a.nc", engine="h5netcdf")
    with pytest.raises(InputError, match=r"a\.nc"):
        import_files([tmp_path / "a.nc"], tmp_path / "release")
    assert not (tmp_path / "release").exists()


def test_what_the_readers_do_not_know_is_named(place: Any, data: Path, tmp_path: Path) -> None:
    settings = dataclasses.replace(ImportSettings(), bounds="user")
    done = import_files([data / "driving" / MERRA2[1]], tmp_path / "release", settings)
    assert any(line.startswith("TQL of") for line in done.left_out)


def test_the_surface_may_come_in_a_call_of_its_own(data: Path, tmp_path: Path) -> None:
    place = tmp_path / "release"
    levels, surface = (data / "driving" / name for name in MERRA2)
    import_files([levels], place)
    done = import_files([surface], place)
    assert [str(day) for day in done.days] == ["2020-03-30"]
    times = [kaiseki.open(place, group, version="quality")["time"].values for group in ("model_levels", "surface")]
    assert np.array_equal(times[0], times[1])


def test_the_command_tells_what_it_did(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = written(tmp_path / "a.nc", [0, 12], np.array([100.0, 110.0]))
    assert main(["archive", "import", str(file), "--into", str(tmp_path / "release"), "--title", "Mine", "--json"]) == 0
    told = json.loads(capsys.readouterr().out)
    assert told["imported"] == ["2020-01-01"]
    assert kaiseki.open(tmp_path / "release", version="quality").attrs["title"] == "Mine"
    assert main(["archive", "import", "--into", str(tmp_path / "other")]) != 0
    assert "name at least one" in capsys.readouterr().err
