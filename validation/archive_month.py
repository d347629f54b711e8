"""A synthetic month packed, verified value by value, and exported: does the archive keep what it declares?

    python -m validation.archive_month --into FOLDER [--keep]        30 days on 160 x 200 x 48 cells: about 10 GB
    python -m validation.archive_month --into FOLDER --small         3 days of 3 variables on a few cells

The fields are those of `synthetic_weather.py`, with all variables of a run, and go the way of those of runs: lazily
read datasets, the writer of days, derived fields, copies for maps and series, publication. Then every value that
`kaiseki.open` gives is compared with the field that was packed, every copy with the core, what packing derives with the
same derived again at four hours, and one day exported as NetCDF with the release. A call that was ended goes on at the
next day. The result of the month stands in `archive_month.json`. Processor times count; the clock is that of a machine
that others used too.
"""

from __future__ import annotations

import argparse
import json
import resource
import shutil
import time
from pathlib import Path
from typing import Any

import numpy as np
import xarray as xr

import kaiseki
from kaiseki.archive.exchange.netcdf import write_netcdf
from kaiseki.archive.products.derived import derived_fields
from kaiseki.archive.products.height_levels import HEIGHT_LEVELS, on_height_levels
from kaiseki.archive.products.pressure_levels import JMA_PRESSURE_LEVELS, on_pressure_levels
from kaiseki.archive.release import schema
from kaiseki.archive.release.derivation import axis_of, derivable
from kaiseki.archive.release.encoding import BoundSet
from kaiseki.archive.release.layout import Chunks, ReleaseLayout, map_levels, of_domain
from kaiseki.archive.release.packing import write_day, write_products
from kaiseki.archive.release.report import as_mapping, sizes
from kaiseki.archive.release.store import QUALITY, ReleaseStore, names_of, states_of
from kaiseki.archive.store.arrays import array_at
from kaiseki.core.progress import Progress
from kaiseki.core.variables import VARIABLES
from validation.synthetic_weather import SOIL_DEPTH, START, Weather, groups

HERE = Path(__file__).resolve().parent
RESULTS = HERE / "archive_month.json"
HOUR = np.timedelta64(3600, "s")
SMALL = ("temperature", "pressure", "precipitation")


class Stopwatch:
    """Seconds of the clock and of the processor since it was made."""

    def __init__(self) -> None:
        self._clock, self._processor = time.monotonic(), time.process_time()

    def read(self) -> dict[str, float]:
        return {
            "seconds": round(time.monotonic() - self._clock, 1),
            "processor_seconds": round(time.process_time() - self._processor, 1),
        }


def hours(days: int) -> np.ndarray:
    """The hours of so many days from the start."""
    return START + HOUR * np.arange(24 * days)


def pack_month(
    place: Path,
    weather: Weather,
    days: int,
    *,
    names: tuple[str, ...] | None = None,
    bounds: BoundSet = "tight",
    chunks: Chunks | None = None,
) -> int:
    """Pack and publish the days that a release does not hold yet; returns their number."""
    fields = groups(weather, hours(days), names)
    run = _as_of_run(fields)
    if ReleaseStore.exists(place):
        store = ReleaseStore.open(place, "a")
    else:
        times = schema.Times(START, days, {"hourly": 24, "analysis": 8})
        layout = ReleaseLayout(
            times=times,
            **of_domain(weather.domain, SOIL_DEPTH),
            bounds=bounds,
            pressures=JMA_PRESSURE_LEVELS,
            heights=HEIGHT_LEVELS,
            chunks=chunks or Chunks(),
            title="Synthetic month",
        )
        store = ReleaseStore.create(place, layout)
    variables: dict[tuple[str, str], str | None] = {}
    for group, dataset in fields.items():
        for name, array in dataset.data_vars.items():
            vertical = [str(axis) for axis in array.dims if axis not in ("time", "y", "x")]
            variables[group, str(name)] = vertical[0] if vertical else None
    for one in derivable(run, store.root(QUALITY)):
        variables[one.group, one.name] = axis_of(one)
    written = 0
    with store, Progress("packing", days, unit="day") as progress:
        store.add_variables(variables)
        for number in range(days):
            if store.states("model_levels")[store.times.slots("hourly", number)].all():
                continue
            with store.day("synthetic", store.times.day(number)) as writer:
                for group, dataset in fields.items():
                    write_day(writer, group, dataset, store.times.of_day(schema.GROUPS[group].axis, number))
                write_products(writer, store, run)
            written += 1
            progress.advance(1, str(store.times.day(number)))
        store.pack_series()
        if "v1" not in store.versions():
            store.publish("v1")
    return written


