"""Reading by chunks: could break by wrong places in chunks at edges, by lost order of points, by damage that passes.

The oracle is NumPy's own indexing of the array that was written.
"""

from __future__ import annotations

import copy
import pickle
from pathlib import Path
from typing import Any

import hypothesis.strategies as st
import numpy as np
import pytest
import zarr
from hypothesis import given, settings
from zarr.storage import LocalStore, MemoryStore, WrapperStore

from kaiseki.archive.release.chunks import ShardedArray, _joined, _Piece
from kaiseki.archive.release.encoding import archive_codecs, browser_codecs, packing_of
from kaiseki.core.errors import StoreError
from kaiseki.core.variables import VARIABLES

SHAPE = (13, 7, 9, 11)
WHOLE = np.random.default_rng(3).integers(1, 30_000, SHAPE)
WHOLE[8:] = 65_535


def an_array(kind: str, store: Any) -> zarr.Array:
    """The array in one of the codings of releases; its last times were never written."""
    packing = None if kind == "lossless" else packing_of(VARIABLES["temperature"], "tight")
    codecs = browser_codecs() if kind == "browser" else archive_codecs(packing, len(SHAPE))
    if kind == "without differences":
        # As releases were packed at first.
        del codecs["filters"]
    return zarr.create_array(
        store,
        name="one",
        shape=SHAPE,
        chunks=(4, 2, 3, 5),
        shards=(4, 4, 9, 15),
        dtype="float32" if packing is None else packing.dtype,
        fill_value=65_535,
        **codecs,
    )


ARRAYS: dict[str, ShardedArray] = {}
for _kind in ("browser", "packed", "without differences", "lossless"):
    _array = an_array(_kind, MemoryStore())
    _array[:8] = WHOLE[:8].astype(_array.dtype)
    ARRAYS[_kind] = ShardedArray.of(_array)


def choices(size: int) -> st.SearchStrategy[Any]:
    """A number, a slice or a list of numbers along an axis."""
    number = st.integers(-size, size - 1)
    ends = st.tuples(st.integers(0, size), st.integers(0, size), st.integers(1, 3))
    return number | ends.map(lambda three: slice(*three)) | st.lists(number, max_size=5).map(np.array)


@settings(max_examples=60, deadline=None)
@given(st.sampled_from(sorted(ARRAYS)), st.tuples(*(choices(size) for size in SHAPE)))
def test_boxes_are_those_of_the_whole_array(kind: str, key: tuple[Any, ...]) -> None:
    key = tuple(part.astype(int) if isinstance(part, np.ndarray) else part for part in key)
    expected = WHOLE
    for axis, part in reversed(list(enumerate(key))):
        expected = expected[(slice(None),) * axis + (part,)]
    np.testing.assert_array_equal(ARRAYS[kind].box(key), expected)


@settings(max_examples=60, deadline=None)
@given(st.sampled_from(sorted(ARRAYS)), st.sets(st.integers(0, 3), min_size=1), st.integers(1, 40), st.data())
def test_points_are_those_of_the_whole_array(kind: str, axes: set[int], number: int, data: Any) -> None:
    draw = np.random.default_rng(data.draw(st.integers(0, 1000)))
    points = {axis: draw.integers(0, SHAPE[axis], number) for axis in sorted(axes)}
    ends = [sorted(data.draw(st.tuples(st.integers(0, size), st.integers(0, size)))) for size in SHAPE]
    some = {axis: slice(*pair) for axis, pair in enumerate(ends)}
    key = tuple(points.get(axis, some[axis]) for axis in range(4))
    kept = [axis for axis in range(4) if axis not in points]
    moved = np.moveaxis(WHOLE, sorted(points), range(len(points)))
    expected = moved[tuple(points.values())][(slice(None), *(some[axis] for axis in kept))]
    np.testing.assert_array_equal(ARRAYS[kind].points(key, points), expected)


class Counting(WrapperStore[LocalStore]):
    """A store that counts what is asked of it."""

    asked = 0

    async def get(self, *arguments: Any, **options: Any) -> Any:
        Counting.asked += 1
        return await super().get(*arguments, **options)


def test_an_index_is_fetched_once_and_neighbours_together(tmp_path: Path) -> None:
    array = an_array("packed", LocalStore(tmp_path / "one"))
    array[:8] = WHOLE[:8].astype(array.dtype)
    again = zarr.open_array(Counting(LocalStore(tmp_path / "one")), path="one", mode="r")
    sharded = ShardedArray.of(again)
    Counting.asked = 0
    sharded.box((0, slice(None), 2, 3))
    first = Counting.asked
    assert first == 4, "the index and the chunks of two shards"
    sharded.box((1, slice(None), 8, 9))
    assert Counting.asked == first + 2, "the indexes are known"


@pytest.mark.parametrize("copied", [copy.deepcopy, lambda one: pickle.loads(pickle.dumps(one))])
def test_it_can_be_copied_and_sent_to_another_process(tmp_path: Path, copied: Any) -> None:
    array = an_array("packed", LocalStore(tmp_path))
    array[:8] = WHOLE[:8].astype(array.dtype)
    sharded = ShardedArray.of(array)
    key = (slice(0, 4), 1, 2, 3)
    expected = sharded.box(key)
    np.testing.assert_array_equal(copied(sharded).box(key), expected)


def test_requests_join_what_lies_near_and_stay_small() -> None:
    piece = _Piece((0,), (0,), (0,))
    near = [(0, 10, piece), (12, 20, piece), (2**20, 2**20 + 5, piece)]
    assert [len(part) for part in _joined(near)] == [2, 1]
    long = [(k * 2**17, (k + 1) * 2**17, piece) for k in range(9)]
    assert [part[-1][1] - part[0][0] for part in _joined(long)] == [2**19, 2**19, 2**17]
    assert list(_joined([])) == []


@pytest.mark.parametrize("what", ["index", "chunk", "cut"])
@pytest.mark.parametrize("kind", ["packed", "lossless"])
def test_damage_is_an_error(tmp_path: Path, kind: str, what: str) -> None:
    array = an_array(kind, LocalStore(tmp_path))
    array[:4] = WHOLE[:4].astype(array.dtype)
    file = tmp_path / "one/c/0/0/0/0"
    content = bytearray(file.read_bytes())
    if what == "index":
        content[-20] ^= 1
    elif what == "chunk":
        content[100] ^= 1
    else:
        content = content[len(content) // 2 :]
    file.write_bytes(bytes(content))
    with pytest.raises((RuntimeError, ValueError, StoreError)):
        ShardedArray.of(zarr.open_array(tmp_path, path="one", mode="r")).box((slice(0, 4), *(slice(None),) * 3))


def test_other_codecs_are_refused() -> None:
    plain = zarr.create_array(MemoryStore(), name="one", shape=(4,), chunks=(2,), dtype="int16")
    with pytest.raises(StoreError, match="one is compressed in a way that this Kaiseki does not know"):
        ShardedArray.of(plain)
