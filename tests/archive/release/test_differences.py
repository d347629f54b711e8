"""The codec of differences: could break by overflow, by another order of axes, by metadata that change."""

from __future__ import annotations

import json

import hypothesis.strategies as st
import numpy as np
import pytest
import zarr
from hypothesis import given
from hypothesis.extra.numpy import array_shapes, arrays

from kaiseki.archive.release.differences import Differences


def stored(values: np.ndarray, axes: tuple[int, ...]) -> tuple[zarr.Array, zarr.storage.MemoryStore]:
    store = zarr.storage.MemoryStore()
    array = zarr.create_array(
        store,
        shape=values.shape,
        chunks=values.shape,
        dtype=values.dtype,
        filters=[Differences(axes=axes)],
        compressors=None,
        fill_value=0,
    )
    array[...] = values
    return array, store


@given(st.data(), st.sampled_from(["int16", "uint16", "int32"]), array_shapes(min_dims=2, max_dims=4, max_side=5))
def test_all_integers_come_back(data: st.DataObject, dtype: str, shape: tuple[int, ...]) -> None:
    values = data.draw(arrays(dtype, shape))
    axes = tuple(data.draw(st.permutations(range(len(shape))))[: data.draw(st.integers(0, len(shape)))])
    array, _ = stored(values, axes)
    np.testing.assert_array_equal(array[...], values)


def test_what_is_stored_are_the_differences() -> None:
    values = np.random.default_rng(1).integers(-1000, 1000, (4, 3, 5)).astype(np.int32)
    _, store = stored(values, (0, 1))
    raw = next(value for key, value in store._store_dict.items() if not key.endswith("zarr.json"))
    found = np.frombuffer(raw.to_bytes(), np.int32).reshape(values.shape)
    expected = np.diff(np.diff(values, axis=0, prepend=0), axis=1, prepend=0)
    np.testing.assert_array_equal(found, expected)


def test_the_metadata_are_as_they_are_for_ever() -> None:
    array, store = stored(np.zeros((2, 2), np.int16), (0, 1))
    metadata = json.loads(store._store_dict["zarr.json"].to_bytes())
    assert metadata["codecs"][0] == {"name": "kaiseki.differences", "configuration": {"axes": [0, 1]}}
    assert Differences.from_dict(metadata["codecs"][0]) == Differences(axes=(0, 1))
    assert array.metadata.codecs[0] == Differences(axes=(0, 1))


@pytest.mark.parametrize(("dtype", "axes", "words"), [("float32", (0,), "integers"), ("int16", (2,), "axes")])
def test_what_it_cannot_do_is_refused(dtype: str, axes: tuple[int, ...], words: str) -> None:
    with pytest.raises(ValueError, match=words):
        stored(np.zeros((2, 2), dtype), axes)
