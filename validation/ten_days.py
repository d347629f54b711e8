"""Ten days of cycles of a twin at 120 km, killed and resumed at random moments.

    python -m validation.ten_days --out out/ten-days [--days 10] [--engine 3dfgat] [--kills 5] [--compare 81]

The twin is twin-1 on a coarser grid, with weather and errors of the driving fields that last
(`twin.perturbation_hours`) and a sea that changes (`twin.sea_change`). It is killed (SIGKILL) once while it is made
ready and `--kills` times in the days from the third to the last but two, each time at a random moment of a random
cycle, and started again. The same experiment is run in another folder and left alone, to its end or until `--compare`
cycles are complete; they must be the same bit for bit. What a folder holds already is not run again, and a run that is
ended goes on.

Writes `validation/ten_days_<engine>.json` and `validation/figures/ten_days_<engine>.png`:

- memory: the most that the process of the run that was left alone held on each day; it is flat if the last day needs at
  most 1.05 of the second.
- disk: what each day added to the archive. It rises a little, for every commit writes the references to the chunks of
  all hours of a month anew.
- sea: by how much its temperature of each day, as the run has it, differs from that of the start, and by how much it
  does in the flow of the twin.
- errors of wind, temperature and surface pressure against the truth by day and distance to the nearest assimilated
  sonde, of analysis, background, free run and driving; and on how many days the analysis is further from the truth than
  its background.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import signal
import subprocess
import sys
import time as clock
from collections.abc import Callable, Iterable
from itertools import pairwise
from pathlib import Path
from typing import Any, Final

import numpy as np
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from kaiseki.archive import RunStore
from kaiseki.archive.run import Run
from kaiseki.config import Experiment
from kaiseki.experiments.twin import TWINS
from kaiseki.experiments.twin.flow import Flow
from kaiseki.verification.by_distance import CLASSES

HERE = Path(__file__).resolve().parent
FLAT: Final = 1.05
"""Largest ratio of what the last day needs to what the second needs."""
FIRST = np.datetime64("1989-01-01T12:00:00")
SHOWN: Final = (("wind", 85_000.0), ("air_temperature", 85_000.0), ("wind", 25_000.0), ("surface_air_pressure", None))
EXPERIMENTS: Final = ("analysis", "background", "free_run", "driving")
DOMAIN: Final = {
    "spacing": 120_000.0,
    "shape": (28, 34),
    "reference_latitude": 36.0,
    "reference_longitude": 135.0,
    "standard_parallels": (30.0, 60.0),
    "central_longitude": 140.0,
    "rim_width": 4,
    "terrain": "analytic",
    "levels": {"number": 24, "top": 22_000.0, "first_thickness": 100.0},
}


def experiment_of(days: int, engine: str) -> Experiment:
    """The twin of some days with an engine."""
    values = Experiment.load(TWINS["twin-1"]).as_mapping()
    last = FIRST + np.timedelta64(24 * days, "h")
    values["case"] = {"name": f"ten-days-{engine}", "kind": "twin", "title": f"Twin of {days} days at 120 km, {engine}"}
    values["domain"] = DOMAIN
    values["period"] = {**values["period"], "end": f"{last}Z"}
    values["twin"] = {**values["twin"], "perturbation_hours": 24.0, "sea_change": 2.0}
    values["assimilation"] = {**values["assimilation"], "engine": engine}
    values["verification"] = {**values["verification"], "baselines": ("free_run", "driving")}
    return Experiment.from_mapping(values)


def completed(folder: Path) -> int:
    """Complete cycles of the analysis, 0 where there is no store yet."""
    store = folder / "analysis.store"
    if not RunStore.exists(store):
        return 0
    with RunStore.open(store, "r") as opened:
        return len(opened.completed_cycles())


def memory_of(process: int) -> float:
    """What a process holds in memory now [MiB]; 0 when it is gone."""
    try:
        pages = int(Path(f"/proc/{process}/statm").read_text().split()[1])
    except (OSError, IndexError):
        return 0.0
    return pages * os.sysconf("SC_PAGE_SIZE") / 2**20


def size_of(folder: Path) -> float:
    """What the files below a folder take [MiB]."""
    total = 0
    for path, _, files in os.walk(folder):
        for name in files:
            try:
                total += (Path(path) / name).stat().st_size
            except FileNotFoundError:
                continue  # tidied away meanwhile
    return total / 2**20


class Watch:
    """What a run needs, cycle by cycle; kept in a file, so that a study that is ended goes on.

    Attributes:
        memory: number of complete cycles -> the most that the process held until the next [MiB].
        disk: number of complete cycles -> size of the archive when they were complete [MiB].
        kills: numbers of complete cycles at which the run was killed.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        kept = json.loads(path.read_text()) if path.exists() else {"memory": {}, "disk": {}, "kills": []}
        self.memory: dict[int, float] = {int(number): value for number, value in kept["memory"].items()}
        self.disk: dict[int, float] = {int(number): value for number, value in kept["disk"].items()}
        self.kills: list[int] = kept["kills"]

    def look(self, process: int, folder: Path) -> int:
        """Note what is so now; returns the number of complete cycles."""
        done = completed(folder)
        self.memory[done] = max(self.memory.get(done, 0.0), memory_of(process))
        if done not in self.disk:
            self.disk[done] = size_of(folder / "analysis.store")
            self.keep()
        return done

    def keep(self) -> None:
        """Write the file."""
        content = {"memory": self.memory, "disk": self.disk, "kills": self.kills}
        self.path.write_text(json.dumps(content, indent=1) + "\n")


