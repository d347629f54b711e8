"""Tridiagonal systems along the first axis: factorised once, solved many times (Thomas algorithm)."""

from __future__ import annotations

import jax.numpy as jnp
from jax import Array, lax


def factorise(lower: Array, diagonal: Array, upper: Array) -> tuple[Array, Array]:
    """Factors of the matrix: 1 / pivots and ratios of the LU factors; (n, ...) each, `lower[0]` and `upper[-1]` of no
    account."""

    def forward(ratio: Array, row: tuple[Array, Array, Array]) -> tuple[Array, tuple[Array, Array]]:
        low, mid, up = row
        pivot = 1.0 / (mid - low * ratio)
        return up * pivot, (pivot, up * pivot)

    _, (pivot, ratio) = lax.scan(forward, jnp.zeros_like(diagonal[0]), (lower, diagonal, upper))
    return pivot, ratio


def _solve(lower: Array, pivot: Array, ratio: Array, rhs: Array) -> Array:
    def forward(before: Array, row: tuple[Array, Array, Array]) -> tuple[Array, Array]:
        low, scale, r = row
        value = (r - low * before) * scale
        return value, value

    none = jnp.zeros_like(rhs[0])
    _, partial = lax.scan(forward, none, (lower, pivot, rhs))

    def backward(after: Array, row: tuple[Array, Array]) -> tuple[Array, Array]:
        value, share = row
        result = value - share * after
        return result, result

    _, x = lax.scan(backward, none, (partial, ratio), reverse=True)
    return x


def _solve_transposed(lower: Array, pivot: Array, ratio: Array, rhs: Array) -> Array:
    """Solution with the transposed matrix: first the transposed U, then the transposed L."""
    none = jnp.zeros_like(rhs[0])

    def forward(before: Array, row: tuple[Array, Array]) -> tuple[Array, Array]:
        share, r = row
        value = r - before
        return share * value, value

    _, partial = lax.scan(forward, none, (ratio, rhs))

    def backward(after: Array, row: tuple[Array, Array, Array]) -> tuple[Array, Array]:
        low, scale, value = row
        result = scale * (value - after)
        return low * result, result

    _, x = lax.scan(backward, none, (lower, pivot, partial), reverse=True)
    return x


def solve(lower: Array, diagonal: Array, upper: Array, pivot: Array, ratio: Array, rhs: Array) -> Array:
    """Solution x of lower[k] x[k-1] + diagonal[k] x[k] + upper[k] x[k+1] = rhs[k], with the factors of `factorise`.

    Derivatives solve the same or the transposed system with the same factors.
    """
    low, scale, share = (lax.stop_gradient(a) for a in (lower, pivot, ratio))

    def matrix(x: Array) -> Array:
        none = jnp.zeros_like(x[:1])
        return lower * jnp.concatenate([none, x[:-1]]) + diagonal * x + upper * jnp.concatenate([x[1:], none])

    return lax.custom_linear_solve(
        matrix, rhs, lambda _, b: _solve(low, scale, share, b), lambda _, b: _solve_transposed(low, scale, share, b)
    )
