"""The tables of the documents, made from the JSON files beside this module and in `benchmarks/`.

    python -m validation.tables            # print them
    python -m validation.tables --write    # put them into README.md and docs/

A table stands in a document between `<!-- table: NAME -->` and `<!-- end of table -->`; what is between the two is
replaced. `tests/validation/test_tables.py` fails where a document does not hold what this command prints, so that a new
run of a study and this command bring the documents up to date.
"""

from __future__ import annotations

import argparse
import dataclasses
import json
import re
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any

from kaiseki.config import Assimilation
from validation import precipitation_tables as rain

HERE = Path(__file__).resolve().parent
ROOT = HERE.parent
DOCUMENTS = ("README.md", "docs/results.md", "docs/costs.md")
"""Documents with tables, relative to the repository."""
BLOCK = re.compile(r"(<!-- table: ([a-z0-9-]+) -->\n)(.*?)(<!-- end of table -->)", re.DOTALL)

Rows = list[dict[str, Any]]

DEFAULT = Assimilation().engine
NAMES = {
    "free_run": "no assimilation",
    "driving": "driving fields",
    "optimal_interpolation": "optimal interpolation",
    "3dfgat": "3D-FGAT",
    "4dvar": "4D-Var",
    "letkf": "LETKF",
    "4denvar": "4DEnVar",
    "hybrid": "hybrid 4D-Var",
}
"""Experiments in the order of the tables, and what they are called there."""
COMPARED = ("free_run", "driving", "optimal_interpolation", "3dfgat")
"""What the default engine is compared with."""
QUANTITIES = {
    "surface_air_pressure": ("surface pressure", "Pa", 1),
    "air_temperature": ("temperature, 850-250 hPa", "K", 3),
    "wind": ("vector wind, 850-250 hPa", "m/s", 2),
    "geopotential_height": ("height, 500 hPa", "m", 2),
    "dry_total_energy": ("dry energy norm", "(J kg-1)^1/2", 2),
}
"""What is scored: words, unit, digits behind the point."""
DRIVEN = {
    "eastward_wind_10m": ("eastward wind at 10 m, m/s", 1.0, 2),
    "northward_wind_10m": ("northward wind at 10 m, m/s", 1.0, 2),
    "sea_level_pressure": ("pressure at mean sea level, hPa", 0.01, 2),
    "temperature_2m": ("temperature at 2 m, K", 1.0, 2),
    "specific_humidity_2m": ("specific humidity at 2 m, g/kg", 1e3, 2),
    "column_vapour": ("water vapour of the column, kg/m2", 1.0, 2),
}
"""Errors of the forecast driven by MERRA-2 in the tables: words, factor, digits behind the point."""
DRIVEN_FLUXES = {
    "sensible_heat": "sensible heat flux, W/m2",
    "latent_heat": "latent heat flux, W/m2",
    "shortwave_down": "solar radiation at the ground, W/m2",
    "longwave_down": "thermal radiation down at the ground, W/m2",
    "outgoing_longwave": "thermal radiation to space, W/m2",
    "precipitation": "precipitation, mm in 21 h",
}
"""Means of the forecast driven by MERRA-2 in the tables."""
MINIMUM = 15
"""Rows of fewer values are left out, as they are from the scores (`validation.engines.MINIMUM`)."""


def read(name: str) -> Any:
    """A JSON file of the repository."""
    return json.loads((ROOT / name).read_text(encoding="utf-8"))


def markdown(head: Iterable[str], rows: Iterable[Iterable[str]]) -> str:
    """A table; cells of one column are not aligned, so that a change of one is a change of one line."""
    columns = list(head)
    lines = [columns, ["---"] * len(columns), *(list(row) for row in rows)]
    return "\n".join(f"| {' | '.join(cell.replace('|', '/') for cell in line)} |" for line in lines)


def interval(row: dict[str, Any], digits: int = 2) -> str:
    """A ratio with its interval."""
    return f"{row['ratio']:.{digits}f} ({row['low']:.{digits}f} to {row['high']:.{digits}f})"


def less(row: dict[str, Any]) -> str:
    """By how many per cent the error is less than that of a baseline, with its interval."""
    low, middle, high = (round(100.0 * (1.0 - row[name])) + 0 for name in ("high", "ratio", "low"))
    return f"{middle} ({low} to {high})"


def reduction(row: dict[str, Any]) -> str:
    """The same of a row of a scorecard."""
    low, middle, high = (round(100.0 * row[name]) + 0 for name in ("reduction_low", "reduction", "reduction_high"))
    return f"{middle} ({low} to {high})"


