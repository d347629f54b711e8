"""What lies beyond the lateral edges of an array: copies of the edge, the other side of a periodic domain, or the
neighbouring patch when the domain is divided among devices.

Every stencil of the core reads arrays that were extended once, in memory, and is then made of plain slices: compilers
turn that into straight vector loops, where padding inside a stencil becomes a branch per element.
"""

from __future__ import annotations

from dataclasses import dataclass

import jax.numpy as jnp
from jax import Array, lax
from jax.custom_derivatives import linear_call

AXES = {1: "y", 2: "x"}
"""Names of the device mesh's axes by the arrays' axes."""


@dataclass(frozen=True)
class Seam:
    """Seam along which neighbouring patches meet on one axis.

    Args:
        patches: number of patches, all of one size.
        overlap: cells that the last patch shares with the last but one, so that all are of one size.
    """

    patches: int = 1
    overlap: int = 0


WHOLE = Seam()


@dataclass(frozen=True)
class Edges:
    """Continuation of arrays beyond their lateral edges, wrapped or constant; and how the domain is divided along y and
    x."""

    periodic: bool = False
    y: Seam = WHOLE
    x: Seam = WHOLE

    def seam(self, axis: int) -> Seam:
        """Seam of an array's axis."""
        return {1: self.y, 2: self.x}.get(axis, WHOLE)

    def sources(self, size: int, n: int, faces: bool) -> tuple[list[int], list[int]]:
        """Indices from which the n values before and the n after an undivided axis are taken; in a periodic domain its
        first and last face are one."""
        if not self.periodic:
            return [0] * n, [size - 1] * n
        period, first = (size - 1, 1) if faces else (size, 0)
        return [(k - n) % period for k in range(n)], [(first + k) % period for k in range(n)]


OPEN = Edges()

type AxisExtents = tuple[tuple[int, int, bool], ...]
"""Axis, values added on either side, and whether the array lies on that axis's faces; in the order of treatment."""


def _take(q: Array, axis: int, index: list[int]) -> Array:
    """Values at a few indices along an axis, as slices."""
    if index == list(range(index[0], index[0] + len(index))):
        return lax.slice_in_dim(q, index[0], index[-1] + 1, axis=axis)
    return jnp.concatenate([lax.slice_in_dim(q, i, i + 1, axis=axis) for i in index], axis=axis)


def _add(q: Array, strip: Array, axis: int, start: Array | int) -> Array:
    """Array q with a strip added from `start` on."""
    old = lax.dynamic_slice_in_dim(q, start, strip.shape[axis], axis)
    return lax.dynamic_update_slice_in_dim(q, old + strip, start, axis)


def _routes(seam: Seam, periodic: bool) -> tuple[list[tuple[int, int]], list[tuple[int, int]]]:
    """Pairs (from, to) that carry values to the next and to the previous patch."""
    last = seam.patches - 1
    onwards = [(i, i + 1) for i in range(last)] + ([(last, 0)] if periodic else [])
    return onwards, [(b, a) for a, b in onwards]


def _places(q_size: int, n: int, faces: bool, seam: Seam, here: Array) -> tuple[Array, Array]:
    """Places of the values that the next and the previous patch ask of this one."""
    shared = 1 if faces else 0
    for_next = q_size - shared - n - jnp.where(here == seam.patches - 2, seam.overlap, 0)
    for_previous = shared + jnp.where(here == seam.patches - 1, seam.overlap, 0)
    return for_next, for_previous


def _strips(q: Array, axis: int, n: int, faces: bool, edges: Edges) -> tuple[Array, Array]:
    """The n values before and after an axis."""
    edges = edges if axis != 0 else OPEN
    seam = edges.seam(axis)
    before, after = (_take(q, axis, i) for i in edges.sources(q.shape[axis], n, faces))
    if seam.patches == 1:
        return before, after
    here = lax.axis_index(AXES[axis])
    for_next, for_previous = _places(q.shape[axis], n, faces, seam, here)
    onwards, back = _routes(seam, edges.periodic)
    from_previous = lax.ppermute(lax.dynamic_slice_in_dim(q, for_next, n, axis), AXES[axis], onwards)
    from_next = lax.ppermute(lax.dynamic_slice_in_dim(q, for_previous, n, axis), AXES[axis], back)
    if edges.periodic:
        return from_previous, from_next
    return jnp.where(here == 0, before, from_previous), jnp.where(here == seam.patches - 1, after, from_next)


