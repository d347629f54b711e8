"""4D-Var: against optimal interpolation and 3D-FGAT where it must equal them, and as a whole chain."""

from __future__ import annotations

import itertools
from collections.abc import Mapping
from typing import Any

import numpy as np
import pytest

from assimilation import worlds
from kaiseki.assimilation import Analysis, AnalysisInput, Trajectory, departures
from kaiseki.assimilation.engines.four_d_var import ControlToObservation
from kaiseki.assimilation.engines.four_d_var import FourDVar as FourDVarEngine
from kaiseki.assimilation.inner import InnerModel, penalty_weights
from kaiseki.assimilation.operators import linearise, locate
from kaiseki.assimilation.problem import prepare
from kaiseki.config import Assimilation, FourDVarSettings
from kaiseki.core.constants import VIRTUAL
from kaiseki.core.errors import InputError, NumericsError
from kaiseki.cycle.window import OuterWindow, of_states
from kaiseki.forecast.dynamics.parameters import DynamicsParameters
from kaiseki.forecast.integrate import Forcing
from kaiseki.forecast.linear.simplified_physics import RegularPhysics
from kaiseki.forecast.model import Model
from kaiseki.forecast.reference import ReferenceProfile
from kaiseki.forecast.rim import Boundary
from kaiseki.forecast.state import State
from kaiseki.observations import Flag, Table
from kaiseki.statistics import ANALYSIS_VARIABLES
from kaiseki.testing import check_engine

GRID = worlds.domain(ny=14, nx=15, nz=8)
FIELDS = worlds.lapsing(GRID)
PLAIN = Assimilation(
    robust="none",
    background_check=1e9,
    inner_iterations=200,
    gradient_reduction=1e-9,
    four_d_var=FourDVarSettings(
        coarsening=(1,), inner_iterations=200, gradient_reduction=1e-9, gravity_wave_penalty=0.0
    ),
)


REGULAR = RegularPhysics()


class Identity:
    """A model that leaves everything as it is, on the grid of the background."""

    domain = GRID
    waves = 0
    members = None

    def __init__(self, background: Trajectory) -> None:
        self.background = self.last = background

    @property
    def slots(self) -> tuple[Mapping[str, np.ndarray], ...]:
        return self.last.fields

    def rerun(self, increment: Mapping[str, np.ndarray]) -> Trajectory:
        self.last = self.background.plus(increment)
        return self.last

    def linear(self, factor: int) -> Identity:
        assert factor == 1
        return self

    def tangent(self, increment: Mapping[str, Any]) -> tuple[np.ndarray, np.ndarray]:
        one = np.stack([np.asarray(increment[name]) for name in ANALYSIS_VARIABLES])
        return np.repeat(one[None], len(self.slots), axis=0), np.zeros(0)

    def adjoint(self, slots: np.ndarray, waves: np.ndarray) -> dict[str, np.ndarray]:
        return dict(zip(ANALYSIS_VARIABLES, slots.sum(axis=0), strict=True))


def observed(window: Trajectory, table: Table, seed: int = 3) -> Table:
    """Values that depart from a trajectory at random by twice the error of observation."""
    random = np.random.default_rng(seed)
    away = 2.0 * table.column("error") * random.standard_normal(len(table))
    return worlds.with_departures(table, departures(window, table), away)


def winds_and_temperatures(number: int = 5) -> Table:
    """Quantities of which the operator is linear."""
    table = worlds.ascents(GRID, number, 1)
    return table.take(table.where(quantity=("air_temperature", "eastward_wind", "northward_wind")))


@pytest.mark.usefixtures("x64")
@pytest.mark.parametrize("hours", [0, 3])
def test_with_the_identity_as_model_it_equals_the_others(hours: int) -> None:
    """Three slots and the identity: optimal interpolation; one slot: 3D-FGAT. To 1e-6 of the largest increment."""
    window = worlds.steady(GRID, FIELDS, hours)
    table = observed(window, winds_and_temperatures())
    covariance = worlds.covariance(GRID, FIELDS)
    ours = worlds.analyse("4dvar", window, table, covariance, PLAIN, None, Identity(window))
    for name in ("optimal_interpolation", "3dfgat"):
        theirs = worlds.analyse(name, window, table, covariance, PLAIN)
        for field in ANALYSIS_VARIABLES:
            scale = np.abs(theirs.increment[field]).max()
            assert scale > 0.0
            np.testing.assert_allclose(ours.increment[field], theirs.increment[field], rtol=0, atol=1e-6 * scale)
        np.testing.assert_allclose(
            ours.table.column("analysis_departure"), theirs.table.column("analysis_departure"), rtol=0, atol=1e-5
        )
        # The cost here is the true one, whose operator moves with the pressure of the levels.
        assert ours.diagnostics["cost"] == pytest.approx(theirs.diagnostics["cost"], rel=1e-3)


