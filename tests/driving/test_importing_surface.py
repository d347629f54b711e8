"""Import of fields at the ground and near it: instants, and sums and means over time.

Ways to fail: a field of another height or another reduction of pressure; a sum over six hours labelled as one hour; a
mean at the middle of its interval; a sum without an interval guessed; units of fluxes and amounts mixed; precipitation
in metres; a wind of one component; variables that a model is driven by changed on the way. The sources are read with
ecCodes and xarray alone.
"""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Any

import eccodes
import numpy as np
import pytest
import xarray as xr

import kaiseki
from archive.exchange.grib2_cases import on_degrees
from kaiseki.archive import write_grib2
from kaiseki.core.errors import InputError
from kaiseki.core.variables import VARIABLES
from kaiseki.driving import read_global
from kaiseki.driving.importing import ImportSettings, import_files
from kaiseki.driving.sources.intervals import parts, unit_over
from kaiseki.formats.grib.messages import single_fields

GFS = "gfs/gfs_20170322_00Z_analysis_2p5deg.grib2"
GFS_FORECAST = "gfs/gfs_2011011012_f120_2p5deg.grib2"
RUC = "ruc13_conus_20050807/driving/20050807{}_wrfprs_ruc13_{}_tm00_G212.grib1"
STAGE_2 = "ruc13_conus_20050807/obs_rain/ST2ml20050807{:02d}.Grb_G212"
MERRA2 = "merra2_eus_20200330/MERRA2_400.{}_Nx.20200330.nc4"
ERA5 = "jra3q_points_20230101/era5_sa_20230101_to_20230131.nc"
THREDDS = "gfs/gfs_20101026_12Z_1deg_NAmerica.nc"


def picked(
    source: Path, target: Path, names: Iterable[str], kinds: Iterable[str] = (), first: int | None = None
) -> Path:
    """File of those fields of a GRIB file that have some short names, at the ground and near it."""
    with target.open("wb") as stream:
        for _, field in single_fields(source):
            handle = eccodes.codes_new_from_message(field)
            name, kind = (eccodes.codes_get(handle, key) for key in ("shortName", "typeOfLevel"))
            wanted = first is None or eccodes.codes_get(handle, "P1", ktype=int) == first
            eccodes.codes_release(handle)
            if wanted and name in names and not kind.startswith("isobaric") and (not kinds or kind in kinds):
                stream.write(field)
    return target


