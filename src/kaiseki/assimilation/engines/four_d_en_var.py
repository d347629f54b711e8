"""4DEnVar: variational analysis whose covariance, in space and over the window, is that of an ensemble.

    J(v) = v.v / 2 + sum rho((d - H X v) / sigma_o),   increment = X v

X v multiplies each member's anomaly, at every slot, by a smooth field of its own (`statistics.ensemble_covariance`),
so neither tangent model nor adjoint is needed (Liu, Xiao and Wang 2008, Mon. Wea. Rev. 136, 3363-3373; Buehner et al.
2010, ibid. 138, 1550-1566). The increment is that of the end of the window; members are updated by the ensemble
transform.
"""

from __future__ import annotations

import dataclasses

import jax
import jax.numpy as jnp
import numpy as np

from kaiseki.assimilation.contract import Analysis, AnalysisInput, Engine
from kaiseki.assimilation.ensemble import (
    Ensemble,
    EnsembleEquivalents,
    ensemble_equivalents,
    onto_outer,
    transformed,
    with_members,
)
from kaiseki.assimilation.problem import Problem, Solution, finish, nothing_to_do, prepare
from kaiseki.config import Assimilation
from kaiseki.statistics import ANALYSIS_VARIABLES
from kaiseki.statistics.ensemble_covariance import EnsembleCovariance, of_ensemble
from kaiseki.statistics.minimise import LeastSquares, MinimiserSettings, reweighted
from kaiseki.statistics.robust import likelihood


@jax.jit
def _sqrt(covariance: EnsembleCovariance, control: jax.Array) -> jax.Array:
    found: jax.Array = covariance.sqrt(control)
    return found


@jax.jit
def _sqrt_transpose(covariance: EnsembleCovariance, fields: jax.Array) -> jax.Array:
    found: jax.Array = covariance.sqrt_transpose(fields)
    return found


class ControlToObservation:
    """Linear map G = R^(-1/2) H X from the control variable to normalised observation equivalents."""

    def __init__(self, problem: Problem, found: EnsembleEquivalents, covariance: EnsembleCovariance) -> None:
        self.problem = problem
        self.found = found
        self.covariance = covariance

    def increments(self, control: np.ndarray) -> np.ndarray:
        """Increments X v, (slots 5, nz, J, I)."""
        return np.asarray(_sqrt(self.covariance, jnp.asarray(control, dtype=float)))

    def forward(self, control: np.ndarray) -> np.ndarray:
        """Normalised equivalents G v, (p,)."""
        return self.found.operator(self.increments(control).ravel()) / self.problem.error

    def adjoint(self, normalised: np.ndarray) -> np.ndarray:
        """Adjoint G^T r, (n,), of normalised departures r (p,)."""
        return self.gradient(self.found.operator.transpose(normalised / self.problem.error))

    def gradient(self, fields: np.ndarray) -> np.ndarray:
        """Gradient (n,) by the control variable, X^T of sensitivities to the members' grid at all slots (slots 5 nz J I
        in all)."""
        shaped = jnp.asarray(fields, dtype=float).reshape(self.covariance.anomalies.shape[1:])
        return np.asarray(_sqrt_transpose(self.covariance, shaped), np.float64)


def covariance_of(ensemble: Ensemble, settings: Assimilation) -> EnsembleCovariance:
    """The localised covariance of the members over the whole window."""
    shape = ensemble.anomalies.shape
    anomalies = ensemble.anomalies.reshape(shape[0], shape[1] * shape[2], *shape[3:])
    return of_ensemble(
        ensemble.domain, anomalies, settings.ensemble.localisation_length, settings.ensemble.localisation_depth
    )


class FourDEnVar(Engine):
    """4DEnVar; see the module."""

    name = "4denvar"
    needs_ensemble = True
    has_gain = True

    def analyse(self, given: AnalysisInput) -> Analysis:
        """The analysis of a window (see `contract.Engine`). `covariance` serves the background check alone.

        Raises:
            InputError: background and covariance are of different grids, or there are no members.
            NumericsError: the minimisation left the range of numbers.
        """
        ensemble = self.members_of(given)
        problem = prepare(given)
        if not len(problem.used):
            return with_members(nothing_to_do(problem, self.name, given.log), ensemble, None)
        found = ensemble_equivalents(problem, ensemble)
        problem = dataclasses.replace(problem, spread=found.spread)
        to_observations = ControlToObservation(problem, found, covariance_of(ensemble, given.settings))
        robust = likelihood(given.settings.robust, given.settings.robust_threshold)
        result = reweighted(
            LeastSquares(
                to_observations.forward,
                to_observations.adjoint,
                problem.departure / problem.error,
                found.exists.astype(np.float64),
            ),
            to_observations.covariance.control_size,
            robust,
            MinimiserSettings(
                outer=given.settings.outer_loops,
                iterations=given.settings.inner_iterations,
                reduction=given.settings.gradient_reduction,
            ),
            log=given.log,
        )
        last = to_observations.increments(result.minimum.control)[-len(ANALYSIS_VARIABLES) :].astype(np.float64)
        _, anomalies, _ = transformed(problem, ensemble, found, given.settings.ensemble, robust)
        solution = Solution(
            increment=onto_outer(last, ensemble, np.asarray(given.covariance.mask)),
            cost=result.costs[-1],
            cost_before=result.costs[0],
            steps=result.minimum.steps,
            converged=result.minimum.converged,
            weights=result.weights,
        )
        return with_members(finish(problem, self.name, solution), ensemble, anomalies)
