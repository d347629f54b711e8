"""RADOLAN's hour by other tools: python -m validation.other_tools ENVIRONMENT FOLDER [METHOD ...].

ENVIRONMENT is made by `python -m validation.other_tools.environment`; FOLDER takes what the tools read and write. The
folds are those of `precipitation_radolan.py`; the tools run with their own defaults, but for wradlib's ratios, which
need a least amount (0.1 mm), and for one run of kriging whose variogram is fitted to the training gauges. Where a
tool says nothing, or for want of time could not, its places are counted; it is scored where it does. A method has
half an hour of the clock. The result is `other_tools.json`.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from kaiseki.precipitation.data import Gauges, RadarRain
from kaiseki.precipitation.scores import Predicted, cluster_folds, clusters, station_folds
from validation import precipitation_radolan as radolan
from validation.other_tools.environment import interpreter
from validation.precipitation_methods import FOLDS, OURS, analysis, local_adjustment, predictions, rows, write

HERE = Path(__file__).resolve().parent
RESULT = HERE.parent / "other_tools.json"
METHODS = {
    "AdjustAdd": "wradlib AdjustAdd",
    "AdjustMultiply": "wradlib AdjustMultiply",
    "AdjustMixed": "wradlib AdjustMixed",
    "kriging": "mergeplg, kriging with external drift",
    "kriging-fitted": "mergeplg, kriging, variogram fitted",
    "radolan": "mergeplg, RADOLAN-RW",
}
"""Methods by what `predict.py` calls them, and their words."""
LIMIT = 1800.0
"""Longest time of a method, s."""
LOCAL = "local adjustment"
KINDS = ("by stations", "by 20-km squares")


def own_predictions(
    path: Path, gauges: Gauges, radar: RadarRain, folds: Mapping[str, np.ndarray]
) -> dict[str, dict[str, Predicted]]:
    """Our analysis and the reference's local adjustment on the same folds, kept in a file."""
    if not path.exists():
        kept = {}
        compared = {LOCAL: local_adjustment(radolan.TIME), OURS: analysis(radolan.TIME)}
        for kind, fold in folds.items():
            for name, one in predictions(compared, gauges, radar, radolan.TIME, fold)[0].items():
                kept |= {f"mean {name} {kind}": one.mean, f"quantiles {name} {kind}": one.quantiles}
        np.savez(path, **kept)
    with np.load(path) as held:
        return {
            kind: {
                name: Predicted(held[f"mean {name} {kind}"], held[f"quantiles {name} {kind}"]) for name in (LOCAL, OURS)
            }
            for kind in folds
        }


def main() -> None:
    """Run the methods, score them beside ours and write the result."""
    environment, folder = Path(sys.argv[1]), Path(sys.argv[2])
    wanted = sys.argv[3:] or list(METHODS)
    folder.mkdir(parents=True, exist_ok=True)
    shared = Path(os.environ.get("KAISEKI_SHARED", HERE.parents[2] / "shared"))
    gauges, radar = radolan.load(shared / "data/radar_gauge/radolan")
    square = clusters(gauges.lat, gauges.lon)
    folds = (station_folds(gauges.lat.size, FOLDS, radolan.SEED), cluster_folds(square, FOLDS, radolan.SEED))
    inputs = folder / "inputs.npz"
    x, y = radar.grid.projection.forward(gauges.lat, gauges.lon)
    np.savez(
        inputs,
        x=radar.grid.x,
        y=radar.grid.y,
        radar=radar.amount[0].astype(float),
        gauge_x=x,
        gauge_y=y,
        amount=gauges.amount[0],
        **{f"fold {kind}": fold for kind, fold in zip(KINDS, folds, strict=True)},
    )
    python = interpreter(environment)
    ended = {}
    for method in wanted:
        outputs = folder / f"{method}.npz"
        if outputs.exists():
            continue
        try:
            subprocess.run(
                [str(python), str(HERE / "predict.py"), method, str(inputs), str(outputs)], check=True, timeout=LIMIT
            )
        except subprocess.TimeoutExpired:
            ended[method] = f"ended after {LIMIT:.0f} s of the clock"
        except subprocess.CalledProcessError as error:
            ended[method] = f"failed (exit status {error.returncode})"
    own = own_predictions(folder / "ours.npz", gauges, radar, dict(zip(KINDS, folds, strict=True)))
    result: dict[str, Any] = {"seed": radolan.SEED, "gauges": int(gauges.lat.size), "ended": ended}
    observed = gauges.amount[0]
    for kind in KINDS:
        table: dict[str, Any] = {}
        for method, words in METHODS.items():
            outputs = folder / f"{method}.npz"
            if not outputs.exists():
                continue
            with np.load(outputs) as held:
                one = Predicted(held[f"fold {kind}"])
                seconds = float(held[f"seconds fold {kind}"]) if f"seconds fold {kind}" in held else None
            if np.isfinite(one.mean).any():
                pair = rows(observed, {words: one, OURS: own[kind][OURS]}, square)
                table[words] = pair[words] | {"processor_seconds": seconds}
        result[kind] = table | rows(observed, own[kind], square)
    write(RESULT, result)
    print(json.dumps({k: {n: (o["places"], o["scores"]) for n, o in result[k].items()} for k in KINDS}, indent=1))


if __name__ == "__main__":
    main()
