"""Vorticity, divergence and potential vorticity on curvilinear grids and terrain-following levels.

Horizontal derivatives are second-order differences along the levels; at the edges of the grid they are one-sided.
Vorticity and divergence are those at constant height: what sloping levels add to derivatives along them is taken away.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from kaiseki.diagnostics.columns import vertical_derivative


@dataclass(frozen=True)
class HorizontalGrid:
    """Orthogonal grid on the sphere.

    Attributes:
        x, y: (nx,), (ny,) coordinates along the grid, monotone, in any unit.
        length_x, length_y: (ny, nx) metres on the sphere per unit of x and of y: 1 / map factor on a conformal map.
        rotation: (ny, nx) angle g [rad] of the grid's y axis against north: u_x = u_east cos g - u_north sin g.
        coriolis: (ny, nx) Coriolis parameter [s-1].
    """

    x: np.ndarray
    y: np.ndarray
    length_x: np.ndarray
    length_y: np.ndarray
    rotation: np.ndarray
    coriolis: np.ndarray

    def along_grid(self, eastward: np.ndarray, northward: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Wind along x and y from eastward and northward wind (..., y, x)."""
        c, s = np.cos(self.rotation), np.sin(self.rotation)
        return eastward * c - northward * s, eastward * s + northward * c

    def gradient_x(self, field: np.ndarray) -> np.ndarray:
        """Derivative of a field (..., y, x) along x per metre, along the level."""
        return np.asarray(np.gradient(field, self.x, axis=-1, edge_order=2) / self.length_x)

    def gradient_y(self, field: np.ndarray) -> np.ndarray:
        """Derivative of a field (..., y, x) along y per metre, along the level."""
        return np.asarray(np.gradient(field, self.y, axis=-2, edge_order=2) / self.length_y)

    def curl(self, u: np.ndarray, v: np.ndarray) -> np.ndarray:
        """Curl of a wind (..., y, x) along the grid, along the level: curvature of sphere and grid included."""
        return self.gradient_x(v * self.length_y) / self.length_y - self.gradient_y(u * self.length_x) / self.length_x

    def divergence(self, u: np.ndarray, v: np.ndarray) -> np.ndarray:
        """Divergence of a wind (..., y, x) along the grid, along the level: curvature included."""
        return self.gradient_x(u * self.length_y) / self.length_y + self.gradient_y(v * self.length_x) / self.length_x


def relative_vorticity(
    eastward: np.ndarray, northward: np.ndarray, height: np.ndarray, grid: HorizontalGrid
) -> np.ndarray:
    """Vertical component of the relative vorticity (s-1) at constant height.

    Args:
        eastward, northward: wind [m/s], (z, ..., y, x).
        height: of the levels above sea level [m], (z, ..., y, x).
        grid: of the horizontal.
    """
    u, v = grid.along_grid(eastward, northward)
    slope = grid.gradient_x(height) * vertical_derivative(v, height)
    slope -= grid.gradient_y(height) * vertical_derivative(u, height)
    return grid.curl(u, v) - slope


def horizontal_divergence(
    eastward: np.ndarray, northward: np.ndarray, height: np.ndarray, grid: HorizontalGrid
) -> np.ndarray:
    """Divergence of the horizontal wind (s-1) at constant height; arguments as of `relative_vorticity`."""
    u, v = grid.along_grid(eastward, northward)
    slope = grid.gradient_x(height) * vertical_derivative(u, height)
    slope += grid.gradient_y(height) * vertical_derivative(v, height)
    return grid.divergence(u, v) - slope


@dataclass(frozen=True)
class Flow:
    """What potential vorticity is made of, (z, ..., y, x) each on the same levels.

    Attributes:
        eastward, northward: wind [m/s].
        theta: potential temperature [K].
        density: of the air [kg m-3].
        height: of the levels above sea level [m].
    """

    eastward: np.ndarray
    northward: np.ndarray
    theta: np.ndarray
    density: np.ndarray
    height: np.ndarray


def potential_vorticity(flow: Flow, grid: HorizontalGrid) -> np.ndarray:
    """Ertel potential vorticity (K m2 kg-1 s-1) of the flow of the primitive equations, (z, ..., y, x).

    (1/rho) [(zeta + f) dtheta/dz - dv/dz dtheta/dx + du/dz dtheta/dy]. The slopes of the levels cancel between the
    three terms, so that derivatives along the levels serve unchanged, whatever the levels follow. Left out of the
    vorticity vector are the gradients of the vertical wind and the horizontal component of the Earth's rotation, as is
    usual (Hoskins, McIntyre and Robertson 1985, Q. J. R. Meteorol. Soc. 111, 877-946, equation 13 and section 1): in a
    deep convective updraught the first of them counts.
    """
    u, v = grid.along_grid(flow.eastward, flow.northward)
    absolute = grid.curl(u, v) + grid.coriolis
    result = absolute * vertical_derivative(flow.theta, flow.height)
    result -= vertical_derivative(v, flow.height) * grid.gradient_x(flow.theta)
    result += vertical_derivative(u, flow.height) * grid.gradient_y(flow.theta)
    return result / flow.density
