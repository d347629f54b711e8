"""Hydrostatic columns: from a profile given at heights to the model's levels over another ground.

Height means geopotential height: the model's gravity is constant. Virtual temperature Tv carries the mass, so
whatever is done to humidity afterwards leaves pressure alone.

**The discrete relation.** With cell centres z_0 < ... < z_{n-1} over the ground z_s, R the gas constant of dry air and
g gravity,

    ln p_{k+1} = ln p_k - g (z_{k+1} - z_k) / (R (Tv_k + Tv_{k+1}) / 2),
    ln p_0     = ln p_s - g (z_0 - z_s) / (R (Tv_s + Tv_0) / 2),
    Tv_s       = Tv_0 - (z_0 - z_s) (Tv_1 - Tv_0) / (z_1 - z_0).

It is exact for an isothermal column and of second order otherwise.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from kaiseki.core.constants import GRAVITY, R_DRY, STANDARD_LAPSE_RATE

LAPSE_RATE = STANDARD_LAPSE_RATE
"""Lapse rate of temperature, K/m, below the lowest level or the ground of the source: Trenberth, Berry and Buja 1993,
NCAR/TN-396+STR, whose further limits concern depths that a difference of two model terrains does not reach."""


def _layer_integral(depth: np.ndarray, bottom: np.ndarray, top: np.ndarray) -> np.ndarray:
    """Integral of dz / T over a layer of `depth` in which T goes linearly from `bottom` to `top`: depth ln(top/bottom)
    / (top - bottom)."""
    ratio = top / bottom - 1.0
    small = np.abs(ratio) < 1e-6
    safe = np.where(small, 1.0, ratio)
    return depth / bottom * np.where(small, 1.0 - 0.5 * ratio, np.log1p(safe) / safe)


THICKNESS_LIMIT = 3.0
"""Largest correction of a layer's mean temperature, K: that of GFS, GEFS and ERA5 samples in the free atmosphere stays
below about this; larger ones occur below ground only, where the producers' heights and temperatures do not belong
together."""


@dataclass(frozen=True)
class ColumnInterpolation:
    """Places of targets in columns of given heights; built once per geometry.

    lower: (m, ...) index of the level below each target, clipped to 0..n-2; weight: (m, ...) of the level above it,
        0..1 (clipped);
    below: (m, ...) m by which a target lies under the lowest level, else 0; above: likewise over the highest.
    """

    lower: np.ndarray
    weight: np.ndarray
    below: np.ndarray
    above: np.ndarray

    @classmethod
    def build(cls, height: np.ndarray, target: np.ndarray) -> ColumnInterpolation:
        """Places of targets (m, ...) in columns of heights (n, ...) that ascend along the first axis."""
        lower = np.zeros(target.shape, dtype=np.intp)
        for k in range(1, height.shape[0] - 1):
            lower += target >= height[k]
        z0, z1 = np.take_along_axis(height, lower, 0), np.take_along_axis(height, lower + 1, 0)
        weight = np.clip((target - z0) / (z1 - z0), 0.0, 1.0)
        return cls(lower, weight, np.maximum(height[0] - target, 0.0), np.maximum(target - height[-1], 0.0))

    def linear(self, values: np.ndarray) -> np.ndarray:
        """Values (m, ...) at the targets of a profile (n, ...), linear in height between levels, constant beyond
        them."""
        a = np.take_along_axis(values, self.lower, 0)
        return a + self.weight * (np.take_along_axis(values, self.lower + 1, 0) - a)

    def temperature(self, values: np.ndarray, correction: np.ndarray | None = None) -> np.ndarray:
        """Temperature (m, ...) at the targets, linear in height, rising by `LAPSE_RATE` under the lowest level.

        With a `correction` (n-1, ...) per layer, as `thickness_correction` gives it, a parabola is added that vanishes
        at the levels and whose mean over the layer is that correction.
        """
        result = self.linear(values) + LAPSE_RATE * self.below
        if correction is not None:
            result += 6.0 * self.weight * (1.0 - self.weight) * np.take_along_axis(correction, self.lower, 0)
        return result


def thickness_correction(height: np.ndarray, log_pressure: np.ndarray, virtual_temperature: np.ndarray) -> np.ndarray:
    """Correction of the mean of each layer (n-1, ...) to be added to Tv linear in height for the layer's own thickness
    to come out, K.

    Levels are sparse where temperature bends, above all at the tropopause; heights know of the bend, temperatures at
    levels do not. Limited to `THICKNESS_LIMIT`.
    """
    depth = np.diff(height, axis=0)
    mean = depth / _layer_integral(depth, virtual_temperature[:-1], virtual_temperature[1:])
    wanted = GRAVITY / R_DRY * depth / -np.diff(log_pressure, axis=0)
    return np.clip(wanted - mean, -THICKNESS_LIMIT, THICKNESS_LIMIT)


def log_pressure_at(
    height: np.ndarray, log_pressure: np.ndarray, virtual_temperature: np.ndarray, target: np.ndarray
) -> np.ndarray:
    """Logarithm of pressure ln p at target heights (m, ...) in columns given at heights (n, ...).

    Between two levels ln p is distributed as if Tv were linear in height, so that it is exact at both; below the lowest
    level and above the highest the column is continued hydrostatically, with `LAPSE_RATE` and isothermal.
    """
    columns = ColumnInterpolation.build(height, target)
    k = columns.lower
    t0, t1 = np.take_along_axis(virtual_temperature, k, 0), np.take_along_axis(virtual_temperature, k + 1, 0)
    p0, p1 = np.take_along_axis(log_pressure, k, 0), np.take_along_axis(log_pressure, k + 1, 0)
    part = _layer_integral(columns.weight, t0, t0 + columns.weight * (t1 - t0)) / _layer_integral(
        np.ones_like(t0), t0, t1
    )
    inside = p0 + part * (p1 - p0)
    under = _layer_integral(columns.below, virtual_temperature[0], virtual_temperature[0] + LAPSE_RATE * columns.below)
    return inside + GRAVITY / R_DRY * (under - columns.above / virtual_temperature[-1])


def ground_temperature(virtual_temperature: np.ndarray, z: np.ndarray, ground: np.ndarray) -> np.ndarray:
    """Tv at the ground, continued linearly from the two lowest cell centres; (nz, ...) and (...) to (...)."""
    slope = (virtual_temperature[1] - virtual_temperature[0]) / (z[1] - z[0])
    return virtual_temperature[0] - slope * (z[0] - ground)


def hydrostatic_pressure(
    surface_pressure: np.ndarray, virtual_temperature: np.ndarray, z: np.ndarray, ground: np.ndarray
) -> np.ndarray:
    """Pressure (Pa) at cell centres by the module's discrete relation, upward from the ground.

    Args:
        surface_pressure: (...) Pa.
        virtual_temperature: (nz, ...) K at cell centres.
        z: (nz, ...) m, heights of the cell centres.
        ground: (...) m.
    """
    below = np.concatenate([ground_temperature(virtual_temperature, z, ground)[None], virtual_temperature[:-1]])
    depth = np.diff(np.concatenate([ground[None], z]), axis=0)
    steps = -GRAVITY / R_DRY * depth / (0.5 * (below + virtual_temperature))
    return np.exp(np.log(surface_pressure) + np.cumsum(steps, axis=0))


def surface_pressure_below(
    pressure: np.ndarray, virtual_temperature: np.ndarray, z: np.ndarray, ground: np.ndarray
) -> np.ndarray:
    """Pressure at the ground (Pa) under the lowest cell centre, by the same relation; inverse of `hydrostatic_pressure`
    there."""
    mean = 0.5 * (ground_temperature(virtual_temperature, z, ground) + virtual_temperature[0])
    return pressure[0] * np.exp(GRAVITY / R_DRY * (z[0] - ground) / mean)
