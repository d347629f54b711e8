"""Names of the cases of the table of engines: which twin or fold, and which seed."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from validation.engines import (
    FOLDS,
    SEEDS,
    experiment_of,
    group_of,
    scores_of,
)
from validation.stored_errors import stored_errors_of, table_of_stored_errors

from kaiseki.archive.run import Run
from kaiseki.verification.run import judge


def test_a_case_names_its_twin_and_its_seed() -> None:
    assert group_of("twin-1-seed-2") == "twin-1"
    assert group_of("twin-2-seed-1") == "twin-2"
    assert group_of("fold-4") == FOLDS
    made = {
        (twin, seed): experiment_of(f"{twin}-seed-{seed}", "3dfgat", {})
        for twin in ("twin-1", "twin-2")
        for seed in SEEDS
    }
    for (twin, seed), experiment in made.items():
        assert experiment.twin is not None
        assert experiment.twin.seed == seed
        assert experiment.twin.error_factor == {"twin-1": 1.0, "twin-2": 1.3}[twin]
    assert experiment_of("fold-3", "4dvar", {}).observations.fold == 3


@pytest.mark.parametrize("case", ["twin-1", "twin-2", "twin-3-seed-1", "twin-1-seed", "fold-x", "fold"])
def test_other_names_are_refused(case: str) -> None:
    with pytest.raises(SystemExit, match=f"no case {case}: .*twin-2-seed-<number> or fold-<number>"):
        group_of(case)


def test_a_score_is_the_geometric_mean_of_those_that_ran_everywhere() -> None:
    rows = [{"experiment": "3dfgat", "ratio": 1.0}] * 2
    rows += [{"experiment": "4dvar", "ratio": 0.5}, {"experiment": "4dvar", "ratio": 0.98}]
    rows += [{"experiment": "letkf", "ratio": 0.9}]
    assert scores_of(rows) == {"3dfgat": 1.0, "4dvar": pytest.approx(0.7)}


def test_stored_errors_are_set_against_those_that_the_truth_shows(twin: Path) -> None:
    rows = stored_errors_of({"3dfgat": twin}, "3dfgat")["3dfgat"]
    stored = {row["variable"]: row["ratio"] * row["rms"] for row in rows}
    # What the synthetic run stores, the same in all cells: 55 Pa, 0.9 K, 2.5 and 2.0 m/s.
    assert stored["surface_air_pressure"] == pytest.approx(55.0)
    assert stored["air_temperature"] == pytest.approx(0.9)
    assert stored["wind"] == pytest.approx(np.sqrt((2.5**2 + 2.0**2) / 2.0))
    scored = [
        row
        for row in judge(Run(twin)).rows
        if (row["experiment"], row["against"], row["variable"]) == ("analysis", "truth", "surface_air_pressure")
    ]
    last = max(scored, key=lambda row: row["time"])
    assert rows[0]["rms"] == pytest.approx(last["rms"], rel=1e-6)
    assert rows[0]["n"] == last["n"]


def test_stored_errors_of_seeds_are_pooled_by_their_squares() -> None:
    one = {"stored_errors": {"4dvar": [{"variable": "wind", "n": 10, "rms": 1.0, "ratio": 2.0}]}}
    other = {"stored_errors": {"4dvar": [{"variable": "wind", "n": 30, "rms": 3.0, "ratio": 1.0}]}}
    (row,) = table_of_stored_errors([one, {}, other])
    assert row["n"] == 40
    assert row["rms"] == pytest.approx(np.sqrt((10 * 1.0 + 30 * 9.0) / 40))
    assert row["ratio"] == pytest.approx(np.sqrt((10 * 4.0 + 30 * 9.0) / (10 * 1.0 + 30 * 9.0)))
