"""Flux-form advection of third order: unlimited (upwind-biased) or monotone (Koren 1993).

Unlimited face value: Wicker and Skamarock (2002, Mon. Wea. Rev. 130, 2088-2097), their third-order flux. Limited:
B. Koren (1993), "A robust upwind discretization method for advection, diffusion and source terms",
phi(r) = max(0, min(2r, (1+2r)/3, 2)), which is the same third-order value where it does not act. `sign` is the
direction of time, +1 or -1: when the model runs backwards (digital filter) the upwind side changes.
"""

from __future__ import annotations

from collections.abc import Callable

import jax.numpy as jnp
from jax import Array

from kaiseki.forecast.dynamics.operators import difference, part

type FaceValue = Callable[[Array, Array, Array, Array, Array], Array]
"""(mass flux, q two below, below, above, two above the face) -> flux of q."""


def upwind3(flux: Array, q0: Array, q1: Array, q2: Array, q3: Array, sign: Array | float = 1.0) -> Array:
    """Third-order upwind-biased flux of q through faces between q1 and q2."""
    centred = (7.0 * (q1 + q2) - (q0 + q3)) / 12.0
    return flux * centred + sign * jnp.abs(flux) / 12.0 * ((q3 - q0) - 3.0 * (q2 - q1))


def _limited(far: Array, near: Array, ahead: Array) -> Array:
    """Face value from the upwind side: near + 1/2 phi (near - far), written without a division."""
    up, down = near - far, ahead - near
    bound = jnp.maximum(
        0.0, jnp.minimum(jnp.minimum(2.0 * jnp.abs(down), (jnp.abs(up) + 2.0 * jnp.abs(down)) / 3.0), 2.0 * jnp.abs(up))
    )
    return near + jnp.where(up * down > 0.0, 0.5 * jnp.sign(down) * bound, 0.0)


def koren(flux: Array, q0: Array, q1: Array, q2: Array, q3: Array, sign: Array | float = 1.0) -> Array:
    """Monotone third-order flux of q through faces between q1 and q2."""
    return flux * jnp.where(sign * flux > 0.0, _limited(q0, q1, q2), _limited(q3, q2, q1))


def flux_difference(flux: Array, padded: Array, axis: int, face_value: FaceValue) -> Array:
    """Difference of the fluxes of q over the cells along `axis`.

    flux: mass flux on n+1 faces; padded: q with two cells added on both sides (n + 4). Returns n values (flux out minus
        flux in).
    """
    n = flux.shape[axis]
    q0, q1, q2, q3 = (part(padded, axis, s, n) for s in range(4))
    return difference(face_value(flux, q0, q1, q2, q3), axis)
