"""The planes over which the edges of a map's cells are traced: of parallels and meridians, and of another map.

In the first, (longitude, sine of latitude), areas are those of the sphere. On Lambert's and the polar stereographic
map a meridian is a ray from the pole and a parallel an arc about it, so that edges meet them where straight lines meet
rays and circles. In the second the area is the integral of 1 / map factor^2, and where edges cross lines is found by
iteration.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np

from kaiseki.core.errors import InputError
from kaiseki.grid.projection import Projection
from kaiseki.grid.regular import MapGrid, cell_edges, gauss

_TURN: Final = 2.0 * np.pi
_NEAR: Final = 0.1
"""Half length of a piece over its distance from the pole above which its integrand is split, see `strips`."""
_ITERATIONS: Final = 30
_AT_ONCE: Final = 1_000_000


@dataclass(frozen=True, eq=False)
class Edges:
    """Edges of the cells of a block (ny, nx) of a map: straight lines to the east, then to the north.

    Attributes:
        shape: (ny, nx).
        x, y: start (n,). dx, dy: from there to the end (n,).
        left, right: numbers (n,) of the cells on either side, -1 outside the block.
    """

    shape: tuple[int, int]
    x: np.ndarray
    y: np.ndarray
    dx: np.ndarray
    dy: np.ndarray
    left: np.ndarray
    right: np.ndarray

    @property
    def cells(self) -> int:
        """Number of cells of the block."""
        return self.shape[0] * self.shape[1]

    @classmethod
    def of(cls, x: np.ndarray, y: np.ndarray) -> Edges:
        """Edges of the cells between rising coordinates x (nx + 1,) and y (ny + 1,)."""
        ny, nx = y.size - 1, x.size - 1
        cell = np.full((ny + 2, nx + 2), -1)
        cell[1:-1, 1:-1] = np.arange(ny * nx).reshape(ny, nx)
        east, north = (ny + 1, nx), (ny, nx + 1)
        parts = (
            (x[None, :-1], x[None, :]),
            (y[:, None], y[:-1, None]),
            (np.diff(x)[None, :], np.zeros((1, 1))),
            (np.zeros((1, 1)), np.diff(y)[:, None]),
            (cell[1:, 1:-1], cell[1:-1, :-1]),
            (cell[:-1, 1:-1], cell[1:-1, 1:]),
        )
        return cls(
            (ny, nx),
            *(np.concatenate([np.broadcast_to(a, east).ravel(), np.broadcast_to(b, north).ravel()]) for a, b in parts),
        )

    def at(self, edge: np.ndarray, part: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Coordinates of the places a part (0 to 1) along edges."""
        return self.x[edge] + part * self.dx[edge], self.y[edge] + part * self.dy[edge]


@dataclass(frozen=True)
class Pieces:
    """Pieces of edges: number of the edge, from and to which part of it (0 to 1), row in which it lies; all (n,)."""

    edge: np.ndarray
    start: np.ndarray
    end: np.ndarray
    row: np.ndarray


