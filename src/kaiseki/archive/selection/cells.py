"""Fields at places as weighted sums of cells: the nearest cell, four cells about a place, the cells of an area."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import xarray as xr

from kaiseki.archive.selection.lazy import Key, computed, floating, read_cells
from kaiseki.core.errors import InputError


@dataclass(frozen=True, eq=False)
class Cells:
    """The cells of a grid that make the value at each of n places.

    Attributes:
        dims: names of the horizontal dimensions of the grid, rows first.
        rows: numbers (k, n) of the rows.
        columns: numbers (k, n) of the columns.
        weights: shares (k, n) of the cells, which add up to one at each place; None where the one cell (k = 1) is it.
        absent: places (n,) without a value, None for no such place.
        skip: whether cells without a value are left out of the sum, instead of making it missing.
    """

    dims: tuple[str, str]
    rows: np.ndarray
    columns: np.ndarray
    weights: np.ndarray | None = None
    absent: np.ndarray | None = None
    skip: bool = False

    @property
    def size(self) -> int:
        """Number of places."""
        return int(self.rows.shape[1])

    def part(self, source: xr.Variable, key: Mapping[Any, Key], place: Key) -> np.ndarray:
        """Values (..., n) of a variable at some of the places, the other dimensions first."""
        rows, columns = self.rows[:, place], self.columns[:, place]
        width = source.sizes[self.dims[1]]
        cells, inverse = np.unique(rows * width + columns, return_inverse=True)
        found = read_cells(source, self.dims, key, cells // width, cells % width)
        inverse = inverse.reshape(rows.shape)
        if self.weights is None:
            result = found[..., inverse[0]]
        else:
            result = self._sum(found, inverse, self.weights[:, place])
        if self.absent is not None and np.any(self.absent[place]):
            result = np.where(self.absent[place], np.nan, result)
        return result

    def _sum(self, found: np.ndarray, inverse: np.ndarray, weights: np.ndarray) -> np.ndarray:
        """Weighted sums of the cells read; a cell of weight zero cannot make a place missing."""
        total = np.zeros((*found.shape[:-1], inverse.shape[1]))
        share = np.zeros_like(total)
        for number, weight in zip(inverse, weights, strict=True):
            value = found[..., number].astype(float)
            used = (weight != 0.0) & (np.isfinite(value) if self.skip else True)
            total += np.where(used, weight * np.where(used, value, 0.0), 0.0)
            share += np.where(used, weight, 0.0)
        if not self.skip:
            return total
        # The rest of an area stands for what is missing, as far as there is any.
        return np.divide(total, share, out=np.full_like(total, np.nan), where=share > 0.0)

    def at(self, source: xr.Variable, place: str) -> xr.Variable:
        """A variable at the places, read when its values are asked for; the dimension of the places comes last."""
        sizes = {dim: size for dim, size in source.sizes.items() if dim not in self.dims} | {place: self.size}
        sums = self.weights is not None or self.absent is not None
        dtype = floating(source.dtype) if sums else source.dtype
        if sums and source.dtype.kind not in "fiub":
            raise InputError(f"A variable of type {source.dtype} cannot be interpolated; choose the variables wanted")
        attributes = {name: value for name, value in source.attrs.items() if name != "grid_mapping"}
        return computed(sizes, dtype, lambda key: self.part(source, key, key[place]), attributes)


def at_cells(dataset: xr.Dataset, cells: Cells, place: str) -> xr.Dataset:
    """A dataset whose fields are those at places; what has no horizontal dimension stays.

    Args:
        dataset: on the grid of the cells.
        cells: that make the places.
        place: name of the new dimension.
    """
    if place in dataset.dims:
        raise InputError(f"The dataset has a dimension {place} already; select places once, from the grid")
    fields: dict[Any, xr.Variable] = {}
    coordinates: dict[Any, xr.Variable] = {}
    axes = {*cells.dims, "crs"}
    for name, variable in dataset.variables.items():
        if name in axes or "grid_mapping_name" in variable.attrs:
            continue
        chosen = cells.at(variable, place) if set(cells.dims) <= set(variable.dims) else variable
        if set(cells.dims) & set(chosen.dims):
            continue
        (coordinates if name in dataset.coords else fields)[name] = chosen
    for name in set(coordinates) & set(dataset.xindexes):
        coordinates.pop(name)
    kept = {name: dataset[name].variable for name in map(str, dataset.xindexes) if name not in cells.dims}
    return xr.Dataset(fields, {**kept, **coordinates}, dict(dataset.attrs))
