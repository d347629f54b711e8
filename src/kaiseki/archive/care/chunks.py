"""Which shards of the arrays of a version exist, and parts of arrays read around damaged chunks."""

from __future__ import annotations

import itertools
from dataclasses import dataclass

import icechunk
import numpy as np
import zarr
from zarr.core.sync import sync

from kaiseki.archive.care.faults import READ_ERRORS
from kaiseki.archive.store.storage import first_line


def shards_of(session: icechunk.Session, path: str) -> dict[int, set[tuple[int, ...]]]:
    """The shards of an array that exist: number along time -> numbers along the other axes; nothing of them is read."""

    async def collect() -> dict[int, set[tuple[int, ...]]]:
        found = dict[int, set[tuple[int, ...]]]()
        async for first, *rest in session.chunk_coordinates(f"/{path}"):
            found.setdefault(int(first), set()).add(tuple(int(index) for index in rest))
        return found

    return sync(collect())


@dataclass(frozen=True)
class Part:
    """A part of an array, as far as it can be read.

    Attributes:
        values: as stored; the fill value where a chunk is damaged.
        damaged: index ranges of the damaged chunks, in the array, each with the words of its error.
    """

    values: np.ndarray
    damaged: list[tuple[tuple[slice, ...], str]]


def read_part(array: zarr.Array, key: tuple[slice, ...]) -> Part:
    """A part of an array, read at once, or chunk by chunk where that fails."""
    try:
        return Part(np.asarray(array[key]), [])
    except MemoryError:
        raise
    except READ_ERRORS:
        pass
    ranges = [range(*part.indices(size)) for part, size in zip(key, array.shape, strict=True)]
    values = np.full([len(one) for one in ranges], array.fill_value, array.dtype)
    damaged = []
    for window in itertools.product(*(_pieces(one, size) for one, size in zip(ranges, array.chunks, strict=True))):
        local = tuple(slice(w.start - r.start, w.stop - r.start) for w, r in zip(window, ranges, strict=True))
        try:
            values[local] = np.asarray(array[window])
        except READ_ERRORS as error:
            damaged.append((window, first_line(error)))
    return Part(values, damaged)


def _pieces(whole: range, chunk: int) -> list[slice]:
    """A range cut at the edges of chunks."""
    edges = [whole.start, *range((whole.start // chunk + 1) * chunk, whole.stop, chunk), whole.stop]
    return [slice(a, b) for a, b in itertools.pairwise(edges) if b > a]


def words_of(axes: tuple[str, ...], window: tuple[slice, ...]) -> str:
    """Words for a chunk: its indices along the axes other than time."""
    parts = [f"{axis} {part.start}-{part.stop - 1}" for axis, part in zip(axes, window, strict=True)][1:]
    return ", ".join(parts)
