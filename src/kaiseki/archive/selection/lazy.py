"""Arrays of an `xarray.Dataset` whose values are worked out when they are asked for, and reading of scattered cells.

xarray's own lazy indexing stands behind them: indexing such an array narrows what will be read, and only `.values`,
a plot or a calculation reads. Dask is not needed.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Hashable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from itertools import pairwise
from typing import Any, Final

import numpy as np
import xarray as xr
from xarray.backends import BackendArray
from xarray.core import indexing

Key = slice | np.ndarray
"""Choice along one dimension: a slice, or the numbers wanted (n,)."""

PIECE: Final = 64 * 2**20
"""Largest number of bytes that one reading of a block of cells holds."""
READERS: Final = 4
"""Blocks read at a time: enough to hide the delay of an object store, few enough for memory."""
TILE: Final = 50
"""Cells along one side of the blocks that are read together where a file tells nothing of its chunks."""


class Computed(BackendArray):
    """Array that knows its shape, and any part of which can be worked out.

    Attributes:
        shape: of the whole array.
        dtype: of its values.
    """

    def __init__(self, shape: Sequence[int], dtype: np.dtype, part: Callable[[tuple[Key, ...]], np.ndarray]) -> None:
        """An array of which `part` gives the values that one choice along each dimension selects."""
        self.shape = tuple(int(size) for size in shape)
        self.dtype = np.dtype(dtype)
        self._part = part

    def __getitem__(self, key: Any) -> Any:
        return indexing.explicit_indexing_adapter(key, self.shape, indexing.IndexingSupport.OUTER, self._get)

    def _get(self, key: tuple[Any, ...]) -> np.ndarray:
        single = tuple(axis for axis, one in enumerate(key) if isinstance(one, int | np.integer))
        full = tuple(np.asarray([one]) if axis in single else one for axis, one in enumerate(key))
        return np.asarray(self._part(full), self.dtype).squeeze(single)


def computed(
    sizes: Mapping[Any, int],
    dtype: Any,
    part: Callable[[dict[Any, Key]], np.ndarray],
    attributes: Mapping[Any, Any] | None = None,
) -> xr.Variable:
    """A variable with these dimensions whose values are worked out when they are asked for.

    Args:
        sizes: length of each dimension, in order.
        dtype: of the values.
        part: gives the values that a choice along each dimension selects, all dimensions kept.
        attributes: of the variable.
    """
    dims = tuple(sizes)
    array = Computed(tuple(sizes.values()), np.dtype(dtype), lambda key: part(dict(zip(dims, key, strict=True))))
    return _variable(dims, array, attributes or {})


def _variable(dims: tuple[Any, ...], array: Computed, attributes: Mapping[Any, Any]) -> xr.Variable:
    """A variable of an array, which keeps its values once they have all been asked for."""
    cached: Any = indexing.MemoryCachedArray(indexing.LazilyIndexedArray(array))
    lazy = indexing.CopyOnWriteArray(cached)
    return xr.Variable(dims, lazy, dict(attributes), fastpath=True)


class Mapped(Computed):
    """Array whose values are a function of those of a variable, cell by cell; scattered cells are read as such."""

    def __init__(self, source: xr.Variable, function: Callable[[np.ndarray], np.ndarray], dtype: np.dtype) -> None:
        """The function of the variable, in a type."""
        super().__init__(source.shape, dtype, lambda key: function(source[key].values))
        self._source, self._function = source, function

    def __getitem__(self, key: Any) -> Any:
        arrays = key.tuple
        if not isinstance(key, indexing.VectorizedIndexer) or not all(isinstance(one, np.ndarray) for one in arrays):
            return super().__getitem__(key)
        dims = tuple(f"axis_{number}" for number in range(arrays[0].ndim))
        found = self._source[tuple(xr.Variable(dims, one) for one in arrays)].values
        return np.asarray(self._function(found), self.dtype)


def mapped(
    source: xr.Variable, function: Callable[[np.ndarray], np.ndarray], dtype: Any, attributes: Mapping[Any, Any]
) -> xr.Variable:
    """A variable that is a function of another, cell by cell, when its values are asked for."""
    return _variable(source.dims, Mapped(source, function, np.dtype(dtype)), attributes)


def values(source: xr.Variable, key: Mapping[Any, Key]) -> np.ndarray:
    """Values of the part of a variable that a choice along some dimensions selects; the order of dimensions stays."""
    return np.asarray(source[tuple(key.get(dim, slice(None)) for dim in source.dims)].values)


def samples(source: xr.Variable, index: Mapping[Any, np.ndarray]) -> np.ndarray:
    """Values (n, ...) of scattered samples; dimensions without a number stay and come last, in their order.

    Args:
        source: to be read, each chunk once.
        index: numbers (n,) along some of its dimensions.
    """
    kept = [dim for dim in source.dims if dim not in index]
    point = "sample of a path"
    chosen = source.isel({dim: xr.Variable(point, np.asarray(number)) for dim, number in index.items()})
    return np.asarray(chosen.transpose(point, *kept).values)


def floating(dtype: Any) -> np.dtype:
    """Floating type that holds values of a type, and NaN."""
    kind = np.dtype(dtype)
    if kind.kind == "f":
        return kind
    return np.dtype(np.float32 if kind.itemsize <= 2 and kind.kind in "iub" else np.float64)


def count(key: Key, size: int) -> int:
    """Length of what a choice along a dimension of this size selects."""
    return len(range(*key.indices(size))) if isinstance(key, slice) else len(key)


def read_cells(
    source: xr.Variable,
    horizontal: tuple[Hashable, Hashable],
    key: Mapping[Any, Key],
    rows: np.ndarray,
    columns: np.ndarray,
) -> np.ndarray:
    """Values of scattered cells (..., n), the other dimensions first.

    Cells of one chunk are read together, so that each chunk is read once where the variable begins at the border of a
    chunk, and in pieces along the first other dimension that are whole chunks long and hold at most `PIECE` bytes.

    Args:
        source: with both horizontal dimensions.
        horizontal: names of the two horizontal dimensions, that of the rows first.
        key: choices along other dimensions.
        rows: numbers (n,) of the cells along the first horizontal dimension.
        columns: numbers (n,) of the cells along the second.
    """
    others = [dim for dim in source.dims if dim not in horizontal]
    shape = tuple(count(key.get(dim, slice(None)), source.sizes[dim]) for dim in others)
    if source._in_memory:
        whole = source.transpose(*others, *horizontal)
        chosen = whole[tuple(key.get(dim, slice(None)) for dim in others)].values
        return np.asarray(chosen[..., rows, columns])
    result = np.empty((*shape, rows.size), source.dtype)
    if source.encoding.get("reads_points"):
        # xarray makes a number along every dimension for each value.
        each = rows.size * 8 * source.ndim
        for cells, where, other in _pieces(source, others, key, np.arange(rows.size), each):
            narrowed = source[tuple({**key, **other}.get(dim, slice(None)) for dim in source.dims)]
            found = samples(narrowed, {horizontal[0]: rows, horizontal[1]: columns})
            result[(where, ..., cells) if others else cells] = np.moveaxis(found, 0, -1)
        return result
    tile = (_chunk(source, horizontal[0]) or TILE, _chunk(source, horizontal[1]) or TILE)
    block = rows // tile[0] * (source.sizes[horizontal[1]] // tile[1] + 1) + columns // tile[1]
    order = np.argsort(block, kind="stable")
    groups = np.split(order, np.flatnonzero(np.diff(block[order])) + 1) if rows.size else []
    if len(groups) > 1 and _dense(source, others, (rows, columns), tile, len(groups)):
        groups = [np.arange(rows.size)]

    def read(task: tuple[np.ndarray, slice, dict[Any, Key]]) -> None:
        cells, where, other = task
        j, i = rows[cells], columns[cells]
        corner = int(j.min()), int(i.min())
        area = {horizontal[0]: slice(corner[0], int(j.max()) + 1), horizontal[1]: slice(corner[1], int(i.max()) + 1)}
        part = values(source, {**other, **area})
        part = np.moveaxis(part, [source.dims.index(dim) for dim in horizontal], (-2, -1))
        result[(where, ..., cells) if others else cells] = part[..., j - corner[0], i - corner[1]]

    tasks: list[tuple[np.ndarray, slice, dict[Any, Key]]] = []
    for cells in groups:
        area = (int(np.ptp(rows[cells])) + 1) * (int(np.ptp(columns[cells])) + 1)
        tasks += _pieces(source, others, key, cells, area * source.dtype.itemsize)
    if len(tasks) == 1:
        read(tasks[0])
    else:
        with ThreadPoolExecutor(READERS) as pool:
            list(pool.map(read, tasks))
    return result


def _dense(
    source: xr.Variable,
    others: Sequence[Hashable],
    places: tuple[np.ndarray, np.ndarray],
    tile: tuple[int, int],
    blocks: int,
) -> bool:
    """Whether the cells fill the rectangle about them so well that it is read as a whole, and it fits into memory."""
    spans = [int(place.max()) // one - int(place.min()) // one + 1 for place, one in zip(places, tile, strict=True)]
    area = math.prod(int(np.ptp(place)) + 1 for place in places)
    least = math.prod(_chunk(source, dim) or 1 for dim in others)
    return 2 * blocks >= math.prod(spans) and area * least * source.dtype.itemsize <= 2 * PIECE


def _pieces(
    source: xr.Variable,
    others: Sequence[Hashable],
    key: Mapping[Any, Key],
    cells: np.ndarray,
    plane: int,
) -> Iterator[tuple[np.ndarray, slice, dict[Any, Key]]]:
    """Readings of the cells of one block: which cells, which part of the result, which part of the other dimensions.

    Args:
        source: to be read.
        others: its dimensions beside the horizontal ones.
        key: choices along them.
        cells: numbers of the cells.
        plane: bytes that one reading holds for one number along each of the others.
    """
    if not others:
        yield cells, slice(None), {}
        return
    first, *rest = others
    size = source.sizes[first]
    chosen = np.arange(size)[key.get(first, slice(None))]
    each = plane * math.prod(count(key.get(dim, slice(None)), source.sizes[dim]) for dim in rest)
    chunk = _chunk(source, first) or 1
    length = max(1, PIECE // max(each * chunk, 1)) * chunk
    edges = np.flatnonzero(np.diff(chosen // length)) + 1
    starts = [0, *edges.tolist(), chosen.size]
    for start, end in pairwise(starts):
        if start < end:
            yield cells, slice(start, end), {**key, first: _as_slice(chosen[start:end])}


def _as_slice(numbers: np.ndarray) -> Key:
    """Numbers as a slice where they follow one another."""
    if numbers.size and numbers[-1] - numbers[0] == numbers.size - 1 and np.all(np.diff(numbers) == 1):
        return slice(int(numbers[0]), int(numbers[-1]) + 1)
    return numbers


def _chunk(source: xr.Variable, dim: Hashable) -> int | None:
    """Length of the chunks along a dimension, None where it is not known."""
    preferred = source.encoding.get("preferred_chunks") or {}
    if dim in preferred:
        return int(preferred[dim])
    chunks = source.encoding.get("chunks")
    if chunks and len(chunks) == len(source.dims):
        return int(chunks[source.dims.index(dim)])
    return None
