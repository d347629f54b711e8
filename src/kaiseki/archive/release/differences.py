"""Codec of Zarr that keeps differences along axes instead of values: integers near zero, which take fewer bits.

Encoding replaces, along each of its axes in turn, every integer but the first by its difference from the one before, in
the arithmetic of its type (modulo 2 to the number of its bits, so that nothing is lost); decoding sums up. In the
metadata of an array it is {"name": "kaiseki.differences", "configuration": {"axes": [0, 1]}}.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, Self

import numpy as np
from zarr.abc.codec import ArrayArrayCodec
from zarr.registry import register_codec

if TYPE_CHECKING:
    from zarr.core.array_spec import ArraySpec
    from zarr.core.buffer import NDBuffer

NAME: Final = "kaiseki.differences"

_SHORT_ROW: Final = 1000
"""Number of values below which a call of NumPy for each row of a sum takes longer than one for all."""


@dataclass(frozen=True)
class Differences(ArrayArrayCodec):
    """Differences along axes of a chunk.

    Attributes:
        axes: along which, in the order of encoding.
    """

    axes: tuple[int, ...]
    is_fixed_size = True

    def __init__(self, *, axes: Iterable[int]) -> None:
        object.__setattr__(self, "axes", tuple(int(axis) for axis in axes))

    @classmethod
    def from_dict(cls, data: dict[str, Any]) -> Self:
        """The codec of its metadata."""
        return cls(**data["configuration"])

    def to_dict(self) -> dict[str, Any]:
        """Metadata of the codec."""
        return {"name": NAME, "configuration": {"axes": list(self.axes)}}

    def validate(self, *, shape: tuple[int, ...], dtype: Any, chunk_grid: Any) -> None:
        """Refuse arrays that have no such axes or are no integers.

        Raises:
            ValueError: either.
        """
        if any(not 0 <= axis < len(shape) for axis in self.axes):
            raise ValueError(f"{NAME} has the axes {self.axes}, and the array has {len(shape)}")
        if np.dtype(dtype.to_native_dtype()).kind not in "iu":
            raise ValueError(f"{NAME} is for integers only")

    def _encode_sync(self, chunk_array: NDBuffer, _chunk_spec: ArraySpec) -> NDBuffer:
        values = np.array(chunk_array.as_numpy_array())
        for axis in self.axes:
            along = np.moveaxis(values, axis, 0)
            along[1:] -= along[:-1].copy()
        return chunk_array.__class__.from_ndarray_like(values)

    def summed(self, differences: np.ndarray) -> np.ndarray:
        """The values of a chunk from its differences, in the shape of the chunk."""
        return self.summed_box(differences, tuple(slice(0, size) for size in differences.shape))

    def needed(self, box: tuple[slice, ...]) -> tuple[slice, ...]:
        """The box of differences that the values of a box need: from the first on along the axes of differences."""
        return tuple(slice(0, part.stop) if axis in self.axes else part for axis, part in enumerate(box))

    def summed_box(self, differences: np.ndarray, box: tuple[slice, ...]) -> np.ndarray:
        """The values of a box of a chunk.

        Sums along different axes may be made in any order. The first of an axis are added up without being kept, so
        that what is left for the next axis is small.

        Args:
            differences: of the box that `needed` gives.
            box: stretches along the axes, none empty.
        """
        values = differences
        for axis in self.axes:
            start, stop = box[axis].start, box[axis].stop
            if stop == start + 1:
                values = np.add.reduce(values, axis=axis, dtype=values.dtype, keepdims=True)
                continue
            along = np.moveaxis(values, axis, 0)
            sums = np.empty_like(along[start:stop])
            np.add.reduce(along[: start + 1], axis=0, dtype=sums.dtype, out=sums[0])
            if along[0].size < _SHORT_ROW:
                sums[1:] = along[start + 1 : stop]
                np.add.accumulate(sums, axis=0, dtype=sums.dtype, out=sums)
            else:
                for index in range(1, stop - start):
                    np.add(sums[index - 1], along[start + index], out=sums[index])
            values = np.moveaxis(sums, 0, axis)
        return values

    def _decode_sync(self, chunk_array: NDBuffer, _chunk_spec: ArraySpec) -> NDBuffer:
        return chunk_array.__class__.from_ndarray_like(self.summed(chunk_array.as_numpy_array()))

    async def _encode_single(self, chunk_array: NDBuffer, chunk_spec: ArraySpec) -> NDBuffer:
        return self._encode_sync(chunk_array, chunk_spec)

    async def _decode_single(self, chunk_array: NDBuffer, chunk_spec: ArraySpec) -> NDBuffer:
        return self._decode_sync(chunk_array, chunk_spec)

    def compute_encoded_size(self, input_byte_length: int, _chunk_spec: ArraySpec) -> int:
        """Number of bytes of an encoded chunk: as many as before."""
        return input_byte_length


register_codec(NAME, Differences)
