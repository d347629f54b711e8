"""Padding, averages and differences on the C-grid. Lateral edges are copied outwards, or wrapped when the domain is
periodic."""

from __future__ import annotations

import jax.numpy as jnp
from jax import Array


def pad(q: Array, axis: int, n: int, periodic: bool) -> Array:
    """Add n cells on both sides along `axis` (negative: -1 x, -2 y)."""
    width = [(0, 0)] * q.ndim
    width[axis] = (n, n)
    return jnp.pad(q, width, mode="wrap" if periodic else "edge")


def pad_faces(q: Array, axis: int, n: int, periodic: bool) -> Array:
    """The same for face values, where in a periodic domain the first and the last face are one."""
    if not periodic:
        return pad(q, axis, n, False)
    size = q.shape[axis]
    before = jnp.take(q, jnp.arange(-n, 0) % (size - 1), axis=axis)
    after = jnp.take(q, jnp.arange(1, n + 1) % (size - 1), axis=axis)
    return jnp.concatenate([before, q, after], axis=axis)


def part(q: Array, axis: int, start: int, size: int) -> Array:
    """A slice of given size along a negative axis."""
    index = [slice(None)] * q.ndim
    index[axis] = slice(start, start + size)
    return q[tuple(index)]


def low_high(q: Array, axis: int, periodic: bool) -> tuple[Array, Array]:
    """Values in the cells below and above every face along `axis`: n+1 faces from n cells."""
    p, n = pad(q, axis, 1, periodic), q.shape[axis]
    return part(p, axis, 0, n + 1), part(p, axis, 1, n + 1)


def to_faces(q: Array, axis: int, periodic: bool) -> Array:
    """Average of cells to the n+1 faces along `axis`."""
    low, high = low_high(q, axis, periodic)
    return 0.5 * (low + high)


def to_cells(q: Array, axis: int) -> Array:
    """Average of n+1 faces to n cells along `axis`."""
    n = q.shape[axis] - 1
    return 0.5 * (part(q, axis, 0, n) + part(q, axis, 1, n))


def difference(q: Array, axis: int) -> Array:
    """q[i+1] - q[i] along `axis`."""
    n = q.shape[axis] - 1
    return part(q, axis, 1, n) - part(q, axis, 0, n)


def to_interfaces(q: Array, thickness: Array) -> Array:
    """Linear interpolation of cell values (z, ...) to the nz-1 inner interfaces, weighted by the opposite layer's
    thickness."""
    below, above = thickness[:-1], thickness[1:]
    return (q[:-1] * above + q[1:] * below) / (below + above)


def close_periodic(q: Array, axis: int) -> Array:
    """Make the first face along `axis` equal to the last."""
    n = q.shape[axis]
    return jnp.concatenate([part(q, axis, n - 1, 1), part(q, axis, 1, n - 1)], axis=axis)