def _extend(q: Array, axes: AxisExtents, edges: Edges) -> Array:
    width = [(0, 0, 0)] * q.ndim
    for axis, n, _ in axes:
        width[axis] = (n, n, 0)
    p = lax.pad(q, jnp.zeros((), q.dtype), width)
    for k, (axis, n, faces) in enumerate(axes):
        earlier = axes[:k]
        # From the array itself, not from what is filled already, which could then not be filled in place.
        for strip, start in zip(_strips(q, axis, n, faces, edges), (0, q.shape[axis] + n), strict=True):
            for other, m, on_faces in earlier:
                before, after = _strips(strip, other, m, on_faces, edges)
                strip = jnp.concatenate([before, strip, after], axis=other)
            index = [0 if a in {o for o, _, _ in earlier} else w for a, (w, _, _) in enumerate(width)]
            index[axis] = start
            p = lax.dynamic_update_slice(p, strip, tuple(index))
    return lax.optimization_barrier(p)


def _contract(p: Array, axes: AxisExtents, edges: Edges) -> Array:
    """The transpose of `_extend`."""
    for axis, n, faces in reversed(axes):
        size = p.shape[axis] - 2 * n
        kind = edges if axis != 0 else OPEN
        q = lax.slice_in_dim(p, n, size + n, axis=axis)
        strips = [lax.slice_in_dim(p, start, start + n, axis=axis) for start in (0, size + n)]
        seam = kind.seam(axis)
        if seam.patches > 1:
            here = lax.axis_index(AXES[axis])
            places = _places(size, n, faces, seam, here)
            onwards, back = _routes(seam, kind.periodic)
            outer = (here == 0, here == seam.patches - 1)
            sent = strips if kind.periodic else [jnp.where(o, 0.0, s) for o, s in zip(outer, strips, strict=True)]
            for strip, route, place in zip(sent, (back, onwards), places, strict=True):
                q = _add(q, lax.ppermute(strip, AXES[axis], route), axis, place)
            strips = [] if kind.periodic else [jnp.where(o, s, 0.0) for o, s in zip(outer, strips, strict=True)]
        for strip, sources in zip(strips, kind.sources(size, n, faces), strict=False):
            for k, i in enumerate(sources):
                q = _add(q, lax.slice_in_dim(strip, k, k + 1, axis=axis), axis, i)
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


def close(q: Array, axis: int, edges: Edges) -> Array:
    """Values on faces (z, y, x) with what the outermost faces along `axis` (-1 x, -2 y) must have: the same on both in
    a periodic domain, else nothing. Neighbouring patches get the same value on the face that they share."""
    axis = axis % 3
    seam, size = edges.seam(axis), q.shape[axis]
    first, last = _take(q, axis, [0]), _take(q, axis, [size - 1])
    if seam.patches == 1:
        first, last = (last, last) if edges.periodic else (jnp.zeros_like(first), jnp.zeros_like(last))
    else:
        here = lax.axis_index(AXES[axis])
        overlap = jnp.where(here == seam.patches - 2, seam.overlap, 0)
        shared = lax.dynamic_slice_in_dim(q, size - 1 - overlap, 1, axis)
        before = lax.ppermute(shared, AXES[axis], _routes(seam, edges.periodic)[0])
        if edges.periodic:
            first = before
        else:
            first, last = jnp.where(here == 0, 0.0, before), jnp.where(here == seam.patches - 1, 0.0, last)
    q = lax.dynamic_update_slice_in_dim(q, first, 0, axis)
    return lax.dynamic_update_slice_in_dim(q, last, size - 1, axis)