def grib_field(path: Path, **keys: Any) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Values, latitudes and longitudes of the first field with these keys, in the order of the file."""
    for _, field in single_fields(path):
        handle = eccodes.codes_new_from_message(field)
        eccodes.codes_set(handle, "missingValue", 1e30)
        try:
            if all(str(eccodes.codes_get(handle, key)) == str(value) for key, value in keys.items()):
                found = [np.array(eccodes.codes_get_array(handle, k)) for k in ("values", "latitudes", "longitudes")]
                found[0][found[0] == 1e30] = np.nan
                return found[0], found[1], found[2]
        finally:
            eccodes.codes_release(handle)
    raise AssertionError(f"no field {keys} in {path}")


def within(field: xr.DataArray, source: np.ndarray) -> bool:
    """Whether values are those of the source within the declared bound and rounding to float32."""
    most = field.attrs["maximum_absolute_error"] + 0.5 * float(np.spacing(np.float32(np.nanmax(np.abs(source)))))
    difference = np.abs(field.values.astype(float) - source)
    return bool(np.array_equal(np.isnan(field.values), np.isnan(source)) and np.nanmax(difference) <= most)


def at_places(field: xr.DataArray, lat: np.ndarray, lon: np.ndarray) -> xr.DataArray:
    """A map at places of the source, each found by its coordinates."""
    return field.sel(lat=xr.DataArray(lat, dims="n"), lon=xr.DataArray(lon, dims="n"), method="nearest", tolerance=1e-3)


def surface(place: Path, group: str = "surface") -> xr.Dataset:
    return kaiseki.open(place, group, version="quality")


@pytest.fixture(scope="module")
def gfs(data: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("gfs")
    names = ("2t", "2d", "2sh", "2r", "10u", "10v", "u", "v", "prmsl", "mslet", "pwat", "sp", "t", "q")
    kinds = ("heightAboveGround", "meanSea", "surface", "atmosphereSingleLayer")
    file = picked(data / "driving" / GFS, folder / "gfs.grib2", names, kinds)
    import_files([file], folder / "release")
    return folder / "release"


@pytest.mark.parametrize(
    ("name", "scale", "keys"),
    [
        ("temperature_2m", 1.0, {"shortName": "2t"}),
        ("dew_point_2m", 1.0, {"shortName": "2d"}),
        ("specific_humidity_2m", 1.0, {"shortName": "2sh"}),
        ("relative_humidity_2m", 100.0, {"shortName": "2r"}),
        ("eastward_wind_10m", 1.0, {"shortName": "10u"}),
        ("northward_wind_10m", 1.0, {"shortName": "10v"}),
        ("eastward_wind_100m", 1.0, {"shortName": "u", "typeOfLevel": "heightAboveGround", "level": 100}),
        ("mean_sea_level_pressure", 1.0, {"shortName": "prmsl"}),
        ("precipitable_water", 1.0, {"shortName": "pwat"}),
    ],
)
def test_fields_near_the_ground_equal_those_of_the_gfs(
    gfs: Path, data: Path, name: str, scale: float, keys: dict[str, Any]
) -> None:
    dataset = surface(gfs)
    source, lat, lon = grib_field(data / "driving" / GFS, **keys)
    source = source / scale
    made = at_places(dataset[name].isel(time=0), lat, lon)
    assert within(made, np.clip(source, 0.0, None) if "humidity" in name else source)
    point = dataset.kaiseki.points(140.0, 35.0)[name].isel(time=0)
    assert within(point, source[(lat == 35.0) & (lon == 140.0)][0])


def test_sums_and_means_over_six_hours_make_an_axis_of_six_hours(data: Path, tmp_path: Path) -> None:
    file = picked(
        data / "driving" / GFS_FORECAST, tmp_path / "gfs.grib2", ("tp", "prate", "sdswrf", "sdlwrf", "tcc", "2t"),
        ("surface", "atmosphereSingleLayer", "heightAboveGround", "lowCloudLayer"),
    )  # fmt: skip
    done = import_files([file], tmp_path / "release")
    # The sum and the mean rate of precipitation are two fields of one quantity.
    assert any("(prate)" in line and "is taken from the fields in kg m-2" in line for line in done.left_out)
    rain, ground = (surface(tmp_path / "release", group) for group in ("precipitation", "surface"))
    for name, keys in (
        ("precipitation", {"shortName": "tp"}),
        ("shortwave_down", {"shortName": "sdswrf", "typeOfLevel": "surface"}),
        ("longwave_down", {"shortName": "sdlwrf"}),
        ("cloud_fraction_mean", {"shortName": "tcc", "typeOfLevel": "atmosphereSingleLayer"}),
    ):
        dataset = rain if name == "precipitation" else ground
        source, lat, lon = grib_field(file, **keys)
        scale = 100.0 if name.startswith("cloud") else 1.0
        assert within(at_places(dataset[name].isel(time=0), lat, lon), source / scale), name
        start, end = dataset["time_bnds"].values[0].astype("datetime64[h]")
        assert (str(start), str(end)) == ("2011-01-15T06", "2011-01-15T12")
    assert "cloud_fraction" not in ground


def test_what_is_not_over_the_step_of_the_axis_is_left_out_by_name(data: Path, tmp_path: Path) -> None:
    file = picked(data / "driving" / GFS_FORECAST, tmp_path / "gfs.grib2", ("tp", "2t"))
    done = import_files([file], tmp_path / "release", ImportSettings(times_per_day=24))
    assert any("precipitation_amount: its intervals of 6 h make none of 1 h" in line for line in done.left_out)
    assert "temperature_2m" in surface(tmp_path / "release")


def test_sums_from_the_start_of_a_forecast_become_sums_over_its_steps(data: Path, tmp_path: Path) -> None:
    files = [
        picked(data / "driving" / RUC.format("00", step), tmp_path / f"{step}.grib1", ("tp", "2t", "10u", "10v"))
        for step in ("00", "03", "06")
    ]
    done = import_files(files, tmp_path / "release")
    rain = surface(tmp_path / "release", "precipitation")["precipitation"]
    three, six = (
        grib_field(tmp_path / f"{step}.grib1", shortName="tp", P1=0)[0].reshape(rain.shape[1:]) for step in ("03", "06")
    )
    header = [line for line in done.left_out if "interval has no length" in line]
    assert len(header) == 1  # the sum at the start of the forecast
    assert within(rain.isel(time=0), three)
    # The file holds the sum of the last three hours beside that since the start; without it their difference is it.
    later = grib_field(tmp_path / "06.grib1", shortName="tp", P1=3)[0].reshape(rain.shape[1:])
    assert within(rain.isel(time=1), later)
    since = [picked(file, file.with_suffix(".since"), ("tp",), first=0) for file in files[1:]]
    import_files(since, tmp_path / "since")
    made = surface(tmp_path / "since", "precipitation")["precipitation"].isel(time=1)
    assert within(made, np.clip(six - three, 0.0, None))
    assert np.nanmax(np.abs(six - three - later)) < 0.02
    ground = surface(tmp_path / "release")
    u, v = (grib_field(tmp_path / "03.grib1", shortName=name)[0].reshape(rain.shape[1:]) for name in ("10u", "10v"))
    speed = np.hypot(*(ground[f"{way}ward_wind_10m"].isel(time=1).values for way in ("east", "north")))
    assert np.nanmax(np.abs(speed - np.hypot(u, v))) < 0.03


def test_hourly_sums_of_gauges_and_radar_in_edition_1(data: Path, tmp_path: Path) -> None:
    files = [data / "driving" / STAGE_2.format(hour) for hour in (1, 2)]
    import_files(files, tmp_path / "release")
    rain = surface(tmp_path / "release", "precipitation")
    assert [str(time)[:13] for time in rain["time"].values] == ["2005-08-07T01", "2005-08-07T02"]
    for number, file in enumerate(files):
        source, *_ = grib_field(file, shortName="tp")
        assert within(rain["precipitation"].isel(time=number), source.reshape(rain["precipitation"].shape[1:]))


@pytest.fixture(scope="module")
def merra2(data: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Six hours of a corner of MERRA-2, of instants and of means."""
    folder = tmp_path_factory.mktemp("merra2")
    keep = {
        "inst1_2d_asm": ["T2M", "QV2M", "U10M", "V10M", "SLP", "TQV", "PS"],
        "tavg1_2d_flx": ["PRECTOT", "PRECTOTCORR", "PRECSNO", "EFLUX", "FRSEAICE"],
        "tavg1_2d_rad": ["SWGDN", "CLDTOT", "LWGAB"],
    }
    for name, variables in keep.items():
        with xr.open_dataset(data / "driving" / MERRA2.format(name), decode_times=False) as raw:
            raw[variables].isel(time=slice(15, 21), lat=slice(3, 9), lon=slice(10, 18)).to_netcdf(folder / f"{name}.nc")
    import_files([folder / f"{name}.nc" for name in keep], folder / "release")
    return folder


