"""What files say of levels and grids is checked, and what was read is checked against itself.

What can go wrong: hybrid levels or levels over the ground count as pressure; rotated axes as latitude and longitude;
the geopotential of an upper level as terrain; one of two fields that contradict each other is taken in silence.
"""

from __future__ import annotations

import shutil
import struct
from pathlib import Path

import numpy as np
import pytest
import xarray as xr
from pyproj import Proj

from driving import relaid
from driving.cases import PlainDomain
from driving.test_origin import CONTENT, ONE, WINDS, Change, second
from kaiseki.core.constants import GRAVITY
from kaiseki.core.errors import InputError
from kaiseki.driving import atmosphere_on_domain, open_driving, read_global, read_joined
from kaiseki.driving.sources.grib import GRIB
from kaiseki.driving.sources.grids import projection_of
from kaiseki.formats.grib.library import eccodes
from kaiseki.formats.grib.messages import single_fields


def levels(units: str, name: str = "lev", **attributes: str) -> Change:
    """The axis of levels under another name."""

    def change(raw: xr.Dataset) -> xr.Dataset:
        values = raw["pressure_level"].values
        raw = raw.drop_vars("pressure_level").rename(pressure_level=name)
        return raw.assign_coords({name: (name, values, {"units": units, **attributes})})

    return change


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (
            levels("hPa", standard_name="atmosphere_hybrid_sigma_pressure_coordinate"),
            "hybrid or sigma levels by their description",
        ),
        (levels("hPa", long_name="hybrid level at midpoints (1000*(A+B))"), "hybrid or sigma levels"),
        (levels("hPa", name="hybrid"), "hybrid or sigma levels"),
        (levels("Pa", name="pressureFromGroundLayer"), "counted from the ground"),
        (levels("hPa", long_name="Pressure difference above ground"), "counted from the ground"),
        (levels("1", standard_name="atmosphere_sigma_coordinate"), "expected Pa or hPa"),
    ],
)
def test_levels_that_are_no_pressure_are_refused(tmp_path: Path, change: Change, message: str) -> None:
    with pytest.raises(InputError, match=message):
        read_global(second(ONE, tmp_path / "a.nc", change))


def axis(name: str, **attributes: str) -> Change:
    return lambda raw: raw.assign_coords({name: (name, raw[name].values, attributes)})


def mapped(kind: str) -> Change:
    def change(raw: xr.Dataset) -> xr.Dataset:
        for name in raw.data_vars:
            raw[name].attrs["grid_mapping"] = "crs"
        return raw.assign(crs=((), 0, {"grid_mapping_name": kind}))

    return change


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (axis("latitude", standard_name="grid_latitude", units="degrees"), "latitude is grid_latitude"),
        (axis("longitude", standard_name="grid_longitude", units="degrees"), "longitude is grid_longitude"),
        (axis("longitude", units="radian"), "in radian"),
        (axis("latitude", units="degrees_east"), "expected latitude in degrees_north"),
        (mapped("rotated_latitude_longitude"), "grid mapping rotated_latitude_longitude"),
    ],
)
def test_axes_that_are_no_latitude_and_longitude_are_refused(tmp_path: Path, change: Change, message: str) -> None:
    with pytest.raises(InputError, match=message):
        read_global(second(ONE, tmp_path / "a.nc", change))


def test_latitude_and_longitude_by_their_mapping(tmp_path: Path) -> None:
    assert read_global(second(ONE, tmp_path / "a.nc", mapped("latitude_longitude"))).sizes["time"] == 1


def surface(name: str, values: float | np.ndarray, units: str, **attributes: str) -> Change:
    """A further variable on the surface."""

    def change(raw: xr.Dataset) -> xr.Dataset:
        raw[name] = 0.0 * raw["sp"] + values
        raw[name].attrs = {"units": units, **attributes}
        return raw

    return change


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ([surface("orog", 5500.0, "m")], r"the terrain lies 5\d\d\d m from the height of the surface pressure"),
        ([surface("orog", 500.0, "m"), surface("PHIS", 0.0, "m2 s-2")], "orog .*PHIS contradict each other by 500 m"),
        ([surface("lnsp", np.log(90000.0), "1")], "sp .*lnsp contradict each other by"),
        ([surface("gh", 0.0, "m")], "gh"),
    ],
)
def test_fields_that_contradict_each_other(tmp_path: Path, changes: list[Change], message: str) -> None:
    def change(raw: xr.Dataset) -> xr.Dataset:
        for one in changes:
            raw = one(raw)
        if "gh" in raw:
            raw["gh"] = (raw["z"] / GRAVITY + 100.0).assign_attrs(units="m")
        return raw

    with pytest.raises(InputError, match=message):
        read_global(second(ONE, tmp_path / "a.nc", change))


