"""Fields of the model at target points given gauges nearby: exact kriging where all gauges are near enough."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.linalg import cho_solve, cholesky, solve_triangular

from kaiseki.precipitation.analysis.covariance import Points, by_field, of_signal
from kaiseki.precipitation.analysis.likelihood import Observed, error_covariance
from kaiseki.precipitation.analysis.settings import Parameters

PAIRS = ((0, 0), (1, 1), (2, 2), (0, 1), (0, 2), (1, 2))
"""Pairs of fields, in the order in which their covariances given the gauges are kept."""


@dataclass(frozen=True, eq=False)
class Local:
    """Smooth fields at m points, of which any combination of amplitudes and predictors is made.

    Attributes:
        mean: of the fields given the gauges, (3, m).
        removed: covariance of the pairs of fields that the gauges took away, (6, m).
        leverage: weights of the predictors at the gauges, (p, 3, m): sum over gauges of predictor times weight.
        samples: means for other right-hand sides, (k, 3, m).
    """

    mean: np.ndarray
    removed: np.ndarray
    leverage: np.ndarray
    samples: np.ndarray

    @classmethod
    def nothing(cls, points: int, predictors: int, samples: int) -> Local:
        """The fields where no gauge is near."""
        return cls(
            np.zeros((3, points)),
            np.zeros((6, points)),
            np.zeros((predictors, 3, points)),
            np.zeros((samples, 3, points)),
        )


def solve(
    targets: Points,
    near: Observed,
    parameters: Parameters,
    fields: list[int],
    residual: np.ndarray,
) -> Local:
    """Fields at targets by the gauges given.

    Args:
        targets: points, of which coordinates and times are used.
        near: observations to use.
        parameters: of the covariances.
        fields: numbers of the fields wanted; the others stay zero.
        residual: pseudo-observations minus drift, (n, 1 + k): those of the analysis, then those of k samples.
    """
    predictors, samples = near.points.drift.shape[1], residual.shape[1] - 1
    result = Local.nothing(targets.size, predictors, samples)
    if not near.size:
        return result
    factor = cholesky(
        of_signal(near.points, parameters) + error_covariance(near), lower=True, overwrite_a=True, check_finite=False
    )
    right = cho_solve((factor, True), np.column_stack([residual, near.points.drift]), check_finite=False)
    half: dict[int, np.ndarray] = {}
    for field, covariance in zip(fields, by_field(targets, near.points, parameters, fields), strict=True):
        solved = covariance @ right
        result.mean[field] = solved[:, 0]
        result.samples[:, field] = solved[:, 1 : 1 + samples].T
        result.leverage[:, field] = solved[:, 1 + samples :].T
        half[field] = solve_triangular(factor, covariance.T, lower=True, overwrite_b=True, check_finite=False)
    for number, (one, other) in enumerate(PAIRS):
        if one in half and other in half:
            result.removed[number] = np.einsum("ij,ij->j", half[one], half[other])
    return result


def combine(
    fields: Local,
    amplitude: np.ndarray,
    predictors: np.ndarray,
    drift: np.ndarray,
    covariance: np.ndarray,
    variance: np.ndarray,
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Mean of z, its variance and the share of the fields' prior variance that gauges took away, each (...).

    Args:
        fields: smooth fields at the points; trailing axes broadcast with those of the amplitudes.
        amplitude: of the fields, (3, ...).
        predictors: of the drift, (p, ...).
        drift: coefficients, (p,).
        covariance: of the coefficients, (p, p).
        variance: prior variance of the fields, (3,).
    """
    mean = np.einsum("p,p...->...", drift, predictors) + np.einsum("f...,f...->...", amplitude, fields.mean)
    before = np.einsum("f,f...->...", variance, amplitude**2)
    removed = np.zeros_like(before)
    for (one, other), part in zip(PAIRS, fields.removed, strict=True):
        removed += (1.0 if one == other else 2.0) * amplitude[one] * amplitude[other] * part
    gap = predictors - np.einsum("f...,pf...->p...", amplitude, fields.leverage)
    root = np.linalg.cholesky(covariance + 1e-12 * np.eye(len(covariance)))
    uncertain = (np.tensordot(root.T, gap, axes=1) ** 2).sum(axis=0)
    share = np.clip(removed / np.maximum(before, 1e-12), 0.0, 1.0)
    return mean, np.maximum(before - removed, 0.0) + uncertain, share
