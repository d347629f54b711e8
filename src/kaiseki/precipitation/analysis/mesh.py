"""The mesh of a grid: every k-th row and column, on which smooth fields are computed, and tiles that cover it.

Tiles overlap; each gives its fields a weight that falls linearly to zero across the overlap, and the weighted mean of
the tiles is taken, so that fields stay continuous where tiles use different gauges.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

import numpy as np
from scipy.spatial import cKDTree

from kaiseki.grid.regular import LatLonGrid
from kaiseki.precipitation.data import RainGrid

OVERLAP: Final = 4
"""Number of nodes that a tile goes beyond its core on each side."""
_LARGEST: Final = 32
_SMALLEST: Final = 4


@dataclass(frozen=True, eq=False)
class Mesh:
    """Nodes at every k-th row and column of a grid, the last beyond the edge if need be.

    Attributes:
        rows: fractional row of the grid of each mesh row, (my,).
        columns: fractional column of each mesh column, (mx,).
        lat: of the nodes, (my, mx), degrees.
        lon: of the nodes, (my, mx), degrees.
        width: number of columns of the grid.
    """

    rows: np.ndarray
    columns: np.ndarray
    lat: np.ndarray
    lon: np.ndarray
    width: int

    @property
    def shape(self) -> tuple[int, int]:
        """Shape (my, mx)."""
        return self.rows.size, self.columns.size

    @classmethod
    def of(cls, grid: RainGrid, spacing_km: float) -> Mesh:
        """The mesh whose spacing is next below the one wanted, at least that of the grid."""
        ny, nx = grid.shape
        dy, dx = spacing(grid)
        rows, columns = _every(ny, max(int(spacing_km / dy + 0.25), 1)), _every(nx, max(int(spacing_km / dx + 0.25), 1))
        if isinstance(grid, LatLonGrid):
            lat, lon = np.meshgrid(_at(grid.lat, rows).clip(-90.0, 90.0), _at(grid.lon, columns), indexing="ij")
        else:
            lat, lon = grid.projection.inverse(*np.meshgrid(_at(grid.x, columns), _at(grid.y, rows)))
        return cls(rows, columns, lat, lon, nx)

    def interpolate(self, field: np.ndarray, first: int, last: int) -> np.ndarray:
        """Bilinear values (..., last - first, nx) of a field (..., my, mx) at rows of the grid."""
        row = _brackets(self.rows, np.arange(first, last, dtype=float))
        column = _brackets(self.columns, np.arange(self.width, dtype=float))
        j, v = row[0], row[1][:, None].astype(field.dtype)
        lines = field[..., j, :] * (1.0 - v) + field[..., j + 1, :] * v
        i, u = column[0], column[1].astype(field.dtype)
        return np.asarray(lines[..., i] * (1.0 - u) + lines[..., i + 1] * u)


@dataclass(frozen=True)
class Tile:
    """Rows and columns of the mesh with weights that fall to zero at the edges, and the gauges that it uses."""

    rows: slice
    columns: slice
    weight: np.ndarray
    near: np.ndarray


def tiles(mesh: Mesh, x: np.ndarray, gauges: np.ndarray, reach: float, most: int) -> Iterator[Tile]:
    """Tiles that cover a mesh and have gauges within reach; where there are many gauges they are smaller.

    Args:
        mesh: to cover.
        x: coordinates of the nodes, (my, mx, d), km.
        gauges: coordinates of the gauges, (n, d), km.
        reach: distance beyond which gauges are not used, km.
        most: number of gauges of a tile.
    """
    if not len(gauges):
        return
    tree = cKDTree(gauges)
    queue = [
        (j, min(j + _LARGEST, mesh.shape[0]), i, min(i + _LARGEST, mesh.shape[1]))
        for j in range(0, mesh.shape[0], _LARGEST)
        for i in range(0, mesh.shape[1], _LARGEST)
    ]
    while queue:
        j0, j1, i0, i1 = queue.pop()
        rows = slice(max(j0 - OVERLAP, 0), min(j1 + OVERLAP, mesh.shape[0]))
        columns = slice(max(i0 - OVERLAP, 0), min(i1 + OVERLAP, mesh.shape[1]))
        nodes = x[rows, columns].reshape(-1, x.shape[-1])
        centre = 0.5 * (nodes.min(axis=0) + nodes.max(axis=0))
        radius = float(np.linalg.norm(nodes - centre, axis=1).max())
        inside = tree.query_ball_point(centre, radius, return_length=True)
        if inside > most // 2 and max(j1 - j0, i1 - i0) > _SMALLEST:
            middle = ((j0 + j1) // 2, (i0 + i1) // 2)
            for a, b in ((j0, middle[0]), (middle[0], j1)):
                queue += [(a, b, c, d) for c, d in ((i0, middle[1]), (middle[1], i1)) if b > a and d > c]
            continue
        distance, near = tree.query(centre, k=min(most, len(gauges)), distance_upper_bound=radius + reach)
        near = np.sort(np.atleast_1d(near)[np.isfinite(np.atleast_1d(distance))])
        if near.size:
            up = _ramp(rows, j0, j1)
            yield Tile(rows, columns, up[:, None] * _ramp(columns, i0, i1), near)


def spacing(grid: RainGrid) -> tuple[float, float]:
    """Spacing of the rows and columns of a grid in its middle, km."""
    ny, nx = grid.shape
    if isinstance(grid, LatLonGrid):
        degree = np.deg2rad(1.0) * 6371.0
        middle = np.cos(np.deg2rad(0.5 * (grid.lat[0] + grid.lat[-1])))
        return (
            abs(grid.lat[-1] - grid.lat[0]) / max(ny - 1, 1) * degree or 1.0,
            abs(grid.lon[-1] - grid.lon[0]) / max(nx - 1, 1) * degree * middle or 1.0,
        )
    # By distances on the sphere: a map need not have a scale by latitude, as those of ellipsoids have none.
    x, y = grid.x[nx // 2], grid.y[ny // 2]
    up, along = (grid.y[-1] - grid.y[0]) / (ny - 1), (grid.x[-1] - grid.x[0]) / (nx - 1)
    lat, lon = np.deg2rad(grid.projection.inverse(np.array([x, x, x + along]), np.array([y, y + up, y])))
    at = np.stack([np.cos(lat) * np.cos(lon), np.cos(lat) * np.sin(lon), np.sin(lat)])
    chords = np.linalg.norm(at[:, 1:] - at[:, :1], axis=0)
    rows, columns = 6371.0 * 2.0 * np.arcsin(0.5 * chords)
    return float(rows), float(columns)


def _ramp(part: slice, first: int, last: int) -> np.ndarray:
    """Weights (n,) of the nodes of a tile: 1 in its core, falling to its edges."""
    at = np.arange(part.start, part.stop)
    outside = np.maximum(first - at, at - last + 1).clip(0)
    return 1.0 - outside / (OVERLAP + 1.0)


def _every(size: int, step: int) -> np.ndarray:
    """Numbers of every step-th cell, going on until the last cell is within, at least two."""
    return np.arange(0, max(size - 1, 1) + step, step, dtype=float)[: max(-(-(size - 1) // step), 1) + 1]


def _at(axis: np.ndarray, index: np.ndarray) -> np.ndarray:
    """Values of an even axis at numbers that may lie beyond its end."""
    step = (axis[-1] - axis[0]) / (axis.size - 1) if axis.size > 1 else 1e-3
    return np.asarray(axis[0] + step * index)


def _brackets(nodes: np.ndarray, at: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    step = nodes[1] - nodes[0]
    lower = np.clip((at / step).astype(int), 0, nodes.size - 2)
    return lower, at / step - lower
