"""Hybrid terrain-following height levels, z = zeta + terrain * f(zeta)."""

from __future__ import annotations

import numpy as np

from kaiseki.core.errors import ConfigError


def stretched_interfaces(number: int, top: float, first_thickness: float, stretching: float = 1.5) -> np.ndarray:
    """Interfaces (number + 1 heights, m) from 0 to `top` whose thickness grows smoothly from `first_thickness`.

    The layer k from below has the thickness first_thickness * (1 + c k^stretching); c is chosen so that the top is met.

    Raises:
        ConfigError: number * first_thickness exceeds the top.
    """
    k = np.arange(number)
    growth = k**stretching
    if number * first_thickness > top or number < 2:
        raise ConfigError(
            f"{number} layers of at least {first_thickness:g} m do not fit under a top at {top:g} m; "
            "give between 2 and fewer of them, or thinner ones."
        )

    c = (top / first_thickness - number) / growth.sum()
    return np.concatenate([[0.0], np.cumsum(first_thickness * (1.0 + c * growth))])


def decay(zeta: np.ndarray, top: float, middle: float = 9000.0, n: float = 3.0) -> np.ndarray:
    """Decay f(zeta) of the terrain with height in the hybrid levels of JMA's models, 1 at the ground and 0 at the top;
    f(middle) = 1/2.

    f = c (1 - s^n) / (c + s^n), s = zeta / top, c = m / (1 - 2 m), m = (middle / top)^n. The height `middle` and the
    exponent are provisional, since the values of JMA's mesoscale system are not published.

    Raises:
        ConfigError: `middle` is so near the top that no such c exists.
    """
    s = np.asarray(zeta, dtype=float) / top
    m = (middle / top) ** n
    if not 0.0 < m < 0.5:
        raise ConfigError(
            f"The height {middle:g} m where levels follow the terrain by half must lie below "
            f"{0.5 ** (1.0 / n):.2f} of the top at {top:g} m; lower terrain_decay."
        )
    c = m / (1.0 - 2.0 * m)
    return np.asarray(c * (1.0 - s**n) / (c + s**n))
