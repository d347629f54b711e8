"""A filter that removes the shortest waves of the terrain and keeps its volume."""

from __future__ import annotations

import numpy as np
from scipy.linalg import solve_banded

from kaiseki.grid.domain import Domain


def _along_rows(field: np.ndarray, area: np.ndarray, epsilon: float) -> np.ndarray:
    """The filter along the last axis, row by row."""
    n = field.shape[1]
    if n < 3:
        return field
    result = np.empty_like(field)
    for row in range(field.shape[0]):
        a = area[row]
        exchange = 0.125 * (a[1:] + a[:-1])
        # D = -L: minus a quarter of the second difference, as fluxes between neighbours divided by the cells' areas.
        upper, lower = -exchange / a[:-1], -exchange / a[1:]
        middle = np.zeros(n)
        middle[:-1] += exchange / a[:-1]
        middle[1:] += exchange / a[1:]
        # Squares of the tridiagonal D and of 1 - D: bands 2, 1, 0, -1, -2.
        low = _square(1.0 - middle, -upper, -lower)
        high = _square(middle, upper, lower)
        right = _times(low, field[row])
        result[row] = solve_banded((2, 2), low + epsilon * high, right)
    return result


def _square(middle: np.ndarray, upper: np.ndarray, lower: np.ndarray) -> np.ndarray:
    """Square of a tridiagonal matrix in the band storage of `solve_banded`, (5, n)."""
    n = middle.size
    band = np.zeros((5, n))
    band[0, 2:] = upper[:-1] * upper[1:]
    band[1, 1:] = upper * (middle[:-1] + middle[1:])
    band[2] = middle**2
    band[2, :-1] += upper * lower
    band[2, 1:] += upper * lower
    band[3, :-1] = lower * (middle[:-1] + middle[1:])
    band[4, :-2] = lower[1:] * lower[:-1]
    return band


def _times(band: np.ndarray, vector: np.ndarray) -> np.ndarray:
    """Band matrix (5, n) times a vector."""
    result = band[2] * vector
    result[:-1] += band[1, 1:] * vector[1:]
    result[:-2] += band[0, 2:] * vector[2:]
    result[1:] += band[3, :-1] * vector[:-1]
    result[2:] += band[4, :-2] * vector[:-2]
    return result


def smooth(terrain: np.ndarray, domain: Domain, strength: float = 1.0) -> np.ndarray:
    """The terrain (ny, nx) without waves of two grid lengths; the area integral over the domain is kept.

    The implicit fourth-order tangent filter (after Raymond 1988, Mon. Wea. Rev. 116, 2132-2141), along x and then
    along y: a wave of wavelength L grid lengths keeps 1 / (1 + e tan^4(pi / L)). Written with fluxes between cells
    weighted by their areas on the sphere, without flux through the outer edge, so that constants and the integral stay.
    Where the filter would dig below the lowest point of the given terrain it is cut off there, and the volume is taken
    from the higher ground in proportion to its height.

    Args:
        terrain: heights, m.
        domain: whose cell areas count.
        strength: waves of 2 (1 + strength) grid lengths are halved; 0 changes nothing.
    """
    terrain = np.asarray(terrain, dtype=float)
    if strength == 0.0:
        return terrain.copy()
    epsilon = float(1.0 / np.tan(0.5 * np.pi / (1.0 + strength)) ** 4)
    area = domain.cell_area / domain.cell_area.mean()
    result = _along_rows(terrain, area, epsilon)
    result = _along_rows(np.ascontiguousarray(result.T), np.ascontiguousarray(area.T), epsilon).T
    floor = min(0.0, float(terrain.min()))
    above = np.maximum(result - floor, 0.0)
    volume = float(np.sum(area * (terrain - floor)))
    kept = float(np.sum(area * above))
    return above * (volume / kept) + floor if kept > 0.0 else terrain.copy()
