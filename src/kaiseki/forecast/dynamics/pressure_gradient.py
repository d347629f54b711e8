"""The truly horizontal pressure gradient.

Over steep slopes the two terms of the terrain-following pressure gradient cancel badly. Following the idea of Zaengl
(2012, Mon. Wea. Rev. 140, 3688-3705, doi:10.1175/MWR-D-12-00049.1) the pressure perturbation of both neighbouring
columns is read at one and the same height by a cubic vertical interpolation, so a state that depends on height alone
has no horizontal gradient. Where that height lies below the lowest cell of the higher column, the lowest height that
both columns reach is used instead: nothing is extrapolated into the ground.

How many levels away that height lies depends on the slope, so a block of levels holds one weight for every offset that
occurs in it. Reading by offsets is made of slices and so is its transpose; a table of level numbers would make both a
scalar loop on a CPU.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array, lax
from jax.custom_derivatives import linear_call

from kaiseki.forecast.dynamics.operators import high as upper
from kaiseki.forecast.dynamics.operators import low as lower

BLOCK = 8
"""Levels that share a range of offsets."""


@jax.tree_util.register_dataclass
@dataclass(frozen=True)
class ColumnReader:
    """Reads columns (z, ..faces..) at other heights: sum over d of weights[b][d] times the value `first[b] + d` levels
    above, in blocks b of levels."""

    weights: tuple[Array, ...]
    first: tuple[int, ...] = field(metadata={"static": True})

    @classmethod
    def build(cls, level: np.ndarray, weight: np.ndarray, dtype: type) -> ColumnReader:
        """Reader made of the first node (z, ...) and the weights (4, z, ...) of the cubics."""
        nz = level.shape[0]
        offset = (
            level - np.arange(nz).reshape(-1, *[1] * (level.ndim - 1)) + np.arange(4).reshape(-1, *[1] * level.ndim)
        )
        blocks, first = [], []
        for k in range(0, nz, BLOCK):
            some, at = weight[:, k : k + BLOCK], offset[:, k : k + BLOCK]
            used = at[some != 0.0]
            span = range(int(used.min()), int(used.max()) + 1)
            blocks.append(jnp.asarray(np.stack([np.where(at == d, some, 0.0).sum(axis=0) for d in span]).astype(dtype)))
            first.append(span[0])
        return cls(tuple(blocks), tuple(first))

    @property
    def reach(self) -> int:
        """Levels read beyond the column, with no weight."""
        down = max(-f for f in self.first)
        return max(down, max(f + w.shape[0] - 1 for f, w in zip(self.first, self.weights, strict=True)), 0)

    def __call__(self, column: Array) -> Array:
        """Values (z, ...) read in columns that go on `reach` levels below and above."""
        return linear_call(_read, _spread, self, column)


def _read(reader: ColumnReader, column: Array) -> Array:
    blocks, k, reach = [], 0, reader.reach
    for first, weights in zip(reader.first, reader.weights, strict=True):
        n = weights.shape[1]
        terms = [w * column[reach + k + first + d : reach + k + first + d + n] for d, w in enumerate(weights)]
        blocks.append(lax.optimization_barrier(sum(terms[1:], terms[0])))
        k += n
    return jnp.concatenate(blocks)


def _spread(reader: ColumnReader, ct: Array) -> Array:
    """The transpose of reading."""
    reach, k = reader.reach, 0
    column = jnp.zeros((ct.shape[0] + 2 * reach, *ct.shape[1:]), ct.dtype)
    for first, weights in zip(reader.first, reader.weights, strict=True):
        n = weights.shape[1]
        for d, w in enumerate(weights):
            start = reach + k + first + d
            column = column.at[start : start + n].add(w * ct[k : k + n])
        k += n
    return column


@jax.tree_util.register_dataclass
@dataclass(frozen=True)
class HorizontalStencil:
    """How the lower-index and the upper-index column of every face are read at the face's height."""

    low: ColumnReader
    high: ColumnReader

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
        readers = []
        for column in (low, high):
            level, weight = _lagrange(column, np.minimum(target, column[-1]), middle - target)
            weight[np.abs(weight) < 1e-9] = 0.0
            readers.append(ColumnReader.build(level, weight, dtype))
        return cls(*readers)

    @property
    def reach(self) -> int:
        """Levels that columns must go on below and above."""
        return max(self.low.reach, self.high.reach)

    def difference(self, column: Array, axis: int) -> Array:
        """Difference across the faces at constant height, of columns that go on `reach` levels and one cell along
        `axis` beyond either end."""
        low, high = _cut(self.low, self.reach, lower(column, axis)), _cut(self.high, self.reach, upper(column, axis))
        return self.high(high) - self.low(low)


def _cut(reader: ColumnReader, reach: int, column: Array) -> Array:
    spare = reach - reader.reach
    return column[spare : column.shape[0] - spare]


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
