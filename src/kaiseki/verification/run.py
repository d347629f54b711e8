"""Scores of a whole run, from its stores: the rows of `scores.json` and the scorecard."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import xarray as xr

from kaiseki.archive import on_pressure_levels
from kaiseki.archive.run import DEPARTURES, Run
from kaiseki.core.files import write_text
from kaiseki.core.timing import format_utc
from kaiseki.grid import Domain
from kaiseki.verification import Departures, align, score_rows, scorecard, verdict
from kaiseki.verification.calibration import with_expected
from kaiseki.verification.scorecard import BASELINES
from kaiseki.verification.truth import (
    BOTTOM,
    ENERGY,
    TOP,
    TRUTH_LEVELS,
    compare_with_truth,
    onto_cells,
    surface_pressure_onto,
    truth_rows,
)


@dataclass
class Judgement:
    """Scores of a run: rows, scorecard, departures.

    Attributes:
        rows: of `scores.json`.
        card: scorecard rows of the analysis at every cycle (see `verification.scorecard`).
        background_card: the same for the background.
        truth_card: the same against the truth, empty for real cases.
    """

    rows: list[dict[str, Any]] = field(default_factory=list)
    card: list[dict[str, Any]] = field(default_factory=list)
    background_card: list[dict[str, Any]] = field(default_factory=list)
    truth_card: list[dict[str, Any]] = field(default_factory=list)


def departures_at(run: Run, time: np.datetime64) -> Departures | None:
    """Departures of all experiments at a cycle inside the rim, on their common observations without gross errors, with
    what the archive expects of them; None without a table."""
    reference = run.table("analysis", time)
    if reference is None:
        return None
    tables = {}
    for experiment, (store, column) in DEPARTURES.items():
        table = run.table(store, time)
        # A cold start has a background but no analysis of its own; what has no number at all is no experiment.
        if table is not None and column in table and np.isfinite(table[column]).any():
            tables[experiment] = (table, column)
    if not tables:
        return None
    found = align(reference, tables).inside(run.domain).plausible()
    fields = run.errors(time)
    return found if fields is None or "error" not in found.columns else with_expected(found, fields, run.domain)


def judge(run: Run) -> Judgement:
    """Score every cycle of a run against withheld and assimilated observations and, in a twin, against the truth."""
    result, settings = Judgement(), run.experiment.verification
    case = run.experiment.case.name
    bootstrap: dict[str, Any] = {
        "samples": settings.bootstrap_samples,
        "confidence": settings.confidence,
        "seed": settings.seed,
    }
    for time in run.observed_cycles:
        departures = departures_at(run, time)
        if departures is None or len(departures) == 0:
            continue
        options: dict[str, Any] = {"case": case, "time": time, "levels": settings.levels, **bootstrap}
        result.rows += score_rows(departures, **options)
        for experiment, card in (("analysis", result.card), ("background", result.background_card)):
            card += scorecard(
                departures,
                experiment=experiment,
                against=("withheld", "assimilated"),
                minimum=settings.minimum_count,
                **options,
            )
    if "truth" in run.stores:
        for time in run.cycles:
            rows, card = _against_truth(run, time, case, settings.minimum_count, bootstrap)
            result.rows += rows
            result.truth_card += card
    return result


def write_scores(run: Run, judgement: Judgement) -> Path:
    """Write the rows as `scores.json` into the run directory, whole or not at all; returns its path.

    Raises:
        StoreError, ResourceError: as `core.files.whole_file`.
    """
    return write_text(run.folder.scores, json.dumps(judgement.rows, indent=1, allow_nan=False) + "\n")


def _against_truth(
    run: Run, time: np.datetime64, case: str, minimum: int, bootstrap: dict[str, Any]
) -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
    """Score rows and scorecard rows of one time."""
    source = run.fields("truth", time)
    if source is None:
        return [], []
    truth = comparable(source, run.stores["truth"].domain(), run.domain)
    states = {}
    for experiment, (store, _) in DEPARTURES.items():
        found = run.fields(store, time, background=experiment == "background")
        if found is not None:
            states[experiment] = comparable(found, run.domain, run.domain)
    rows = []
    for experiment, fields in states.items():
        rows += truth_rows(
            fields, truth, TRUTH_LEVELS, run.domain, case=case, experiment=experiment, time=time, **bootstrap
        )
    return rows, _truth_card(states, truth, run.domain, case, time, minimum, rows, bootstrap)


def _truth_card(
    states: dict[str, dict[str, np.ndarray]],
    truth: dict[str, np.ndarray],
    domain: Domain,
    case: str,
    time: np.datetime64,
    minimum: int,
    rows: Sequence[dict[str, Any]],
    bootstrap: dict[str, Any],
) -> list[dict[str, Any]]:
    if "analysis" not in states:
        return []
    layer = f"{BOTTOM / 100:g}-{TOP / 100:g}"
    rms = {(row["experiment"], row["variable"], row["level"]): row["rms"] for row in rows}
    card = []
    for baseline in BASELINES:
        if baseline not in states:
            continue
        pairs = compare_with_truth(states["analysis"], states[baseline], truth, TRUTH_LEVELS, domain, **bootstrap)
        for name, pair in pairs.items():
            level = layer if name == ENERGY else None
            card.append(
                {
                    "case": case,
                    "experiment": "analysis",
                    "baseline": baseline,
                    "against": "truth",
                    "variable": name,
                    "level": level,
                    "time": format_utc(time),
                    "n": pair.n,
                    "rms": rms["analysis", name, level],
                    "baseline_rms": rms[baseline, name, level],
                    "reduction": pair.reduction,
                    "reduction_low": 1.0 - pair.high,
                    "reduction_high": 1.0 - pair.low,
                    "verdict": verdict(pair, minimum),
                }
            )
    return card


def comparable(dataset: xr.Dataset, source: Domain, target: Domain) -> dict[str, np.ndarray]:
    """Fields of one time on the pressure levels of the truth scores and the cells of `target`."""
    names = ["eastward_wind", "northward_wind", "temperature", "geopotential_height"]
    names += ["qv"] if "qv" in dataset else []
    levels = on_pressure_levels(dataset, TRUTH_LEVELS, names)
    same = (
        source.shape[1:] == target.shape[1:]
        and np.array_equal(source.x, target.x)
        and np.array_equal(source.y, target.y)
    )
    fields = {}
    for name in names:
        values = levels[name].values.astype(float)
        fields[{"eastward_wind": "u", "northward_wind": "v"}.get(name, name)] = (
            values if same else onto_cells(source, target, values)
        )
    pressure, temperature = (dataset[name].values.astype(float) for name in ("pressure", "temperature"))
    return fields | {"surface_pressure": surface_pressure_onto(source, target, pressure, temperature)}
