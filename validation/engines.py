"""All engines of the cycle on the same cases: both twins with several seeds, and the folds of Japan 1989 at 60 km.

    python -m validation.engines --data ../shared/data --out out/engines

For every case the whole chain is run once with 3D-FGAT and all baselines (free run, optimal interpolation, driving
fields); every other engine then runs its analysis from the same observations, driving fields and cold start. What is
there is not run again, so the table can be filled bit by bit. Writes, below `validation/engine_cases/`, what each case
gave: errors against the truth for a twin, departures from what no run of the fold ever saw for a fold; and
`validation/engines.json` with the table over all cases that are there: rms, ratio to 3D-FGAT with its 95 % interval,
seconds per cycle, the default engine against every other experiment, and, of the folds, of twin-1 and of twin-2 apart,
the geometric mean of the ratios. The three are never joined: see docs/twins.md. `python -m validation.tables --write`
then brings the tables of the documents up to date.
"""

from __future__ import annotations

import argparse
import dataclasses
import json
import re
import subprocess
import sys
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import numpy as np

from kaiseki.archive import RunStore
from kaiseki.archive.run import DEPARTURES, Run
from kaiseki.config import Assimilation, Experiment
from kaiseki.core.timing import parse_time
from kaiseki.experiments.twin import TWINS
from kaiseki.verification import align
from kaiseki.verification.departures import NEEDED, Departures, pool
from kaiseki.verification.paired import compare
from kaiseki.verification.run import comparable
from kaiseki.verification.scores import (
    HEIGHT,
    PRESSURE,
    TEMPERATURE,
    WIND,
    Sample,
    Target,
    sample,
    targets,
)
from kaiseki.verification.truth import (
    ENERGY,
    TRUTH_LEVELS,
    ErrorsInside,
    compare_errors,
    compare_with_truth,
    errors_inside,
    truth_rows,
)
from validation.stored_errors import calibration_of, stored_errors_of, table_of_calibration, table_of_stored_errors

HERE = Path(__file__).resolve().parent
KEPT = HERE / "engine_cases"
JAPAN = HERE.parent / "cases" / "japan-1989.toml"
MINIMUM = 15
"""Rows of fewer withheld values do not count for the score."""
TIMES = ("1989-01-02T00:00Z", "1989-01-02T06:00Z")
ENGINES = ("4dvar", "letkf", "4denvar", "hybrid")
BASELINES = {"free_run": "free run", "optimal_interpolation": "optimal interpolation"}
REFERENCE = "3dfgat"
DEFAULT = Assimilation().engine
DRIVING = "driving"
"""The driving fields themselves. Fewer observations have an equivalent in them, so that they are compared apart."""
FOLDS = "folds"
SEEDS = (1, 2, 3)
OWN = ("experiment.toml", "analysis.store", "report.html", "scores.json", "inventory.json")
"""What belongs to one engine alone in the folder of a run."""


def experiment_of(case: str, engine: str, changes: dict[str, Any]) -> Experiment:
    """The experiment of a case, "twin-<number>-seed-<seed>" or "fold-<number>", with an engine and further changes of
    `assimilation`."""
    group, number = group_of(case), int(case.rsplit("-", 1)[1])
    experiment = Experiment.load(JAPAN if group == FOLDS else TWINS[group])
    values = experiment.as_mapping()
    if group == FOLDS:
        values["observations"]["fold"] = number
    else:
        values["twin"]["seed"] = number
    values["assimilation"] = merged(values["assimilation"], {"engine": engine, **changes})
    return Experiment.from_mapping(values)


def group_of(case: str) -> str:
    """What a case is reported with: one of `TWINS`, or `FOLDS`."""
    found = re.fullmatch(rf"(?:({'|'.join(TWINS)})-seed|fold)-\d+", case)
    if found is None:
        names = ", ".join(f"{twin}-seed-<number>" for twin in TWINS)
        raise SystemExit(f"There is no case {case}: cases are called {names} or fold-<number>")
    return found[1] or FOLDS


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
    given = data if group_of(case) == FOLDS else None
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


def departures_of(
    folders: dict[str, Path],
    time: np.datetime64,
    baselines: Iterable[str] = BASELINES,
    reference_name: str = REFERENCE,
) -> Departures:
    """Departures of engines and baselines of a fold from the observations inside the rim that none of them used."""
    runs = {name: Run(folder) for name, folder in folders.items()}
    base = runs[reference_name]
    reference = base.table("analysis", time)
    assert reference is not None
    tables: dict[str, Any] = {name: (run.table("analysis", time), "analysis_departure") for name, run in runs.items()}
    tables |= {name: (base.table(name, time), DEPARTURES[name][1]) for name in baselines}
    return align(reference, tables).inside(base.domain).plausible().against("withheld")


