"""What observations did, read back from a run on disk."""

from __future__ import annotations

import dataclasses
import functools
import json
from pathlib import Path

import numpy as np
import pytest

from cycle import small
from kaiseki.archive import RunStore
from kaiseki.assimilation.ensemble import Ensemble
from kaiseki.assimilation.impact import Gain
from kaiseki.core.errors import ConfigError, InputError, StoreError
from kaiseki.cycle import fields as fd
from kaiseki.cycle.ensemble import EnsembleRun
from kaiseki.experiments import baselines as experiments
from kaiseki.experiments.case import PreparedCase
from kaiseki.experiments.impact import study

LAST = np.datetime64("1989-01-01T14:00", "s")


def made(folder: Path, engine: str, robust: str = "none", coarsening: int = 2) -> PreparedCase:
    """A small run whose last station is withheld."""
    section = {
        "engine": engine,
        "inner_iterations": 30,
        "gradient_reduction": 1e-4,
        "robust": robust,
        "digital_filter": {"half_span_hours": 0.5, "cutoff_hours": 1.0},
        "ensemble": {"members": 5, "coarsening": 1},
        "four_d_var": {"coarsening": [coarsening]},
    }
    whole = small.case(folder, small.experiment(assimilation=section))
    table = whole.table.with_columns(withheld=whole.table.where(station="5"), error=1.0)
    case = dataclasses.replace(whole, table=table)
    experiments.run_experiment(case, "analysis")
    return case


@pytest.fixture(scope="module")
def case(tmp_path_factory: pytest.TempPathFactory) -> PreparedCase:
    return made(tmp_path_factory.mktemp("impact") / "run", "3dfgat", "huber")


def truth_near(case: PreparedCase, group: str, seed: int) -> fd.Fields:
    """Fields of the run at the last time plus noise."""
    fields = fd.from_store(case.folder.read_store("analysis"), group, LAST, case.domain)
    random = np.random.default_rng(seed)
    # Sorted: the order of a store's arrays is not always the same.
    return {name: field + random.standard_normal(field.shape) * 0.1 for name, field in sorted(fields.items())}


TRUTHS = ((fd.FORECAST, 0), (fd.ANALYSIS, 1))
"""One nearer to the background, which the analysis is worse against, and one nearer to the analysis."""


def shares(case: PreparedCase, monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """Sum of the impacts over the change of the error, for each truth, with the gain to six digits."""
    monkeypatch.setattr("kaiseki.experiments.impact.Gain", functools.partial(Gain, reduction=1e-6))
    found = []
    for group, seed in TRUTHS:
        truth = truth_near(case, group, seed)
        of_truth = study(case, LAST, lambda _, truth=truth: truth, probes=0)
        change = of_truth.after - of_truth.before
        assert abs(change) > 0.5
        assert (change > 0.0) == (group == fd.FORECAST)
        found.append(float(of_truth.impact.sum() / change))
    return found


def test_impacts_add_up_to_the_change_of_the_energy_of_the_error(case: PreparedCase) -> None:
    found = study(case, LAST, lambda _: truth_near(case, fd.FORECAST, 0), probes=3)
    assert found.against == "truth"
    change = found.after - found.before
    assert abs(change) > 0.5
    # Robust loops end when the cost falls by less than 0.1 %; the gain is iterated to 1 % of its gradient. Measured
    # 0.3 %.
    assert found.impact.sum() == pytest.approx(change, rel=0.02)
    signal = found.influence.sum()
    assert 1.0 < signal < len(found.rows)
    said = json.loads(json.dumps(found.as_dict()))
    assert sum(group["n"] for group in said["groups"]) == said["observations"] == len(found.rows)
    assert said["explained"] == pytest.approx(found.impact.sum())


def test_the_sum_is_exact_where_the_analysis_is_linear(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever the truth: e(x_a) - e(x_b) = d.K^T g is an identity where x_a - x_b = K d, to 5e-6 in single precision.

    Optimal interpolation is linear whatever the robust likelihood of the experiment."""
    whole = made(tmp_path / "run", "optimal_interpolation", "huber")
    assert shares(whole, monkeypatch) == pytest.approx([1.0, 1.0], abs=1e-4)


def test_impacts_add_up_to_the_change_of_withheld_departures(case: PreparedCase) -> None:
    found = study(case, LAST, probes=0)
    assert found.against == "withheld"
    # Observation operators are not linear: the height of a pressure moves with the increment.
    assert found.impact.sum() == pytest.approx(found.after - found.before, rel=0.1, abs=1e-4)
    assert not found.influence.any()


def noted_members(monkeypatch: pytest.MonkeyPatch) -> list[np.ndarray]:
    """Anomalies of the members in every window that they go through from now on."""
    noted: list[np.ndarray] = []
    forecast = EnsembleRun.forecast

    def noting(self: EnsembleRun, start: np.datetime64, slots: np.ndarray) -> Ensemble:
        found = forecast(self, start, slots)
        noted.append(found.anomalies)
        return found

    monkeypatch.setattr(EnsembleRun, "forecast", noting)
    return noted


# With one outer loop at the resolution of the run the increment of the hybrid differs from that of the linear model by
# what is not linear.
@pytest.mark.parametrize(("name", "bound"), [("4denvar", 1e-4), pytest.param("hybrid", 0.03, marks=pytest.mark.slow)])
def test_members_are_those_of_the_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str, bound: float) -> None:
    noted = noted_members(monkeypatch)
    case = made(tmp_path / "run", name, coarsening=1)
    of_run = noted[-1].copy()
    noted.clear()
    found = shares(case, monkeypatch)
    assert len(noted) == len(TRUTHS)
    spread = of_run.std(axis=(0, 1, 3, 4, 5), keepdims=True)
    for again in noted:
        np.testing.assert_allclose(again / spread, of_run / spread, rtol=0.0, atol=1e-5)
    assert found == pytest.approx([1.0, 1.0], abs=bound)
    with RunStore.open(case.folder.store("analysis")) as writer:
        writer.compact()
    with pytest.raises(StoreError, match="it was compacted"):
        study(case, LAST, lambda _: truth_near(case, fd.ANALYSIS, 0), probes=0)


def test_what_cannot_be_studied_is_refused(case: PreparedCase) -> None:
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
