"""Sums of short radar scans and of short gauge intervals over an hour.

A scan shows where rain is at one moment. Summed as they are, scans of moving rain leave a row of separate cells in the
hour; here the rain between two scans is moved along, from the earlier forward and from the later back.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from itertools import pairwise
from typing import Final

import numpy as np

from kaiseki.core.errors import ConfigError, InputError
from kaiseki.grid.regular import LatLonGrid
from kaiseki.precipitation.data import HOUR, Gauges, RadarRain, RainGrid
from kaiseki.precipitation.motion import Matching, displacement, moved

_DEGREE: Final = 111_195.0
"""Length of a degree of latitude, m."""
_SECOND = np.timedelta64(1, "s")


@dataclass(frozen=True, kw_only=True)
class Accumulation:
    """How scans are summed.

    Attributes:
        motion: move the rain between scans; plain sums otherwise.
        missing: largest share of the period without scans, of the whole or of a cell, that is made up for; beyond, the
            sum is NaN.
        instant: when in its interval a scan was taken, from 0 (start) to 1 (end).
        speed: largest speed of rain, m s-1.
        cells: largest displacement within one step between scans, cells.
        longest: number of scan intervals beyond which two scans are not matched.
        matching: of blocks.
    """

    motion: bool = True
    missing: float = 0.2
    instant: float = 0.5
    speed: float = 35.0
    cells: float = 1.0
    longest: int = 3
    matching: Matching = field(default_factory=Matching)

    def __post_init__(self) -> None:
        if not (0.0 <= self.missing < 1.0 and 0.0 <= self.instant <= 1.0 and self.speed > 0.0 and self.cells > 0.0):
            raise ConfigError("Sums of scans need 0 <= missing < 1, 0 <= instant <= 1, speed > 0 and cells > 0")


def accumulate(
    radar: RadarRain,
    period: np.timedelta64 = HOUR,
    ends: np.ndarray | None = None,
    settings: Accumulation | None = None,
) -> RadarRain:
    """Sums of radar scans over longer periods.

    Args:
        radar: amounts over the interval of each scan, mm.
        period: of the sums, a multiple of the interval of the scans.
        ends: of the periods; by default every multiple of the period, counted from midnight UTC, that scans reach into.
        settings: of motion, missing scans and time within the interval.

    Raises:
        InputError: the period is no multiple of the interval of the scans.
    """
    settings = settings or Accumulation()
    wanted = _ends(radar.time, radar.period, period, ends)
    sums = np.full((wanted.size, *radar.grid.shape), np.nan, np.float32)
    flows: dict[int, np.ndarray] = {}
    for number, end in enumerate(wanted):
        sums[number] = _sum(radar, (end - period, end), settings, flows)
        for old in [one for one in flows if radar.time[one] < end - 2 * radar.period]:
            del flows[old]
    return replace(radar, time=wanted, amount=sums, period=period)


def accumulate_gauges(
    gauges: Gauges, period: np.timedelta64 = HOUR, ends: np.ndarray | None = None, missing: float = 0.2
) -> Gauges:
    """Sums of gauges over longer periods; a flagged amount counts as missing.

    What is missing up to the share given is made up for by the mean of the rest; beyond it the sum is NaN. The error of
    an instrument is taken as lasting, so that it grows with the period.

    Args:
        gauges: amounts over short intervals.
        period: of the sums, a multiple of the interval.
        ends: of the periods; by default every multiple of the period, counted from midnight UTC, that data reach into.
        missing: largest share of intervals that may be missing.

    Raises:
        InputError: the period is no multiple of the interval.
    """
    if not 0.0 <= missing < 1.0:
        raise ConfigError(f"The share of missing intervals must be at least 0 and less than 1; got {missing:g}")
    wanted = _ends(gauges.time, gauges.period, period, ends)
    count = int(period / gauges.period)
    known = gauges.usable
    sums = np.full((wanted.size, gauges.station.size), np.nan)
    for number, end in enumerate(wanted):
        inside = (gauges.time > end - period) & (gauges.time <= end)
        there = known[inside].sum(axis=0)
        total = np.where(known[inside], gauges.amount[inside], 0.0).sum(axis=0)
        enough = (there > 0) & (there >= (1.0 - missing) * count - 1e-9)
        sums[number] = np.where(enough, total * count / np.maximum(there, 1), np.nan)
    return replace(
        gauges,
        time=wanted,
        amount=sums,
        period=period,
        error=gauges.error * count,
        flags=np.zeros(sums.shape, np.uint16),
    )


def _ends(time: np.ndarray, step: np.timedelta64, period: np.timedelta64, ends: np.ndarray | None) -> np.ndarray:
    if (period % step) != np.timedelta64(0, "s") or not period > np.timedelta64(0, "s"):
        raise InputError(f"Sums over {period} cannot be made of amounts over {step}; the period must be a multiple")
    if ends is not None:
        return np.atleast_1d(np.asarray(ends, "datetime64[s]"))
    length = int(period / _SECOND)
    first, last = (int((one - np.datetime64(0, "s")) / _SECOND) for one in (time[0] - step, time[-1]))
    return (np.arange(first // length + 1, -(-last // length) + 1) * length).astype("datetime64[s]")


def _sum(
    radar: RadarRain,
    span: tuple[np.datetime64, np.datetime64],
    settings: Accumulation,
    flows: dict[int, np.ndarray],
) -> np.ndarray:
    """The sum over one period, mm, NaN where too much is missing."""
    inside = np.flatnonzero((radar.time > span[0]) & (radar.time <= span[1]))
    expected = int((span[1] - span[0]) / radar.period)
    # What scans did not see at a cell counts as missing there, also where it is bridged from both sides.
    seen = np.isfinite(radar.amount[inside]).sum(axis=0) >= max((1.0 - settings.missing) * expected - 1e-9, 1.0)
    if not seen.any():
        return np.full(radar.grid.shape, np.nan, np.float32)
    total, known = np.zeros(radar.grid.shape), np.zeros(radar.grid.shape)
    if settings.motion:
        _add_moving(radar, span, settings, flows, (total, known))
    else:
        for number in inside:
            amount = radar.amount[number]
            there = np.isfinite(amount)
            total += np.where(there, amount, 0.0)
            known += there / expected
    enough = seen & (known >= 1.0 - settings.missing - 1e-9)
    return np.where(enough, total / np.maximum(known, 1e-9), np.nan)


def _add_moving(
    radar: RadarRain,
    span: tuple[np.datetime64, np.datetime64],
    settings: Accumulation,
    flows: dict[int, np.ndarray],
    sums: tuple[np.ndarray, np.ndarray],
) -> None:
    """Add amounts, mm, and the share of the period in which each cell is known."""
    step = radar.period / _SECOND
    taken = (radar.time - span[0]) / _SECOND - (1.0 - settings.instant) * step
    length = (span[1] - span[0]) / _SECOND
    near = np.flatnonzero((taken > -settings.longest * step) & (taken < length + settings.longest * step))
    used = [int(one) for one in near if np.isfinite(radar.amount[one]).any()]
    # Pieces of the period: between scans, and before the first and after the last as far as their own intervals reach.
    for one, other in pairwise(used):
        if taken[other] - taken[one] <= settings.longest * step + 0.5:
            piece = max(0.0, taken[one]), min(length, taken[other])
            if piece[1] > piece[0]:
                _add_piece(radar, (one, other), (taken[one], taken[other]), piece, (settings, flows, length, sums))
        else:
            _hold(radar, one, (taken[one], min(length, taken[one] + (1.0 - settings.instant) * step)), (length, sums))
            _hold(radar, other, (max(0.0, taken[other] - settings.instant * step), taken[other]), (length, sums))
    if not used:
        return
    first, last = used[0], used[-1]
    before = max(0.0, taken[first] - settings.instant * step), taken[first]
    after = taken[last], min(length, taken[last] + (1.0 - settings.instant) * step)
    if before[1] > before[0]:
        partner = used[1] if len(used) > 1 else None
        _extend(radar, (first, partner), taken, before, (settings, flows, length, sums))
    if after[1] > after[0]:
        partner = used[-2] if len(used) > 1 else None
        _extend(radar, (last, partner), taken, after, (settings, flows, length, sums))


type _Work = tuple[Accumulation, dict[int, np.ndarray], float, tuple[np.ndarray, np.ndarray]]
"""Settings, displacements by the number of the earlier scan, length of the period (s), and the sums."""


def _add_piece(
    radar: RadarRain, pair: tuple[int, int], taken: tuple[float, float], piece: tuple[float, float], work: _Work
) -> None:
    """Add the rain between two scans."""
    settings, flows, length, (total, known) = work
    flow = _flow(radar, pair, taken[1] - taken[0], settings, flows)
    first, second = (radar.amount[one] * (3600.0 / (radar.period / _SECOND)) for one in pair)
    share = (piece[1] - piece[0]) / (taken[1] - taken[0])
    steps = max(1, int(np.ceil(share * np.abs(flow).max() / settings.cells)))
    seconds = (piece[1] - piece[0]) / steps
    places = _touched(first, second, flow)
    _add_still(first, second, places, (piece, taken, length), (total, known))
    for number in range(steps):
        s = (piece[0] + (number + 0.5) * seconds - taken[0]) / (taken[1] - taken[0])
        early, late = moved(first, flow, s, places), moved(second, flow, s - 1.0, places)
        rate = np.where(
            np.isnan(early), late, np.where(np.isnan(late), early, (1.0 - s) * early + s * np.nan_to_num(late))
        )
        there = np.isfinite(rate)
        total.ravel()[places] += np.where(there, rate, 0.0) * (seconds / 3600.0)
        known.ravel()[places] += there * (seconds / length)


def _add_still(
    first: np.ndarray,
    second: np.ndarray,
    places: np.ndarray,
    clock: tuple[tuple[float, float], tuple[float, float], float],
    sums: tuple[np.ndarray, np.ndarray],
) -> None:
    """Count as known the dry cells that no rain comes to."""
    piece, _, length = clock
    dry = np.isfinite(first) | np.isfinite(second)
    dry.ravel()[places] = False
    sums[1][dry] += (piece[1] - piece[0]) / length


def _touched(first: np.ndarray, second: np.ndarray, flow: np.ndarray) -> np.ndarray:
    """Numbers of the cells that rain, or the edge of what is known, can reach."""
    from scipy.ndimage import maximum_filter

    active = (first > 0.0) | (second > 0.0)
    for scan in (first, second):
        unknown = np.isnan(scan)
        active[1:] |= unknown[1:] != unknown[:-1]
        active[:, 1:] |= unknown[:, 1:] != unknown[:, :-1]
    reach = int(np.ceil(np.abs(flow).max())) + 1
    return np.flatnonzero(maximum_filter(active, size=2 * reach + 1, mode="nearest"))


def _extend(
    radar: RadarRain, scans: tuple[int, int | None], taken: np.ndarray, piece: tuple[float, float], work: _Work
) -> None:
    """Add the rain before the first or after the last scan, moved as between it and its neighbour."""
    settings, flows, length, sums = work
    one, other = scans
    apart = 0.0 if other is None else taken[other] - taken[one]
    if other is None or abs(apart) > settings.longest * (radar.period / _SECOND) + 0.5:
        _hold(radar, one, piece, (length, sums))
        return
    pair, times = ((one, other), (taken[one], taken[other]))
    if apart < 0.0:
        pair, times = (other, one), (taken[other], taken[one])
    flow = _flow(radar, pair, abs(apart), settings, flows)
    rate = radar.amount[one] * (3600.0 / (radar.period / _SECOND))
    share = (piece[1] - piece[0]) / abs(apart)
    steps = max(1, int(np.ceil(share * np.abs(flow).max() / settings.cells)))
    seconds = (piece[1] - piece[0]) / steps
    places = _touched(rate, rate, flow)
    _add_still(rate, rate, places, (piece, times, length), sums)
    for number in range(steps):
        s = (piece[0] + (number + 0.5) * seconds - taken[one]) / abs(apart)
        found = moved(rate, flow, s, places)
        there = np.isfinite(found)
        sums[0].ravel()[places] += np.where(there, found, 0.0) * (seconds / 3600.0)
        sums[1].ravel()[places] += there * (seconds / length)


def _hold(
    radar: RadarRain, number: int, piece: tuple[float, float], work: tuple[float, tuple[np.ndarray, np.ndarray]]
) -> None:
    """Add the rain of one scan as it stands."""
    length, (total, known) = work
    seconds = min(length, piece[1]) - max(0.0, piece[0])
    if seconds <= 0.0:
        return
    amount = radar.amount[number]
    there = np.isfinite(amount)
    total += np.where(there, amount, 0.0) * (seconds / (radar.period / _SECOND))
    known += there * (seconds / length)


def _flow(
    radar: RadarRain, pair: tuple[int, int], seconds: float, settings: Accumulation, flows: dict[int, np.ndarray]
) -> np.ndarray:
    if pair[0] not in flows:
        per_hour = 3600.0 / (radar.period / _SECOND)
        reach = int(np.ceil(settings.speed * seconds / _cell(radar.grid)))
        matching = replace(settings.matching, reach=max(2, reach))
        flows[pair[0]] = displacement(radar.amount[pair[0]] * per_hour, radar.amount[pair[1]] * per_hour, matching)
    return flows[pair[0]]


def _cell(grid: RainGrid) -> float:
    """Smaller side of a cell in the middle of a grid, m."""
    if isinstance(grid, LatLonGrid):
        middle = np.cos(np.deg2rad(grid.lat[grid.lat.size // 2]))
        return float(_DEGREE * min(abs(grid.lat[1] - grid.lat[0]), abs(grid.lon[1] - grid.lon[0]) * middle))
    return float(min(abs(grid.x[1] - grid.x[0]), abs(grid.y[1] - grid.y[0])))