def keep_fold(case: str, folders: dict[str, Path]) -> None:
    """Write what a fold gave."""
    arrays: dict[str, np.ndarray] = {}
    for text in TIMES:
        label = text[:13]
        parts = {label: departures_of(folders, parse_time(text))}
        if DEFAULT in folders:
            only = {name: folders[name] for name in (REFERENCE, DEFAULT)}
            parts[f"{label}+{DRIVING}"] = departures_of(only, parse_time(text), [DRIVING])
        for part, found in parts.items():
            for name in NEEDED:
                column = np.asarray(found.columns[name])
                arrays[f"{part}/columns/{name}"] = column.astype(np.str_) if column.dtype == object else column
            for name, values in found.values.items():
                arrays[f"{part}/values/{name}"] = values.astype(np.float32)
    np.savez_compressed(KEPT / f"{case}.npz", **arrays)


def kept_fold(path: Path, text: str, beside: str = "") -> Departures | None:
    """The departures of one time that `keep_fold` wrote, those with the driving fields beside them where asked for;
    None where these are not there."""
    label = text[:13] + (f"+{beside}" if beside else "")
    with np.load(path, allow_pickle=False) as file:
        if f"{label}/columns/time" not in file.files:
            return None
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
    for name, store in [(name, "analysis") for name in runs] + [(name, name) for name in (*BASELINES, DRIVING)]:
        fields = runs.get(name, base).fields(store, time)
        if fields is None and name == DRIVING:
            continue
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


def errors_of_seeds(cases: list[str]) -> dict[str, ErrorsInside]:
    """Errors against the truth of all seeds of a twin together, of the experiments that all have."""
    files = [np.load(KEPT / f"{case}.npz") for case in cases]
    everywhere = set.intersection(*({name.split("/")[0] for name in file.files} for file in files))

    def together(name: str) -> ErrorsInside:
        parts = {
            part.name: [file[f"{name}/{part.name}"] for file in files] for part in dataclasses.fields(ErrorsInside)
        }
        parts["block"] = [block + 1000 * number for number, block in enumerate(parts["block"])]
        return ErrorsInside(**{part: np.concatenate(arrays).astype(float) for part, arrays in parts.items()})

    return {name: together(name) for name in sorted(everywhere)}


def rms_of(errors: ErrorsInside) -> dict[str, float]:
    """Root mean square of the dry energy [(J kg-1)^1/2] and of surface pressure [Pa]."""
    energy = np.sqrt(np.average(errors.energy**2, weights=errors.mass))
    return {ENERGY: float(energy), PRESSURE: float(np.sqrt(np.mean(errors.pressure**2)))}


def table_of_twins(twin: str, cases: list[str]) -> list[dict[str, Any]]:
    """Errors against the truth of all seeds of a twin together, and their ratio to those of 3D-FGAT."""
    seeds, rows = errors_of_seeds(cases), []
    for name, errors in seeds.items():
        rms = rms_of(errors)
        for variable, pair in compare_errors(errors, seeds[REFERENCE]).items():
            head = {"case": f"{twin}, all seeds", "experiment": name, "variable": variable, "rms": rms[variable]}
            rows.append(head | {"n": pair.n, "ratio": pair.ratio, "low": pair.low, "high": pair.high})
    return rows


def default_of_twins(cases: list[str]) -> list[dict[str, Any]]:
    """The default engine against every other experiment, all seeds of a twin together."""
    seeds, rows = errors_of_seeds(cases), []
    if DEFAULT not in seeds:
        return []
    ours = rms_of(seeds[DEFAULT])
    for name in seeds.keys() - {DEFAULT}:
        theirs = rms_of(seeds[name])
        for variable, pair in compare_errors(seeds[DEFAULT], seeds[name]).items():
            head = {"baseline": name, "variable": variable, "rms": ours[variable], "baseline_rms": theirs[variable]}
            rows.append(head | {"n": pair.n, "ratio": pair.ratio, "low": pair.low, "high": pair.high})
    return sorted(rows, key=lambda row: (row["variable"], row["baseline"]))


def targets_of_folds() -> list[Target]:
    """What the folds are scored with."""
    wanted = [one for one in targets() if one.variable in (PRESSURE, TEMPERATURE, WIND)]
    pooled_targets = [one for one in wanted if isinstance(one.level, str) or one.level is None]
    return [*pooled_targets, Target(HEIGHT, (50_000.0,), 50_000.0)]


def pooled_folds(cases: list[str], text: str, beside: str = "") -> Departures | None:
    """The departures of one time of all folds, of the experiments that all have; None where a fold has none."""
    parts = [part for case in cases if (part := kept_fold(KEPT / f"{case}.npz", text, beside)) is not None]
    if len(parts) < len(cases):
        return None
    everywhere = set.intersection(*(set(part.values) for part in parts))
    return pool([part.keep(*sorted(everywhere)) for part in parts])


def table_of_folds(cases: list[str]) -> list[dict[str, Any]]:
    """Pooled rms of what was withheld, and its ratio to that of 3D-FGAT."""
    rows = []
    for text in TIMES:
        together = pooled_folds(cases, text)
        assert together is not None
        for target in targets_of_folds():
            found = sample(together, target)
            for name in found.values if found.n else ():
                head = {"time": text, "experiment": name, "variable": target.variable, "level": target.level}
                rms, pair = root_mean_square(found.values[name]), paired(found, name, REFERENCE)
                rows.append(head | {"n": found.n, "rms": rms, **pair})
    return rows


