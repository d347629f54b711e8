"""Clocks of gauges: the lag at which a gauge agrees best with its neighbours, or with a radar."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from kaiseki.core.errors import ConfigError
from kaiseki.precipitation.data import Gauges, RadarRain
from kaiseki.precipitation.quality.places import around, at_gauges, neighbours


@dataclass(frozen=True, kw_only=True)
class Timing:
    """Limits of the check of clocks.

    Attributes:
        lags: largest lag that is tried, number of intervals.
        wet: number of intervals with rain, at the gauge and around it, that are needed.
        likeness: least correlation at the best lag.
        gain: by how much it must be above that without lag, for `usual` intervals with rain; less for more.
        usual: number of intervals with rain that `gain` is for.
        neighbours: number of gauges compared with.
        reach: distance of the farthest, m.
    """

    lags: int = 12
    wet: int = 20
    likeness: float = 0.4
    gain: float = 0.08
    usual: int = 50
    neighbours: int = 6
    reach: float = 60e3

    def __post_init__(self) -> None:
        if self.lags < 1 or self.wet < 3:
            raise ConfigError(f"Lags need at least 1 interval and 3 with rain; got {self.lags} and {self.wet}")


def shifts(gauges: Gauges, radar: RadarRain | None = None, settings: Timing | None = None) -> np.ndarray:
    """Lag (n,) by which each gauge is late, number of intervals; 0 where nothing better is found, NaN where unknown.

    Times are taken as evenly spaced from the first to the last; those that lack count as not reported.

    Args:
        gauges: amounts over intervals.
        radar: fields over the same intervals; the neighbours where it is None.
        settings: limits.
    """
    settings = settings or Timing()
    step = gauges.period
    index = ((gauges.time - gauges.time[0]) / step).round().astype(int)
    even = np.full((index[-1] + 1, gauges.station.size), np.nan)
    even[index] = np.sqrt(np.where(gauges.usable, gauges.amount, np.nan))
    other = np.full(even.shape, np.nan)
    if radar is None:
        near = neighbours(gauges, settings.neighbours, settings.reach)
        for start in range(0, len(even), 1000):
            part = slice(start, start + 1000)
            values = around(even[part], near)
            known = np.isfinite(values)
            count = known.sum(axis=2)
            total = np.where(known, values, 0.0).sum(axis=2)
            other[part] = np.where(count >= 2, total / np.maximum(count, 1), np.nan)
    else:
        other[index] = np.sqrt(at_gauges(radar, gauges))
    lags = np.arange(-settings.lags, settings.lags + 1)
    alike = np.stack([_correlation(even, other, int(lag), settings.wet) for lag in lags])
    plain = alike[settings.lags]
    best = np.where(np.isnan(alike), -np.inf, alike).argmax(axis=0)
    top = alike[best, np.arange(alike.shape[1])]
    # The difference of two correlations is known better from more rain.
    wet = np.minimum((np.nan_to_num(even) > 0.0).sum(axis=0), (np.nan_to_num(other) > 0.0).sum(axis=0))
    gain = settings.gain * np.sqrt(np.minimum(1.0, settings.usual / np.maximum(wet, 1)))
    late = (top >= settings.likeness) & (top - np.nan_to_num(plain) >= gain)
    return np.where(np.isnan(top), np.nan, np.where(late, lags[best], 0.0))


def _correlation(value: np.ndarray, other: np.ndarray, lag: int, least: int) -> np.ndarray:
    """Correlation (n,) of a series with another one `lag` intervals earlier, NaN where too little rain."""
    if abs(lag) >= len(value):
        return np.full(value.shape[1], np.nan)
    a = value[max(0, lag) : len(value) + min(0, lag)]
    b = other[max(0, -lag) : len(other) + min(0, -lag)]
    known = np.isfinite(a) & np.isfinite(b)
    count = known.sum(axis=0)
    mean_a, mean_b = (np.where(known, one, 0.0).sum(axis=0) / np.maximum(count, 1) for one in (a, b))
    from_a, from_b = np.where(known, a - mean_a, 0.0), np.where(known, b - mean_b, 0.0)
    norm = np.sqrt((from_a**2).sum(axis=0) * (from_b**2).sum(axis=0))
    wet = np.minimum((np.nan_to_num(a) > 0.0).sum(axis=0), (np.nan_to_num(b) > 0.0).sum(axis=0))
    found = np.divide((from_a * from_b).sum(axis=0), norm, out=np.full(norm.shape, np.nan), where=norm > 0.0)
    return np.where(wet >= least, found, np.nan)
