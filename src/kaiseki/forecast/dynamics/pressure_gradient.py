"""The truly horizontal pressure gradient.

Over steep slopes the two terms of the terrain-following pressure gradient cancel badly. Following the idea of Zaengl
(2012, Mon. Wea. Rev. 140, 3688-3705, doi:10.1175/MWR-D-12-00049.1) the pressure perturbation of both neighbouring
columns is read at one and the same height by a cubic vertical interpolation, so a state that depends on height alone
has no horizontal gradient. Where that height lies below the lowest cell of the higher column, the lowest height that
both columns reach is used instead: nothing is extrapolated into the ground.
"""

from __future__ import annotations

from dataclasses import dataclass

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array


@jax.tree_util.register_dataclass
@dataclass(frozen=True)
class HorizontalStencil:
    """First level (int32, (z, ..faces..)) and four Lagrange weights (4, z, ..faces..) in the lower-index and the
    upper-index column."""

    low_level: Array
    low_weight: Array
    high_level: Array
    high_weight: Array

    @classmethod
    def build(cls, z: np.ndarray, axis: int, lateral: str, dtype: type = np.float32) -> HorizontalStencil:
        """Stencils for the faces along `axis` of cell-centre heights z (nz, ny, nx)."""
        pad = [(0, 0)] * 3
        pad[axis] = (1, 1)
        padded = np.pad(z, pad, mode="wrap" if lateral == "periodic" else "edge")
        n = padded.shape[axis]
        low, high = np.take(padded, range(n - 1), axis), np.take(padded, range(1, n), axis)
        middle = 0.5 * (low + high)
        target = np.maximum(middle, np.maximum(low[0], high[0]))
        # Equal floors in the last bits must not push the target below the first node.
        parts: list[Array] = []
        for column in (low, high):
            level, weight = _lagrange(column, np.minimum(target, column[-1]), middle - target)
            parts += [jnp.asarray(level), jnp.asarray(weight.astype(dtype))]
        return cls(*parts)


def _lagrange(z: np.ndarray, target: np.ndarray, beyond: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Cubic Lagrange weights at `target` in columns with nodes z, both (nz, ...): first node (nz, ...) and weights (4,
    nz, ...)."""
    nz = z.shape[0]
    first = np.zeros(target.shape, dtype=np.int32)
    for k in range(1, nz - 1):
        first += (target >= z[k]).astype(np.int32)
    first = np.clip(first - 1, 0, nz - 4).astype(np.int32)
    nodes = np.stack([np.take_along_axis(z, first + j, axis=0) for j in range(4)])
    weight = np.ones((4, *target.shape))
    for j in range(4):
        for i in range(4):
            if i != j:
                weight[j] *= (target - nodes[i]) / (nodes[j] - nodes[i])
    slope = np.zeros_like(weight)
    for j in range(4):
        for skipped in range(4):
            if skipped == j:
                continue
            term = 1.0 / (nodes[j] - nodes[skipped])
            for i in range(4):
                if i not in (j, skipped):
                    term = term * (target - nodes[i]) / (nodes[j] - nodes[i])
            slope[j] += term
    return first, weight + beyond * slope


def _read(column: Array, level: Array, weight: Array) -> Array:
    total = weight[0] * jnp.take_along_axis(column, level, axis=0)
    for j in range(1, 4):
        total = total + weight[j] * jnp.take_along_axis(column, level + j, axis=0)
    return total


def horizontal_gradient(low: Array, high: Array, stencil: HorizontalStencil, spacing: Array) -> Array:
    """d p'/dx at constant height (Pa per m of projection distance) on faces, from the columns on either side, (z, ...)
    each."""
    upper = _read(high, stencil.high_level, stencil.high_weight)
    return (upper - _read(low, stencil.low_level, stencil.low_weight)) / spacing
