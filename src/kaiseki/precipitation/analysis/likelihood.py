"""Likelihood of gauges given the transformed rain, replaced by Gaussian pseudo-observations.

Amounts have an error of a Student t distribution, a normal one whose variance is divided by a weight: expectation
maximisation gives the weight (nu + 1) / (nu + E[r^2] / s^2) from the residual r (Lange, Little and Taylor 1989,
doi:10.1080/01621459.1989.10478852). A gauge that measured nothing says z <= c, with c the transformed half step of the
gauge: the Tobit likelihood Phi((c - z) / s). Expectation propagation (Rasmussen and Williams 2006, Gaussian Processes
for Machine Learning, section 3.6) makes an observation of it, whose mean and variance leave the same moments of z as
the likelihood does. A gauge that says 0 amid rain is weighted down as any other.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Final

import numpy as np
from scipy.linalg import cho_solve, cholesky, solve_triangular
from scipy.special import log_ndtr

from kaiseki.precipitation.analysis.covariance import Points, of_shared_errors, of_signal
from kaiseki.precipitation.analysis.settings import Parameters

_NO_INFORMATION: Final = 1e6
"""Largest variance of a pseudo-observation; larger is the same as none."""
_SETTLED: Final = 0.003
"""Change of the mean of z below which the iteration ends."""
LEAST_VARIANCE: Final = 1e-4
"""Smallest variance of an error, so that covariances of gauges at one place can be inverted."""


@dataclass(frozen=True, eq=False)
class Observed:
    """Transformed amounts of n gauge values and the pseudo-observations that stand for their likelihood.

    Attributes:
        points: where and when.
        z: transformed amount, (n,); of dry gauges the bound c.
        wet: whether an amount was measured, (n,).
        instrument: variance of z by the step of the gauge and by its instrument, (n,).
        active: whether there is rain around, by gauge or radar, (n,); parameters are found from these alone.
        value: pseudo-observations, (n,).
        variance: of their errors, (n,).
        base: variance of the errors before the weights, (n,).
        weight: of the t distribution, (n,); small is an outlier.
        estimate: mean of z there by all gauges, (n,).
    """

    points: Points
    z: np.ndarray
    wet: np.ndarray
    instrument: np.ndarray
    active: np.ndarray
    value: np.ndarray
    variance: np.ndarray
    base: np.ndarray
    weight: np.ndarray
    estimate: np.ndarray

    @property
    def size(self) -> int:
        """Number of values."""
        return int(self.z.size)

    def some(self, chosen: np.ndarray) -> Observed:
        """The values chosen, by numbers or mask."""
        parts = {name: getattr(self, name)[chosen] for name in self.__dataclass_fields__ if name != "points"}
        return Observed(points=self.points.some(chosen), **parts)


def observed(
    points: Points, z: np.ndarray, wet: np.ndarray, instrument: np.ndarray, active: np.ndarray, drift: np.ndarray
) -> Observed:
    """Values before any iteration, about the drift b (p,); dry ones say nothing yet."""
    none = np.full(z.size, _NO_INFORMATION)
    return Observed(
        points=points,
        z=z,
        wet=wet,
        instrument=instrument,
        active=active,
        value=z.copy(),
        variance=none,
        base=none,
        weight=np.ones(z.size),
        estimate=points.drift @ drift,
    )


def error_covariance(one: Observed) -> np.ndarray:
    """Covariance (n, n) of the errors of the pseudo-observations: what close gauges share, and the variances."""
    errors = of_shared_errors(one.points, np.minimum(one.base, one.variance))
    errors[np.diag_indices_from(errors)] = one.variance
    return errors


def iterate(
    one: Observed, parameters: Parameters, drift: np.ndarray, degrees_of_freedom: float, times: int
) -> Observed:
    """Values with weights and expansions renewed about the mean of z given all of them, until it settles."""
    signal = of_signal(one.points, parameters)
    fixed = one.points.drift @ drift
    prior_variance = np.diag(signal)
    for number in range(times):
        if number == 0 and (one.variance == _NO_INFORMATION).all():
            estimate, spread = one.estimate, prior_variance
            one = replace(one, value=estimate)
        else:
            factor = cholesky(signal + error_covariance(one), lower=True, check_finite=False)
            estimate = fixed + signal @ cho_solve((factor, True), one.value - fixed, check_finite=False)
            half = solve_triangular(factor, signal, lower=True, check_finite=False)
            spread = np.maximum(prior_variance - np.einsum("ij,ij->j", half, half), 0.0)
        before, one = one.estimate, _expanded(one, parameters, estimate, spread, degrees_of_freedom)
        if number and np.abs(estimate - before).max(initial=0.0) < _SETTLED:
            break
    return one


def _expanded(
    one: Observed, parameters: Parameters, estimate: np.ndarray, spread: np.ndarray, degrees_of_freedom: float
) -> Observed:
    """Values with their weights and pseudo-observations about an estimate of z with its variance."""
    noise = parameters.noise[0] ** 2 + (parameters.noise[1] * np.maximum(estimate, 0.0)) ** 2
    base = np.maximum(noise + one.instrument, LEAST_VARIANCE)
    residual = np.where(one.wet, one.z - estimate, np.minimum(one.z - estimate, 0.0))
    # A dry gauge within its bound has no residual that could be one of an outlier.
    squared = np.where(one.wet | (residual < 0.0), residual**2 + spread, 0.0)
    nu = degrees_of_freedom
    # Without radar, neighbours alone speak against a value; it is an outlier only beyond what the rain itself may do.
    width = base + parameters.variance[2] * one.points.amplitude[:, 2] ** 2
    weight = np.minimum((nu + 1.0) / (nu + squared / width), 1.0) if np.isfinite(nu) else np.ones(one.size)
    error = base + width * (1.0 / weight - 1.0)
    # Mean and variance of z by all but the dry gauge itself, and the derivatives of log Phi there.
    without = np.maximum(1.0 / np.maximum(1.0 / np.maximum(spread, 1e-9) - 1.0 / one.variance, 1e-9), spread)
    mean = without * (estimate / np.maximum(spread, 1e-9) - one.value / one.variance)
    sd = np.sqrt(error + without)
    u = (one.z - mean) / sd
    hazard = np.exp(-0.5 * u * u - 0.5 * np.log(2.0 * np.pi) - log_ndtr(u))
    curvature = np.maximum(hazard * (hazard + u), 1e-12)
    value = np.where(one.wet, one.z, np.where(curvature > 1e-10, mean - sd * hazard / curvature, mean))
    variance = np.where(one.wet, error, np.clip(sd**2 / curvature - without, base, _NO_INFORMATION))
    return replace(one, value=value, variance=variance, base=base, weight=weight, estimate=estimate)
