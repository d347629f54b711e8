"""Wall time of every part of a run, and its peak memory, beside what was announced.

    python benchmarks/whole_run.py --data ../shared/data --preset japan-40km --engine 4dvar --out out/japan-40km

A run that is there is not run again, so give a new folder. Writes `benchmarks/whole_run_<preset>_<engine>.json`, with
the gradients that each minimisation noted (one per iteration and one at the start of every outer loop) and by how much
it reduced them.
"""

from __future__ import annotations

import argparse
import dataclasses
import json
import os
import platform
import resource
from pathlib import Path

from kaiseki.archive.run import RunFolder
from kaiseki.config import Experiment
from kaiseki.core.memory import keep_freed_memory
from kaiseki.experiments.compilation import keep_compiled, keep_loops_apart
from kaiseki.experiments.cost import estimate
from kaiseki.experiments.run import announce, run_whole
from kaiseki.grid.build import domain_from_section

HERE = Path(__file__).resolve().parent
CASE = HERE.parent / "cases" / "japan-1989.toml"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--preset", default="japan-40km")
    parser.add_argument("--engine", default="3dfgat")
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--no-baselines", action="store_true")
    given = parser.parse_args()
    loaded = Experiment.load(CASE)
    experiment = dataclasses.replace(
        loaded,
        domain=dataclasses.replace(loaded.domain, preset=given.preset),
        assimilation=dataclasses.replace(loaded.assimilation, engine=given.engine),
    )
    keep_loops_apart()
    keep_freed_memory()
    cost = estimate(experiment, domain_from_section(dataclasses.replace(experiment.domain, terrain="flat")))
    keep_compiled()
    announce(experiment)
    load_before = os.getloadavg()[0]
    seconds = run_whole(experiment, RunFolder(given.out), given.data, baselines=not given.no_baselines)
    store = RunFolder(given.out).read_store("analysis")
    gradients = [store.read_diagnostics(time).get("gradient", []) for time in store.completed_cycles()[1:]]
    result = {
        "preset": given.preset,
        "engine": given.engine,
        "cores": len(os.sched_getaffinity(0)),
        "machine": platform.machine(),
        "load_before": round(load_before, 2),
        "announced": {"cells": cost.cells, "steps": cost.steps, "memory": cost.memory, "seconds": cost.seconds},
        "seconds": {name: round(value, 1) for name, value in seconds.items()},
        "gradients": [len(one) for one in gradients],
        "gradient_reduced_by": [round(one[0] / one[-1], 1) for one in gradients if one],
        "peak_memory": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024,
    }
    (HERE / f"whole_run_{given.preset}_{given.engine}.json").write_text(json.dumps(result, indent=1) + "\n")
    print(json.dumps(result, indent=1))


if __name__ == "__main__":
    main()
