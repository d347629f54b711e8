"""Times to read a month from a release, from hourly GRIB 2 files and from hourly NetCDF files of the same fields.

    python -m benchmarks.archive_reading --into FOLDER [--keep]

The month is that of `validation.archive_month`, of which temperature on model levels and seven fields of the surface
are packed, about 2 GB. Before every reading the pages of all files of the release and of the other forms are dropped
from memory (posix_fadvise), so that all come from the disk; each reading is done a few times and the least time counts.
What is already open stays open: the dataset of `kaiseki.open`, which knows the places of what it read before, and for
GRIB an index of all messages (file, offset, length), which is in memory. Of a NetCDF or GRIB file those bytes are read
that are needed. The files hold, for every hour, the seven fields of the surface and temperature (on all levels in the
week of the middle, on the one that a series is read of in the other hours, to save disk space): GRIB packed as whole
numbers with as many bits as the bounds of the release ask for, by CCSDS, which takes the least space, and by simple
packing, which is decoded faster; NetCDF-4 with whole numbers, shuffled, zlib, one map in a chunk, the form of this
archive's own export. Written to archive_reading.json.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import h5netcdf
import numpy as np
import xarray as xr
from validation.archive_month import pack_month
from validation.synthetic_weather import Weather

import kaiseki
from kaiseki.archive.release.encoding import pack, packing_of
from kaiseki.archive.store.reading import ReadingStore
from kaiseki.core.variables import VARIABLES
from kaiseki.formats.grib.library import eccodes

HERE = Path(__file__).resolve().parent
RESULTS = HERE / "archive_reading.json"
SURFACE = (
    "surface_pressure", "temperature_2m", "specific_humidity_2m", "eastward_wind_10m", "northward_wind_10m",
    "cloud_fraction", "shortwave_down",
)  # fmt: skip
REPEATS = 15
HOUR = 6
"""Hour of the day of maps and profiles: of a chunk of the core, which begins at 00 UTC, half the hours are unpacked."""
LEVEL = 10
"""Model level of the map and the series."""
Index = dict[tuple[str, int, int], tuple[Path, int, int]]
"""(variable, hour, level) -> file, first byte, length of a message."""


def drop(*folders: Path) -> None:
    """Drop the pages of all files below folders from memory."""
    for folder in folders:
        for file in folder.rglob("*"):
            if file.is_file():
                descriptor = os.open(file, os.O_RDONLY)
                try:
                    os.posix_fadvise(descriptor, 0, 0, os.POSIX_FADV_DONTNEED)
                finally:
                    os.close(descriptor)


def timed(read: Callable[[], Any], folders: tuple[Path, ...], repeats: int = REPEATS) -> dict[str, float]:
    """Least and median time of a reading with the pages dropped, and the least of the processor [ms]."""
    clock, processor = [], []
    for _ in range(repeats):
        drop(*folders)
        start, used = time.perf_counter(), time.process_time()
        read()
        clock.append(1e3 * (time.perf_counter() - start))
        processor.append(1e3 * (time.process_time() - used))
    return {
        "ms": round(min(clock), 2),
        "median_ms": round(float(np.median(clock)), 2),
        "processor_ms": round(min(processor), 2),
    }


def levels_at(hour: int, air: xr.Dataset) -> range:
    """Model levels that the files of an hour hold."""
    middle = abs(hour // 24 - air.sizes["time"] // 48) <= 3
    return range(air.sizes["level"]) if middle else range(LEVEL, LEVEL + 1)


def hourly(surface: xr.Dataset, air: xr.Dataset) -> Iterator[tuple[int, xr.Dataset]]:
    """What the file of every hour holds; read day by day."""
    for first in range(0, surface.sizes["time"], 24):
        day, levels = {"time": slice(first, first + 24)}, levels_at(first, air)
        deep = air[["temperature"]].isel({**day, "level": slice(levels.start, levels.stop)}).load()
        whole = surface[list(SURFACE)].isel(day).load().assign(temperature=deep["temperature"])
        for hour in range(whole.sizes["time"]):
            yield first + hour, whole.isel(time=slice(hour, hour + 1))


def write_grib(surface: xr.Dataset, air: xr.Dataset, folder: Path, packing: str) -> Index:
    """One file an hour; returns the index of all messages."""
    folder.mkdir(parents=True)
    index: Index = {}
    sample = eccodes.codes_grib_new_from_samples("regular_ll_sfc_grib2")
    ny, nx = surface.sizes["y"], surface.sizes["x"]
    for key, value in {"Ni": nx, "Nj": ny}.items():
        eccodes.codes_set(sample, key, value)
    for hour, now in hourly(surface, air):
        path = folder / f"{hour:04d}.grib2"
        at = 0
        with path.open("wb") as file:
            for name in (*SURFACE, "temperature"):
                levels = levels_at(hour, air) if name == "temperature" else range(1)
                fields = now[name].values.reshape(-1, ny * nx).astype(float)
                for level, field in zip(levels, fields, strict=True):
                    message = eccodes.codes_clone(sample)
                    eccodes.codes_set(message, "packingType", packing)
                    # The step of packing is that of the release, as near as powers of two allow.
                    step = 2.0 * now[name].attrs["maximum_absolute_error"]
                    bits = max(1, int(np.ceil(np.log2(float(np.ptp(field)) / step + 1.0))))
                    eccodes.codes_set(message, "bitsPerValue", bits)
                    eccodes.codes_set(message, "level", level)
                    eccodes.codes_set_values(message, field)
                    content = eccodes.codes_get_message(message)
                    eccodes.codes_release(message)
                    file.write(content)
                    index[name, hour, level] = path, at, len(content)
                    at += len(content)
    eccodes.codes_release(sample)
    return index


def grib_field(index: Index, name: str, hour: int, level: int = 0) -> np.ndarray:
    """The values of one message (cell,)."""
    path, at, length = index[name, hour, level]
    with path.open("rb", buffering=0) as file:
        file.seek(at)
        message = eccodes.codes_new_from_message(file.read(length))
    values = eccodes.codes_get_values(message)
    eccodes.codes_release(message)
    return np.asarray(values)


def write_hours(surface: xr.Dataset, air: xr.Dataset, folder: Path) -> list[Path]:
    """One NetCDF file an hour with the packing, filters and chunks of the archive's export; returns their paths."""
    folder.mkdir(parents=True)
    files = []
    for hour, now in hourly(surface, air):
        files.append(folder / f"{hour:04d}.nc")
        with h5netcdf.File(files[-1], "w") as file:
            for name in (*SURFACE, "temperature"):
                packing = packing_of(VARIABLES[name], "tight")
                assert packing is not None
                array = now[name]
                names = [str(name) for name in array.dims]
                file.dimensions.update({dim: array.sizes[dim] for dim in names if dim not in file.dimensions})
                variable = file.create_variable(
                    name,
                    names,
                    packing.dtype,
                    fillvalue=packing.fill,
                    chunks=(1,) * (array.ndim - 2) + array.shape[-2:],
                    compression="gzip",
                    compression_opts=4,
                    shuffle=True,
                )
                variable.attrs["scale_factor"] = packing.step
                variable[...] = pack(array.values, packing)
    return files


