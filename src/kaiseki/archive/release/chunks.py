"""Reading of sharded arrays of Zarr: all chunks that a request needs at once, each fetched and decoded once.

Zarr itself reads boxes well, but scattered points only one box after another, and the index of a shard anew each time.
Here the indexes stay in memory, chunks that lie together in a shard are fetched by one request, and what is wanted of
a chunk is taken while it is in the cache of the processor. Of a chunk of differences no more is unpacked and summed up
than the part that is wanted needs: for one time of one level, the differences up to both.
"""

from __future__ import annotations

import asyncio
import itertools
import math
import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, Final

import numcodecs
import numpy as np
import zarr
from pcodec.standalone import simple_decompress_into
from zarr.abc.store import RangeByteRequest, SuffixByteRequest
from zarr.core.buffer import default_buffer_prototype
from zarr.core.sync import sync

from kaiseki.archive.release.differences import NAME as DIFFERENCES
from kaiseki.archive.release.differences import Differences
from kaiseki.core.errors import StoreError

Key = tuple[Any, ...]
"""Choice along each axis: a number, a slice, or an array of numbers."""

Box = tuple[slice, ...]
"""Stretch of a chunk along each axis."""

Decoder = Callable[[Any, Box], np.ndarray]
"""Function from the bytes of a chunk to the values of a box of it."""

_ABSENT: Final = 2**64 - 1
_GAP: Final = 2**16
"""Bytes between two chunks up to which both are fetched by one request."""
_REQUEST: Final = 2**19
"""Bytes of one request that joins chunks: several requests are under way while what others brought is unpacked."""
_HELD: Final = 2**28
"""Bytes of the chunks, decoded, that are under way at a time."""