class Real(OuterWindow):
    """The forecast model over two slots of 20 minutes, driven by what it began with; `physics` of the inner models by
    coarsening."""

    def __init__(self, dtype: type, physics: Mapping[int, RegularPhysics | None]) -> None:
        virtual = FIELDS["temperature"] * (1.0 + VIRTUAL * FIELDS["qv"])
        reference = ReferenceProfile.fit(GRID.z, virtual, FIELDS["pressure"])
        model = Model.make(GRID, reference, DynamicsParameters(time_step=300.0, acoustic_substeps=4), dtype=dtype)
        boundary = model.boundary(FIELDS)

        def advance(state: State, start: np.datetime64, end: np.datetime64, change: Boundary | None = None) -> State:
            held = boundary if change is None else boundary.plus(change)
            return model.advance(state, Forcing(held, held), 1200.0)

        times = worlds.NOON + np.array([-2400, -1200, 0]) * np.timedelta64(1, "s")
        states = [model.start(FIELDS)]
        for start, end in itertools.pairwise(times):
            states.append(advance(states[-1], start, end))
        inner = {n: InnerModel.build(model, n, 1200.0, own) for n, own in physics.items()}
        fields, last = of_states(model, states)
        super().__init__(model, advance, times, tuple(states), fields, last, inner)
        self.background = self.trajectory()
        self.unchanged = self.states, self.fields, self.last

    def begin(self) -> None:
        """As before any analysis; every window has a model of its own."""
        (self.states, self.fields, self.last), self.change = self.unchanged, None


def within(window: Trajectory, table: Table) -> Table:
    """The same with times inside a window of 40 minutes."""
    seconds = (np.arange(len(table)) * 37) % 2400
    return table.with_columns(time=window.times[0] + seconds * np.timedelta64(1, "s"))


@pytest.mark.parametrize(
    ("factor", "dtype", "physics", "bound"),
    [
        (2, np.float64, None, 1e-10),
        (2, np.float32, REGULAR, 1e-4),
        pytest.param(1, np.float64, REGULAR, 1e-10, marks=pytest.mark.slow),
    ],
)
def test_the_chain_from_control_to_observations_has_an_exact_transpose(
    factor: int, dtype: type, physics: RegularPhysics | None, bound: float, request: pytest.FixtureRequest
) -> None:
    """Physics in double precision is in tests/forecast/test_window.py, without the rest of the chain."""
    if dtype is np.float64:
        request.getfixturevalue("x64")
    real = Real(dtype, {factor: physics})
    table = observed(real.background, within(real.background, worlds.ascents(GRID, 5, 1)))
    covariance = worlds.covariance(GRID, FIELDS)
    problem = prepare(AnalysisInput(real.background, table, covariance, PLAIN))
    propagation = real.linear(factor)
    inner = Trajectory(real.times, propagation.slots, propagation.domain)
    operator, _ = linearise(inner.stacked(), locate(inner, problem.table.take(problem.used)), by_slot=True)
    to_observations = ControlToObservation(problem, propagation, operator, penalty=1.0)
    random = np.random.default_rng(0)
    v = random.standard_normal(covariance.control_size)
    forward = to_observations.forward(v)
    r = random.standard_normal(len(forward))
    back = to_observations.adjoint(r)
    assert abs(forward @ r - v @ back) < bound * np.linalg.norm(forward) * np.linalg.norm(r)
    assert np.linalg.norm(forward[: len(problem.used)]) > 1.0


def cycled(real: Real, table: Table, **changes: Any) -> Analysis:
    settings = Assimilation(
        four_d_var=FourDVarSettings(
            **({"coarsening": (2, 1), "inner_iterations": 20, "gradient_reduction": 0.05} | changes)
        )
    )
    lines: list[str] = []
    real.begin()
    found = worlds.analyse(
        "4dvar", real.background, table, worlds.covariance(GRID, FIELDS), settings, lines.append, real
    )
    assert lines or not found.diagnostics["iterations"]
    return found


@pytest.fixture(scope="module")
def real() -> Real:
    # What an inner loop needs of physics shows on one grid.
    return Real(np.float32, {2: REGULAR, 1: None})


def test_the_true_cost_falls_from_loop_to_loop_and_departures_shrink(real: Real) -> None:
    table = within(real.background, worlds.ascents(GRID, 5, 1))
    table = worlds.with_departures(table, departures(real.background, table), 2.0 * table.column("error"))
    found = cycled(real, table)
    assert found.diagnostics["cost"] < 0.8 * found.diagnostics["cost_before"]
    used = np.isfinite(found.table.column("spread"))
    before, after = (found.table.column(f"{name}_departure")[used] for name in ("background", "analysis"))
    error = found.table.column("error")[used]
    assert np.sum((after / error) ** 2) < 0.8 * np.sum((before / error) ** 2)
    loops = [step["outer"] for step in found.diagnostics["iterations"]]
    assert set(loops) == {1, 2}