def clock(time: str) -> str:
    """Hour of a time, "00Z"."""
    return f"{time[11:13]}Z"


def quantity(row: dict[str, Any], time: str | None) -> str:
    """Words and unit of what a row scores."""
    words, unit, _ = QUANTITIES[row["variable"]]
    return f"{words}{f', {clock(time)}' if time else ''} ({unit})"


def key(row: dict[str, Any]) -> tuple[str, str]:
    """What a column of a table of scores is of."""
    return row["variable"], row.get("time", "")


def columns_of(rows: Rows) -> list[tuple[str, str]]:
    """Columns of a table of scores, those of few values left out, in the order of `QUANTITIES`."""
    found = {key(row) for row in rows if row["n"] >= MINIMUM}
    return sorted(found, key=lambda one: (list(QUANTITIES).index(one[0]), one[1]))


def default_rows(group: str) -> Rows:
    """The default engine against its baselines on a group of cases; for 1989, where these were not kept with the
    driving fields, those of the cross-validation with whatever engine it ran."""
    known = read("validation/engines.json").get("default_engine", {})
    rows: Rows = [row | {"engine": known["engine"]} for row in known.get(group, [])]
    if group == "folds" and not any(row["baseline"] == "driving" for row in rows):
        study = read("validation/japan_1989_crossval.json")
        for row in study["scorecard"]:
            if (row["experiment"], row["baseline"], row["against"]) == ("analysis", "driving", "withheld"):
                ends = {"low": 1.0 - row["reduction_high"], "high": 1.0 - row["reduction_low"]}
                rows.append(row | {"ratio": 1.0 - row["reduction"], "engine": study["engine"], **ends})
    return [row for row in rows if row["baseline"] in COMPARED and row["baseline"] != row["engine"]]


def default_engine(group: str) -> str:
    """How much less the error of the default engine is than that of every baseline, on the same values."""
    rows = default_rows(group)
    if not rows:
        return not_run(group)
    names = [name for name in COMPARED if any(row["baseline"] == name for row in rows)]
    found = {(*key(row), row["baseline"]): row for row in rows}
    lines = []
    for one in columns_of(rows):
        own = next(row for name in names if (row := found.get((*one, name))) and row["engine"] == DEFAULT)
        cells = []
        for name in names:
            row = found.get((*one, name))
            remark = f", n = {row['n']}" if row and row["n"] != own["n"] else ""
            cells.append(f"{less(row)}{remark}" if row else "")
        rms = f"{own['rms']:.{QUANTITIES[one[0]][2]}f}"
        lines.append([quantity({"variable": one[0]}, one[1]), str(own["n"]), rms, *cells])
    ran = {name: next(row["engine"] for row in rows if row["baseline"] == name) for name in names}
    words = (NAMES[name] + ("" if ran[name] == DEFAULT else f" (of {NAMES[ran[name]]})") for name in names)
    return markdown([f"error of {NAMES[DEFAULT]}", "n", "rms", *(f"less than {one}, %" for one in words)], lines)


def not_run(group: str) -> str:
    """In place of a table that has no cases yet."""
    return f"`validation/engines.json` holds no run of {group} yet."


def engines(group: str) -> str:
    """All engines on a group of cases: ratio of the error to that of 3D-FGAT, whose own error stands in its row."""
    study = read("validation/engines.json")
    rows = [row for row in study.get(group, []) if group == "folds" or "all seeds" in row["case"]]
    if not rows:
        return not_run(group)
    columns = columns_of(rows)
    found = {(row["experiment"], *key(row)): row for row in rows}
    counts = [found["3dfgat", *one]["n"] for one in columns]
    head = [f"{quantity({'variable': name}, time)}, n = {n}" for (name, time), n in zip(columns, counts, strict=True)]
    lines = []
    for experiment, words in NAMES.items():
        if not any(row["experiment"] == experiment for row in rows):
            continue
        cells = []
        for one in columns:
            row = found[experiment, *one]
            own = f"1 = {row['rms']:.{QUANTITIES[one[0]][2]}f}"
            cells.append(own if experiment == "3dfgat" else interval(row))
        lines.append([words, *cells, seconds(study["seconds"], group, experiment)])
    return markdown(["engine", *head, "seconds per cycle"], lines)


