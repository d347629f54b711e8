"""Winds whose columns neither gain nor lose mass: the external mode taken out of driving fields.

Analyses of wind and pressure that were interpolated or made from few observations do not agree on the mass that flows
into a column; through the edge of a limited area that adds up to a pressure that rises or falls everywhere. As in
budget studies (Trenberth 1991, J. Climate 4, 707-722, section 3) the same small wind is added at all heights of a
column so that the divergence of the vertically integrated mass flux is what the pressure's own tendency asks for.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from scipy import sparse
from scipy.sparse.linalg import splu

from kaiseki.core.constants import GRAVITY, R_DRY
from kaiseki.diagnostics.thermodynamics import virtual_temperature

TURNS = 12
"""Number of iterations of the correction, which is found on faces and put on cell centres; what averaging loses is
found in the next."""


def _column_mass(fields: dict[str, np.ndarray], domain: Any) -> np.ndarray:
    """Mass of each cell, kg m-2 (nz, ny, nx)."""
    tv = virtual_temperature(fields["temperature"], fields["qv"])
    return np.asarray(fields["pressure"] / (R_DRY * tv) * np.diff(domain.z_half, axis=0))


def flux_divergence(fields: dict[str, np.ndarray], domain: Any) -> np.ndarray:
    """Divergence of the vertically integrated mass flux of cells inside the outermost, kg m-2 s-1 (ny-2, nx-2).

    Args:
        fields: u, v (grid-relative, m/s), temperature (K), pressure (Pa), qv (kg/kg), (nz, ny, nx).
        domain: a `grid.Domain`.
    """
    mass = _column_mass(fields, domain)
    x, y = ((mass * fields[name]).sum(axis=0) / domain.map_factor for name in ("u", "v"))
    face_x, face_y = 0.5 * (x[1:-1, 1:] + x[1:-1, :-1]), 0.5 * (y[1:, 1:-1] + y[:-1, 1:-1])
    inner = domain.map_factor[1:-1, 1:-1]
    return np.asarray(inner**2 * (np.diff(face_x, axis=1) + np.diff(face_y, axis=0)) / domain.spacing)


def _laplacian(ny: int, nx: int) -> sparse.csc_array:
    """Five-point Laplacian of (ny, nx) points in units of the spacing, zero outside."""
    one = [sparse.diags_array([1.0, -2.0, 1.0], offsets=[-1, 0, 1], shape=(n, n)) for n in (ny, nx)]
    return sparse.csc_array(sparse.kron(one[0], sparse.eye_array(nx)) + sparse.kron(sparse.eye_array(ny), one[1]))


def balanced_mass_flux(
    fields: dict[str, np.ndarray], domain: Any, tendency: np.ndarray | float = 0.0
) -> dict[str, np.ndarray]:
    """Fields with winds whose columns gain the mass that a tendency of surface pressure asks for.

    The potential of the added mass flux vanishes at the edge, so that flow through the edge is corrected too.

    Args:
        fields: as for `flux_divergence`, and whatever else, which stays.
        domain: a `grid.Domain`.
        tendency: of surface pressure, Pa/s, a number or (ny, nx).
    """
    made = dict(fields)
    wanted = -np.broadcast_to(np.asarray(tendency, float), (domain.ny, domain.nx))[1:-1, 1:-1] / GRAVITY
    mass = _column_mass(fields, domain).sum(axis=0)
    solve = splu(_laplacian(domain.ny - 2, domain.nx - 2))
    inner = domain.map_factor[1:-1, 1:-1]
    for _ in range(TURNS):
        missing = (wanted - flux_divergence(made, domain)) / inner**2 * domain.spacing**2
        potential = np.zeros((domain.ny, domain.nx))
        potential[1:-1, 1:-1] = solve.solve(missing.ravel()).reshape(missing.shape)
        slope_y, slope_x = np.gradient(potential, domain.spacing)
        factor = domain.map_factor / mass
        made["u"] = made["u"] + factor * slope_x
        made["v"] = made["v"] + factor * slope_y
    return made
