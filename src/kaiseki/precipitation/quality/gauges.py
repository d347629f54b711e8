"""Checks of rain gauges, one value at a time: range, step, stuck, neighbours; and of the whole gauge: its clock."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from kaiseki.core.errors import ConfigError
from kaiseki.precipitation.data import HOUR, GaugeFlag, Gauges, RadarRain
from kaiseki.precipitation.quality.places import around, at_gauges, neighbours
from kaiseki.precipitation.quality.timing import Timing, shifts

_BLOCK = 500
"""Times that are worked on at once."""


@dataclass(frozen=True, kw_only=True)
class Checks:
    """Limits of the checks of gauges; defaults are for hourly amounts of a network of 10 to 30 km.

    Attributes:
        most: largest amount in an hour, mm; over other periods it goes with the square root of their length.
        step: least height of a spike, mm: a value with little before, after and around it.
        spike: share of the spike that may be before, after or around it.
        repeated: least number of equal amounts one after the other, of an amount of at least `repeats`.
        repeats: amount from which equal ones are suspicious, mm.
        repeated_small: the number for smaller amounts.
        dry_periods: lengths over which a gauge that shows nothing is compared with its neighbours, number of intervals.
        dry_neighbours: amount that three of four neighbours must have over one of them, mm.
        neighbours: number of neighbours.
        reach: distance of the farthest neighbour, m.
        least: number of neighbours needed.
        tolerance: number of spreads by which a value may differ from what its neighbours let expect.
        outer: share of the neighbours at either end beyond which a value must lie.
        floor: least spread, of the square root of mm.
        blocked: amount that neighbours must have for a gauge without rain to be taken for blocked, mm.
        blocked_share: share of the neighbours that may have less.
        radar_tolerance: the number of spreads where a radar sees the place.
        timing: limits of the check of clocks; none by default.
    """

    most: float = 200.0
    step: float = 20.0
    spike: float = 0.15
    repeated: int = 4
    repeats: float = 2.0
    repeated_small: int = 12
    dry_periods: tuple[int, ...] = (72, 240)
    dry_neighbours: float = 10.0
    neighbours: int = 8
    reach: float = 60e3
    least: int = 4
    tolerance: float = 4.0
    outer: float = 0.15
    floor: float = 0.6
    blocked: float = 2.0
    blocked_share: float = 0.25
    radar_tolerance: float = 2.0
    timing: Timing | None = None

    def __post_init__(self) -> None:
        if self.least < 3 or self.neighbours < self.least or self.repeated < 2 or self.floor <= 0.0:
            raise ConfigError(
                "Checks of gauges need neighbours >= least >= 3, repeated >= 2 and floor > 0; got "
                f"{self.neighbours}, {self.least}, {self.repeated} and {self.floor:g}"
            )


def check(gauges: Gauges, radar: RadarRain | None = None, settings: Checks | None = None) -> Gauges:
    """Gauges with the flags of all checks; flags that are there stay, and flagged values judge no others.

    Args:
        gauges: amounts over intervals.
        radar: fields over the same intervals, which tell a shower over one gauge from a fault; none by default.
        settings: limits.
    """
    settings = settings or Checks()
    gauges = gauges.flagged(out_of_range(gauges, settings), GaugeFlag.RANGE)
    gauges = gauges.flagged(stuck(gauges, settings), GaugeFlag.STUCK)
    seen = None if radar is None else at_gauges(radar, gauges)
    gauges = gauges.flagged(spikes(gauges, seen, settings), GaugeFlag.STEP)
    gauges = gauges.flagged(unlike_neighbours(gauges, seen, settings), GaugeFlag.NEIGHBOURS)
    if settings.timing is not None:
        lag = shifts(gauges, radar, settings.timing)
        wrong = np.isfinite(lag) & (lag != 0.0)
        gauges = gauges.flagged(np.broadcast_to(wrong, gauges.amount.shape), GaugeFlag.TIME_SHIFT)
    return gauges


def out_of_range(gauges: Gauges, settings: Checks) -> np.ndarray:
    """Whether each amount (t, n) is more than falls anywhere."""
    limit = settings.most * float(np.sqrt(gauges.period / HOUR))
    return np.asarray(np.nan_to_num(gauges.amount) > limit)


def stuck(gauges: Gauges, settings: Checks) -> np.ndarray:
    """Whether each amount (t, n) is one of a row of equal ones, or of a drought that the neighbours do not have."""
    amount = gauges.amount
    length = _runs(amount)
    wet = np.nan_to_num(amount) > 0.0
    same = wet & (
        ((length >= settings.repeated) & (np.nan_to_num(amount) >= settings.repeats))
        | (length >= settings.repeated_small)
    )
    return same | _silent(gauges, settings)


def _runs(amount: np.ndarray) -> np.ndarray:
    """Length of the row of equal values in which each value stands."""
    t = len(amount)
    begin = np.ones(amount.shape, bool)
    begin[1:] = amount[1:] != amount[:-1]
    number = np.arange(t)[:, None]
    first = np.maximum.accumulate(np.where(begin, number, 0), axis=0)
    end = np.ones(amount.shape, bool)
    end[:-1] = begin[1:]
    last = np.minimum.accumulate(np.where(end, number, t)[::-1], axis=0)[::-1]
    return np.asarray(last - first + 1)


def _silent(gauges: Gauges, settings: Checks) -> np.ndarray:
    """Whether a gauge shows nothing over a period in which its neighbours have rain."""
    found = np.zeros(gauges.amount.shape, bool)
    near = neighbours(gauges, settings.neighbours, settings.reach)
    for length in settings.dry_periods:
        if len(gauges.time) >= length:
            found |= _silent_over(gauges, near, length, settings)
    return found & (np.nan_to_num(gauges.amount, nan=1.0) == 0.0)


def _silent_over(gauges: Gauges, near: np.ndarray, length: int, settings: Checks) -> np.ndarray:
    """Whether each value lies in a window of one length in which its gauge alone shows nothing."""
    known = gauges.usable
    total = _windows(np.where(known, gauges.amount, 0.0), length)
    total[_windows(known.astype(float), length) < 0.8 * length] = np.nan
    silent = np.zeros(total.shape, bool)
    for start in range(0, len(total), _BLOCK):
        part = slice(start, start + _BLOCK)
        others = around(total[part], near)
        count = np.isfinite(others).sum(axis=2)
        lower = _quantile(np.sort(np.where(np.isfinite(others), others, np.inf), axis=2), count, 0.25)
        silent[part] = (count >= settings.least) & (lower >= settings.dry_neighbours) & (total[part] <= 0.0)
    steps = np.zeros((len(known) + 1, known.shape[1]))
    steps[: len(total)] += silent
    steps[length : length + len(total)] -= silent
    return np.asarray(np.cumsum(steps, axis=0)[:-1] > 0.5)


def _windows(values: np.ndarray, length: int) -> np.ndarray:
    """Sums over every window of a number of times, (t - length + 1, n)."""
    total = np.concatenate([np.zeros((1, values.shape[1])), np.cumsum(values, axis=0)])
    return np.asarray(np.round(total[length:] - total[:-length], 6))


def spikes(gauges: Gauges, seen: np.ndarray | None, settings: Checks) -> np.ndarray:
    """Whether each amount (t, n) stands out of what is before, after and around it, and of what a radar shows."""
    amount = np.where(gauges.usable, gauges.amount, np.nan)
    before, after = np.full(amount.shape, np.nan), np.full(amount.shape, np.nan)
    before[1:], after[:-1] = amount[:-1], amount[1:]
    beside = np.fmax(before, after)
    limit = np.maximum(amount * settings.spike, 1.0)
    high = (amount >= settings.step) & ~(beside > limit)
    if seen is not None:
        high &= ~(seen > limit)
    rows, columns = np.nonzero(high)
    near = neighbours(gauges, settings.neighbours, settings.reach)
    for row, column in zip(rows, columns, strict=True):
        index = near[column][near[column] >= 0]
        times = slice(max(0, row - 1), row + 2)
        others = amount[times, index]
        known = np.isfinite(others).any(axis=0).sum()
        alone = known >= settings.least and not (np.nan_to_num(others) > limit[row, column]).any()
        high[row, column] = alone or (seen is not None and np.isfinite(seen[row, column]))
    return np.asarray(high)


def unlike_neighbours(gauges: Gauges, seen: np.ndarray | None, settings: Checks) -> np.ndarray:
    """Whether each amount (t, n) differs from what neighbours, and the radar where it sees the place, let expect.

    Square roots are compared. The expectation is the median of the neighbours; with a radar that of their differences
    from it, added to what it shows at the place. A value among them never differs.
    """
    near = neighbours(gauges, settings.neighbours, settings.reach)
    root = np.sqrt(np.where(gauges.usable, gauges.amount, np.nan))
    radar = None if seen is None else np.sqrt(seen)
    wrong = np.zeros(root.shape, bool)
    for start in range(0, len(root), _BLOCK):
        part = slice(start, start + _BLOCK)
        plain = _unlike(root[part], around(root[part], near), settings.tolerance, settings)
        if radar is not None:
            difference = root[part] - radar[part]
            others = around(difference, near)
            judged = np.isfinite(difference) & (np.isfinite(others).sum(axis=2) >= settings.least)
            plain = np.where(judged, _unlike(difference, others, settings.radar_tolerance, settings), plain)
        wrong[part] = plain
    return wrong


def _unlike(value: np.ndarray, others: np.ndarray, tolerance: float, settings: Checks) -> np.ndarray:
    known = np.isfinite(others)
    count = known.sum(axis=2)
    ordered = np.sort(np.where(known, others, np.inf), axis=2)
    middle = _quantile(ordered, count, 0.5)
    spread = (_quantile(ordered, count, 0.84) - _quantile(ordered, count, 0.16)) * 0.5
    # The second from either end, so that one fault among the neighbours does not hide another.
    low = _quantile(ordered, count, settings.outer)
    high = _quantile(ordered, count, 1.0 - settings.outer)
    spread = np.maximum(np.maximum(spread, 0.25 * np.abs(middle)), settings.floor)
    apart = np.maximum(value - high, low - value)
    return np.asarray(
        (count >= settings.least) & (np.abs(value - middle) > tolerance * spread) & (apart > 0.5 * tolerance * spread)
        | (_blocked(value, _quantile(ordered, count, settings.blocked_share), settings) & (count >= settings.least))
    )


def _blocked(value: np.ndarray, low: np.ndarray, settings: Checks) -> np.ndarray:
    """Whether a gauge shows nothing where the driest of its neighbours is far from it."""
    return np.asarray((value == 0.0) & np.isfinite(low) & (low >= np.sqrt(settings.blocked)))


def _quantile(ordered: np.ndarray, count: np.ndarray, share: float) -> np.ndarray:
    """Quantile of the first values of ordered ones, NaN where there are none."""
    at = share * np.maximum(count - 1, 0)
    low = np.floor(at).astype(int)
    high = np.minimum(low + 1, np.maximum(count - 1, 0))
    first, second = (np.take_along_axis(ordered, one[..., None], axis=2)[..., 0] for one in (low, high))
    with np.errstate(invalid="ignore"):
        return np.where(count > 0, first + (at - low) * (second - first), np.nan)


def unflagged(gauges: Gauges) -> Gauges:
    """The gauges with flagged amounts as not reported."""
    return replace(gauges, amount=np.where(gauges.flags == 0, gauges.amount, np.nan))