@pytest.mark.parametrize(
    ("group", "name", "own", "file", "factor"),
    [
        ("surface", "temperature_2m", "T2M", "inst1_2d_asm", 1.0),
        ("surface", "specific_humidity_2m", "QV2M", "inst1_2d_asm", 1.0),
        ("surface", "northward_wind_10m", "V10M", "inst1_2d_asm", 1.0),
        ("surface", "mean_sea_level_pressure", "SLP", "inst1_2d_asm", 1.0),
        ("surface", "precipitable_water", "TQV", "inst1_2d_asm", 1.0),
        ("surface", "surface_pressure", "PS", "inst1_2d_asm", 1.0),
        ("surface", "shortwave_down", "SWGDN", "tavg1_2d_rad", 1.0),
        ("surface", "cloud_fraction_mean", "CLDTOT", "tavg1_2d_rad", 1.0),
        ("precipitation", "precipitation", "PRECTOT", "tavg1_2d_flx", 3600.0),
        ("precipitation", "snowfall", "PRECSNO", "tavg1_2d_flx", 3600.0),
    ],
)
def test_merra2_at_the_surface_equals_its_files(
    merra2: Path, group: str, name: str, own: str, file: str, factor: float
) -> None:
    dataset = surface(merra2 / "release", group)
    with xr.open_dataset(merra2 / f"{file}.nc") as raw:
        # Means stand at the middle of their hour, in the release at its end.
        half = np.timedelta64(30, "m") if file.startswith("tavg") else np.timedelta64(0, "m")
        source = raw[own].assign_coords(time=raw["time"] + half)
        made = dataset[name].sel(time=source["time"])
        assert within(made, factor * source.values.astype(float))
        lat, lon = float(raw["lat"][2]), float(raw["lon"][4])
        point = dataset.kaiseki.points(lon, lat)[name].sel(time=source["time"]).squeeze()
        assert within(point, factor * source.sel(lat=lat, lon=lon).values.astype(float))


