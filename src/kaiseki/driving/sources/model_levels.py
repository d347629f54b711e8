"""Hybrid levels: the pressure of model levels from the surface pressure, and heights integrated from the ground.

The pressure of the half levels is p = a + b ps. Full levels lie between them, and their geopotential follows from the
hydrostatic relation of Simmons and Burridge (1981, Mon. Wea. Rev. 109, 758-766), as in the IFS (Documentation CY47R3,
Part III, equations 2.21 to 2.23):

    phi_{k+1/2} = phi_s + sum over j > k of R Tv_j ln(p_{j+1/2} / p_{j-1/2}),
    phi_k = phi_{k+1/2} + alpha_k R Tv_k,
    alpha_k = 1 - p_{k-1/2} / (p_{k+1/2} - p_{k-1/2}) ln(p_{k+1/2} / p_{k-1/2}), and ln 2 at the top.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from kaiseki.core.constants import GRAVITY, R_DRY
from kaiseki.core.errors import InputError
from kaiseki.driving.sources import geos_72
from kaiseki.driving.sources.ifs_137 import A, B

GEOS_AGREE = 50.0
"""Largest difference of the pressure of a file's levels from that of the levels of GEOS, Pa."""


def ifs_137() -> np.ndarray:
    """Coefficients (2, 138) a [Pa] and b of the half levels of the IFS with 137 levels, from the top."""
    return np.stack([A, B])


def is_ifs_137(levels: Sequence[float]) -> bool:
    """Whether numbers of model levels are those of the IFS with 137 levels, down to the lowest."""
    return max(levels) == 137.0 and min(levels) >= 1.0


def geos_72_half_pressure(levels: Sequence[float], pressure: np.ndarray) -> np.ndarray | None:
    """Pressure (73, ...) of the half levels of GEOS with 72 layers, Pa, from the mean pressure of some of its layers;
    None where they are not its layers.

    Args:
        levels: numbers of the layers, 72 at the ground, the lowest first.
        pressure: (n, ...), Pa.
    """
    numbers = [round(level) for level in levels]
    if len(numbers) < 3 or min(numbers) < 1 or max(numbers) > geos_72.A.size - 1:
        return None
    a, b = full_pressure(geos_72.A), full_pressure(geos_72.B)
    lowest = numbers[0] - 1
    # Where pressure does not depend on that at the ground, any serves.
    surface = (pressure[0] - a[lowest]) / b[lowest] if b[lowest] > 0.01 else np.full_like(pressure[0], 1.0e5)
    half = half_pressure(np.stack([geos_72.A, geos_72.B]), surface)
    expected = full_pressure(half)[[number - 1 for number in numbers]]
    return half if bool((np.abs(expected - pressure) < GEOS_AGREE).all()) else None


def heights_of_mean_pressure(
    height: np.ndarray, half: np.ndarray, levels: Sequence[float], virtual_temperature: np.ndarray
) -> np.ndarray:
    """Heights (n, ...), m, at which layers have the mean of the pressures at their edges, from the means of the heights
    of their edges.

    GEOS gives both means for every layer, and they do not belong to one place: in a layer of one temperature the mean
    height has the geometric mean of the pressures, which is less than their arithmetic mean; where temperature falls
    with height it has a little more. Between layers of unequal depth the difference, 10 m in the upper troposphere,
    would count as temperature. Of second order in the depth of the layers.

    Args:
        height: means of the heights of the edges (n, ...), m.
        half: pressure of the half levels (nhalf, ...), Pa, from the top.
        levels: numbers of the n layers, 1 at the top.
        virtual_temperature: of the layers (n, ...), K.
    """
    below = [round(level) for level in levels]
    upper, lower = half[[number - 1 for number in below]], half[below]
    log_mean = np.log(0.5 * (lower + upper))
    excess = log_mean - 0.5 * np.log(lower * upper)
    slope = np.diff(virtual_temperature, axis=0) / np.diff(log_mean, axis=0)
    slope = np.concatenate([slope[:1], 0.5 * (slope[1:] + slope[:-1]), slope[-1:]])
    return np.asarray(height - R_DRY / GRAVITY * (virtual_temperature - slope) * excess)