def follow(experiment: Experiment, folder: Path, watch: Watch, stop: Callable[[int], bool]) -> bool:
    """Run an experiment in a process of its own until it ends or `stop` (of the number of complete cycles) says so.

    Returns:
        Whether it came to its end; otherwise it was killed.
    """
    folder.parent.mkdir(parents=True, exist_ok=True)
    case = folder.with_name(f"{folder.name}.toml")
    experiment.save(case)
    with folder.with_name(f"{folder.name}.log").open("a") as log:
        command = [sys.executable, "-m", "kaiseki", "run", str(case), "--out", str(folder)]
        process = subprocess.Popen(command, stdout=log, stderr=log)
        try:
            while process.poll() is None:
                if stop(watch.look(process.pid, folder)):
                    process.send_signal(signal.SIGKILL)
                    break
                clock.sleep(0.5)
        finally:
            process.kill()
            process.wait()
    if process.returncode not in (0, -signal.SIGKILL):
        raise SystemExit(f"The run in {folder} ended with exit code {process.returncode}; see {log.name}")
    return process.returncode == 0


def at_cycle(number: int, delay: float) -> Callable[[int], bool]:
    """Whether `number` cycles have been complete for `delay` seconds."""
    since: list[float] = []

    def stop(done: int) -> bool:
        if done >= number and not since:
            since.append(clock.monotonic())
        return bool(since) and clock.monotonic() - since[0] >= delay

    return stop


def killed_and_resumed(experiment: Experiment, folder: Path, days: int, kills: int, seed: int) -> Watch:
    """Run an experiment to its end, killed on the way."""
    watch = Watch(folder.with_name(f"{folder.name}.watch.json"))
    draw = random.Random(seed)
    per_day = round(24 / experiment.period.window_hours)
    within = range(2 * per_day + 1, max((days - 2) * per_day, 2 * per_day + 2))
    chosen = sorted(draw.sample(within, min(kills, len(within))))
    moments = [(0, draw.uniform(5.0, 120.0)), *((number, draw.uniform(0.0, 20.0)) for number in chosen)]
    for number, delay in moments[len(watch.kills) :]:
        if follow(experiment, folder, watch, at_cycle(number, delay)):
            break
        watch.kills.append(completed(folder))
        watch.keep()
    follow(experiment, folder, watch, lambda _: False)
    watch.keep()
    return watch


def differences(one: Path, other: Path, cycles: int) -> list[str]:
    """What is not the same bit for bit in the first cycles of two runs: fields of every hour and observations."""
    a, b = Run(one), Run(other)
    wrong = []
    end = a.cycles[cycles - 1]
    for background in (False, True):
        times: Iterable[np.datetime64] = a.analysis.times if background else a.cycles
        for time in times:
            if time > end:
                continue
            fields = [run.fields("analysis", time, background=background) for run in (a, b)]
            if fields[0] is None or fields[1] is None:
                wrong += [f"{time}: not in both"] if fields[0] is not fields[1] else []
                continue
            names = set(fields[0].data_vars) ^ set(fields[1].data_vars)
            both = set(fields[0].data_vars) & set(fields[1].data_vars)
            names |= {name for name in both if fields[0][name].values.tobytes() != fields[1][name].values.tobytes()}
            wrong += [f"{time}: {name}" for name in sorted(map(str, names))]
    for time in a.cycles[:cycles]:
        tables = [run.table("analysis", time) for run in (a, b)]
        if tables[0] is None or tables[1] is None:
            wrong += [f"{time}: observations"] if tables[0] is not tables[1] else []
            continue
        for name, column in tables[0].items():
            equal_nan = column.dtype.kind == "f"
            if not np.array_equal(column, tables[1][name], equal_nan=equal_nan):
                wrong.append(f"{time}: observations, {name}")
    return wrong