def _as_of_run(fields: dict[str, xr.Dataset]) -> xr.Dataset:
    """The hourly fields of all groups in one dataset, as a run gives them."""
    first = fields["model_levels"]
    return first.assign(
        {name: one for group in ("surface", "precipitation") for name, one in fields.get(group, {}).items()}
    )


def verified(place: Path, weather: Weather, days: int, names: tuple[str, ...] | None = None) -> dict[str, Any]:
    """The largest difference of every variable from the field that was packed, and whether all is there."""
    result: dict[str, Any] = {}
    with Progress("verifying", 5 * days, unit="day") as progress:
        for group, truth in groups(weather, hours(days), names).items():
            found = kaiseki.open(place, group)
            complete = np.array_equal(found["time"].values, truth["time"].values)
            there = np.intersect1d(found["time"].values, truth["time"].values)
            found, truth = found.sel(time=there), truth.sel(time=there)
            worst = dict.fromkeys(map(str, truth.data_vars), 0.0)
            missing = dict.fromkeys(worst, 0)
            steps = schema.GROUPS[group].axis == "hourly"
            count = 24 if steps else 8
            for first in range(0, there.size, count):
                day = {"time": slice(first, first + count)}
                for name in worst:
                    for part in _parts(truth[name]):
                        mine = found[name].isel(day | part).values
                        theirs = truth[name].isel(day | part).values
                        worst[name] = max(worst[name], _difference(mine, theirs))
                        missing[name] += int(np.count_nonzero(np.isnan(mine)))
                progress.advance(1, group)
            for name, error in worst.items():
                bound = found[name].attrs["maximum_absolute_error"]
                result[f"{group}/{name}"] = {
                    "largest_error": float(f"{error:.6g}"),
                    "bound": bound,
                    "held": bool(error <= bound),
                    "values": int(truth[name].size),
                    "missing": missing[name],
                    "all_times": complete,
                }
    return result


def _parts(array: xr.DataArray) -> list[dict[str, slice]]:
    """Ranges of levels that are compared at once: those of a shard."""
    if array.ndim < 4:
        return [{}]
    return [{str(array.dims[1]): slice(k, k + 16)} for k in range(0, array.shape[1], 16)]


def _difference(mine: np.ndarray, theirs: np.ndarray) -> float:
    """The largest absolute difference, in double precision, plane by plane to save memory."""
    return max(
        (float(np.max(np.abs(a.astype(float) - b), initial=0.0)) for a, b in zip(mine, theirs, strict=True)),
        default=0.0,
    )


def copies_equal(place: Path) -> dict[str, bool]:
    """Whether each copy for maps and series has the integers of the core, over all times."""
    store = ReleaseStore.open(place)
    root = store.root()
    result = {}
    for group in schema.GROUPS.values():
        if group.name not in root:
            continue
        count = store.times.steps[group.axis]
        for copy in group.copies:
            equal = bool((states_of(root, group.name, copy) > 0).all())
            levels = map_levels(root, group) if copy == "map" else None
            for name in names_of(root, group.name):
                core = array_at(root, f"{group.name}/{name}")
                twin = array_at(root, f"{copy}/{group.name}/{name}")
                for number in range(store.times.days):
                    day = slice(number * count, (number + 1) * count)
                    values = np.asarray(core[day])
                    values = values if levels is None or core.ndim < 4 else values[:, levels]
                    equal &= np.array_equal(values, np.asarray(twin[day]))
            result[f"{copy}/{group.name}"] = equal
    return result


