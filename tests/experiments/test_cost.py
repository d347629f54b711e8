"""What a run is said to cost, and what is refused."""

import itertools
from pathlib import Path

import psutil
import pytest

from cycle import small
from kaiseki.config import Experiment
from kaiseki.core.errors import ResourceError
from kaiseki.experiments.baselines import run_experiment
from kaiseki.experiments.cost import COMPILATION, estimate
from kaiseki.experiments.run import announce
from kaiseki.grid.build import domain_from_section


def of_preset(preset: str) -> Experiment:
    return small.experiment(
        domain={"preset": preset}, period={"cold_start": "1989-01-01T12:00Z", "end": "1989-01-02T06:00Z"}
    )


def test_steps_are_those_of_forecasts_and_filters() -> None:
    experiment = small.experiment()
    cost = estimate(experiment, domain_from_section(experiment.domain))
    # Two hours of forecast, and three filters of half an hour back, then an hour forwards.
    assert cost.steps == round((2.0 + 3 * 1.5) * 3600.0 / cost.step)
    assert cost.cells == 10 * 16 * 18
    assert cost.cycles == 2


def test_steps_are_those_that_a_run_makes(tmp_path: Path) -> None:
    """Without an analysis; tests/cycle has the same of 3D-FGAT and 4D-Var, whose runs are there."""
    chosen = small.experiment(
        assimilation={"engine": "none", "digital_filter": {"half_span_hours": 0.5, "cutoff_hours": 1.0}}
    )
    with small.filters_counted() as spans:
        run_experiment(small.case(tmp_path, chosen), "analysis")
    small.assert_steps_are_estimated(chosen, spans)


def test_finer_grids_cost_more() -> None:
    costs = []
    for preset in ("japan-60km", "japan-40km", "japan-20km"):
        experiment = of_preset(preset)
        costs.append(estimate(experiment, domain_from_section(experiment.domain)))
    for coarse, fine in itertools.pairwise(costs):
        assert fine.seconds - COMPILATION > 1.5 * (coarse.seconds - COMPILATION)
        assert fine.memory > coarse.memory


def test_4d_var_costs_more_and_a_coarser_inner_model_less() -> None:
    def seconds(**section: object) -> float:
        # Without filters, which the engines with an increment from the start of a window do not need.
        unfiltered = {"digital_filter": {"half_span_hours": 0.0}, **section}
        experiment = small.experiment(assimilation=unfiltered, domain={"preset": "japan-60km"})
        return estimate(experiment, domain_from_section(experiment.domain)).seconds

    three = seconds(engine="3dfgat")
    four, coarser = (seconds(engine="4dvar", four_d_var={"coarsening": [n, n]}) for n in (2, 3))
    assert three < coarser < four


def test_five_kilometres_are_refused_here(monkeypatch: pytest.MonkeyPatch) -> None:
    class Memory:
        total = 24 * 2**30

    monkeypatch.setattr(psutil, "virtual_memory", Memory)
    experiment = of_preset("japan-5km-76")
    with pytest.raises(ResourceError, match=r"needs about \d+ GB of memory .* --force"):
        announce(experiment)
    announce(experiment, force=True)