def change_of_sea(folder: Path, experiment: Experiment, per_day: int) -> dict[str, list[float]]:
    """Root mean square over the sea of what its temperature has changed since the cold start, by day [K]: in the run,
    and in the flow of the twin, whose waves the coarse weather around the region flattens a little."""
    run, origin = Run(folder), experiment.period.first
    twin = experiment.twin
    assert twin is not None
    flow = Flow.drawn(twin.seed, sea_change=twin.sea_change)
    first, *days = run.cycles[::per_day]
    start = run.fields("analysis", first)
    assert start is not None
    domain = run.analysis.domain()
    sea = domain.land_fraction == 0.0
    found: dict[str, list[float]] = {"run": [], "flow": []}
    for time in days:
        now = run.fields("analysis", time)
        assert now is not None
        in_run = now["sst"].values - start["sst"].values
        seconds = float((time - origin) / np.timedelta64(1, "s"))
        after, before = (flow.sea_temperature(domain.lat, domain.lon, t) for t in (seconds, 0.0))
        for name, change in (("run", in_run), ("flow", after - before)):
            found[name].append(float(np.sqrt(np.mean(change[sea] ** 2))))
    return found


def by_day(values: dict[int, float], per_day: int, days: int, of: Callable[[list[float]], float]) -> list[float]:
    """A number of each day, of the values of its cycles; NaN where there are none."""
    found = []
    for day in range(1, days + 1):
        # The cold start is complete as the first; then, while `number` are complete, the one after it is at work.
        chosen = [value for number, value in values.items() if (day - 1) * per_day < number <= day * per_day]
        found.append(of(chosen) if chosen else float("nan"))
    return found


def added(disk: dict[int, float], per_day: int, days: int) -> list[float]:
    """What each day added to the archive [MiB]; NaN where its ends were not seen."""
    ends = [disk.get(day * per_day + 1, float("nan")) for day in range(days + 1)]
    return [after - before for before, after in pairwise(ends)]


