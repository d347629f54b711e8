"""One smooth hydrostatic reference profile per case, from which the model carries perturbations only.

The profile is a function of height alone, so its horizontal pressure gradient vanishes identically whatever the
terrain: this is what lets float32 survive a high mountain.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from scipy.integrate import cumulative_simpson
from scipy.interpolate import CubicSpline
from scipy.optimize import least_squares

from kaiseki.core.constants import GRAVITY, KAPPA, P0, R_DRY


@dataclass(frozen=True)
class ReferenceProfile:
    """Hydrostatic reference profile T(z) = cold + (warm - cold) exp(-z / scale), hydrostatic, with pressure
    `surface_pressure` at z = 0.

    Args:
        warm: virtual temperature at sea level, K.
        cold: virtual temperature far above, K.
        scale: height over which the first turns into the second, m.
        surface_pressure: pressure at z = 0, Pa.
    """

    warm: float = 285.0
    cold: float = 205.0
    scale: float = 9000.0
    surface_pressure: float = 101325.0

    def temperature(self, z: np.ndarray) -> np.ndarray:
        """Virtual temperature at height z (m), K."""
        return self.cold + (self.warm - self.cold) * np.exp(-np.asarray(z, dtype=float) / self.scale)

    @cached_property
    def _log_pressure(self) -> CubicSpline:
        z = np.arange(-1000.0, 60000.0, 20.0)
        integral = cumulative_simpson(GRAVITY / (R_DRY * self.temperature(z)), x=z, initial=0.0)
        integral -= np.interp(0.0, z, integral)
        return CubicSpline(z, np.log(self.surface_pressure) - integral)

    def pressure(self, z: np.ndarray) -> np.ndarray:
        """Hydrostatic pressure at height z (m), Pa."""
        return np.exp(self._log_pressure(np.asarray(z, dtype=float)))

    def density(self, z: np.ndarray) -> np.ndarray:
        """Density at height z (m), kg m-3."""
        return self.pressure(z) / (R_DRY * self.temperature(z))

    def potential_temperature(self, z: np.ndarray) -> np.ndarray:
        """Potential temperature at height z (m), K."""
        return self.temperature(z) * (P0 / self.pressure(z)) ** KAPPA

    @classmethod
    def fit(cls, z: np.ndarray, virtual_temperature: np.ndarray, pressure: np.ndarray) -> ReferenceProfile:
        """Least-squares fit to samples of height (m), virtual temperature (K) and pressure (Pa) of any equal shape."""
        z, temperature = np.ravel(z).astype(float), np.ravel(virtual_temperature).astype(float)

        def residual(parameters: np.ndarray) -> np.ndarray:
            warm, cold, scale = parameters
            return cold + (warm - cold) * np.exp(-z / scale) - temperature

        fit = least_squares(residual, (285.0, 205.0, 9000.0), bounds=((200.0, 120.0, 2000.0), (330.0, 280.0, 40000.0)))
        warm, cold, scale = (round(float(v), 3) for v in fit.x)
        trial = cls(warm, cold, scale)
        shift = float(np.mean(np.log(np.ravel(pressure).astype(float)) - np.log(trial.pressure(z))))
        return cls(warm, cold, scale, round(trial.surface_pressure * float(np.exp(shift)), 1))
