"""Regridding between grids with exact weights, and of winds as vectors: bilinear and conservative."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np

from kaiseki.core.errors import InputError
from kaiseki.grid.overlap import overlaps
from kaiseki.grid.regular import LatLonGrid, MapGrid, Places

__all__ = ["LatLonGrid", "MapGrid", "Places", "Regridding", "bilinear", "conservative"]

_ROUNDING = 1e-10
"""Distance in cells within which a target lies on a point or on the edge of the source: positions are rounded."""


@dataclass(frozen=True, eq=False)
class Regridding:
    """A sparse linear operator between grids, in compressed rows; `bilinear` and `conservative` make one.

    Row k, `starts[k]` to `starts[k + 1]`, has the source points (numbers in the flattened field) and weights of the
    target point k. The weights of a row sum to the part of the target that the source covers: 1 or, outside, 0 for
    bilinear; for conservative the part of the cell's area, and weight x target area is the area of the overlap.

    Attributes:
        source, target: the grids.
        starts: (targets + 1,).
        indices, weights: (entries,).
        least_valid: part of a target's area above which a mean is given; None: every contributing value must be valid.
    """

    source: MapGrid | LatLonGrid
    target: MapGrid | LatLonGrid | Places
    starts: np.ndarray
    indices: np.ndarray
    weights: np.ndarray
    least_valid: float | None = None

    @cached_property
    def covered(self) -> np.ndarray:
        """Part of each target cell (or point) that the source covers, of the target's shape, 0 to 1."""
        return self._sum(self.weights).reshape(self.target.shape)

    def __call__(self, field: np.ndarray) -> np.ndarray:
        """Field (..., *target.shape) from a field (..., *source.shape).

        Sums are made in float64; the result has the type of the field, at least float32. It is NaN outside the source.
        NaN in the source: bilinear gives NaN where a contributing value is NaN; conservative gives the mean over the
        valid part where that is more than `least_valid` of the target cell's area, else NaN.

        Raises:
            InputError: the field does not have the shape of the source.
        """
        values = self._checked(field)
        result = np.empty((*values.shape[:-2], *self.target.shape), np.result_type(values, np.float32))
        for at in np.ndindex(values.shape[:-2]):
            result[at] = self._one(np.asarray(values[at], float).ravel()).reshape(self.target.shape)
        return result

    def wind(self, eastward: np.ndarray, northward: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Eastward and northward wind on the target, (..., *target.shape), regridded as one vector.

        The vectors are taken into the Cartesian frame of the Earth, regridded there and projected onto east and north
        of the target, so that neighbouring meridians, a pole and the date line make no difference.

        Raises:
            InputError: a component does not have the shape of the source, or they differ in shape.
        """
        east, north = self._checked(eastward), self._checked(northward)
        if east.shape != north.shape:
            raise InputError(f"The components of the wind differ in shape: {east.shape} and {north.shape}")
        shape = (*east.shape[:-2], *self.target.shape)
        results = tuple(np.empty(shape, np.result_type(east, north, np.float32)) for _ in range(2))
        (e_from, n_from), (e_to, n_to) = self._frames
        for at in np.ndindex(east.shape[:-2]):
            u, v = np.asarray(east[at], float).ravel(), np.asarray(north[at], float).ravel()
            vector = np.stack([self._one(u * e + v * n) for e, n in zip(e_from, n_from, strict=True)])
            for result, axis in zip(results, (e_to, n_to), strict=True):
                result[at] = np.sum(vector * axis, axis=0).reshape(self.target.shape)
        return results[0], results[1]

    @cached_property
    def _frames(self) -> tuple[tuple[np.ndarray, np.ndarray], tuple[np.ndarray, np.ndarray]]:
        """Unit vectors (3, points) to the east and north of source and target."""
        return _frame(*self.source.points()), _frame(*self.target.points())

    def _checked(self, field: np.ndarray) -> np.ndarray:
        values = np.asarray(field)
        if values.shape[-2:] != self.source.shape:
            raise InputError(
                f"The field {values.shape} does not lie on the source grid; expected (..., {self.source.shape[0]}, "
                f"{self.source.shape[1]})"
            )
        return values

    def _one(self, values: np.ndarray) -> np.ndarray:
        """One field on the target, both flattened."""
        taken = values[self.indices]
        if self.least_valid is None:
            part, least = self.covered.ravel(), 0.0
        elif (missing := np.isnan(taken)).any():
            part, least = self._sum(np.where(missing, 0.0, self.weights)), self.least_valid
            taken[missing] = 0.0
        else:
            part, least = self.covered.ravel(), self.least_valid
        total = self._sum(taken * self.weights)
        result = np.full(total.shape, np.nan)
        np.divide(total, part, out=result, where=part > least)
        return result

    def _sum(self, terms: np.ndarray) -> np.ndarray:
        """Sums over each row, 0 where it is empty."""
        total, used = np.zeros(self.starts.size - 1), np.diff(self.starts) > 0
        if used.any():
            total[used] = np.add.reduceat(terms, self.starts[:-1][used])
        return total


def bilinear(source: MapGrid | LatLonGrid, target: MapGrid | LatLonGrid | Places) -> Regridding:
    """Bilinear interpolation in the source's own coordinates: x and y of its map, or latitude and longitude.

    A field that is linear in each of these is reproduced exactly. Targets outside the hull of the source's points are
    NaN, nothing is extrapolated: so between the last row of a global grid and the pole, unless a row lies on the pole.
    Around the Earth a grid is closed. A neighbour with no weight does not contribute, even if it is NaN.
    """
    lat, lon = (part.ravel() for part in target.points())
    if isinstance(source, MapGrid):
        with np.errstate(all="ignore"):
            x, y = source.projection.forward(lat, lon)
        rows, columns = _bracket(source.y, y), _bracket(source.x, x)
    else:
        width = 1e-6 * (source.lon[1] - source.lon[0] if source.lon.size > 1 else 1.0)
        # Onto the turn of the source; what is rounded to just west of its first meridian stays there.
        turned = np.mod(lon - source.lon[0] + width, 360.0) - width + source.lon[0]
        axis = np.append(source.lon, source.lon[0] + 360.0) if source.periodic else source.lon
        rows, columns = _bracket(source.lat, lat), _bracket(axis, turned)
    nx = source.shape[1]
    inside = rows[2] & columns[2]
    weights, indices = [], []
    for row, in_y in ((rows[0], 1.0 - rows[1]), (rows[0] + 1, rows[1])):
        for column, in_x in ((columns[0], 1.0 - columns[1]), (columns[0] + 1, columns[1])):
            weights.append(np.where(inside, in_y * in_x, 0.0))
            indices.append(row * nx + column % nx)
    weight, index = np.stack(weights, axis=1), np.stack(indices, axis=1)
    used = weight > 0.0
    return Regridding(source, target, _starts(used.sum(axis=1)), index[used].astype(np.int32), weight[used])


def conservative(source: MapGrid | LatLonGrid, target: MapGrid | LatLonGrid, least_valid: float = 0.5) -> Regridding:
    """First-order conservative regridding: area means over the target's cells from areas of overlap on the sphere.

    Cells and their edges are those of `grid.regular`; overlaps of a map with parallels and meridians are exact to
    round-off, see `grid.overlap`. The sum over the targets of mean x `covered` x area equals the integral of the source
    over the part of its cells that lies in the target, to round-off, for fields without NaN and targets that are given
    at all (all of them with `least_valid` = 0).

    Args:
        source, target: the grids.
        least_valid: part of a target cell's area, 0 to below 1: a mean is given where more than this is covered by
            valid source cells.

    Raises:
        InputError: a grid has no cells (one point along an axis, gaps, a map across its own cut), or `least_valid` is
            not such a part.
    """
    if not 0.0 <= least_valid < 1.0:
        raise InputError(f"least_valid is a part of a cell's area, from 0 to below 1; got {least_valid:g}")
    from_cell, to_cell, angle = overlaps(source, target)
    area = target.solid_angle().ravel()
    order = np.argsort(to_cell, kind="stable")
    to_cell = to_cell[order]
    return Regridding(
        source,
        target,
        _starts(np.bincount(to_cell, minlength=area.size)),
        from_cell[order].astype(np.int32),
        angle[order] / area[to_cell],
        least_valid,
    )


def _starts(lengths: np.ndarray) -> np.ndarray:
    return np.concatenate([[0], np.cumsum(lengths)])


def _bracket(axis: np.ndarray, at: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Interval of an axis in which values lie, the part of it (0 to 1) that lies before them, and whether there is one.

    An axis of one point has no hull but itself, which is treated as an interval of no length.
    """
    if axis.size == 1:
        return np.zeros(at.shape, int), np.zeros(at.shape), np.abs(at - axis[0]) < _ROUNDING
    rising = axis if axis[1] > axis[0] else axis[::-1]
    low = np.clip(np.searchsorted(rising, at, side="right") - 1, 0, axis.size - 2)
    part = (at - rising[low]) / (rising[low + 1] - rising[low])
    inside = (part > -_ROUNDING) & (part < 1.0 + _ROUNDING)
    part = np.where(part < _ROUNDING, 0.0, np.where(part > 1.0 - _ROUNDING, 1.0, part))
    return (low, part, inside) if rising is axis else (axis.size - 2 - low, 1.0 - part, inside)


def _frame(lat: np.ndarray, lon: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Unit vectors (3, points) to the east and to the north in the Cartesian frame of the Earth."""
    phi, lam = np.deg2rad(lat).ravel(), np.deg2rad(lon).ravel()
    zero = np.zeros_like(phi)
    east = np.stack([-np.sin(lam), np.cos(lam), zero])
    north = np.stack([-np.sin(phi) * np.cos(lam), -np.sin(phi) * np.sin(lam), np.cos(phi)])
    return east, north
