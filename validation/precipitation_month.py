"""A month of rain by gauges alone: python -m validation.precipitation_month FOLDER [--workers 2] [--grid].

AMeDAS, hour by hour. The month is the wettest one (mean over stations and hours) of the file of which at least 95 %
of the hours are there that the file has at all: 15 UTC is never in it. Scores are at stations that were not used:
each hour withholds one of ten folds of stations, the folds in turn, so that a station is withheld in every tenth
hour, which fits the month into about an hour of one processor; the seed of the folds is the month. With `--grid` the
whole 1-km grid of Japan is analysed for the 24 hours of one day as `kaiseki precip analyse` does it: the day (UTC)
with the largest mean rain of those of which 23 hours are there.

Each day is kept in FOLDER as it is done, so that a call that was ended goes on. Intervals are 95 %, by resampling days.
Processor times count; the clock is that of a machine that others used too.
"""

from __future__ import annotations

import argparse
import json
import os
import time as clock
from concurrent.futures import ProcessPoolExecutor
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from kaiseki.core.files import whole_file
from kaiseki.core.timing import format_utc
from kaiseki.precipitation.analysis import AnalysisSettings
from kaiseki.precipitation.baselines import gauges_alone
from kaiseki.precipitation.batch.grids import japan_1km
from kaiseki.precipitation.batch.hour_file import read_hour
from kaiseki.precipitation.batch.hours import Batch, BatchSettings, analyse_hours
from kaiseki.precipitation.batch.inputs import Inputs, InputSettings
from kaiseki.precipitation.data import HOUR, AnalysisFlag, Gauges
from kaiseki.precipitation.scores import Method, Predicted, crps, inside, station_folds, table
from kaiseki.precipitation.sources import open_gauges
from validation.precipitation_methods import OURS, analysis, plain, write

HERE = Path(__file__).resolve().parent
RESULT = HERE / "precipitation_month.json"
SHARED = Path(os.environ.get("KAISEKI_SHARED", HERE.parents[1] / "shared"))
AMEDAS = SHARED / "data/amedas/amedas_hourly_20240817_20250815.nc"
COAST = SHARED / "data/static/ne_50m_coastline.geojson"
FOLDS = 10
LEAST = 20
"""Smallest number of gauges of an hour that is scored."""
DRAWS = 2000
THRESHOLDS = (1.0, 5.0, 10.0, 20.0)
DAY, MONTH = np.timedelta64(1, "D"), np.timedelta64(1, "M")


def chosen_month(gauges: Gauges) -> np.datetime64:
    """The wettest month of which at least 95 % of the hours that the file has at all are there."""
    months = gauges.time.astype("datetime64[M]")
    hours_of_day = np.unique(gauges.time - gauges.time.astype("datetime64[D]")).size
    mean: dict[np.datetime64, float] = {}
    for month in np.unique(months):
        there = np.isfinite(gauges.amount[months == month])
        days = int(((month + MONTH).astype("datetime64[D]") - month.astype("datetime64[D]")) / DAY)
        if (there.sum(axis=1) >= LEAST).sum() >= 0.95 * days * hours_of_day:
            mean[month] = float(gauges.amount[months == month][there].mean())
    return max(mean, key=mean.__getitem__)


def hours_of(month: np.datetime64) -> np.ndarray:
    """Ends of the hours of a month, the first ends an hour after its beginning."""
    first, last = (one.astype("datetime64[s]") for one in (month, month + MONTH))
    return np.arange(first + HOUR, last + HOUR, HOUR)


def compared(time: np.datetime64) -> dict[str, Method]:
    """Methods of the comparison."""
    return {
        "gauges alone, IDW": gauges_alone,
        "analysis, parameters not fitted": analysis(time, AnalysisSettings(fit=False)),
        OURS: analysis(time),
    }


def score_day(folder: Path, seed: int, gauges: Gauges, hours: np.ndarray, first: int) -> Path:
    """Predict one fold of stations in each hour of a day and keep what was predicted.

    Args:
        folder: of the files of the days.
        seed: of the folds.
        gauges: of these hours.
        hours: ends of the hours.
        first: number of the first of them in the month, which says the fold.
    """
    path = folder / f"scores_{hours[0].astype('datetime64[D]')}.npz"
    if path.exists():
        return path
    fold = station_folds(gauges.lat.size, FOLDS, seed)
    kept: dict[str, list[Any]] = {"observed": [], "hour": [], "station": [], "wet": []}
    predicted: dict[str, list[Predicted]] = {}
    seconds: dict[str, list[float]] = {}
    for number, time in enumerate(hours, start=first):
        now = gauges.at(time)
        usable = np.flatnonzero(now.usable[0])
        held = usable[fold[usable] == number % FOLDS]
        if usable.size < LEAST or not held.size:
            continue
        used = now.some(np.setdiff1d(usable, held))
        kept["observed"].append(now.amount[0][held])
        kept["hour"].append(np.full(held.size, number))
        kept["station"].append(held)
        kept["wet"].append([(used.amount[0] > 0.0).sum()])
        for name, method in compared(time).items():
            start = clock.process_time()
            predicted.setdefault(name, []).append(method(used, None, gauges.lat[held], gauges.lon[held]))
            seconds.setdefault(name, []).append(clock.process_time() - start)
    held_arrays = {name: np.concatenate(parts) for name, parts in kept.items() if parts}
    for name, parts in predicted.items():
        held_arrays[f"mean of {name}"] = np.concatenate([one.mean for one in parts])
        if parts[0].quantiles.size:
            held_arrays[f"quantiles of {name}"] = np.concatenate([one.quantiles for one in parts], axis=1)
        held_arrays[f"seconds of {name}"] = np.array(seconds[name])
    with whole_file(path) as scratch, scratch.open("wb") as stream:
        np.savez_compressed(stream, **{name: values.astype(np.float32) for name, values in held_arrays.items()})
    return path


