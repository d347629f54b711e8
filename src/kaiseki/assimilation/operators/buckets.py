"""Sizes to which arrays of observations are padded, so that a new count compiles nothing."""

from __future__ import annotations

import numpy as np

SMALLEST: int = 256
"""Least size of a bucket."""

GROWTH: float = 1.25
"""Ratio of neighbouring sizes: at most a fifth of a large bucket is empty."""

MULTIPLE: int = 64
"""Sizes are multiples of this."""


def bucket(count: int) -> int:
    """The smallest size that holds `count` rows: 256, 320, 448, 576 ..."""
    size = SMALLEST
    while size < count:
        size = -(-int(size * GROWTH) // MULTIPLE) * MULTIPLE
    return size


def pad(values: np.ndarray, size: int) -> np.ndarray:
    """Rows (n, ...) followed by copies of the first one, (size, ...): padding that is as harmless as the data."""
    if not len(values):
        return np.zeros((size, *values.shape[1:]), dtype=values.dtype)
    return np.concatenate([values, np.repeat(values[:1], size - len(values), axis=0)])
