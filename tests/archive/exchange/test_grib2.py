"""GRIB 2 files in JMA's form: read back by others they hold the archive's fields, at their time, level and place.

Failure modes: rows turned upside down; u and v of the map given as eastward and northward; sums at the wrong end of
their interval; fractions given as per cent; a level in the wrong unit; missing values as numbers; a half-written file;
wrong units or values that nobody notices; the file of one day unlike that of another day with the same fields.
"""

from __future__ import annotations

import resource
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import xarray as xr

import kaiseki
from archive.exchange.grib2_cases import HOUR, SURFACE, TIMES, UPPER, keys_of, on_degrees, on_map, opened
from archive.runs import whole_forecasts, whole_run
from kaiseki.archive.exchange.grib2 import Grib2Settings, write_grib2
from kaiseki.archive.exchange.jma_form import FORMS, axes
from kaiseki.archive.products.derived import derived_fields
from kaiseki.archive.products.pressure_levels import JMA_PRESSURE_LEVELS
from kaiseki.core.errors import InputError, ResourceError, StoreError
from kaiseki.core.variables import VARIABLES
from kaiseki.formats.grib.library import eccodes
from kaiseki.formats.grib.messages import single_fields
from kaiseki.formats.grib.packing import unpack


def test_a_surface_file_read_by_cfgrib(tmp_path: Path) -> None:
    lat, lon = 34.0 + 0.05 * np.arange(8), 134.0 + 0.0625 * np.arange(9)
    dataset = on_degrees(lat, lon)
    path = tmp_path / "surface.grib2"
    (written,) = write_grib2(dataset, path)
    assert (written.path, written.fields) == (path, 16)
    assert written.lacking == ("RH", "LCDC", "MCDC", "HCDC")
    for name, chosen, theirs in (
        ("mean_sea_level_pressure", {"typeOfLevel": "meanSea"}, "prmsl"),
        ("surface_pressure", {"shortName": "sp"}, "sp"),
        ("eastward_wind_10m", {"shortName": "10u"}, "u10"),
        ("northward_wind_10m", {"shortName": "10v"}, "v10"),
        ("temperature_2m", {"shortName": "2t"}, "t2m"),
        ("shortwave_down", {"stepType": "avg"}, "avg_sdswrf"),
        ("precipitation", {"stepType": "accum"}, "unknown"),
    ):
        found = opened(path, **chosen)[theirs]
        assert np.array_equal(found.valid_time.values.ravel(), TIMES), name
        assert np.allclose(found.latitude, lat[::-1])
        assert np.allclose(found.longitude, lon)
        error = np.abs(found.values[:, ::-1] - dataset[name].values).max()
        # cfgrib gives float32.
        assert error <= VARIABLES[name].bound + np.spacing(np.float32(np.abs(found.values).max())), name
        sum_or_mean = name in ("shortwave_down", "precipitation")
        assert np.all(found.step.values == (HOUR if sum_or_mean else 0 * HOUR)), name


def test_the_order_and_the_codes_of_jma(tmp_path: Path) -> None:
    path = tmp_path / "surface.grib2"
    write_grib2(on_map(SURFACE).isel(time=[0]), path, grid="own")
    names = ("discipline", "parameterCategory", "parameterNumber", "typeOfFirstFixedSurface")
    found = keys_of(path, *names, "productDefinitionTemplateNumber")
    assert found == [
        (0, 3, 1, 101, 0),
        (0, 3, 0, 1, 0),
        (0, 2, 2, 103, 0),
        (0, 2, 3, 103, 0),
        (0, 0, 0, 103, 0),
        (0, 6, 1, 1, 0),
        (0, 1, 8, 1, 8),
        (0, 4, 7, 1, 8),
    ]
    assert {one for (one,) in keys_of(path, "dataRepresentationTemplateNumber")} == {0}
    steps = keys_of(path, "dataDate", "dataTime", "stepRange", "validityTime", "significanceOfReferenceTime")
    assert set(steps[:6]) == {(19890101, 1200, "0", 1200, 0)}
    assert set(steps[6:]) == {(19890101, 1100, "0-1", 1200, 1)}