def sums(observed: np.ndarray, one: Predicted, day: np.ndarray) -> np.ndarray:
    """Sums (days, k) from which the scores follow, so that days can be drawn again."""
    held = inside(observed, one)
    columns = [
        np.ones(observed.size),
        (one.mean - observed) ** 2,
        np.abs(one.mean - observed),
        one.mean,
        observed,
        crps(observed, one),
        np.nan_to_num(held),
        np.isfinite(held).astype(float),
    ]
    for threshold in THRESHOLDS:
        seen, said = observed >= threshold, one.mean >= threshold
        columns += [(seen & said).astype(float), seen.astype(float), said.astype(float)]
    return np.stack([np.bincount(day, column) for column in columns], axis=1)


def scores_of(total: np.ndarray) -> dict[str, np.ndarray]:
    """Scores (draws,) of sums (draws, k)."""
    n, squares, absolute, said, seen, ranked, held, shown = total.T[:8]
    with np.errstate(invalid="ignore", divide="ignore"):
        result = {
            "rmse": np.sqrt(squares / n),
            "mae": absolute / n,
            "bias": said / seen,
            "crps": ranked / n,
            "coverage_80": held / shown,
        }
        for number, threshold in enumerate(THRESHOLDS):
            hits, events, forecasts = total.T[8 + 3 * number : 11 + 3 * number]
            chance = events * forecasts / n
            result[f"ets_{threshold:g}mm"] = (hits - chance) / (events + forecasts - hits - chance)
    return result


def month_scores(paths: list[Path]) -> dict[str, Any]:
    """Scores of the whole month with intervals by drawing days again, and processor time for each hour."""
    loaded = [np.load(path) for path in paths]
    files = [one for one in loaded if "observed" in one]
    observed = np.concatenate([one["observed"] for one in files]).astype(float)
    day = np.concatenate([np.full(one["observed"].size, number) for number, one in enumerate(files)])
    names = [key.removeprefix("mean of ") for key in files[0].files if key.startswith("mean of ")]
    rng = np.random.default_rng(1)
    draws = rng.integers(0, len(files), (DRAWS, len(files)))
    found, drawn = {}, {}
    for name in names:
        mean = np.concatenate([one[f"mean of {name}"] for one in files]).astype(float)
        key = f"quantiles of {name}"
        quantiles = np.concatenate([one[key] for one in files], axis=1) if key in files[0] else np.empty((0, 0))
        one = Predicted(mean, quantiles.astype(float))
        if not np.isfinite(mean).all():
            raise SystemExit(f"{name} gives {int((~np.isfinite(mean)).sum())} values that are not finite")
        by_day = sums(observed, one, day)
        drawn[name] = scores_of(by_day[draws].sum(axis=1))
        seconds = np.concatenate([part[f"seconds of {name}"] for part in files])
        found[name] = {
            "scores": table(observed, one, THRESHOLDS),
            "wet_rmse": float(np.sqrt(np.mean((mean - observed)[observed > 0.0] ** 2))),
            "processor_seconds_an_hour": {
                "mean": float(seconds.mean()),
                "median": float(np.median(seconds)),
                "largest": float(seconds.max()),
            },
        }
    for name, one in found.items():
        one["intervals"] = {score: np.nanquantile(values, [0.025, 0.975]) for score, values in drawn[name].items()}
        ratio = drawn[OURS]["rmse"] / drawn[name]["rmse"]
        middle = found[OURS]["scores"]["rmse"] / one["scores"]["rmse"]
        one["rmse_of_analysis_over_this"] = [middle, *np.quantile(ratio, [0.025, 0.975])]
    return {
        "places": int(observed.size),
        "wet_places": int((observed > 0.0).sum()),
        "hours": int(np.unique(np.concatenate([one["hour"] for one in files])).size),
        "methods": found,
    }


def chosen_day(gauges: Gauges, hours: np.ndarray) -> np.datetime64:
    """The day with the largest mean rain of those of which all hours but one are there."""
    days = (hours - HOUR).astype("datetime64[D]")
    best, most = days[0], -1.0
    for day in np.unique(days):
        there = [gauges.at(time).amount[0] for time in hours[days == day]]
        known = [one for one in there if np.isfinite(one).sum() >= LEAST]
        mean = float(np.mean([np.nanmean(one) for one in known])) if len(known) == 23 else -1.0
        if mean > most:
            best, most = day, mean
    return best


