"""Optimal interpolation: the same analysis in the space of the observations.

    (H B H^T + R) x = d,   increment = B H^T x

(Lorenc 1986, Q. J. R. Meteorol. Soc. 112, 1177-1194; the dual form of the variational problem, Courtier 1997, Q. J. R.
Meteorol. Soc. 123, 2449-2461.) All observations enter at once; nothing is selected by distance. Departures are taken at
the observations' own times and the increment is valid in the whole window, as in 3D-FGAT, so the two agree to round-off
where the likelihood is Gaussian. It is always Gaussian here: gross errors are left to the background check, which makes
it the plain baseline.
"""

from __future__ import annotations

import numpy as np

from kaiseki.assimilation.engine import Analysis, EngineSettings, Report, WindowModel
from kaiseki.assimilation.problem import finish, nothing_to_do, prepare
from kaiseki.assimilation.trajectory import Trajectory
from kaiseki.assimilation.uncertainty import PAIRS, Uncertainty
from kaiseki.observations import Table
from kaiseki.statistics import BackgroundCovariance
from kaiseki.statistics.conjugate_gradients import conjugate_gradients

NAME = "optimal_interpolation"


def analyse(
    background: Trajectory,
    observations: Table,
    covariance: BackgroundCovariance,
    settings: EngineSettings,
    report: Report | None = None,
    window: WindowModel | None = None,
) -> Analysis:
    """The analysis of a window (see `engine.Engine`); of the settings the robust likelihood is not used.

    The history holds the dual cost x.(H B H^T + R) x / 2 - d.x, whose minimum is the negative of the primal one.

    Raises:
        InputError: background and covariance are of different grids.
        NumericsError: the minimisation left the range of numbers.
    """
    problem = prepare(background, observations, covariance, settings)
    uncertainty = Uncertainty(covariance, background.domain, background.fields[-1])
    if not len(problem.used):
        return nothing_to_do(problem, NAME, report, uncertainty)
    departure = problem.departure / problem.error

    def matrix(vector: np.ndarray) -> np.ndarray:
        return vector + problem.forward(problem.adjoint(vector))

    minimum = conjugate_gradients(
        matrix, departure, iterations=settings.iterations, reduction=settings.reduction, report=report
    )
    control = problem.adjoint(minimum.control)
    residual = departure - problem.forward(control)
    # The inverse of the matrix is never below the sum of u u^T / theta over its Ritz pairs.
    pairs = minimum.spectrum.largest(PAIRS)
    uncertainty.explain(
        problem.adjoint(pair) / np.sqrt(value) for value, pair in zip(pairs.values, pairs.vectors.T, strict=True)
    )
    if not minimum.spectrum.complete:
        uncertainty.draw(problem.randomised(np.ones(len(departure))))
    return finish(
        problem,
        NAME,
        problem.increment(control),
        minimum.steps,
        converged=minimum.converged,
        cost=0.5 * float(control @ control) + 0.5 * float(residual @ residual),
        cost_before=0.5 * float(departure @ departure),
        uncertainty=uncertainty,
    )
