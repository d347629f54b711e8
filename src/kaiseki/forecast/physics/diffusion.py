"""Implicit vertical diffusion of a column, conserving, with an exchange at its first layer."""

from __future__ import annotations

import jax.numpy as jnp
from jax import Array, lax


def diffuse(
    fields: tuple[Array, ...], mass: Array, conductance: Array, dt: float, exchange: tuple[tuple[Array, Array], ...]
) -> tuple[tuple[Array, ...], tuple[Array, ...]]:
    """One backward step of mass dx/dt = d/dk (conductance dx) + (source - coefficient x) in layer 0.

    Args:
        fields: (n, y, x) each; layer 0 touches the surface.
        mass: (n, y, x) capacity of the layers, kg m-2 (or J m-2 K-1).
        conductance: (n-1, y, x) between neighbouring layers, kg m-2 s-1 (or W m-2 K-1).
        exchange: (coefficient, source) of every field at layer 0, (y, x) each.

    Returns:
        increments (n, y, x) of every field and the flux into layer 0 during the step, (y, x) each; sum(mass increment)
        = dt flux to round-off.
    """
    none = jnp.zeros_like(mass[:1])
    below, above = jnp.concatenate([none, conductance]), jnp.concatenate([conductance, none])
    scale = dt / mass
    lower, upper = scale * below, scale * above  # couplings; their negatives stand in the matrix

    def flow(x: Array) -> Array:
        flux = conductance * (x[1:] - x[:-1])
        return scale * (jnp.concatenate([flux, none]) - jnp.concatenate([none, flux]))

    rhs = tuple(flow(x) for x in fields)

    # From the far end towards the surface: delta[k] = partial[k] + ratio[k] delta[k-1].
    def eliminate(
        carry: tuple[Array, tuple[Array, ...]], row: tuple[Array, Array, tuple[Array, ...]]
    ) -> tuple[tuple[Array, tuple[Array, ...]], tuple[Array, tuple[Array, ...]]]:
        ratio, partial = carry
        low, up, r = row
        pivot = 1.0 / (1.0 + low + up * (1.0 - ratio))
        new = (low * pivot, tuple((value + up * far) * pivot for value, far in zip(r, partial, strict=True)))
        return new, new

    zero = jnp.zeros_like(mass[0])
    rest = (lower[1:], upper[1:], tuple(r[1:] for r in rhs))
    (ratio, partial), rows = lax.scan(eliminate, (zero, tuple(zero for _ in fields)), rest, reverse=True)
    first, flux = [], []
    for x, r, far, (coefficient, source) in zip(fields, rhs, partial, exchange, strict=True):
        pivot = 1.0 / (1.0 + upper[0] * (1.0 - ratio) + scale[0] * coefficient)
        delta = (r[0] + scale[0] * (source - coefficient * x[0]) + upper[0] * far) * pivot
        first.append(delta)
        flux.append(source - coefficient * (x[0] + delta))

    def substitute(
        near: tuple[Array, ...], row: tuple[Array, tuple[Array, ...]]
    ) -> tuple[tuple[Array, ...], tuple[Array, ...]]:
        ratio, partial = row
        new = tuple(value + ratio * delta for value, delta in zip(partial, near, strict=True))
        return new, new

    _, others = lax.scan(substitute, tuple(first), rows)
    return tuple(jnp.concatenate([a[None], b]) for a, b in zip(first, others, strict=True)), tuple(flux)
