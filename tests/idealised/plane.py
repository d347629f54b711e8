"""A flat-Earth domain for idealised cases: map factor one, any terrain, levels and constant Coriolis parameter."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from kaiseki.grid.domain import Domain
from kaiseki.grid.projection import LambertConformal


@dataclass(frozen=True, eq=False)
class Plane(Domain):
    """A Domain with Cartesian geometry; make one with `plane`."""

    f: float = 0.0

    @property
    def map_factor(self) -> np.ndarray:  # type: ignore[override]
        return np.ones((self.ny, self.nx))

    @property
    def map_factor_u(self) -> np.ndarray:  # type: ignore[override]
        return np.ones((self.ny, self.nx + 1))

    @property
    def map_factor_v(self) -> np.ndarray:  # type: ignore[override]
        return np.ones((self.ny + 1, self.nx))

    @property
    def coriolis(self) -> np.ndarray:  # type: ignore[override]
        return np.full((self.ny, self.nx), self.f)


def plane(terrain: np.ndarray, interfaces: np.ndarray, spacing: float, f: float = 0.0, rim_width: int = 5) -> Plane:
    """A plane with the given terrain (ny, nx) in m and nominal interfaces (m)."""
    ny, nx = terrain.shape
    decay = np.cos(0.5 * np.pi * interfaces / interfaces[-1]) ** 6
    return Plane(
        "plane",
        LambertConformal(),
        spacing,
        np.arange(nx) * spacing,
        np.arange(ny) * spacing,
        interfaces,
        decay,
        terrain,
        np.zeros((ny, nx)),
        rim_width,
        f,
    )
