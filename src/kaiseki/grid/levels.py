"""Hybrid terrain-following height levels, z = zeta + terrain * f(zeta)."""

from __future__ import annotations

import numpy as np
from scipy.optimize import brentq


def stretched_interfaces(number: int, top: float, first_thickness: float) -> np.ndarray:
    """Interfaces (number + 1 heights, m) from 0 to top whose thickness grows smoothly from `first_thickness`.

    The thickness follows first * (1 + c k^1.5 ...) in the layer index k; c is chosen so that the top is met.
    """
    k = np.arange(number)

    def top_of(c: float) -> float:
        return float(np.sum(first_thickness * (1.0 + c * k**1.5))) - top

    c = brentq(top_of, 0.0, 1e3)
    return np.concatenate([[0.0], np.cumsum(first_thickness * (1.0 + c * k**1.5))])


def decay(zeta: np.ndarray, top: float, middle: float = 9000.0, n: float = 3.0) -> np.ndarray:
    """f(zeta) of the NHM/asuca hybrid form: c (1 - s^n) / (c + s^n), s = zeta/top, c chosen so that f(middle) = 1/2."""
    s = np.asarray(zeta, dtype=float) / top
    m = (middle / top) ** n
    c = m / (1.0 - 2.0 * m)
    return c * (1.0 - s**n) / (c + s**n)
