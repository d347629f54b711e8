"""Incremental 4D-Var: the increment at the start of the window that brings the model nearest to all observations.

    J(v) = v.v / 2 + sum rho((y - H M(x_b + S v)) / sigma_o) + Jc,   increment = S v at the start of the window

Each outer loop runs the forecast model M from the start, takes departures at the observations' own times, linearises
about that trajectory and minimises a quadratic with the inner model (Courtier, Thepaut and Hollingsworth 1994, Q. J. R.
Meteorol. Soc. 120, 1367-1387), whose grid may grow finer from loop to loop. Robust weights are renewed with it. Jc
penalises what a digital filter would take out of the increments of the window (Gauthier and Thepaut 2001, Mon. Wea.
Rev. 129, 2089-2102). The control variable is that of 3D-FGAT; where the increment reaches the rim, what drives the
model there is changed with it, by the same amount through the window (see `forecast.window`).
"""

from __future__ import annotations

import numpy as np

from kaiseki.assimilation.comparison import evaluate, observed
from kaiseki.assimilation.contract import Analysis, AnalysisInput, Engine, Propagation, WindowModel
from kaiseki.assimilation.operators import LinearOperator, linearise, locate
from kaiseki.assimilation.problem import (
    Problem,
    Solution,
    as_fields,
    finish,
    nothing_to_do,
    prepare,
    sqrt,
    sqrt_transpose,
    uncertainty_of,
)
from kaiseki.assimilation.trajectory import Trajectory
from kaiseki.assimilation.uncertainty import PAIRS_CARRIED
from kaiseki.statistics import ANALYSIS_VARIABLES
from kaiseki.statistics.conjugate_gradients import Spectrum
from kaiseki.statistics.minimise import LeastSquares, MinimiserSettings, outer_loops
from kaiseki.statistics.robust import likelihood


class FourDVar(Engine):
    """Incremental 4D-Var; see the module."""

    name = "4dvar"
    increment_time = "start"
    needs_window_model = True
    has_gain = True

    def analyse(self, given: AnalysisInput) -> Analysis:
        """The analysis of a window (see `contract.Engine`), with the increment at its start.

        Raises:
            InputError: background and covariance are of different grids, or there is no model of the window.
            NumericsError: the minimisation left the range of numbers.
        """
        window = self.window_model_of(given)
        problem = prepare(given)
        return minimise(problem, self.name, window, given)


def minimise(problem: Problem, name: str, window: WindowModel, given: AnalysisInput) -> Analysis:
    """The analysis of a problem whose covariance is that of the start of the window."""
    settings, four_d = given.settings, given.settings.four_d_var
    uncertainty = uncertainty_of(problem, 1.0 / four_d.background_deviation)
    if not len(problem.used):
        return nothing_to_do(problem, name, given.log, uncertainty)
    loops = _Loops(problem, window, four_d.coarsening, four_d.gravity_wave_penalty)

    def learn(spectrum: Spectrum, weights: np.ndarray) -> None:
        if uncertainty is None:
            return
        model = loops.propagation
        at_end = (model.tangent(problem.increment(y))[0][-1] for y in spectrum.largest(PAIRS_CARRIED).explained())
        uncertainty.explain_carried(at_end, model.domain, model.slots[-1])
        if not spectrum.complete:
            uncertainty.draw(problem.randomised(weights[: len(problem.used)]))

    result = outer_loops(
        loops,
        problem.covariance.control_size,
        likelihood(settings.robust, settings.robust_threshold),
        MinimiserSettings(
            outer=len(four_d.coarsening), iterations=four_d.inner_iterations, reduction=four_d.gradient_reduction
        ),
        log=given.log,
        checkpoint=given.checkpoint,
        learn=learn,
    )
    increment = problem.increment(result.minimum.control)
    analysed = loops.trajectory_of(increment, result.minimum.control)
    number = len(problem.used)
    oscillations = result.problem.residual(result.minimum.control)[number:]
    solution = Solution(
        increment=increment,
        cost=result.costs[-1],
        cost_before=result.costs[0],
        cost_of_oscillations=0.5 * float(oscillations @ oscillations),
        steps=result.minimum.steps,
        converged=result.minimum.converged,
        weights=result.weights[:number],
        no_equivalent=result.problem.counted[:number] == 0.0,
        analysed=analysed,
    )
    return finish(problem, name, solution, uncertainty)


