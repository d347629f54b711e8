"""A stream whose engine is 4D-Var: the analysis is where the model arrives, and being ended changes nothing."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from cycle import small
from cycle.test_stream import arrays, assert_equal, departures
from kaiseki.archive import RunStore
from kaiseki.archive.store.schema import label
from kaiseki.config import Experiment
from kaiseki.cycle.checkpoint import MinimisationCheckpoint
from kaiseki.experiments import baselines as experiments
from kaiseki.observations import Flag

FOUR_D = {
    "engine": "4dvar",
    "four_d_var": {"coarsening": [2, 2], "inner_iterations": 6, "gradient_reduction": 0.01},
    "digital_filter": {"half_span_hours": 0.5, "cutoff_hours": 1.0},
}


def experiment() -> Experiment:
    domain = small.DOMAIN | {"shape": [18, 20]}
    return small.experiment(assimilation=FOUR_D, domain=domain, dynamics={"time_step": 300.0})


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, list[float]]:
    """A run from beginning to end, and the hours of its filters."""
    folder = tmp_path_factory.mktemp("four_d_var")
    with small.filters_counted() as spans:
        experiments.run_experiment(small.case(folder, experiment()), "analysis")
    return folder, spans


@pytest.fixture(scope="module")
def whole(made: tuple[Path, list[float]]) -> Path:
    return made[0]


def test_its_steps_are_those_of_the_estimate(made: tuple[Path, list[float]]) -> None:
    """The cold start alone is filtered."""
    assert made[1] == [1.5]
    small.assert_steps_are_estimated(experiment(), made[1])


def test_the_analysis_is_nearer_to_what_it_used_and_calm(whole: Path) -> None:
    store = RunStore.open(whole / "analysis.store", "r")
    for end in experiments.cycle_times(experiment())[1:]:
        table = departures(whole, "analysis", end)
        used = np.isfinite(table.column("spread")) & ((table.column("flags") & np.uint32(Flag.BACKGROUND)) == 0)
        assert used.sum() > 20
        before, after = (table.column(f"{name}_departure")[used] for name in ("background", "analysis"))
        error = table.column("error")[used]
        assert np.sum((after / error) ** 2) < 0.9 * np.sum((before / error) ** 2)
        found = store.read_diagnostics(end)
        assert found["engine"] == "4dvar"
        assert found["gradient"][-1] < 0.5 * found["gradient"][0]
        # No filter follows: what the model made of the increment is calm enough (below 10 hPa an hour).
        assert found["surface_pressure_tendency"]["before"] < 1000.0


def test_a_minimisation_that_was_ended_goes_on_to_the_same_end(
    whole: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Ended within the last window: what was minimised before is not minimised again, and the end is the same."""

    class Ended(Exception):
        pass

    computed: list[np.datetime64] = []
    last = experiments.cycle_times(experiment())[-1]
    through, limit = MinimisationCheckpoint.__call__, 2

    def counted(
        self: MinimisationCheckpoint, question: np.ndarray, answer: Callable[[np.ndarray], np.ndarray]
    ) -> np.ndarray:
        def compute(vector: np.ndarray) -> np.ndarray:
            assert self._window is not None
            if self._window.name == label(last):
                if len(computed) == limit:
                    raise Ended
                computed.append(last)
            return answer(vector)

        return through(self, question, compute)

    monkeypatch.setattr(MinimisationCheckpoint, "__call__", counted)
    with pytest.raises(Ended):
        experiments.run_experiment(small.case(tmp_path, experiment()), "analysis")
    times = experiments.cycle_times(experiment())
    assert len(RunStore.open(tmp_path / "analysis.store", "r").completed_cycles()) == len(times) - 1
    assert len(list((tmp_path / "analysis.minimisation").rglob("*.npz"))) == limit
    limit = 100
    experiments.run_experiment(small.case(tmp_path, experiment()), "analysis")
    gradients = RunStore.open(tmp_path / "analysis.store", "r").read_diagnostics(last)["gradient"]
    # One product per iteration, each computed once though the minimisation ran twice.
    assert len(computed) == len(gradients) - 1 > 2
    assert not (tmp_path / "analysis.minimisation").exists()
    assert_equal(whole / "analysis.store", tmp_path / "analysis.store")
    assert len(arrays(whole / "analysis.store")) > 40
