"""What observations did, read back from a run on disk."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path

import numpy as np
import pytest

from cycle import small
from kaiseki.archive import RunStore
from kaiseki.core.errors import ConfigError, InputError, StoreError
from kaiseki.cycle import fields as fd
from kaiseki.experiments import baselines as experiments
from kaiseki.experiments.case import Case
from kaiseki.experiments.impact import study

LAST = np.datetime64("1989-01-01T14:00", "s")


def made(folder: Path, engine: str) -> Case:
    """A small run whose last station is withheld."""
    section = {
        "engine": engine,
        "inner_iterations": 30,
        "gradient_reduction": 1e-4,
        "digital_filter": {"half_span_hours": 0.5, "cutoff_hours": 1.0},
        "ensemble": {"members": 5, "coarsening": 1},
        "four_d_var": {"coarsening": [2]},
    }
    whole = small.case(folder, small.experiment(assimilation=section))
    table = whole.table.with_columns(withheld=whole.table.where(station="5"), error=1.0)
    case = dataclasses.replace(whole, table=table)
    experiments.run_experiment(case, "analysis")
    return case


@pytest.fixture(scope="module")
def case(tmp_path_factory: pytest.TempPathFactory) -> Case:
    return made(tmp_path_factory.mktemp("impact") / "run", "3dfgat")


def test_impacts_add_up_to_the_change_of_the_energy_of_the_error(case: Case) -> None:
    store = case.folder.read_store("analysis")
    truth = fd.from_store(store, fd.FORECAST, LAST, case.domain)
    random = np.random.default_rng(0)
    truth = {name: field + random.standard_normal(field.shape) * 0.1 for name, field in truth.items()}
    found = study(case, LAST, lambda _: truth, probes=3)
    assert found.against == "truth"
    change = found.after - found.before
    assert abs(change) > 1e-3
    assert found.impact.sum() == pytest.approx(change, rel=0.05)
    signal = found.influence.sum()
    assert 1.0 < signal < len(found.rows)
    said = json.loads(json.dumps(found.as_dict()))
    assert sum(group["n"] for group in said["groups"]) == said["observations"] == len(found.rows)
    assert said["explained"] == pytest.approx(found.impact.sum())


def test_impacts_add_up_to_the_change_of_withheld_departures(case: Case) -> None:
    found = study(case, LAST, probes=0)
    assert found.against == "withheld"
    assert found.impact.sum() == pytest.approx(found.after - found.before, rel=0.1, abs=1e-4)
    assert not found.influence.any()


# The increment of the hybrid is carried by a linear model on a grid twice as coarse.
@pytest.mark.parametrize(("name", "bound"), [("4denvar", 0.05), pytest.param("hybrid", 0.15, marks=pytest.mark.slow)])
def test_members_are_those_of_the_run(tmp_path: Path, name: str, bound: float) -> None:
    case = made(tmp_path / "run", name)
    store = case.folder.read_store("analysis")
    truth = fd.from_store(store, fd.ANALYSIS, LAST, case.domain)
    random = np.random.default_rng(0)
    truth = {name: field + random.standard_normal(field.shape) * 0.1 for name, field in truth.items()}
    found = study(case, LAST, lambda _: truth, probes=0)
    change = found.after - found.before
    assert abs(change) > 1e-3
    assert found.impact.sum() == pytest.approx(change, rel=bound)
    with RunStore.open(case.folder.store("analysis")) as writer:
        writer.compact()
    with pytest.raises(StoreError, match="it was compacted"):
        study(case, LAST, lambda _: truth, probes=0)


def test_what_cannot_be_studied_is_refused(case: Case) -> None:
    with pytest.raises(InputError, match="has no analysis of"):
        study(case, LAST + np.timedelta64(1, "h"))
    with pytest.raises(InputError, match="has no analysis of"):
        study(case, case.experiment.period.first)
    nothing = dataclasses.replace(case, table=case.table.with_columns(withheld=False))
    with pytest.raises(InputError, match="withheld"):
        study(nothing, LAST)
    section = dataclasses.replace(case.experiment.assimilation, engine="letkf")
    other = dataclasses.replace(case, experiment=dataclasses.replace(case.experiment, assimilation=section))
    with pytest.raises(ConfigError, match="the run used letkf"):
        study(other, LAST)
