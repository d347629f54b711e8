"""Motion of rain between two scans: blocks are matched by cross-correlation, doubtful ones take that of neighbours.

As in the tracking of radar echoes by correlation (Rinehart and Garvey 1978, Nature 273, 287-289), with a test against
outliers and a smooth field for the whole grid.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from kaiseki.core.errors import ConfigError


@dataclass(frozen=True, kw_only=True)
class Matching:
    """How blocks of two scans are matched.

    Attributes:
        block: side of a block, cells; blocks overlap by half.
        reach: largest displacement that is looked for, cells.
        wet: least share of a block's cells with rain.
        likeness: least correlation of two blocks.
        wettest: rain rate from which on all counts alike, mm h-1, so that a single core does not decide.
    """

    block: int = 48
    reach: int = 16
    wet: float = 0.02
    likeness: float = 0.5
    wettest: float = 20.0

    def __post_init__(self) -> None:
        if self.block < 8 or self.reach < 1:
            raise ConfigError(f"Blocks need 8 cells and a reach of 1; got {self.block} and {self.reach}")


def displacement(first: np.ndarray, second: np.ndarray, settings: Matching | None = None) -> np.ndarray:
    """Displacement (2, ny, nx) of rain from one scan to the next, cells along rows and columns.

    Without enough rain to match it is zero.

    Args:
        first: rain rate (ny, nx), mm h-1, NaN where not known.
        second: rain rate of the next scan.
        settings: of the matching.
    """
    settings = settings or Matching()
    one, other = (_contrast(field, settings.wettest) for field in (first, second))
    ny, nx = one.shape
    block = min(settings.block, ny, nx)
    reach = min(settings.reach, max(1, min(ny, nx) // 4))
    inner = one[reach:-reach, reach:-reach]
    whole, alike = _match(inner[None], other[None])
    field = np.zeros((2, ny, nx))
    if not alike[0] > 0.0:
        return field
    field += whole[0][:, None, None]
    rows, columns = _starts(ny, block), _starts(nx, block)
    tiles = [(row, column) for row in rows for column in columns]
    # Blocks are looked for about where the first scan has gone as a whole.
    shift = np.rint(whole[0]).astype(int)
    around = min(reach, block // 2)
    margin = around + int(np.abs(shift).max())
    wide = np.pad(other, margin)
    first = np.stack([one[r : r + block, c : c + block] for r, c in tiles])
    down, right = shift + margin - around
    size = block + 2 * around
    second = np.stack([wide[r + down : r + down + size, c + right : c + right + size] for r, c in tiles])
    enough = np.minimum((first > 0.0).mean(axis=(1, 2)), (second > 0.0).mean(axis=(1, 2))) >= settings.wet
    if not enough.any():
        return field
    vectors, alike = _match(first[enough], second[enough])
    good = np.zeros(len(tiles))
    found = np.zeros((len(tiles), 2))
    good[enough] = np.where(alike >= settings.likeness, alike, 0.0)
    found[enough] = vectors + shift
    shape = len(rows), len(columns)
    vectors, weight = found.reshape(*shape, 2), good.reshape(shape)
    weight = _without_outliers(vectors, weight)
    smooth = _smooth(vectors, weight, whole[0])
    centres = rows + 0.5 * (block - 1), columns + 0.5 * (block - 1)
    return _interpolated(smooth, centres, (ny, nx))


def _contrast(field: np.ndarray, wettest: float) -> np.ndarray:
    """Rain as it is matched: the logarithm, without what is not known."""
    return np.log1p(np.clip(np.nan_to_num(field, nan=0.0), 0.0, wettest) / 0.1)


def _starts(size: int, block: int) -> np.ndarray:
    count = max(1, int(np.ceil(2.0 * (size - block) / block)) + 1)
    return np.unique(np.rint(np.linspace(0, size - block, count)).astype(int))


def _match(first: np.ndarray, second: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Displacements (m, 2) of blocks (m, ny, nx) within wider ones about the same centres, and the correlations (m,)
    there, 0 where nothing varies."""
    (ny, nx), wide = first.shape[1:], second.shape[1:]
    template = first - first.mean(axis=(1, 2), keepdims=True)
    second = second - second.mean(axis=(1, 2), keepdims=True)
    spectrum = np.conj(np.fft.rfft2(template, wide)) * np.fft.rfft2(second, wide)
    reach = (wide[0] - ny) // 2
    near = np.fft.irfft2(spectrum, wide)[:, : 2 * reach + 1, : 2 * reach + 1]
    part = _box(second**2, (ny, nx)) - _box(second, (ny, nx)) ** 2 / (ny * nx)
    norm = np.sqrt(np.maximum((template**2).sum(axis=(1, 2))[:, None, None] * part, 0.0))
    near = np.divide(near, norm, out=np.zeros_like(near), where=norm > 1e-6 * ny * nx)
    best = near.reshape(len(near), -1).argmax(axis=1)
    row, column = np.unravel_index(best, near.shape[1:])
    number = np.arange(len(near))
    peak = near[number, row, column]
    inner = (row > 0) & (row < 2 * reach) & (column > 0) & (column < 2 * reach)
    vectors = np.stack([row - reach, column - reach], axis=1).astype(float)
    for axis, (up, down) in enumerate((((1, 0), (-1, 0)), ((0, 1), (0, -1)))):
        right = near[number, (row + up[0]) % near.shape[1], (column + up[1]) % near.shape[2]]
        left = near[number, (row + down[0]) % near.shape[1], (column + down[1]) % near.shape[2]]
        bend = left - 2.0 * peak + right
        part = np.where(np.abs(bend) > 1e-12, 0.5 * (left - right) / np.where(bend == 0.0, 1.0, bend), 0.0)
        vectors[:, axis] += np.where(inner, np.clip(part, -0.5, 0.5), 0.0)
    # A maximum on the edge of what is looked for is none.
    return vectors, np.where(inner, peak, 0.0)


