"""Areas of overlap on the sphere between the cells of two grids.

The area of a cell within a column and below the top of a row of the other grid is a line integral along the cell's own
edges alone (Green's theorem): over a piece of an edge within one column, the area between the piece and the top of each
row from its own upward, counted positive along the south of a cell and negative along its north. So edges are cut where
they cross the columns and rows of the other grid, each piece is integrated by Gauss-Legendre quadrature, and the sums
over rows and columns give the area of the cell again to round-off, whatever coincides or is tangent. No edge is
replaced by a chord.

Two grids of parallels and meridians, or on one map, are products of their axes.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

import numpy as np

from kaiseki.grid.overlap_planes import Edges, MapPlane, ParallelsPlane, Pieces
from kaiseki.grid.projection import Mercator
from kaiseki.grid.regular import LatLonGrid, MapGrid, cell_edges, gauss, latlon_edges, mercator_edges

Overlaps = tuple[np.ndarray, np.ndarray, np.ndarray]
"""Numbers (n,) of the cells of either grid, in their flattened fields, and solid angles (n,) of the overlaps, sr."""

_NOTHING: Final = 1e-12
"""Part of the smaller cell below which an overlap is round-off."""
_AT_ONCE: Final = 200_000
"""Overlaps computed at once, about."""


def overlaps(source: MapGrid | LatLonGrid, target: MapGrid | LatLonGrid) -> Overlaps:
    """Overlaps of the cells of two grids: cells of the source, cells of the target, solid angles (sr).

    Raises:
        InputError: a grid has no cells, see `regular.cell_edges`, or lies across the cut of a map.
    """
    first, second = _parallels(source), _parallels(target)
    if first is not None and second is not None:
        return _of_parallels(first, second)
    if isinstance(source, MapGrid) and isinstance(target, MapGrid):
        if source.projection == target.projection:
            return _on_one_map(source, target)
        if first is None and second is None:
            return _traced(source, target, MapPlane(source, target))
    if first is None and second is not None:
        assert isinstance(source, MapGrid)
        return _traced(source, target, ParallelsPlane(source, *second))
    there, here, angle = overlaps(target, source)
    return here, there, angle


def _parallels(grid: MapGrid | LatLonGrid) -> tuple[np.ndarray, np.ndarray] | None:
    """Latitudes and longitudes (rad) of the edges if these are parallels and meridians."""
    if isinstance(grid, LatLonGrid):
        return latlon_edges(grid)
    return mercator_edges(grid) if isinstance(grid.projection, Mercator) else None


def _traced(source: MapGrid, target: MapGrid | LatLonGrid, plane: MapPlane | ParallelsPlane) -> Overlaps:
    """Overlaps of the cells of a map, whose edges are traced over the plane of the target, block by block of rows."""
    x, y = plane.x, plane.y
    own, other = source.solid_angle(), target.solid_angle()
    (ny, nx), rows = source.shape, plane.rows
    per_cell = 1.0 + float(own.mean() / other.mean())
    block = int(np.clip(_AT_ONCE / (nx * per_cell), 1, ny))
    parts = []
    for start in range(0, ny, block):
        edges = Edges.of(x, y[start : min(start + block, ny) + 1])
        cell, there, angle = _block(edges, plane)
        j, i = np.divmod(cell, nx)
        row, column = np.divmod(there, plane.columns)
        # Back to the order in which the axes of the grids run.
        j = ny - 1 - j - start if plane.turned_y else j + start
        i = nx - 1 - i if plane.turned_x else i
        row = rows - 1 - row if plane.turned_rows else row
        column = plane.columns - 1 - column if plane.turned_columns else column
        cell, there = j * nx + i, row * plane.columns + column
        real = angle > _NOTHING * np.minimum(own.ravel()[cell], other.ravel()[there])
        parts.append((cell[real], there[real], angle[real]))
    return tuple(np.concatenate(one) for one in zip(*parts, strict=True))  # type: ignore[return-value]


def _block(edges: Edges, plane: MapPlane | ParallelsPlane) -> Overlaps:
    """Overlaps of the cells of a block, numbered within it, with the cells of the plane; some are only round-off."""
    kept = plane.reaches(edges)
    cut_edge, cut_at = plane.cuts(edges)
    number = edges.x.size
    edge = np.concatenate([np.arange(number), np.arange(number), cut_edge])
    at = np.concatenate([np.zeros(number), np.ones(number), np.clip(cut_at, 0.0, 1.0)])
    order = np.lexsort((at, edge))
    edge, at = edge[order], at[order]
    piece = (edge[1:] == edge[:-1]) & (at[1:] > at[:-1])
    edge, start, end = edge[:-1][piece], at[:-1][piece], at[1:][piece]
    row, column = plane.place(edges, edge, 0.5 * (start + end))
    # Above the northernmost row that a cell touches its edges cancel; about a pole they end there.
    highest = np.full(edges.cells, -1)
    for side in (edges.left, edges.right):
        beside = side[edge]
        np.maximum.at(highest, beside[beside >= 0], np.minimum(row, plane.rows - 1)[beside >= 0])
    highest[plane.about_pole(edges)] = plane.rows - 1
    highest[~kept] = -1
    highest = np.append(highest, -1)
    used = (column >= 0) & (row < plane.rows)
    edge, start, end, row, column = (a[used] for a in (edge, start, end, row, column))
    last = np.maximum(highest[edges.left[edge]], highest[edges.right[edge]])
    first = np.maximum(row, 0)
    counts = np.maximum(last - first + 1, 0)
    which = np.repeat(np.arange(edge.size), counts)
    rows = np.arange(which.size) - np.repeat(np.cumsum(counts) - counts, counts) + first[which]
    angle = plane.strips(edges, Pieces(edge, start, end, row), which, rows)
    there = rows * plane.columns + column[which]
    keys, values = [], []
    for side, sign in ((edges.left, 1.0), (edges.right, -1.0)):
        cell = side[edge[which]]
        mine = (cell >= 0) & (rows <= highest[cell])
        keys.append(cell[mine] * (plane.rows * plane.columns) + there[mine])
        values.append(sign * angle[mine])
    key, value = np.concatenate(keys), np.concatenate(values)
    if key.size == 0:
        return key, key, value
    order = np.argsort(key, kind="stable")
    key, value = key[order], value[order]
    new = np.flatnonzero(np.append(True, key[1:] != key[:-1]))
    cell, there = np.divmod(key[new], plane.rows * plane.columns)
    return cell, there, np.add.reduceat(value, new)


def _of_parallels(first: tuple[np.ndarray, np.ndarray], second: tuple[np.ndarray, np.ndarray]) -> Overlaps:
    """Overlaps of two grids of parallels and meridians from their edges, rad."""
    (lat_1, lon_1), (lat_2, lon_2) = first, second
    turn = 2.0 * np.pi
    fewest, most = np.floor((lon_1.min() - lon_2.max()) / turn), np.ceil((lon_1.max() - lon_2.min()) / turn)
    along = [_segments(lon_1, lon_2 + turn * k) for k in range(int(fewest), int(most) + 1)]
    names = ("first", "second", "low", "high")
    lon = Segments(*(np.concatenate([getattr(one, name) for one in along]) for name in names))
    lat = _segments(lat_1, lat_2)

    def angle(south: np.ndarray, north: np.ndarray) -> np.ndarray:
        height = 2.0 * np.cos(0.5 * (north + south)) * np.sin(0.5 * (north - south))
        return np.asarray(height[:, None] * (lon.high - lon.low))

    return _product(lat, lon, lon_1.size - 1, lon_2.size - 1, angle)


def _on_one_map(source: MapGrid, target: MapGrid) -> Overlaps:
    """Overlaps of two grids of one map: rectangles of it, with the area that they have on the sphere."""
    y = _segments(cell_edges(source.y, "y"), cell_edges(target.y, "y"))
    x = _segments(cell_edges(source.x, "x"), cell_edges(target.x, "x"))
    nodes, weights = gauss(6)
    projection = source.projection

    def angle(south: np.ndarray, north: np.ndarray) -> np.ndarray:
        total = np.zeros((south.size, x.low.size))
        for node_y, weight_y in zip(nodes, weights, strict=True):
            at_y = (south + node_y * (north - south))[:, None]
            for node_x, weight_x in zip(nodes, weights, strict=True):
                lat, _ = projection.inverse(x.low + node_x * (x.high - x.low), at_y)
                total += weight_y * weight_x * projection.map_factor(lat) ** -2
        return np.asarray(total * (north - south)[:, None] * (x.high - x.low) / projection.radius**2)

    return _product(y, x, source.x.size, target.x.size, angle)


@dataclass(frozen=True)
class Segments:
    """Common intervals of two axes: number of the cell on either axis, lower and upper end; all (n,)."""

    first: np.ndarray
    second: np.ndarray
    low: np.ndarray
    high: np.ndarray


def _segments(first: np.ndarray, second: np.ndarray) -> Segments:
    """Common intervals of two axes of edges, each rising or falling."""
    low, high = max(first.min(), second.min()), min(first.max(), second.max())
    cuts = np.unique(np.concatenate([first, second]).clip(low, high)) if high > low else np.zeros(0)
    middle = 0.5 * (cuts[1:] + cuts[:-1])
    cells = []
    for edges in (first, second):
        rising = edges[1] > edges[0]
        cell = np.searchsorted(edges if rising else edges[::-1], middle) - 1
        cells.append(cell if rising else edges.size - 2 - cell)
    return Segments(cells[0], cells[1], cuts[:-1], cuts[1:])


def _product(
    lat: Segments, lon: Segments, columns_1: int, columns_2: int, angle: Callable[[np.ndarray, np.ndarray], np.ndarray]
) -> Overlaps:
    """Overlaps of all pairs of segments; `angle` gives the solid angles (rows, columns) between ends (rows,)."""
    first = lat.first[:, None] * columns_1 + lon.first
    second = lat.second[:, None] * columns_2 + lon.second
    block = max(1, 1_000_000 // max(lon.low.size, 1))
    parts = [angle(lat.low[k : k + block], lat.high[k : k + block]) for k in range(0, lat.low.size, block)]
    total = np.concatenate(parts).ravel() if parts else np.zeros(0)
    return first.ravel(), second.ravel(), total
