"""Parameters, coefficients of the drift and pseudo-observations from the gauges of a window.

Three guards keep a dry network from deciding (without them the likelihood runs to ranges of a thousand km and errors ten
times the signal): parameters are found from active gauges alone, with rain around them by gauge or radar; each has a
tight lognormal prior; and the mean of the back-transform takes the variance of the rain without that of the errors.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
from scipy.linalg import cho_factor, cho_solve, cholesky
from scipy.optimize import minimize
from scipy.spatial import cKDTree

from kaiseki.precipitation.analysis.covariance import correlations, memory, of_signal, present
from kaiseki.precipitation.analysis.likelihood import Observed, error_covariance, iterate
from kaiseki.precipitation.analysis.settings import PRIOR_SPREAD, AnalysisSettings, Parameters, prior

_BLOCK: Final = 350
"""Number of values of a block, beyond which a network is cut."""
_ROUNDS: Final = 4
"""Rounds of pseudo-observations, drift and parameters in turn."""
_RANGE_SPREAD: Final = 0.25
"""Standard deviation of the prior of the logarithm of the common factor of ranges."""


@dataclass(frozen=True, eq=False)
class Fitted:
    """What the gauges of a window say: parameters, coefficients of the drift (p,) with covariance, observations."""

    observed: Observed
    parameters: Parameters
    drift: np.ndarray
    drift_covariance: np.ndarray


def fit(one: Observed, drift_mean: np.ndarray, drift_sd: np.ndarray, settings: AnalysisSettings) -> Fitted:
    """Parameters by maximum posterior density, coefficients of the drift and pseudo-observations, in turn."""
    parameters, drift, covariance = prior(settings), drift_mean, np.diag(drift_sd**2)
    blocks = cut(one, settings.neighbours)
    for number in range(_ROUNDS):
        one = _iterated(one, blocks, parameters, drift, settings, times=3)
        drift, covariance = _coefficients(one, blocks, parameters, drift_mean, drift_sd)
        if settings.fit and number < _ROUNDS - 1 and one.active.any():
            parameters = _most_probable(one, parameters, drift_mean, drift_sd, settings)
    one = _iterated(one, blocks, parameters, drift, settings, times=2)
    return Fitted(one, parameters, drift, covariance)


def cut(one: Observed, most: int) -> list[np.ndarray]:
    """Numbers of the values of compact blocks: one if there are few, else halved along the longer side."""

    def halves(chosen: np.ndarray, largest: int) -> list[np.ndarray]:
        if chosen.size <= largest:
            return [chosen]
        x = one.points.x[chosen]
        order = chosen[np.argsort(x[:, int(np.argmax(np.ptp(x, axis=0)))], kind="stable")]
        return halves(order[: order.size // 2], largest) + halves(order[order.size // 2 :], largest)

    return halves(np.arange(one.size), most if one.size <= most else _BLOCK) if one.size else []


def _iterated(
    one: Observed,
    blocks: list[np.ndarray],
    parameters: Parameters,
    drift: np.ndarray,
    settings: AnalysisSettings,
    times: int,
) -> Observed:
    """Values renewed block by block, each with its neighbours around."""
    if len(blocks) <= 1:
        return iterate(one, parameters, drift, settings.degrees_of_freedom, times) if blocks else one
    changed = {name: getattr(one, name).copy() for name in ("value", "variance", "base", "weight", "estimate")}
    for block in blocks:
        centre = one.points.x[block].mean(axis=0)
        distance = np.linalg.norm(one.points.x - centre, axis=1)
        distance[block] = -1.0
        chosen = np.argpartition(distance, settings.neighbours)[: settings.neighbours]
        chosen = np.concatenate([block, np.setdiff1d(chosen, block)])
        part = iterate(one.some(chosen), parameters, drift, settings.degrees_of_freedom, times)
        for name, values in changed.items():
            values[block] = getattr(part, name)[: block.size]
    kept = {name: getattr(one, name) for name in ("points", "z", "wet", "instrument", "active")}
    return Observed(**kept, **changed)


def _coefficients(
    one: Observed, blocks: list[np.ndarray], parameters: Parameters, mean: np.ndarray, sd: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Coefficients of the drift and their covariance, generalised least squares over the blocks with the prior."""
    precision, right = np.diag(sd**-2.0), mean / sd**2
    for block in blocks:
        part = one.some(block)
        factor = cho_factor(of_signal(part.points, parameters) + error_covariance(part), lower=True)
        weighted = cho_solve(factor, part.points.drift)
        precision = precision + part.points.drift.T @ weighted
        right = right + weighted.T @ part.value
    covariance = np.linalg.inv(precision)
    return covariance @ right, 0.5 * (covariance + covariance.T)


