"""3D-FGAT: variational analysis with the background at the observations' own times.

    J(v) = v.v / 2 + sum rho((d - H S v) / sigma_o),   increment = S v

d is the departure from the background trajectory at each observation's time, H the operator linearised there, S the
square root of the background covariance; the increment does not change within the window (Fisher and Andersson 2001,
ECMWF Tech. Memo. 347, section 2, "first guess at appropriate time"). Solved in the space of the control variable.
"""

from __future__ import annotations

import numpy as np

from kaiseki.assimilation.contract import Analysis, AnalysisInput, Engine
from kaiseki.assimilation.problem import Solution, finish, nothing_to_do, prepare, uncertainty_of
from kaiseki.assimilation.uncertainty import PAIRS
from kaiseki.statistics.conjugate_gradients import Spectrum
from kaiseki.statistics.minimise import LeastSquares, MinimiserSettings, reweighted
from kaiseki.statistics.robust import likelihood


class ThreeDFgat(Engine):
    """3D-FGAT; see the module."""

    name = "3dfgat"
    has_gain = True

    def analyse(self, given: AnalysisInput) -> Analysis:
        """The analysis of a window (see `contract.Engine`); `log` gets cost and gradient of every iteration.

        Raises:
            InputError: background and covariance are of different grids.
            NumericsError: the minimisation left the range of numbers.
        """
        problem = prepare(given)
        uncertainty = uncertainty_of(problem)
        if not len(problem.used):
            return nothing_to_do(problem, self.name, given.log, uncertainty)

        def learn(spectrum: Spectrum, weights: np.ndarray) -> None:
            if uncertainty is None:
                return
            uncertainty.explain(spectrum.largest(PAIRS).explained())
            if not spectrum.complete:
                uncertainty.draw(problem.randomised(weights))

        robust = likelihood(given.settings.robust, given.settings.robust_threshold)
        cost = LeastSquares(
            problem.forward, problem.adjoint, problem.departure / problem.error, np.ones(len(problem.used))
        )
        result = reweighted(
            cost,
            given.covariance.control_size,
            robust,
            MinimiserSettings(
                outer=given.settings.outer_loops,
                iterations=given.settings.inner_iterations,
                reduction=given.settings.gradient_reduction,
            ),
            log=given.log,
            learn=learn,
        )
        solution = Solution(
            increment=problem.increment(result.minimum.control),
            cost=result.costs[-1],
            cost_before=result.costs[0],
            steps=result.minimum.steps,
            converged=result.minimum.converged,
            weights=result.weights,
        )
        return finish(problem, self.name, solution, uncertainty)
