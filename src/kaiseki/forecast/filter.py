"""Digital-filter initialisation (Lynch and Huang 1992, Mon. Wea. Rev. 120, 1019-1034; Huang and Lynch 1993, ibid. 121,
589-603).

Adiabatic backwards by half the span, then the full model forwards over the span while the states are summed with the
filter's weights: the sum is valid at the analysis time. Weights: Lanczos-windowed low-pass.
"""

from __future__ import annotations

import numpy as np


def filter_steps(half_span: float, dt: float) -> int:
    """Number n of steps of dt [s] in half the span [s] of a filter."""
    return max(1, round(half_span / dt))


def filter_weights(half_span: float, cutoff: float, dt: float) -> np.ndarray:
    """Weights (2 n + 1,) of the states from -half_span to +half_span [s], summing to one.

    Args:
        half_span: half the span of the filter [s].
        cutoff: period below which oscillations are removed [s].
        dt: time step [s].
    """
    n = filter_steps(half_span, dt)
    k = np.arange(-n, n + 1)
    theta = 2.0 * np.pi * dt / cutoff
    ideal = np.sinc(k * theta / np.pi) * theta / np.pi
    window = np.sinc(k / (n + 1))
    w = ideal * window
    return w / w.sum()


def filter_response(half_span: float, cutoff: float, dt: float, period: np.ndarray) -> np.ndarray:
    """Amplitude left of oscillations with the given periods [s]; arguments as for `filter_weights`."""
    n = filter_steps(half_span, dt)
    k = np.arange(-n, n + 1)
    omega = 2.0 * np.pi * dt / np.asarray(period, dtype=float)
    return np.cos(np.multiply.outer(omega, k)) @ filter_weights(half_span, cutoff, dt)
