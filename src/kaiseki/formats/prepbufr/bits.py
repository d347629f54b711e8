"""Unsigned integers of any width at any bit position, many at a time."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

WINDOW_BYTES = 8
WIDEST = 57
"""Widest number that lies within 64 bits wherever in its first byte it starts."""

HALF = 32


class BitBuffer:
    """A byte string seen as bits, the most significant bit of each byte first."""

    def __init__(self, content: bytes) -> None:
        padded = np.frombuffer(content + bytes(2 * WINDOW_BYTES), dtype=np.uint8)
        self.bits = 8 * len(content)
        # An overlapping view: entry i holds bytes i to i + 7, so that no copy eight times the file is made.
        self._windows = np.ndarray((padded.size - WINDOW_BYTES,), dtype=">u8", buffer=padded, strides=(1,))

    def unsigned(self, position: NDArray[np.int64], width: NDArray[np.int64] | int) -> NDArray[np.uint64]:
        """Numbers of `width` bits (1 to 64, broadcast against `position`) that start at bit `position`.

        The caller makes sure that they lie within the buffer.
        """
        if (width if isinstance(width, int) else int(width.max(initial=1))) > WIDEST:
            low = np.atleast_1d(np.minimum(width, HALF))
            rest = np.atleast_1d(np.asarray(width, dtype=np.int64)) - low
            high = np.where(rest > 0, self.unsigned(position, np.maximum(rest, 1)), np.uint64(0))
            return (high << low.astype(np.uint64)) | self.unsigned(position + rest, low)
        word = self._windows[position >> 3].astype(np.uint64)
        word <<= (position & 7).astype(np.uint64)
        word >>= np.asarray(64 - np.asarray(width), dtype=np.uint64)
        return word
