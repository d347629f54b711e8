"""A flat-Earth domain for idealised cases: map factor one, any terrain and levels."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np


@dataclass(frozen=True)
class Plane:
    """Duck-typed stand-in for `kaiseki.grid.Domain` with Cartesian geometry."""

    terrain: np.ndarray
    zeta_half: np.ndarray
    spacing: float
    f: float = 0.0
    rim_width: int = 5
    map_factor: np.ndarray = field(init=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "map_factor", np.ones_like(self.terrain))

    @property
    def ny(self) -> int:
        return self.terrain.shape[0]

    @property
    def nx(self) -> int:
        return self.terrain.shape[1]

    @property
    def nz(self) -> int:
        return len(self.zeta_half) - 1

    @property
    def zeta(self) -> np.ndarray:
        return 0.5 * (self.zeta_half[1:] + self.zeta_half[:-1])

    @property
    def z_half(self) -> np.ndarray:
        top = self.zeta_half[-1]
        decay = np.cos(0.5 * np.pi * self.zeta_half / top) ** 6 if np.any(self.terrain) else np.zeros_like(self.zeta_half)
        return self.zeta_half[:, None, None] + decay[:, None, None] * self.terrain

    @property
    def map_factor_u(self) -> np.ndarray:
        return np.ones((self.ny, self.nx + 1))

    @property
    def map_factor_v(self) -> np.ndarray:
        return np.ones((self.ny + 1, self.nx))

    @property
    def coriolis(self) -> np.ndarray:
        return np.full(self.terrain.shape, self.f)