def blocks_of(
    points: Mapping[int, np.ndarray], chunks: Sequence[int], shape: Sequence[int]
) -> tuple[np.ndarray, np.ndarray]:
    """The chunks that hold points.

    Args:
        points: numbers (n,) along some axes, none negative.
        chunks: sizes of a chunk along all axes.
        shape: of the array.

    Returns:
        Numbers (axis, m) of the m chunks along these axes, and which (n,) of them holds each point.
    """
    grid = [-(-shape[axis] // chunks[axis]) for axis in points]
    flat = np.ravel_multi_index([numbers // chunks[axis] for axis, numbers in points.items()], grid)
    unique, inverse = np.unique(flat, return_inverse=True)
    return np.stack(np.unravel_index(unique, grid)), inverse.ravel()


@dataclass(frozen=True)
class _Piece:
    """What is taken of one chunk.

    Attributes:
        chunk: its number along each axis.
        source: selection in the chunk.
        target: selection in the result.
        first: axis of the chunk's selection to bring to the front, None where the order is that of the result.
    """

    chunk: tuple[int, ...]
    source: tuple[Any, ...]
    target: tuple[Any, ...]
    first: int | None = None


_Extent = tuple[int, int, _Piece]
"""First byte in a shard, the byte after the last, and the piece."""


class ShardedArray:
    """A sharded array that is read by chunks.

    Attributes:
        shape: of the array.
        chunks: sizes of a chunk.
        dtype: of the values.
    """

    def __init__(self, array: zarr.Array, decode: Decoder) -> None:
        self.shape, self.chunks, self.dtype = array.shape, array.chunks, np.dtype(array.dtype)
        assert array.shards is not None
        self._fill = array.fill_value
        self._inside = tuple(shard // chunk for shard, chunk in zip(array.shards, array.chunks, strict=True))
        self._array, self._decode = array, decode
        self._indexes: dict[tuple[int, ...], np.ndarray | None] = {}

    def __reduce__(self) -> Any:
        """What another process, or a deep copy, makes it of."""
        return ShardedArray.of, (self._array,)

    @classmethod
    def of(cls, array: zarr.Array) -> ShardedArray:
        """An array of Zarr read by chunks.

        Raises:
            StoreError: its codecs are not those of releases.
        """
        described: Any = array.metadata.to_dict()
        codecs = described.get("codecs", ())
        if len(codecs) == 1 and codecs[0]["name"] == "sharding_indexed":
            inner = codecs[0]["configuration"]
            names = [codec["name"] for codec in inner["index_codecs"]]
            decode = _decoder(inner["codecs"], np.dtype(array.dtype), array.chunks)
            if decode is not None and names == ["bytes", "crc32c"] and inner.get("index_location", "end") == "end":
                return cls(array, decode)
        raise StoreError(f"{array.path} is compressed in a way that this Kaiseki does not know; install a newer one")

    def box(self, key: Key) -> np.ndarray:
        """The part that is a product of choices along the axes; numbers take their axis away."""
        numbers = [_numbers(part, size) for part, size in zip(key, self.shape, strict=True)]
        result = np.empty([len(one) for one in numbers], self.dtype)
        along = [list(_runs(one, chunk)) for one, chunk in zip(numbers, self.chunks, strict=True)]
        chunks = (zip(*runs, strict=True) for runs in itertools.product(*along))
        self._take([_Piece(chunk, _crossed(source), _crossed(target)) for chunk, source, target in chunks], result)
        gone = tuple(axis for axis, part in enumerate(key) if isinstance(part, int | np.integer))
        return result.squeeze(gone) if gone else result

    def points(self, key: Key, points: Mapping[int, np.ndarray]) -> np.ndarray:
        """Values (n, ...) at scattered points, the axes of which a slice is taken last.

        Args:
            key: slices along the other axes.
            points: numbers (n,) along some axes.
        """
        kept = {axis: _numbers(part, self.shape[axis]) for axis, part in enumerate(key) if axis not in points}
        along = {axis: list(_runs(numbers, self.chunks[axis])) for axis, numbers in kept.items()}
        blocks, inverse = blocks_of(points, self.chunks, self.shape)
        order = np.argsort(inverse, kind="stable")
        ends = np.searchsorted(inverse[order], np.arange(blocks.shape[1] + 1))
        axes = sorted(points)
        # NumPy puts the axis of the points first unless the lists of numbers are neighbours.
        front = axes[0] if axes == list(range(axes[0], axes[-1] + 1)) else None
        result = np.empty([order.size, *map(len, kept.values())], self.dtype)
        pieces = []
        for block in range(blocks.shape[1]):
            mine = order[ends[block] : ends[block + 1]]
            for runs in itertools.product(*along.values()):
                chunk = dict(zip(points, map(int, blocks[:, block]), strict=True))
                chunk |= dict(zip(along, (run[0] for run in runs), strict=True))
                source: dict[int, Any] = {axis: points[axis][mine] % self.chunks[axis] for axis in points}
                source |= dict(zip(along, (run[1] for run in runs), strict=True))
                where = range(len(key))
                pieces.append(
                    _Piece(
                        tuple(chunk[axis] for axis in where),
                        tuple(source[axis] for axis in where),
                        (mine, *(run[2] for run in runs)),
                        front,
                    )
                )
        self._take(pieces, result)
        return result

    def _take(self, pieces: Sequence[_Piece], result: np.ndarray) -> None:
        """Put what is wanted of chunks into the result; so many chunks at a time that memory suffices."""
        size = math.prod(self.chunks) * self.dtype.itemsize
        for some in itertools.batched(pieces, max(1, _HELD // size)):
            sync(self._take_at_once(some, result))

    async def _take_at_once(self, pieces: Sequence[_Piece], result: np.ndarray) -> None:
        """Put pieces into the result, those of all shards at once."""
        wanted: dict[tuple[int, ...], list[_Piece]] = {}
        for piece in pieces:
            shard = tuple(number // n for number, n in zip(piece.chunk, self._inside, strict=True))
            wanted.setdefault(shard, []).append(piece)
        await asyncio.gather(*(self._take_of_shard(shard, some, result) for shard, some in wanted.items()))

    async def _take_of_shard(self, shard: tuple[int, ...], pieces: Sequence[_Piece], result: np.ndarray) -> None:
        """Put pieces of one shard into the result, by few requests; chunks that were never written are missing."""
        index = await self._index(shard)
        extents: list[_Extent] = []
        for piece in pieces:
            place = tuple(number % n for number, n in zip(piece.chunk, self._inside, strict=True))
            start, length = (_ABSENT, 0) if index is None else map(int, index[place])
            if start == _ABSENT:
                result[piece.target] = self._fill
            else:
                extents.append((start, start + length, piece))
        extents.sort(key=lambda extent: extent[:2])
        await asyncio.gather(*(self._take_of_request(shard, part, result) for part in _joined(extents)))

    async def _take_of_request(self, shard: tuple[int, ...], part: Sequence[_Extent], result: np.ndarray) -> None:
        """Fetch what lies together in a shard and decode it while other requests are under way."""
        start, end = part[0][0], max(one[1] for one in part)
        data = await self._get(shard, RangeByteRequest(start, end))
        if data is None or len(data) != end - start:
            raise StoreError(f"a shard of {self._array.path} ends before byte {end}")
        whole = memoryview(data.as_numpy_array())

        def put(extents: Sequence[_Extent]) -> None:
            for first, last, piece in extents:
                box, source = _boxed(piece.source)
                values = self._decode(whole[first - start : last - start], box)[source]
                result[piece.target] = values if piece.first is None else np.moveaxis(values, piece.first, 0)

        loop, few = asyncio.get_running_loop(), -(-len(part) // _PROCESSORS)
        # As many tasks as there are processors, for to hand over a task takes as long as to unpack a small chunk.
        parts = itertools.batched(part, few)
        await asyncio.gather(*(loop.run_in_executor(_decoders(), put, some) for some in parts))

    async def _index(self, shard: tuple[int, ...]) -> np.ndarray | None:
        """Start and length of every chunk of a shard, None where there is no shard."""
        if shard in self._indexes:
            return self._indexes[shard]
        size = 16 * math.prod(self._inside) + 4
        data = await self._get(shard, SuffixByteRequest(size))
        index = None
        if data is not None:
            content = _CHECKSUM.decode(data.to_bytes())
            index = np.frombuffer(content, "<u8").reshape(*self._inside, 2)
        # All this runs in the one thread in which Zarr has its loop of events, so that nothing is locked.
        if len(self._indexes) >= _INDEXES:
            self._indexes.pop(next(iter(self._indexes)))
        self._indexes[shard] = index
        return index

    async def _get(self, shard: tuple[int, ...], extent: Any) -> Any:
        key = self._array.metadata.encode_chunk_key(shard)
        place = f"{self._array.path}/{key}" if self._array.path else key
        return await self._array.store.get(place, default_buffer_prototype(), extent)


_INDEXES: Final = 4096
"""Indexes of shards kept in memory for one array, about a kilobyte each."""

_PROCESSORS: Final = os.cpu_count() or 1

_CHECKSUM: Final = numcodecs.get_codec({"id": "crc32c"})


@lru_cache(maxsize=1)
def _decoders() -> ThreadPoolExecutor:
    """Threads that decode chunks, as many as there are processors; the codecs let others run meanwhile."""
    return ThreadPoolExecutor(_PROCESSORS, thread_name_prefix="kaiseki-decode")


def _decoder(codecs: Sequence[Mapping[str, Any]], dtype: np.dtype, chunk: tuple[int, ...]) -> Decoder | None:
    """The decoder of chunks; None for codecs that releases do not use."""
    names = [codec["name"] for codec in codecs]
    if names[-1:] == ["crc32c"]:
        inner = _decoder(codecs[:-1], dtype, chunk)
        return None if inner is None else lambda data, box: inner(_CHECKSUM.decode(data), box)
    if names[:1] == [DIFFERENCES]:
        unpack = _decoder(codecs[1:], dtype, chunk)
        differences = Differences.from_dict(dict(codecs[0]))
        return (
            None
            if unpack is None
            else lambda data, box: differences.summed_box(unpack(data, differences.needed(box)), box)
        )
    if names == ["numcodecs.pcodec"]:
        return lambda data, box: _of_pcodec(data, box, dtype, chunk)
    little = bool(codecs) and dict(codecs[0].get("configuration") or {}).get("endian", "little") == "little"
    if names == ["bytes", "blosc"] and little:
        compressed = numcodecs.get_codec({"id": "blosc"})
        return lambda data, box: np.frombuffer(compressed.decode(data), dtype.newbyteorder("<")).reshape(chunk)[box]
    return None


def _of_pcodec(data: Any, box: Box, dtype: np.dtype, chunk: tuple[int, ...]) -> np.ndarray:
    """A box of a chunk of PCodec, which is unpacked from its beginning as far as the box needs.

    Raises:
        StoreError: the bytes hold fewer values.
    """
    values = np.empty((box[0].stop, *chunk[1:]), dtype)
    found = simple_decompress_into(bytes(data), values.reshape(-1))
    if found.n_processed != values.size:
        raise StoreError(f"a chunk holds {found.n_processed} of at least {values.size} values")
    return values[box]


def _boxed(source: tuple[Any, ...]) -> tuple[Box, tuple[Any, ...]]:
    """The smallest box that holds a selection of a chunk, and the selection within it."""
    box, inside = [], []
    for part in source:
        if isinstance(part, slice):
            box.append(part)
            inside.append(slice(None))
        else:
            first = int(part.min())
            box.append(slice(first, int(part.max()) + 1))
            inside.append(part - first)
    return tuple(box), tuple(inside)


def _numbers(part: Any, size: int) -> range | np.ndarray:
    """Numbers along an axis that a choice selects, none negative."""
    if isinstance(part, slice):
        return range(*part.indices(size))
    if isinstance(part, int | np.integer):
        return range(int(part) % size, int(part) % size + 1)
    return np.asarray(part) % size


def _runs(numbers: range | np.ndarray, chunk: int) -> Iterator[tuple[int, Any, Any]]:
    """Chunks along one axis that numbers touch: number of the chunk, selection in it, selection in the numbers."""
    if isinstance(numbers, range) and numbers.step == 1:
        for number in range(numbers.start // chunk, -(-numbers.stop // chunk) if len(numbers) else 0):
            start, stop = max(numbers.start, number * chunk), min(numbers.stop, (number + 1) * chunk)
            yield (
                number,
                slice(start - number * chunk, stop - number * chunk),
                slice(start - numbers.start, stop - numbers.start),
            )
        return
    every = np.asarray(numbers)
    for number in np.unique(every // chunk):
        where = np.flatnonzero(every // chunk == number)
        yield int(number), every[where] - int(number) * chunk, where


def _crossed(parts: Sequence[Any]) -> tuple[Any, ...]:
    """Selections along the axes that together select their product; NumPy takes several lists of numbers as points."""
    if sum(isinstance(part, np.ndarray) for part in parts) == 0:
        return tuple(parts)
    lists = [np.arange(part.start, part.stop) if isinstance(part, slice) else part for part in parts]
    return np.ix_(*lists)


def _joined(extents: Sequence[_Extent]) -> Iterator[list[_Extent]]:
    """Extents in order, those together that one request fetches."""
    part: list[_Extent] = []
    for extent in extents:
        if part and (extent[0] - part[-1][1] > _GAP or extent[1] - part[0][0] > _REQUEST):
            yield part
            part = []
        part.append(extent)
    if part:
        yield part