def seconds(of_cases: dict[str, dict[str, float]], group: str, experiment: str) -> str:
    """Median over the cases of a group of the seconds of a cycle."""
    prefix = "fold" if group == "folds" else group
    found = sorted(of[experiment] for case, of in of_cases.items() if case.startswith(prefix) and experiment in of)
    return f"{found[len(found) // 2]:.0f}" if found else ""


def scores() -> str:
    """Geometric means of the ratios to 3D-FGAT, one column per group of cases, which are not joined."""
    found = read("validation/engines.json")["scores"]
    groups = [group for group in ("folds", "twin-2", "twin-1") if group in found]
    lines = []
    for experiment, words in NAMES.items():
        if any(experiment in found[group] for group in groups):
            cells = [f"{found[group][experiment]:.3f}" if experiment in found[group] else "" for group in groups]
            lines.append([words + (" (default)" if experiment == DEFAULT else ""), *cells])
    return markdown(["engine", *("Japan 1989" if group == "folds" else group for group in groups)], lines)


def estimated() -> str:
    """Japan 1989 with three sets of errors: rms with those set by hand, and the ratios of the others to it."""
    study = read("validation/estimated_errors.json")
    lines = []
    for time, rows in study["rows"].items():
        found = {(row["errors"], row["variable"]): row for row in rows if row["n"] >= MINIMUM}
        for name, (_, _, digits) in QUANTITIES.items():
            if (own := found.get(("by hand", name))) is None:
                continue
            cells = (interval(found[errors, name]) for errors in ("defaults", "estimated"))
            lines.append([quantity(own, time), str(own["n"]), f"{own['rms']:.{digits}f}", *cells])
    engine = NAMES[study["engine"]]
    return markdown(
        [engine, "n", "rms, errors set by hand", "ratio with the defaults", "ratio with the estimate"], lines
    )


def calibration() -> str:
    """Expected over found departures from withheld stations, and for twins stored over actual error, by engine."""
    study = read("validation/engines.json")
    groups = [group for group in ("folds", "twin-2", "twin-1") if group in study["calibration"]]
    columns = [
        (f"{'Japan 1989' if one == 'folds' else one}, at withheld stations", study["calibration"][one])
        for one in groups
    ]
    columns += [(f"{one}, against the truth", rows) for one, rows in study["stored_errors"].items()]
    lines = []
    for experiment, words in NAMES.items():
        for name, (quantity_words, _, _) in QUANTITIES.items():
            cells = []
            for _, rows in columns:
                row = next((row for row in rows if (row["experiment"], row["variable"]) == (experiment, name)), None)
                cells.append(f"{row['ratio']:.2f} (n = {row['n']})" if row else "")
            if any(cells):
                lines.append([words, quantity_words, *cells])
    return markdown(["engine", "quantity", *(head for head, _ in columns)], lines)


def crossval() -> str:
    """Analysis and background of the cross-validation against its baselines."""
    study = read("validation/japan_1989_crossval.json")
    rows = [row for row in study["scorecard"] if row["against"] == "withheld" and row["n"] >= MINIMUM]
    found = {(row["experiment"], *key(row), row["baseline"]): row for row in rows}
    baselines = [name for name in COMPARED if any(row["baseline"] == name for row in rows)]
    lines = []
    for experiment in ("analysis", "background"):
        for one in columns_of(rows):
            those = [found[experiment, *one, name] for name in baselines]
            digits = QUANTITIES[one[0]][2]
            cells = [f"{reduction(row)} of {row['baseline_rms']:.{digits}f}" for row in those]
            head = [experiment, quantity({"variable": one[0]}, one[1]), str(those[0]["n"])]
            lines.append([*head, f"{those[0]['rms']:.{digits}f}", *cells])
    engine, preset = NAMES[study["engine"]], study["preset"]
    head = [f"{engine}, {preset}", "quantity", "n", "rms"]
    return markdown([*head, *(f"less than {NAMES[name]}, %" for name in baselines)], lines)


def allowed() -> str:
    """How near the departures of other stations bring any interpolation of them."""
    lines, found = [], read("validation/what_the_data_allow.json")
    engine = NAMES[found.pop("engine")]
    for name, row in found.items():
        best, digits = f"{100 * row['reduction_at_best']:.0f}", 3 if "temperature" in name else 2
        values = (f"{row[column]:.{digits}f}" for column in ("free_run", "interpolated", "analysis"))
        lines.append([name.replace("_", " "), str(row["n"]), *values, best])
    return markdown(
        ["quantity (K, m/s, m, Pa)", "n", "no assimilation", "best interpolation", engine, "best is less by, %"],
        lines,
    )


