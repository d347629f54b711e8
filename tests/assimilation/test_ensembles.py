"""LETKF, 4DEnVar and hybrid: against the Kalman filter of the members' covariance where they must equal it."""

from __future__ import annotations

import dataclasses

import jax.numpy as jnp
import numpy as np
import pytest

from assimilation import worlds
from assimilation.test_four_d_var import Identity, observed, winds_and_temperatures
from kaiseki.assimilation import AnalysisInput, engine
from kaiseki.assimilation.ensemble import NODES, Ensemble
from kaiseki.assimilation.problem import Problem, prepare
from kaiseki.config import Assimilation, EnsembleSettings, FourDVarSettings
from kaiseki.core.errors import ConfigError, InputError
from kaiseki.grid.coarsening import Coarsening
from kaiseki.observations import Flag, Table
from kaiseki.statistics import ANALYSIS_VARIABLES
from kaiseki.testing import check_engine

GRID = worlds.domain(ny=14, nx=15, nz=8)
FIELDS = worlds.lapsing(GRID)
WINDOW = worlds.steady(GRID, FIELDS, 1)
MEMBERS = 6
PLAIN = Assimilation(
    robust="none",
    background_check=1e9,
    inner_iterations=200,
    gradient_reduction=1e-10,
    four_d_var=FourDVarSettings(
        coarsening=(1,), inner_iterations=200, gradient_reduction=1e-10, gravity_wave_penalty=0.0
    ),
    ensemble=EnsembleSettings(localisation_length=1e12, localisation_depth=1e6, relaxation=0.0, hybrid_share=1.0),
)


def drawn(members: int = MEMBERS, factor: int = 1) -> Ensemble:
    """Members that stand still, drawn from the static covariance."""
    coarsening = Coarsening.build(GRID, factor)
    covariance = worlds.covariance(GRID, FIELDS)
    random = np.random.default_rng(7)
    rows = []
    for _ in range(members):
        one = covariance.sqrt(jnp.asarray(random.standard_normal(covariance.control_size), float))
        rows.append([coarsening(np.asarray(one[name])) for name in ANALYSIS_VARIABLES])
    x = np.array(rows)
    x -= x.mean(axis=0)
    slots = len(WINDOW.times)
    mean = {name: coarsening(FIELDS[name]) for name in ANALYSIS_VARIABLES}
    return Ensemble(coarsening, WINDOW.times, (mean,) * slots, np.repeat(x[:, None], slots, axis=1))


class Members(Identity):
    """The identity as model, with members."""

    def __init__(self, ensemble: Ensemble) -> None:
        super().__init__(WINDOW)
        self.members = ensemble  # type: ignore[assignment]


