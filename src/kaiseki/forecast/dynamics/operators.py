"""Averages and differences on the C-grid."""

from __future__ import annotations

import jax.numpy as jnp
from jax import Array

from kaiseki.forecast.dynamics.edges import Edges, extend


def part(q: Array, axis: int, start: int, size: int) -> Array:
    """A slice of given size along a negative axis."""
    index = [slice(None)] * q.ndim
    index[axis] = slice(start, start + size)
    return q[tuple(index)]


def low(q: Array, axis: int) -> Array:
    """All elements but the last along `axis`."""
    return part(q, axis, 0, q.shape[axis] - 1)


def high(q: Array, axis: int) -> Array:
    """All elements but the first along `axis`."""
    return part(q, axis, 1, q.shape[axis] - 1)


def mean(q: Array, axis: int) -> Array:
    """Average of neighbours along `axis`, one fewer than there are."""
    return 0.5 * (low(q, axis) + high(q, axis))


def difference(q: Array, axis: int) -> Array:
    """Difference q[i+1] - q[i] of neighbours along `axis`, one fewer than there are."""
    return high(q, axis) - low(q, axis)


def to_faces(q: Array, axis: int, edges: Edges) -> Array:
    """Average of cells (..., y, x) to the n+1 faces along `axis` (-1 x, -2 y)."""
    y, x = (0, 1) if axis == -1 else (1, 0)
    full = q if q.ndim == 3 else q[None]
    faces = mean(extend(full, edges, y=y, x=x), axis)
    return faces if q.ndim == 3 else faces[0]


def to_interfaces(q: Array, thickness: Array) -> Array:
    """Linear interpolation of cell values (z, ...) to the nz-1 inner interfaces, weighted by the opposite layer's
    thickness."""
    below, above = thickness[:-1], thickness[1:]
    return (q[:-1] * above + q[1:] * below) / (below + above)


def close_levels(inner: Array) -> Array:
    """A zero at the ground and at the model top added to values on the nz-1 inner interfaces, in memory."""
    return jnp.pad(inner, ((1, 1), (0, 0), (0, 0)))