def test_fields_that_say_the_same(tmp_path: Path) -> None:
    def change(raw: xr.Dataset) -> xr.Dataset:
        raw = surface("PHIS", GRAVITY * 120.0, "m2 s-2")(surface("orog", 120.2, "m")(raw))
        raw["gh"] = (raw["z"] / GRAVITY).assign_attrs(units="m")
        raw["lnsp"] = np.log(raw["sp"]).assign_attrs(units="1")
        return raw

    found = read_global(second(ONE, tmp_path / "a.nc", change))
    np.testing.assert_allclose(found["surface_altitude"], 120.2)


def static_fields(path: Path, *altitudes: float) -> Path:
    """GRIB with terrain several times."""
    with path.open("ab") as stream:
        for altitude in altitudes:
            handle = eccodes.codes_grib_new_from_samples("regular_ll_sfc_grib2")
            for key, value in {
                "Ni": 12, "Nj": 7, "latitudeOfFirstGridPointInDegrees": 90.0, "latitudeOfLastGridPointInDegrees": -90.0,
                "longitudeOfFirstGridPointInDegrees": 0.0, "longitudeOfLastGridPointInDegrees": 330.0,
                "iDirectionIncrementInDegrees": 30.0, "jDirectionIncrementInDegrees": 30.0, "paramId": 228002,
            }.items():  # fmt: skip
                eccodes.codes_set(handle, key, value)
            eccodes.codes_set_values(handle, np.full(84, altitude))
            eccodes.codes_write(handle, stream)
            eccodes.codes_release(handle)
    return path


def test_a_second_terrain_in_one_file_of_grib(tmp_path: Path) -> None:
    found = read_global(static_fields(relaid.grib(ONE, tmp_path / "a.grib"), 50.0, 50.0))
    np.testing.assert_allclose(found["surface_altitude"], 50.0)
    with pytest.raises(InputError, match="hold different values of surface_altitude"):
        open_driving([static_fields(relaid.grib(ONE, tmp_path / "b.grib"), 50.0, 80.0)])


@pytest.mark.parametrize(("factor", "message"), [(0.0, "0 everywhere"), (4.0, "times that of saturated air")])
def test_humidity_that_cannot_be(tmp_path: Path, factor: float, message: str) -> None:
    moist = ONE.assign(specific_humidity=factor * ONE["specific_humidity"].clip(1e-4, 0.014))
    with pytest.raises(InputError, match=message):
        read_global(relaid.second_generation(moist, tmp_path / "a.nc"))


