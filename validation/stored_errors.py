"""The error that an archive stores for its analysis, against withheld stations and against the truth of a twin."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np

from kaiseki.archive.products.pressure_levels import interpolate_to_pressure
from kaiseki.archive.run import Run
from kaiseki.verification.run import comparable
from kaiseki.verification.scores import MANDATORY_LEVELS, PRESSURE, TEMPERATURE, WIND
from kaiseki.verification.truth import TRUTH_LEVELS, blocks

STORED = {
    PRESSURE: {"surface_pressure": "surface_pressure_spread"},
    TEMPERATURE: {"temperature": "temperature_spread"},
    WIND: {"u": "eastward_wind_spread", "v": "northward_wind_spread"},
}
"""Fields whose error an archive gives, and its name there."""


def calibration_of(folder: Path) -> list[dict[str, Any]]:
    """Expected and found size of the departures of the analyses of a run from withheld stations, as scored."""
    rows = json.loads((folder / "scores.json").read_text(encoding="utf-8"))
    kept = ("variable", "level", "time", "n", "rms", "expected")
    return [{name: row[name] for name in kept} for row in rows if "expected" in row]


def table_of_calibration(records: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Expected over found root mean square of withheld departures, all cases and analyses together, by engine."""
    sums: dict[tuple[str, str, Any], np.ndarray] = {}
    for record in records:
        for engine, rows in record.get("calibration", {}).items():
            for row in rows:
                if isinstance(row["level"], float):
                    continue
                cell = sums.setdefault((engine, row["variable"], row["level"]), np.zeros(3))
                cell += row["n"] * np.array([1.0, row["rms"] ** 2, row["expected"] ** 2])
    return [
        {
            "experiment": engine,
            "variable": variable,
            "level": level,
            "n": int(n),
            "rms": float(np.sqrt(found / n)),
            "ratio": float(np.sqrt(expected / found)),
        }
        for (engine, variable, level), (n, found, expected) in sums.items()
    ]


def stored_errors_of(folders: dict[str, Path], reference: str) -> dict[str, list[dict[str, Any]]]:
    """What each engine of a twin stores as the error of its last analysis, over its error against the truth.

    Both as root mean squares inside the rim: of surface pressure, and of temperature and wind at the mandatory levels
    from 850 to 250 hPa.

    Args:
        folders: runs of one twin by engine.
        reference: engine whose folder has the truth.
    """
    base = Run(folders[reference])
    time = base.cycles[-1]
    source = base.fields("truth", time)
    assert source is not None
    truth = comparable(source, base.stores["truth"].domain(), base.domain)
    inside = blocks(base.domain) >= 0
    levels = [TRUTH_LEVELS.index(level) for level in MANDATORY_LEVELS]
    found: dict[str, list[dict[str, Any]]] = {}
    for name, folder in folders.items():
        run = Run(folder)
        dataset, errors = run.fields("analysis", time), run.errors(time)
        assert dataset is not None
        assert errors is not None
        state = comparable(dataset, base.domain, base.domain)
        rows = []
        for variable, parts in STORED.items():
            stored, actual = [], []
            for part, spread in parts.items():
                values, wrong = errors[spread], truth[part] - state[part]
                if variable != PRESSURE:
                    values = interpolate_to_pressure(values, errors["pressure"], np.array(MANDATORY_LEVELS))
                    wrong = wrong[levels]
                stored.append(values[..., inside].ravel())
                actual.append(wrong[..., inside].ravel())
            sizes, misses = np.concatenate(stored), np.concatenate(actual)
            known = np.isfinite(sizes) & np.isfinite(misses)
            rms, size = (float(np.sqrt(np.mean(one[known] ** 2))) for one in (misses, sizes))
            rows.append({"variable": variable, "n": int(known.sum()), "rms": rms, "ratio": size / rms})
        found[name] = rows
    return found


def table_of_stored_errors(records: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Stored over actual error of the last analyses of all seeds together, by engine."""
    sums: dict[tuple[str, str], np.ndarray] = {}
    for record in records:
        for engine, rows in record.get("stored_errors", {}).items():
            for row in rows:
                cell = sums.setdefault((engine, row["variable"]), np.zeros(3))
                cell += row["n"] * np.array([1.0, row["rms"] ** 2, (row["ratio"] * row["rms"]) ** 2])
    return [
        {
            "experiment": engine,
            "variable": variable,
            "n": int(n),
            "rms": float(np.sqrt(actual / n)),
            "ratio": float(np.sqrt(stored / actual)),
        }
        for (engine, variable), (n, actual, stored) in sums.items()
    ]