def test_a_mean_about_the_half_hour_has_the_bounds_of_its_hour(merra2: Path) -> None:
    rain = surface(merra2 / "release", "precipitation")
    assert str(rain["time"].values[0])[:16] == "2020-03-30T16:00"
    assert (rain["time_bnds"].values[0] == np.array(["2020-03-30T15", "2020-03-30T16"], "datetime64[ns]")).all()


def test_what_merra2_averages_is_not_taken_for_an_instant(merra2: Path, tmp_path: Path) -> None:
    done = import_files([merra2 / "tavg1_2d_flx.nc", merra2 / "tavg1_2d_rad.nc"], tmp_path / "release")
    text = "\n".join(done.left_out)
    assert "FRSEAICE of tavg1_2d_flx.nc: it is a mean over time" in text
    assert "LWGAB" in text
    assert "PRECTOTCORR" in text
    with pytest.raises(InputError, match="means over time"):
        read_global(merra2 / "tavg1_2d_flx.nc")


def test_era5_of_the_climate_data_store_near_the_ground(data: Path, tmp_path: Path) -> None:
    with xr.open_dataset(data / "driving" / ERA5, decode_times=False) as raw:
        raw.isel(valid_time=slice(0, 6), latitude=slice(0, 4)).to_netcdf(tmp_path / "era5.nc")
    import_files([tmp_path / "era5.nc"], tmp_path / "release")
    dataset = surface(tmp_path / "release")
    with xr.open_dataset(tmp_path / "era5.nc") as raw:
        raw = raw.sortby("latitude").transpose("valid_time", "latitude", "longitude")
        for name, own in (
            ("temperature_2m", "t2m"),
            ("dew_point_2m", "d2m"),
            ("eastward_wind_10m", "u10"),
            ("northward_wind_10m", "v10"),
            ("precipitable_water", "tcwv"),
        ):
            assert within(dataset[name], raw[own].values.astype(float)), name
        lon, lat = float(raw["longitude"][1]), float(raw["latitude"][2])
        point = dataset.kaiseki.points(lon, lat)["temperature_2m"].squeeze()
        assert within(point, raw["t2m"].values[:, 2, 1].astype(float))


def test_a_height_is_picked_from_its_axis(data: Path, tmp_path: Path) -> None:
    with xr.open_dataset(data / "driving" / THREDDS, decode_times=False) as raw:
        part = raw.isel(lat=slice(0, 5), lon=slice(0, 6))
        part.to_netcdf(tmp_path / "gfs.nc")
        high = part["Temperature_height_above_ground"].assign_coords(height_above_ground=[80.0])
        high["height_above_ground"].attrs["units"] = "m"
        both = xr.concat([high - 1.0, part["Temperature_height_above_ground"]], "height_above_ground", join="outer")
        both.attrs = part["Temperature_height_above_ground"].attrs
        both["height_above_ground"].attrs["units"] = "m"
        names = ["Temperature_height_above_ground", "height_above_ground"]
        part.drop_vars(names).assign({names[0]: both}).to_netcdf(tmp_path / "two.nc")
        part.drop_vars(names).assign({names[0]: high}).to_netcdf(tmp_path / "high.nc")
    for name in ("gfs", "two"):
        import_files([tmp_path / f"{name}.nc"], tmp_path / name)
        with xr.open_dataset(tmp_path / "gfs.nc") as raw:
            source = raw["Temperature_height_above_ground"].sortby("lat").values[0, 0].astype(float)
            assert within(surface(tmp_path / name)["temperature_2m"].isel(time=0), source)
            pressure = raw["Pressure_reduced_to_MSL_msl"].sortby("lat").values[0].astype(float)
            assert within(surface(tmp_path / name)["mean_sea_level_pressure"].isel(time=0), pressure)
    done = import_files([tmp_path / "high.nc"], tmp_path / "high")
    assert any("it is given at 80 m, not at 2 m" in line for line in done.left_out)


def era5_rain(path: Path, **attributes: str) -> Path:
    """Hourly precipitation and radiation in the form of the Climate Data Store, whose files tell no interval."""
    time = np.datetime64("2020-01-01T01", "ns") + np.arange(3) * np.timedelta64(1, "h")
    shape = (3, 3, 4)
    rain = np.linspace(0.0, 0.02, 36).reshape(shape)
    sun = np.linspace(0.0, 3.0e6, 36).reshape(shape)
    steps = {"GRIB_stepType": "accum"} | attributes
    dims = ("valid_time", "latitude", "longitude")
    xr.Dataset(
        {"tp": (dims, rain, {"units": "m"} | steps), "ssrd": (dims, sun, {"units": "J m**-2"} | steps)},
        {
            "valid_time": ("valid_time", time, {"standard_name": "time"}),
            "latitude": ("latitude", [40.0, 35.0, 30.0], {"units": "degrees_north"}),
            "longitude": ("longitude", [130.0, 135.0, 140.0, 145.0], {"units": "degrees_east"}),
        },
    ).to_netcdf(path, engine="h5netcdf")
    return path