def products_of(
    place: Path, weather: Weather, days: int, names: tuple[str, ...] | None, step: int = 6
) -> dict[str, Any]:
    """The largest difference of what packing derives from the same derived again, at every `step`-th hour of a day."""
    run = _as_of_run(groups(weather, hours(days), names))
    root = ReleaseStore.open(place).root()
    wanted: dict[str, list[str]] = {}
    for one in derivable(run, root):
        wanted.setdefault(one.group, []).append(one.name)
    result: dict[str, Any] = {}
    for hour in range(24 * (days // 2), 24 * (days // 2 + 1), step):
        now = run.isel(time=hour).load()
        for group, chosen in wanted.items():
            found = kaiseki.open(place, group)[chosen].isel(time=hour)
            if group == "surface":
                again = derived_fields(now, chosen)
            else:
                make = on_pressure_levels if group == "pressure_levels" else on_height_levels
                again = make(now, found[group.removesuffix("_levels")].values, chosen)
            for name in chosen:
                mine, theirs = found[name].values, again[name].values
                same = np.array_equal(np.isnan(mine), np.isnan(theirs))
                error = float(np.nanmax(np.abs(mine.astype(float) - theirs), initial=0.0))
                before = result.get(f"{group}/{name}", {"largest_error": 0.0, "missing_equal": True})
                result[f"{group}/{name}"] = {
                    "largest_error": max(before["largest_error"], error),
                    "bound": VARIABLES[name].bound,
                    "missing_equal": before["missing_equal"] and same,
                }
    return result


def exported(place: Path, folder: Path, number: int) -> dict[str, Any]:
    """One day of every group as NetCDF: bytes, seconds, and whether its values are those of the release."""
    result = {}
    folder.mkdir(parents=True, exist_ok=True)
    root = ReleaseStore.open(place).root()
    for name, group in schema.GROUPS.items():
        if name not in root or not names_of(root, name):
            continue
        count = 24 if group.axis == "hourly" else 8
        day = kaiseki.open(place, name).isel(time=slice(number * count, (number + 1) * count))
        watch = Stopwatch()
        file = write_netcdf(day, folder / f"{name}.nc", bounds="tight")
        told: dict[str, Any] = {"bytes": file.stat().st_size, **watch.read()}
        with xr.open_dataset(file, engine="h5netcdf") as again:
            last = [name for name in map(str, day.data_vars) if name != "time_bnds"][-1]
            mine, theirs = again[last].values, day[last].values
            told["variable_compared"] = last
            told["equal"] = bool(np.array_equal(mine.astype(np.float32), theirs, equal_nan=True))
        file.unlink()
        result[name] = told
    return result


def peak_memory() -> int:
    """Largest resident memory of this process so far, in MB."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024


def study(
    place: Path, weather: Weather, days: int, names: tuple[str, ...] | None = None, **more: Any
) -> dict[str, Any]:
    """Pack, verify and export; returns what was measured."""
    watch = Stopwatch()
    written = pack_month(place, weather, days, names=names, **more)
    result: dict[str, Any] = {
        "cells": list(weather.z.shape),
        "days": days,
        "packing": {"days_packed_by_this_call": written, **watch.read(), "peak_memory_mb": peak_memory()},
    }
    told = as_mapping(sizes(place, QUALITY))
    result["stored_bytes"] = sum(file.stat().st_size for file in place.rglob("*") if file.is_file())
    result["bytes_by_report"] = told["bytes"]
    result["bounds_held_by_ledger"] = told["bounds_held"]
    watch = Stopwatch()
    result["variables"] = verified(place, weather, days, names)
    result["copies_equal_the_core"] = copies_equal(place)
    result["verifying"] = watch.read()
    result["products"] = products_of(place, weather, days, names)
    result["netcdf_of_a_day"] = exported(place, place.parent / "netcdf", days // 2)
    result["peak_memory_mb"] = peak_memory()
    result["all_held"] = held(result)
    return result


def held(result: dict[str, Any]) -> bool:
    """Whether every bound was held, everything is there, and all copies and exports are equal."""
    return bool(
        all(one["held"] and one["all_times"] and not one["missing"] for one in result["variables"].values())
        and all(result["copies_equal_the_core"].values())
        and all(one["equal"] for one in result["netcdf_of_a_day"].values())
        and all(one["largest_error"] <= one["bound"] and one["missing_equal"] for one in result["products"].values())
        and result["bounds_held_by_ledger"]
    )


def small(folder: Path) -> dict[str, Any]:
    """Three days of three variables on a few cells, in several chunks each way."""
    chunks = Chunks(cells=(5, 6), levels=2, shard_levels=4, series_cells=(4, 5), series_shard=2**13)
    return study(folder / "small", Weather((6, 12, 14)), 3, SMALL, chunks=chunks)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--into", type=Path, required=True, help="folder of the release and of the exports")
    parser.add_argument("--small", action="store_true")
    parser.add_argument("--keep", action="store_true", help="leave the release for benchmarks.archive_reading")
    parser.add_argument("--days", type=int, default=30)
    given = parser.parse_args()
    given.into.mkdir(parents=True, exist_ok=True)
    result = small(given.into) if given.small else study(given.into / "month", Weather(), given.days)
    text = json.dumps(result, indent=1)
    if not given.small:
        RESULTS.write_text(text + "\n", encoding="utf-8")
    print(text)
    if not given.keep:
        shutil.rmtree(given.into)


if __name__ == "__main__":
    main()
