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

from kaiseki.assimilation.contract import Analysis, AnalysisInput, Engine
from kaiseki.assimilation.problem import Solution, finish, nothing_to_do, prepare, uncertainty_of
from kaiseki.assimilation.uncertainty import PAIRS
from kaiseki.statistics.conjugate_gradients import conjugate_gradients


class OptimalInterpolation(Engine):
    """Optimal interpolation; see the module."""

    name = "optimal_interpolation"
    has_gain = True

    def analyse(self, given: AnalysisInput) -> Analysis:
        """The analysis of a window (see `contract.Engine`); of the settings the robust likelihood is not used.

        The history holds the dual cost x.(H B H^T + R) x / 2 - d.x, whose minimum is the negative of the primal one.

        Raises:
            InputError: background and covariance are of different grids.
            NumericsError: the minimisation left the range of numbers.
        """
        problem = prepare(given)
        uncertainty = uncertainty_of(problem)
        if not len(problem.used):
            return nothing_to_do(problem, self.name, given.log, uncertainty)
        departure = problem.departure / problem.error

        def matrix(vector: np.ndarray) -> np.ndarray:
            return vector + problem.forward(problem.adjoint(vector))

        minimum = conjugate_gradients(
            matrix,
            departure,
            iterations=given.settings.inner_iterations,
            reduction=given.settings.gradient_reduction,
            log=given.log,
        )
        control = problem.adjoint(minimum.control)
        residual = departure - problem.forward(control)
        if uncertainty is not None:
            # The inverse of the matrix is never below the sum of u u^T / theta over its Ritz pairs.
            pairs = minimum.spectrum.largest(PAIRS)
            uncertainty.explain(
                problem.adjoint(pair) / np.sqrt(value)
                for value, pair in zip(pairs.values, pairs.vectors.T, strict=True)
            )
            if not minimum.spectrum.complete:
                uncertainty.draw(problem.randomised(np.ones(len(departure))))
        solution = Solution(
            increment=problem.increment(control),
            cost=0.5 * float(control @ control) + 0.5 * float(residual @ residual),
            cost_before=0.5 * float(departure @ departure),
            steps=minimum.steps,
            converged=minimum.converged,
        )
        return finish(problem, self.name, solution, uncertainty)