def heights() -> str:
    """Reported thickness less that of the temperatures of the same ascents."""
    found = read("validation/heights_and_temperatures.json")
    lines = [[name, str(row["n"]), f"{row['mean']:+.1f}", f"{row['rms']:.1f}"] for name, row in found.items()]
    return markdown(["WMO block", "ascents", "mean, m", "rms, m"], lines)


def published() -> str:
    """The cases of `results.json`: rows, rows that pass, and what they rest on."""
    rows = read("validation/results.json")
    lines = []
    for case in sorted({row["case"] for row in rows}):
        those = [row for row in rows if row["case"] == case]
        basis = Counter(row["basis"] for row in those)
        words = ", ".join(f"{basis[name]} {name}" for name in ("published", "law", "peer", "chosen") if basis[name])
        provisional = sum(bool(row["provisional"]) for row in those)
        passed = sum(row["pass"] for row in those)
        lines.append([f"`{case}`", str(len(those)), str(passed), words, str(provisional) if provisional else ""])
    return markdown(["case", "rows", "pass", "what the numbers rest on", "provisional"], lines)


def row_lines(rows: Rows, *, with_case: bool) -> Iterator[list[str]]:
    """Lines of rows of `results.json`."""
    for row in rows:
        head = [f"`{row['case']}`"] if with_case else []
        verdict = [] if with_case else ["yes" if row["pass"] else "no"]
        yield [*head, row["quantity"], f"{row['ours']:.3g}", f"{row['criterion']} {row['published']:.3g}", *verdict]


def failing() -> str:
    """Rows of `results.json` that miss their criterion."""
    rows = [row for row in read("validation/results.json") if not row["pass"]]
    return markdown(["case", "quantity", "ours", "wanted"], row_lines(rows, with_case=True)) if rows else "None."


def case_rows(case: str) -> str:
    """All rows of one case of `results.json`."""
    rows = [row for row in read("validation/results.json") if row["case"] == case]
    return markdown(["quantity", "ours", "wanted", "passes"], row_lines(rows, with_case=False))


def forecast_speed() -> str:
    """What `benchmarks/forecast.py` measured."""
    found = read("benchmarks/forecast_cpu.json")
    lines = []
    for size, parts in ((size, value) for size, value in found.items() if isinstance(value, dict) and "x" in size):
        for name, one in parts.items():
            if "cpu_us_per_cell_step" not in one:
                continue
            hour = one.get("seconds_per_simulated_hour")
            compiling = one.get("compile_seconds", one.get("first_call_seconds"))
            lines.append(
                [size, name, f"{one['wall_us_per_cell_step']:.2f}", f"{one['cpu_us_per_cell_step']:.2f}",
                 f"{hour:.0f}" if hour else "", f"{compiling:.0f}", f"{one['peak_memory_bytes'] / 1e9:.1f}"]
            )  # fmt: skip
    head = ["cells", "program", "wall µs per cell and step", "CPU µs", "s per simulated hour", "compiling, s"]
    return markdown([*head, "peak memory, GB"], lines)


def whole_runs() -> str:
    """What `benchmarks/whole_run.py` measured beside what had been announced."""
    lines = []
    for path in sorted((ROOT / "benchmarks").glob("whole_run_*.json")):
        one = json.loads(path.read_text(encoding="utf-8"))
        engine = one.get("engine", path.stem.rsplit("_", 1)[1])
        took = one["seconds"]
        lines.append(
            [one["preset"], NAMES[engine], f"{took['preparation'] / 60:.1f}", f"{took['analysis'] / 60:.1f}",
             f"{one['announced']['seconds'] / 60:.1f}", f"{one['peak_memory'] / 1e9:.1f}",
             f"{one['announced']['memory'] / 1e9:.1f}", str(one["cores"]), f"{one['load_before']:.1f}"]
        )  # fmt: skip
    head = ["preset", "engine", "preparation, min", "analysis, min", "announced, min", "peak memory, GB"]
    return markdown([*head, "announced, GB", "cores", "load before"], lines)


def driven_errors() -> str:
    """Errors of the forecast driven by MERRA-2, those of persistence in brackets."""
    found = read("validation/driven_forecast.json")["merra2"]
    lines = []
    for name, (words, factor, digits) in DRIVEN.items():
        one = found["instant"][name]
        pairs = [[factor * one[kind][hour] for kind in ("rms", "persistence")] for hour in (6, 12, 18, 21)]
        lines.append([words, *(f"{ours:.{digits}f} ({still:.{digits}f})" for ours, still in pairs)])
    return markdown([f"n = {found['points']['all']}", "+6 h", "+12 h", "+18 h", "+21 h"], lines)