class _Loops:
    """Linearises about the trajectory of a control; remembers the last trajectory and its linear model."""

    def __init__(self, problem: Problem, window: WindowModel, coarsening: tuple[int, ...], penalty: float) -> None:
        self.problem = problem
        self.window = window
        self.coarsening = coarsening
        self.penalty = penalty
        self.table = problem.table.take(problem.used)
        self.plan = locate(problem.background, self.table)
        self.last: tuple[np.ndarray, Trajectory] = (np.zeros(problem.covariance.control_size), problem.background)
        self.propagation: Propagation

    def trajectory_of(self, increment: dict[str, np.ndarray], control: np.ndarray) -> Trajectory:
        """The forecast from the start plus an increment."""
        if not np.array_equal(control, self.last[0]):
            self.last = (control.copy(), self.window.rerun(increment))
        return self.last[1]

    def __call__(self, control: np.ndarray, loop: int) -> LeastSquares:
        problem = self.problem
        trajectory = self.trajectory_of(problem.increment(control), control)
        departure = observed(self.table) - evaluate(trajectory.stacked(), self.plan)
        propagation = self.propagation = self.window.linear(self.coarsening[min(loop, len(self.coarsening)) - 1])
        inner = Trajectory(trajectory.times, propagation.slots, propagation.domain)
        operator, equivalent = linearise(inner.stacked(), locate(inner, self.table), by_slot=True)
        to_observations = ControlToObservation(problem, propagation, operator, self.penalty)
        # A value that either grid cannot compare (below its ground) counts for nothing.
        exists = np.isfinite(departure) & np.isfinite(equivalent)
        none = np.zeros(propagation.waves)
        normalised = np.concatenate([np.where(exists, departure, 0.0) / problem.error, none])
        start = to_observations.forward(control) if control.any() else np.zeros_like(normalised)
        # The penalty is that of the whole increment, so its target is zero, not what the last loop left.
        start[len(exists) :] = 0.0
        counted = np.concatenate([exists.astype(np.float64), np.ones_like(none)])
        robust = np.concatenate([np.ones(len(exists), bool), np.zeros(len(none), bool)])
        return LeastSquares(to_observations.forward, to_observations.adjoint, normalised + start, counted, robust)


class ControlToObservation:
    """Linear map G = R^(-1/2) H M S from the control variable to normalised observation equivalents, then
    oscillations."""

    def __init__(self, problem: Problem, propagation: Propagation, operator: LinearOperator, penalty: float) -> None:
        self.problem = problem
        self.propagation = propagation
        self.operator = operator
        self.shape = problem.background.domain.shape
        self.slots = (len(propagation.slots), len(ANALYSIS_VARIABLES), *propagation.domain.shape)
        # By the number of observations, so that both parts of the cost grow alike with the domain.
        columns = propagation.domain.ny * propagation.domain.nx
        self.root = np.sqrt(penalty * len(problem.used) / columns)

    def forward(self, control: np.ndarray) -> np.ndarray:
        """Normalised equivalents and oscillations G v, (p + waves,)."""
        increment = as_fields(sqrt(self.problem.covariance, control), self.shape)
        slots, waves = self.propagation.tangent(increment)
        values = self.operator(slots.ravel()) / self.problem.error
        return np.concatenate([values, self.root * waves.astype(np.float64)])

    def adjoint(self, normalised: np.ndarray) -> np.ndarray:
        """Adjoint G^T r, (n,), of normalised departures and oscillations r (p + waves,)."""
        number = len(self.problem.error)
        slots = self.operator.transpose(normalised[:number] / self.problem.error).reshape(self.slots)
        return self.gradient(slots, self.root * normalised[number:])

    def gradient(self, slots: np.ndarray, waves: np.ndarray) -> np.ndarray:
        """Gradient (n,) by the control variable, S^T M^T of sensitivities (slots, 5, nz, J, I) and of those to the
        oscillations."""
        back = self.propagation.adjoint(slots, waves)
        flat = np.concatenate([np.ravel(np.asarray(back[name], np.float64)) for name in ANALYSIS_VARIABLES])
        return sqrt_transpose(self.problem.covariance, flat)
