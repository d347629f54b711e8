"""A regular latitude-longitude raster of a static field: pixels are averages over their area, some without data."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from kaiseki.core.places import place_words

LAND_HEIGHTS = (-500.0, 9000.0)
"""Heights that land can have, m, from the shore of the Dead Sea (-440) to Mount Everest (8,849) with a margin."""
_POINTS = 1_000_000
"""Sub-pixels handled at once."""


@dataclass(frozen=True, eq=False)
class Raster:
    """Values (rows, columns), rows from south to north, columns from west to east; NaN or `missing` where none.

    `south` and `west` are the outer edges of the first row and column, `step_lat` and `step_lon` the size of a pixel,
    all in degrees. `name` is the file, for messages.
    """

    name: str
    south: float
    west: float
    step_lat: float
    step_lon: float
    values: np.ndarray
    missing: float | None = None

    @property
    def cyclic(self) -> bool:
        """Whether the columns go once around the Earth."""
        return bool(abs(self.values.shape[1] * self.step_lon - 360.0) < 0.5 * self.step_lon)

    def cut(self, south: float, north: float, west: float, east: float) -> Raster | None:
        """The part that covers a box and one pixel more, float64 with NaN; None if nothing of it lies there.

        Longitudes of the part continue through `west` to `east`, which may lie beyond +-180.
        """
        rows, columns = self.values.shape
        first = max(0, int(np.floor((south - self.south) / self.step_lat)) - 1)
        last = min(rows, int(np.ceil((north - self.south) / self.step_lat)) + 1)
        turn = 360.0 * np.floor((west - self.west) / 360.0)
        if not self.cyclic:
            width = columns * self.step_lon
            turn = max(
                (turn, turn + 360.0), key=lambda t: min(east, self.west + t + width) - max(west, self.west + float(t))
            )
        start = int(np.floor((west - self.west - turn) / self.step_lon)) - 1
        end = int(np.ceil((east - self.west - turn) / self.step_lon)) + 1
        # No column twice: what a box around the Earth needs more is there already.
        start, end = (start, min(end, start + columns)) if self.cyclic else (max(start, 0), min(end, columns))
        if last <= first or end <= start:
            return None
        values = self.values[first:last][:, np.mod(np.arange(start, end), columns)].astype(float)
        if self.missing is not None:
            values[values == self.missing] = np.nan
        return Raster(
            self.name,
            self.south + first * self.step_lat,
            self.west + turn + start * self.step_lon,
            self.step_lat,
            self.step_lon,
            values,
        )

    def without(self, low: float, high: float) -> Raster:
        """Raster without the values outside a range; for rasters that `cut` gave."""
        inside = (self.values >= low) & (self.values <= high)
        return dataclasses.replace(self, values=np.where(inside, self.values, np.nan))

    def pixel_words(self, lat: float, lon: float) -> str:
        """The pixel in which a place (degrees) lies, in words: where its centre is and what it holds."""
        row, column = int((lat - self.south) / self.step_lat), int((lon - self.west) / self.step_lon)
        lat, lon = self.south + (row + 0.5) * self.step_lat, self.west + (column + 0.5) * self.step_lon
        return f"{self.values[row, column]:g} at the pixel {place_words(lat, lon, 4)}"

    def has_data(self, lat: np.ndarray, lon: np.ndarray) -> np.ndarray:
        """Whether there is data at latitudes (n,) and longitudes (m,) degrees; (n, m). For rasters that `cut` gave."""
        rows, columns = self.values.shape
        row = np.floor((lat - self.south) / self.step_lat).astype(int)
        column = np.floor((lon - self.west) / self.step_lon).astype(int)
        if self.cyclic:
            column %= columns
        found = np.isfinite(self.values[np.ix_(row.clip(0, rows - 1), column.clip(0, columns - 1))])
        found &= ((row >= 0) & (row < rows))[:, None]
        found &= ((column >= 0) & (column < columns))[None, :]
        return found

    def pieces(self, size: float) -> Iterator[tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]]:
        """Split every pixel evenly into pieces of at most `size` degrees of latitude.

        Within a pixel the field is linear with limited slopes and keeps the pixel's mean (second-order conservative
        remapping: Jones 1999, Mon. Wea. Rev. 127, 2204-2210; slopes: van Leer 1977, J. Comput. Phys. 23, 276-299, so
        that no piece leaves the range of its neighbours along the axes).

        Yields:
            latitude (n,), longitude (m,), solid angle (n,) of a piece in steradian, values (n, m), NaN without data.
        """
        rows, columns = self.values.shape
        middle = np.deg2rad(self.south + 0.5 * rows * self.step_lat)
        n = max(1, int(np.ceil(self.step_lat / size)))
        m = max(1, int(np.ceil(self.step_lon * np.cos(middle) / size)))
        slope_lat = _limited(self.values.T).T if n > 1 else np.zeros(1)
        slope_lon = _limited(self.values) if m > 1 else np.zeros(1)
        offset_lon = np.tile((np.arange(m) + 0.5) / m - 0.5, columns)
        lon = self.west + (np.arange(columns * m) + 0.5) * self.step_lon / m
        block = max(1, _POINTS // (n * m * columns))
        for first in range(0, rows, block):
            chosen = slice(first, min(first + block, rows))
            count = chosen.stop - first
            edges = np.deg2rad(self.south + (first + np.arange(count * n + 1) / n) * self.step_lat).clip(
                -np.pi / 2, np.pi / 2
            )
            angle = np.diff(np.sin(edges)) * np.deg2rad(self.step_lon / m)
            # Offsets from the pixel's centre of area, so that the linear part has no mean.
            offset_lat = np.tile((np.arange(n) + 0.5) / n - 0.5, (count, 1))
            weight = angle.reshape(count, n)
            offset_lat -= ((offset_lat * weight).sum(1) / weight.sum(1))[:, None]
            values = np.repeat(np.repeat(self.values[chosen], n, axis=0), m, axis=1)
            if n > 1:
                slope = np.repeat(np.repeat(slope_lat[chosen], n, axis=0), m, axis=1)
                values += slope * offset_lat.ravel()[:, None]
            if m > 1:
                values += np.repeat(np.repeat(slope_lon[chosen], n, axis=0), m, axis=1) * offset_lon
            lat = self.south + (first + (np.arange(count * n) + 0.5) / n) * self.step_lat
            yield lat, lon, angle, values


def _limited(values: np.ndarray) -> np.ndarray:
    """Van Leer's harmonic mean of the differences along the last axis; zero at extremes, edges and beside gaps."""
    slope = np.zeros_like(values)
    step = np.diff(values, axis=-1)
    left, right = step[..., :-1], step[..., 1:]
    product = left * right
    with np.errstate(invalid="ignore"):
        rising = product > 0
    inner = slope[..., 1:-1]
    inner[rising] = 2.0 * product[rising] / (left + right)[rising]
    return slope


def water(mask: Raster, better: Sequence[Raster] = ()) -> Raster:
    """Height zero where a land mask says that all is water and no better mask has data; no data elsewhere.

    All of them are what `Raster.cut` gave.
    """
    rows, columns = mask.values.shape
    lat = mask.south + (np.arange(rows) + 0.5) * mask.step_lat
    lon = mask.west + (np.arange(columns) + 0.5) * mask.step_lon
    sea = mask.values == 0.0
    for other in better:
        sea &= ~other.has_data(lat, lon)
    return dataclasses.replace(mask, values=np.where(sea, 0.0, np.nan))
