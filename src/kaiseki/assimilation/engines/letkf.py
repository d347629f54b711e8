"""LETKF: the analysis with the gain of an ensemble, in local domains (Hunt, Kostelich and Szunyogh 2007, Physica D 230,
112-126).

Members are compared with observations at the observations' own times (4D-LETKF, section 4.5.1 there); the increment is
that of the end of the window. See `ensemble` for what stands where the mean of the members usually stands.
"""

from __future__ import annotations

import dataclasses

import numpy as np

from kaiseki.assimilation.contract import Analysis, AnalysisInput, Engine
from kaiseki.assimilation.ensemble import ensemble_equivalents, onto_outer, transformed, with_members
from kaiseki.assimilation.problem import Problem, Solution, finish, nothing_to_do, prepare
from kaiseki.statistics.robust import likelihood


class Letkf(Engine):
    """LETKF; see the module."""

    name = "letkf"
    needs_ensemble = True

    def analyse(self, given: AnalysisInput) -> Analysis:
        """The analysis of a window (see `contract.Engine`). `covariance` serves the background check alone.

        Raises:
            InputError: background and covariance are of different grids, or there are no members.
            NumericsError: members left the range of numbers.
        """
        ensemble = self.members_of(given)
        problem = prepare(given)
        if not len(problem.used):
            return with_members(nothing_to_do(problem, self.name, given.log), ensemble, None)
        found = ensemble_equivalents(problem, ensemble)
        robust = likelihood(given.settings.robust, given.settings.robust_threshold)
        coarse, anomalies, weights = transformed(problem, ensemble, found, given.settings.ensemble, robust)
        increment = onto_outer(coarse, ensemble, np.asarray(given.covariance.mask))
        problem = dataclasses.replace(problem, spread=found.spread)
        before = 0.5 * float(np.sum((problem.departure / problem.error) ** 2))
        if given.log is not None:
            given.log(f"LETKF: {len(problem.used)} observations, {ensemble.members} members")
        solution = Solution(increment=increment, cost=cost_of(problem, increment), cost_before=before, weights=weights)
        return with_members(finish(problem, self.name, solution), ensemble, anomalies)


def cost_of(problem: Problem, increment: dict[str, np.ndarray]) -> float:
    """Half the sum of squares of the normalised departures that an increment leaves: the observations' cost alone."""
    flat = np.concatenate([increment[name].ravel() for name in increment])
    left = (problem.departure - problem.operator(flat)) / problem.error
    return 0.5 * float(left @ left)