def test_cloud_cover_is_in_per_cent_and_holds_its_bound(tmp_path: Path) -> None:
    dataset = on_map(SURFACE).isel(time=[1])[["cloud_fraction"]]
    path = tmp_path / "cloud.grib2"
    (written,) = write_grib2(dataset, path, grid="own")
    found = unpack(next(single_fields(path))[1]).reshape(dataset["cloud_fraction"].shape[1:])
    error = np.abs(found - 100.0 * dataset["cloud_fraction"].values[0].astype(float)).max()
    assert error <= 100.0 * VARIABLES["cloud_fraction"].bound + 1e-12
    assert written.largest_errors["TCDC"] == pytest.approx(error, abs=1e-5)


def test_pressure_levels_from_below_and_what_lies_under_the_ground(tmp_path: Path) -> None:
    dataset = on_map(UPPER).isel(time=[0])
    path = tmp_path / "upper.grib2"
    (written,) = write_grib2(dataset, path, "pressure", grid="own")
    # 510 hPa is none of JMA's levels; above 300 hPa JMA has no humidity.
    assert keys_of(path, "level", "shortName") == [
        *((1000, name) for name in ("gh", "u", "v", "t", "r")),
        *((850, name) for name in ("gh", "u", "v", "t", "r")),
        *((250, name) for name in ("gh", "u", "v", "t")),
    ]
    assert written.lacking == ("VVEL",)
    codes = ("scaleFactorOfFirstFixedSurface", "scaledValueOfFirstFixedSurface", "dataRepresentationTemplateNumber")
    assert keys_of(path, *codes, "orderOfSpatialDifferencing")[0] == (-2, 1000, 3, 2)
    assert [one for (one,) in keys_of(path, "bitmapPresent")] == [1] * 5 + [0] * 9
    for number, (_, message) in enumerate(single_fields(path)):
        level, name = keys_of(path, "level", "shortName")[number]
        ours = {"gh": "geopotential_height", "u": "eastward_wind", "v": "northward_wind", "t": "temperature"}.get(
            name, "relative_humidity"
        )
        scale = 100.0 if name == "r" else 1.0
        expected = scale * dataset[ours].sel(pressure=100.0 * level).values[0].astype(float).ravel()
        found = unpack(message)
        assert np.array_equal(np.isnan(found), np.isnan(expected))
        assert np.nanmax(np.abs(found - expected)) <= scale * VARIABLES[ours].bound + 1e-9


@pytest.mark.parametrize("packing", ["simple", "complex"])
def test_gdal_which_has_a_decoder_of_its_own(tmp_path: Path, packing: Any) -> None:
    if shutil.which("gdal_translate") is None:
        pytest.skip("GDAL is not installed")
    lat, lon = 34.0 - 0.05 * np.arange(8), 134.0 + 0.0625 * np.arange(9)
    names = ["eastward_wind_10m", "northward_wind_10m", "precipitation"]
    dataset = on_degrees(lat, lon)[[*names, "time_bnds"]].isel(time=[0])
    dataset["precipitation"][0, 2:4, 3] = np.nan
    path = tmp_path / "surface.grib2"
    write_grib2(dataset, path, settings=Grib2Settings(packing=packing, one_message=True))
    for band, name in enumerate(names, 1):
        command = ["gdal_translate", "-q", "-of", "XYZ", "-b", str(band), path, "/vsistdout/"]
        rows = subprocess.run(command, capture_output=True, text=True, check=True).stdout.split("\n")[:-1]
        x, y, value = np.array([[float(number) for number in row.split()] for row in rows]).T
        expected = dataset[name].values[0].ravel().astype(float)
        hole = np.isnan(expected)
        assert np.array_equal(value == 9999.0, hole)
        assert np.abs(value - expected)[~hole].max() <= VARIABLES[name].bound + 1e-9
        assert np.allclose(y.reshape(8, 9)[:, 0], lat)
        assert np.allclose(x.reshape(8, 9)[0], lon)
    text = subprocess.run(["gdalinfo", path], capture_output=True, text=True, check=True).stdout
    assert "GRIB_ELEMENT=APCP01" in text
    noon = str(int(TIMES[0].astype("datetime64[s]").astype(int)))
    assert text.count(f"GRIB_VALID_TIME={noon}") == 3