def netcdf_part(file: Path, name: str, part: tuple[Any, ...]) -> np.ndarray:
    """A part of a variable of a file, unpacked."""
    with h5netcdf.File(file, "r") as opened:
        variable = opened.variables[name]
        return np.asarray(variable[(0, *part)] * np.float32(variable.attrs.get("scale_factor", 1.0)))


def flight(surface: xr.Dataset, hour: int) -> dict[str, Any]:
    """A flight of two hours and 120 points across the domain, up to 10 km and down again."""
    ny, nx = surface.sizes["y"], surface.sizes["x"]
    rows = np.linspace(0.1 * ny, 0.9 * ny, 120).astype(int)
    columns = np.linspace(0.1 * nx, 0.9 * nx, 120).astype(int)
    start = surface["time"].values[hour] + np.timedelta64(10, "m")
    up = np.linspace(2500.0, 10_000.0, 30)
    return {
        "lon": surface["lon"].values[rows, columns],
        "lat": surface["lat"].values[rows, columns],
        "time": start + np.arange(120) * np.timedelta64(60, "s"),
        "height": np.concatenate([up, np.full(60, 10_000.0), up[::-1]]),
    }


def from_release(release: Path, others: tuple[Path, ...]) -> dict[str, Any]:
    """Times of the release, and of opening it."""
    surface, air = kaiseki.open(release, "surface"), kaiseki.open(release, "model_levels")
    hours, ny, nx = surface["temperature_2m"].shape
    hour, j, i = hours // 2 + HOUR, ny // 2, nx // 2
    folders = (release, *others)
    generator = np.random.default_rng(9)
    rows, columns = generator.integers(0, ny, 1000), generator.integers(0, nx, 1000)
    lat, lon = surface["lat"].values, surface["lon"].values
    track = flight(surface, hour)
    box = {"time": slice(hour, hour + 6), "level": slice(0, 12), "y": slice(40, 90), "x": slice(50, 100)}
    here = float(lon[j, i]), float(lat[j, i])

    readings: dict[str, Callable[[], Any]] = {
        "series of the month, surface": lambda: surface["temperature_2m"].isel(y=j, x=i).values,
        "series of the month, model level": lambda: air["temperature"].isel(level=LEVEL, y=j, x=i).values,
        "map, surface": lambda: surface["temperature_2m"].isel(time=hour).values,
        "map, model level": lambda: air["temperature"].isel(time=hour, level=LEVEL).values,
        "profile": lambda: air["temperature"].isel(time=hour, y=j, x=i).values,
        "profile by ds.kaiseki": lambda: (
            air[["temperature"]].kaiseki.profile(*here, surface["time"].values[hour])["temperature"].values
        ),
        "flight path of 120 points": lambda: air[["temperature"]].kaiseki.path(**track)["temperature"].values,
        "box of 6 h, 12 levels, 50 x 50": lambda: air["temperature"].isel(box).values,
        "series at one place by ds.kaiseki": lambda: (
            surface[["temperature_2m"]].kaiseki.points(*here)["temperature_2m"].values
        ),
        "series at 1,000 places by ds.kaiseki": lambda: (
            surface[["temperature_2m"]].kaiseki.points(lon[rows, columns], lat[rows, columns])["temperature_2m"].values
        ),
        "opening, and the series of the month, surface": lambda: (
            kaiseki.open(release, "surface")["temperature_2m"].isel(y=j, x=i).values
        ),
        "opening the group surface": lambda: kaiseki.open(release, "surface"),
        "opening the group model_levels": lambda: kaiseki.open(release, "model_levels"),
    }
    result: dict[str, Any] = {name: timed(read, folders) for name, read in readings.items()}
    result["requests of opening"] = requests(lambda: kaiseki.open(release, "surface"))
    return result


