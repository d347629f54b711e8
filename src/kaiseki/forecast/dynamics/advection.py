"""Flux-form advection of third order: unlimited (upwind-biased) or monotone (Koren 1993).

Unlimited face value: Wicker and Skamarock (2002, Mon. Wea. Rev. 130, 2088-2097), their third-order flux. Limited:
B. Koren (1993), "A robust upwind discretization method for advection, diffusion and source terms",
phi(r) = max(0, min(2r, (1+2r)/3, 2)), which is the same third-order value where it does not act. `sign` is the
direction of time, +1 or -1: when the model runs backwards (digital filter) the upwind side changes.
"""

from __future__ import annotations

from collections.abc import Callable

import jax
import jax.numpy as jnp
from jax import Array

type FaceValue = Callable[[Array, Array, Array, Array, Array], Array]
"""(mass flux, q two below, below, above, two above the face) -> flux of q."""


def upwind3(flux: Array, q0: Array, q1: Array, q2: Array, q3: Array, sign: Array | float = 1.0) -> Array:
    """Third-order upwind-biased flux of q through faces between q1 and q2."""
    centred = (7.0 * (q1 + q2) - (q0 + q3)) / 12.0
    return flux * centred + sign * jnp.abs(flux) / 12.0 * ((q3 - q0) - 3.0 * (q2 - q1))


def koren(flux: Array, q0: Array, q1: Array, q2: Array, q3: Array, sign: Array | float = 1.0) -> Array:
    """Monotone third-order flux of q through faces between q1 and q2.

    With u the step on the upwind side and d the step across the face, phi(r) u / 2 is the smallest of d, (u + 2 d) / 6
    and u if all have one sign, else nothing.
    """
    onwards = sign * flux > 0.0
    near = jnp.where(onwards, q1, q2)
    up, down = jnp.where(onwards, q1 - q0, q2 - q3), jnp.where(onwards, q2 - q1, q1 - q2)
    third = (up + 2.0 * down) / 6.0
    rising = jnp.minimum(jnp.minimum(down, third), up)
    falling = jnp.maximum(jnp.maximum(down, third), up)
    return flux * (near + jnp.maximum(rising, 0.0) + jnp.minimum(falling, 0.0))


def windows(q: Array, axis: int) -> tuple[Array, Array, Array, Array]:
    """The four neighbours of every face along `axis`: q has three more values than there are faces."""
    n = q.shape[axis] - 3
    q0, q1, q2, q3 = (jax.lax.slice_in_dim(q, k, k + n, axis=axis % q.ndim) for k in range(4))
    return q0, q1, q2, q3