def test_the_same_fields_give_the_same_octets_in_any_order_of_rows(tmp_path: Path) -> None:
    lat, lon = 34.0 + 0.05 * np.arange(8), 134.0 + 0.0625 * np.arange(9)
    dataset = on_degrees(lat, lon)
    one, two = tmp_path / "one.grib2", tmp_path / "two.grib2"
    write_grib2(dataset, one)
    write_grib2(dataset.isel(lat=slice(None, None, -1)).transpose("lon", "lat", ...), two)
    assert one.read_bytes() == two.read_bytes()


def test_one_message_as_in_files_of_jma(tmp_path: Path) -> None:
    dataset = on_map(UPPER)
    apart, together = tmp_path / "apart.grib2", tmp_path / "together.grib2"
    write_grib2(dataset, apart, "pressure", grid="own")
    write_grib2(dataset, together, "pressure", grid="own", settings=Grib2Settings(one_message=True))
    content = together.read_bytes()
    assert int.from_bytes(content[8:16]) < len(content), "one message for each of two reference times"
    assert content.count(b"GRIB") == 2
    assert [one for _, one in single_fields(together)] == [one for _, one in single_fields(apart)]
    found = opened(together, shortName="t")["t"]
    assert found.sizes["time"] == 2


def test_a_folder_gets_a_file_for_each_time(tmp_path: Path) -> None:
    dataset = on_map(SURFACE)
    settings = Grib2Settings(centre=34, originator="Z__C_RJTD", bounds="user")
    names = [one.path.name for one in write_grib2(dataset, tmp_path, grid="own", settings=settings)]
    assert names == [
        "Z__C_RJTD_19890101120000_RRA_GPV_Glc60km_Lsurf_ANAL_grib2.bin",
        "Z__C_RJTD_19890101130000_RRA_GPV_Glc60km_Lsurf_ANAL_grib2.bin",
    ]
    assert sorted(path.name for path in tmp_path.iterdir()) == names
    assert set(keys_of(tmp_path / names[0], "centre")) == {(34,)}
    plain = write_grib2(dataset.assign_attrs(kind="background"), tmp_path, grid="own")[0].path
    assert plain.name == "KAISEKI_19890101120000_RRA_GPV_Glc60km_Lsurf_GUES_grib2.bin"
    assert set(keys_of(plain, "centre")) == {(65535,)}
    assert keys_of(plain, "typeOfGeneratingProcess", "significanceOfReferenceTime")[0] == (2, 2)
    assert plain.stat().st_size > (tmp_path / names[0]).stat().st_size, "the bounds for users are wider"


def test_forecasts_have_lead_times_and_no_sum_at_the_start(tmp_path: Path) -> None:
    dataset = kaiseki.open(whole_forecasts(tmp_path / "forecasts", 2)).drop_vars("temperature")
    dataset["temperature_2m"] = abs(dataset["temperature_2m"]) + 250.0
    dataset["temperature_2m"].attrs = VARIABLES["temperature_2m"].attributes()
    dataset["precipitation"] = abs(dataset["precipitation"])
    dataset["precipitation"].attrs = VARIABLES["precipitation"].attributes()
    folder = tmp_path / "grib"
    folder.mkdir()
    written = write_grib2(dataset, folder)
    assert [one.path.name[8:22] for one in written] == ["19890101120000", "19890101130000"]
    assert written[0].path.name.endswith("_Lsurf_FH00-03_grib2.bin")
    found = keys_of(written[1].path, "dataTime", "stepRange", "parameterCategory", "significanceOfReferenceTime")
    assert found == [
        (1300, "0", 0, 1),
        (1300, "1", 0, 1),
        (1300, "0-1", 1, 1),
        (1300, "2", 0, 1),
        (1300, "1-2", 1, 1),
        (1300, "3", 0, 1),
        (1300, "2-3", 1, 1),
    ]