def test_an_interval_is_stated_or_refused_never_guessed(tmp_path: Path) -> None:
    file = era5_rain(tmp_path / "era5.nc")
    with pytest.raises(InputError, match="does not tell over which interval"):
        import_files([file], tmp_path / "none")
    assert not (tmp_path / "none").exists()
    import_files([file], tmp_path / "release", ImportSettings(interval=1.0))
    with xr.open_dataset(file) as raw:
        rain = surface(tmp_path / "release", "precipitation")["precipitation"]
        assert within(rain, 1000.0 * raw["tp"].values[:, ::-1])
        assert within(surface(tmp_path / "release")["shortwave_down"], raw["ssrd"].values[:, ::-1] / 3600.0)


@pytest.mark.parametrize(
    ("attributes", "message"),
    [
        ({"GRIB_stepType": "instant"}, "it is of an instant, not a sum"),
        ({"GRIB_stepType": "avg"}, "is a mean over time by its header, but has the unit"),
        ({"GRIB_stepType": "max"}, "it is a max over time"),
        ({"cell_methods": "time: point"}, "cell_methods say point and its GRIB_stepType accum"),
        ({"units": "furlong"}, "has the unit 'furlong'"),
    ],
)
def test_what_a_sum_is_not_is_refused(tmp_path: Path, attributes: dict[str, str], message: str) -> None:
    file = era5_rain(tmp_path / "era5.nc", **attributes)
    with pytest.raises(InputError, match=message):
        import_files([file], tmp_path / "release", ImportSettings(interval=1.0))


def test_intervals_come_from_bounds(tmp_path: Path) -> None:
    with xr.open_dataset(era5_rain(tmp_path / "plain.nc")) as raw:
        ends = raw["valid_time"].values
        bounds = np.stack([ends - np.timedelta64(1, "h"), ends], axis=1)
        # The time of a field may be anywhere in its interval.
        made = raw.assign_coords(valid_time=ends - np.timedelta64(20, "m")).assign(bnds=(("valid_time", "two"), bounds))
        made["valid_time"].attrs = {"standard_name": "time", "bounds": "bnds"}
        made["valid_time"].encoding = {"units": "minutes since 2020-01-01"}
        made["bnds"].encoding = {"units": "minutes since 2020-01-01"}
        made.to_netcdf(tmp_path / "bounds.nc", engine="h5netcdf")
        import_files([tmp_path / "bounds.nc"], tmp_path / "release")
        rain = surface(tmp_path / "release", "precipitation")
        assert np.array_equal(rain["time"].values, ends)
        assert within(rain["precipitation"], 1000.0 * raw["tp"].values[:, ::-1])


def test_intervals_are_found_as_they_are_by_difference_and_in_a_row() -> None:
    def hours(*numbers: int) -> list[Any]:
        return [np.datetime64("2020-01-01T00", "s") + np.timedelta64(n, "h") for n in numbers]

    start = hours(0)[0]
    held = {(start, end) for end in hours(1, 2, 3, 6)}
    assert parts((hours(2)[0], hours(3)[0]), held) == [((start, hours(3)[0]), 1.0), ((start, hours(2)[0]), -1.0)]
    assert parts((start, hours(6)[0]), held) == [((start, hours(6)[0]), 1.0)]
    assert parts((hours(5)[0], hours(6)[0]), held) is None
    single = {(a, b) for a, b in zip(hours(0, 1, 2), hours(1, 2, 3), strict=True)}
    assert parts((start, hours(3)[0]), single) == [(one, 1.0) for one in sorted(single)]
    assert parts((start, hours(4)[0]), single) is None


def test_a_flux_that_is_summed_is_no_amount() -> None:
    with pytest.raises(InputError, match="is a sum over time by its header"):
        unit_over("a.grib", "surface_downwelling_shortwave_flux_in_air", "W m-2", "sum")
    assert unit_over("a.grib", "precipitation_amount", "m", "sum").factor == 1000.0
    with pytest.raises(InputError, match="expected snowfall_amount"):
        unit_over("a.grib", "snowfall_amount", "m", "sum")


