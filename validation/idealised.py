"""Levels, mountains and air at rest for idealised experiments."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from scipy.integrate import cumulative_simpson
from scipy.interpolate import CubicSpline

from kaiseki.core.constants import GRAVITY, R_DRY
from kaiseki.grid.domain import Domain


def stretched_levels(nz: int, top: float, ratio: float = 1.05) -> np.ndarray:
    """Interfaces (m) whose thickness grows by a constant ratio."""
    thickness = ratio ** np.arange(nz)
    return np.concatenate([[0.0], np.cumsum(thickness) * top / thickness.sum()])


def bell(n: int, spacing: float, height: float, half_width: float) -> np.ndarray:
    """A bell-shaped mountain h / (1 + r^2/a^2)^(3/2) in the middle of an n x n plane."""
    x = (np.arange(n) - n / 2 + 0.5) * spacing
    r2 = x[:, None] ** 2 + x[None, :] ** 2
    return height / (1.0 + r2 / half_width**2) ** 1.5


def at_rest(
    domain: Domain, temperature: Callable[[np.ndarray], np.ndarray], surface_pressure: float = 101325.0
) -> dict[str, np.ndarray]:
    """Dry air at rest whose temperature (K) depends on height (m) alone, hydrostatic in the continuous sense.

    Returns:
        u, v, temperature, pressure, qv at cell centres (nz, ny, nx), as `Model.start` takes them.
    """
    fine = np.arange(-500.0, 60000.0, 5.0)
    integral = cumulative_simpson(GRAVITY / (R_DRY * temperature(fine)), x=fine, initial=0.0)
    log_pressure = np.log(surface_pressure) - integral + np.interp(0.0, fine, integral)
    return {
        "u": np.zeros(domain.shape),
        "v": np.zeros(domain.shape),
        "temperature": np.asarray(temperature(domain.z), dtype=float),
        "pressure": np.exp(CubicSpline(fine, log_pressure)(domain.z)),
        "qv": np.zeros(domain.shape),
    }
