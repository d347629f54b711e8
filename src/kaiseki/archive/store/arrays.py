"""Zarr arrays as this archive makes them: lossless, Blosc with Zstandard, NaN where nothing was produced."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any, Final

import numpy as np
import zarr
from zarr.codecs import BloscCodec

COMPRESSION_LEVEL: Final = 3
"""Level of Zstandard where the experiment says nothing."""

LEVELS_PER_CHUNK: Final = 16
"""Model levels in one chunk: 4 MiB with 256 x 256 cells in single precision."""

_LARGEST_CHUNK: Final = 64 * 2**20


def codec(level: int = COMPRESSION_LEVEL) -> BloscCodec:
    """The compressor, lossless."""
    return BloscCodec(cname="zstd", clevel=level, shuffle="shuffle")


def field_chunks(shape: tuple[Sequence[int], Sequence[int]], chunk: Sequence[int]) -> tuple[int, ...]:
    """Chunk of a field with axes in time and ([level,] y, x): one time, some levels, `chunk` cells."""
    times, (*levels, ny, nx) = shape
    return (*(1 for _ in times), *(min(n, LEVELS_PER_CHUNK) for n in levels), min(ny, chunk[0]), min(nx, chunk[1]))


def block_chunks(shape: Sequence[int], itemsize: int) -> tuple[int, ...]:
    """The whole array as one chunk, cut along the first axis where it would pass 64 MiB."""
    if not shape:
        return ()
    row = itemsize * math.prod(shape[1:])
    return (max(1, min(shape[0], _LARGEST_CHUNK // max(row, 1))), *(max(1, n) for n in shape[1:]))


def create_field(
    group: zarr.Group,
    name: str,
    shape: tuple[Sequence[int], Sequence[int]],
    axes: Sequence[str],
    attributes: Mapping[str, Any],
    *,
    chunk: Sequence[int],
    level: int,
) -> zarr.Array:
    """A float32 field of a shape in time and one in space, over the whole axes, NaN until it is written."""
    return group.create_array(
        name,
        shape=(*shape[0], *shape[1]),
        chunks=field_chunks(shape, chunk),
        dtype="float32",
        fill_value=np.nan,
        compressors=codec(level),
        dimension_names=tuple(axes),
        attributes=dict(attributes),
    )


def put(
    group: zarr.Group,
    name: str,
    values: Any,
    *,
    axes: Sequence[str] | None = None,
    attributes: Mapping[str, Any] | None = None,
) -> zarr.Array:
    """A new array with these values, bit for bit; booleans, integers, floating and complex numbers only."""
    data = np.asarray(values)
    array = group.create_array(
        name,
        shape=data.shape,
        chunks=block_chunks(data.shape, data.dtype.itemsize),
        dtype=data.dtype,
        compressors=codec(),
        dimension_names=None if axes is None else tuple(axes),
        attributes=dict(attributes or {}),
        # A chunk equal to the fill value would lose the sign of its zeros.
        config={"write_empty_chunks": True},
    )
    if data.size:
        array[...] = data
    return array


def array_at(group: zarr.Group, path: str) -> zarr.Array:
    """Array of a group, checked to be one."""
    member = group[path]
    assert isinstance(member, zarr.Array)
    return member


def group_at(group: zarr.Group, path: str) -> zarr.Group:
    """Sub-group of a group, checked to be one."""
    member = group[path]
    assert isinstance(member, zarr.Group)
    return member


def arrays_at(group: zarr.Group, path: str) -> dict[str, zarr.Array]:
    """Arrays of a sub-group by name, none where there is no such group; all are found at once."""
    found = group.get(path)
    return dict(found.arrays()) if isinstance(found, zarr.Group) else {}


def values_at(group: zarr.Group, path: str) -> np.ndarray:
    """All values of an array in a group.

    Raises:
        StoreError: a chunk is there but is not what was written, where the store describes itself (`reading`).
    """
    try:
        return np.asarray(array_at(group, path)[...])
    except RuntimeError as error:  # of a codec
        described = getattr(group.store, "described", None)
        if described is None:
            raise
        raise described.error(f"{group.path}/{path}", error) from error


def axes_of(array: zarr.Array) -> tuple[str, ...]:
    """Names of the dimensions of an array, () where it has none."""
    names: Any = getattr(array.metadata, "dimension_names", None)
    return tuple(names or ())