def requests(read: Callable[[], Any]) -> int:
    """Number of pieces that a reading asks the store of Zarr for."""
    count = 0
    original = ReadingStore.get

    async def get(self: Any, *arguments: Any, **options: Any) -> Any:
        nonlocal count
        count += 1
        return await original(self, *arguments, **options)

    ReadingStore.get = get  # type: ignore[method-assign]
    try:
        read()
    finally:
        ReadingStore.get = original  # type: ignore[method-assign]
    return count


def from_grib(index: Index, sizes: tuple[int, int, int], levels: int, folder: Path) -> dict[str, Any]:
    """Times of GRIB files."""
    hours, ny, nx = sizes
    hour, cell = hours // 2 + HOUR, (ny // 2) * nx + nx // 2
    box = (slice(40, 90), slice(50, 100))
    return {
        "series of the month, surface": timed(
            lambda: [grib_field(index, "temperature_2m", t)[cell] for t in range(hours)], (folder,), 3
        ),
        "series of the month, model level": timed(
            lambda: [grib_field(index, "temperature", t, LEVEL)[cell] for t in range(hours)], (folder,), 3
        ),
        "map, surface": timed(lambda: grib_field(index, "temperature_2m", hour).reshape(ny, nx), (folder,)),
        "map, model level": timed(lambda: grib_field(index, "temperature", hour, LEVEL).reshape(ny, nx), (folder,)),
        "profile": timed(lambda: [grib_field(index, "temperature", hour, k)[cell] for k in range(levels)], (folder,)),
        "box of 6 h, 12 levels, 50 x 50": timed(
            lambda: [
                grib_field(index, "temperature", t, k).reshape(ny, nx)[box]
                for t in range(hour, hour + 6)
                for k in range(12)
            ],
            (folder,),
        ),
    }


