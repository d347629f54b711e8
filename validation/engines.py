"""All engines of the cycle on the same cases: the twin with several seeds, and the folds of Japan 1989 at 60 km.

    python -m validation.engines --data ../shared/data --out out/engines

For every case the whole chain is run once with 3D-FGAT and all baselines (free run, optimal interpolation); every other
engine then runs its analysis from the same observations, driving fields and cold start. What is there is not run again,
so the table can be filled bit by bit. Writes, below `validation/engine_cases/`, what each case gave: errors against the
truth for a twin, departures from what no run of the fold ever saw for a fold; and `validation/engines.json` with the
table over all cases that are there: rms, ratio to 3D-FGAT with its 95 % interval, seconds per cycle, and the score by
which the default engine is chosen: the geometric mean of the ratios, twins and folds with equal weight.
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

from kaiseki.archive import RunStore
from kaiseki.config import Experiment
from kaiseki.core.timing import parse_time
from kaiseki.report.judge import comparable
from kaiseki.report.run import Run
from kaiseki.twin import DEMO
from kaiseki.verification import align
from kaiseki.verification.departures import NEEDED, Departures, pool
from kaiseki.verification.paired import compare
from kaiseki.verification.scores import HEIGHT, PRESSURE, TEMPERATURE, WIND, Target, sample, targets
from kaiseki.verification.truth import (
    ENERGY,
    TRUTH_LEVELS,
    ErrorsInside,
    compare_errors,
    compare_with_truth,
    errors_inside,
    truth_rows,
)

HERE = Path(__file__).resolve().parent
KEPT = HERE / "engine_cases"
JAPAN = HERE.parent / "cases" / "japan-1989.toml"
MINIMUM = 15
"""Rows of fewer withheld values do not count for the score."""
TIMES = ("1989-01-02T00:00Z", "1989-01-02T06:00Z")
ENGINES = ("4dvar", "letkf", "4denvar", "hybrid")
BASELINES = {"free_run": "free run", "optimal_interpolation": "optimal interpolation"}
REFERENCE = "3dfgat"
OWN = ("experiment.toml", "analysis.store", "report.html", "scores.json", "inventory.json")
"""What belongs to one engine alone in the folder of a run."""


def experiment_of(case: str, engine: str, changes: dict[str, Any]) -> Experiment:
    """The experiment of a case, "twin-<seed>" or "fold-<number>", with an engine and further changes of
    `assimilation`."""
    kind, number = case.split("-")
    experiment = Experiment.load(DEMO if kind == "twin" else JAPAN)
    values = experiment.as_mapping()
    if kind == "twin":
        values["twin"]["seed"] = int(number)
    else:
        values["observations"]["fold"] = int(number)
    values["assimilation"] = merged(values["assimilation"], {"engine": engine, **changes})
    return Experiment.from_mapping(values)


def merged(values: dict[str, Any], changes: dict[str, Any]) -> dict[str, Any]:
    """Nested dictionaries with some values changed."""
    made = dict(values)
    for name, value in changes.items():
        made[name] = merged(made[name], value) if isinstance(value, dict) else value
    return made


def finish(experiment: Experiment, folder: Path, data: Path | None, *, baselines: bool) -> None:
    """Run an experiment to its end in a process of its own, unless it is there."""
    store = folder / "analysis.store"
    if (folder / "scores.json").exists() and RunStore.open(store, "r").next_cycle() is None:
        return
    folder.parent.mkdir(parents=True, exist_ok=True)
    case = folder.with_name(f"{folder.name}.toml")
    experiment.save(case)
    command = [sys.executable, "-m", "kaiseki", "run", str(case), "--out", str(folder)]
    command += ["--data", str(data)] if data is not None else []
    subprocess.run([*command, "--baselines" if baselines else "--no-baselines"], check=True)


def run_case(case: str, engines: list[str], data: Path, out: Path, changes: dict[str, Any]) -> dict[str, Path]:
    """The folders of all runs of a case by engine."""
    given = None if case.startswith("twin") else data
    base = out / case
    finish(experiment_of(case, REFERENCE, {}), base, given, baselines=True)
    folders = {REFERENCE: base}
    for engine in engines:
        folder = out / f"{case}+{engine}"
        folder.mkdir(parents=True, exist_ok=True)
        for item in base.iterdir():
            link = folder / item.name
            if item.name not in OWN and not link.exists():
                link.symlink_to(item.resolve())
        finish(experiment_of(case, engine, changes), folder, given, baselines=False)
        folders[engine] = folder
    return folders


def seconds_per_cycle(store: Path) -> float:
    """Median over the cycles that assimilate; the first, which compiles, weighs little in it."""
    opened = RunStore.open(store, "r")
    times = opened.completed_cycles()[1:]
    return float(np.median([sum(opened.read_diagnostics(time)["seconds"].values()) for time in times]))


def departures_of(folders: dict[str, Path], time: np.datetime64) -> Departures:
    """Departures of all experiments of a fold from the observations inside the rim that none of them used."""
    runs = {name: Run(folder) for name, folder in folders.items()}
    base = runs[REFERENCE]
    reference = base.table("analysis", time)
    assert reference is not None
    tables: dict[str, Any] = {name: (run.table("analysis", time), "analysis_departure") for name, run in runs.items()}
    tables |= {name: (base.table(name, time), "analysis_departure") for name in BASELINES}
    return align(reference, tables).inside(base.domain).plausible().against("withheld")


def keep_fold(case: str, folders: dict[str, Path]) -> None:
    """Write what a fold gave."""
    arrays: dict[str, np.ndarray] = {}
    for text in TIMES:
        found = departures_of(folders, parse_time(text))
        label = text[:13]
        for name in NEEDED:
            column = np.asarray(found.columns[name])
            arrays[f"{label}/columns/{name}"] = column.astype(np.str_) if column.dtype == object else column
        for name, values in found.values.items():
            arrays[f"{label}/values/{name}"] = values.astype(np.float32)
    np.savez_compressed(KEPT / f"{case}.npz", **arrays)


def kept_fold(path: Path, text: str) -> Departures:
    """The departures of one time that `keep_fold` wrote."""
    label = text[:13]
    with np.load(path, allow_pickle=False) as file:
        columns = {name: file[f"{label}/columns/{name}"] for name in NEEDED}
        prefix = f"{label}/values/"
        values = {name[len(prefix) :]: file[name] for name in file.files if name.startswith(prefix)}
    return Departures(columns, {name: value.astype(float) for name, value in values.items()})


def keep_twin(case: str, folders: dict[str, Path]) -> list[dict[str, Any]]:
    """Errors against the truth at the last analysis inside the rim, and ratios to those of 3D-FGAT."""
    runs = {name: Run(folder) for name, folder in folders.items()}
    base = runs[REFERENCE]
    time = base.cycles[-1]
    source = base.fields("truth", time)
    assert source is not None
    truth = comparable(source, base.stores["truth"].domain(), base.domain)
    states = {}
    for name, store in [(name, "analysis") for name in runs] + [(name, name) for name in BASELINES]:
        fields = runs.get(name, base).fields(store, time)
        assert fields is not None
        states[name] = comparable(fields, base.domain, base.domain)
    rows, arrays = [], {}
    for name, fields in states.items():
        inside = errors_inside(fields, truth, TRUTH_LEVELS, base.domain)
        for part, values in dataclasses.asdict(inside).items():
            arrays[f"{name}/{part}"] = values.astype(np.int32 if part == "block" else np.float32)
        errors = truth_rows(fields, truth, TRUTH_LEVELS, base.domain, case=case, experiment=name, time=time)
        pairs = compare_with_truth(fields, states[REFERENCE], truth, TRUTH_LEVELS, base.domain)
        for row in errors:
            pair = pairs.get(row["variable"])
            if pair is not None and not isinstance(row["level"], float):
                ends = {"ratio": pair.ratio, "low": pair.low, "high": pair.high}
                rows.append({k: row[k] for k in ("case", "experiment", "variable", "rms", "n")} | ends)
    np.savez_compressed(KEPT / f"{case}.npz", **arrays)
    return rows


def table_of_twins(cases: list[str]) -> list[dict[str, Any]]:
    """Errors against the truth of all seeds together, and their ratio to those of 3D-FGAT."""
    files = [np.load(KEPT / f"{case}.npz") for case in cases]
    everywhere = set.intersection(*({name.split("/")[0] for name in file.files} for file in files))

    def together(name: str) -> ErrorsInside:
        parts = {
            part.name: [file[f"{name}/{part.name}"] for file in files] for part in dataclasses.fields(ErrorsInside)
        }
        parts["block"] = [block + 1000 * number for number, block in enumerate(parts["block"])]
        return ErrorsInside(**{part: np.concatenate(arrays).astype(float) for part, arrays in parts.items()})

    reference, rows = together(REFERENCE), []
    for name in sorted(everywhere):
        errors = together(name)
        rms = {
            ENERGY: np.sqrt(np.average(errors.energy**2, weights=errors.mass)),
            PRESSURE: np.sqrt(np.mean(errors.pressure**2)),
        }
        for variable, pair in compare_errors(errors, reference).items():
            head = {"case": "all seeds", "experiment": name, "variable": variable, "rms": float(rms[variable])}
            rows.append(head | {"n": pair.n, "ratio": pair.ratio, "low": pair.low, "high": pair.high})
    return rows


def table_of_folds(cases: list[str]) -> list[dict[str, Any]]:
    """Pooled rms of what was withheld, and its ratio to that of 3D-FGAT."""
    rows = []
    wanted = [one for one in targets() if one.variable in (PRESSURE, TEMPERATURE, WIND)]
    pooled_targets = [one for one in wanted if isinstance(one.level, str) or one.level is None]
    pooled_targets.append(Target(HEIGHT, (50_000.0,), 50_000.0))
    for text in TIMES:
        parts = [kept_fold(KEPT / f"{case}.npz", text) for case in cases]
        everywhere = set.intersection(*(set(part.values) for part in parts))
        together = pool([part.keep(*sorted(everywhere)) for part in parts])
        for target in pooled_targets:
            found = sample(together, target)
            if not found.n:
                continue
            for name, values in found.values.items():
                pair = compare(values, found.values[REFERENCE], found.station)
                rms = float(np.sqrt(np.mean(np.sum(values**2, axis=1))))
                rows.append(
                    {
                        "time": text,
                        "experiment": name,
                        "variable": target.variable,
                        "level": target.level,
                        "n": found.n,
                        "rms": rms,
                        "ratio": pair.ratio,
                        "low": pair.low,
                        "high": pair.high,
                    }
                )
    return rows


def scores_of(rows: list[dict[str, Any]], halves: tuple[list[dict[str, Any]], ...]) -> dict[str, float]:
    """Geometric mean of the ratios by experiment: of each half, then of the halves; of those that are in all cases.

    Args:
        rows: all rows.
        halves: the rows of the twins, and those of the folds.
    """
    names = sorted({row["experiment"] for row in rows})
    found = {}
    for name in names:
        logs = [[np.log(row["ratio"]) for row in half if row["experiment"] == name] for half in halves]
        if [len(log) for log in logs] == [sum(row["experiment"] == REFERENCE for row in half) for half in halves]:
            found[name] = float(np.exp(np.mean([np.mean(log) for log in logs])))
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--out", type=Path, default=Path("out/engines"))
    names = [f"twin-{seed}" for seed in (1, 2, 3)] + [f"fold-{fold}" for fold in range(5)]
    parser.add_argument("--cases", nargs="*", default=names)
    parser.add_argument("--engines", nargs="*", default=list(ENGINES))
    parser.add_argument("--changes", type=json.loads, default={}, help="of the section assimilation, as JSON")
    given = parser.parse_args()
    KEPT.mkdir(exist_ok=True)
    for case in given.cases:
        folders = run_case(case, given.engines, given.data, given.out, given.changes)
        seconds = {name: seconds_per_cycle(folder / "analysis.store") for name, folder in folders.items()}
        seconds |= {name: seconds_per_cycle(given.out / case / f"{name}.store") for name in BASELINES}
        record: dict[str, Any] = {"case": case, "changes": given.changes, "seconds": seconds}
        if case.startswith("twin"):
            record["rows"] = keep_twin(case, folders)
        else:
            keep_fold(case, folders)
        (KEPT / f"{case}.json").write_text(json.dumps(record, indent=1) + "\n")
    write_table()


def write_table() -> None:
    """The table over all cases that are there."""
    records = [json.loads(path.read_text()) for path in sorted(KEPT.glob("*.json"))]
    folds = [record["case"] for record in records if record["case"].startswith("fold")]
    twins = [row for record in records for row in record.get("rows", [])]
    seeds = [record["case"] for record in records if record["case"].startswith("twin")]
    all_seeds = table_of_twins(seeds) if seeds else []
    pooled = table_of_folds(folds) if folds else []
    judged = [row for row in pooled if row["n"] >= MINIMUM]
    halves = tuple(half for half in (twins, judged) if half)
    result = {
        "score": scores_of([*twins, *judged], halves),
        "cases": [record["case"] for record in records],
        "seconds": {record["case"]: record["seconds"] for record in records},
        "twins": [*twins, *all_seeds],
        "folds": pooled,
    }
    (HERE / "engines.json").write_text(json.dumps(result, indent=1) + "\n")
    for row in [*twins, *all_seeds, *pooled]:
        print(
            f"{row.get('case', row.get('time')):18s} {row['experiment']:22s} {row['variable']:24s} n={row['n']:6d} "
            f"{row['rms']:9.3f}  ratio to 3D-FGAT {row['ratio']:.3f} [{row['low']:.3f}, {row['high']:.3f}]"
        )
    for name, score in sorted(result["score"].items(), key=lambda item: item[1]):
        print(f"score {name:22s} {score:.3f}")
    for case, seconds in result["seconds"].items():
        print(case, ", ".join(f"{name} {value:.0f} s" for name, value in seconds.items()))


if __name__ == "__main__":
    main()
