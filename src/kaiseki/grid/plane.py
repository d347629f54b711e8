"""A flat-Earth domain for idealised cases: map factor one, any terrain, levels and constant Coriolis parameter."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from kaiseki.core.constants import EARTH_ROTATION
from kaiseki.grid.domain import Domain
from kaiseki.grid.projection import LambertConformal


@dataclass(frozen=True, eq=False)
class Plane(Domain):
    """A Domain with Cartesian geometry; make one with `plane`."""

    f: float = 0.0

    @property
    def lat(self) -> np.ndarray:
        """Latitude (ny, nx) whose Coriolis parameter is f, degrees."""
        return np.full((self.ny, self.nx), np.rad2deg(np.arcsin(np.clip(0.5 * self.f / EARTH_ROTATION, -1.0, 1.0))))

    @property
    def lon(self) -> np.ndarray:
        """Longitude (ny, nx), degrees: zero."""
        return np.zeros((self.ny, self.nx))

    @property
    def map_factor(self) -> np.ndarray:
        """Map factor at cell centres (ny, nx): one."""
        return np.ones((self.ny, self.nx))

    @property
    def map_factor_u(self) -> np.ndarray:
        """Map factor at the x faces (ny, nx+1): one."""
        return np.ones((self.ny, self.nx + 1))

    @property
    def map_factor_v(self) -> np.ndarray:
        """Map factor at the y faces (ny+1, nx): one."""
        return np.ones((self.ny + 1, self.nx))

    @property
    def coriolis(self) -> np.ndarray:
        """Coriolis parameter (ny, nx), s-1: the constant f."""
        return np.full((self.ny, self.nx), self.f)


def plane(
    terrain: np.ndarray,
    interfaces: np.ndarray,
    spacing: float,
    f: float = 0.0,
    rim_width: int = 5,
    decay: np.ndarray | None = None,
) -> Plane:
    """A plane with the given terrain (ny, nx) in m and nominal interfaces (m).

    Args:
        terrain: height of the ground, (ny, nx), m.
        interfaces: heights of the nz+1 interfaces over flat ground, m.
        spacing: of the cells, m.
        f: Coriolis parameter, s-1.
        rim_width: cells of the relaxation rim.
        decay: share of the terrain that each interface follows, (nz+1), 1 at the ground and 0 at the model top; by
            default cos^6, which levels out quickly.
    """
    ny, nx = terrain.shape
    if decay is None:
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