def from_netcdf(files: list[Path], sizes: tuple[int, int, int], level: list[int], folder: Path) -> dict[str, Any]:
    """Times of NetCDF files."""
    hours, ny, nx = sizes
    hour, place = hours // 2 + HOUR, (ny // 2, nx // 2)
    everywhere = (slice(None), slice(None))
    box = (slice(0, 12), slice(40, 90), slice(50, 100))
    return {
        "series of the month, surface": timed(
            lambda: [netcdf_part(file, "temperature_2m", place) for file in files], (folder,), 3
        ),
        "series of the month, model level": timed(
            lambda: [netcdf_part(files[t], "temperature", (level[t], *place)) for t in range(hours)], (folder,), 3
        ),
        "map, surface": timed(lambda: netcdf_part(files[hour], "temperature_2m", everywhere), (folder,)),
        "map, model level": timed(lambda: netcdf_part(files[hour], "temperature", (LEVEL, *everywhere)), (folder,)),
        "profile": timed(lambda: netcdf_part(files[hour], "temperature", (slice(None), *place)), (folder,)),
        "box of 6 h, 12 levels, 50 x 50": timed(
            lambda: [netcdf_part(files[t], "temperature", box) for t in range(hour, hour + 6)], (folder,)
        ),
    }


def targets(result: dict[str, Any]) -> dict[str, Any]:
    """What was asked for, and what came out."""
    release, netcdf = result["release"], result["netcdf"]
    series = "series of the month, surface"
    grib = min((result[form] for form in result if form.startswith("grib")), key=lambda one: one[series]["ms"])
    many, one = release["series at 1,000 places by ds.kaiseki"], release["series at one place by ds.kaiseki"]
    return {
        "series: times faster than the faster GRIB (100)": round(grib[series]["ms"] / release[series]["ms"], 1),
        "map: time as part of that of NetCDF (1)": round(
            release["map, surface"]["ms"] / netcdf["map, surface"]["ms"], 2
        ),
        "profile by ds.kaiseki [ms] (50)": release["profile by ds.kaiseki"]["ms"],
        "flight path of 120 points [ms] (50)": release["flight path of 120 points"]["ms"],
        "1,000 places: times one place (20)": round(many["ms"] / one["ms"], 1),
        "opening [ms] (100)": release["opening the group surface"]["ms"],
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--into", type=Path, required=True, help="new folder of the release and the files")
    parser.add_argument("--only-write", action="store_true", help="write the release and the files, and end")
    parser.add_argument("--keep", action="store_true", help="leave the files")
    given = parser.parse_args()
    release, packings = given.into / "release", ("grid_ccsds", "grid_simple")
    pack_month(release, Weather(), 30, names=(*SURFACE, "temperature"))
    surface, air = kaiseki.open(release, "surface"), kaiseki.open(release, "model_levels")
    if not (given.into / "index.json").exists():
        for folder in (*packings, "netcdf"):
            shutil.rmtree(given.into / folder, ignore_errors=True)
        indexes = {packing: write_grib(surface, air, given.into / packing, packing) for packing in packings}
        write_hours(surface, air, given.into / "netcdf")
        rows = {p: [[*key, str(v[0]), v[1], v[2]] for key, v in index.items()] for p, index in indexes.items()}
        (given.into / "index.json").write_text(json.dumps(rows))
    if given.only_write:
        return
    stored = json.loads((given.into / "index.json").read_text())
    sizes = surface["temperature_2m"].shape
    folders = [given.into / name for name in (*packings, "netcdf")]
    result: dict[str, Any] = {
        "cells": list(air["temperature"].shape[1:]),
        "hours": sizes[0],
        "processors": len(os.sched_getaffinity(0)),
        "bytes": {folder.name: sum(file.stat().st_size for file in folder.iterdir()) for folder in folders},
        "release": from_release(release, tuple(folders)),
    }
    for packing in packings:
        index: Index = {(n, t, k): (Path(path), at, length) for n, t, k, path, at, length in stored[packing]}
        result[packing.replace("grid", "grib")] = from_grib(index, sizes, air.sizes["level"], given.into / packing)
    files = sorted((given.into / "netcdf").glob("*.nc"))
    level = [LEVEL - levels_at(hour, air).start for hour in range(sizes[0])]
    result["netcdf"] = from_netcdf(files, sizes, level, given.into / "netcdf")
    result["targets"] = targets(result)
    RESULTS.write_text(json.dumps(result, indent=1) + "\n", encoding="utf-8")
    print(json.dumps(result, indent=1))
    if not given.keep:
        shutil.rmtree(given.into)


if __name__ == "__main__":
    main()
