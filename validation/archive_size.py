"""Size of a year of the full configuration: bits per value of the model's own fields on a 5-km grid with 96 levels.

    kaiseki new central.toml --center 36,137.5 --size 500 --spacing 5 --start 2020-03-27T18:00Z --hours 6 ...
    kaiseki forecast central.toml --from driving --at 2020-03-27T18:00Z --hours 6 --out FORECAST
    python -m validation.archive_size FORECAST [--out FOLDER]

The hours of a free forecast are packed as `kaiseki archive pack` packs those of a run: model levels hourly, the hours
18, 21 and 00 UTC as analyses too, surface, precipitation, pressure levels. The rim is part of it, as in a release. The
result stands in `archive_size.json`.
"""

from __future__ import annotations

import argparse
import json
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import xarray as xr

import kaiseki
from kaiseki.archive import ForecastStore
from kaiseki.archive.products.height_levels import HEIGHT_LEVELS
from kaiseki.archive.products.pressure_levels import JMA_PRESSURE_LEVELS
from kaiseki.archive.release.derivation import axis_of, derivable
from kaiseki.archive.release.layout import ReleaseLayout, of_domain
from kaiseki.archive.release.packing import PRECIPITATION, write_day, write_products
from kaiseki.archive.release.report import as_mapping, as_text, sizes
from kaiseki.archive.release.schema import GROUPS, Times
from kaiseki.archive.release.store import ReleaseStore
from kaiseki.core.variables import VARIABLES

TARGETS = {"tight": 2.6, "user": 1.8}
"""Terabytes a year that the full configuration may take."""


def groups_of(forecast: xr.Dataset) -> dict[str, xr.Dataset]:
    """The fields of one forecast by group of a release, with the dimension `time`."""
    one = forecast.isel(forecast_reference_time=0)
    one = one.assign_coords(time=one["time"]).swap_dims(forecast_period="time")
    names = [str(name) for name in one.data_vars if name in VARIABLES]
    air = [name for name in names if VARIABLES[name].levels == "air"]
    rest = [name for name in names if name not in air]
    hours = one["time"].values.astype("datetime64[h]").astype(int) % 3 == 0
    return {
        "model_levels": one[air],
        "analysis": one[air].isel(time=np.flatnonzero(hours)),
        "surface": one[[name for name in rest if name not in PRECIPITATION]],
        "precipitation": one[[name for name in rest if name in PRECIPITATION]],
    }


def pack_forecast(source: Path, place: Path, bounds: Any) -> None:
    """Pack the hours of a forecast into a release."""
    with ForecastStore.open(source, "r") as opened:
        domain = opened.domain()
    groups = groups_of(kaiseki.open(source))
    days = np.unique(groups["model_levels"]["time"].values.astype("datetime64[D]"))
    layout = ReleaseLayout(
        times=Times(days[0].astype("datetime64[s]"), days.size, {"hourly": 24, "analysis": 8}),
        **of_domain(domain, groups["surface"]["soil_level"].values if "soil_level" in groups["surface"].dims else None),
        bounds=bounds,
        pressures=JMA_PRESSURE_LEVELS,
        heights=HEIGHT_LEVELS,
    )
    with ReleaseStore.create(place, layout) as store:
        variables: dict[tuple[str, str], str | None] = {}
        for group, fields in groups.items():
            for name, array in fields.data_vars.items():
                vertical = [str(axis) for axis in array.dims if axis not in ("time", "y", "x")]
                variables[group, str(name)] = vertical[0] if vertical else None
        whole = xr.merge([groups["model_levels"], groups["surface"]])
        variables |= {(one.group, one.name): axis_of(one) for one in derivable(whole, store.root("quality"))}
        store.add_variables(variables)
        for day in days:
            with store.day("forecast", day) as writer:
                for group, fields in groups.items():
                    write_day(writer, group, fields, store.times.of_day(GROUPS[group].axis, writer.number))
                write_products(writer, store, whole)
        store.pack_series()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("forecast", type=Path)
    parser.add_argument("--out", type=Path, default=Path("out/archive-size"))
    options = parser.parse_args()
    result: dict[str, Any] = {}
    for bounds, target in TARGETS.items():
        place = options.out / bounds
        shutil.rmtree(place, ignore_errors=True)
        place.parent.mkdir(parents=True, exist_ok=True)
        pack_forecast(options.forecast, place, bounds)
        rows = sizes(place)
        print(as_text(rows))
        told = as_mapping(rows)
        core = sum(row.year for row in rows if row.layout == "core")
        result[bounds] = {
            "terabytes_per_year": told["terabytes_per_year"],
            "core_terabytes_per_year": round(core / 1e12, 4),
            "target": target,
            "bounds_held": told["bounds_held"],
            "bits_per_value": {f"{row.group}/{row.name}": round(row.bits, 3) for row in rows if row.layout == "core"},
        }
    Path(__file__).with_suffix(".json").write_text(json.dumps(result, indent=1) + "\n")


if __name__ == "__main__":
    main()
