"""Analysed precipitation over Japan, cross-validated: python -m validation.precipitation_japan [scores] [scans] [map].

The hour ending 2024-10-18 01 UTC: JMA's 1-km composite of radars at 00:05 UTC, one scan's rate taken for the whole
hour, and the hourly rain of AMeDAS. The methods and folds are those of RADOLAN's hour (`precipitation_radolan.py`):
five folds of stations, then of 20-km squares; the seed is the date. `scans` says what the single scan limits: how
well it agrees with the gauges of this hour and of the next, and what RADOLAN's hour loses where one of its twelve
scans, or a few, stand for all. Without arguments all three are done.
"""

from __future__ import annotations

import json
import os
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from kaiseki.precipitation.accumulation import accumulate
from kaiseki.precipitation.analysis import analyse
from kaiseki.precipitation.baselines import raw_radar
from kaiseki.precipitation.data import HOUR, Gauges, RadarRain
from kaiseki.precipitation.scores import clusters, correlation, intervals, station_folds
from kaiseki.precipitation.sources import Reading, open_gauges, open_radar
from validation import precipitation_radolan as radolan
from validation.precipitation_methods import (
    DRAWS,
    FOLDS,
    OURS,
    analysis,
    methods,
    predictions,
    rows,
    scored,
    write,
)

HERE = Path(__file__).resolve().parent
RESULT = HERE / "precipitation_japan.json"
SHARED = Path(os.environ.get("KAISEKI_SHARED", HERE.parents[1] / "shared"))
COAST = SHARED / "data/static/ne_50m_coastline.geojson"
TIME = np.datetime64("2024-10-18T01:00:00", "s")
SEED = 20241018
"""Seed of the folds: the date, set before any score was seen."""
AREA = (128.0, 30.0, 146.0, 46.0)


def load() -> tuple[Gauges, RadarRain]:
    """Gauges of AMeDAS with a value in the hour, and the composite as if it had lasted the hour."""
    gauges = open_gauges(SHARED / "data/amedas/amedas_hourly_20240817_20250815.nc")
    radar = open_radar(SHARED / "data/radar_jma/radar_composite_20241018_0005Z.grib2", Reading(period=HOUR))
    if str(radar.time[0]) != "2024-10-18T00:05:00":
        raise SystemExit(f"The composite is of {radar.time[0]}, not of 2024-10-18 00:05 UTC")
    return gauges, replace(radar, time=np.array([TIME]))


def at_hour(gauges: Gauges, time: np.datetime64) -> Gauges:
    """Gauges with a value in an hour."""
    now = gauges.at(time)
    return now.some(now.usable[0])


def agreement(gauges: Gauges, radar: RadarRain) -> dict[str, Any]:
    """Correlation of the scan with the gauges of hours around, with intervals by 20-km squares."""
    found = {}
    for hours in range(4):
        now = at_hour(gauges, TIME + hours * HOUR)
        if not now.lat.size:
            continue
        there = raw_radar(now, radar, now.lat, now.lon)
        known = np.isfinite(there.mean)
        observed, there = now.amount[0][known], replace(there, mean=there.mean[known])
        block = clusters(now.lat[known], now.lon[known])
        within = intervals(observed, {"radar": there}, block, DRAWS)["radar"]["correlation"]
        found[str(now.time[0])] = {
            "gauges": int(known.sum()),
            "correlation": correlation(observed, there.mean),
            "interval": within,
        }
    return found


def fewer_scans() -> dict[str, Any]:
    """RADOLAN's hour with some of its scans in place of all: raw radar and analysis at the gauges, by station folds."""
    folder = SHARED / "data/radar_gauge/radolan"
    gauges, whole = radolan.load(folder)
    scans = open_radar(folder / "radolan_ry_data_compressed.nc", Reading(time_is="start"))
    if (
        scans.time.size != 12
        or np.abs(scans.amount.sum(axis=0) - whole.amount[0])[np.isfinite(whole.amount[0])].max() > 1e-3
    ):
        raise SystemExit("The twelve scans do not make the hour of RADOLAN")
    fold = station_folds(gauges.lat.size, FOLDS, radolan.SEED)
    fields = {
        "the first of 12": scans.amount[:1].mean(axis=0) * 12,
        "one of the middle": scans.amount[6:7].mean(axis=0) * 12,
        "2 of 12": scans.amount[[2, 8]].mean(axis=0) * 12,
        "4 of 12": scans.amount[1::3].mean(axis=0) * 12,
        "all 12": scans.amount.sum(axis=0),
        "all 12, motion between": accumulate(scans, HOUR, np.array([scans.time[-1]])).amount[0],
    }
    found = {}
    for name, amount in fields.items():
        print(name, flush=True)
        radar = replace(whole, amount=amount[None])
        said, _ = predictions({"raw radar": raw_radar, OURS: analysis(radolan.TIME)}, gauges, radar, radolan.TIME, fold)
        found[name] = rows(gauges.amount[0], said, clusters(gauges.lat, gauges.lon))
    return found


def figure(gauges: Gauges, radar: RadarRain) -> None:
    """Maps of radar, analysis, uncertainty and gauges."""
    from kaiseki.report.rain_maps import RainHour, write_maps

    one = analyse(gauges, radar, TIME, radar.grid)
    shown = RainHour(TIME, radar.grid, one.mean, one.quantiles[0], one.quantiles[2], radar=radar, gauges=gauges)
    write_maps(shown, HERE / "figures" / "precipitation_japan.png", [COAST], AREA)


def main() -> None:
    """Do what is asked for, write it as JSON and draw the maps."""
    asked = sys.argv[1:] or ["scores", "scans", "map"]
    gauges, radar = load()
    now = at_hour(gauges, TIME)
    result = json.loads(RESULT.read_text(encoding="utf-8")) if RESULT.exists() else {}
    result |= {"gauges": int(now.lat.size), "seed": SEED, "scan": "2024-10-18T00:05Z", "hour": "2024-10-18T01:00Z"}
    if "scores" in asked:
        result |= scored(methods(TIME), now, radar, TIME, SEED)
        write(RESULT, result)
    if "scans" in asked:
        result |= {"agreement": agreement(gauges, radar), "radolan_scans": fewer_scans()}
        write(RESULT, result)
    if "map" in asked:
        figure(now, radar)


if __name__ == "__main__":
    main()
