"""The meaning of foreign data is read, not guessed; what does not say what it means is refused.

What can go wrong: a unit is ignored or taken for another; a few levels of one humidity hide the other; the reference
time of a forecast counts as its valid time; the ends of a GRIB 1 row are read in another turn; a soil layer is taken
for damage; a mean over time is taken for an instant.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import xarray as xr

from driving import relaid
from driving.cases import PlainDomain
from kaiseki.core.constants import GRAVITY
from kaiseki.core.errors import InputError
from kaiseki.diagnostics.saturation import specific_humidity_from_relative
from kaiseki.driving import atmosphere_on_domain, read_global
from kaiseki.driving.sources.units import unit_of
from kaiseki.formats.grib.library import eccodes

CONTENT = relaid.content()


def written(tmp_path: Path, change: Callable[[xr.Dataset], xr.Dataset]) -> xr.Dataset:
    """What is read of a changed file of the first generation."""
    path = relaid.first_generation(CONTENT, tmp_path / "whole.nc")
    with xr.open_dataset(path, engine="scipy", decode_times=False) as raw:
        changed = change(raw.load())
    changed.to_netcdf(tmp_path / "changed.nc", engine="scipy")
    return read_global(tmp_path / "changed.nc")


def unit(name: str, units: str | None, factor: float = 1.0, offset: float = 0.0) -> Callable[[xr.Dataset], xr.Dataset]:
    """A variable in another unit: value = factor * SI + offset."""

    def change(raw: xr.Dataset) -> xr.Dataset:
        raw[name] = factor * raw[name] + offset
        raw[name].attrs = {} if units is None else {"units": units}
        return raw

    return change


@pytest.mark.parametrize(
    ("name", "units", "factor", "offset", "field"),
    [
        ("t", "degC", 1.0, -273.15, "air_temperature"),
        ("u", "knots", 3600.0 / 1852.0, 0.0, "eastward_wind"),
        ("v", "km/h", 3.6, 0.0, "northward_wind"),
        ("q", "g kg-1", 1000.0, 0.0, "specific_humidity"),
        ("sp", "hPa", 0.01, 0.0, "surface_air_pressure"),
        ("z", "m", 1.0 / GRAVITY, 0.0, "geopotential_height"),
        ("z", "gpdm", 0.1 / GRAVITY, 0.0, "geopotential_height"),
        ("skt", "Celsius", 1.0, -273.15, "surface_temperature"),
        ("t", None, 1.0, 0.0, "air_temperature"),
    ],
)
def test_units_are_read(tmp_path: Path, name: str, units: str | None, factor: float, offset: float, field: str) -> None:
    found = written(tmp_path, unit(name, units, factor, offset))[field].values
    source = "geopotential" if field == "geopotential_height" else field
    wanted = CONTENT[source].values / (GRAVITY if name == "z" else 1.0)
    np.testing.assert_allclose(found, wanted, rtol=1e-9, atol=1e-9)


@pytest.mark.parametrize(
    ("name", "units", "factor", "offset", "message"),
    [
        ("t", "furlong", 1.0, 0.0, r"changed\.nc: t has the unit 'furlong'; expected air_temperature in k, c"),
        ("t", "m s-1", 1.0, 0.0, "t has the unit 'm s-1'"),
        ("t", None, 1.0, -273.15, "air_temperature is outside 120 to 350 K"),
        ("t", "K", 1.0, -273.15, "air_temperature is outside"),
        ("z", None, 1.0 / GRAVITY, 0.0, "lie 0.1 times as far apart as the temperatures"),
        ("z", "m", 1.0, 0.0, "geopotential_height is outside|times as far apart"),
        ("q", "kg kg-1", 1000.0, 0.0, "specific_humidity is outside"),
        ("sp", "Pa", 0.01, 0.0, "surface_air_pressure is outside"),
    ],
)
def test_units_that_cannot_be_are_refused(
    tmp_path: Path, name: str, units: str | None, factor: float, offset: float, message: str
) -> None:
    with pytest.raises(InputError, match=message):
        written(tmp_path, unit(name, units, factor, offset))


@pytest.mark.parametrize(("units", "factor"), [("%", 100.0), ("percent", 100.0), ("1", 1.0), ("(0 - 1)", 1.0)])
def test_relative_humidity_in_either_unit(tmp_path: Path, units: str, factor: float) -> None:
    def change(raw: xr.Dataset) -> xr.Dataset:
        raw["r"] = 0.0 * raw["q"] + 0.6 * factor
        raw["r"].attrs = {"units": units}
        return raw.drop_vars("q")

    found = written(tmp_path, change)
    wanted = specific_humidity_from_relative(0.6, found["air_temperature"].values, relaid.LEVELS[:, None, None])
    np.testing.assert_allclose(found["specific_humidity"].values, wanted, rtol=1e-9)


@pytest.mark.parametrize(("units", "value", "message"), [("%", 0.6, "values are fractions"), (None, 60.0, "no unit")])
def test_relative_humidity_that_may_be_either_is_refused(
    tmp_path: Path, units: str | None, value: float, message: str
) -> None:
    def change(raw: xr.Dataset) -> xr.Dataset:
        raw["r"] = 0.0 * raw["q"] + value
        raw["r"].attrs = {} if units is None else {"units": units}
        return raw.drop_vars("q")

    with pytest.raises(InputError, match=message):
        written(tmp_path, change)


def test_what_is_no_instant_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="means over time"):
        written(tmp_path, lambda raw: raw.assign_attrs(Filename="MERRA2_400.tavg3_3d_asm_Nv.20200330.nc4"))
    members = CONTENT.expand_dims(number=2)
    with pytest.raises(InputError, match="holds 2 members"):
        read_global(relaid.first_generation(members, tmp_path / "members.nc"))


def test_ice_on_warm_water_is_refused(tmp_path: Path) -> None:
    def change(raw: xr.Dataset) -> xr.Dataset:
        raw["siconc"] = 0.0 * raw["sp"] + 0.9
        raw["siconc"].attrs = {"units": "(0 - 1)"}
        return raw

    with pytest.raises(InputError, match="says ice in"):
        written(tmp_path, change)


def test_levels_under_the_ground_are_continued_where_they_are_left_out(tmp_path: Path) -> None:
    def change(raw: xr.Dataset) -> xr.Dataset:
        raw["sp"] = 0.0 * raw["sp"] + 90000.0
        raw["sp"].attrs = {"units": "Pa"}
        for name in ("t", "u", "v", "z", "q"):
            attributes = raw[name].attrs
            raw[name] = raw[name].where(raw["level"] < 900)
            raw[name].attrs = attributes
        return raw

    found = written(tmp_path, change)
    assert not any(np.isnan(found[name]).any() for name in ("air_temperature", "geopotential_height"))
    lowest, above = (found["air_temperature"].isel(pressure=k).values for k in (0, 1))
    # The lapse rate of the standard atmosphere over the 1357 m between 1000 and 850 hPa.
    depth = (found["geopotential_height"].isel(pressure=1) - found["geopotential_height"].isel(pressure=0)).values
    np.testing.assert_allclose(lowest - above, 0.0065 * depth, rtol=0.02)


def test_spellings() -> None:
    for text in ("m s**-1", "m s-1", "M/S", "m s^-1"):
        assert unit_of(text) == unit_of("m/s")
    assert unit_of("m+2 s-2") == unit_of("m**2 s**-2")
    assert unit_of("league") is None


def test_faults_at_hand(data: Path) -> None:
    """Small files that were read wrongly once, or refused though sound."""
    faults = data / "faults"
    humid = read_global(faults / "rh_fraction.nc")
    with xr.open_dataset(faults / "rh_fraction.nc", engine="h5netcdf", decode_times=False) as raw:
        relative, temperature = raw["r"].values[0], raw["t"].values[0]
        pressure = 100.0 * raw["level"].values.astype(float)
    wanted = specific_humidity_from_relative(relative.astype(float), temperature.astype(float), pressure[:, None, None])
    np.testing.assert_allclose(humid["specific_humidity"].values[0], wanted, rtol=1e-6, atol=1e-12)
    forecast = read_global(faults / "gfs_f120_as_cfgrib.nc")
    assert forecast["time"].values[0] == np.datetime64("2011-01-15T12")
    hourly = read_global(faults / "days_since_1950_6digits.nc")["time"].values
    assert hourly[0] == np.datetime64("2024-06-03T00")
    assert set(np.diff(hourly).astype("timedelta64[s]").astype(int)) == {3600}
    soil = read_global(faults / "ncep_grib1_with_soil.grib1")
    np.testing.assert_allclose(soil["depth_bounds"].values, [[0.0, 0.1]])


def test_a_row_that_ends_in_another_turn_is_not_shifted(data: Path) -> None:
    path = data / "faults" / "fnl_last_minus2p5.grib1"
    found = read_global(path)
    np.testing.assert_allclose(found["longitude"].values, np.arange(0.0, 360.0, 2.5))
    with path.open("rb") as stream:
        while (handle := eccodes.codes_grib_new_from_file(stream)) is not None:
            if (eccodes.codes_get(handle, "shortName"), eccodes.codes_get(handle, "level")) == ("t", 1000):
                wanted = eccodes.codes_get_values(handle).reshape(73, 144)[::-1]
            eccodes.codes_release(handle)
    np.testing.assert_array_equal(found["air_temperature"].sel(pressure=100000.0).values[0], wanted)


def test_humidity_that_most_levels_have_counts(data: Path) -> None:
    found = read_global(data / "faults" / "q_at_two_levels_r_at_all.grib2")
    fields = {}
    with (data / "faults" / "q_at_two_levels_r_at_all.grib2").open("rb") as stream:
        while (handle := eccodes.codes_grib_new_from_file(stream)) is not None:
            key = eccodes.codes_get(handle, "shortName"), eccodes.codes_get(handle, "level")
            fields[key] = eccodes.codes_get_values(handle)
            eccodes.codes_release(handle)
    wanted = specific_humidity_from_relative(0.01 * np.clip(fields["r", 300], 0, 100), fields["t", 300], 30000.0)
    got = found["specific_humidity"].sel(pressure=30000.0).values[0][::-1].ravel()
    np.testing.assert_allclose(got, wanted, rtol=1e-9)


def test_a_source_that_begins_aloft_does_not_drive(tmp_path: Path) -> None:
    path = relaid.first_generation(CONTENT.sel(pressure=slice(50000.0, None)).isel(time=[0]), tmp_path / "aloft.nc")
    with pytest.raises(InputError, match="the lowest level"):
        atmosphere_on_domain(read_global(path), PlainDomain(nx=5, ny=4, nz=6, top=14000.0))
