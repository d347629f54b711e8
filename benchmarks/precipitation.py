"""Time and memory of the analysis of precipitation on the grid of 1 km over Japan: python -m benchmarks.precipitation.

Synthetic storms on 2560 x 3360 cells (118-150E, 20-48N) with gauges at random in a band like the islands, 377,000 km2,
beside an unbiased radar and without radar. Each case runs in a process of its own, so that its memory is its own;
threads of the linear algebra are set by the environment.
"""

from __future__ import annotations

import json
import os
import resource
import subprocess
import sys
import time as clock
from pathlib import Path

import numpy as np

from kaiseki.grid.regular import LatLonGrid
from kaiseki.precipitation.analysis import AnalysisSettings, analyse
from kaiseki.precipitation.analysis.sampling import Box
from kaiseki.precipitation.data import Gauges, RadarRain, fractional_index

RESULT = Path(__file__).with_suffix(".json")
TIME = np.datetime64("2024-07-01T00:00:00", "s")
GRID = LatLonGrid(48.0 - (np.arange(3360) + 0.5) / 120.0, 118.0 + (np.arange(2560) + 0.5) / 80.0)
CASES = {
    "1,300 gauges with radar": {"gauges": 1300, "radar": True, "samples": 0},
    "1,300 gauges with radar, 8 samples": {"gauges": 1300, "radar": True, "samples": 8},
    "1,300 gauges without radar": {"gauges": 1300, "radar": False, "samples": 0},
    "10,000 gauges with radar": {"gauges": 10000, "radar": True, "samples": 0},
}


def inputs(count: int, seed: int = 1) -> tuple[Gauges, RadarRain]:
    """Gauges that read a truth with an error of 10 %, and a radar whose bias varies over 60 km."""
    rng = np.random.default_rng(seed)
    coarse = (GRID.shape[0] // 4, GRID.shape[1] // 4)
    box = Box(np.zeros(3), np.full(3, 4.0), (1, *coarse))

    def field(range_km: float) -> np.ndarray:
        drawn = box.draw(np.ones(1), np.array([range_km]), rng)[0]
        return np.repeat(np.repeat(drawn, 4, axis=0), 4, axis=1).astype(np.float32)

    z = 1.5 * field(40.0) - 0.5
    truth = np.maximum(z, 0.0) ** 2
    seen = np.where(z > 0.0, np.maximum(z * (1.0 + 0.2 * field(60.0)) + 0.1 * field(20.0), 0.0) ** 2, 0.0)
    along, across = rng.uniform(0.0, 1.0, count), rng.uniform(-1.0, 1.0, count)
    lat, lon = 31.0 + 14.0 * along + 0.8 * across, 130.0 + 14.5 * along**0.8 - 1.0 * across
    row, column = (one.round().astype(int) for one in fractional_index(GRID, lat, lon))
    amount = truth[row, column] * np.exp(0.1 * rng.standard_normal(count))
    gauges = Gauges(
        station=np.arange(count).astype(str),
        lat=lat,
        lon=lon,
        time=np.array([TIME]),
        amount=(np.round(amount / 0.5) * 0.5)[None].astype(float),
        resolution=np.full(count, 0.5),
    )
    return gauges, RadarRain(grid=GRID, time=np.array([TIME]), amount=seen[None])


def run(name: str) -> dict[str, float]:
    """Seconds of wall and processor, and the largest memory of the process, GB, of one case."""
    case = CASES[name]
    gauges, radar = inputs(int(case["gauges"]))
    start, used = clock.perf_counter(), clock.process_time()
    one = analyse(gauges, radar if case["radar"] else None, TIME, GRID, AnalysisSettings(samples=int(case["samples"])))
    seconds, processor = clock.perf_counter() - start, clock.process_time() - used
    known = np.isfinite(one.mean)
    return {
        "seconds": round(seconds, 1),
        "processor_seconds": round(processor, 1),
        "memory_gb": round(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20, 2),
        "analysed_share": round(float(known.mean()), 3),
        "rain_over_radar": round(float(one.mean[known].mean() / radar.amount[0][known].mean()), 3),
    }


def main() -> None:
    """Run all cases, or the one that is named, and write them as JSON."""
    if len(sys.argv) > 1:
        print(json.dumps(run(sys.argv[1])))
        return
    result = {"cores": os.cpu_count(), "load_before": round(os.getloadavg()[0], 1)}
    cases = {}
    for name in CASES:
        done = subprocess.run([sys.executable, "-m", __spec__.name, name], capture_output=True, text=True, check=True)
        cases[name] = json.loads(done.stdout)
        print(name, cases[name], flush=True)
    RESULT.write_text(json.dumps(result | {"cases": cases}, indent=1) + "\n")


if __name__ == "__main__":
    main()
