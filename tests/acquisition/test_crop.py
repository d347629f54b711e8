"""A box of a Zarr store laid out as ARCO-ERA5 (format 2, a chunk for each variable and hour), over HTTP.

What can go wrong: a chunk is asked for twice, or one that is not needed; Greenwich or the date line lies in the box;
the arrays reach further than the data; a chunk is absent and would be read as missing values; a variable is absent; a
kill."""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path

import numpy as np
import pytest
import xarray as xr

from acquisition import making
from acquisition.servers import Service
from acquisition.test_fetch import hurried
from kaiseki.acquisition.area import Area
from kaiseki.acquisition.descriptor import source
from kaiseki.acquisition.fetch import Manner, fetch
from kaiseki.acquisition.plan import Plan, make_plan
from kaiseki.core.errors import InputError

ON_LEVELS = ("geopotential", "temperature")
FLAT = ("surface_pressure", "sea_surface_temperature")
STATIC = ("land_sea_mask",)
HOURS = 30


@pytest.fixture(scope="module")
def truth() -> xr.Dataset:
    """Five-degree globe, latitudes from north to south, longitudes from 0."""
    rng = np.random.default_rng(0)
    latitude, longitude = np.arange(90.0, -90.1, -5.0), np.arange(0.0, 360.0, 5.0)
    level, time = (
        np.array([500, 850, 1000]),
        np.datetime64("2024-01-01", "ns") + np.arange(HOURS) * np.timedelta64(1, "h"),
    )
    flat = ("time", "latitude", "longitude")
    deep = ("time", "level", "latitude", "longitude")
    shape = (HOURS, latitude.size, longitude.size)
    variables = {name: (deep, rng.random((HOURS, 3, *shape[1:]), dtype=np.float32)) for name in ON_LEVELS}
    variables |= {name: (flat, rng.random(shape, dtype=np.float32)) for name in FLAT}
    variables |= {name: (flat[1:], rng.random(shape[1:], dtype=np.float32)) for name in STATIC}
    variables["sea_surface_temperature"][1][:, :, 20] = np.nan
    made = xr.Dataset(variables, {"time": time, "level": level, "latitude": latitude, "longitude": longitude})
    made.attrs |= {"valid_time_start": "2024-01-01", "valid_time_stop": "2024-01-02"}
    for name in made.data_vars:
        made[name].attrs = {"units": "1", "long_name": name}
    return made


@pytest.fixture
def service(truth: xr.Dataset, tmp_path_factory: pytest.TempPathFactory):
    folder = tmp_path_factory.mktemp("arco") / "store"
    chunks = {name: {"chunks": (1, *truth[name].shape[1:])} for name in (*ON_LEVELS, *FLAT)}
    times = {"time": {"units": "hours since 1900-01-01", "dtype": "int64", "chunks": (HOURS,)}}
    truth.to_zarr(folder, zarr_format=2, consolidated=True, encoding=chunks | times)
    files = {f"/ar/{one.relative_to(folder)}": one.read_bytes() for one in folder.rglob("*") if one.is_file()}
    with Service(files) as running:
        yield running


def planned(
    service: Service, folder: Path, hours: int = 9, variables: tuple[str, ...] = (*ON_LEVELS, *FLAT, *STATIC)
) -> Plan:
    path = folder / "arco.toml"
    path.write_text(
        'title = "made"\nuse = "driving"\nfolder = "driving/arco"\nlicence = "CC"\ncitation = "someone"\n'
        f'documentation = []\ninterval_hours = 3.0\n[[parts]]\nname = "store"\nlayout = "zarr"\nformat = "zarr"\n'
        f'address = "{service.address}/ar"\nfile = "arco.zarr"\nbytes = 31968\ngrid = 5.0\n'
        f'variables = {json.dumps(variables)}\noptional = ["snow_depth"]\n'
    )
    return make_plan(making.experiment(hours), (source(str(path)),))


def load(plan: Plan, data: Path) -> xr.Dataset:
    fetch(plan, data, Manner(patience=hurried(tries=3)))
    return xr.open_zarr(data / "driving/arco/arco.zarr").load()