def table_of(rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Errors against the truth over all days by quantity and distance, and the days on which the analysis is further
    from it than its background."""
    result = []
    for variable, level in SHOWN:
        for distance in CLASSES:
            chosen = [
                row
                for row in rows
                if (row.get("distance"), row["against"], row["variable"], row["level"])
                == (distance, "truth", variable, level)
            ]
            rms = {
                (name, row["time"]): row["rms"] for row in chosen for name in EXPERIMENTS if row["experiment"] == name
            }
            days = sorted({row["time"] for row in chosen})
            if not days:
                continue
            one: dict[str, Any] = {"variable": variable, "level": level, "distance": distance, "days": len(days)}
            for name in EXPERIMENTS:
                mine = [row for row in chosen if row["experiment"] == name]
                if mine:
                    total = sum(row["n"] * row["rms"] ** 2 for row in mine)
                    one[name] = float(np.sqrt(total / sum(row["n"] for row in mine)))
                    one[f"{name}_by_day"] = [rms.get((name, day)) for day in days]
            one["days_worse"] = sum(rms["analysis", day] > rms["background", day] for day in days)
            result.append(one)
    return result


def ratio(values: list[float]) -> float | None:
    """The last day in units of the second; None where one of them is not known."""
    found = values[-1] / values[1] if len(values) > 2 else float("nan")
    return float(found) if np.isfinite(found) else None


def draw(result: dict[str, Any], path: Path) -> None:
    """Errors of wind at 850 hPa by day and distance, and what each day needed."""
    figure = Figure(figsize=(9.0, 6.4), layout="constrained")
    FigureCanvasAgg(figure)
    colours = {"analysis": "#0072B2", "background": "#56B4E9", "free_run": "#D55E00", "driving": "#6b7783"}
    plots = figure.subplots(2, 2)
    errors = {row["distance"]: row for row in result["table"] if (row["variable"], row["level"]) == SHOWN[0]}
    every = [
        value for row in errors.values() for name in EXPERIMENTS for value in row.get(f"{name}_by_day", ()) if value
    ]
    most = max(every, default=1.0)
    for axes, (distance, (least, end)) in zip(plots.flat, CLASSES.items(), strict=False):
        title = f"{least / 1e3:.0f} to {end / 1e3:.0f} km" if np.isfinite(end) else f"beyond {least / 1e3:.0f} km"
        axes.set_title(f"{title} from the nearest assimilated sonde", fontsize=9, loc="left")
        axes.set_ylabel("error of wind, 850 hPa [m/s]", fontsize=8)
        axes.set_ylim(0.0, 1.05 * most)
        for name in EXPERIMENTS:
            values = errors.get(distance, {}).get(f"{name}_by_day")
            if values:
                axes.plot(range(1, len(values) + 1), values, marker="o", ms=3, color=colours[name], label=name)
        axes.set_xlabel("day with soundings", fontsize=8)
    plots.flat[0].legend(fontsize=7)
    axes = plots.flat[3]
    days = range(1, len(result["memory_mib"]) + 1)
    axes.set_title("what each day needed", fontsize=9, loc="left")
    axes.plot(days, result["memory_mib"], marker="o", ms=3, color="#009E73", label="most memory [MiB]")
    axes.plot(days, 10.0 * np.array(result["disk_mib"]), marker="s", ms=3, color="#CC79A7", label="disk [0.1 MiB]")
    axes.set_ylim(bottom=0.0)
    axes.set_xlabel("day", fontsize=8)
    axes.legend(fontsize=7)
    path.parent.mkdir(exist_ok=True)
    figure.savefig(path, dpi=130)


def main() -> None:
    """Run, compare, write."""
    parser = argparse.ArgumentParser(description=str(__doc__).split("\n", 1)[0])
    parser.add_argument("--out", type=Path, default=Path("out/ten-days"))
    parser.add_argument("--days", type=int, default=10)
    parser.add_argument("--engine", default="3dfgat")
    parser.add_argument("--kills", type=int, default=5)
    parser.add_argument("--compare", type=int, help="cycles of the run that is left alone; all by default")
    parser.add_argument("--seed", type=int, default=1, help="of the moments of the kills")
    given = parser.parse_args()
    experiment = experiment_of(given.days, given.engine)
    folder, alone = given.out / given.engine, given.out / f"{given.engine}-alone"
    watch = killed_and_resumed(experiment, folder, given.days, given.kills, given.seed)
    per_day = round(24 / experiment.period.window_hours)
    compare = given.compare or per_day * given.days + 1
    calm = Watch(alone.with_name(f"{alone.name}.watch.json"))
    if completed(alone) < compare:
        follow(experiment, alone, calm, at_cycle(compare, 0.0))
    memory = by_day(calm.memory, per_day, given.days, max)
    disk = added(calm.disk, per_day, given.days)
    rows = json.loads((folder / "scores.json").read_text())
    result = {
        "engine": given.engine,
        "days": given.days,
        "killed_after_cycles": watch.kills,
        "memory_mib": memory,
        "memory_last_over_second": ratio(memory),
        "disk_mib": disk,
        "disk_last_over_second": ratio(disk),
        "sea_change_k": change_of_sea(folder, experiment, per_day),
        "cycles_compared": compare,
        "differences": differences(alone, folder, compare),
        "table": table_of(rows),
    }
    text = json.dumps(result, indent=1).replace("NaN", "null")
    (HERE / f"ten_days_{given.engine}.json").write_text(text + "\n")
    draw(result, HERE / "figures" / f"ten_days_{given.engine}.png")
    flat = result["memory_last_over_second"]
    print(f"last day over second: memory {flat} (at most {FLAT}), disk {result['disk_last_over_second']}")
    print(f"differences in {compare} cycles: {result['differences'] or 'none'}")
    for row in result["table"]:
        numbers = ", ".join(f"{name} {row[name]:.3g}" for name in EXPERIMENTS if name in row)
        worse = f"worse on {row['days_worse']} of {row['days']} days"
        print(f"{row['variable']} {row['level']} {row['distance']} km: {numbers}; {worse}")
    if result["differences"] or (flat is not None and flat > FLAT):
        raise SystemExit(1)


if __name__ == "__main__":
    main()