def driven_fluxes() -> str:
    """Means over 21 hours of the forecast and of MERRA-2, over land and over sea."""
    found = read("validation/driven_forecast.json")["merra2"]
    lines = []
    for name, words in DRIVEN_FLUXES.items():
        cells = []
        for place in ("land", "sea"):
            both = found["mean"][name][place]
            total = sum if name == "precipitation" else lambda a: sum(a) / len(a)
            digits = 2 if name == "precipitation" else 0
            cells += [f"{total(both[who]):.{digits}f}" for who in ("ours", "theirs")]
        clear = found["clear_sky"].get(name)
        cells += [f"{clear['ours']:.0f}", f"{clear['theirs']:.0f}"] if clear else ["", ""]
        lines.append([words, *cells])
    head = ["mean of 21 h"]
    for place in ("land", "sea", "clear sky"):
        head += [f"{place}: forecast", f"{place}: MERRA-2"]
    return markdown(head, lines)


def driven_rain() -> str:
    """Rain of the day of convection."""
    found = read("validation/driven_forecast.json")["ruc13"]
    lines = []
    for who, words in (("stage2", "Stage II"), ("ours", "forecast"), ("wrf", "WRF, which drives")):
        one = found["day"][who]
        parts = [f"{100 * part:.0f}" for part in one["part_above"].values()]
        skill = one.get("fractions_skill", {})
        skills = [", ".join(f"{skill[t][w]:.2f}" for w in ("1", "5")) if skill else "" for t in ("1", "5")]
        lines.append([words, f"{one['mean']:.2f}", f"{one['largest']:.0f}", *parts, *skills])
    head = [f"n = {found['boxes']} boxes", "mean, mm", "largest, mm", "1 mm or more, % of area", "5 mm", "10 mm"]
    return markdown([*head, "skill, 1 mm, 41 and 203 km", "skill, 5 mm"], lines)


def driven_rain_by_lead() -> str:
    """Scores of three-hourly rain by hours from the start of the forecast."""
    rows = [row for row in read("validation/driven_forecast.json")["ruc13"]["three_hourly"] if row["threshold"] == 1.0]
    lines = []
    for row in rows:
        scores = [row[name] for name in ("threat", "frequency_bias", "fractions_skill_3")]
        hours = f"{int(row['lead']) - 3} to {row['lead']}" if "lead" in row else "0 to 24"
        found = [str(row[name]) for name in ("hits", "misses", "false_alarms")]
        lines.append([row["source"], hours, *found, *("" if one is None else f"{one:.2f}" for one in scores)])
    head = ["forecast", "hours", "hits", "misses", "false alarms", "threat score", "frequency bias"]
    return markdown([*head, "fractions skill, 180 km"], lines)


def ten_days() -> str:
    """Errors of ten days of the twin by distance to the nearest assimilated sonde, of the engines that were tried."""
    names = [engine for engine in ("3dfgat", DEFAULT) if (HERE / f"ten_days_{engine}.json").exists()]
    found = {engine: read(f"validation/ten_days_{engine}.json") for engine in names}
    lines, distances = [], {"0-300": "0 to 300", "300-700": "300 to 700", "700-": "over 700"}
    for rows in zip(*(one["table"] for one in found.values()), strict=True):
        first = rows[0]
        words, unit, digits = QUANTITIES[first["variable"]]
        level = f" {first['level'] / 100:.0f} hPa" if first["level"] else ""
        own = [
            text
            for row in rows
            for text in (
                f"{row['analysis']:.{digits}f} ({row['background']:.{digits}f})",
                f"{row['days_worse']} of {row['days']}",
            )
        ]
        around = [f"{first[name]:.{digits}f}" for name in ("free_run", "driving")]
        lines.append([f"{words.split(',')[0]}{level} ({unit})", distances[first["distance"]], *own, *around])
    heads = [text for engine in found for text in (f"{NAMES[engine]}: analysis (background)", "worse on days")]
    return markdown(["error", "km", *heads, "no assimilation", "driving fields"], lines)