class ParallelsPlane:
    """The plane of longitude and sine of latitude, with rows and columns of a grid, under a conic or azimuthal map.

    Everything is seen from the pole of the map, which is taken as the north pole: southern maps are mirrored. Lengths
    on the map are in units of the distance of the equator from the pole; then tan(colatitude / 2) = distance^(1 / n).

    Attributes:
        x, y: edges of the map's cells, rising, in these units.
        rows, columns: of the grid.
        turned_x, turned_y, turned_rows, turned_columns: whether the axes run against those of the two grids.
    """

    def __init__(self, grid: MapGrid, lat: np.ndarray, lon: np.ndarray) -> None:
        """Plane of the parallels `lat` and meridians `lon` (edges of the cells, rad) for a map.

        Raises:
            InputError: the map's cells lie across its cut.
        """
        projection = grid.projection
        centre = np.asarray(projection.central_longitude)
        unit = float(np.hypot(*projection.forward(np.asarray(0.0), centre)))
        self._n = abs(projection.cone)
        mirrored = projection.cone < 0.0
        x, y = cell_edges(grid.x, "x") / unit, cell_edges(grid.y, "y") / unit * (-1.0 if mirrored else 1.0)
        lat = -lat if mirrored else lat
        self.turned_x, self.turned_y = bool(x[1] < x[0]), bool(y[1] < y[0])
        self.turned_rows, self.turned_columns = bool(lat[1] < lat[0]), bool(lon[1] < lon[0])
        self.x, self.y = np.sort(x), np.sort(y)
        lat, lon = np.sort(lat), np.sort(lon)
        _refuse_cut(self.x, self.y, self._n, projection)
        self.rows, self.columns = lat.size - 1, lon.size - 1
        self._height = 2.0 * np.cos(0.5 * (lat[1:] + lat[:-1])) * np.sin(0.5 * np.diff(lat))
        half = np.tan(0.5 * (0.5 * np.pi - lat))
        half[lat >= 0.5 * np.pi] = 0.0
        self._distance = half**self._n
        self._depth = 2.0 * np.sin(0.5 * (0.5 * np.pi - lat)) ** 2
        lon = lon - np.deg2rad(projection.central_longitude)
        self._west, width = lon[0], lon[-1] - lon[0]
        # The last meridian is a line of its own, unless it is the first again.
        self._lines = lon if _TURN - width > 1e-9 else lon[:-1]
        self._offsets = self._lines - self._west
        longest = max(np.diff(self.x).max(), np.diff(self.y).max())
        nearest = np.hypot(max(self.x[0], -self.x[-1], 0.0), max(self.y[0], -self.y[-1], 0.0))
        self._nodes, self._weights = gauss(3 if longest < 0.005 * min(nearest, 1.0) else 6)

    def reaches(self, edges: Edges) -> np.ndarray:
        """Whether each cell can overlap the grid: all may."""
        return np.ones(edges.cells, bool)

    def about_pole(self, edges: Edges) -> np.ndarray:
        """Whether each cell has the pole of the map in it or on its edge."""
        ny, nx = edges.shape
        x, y = edges.x[: (ny + 1) * nx].reshape(ny + 1, nx), edges.y[: (ny + 1) * nx].reshape(ny + 1, nx)
        dx = edges.dx[: (ny + 1) * nx].reshape(ny + 1, nx)
        inside = (x[:-1] <= 0.0) & (x[:-1] + dx[:-1] >= 0.0) & (y[:-1] <= 0.0) & (y[1:] >= 0.0)
        return np.asarray(inside.ravel())

    def _row(self, distance: np.ndarray) -> np.ndarray:
        """Row from -1 (south of the grid) to `rows` (north of it) at distances from the pole."""
        return np.searchsorted(-self._distance, -distance, side="left") - 1

    def _line(self, longitude: np.ndarray) -> np.ndarray:
        """Number of the last line at or west of longitudes (rad from the central one), going on over the turns."""
        turns, rest = np.divmod(longitude - self._west, _TURN)
        return turns.astype(int) * self._lines.size + np.searchsorted(self._offsets, rest, side="right") - 1

    def cuts(self, edges: Edges) -> tuple[np.ndarray, np.ndarray]:
        """Edges, and the part along them, where they cross meridians and parallels of the grid."""
        x, y, dx, dy = edges.x, edges.y, edges.dx, edges.dy
        n, square = self._n, dx**2 + dy**2
        start = np.arctan2(x, -y) / n
        end = start + np.arctan2(x * (y + dy) - y * (x + dx), x * (x + dx) + y * (y + dy)) / n
        edge, line = _between(self._line(start), self._line(end))
        meridian = n * ((self._lines[line % self._lines.size] + np.pi) % _TURN - np.pi)
        to_x, to_y = np.sin(meridian), -np.cos(meridian)
        with np.errstate(divide="ignore", invalid="ignore"):
            part = (x[edge] * to_y - y[edge] * to_x) / (dy[edge] * to_x - dx[edge] * to_y)
        edges_cut, parts = [edge], [np.where(np.isfinite(part), part, 0.0)]
        # Towards the foot of the perpendicular from the pole an edge goes north, beyond it south.
        foot, across = -(x * dx + y * dy) / square, (x * dy - y * dx) ** 2 / square
        at_foot = np.clip(foot, 0.0, 1.0)
        rows = [self._row(np.hypot(x + t * dx, y + t * dy)) for t in (np.zeros_like(foot), at_foot, np.ones_like(foot))]
        for outer, sign in ((rows[0], -1.0), (rows[2], 1.0)):
            there = (at_foot > 0.0) if sign < 0.0 else (at_foot < 1.0)
            edge, row = _between(np.where(there, outer, 0), np.where(there, rows[1], 0))
            along = np.sqrt(np.maximum(self._distance[row] ** 2 - across[edge], 0.0) / square[edge])
            edges_cut.append(edge)
            parts.append(foot[edge] + sign * along)
        return np.concatenate(edges_cut), np.concatenate(parts)

    def place(self, edges: Edges, edge: np.ndarray, part: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Row, -1 to `rows`, and column, -1 outside, of places along edges."""
        x, y = edges.at(edge, part)
        column = self._line(np.arctan2(x, -y) / self._n) % self._lines.size
        return self._row(np.hypot(x, y)), np.where(column < self.columns, column, -1)

    def strips(self, edges: Edges, pieces: Pieces, which: np.ndarray, rows: np.ndarray) -> np.ndarray:
        """Solid angles (m,) between pieces `which` (m,) and the tops of rows (m,), the part that lies in the row.

        With s the sine of latitude it is the integral of (top - s) over longitude, for which both factors are smooth
        along the edge, except about the pole: there (1 - s) d(longitude) is smooth, and the rest is the difference of
        longitudes.
        """
        edge, length = pieces.edge, pieces.end - pieces.start
        turning = (edges.x * edges.dy - edges.y * edges.dx)[edge]
        x, y = edges.at(edge, 0.5 * (pieces.start + pieces.end))
        half = 0.5 * length * np.hypot(edges.dx, edges.dy)[edge]
        near = half > _NEAR * (np.hypot(x, y) - half)
        depth = self._depth[pieces.row + 1]
        own, width = np.zeros(edge.size), np.zeros(edge.size)
        for node, weight in zip(self._nodes, self._weights, strict=True):
            x, y = edges.at(edge, pieces.start + node * length)
            square = np.maximum(x * x + y * y, 1e-300)
            half_angle = square ** (1.0 / self._n)
            longitude = weight * length * turning / (self._n * square)
            own += (2.0 * half_angle / (1.0 + half_angle) - np.where(near, 0.0, depth)) * longitude
            width += longitude
        if near.any():
            (x0, y0), (x1, y1) = (edges.at(edge[near], t[near]) for t in (pieces.start, pieces.end))
            width[near] = np.arctan2(x0 * y1 - y0 * x1, x0 * x1 + y0 * y1) / self._n
            own[near] -= depth[near] * width[near]
        return np.where(rows == pieces.row[which], own[which], self._height[rows] * width[which])


class MapPlane:
    """The plane of a map, with the rows and columns of a grid, under another map.

    Edges of the source are curves there. Each is followed from part to part, no longer than a cell of the target; where
    a part crosses a line twice and comes back, the lens between is counted to the other side. Lengths are in m.

    Attributes:
        x, y: edges of the source's cells, rising, m.
        rows, columns: of the target.
        turned_x, turned_y, turned_rows, turned_columns: whether the axes run against those of the two grids.
    """

    def __init__(self, source: MapGrid, target: MapGrid) -> None:
        """Plane of the target.

        Raises:
            InputError: the cells of a map lie across its cut.
        """
        self._from, self._to = source.projection, target.projection
        axes = [cell_edges(axis, name) for grid in (source, target) for axis, name in ((grid.x, "x"), (grid.y, "y"))]
        turned = [bool(axis[1] < axis[0]) for axis in axes]
        self.turned_x, self.turned_y, self.turned_columns, self.turned_rows = turned
        self.x, self.y, self._lines_x, self._lines_y = (np.sort(axis) for axis in axes)
        self.rows, self.columns = target.shape
        for projection, x, y in ((self._from, self.x, self.y), (self._to, self._lines_x, self._lines_y)):
            if projection.cone != 0.0:
                sign = np.copysign(1.0, projection.cone)
                _refuse_cut(x, np.sort(sign * y), abs(projection.cone), projection)
        x, y = np.meshgrid(self._lines_x, self._lines_y)
        rim = np.ones(x.shape, bool)
        rim[1:-1, 1:-1] = False
        corners = _unit(*self._to.inverse(x[rim], y[rim]))
        self._centre = corners.mean(axis=1) / np.linalg.norm(corners.mean(axis=1))
        self._radius = float(np.arccos(np.clip(self._centre @ corners, -1.0, 1.0)).max())
        finest = min(np.diff(self._lines_x).min(), np.diff(self._lines_y).min())
        self._parts = max(1, int(np.ceil(max(np.diff(self.x).max(), np.diff(self.y).max()) / finest)))
        self._nodes, self._weights = gauss(5)

    def _position(self, x: np.ndarray, y: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Coordinates on the target's map of places on the source's; not finite where it has none."""
        with np.errstate(all="ignore"):
            return self._to.forward(*self._from.inverse(x, y))

    def reaches(self, edges: Edges) -> np.ndarray:
        """Whether each cell can overlap the grid: those that lie near the circle about it."""
        ny, nx = edges.shape
        rows = slice(0, (ny + 1) * nx)
        x = edges.x[rows].reshape(ny + 1, nx)
        x = np.concatenate([x, (x + edges.dx[rows].reshape(ny + 1, nx))[:, -1:]], axis=1)
        y = edges.y[rows].reshape(ny + 1, nx)
        corners = _unit(*self._from.inverse(x, np.concatenate([y, y[:, -1:]], axis=1))).reshape(3, ny + 1, nx + 1)
        diagonals = ((corners[:, 1:, 1:], corners[:, :-1, :-1]), (corners[:, 1:, :-1], corners[:, :-1, 1:]))
        size = max(_apart(*pair).max() for pair in diagonals)
        distance = np.arccos(np.clip(np.einsum("k,kji->ji", self._centre, corners), -1.0, 1.0))
        return np.asarray((distance[1:, 1:] <= self._radius + size).ravel())

    def about_pole(self, edges: Edges) -> np.ndarray:
        """Whether each cell's edges end at a pole of the plane: none do, since the plane goes on through it."""
        return np.zeros(edges.cells, bool)

    def _followed(self, edges: Edges) -> np.ndarray:
        """Numbers of the edges of cells that can overlap the grid."""
        kept = np.append(self.reaches(edges), False)
        return np.flatnonzero(kept[edges.left] | kept[edges.right])

    def cuts(self, edges: Edges) -> tuple[np.ndarray, np.ndarray]:
        """Edges, and the part along them, where they cross lines of the grid, and where they are parted."""
        chosen = self._followed(edges)
        parts = np.arange(self._parts + 1) / self._parts
        edge = np.repeat(chosen, parts.size)
        ends = self._position(*edges.at(edge, np.tile(parts, chosen.size)))
        found = [(np.repeat(chosen, parts.size - 2), np.tile(parts[1:-1], chosen.size))] if parts.size > 2 else []
        for axis, lines in enumerate((self._lines_x, self._lines_y)):
            at = ends[axis].reshape(chosen.size, parts.size)
            number = np.searchsorted(lines, at, side="right") - 1
            part, line = _between(number[:, :-1].ravel(), number[:, 1:].ravel())
            which, step = np.divmod(part, self._parts)
            first, last, wanted = at[which, step], at[which, step + 1], lines[line]
            slope = (last - first) * self._parts
            t = step / self._parts + (wanted - first) / slope
            for _ in range(_ITERATIONS):
                change = (wanted - self._position(*edges.at(chosen[which], t))[axis]) / slope
                t = np.clip(t + change, step / self._parts, (step + 1) / self._parts)
                if change.size == 0 or np.abs(change).max() < 1e-12:
                    break
            found.append((chosen[which], t))
        return np.concatenate([edge for edge, _ in found]), np.concatenate([t for _, t in found])

    def place(self, edges: Edges, edge: np.ndarray, part: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Row, -1 to `rows`, and column, -1 outside, of places along edges."""
        x, y = self._position(*edges.at(edge, part))
        inside = np.isfinite(x) & np.isfinite(y)
        column = np.searchsorted(self._lines_x, x, side="right") - 1
        row = np.searchsorted(self._lines_y, y, side="right") - 1
        return row, np.where(inside & (column < self.columns), column, -1)

    def strips(self, edges: Edges, pieces: Pieces, which: np.ndarray, rows: np.ndarray) -> np.ndarray:
        """Solid angles (m,) between pieces `which` (m,) and the tops of rows (m,), the part that lies in the row."""
        result = np.zeros(which.size)
        for start in range(0, which.size, _AT_ONCE):
            chosen = slice(start, start + _AT_ONCE)
            result[chosen] = self._strips(edges, pieces, which[chosen], rows[chosen])
        return result

    def _strips(self, edges: Edges, pieces: Pieces, which: np.ndarray, rows: np.ndarray) -> np.ndarray:
        """Solid angles of `strips`: the integral over x of that of 1 / map factor^2 over y."""
        edge, own = pieces.edge[which], rows == pieces.row[which]
        first, length = pieces.start[which], (pieces.end - pieces.start)[which]
        total = np.zeros(which.size)
        for node, weight in zip(self._nodes, self._weights, strict=True):
            lat, lon = self._from.inverse(*edges.at(edge, first + node * length))
            x, y = self._to.forward(lat, lon)
            # A conformal map turns and stretches what is small.
            angle = self._to.rotation(lon) - self._from.rotation(lon)
            scale = self._to.map_factor(lat) * self._to.radius / (self._from.map_factor(lat) * self._from.radius)
            step = weight * length * scale * (edges.dx[edge] * np.cos(angle) - edges.dy[edge] * np.sin(angle))
            low = np.where(own, y, self._lines_y[rows])
            height = self._lines_y[rows + 1] - low
            for inner, share in zip(self._nodes, self._weights, strict=True):
                there, _ = self._to.inverse(x, low + inner * height)
                total += share * step * height * self._to.map_factor(there) ** -2
        return np.asarray(total / self._to.radius**2)


def _between(first: np.ndarray, last: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Lines between two places each, from the numbers of the last line before each: number of the pair, of the line."""
    low, count = np.minimum(first, last), np.abs(last - first)
    which = np.repeat(np.arange(first.size), count)
    offset = np.arange(which.size) - np.repeat(np.cumsum(count) - count, count)
    return which, low[which] + 1 + offset


def _refuse_cut(x: np.ndarray, y: np.ndarray, n: float, projection: Projection) -> None:
    """InputError if cells of a conic map, whose rising edges are given as seen from the north, lie across its cut."""
    corners = np.arctan2(*np.meshgrid(x, -y)) if n < 1.0 else np.zeros(1)
    if np.abs(corners).max() > n * np.pi or (n < 1.0 and x[0] <= 0.0 <= x[-1] and y[-1] >= 0.0):
        raise InputError(
            f"The grid on the map {projection.name} with the central longitude {projection.central_longitude:g} "
            "reaches its pole or the meridian opposite, where the map is cut; cut the grid before"
        )


def _unit(lat: np.ndarray, lon: np.ndarray) -> np.ndarray:
    """Unit vectors (3, n) to places, degrees."""
    phi, lam = np.deg2rad(lat).ravel(), np.deg2rad(lon).ravel()
    return np.stack([np.cos(phi) * np.cos(lam), np.cos(phi) * np.sin(lam), np.sin(phi)])


def _apart(first: np.ndarray, second: np.ndarray) -> np.ndarray:
    """Angles between unit vectors along the first axis, rad."""
    return np.asarray(2.0 * np.arcsin(np.clip(0.5 * np.linalg.norm(first - second, axis=0), 0.0, 1.0)))
