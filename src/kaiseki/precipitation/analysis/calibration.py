"""Calibration of the analysis by its own gauges, each predicted from all others.

Predictions without the value itself follow from the solution with it: with the covariance A of the pseudo-observations,
residuals r and a = A^-1 r, the prediction is value - a_i / (A^-1)_ii with the variance 1 / (A^-1)_ii (Sundararajan and
Keerthi 2001, doi:10.1162/08997660151134343). Three numbers are found so: which share of the variance of the errors
is rain that truly varies within a cell and so belongs to the expected amount (the share that leaves no mean error, from
0 to 1); the factor of the expected amount that still lacks then; and by which factor spreads must grow for the 80 %
interval to hold 80 %. Few gauges leave all near their prior values.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
from scipy.linalg import cho_factor, cho_solve
from scipy.special import ndtri

from kaiseki.precipitation.analysis.covariance import of_signal
from kaiseki.precipitation.analysis.likelihood import Observed, error_covariance
from kaiseki.precipitation.analysis.settings import Parameters
from kaiseki.precipitation.analysis.transform import PowerTransform

SHOWN: Final = 0.1
"""Amount, measured or expected, from which a gauge counts in the calibration, mm."""
_PRIOR_COUNT: Final = 40.0
"""Number of gauges that the prior values count for."""
_RADAR_COUNT: Final = 10.0
"""Number of gauges that speak for the radar before any does."""
_SHARE: Final = 0.5
"""Share of the errors that is rain, before any gauge."""


@dataclass(frozen=True)
class Calibration:
    """Three numbers found by leaving gauges out.

    Attributes:
        rain_share: share of the variance of the errors that is rain within the cell.
        spread: factor of the standard deviations of what a gauge would measure.
        factor: of the expected amount, for what skewness the transform leaves where the share is at its bound.
    """

    rain_share: float = _SHARE
    spread: float = 1.0
    factor: float = 1.0


def noise_variance(parameters: Parameters, z: np.ndarray) -> np.ndarray:
    """Variance of the errors of gauges where the transformed rain is z."""
    return np.asarray(parameters.noise[0] ** 2 + (parameters.noise[1] * np.maximum(z, 0.0)) ** 2)


def without_themselves(
    one: Observed, blocks: list[np.ndarray], parameters: Parameters, drift: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Mean and variance of z at each gauge from the others of its block, (n,)."""
    z, variance = np.empty(one.size), np.empty(one.size)
    for block in blocks:
        part = one.some(block)
        factor = cho_factor(of_signal(part.points, parameters) + error_covariance(part), lower=True)
        inverse = np.diag(cho_solve(factor, np.eye(part.size)))
        solved = cho_solve(factor, part.value - part.points.drift @ drift)
        z[block] = part.value - solved / inverse
        variance[block] = np.maximum(1.0 / inverse - part.variance, 1e-6)
    return z, variance


def calibrate(
    one: Observed,
    blocks: list[np.ndarray],
    parameters: Parameters,
    drift: np.ndarray,
    transform: PowerTransform,
) -> tuple[Calibration, np.ndarray]:
    """Calibration by the active gauges of the time, and the amount expected at each value by others, (n,), mm."""
    z, variance = without_themselves(one, blocks, parameters, drift)
    found = _calibration(one, z, variance, parameters, transform)
    rain = np.sqrt(variance + found.rain_share * noise_variance(parameters, z))
    return found, found.factor * transform.mean(z, rain)


def radar_weight(one: Observed, with_radar: np.ndarray, alone: np.ndarray, transform: PowerTransform) -> float:
    """Weight, from 0 to 1, of the model with radar beside that of gauges alone.

    It is that of least squared error of the transformed amounts at active gauges of the time, each expected from the
    others (stacking, Breiman 1996, doi:10.1007/BF00117832), as if ten more gauges spoke for the radar.

    Args:
        one: observations of the model with radar.
        with_radar: amounts that it expects at its values of the time, (n,), mm.
        alone: amounts that gauges alone expect there, (n,), mm.
        transform: of the amounts.
    """
    now = one.points.hours == 0.0
    used = one.active[now] & (one.points.amplitude[now, 2] < 1.0)
    if not used.any():
        return 1.0
    measured = np.where(one.wet, one.z, 0.0)[now][used]
    first, second = transform.forward(with_radar[used]), transform.forward(alone[used])
    apart = float(np.sum((first - second) ** 2))
    if apart == 0.0:
        return 1.0
    more = _RADAR_COUNT * apart / float(used.sum())
    found = (float(np.sum((measured - second) * (first - second))) + more) / (apart + more)
    return float(np.clip(found, 0.0, 1.0))


def _calibration(
    one: Observed, z: np.ndarray, variance: np.ndarray, parameters: Parameters, transform: PowerTransform
) -> Calibration:
    """Calibration by predictions z with their variance, (n,), of each value by the others."""
    used = one.active & (one.points.hours == 0.0)
    if not used.any():
        return Calibration()
    amount = np.where(one.wet, transform.inverse(one.z), 0.0)[used]
    z, variance = z[used], variance[used]
    noise = noise_variance(parameters, z)
    shown = (amount >= SHOWN) | (transform.mean(z, np.sqrt(variance + _SHARE * noise)) >= SHOWN)
    trust = float(shown.sum() / (shown.sum() + _PRIOR_COUNT))
    if not shown.any():
        return Calibration()
    # What few gauges rule is not followed: the largest amounts count as their own expectation at most twice over.
    shares = np.linspace(0.0, 1.0, 21)
    means = np.array([transform.mean(z, np.sqrt(variance + share * noise)).sum() for share in shares])
    capped = np.minimum(amount, 4.0 * transform.mean(z, np.sqrt(variance + noise)) + 1.0).sum()
    share = float(np.interp(capped, means, shares))
    factor = float(np.clip(capped / np.interp(share, shares, means), 0.7, 1.5))
    # The bound of an interval in units of the spread that would just hold each value; 80 % of them must lie within.
    sd = np.sqrt(variance + noise)[shown]
    needed = (transform.forward(amount[shown]) - z[shown]) / sd
    inside = np.where((amount[shown] == 0.0) & (needed > 0.0), 0.0, np.abs(needed))
    spread = float(np.clip(np.quantile(inside, 0.8) / ndtri(0.9), 0.6, 1.8))
    return Calibration(_SHARE + trust * (share - _SHARE), spread**trust, factor**trust)