def _most_probable(
    one: Observed, start: Parameters, drift_mean: np.ndarray, drift_sd: np.ndarray, settings: AnalysisSettings
) -> Parameters:
    """Parameters of largest posterior density given the pseudo-observations of the active values."""
    centre = prior(settings).to_vector()
    spread = np.full(centre.size, PRIOR_SPREAD)
    spread[-2] = _RANGE_SPREAD
    blocks = [
        _Block(one.some(chosen), start, drift_mean, drift_sd) for chosen in _chosen_blocks(one, settings.fit_gauges)
    ]

    def cost(vector: np.ndarray) -> tuple[float, np.ndarray]:
        away = (vector - centre) / spread
        total, gradient = 0.5 * float(away @ away), away / spread
        parameters = start.from_vector(vector)
        for block in blocks:
            value, slope = block.cost(parameters)
            total, gradient = total + value, gradient + slope
        return total, gradient

    bounds = list(zip(centre - 4.0 * spread, centre + 4.0 * spread, strict=True))
    found = minimize(cost, start.to_vector(), jac=True, method="L-BFGS-B", bounds=bounds, options={"maxiter": 25})
    return start.from_vector(found.x)


def _chosen_blocks(one: Observed, most: int) -> list[np.ndarray]:
    """Blocks of active values, evenly spread over the network, of at most so many values in all."""
    active = np.flatnonzero(one.active)
    if active.size <= most:
        return [active]
    blocks = [active[part] for part in cut(one.some(active), max(most // 4, 20))]
    count = max(most // max(map(len, blocks)), 1)
    return [blocks[number] for number in np.linspace(0, len(blocks) - 1, count).round().astype(int)]


class _Block:
    """Negative logarithm of the likelihood of the parameters by the values of one block, with its gradient."""

    def __init__(self, one: Observed, start: Parameters, drift_mean: np.ndarray, drift_sd: np.ndarray) -> None:
        self.one, self.start = one, start
        points = one.points
        self.fields = present(points)
        self.amplitude = [points.amplitude[:, field] for field in self.fields]
        scaled = points.drift * drift_sd
        self.fixed = scaled @ scaled.T
        self.residual = one.value - points.drift @ drift_mean
        self.errors = error_covariance(one)
        # Wet values follow the parameters of the error; the expansion of dry ones is held.
        self.growth = np.maximum(one.estimate, 0.0) ** 2 / one.weight * one.wet
        self.steady = one.wet / one.weight
        held = start.noise[0] ** 2 * self.steady + start.noise[1] ** 2 * self.growth
        self.rest = np.maximum(one.variance - held, 1e-6)

    def cost(self, parameters: Parameters) -> tuple[float, np.ndarray]:
        """Cost and gradient with respect to the vector of the parameters."""
        points = self.one.points
        lost = memory(points, points, parameters.hours)
        slopes: dict[int, np.ndarray] = {}
        count, (_, ranges) = parameters.sd.size, parameters.sd.shape
        by_range = np.zeros_like(self.fixed)
        by_hours = np.zeros_like(self.fixed)
        total = self.fixed + self.errors - np.diag(np.diag(self.errors))
        correlation = correlations(points.x, points.x, parameters.ranges)
        distance = [_slope_of_range(points.x, length) for length in parameters.ranges]
        apart = np.abs(points.hours[:, None] - points.hours) if lost[0] is not None else None
        for field, amplitude in zip(self.fields, self.amplitude, strict=True):
            both = amplitude[:, None] * amplitude
            if (one_lost := lost[field]) is not None:
                both = both * one_lost
            for number in range(ranges):
                part = parameters.sd[field, number] ** 2 * both
                by_range += part * distance[number]
                part *= correlation[number]
                if apart is not None:
                    by_hours += part * apart / parameters.hours[field]
                total += part
                slopes[field * ranges + number] = 2.0 * part
        steady = parameters.noise[0] ** 2 * self.steady
        growth = parameters.noise[1] ** 2 * self.growth
        total[np.diag_indices_from(total)] += steady + growth + self.rest
        factor = cholesky(total, lower=True, check_finite=False)
        inverse = cho_solve((factor, True), np.eye(self.one.size), check_finite=False)
        solved = inverse @ self.residual
        value = 0.5 * float(self.residual @ solved) + float(np.log(np.diag(factor)).sum())
        # d cost = 1/2 sum (A^-1 - a a') dA
        against = 0.5 * (inverse - np.outer(solved, solved))
        gradient = np.zeros(count + 4)
        for number, slope in slopes.items():
            gradient[number] = np.vdot(against, slope)
        diagonal = np.diag(against)
        gradient[count] = 2.0 * diagonal @ steady
        gradient[count + 1] = 2.0 * diagonal @ growth
        gradient[count + 2] = np.vdot(against, by_range)
        gradient[count + 3] = np.vdot(against, by_hours)
        return value, gradient


def _slope_of_range(x: np.ndarray, length: float) -> np.ndarray:
    """Derivative (n, n) of the Matern 3/2 correlation with respect to the logarithm of its range, u^2 exp(-u)."""
    from scipy.spatial.distance import cdist

    u = cdist(x, x) * (np.sqrt(3.0) / length)
    return np.asarray(u * u * np.exp(-u))


def nearest_within(tree: cKDTree, centre: np.ndarray, radius: float, reach: float, most: int) -> np.ndarray:
    """Numbers of the points within reach of a ball around a centre, at most so many, the nearest first."""
    distance, number = tree.query(centre, k=min(most, tree.n), distance_upper_bound=radius + reach)
    return np.atleast_1d(number)[np.isfinite(np.atleast_1d(distance))]
