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
from kaiseki.verification.by_distance import ByDistance, assimilated_sondes
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
        rows: of `scores.json`, by time.
        distance_rows: of `scores.json`, by day and distance to the nearest assimilated sonde (`by_distance`).
        card: scorecard rows of the analysis at every cycle (see `verification.scorecard`).
        background_card: the same for the background.
        truth_card: the same against the truth, empty for real cases.
    """

    rows: list[dict[str, Any]] = field(default_factory=list)
    distance_rows: list[dict[str, Any]] = field(default_factory=list)
    card: list[dict[str, Any]] = field(default_factory=list)
    background_card: list[dict[str, Any]] = field(default_factory=list)
    truth_card: list[dict[str, Any]] = field(default_factory=list)

    @property
    def all_rows(self) -> list[dict[str, Any]]:
        """Rows of `scores.json`."""
        return self.rows + self.distance_rows


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
    case, distances = run.experiment.case.name, ByDistance(run.domain)
    for time in run.observed_cycles:
        departures = departures_at(run, time)
        if departures is None or len(departures) == 0:
            continue
        options: dict[str, Any] = {"case": case, "time": time, "settings": settings}
        result.rows += score_rows(departures, **options)
        distances.add_departures(time, _sondes(run, time), departures, settings.levels)
        for experiment, card in (("analysis", result.card), ("background", result.background_card)):
            card += scorecard(departures, experiment=experiment, against=("withheld", "assimilated"), **options)
    if "truth" in run.stores:
        for time in run.cycles:
            states, truth = _states_and_truth(run, time)
            rows, card = _against_truth(states, truth, run, time)
            result.rows += rows
            result.truth_card += card
            distances.add_truth(time, _sondes(run, time), states, truth)
    result.distance_rows = distances.rows(case, settings)
    return result


def _sondes(run: Run, time: np.datetime64) -> np.ndarray:
    """Places (n, 2) of the sondes that the analysis of a time used; none at a cold start."""
    table = run.table("analysis", time)
    return np.empty((0, 2)) if table is None or time not in run.analysed_cycles else assimilated_sondes(table)


def write_scores(run: Run, judgement: Judgement) -> Path:
    """Write the rows as `scores.json` into the run directory, whole or not at all; returns its path.

    Raises:
        StoreError, ResourceError: as `core.files.whole_file`.
    """
    return write_text(run.folder.scores, json.dumps(judgement.all_rows, indent=1, allow_nan=False) + "\n")


type _Fields = dict[str, np.ndarray]


def _states_and_truth(run: Run, time: np.datetime64) -> tuple[dict[str, _Fields], _Fields]:
    """Fields of the experiments at a time and the truth, comparable; nothing where there is no truth."""
    source = run.fields("truth", time)
    if source is None:
        return {}, {}
    truth = comparable(source, run.stores["truth"].domain(), run.domain)
    states = {}
    for experiment, (store, _) in DEPARTURES.items():
        found = run.fields(store, time, background=experiment == "background")
        if found is not None:
            states[experiment] = comparable(found, run.domain, run.domain)
    return states, truth


def _against_truth(
    states: dict[str, _Fields], truth: _Fields, run: Run, time: np.datetime64
) -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
    """Score rows and scorecard rows of one time."""
    settings, rows = run.experiment.verification, []
    for experiment, fields in states.items():
        head = {"case": run.experiment.case.name, "experiment": experiment}
        rows += truth_rows(fields, truth, TRUTH_LEVELS, run.domain, **head, time=time, settings=settings)
    return rows, _truth_card(states, truth, run, time, rows)


def _truth_card(
    states: dict[str, dict[str, np.ndarray]],
    truth: dict[str, np.ndarray],
    run: Run,
    time: np.datetime64,
    rows: Sequence[dict[str, Any]],
) -> list[dict[str, Any]]:
    if "analysis" not in states:
        return []
    settings = run.experiment.verification
    layer = f"{BOTTOM / 100:g}-{TOP / 100:g}"
    rms = {(row["experiment"], row["variable"], row["level"]): row["rms"] for row in rows}
    card = []
    for baseline in BASELINES:
        if baseline not in states:
            continue
        pairs = compare_with_truth(
            states["analysis"], states[baseline], truth, TRUTH_LEVELS, run.domain, settings=settings
        )
        for name, pair in pairs.items():
            level = layer if name == ENERGY else None
            card.append(
                {
                    "case": run.experiment.case.name,
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
                    "verdict": verdict(pair, settings.minimum_count),
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
