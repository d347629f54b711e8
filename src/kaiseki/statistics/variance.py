"""Variances of the increments of a static background covariance: the diagonal of S S^T, exactly and without samples.

The correlations are separable and their square roots have rows of length 1, so that every variance is a sum of products
of a vertical covariance, interpolated between two flat levels, and of functions of the row and the column alone.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import jax
import jax.numpy as jnp

from kaiseki.statistics.balance import difference
from kaiseki.statistics.covariance import BackgroundCovariance, Factors


@jax.tree_util.register_dataclass
@dataclass(frozen=True)
class Variances:
    """Variances of grid-relative wind, temperature and pressure.

    Attributes:
        u, v: (nz, ny, nx) m2 s-2.
        uv: (nz, ny, nx) covariance of the two, m2 s-2.
        temperature: (nz, ny, nx) K2.
        pressure: (ny, nx) of the lowest level, Pa2.
    """

    u: Any
    v: Any
    uv: Any
    temperature: Any
    pressure: Any


def _squares(rows: Any) -> Any:
    return jnp.sum(rows**2, axis=1)


@jax.jit
def variances(covariance: BackgroundCovariance) -> Variances:
    """The variances that a covariance gives its increments."""
    balance = covariance.balance

    def between(vertical: Any) -> Any:
        """Variance (nz, ny, nx) at the model's levels of what has the covariance (nz, nz) on flat ones."""
        here = jnp.diagonal(vertical)
        beside = jnp.append(jnp.diagonal(vertical, 1), 0.0)
        lower, above = balance.lower, balance.upper_weight
        below = 1.0 - above
        return below**2 * here[lower] + 2.0 * below * above * beside[lower] + above**2 * here[lower + 1]

    def total(terms: tuple[Factors, ...], root: Callable[[Any], Any], plane: Callable[[Factors], Any]) -> Any:
        """Sum over scales of a vertical covariance, of the root given of theirs, times a function of the place."""
        parts = []
        for term in terms:
            vertical = root(term.z)
            parts.append(between(vertical @ vertical.T) * plane(term))
        return sum(parts[1:], parts[0])

    def itself(term: Factors) -> Any:
        return jnp.outer(_squares(term.y), _squares(term.x))

    def along_x(term: Factors) -> Any:
        return jnp.outer(_squares(term.y), _squares(difference(term.x, 0)))

    def along_y(term: Factors) -> Any:
        return jnp.outer(_squares(difference(term.y, 0)), _squares(term.x))

    def both(term: Factors) -> Any:
        row, column = (jnp.sum(axis * difference(axis, 0), axis=1) for axis in (term.y, term.x))
        return jnp.outer(row, column)

    def turned(z: Any) -> Any:
        return balance.rotational[:, None] * z

    def same(z: Any) -> Any:
        return z

    slope, psi, chi = (balance.mask * balance.gradient) ** 2, covariance.psi, covariance.chi
    coriolis = balance.coriolis**2
    # ln p of the lowest level lies between the two lowest flat ones; all that belongs to it is taken to all levels.
    log_pressure = (
        coriolis * total(psi, lambda z: balance.log_pressure[:, None] * z, itself)[0]
        + total(covariance.temperature, lambda z: balance.weight_above @ z, itself)[0]
        + balance.sea_level**2 * sum(_squares(term.z)[0] * itself(term) for term in covariance.pressure)
    )
    return Variances(
        u=slope * (total(psi, turned, along_y) + total(chi, same, along_x)),
        v=slope * (total(psi, turned, along_x) + total(chi, same, along_y)),
        uv=slope * (total(chi, same, both) - total(psi, turned, both)),
        temperature=balance.mask**2
        * (total(covariance.temperature, same, itself) + coriolis * total(psi, lambda z: balance.thermal @ z, itself)),
        pressure=(balance.mask * balance.pressure[0]) ** 2 * log_pressure,
    )
