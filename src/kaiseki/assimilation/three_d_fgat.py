"""3D-FGAT: variational analysis with the background at the observations' own times.

    J(v) = v.v / 2 + sum rho((d - H S v) / sigma_o),   increment = S v

d is the departure from the background trajectory at each observation's time, H the operator linearised there, S the
square root of the background covariance; the increment does not change within the window (Fisher and Andersson 2001,
ECMWF Tech. Memo. 347, section 2, "first guess at appropriate time"). Solved in the space of the control variable.
"""

from __future__ import annotations

import numpy as np

from kaiseki.assimilation.engine import Analysis, EngineSettings, Report, WindowModel
from kaiseki.assimilation.problem import finish, nothing_to_do, prepare
from kaiseki.assimilation.trajectory import Trajectory
from kaiseki.assimilation.uncertainty import PAIRS, Uncertainty
from kaiseki.observations import Table
from kaiseki.statistics import BackgroundCovariance
from kaiseki.statistics.conjugate_gradients import Spectrum
from kaiseki.statistics.minimise import LeastSquares, reweighted
from kaiseki.statistics.robust import likelihood

NAME = "3dfgat"


def analyse(
    background: Trajectory,
    observations: Table,
    covariance: BackgroundCovariance,
    settings: EngineSettings,
    report: Report | None = None,
    window: WindowModel | None = None,
) -> Analysis:
    """The analysis of a window (see `engine.Engine`); `report` gets cost and gradient of every iteration.

    Raises:
        InputError: background and covariance are of different grids.
        NumericsError: the minimisation left the range of numbers.
    """
    problem = prepare(background, observations, covariance, settings)
    uncertainty = Uncertainty(covariance, background.domain, background.fields[-1])
    if not len(problem.used):
        return nothing_to_do(problem, NAME, report, uncertainty)

    def learn(spectrum: Spectrum, weights: np.ndarray) -> None:
        uncertainty.explain(spectrum.largest(PAIRS).explained())
        if not spectrum.complete:
            uncertainty.draw(problem.randomised(weights))

    robust = likelihood(settings.robust, settings.robust_threshold)
    cost = LeastSquares(problem.forward, problem.adjoint, problem.departure / problem.error, np.ones(len(problem.used)))
    result = reweighted(
        cost,
        covariance.control_size,
        robust,
        outer=settings.outer,
        iterations=settings.iterations,
        reduction=settings.reduction,
        report=report,
        learn=learn,
    )
    return finish(
        problem,
        NAME,
        problem.increment(result.minimum.control),
        result.minimum.steps,
        converged=result.minimum.converged,
        cost=result.costs[-1],
        cost_before=result.costs[0],
        weights=result.weights,
        uncertainty=uncertainty,
    )
