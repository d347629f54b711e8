"""Size of a year of the full configuration: bits per value of the model's own fields on a 5-km grid with 96 levels.

    kaiseki new central.toml --center 36,137.5 --size 500 --spacing 5 --start 2020-03-27T18:00Z --hours 6 ...
    kaiseki forecast central.toml --from driving --at 2020-03-27T18:00Z --hours 6 --out FORECAST
    python -m validation.archive_size FORECAST

Six hours of a free forecast over central Japan, without the rim, go through packing, differences and compression of a
release in its own chunks, which are six hours long here in the place of 24: with 24 the first hour, which has no hour
before, weighs less. Fields on pressure and height levels and of the column are derived as packing derives them. A year
has 8766 hours and, on model levels, 2922 analyses with the bits of the hours. The result stands in `archive_size.json`.
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from typing import Any

import numpy as np
import xarray as xr
import zarr

import kaiseki
from kaiseki.archive import ForecastStore
from kaiseki.archive.products.derived import derived_fields
from kaiseki.archive.products.height_levels import HEIGHT_LEVELS, on_height_levels
from kaiseki.archive.products.pressure_levels import JMA_PRESSURE_LEVELS, on_pressure_levels
from kaiseki.archive.release.derivation import DERIVATIONS
from kaiseki.archive.release.encoding import archive_codecs, browser_codecs, largest_error, pack, packing_of
from kaiseki.archive.release.layout import Chunks
from kaiseki.archive.release.report import FULL, HOURS
from kaiseki.archive.release.schema import GROUPS
from kaiseki.core.variables import VARIABLES

TARGETS = {"tight": 2.6, "user": 1.8}
"""Terabytes a year that the full configuration may take."""

MAP_LEVELS = 6
"""Pressure levels of the copy for maps."""


def fields_of(forecast: xr.Dataset, rim: int) -> dict[tuple[str, str], np.ndarray]:
    """Six hours of every field of a release inside the rim: (group, name) -> (time, [level,] y, x)."""
    one = forecast.isel(forecast_reference_time=0, forecast_period=slice(1, None))
    one = one.assign_coords(time=one["time"]).swap_dims(forecast_period="time").load()
    result: dict[tuple[str, str], np.ndarray] = {}
    names = [str(name) for name in one.data_vars if name in VARIABLES]
    for name in names:
        air, rain = VARIABLES[name].levels == "air", name in ("precipitation", "snowfall")
        result["model_levels" if air else "precipitation" if rain else "surface", name] = one[name].values
    wanted: dict[str, list[str]] = {}
    for derivation in DERIVATIONS:
        if not (derivation.group == "surface" and derivation.name in names):
            wanted.setdefault(derivation.group, []).append(derivation.name)
    made = {
        "pressure_levels": on_pressure_levels(one, JMA_PRESSURE_LEVELS, wanted["pressure_levels"]),
        "height_levels": on_height_levels(one, HEIGHT_LEVELS, wanted["height_levels"]),
        "surface": derived_fields(one, wanted["surface"]),
    }
    for group, dataset in made.items():
        result |= {(group, str(name)): dataset[name].values for name in dataset.data_vars if name in VARIABLES}
    inside = slice(rim, -rim)
    return {key: np.ascontiguousarray(values[..., inside, inside]) for key, values in result.items()}


def stored_bits(packed: np.ndarray, chunks: tuple[int, ...], codecs: dict[str, Any], fill: int) -> float:
    """Bits per value of an array in chunks."""
    store = zarr.storage.MemoryStore()
    array = zarr.create_array(store, shape=packed.shape, chunks=chunks, dtype=packed.dtype, fill_value=fill, **codecs)
    array[...] = packed
    size = sum(len(value) for key, value in store._store_dict.items() if not key.endswith("zarr.json"))
    assert np.array_equal(array[...], packed)
    return 8.0 * size / packed.size


def measured(fields: dict[tuple[str, str], np.ndarray], bounds: Any) -> list[dict[str, Any]]:
    """A row for every field and layout: bits per value and terabytes a year of the full configuration."""
    sizes, plane, rows = Chunks(), FULL["y"] * FULL["x"], []
    for (group, name), values in fields.items():
        packing = packing_of(VARIABLES[name], bounds)
        if packing is None:
            continue
        packed = pack(values, packing)
        error = largest_error(values, packed, packing)
        levels = FULL["level"] if group == "model_levels" else values.shape[1] if values.ndim == 4 else 1
        deep = (sizes.levels,) if values.ndim == 4 else ()
        cells = tuple(min(a, b) for a, b in zip(sizes.cells, values.shape[-2:], strict=True))
        core = stored_bits(packed, (values.shape[0], *deep, *cells), archive_codecs(packing, packed.ndim), packing.fill)
        # An analysis on model levels is one of the fields that the plan counts: eight a day.
        hours = HOURS * (4 / 3 if group == "model_levels" else 1)
        layouts = {"core": (core, levels)}
        one = (1,) if values.ndim == 4 else ()
        if "map" in GROUPS[group].copies:
            bits = stored_bits(packed, (1, *one, *values.shape[-2:]), browser_codecs(), packing.fill)
            layouts["map"] = (bits, MAP_LEVELS if group == "pressure_levels" else levels)
        if "series" in GROUPS[group].copies:
            few = tuple(min(a, b) for a, b in zip(sizes.series_cells, values.shape[-2:], strict=True))
            bits = stored_bits(packed, (values.shape[0], *one, *few), browser_codecs(), packing.fill)
            layouts["series"] = (bits, levels)
        for layout, (bits, deep_) in layouts.items():
            rows.append(
                {
                    "group": group,
                    "name": name,
                    "layout": layout,
                    "bits_per_value": round(bits, 3),
                    "bound": packing.bound,
                    "largest_error": error,
                    "terabytes_per_year": round(hours * plane * deep_ * bits / 8 / 1e12, 5),
                }
            )
    return rows


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("forecast", type=Path)
    options = parser.parse_args()
    with ForecastStore.open(options.forecast, "r") as opened:
        rim = opened.domain().rim_width
    fields = fields_of(kaiseki.open(options.forecast), rim)
    result: dict[str, Any] = {}
    for bounds, target in TARGETS.items():
        rows = measured(fields, bounds)
        of_group: dict[str, float] = {}
        for row in rows:
            key = row["group"] if row["layout"] == "core" else f"{row['layout']}/{row['group']}"
            of_group[key] = round(of_group.get(key, 0.0) + row["terabytes_per_year"], 4)
        result[bounds] = {
            "target": target,
            "terabytes_per_year": round(sum(of_group.values()), 3),
            "by_group": of_group,
            "bounds_held": all(row["largest_error"] <= row["bound"] for row in rows),
            "variables": rows,
        }
        print(bounds, result[bounds]["terabytes_per_year"], "TB a year, at most", target, of_group)
    Path(__file__).with_suffix(".json").write_text(json.dumps(result, indent=1) + "\n")


if __name__ == "__main__":
    main()