@pytest.mark.parametrize(
    ("kind", "experiment", "expected"),
    [
        ("analysis", "{}", ("0", "an", "0")),
        ("background", "{}", ("2", "fc", "2")),
        ("surface", '{"name": "winter"}', ("2", "fc", "2")),
        ("model_levels", "{}", ("2", "fc", "2")),
        ("surface", '{"imported": {"reader": "era5"}}', ("255", "missing", "255")),
    ],
)
def test_the_kind_of_the_data_is_what_the_archive_knows(
    tmp_path: Path, kind: str, experiment: str, expected: tuple[str, str, str]
) -> None:
    dataset = on_map(SURFACE).isel(time=[0])[["temperature_2m"]].assign_attrs(kind=kind, experiment=experiment)
    path = tmp_path / "kind.grib2"
    write_grib2(dataset, path, grid="own")
    found = keys_of(path, "typeOfGeneratingProcess", "typeOfProcessedData", "significanceOfReferenceTime")
    assert [tuple(map(str, one)) for one in found] == [expected]


def test_a_run_straight_from_model_levels(tmp_path: Path) -> None:
    dataset = kaiseki.open(whole_run(tmp_path / "run", 1))
    for name, offset in (("temperature", 270.0), ("eastward_wind", 0.0), ("northward_wind", 0.0)):
        dataset[name] = dataset[name] + offset
        dataset[name].attrs = VARIABLES[name].attributes()
    path = tmp_path / "upper.grib2"
    (written,) = write_grib2(dataset, path, "pressure", grid="own")
    assert written.lacking == ("VVEL", "RH"), "the run has neither w nor qv"
    upper = kaiseki.archive.on_pressure_levels(dataset)
    found = keys_of(path, "level", "shortName", "dataTime")
    assert found == [
        (round(level / 100.0), name, time)
        for time in (1200, 1500)
        for level in JMA_PRESSURE_LEVELS
        for name in ("gh", "u", "v", "t")
    ]
    for place, (_, message) in zip(found, single_fields(path), strict=True):
        if place[1:] == ("t", 1500):
            expected = upper["temperature"].sel(pressure=100.0 * place[0]).values[1].ravel()
            np.testing.assert_allclose(unpack(message), expected, atol=VARIABLES["temperature"].bound + 1e-6)


def test_humidity_and_omega_derived_where_the_dataset_has_what_they_need(tmp_path: Path) -> None:
    more = UPPER | {"w": (-1.0, 1.0), "qv": (0.0005, 0.002)}
    dataset = on_map(more).drop_vars("relative_humidity").isel(time=[0])
    path = tmp_path / "upper.grib2"
    (written,) = write_grib2(dataset, path, "pressure", grid="own")
    assert written.lacking == ()
    expected = derived_fields(dataset, ["omega", "relative_humidity"]).sel(pressure=85_000.0)
    for place, (_, message) in zip(keys_of(path, "level", "shortName"), single_fields(path), strict=True):
        if place == (850, "w"):
            assert np.abs(unpack(message) - expected["omega"].values.ravel()).max() <= VARIABLES["omega"].bound + 1e-6
        if place == (850, "r"):
            assert np.abs(unpack(message) - 100.0 * expected["relative_humidity"].values.ravel()).max() <= 0.2 + 1e-5
    near = on_map(SURFACE | {"specific_humidity_2m": (0.0001, 0.0002)})
    assert write_grib2(near, tmp_path / "near.grib2")[0].lacking == ("LCDC", "MCDC", "HCDC")
    near["specific_humidity_2m"].attrs["units"] = "g kg-1"
    with pytest.raises(InputError, match="specific_humidity_2m is in 'g kg-1'"):
        write_grib2(near, tmp_path / "near.grib2")


