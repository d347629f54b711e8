"""The dry total-energy norm of a difference of two states.

    E = 1/(2 M) sum over mass [ u'^2 + v'^2 + (cp/Tr) T'^2 ] + 1/2 Rd Tr mean[ (ps'/pr)^2 ]        [J kg-1]

the first sum over the mass of the layer that is looked at, divided by that mass M; the second over its columns.
Source: Ehrendorfer, Errico and Raeder 1999, J. Atmos. Sci. 56, 1627-1648 (their dry norm, Tr = 270 K and pr = 1000
hPa); Errico 2000, Q. J. R. Meteorol. Soc. 126, 1581-1599 discusses what it means.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from kaiseki.core.constants import CP_DRY, P0, R_DRY
from kaiseki.core.errors import InputError

REFERENCE_TEMPERATURE = 270.0
"""Reference temperature Tr of the norm [K]."""

REFERENCE_PRESSURE = P0
"""Reference pressure pr of the norm [Pa]."""


def layer_weights(levels: np.ndarray, bottom: float, top: float) -> np.ndarray:
    """Part of the mass between two pressures that each level stands for, (p,), summing to 1: the trapezoidal rule.

    Args:
        levels: pressures [Pa], falling or rising strictly.
        bottom, top: ends of the layer [Pa]; levels outside count nothing, and each end must be a level.

    Raises:
        InputError: an end is no level, fewer than two levels, or they are not ordered.
    """
    levels = np.asarray(levels, float)
    step = np.diff(levels)
    if levels.size < 2 or not (np.all(step > 0.0) or np.all(step < 0.0)):
        raise InputError("Layers need two or more pressure levels in order")
    if not (np.any(levels == bottom) and np.any(levels == top) and bottom > top):
        raise InputError(f"The layer from {bottom / 100:g} to {top / 100:g} hPa must start and end at a level")
    within = (levels <= bottom) & (levels >= top)
    thickness = np.abs(step) * (within[1:] & within[:-1])
    weights = np.zeros(levels.size)
    weights[1:] += 0.5 * thickness
    weights[:-1] += 0.5 * thickness
    return weights / weights.sum()


def column_energy(
    difference: Mapping[str, np.ndarray], levels: np.ndarray, bottom: float, top: float
) -> tuple[np.ndarray, np.ndarray]:
    """Energy of each column and its mass.

    Args:
        difference: `u`, `v` [m s-1] and `temperature` [K] (p, y, x) on pressure levels, NaN below ground;
            `surface_pressure` [Pa] (y, x). Any two orthogonal wind components serve.
        levels: (p,) pressures [Pa].
        bottom, top: ends of the layer [Pa].

    Returns:
        E of each column (y, x) [J kg-1], and the part of the layer that lies above ground (y, x), 0 to 1.
    """
    weights = layer_weights(levels, bottom, top)[:, None, None]
    u, v, t = (np.asarray(difference[name], float) for name in ("u", "v", "temperature"))
    above = np.isfinite(u) & np.isfinite(v) & np.isfinite(t)
    local = np.where(above, u**2 + v**2 + CP_DRY / REFERENCE_TEMPERATURE * t**2, 0.0)
    mass = (weights * above).sum(axis=0)
    energy = 0.5 * (weights * local).sum(axis=0) / np.where(mass > 0.0, mass, 1.0)
    ps = np.asarray(difference["surface_pressure"], float)
    return energy + 0.5 * R_DRY * REFERENCE_TEMPERATURE * (ps / REFERENCE_PRESSURE) ** 2, mass


def dry_total_energy(
    difference: Mapping[str, np.ndarray],
    levels: np.ndarray,
    mask: np.ndarray | None = None,
    *,
    bottom: float = 100_000.0,
    top: float = 20_000.0,
) -> float:
    """Dry total energy of a difference [J kg-1]; its root is the norm. Arguments as `column_energy`.

    Args:
        difference: fields on pressure levels.
        levels: (p,) pressures [Pa].
        mask: (y, x) cells that count, for instance `domain.inside_rim`.
        bottom, top: ends of the layer [Pa].

    Raises:
        InputError: no cell of the mask has air in the layer.
    """
    energy, mass = column_energy(difference, levels, bottom, top)
    weight = mass if mask is None else mass * mask
    if weight.sum() == 0.0:
        raise InputError("No cell has air between the two pressures, so that there is no energy of the difference")
    return float(np.average(energy, weights=weight))
