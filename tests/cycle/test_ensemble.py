"""Members beside a stream: how they are perturbed, centred, kept over a kill, and what they leave in the archive."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

import kaiseki
from assimilation import worlds
from cycle import small
from cycle.test_stream import arrays, assert_equal
from kaiseki.archive import RunStore
from kaiseki.config import Experiment
from kaiseki.cycle import fields as fd
from kaiseki.cycle.ensemble import EnsembleRun, Perturbations
from kaiseki.experiments import baselines as experiments
from kaiseki.experiments.case import PreparedCase
from kaiseki.grid.coarsening import Coarsening
from kaiseki.statistics import ANALYSIS_VARIABLES

MEMBERS = 5
HOUR = np.timedelta64(3600, "s")


def experiment() -> Experiment:
    chosen = {
        "engine": "letkf",
        "inner_iterations": 4,
        "ensemble": {"members": MEMBERS},
        "digital_filter": {"half_span_hours": 0.5, "cutoff_hours": 1.0},
    }
    return small.experiment(
        assimilation=chosen, domain=small.DOMAIN | {"shape": [18, 20]}, dynamics={"time_step": 300.0}
    )


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("ensemble")
    experiments.run_experiment(small.case(folder, experiment()), "analysis")
    return folder


def test_members_are_centred_on_the_analysis_and_kept_in_the_restart(whole: Path) -> None:
    store = RunStore.open(whole / "analysis.store", "r")
    case = small.case(whole, experiment())
    stream = experiments._stream(case, "analysis", None)
    assert stream.ensemble is not None
    tree = store.read_restart()
    stream.ensemble.resume(tree["members"], tree["members_boundary"], store.cycle_times[0])
    members = stream.ensemble._observed(stream.ensemble.states)  # type: ignore[arg-type]
    assert len(members) == MEMBERS
    state = fd.of_state(case.model, stream._restart(store))
    for number, name in enumerate(ANALYSIS_VARIABLES):
        mean = members[:, number].mean(axis=0)
        target = stream.ensemble.coarsening(state[name])
        spread = members[:, number].std(axis=0, ddof=1)
        # Centring goes through the faces and the hydrostatic balance; what is left is small beside the spread.
        assert np.sqrt(np.mean((mean - target) ** 2)) < 0.3 * np.sqrt(np.mean(spread**2)), name
        assert spread.mean() > 0.0


def test_centring_the_members_changes_what_drives_them(whole: Path) -> None:
    """Without that their outermost cells would go back to the uncorrected driving fields in the next step."""
    store = RunStore.open(whole / "analysis.store", "r")
    tree, end = store.read_restart(), store.completed_cycles()[-1]
    jumps = []
    for carried in ({}, tree["members_boundary"]):
        ensemble = experiments._stream(small.case(whole, experiment()), "analysis", None).ensemble
        assert ensemble is not None
        ensemble.resume(tree["members"], carried, store.cycle_times[0])
        before = _edge_mean(ensemble)
        ensemble.forecast(end, np.array([end + np.timedelta64(600, "s")]))
        after = _edge_mean(ensemble)
        jumps.append(float(np.sqrt(np.mean((after - before) ** 2))))
    assert jumps[1] < 0.5 * jumps[0], jumps


def _edge_mean(ensemble: EnsembleRun) -> np.ndarray:
    """Temperature of the southernmost row, mean of the members, (nz, I)."""
    assert ensemble.states is not None
    return np.asarray(ensemble._observed(ensemble.states)[:, 2, :, 0].mean(axis=0))


def test_the_spread_is_in_the_archive_with_its_cf_name(whole: Path) -> None:
    analysis = kaiseki.open(whole / "analysis.store")
    for name, low, high in (("temperature", 0.1, 5.0), ("eastward_wind", 0.3, 10.0), ("pressure", 1.0, 500.0)):
        spread = analysis[f"{name}_spread"]
        assert spread.attrs["standard_name"] == f"{analysis[name].attrs['standard_name']} standard_error"
        assert spread.attrs["units"] == analysis[name].attrs["units"]
        last = spread.isel(time=-1).values
        assert last.shape == analysis[name].isel(time=-1).shape
        assert np.isfinite(last).all()
        assert low < last.mean() < high


def test_a_run_that_was_ended_goes_on_to_the_same_end(
    whole: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Ended(Exception):
        pass

    case: PreparedCase = small.case(tmp_path, experiment())
    times = experiments.cycle_times(experiment())
    centre = EnsembleRun.centre
    called = []

    def ended(self: EnsembleRun, *arguments: object) -> np.ndarray:
        called.append(1)
        if len(called) == len(times) - 1:
            raise Ended
        return centre(self, *arguments)  # type: ignore[arg-type]

    with monkeypatch.context() as patch:
        patch.setattr(EnsembleRun, "centre", ended)
        with pytest.raises(Ended):
            experiments.run_experiment(case, "analysis")
    assert len(RunStore.open(tmp_path / "analysis.store", "r").completed_cycles()) == len(times) - 1
    experiments.run_experiment(small.case(tmp_path, experiment()), "analysis")
    assert_equal(whole / "analysis.store", tmp_path / "analysis.store")
    assert len(arrays(whole / "analysis.store")) > 40


def test_perturbations_have_the_covariance_asked_for_and_forget_as_asked() -> None:
    """Standard deviations over 40 members, and the correlation of one time with the next, exp(-3 h / 12 h)."""
    grid = Coarsening.build(worlds.domain(ny=16, nx=16, nz=6, rim=2), 2).coarse
    fields = worlds.lapsing(grid)
    covariance = worlds.covariance(grid, fields)
    made = Perturbations(covariance, 40, 2.0, 3 * HOUR, 12.0, 5)
    one, two = made(worlds.NOON), made(worlds.NOON + 3 * HOUR)
    again = Perturbations(covariance, 40, 2.0, 3 * HOUR, 12.0, 5)(worlds.NOON)
    np.testing.assert_array_equal(one[3]["u"], again[3]["u"])
    inside = np.asarray(covariance.balance.mask) > 0.99
    a, b = (np.stack([member["u"] for member in members])[:, :, inside] for members in (one, two))
    np.testing.assert_allclose(a.mean(axis=0), 0.0, atol=1e-5)
    # Errors of 2 m/s at the ground to 3 m/s aloft, doubled.
    deviation = np.sqrt(np.mean(a**2, axis=(0, 2)))
    assert deviation[0] == pytest.approx(4.0, rel=0.25)
    assert deviation[-1] == pytest.approx(6.0, rel=0.25)
    correlation = np.sum(a * b) / np.sqrt(np.sum(a**2) * np.sum(b**2))
    assert correlation == pytest.approx(np.exp(-0.25), abs=0.05)
