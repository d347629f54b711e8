"""Japan 1989 with errors that were estimated, not set by hand: do the scores rest on the hand that set them?

    python -m validation.estimated_errors --data ../shared/data --out out/engines

The errors of cases/japan-1989.toml were tried out on stations that are scored. Here every fold is run with the
program's own defaults; `kaiseki tune` then estimates errors from the departures of assimilated stations in the windows
before 1 January 21 UTC alone; and the fold is run again with these. Both are compared with the errors set by hand at
the stations that none of the runs used, on 2 January 00 and 06 UTC, which the estimate has not seen. What the first
windows do not tell keeps its default. Writes validation/estimated_errors.json.
"""

from __future__ import annotations

import argparse
import dataclasses
import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np

from kaiseki.config import BackgroundError, Experiment
from kaiseki.core.timing import parse_time
from kaiseki.verification import Departures, pool
from kaiseki.verification.paired import compare
from kaiseki.verification.scores import HEIGHT, PRESSURE, TEMPERATURE, WIND, Target, sample, targets
from validation.engines import REFERENCE, TIMES, departures_of, experiment_of, finish

UNTIL = "1989-01-01T21:00Z"
"""Last analysis whose departures are looked at."""

BY_HAND, DEFAULTS, ESTIMATED = "by hand", "defaults", "estimated"


def with_defaults(experiment: Experiment, name: str) -> Experiment:
    """The experiment with the program's own errors of background and observations."""
    return dataclasses.replace(
        experiment,
        case=dataclasses.replace(experiment.case, name=name),
        assimilation=dataclasses.replace(experiment.assimilation, cycled=BackgroundError()),
        observations=dataclasses.replace(experiment.observations, errors=()),
    )


def with_estimate(experiment: Experiment, folder: Path, name: str) -> tuple[Experiment, dict[str, Any]]:
    """The experiment with what `kaiseki tune` finds in a run, and what that is."""
    command = [sys.executable, "-m", "kaiseki", "tune", str(folder), "--until", UNTIL, "--json"]
    found = json.loads(subprocess.run(command, check=True, capture_output=True, text=True).stdout)
    values = experiment.as_mapping()
    values["case"]["name"] = name
    values["assimilation"]["cycled"] |= found["assimilation"]["cycled"]
    values["observations"]["errors"] = found.get("observations", {}).get("errors", [])
    return Experiment.from_mapping(values), found


def rows_of(parts: list[Departures]) -> list[dict[str, Any]]:
    """Pooled root mean squares, and their ratio to those with the errors set by hand with 95 % intervals."""
    together = pool([part.keep(BY_HAND, DEFAULTS, ESTIMATED) for part in parts])
    wanted = [one for one in targets() if one.variable in (PRESSURE, TEMPERATURE, WIND)]
    chosen = [one for one in wanted if isinstance(one.level, str) or one.level is None]
    chosen.append(Target(HEIGHT, (50_000.0,), 50_000.0))
    rows = []
    for target in chosen:
        found = sample(together, target)
        for name, values in found.values.items() if found.n else ():
            pair = compare(values, found.values[BY_HAND], found.station)
            rms = float(np.sqrt(np.mean(np.sum(values**2, axis=1))))
            head = {"errors": name, "variable": target.variable, "level": target.level, "n": found.n, "rms": rms}
            rows.append(head | {"ratio": pair.ratio, "low": pair.low, "high": pair.high})
    return rows


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--out", type=Path, default=Path("out/engines"))
    parser.add_argument("--engine", default=REFERENCE)
    parser.add_argument("--folds", nargs="*", type=int, default=list(range(5)))
    given = parser.parse_args()
    departures: dict[str, list[Departures]] = {text: [] for text in TIMES}
    estimates = {}
    for fold in given.folds:
        by_hand = experiment_of(f"fold-{fold}", given.engine, {})
        own = f"fold-{fold}" if given.engine == REFERENCE else f"fold-{fold}+{given.engine}"
        folders = {BY_HAND: given.out / own}
        finish(by_hand, folders[BY_HAND], given.data, baselines=given.engine == REFERENCE)
        folders[DEFAULTS] = given.out / f"{own}+defaults"
        plain = with_defaults(by_hand, f"fold-{fold}-defaults")
        finish(plain, folders[DEFAULTS], given.data, baselines=False)
        estimated, estimates[fold] = with_estimate(plain, folders[DEFAULTS], f"fold-{fold}-estimated")
        folders[ESTIMATED] = given.out / f"{own}+estimated"
        finish(estimated, folders[ESTIMATED], given.data, baselines=False)
        for text in TIMES:
            departures[text].append(departures_of(folders, parse_time(text), reference_name=BY_HAND))
    result: dict[str, Any] = {"engine": given.engine, "until": UNTIL, "estimates": estimates, "rows": {}}
    for text, parts in departures.items():
        result["rows"][text] = rows = rows_of(parts)
        for row in rows:
            print(
                f"{text} {row['errors']:10s} {row['variable']:24s} {row['level'] or ''!s:10s} n={row['n']:5d} "
                f"{row['rms']:9.3f}  ratio to by hand {row['ratio']:.3f} [{row['low']:.3f}, {row['high']:.3f}]"
            )
    path = Path(__file__).with_suffix(".json")
    path.write_text(json.dumps(result, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
