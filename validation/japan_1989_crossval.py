"""Five complete chains of the case Japan 1989 at 60 km, each withholding another fifth of the stations, pooled.

    python -m validation.japan_1989_crossval --data ../shared/data --out out/crossval

Every chain is complete: quality control, coarse stream, driving fields, analysis and baselines never see its fifth. A
chain that is there is not run again, so the folder may be that of `validation.engines`, whose chains are the same. The
engine is the default one unless another is named. Writes `validation/japan_1989_crossval.json` with the pooled scores,
the reductions against the baselines and the consistency of surface pressure, and prints the table.
"""

from __future__ import annotations

import argparse
import dataclasses
import json
from pathlib import Path
from typing import Any

import numpy as np

from kaiseki.archive.run import Run
from kaiseki.core.timing import format_utc, parse_time
from kaiseki.verification import pool, score_rows, scorecard
from kaiseki.verification.run import departures_at
from kaiseki.verification.scores import PRESSURE, Target, sample
from validation.engines import DEFAULT, REFERENCE, TIMES, experiment_of, finish

HERE = Path(__file__).resolve().parent
BASELINES = ("free_run", "driving", "optimal_interpolation")


def chain_folder(out: Path, fold: int, engine: str) -> Path:
    """Folder of the chain of a fold, called as `validation.engines` calls it."""
    return out / (f"fold-{fold}" if engine == REFERENCE else f"fold-{fold}+{engine}")


def chain(fold: int, data: Path, out: Path, preset: str, engine: str) -> Path:
    """Run one chain in a process of its own; returns its folder."""
    experiment = experiment_of(f"fold-{fold}", engine, {})
    domain = dataclasses.replace(experiment.domain, preset=preset)
    folder = chain_folder(out, fold, engine)
    finish(dataclasses.replace(experiment, domain=domain), folder, data, baselines=True)
    return folder


def pressure_rms(run: Run, time: np.datetime64) -> float:
    """Root mean square of the background's departures from assimilated surface pressures inside the rim [Pa]."""
    departures = departures_at(run, time)
    assert departures is not None
    values = sample(departures.against("assimilated"), Target(PRESSURE, (), None)).values["background"]
    return float(np.sqrt(np.mean(values**2)))


def pooled(runs: list[Run]) -> dict[str, Any]:
    """Scores and reductions of all chains together."""
    rows: list[dict[str, Any]] = []
    card: list[dict[str, Any]] = []
    settings = runs[0].experiment.verification
    for text in TIMES:
        time = parse_time(text)
        parts = [part for part in (departures_at(run, time) for run in runs) if part is not None]
        # Assimilated values are in four of five chains; withheld ones in exactly one.
        together = pool(parts)
        options: dict[str, Any] = {"case": "japan-1989-crossval", "time": time, "settings": settings}
        rows += score_rows(together, **options)
        for experiment in ("analysis", "background"):
            card += scorecard(together, experiment=experiment, baselines=BASELINES, **options)
    growth = []
    for fold, run in enumerate(runs):
        cycles = [time for time in run.observed_cycles if time > run.experiment.period.first]
        first, last = (pressure_rms(run, time) for time in (cycles[0], cycles[-1]))
        ends = {"first": first, "last": last, "ratio": last / first}
        growth.append({"fold": fold, "time": format_utc(cycles[-1]), **ends})
    return {"scores": rows, "scorecard": card, "surface_pressure_background": growth}


def table(result: dict[str, Any]) -> str:
    """The result as lines of text."""
    lines = []
    for row in result["scorecard"]:
        lines.append(
            f"{row['time']} {row['experiment']:10s} {row['variable']:22s} {row['level'] or '':>8} n={row['n']:4d} "
            f"{row['rms']:9.3f} | {row['baseline']:21s} {row['baseline_rms']:9.3f}  "
            f"reduction {100 * row['reduction']:6.1f} % "
            f"[{100 * row['reduction_low']:.1f}, {100 * row['reduction_high']:.1f}]"
        )
    for one in result["surface_pressure_background"]:
        lines.append(
            f"fold {one['fold']}: background departures of surface pressure {one['first']:.0f} Pa in the first window, "
            f"{one['last']:.0f} Pa in the last, ratio {one['ratio']:.2f}"
        )
    return "\n".join(lines)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--out", type=Path, default=Path("out/crossval"))
    parser.add_argument("--preset", default="japan-60km")
    parser.add_argument("--engine", default=DEFAULT)
    parser.add_argument("--folds", type=int, nargs="*", default=[0, 1, 2, 3, 4])
    given = parser.parse_args()
    runs = [Run(chain(fold, given.data, given.out, given.preset, given.engine)) for fold in given.folds]
    result = pooled(runs) | {"preset": given.preset, "engine": given.engine, "folds": given.folds}
    (HERE / "japan_1989_crossval.json").write_text(json.dumps(result, indent=1) + "\n")
    print(table(result))


if __name__ == "__main__":
    main()
