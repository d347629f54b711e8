"""Parameters, coefficients of the drift and pseudo-observations from the gauges of a window.

Three guards keep a dry network from deciding (without them the likelihood runs to ranges of a thousand km and errors
ten times the signal): parameters are found from active gauges alone, with rain around them by gauge or radar; each has
a tight lognormal prior; and the mean of the back-transform takes the variance of the rain, not that of the errors but
for the share that `calibration` finds to be rain.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Final

import numpy as np
from scipy.linalg import cho_factor, cho_solve, cholesky
from scipy.optimize import minimize
from scipy.spatial.distance import cdist

from kaiseki.precipitation.analysis.calibration import Calibration, calibrate, noise_variance
from kaiseki.precipitation.analysis.covariance import (
    MICRO_KM,
    apart,
    correlations,
    of_shared_errors,
    of_signal,
    present,
)
from kaiseki.precipitation.analysis.likelihood import LEAST_VARIANCE, Observed, error_covariance, iterate
from kaiseki.precipitation.analysis.settings import PRIOR_SPREAD, SPEED, AnalysisSettings, Parameters, prior
from kaiseki.precipitation.analysis.transform import PowerTransform

_BLOCK: Final = 350
"""Number of values of a block, beyond which a network is cut."""
_HALO: Final = 150
"""Number of values around a block that are used with it."""
_INNER: Final = 5
"""Renewals of the pseudo-observations in each round, at most."""
_ROUNDS: Final = 3
"""Rounds of pseudo-observations, drift and parameters in turn."""
_RANGE_SPREAD: Final = 0.25
"""Standard deviation of the prior of the logarithm of the common factor of ranges."""


@dataclass(frozen=True, eq=False)
class Fitted:
    """What the gauges of a window say.

    Attributes:
        observed: the values with their pseudo-observations.
        parameters: of the covariances.
        drift: coefficients of the drift, (p,).
        drift_covariance: of them, (p, p).
        calibration: by gauges left out.
        without: amount expected at each value of the time itself by the others, (m,), mm.
    """

    observed: Observed
    parameters: Parameters
    drift: np.ndarray
    drift_covariance: np.ndarray
    calibration: Calibration
    without: np.ndarray


def fit(one: Observed, drift_mean: np.ndarray, drift_sd: np.ndarray, settings: AnalysisSettings) -> Fitted:
    """Parameters by maximum posterior density, coefficients of the drift and pseudo-observations, in turn.

    Of a large network, parameters are found from compact parts of it; coefficients and pseudo-observations from all.
    """
    parameters, drift, covariance = prior(settings), drift_mean, np.diag(drift_sd**2)
    one = replace(one, active=one.active & _first_of_cells(one))
    if settings.fit and (one.active & (one.points.hours == 0.0)).any():
        # Other times would put into the errors what the rain changes from hour to hour.
        part = one.some(one.points.hours == 0.0)
        if part.size > settings.neighbours and part.active.sum() > settings.fit_gauges:
            part = part.some(np.concatenate(_chosen_blocks(part, settings.fit_gauges)))
        blocks = cut(part, settings.neighbours)
        for number in range(_ROUNDS):
            # Weights of the first round are all 1: of small ones the search would make the signal small, and go on so.
            freedom = settings.degrees_of_freedom if number else np.inf
            part = _iterated(part, blocks, parameters, drift, freedom)
            drift, _ = _coefficients(part, blocks, parameters, drift_mean, drift_sd)
            parameters = _most_probable(part, parameters, drift_mean, drift_sd, settings)
    blocks = cut(one, settings.neighbours)
    for _ in range(2):
        one = _iterated(one, blocks, parameters, drift, settings.degrees_of_freedom)
        drift, covariance = _coefficients(one, blocks, parameters, drift_mean, drift_sd)
    calibration, without = calibrate(one, blocks, parameters, drift, PowerTransform(settings.exponent))
    return Fitted(one, parameters, drift, covariance, calibration, without[one.points.hours == 0.0])


def _first_of_cells(one: Observed) -> np.ndarray:
    """Whether each value (n,) is the first of its square of the size of the shared errors: clusters count once."""
    cells = np.column_stack([np.floor(one.points.x / MICRO_KM), one.points.hours])
    first = np.zeros(one.size, bool)
    first[np.unique(cells, axis=0, return_index=True)[1]] = True
    return first


def spreads(variance: np.ndarray, z: np.ndarray, fitted: Fitted) -> tuple[np.ndarray, np.ndarray]:
    """Standard deviations of z of the rain at points, and of what gauges there would measure, from that of the mean."""
    noise, calibration = noise_variance(fitted.parameters, z).astype(z.dtype), fitted.calibration
    rain = np.sqrt(np.maximum(variance + z.dtype.type(calibration.rain_share) * noise, 1e-8))
    return rain, z.dtype.type(calibration.spread) * np.sqrt(variance + noise)


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
    degrees_of_freedom: float,
) -> Observed:
    """Values renewed block by block, each with its neighbours around."""
    if len(blocks) <= 1:
        return iterate(one, parameters, drift, degrees_of_freedom, _INNER) if blocks else one
    changed = {name: getattr(one, name).copy() for name in ("value", "variance", "base", "weight", "estimate")}
    for block in blocks:
        distance = np.linalg.norm(one.points.x - one.points.x[block].mean(axis=0), axis=1)
        distance += SPEED * np.abs(one.points.hours)
        distance[block] = np.inf
        around = min(_HALO, one.size - block.size)
        chosen = np.concatenate([block, np.argpartition(distance, around - 1)[:around]])
        part = iterate(one.some(chosen), parameters, drift, degrees_of_freedom, _INNER)
        for name, values in changed.items():
            values[block] = getattr(part, name)[: block.size]
    kept = {name: getattr(one, name) for name in ("points", "z", "wet", "instrument", "active")}
    return Observed(**kept, **changed)


def _coefficients(
    one: Observed, blocks: list[np.ndarray], parameters: Parameters, mean: np.ndarray, sd: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Coefficients of the drift and their covariance by the values of the time itself, with the prior."""
    precision, right = np.diag(sd**-2.0), mean / sd**2
    for block in blocks:
        # Of other times only values with rain around are at hand; the drift of all would lean to the wet.
        now = block[one.points.hours[block] == 0.0]
        if not now.size:
            continue
        part = one.some(now)
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
    blocks = [_Block(one.some(chosen), drift_mean, drift_sd) for chosen in _chosen_blocks(one, settings.fit_gauges)]

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

    def __init__(self, one: Observed, drift_mean: np.ndarray, drift_sd: np.ndarray) -> None:
        self.one = one
        points = one.points
        self.fields = present(points)
        self.amplitude = [points.amplitude[:, field] for field in self.fields]
        scaled = points.drift * drift_sd
        self.fixed = scaled @ scaled.T
        self.residual = one.value - points.drift @ drift_mean
        # Errors of wet values follow the parameters; the expansions of dry ones are held.
        self.growth = np.maximum(one.estimate, 0.0) ** 2 * one.wet
        self.held = np.where(one.wet, np.maximum(one.instrument, LEAST_VARIANCE), np.minimum(one.base, one.variance))
        self.weight = np.where(one.wet, one.base, self.held) / one.variance
        self.shared = of_shared_errors(points, np.ones(one.size))

    def cost(self, parameters: Parameters) -> tuple[float, np.ndarray]:
        """Cost and gradient with respect to the vector of the parameters."""
        points = self.one.points
        hours = apart(points, points)
        slopes: dict[int, np.ndarray] = {}
        count, (_, ranges) = parameters.sd.size, parameters.sd.shape
        by_range = np.zeros_like(self.fixed)
        by_hours = np.zeros_like(self.fixed)
        steady = parameters.noise[0] ** 2 * self.one.wet
        growth = parameters.noise[1] ** 2 * self.growth
        error = steady + growth + self.held
        shared = self.shared * np.sqrt(np.outer(error, error))
        total = self.fixed + shared
        total[np.diag_indices_from(total)] += error / self.weight
        correlation = correlations(points.x, points.x, parameters.ranges)
        distance = [_slope_of_range(points.x, length) for length in parameters.ranges]
        for field, amplitude in zip(self.fields, self.amplitude, strict=True):
            both = amplitude[:, None] * amplitude
            for number in range(ranges):
                part = parameters.sd[field, number] ** 2 * both
                if hours is not None:
                    part *= np.exp(-hours / parameters.hours[field, number])
                by_range += part * distance[number]
                part *= correlation[number]
                if hours is not None:
                    by_hours += part * hours / parameters.hours[field, number]
                total += part
                slopes[field * ranges + number] = 2.0 * part
        factor = cholesky(total, lower=True, check_finite=False)
        inverse = cho_solve((factor, True), np.eye(self.one.size), check_finite=False)
        solved = inverse @ self.residual
        value = 0.5 * float(self.residual @ solved) + float(np.log(np.diag(factor)).sum())
        # d cost = 1/2 sum (A^-1 - a a') dA
        against = 0.5 * (inverse - np.outer(solved, solved))
        gradient = np.zeros(count + 4)
        for number, slope in slopes.items():
            gradient[number] = np.vdot(against, slope)
        by_error = np.diag(against) / self.weight + np.einsum("ij,ij->i", against, shared) / error
        gradient[count] = 2.0 * by_error @ steady
        gradient[count + 1] = 2.0 * by_error @ growth
        gradient[count + 2] = np.vdot(against, by_range)
        gradient[count + 3] = np.vdot(against, by_hours)
        return value, gradient


def _slope_of_range(x: np.ndarray, length: float) -> np.ndarray:
    """Derivative (n, n) of the Matern 3/2 correlation with respect to the logarithm of its range, u^2 exp(-u)."""
    u = cdist(x, x) * (np.sqrt(3.0) / length)
    return np.asarray(u * u * np.exp(-u))
