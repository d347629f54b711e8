"""Columns of levels: interpolation to surfaces of a coordinate, crossings of a value, derivatives with height.

Levels are the first axis, upwards; what follows (y, x, times ...) is the same for all arrays of a call.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class ColumnInterpolation:
    """Linear interpolation from levels to surfaces of a coordinate that rises upwards in every column.

    Made once with `to`, and applied to any number of fields.

    Attributes:
        below: (n, ...) index of the level below each surface; -1 stands for the base.
        above: (n, ...) index of the level above.
        weight: (n, ...) weight of the level above, 0 to 1; NaN where the surface lies below the lowest level (or the
            base) or above the highest.
    """

    below: np.ndarray
    above: np.ndarray
    weight: np.ndarray

    @classmethod
    def to(
        cls, surfaces: np.ndarray, coordinate: np.ndarray, base: float | np.ndarray | None = None
    ) -> ColumnInterpolation:
        """Weights for surfaces (n,), or (n, ...) where they differ from column to column.

        Args:
            surfaces: values of the coordinate wanted.
            coordinate: (z, ...) of the levels, rising with z; columns with NaN give NaN.
            base: coordinate of one more level under the others, such as a measurement near the ground; levels at or
                below it are not used.
        """
        coordinate = np.asarray(coordinate, float)
        columns = coordinate.shape[1:]
        surfaces = np.asarray(surfaces, float)
        below, above = (np.empty((len(surfaces), *columns), np.int32) for _ in range(2))
        weight = np.empty((len(surfaces), *columns))
        broken = np.isnan(coordinate).any(axis=0)
        for number, wanted in enumerate(surfaces):
            count = np.zeros(columns, np.int32)
            for level in coordinate:
                count += level <= wanted
            under = count - 1
            # A surface on the highest level belongs to the interval below it.
            under = np.where((count == len(coordinate)) & (coordinate[-1] == wanted), len(coordinate) - 2, under)
            low = _at(coordinate, np.maximum(under, 0))
            over = np.minimum(under + 1, len(coordinate) - 1)
            high = _at(coordinate, over)
            if base is not None:
                from_base = (under < 0) | (low <= base)
                low, under = np.where(from_base, base, low), np.where(from_base, -1, under)
                outside = (wanted < base) | (wanted > coordinate[-1])
            else:
                outside = (under < 0) | (wanted > coordinate[-1])
            step = np.where(outside | (high <= low), 1.0, high - low)
            share = np.where(low == wanted, 0.0, (wanted - low) / step)
            below[number], above[number] = under, over
            weight[number] = np.where(outside | broken, np.nan, share)
        return cls(below, above, weight)

    def __call__(self, field: np.ndarray, base: np.ndarray | None = None) -> np.ndarray:
        """The field (z, ...) on the surfaces (n, ...), in its own floating-point type; `base` is its value (...) there.

        A value that is not used does not spoil the result: on a level itself a NaN on the next one does not count.
        """
        dtype = np.result_type(field, np.float32)
        result = np.empty(self.weight.shape, dtype)
        for number, (below, above, weight) in enumerate(zip(self.below, self.above, self.weight, strict=True)):
            low = _at(field, np.maximum(below, 0))
            if base is not None:
                low = np.where(below < 0, base, low)
            elif np.any((below < 0) & ~np.isnan(weight)):
                raise ValueError("The interpolation begins at a base, of which the field gives no value")
            high = _at(field, above)
            mixed = low + weight * (high - low)
            result[number] = np.where(weight == 0.0, low, np.where(weight == 1.0, high, mixed))
        return result


def _at(field: np.ndarray, level: np.ndarray) -> np.ndarray:
    """Values (...) of a field (z, ...) at a level (...) of each column."""
    return np.take_along_axis(field, level[None], axis=0)[0]


def lowest_fall_through(values: np.ndarray, height: np.ndarray, threshold: float) -> np.ndarray:
    """Lowest height at which values fall upwards through a threshold, linear between levels.

    Args:
        values: (z, ...), z up.
        height: (z, ...), rising with z, in any unit.
        threshold: in the unit of the values.

    Returns:
        (...); minus infinity where no level has more than the threshold, infinity where they fall through it nowhere
        and the highest has more, NaN where a value is NaN.
    """
    result = np.where(values[-1] > threshold, np.inf, -np.inf)
    for k in reversed(range(1, len(values))):
        falls = (values[k - 1] > threshold) & (values[k] <= threshold)
        step = np.where(falls, values[k - 1] - values[k], 1.0)
        share = (values[k - 1] - threshold) / step
        result = np.where(falls, height[k - 1] + share * (height[k] - height[k - 1]), result)
    return np.where(np.isnan(values).any(axis=0), np.nan, result)


def vertical_derivative(field: np.ndarray, height: np.ndarray) -> np.ndarray:
    """Derivative of a field (z, ...) with respect to height (z, ...), at its levels.

    By the parabola through three neighbouring levels, of which the lowest and the highest use those on one side: exact
    for what is quadratic in height. At least three levels.
    """
    step = np.diff(height, axis=0)
    slope = np.diff(field, axis=0) / step
    result = np.empty_like(slope, shape=field.shape)
    lower, upper = step[:-1], step[1:]
    result[1:-1] = (slope[:-1] * upper + slope[1:] * lower) / (lower + upper)
    result[0] = slope[0] + (slope[0] - slope[1]) * step[0] / (step[0] + step[1])
    result[-1] = slope[-1] + (slope[-1] - slope[-2]) * step[-1] / (step[-1] + step[-2])
    return result
