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
        values = np.array(differences)
        for axis in reversed(self.axes):
            # Sums over few long rows are faster so than by cumsum.
            along = np.moveaxis(values, axis, 0)
            for index in range(1, along.shape[0]):
                along[index] += along[index - 1]
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