def grid_of_day(folder: Path, day: np.datetime64, so_far: bool) -> dict[str, Any]:
    """The 24 hours of a day on the 1-km grid, analysed as the command does it, and what was found in their files."""
    first = day.astype("datetime64[s]") + HOUR
    batch = Batch(
        inputs=Inputs.open(InputSettings(gauges=(AMEDAS,))),
        grid=japan_1km(),
        settings=BatchSettings(start=first, end=first + 23 * HOUR),
        folder=folder / "hours",
    )
    if not so_far:
        analyse_hours(batch)
    result = []
    for path in sorted(batch.folder.glob("rain_*.nc")):
        held = read_hour(path)
        flag = held.fields["precipitation_flag"].astype(int)
        covered = (flag & AnalysisFlag.GAP) == 0
        mean = held.fields["precipitation"]
        result.append(
            {
                "time": format_utc(held.time),
                "gauges": int(batch.inputs.gauges.at(held.time).usable.sum()),
                "gap": bool(not covered.any()),
                "covered_share": float(covered.mean()),
                "not_finite_where_covered": sum(int((~np.isfinite(v[covered])).sum()) for v in held.fields.values()),
                "finite_outside": int(np.isfinite(mean[~covered]).sum()),
                "mean_where_covered": float(mean[covered].mean()) if covered.any() else None,
                "largest": float(mean[covered].max()) if covered.any() else None,
                "seconds": float(held.facts["hour_seconds"]),
            }
        )
    return {"day": str(day), "cells": int(np.prod(batch.grid.shape)), "hours": result}


def figure(folder: Path, result: dict[str, Any], gauges: Gauges) -> None:
    """Maps of the hour of the day with the most rain."""
    from kaiseki.report.rain_maps import RainHour, write_maps

    wettest = max((one for one in result["hours"] if not one["gap"]), key=lambda one: one["mean_where_covered"])
    time = np.datetime64(wettest["time"].removesuffix("Z"), "s")
    stamp = str(np.datetime64(time, "m")).replace("-", "").replace(":", "")
    held = read_hour(folder / "hours" / f"rain_{stamp}Z.nc")
    shown = RainHour(
        time=time,
        grid=held.grid,
        mean=held.fields["precipitation"],
        low=held.fields["precipitation_p10"],
        high=held.fields["precipitation_p90"],
        gauges=gauges.at(time),
    )
    write_maps(shown, HERE / "figures" / "precipitation_month.png", [COAST], (128.0, 30.0, 146.0, 46.0))


def scored_days(folder: Path, seed: int, gauges: Gauges, hours: np.ndarray, workers: int) -> list[Path]:
    """Files of all days of the month; those that are not there yet are made."""
    days = (hours - HOUR).astype("datetime64[D]")
    paths = []
    with ProcessPoolExecutor(workers) as pool:
        jobs = []
        for day in np.unique(days):
            chosen = np.flatnonzero(days == day)
            there = np.isin(gauges.time, hours[chosen])
            parts = {"time": gauges.time[there], "amount": gauges.amount[there], "flags": gauges.flags[there]}
            one = replace(gauges, **parts)
            jobs.append(pool.submit(score_day, folder, seed, one, hours[chosen], int(chosen[0])))
        for job in jobs:
            paths.append(job.result())
            print(paths[-1].name, flush=True)
    return paths


def keep(name: str, part: dict[str, Any]) -> None:
    """Write one part of the result beside the others."""
    result = json.loads(RESULT.read_text(encoding="utf-8")) if RESULT.exists() else {}
    write(RESULT, result | {name: part})


def main() -> None:
    """Score the month, or analyse the grid of its day, and write the result beside this file."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--workers", type=int, default=1)
    parser.add_argument("--grid", action="store_true", help="analyse the grid of one day instead of scoring")
    parser.add_argument(
        "--so-far", action="store_true", help="take the days or hours that FOLDER holds and compute no further ones"
    )
    asked = parser.parse_args()
    asked.folder.mkdir(parents=True, exist_ok=True)
    gauges = open_gauges(AMEDAS)
    month = chosen_month(gauges)
    hours = hours_of(month)
    if asked.grid:
        grid = grid_of_day(asked.folder, chosen_day(gauges, hours), asked.so_far)
        figure(asked.folder, grid, gauges)
        keep("grid", grid)
        return
    seed = int(str(month).replace("-", ""))
    if asked.so_far:
        paths = sorted(asked.folder.glob("scores_*.npz"))
    else:
        paths = scored_days(asked.folder, seed, gauges, hours, asked.workers)
    missing = [time for time in hours if gauges.at(time).usable.sum() < LEAST]
    found = {
        "month": str(month),
        "stations": int(gauges.lat.size),
        "seed": seed,
        "hours_of_month": int(hours.size),
        "days": len(paths),
        "gaps": [format_utc(time) for time in missing],
        **month_scores(paths),
    }
    keep("month", found)
    print(json.dumps(plain(found["methods"]), indent=1))


if __name__ == "__main__":
    main()