def kalman(problem: Problem, x: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Increment and analysis covariance (as a root of it) of the Kalman filter, in the space of the members."""
    flat = x.reshape(len(x), -1).T / np.sqrt(len(x) - 1.0)
    seen = problem.operator.matrix @ flat
    gain = flat @ seen.T @ np.linalg.inv(seen @ seen.T + np.diag(problem.error**2))
    return gain @ problem.departure, flat - gain @ seen


@pytest.mark.usefixtures("x64")
@pytest.mark.parametrize("name", ["letkf", "4denvar", "hybrid"])
def test_without_localisation_they_are_the_kalman_filter(name: str) -> None:
    table = observed(WINDOW, winds_and_temperatures(4))
    covariance = worlds.covariance(GRID, FIELDS)
    ensemble = drawn()
    found = worlds.analyse(name, WINDOW, table, covariance, PLAIN, None, Members(ensemble))
    problem = prepare(AnalysisInput(WINDOW, table, covariance, PLAIN))
    x = ensemble.anomalies[:, -1]
    increment, root = kalman(problem, x)
    mask = np.asarray(covariance.balance.mask)
    expected = increment.reshape(len(ANALYSIS_VARIABLES), *GRID.shape)
    # The hybrid searches among masked increments, so only inside it is the same question.
    inside = mask == 1.0
    for number, field in enumerate(ANALYSIS_VARIABLES):
        scale = np.abs(expected[number]).max()
        if name == "hybrid":
            assert np.abs(found.increment[field] - expected[number] * mask)[:, inside].max() < 0.2 * scale
        else:
            np.testing.assert_allclose(found.increment[field], expected[number] * mask, rtol=0, atol=1e-6 * scale)
    # P_a = X_a X_a^T / (N - 1) = (I - K H) P, where members and observations are those of the filter.
    analysed = found.anomalies.reshape(MEMBERS, -1).T / np.sqrt(MEMBERS - 1.0)  # type: ignore[union-attr]
    probe = np.random.default_rng(1).standard_normal(len(analysed))
    flat = x.reshape(MEMBERS, -1).T / np.sqrt(MEMBERS - 1.0)
    np.testing.assert_allclose(analysed @ (analysed.T @ probe), root @ (flat.T @ probe), rtol=1e-6, atol=1e-6)


@pytest.mark.usefixtures("x64")
def test_a_hybrid_with_no_share_is_4d_var() -> None:
    table = observed(WINDOW, winds_and_temperatures(4))
    covariance = worlds.covariance(GRID, FIELDS)
    none = dataclasses.replace(PLAIN, ensemble=EnsembleSettings(hybrid_share=0.0))
    ours = worlds.analyse("hybrid", WINDOW, table, covariance, none, None, Members(drawn()))
    theirs = worlds.analyse("4dvar", WINDOW, table, covariance, none, None, Identity(WINDOW))
    for field in ANALYSIS_VARIABLES:
        scale = np.abs(theirs.increment[field]).max()
        np.testing.assert_allclose(ours.increment[field], theirs.increment[field], rtol=0, atol=1e-5 * scale)


def test_far_from_all_observations_nothing_changes() -> None:
    """Half-widths of 150 km and 0.1 in ln p about a single sonde; relaxation keeps part of the anomalies."""
    near = EnsembleSettings(localisation_length=150e3, localisation_depth=0.1, relaxation=0.5)
    settings = dataclasses.replace(PLAIN, ensemble=near)
    table = observed(WINDOW, worlds.at(GRID, 7.0, 7.0, "air_temperature", pressure=50_000.0))
    ensemble = drawn()
    found = worlds.analyse("letkf", WINDOW, table, worlds.covariance(GRID, FIELDS), settings, None, Members(ensemble))
    assert found.anomalies is not None
    changed = np.abs(found.anomalies - ensemble.anomalies[:, -1]).max(axis=(0, 1, 2))
    assert changed[7, 7] > 0.0
    assert not changed[:2].any()
    assert not changed[:, :2].any()
    assert not found.increment["u"][:, 3, 3].any()
    spread = [x[:, 2].std(axis=0, ddof=1) for x in (ensemble.anomalies[:, -1], found.anomalies)]
    assert (spread[1] <= spread[0] * (1 + 1e-6)).all()


@pytest.mark.parametrize("name", ["letkf", "4denvar"])
def test_engines_keep_the_contract(name: str) -> None:
    table = observed(WINDOW, worlds.ascents(GRID, 3, 1, levels=3))
    ensemble = drawn(factor=2)
    quick = Assimilation(inner_iterations=5, outer_loops=1)
    check_engine(engine(name), AnalysisInput(WINDOW, table, worlds.covariance(GRID, FIELDS), quick, members=ensemble))


@pytest.mark.parametrize("name", ["letkf", "4denvar", "hybrid"])
def test_senseless_observations_leave_them_running(name: str) -> None:
    """A sonde 50 K off, an unknown type, a station twice, a value in no unit; the spread is that of the members."""
    good = observed(WINDOW, worlds.ascents(GRID, 3, 1, levels=3))
    off = good.take(good.where(quantity="air_temperature"))
    off = off.with_columns(value=off.column("value") + 50.0, station="OFF", report=off.column("report") + 100)
    wild = good.take(np.arange(len(good)) < 2).with_columns(value=np.nan, station="WILD")
    unknown = good.take(np.arange(len(good)) < 3).with_columns(kind="unknown", error=np.nan, station="UNKNOWN")
    table = Table.concat([good, good, off, wild, unknown])
    settings = Assimilation(
        inner_iterations=5,
        outer_loops=2,
        four_d_var=FourDVarSettings(
            coarsening=(1,), inner_iterations=5, gradient_reduction=1e-2, gravity_wave_penalty=0.0
        ),
    )
    found = worlds.analyse(name, WINDOW, table, worlds.covariance(GRID, FIELDS), settings, None, Members(drawn()))
    rejected = (found.table.column("flags")[found.table.where(station="OFF")] & np.uint32(Flag.BACKGROUND)) != 0
    assert rejected.all()
    unknown_flags = found.table.column("flags")[found.table.where(station="UNKNOWN")]
    assert ((unknown_flags & np.uint32(Flag.NO_ERROR)) != 0).all()
    assert np.abs(found.increment["temperature"]).max() < 10.0
    ratio = found.diagnostics["spread_skill"]
    assert ratio["n"] > 20
    assert 0.1 < ratio["ratio"] < 10.0


@pytest.mark.parametrize("name", ["letkf", "4denvar", "hybrid"])
def test_without_observations_the_background_is_the_analysis(name: str) -> None:
    none = worlds.ascents(GRID, 2, 1, levels=2).with_columns(withheld=True)
    found = worlds.analyse(name, WINDOW, none, worlds.covariance(GRID, FIELDS), PLAIN, None, Members(drawn()))
    assert not any(field.any() for field in found.increment.values())
    assert "No observation" in found.diagnostics["remarks"][0]


@pytest.mark.parametrize("name", ["letkf", "4denvar", "hybrid"])
def test_without_members_they_are_refused(name: str) -> None:
    with pytest.raises(InputError, match="needs the members"):
        worlds.analyse(name, WINDOW, winds_and_temperatures(), worlds.covariance(GRID, FIELDS), PLAIN)


def test_settings_that_make_no_sense_are_refused() -> None:
    with pytest.raises(ConfigError, match=r"localisation_length = 0.0: must be greater than 0"):
        EnsembleSettings(localisation_length=0.0)
    with pytest.raises(ConfigError, match=r"relaxation = 1.2: must be at most 1"):
        EnsembleSettings(relaxation=1.2)


def test_weights_between_nodes_are_near_to_weights_everywhere(monkeypatch: pytest.MonkeyPatch) -> None:
    settings = dataclasses.replace(
        PLAIN, ensemble=EnsembleSettings(localisation_length=500e3, localisation_depth=0.5, relaxation=0.0)
    )
    table = observed(WINDOW, worlds.ascents(GRID, 6, 2))
    covariance = worlds.covariance(GRID, FIELDS)
    found = []
    for nodes in (NODES, 1e9):
        monkeypatch.setattr("kaiseki.assimilation.ensemble.NODES", nodes)
        found.append(worlds.analyse("letkf", WINDOW, table, covariance, settings, None, Members(drawn())))
    few, all_ = found
    for name in ANALYSIS_VARIABLES:
        scale = np.sqrt(np.mean(all_.increment[name] ** 2))
        difference = np.sqrt(np.mean((few.increment[name] - all_.increment[name]) ** 2))
        assert 0.0 < difference < 0.1 * scale, name
