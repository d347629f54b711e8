"""How near to withheld stations could the observations of 1989 bring any analysis? A bound from the departures alone.

    python -m validation.what_the_data_allow --chains out/crossval

For every fold of `japan_1989_crossval` the departures of the run without assimilation at 01-02 00Z are interpolated
from the stations that are not withheld to those that are, level by level and variable by variable, by simple kriging
(Daley 1991, chapter 4) with a correlation of two Gaussians. Length and ratio of error variances are those that make
*the score itself* smallest, so the result flatters: no such interpolation of these departures does better. What it
leaves is what one station cannot know of another: observation error and weather of smaller scale than the network.
An analysis that uses several levels and variables together may do a little better, one with a worse background worse.
Writes `validation/what_the_data_allow.json` and prints the table, beside what the analysis reached.
"""

from __future__ import annotations

import argparse
import itertools
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from kaiseki.archive.run import Run
from kaiseki.core.constants import EARTH_RADIUS
from kaiseki.core.timing import parse_time
from kaiseki.verification.departures import NO_EQUIVALENT_BITS, WRONG_BITS, inside_rim
from validation.engines import DEFAULT
from validation.japan_1989_crossval import chain_folder

HERE = Path(__file__).resolve().parent
TIME = parse_time("1989-01-02T00:00Z")
LEVELS = (85_000.0, 70_000.0, 50_000.0, 40_000.0, 30_000.0, 25_000.0)
TARGETS: dict[str, tuple[tuple[str, ...], tuple[float, ...]]] = {
    "air_temperature 850-250": (("air_temperature",), LEVELS),
    "wind 850-250": (("eastward_wind", "northward_wind"), LEVELS),
    "geopotential_height 500": (("geopotential_height",), (50_000.0,)),
    "surface_air_pressure": (("surface_pressure",), ()),
}
LENGTHS = (1.0e5, 1.5e5, 2.5e5, 3.5e5, 5.0e5, 8.0e5)
RATIOS = (0.2, 0.4, 0.7, 1.0, 1.5, 2.5, 5.0, 10.0)
GROSS = 6.0
"""Robust standard deviations beyond which a departure is left out everywhere."""


@dataclass(frozen=True)
class Group:
    """Departures of one quantity at one level in one fold: distances (n, n) m, values (n,), masks (n,)."""

    apart: np.ndarray
    values: np.ndarray
    known: np.ndarray
    scored: np.ndarray
    reached: np.ndarray


def apart(lat: np.ndarray, lon: np.ndarray) -> np.ndarray:
    """Great-circle distances (n, n), m."""
    a, b = np.deg2rad(lat), np.deg2rad(lon)
    inner = np.sin(a)[:, None] * np.sin(a) + np.cos(a)[:, None] * np.cos(a) * np.cos(b[:, None] - b)
    return np.asarray(EARTH_RADIUS * np.arccos(np.clip(inner, -1.0, 1.0)))


def group(run: Run, quantity: str, level: float | None) -> Group:
    """One group, from the tables of the run without assimilation and of the analysis (the same rows in each)."""
    table, analysed = run.table("free_run", TIME), run.table("analysis", TIME)
    assert table is not None
    assert analysed is not None
    assert np.array_equal(table["station"], analysed["station"])
    values = np.asarray(table["background_departure"])
    flags = table["flags"].astype(np.int64)
    rows = (table["quantity"].astype(str) == quantity) & np.isfinite(values) & (flags & WRONG_BITS == 0)
    rows &= flags & NO_EQUIVALENT_BITS == 0
    if level is not None:
        rows &= (table["kind"].astype(str) == "sonde") & (np.abs(table["pressure"] - level) < 1.0)
    spread = 1.4826 * np.median(np.abs(values[rows]))
    rows &= np.abs(values) < GROSS * spread
    lat, lon, withheld = (table[name][rows] for name in ("latitude", "longitude", "withheld"))
    withheld = withheld.astype(bool)
    scored = withheld & inside_rim(run.domain, lat, lon)
    return Group(apart(lat, lon), values[rows], ~withheld, scored, np.asarray(analysed["analysis_departure"])[rows])


def interpolated(one: Group, length: float, ratio: float) -> np.ndarray:
    """What is left of the scored departures after interpolation from the known ones."""
    half = one.apart**2 / (2.0 * length**2)
    correlation = 0.5 * np.exp(-half / 4.0) + 0.5 * np.exp(-half)
    among = correlation[np.ix_(one.known, one.known)] + ratio * np.eye(int(one.known.sum()))
    weights = np.linalg.solve(among, one.values[one.known])
    return np.asarray(one.values[one.scored] - correlation[np.ix_(one.scored, one.known)] @ weights)


def bound(runs: list[Run], quantities: tuple[str, ...], levels: tuple[float, ...]) -> dict[str, Any]:
    """The bound for one target; rms of a vector is that of its length."""
    left = before = after = 0.0
    n, chosen = 0, {}
    for quantity in quantities:
        groups = [group(run, quantity, level) for run in runs for level in levels or (None,)]
        best = min(
            (
                (float(sum((interpolated(one, *pair) ** 2).sum() for one in groups)), pair)
                for pair in itertools.product(LENGTHS, RATIOS)
            ),
            key=lambda found: found[0],
        )
        count = sum(int(one.scored.sum()) for one in groups)
        left += best[0] / count
        before += sum((one.values[one.scored] ** 2).sum() for one in groups) / count
        reached = np.concatenate([one.reached[one.scored] for one in groups])
        after += float(np.nanmean(reached**2))
        n, chosen[quantity] = max(n, count), {"length": best[1][0], "ratio": best[1][1]}
    rms = {"free_run": before**0.5, "interpolated": left**0.5, "analysis": after**0.5}
    return {"n": n, **rms, "reduction_at_best": 1.0 - (left / before) ** 0.5, "chosen": chosen}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--chains", type=Path, required=True, help="folder of validation.japan_1989_crossval")
    parser.add_argument("--engine", default=DEFAULT)
    parser.add_argument("--folds", type=int, nargs="*", default=[0, 1, 2, 3, 4])
    given = parser.parse_args()
    runs = [Run(chain_folder(given.chains, fold, given.engine)) for fold in given.folds]
    result = {name: bound(runs, *target) for name, target in TARGETS.items()}
    text = json.dumps({"engine": given.engine, **result}, indent=1)
    (HERE / "what_the_data_allow.json").write_text(text + "\n")
    for name, row in result.items():
        print(
            f"{name:24s} n={row['n']:4d} without assimilation {row['free_run']:8.2f}  analysis {row['analysis']:8.2f}  "
            f"best interpolation {row['interpolated']:8.2f}  (at best {-100 * row['reduction_at_best']:+.1f} %)"
        )


if __name__ == "__main__":
    main()