def damaged(change: Callable[[xr.Dataset], xr.Dataset | None]) -> xr.Dataset:
    dataset = on_map(SURFACE)
    return change(dataset) or dataset


def put(name: str, value: float) -> Callable[[xr.Dataset], None]:
    return lambda dataset: dataset[name].values.__setitem__((1, 2, 3), value)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (put("temperature_2m", np.inf), "temperature_2m at 1989-01-01T13:00Z is inf K, outside its physical range"),
        (put("temperature_2m", 25.0), "temperature_2m at 1989-01-01T13:00Z is 25 K, outside .* 180 to 340"),
        (put("precipitation", -1.0), "precipitation at .* is -1 kg m-2, outside its physical range of 0 to 500"),
        (lambda d: d.temperature_2m.attrs.update(units="degC"), "temperature_2m is in 'degC'.*'K'"),
        (lambda d: d.drop_vars("time_bnds"), "not their intervals, time_bnds"),
        (lambda d: d.assign(time_bnds=d.time_bnds + HOUR), "ends at 1989-01-01T13:00Z; .* labelled at their end"),
        (lambda d: d[["temperature_2m"]].rename(temperature_2m="t"), "no field of the form 'surface'"),
        (lambda d: d.drop_vars("crs"), "no grid mapping variable"),
        (lambda d: d.drop_vars("northward_wind_10m"), "has one component; give both or none"),
        (lambda d: d.rename(x="i", y="j"), "no horizontal grid"),
        (lambda d: d.isel(time=0, drop=True), "no coordinate time"),
        (lambda d: xr.full_like(d.drop_vars("time_bnds")[["temperature_2m"]], np.nan), "No field has a value"),
    ],
)
def test_what_is_refused_and_leaves_no_file(
    tmp_path: Path, change: Callable[[xr.Dataset], xr.Dataset | None], words: str
) -> None:
    with pytest.raises(InputError, match=words):
        write_grib2(damaged(change), tmp_path / "surface.grib2")
    assert list(tmp_path.iterdir()) == []


def test_pressure_levels_in_another_unit_or_none_of_jma(tmp_path: Path) -> None:
    dataset = on_map(UPPER)
    wrong = dataset.assign_coords(pressure=("pressure", [1000.0, 850.0, 500.0, 250.0], {"units": "hPa"}))
    with pytest.raises(InputError, match="levels of the dataset are in 'hPa'; they must be in Pa"):
        write_grib2(wrong, tmp_path / "upper.grib2", "pressure")
    with pytest.raises(InputError, match="none of JMA's pressure levels"):
        write_grib2(dataset.sel(pressure=[51_000.0]), tmp_path / "upper.grib2", "pressure")
    assert list(tmp_path.iterdir()) == []


def test_a_full_disk_leaves_the_file_that_was_there(tmp_path: Path) -> None:
    path = tmp_path / "surface.grib2"
    path.write_bytes(b"of before")
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (400, limits[1]))
    try:
        with pytest.raises(ResourceError, match="file size limit"):
            write_grib2(on_map(SURFACE), path)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    assert [(one.name, one.read_bytes()) for one in tmp_path.iterdir()] == [(path.name, b"of before")]
    with pytest.raises(StoreError, match="does not exist"):
        write_grib2(on_map(SURFACE), tmp_path / "nowhere" / "surface.grib2")


def test_codes_are_those_of_the_table_of_variables_but_for_precipitation() -> None:
    for form in FORMS.values():
        for one in form.parameters:
            row = VARIABLES.get(one.variable or "")
            if row is not None and one.abbreviation != "APCP":
                assert one.code == row.grib2


