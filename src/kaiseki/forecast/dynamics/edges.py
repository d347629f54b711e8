"""What lies beyond the lateral edges of an array: copies of the edge, or the other side of a periodic domain.

Every stencil of the core reads arrays that were extended once, in memory, and is then made of plain slices: compilers
turn that into straight vector loops, where padding inside a stencil becomes a branch per element.
"""

from __future__ import annotations

from dataclasses import dataclass

import jax.numpy as jnp
from jax import Array, lax
from jax.custom_derivatives import linear_call


@dataclass(frozen=True)
class Edges:
    """How arrays go on beyond their lateral edges: wrapped, or constant."""

    periodic: bool = False

    def sources(self, size: int, n: int, faces: bool) -> tuple[list[int], list[int]]:
        """Indices from which the n values before and the n after an axis are taken; in a periodic domain its first and
        last face are one."""
        if not self.periodic:
            return [0] * n, [size - 1] * n
        period, first = (size - 1, 1) if faces else (size, 0)
        return [(k - n) % period for k in range(n)], [(first + k) % period for k in range(n)]


OPEN = Edges()


def _take(q: Array, axis: int, index: list[int]) -> Array:
    """Values at a few indices along an axis, as slices."""
    if index == list(range(index[0], index[0] + len(index))):
        return lax.slice_in_dim(q, index[0], index[-1] + 1, axis=axis)
    return jnp.concatenate([lax.slice_in_dim(q, i, i + 1, axis=axis) for i in index], axis=axis)


def _place(q: Array, strip: Array, axis: int, start: int) -> Array:
    index = [0] * q.ndim
    index[axis] = start
    return lax.dynamic_update_slice(q, strip, tuple(index))


type Axes = tuple[tuple[int, int, bool], ...]
"""Axis, values added on either side, and whether the array lies on that axis's faces; in the order of treatment."""


def _strips(q: Array, axis: int, n: int, faces: bool, edges: Edges) -> tuple[Array, Array]:
    """The n values before and after an axis."""
    before, after = (edges if axis != 0 else OPEN).sources(q.shape[axis], n, faces)
    return _take(q, axis, before), _take(q, axis, after)


def _extend(q: Array, axes: Axes, edges: Edges) -> Array:
    width = [(0, 0, 0)] * q.ndim
    for axis, n, _ in axes:
        width[axis] = (n, n, 0)
    p = lax.pad(q, jnp.zeros((), q.dtype), width)
    for k, (axis, n, faces) in enumerate(axes):
        # From the array itself, not from what is filled already, which could then not be filled in place.
        for strip, start in zip(_strips(q, axis, n, faces, edges), (0, q.shape[axis] + n), strict=True):
            for other, m, on_faces in axes[:k]:
                before, after = _strips(strip, other, m, on_faces, edges)
                strip = jnp.concatenate([before, strip, after], axis=other)
            index = [0 if a in {o for o, _, _ in axes[:k]} else w for a, (w, _, _) in enumerate(width)]
            index[axis] = start
            p = lax.dynamic_update_slice(p, strip, tuple(index))
    return lax.optimization_barrier(p)


def _contract(p: Array, axes: Axes, edges: Edges) -> Array:
    """The transpose of `_extend`."""
    for axis, n, faces in reversed(axes):
        size = p.shape[axis] - 2 * n
        kind = edges if axis != 0 else OPEN
        q = lax.slice_in_dim(p, n, size + n, axis=axis)
        for start, sources in zip((0, size + n), kind.sources(size, n, faces), strict=True):
            for k, i in enumerate(sources):
                strip = lax.slice_in_dim(p, start + k, start + k + 1, axis=axis)
                q = _place(q, lax.slice_in_dim(q, i, i + 1, axis=axis) + strip, axis, i)
        p = q
    return lax.optimization_barrier(p)


def extend(q: Array, edges: Edges, z: int = 0, y: int = 0, x: int = 0, faces: str = "") -> Array:
    """The array with `z` copies of its lowest and highest level and `y`, `x` values beyond its edges, in memory.

    Args:
        q: (z, y, x).
        edges: what lies beyond.
        z, y, x: number of values added on either side.
        faces: "x" or "y" where the array lies on those faces.
    """
    wanted = ((0, z, False), (2, x, faces == "x"), (1, y, faces == "y"))
    axes = tuple(a for a in wanted if a[1])
    return linear_call(lambda _, a: _extend(a, axes, edges), lambda _, ct: _contract(ct, axes, edges), (), q)
