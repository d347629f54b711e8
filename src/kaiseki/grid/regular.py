"""Horizontal grids by their axes alone: of a map, of latitude and longitude; and scattered places.

Cells lie around the points of a grid; their edges are half-way between neighbouring points along each axis, the
outermost ones as far outside. On a map they are straight lines of the map, on a latitude-longitude grid (and on a
Mercator map, which is the same thing) parallels and meridians. Cells end at the poles: a row on a pole has half a cell.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np

from kaiseki.core.errors import InputError
from kaiseki.grid.projection import Mercator, Projection

_UNEVEN: Final = 2.0
"""Largest ratio of neighbouring spacings of an axis whose points are centres of adjoining cells."""
_ROWS: Final = 64
"""Rows whose areas are computed at once."""


@dataclass(frozen=True, eq=False)
class MapGrid:
    """A rectangular grid on a map: projection and coordinates of the cell centres, m, each axis rising or falling.

    Raises:
        InputError: an axis has less than two points, or does not rise or fall all along.
    """

    projection: Projection
    x: np.ndarray
    y: np.ndarray

    def __post_init__(self) -> None:
        for name in ("x", "y"):
            object.__setattr__(self, name, _monotone(getattr(self, name), f"{name} of a map grid"))

    @property
    def shape(self) -> tuple[int, int]:
        """Shape (ny, nx) of fields."""
        return self.y.size, self.x.size

    def points(self) -> tuple[np.ndarray, np.ndarray]:
        """Latitude and longitude (ny, nx) of the points, degrees."""
        return self.projection.inverse(*np.meshgrid(self.x, self.y))

    def solid_angle(self) -> np.ndarray:
        """Solid angle (ny, nx) of the cells, sr, exact to round-off; area = solid angle x radius^2."""
        if isinstance(self.projection, Mercator):
            return _between_parallels(*mercator_edges(self))
        x, y = cell_edges(self.x, "x"), cell_edges(self.y, "y")
        nodes, weights = gauss(3 if _fine(self) else 6)
        at_x = x[:-1, None] + np.diff(x)[:, None] * nodes
        angle = np.empty(self.shape)
        for first in range(0, self.y.size, _ROWS):
            rows = slice(first, min(first + _ROWS, self.y.size))
            south, height = y[:-1][rows, None], np.diff(y)[rows, None]
            at_y = south + height * nodes
            lat, _ = self.projection.inverse(at_x[None, None], at_y[:, :, None, None])
            density = self.projection.map_factor(lat) ** -2
            angle[rows] = np.einsum("a,b,jaib->ji", weights, weights, density) * np.abs(height * np.diff(x))
        return angle / self.projection.radius**2


@dataclass(frozen=True, eq=False)
class LatLonGrid:
    """A grid of parallels and meridians: latitudes (ny,) rising or falling and longitudes (nx,) rising, degrees.

    Longitudes may start anywhere and go on beyond 180 or 360. A grid that goes once around the Earth is recognised.

    Raises:
        InputError: an axis is empty or not monotone, a latitude lies beyond a pole, or the first meridian comes twice.
    """

    lat: np.ndarray
    lon: np.ndarray

    def __post_init__(self) -> None:
        for name, least in (("lat", 1), ("lon", 1)):
            object.__setattr__(self, name, _monotone(getattr(self, name), f"{name} of a grid", least))
        if np.abs(self.lat).max() > 90.0:
            raise InputError("A latitude of the grid lies beyond a pole; expected degrees from -90 to 90")
        if self.lon.size > 1 and self.lon[1] < self.lon[0]:
            raise InputError(
                "The longitudes of a latitude-longitude grid must rise from west to east (they may go on beyond 180 or "
                "360); reverse the axis and the fields"
            )
        if self.lon[-1] - self.lon[0] > 360.0 - 1e-6:
            raise InputError(
                f"The longitudes from {self.lon[0]:g} to {self.lon[-1]:g} have the first meridian twice; leave out the "
                "last column"
            )

    @property
    def shape(self) -> tuple[int, int]:
        """Shape (ny, nx) of fields."""
        return self.lat.size, self.lon.size

    @property
    def periodic(self) -> bool:
        """Whether the columns go once around the Earth."""
        if self.lon.size < 2:
            return False
        step = (self.lon[-1] - self.lon[0]) / (self.lon.size - 1)
        return bool(abs(self.lon[0] + 360.0 - self.lon[-1] - step) < 0.01 * step)

    def points(self) -> tuple[np.ndarray, np.ndarray]:
        """Latitude and longitude (ny, nx) of the points, degrees."""
        lat, lon = np.meshgrid(self.lat, self.lon, indexing="ij")
        return lat, lon

    def solid_angle(self) -> np.ndarray:
        """Solid angle (ny, nx) of the cells, sr."""
        return _between_parallels(*latlon_edges(self))


@dataclass(frozen=True, eq=False)
class Places:
    """Scattered points: latitude (n,) and longitude (n,), degrees.

    Raises:
        InputError: the two have not one length.
    """

    lat: np.ndarray
    lon: np.ndarray

    def __post_init__(self) -> None:
        for name in ("lat", "lon"):
            object.__setattr__(self, name, np.atleast_1d(np.asarray(getattr(self, name), float)))
        if self.lat.ndim != 1 or self.lat.shape != self.lon.shape:
            raise InputError(
                f"Places need as many latitudes as longitudes, one each; got {self.lat.shape} and {self.lon.shape}"
            )

    @property
    def shape(self) -> tuple[int]:
        """Shape (n,) of fields."""
        return (self.lat.size,)

    def points(self) -> tuple[np.ndarray, np.ndarray]:
        """Latitude and longitude (n,) of the points, degrees."""
        return self.lat, self.lon


def cell_edges(centres: np.ndarray, name: str) -> np.ndarray:
    """Edges (n + 1,) of the cells around the points (n,) of an axis.

    Raises:
        InputError: there is one point alone, or neighbouring spacings differ so much that cells must be missing.
    """
    if centres.size < 2:
        raise InputError(f"The axis {name} has one point; the size of its cell cannot be known")
    step = np.diff(centres)
    ratio = np.abs(step[1:] / step[:-1])
    if ratio.size and max(ratio.max(), 1.0 / ratio.min()) > _UNEVEN:
        at = int(np.argmax(np.maximum(ratio, 1.0 / ratio)))
        raise InputError(
            f"The spacing of the axis {name} changes from {step[at]:g} to {step[at + 1]:g} at {centres[at + 1]:g}; its "
            "points are not the centres of adjoining cells, so that means over cells cannot be taken"
        )
    middle = 0.5 * (centres[1:] + centres[:-1])
    return np.concatenate([[centres[0] - 0.5 * step[0]], middle, [centres[-1] + 0.5 * step[-1]]])


def latlon_edges(grid: LatLonGrid) -> tuple[np.ndarray, np.ndarray]:
    """Latitudes (ny + 1,), in the order of the grid, and longitudes (nx + 1,) of the cells' edges, rad.

    Raises:
        InputError: as `cell_edges`, or the cells overlap around the Earth.
    """
    lat, lon = cell_edges(grid.lat, "lat").clip(-90.0, 90.0), cell_edges(grid.lon, "lon")
    # What is a pole but for the rounding of a file's latitudes is the pole.
    near = 90.0 - np.abs(lat[[0, -1]]) < 0.01 * np.abs(np.diff(lat))[[0, -1]]
    lat[[0, -1]] = np.where(near, np.copysign(90.0, lat[[0, -1]]), lat[[0, -1]])
    if grid.periodic:
        lon[-1] = lon[0] + 360.0
    elif lon[-1] - lon[0] > 360.0:
        raise InputError(
            f"The cells of the longitudes from {grid.lon[0]:g} to {grid.lon[-1]:g} overlap around the Earth"
        )
    return np.deg2rad(lat), np.deg2rad(lon)


def mercator_edges(grid: MapGrid) -> tuple[np.ndarray, np.ndarray]:
    """Latitudes (ny + 1,) and longitudes (nx + 1,) of the cells' edges of a Mercator map, in its order, rad.

    Raises:
        InputError: as `cell_edges`, or the map reaches around the Earth more than once.
    """
    x, y = cell_edges(grid.x, "x"), cell_edges(grid.y, "y")
    lat, _ = grid.projection.inverse(np.zeros_like(y), y)
    around = grid.projection.radius * float(grid.projection.map_factor(np.asarray(0.0)))
    lon = x / around + np.deg2rad(grid.projection.central_longitude)
    if abs(lon[-1] - lon[0]) > 2.0 * np.pi * (1.0 + 1e-12):
        raise InputError("The Mercator map reaches around the Earth more than once; cut it")
    return np.deg2rad(lat), lon


def gauss(number: int) -> tuple[np.ndarray, np.ndarray]:
    """Nodes and weights of Gauss-Legendre quadrature on (0, 1)."""
    nodes, weights = np.polynomial.legendre.leggauss(number)
    return 0.5 * (nodes + 1.0), 0.5 * weights


def _fine(grid: MapGrid) -> bool:
    """Whether the cells are so small against their distance from the pole of the map that three nodes do."""
    x, y = grid.x, grid.y
    nearest = np.hypot(max(x.min(), -x.max(), 0.0), max(y.min(), -y.max(), 0.0))
    longest = max(np.abs(np.diff(x)).max(), np.abs(np.diff(y)).max())
    return bool(longest < 0.005 * min(nearest, grid.projection.radius))


def _between_parallels(lat: np.ndarray, lon: np.ndarray) -> np.ndarray:
    """Solid angle (ny, nx) between the parallels and meridians of the edges, rad, of either order."""
    height = 2.0 * np.cos(0.5 * (lat[1:] + lat[:-1])) * np.sin(0.5 * np.diff(lat))
    return np.abs(height[:, None] * np.diff(lon))


def _monotone(axis: np.ndarray, name: str, least: int = 2) -> np.ndarray:
    """An axis as float64; InputError where it is none."""
    values = np.asarray(axis, float)
    step = np.diff(values)
    if values.ndim != 1 or values.size < least or not np.isfinite(values).all():
        raise InputError(f"The axis {name} must be one row of at least {least} finite numbers; got {values.shape}")
    if not (np.all(step > 0.0) or np.all(step < 0.0)):
        raise InputError(f"The axis {name} must rise or fall all along, without a value twice")
    return values
