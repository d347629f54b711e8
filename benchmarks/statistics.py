"""Cost of statistics on the grid of 817 x 661 points, from what one day, one block of rows and one month of them take.

    python benchmarks/statistics.py [--out benchmarks/statistics_cpu.json]

Values are in memory: reading comes on top (`docs/statistics.md` says how often what is read). Thirty years are
extrapolated from a day of one variable and from one block of rows.
"""

from __future__ import annotations

import argparse
import json
import resource
import time
from pathlib import Path

import numpy as np
import xarray as xr

from kaiseki.archive.products.climatology import climatology
from kaiseki.archive.products.days import each_day
from kaiseki.archive.products.indices import each_index_period
from kaiseki.archive.products.normals import Normals
from kaiseki.core.variables import VARIABLES

NY, NX = 661, 817
DAYS = 10_958


def fields(name: str) -> xr.Dataset:
    """A day of hourly fields."""
    times = np.datetime64("2020-01-01T01", "ns") + np.timedelta64(1, "h") * np.arange(24)
    values = np.random.default_rng(0).normal(280.0, 8.0, (24, NY, NX)).astype(np.float32)
    bounds = np.stack([times - np.timedelta64(1, "h"), times], axis=1)
    return xr.Dataset(
        {name: (("time", "y", "x"), values, VARIABLES[name].attributes()), "time_bnds": (("time", "bounds"), bounds)},
        {"time": ("time", times, {"bounds": "time_bnds"})},
    )


def rows(count: int) -> xr.Dataset:
    """Thirty years of daily means of some rows."""
    begin = np.datetime64("1991-01-01", "ns") + np.timedelta64(1, "D") * np.arange(DAYS)
    values = np.random.default_rng(0).normal(280.0, 8.0, (DAYS, count, NX)).astype(np.float32)
    bounds = np.stack([begin, begin + np.timedelta64(1, "D")], axis=1)
    attributes = {"units": "K", "cell_methods": "time: mean (interval: 1 hour)"}
    return xr.Dataset(
        {"t": (("time", "y", "x"), values, attributes), "time_bnds": (("time", "bounds"), bounds)},
        {"time": ("time", begin + np.timedelta64(12, "h"), {"bounds": "time_bnds"})},
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--out", type=Path)
    out = parser.parse_args().out
    result: dict[str, float] = {}
    for name in ("temperature_2m", "precipitation"):
        source = fields(name)
        begin = time.process_time()
        day = next(each_day(source))
        result[f"day of {name}, s"] = time.process_time() - begin
        result[f"30 years of {name}, h"] = DAYS * result[f"day of {name}, s"] / 3600.0
    begin = time.process_time()
    next(each_index_period([day], "month", ["R1mm", "CDD", "RX5day", "PRCPTOT"], completeness=1 / 31))
    result["day of four indices of rain, s"] = time.process_time() - begin
    part = rows(4)
    for label, normals in (
        ("month", Normals("month")),
        ("calendar day, window 31", Normals("day", window=31)),
    ):
        begin = time.process_time()
        climatology(part, normals)
        result[f"{label}: 4 rows, s"] = time.process_time() - begin
        result[f"{label}: whole grid, h"] = result[f"{label}: 4 rows, s"] * NY / 4 / 3600.0
    result["peak memory, GB"] = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e6
    print(json.dumps(result, indent=1))
    if out is not None:
        out.write_text(json.dumps(result, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
