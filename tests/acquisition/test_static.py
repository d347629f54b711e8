"""Terrain and land from ARCO-ERA5 without an account: from a server with real fields to the terrain of a domain.

What can go wrong: chunks of other times or variables are asked for, or the times of the whole store; the store keeps
the two fields with a time or without; Greenwich or the date line lies in the box; rows are turned; geopotential is
taken for height; a missing value is kept."""

from __future__ import annotations

import json
from collections import Counter
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import pytest
import xarray as xr

from acquisition.servers import Service
from acquisition.test_fetch import hurried
from kaiseki.acquisition.descriptor import source
from kaiseki.acquisition.fetch import Manner, fetch
from kaiseki.acquisition.plan import Plan, chosen_sources, make_plan
from kaiseki.acquisition.probe import probe
from kaiseki.cli import main
from kaiseki.config import Experiment
from kaiseki.core.constants import GRAVITY
from kaiseki.core.errors import InputError
from kaiseki.experiments.new import Wishes, new_experiment
from kaiseki.grid.build import domain_from_section
from kaiseki.grid.sources import open_raster

BUCKET = "gs://gcp-public-data-arco-era5"
STORE = "/gcp-public-data-arco-era5/ar/full_37-1h-0p25deg-chunk-1.zarr-v3"
NAMES = ("geopotential_at_surface", "land_sea_mask")
HOURS = 4
WANTED = 2
"""Position of 2020-01-01 00 UTC in the made store."""


@pytest.fixture(scope="module")
def real(data: Path) -> xr.Dataset:
    """Geopotential of the surface and land fraction of ERA5, 0.25 degrees, from north to south."""
    fields = {}
    for name, file, short in zip(NAMES, ("geopotential", "lsm"), ("z", "lsm"), strict=True):
        with xr.open_dataset(data / "static" / f"era5_{file}_0p25.nc", engine="scipy", decode_times=False) as dataset:
            field = dataset[short].isel(time=0, drop=True).astype("float32").load()
        fields[name] = field
    return xr.Dataset(fields)


def store(real: xr.Dataset, folder: Path, *, timed: bool) -> dict[str, bytes]:
    """Objects of a store laid out as ARCO-ERA5, in which only 2020-01-01 00 UTC holds the real fields."""
    hours = np.datetime64("2020-01-01", "ns") + (np.arange(HOURS) - WANTED) * np.timedelta64(1, "h")
    made = real.copy()
    if timed:
        at = xr.DataArray([0.0, 0.0, 1.0, 0.0], {"time": hours}, dims="time").astype("float32")
        made = xr.Dataset({name: (at * real[name]).assign_attrs(real[name].attrs) for name in NAMES})
    small = np.zeros((HOURS, 2, 721, 1440), "float32")
    made["geopotential"] = (("time", "level", "latitude", "longitude"), small, {"standard_name": "geopotential"})
    made = made.assign_coords(time=hours, level=[500, 1000])
    made.attrs |= {"valid_time_start": "2019-12-31", "valid_time_stop": "2020-01-02"}
    chunks = {name: {"chunks": (1, 721, 1440) if timed else (721, 1440)} for name in NAMES}
    chunks |= {"geopotential": {"chunks": (1, 2, 721, 1440)}, "time": {"dtype": "int64", "chunks": (HOURS,)}}
    made.to_zarr(folder, zarr_format=2, consolidated=True, encoding=chunks)
    return {f"{STORE}/{one.relative_to(folder)}": one.read_bytes() for one in folder.rglob("*") if one.is_file()}


@pytest.fixture(scope="module", params=[True, False], ids=["with time", "without time"])
def content(request: pytest.FixtureRequest, real: xr.Dataset, tmp_path_factory: pytest.TempPathFactory):
    return request.param, store(real, tmp_path_factory.mktemp("arco") / "store", timed=request.param)


def experiment(latitude: float, longitude: float) -> Experiment:
    wishes = Wishes(
        name="there",
        start=datetime(2022, 5, 4, tzinfo=UTC),
        hours=6,
        driving="gfs",
        centre=(latitude, longitude),
        size=(1800e3, 1800e3),
        spacing=60e3,
    )
    return new_experiment(wishes).experiment


def planned(made: Experiment) -> Plan:
    assert "arco-era5-static" in {one.name for one in chosen_sources(made, ())}
    return make_plan(made, (source("arco-era5-static"),))


def load(plan: Plan, data: Path, service: Service) -> Path:
    fetch(plan, data, Manner(patience=hurried(tries=2), mirrors=((BUCKET, service.address),)))
    (item,) = plan.items
    return data / item.path


