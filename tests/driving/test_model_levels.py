"""Model levels: coefficients in the wrong order or of other levels, heights that miss the ground, a wrong numbering."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import xarray as xr

from driving import relaid
from kaiseki.core.constants import GRAVITY, R_DRY
from kaiseki.core.errors import InputError
from kaiseki.diagnostics.thermodynamics import virtual_temperature
from kaiseki.driving import read_global
from kaiseki.driving.sources import model_levels
from kaiseki.formats.grib.library import eccodes

ECMWF_137 = "driving/ecmwf_137ml_20181115/ecmwf_20181115_12Z_137ml_1p5deg.grib"


def test_heights_of_an_isothermal_atmosphere() -> None:
    """Its heights are known: half levels lie at H ln(ps / p), full levels between theirs."""
    surface, ground, temperature = np.array([[1.0e5, 7.0e4]]), np.array([[0.0, 3000.0]]), 250.0
    half = model_levels.half_pressure(model_levels.ifs_137(), surface)
    found = model_levels.heights(half, np.full((137, 1, 2), temperature), ground)
    scale = R_DRY * temperature / GRAVITY
    with np.errstate(divide="ignore"):
        bounds = ground + scale * np.log(surface / half)
    assert (found < bounds[:-1]).all()
    assert (found > bounds[1:]).all()
    exact = ground + scale * np.log(surface / model_levels.full_pressure(half))
    np.testing.assert_allclose(found[60:], exact[60:], atol=3.0)


def test_heights_from_surface_pressure_meet_the_ground() -> None:
    log_p = np.log(100.0 * np.array([1000.0, 850.0, 700.0, 500.0]))[:, None]
    scale = R_DRY * 270.0 / GRAVITY
    for surface in (1020.0, 1000.0, 910.0, 850.0, 600.0):
        log_surface = np.log(np.array([100.0 * surface]))
        found = model_levels.heights_from_surface(log_p, np.full((4, 1), 270.0), log_surface, np.array([120.0]))
        np.testing.assert_allclose(found, 120.0 + scale * (log_surface - log_p), rtol=1e-12, atol=1e-9)


def test_coefficients_in_either_order_and_none_of_sense() -> None:
    a, b = model_levels.ifs_137()
    np.testing.assert_array_equal(model_levels.ordered("f", a[::-1], b[::-1]), model_levels.ifs_137())
    with pytest.raises(InputError, match="do not give rising pressure"):
        model_levels.ordered("f", b, a)


def hybrid(tmp_path: Path, surface_first: bool) -> tuple[xr.Dataset, xr.Dataset]:
    """A state on ten model levels as JRA-3Q lays it out at NCAR, and what stands in it, from the top."""
    a = np.array([0.0, 5e3, 9e3, 11e3, 10e3, 8e3, 5e3, 2e3, 500.0, 0.0, 0.0])
    b = np.array([0.0, 0.0, 0.02, 0.1, 0.25, 0.42, 0.6, 0.78, 0.9, 0.97, 1.0])
    latitude, longitude = np.arange(30.0, 51.0, 5.0), np.arange(120.0, 151.0, 5.0)
    lat, lon = np.meshgrid(latitude, longitude, indexing="ij")
    surface = 1.0e5 - 100.0 * (lat - 30.0)
    wave = np.sin(np.deg2rad(3.0 * lon))[None] * np.ones((10, 1, 1))
    pressure = model_levels.full_pressure(model_levels.half_pressure(np.stack([a, b]), surface))
    temperature = 288.0 * (pressure / 1e5) ** 0.19 + wave
    dims = ("time", "hybrid_level", "lat", "lon")
    fields = {
        "tmp-hyb-an-gauss": (temperature, "K"),
        "ugrd-hyb-an-gauss": (10.0 + wave, "m s-1"),
        "vgrd-hyb-an-gauss": (5.0 * wave, "m s-1"),
        "spfh-hyb-an-gauss": (0.005 * (pressure / 1e5) ** 3, "kg kg-1"),
    }
    made = xr.Dataset({n: (dims, values[None], {"units": unit}) for n, (values, unit) in fields.items()})
    made["pres-sfc-an-gauss"] = ("time", "lat", "lon"), surface[None], {"units": "Pa"}
    made["gp-sfc-cn-gauss"] = ("lat", "lon"), GRAVITY * 10.0 * (lat - 30.0), {"units": "m2 s-2"}
    number = np.arange(1, 11)
    if surface_first:
        made = made.isel(hybrid_level=slice(None, None, -1))
        a, b = a[::-1], b[::-1]
    made = made.assign_coords(time=("time", [0], {"units": "hours since 2000-01-01"}), lat=latitude, lon=longitude)
    made = made.assign_coords(hybrid_level=("hybrid_level", number, {"long_name": "hybrid level"}))
    made["a_hybrid_half_level"], made["b_hybrid_half_level"] = ("half", a), ("half", b)
    path = tmp_path / f"hybrid_{surface_first}.nc"
    made.to_netcdf(path, engine="h5netcdf")
    wanted = xr.Dataset({"pressure": (("k", "y", "x"), pressure), "temperature": (("k", "y", "x"), temperature)})
    return read_global(path), wanted


def test_levels_numbered_from_either_end_are_the_same(tmp_path: Path) -> None:
    one, wanted = hybrid(tmp_path, surface_first=False)
    two, _ = hybrid(tmp_path, surface_first=True)
    for found in (one, two):
        np.testing.assert_allclose(found["air_pressure"].values[0], wanted["pressure"].values[::-1], rtol=1e-12)
        np.testing.assert_allclose(found["air_temperature"].values[0], wanted["temperature"].values[::-1], rtol=1e-12)
    xr.testing.assert_allclose(one, two)
    assert (np.diff(one["geopotential_height"].values, axis=1) > 0.0).all()
    # The lowest level lies over the ground by half of its layer.
    lowest = one["geopotential_height"].values[0, 0] - one["surface_altitude"].values
    assert ((lowest > 50.0) & (lowest < 200.0)).all()


def test_a_level_left_out_is_named_where_heights_are_integrated(tmp_path: Path) -> None:
    hybrid(tmp_path, surface_first=False)
    with xr.open_dataset(tmp_path / "hybrid_False.nc", engine="h5netcdf", decode_times=False) as raw:
        raw.load().isel(hybrid_level=[0, 1, 2, 3, 4, 6, 7, 8, 9]).to_netcdf(tmp_path / "gap.nc", engine="h5netcdf")
    with pytest.raises(InputError, match="every model level from 10 upward is needed without a gap"):
        read_global(tmp_path / "gap.nc")


def test_the_137_levels_of_the_ifs(data: Path) -> None:
    """Against the library's own decoding, and heights against an integration written anew."""
    path = data / ECMWF_137
    fields, coefficients = {}, None
    with path.open("rb") as stream:
        while (handle := eccodes.codes_grib_new_from_file(stream)) is not None:
            key = eccodes.codes_get(handle, "shortName"), eccodes.codes_get(handle, "level")
            fields[key] = eccodes.codes_get_values(handle).reshape(34, 48)[::-1]
            if coefficients is None:
                coefficients = np.split(eccodes.codes_get_array(handle, "pv"), 2)
            eccodes.codes_release(handle)
    np.testing.assert_allclose(model_levels.ifs_137(), coefficients, atol=1e-6, rtol=1e-7)
    found = read_global(path)
    east = np.argsort(np.mod(330.0 + 1.5 * np.arange(48), 360.0))
    np.testing.assert_allclose(np.sort(found["longitude"].values), np.sort(np.mod(330.0 + 1.5 * np.arange(48), 360.0)))
    for short, name in (("t", "air_temperature"), ("u", "eastward_wind"), ("v", "northward_wind")):
        for k in (1, 60, 137):
            got = found[name].sel(level=k).values[0]
            np.testing.assert_array_equal(got, fields[short, k][:, east], err_msg=f"{name} {k}")
    surface = np.exp(fields["lnsp", 1])
    height, below = fields["z", 1] / GRAVITY, surface
    for k in range(137, 100, -1):
        above = coefficients[0][k - 1] + coefficients[1][k - 1] * surface
        tv = virtual_temperature(fields["t", k], fields["q", k])
        alpha = 1.0 - above / (below - above) * np.log(below / above)
        wanted = height + R_DRY / GRAVITY * tv * alpha
        got = found["geopotential_height"].sel(level=k).values[0]
        np.testing.assert_allclose(got, wanted[:, east], atol=0.01)
        height, below = height + R_DRY / GRAVITY * tv * np.log(below / above), above


