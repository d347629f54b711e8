"""A coarser grid of the same region and levels, each of whose cells is a block of cells, and means over the blocks."""

from __future__ import annotations

import dataclasses
import math
from dataclasses import dataclass

import numpy as np

from kaiseki.core.errors import ConfigError
from kaiseki.grid.domain import Domain

LEAST_RIM = 2
"""Cells of the rim of a coarser grid at least."""


def _means(number: int, factor: int) -> np.ndarray:
    """Matrix (ceil(number / factor), number) of means over blocks; the last block repeats the last cell."""
    matrix = np.zeros((-(-number // factor), number))
    for cell in range(matrix.shape[0] * factor):
        matrix[cell // factor, min(cell, number - 1)] += 1.0 / factor
    return matrix


def _between(coarse: np.ndarray, fine: np.ndarray) -> np.ndarray:
    """Matrix (fine, coarse) of linear interpolation, constant beyond the outermost centres."""
    return np.stack([np.interp(fine, coarse, unit) for unit in np.eye(len(coarse))], axis=1)


@dataclass(frozen=True, eq=False)
class Coarsening:
    """Means of cells of one domain over the cells of a coarser one, and interpolation back.

    Attributes:
        fine, coarse: the domains.
        y, x: (J, ny) and (I, nx) matrices of the means along each axis; `y @ field @ x.T` is one block mean, its
            transpose brings sensitivities back.
        back_y, back_x: (ny, J) and (nx, I) matrices of linear interpolation between the centres of the coarse cells.
    """

    fine: Domain
    coarse: Domain
    y: np.ndarray
    x: np.ndarray
    back_y: np.ndarray
    back_x: np.ndarray

    @classmethod
    def build(cls, fine: Domain, factor: int) -> Coarsening:
        """Blocks of factor x factor cells; where they do not come out even, the last reaches beyond the edge.

        Args:
            fine: the domain.
            factor: 1 gives the same grid.

        Raises:
            ConfigError: too few cells are left.
        """
        if factor < 1:
            raise ConfigError(f"A grid can be made coarser by a whole factor from 1; got {factor}")
        # Before matrices of `factor` columns are made.
        factor, wanted = min(factor, max(fine.ny, fine.nx)), factor
        y, x = _means(fine.ny, factor), _means(fine.nx, factor)
        rim = fine.rim_width if factor == 1 else max(LEAST_RIM, math.ceil(fine.rim_width / factor))
        if 2 * rim + 2 > min(len(y), len(x)):
            raise ConfigError(
                f"{fine.name} ({fine.ny} x {fine.nx} cells) cannot be made {wanted} times coarser: nothing is left "
                "inside the rim"
            )
        spacing = factor * fine.spacing
        offset = 0.5 * (factor - 1) * fine.spacing
        coarse = dataclasses.replace(
            fine,
            name=fine.name if factor == 1 else f"{fine.name}/{factor}",
            spacing=spacing,
            x=fine.x[0] + offset + spacing * np.arange(len(x)),
            y=fine.y[0] + offset + spacing * np.arange(len(y)),
            terrain=y @ fine.terrain @ x.T,
            land_fraction=y @ fine.land_fraction @ x.T,
            rim_width=rim,
        )
        return cls(fine, coarse, y, x, _between(coarse.y, fine.y), _between(coarse.x, fine.x))

    def __call__(self, field: np.ndarray) -> np.ndarray:
        """Means (..., J, I) of a field (..., ny, nx), level by level of the terrain-following coordinate."""
        return np.asarray(np.einsum("Jj,...ji,Ii->...JI", self.y, np.asarray(field), self.x, optimize=True))

    def refine(self, field: np.ndarray) -> np.ndarray:
        """Field (..., ny, nx) of a coarse one (..., J, I) by linear interpolation, level by level."""
        return np.asarray(np.einsum("jJ,...JI,iI->...ji", self.back_y, np.asarray(field), self.back_x, optimize=True))
