"""What the observations of a window did, of a run that lies on disk: the window is made again from the archive.

The error that is looked at is that of the fields at the end of the window: against a truth, in the dry energy of the
inner grid; or against the observations of the window that were withheld. Robust weights are those of the run, from the
departures of its analysis. The linear model is that about the background, so what later outer loops changed of it is
not followed. Members go through the window again from the restart state before it, which the store's history holds.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from kaiseki.archive import RunStore
from kaiseki.assimilation import AnalysisInput, Trajectory, engine
from kaiseki.assimilation.contract import Propagation
from kaiseki.assimilation.engines import OWN, four_d_en_var, hybrid
from kaiseki.assimilation.engines.four_d_var import ControlToObservation
from kaiseki.assimilation.ensemble import Ensemble, ensemble_equivalents, onto_outer_transpose
from kaiseki.assimilation.impact import Gain, by_group, dry_energy_weights, error_of, stacked
from kaiseki.assimilation.operators import linearise, locate
from kaiseki.assimilation.problem import Problem, prepare, sqrt_transpose
from kaiseki.config import Assimilation
from kaiseki.core.constants import R_DRY
from kaiseki.core.errors import ConfigError, InputError
from kaiseki.core.timing import Window, format_utc, slots
from kaiseki.cycle import fields as fd
from kaiseki.cycle import observing
from kaiseki.cycle.analyst import cycled_covariance, layer_interfaces
from kaiseki.cycle.window import OuterWindow, of_states
from kaiseki.experiments.baselines import ensemble_beside
from kaiseki.experiments.case import PreparedCase
from kaiseki.forecast.convert import through_faces
from kaiseki.forecast.rim import Boundary
from kaiseki.forecast.state import State
from kaiseki.grid import Domain
from kaiseki.grid.coarsening import Coarsening
from kaiseki.observations import Flag, Table, trusted
from kaiseki.statistics import ANALYSIS_VARIABLES, BackgroundCovariance
from kaiseki.statistics.robust import likelihood

type Truth = Callable[[np.datetime64], fd.Fields]
"""Fields on the domain of a case."""


@dataclass(frozen=True, eq=False)
class Study:
    """What a window's observations did.

    Attributes:
        time: end of the window (UTC).
        against: "truth" or "withheld".
        table: of the window.
        rows: (p,) those used.
        impact: (p,) change of the error by each value, negative where it helped.
        influence: (p,) degrees of freedom for signal of each.
        before, after: the error of background and analysis as it is.
    """

    time: np.datetime64
    against: str
    table: Table
    rows: np.ndarray
    impact: np.ndarray
    influence: np.ndarray
    before: float
    after: float

    def as_dict(self) -> dict[str, Any]:
        """JSON-able: totals, and sums by kind and quantity."""
        return {
            "time": format_utc(self.time),
            "against": self.against,
            "observations": len(self.rows),
            "error_before": self.before,
            "error_after": self.after,
            "change": self.after - self.before,
            "explained": float(self.impact.sum()),
            "degrees_of_freedom": float(self.influence.sum()),
            "groups": by_group(self.table, self.rows, self.impact, self.influence),
        }


def study(case: PreparedCase, time: np.datetime64, truth: Truth | None = None, *, probes: int = 2) -> Study:
    """Impact and influence of the observations of the window that ends at a time.

    Args:
        case: of the run.
        time: of an analysis other than the cold start.
        truth: what the analysis is judged against; without it the observations that were withheld.
        probes: random vectors for the degrees of freedom, each of which costs a minimisation; 0 leaves them out.

    Raises:
        InputError: there is no such analysis, or nothing to judge it by.
        ConfigError: the engine has no such gain.
        StoreError: the members before the window are forgotten.
    """
    experiment = case.experiment
    settings = experiment.assimilation
    used = None if settings.engine == "none" else engine(settings.engine)
    if used is None or not used.has_gain:
        able = ", ".join(name for name in OWN if engine(name).has_gain)
        raise ConfigError(f"The impact of observations can be studied for {able}; the run used {settings.engine}")
    store = case.folder.read_store("analysis")
    if time not in store.completed_cycles()[1:]:
        raise InputError(f"{store.where} has no analysis of {format_utc(time)} that follows a forecast")
    window = Window.ending_at(time, experiment.period.window)
    times = slots(window.start, window.end, experiment.period.output_interval)
    background = [_background(store, t, window, case.domain) for t in times]
    trajectory = Trajectory(times, tuple(fd.observed(one) for one in background), case.domain)
    table = observing.of_window(case.table, window, experiment, layer_interfaces(case.domain))
    members = _members(case, store, time, times) if used.needs_ensemble else None
    at_start = used.increment_time == "start"
    about = trajectory.fields[0 if at_start else -1]
    static = cycled_covariance(experiment, case.domain, about, used.increment_time)
    stored = Table.from_arrow(store.read_observations(time))
    if used.name == "optimal_interpolation":
        settings = dataclasses.replace(settings, robust="none")
    given = AnalysisInput(trajectory, table, static, settings)
    if at_start:
        joined = static if members is None else hybrid.covariance_of(static, members, settings)
        problem = prepare(dataclasses.replace(given, covariance=joined))
        frame = _moving(problem, stored, _linear(case, times, background, settings), settings)
    else:
        problem = prepare(given)
        if members is None:
            frame = _still(problem, stored, settings)
        else:
            frame = _of_members(problem, stored, members, static, settings)
    if not len(problem.used):
        raise InputError(f"The analysis of {format_utc(time)} used no observation")
    if truth is not None:
        ends = (background[-1], fd.from_store(store, fd.ANALYSIS, time, case.domain), truth(time))
        slope, before, after = _energy(frame, case.domain, *ends)
    else:
        slope, before, after = _withheld(frame, problem.table, stored)
    impact = problem.departure / problem.error * frame.gain.transpose(frame.to_control(slope))
    influence = frame.gain.influence(probes) if probes else np.zeros(len(problem.used))
    against = "withheld" if truth is None else "truth"
    return Study(time, against, problem.table, problem.used, impact, influence, before, after)


@dataclass(frozen=True, eq=False)
class _Frame:
    """Grid and times at which increments of an analysis are compared.

    Attributes:
        gain: of the analysis.
        fields: trajectory at the slots about which all is linear.
        onto: from fields of the analysis' grid to those of this one.
        to_control: S^T M^T of sensitivities (slots, 5, nz, J, I).
        on_faces: whether the analysis' fields hold winds that went through the faces of the cells.
    """

    gain: Gain
    fields: Trajectory
    onto: Callable[[np.ndarray], np.ndarray]
    to_control: Callable[[np.ndarray], np.ndarray]
    on_faces: bool

    @property
    def shape(self) -> tuple[int, ...]:
        """Shape of sensitivities."""
        return len(self.fields.times), len(ANALYSIS_VARIABLES), *self.fields.domain.shape


def _weights(problem: Problem, stored: Table, settings: Assimilation) -> np.ndarray:
    """Robust weights (p,) of the run: those of what its analysis left of the departures.

    A value that the analysis put below the ground has no such departure; the background's, in standard deviations of
    the innovation, stands for it.
    """
    after = stored.column("analysis_departure")[problem.used] / problem.error
    instead = problem.departure / np.hypot(problem.error, problem.spread)
    robust = likelihood(settings.robust, settings.robust_threshold)
    return robust.weight(np.where(np.isfinite(after), after, instead))


@jax.jit
def _through_faces_transpose(u: jax.Array, v: jax.Array) -> tuple[jax.Array, jax.Array]:
    found: tuple[jax.Array, jax.Array] = jax.linear_transpose(through_faces, u, v)((u, v))
    return found


def _still(problem: Problem, stored: Table, settings: Assimilation) -> _Frame:
    """An increment that does not change within the window."""
    gain = Gain(problem.forward, problem.adjoint, _weights(problem, stored, settings), len(problem.used))

    def to_control(slots: np.ndarray) -> np.ndarray:
        return sqrt_transpose(problem.covariance, slots.sum(axis=0).ravel())

    return _Frame(gain, problem.background, lambda field: field, to_control, True)


def _of_members(
    problem: Problem, stored: Table, members: Ensemble, static: BackgroundCovariance, settings: Assimilation
) -> _Frame:
    """An increment made of members, that of the end of the window."""
    found = ensemble_equivalents(problem, members)
    problem = dataclasses.replace(problem, spread=found.spread)
    to_observations = four_d_en_var.ControlToObservation(problem, found, four_d_en_var.covariance_of(members, settings))
    weights = np.where(found.exists, _weights(problem, stored, settings), 0.0)
    gain = Gain(to_observations.forward, to_observations.adjoint, weights, len(problem.used))

    def to_control(slots: np.ndarray) -> np.ndarray:
        last = onto_outer_transpose(slots.sum(axis=0), members, np.asarray(static.mask))
        fields = np.zeros((len(members.times), *last.shape))
        fields[-1] = last
        return to_observations.gradient(fields)

    return _Frame(gain, problem.background, lambda field: field, to_control, True)


def _members(case: PreparedCase, store: RunStore, time: np.datetime64, times: np.ndarray) -> Ensemble:
    """The members in the window that ends at a time, as they were in the run."""
    run = ensemble_beside(case)
    before = store.cycle_times[np.searchsorted(store.cycle_times, time) - 1]
    tree = store.read_restart(before)
    run.resume(tree["members"], tree.get("members_boundary", {}), store.cycle_times[0])
    return run.forecast(before, times)


def _moving(problem: Problem, stored: Table, linear: Propagation, settings: Assimilation) -> _Frame:
    """An increment that the inner model carries."""
    inner = Trajectory(problem.background.times, tuple(dict(one) for one in linear.slots), linear.domain)
    operator, equivalent = linearise(inner.stacked(), locate(inner, problem.table.take(problem.used)), by_slot=True)
    to_observations = ControlToObservation(problem, linear, operator, settings.four_d_var.gravity_wave_penalty)
    weights = np.where(np.isfinite(equivalent), _weights(problem, stored, settings), 0.0)
    gain = Gain(
        to_observations.forward,
        to_observations.adjoint,
        np.concatenate([weights, np.ones(linear.waves)]),
        len(problem.used),
    )
    none = np.zeros(linear.waves)
    coarsening = Coarsening.build(problem.background.domain, settings.four_d_var.coarsening[-1])
    return _Frame(gain, inner, coarsening, lambda slots: to_observations.gradient(slots, none), False)


def _linear(case: PreparedCase, times: np.ndarray, background: list[fd.Fields], settings: Assimilation) -> Propagation:
    """The linear model about the background."""

    def nowhere(state: State, start: np.datetime64, end: np.datetime64, change: Boundary | None) -> State:
        raise AssertionError("the window is not run again")

    states = tuple(
        case.model.start({**case.driving(time), **fields}) for time, fields in zip(times, background, strict=True)
    )
    outer = OuterWindow(case.model, nowhere, times, states, *of_states(case.model, states), {})
    return outer.linear(settings.four_d_var.coarsening[-1])


def _background(store: RunStore, time: np.datetime64, window: Window, domain: Domain) -> fd.Fields:
    """The forecast at a slot; at the start of the window the analysis before it (which the forecast of 4D-Var began
    with; that of other engines with what the filter left of it)."""
    at_start = time == window.start and time in store.completed_cycles()[1:]
    return fd.from_store(store, fd.ANALYSIS if at_start else fd.FORECAST, time, domain)


def _energy(
    frame: _Frame, domain: Domain, background: fd.Fields, analysis: fd.Fields, truth: fd.Fields
) -> tuple[np.ndarray, float, float]:
    """Sensitivity to the slots, and the error before and after, in the dry energy of the frame's grid."""
    first, last, true = (frame.onto(stacked(fields)) for fields in (background, analysis, truth))
    mask = frame.onto(domain.inside_rim.astype(float)) > 0.999
    grid = frame.fields.domain
    density = first[3] / (R_DRY * first[2])
    weights = dry_energy_weights(density * np.diff(grid.z_half, axis=0) / grid.map_factor**2, mask)
    before, after = first - true, last - true
    slope = np.zeros(frame.shape)
    slope[-1] = 0.5 * weights * (before + after)
    if frame.on_faces:
        slope[-1, :2] = _through_faces_transpose(*(jnp.asarray(wind, float) for wind in slope[-1, :2]))
    return slope, error_of(before, weights), error_of(after, weights)