def in_the_form_of_jma(path: Path) -> Path:
    """Surface fields in the form of JMA's mesoscale model, with temperature and humidity at 1.5 m as JMA has them."""
    dataset = on_degrees(np.linspace(30.0, 31.0, 5), np.linspace(135.0, 136.25, 6))
    humidity = (("time", "lat", "lon"), np.linspace(0.2, 1.0, 60, dtype=np.float32).reshape(2, 5, 6))
    dataset["relative_humidity_2m"] = (*humidity, VARIABLES["relative_humidity_2m"].attributes())
    dataset["temperature_2m"] += 0.0 * dataset["relative_humidity_2m"]
    dataset["temperature_2m"].attrs = VARIABLES["temperature_2m"].attributes()
    write_grib2(dataset, path.with_suffix(".plain"))
    with path.open("wb") as stream:
        for _, field in single_fields(path.with_suffix(".plain")):
            handle = eccodes.codes_new_from_message(field)
            if eccodes.codes_get(handle, "shortName") in ("2t", "2r"):
                eccodes.codes_set(handle, "scaleFactorOfFirstFixedSurface", 1)
                eccodes.codes_set(handle, "scaledValueOfFirstFixedSurface", 15)
            stream.write(eccodes.codes_get_message(handle))
            eccodes.codes_release(handle)
    return path


def test_the_form_of_the_msm_at_the_surface(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = in_the_form_of_jma(tmp_path / "msm.grib2")
    import_files([file], tmp_path / "release")
    assert "given at 1.5 m, taken for 2 m" in capsys.readouterr().err
    ground, rain = surface(tmp_path / "release"), surface(tmp_path / "release", "precipitation")
    for name, scale, keys in (
        ("mean_sea_level_pressure", 1.0, {"parameterCategory": 3, "parameterNumber": 1}),
        ("surface_pressure", 1.0, {"parameterCategory": 3, "parameterNumber": 0}),
        ("eastward_wind_10m", 1.0, {"parameterCategory": 2, "parameterNumber": 2}),
        ("temperature_2m", 1.0, {"parameterCategory": 0, "parameterNumber": 0}),
        ("relative_humidity_2m", 100.0, {"parameterCategory": 1, "parameterNumber": 1}),
        ("cloud_fraction", 100.0, {"parameterCategory": 6, "parameterNumber": 1}),
        ("precipitation", 1.0, {"parameterCategory": 1, "parameterNumber": 8}),
        ("shortwave_down", 1.0, {"parameterCategory": 4, "parameterNumber": 7}),
    ):
        dataset = rain if name == "precipitation" else ground
        source, lat, lon = grib_field(file, **keys)
        assert within(at_places(dataset[name].isel(time=0), lat, lon), source / scale), name
        point = dataset.kaiseki.points(135.25, 30.5)[name].isel(time=0)
        assert within(point.squeeze(), source[np.isclose(lat, 30.5) & np.isclose(lon, 135.25)][0] / scale), name
    assert (np.diff(rain["time_bnds"].values, axis=1) == np.timedelta64(1, "h")).all()


def test_levels_of_meps_equal_the_file_of_jma(data: Path, tmp_path: Path) -> None:
    """MEPS has the form of the MSM on pressure levels; the file holds the first of them."""
    source = data / "jma/meps_20190605_00Z_first20msgs.grib2"
    file = tmp_path / "meps.grib2"
    with file.open("wb") as stream:
        for _, field in single_fields(source):
            handle = eccodes.codes_new_from_message(field)
            name, level = (eccodes.codes_get(handle, key) for key in ("shortName", "level"))
            eccodes.codes_release(handle)
            if level in (925, 850) and name in "uvtr":
                stream.write(field)
    import_files([file], tmp_path / "release")
    dataset = kaiseki.open(tmp_path / "release", "pressure_levels", version="quality")
    for name, short, scale in (
        ("temperature", "t", 1.0),
        ("eastward_wind", "u", 1.0),
        ("relative_humidity", "r", 100.0),
    ):
        values, lat, lon = grib_field(file, shortName=short, level=925)
        made = dataset[name].sel(pressure=92_500.0).isel(time=0)
        assert within(at_places(made, lat, lon), values / scale), name
        point = dataset.kaiseki.points(140.0, 35.0)[name].sel(pressure=92_500.0).isel(time=0)
        assert within(point.squeeze(), values[np.isclose(lat, 35.0) & np.isclose(lon, 140.0)][0] / scale), name
