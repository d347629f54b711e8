"""Readers against an independent decoding of the real files, at their own points."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import xarray as xr
from pyproj import Proj

from driving.cases import PlainDomain
from kaiseki.core.constants import GRAVITY
from kaiseki.diagnostics.thermodynamics import virtual_temperature
from kaiseki.driving import atmosphere_on_domain, open_driving, read_global
from kaiseki.driving.column import thickness_correction
from kaiseki.driving.sources.grids import projection_of
from kaiseki.formats.grib.library import eccodes

GFS_2017 = "driving/gfs/gfs_20170322_00Z_analysis_2p5deg.grib2"
RUC = "driving/ruc13_conus_20050807/driving/2005080700_wrfprs_ruc13_{}_tm00_G212.grib1"
MERRA = "driving/merra2_eus_20200330"
JRA = "driving/jra3q_points_20230101/jra3qg_pl_20230101_to_20230105.nc"
THREDDS = "driving/gfs/gfs_20101026_12Z_1deg_NAmerica.nc"


def decoded(path: Path, wanted: set[tuple[str, str]]) -> dict[tuple[str, int, int], np.ndarray]:
    """Fields by short name, level and bottom of the layer, of short names and kinds of level, in the file's order."""
    found: dict[tuple[str, int, int], np.ndarray] = {}
    eccodes.codes_grib_multi_support_on()
    try:
        with path.open("rb") as stream:
            while (handle := eccodes.codes_grib_new_from_file(stream)) is not None:
                short, kind = (eccodes.codes_get(handle, key) for key in ("shortName", "typeOfLevel"))
                if (short, kind) in wanted and eccodes.codes_get(handle, "stepType") == "instant":
                    bottom = 0
                    if kind == "depthBelowLandLayer":
                        scale = eccodes.codes_get(handle, "scaleFactorOfSecondFixedSurface")
                        bottom = round(100 * eccodes.codes_get(handle, "scaledValueOfSecondFixedSurface") / 10**scale)
                    values = eccodes.codes_get_values(handle)
                    if eccodes.codes_get(handle, "bitmapPresent"):
                        values = np.where(values == eccodes.codes_get(handle, "missingValue"), np.nan, values)
                    found[short, eccodes.codes_get(handle, "level") if kind == "isobaricInhPa" else 0, bottom] = values
                eccodes.codes_release(handle)
    finally:
        eccodes.codes_grib_multi_support_off()
    return found


def test_gfs_with_soil_snow_and_ice(data: Path) -> None:
    found = read_global(data / GFS_2017)
    upper, ground = "isobaricInhPa", "surface"
    wanted = decoded(
        data / GFS_2017,
        {(n, upper) for n in ("t", "u", "v", "gh")}
        | {(n, ground) for n in ("t", "sdwe", "sde", "ci", "lsm", "sp")}
        | {(n, "depthBelowLandLayer") for n in ("st", "soilw")},
    )
    for short, name in (
        ("t", "air_temperature"),
        ("u", "eastward_wind"),
        ("v", "northward_wind"),
        ("gh", "geopotential_height"),
    ):
        for level in (1000, 500, 1):
            got = found[name].sel(pressure=100.0 * level).values[0][::-1].ravel()
            np.testing.assert_array_equal(got, wanted[short, level, 0], err_msg=f"{short} {level}")
    for short, name in (
        ("t", "surface_temperature"),
        ("sdwe", "surface_snow_amount"),
        ("sde", "surface_snow_thickness"),
        ("ci", "sea_ice_area_fraction"),
        ("lsm", "land_area_fraction"),
        ("sp", "surface_air_pressure"),
    ):
        got = found[name].values[..., ::-1, :].ravel()
        np.testing.assert_array_equal(got, wanted[short, 0, 0], err_msg=short)
    for short, name, axis in (
        ("st", "soil_temperature", "depth"),
        ("soilw", "volume_fraction_of_condensed_water_in_soil", "moisture_depth"),
    ):
        np.testing.assert_allclose(found[f"{axis}_bounds"], [[0.0, 0.1], [0.1, 0.4], [0.4, 1.0], [1.0, 2.0]])
        for k, bottom in enumerate((10, 40, 100, 200)):
            got = found[name].values[0, k, ::-1].ravel()
            np.testing.assert_array_equal(got, wanted[short, 0, bottom], err_msg=f"{short} {bottom}")


def test_ruc_on_its_lambert_grid(data: Path) -> None:
    """Places by another library's projection; winds of the same speed, turned by the convergence of the meridians."""
    path = data / RUC.format("00")
    found = read_global(path)
    wanted = decoded(path, {(n, "isobaricInhPa") for n in ("t", "u", "v")})
    shape = found.sizes["y"], found.sizes["x"]
    assert shape == (129, 185)
    fields = {key: values.reshape(shape) for key, values in wanted.items()}
    np.testing.assert_array_equal(found["air_temperature"].sel(pressure=50000.0).values[0], fields["t", 500, 0])
    projection = projection_of(found.attrs)
    assert projection is not None
    x, y = np.meshgrid(found["x"].values, found["y"].values)
    latitude, longitude = projection.inverse(x, y)
    np.testing.assert_allclose([latitude[0, 0], longitude[0, 0]], [12.19, -133.459], atol=1e-6)
    other = Proj("+proj=lcc +lat_1=25 +lat_2=25 +lat_0=25 +lon_0=-95 +R=6367470")
    ox, oy = other(longitude, latitude)
    np.testing.assert_allclose(ox - ox[0, 0], x - x[0, 0], atol=0.01)
    np.testing.assert_allclose(oy - oy[0, 0], y - y[0, 0], atol=0.01)
    u, v = (found[n].sel(pressure=50000.0).values[0] for n in ("eastward_wind", "northward_wind"))
    # The grid's own northward direction, by finite differences of the other library.
    step = 1000.0
    east0, north0 = other(ox, oy + step, inverse=True)
    angle = np.arctan2((east0 - longitude) * np.cos(np.deg2rad(latitude)), north0 - latitude)
    gu, gv = fields["u", 500, 0], fields["v", 500, 0]
    known = np.isfinite(gu)
    assert 0.5 < known.mean() < 0.7
    # A wind along the grid's y points towards `angle` from north.
    np.testing.assert_allclose(u[known], (gu * np.cos(angle) + gv * np.sin(angle))[known], atol=0.02)
    np.testing.assert_allclose(v[known], (gv * np.cos(angle) - gu * np.sin(angle))[known], atol=0.02)


