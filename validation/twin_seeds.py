"""The twin experiment with three seeds: truth, perturbations and observation errors all drawn anew.

    python validation/twin_seeds.py --out out/twin-seeds

A run that is there is not run again. Writes `validation/twin_seeds.json` with the scorecard against the truth at the
last analysis (a sonde time), inside the rim, and prints it.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
from pathlib import Path
from typing import Any

from kaiseki.core.experiment import Experiment
from kaiseki.core.timing import format_utc
from kaiseki.report import Run, judge
from kaiseki.twin import DEMO

HERE = Path(__file__).resolve().parent


def run_seed(seed: int, out: Path) -> Path:
    """Run one seed in a process of its own; returns its folder."""
    experiment = Experiment.load(DEMO)
    assert experiment.twin is not None
    changed = experiment.model_copy(update={"twin": experiment.twin.model_copy(update={"seed": seed})})
    out.mkdir(parents=True, exist_ok=True)
    case, folder = out / f"seed-{seed}.toml", out / f"seed-{seed}"
    changed.save(case)
    subprocess.run([sys.executable, "-m", "kaiseki", "run", str(case), "--out", str(folder)], check=True)
    return folder


def of_seed(seed: int, folder: Path) -> list[dict[str, Any]]:
    """Scorecard rows against the truth at the last analysis."""
    run = Run(folder)
    last = format_utc(run.cycles[-1])
    return [{"seed": seed, **row} for row in judge(run).truth_card if row["time"] == last]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=Path, default=Path("out/twin-seeds"))
    parser.add_argument("--seeds", type=int, nargs="*", default=[1, 2, 3])
    given = parser.parse_args()
    rows = [row for seed in given.seeds for row in of_seed(seed, run_seed(seed, given.out))]
    (HERE / "twin_seeds.json").write_text(json.dumps(rows, indent=1) + "\n")
    for row in rows:
        print(
            f"seed {row['seed']} {row['time']} {row['variable']:22s} {row['rms']:9.3f} | {row['baseline']:21s} "
            f"{row['baseline_rms']:9.3f}  reduction {100 * row['reduction']:6.1f} %"
        )


if __name__ == "__main__":
    main()