@pytest.mark.parametrize(("latitude", "longitude"), [(36.0, 138.0), (50.0, 0.0), (-18.0, 179.0)])
def test_two_chunks_become_the_terrain_and_land_of_a_domain(
    latitude: float, longitude: float, content: tuple[bool, dict[str, bytes]], real: xr.Dataset, tmp_path: Path
) -> None:
    timed, files = content
    made = experiment(latitude, longitude)
    plan = planned(made)
    with Service(dict(files)) as service:
        path = load(plan, tmp_path, service)
        axes = ("latitude", "longitude", *(("time",) if timed else ()))
        chunk = f"{WANTED}.0.0" if timed else "0.0"
        needed = {f"{STORE}/{name}/{chunk}" for name in NAMES} | {f"{STORE}/{axis}/0" for axis in axes}
        assert service.asked == Counter(dict.fromkeys({*needed, f"{STORE}/.zmetadata"}, 1))
        load(plan, tmp_path, service)
        assert service.asked.total() == len(needed) + 1, "what is there is not loaded again"
    # At the points of the source, without a reader of this program: nearest real point of each pixel's middle.
    for quantity, name, unit in (("height", NAMES[0], GRAVITY), ("land", NAMES[1], 1.0)):
        raster = open_raster(path, quantity)  # type: ignore[arg-type]
        rows, columns = raster.values.shape
        lat = raster.south + (np.arange(rows) + 0.5) * raster.step_lat
        lon = np.mod(raster.west + (np.arange(columns) + 0.5) * raster.step_lon, 360.0)
        i, j = np.rint((90.0 - lat) / 0.25).astype(int), np.rint(lon / 0.25).astype(int) % 1440
        expected = real[name].values[np.ix_(i, j)] / unit
        np.testing.assert_allclose(raster.values, expected if name == NAMES[0] else expected.clip(0, 1), rtol=1e-6)
        assert np.ptp(raster.values) > 0.9
    here = domain_from_section(made.domain, tmp_path)
    there = domain_from_section(made.domain, globe(real, tmp_path / "globe", made))
    np.testing.assert_allclose(here.terrain, there.terrain, atol=1e-3)
    np.testing.assert_allclose(here.land_fraction, there.land_fraction, atol=1e-6)
    assert 0.0 < here.land_fraction.mean() < 1.0
    assert here.terrain.max() > 100.0


def globe(real: xr.Dataset, folder: Path, made: Experiment) -> Path:
    """A data folder in which the whole globe lies as NetCDF under the name of the store."""
    path = folder / made.domain.terrain_files[0]
    assert made.domain.terrain_files == made.domain.mask_files == (str(path.relative_to(folder)),)
    path.parent.mkdir(parents=True)
    real.to_netcdf(path, engine="scipy")
    return folder


def test_a_missing_value_is_refused(real: xr.Dataset, tmp_path: Path) -> None:
    holed = real.copy(deep=True)
    holed["land_sea_mask"][200:240, 540:580] = np.nan
    files = store(holed, tmp_path / "store", timed=False)
    with Service(files) as service, pytest.raises(InputError, match="land_sea_mask has missing values at all times"):
        load(planned(experiment(36.0, 138.0)), tmp_path, service)
    assert not list((tmp_path / "static/arco-era5").glob("*.zarr"))


def test_the_service_is_as_described(content: tuple[bool, dict[str, bytes]]) -> None:
    with Service(dict(content[1])) as service:
        (found,) = probe((source("arco-era5-static"),), ((BUCKET, service.address),), hurried(tries=2))
    assert (found.state, found.words) == ("as described", "chunks of 4152960 bytes, until 2020-01-02")


def test_a_dry_run_lists_it(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    experiment(36.0, 138.0).save(tmp_path / "there.toml")
    assert main(["fetch", str(tmp_path / "there.toml"), "--dry-run"]) == 0
    said = capsys.readouterr().out
    assert "arco-era5-static: Terrain and land fraction of ERA5 from Google's analysis-ready copy" in said
    assert "static/arco-era5/arco_era5_terrain_and_land.zarr  about " in said
    assert "8.31 MB to load" in said
    assert "no credentials" not in said
    assert main(["fetch", str(tmp_path / "there.toml"), "--dry-run", "--json"]) == 0
    values = json.loads(capsys.readouterr().out)
    (file,) = [one for one in values["files"] if one["source"] == "arco-era5-static"]
    assert file["times"] == ["2020-01-01T00:00:00+00:00"]
    assert file["to_load"] == 2 * 4 * 721 * 1440