def test_ruc_drives_with_heights_from_its_surface_pressure(data: Path) -> None:
    domain = PlainDomain(longitude=-97.0, latitude=38.0, nx=8, ny=7, nz=12, top=16000.0)
    files = [data / RUC.format(step) for step in ("00", "03")]
    driving = open_driving(files, domain)
    assert driving.times.size == 2
    fields = atmosphere_on_domain(driving, domain, np.datetime64("2005-08-07T01"))
    assert all(np.isfinite(values).all() for values in fields.values())
    # Over a ground at sea level the surface pressure of the file holds there.
    assert 9.0e4 < fields["surface_pressure"].mean() < 1.03e5


def test_merra_2_on_its_model_levels_with_constants(data: Path) -> None:
    folder = data / MERRA
    driving = open_driving([folder / "MERRA_pres_20200330.nc4", folder / "MERRA2.const_2d_asm_Nx.00000000.nc4"])
    assert driving.times.size == 8
    found = driving.at(np.datetime64("2020-03-30T12"))
    with xr.open_dataset(folder / "MERRA_pres_20200330.nc4", engine="h5netcdf", decode_times=False) as raw:
        for short, name in (
            ("T", "air_temperature"),
            ("U", "eastward_wind"),
            ("V", "northward_wind"),
            ("QV", "specific_humidity"),
            ("PL", "air_pressure"),
        ):
            wanted = raw[short].values[4].astype(np.float64)
            wanted = np.maximum(wanted, 0.0) if short == "QV" else wanted
            got = found[name].values
            np.testing.assert_array_equal(np.sort(np.mod(raw["lon"].values, 360.0)), found["longitude"].values)
            np.testing.assert_allclose(got, wanted, rtol=1e-7, err_msg=short)
        lowering = raw["H"].values[4] - found["geopotential_height"].values
    # The height of a layer's mean pressure lies under the mean of the heights of its edges.
    assert (lowering > 0.0).all()
    np.testing.assert_allclose(lowering.mean(axis=(1, 2))[[7, 8, -1]], [5.5, 17.5, 22.0], rtol=0.1)
    with xr.open_dataset(folder / "MERRA2.const_2d_asm_Nx.00000000.nc4", engine="h5netcdf", decode_times=False) as raw:
        np.testing.assert_allclose(found["surface_altitude"].values, raw["PHIS"].values[0] / GRAVITY, rtol=1e-6)
    assert found["air_pressure"].values[0].mean() > found["air_pressure"].values[-1].mean()


def test_jra_3q_at_its_points(data: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Its levels above 1 hPa are written as 0 and cannot be told apart: they are left out, and that is said."""
    found = read_global(data / JRA)
    assert "levels whose pressure is written as 0 are left out" in capsys.readouterr().err
    with xr.open_dataset(data / JRA, engine="h5netcdf", decode_times=False) as raw:
        kept = raw["level"].values > 0
        pressure = 100.0 * raw["level"].values[kept]
        for short, name in (
            ("Temperature", "air_temperature"),
            ("u-component of wind", "eastward_wind"),
            ("v-component of wind", "northward_wind"),
            ("Specific humidity", "specific_humidity"),
            ("Geopotential height", "geopotential_height"),
        ):
            wanted = raw[short].values[:, kept][:, np.argsort(-pressure)][:, :, ::-1].astype(np.float64)
            np.testing.assert_allclose(found[name].values, wanted, rtol=1e-7, atol=1e-12, err_msg=short)
    assert found["time"].values[0] == np.datetime64("2023-01-01T00")


def test_gfs_of_a_thredds_server(data: Path) -> None:
    found = read_global(data / THREDDS)
    with xr.open_dataset(data / THREDDS, decode_times=False) as raw:
        wanted = raw["Temperature_isobaric"].values[0, ::-1, ::-1].astype(np.float64)
    np.testing.assert_array_equal(found["air_temperature"].values[0], wanted)
    assert found["time"].values[0] == np.datetime64("2010-10-26T12")


def test_heights_and_temperatures_of_merra_2_belong_together(data: Path) -> None:
    """In the troposphere, where temperature falls evenly, thickness is that of the temperatures at the levels."""
    folder = data / MERRA
    found = open_driving([folder / "MERRA_pres_20200330.nc4"]).at(np.datetime64("2020-03-30T00"))
    tv = virtual_temperature(found["air_temperature"].values, found["specific_humidity"].values)
    height, log_p = found["geopotential_height"].values, np.log(found["air_pressure"].values)
    correction = thickness_correction(height, log_p, tv).mean(axis=(1, 2))
    middle = 0.5 * (height[1:] + height[:-1]).mean(axis=(1, 2))
    assert np.abs(correction[middle < 7000.0]).max() < 0.1
    assert np.abs(correction[middle < 10_500.0]).max() < 0.6
