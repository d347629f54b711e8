"""NetCDF exports: values, packing within the declared error, files that are kept, wrong input, a full disk.

What can go wrong:
- a value is off by more than its bound, or a missing one becomes a number;
- a file of an earlier export is kept though it is cut, or was made of something else;
- half a file is left, or the process dies in HDF5.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import xarray as xr

import kaiseki
from archive.exchange.grids import NX, NY, NZ, archive, domain
from archive.runs import HOUR, START, whole_forecasts
from kaiseki.archive.exchange.climcore import write_single_fields
from kaiseki.archive.exchange.export import Choice, export
from kaiseki.archive.exchange.netcdf import Written, write_days, write_netcdf
from kaiseki.archive.exchange.source import Source, chosen, open_source
from kaiseki.core.errors import InputError, StoreError
from kaiseki.core.variables import VARIABLES


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return archive(tmp_path_factory.mktemp("archive") / "run", hours=14)


def opened(file: Path) -> xr.Dataset:
    with xr.open_dataset(file, engine="h5netcdf", decode_coords="all") as dataset:
        return dataset.load()


def test_one_file_has_every_bit(run: Path, tmp_path: Path) -> None:
    source = kaiseki.open(run, "background")
    found = opened(write_netcdf(source, tmp_path / "all.nc"))
    for name in source.variables:
        assert np.array_equal(found[name].values, source[name].values, equal_nan=source[name].dtype.kind == "f"), name
    assert found["crs"].attrs["crs_wkt"].startswith("PROJCRS")


@pytest.mark.parametrize("bounds", ["tight", "user"])
def test_packed_values_are_within_their_bound(run: Path, tmp_path: Path, bounds: str) -> None:
    source = kaiseki.open(run, "background")
    file = write_netcdf(source, tmp_path / "packed.nc", bounds)
    found = opened(file)
    with xr.open_dataset(file, engine="h5netcdf", decode_cf=False) as raw:
        stored = {str(name): (raw[name].dtype, raw[name].attrs) for name in raw.variables}
    for name in source.data_vars:
        if name == "time_bnds":
            continue
        row, values = VARIABLES[str(name)], source[name].values
        bound = row.bound if bounds == "tight" else row.user_bound
        assert np.array_equal(np.isnan(values), np.isnan(found[name].values))
        assert np.nanmax(np.abs(found[name].values.astype(float) - values)) <= bound
        dtype, attributes = stored[str(name)]
        assert dtype.kind in "iu"
        assert attributes["_FillValue"].dtype == dtype
        assert attributes["scale_factor"].dtype == (np.float32 if dtype.itemsize <= 2 else np.float64)
        assert attributes["maximum_absolute_error"] == bound
    assert np.isnan(found["precipitation"].values[0]).all(), "there is no sum before the start"
    assert "scale_factor" not in stored["lat"][1]


def test_values_that_packing_refuses(run: Path, tmp_path: Path) -> None:
    dataset = kaiseki.open(run)[["temperature_2m"]].isel(time=slice(0, 1)).load()
    dataset["temperature_2m"][0, 2, 3] = np.inf
    with pytest.raises(InputError, match=r"1989-01-01.* temperature_2m is inf at \(2, 3\)"):
        write_netcdf(dataset, tmp_path / "a.nc", "tight")
    assert list(tmp_path.iterdir()) == []
    assert np.isinf(opened(write_netcdf(dataset, tmp_path / "a.nc"))["temperature_2m"].values[0, 2, 3])


def test_days_are_whole_and_kept(run: Path, tmp_path: Path) -> None:
    source = open_source(run, "background")
    first = write_days(source, tmp_path / "days", "background")
    assert [file.name for file in first.files] == ["background_19890101.nc", "background_19890102.nc"]
    assert first.kept == ()
    days = [opened(file) for file in first.files]
    assert [day.sizes["time"] for day in days] == [12, 3]
    together = np.concatenate([day["temperature"].values for day in days])
    assert np.array_equal(together, source.dataset["temperature"].values)
    times = {file: file.stat().st_mtime_ns for file in first.files}
    assert write_days(source, tmp_path / "days", "background").kept == first.files
    assert {file: file.stat().st_mtime_ns for file in first.files} == times


def test_a_cut_or_other_file_is_written_again(run: Path, tmp_path: Path) -> None:
    source = open_source(run, "background")
    one, other = write_days(source, tmp_path, "background").files
    whole = one.read_bytes()
    for damaged in (whole[: len(whole) // 2], whole[:7], b"", b"not NetCDF at all"):
        one.write_bytes(damaged)
        assert write_days(source, tmp_path, "background") == Written((one, other), (other,))
        assert opened(one)["temperature"].equals(opened(one)["temperature"])
    assert write_days(source, tmp_path, "background", "tight").kept == (), "another encoding"
    part = chosen(source, variables=["temperature"])
    assert write_days(part, tmp_path, "background").kept == (), "other variables"
    assert write_days(part, tmp_path, "background").kept == (one, other)
    assert write_days(Source(source.dataset, "a dataset"), tmp_path, "background").kept == (), "nothing is known of it"
    longer = archive(tmp_path / "longer", hours=14)
    assert write_days(open_source(longer, "background"), tmp_path, "background").kept == (), "another archive"


def test_one_file_per_forecast(tmp_path: Path) -> None:
    forecasts = whole_forecasts(tmp_path / "forecasts", 2)
    written = write_days(open_source(forecasts), tmp_path / "out", "forecast")
    assert [file.name for file in written.files] == ["forecast_198901011200.nc", "forecast_198901011300.nc"]
    source, found = kaiseki.open(forecasts), opened(written.files[1])
    assert found["temperature"].dims == ("time", "level", "y", "x")
    assert np.array_equal(found["temperature"].values, source["temperature"].values[1])
    assert np.array_equal(found["time"].values, START + HOUR + HOUR * np.arange(4))
    assert found["forecast_reference_time"].values == START + HOUR
    assert found["time"].attrs["axis"] == "T"


def test_the_dataset_given_is_left_alone(run: Path, tmp_path: Path) -> None:
    forecasts = whole_forecasts(tmp_path / "forecasts", 1)
    analyses = kaiseki.open(run)[["temperature", "temperature_2m"]]
    for dataset, form in (
        (kaiseki.open(run, "background"), "netcdf"),
        (kaiseki.open(forecasts), "netcdf-days"),
        (analyses, "netcdf-climcore"),
        (analyses, "zarr"),
    ):
        before = {name: (dict(one.attrs), dict(one.encoding)) for name, one in dataset.variables.items()}
        export(dataset, tmp_path / form, form)  # type: ignore[arg-type]
        assert {name: (dict(one.attrs), dict(one.encoding)) for name, one in dataset.variables.items()} == before


def test_one_variable_and_time_per_file(run: Path, tmp_path: Path) -> None:
    source = chosen(open_source(run), variables=["pressure", "temperature", "qv", "eastward_wind", "northward_wind"])
    written = write_single_fields(source, tmp_path)
    names = {str(file.relative_to(tmp_path)) for file in written.files}
    assert names == {
        f"{code}/198901/{code}.{label}.nc"
        for code in ("P", "T", "QVa", "UMET", "VMET")
        for label in ("198901011200", "198901020200")
    }
    fields = source.dataset.isel(time=-1)
    with xr.open_dataset(tmp_path / "P/198901/P.198901020200.nc", engine="h5netcdf") as pressure:
        assert pressure["P"].shape == (1, NZ, NY, NX)
        assert pressure["P"].attrs["units"] == "hPa"
        np.testing.assert_allclose(pressure["P"].values[0], fields["pressure"].values / 100.0, rtol=1e-6)
    with xr.open_dataset(tmp_path / "QVa/198901/QVa.198901020200.nc", engine="h5netcdf") as humidity:
        assert np.array_equal(humidity["QVa"].values[0], fields["qv"].values)
    with xr.open_dataset(tmp_path / "const/FLON.nc", engine="h5netcdf") as longitude:
        assert np.array_equal(longitude["FLON"].values, domain("lambert").lon)
    with xr.open_dataset(tmp_path / "const/ZS.nc", engine="h5netcdf") as terrain:
        zz, ff = np.loadtxt(tmp_path / "const/model_height.full_level.txt", skiprows=3, usecols=(1, 2), unpack=True)
        height = zz[:, None, None] + ff[:, None, None] * terrain["ZS"].values
    np.testing.assert_allclose(height, domain("lambert").z, rtol=1e-12)
    assert write_single_fields(source, tmp_path).kept == written.files


def test_packed_pressure_in_hectopascal_keeps_the_bound(run: Path, tmp_path: Path) -> None:
    source = chosen(open_source(run), variables=["pressure"])
    file = write_single_fields(source, tmp_path, "tight").files[0]
    found = opened(file)["P"]
    error = np.abs(100.0 * found.values[0].astype(float) - source.dataset["pressure"].values[0])
    assert 0.0 < error.max() <= VARIABLES["pressure"].bound
    assert found.attrs["maximum_absolute_error"] == pytest.approx(0.01)


def test_names_of_jma_are_one_each() -> None:
    codes = [row.jma for row in VARIABLES.values() if row.jma]
    assert len(codes) == len(set(codes))


def test_refusals(run: Path, tmp_path: Path) -> None:
    with pytest.raises(InputError, match="soil_temperature has no name in files of JMA"):
        write_single_fields(chosen(open_source(run), variables=["soil_temperature"]), tmp_path)
    forecasts = whole_forecasts(tmp_path / "forecasts", 1)
    with pytest.raises(InputError, match="forecasts go into one file each"):
        write_single_fields(open_source(forecasts), tmp_path)
    with pytest.raises(InputError, match="no axis of time, so there are no days"):
        write_days(Source(kaiseki.open(run).isel(time=0), "one"), tmp_path, "a")
    with pytest.raises(InputError, match="not for netcdf"):
        export(run, tmp_path / "a.nc", target_options={"region": "x"})
    with pytest.raises(InputError, match="fractions of a second"):
        write_netcdf(
            kaiseki.open(run).assign_coords(time=lambda d: d["time"] + np.timedelta64(1, "ms")), tmp_path / "a.nc"
        )
    with pytest.raises(InputError, match="has missing times"):
        write_netcdf(
            kaiseki.open(run).assign_coords(time=lambda d: d["time"].where(d["time"] < d["time"][1])), tmp_path / "a.nc"
        )
    with pytest.raises(StoreError, match="does not exist"):
        write_netcdf(kaiseki.open(run), tmp_path / "absent" / "a.nc")
    assert not (tmp_path / "a.nc").exists()


def test_words_that_mean_nothing(tmp_path: Path) -> None:
    """In a process of its own, because types are checked in this one."""
    code = (
        "from kaiseki.archive.exchange.export import Choice, export\n"
        "for form, bounds in (('grib', 'tight'), ('netcdf', 'loose')):\n"
        "    try: export('nowhere', 'a.nc', form, Choice(bounds=bounds))\n"
        "    except Exception as error: print(type(error).__name__, error)"
    )
    printed = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
    form, bounds = printed.splitlines()
    assert form.startswith("InputError There is no form 'grib' of export; there are netcdf, netcdf-days")
    assert bounds == "InputError There is no set of bounds 'loose'; there are tight, user, lossless"


def test_the_entry_makes_every_form(run: Path, tmp_path: Path) -> None:
    choice = Choice(variables=["temperature_2m"], times=["1989-01-01T13:00Z"])
    for form, to in {"netcdf": "a.nc", "netcdf-days": "days", "netcdf-climcore": "climcore", "zarr": "mirror"}.items():
        export(run, tmp_path / to, form, choice, kind="background")  # type: ignore[arg-type]
    expected = kaiseki.open(run, "background")["temperature_2m"].isel(time=[1])
    for found in (
        opened(tmp_path / "a.nc")["temperature_2m"],
        opened(tmp_path / "days/background_19890101.nc")["temperature_2m"],
        opened(tmp_path / "climcore/TMP/198901/TMP.198901011300.nc")["TMP"],
        xr.open_zarr(tmp_path / "mirror")["temperature_2m"],
    ):
        assert np.array_equal(found.values, expected.values)


def test_a_full_disk(tmp_path: Path) -> None:
    program = Path(__file__).with_name("limited.py")
    tests = str(Path(__file__).resolve().parents[2])
    path = os.pathsep.join([tests, *filter(None, [os.environ.get("PYTHONPATH")])])
    ended = subprocess.run(
        [sys.executable, str(program), str(tmp_path), "2500"],
        capture_output=True,
        text=True,
        env={**os.environ, "PYTHONPATH": path},
        check=False,
    )
    assert ended.returncode == 0, ended.stderr
    answers = json.loads(ended.stdout)
    for form, (code, sentence, left) in answers.items():
        assert code == 6, form
        assert "file size limit of this process" in sentence, form
        assert not [name for name in left if name.endswith((".part", ".partial"))], form
        if form == "zarr":
            assert "zarr.json" not in left, "no reader is told of what is not whole"
        else:
            assert not [name for name in left if name in ("fields.nc", "points.parquet") or name.startswith("analysis")]


@pytest.mark.parametrize(
    ("name", "form", "words"),
    [
        ("hl.csv", "netcdf", "named as CSV, and the form 'netcdf' is none; for CSV use to_dataframe"),
        ("day.grib2", "netcdf", "named as GRIB, .* use kaiseki.archive.write_grib2"),
        ("day.GRB2", "netcdf-days", "named as GRIB"),
        ("hl.xlsx", "parquet-wide", "to_excel"),
        ("a.parquet", "netcdf", "give the form 'parquet-wide' or"),
        ("a.zarr", "netcdf", "give the form 'zarr'"),
        ("a.nc", "parquet-long", "give the form 'netcdf'"),
        ("map.png", "netcdf", "a picture is drawn"),
    ],
)
def test_a_name_promises_what_the_file_holds(run: Path, tmp_path: Path, name: str, form: str, words: str) -> None:
    with pytest.raises(InputError, match=words):
        export(run, tmp_path / name, form)  # type: ignore[arg-type]
    assert list(tmp_path.iterdir()) == []