def _box(values: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    """Sums over all boxes of a size within each block."""
    total = np.pad(values, ((0, 0), (1, 0), (1, 0))).cumsum(axis=1).cumsum(axis=2)
    ny, nx = size
    return np.asarray(total[:, ny:, nx:] - total[:, :-ny, nx:] - total[:, ny:, :-nx] + total[:, :-ny, :-nx])


def _without_outliers(vectors: np.ndarray, weight: np.ndarray) -> np.ndarray:
    """Weights, zero where a vector differs by more than two cells from the median of its neighbours that count."""
    kept = np.array(weight)
    for row, column in np.argwhere(weight > 0.0):
        near = slice(max(0, row - 2), row + 3), slice(max(0, column - 2), column + 3)
        counts = weight[near] > 0.0
        if counts.sum() >= 4:
            median = np.median(vectors[near][counts], axis=0)
            if np.abs(vectors[row, column] - median).max() > 2.0:
                kept[row, column] = 0.0
    return kept


def _smooth(vectors: np.ndarray, weight: np.ndarray, fallback: np.ndarray) -> np.ndarray:
    """Smooth vectors at every block: weighted means over neighbours, or the motion of the whole."""
    from scipy.ndimage import gaussian_filter

    base = 1e-3
    total = gaussian_filter(weight, 1.0, mode="nearest") + base
    parts = [
        (gaussian_filter(weight * vectors[..., axis], 1.0, mode="nearest") + base * fallback[axis]) / total
        for axis in (0, 1)
    ]
    return np.stack(parts)


def _interpolated(vectors: np.ndarray, centres: tuple[np.ndarray, np.ndarray], shape: tuple[int, int]) -> np.ndarray:
    """Vectors (2, ny, nx) between the centres of blocks, constant beyond the outermost."""
    for axis, (places, size) in enumerate(zip(centres, shape, strict=True), start=1):
        if places.size == 1:
            vectors = np.repeat(vectors, size, axis=axis)
            continue
        at = np.clip(np.interp(np.arange(size), places, np.arange(places.size)), 0.0, places.size - 1.0)
        low = np.minimum(at.astype(int), places.size - 2)
        part = (at - low).reshape([-1 if one == axis else 1 for one in range(3)])
        vectors = (1.0 - part) * vectors.take(low, axis) + part * vectors.take(low + 1, axis)
    return vectors


def moved(field: np.ndarray, vectors: np.ndarray, share: float, places: np.ndarray) -> np.ndarray:
    """Values that a field has after a share of its displacement, at some cells; NaN where its origin is not known.

    Args:
        field: (ny, nx).
        vectors: displacement (2, ny, nx), cells.
        share: of the displacement; negative goes back.
        places: numbers of the cells in the flat field, (n,).
    """
    ny, nx = field.shape
    row, column = np.divmod(places, nx)
    r = row - share * vectors[0].ravel()[places]
    c = column - share * vectors[1].ravel()[places]
    low_r, low_c = np.floor(r).astype(np.int64), np.floor(c).astype(np.int64)
    part_r, part_c = r - low_r, c - low_c
    value, weight = np.zeros(places.size), np.zeros(places.size)
    for step_r, w_r in ((0, 1.0 - part_r), (1, part_r)):
        for step_c, w_c in ((0, 1.0 - part_c), (1, part_c)):
            at_r, at_c = low_r + step_r, low_c + step_c
            inside = (at_r >= 0) & (at_r < ny) & (at_c >= 0) & (at_c < nx)
            corner = field[np.clip(at_r, 0, ny - 1), np.clip(at_c, 0, nx - 1)]
            known = inside & np.isfinite(corner)
            value += np.where(known, corner * w_r * w_c, 0.0)
            weight += np.where(known, w_r * w_c, 0.0)
    return np.where(weight > 0.5, value / np.maximum(weight, 1e-9), np.nan)