def default_of_folds(cases: list[str]) -> list[dict[str, Any]]:
    """The default engine against every other experiment and the driving fields, on what was withheld."""
    rows = []
    for text in TIMES:
        for beside in ("", DRIVING):
            together = pooled_folds(cases, text, beside)
            if together is None or DEFAULT not in together.values:
                continue
            names = [beside] if beside else sorted(together.values.keys() - {DEFAULT})
            for target in targets_of_folds():
                found = sample(together, target)
                for name in names if found.n else ():
                    head = {"time": text, "baseline": name, "variable": target.variable, "level": target.level}
                    rms = {"rms": found.values[DEFAULT], "baseline_rms": found.values[name]}
                    values = {key: root_mean_square(value) for key, value in rms.items()}
                    rows.append(head | {"n": found.n, **values, **paired(found, DEFAULT, name)})
    return rows


def root_mean_square(values: np.ndarray) -> float:
    """Of the lengths of vectors (n, components)."""
    return float(np.sqrt(np.mean(np.sum(values**2, axis=1))))


def paired(found: Sample, experiment: str, baseline: str) -> dict[str, float]:
    """Ratio of two rms on the same observations with its 95 % interval."""
    pair = compare(found.values[experiment], found.values[baseline], found.station)
    return {"ratio": pair.ratio, "low": pair.low, "high": pair.high}


def scores_of(rows: list[dict[str, Any]]) -> dict[str, float]:
    """Geometric mean of the ratios by experiment, of those that are in all cases of the rows."""
    whole = sum(row["experiment"] == REFERENCE for row in rows)
    found = {}
    for name in sorted({row["experiment"] for row in rows}):
        logs = [np.log(row["ratio"]) for row in rows if row["experiment"] == name]
        if len(logs) == whole:
            found[name] = float(np.exp(np.mean(logs)))
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--out", type=Path, default=Path("out/engines"))
    names = [f"{twin}-seed-{seed}" for twin in TWINS for seed in SEEDS] + [f"fold-{fold}" for fold in range(5)]
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
        record["calibration"] = {name: calibration_of(folder) for name, folder in folders.items()}
        if group_of(case) == FOLDS:
            keep_fold(case, folders)
        else:
            record["rows"] = keep_twin(case, folders)
            record["stored_errors"] = stored_errors_of(folders, REFERENCE)
        (KEPT / f"{case}.json").write_text(json.dumps(record, indent=1) + "\n")
    write_table()


def write_table() -> None:
    """The table over all cases that are there."""
    records = [json.loads(path.read_text()) for path in sorted(KEPT.glob("*.json"))]
    tables: dict[str, list[dict[str, Any]]] = {}
    defaults: dict[str, list[dict[str, Any]]] = {}
    scores = {}
    calibration, stored = {}, {}
    for group in (*TWINS, FOLDS):
        members = [record for record in records if group_of(record["case"]) == group]
        cases = [record["case"] for record in members]
        if not cases:
            continue
        calibration[group] = table_of_calibration(members)
        if group == FOLDS:
            tables[group] = table_of_folds(cases)
            scores[group] = scores_of([row for row in tables[group] if row["n"] >= MINIMUM])
            defaults[group] = default_of_folds(cases)
        else:
            stored[group] = table_of_stored_errors(members)
            seeds = [row for record in members for row in record["rows"]]
            tables[group] = [*seeds, *table_of_twins(group, cases)]
            scores[group] = scores_of(seeds)
            defaults[group] = default_of_twins(cases)
    result = {
        "scores": scores,
        "calibration": calibration,
        "stored_errors": stored,
        "cases": [record["case"] for record in records],
        "seconds": {record["case"]: record["seconds"] for record in records},
        "default_engine": {"engine": DEFAULT, **defaults},
        **tables,
    }
    (HERE / "engines.json").write_text(json.dumps(result, indent=1) + "\n")
    for row in [row for rows in tables.values() for row in rows]:
        print(
            f"{row.get('case', row.get('time')):18s} {row['experiment']:22s} {row['variable']:24s} n={row['n']:6d} "
            f"{row['rms']:9.3f}  ratio to 3D-FGAT {row['ratio']:.3f} [{row['low']:.3f}, {row['high']:.3f}]"
        )
    for group, cells in calibration.items():
        for row in cells:
            where = f"{row['experiment']:22s} {row['variable'] + ' ' + str(row['level'] or ''):32s}"
            print(f"expected over found departure, {group:8s} {where} n={row['n']:6d} {row['ratio']:.2f}")
    for group, cells in stored.items():
        for row in cells:
            where = f"{row['experiment']:22s} {row['variable']:32s}"
            print(f"stored over actual error, {group:8s} {where} n={row['n']:6d} {row['ratio']:.2f}")
    for group, found in scores.items():
        for name, score in sorted(found.items(), key=lambda item: item[1]):
            print(f"score on {group:8s} {name:22s} {score:.3f}")
    for case, seconds in result["seconds"].items():
        print(case, ", ".join(f"{name} {value:.0f} s" for name, value in seconds.items()))


if __name__ == "__main__":
    main()