def test_what_drives_the_model_is_changed_with_the_increment(real: Real) -> None:
    """The outermost cells are the boundary's: all through the window they keep the change that they began with."""
    real.begin()
    random = np.random.default_rng(2)
    before = real.states
    sizes = {"u": 0.1, "v": 0.1, "temperature": 0.1, "pressure": 10.0, "qv": 1e-5}
    real.rerun({name: size * random.standard_normal(GRID.shape) for name, size in sizes.items()})
    assert real.change is not None
    edge = np.ones(GRID.shape[1:], bool)
    edge[1:-1, 1:-1] = False
    for one, two in zip(before, real.states, strict=True):
        for name in ("drho", "drt"):
            wanted = np.asarray(getattr(real.change, name))[..., edge]
            found = np.asarray(getattr(two, name) - getattr(one, name))[..., edge]
            np.testing.assert_allclose(found, wanted, rtol=0, atol=2e-2 * np.abs(wanted).max(), err_msg=name)
    assert np.abs(wanted).max() > 0.0


def test_a_step_to_where_the_model_fails_is_halved(real: Real, monkeypatch: pytest.MonkeyPatch) -> None:
    """The first forecast from an analysis fails; the next one, of half the step, is taken, and says so."""
    calls = []

    def rerun(self: OuterWindow, increment: Mapping[str, np.ndarray]) -> Trajectory:
        calls.append(1)
        if len(calls) == 1:
            raise NumericsError("the wind passed 400 m/s")
        return OuterWindow.rerun(self, increment)

    monkeypatch.setattr(Real, "rerun", rerun)
    table = observed(real.background, within(real.background, worlds.ascents(GRID, 3, 1, levels=3)))
    lines: list[str] = []
    settings = Assimilation(four_d_var=FourDVarSettings(coarsening=(2,), inner_iterations=6, gradient_reduction=0.05))
    real.begin()
    found = worlds.analyse(
        "4dvar", real.background, table, worlds.covariance(GRID, FIELDS), settings, lines.append, real
    )
    assert any("cannot be had (the wind passed 400 m/s); the step is halved" in line for line in lines)
    assert len(calls) == 2
    assert found.diagnostics["cost"] < found.diagnostics["cost_before"]


def test_the_engine_keeps_the_contract(real: Real) -> None:
    table = observed(real.background, within(real.background, worlds.ascents(GRID, 3, 1, levels=3)))

    class Fresh(FourDVarEngine):
        """The engine in a window that begins as before any analysis."""

        def analyse(self, given: AnalysisInput) -> Analysis:
            real.begin()
            return super().analyse(given)

    quick = Assimilation(four_d_var=FourDVarSettings(coarsening=(2,), inner_iterations=3))
    check_engine(Fresh(), AnalysisInput(real.background, table, worlds.covariance(GRID, FIELDS), quick, real))


def test_senseless_observations_leave_it_running(real: Real) -> None:
    """A sonde 50 K off, a station twice, a value in no unit at all."""
    good = observed(real.background, within(real.background, worlds.ascents(GRID, 3, 1, levels=3)))
    off = good.take(good.where(quantity="air_temperature"))
    off = off.with_columns(value=off.column("value") + 50.0, station="OFF", report=off.column("report") + 100)
    wild = good.take(np.arange(len(good)) < 2).with_columns(value=np.nan, station="WILD")
    found = cycled(real, Table.concat([good, good, off, wild]), coarsening=(2,), inner_iterations=4)
    flags = found.table.column("flags")
    is_off = found.table.where(station="OFF")
    assert ((flags[is_off] & np.uint32(Flag.BACKGROUND)) != 0).all()
    assert np.abs(found.increment["temperature"]).max() < 10.0
    assert np.isfinite(found.increment["u"]).all()


def test_without_observations_the_background_is_the_analysis(real: Real) -> None:
    none = worlds.ascents(GRID, 2, 1, levels=2).with_columns(withheld=True)
    found = cycled(real, none)
    assert not any(field.any() for field in found.increment.values())
    assert "No observation" in found.diagnostics["remarks"][0]


def test_without_a_model_it_is_refused() -> None:
    window = worlds.steady(GRID, FIELDS, 1)
    with pytest.raises(InputError, match="needs the model"):
        worlds.analyse("4dvar", window, winds_and_temperatures(), worlds.covariance(GRID, FIELDS), PLAIN)


def test_the_penalty_sees_oscillations_but_not_what_stands_still() -> None:
    weights = penalty_weights(36, 300.0)
    assert weights.sum() == pytest.approx(0.0, abs=1e-12)
    time = 300.0 * np.arange(36)
    fast, slow = (abs(weights @ np.cos(2.0 * np.pi * (time - time[18]) / period)) for period in (1200.0, 12 * 3600.0))
    assert fast > 0.9
    assert slow < 0.1
