"""A limited-area domain: projection, cells, levels, terrain."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from kaiseki.core.constants import EARTH_ROTATION
from kaiseki.grid.projection import Projection


@dataclass(frozen=True, eq=False)
class Domain:
    """Limited-area domain; docs/architecture.md lists every attribute with shape and unit."""

    name: str
    projection: Projection
    spacing: float
    x: np.ndarray
    y: np.ndarray
    zeta_half: np.ndarray
    decay_half: np.ndarray
    terrain: np.ndarray
    land_fraction: np.ndarray
    rim_width: int

    @property
    def nx(self) -> int:
        """Number of cells along x."""
        return len(self.x)

    @property
    def ny(self) -> int:
        """Number of cells along y."""
        return len(self.y)

    @property
    def nz(self) -> int:
        """Number of layers."""
        return len(self.zeta_half) - 1

    @property
    def shape(self) -> tuple[int, int, int]:
        """Shape (nz, ny, nx) of fields at cell centres."""
        return self.nz, self.ny, self.nx

    @cached_property
    def _latlon(self) -> tuple[np.ndarray, np.ndarray]:
        return self.projection.inverse(*np.meshgrid(self.x, self.y))

    @property
    def lat(self) -> np.ndarray:
        """Latitude of cell centres (ny, nx), degrees."""
        return self._latlon[0]

    @property
    def lon(self) -> np.ndarray:
        """Longitude of cell centres (ny, nx), degrees."""
        return self._latlon[1]

    @cached_property
    def _u_points(self) -> tuple[np.ndarray, np.ndarray]:
        x = np.concatenate([self.x - 0.5 * self.spacing, self.x[-1:] + 0.5 * self.spacing])
        return self.projection.inverse(*np.meshgrid(x, self.y))

    @cached_property
    def _v_points(self) -> tuple[np.ndarray, np.ndarray]:
        y = np.concatenate([self.y - 0.5 * self.spacing, self.y[-1:] + 0.5 * self.spacing])
        return self.projection.inverse(*np.meshgrid(self.x, y))

    @property
    def lat_u(self) -> np.ndarray:
        """Latitude of the x faces (ny, nx+1), degrees."""
        return self._u_points[0]

    @property
    def lon_u(self) -> np.ndarray:
        """Longitude of the x faces (ny, nx+1), degrees."""
        return self._u_points[1]

    @property
    def lat_v(self) -> np.ndarray:
        """Latitude of the y faces (ny+1, nx), degrees."""
        return self._v_points[0]

    @property
    def lon_v(self) -> np.ndarray:
        """Longitude of the y faces (ny+1, nx), degrees."""
        return self._v_points[1]

    @cached_property
    def map_factor(self) -> np.ndarray:
        """Map factor at cell centres (ny, nx), 1."""
        return self.projection.map_factor(self.lat)

    @cached_property
    def map_factor_u(self) -> np.ndarray:
        """Map factor at the x faces (ny, nx+1), 1."""
        return self.projection.map_factor(self.lat_u)

    @cached_property
    def map_factor_v(self) -> np.ndarray:
        """Map factor at the y faces (ny+1, nx), 1."""
        return self.projection.map_factor(self.lat_v)

    @cached_property
    def cell_area(self) -> np.ndarray:
        """Area of the cells on the sphere (ny, nx), m2: (spacing / map factor)^2, exact to second order."""
        return np.asarray((self.spacing / self.map_factor) ** 2)

    @cached_property
    def coriolis(self) -> np.ndarray:
        """Coriolis parameter (ny, nx), s-1."""
        return 2.0 * EARTH_ROTATION * np.sin(np.deg2rad(self.lat))

    @cached_property
    def rotation(self) -> np.ndarray:
        """Angle (ny, nx) between grid and geographic winds, rad."""
        return self.projection.rotation(self.lon)

    @property
    def zeta(self) -> np.ndarray:
        """Nominal heights of cell centres: the middle of the layers, m."""
        return 0.5 * (self.zeta_half[1:] + self.zeta_half[:-1])

    @property
    def decay(self) -> np.ndarray:
        """Terrain factor of cell centres: the mean of their interfaces, so that z is the middle of its layer."""
        return 0.5 * (self.decay_half[1:] + self.decay_half[:-1])

    @cached_property
    def z_half(self) -> np.ndarray:
        """Heights of interfaces (nz+1, ny, nx), m."""
        return self.zeta_half[:, None, None] + self.decay_half[:, None, None] * self.terrain

    @cached_property
    def z(self) -> np.ndarray:
        """Heights of cell centres (nz, ny, nx), m."""
        return 0.5 * (self.z_half[1:] + self.z_half[:-1])

    @cached_property
    def inside_rim(self) -> np.ndarray:
        """Mask (ny, nx), True for cells outside the relaxation zone."""
        inside = np.zeros((self.ny, self.nx), dtype=bool)
        r = self.rim_width
        inside[r : self.ny - r, r : self.nx - r] = True
        return inside

    def box(self, lat: np.ndarray, lon: np.ndarray) -> tuple[float, float, float, float]:
        """South, north, west, east (degrees) of points that cover the domain, such as its cell centres.

        Longitudes go on beyond +-180 where the domain lies across the date line. About a pole the box is a cap.
        """
        centre = self.projection.central_longitude
        turned = self.projection.from_centre(lon) + centre
        south, north, west, east = float(lat.min()), float(lat.max()), float(turned.min()), float(turned.max())
        if self.pole_inside == 0:
            return south, north, west, east
        south, north = (south, 90.0) if self.pole_inside > 0 else (-90.0, north)
        return south, north, centre - 180.0, centre + 180.0

    @cached_property
    def pole_inside(self) -> int:
        """The pole that lies in the domain: 1 the north pole, -1 the south pole, 0 none."""
        pole = int(self.projection.cone) if abs(self.projection.cone) == 1.0 else 0
        if pole == 0:
            return 0
        j, i = self.index(np.asarray(90.0 * pole), np.asarray(self.projection.central_longitude))
        return pole if -0.5 <= j <= self.ny - 0.5 and -0.5 <= i <= self.nx - 0.5 else 0

    def index(self, lat: np.ndarray, lon: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Fractional cell-centre indices (j, i)."""
        x, y = self.projection.forward(lat, lon)
        return np.asarray((y - self.y[0]) / self.spacing), np.asarray((x - self.x[0]) / self.spacing)

    def to_east_north(self, u: np.ndarray, v: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """East and north wind from grid-relative wind at cell centres."""
        c, s = np.cos(self.rotation), np.sin(self.rotation)
        return u * c + v * s, -u * s + v * c

    def to_grid(self, ue: np.ndarray, vn: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Grid-relative wind from east and north wind at cell centres."""
        c, s = np.cos(self.rotation), np.sin(self.rotation)
        return ue * c - vn * s, ue * s + vn * c

    def with_terrain(self, terrain: np.ndarray, land_fraction: np.ndarray) -> Domain:
        """Domain of this grid over another surface."""
        return dataclasses.replace(
            self, terrain=np.asarray(terrain, dtype=float), land_fraction=np.asarray(land_fraction, dtype=float)
        )
