"""What the analysis of precipitation takes and gives: gauges, radar fields and analyses.

Amounts are in mm (kg m-2) over the interval that *ends* at the time given. NaN is "not known": a gauge that did not
report, a cell that no radar sees. Zero is measured dryness, and never stands for the other.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from enum import IntFlag
from functools import cached_property

import numpy as np

from kaiseki.core.errors import InputError
from kaiseki.grid.regular import LatLonGrid, MapGrid

type RainGrid = LatLonGrid | MapGrid
"""The grid of a precipitation field; rows may run either way, as the axis says."""

HOUR = np.timedelta64(3600, "s")


class GaugeFlag(IntFlag):
    """Findings of the quality control of one value; any of them keeps the value out of an analysis."""

    RANGE = 1
    STEP = 2
    STUCK = 4
    NEIGHBOURS = 8
    TIME_SHIFT = 16
    OUTSIDE = 32
    DUPLICATE = 64
    WITHHELD = 128


@dataclass(frozen=True, eq=False, kw_only=True)
class Gauges:
    """Amounts of precipitation at n places over t intervals: gauges, or microwave links by their middle.

    Attributes:
        station: names, (n,).
        lat: latitude, (n,), degrees.
        lon: longitude, (n,), degrees.
        time: ends of the intervals, (t,), datetime64[s], UTC, rising.
        amount: (t, n), mm, NaN where not reported.
        period: length of the intervals.
        height: of the places above the sea, (n,), m, NaN where unknown.
        resolution: step of the amounts (content of a tipping bucket), (n,), mm, NaN where unknown.
        error: standard deviation of a value by the instrument, (n,), mm, NaN for the usual one.
        flags: GaugeFlag of each value, (t, n); none by default.
        source: where they are from, in words.

    Raises:
        InputError: shapes do not fit, times do not rise, or amounts are negative or infinite.
    """

    station: np.ndarray
    lat: np.ndarray
    lon: np.ndarray
    time: np.ndarray
    amount: np.ndarray
    period: np.timedelta64 = HOUR
    height: np.ndarray = field(default_factory=lambda: np.empty(0))
    resolution: np.ndarray = field(default_factory=lambda: np.empty(0))
    error: np.ndarray = field(default_factory=lambda: np.empty(0))
    flags: np.ndarray = field(default_factory=lambda: np.empty((0, 0), np.uint16))
    source: str = ""

    def __post_init__(self) -> None:
        n, t = np.size(self.station), np.size(self.time)
        _set(self, "station", np.asarray(self.station, dtype=str))
        _set(self, "time", _times(self.time))
        for name in ("lat", "lon"):
            _set(self, name, np.asarray(getattr(self, name), dtype=float))
        for name in ("height", "resolution", "error"):
            given = np.asarray(getattr(self, name), dtype=float)
            _set(self, name, np.full(n, np.nan) if given.size == 0 else given)
        _set(self, "amount", np.asarray(self.amount, dtype=np.float64))
        flags = np.asarray(self.flags, dtype=np.uint16)
        _set(self, "flags", np.zeros((t, n), np.uint16) if flags.size == 0 else flags)
        for name in ("station", "lat", "lon", "height", "resolution", "error"):
            if getattr(self, name).shape != (n,):
                raise InputError(f"{name} of gauges has shape {getattr(self, name).shape}; {n} stations are named")
        for name in ("amount", "flags"):
            if getattr(self, name).shape != (t, n):
                raise InputError(f"{name} of gauges has shape {getattr(self, name).shape}; expected {(t, n)}")
        if not (np.abs(self.lat) <= 90.0).all() or not np.isfinite(self.lon).all():
            raise InputError("Each gauge needs a latitude from -90 to 90 and a longitude; some have none")
        _amounts(self.amount, "gauges")

    @cached_property
    def usable(self) -> np.ndarray:
        """Whether each value (t, n) is reported and without flag."""
        return np.isfinite(self.amount) & (self.flags == 0)

    def at(self, time: np.datetime64) -> Gauges:
        """The interval that ends at a time; one of NaN if it is not there."""
        found = np.flatnonzero(self.time == np.datetime64(time, "s"))
        if found.size:
            part = slice(found[0], found[0] + 1)
            return replace(self, time=self.time[part], amount=self.amount[part], flags=self.flags[part])
        none = np.full((1, self.station.size), np.nan)
        return replace(self, time=np.array([time], "datetime64[s]"), amount=none, flags=np.zeros(none.shape, np.uint16))

    def some(self, chosen: np.ndarray) -> Gauges:
        """The stations chosen, by numbers or by a mask (n,)."""
        one = {name: getattr(self, name)[chosen] for name in ("station", "lat", "lon", "height", "resolution", "error")}
        return replace(self, amount=self.amount[:, chosen], flags=self.flags[:, chosen], **one)

    def flagged(self, mask: np.ndarray, flag: GaugeFlag) -> Gauges:
        """Gauges with a flag added where the mask (t, n) is true."""
        return replace(self, flags=self.flags | np.where(mask, np.uint16(flag), np.uint16(0)))


@dataclass(frozen=True, eq=False, kw_only=True)
class RadarRain:
    """Precipitation fields of a radar or of a composite over t intervals.

    Attributes:
        grid: of the fields, shape (ny, nx).
        time: ends of the intervals, (t,), datetime64[s], UTC, rising.
        amount: (t, ny, nx), mm, float32, NaN outside coverage.
        period: length of the intervals.
        quality: from 0 (useless) to 1, (ny, nx); all 1 by default.
        source: where they are from, in words.

    Raises:
        InputError: shapes do not fit, times do not rise, or amounts are negative or infinite.
    """

    grid: RainGrid
    time: np.ndarray
    amount: np.ndarray
    period: np.timedelta64 = HOUR
    quality: np.ndarray = field(default_factory=lambda: np.empty((0, 0)))
    source: str = ""

    def __post_init__(self) -> None:
        _set(self, "time", _times(self.time))
        _set(self, "amount", np.asarray(self.amount, dtype=np.float32))
        quality = np.asarray(self.quality, dtype=np.float32)
        _set(self, "quality", np.ones(self.grid.shape, np.float32) if quality.size == 0 else quality)
        expected = (self.time.size, *self.grid.shape)
        if self.amount.shape != expected:
            raise InputError(f"The radar field has shape {self.amount.shape}; its times and grid have {expected}")
        if self.quality.shape != self.grid.shape:
            raise InputError(f"The quality of a radar has shape {self.quality.shape}, its grid {self.grid.shape}")
        _amounts(self.amount, "the radar")

    def at(self, time: np.datetime64) -> RadarRain:
        """The interval that ends at a time; one of NaN if it is not there."""
        found = np.flatnonzero(self.time == np.datetime64(time, "s"))
        if found.size:
            part = slice(found[0], found[0] + 1)
            return replace(self, time=self.time[part], amount=self.amount[part])
        none = np.full((1, *self.grid.shape), np.nan, np.float32)
        return replace(self, time=np.array([time], "datetime64[s]"), amount=none)


class AnalysisFlag(IntFlag):
    """What an analysed cell rests on."""

    RADAR = 1
    GAUGES = 2
    BACKGROUND = 4
    GAP = 8


@dataclass(frozen=True, eq=False, kw_only=True)
class RainAnalysis:
    """Analysed precipitation of one hour, with its uncertainty; every field (ny, nx) is float32, NaN where unknown.

    Attributes:
        grid: of the fields.
        time: end of the hour, UTC.
        mean: expected amount, mm.
        quantiles: 10, 50 and 90 % of the amount, (3, ny, nx), mm.
        probability: of at least 0.5 mm, from 0 to 1.
        gauge_weight: share of the prior variance that gauges took away, from 0 to 1.
        flag: AnalysisFlag, (ny, nx), uint8.
        samples: equally likely fields, (m, ny, nx), mm; none by default.
    """

    grid: RainGrid
    time: np.datetime64
    mean: np.ndarray
    quantiles: np.ndarray
    probability: np.ndarray
    gauge_weight: np.ndarray
    flag: np.ndarray
    samples: np.ndarray = field(default_factory=lambda: np.empty((0, 0, 0), np.float32))


PROBABILITIES = (0.1, 0.5, 0.9)
"""Probabilities of the quantiles of an analysis."""
THRESHOLD = 0.5
"""Amount that the probability of an analysis means, mm."""


def fractional_index(grid: RainGrid, lat: np.ndarray, lon: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Row and column, fractional, of places on a grid with even axes; whole numbers are the centres of cells.

    Places beyond the edges get numbers below -0.5 or above size - 0.5.
    """
    if isinstance(grid, LatLonGrid):
        along_y, along_x = grid.lat, grid.lon
        first = grid.lon[0] - 0.5 * (grid.lon[1] - grid.lon[0])
        y, x = np.asarray(lat, float), first + np.mod(np.asarray(lon, float) - first, 360.0)
    else:
        along_y, along_x = grid.y, grid.x
        x, y = grid.projection.forward(np.asarray(lat, float), np.asarray(lon, float))
    return (
        (y - along_y[0]) * (along_y.size - 1) / (along_y[-1] - along_y[0]),
        (x - along_x[0]) * (along_x.size - 1) / (along_x[-1] - along_x[0]),
    )


def _set(one: object, name: str, value: object) -> None:
    object.__setattr__(one, name, value)


def _times(time: np.ndarray) -> np.ndarray:
    times = np.atleast_1d(np.asarray(time, dtype="datetime64[s]"))
    if times.ndim != 1 or np.isnat(times).any() or not (np.diff(times) > np.timedelta64(0, "s")).all():
        raise InputError("Times of precipitation must be one axis that rises; some are missing, equal or fall")
    return times


def _amounts(amount: np.ndarray, whose: str) -> None:
    if np.isinf(amount).any():
        raise InputError(f"Amounts of {whose} are infinite; give NaN where nothing is known")
    if (amount < 0.0).any():
        raise InputError(f"Amounts of {whose} are negative (down to {np.nanmin(amount):g} mm); give NaN where unknown")