def ordered(where: str, a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """Coefficients (2, nhalf) of half levels from the top down.

    Raises:
        InputError: they do not give a pressure that grows from level to level.
    """
    a, b = np.asarray(a, np.float64), np.asarray(b, np.float64)
    if a.size > 1 and b[0] > b[-1]:
        a, b = a[::-1], b[::-1]
    if a.shape != b.shape or a.size < 2 or (np.diff(a + b * 101325.0) <= 0.0).any():
        raise InputError(f"{where}: its coefficients of model levels do not give rising pressure; expected a in Pa, b.")
    return np.stack([a, b])


def half_pressure(half_levels: np.ndarray, surface_pressure: np.ndarray) -> np.ndarray:
    """Pressure (nhalf, ...) of the half levels, Pa, from coefficients (2, nhalf) and surface pressure (...)."""
    a, b = (c.reshape(-1, *([1] * surface_pressure.ndim)) for c in half_levels)
    return np.asarray(a + b * surface_pressure)


def full_pressure(half: np.ndarray) -> np.ndarray:
    """Pressure (n, ...) of the full levels, Pa: the mean of their half levels (n + 1, ...)."""
    return 0.5 * (half[:-1] + half[1:])


def heights(half: np.ndarray, virtual_temperature: np.ndarray, ground: np.ndarray) -> np.ndarray:
    """Geopotential heights (n, ...) of the full levels, m, from the ground up.

    Args:
        half: pressure of the half levels (n + 1, ...), Pa, from the top.
        virtual_temperature: of the full levels (n, ...), K, from the top.
        ground: geopotential height of the surface (...), m.
    """
    upper, lower = half[:-1], half[1:]
    top = upper[0] <= 0.0
    with np.errstate(divide="ignore", invalid="ignore"):
        depth = np.log(lower / upper)
        alpha = 1.0 - upper / (lower - upper) * depth
    alpha[0] = np.where(top, np.log(2.0), alpha[0])
    # The uppermost layer reaches to no pressure at all and has no thickness that counts.
    depth[0] = np.where(top, 0.0, depth[0])
    thickness = R_DRY / GRAVITY * virtual_temperature * depth
    below = np.cumsum(thickness[::-1], axis=0)[::-1] - thickness
    return np.asarray(ground + below + R_DRY / GRAVITY * virtual_temperature * alpha)


def heights_from_surface(
    log_pressure: np.ndarray, virtual_temperature: np.ndarray, log_surface: np.ndarray, ground: np.ndarray
) -> np.ndarray:
    """Geopotential heights (n, ...) of pressure levels, m, hydrostatically from the surface pressure at the ground.

    Virtual temperature is linear in ln p between levels, and constant in what lies below the lowest level.

    Args:
        log_pressure: ln of the levels' pressure (n, ...), bottom first, Pa.
        virtual_temperature: on the levels (n, ...), K.
        log_surface: ln of the surface pressure (...), Pa.
        ground: geopotential height where that pressure holds (...), m.
    """
    scale = R_DRY / GRAVITY
    steps = -np.diff(log_pressure, axis=0)
    mean = 0.5 * (virtual_temperature[:-1] + virtual_temperature[1:])
    above = np.concatenate([np.zeros_like(log_pressure[:1]), np.cumsum(scale * mean * steps, axis=0)])
    # Height of the surface over the lowest level by the same integral.
    surface = scale * virtual_temperature[0] * (log_pressure[0] - log_surface)
    for k in range(log_pressure.shape[0] - 1):
        inside = (log_surface < log_pressure[k]) & (log_surface >= log_pressure[k + 1])
        part = (log_pressure[k] - log_surface) / steps[k]
        at_surface = virtual_temperature[k] + part * (virtual_temperature[k + 1] - virtual_temperature[k])
        height = above[k] + scale * 0.5 * (virtual_temperature[k] + at_surface) * part * steps[k]
        surface = np.where(inside, height, surface)
    return np.asarray(ground + above - surface)
