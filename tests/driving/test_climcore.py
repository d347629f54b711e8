"""Folders of one file for each variable and time, as RRJ-ClimCORE's trial data are: import of what is exported.

Ways to fail: levels upside down; pressure in hPa; places beside the map; times of the names and of the files apart; a
folder that lacks what it needs taken for another.
"""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import xarray as xr

import kaiseki
from archive.exchange.grids import archive
from kaiseki.archive.exchange.climcore import write_single_fields
from kaiseki.archive.exchange.source import Source
from kaiseki.core.errors import InputError
from kaiseki.driving.importing import import_files

ON_LEVELS = ("pressure", "temperature", "qv", "eastward_wind", "northward_wind")
AT_SURFACE = ("temperature_2m", "surface_pressure")


@pytest.fixture(scope="module")
def source(tmp_path_factory: pytest.TempPathFactory) -> xr.Dataset:
    dataset = kaiseki.open(archive(tmp_path_factory.mktemp("archive") / "run", hours=3), "background")
    held = [name for name in (*ON_LEVELS, *AT_SURFACE) if name in dataset]
    return dataset[held].isel(time=slice(0, 2))


@pytest.fixture(scope="module")
def folder(source: xr.Dataset, tmp_path_factory: pytest.TempPathFactory) -> Path:
    place = tmp_path_factory.mktemp("climcore") / "out"
    write_single_fields(Source(source, "run"), place)
    return place


def as_trial_data(folder: Path, target: Path) -> Path:
    """Files of an export without all that the trial data do not hold: axes, maps, times, attributes."""
    for file in folder.rglob("*.nc"):
        place = target / file.relative_to(folder)
        place.parent.mkdir(parents=True, exist_ok=True)
        with xr.open_dataset(file, decode_times=False) as raw:
            name = file.name.split(".")[0]
            dims = tuple(f"dim_{k}" for k in range(raw[name].ndim))
            xr.Dataset({name: (dims, raw[name].values)}).to_netcdf(place, engine="h5netcdf")
    shutil.copy(folder / "const/model_height.full_level.txt", target / "const")
    return target


def check(release: Path, source: xr.Dataset) -> None:
    """Whether a release holds the source within the bounds."""
    levels = kaiseki.open(release, "model_levels", version="quality")
    assert np.array_equal(levels["time"].values, source["time"].values)
    for name in (name for name in ON_LEVELS if name in source):
        most = levels[name].attrs["maximum_absolute_error"] + np.spacing(np.float32(np.abs(source[name]).max()))
        assert np.abs(levels[name].values - source[name].values).max() <= most, name
    for axis in ("y", "x", "lat", "lon"):
        assert np.allclose(levels[axis].values, source[axis].values, atol=1.0 if axis in "yx" else 1e-5), axis
    assert np.allclose(levels["level"].values, source["level"].values)
    assert np.allclose(levels["altitude"].values, source["altitude"].values, atol=1e-2)
    lon, lat = float(source["lon"][5, 4]), float(source["lat"][5, 4])
    point = levels.kaiseki.points(lon, lat)["temperature"].squeeze()
    assert np.abs(point.values - source["temperature"].values[:, :, 5, 4]).max() <= 0.011


def test_what_is_exported_comes_back(folder: Path, source: xr.Dataset, tmp_path: Path) -> None:
    done = import_files([folder], tmp_path / "release")
    check(tmp_path / "release", source)
    surface = kaiseki.open(tmp_path / "release", "surface", version="quality")
    for name in (name for name in AT_SURFACE if name in source):
        assert np.abs(surface[name].values - source[name].values).max() <= 1.01 * surface[name].maximum_absolute_error
    assert not [line for line in done.left_out if "temperature" in line]


def test_the_trial_data_lie_on_the_map_of_jma(folder: Path, source: xr.Dataset, tmp_path: Path) -> None:
    bare = as_trial_data(folder, tmp_path / "bare")
    shutil.rmtree(bare / "TMP", ignore_errors=True)
    shutil.rmtree(bare / "PRES", ignore_errors=True)
    import_files([bare], tmp_path / "release")
    check(tmp_path / "release", source)


def shifted(folder: Path) -> None:
    with xr.open_dataset(folder / "const/FLAT.nc") as raw:
        moved = (raw["FLAT"] + 0.01 * np.arange(raw["FLAT"].shape[1])).load()
    moved.to_dataset(name="FLAT").to_netcdf(folder / "const/FLAT.nc", engine="h5netcdf")


def renamed(folder: Path) -> None:
    file = sorted(folder.glob("T/*/*.nc"))[0]
    file.rename(file.with_name("T.198901010000.nc"))


@pytest.mark.parametrize(
    ("change", "bare", "message"),
    [
        (shifted, False, "FLAT and FLON are not the places of the map"),
        (shifted, True, "m beside an even grid on JMA's"),
        (renamed, False, "by its name and of"),
        (lambda folder: (folder / "const/model_height.full_level.txt").unlink(), True, "tells no heights"),
        (lambda folder: shutil.rmtree(folder / "VMET"), False, "only one of the two wind components"),
        (lambda folder: (folder / "const/FLON.nc").write_bytes(b"none"), False, "FLON.nc"),
    ],
)
def test_what_does_not_fit_is_refused(
    folder: Path, tmp_path: Path, change: Callable[[Path], object], bare: bool, message: str
) -> None:
    place = tmp_path / "changed"
    as_trial_data(folder, place) if bare else shutil.copytree(folder, place)
    change(place)
    with pytest.raises(InputError, match=message):
        import_files([place], tmp_path / "release")
    assert not (tmp_path / "release").exists()


def test_a_folder_of_anything_else_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="is a folder, but neither a Zarr store"):
        import_files([tmp_path], tmp_path / "release")