def test_netcdf_of_the_ifs_without_coefficients(data: Path, tmp_path: Path) -> None:
    """As converted by the Climate Data Store: `level` numbers 1 to 137, lnsp and z beside them."""
    whole = read_global(data / ECMWF_137).isel(latitude=slice(0, 4), longitude=slice(0, 5))
    upper = ("time", "level", "latitude", "longitude")
    made = xr.Dataset(
        {
            short: (upper, whole[name].values, {"units": relaid.UNITS[name]})
            for short, name in (
                ("t", "air_temperature"),
                ("u", "eastward_wind"),
                ("v", "northward_wind"),
                ("q", "specific_humidity"),
            )
        },
        {
            "time": ("time", [0], {"units": "hours since 2018-11-15 12:00"}),
            "level": ("level", whole["level"].values.astype(np.int32), {"long_name": "model_level_number"}),
            "latitude": whole["latitude"].values,
            "longitude": whole["longitude"].values,
        },
    )
    ground = ("time", "latitude", "longitude")
    made["lnsp"] = ground, np.log(whole["surface_air_pressure"].values), {"units": "~"}
    geopotential = GRAVITY * whole["surface_altitude"].values[None]
    made["z"] = ground, geopotential, {"units": "m**2 s**-2", "GRIB_typeOfLevel": "surface"}
    made.isel(level=slice(None, None, -1)).to_netcdf(tmp_path / "ml.nc", engine="h5netcdf")
    found = read_global(tmp_path / "ml.nc")
    for name in ("air_temperature", "air_pressure", "geopotential_height"):
        # The coefficients stand in GRIB in single precision, in the published table in decimals.
        single = float(np.finfo(np.float32).eps)
        wanted = whole[name].values
        np.testing.assert_allclose(found[name].values, wanted, rtol=0, atol=single * np.ptp(wanted), err_msg=name)