def test_surface_pressure_that_is_missing_everywhere_is_said(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    lost = ONE.assign(surface_air_pressure=np.nan * ONE["surface_air_pressure"])
    assert "surface_air_pressure" not in read_global(relaid.second_generation(lost, tmp_path / "a.nc"))
    said = capsys.readouterr()
    assert "surface_air_pressure is missing everywhere" in said.out + said.err


def test_humidity_that_ends_below_the_top_falls_to_that_of_the_stratosphere(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    def change(raw: xr.Dataset) -> xr.Dataset:
        part = raw["q"].sel(pressure_level=slice(1000.0, 300.0)).rename(pressure_level="level")
        return raw.assign(q=part.assign_attrs(raw["q"].attrs))

    data = open_driving([second(ONE, tmp_path / "a.nc", change)])
    humidity = data.at(data.times[0])["specific_humidity"]
    assert float(humidity.sel(pressure=10000.0).max()) <= 3e-6 * (1.0 + 1e-9)
    middle, below = (humidity.sel(pressure=p).values for p in (20000.0, 30000.0))
    assert (middle < below).all()
    data.at(data.times[0])
    said = capsys.readouterr()
    assert (said.out + said.err).count("falls to the stratosphere's") == 1


def test_dry_levels_aloft_are_no_fractions(tmp_path: Path) -> None:
    """Relative humidity under 1.5 % on the highest levels alone is that of the stratosphere."""

    def change(raw: xr.Dataset) -> xr.Dataset:
        lower = raw["q"].isel(pressure_level=slice(0, 5)).rename(pressure_level="level").assign_attrs(raw["q"].attrs)
        upper = (0.0 * raw["q"].isel(pressure_level=slice(5, None)) + 0.5).rename(pressure_level="lev")
        return raw.assign(q=lower, r=upper.assign_attrs(units="%")).assign_coords(
            lev=("lev", raw["pressure_level"].values[5:], {"units": "hPa"})
        )

    assert (read_global(second(ONE, tmp_path / "a.nc", change))["specific_humidity"].values > 0.0).all()


@pytest.mark.parametrize("change", [
    lambda raw: raw.isel(latitude=slice(None, None, -1)),
    lambda raw: relaid.to_shifted(raw, "longitude"),
    lambda raw: relaid.to_shifted(raw, "longitude").isel(longitude=slice(None, None, -1)),
    lambda raw: xr.concat(
        [raw, raw.isel(longitude=[0]).assign_coords(longitude=[360.0])], "longitude", data_vars="minimal"
    ),
    lambda raw: raw.assign_coords(longitude=(raw["longitude"] - 1e-5).astype(np.float32)),
])  # fmt: skip
def test_files_with_the_same_points_in_another_order_are_joined(tmp_path: Path, change: Change) -> None:
    files = [
        second(ONE.drop_vars(WINDS), tmp_path / "a.nc"),
        second(ONE[[*WINDS, "air_temperature"]], tmp_path / "b.nc", change),
    ]
    found = read_joined(files)
    for name in ("air_temperature", "eastward_wind", "northward_wind"):
        np.testing.assert_allclose(found[name].values, ONE[name].values, rtol=1e-6, atol=1e-6, err_msg=name)


def test_terrain_and_land_without_a_time(tmp_path: Path) -> None:
    def change(raw: xr.Dataset) -> xr.Dataset:
        raw = raw.isel(valid_time=0).drop_vars(["valid_time", "expver", "number"])
        land = (0.0 * raw["skt"] + 1.0).assign_attrs(units="(0 - 1)")
        return raw.drop_vars("skt").assign(lsm=land, orog=(50.0 * land).assign_attrs(units="m"))

    fixed = second(ONE[["surface_temperature"]], tmp_path / "fixed.nc", change)
    found = read_joined([second(CONTENT, tmp_path / "a.nc"), fixed])
    np.testing.assert_allclose(found["surface_altitude"], 50.0)
    with pytest.raises(InputError, match="no axis named valid_time or time"):
        read_global(
            second(ONE, tmp_path / "b.nc", lambda raw: raw.isel(valid_time=0).drop_vars(["valid_time", "expver"]))
        )


@pytest.mark.parametrize("scalar", [True, False])
def test_surface_fields_on_the_first_model_level(tmp_path: Path, scalar: bool) -> None:
    """The IFS keeps the geopotential of the surface on model level 1, which is not read as that level."""

    def change(raw: xr.Dataset) -> xr.Dataset:
        made = raw[["z"]].isel(pressure_level=0, drop=True)
        made["z"] = (0.0 * made["z"] + GRAVITY * 50.0).assign_attrs(units="m**2 s**-2", GRIB_typeOfLevel="hybrid")
        made = made.assign_coords(hybrid=((), 1.0, {"units": "1", "long_name": "hybrid level"}))
        return made if scalar else made.expand_dims("hybrid")

    ground = second(ONE, tmp_path / "z.nc", change)
    found = read_joined([second(ONE, tmp_path / "a.nc"), ground])
    np.testing.assert_allclose(found["surface_altitude"], 50.0)


def test_a_level_that_several_variables_lack(tmp_path: Path) -> None:
    thin = second(ONE[WINDS].isel(pressure=slice(1, None)), tmp_path / "b.nc")
    with pytest.raises(InputError, match="eastward_wind, northward_wind are missing at 1000 hPa"):
        open_driving([second(ONE.drop_vars(WINDS), tmp_path / "a.nc"), thin])


def test_zeros_of_a_zarr_store_are_values(tmp_path: Path) -> None:
    """Version 2 states in every array what unwritten chunks hold, 0 by default."""
    calm = ONE.assign(eastward_wind=ONE["eastward_wind"].where(ONE["longitude"] > 100.0, 0.0))
    path = relaid.arco(calm, tmp_path / "a.zarr")
    array = path / "u_component_of_wind" / ".zarray"
    array.write_text(array.read_text().replace('"fill_value": "NaN"', '"fill_value": 0.0'))
    (path / ".zmetadata").unlink()
    assert '"fill_value": 0.0' in array.read_text()
    np.testing.assert_allclose(read_global(path)["eastward_wind"].values, calm["eastward_wind"].values)
    shutil.rmtree(path)


def test_one_time_of_driving_data_goes_onto_a_domain(tmp_path: Path) -> None:
    domain = PlainDomain(nx=5, ny=4, nz=6, top=14000.0, spacing=200e3)
    data = open_driving([relaid.second_generation(CONTENT, tmp_path / "a.nc")], domain)
    time = data.times[0] + np.timedelta64(2, "h")
    wanted, found = atmosphere_on_domain(data, domain, time), atmosphere_on_domain(data.at(time), domain)
    np.testing.assert_array_equal(found["temperature"], wanted["temperature"])
    with pytest.raises(InputError, match="take them at that time"):
        atmosphere_on_domain(data.at(time), domain, data.times[0])


@pytest.mark.parametrize(("parallels", "flag"), [((-30.0, -60.0), 128), ((-36.0, -36.0), 128), ((-30.0, -60.0), 0)])
def test_lambert_grids_of_the_southern_hemisphere(tmp_path: Path, parallels: tuple[float, float], flag: int) -> None:
    """Places and the turn of winds against another library."""
    handle = eccodes.codes_grib_new_from_samples("regular_ll_pl_grib2")
    keys = {
        "gridType": "lambert", "Nx": 9, "Ny": 7, "DxInMetres": 100000, "DyInMetres": 100000, "LoVInDegrees": 145.0,
        "Latin1InDegrees": parallels[0], "Latin2InDegrees": parallels[1], "LaDInDegrees": parallels[0],
        "latitudeOfFirstGridPointInDegrees": -40.0, "longitudeOfFirstGridPointInDegrees": 130.0,
        "projectionCentreFlag": flag, "jScansPositively": 1, "uvRelativeToGrid": 1, "shapeOfTheEarth": 6,
        "dataDate": 20000101, "level": 500,
    }  # fmt: skip
    for key, value in keys.items():
        eccodes.codes_set(handle, key, value)
    with (tmp_path / "a.grib").open("wb") as stream:
        for parameter, value in ((130, 260.0), (131, 10.0), (132, 0.0)):
            eccodes.codes_set(handle, "paramId", parameter)
            eccodes.codes_set_values(handle, np.full(63, value))
            eccodes.codes_write(handle, stream)
    found = read_global(tmp_path / "a.grib")
    projection = projection_of(found.attrs)
    assert projection is not None
    x, y = np.meshgrid(found["x"].values, found["y"].values)
    latitude, longitude = projection.inverse(x, y)
    other = Proj(f"+proj=lcc +lat_1={parallels[0]} +lat_2={parallels[1]} +lat_0=-40 +lon_0=145 +R=6371229")
    x0, y0 = other(130.0, -40.0)
    ox, oy = x0 + 1e5 * np.arange(9)[None] + 0.0 * y, y0 + 1e5 * np.arange(7)[:, None] + 0.0 * x
    east, north = other(ox, oy, inverse=True)
    np.testing.assert_allclose(latitude, north, atol=1e-6)
    np.testing.assert_allclose(longitude, east, atol=1e-6)
    # A wind along the grid's x points where the other library's x does.
    further, up = other(ox + 100.0, oy, inverse=True)
    angle = np.arctan2(up - north, (further - east) * np.cos(np.deg2rad(north)))
    np.testing.assert_allclose(found["eastward_wind"].values[0, 0], 10.0 * np.cos(angle), atol=1e-3)
    np.testing.assert_allclose(found["northward_wind"].values[0, 0], 10.0 * np.sin(angle), atol=1e-3)
    eccodes.codes_set(handle, "Latin1InDegrees", 30.0)
    eccodes.codes_set(handle, "Latin2InDegrees", 60.0)
    eccodes.codes_set(handle, "projectionCentreFlag", 128)
    with (tmp_path / "b.grib").open("wb") as stream:
        eccodes.codes_set(handle, "paramId", 130)
        eccodes.codes_write(handle, stream)
    eccodes.codes_release(handle)
    with pytest.raises(InputError, match="contradict it"):
        read_global(tmp_path / "b.grib")


def test_numbers_that_mean_missing_in_complex_packing(tmp_path: Path) -> None:
    """Template 5.2 marks missing values by the largest number of a group; ecCodes does not write it, so it is built."""
    path = relaid.grib(ONE, tmp_path / "a.grib")
    fields = []
    for _, message in single_fields(path):
        handle = eccodes.codes_new_from_message(message)
        ground = eccodes.codes_get(handle, "paramId") == 235
        fields.append(with_missing(message, eccodes.codes_get_values(handle), slice(0, 12)) if ground else message)
        eccodes.codes_release(handle)
    path.write_bytes(b"".join(fields))
    found = read_global(path)["surface_temperature"].values[0][::-1].ravel()
    wanted = ONE["surface_temperature"].values[0][::-1].ravel()
    assert np.isnan(found[:12]).all()
    np.testing.assert_allclose(found[12:], wanted[12:], atol=0.01)


def with_missing(message: bytes, values: np.ndarray, missing: slice) -> bytes:
    """A field of GRIB 2 in one group of 16 bits, some of its values missing."""
    sections, place = {}, 16
    while message[place : place + 4] != b"7777":
        length = int.from_bytes(message[place : place + 4])
        sections[message[place + 4]] = message[place : place + length]
        place += length
    least = float(np.float32(values.min() - 1.0))
    scale = int(np.ceil(np.log2((values.max() - least) / (2**16 - 3))))
    codes = np.rint((values - least) / 2.0**scale).astype(">u2")
    codes[missing] = 2**16 - 1
    signed = scale if scale >= 0 else 0x8000 | -scale
    packing = struct.pack(">fHH4BffI2BIBIB", least, signed, 0, 8, 0, 1, 1, 9.999e20, -9.999e20, 1, 16, 0, 84, 1, 84, 0)
    body = b"".join(sections[k] for k in (1, 3, 4))
    body += struct.pack(">IBIH", 11 + len(packing), 5, 84, 2) + packing + b"\x00\x00\x00\x06\x06\xff"
    body += struct.pack(">IB", 6 + 168, 7) + b"\x00" + codes.tobytes() + b"7777"
    return message[:8] + (16 + len(body)).to_bytes(8) + body


def on_model_levels(path: Path, geopotentials: dict[int, list[float]]) -> Path:
    """GRIB of geopotential on model levels, several fields on a level."""
    handle = eccodes.codes_grib_new_from_samples("regular_ll_pl_grib2")
    with path.open("wb") as stream:
        for level, values in geopotentials.items():
            for value in values:
                for key, setting in {"typeOfLevel": "hybrid", "level": level, "paramId": 129}.items():
                    eccodes.codes_set(handle, key, setting)
                eccodes.codes_set_values(
                    handle, value + np.linspace(0.0, 9.0, eccodes.codes_get(handle, "numberOfValues"))
                )
                eccodes.codes_write(handle, stream)
    eccodes.codes_release(handle)
    return path


def test_geopotential_of_the_first_model_level_and_of_the_surface_there(tmp_path: Path) -> None:
    """The IFS keeps both at level 1: the one lies tens of kilometres high, the other on the ground."""
    pieces = GRIB.index(on_model_levels(tmp_path / "a.grib", {1: [300.0, 7.8e5], 2: [7.0e5]}))
    assert [(p.quantity, p.levels) for p in pieces] == [
        ("surface_geopotential", (0.0,)),
        ("geopotential", (1.0,)),
        ("geopotential", (2.0,)),
    ]
