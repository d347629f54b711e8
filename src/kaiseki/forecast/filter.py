"""Digital-filter initialisation (Lynch and Huang 1992, Mon. Wea. Rev. 120, 1019-1034; Huang and Lynch 1993, ibid. 121,
589-603).

Adiabatic backwards by half the span, then the full model forwards over the span while the states are summed with the
filter's weights: the sum is valid at the analysis time. Weights: Lanczos-windowed low-pass.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class DigitalFilter:
    """half_span and cutoff period in seconds; a cutoff equal to the span is usual."""

    half_span: float = 3600.0
    cutoff: float = 7200.0

    def steps(self, dt: float) -> int:
        """Number of steps in half the span."""
        return max(1, round(self.half_span / dt))

    def weights(self, dt: float) -> np.ndarray:
        """Weights of the 2 n + 1 states from -half_span to +half_span, summing to one."""
        n = self.steps(dt)
        k = np.arange(-n, n + 1)
        theta = 2.0 * np.pi * dt / self.cutoff
        ideal = np.sinc(k * theta / np.pi) * theta / np.pi
        window = np.sinc(k / (n + 1))
        w = ideal * window
        return w / w.sum()

    def response(self, period: np.ndarray, dt: float) -> np.ndarray:
        """Amplitude left of oscillations with the given periods (s)."""
        n = self.steps(dt)
        k = np.arange(-n, n + 1)
        omega = 2.0 * np.pi * dt / np.asarray(period, dtype=float)
        return np.cos(np.multiply.outer(omega, k)) @ self.weights(dt)