def test_each_needed_chunk_is_asked_for_once_and_no_other(service: Service, truth: xr.Dataset, tmp_path: Path) -> None:
    plan = planned(service, tmp_path)
    found = load(plan, tmp_path)
    hours = (0, 3, 6, 9)
    needed = {f"/ar/{name}/{hour}.0.0.0" for name in ON_LEVELS for hour in hours}
    needed |= {f"/ar/{name}/{hour}.0.0" for name in FLAT for hour in hours}
    needed |= {"/ar/land_sea_mask/0.0", "/ar/.zmetadata", *(f"/ar/{axis}/0" for axis in truth.dims)}
    assert service.asked == Counter(dict.fromkeys(needed, 1))
    area = plan.area
    wanted = truth.isel(time=list(hours)).sel(
        latitude=[y for y in truth.latitude.values if area.south <= y <= area.north],
        longitude=[x for x in truth.longitude.values if area.west <= x <= area.west + area.width],
    )
    assert wanted.latitude.size >= 7
    xr.testing.assert_identical(found.drop_attrs(), wanted.drop_attrs())
    assert found.temperature.attrs == truth.temperature.attrs
    assert found.attrs["license"] == "CC"
    fetch(plan, tmp_path, Manner(patience=hurried()))
    assert service.asked.total() == len(needed), "what is there is not loaded again"


def test_what_was_written_before_an_end_is_not_asked_for_again(service: Service, tmp_path: Path) -> None:
    plan = planned(service, tmp_path)
    service.behave("/ar/surface_pressure/6.0.0", busy=1000)
    with pytest.raises(InputError, match=r"Loading .*/surface_pressure/6.0.0 failed 3 times \(HTTP 503\)"):
        load(plan, tmp_path)
    assert not (tmp_path / "driving/arco/arco.zarr").exists()
    written = len((tmp_path / "driving/arco/.arco.zarr.chunks.jsonl").read_text().splitlines()) - 1
    assert written >= 8
    service.behaviours.clear()
    service.asked.clear()
    assert np.isfinite(load(plan, tmp_path).temperature).all()
    assert sum(path.split("/")[2] in {*ON_LEVELS, *FLAT, *STATIC} for path in service.asked) == 17 - written


def test_a_chunk_that_is_absent_is_not_taken_for_missing_values(service: Service, tmp_path: Path) -> None:
    del service.files["/ar/temperature/3.0.0.0"]
    with pytest.raises(
        InputError, match=r"temperature/3.0.0.0 is not there: the store ends before that time, or has a gap"
    ):
        load(planned(service, tmp_path), tmp_path)


def test_a_damaged_chunk_is_told(service: Service, tmp_path: Path) -> None:
    whole = service.files["/ar/temperature/3.0.0.0"]
    service.files["/ar/temperature/3.0.0.0"] = whole[: len(whole) // 2]
    with pytest.raises(InputError, match=r"temperature/3.0.0.0: is damaged and cannot be unpacked"):
        load(planned(service, tmp_path), tmp_path)


def test_times_beyond_the_data_are_refused(service: Service, tmp_path: Path) -> None:
    with pytest.raises(InputError, match="has no data for 2024-01-02T06:00:00 UTC"):
        load(planned(service, tmp_path, hours=33), tmp_path)
    metadata = json.loads(service.files["/ar/.zmetadata"])
    metadata["metadata"][".zattrs"]["valid_time_stop"] = "2023-12-31"
    service.files["/ar/.zmetadata"] = json.dumps(metadata).encode()
    with pytest.raises(InputError, match="has no data for 2024-01-01T00:00:00 UTC"):
        load(planned(service, tmp_path), tmp_path)


def test_a_variable_that_is_absent_is_named(service: Service, tmp_path: Path) -> None:
    with pytest.raises(InputError, match="holds no vorticity"):
        load(planned(service, tmp_path, variables=("vorticity",)), tmp_path)


@pytest.mark.parametrize(
    ("west", "wanted"), [(-12.0, [-10, -5, 0, 5]), (172.0, [175, 180, 185]), (-180.0, [-180, -175])]
)
def test_longitudes_cross_greenwich_and_the_date_line_without_a_jump(west: float, wanted: list[float]) -> None:
    for axis in (np.arange(0.0, 360.0, 5.0), np.arange(-180.0, 180.0, 5.0)):
        chosen, values = Area(30.0, 40.0, west, wanted[-1] - west + 2.0).longitudes(axis)
        assert values.tolist() == wanted
        assert np.allclose(np.mod(axis[chosen], 360.0), np.mod(values, 360.0))
