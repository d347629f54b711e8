"""Separable Gaussian correlations on the grid, with exact square roots.

A Gaussian of distance is the product of Gaussians of its components, so a correlation that is separable on the
rectangular grid is isotropic as well. Each 1-D correlation matrix is small and is factored once by eigendecomposition
in double precision; no filter has to be tuned, and variances are exact up to the boundary.

Distances are those of the map divided by the map factor at the centre of the domain: true there, and wrong by the
ratio of the map factors elsewhere (within 3.5 % over the Japan presets, up to 25 % at the southern edge of a domain
reaching 5N).
"""

from __future__ import annotations

import jax
import jax.numpy as jnp
import numpy as np

KEPT: float = 0.9999
"""Part of the variance that the kept eigenvectors of each 1-D correlation must hold."""

TIE: float = 1e-6
"""Relative difference up to which components of an eigenvector count as equal; rounding makes about 1e-10 at most."""


def gaussian(positions: np.ndarray, length: float) -> np.ndarray:
    """Correlation matrix exp(-d^2 / 2 L^2), shape (n, n), of points at `positions` (n,) in the unit of `length`."""
    distance = positions[:, None] - positions[None, :]
    return np.exp(-0.5 * (distance / length) ** 2)


def square_root(correlation: np.ndarray, kept: float = KEPT) -> np.ndarray:
    """Factor E, shape (n, m), with E E^T the correlation matrix (n, n) and rows of length 1.

    The m leading eigenvectors that hold the part `kept` of the trace; the rows are then scaled to length 1, so that the
    variance of every point is exact though the smallest scales are left out. Float64.
    """
    values, vectors = np.linalg.eigh(np.asarray(correlation, dtype=np.float64))
    values, vectors = np.maximum(values[::-1], 0.0), vectors[:, ::-1]
    held = np.cumsum(values) / np.sum(values)
    number = min(len(values), int(np.searchsorted(held, kept)) + 1)
    factor = _with_fixed_signs(vectors[:, :number]) * np.sqrt(values[:number])
    return factor / np.sqrt(np.sum(factor**2, axis=1, keepdims=True))


def _with_fixed_signs(vectors: np.ndarray) -> np.ndarray:
    """Eigenvectors (n, m) with signs that do not depend on the processor, so that random draws do not either.

    Positive is the first of the largest components, with those taken as equal that differ by rounding: on an even grid
    every other eigenvector is antisymmetric, and has its largest component twice, with either sign.
    """
    size = np.abs(vectors)
    first = np.argmax(size >= (1.0 - TIE) * size.max(axis=0), axis=0)
    return np.asarray(vectors * np.sign(vectors[first, np.arange(vectors.shape[1])]))


def wind_curvature(spacing: float, length: float) -> float:
    """Variance [m-2] of the centred difference of a unit Gaussian field: (1 - exp(-2 d^2/L^2)) / (2 d^2), about 1/L^2.

    What the variance of the stream function must be multiplied by to give that of one rotational wind component on a
    grid of `spacing` d [m].
    """
    return float(-np.expm1(-2.0 * (spacing / length) ** 2) / (2.0 * spacing**2))


def apply(z: jax.Array, y: jax.Array, x: jax.Array, control: jax.Array) -> jax.Array:
    """Field (nz, ny, nx) from a control (mz, my, mx) by the factors z (nz, mz), y (ny, my), x (nx, mx)."""
    rows = jnp.einsum("ia,cba->cbi", x, control)
    planes = jnp.einsum("jb,cbi->cji", y, rows)
    return jnp.einsum("kc,cji->kji", z, planes)
