"""A small second network, cross-validated: python -m validation.precipitation_openmrg.

Gothenburg, 2015-08-27 (OpenMRG): ten gauges of the city and one of SMHI, 2-km composites every five minutes, 364
microwave links. Each gauge is left out in turn in each of the three hours that the composites cover, to 01:15, 02:15
and 03:15 UTC. The methods are those of the other studies, the analysis and distances with the links too; links are
never predicted. Eleven gauges are few: intervals are 95 %, by resampling gauges with all their hours. Nothing of the
analysis was chosen with this network in view.
"""

from __future__ import annotations

import json
import os
import time as clock
from collections.abc import Mapping
from pathlib import Path

import numpy as np

from kaiseki.precipitation.accumulation import accumulate, accumulate_gauges
from kaiseki.precipitation.baselines import gauges_alone
from kaiseki.precipitation.batch.inputs import joined
from kaiseki.precipitation.data import HOUR, Gauges, RadarRain
from kaiseki.precipitation.scores import Method, Predicted, cross_validated
from kaiseki.precipitation.sources import Reading, open_gauges, open_radar
from validation.precipitation_methods import OURS, analysis, methods, rows, write

HERE = Path(__file__).resolve().parent
RESULT = HERE / "precipitation_openmrg.json"
SHARED = Path(os.environ.get("KAISEKI_SHARED", HERE.parents[1] / "shared"))
ENDS = np.array(["2015-08-27T01:15", "2015-08-27T02:15", "2015-08-27T03:15"], "datetime64[s]")


def load() -> tuple[Gauges, RadarRain, Gauges]:
    """Hourly sums of gauges, composites and links."""
    folder = SHARED / "data/radar_gauge/openmrg"
    stations = (("city_gauges", "start"), ("smhi_gauge", "start"))
    gauges = joined(
        [
            accumulate_gauges(
                open_gauges(folder / f"poligrain_openMRG_{name}_20150827.nc", Reading(time_is=time_is, units="mm")),
                HOUR,
                ENDS,
            )
            for name, time_is in stations
        ]
    )
    scans = open_radar(folder / "poligrain_openMRG_Radar_180minutes.nc", Reading(time_is="end", units="mm h-1"))
    links = open_gauges(folder / "poligrain_openMRG_cmls_20150827_12hours.nc", Reading(time_is="start", units="mm h-1"))
    return gauges, accumulate(scans, HOUR, ENDS), accumulate_gauges(links, HOUR, ENDS)


def with_links(method: Method, links: Gauges, time: np.datetime64) -> Method:
    """A method that has links as further gauges."""
    now = links.at(time)
    beside = now.some(now.usable[0])

    def more(gauges: Gauges, radar: RadarRain | None, lat: np.ndarray, lon: np.ndarray) -> Predicted:
        return method(joined([gauges.at(time), beside]), radar, lat, lon)

    return more


def compared(links: Gauges, time: np.datetime64) -> dict[str, Method]:
    """Methods with and without links."""
    return {
        **methods(time),
        "gauges and links, IDW": with_links(gauges_alone, links, time),
        "analysis of gauges and links, without radar": with_links(analysis(time, with_radar=False), links, time),
        "analysis with links": with_links(analysis(time), links, time),
    }


def pooled(parts: Mapping[str, list[Predicted]]) -> dict[str, Predicted]:
    """Predictions of all hours in one row."""
    return {
        name: Predicted(
            np.concatenate([one.mean for one in hours]),
            np.concatenate([one.quantiles for one in hours], axis=1) if hours[0].quantiles.size else np.empty((0, 0)),
        )
        for name, hours in parts.items()
    }


def main() -> None:
    """Leave out every gauge in every hour, score all methods and write the result."""
    gauges, radar, links = load()
    station = np.arange(gauges.lat.size)
    observed, block, parts = [], [], {}
    seconds: dict[str, float] = {}
    for time in ENDS:
        now = gauges.at(time)
        usable = now.usable[0]
        here = now.some(usable)
        observed.append(here.amount[0])
        block.append(station[usable])
        for name, method in compared(links, time).items():
            start = clock.process_time()
            one = cross_validated(method, here, radar.at(time), time, np.arange(here.lat.size))
            parts.setdefault(name, []).append(one)
            seconds[name] = seconds.get(name, 0.0) + clock.process_time() - start
        print(time, here.amount[0].round(1), {name: round(value, 1) for name, value in seconds.items()}, flush=True)
    amounts = np.concatenate(observed)
    table = rows(amounts, pooled(parts), np.concatenate(block))
    for name, one in table.items():
        one["processor_seconds"] = seconds[name]
    links_now = [int(links.at(time).usable.sum()) for time in ENDS]
    result = {
        "gauges": int(station.size),
        "links": max(links_now),
        "hours": [str(time) for time in ENDS],
        "mean": float(amounts.mean()),
        "largest": float(amounts.max()),
        "ours": OURS,
        "by gauges": table,
    }
    write(RESULT, result)
    print(json.dumps({name: one["scores"] for name, one in table.items()}, indent=1))


if __name__ == "__main__":
    main()
