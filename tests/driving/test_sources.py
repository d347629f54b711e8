"""Readers of global analyses, on the real files and on damaged copies."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import xarray as xr

from driving.cases import Profile, dataset_of
from kaiseki.core.constants import EARTH_RADIUS, EARTH_ROTATION, GRAVITY
from kaiseki.core.errors import InputError
from kaiseki.diagnostics.saturation import specific_humidity_from_relative
from kaiseki.driving import read_global
from kaiseki.driving.sources import available
from kaiseki.driving.sources.conventions import LEVEL_DIMS, STATE, UNITS, Axes, assemble, fill_humidity
from kaiseki.formats.grib.library import eccodes

GFS = "driving/gfs/gfs_2011011012_f120_2p5deg.grib2"
GEFS = "driving/gefs_japan_20200327/gefs_2020032606_f036_0p5deg_90-180E_10-60N.grib2"
TL31 = "driving/era5/era5_tl31_1959010200.nc"
ERA5_GRIB = "driving/era5/era5_20110117_14Z_30-40N_120-140E_ztq.grib"
ECMWF = "driving/ecmwf_20240603/ecmwf_20240603_0604_6hourly_10deg.grib"


def first_fields(path: Path) -> list[tuple[str, str, int]]:
    """(shortName, typeOfLevel, level) of the first field of every message, as a decoder of messages sees them."""
    found = []
    with path.open("rb") as stream:
        while (handle := eccodes.codes_grib_new_from_file(stream)) is not None:
            found.append(tuple(eccodes.codes_get(handle, k) for k in ("shortName", "typeOfLevel", "level")))
            eccodes.codes_release(handle)
    return found


@pytest.mark.parametrize("file", [GFS, GEFS, TL31, ECMWF, "driving/gfs/gfs_2011100800_f072_2p5deg.grib2"])
def test_common_form(data: Path, file: str) -> None:
    dataset = read_global(data / file)
    assert set(STATE) <= set(dataset.data_vars)
    for name, variable in dataset.data_vars.items():
        dims, units = UNITS[str(name)]
        assert variable.dims == dims
        assert variable.attrs == {"standard_name": name, "units": units}
    assert (np.diff(dataset.latitude) > 0).all()
    assert (np.diff(dataset.longitude) > 0).all()
    assert 0 <= dataset.longitude.min() <= dataset.longitude.max() < 360
    assert (np.diff(dataset.pressure) < 0).all()
    assert dataset.pressure.max() == 100000.0
    assert dataset.air_temperature.dims == LEVEL_DIMS
    assert float(dataset.specific_humidity.min()) >= 0.0
    # Bottom first: higher levels are higher, and the surface is warmer than the tropopause in the tropics.
    assert (np.diff(dataset.geopotential_height.values, axis=1) > 0).all()
    tropics = dataset.air_temperature.sel(latitude=slice(10, 25)).mean(("time", "latitude", "longitude"))
    assert 285.0 < float(tropics[0]) < 305.0


@pytest.mark.parametrize("file", [GFS, TL31, GEFS])
def test_winds_balance_the_heights_they_came_with(data: Path, file: str) -> None:
    """Geostrophy over the mid-latitude ocean tells v from u, north from south and east from west."""
    dataset = read_global(data / file).sel(pressure=50000.0).isel(time=0)
    z = dataset.geopotential_height
    f = 2.0 * EARTH_ROTATION * np.sin(np.radians(dataset.latitude))
    geostrophic_v = (
        GRAVITY
        / f
        * z.differentiate("longitude")
        * (180.0 / np.pi)
        / (EARTH_RADIUS * np.cos(np.radians(dataset.latitude)))
    )
    geostrophic_u = -GRAVITY / f * z.differentiate("latitude") * (180.0 / np.pi) / EARTH_RADIUS
    box = {"latitude": slice(30, 55), "longitude": slice(125, 175)}
    for wind, wanted in ((dataset.eastward_wind, geostrophic_u), (dataset.northward_wind, geostrophic_v)):
        pair = wind.sel(box).values.ravel(), wanted.sel(box).values.ravel()
        assert np.corrcoef(*pair)[0, 1] > 0.9


def test_northward_wind_is_not_lost_in_messages_with_two_fields(data: Path) -> None:
    seen = first_fields(data / GFS)
    assert len([f for f in seen if f[:2] == ("u", "isobaricInhPa")]) == 26
    assert [f for f in seen if f[:2] == ("v", "isobaricInhPa")] == []  # the trap
    dataset = read_global(data / GFS)
    assert dataset.northward_wind.sizes["pressure"] == 26
    assert not np.array_equal(dataset.northward_wind, dataset.eastward_wind)


def test_first_field_of_a_message_is_what_the_library_decodes(data: Path) -> None:
    with (data / GFS).open("rb") as stream:
        while (handle := eccodes.codes_grib_new_from_file(stream)) is not None:
            if (eccodes.codes_get(handle, "shortName"), eccodes.codes_get(handle, "level")) == ("u", 500):
                wanted = eccodes.codes_get_values(handle).reshape(73, 144)[::-1]
            eccodes.codes_release(handle)
    found = read_global(data / GFS).eastward_wind.sel(pressure=50000.0).values[0]
    assert np.array_equal(found, wanted)


def test_gfs_surface_fields(data: Path) -> None:
    dataset = read_global(data / GFS)
    assert dataset.time.values[0] == np.datetime64("2011-01-15T12")
    tibet = dataset.sel(latitude=32.5, longitude=90.0)
    assert 4500 < float(tibet.surface_altitude) < 5500
    assert 5.2e4 < float(tibet.surface_air_pressure[0]) < 5.8e4
    assert float(dataset.land_area_fraction.sel(latitude=65.0, longitude=100.0)) == 1.0
    assert float(dataset.sea_ice_area_fraction.sel(latitude=85.0, longitude=180.0)[0]) > 0.9
    np.testing.assert_allclose(dataset.depth, [0.05, 0.25, 0.7, 1.5])
    assert dataset.attrs["humidity_filled_at"] == "2000"


def test_relative_humidity_is_turned_as_its_centre_would(data: Path) -> None:
    """GFS gives relative and specific humidity at 2 m, so the conversion can be held against its own."""
    fields = {}
    with (data / GFS).open("rb") as stream:
        while (handle := eccodes.codes_grib_new_from_file(stream)) is not None:
            name = eccodes.codes_get(handle, "shortName")
            if name in ("2t", "2r", "2sh", "sp"):
                fields[name] = eccodes.codes_get_values(handle)
            eccodes.codes_release(handle)
    found = np.asarray(specific_humidity_from_relative(0.01 * fields["2r"], fields["2t"], fields["sp"]))
    warm = fields["2t"] > 275.0
    ratio = found[warm] / fields["2sh"][warm]
    assert abs(np.median(ratio) - 1.0) < 0.02
    assert np.percentile(np.abs(ratio - 1.0), 95) < 0.05


def test_era5_grib_without_wind_and_ecmwf_times(data: Path) -> None:
    part = read_global(data / ERA5_GRIB)
    assert "eastward_wind" not in part
    assert dict(part.sizes) == {"time": 1, "pressure": 37, "latitude": 41, "longitude": 81}
    assert part.latitude.values[[0, -1]].tolist() == [30.0, 40.0]
    times = read_global(data / ECMWF).time.values
    assert times.size == 8
    assert (np.diff(times) == np.timedelta64(6, "h")).all()


def test_two_producers_agree_about_the_mean_atmosphere(data: Path) -> None:
    one, other = (read_global(data / f).sel(pressure=50000.0).isel(time=0) for f in (GFS, TL31))
    for name, limit in (("air_temperature", 2.0), ("geopotential_height", 60.0), ("eastward_wind", 2.0)):
        means = []
        for dataset in (one, other):
            weight = np.cos(np.radians(dataset.latitude))
            means.append(float(dataset[name].weighted(weight).mean()))
        assert abs(means[0] - means[1]) < limit


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("surface_temperature", -9999.0),
        ("soil_temperature", 0.0),
        ("land_area_fraction", 2.0),
        ("surface_altitude", 3e4),
    ],
)
def test_a_void_in_a_field_at_the_ground_is_refused(name: str, value: float) -> None:
    axes = Axes(np.array(["2000-01-01"], "datetime64[s]"), np.arange(3.0), np.arange(4.0), None, np.array([0.1]))
    good = {
        "surface_temperature": 280.0,
        "soil_temperature": 280.0,
        "land_area_fraction": 1.0,
        "surface_altitude": 10.0,
    }
    shape = {"surface_temperature": (1, 3, 4), "soil_temperature": (1, 1, 3, 4)}.get(name, (3, 4))
    field = np.full(shape, good[name])
    assemble("file.nc", "test", axes, {name: field})
    field[..., 1, 2] = value
    with pytest.raises(InputError, match=rf"file\.nc: {name} is missing everywhere or outside"):
        assemble("file.nc", "test", axes, {name: field})


def test_truncated_and_wrong_files_are_one_clear_error(data: Path, tmp_path: Path) -> None:
    whole = (data / ECMWF).read_bytes()
    for cut in (0, 3, 40, 1000, 50_000, len(whole) // 2 + 7, len(whole) - 200):
        path = tmp_path / f"cut_{cut}.grib"
        path.write_bytes(whole[:cut])
        with pytest.raises(InputError, match=path.name):
            read_global(path)
    classic = (data / TL31).read_bytes()
    for cut in (3, 50, 2000, len(classic) // 2):
        path = tmp_path / f"cut_{cut}.nc"
        path.write_bytes(classic[:cut])
        with pytest.raises(InputError, match=path.name):
            read_global(path)
    text = tmp_path / "notes.txt"
    text.write_text("no analysis")
    with pytest.raises(InputError, match="neither GRIB nor NetCDF"):
        read_global(text)
    with pytest.raises(InputError, match="cannot be opened"):
        read_global(tmp_path / "absent.grib")
    with pytest.raises(InputError, match="no driving source 'other'"):
        read_global(text, source="other")


def test_a_grib_cut_between_messages_is_refused_or_holds_less_but_nothing_else(data: Path, tmp_path: Path) -> None:
    whole = (data / ECMWF).read_bytes()
    whole_dataset = read_global(data / ECMWF)
    starts = []
    with (data / ECMWF).open("rb") as stream:
        while (handle := eccodes.codes_grib_new_from_file(stream)) is not None:
            starts.append(eccodes.codes_get_message_offset(handle))
            eccodes.codes_release(handle)
    path = tmp_path / "cut.grib"
    for start in starts[1::17]:
        path.write_bytes(whole[: int(start)])
        try:
            dataset = read_global(path)
        except InputError:
            continue
        # Nothing in GRIB says how many messages there should be; what is left may be whole, with fewer times or levels.
        part = whole_dataset.sel(time=dataset.time, pressure=dataset.pressure)[list(dataset.data_vars)]
        xr.testing.assert_equal(dataset, part)


def test_netcdf_in_any_order_and_units(tmp_path: Path) -> None:
    wanted = dataset_of(Profile(), humidity=0.003)
    raw = xr.Dataset(
        {
            "t": wanted.air_temperature,
            "u": wanted.eastward_wind,
            "v": wanted.northward_wind,
            "z": wanted.geopotential_height * GRAVITY,
            "q": wanted.specific_humidity,
        }
    ).drop_attrs()
    raw = raw.assign_coords(pressure=raw.pressure / 100.0, longitude=raw.longitude - 360.0)
    raw = raw.rename(pressure="level").transpose("longitude", "latitude", "level", "time")
    raw.level.attrs["units"] = "hPa"
    path = tmp_path / "any.nc"
    raw.isel(latitude=slice(None, None, -1)).to_netcdf(path, engine="scipy")
    found = read_global(path)
    for name in STATE:
        np.testing.assert_allclose(found[name].values, wanted[name].values, rtol=1e-12, err_msg=name)
    raw.level.attrs["units"] = "furlong"
    raw.to_netcdf(path, engine="scipy")
    with pytest.raises(InputError, match="unit 'furlong'"):
        read_global(path)


def test_missing_humidity_levels_are_filled() -> None:
    """Between neighbours linearly in ln p; above down to the stratosphere's, which is 3e-6; never over saturation."""
    levels = np.array([1.0e5, 5.0e4, 3.0e4, 2.0e4, 1.0e4, 3.0e3])
    log_p = np.log(levels)
    humidity = np.array([8e-3, np.nan, 3e-4, np.nan, np.nan, np.nan])[None, :, None, None]
    missing = np.isnan(humidity[0, :, 0, 0])
    filled = fill_humidity(log_p, humidity, missing, np.full(humidity.shape, 1.0))[0, :, 0, 0]
    weight = np.log(2.0) / np.log(10.0 / 3.0)
    np.testing.assert_allclose(filled[1], (1.0 - weight) * 8e-3 + weight * 3e-4)
    # A hundred times less over a factor of three in pressure.
    np.testing.assert_allclose(filled[3], 3e-4 * 100.0 ** (-np.log(1.5) / np.log(3.0)))
    np.testing.assert_allclose(filled[4:], 3e-6)
    cold = fill_humidity(log_p, humidity, missing, np.full(humidity.shape, 2e-6))[0, :, 0, 0]
    np.testing.assert_allclose(cold[missing], 2e-6)
    drier = np.where(missing, np.nan, 1e-6)[None, :, None, None]
    np.testing.assert_allclose(fill_humidity(log_p, drier, missing, np.ones(drier.shape)), 1e-6)


def test_readers_are_known_by_name() -> None:
    assert list(available())[-3:] == ["grib", "sst_netcdf", "netcdf"]


def test_reader_and_projections_live_in_one_process() -> None:
    """In the wrong order of import the process ends with a double free."""
    code = "import kaiseki.driving.sources.grib, pyproj; pyproj.Proj('+proj=lcc +lat_1=30 +lat_2=60')"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