def _withheld(frame: _Frame, table: Table, stored: Table) -> tuple[np.ndarray, float, float]:
    """Sensitivity to the slots, and the error before and after, in half the mean square of the normalised departures of
    what was withheld.

    Args:
        frame: see above.
        table: of the window, with errors.
        stored: the same rows with the departures of the run.
    """
    before, after = (stored.column(f"{name}_departure") for name in ("background", "analysis"))
    flags = table.column("flags")
    good = table.column("withheld") & trusted(flags) & (table.column("error") > 0.0)
    good &= (flags & np.uint32(Flag.OUTSIDE_DOMAIN | Flag.NO_EQUIVALENT)) == 0
    good &= np.isfinite(before) & np.isfinite(after)
    rows = np.flatnonzero(good)
    operator, equivalent = linearise(frame.fields.stacked(), locate(frame.fields, table.take(rows)), by_slot=True)
    seen = np.isfinite(equivalent)
    rows, operator = rows[seen], operator.take(seen)
    if not len(rows):
        raise InputError("No observation of the window was withheld, so nothing can be judged by them")
    error, number = table.column("error")[rows], len(rows)
    first, last = (departure[rows] / error for departure in (before, after))
    slope = operator.transpose(-0.5 * (first + last) / error / number).reshape(frame.shape)
    return slope, 0.5 * float(first @ first) / number, 0.5 * float(last @ last) / number