MEPS = "jma/meps_20190605_00Z_first20msgs.grib2"
DIFFER = {
    # Not of JMA, not operational, not an ensemble, analysis in the place of forecast, no local tables.
    "centre", "localTablesVersion", "productionStatusOfProcessedData", "typeOfProcessedData",
    "significanceOfReferenceTime", "productDefinitionTemplateNumber", "section4Length", "typeOfGeneratingProcess",
    "backgroundProcess", "hoursAfterDataCutoff", "minutesAfterDataCutoff",
    # The step follows from the declared error; ecCodes makes groups of other lengths.
    "referenceValue", "binaryScaleFactor", "decimalScaleFactor", "bitsPerValue", "numberOfGroupsOfDataValues",
    "referenceForGroupLengths", "trueLengthOfLastGroup", "numberOfBitsForScaledGroupLengths",
    "numberOfOctetsExtraDescriptors", "primaryMissingValueSubstitute", "secondaryMissingValueSubstitute",
    "section7Length", "totalLength",
}  # fmt: skip
"""Keys of the sections in which a file of ours differs from one of JMA's mesoscale ensemble."""


def octets_of(message: bytes) -> dict[str, str]:
    """Keys of the sections of a message with their values, without those that ecCodes computes from others."""
    handle = eccodes.codes_new_from_message(message)
    iterator = eccodes.codes_keys_iterator_new(handle)
    eccodes.codes_skip_computed(iterator)
    found = {}
    while eccodes.codes_keys_iterator_next(iterator):
        name = eccodes.codes_keys_iterator_get_name(iterator)
        if "alues" not in name or name.startswith("number"):
            found[name] = eccodes.codes_get_string(handle, name)
    eccodes.codes_keys_iterator_delete(iterator)
    eccodes.codes_release(handle)
    return found


def test_a_field_of_jma_written_again_key_by_key(tmp_path: Path, data: Path) -> None:
    theirs = {}
    names = ("shortName", "level")
    for place, (_, message) in zip(keys_of(data / MEPS, *names), single_fields(data / MEPS), strict=True):
        theirs[place] = message
    short = {"u": "eastward_wind", "v": "northward_wind", "t": "temperature"}
    lat, lon = axes("pressure")
    made = {
        ours: (
            ("time", "pressure", "lat", "lon"),
            unpack(theirs[name, 850]).reshape(1, 1, 253, 241),
            VARIABLES[ours].attributes(),
        )
        for name, ours in short.items()
    }
    time = np.array(["2019-06-05T00:00"], "datetime64[ns]")
    dataset = xr.Dataset(made, {"time": time, "pressure": [85_000.0], "lat": lat, "lon": lon}, {"kind": "analysis"})
    (written,) = write_grib2(dataset, tmp_path, "pressure")
    assert written.path.name == "KAISEKI_20190605000000_RRA_GPV_Rjp_L-pall_ANAL_grib2.bin"
    for place, (_, message) in zip(keys_of(written.path, *names), single_fields(written.path), strict=True):
        ours, jma = octets_of(message), octets_of(theirs[place])
        different = {key for key in ours if ours[key] != jma.get(key)}
        assert different <= DIFFER, place
        assert {"gridDefinitionTemplateNumber", "shapeOfTheEarth", "dataRepresentationTemplateNumber"} <= ours.keys()
        assert len(message) < len(theirs[place]), "JMA packs wind and temperature at a finer step"


def test_chosen_variables_and_what_a_derived_one_is_made_of(tmp_path: Path) -> None:
    dataset = on_map(SURFACE).assign(specific_humidity_2m=on_map({"temperature_2m": (0.05, 0.06)})["temperature_2m"])
    dataset["specific_humidity_2m"].attrs = VARIABLES["specific_humidity_2m"].attributes()
    words = (
        "relative_humidity_2m .* derived from temperature_2m, specific_humidity_2m, surface_pressure; .*variables= of"
    )
    with pytest.raises(InputError, match=words):
        write_grib2(dataset, tmp_path / "a.grib2", grid="own")
    chosen = Grib2Settings(variables=("temperature_2m", "surface_pressure"))
    (written,) = write_grib2(dataset, tmp_path / "a.grib2", grid="own", settings=chosen)
    assert set(written.largest_errors) == {"TMP", "PRES"}
    with pytest.raises(InputError, match="has no field 'snow'; it has mean_sea_level_pressure"):
        write_grib2(dataset, tmp_path / "b.grib2", settings=Grib2Settings(variables=("snow",)))