def presets() -> str:
    """What a run of `cases/japan-1989.toml` announces for each preset, before it starts."""
    from kaiseki.config import Experiment
    from kaiseki.core.progress import duration
    from kaiseki.experiments.cost import estimate
    from kaiseki.grid.presets import preset

    experiment = Experiment.load(ROOT / "cases" / "japan-1989.toml")
    lines = []
    for name in ("japan-60km", "japan-40km", "japan-20km", "japan-5km-76", "japan-5km-96"):
        domain = preset(name)
        costs = {}
        for engine in ("3dfgat", "4dvar", "hybrid"):
            section = dataclasses.replace(experiment.assimilation, engine=engine)
            costs[engine] = estimate(dataclasses.replace(experiment, assimilation=section), domain)
        one = costs["3dfgat"]
        times = (duration(cost.seconds) for cost in costs.values())
        memory = (f"{costs[engine].memory / 1e9:.1f}" for engine in ("3dfgat", "hybrid"))
        lines.append([f"`{name}`", f"{one.cells / 1e6:.3g}", f"{one.steps} of {one.step:g} s", *memory, *times])
    head = ["preset", "million cells", "steps", "GB, 3D-FGAT", "GB, hybrid", "3D-FGAT", "4D-Var", "hybrid"]
    return markdown(head, lines)


TABLES: dict[str, Callable[[], str]] = {
    "default-1989": lambda: default_engine("folds"),
    "engines-1989": lambda: engines("folds"),
    "crossval-1989": crossval,
    "estimated-1989": estimated,
    "allowed-1989": allowed,
    "heights-1989": heights,
    "default-twin-2": lambda: default_engine("twin-2"),
    "engines-twin-2": lambda: engines("twin-2"),
    "default-twin-1": lambda: default_engine("twin-1"),
    "engines-twin-1": lambda: engines("twin-1"),
    "scores": scores,
    "calibration": calibration,
    "published": published,
    "failing": failing,
    "inner-model": lambda: case_rows("inner_model"),
    "lorenz96": lambda: case_rows("lorenz96"),
    "quasi-geostrophic": lambda: case_rows("quasi_geostrophic"),
    "observation-impact": lambda: case_rows("observation_impact"),
    "ten-days": ten_days,
    "driven-errors": driven_errors,
    "driven-rows": lambda: case_rows("driven_forecast"),
    "driven-fluxes": driven_fluxes,
    "driven-rain": driven_rain,
    "driven-rain-by-lead": driven_rain_by_lead,
    "forecast-speed": forecast_speed,
    "whole-runs": whole_runs,
    "presets": presets,
    "rain-radolan": lambda: markdown(*rain.methods(read("validation/precipitation_radolan.json")["by stations"])),
    "rain-radolan-squares": lambda: markdown(
        *rain.methods(read("validation/precipitation_radolan.json")["by 20-km squares"])
    ),
    "rain-other-tools": lambda: markdown(*rain.other_tools(read("validation/other_tools.json")["by stations"])),
    "rain-other-tools-squares": lambda: markdown(
        *rain.other_tools(read("validation/other_tools.json")["by 20-km squares"])
    ),
    "rain-japan": lambda: markdown(*rain.methods(read("validation/precipitation_japan.json")["by stations"])),
    "rain-japan-squares": lambda: markdown(
        *rain.methods(read("validation/precipitation_japan.json")["by 20-km squares"])
    ),
    "rain-agreement": lambda: markdown(*rain.agreement(read("validation/precipitation_japan.json"))),
    "rain-scans": lambda: markdown(*rain.scans(read("validation/precipitation_japan.json"))),
    "rain-openmrg": lambda: markdown(*rain.methods(read("validation/precipitation_openmrg.json")["by gauges"])),
    "rain-month": lambda: markdown(*rain.month(read("validation/precipitation_month.json"))),
    "rain-day": lambda: markdown(*rain.day(read("validation/precipitation_month.json"))),
}
"""Tables by the name that stands in the documents."""


def filled(text: str) -> str:
    """A document with its tables made anew.

    Raises:
        KeyError: it asks for a table that there is not.
    """
    return BLOCK.sub(lambda found: f"{found[1]}{TABLES[found[2]]()}\n{found[4]}", text)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--write", action="store_true", help="put the tables into the documents instead of printing")
    if parser.parse_args().write:
        for name in DOCUMENTS:
            path = ROOT / name
            path.write_text(filled(path.read_text(encoding="utf-8")), encoding="utf-8")
        return
    for name, make in TABLES.items():
        print(f"<!-- table: {name} -->\n{make()}\n<!-- end of table -->\n")


if __name__ == "__main__":
    main()
