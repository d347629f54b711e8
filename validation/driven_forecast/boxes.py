"""Means of a forecast over the boxes of a coarser grid, on which it is compared."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy import ndimage, sparse

from kaiseki.driving.weights import interpolation
from kaiseki.grid import Domain

SAMPLES = 5
"""Points along each side of a box whose mean stands for the box."""


@dataclass(frozen=True)
class Boxes:
    """Boxes (ny, nx) about the points of a rectangular grid.

    Attributes:
        latitude, longitude: middles of the boxes (ny, nx), degrees.
        matrix: from the cells of the domain, (boxes in `inside`, cells).
        inside: (ny, nx) bool, boxes that lie in the domain wholly and do not touch its rim.
    """

    latitude: np.ndarray
    longitude: np.ndarray
    matrix: sparse.csr_array
    inside: np.ndarray

    @classmethod
    def of(cls, domain: Domain, latitude: np.ndarray, longitude: np.ndarray) -> Boxes:
        """Boxes and their weights: the mean of 5 x 5 points, each linear between the cells of the domain.

        Args:
            domain: grid of the forecast.
            latitude, longitude: points of the coarser grid (ny, nx), degrees, without a jump.
        """
        offset = (np.arange(SAMPLES) + 0.5) / SAMPLES - 0.5
        ny, nx = latitude.shape
        rows = (np.arange(ny)[:, None] + offset).reshape(ny, 1, SAMPLES, 1)
        columns = (np.arange(nx)[:, None] + offset).reshape(1, nx, 1, SAMPLES)
        # One more row and column on every side, continued linearly, for the halves of the outermost boxes.
        at = np.stack([a + 1.0 for a in np.broadcast_arrays(rows, columns)])
        lats, lons = (
            ndimage.map_coordinates(np.pad(np.asarray(a, float), 1, "reflect", reflect_type="odd"), at, order=1)
            for a in (latitude, longitude)
        )
        x, y = domain.projection.forward(lats, lons)
        edge = domain.rim_width * domain.spacing
        within = (x >= domain.x[0] + edge) & (x <= domain.x[-1] - edge)
        within &= (y >= domain.y[0] + edge) & (y <= domain.y[-1] - edge)
        inside = within.all(axis=(2, 3))
        points = interpolation(domain.y, domain.x, y[inside].ravel(), x[inside].ravel(), "linear").matrix
        n, size = int(inside.sum()), SAMPLES * SAMPLES
        each = np.repeat(np.arange(n), size), np.arange(n * size)
        mean = sparse.coo_array((np.full(n * size, 1.0 / size), each), shape=(n, n * size)).tocsr()
        return cls(latitude, longitude, (mean @ points).tocsr(), inside)

    def __call__(self, field: np.ndarray) -> np.ndarray:
        """Means over the boxes (..., ny, nx) of fields on the domain (..., y, x); NaN in boxes that are not inside."""
        lead = field.shape[:-2]
        flat = np.asarray(field, float).reshape(-1, self.matrix.shape[1])
        means = np.full((flat.shape[0], *self.inside.shape), np.nan)
        means[:, self.inside] = (self.matrix @ flat.T).T
        return means.reshape(*lead, *self.inside.shape)
