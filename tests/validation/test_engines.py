"""Names of the cases of the table of engines: which twin or fold, and which seed."""

from __future__ import annotations

import pytest
from validation.engines import FOLDS, SEEDS, experiment_of, group_of, scores_of


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
