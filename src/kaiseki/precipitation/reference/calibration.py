"""Correction factors of radars, fitted to gauges and to each other, after Makihara (1996).

The factor by which a radar's amount is multiplied has two parameters: the sensitivity of the instrument and the change
of precipitation with the height of the beam. In logarithms,

    ln F_r(x) = s_r + v_r h_r(x),

with h_r the height of the beam of radar r in km. Least squares over all radars together fit ln F_r + ln R_r to the
logarithm of gauges, and the corrected amounts of two radars to each other wherever both see rain, so that radars over
the sea and radars without gauges are calibrated through their neighbours. Makihara fits every hour alone. Here the
parameters of consecutive hours may be tied by a stationary random walk, which uses later hours as well (`hold`).

Source: Y. Makihara, 1996: A method for improving radar estimates of precipitation by comparing data from radars and
raingauges. J. Meteor. Soc. Japan, 74, 459-480 (abstract; the two parameters, beam height, gauges and overlaps are
his, the weights and the logarithms ours).

Pairs are chosen by the geometric mean of both partners after correction. A bound on each of them would prefer radars
that err high where the radar is weak, and low gauges where it is strong, and so bias the factors towards one.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import combinations

import numpy as np
from scipy.linalg import cho_factor, cho_solve, solveh_banded

from kaiseki.core.errors import InputError
from kaiseki.precipitation.data import Gauges, RadarRain, fractional_index


@dataclass(frozen=True, kw_only=True)
class CalibrationSettings:
    """How the factors of radars are fitted.

    Attributes:
        least: smallest geometric mean of the partners of a pair, corrected, mm.
        detected: smallest amount of each of them, mm.
        gauge_error: standard deviation of ln(gauge / radar) at one gauge.
        overlap_error: standard deviation of ln(radar / radar) in one block of an overlap.
        block: width of the blocks of an overlap, cells; amounts are averaged in them.
        sensitivity_spread: prior standard deviation of the sensitivity s, natural logarithm.
        slope_spread: prior standard deviation of the slope v, km-1.
        freedom: degrees of freedom of Student's t distribution of the errors, which takes weight from wild pairs.
        hold: hours over which the parameters of a radar are correlated (exp(-lag / hold)); 0 leaves every hour alone.
    """

    least: float = 0.5
    detected: float = 0.02
    gauge_error: float = 0.6
    overlap_error: float = 0.6
    block: int = 10
    sensitivity_spread: float = 0.7
    slope_spread: float = 0.2
    freedom: float = 4.0
    hold: float = 0.0


@dataclass(frozen=True, eq=False)
class Calibration:
    """Factors of all radars at all hours.

    Attributes:
        sensitivity: s, (t, r), natural logarithm.
        slope: v, (t, r), km-1.
        gauges: gauges with rain that the radar sees, (t, r).
        overlaps: blocks in which another radar sees rain too, (t, r).
    """

    sensitivity: np.ndarray
    slope: np.ndarray
    gauges: np.ndarray
    overlaps: np.ndarray

    def factor(self, hour: int, radar: int, height: np.ndarray) -> np.ndarray:
        """Factor of a radar in an hour where its beam is so high (km), of the shape of the heights."""
        return np.exp(self.sensitivity[hour, radar] + self.slope[hour, radar] * np.asarray(height))


def calibrate(
    radars: Sequence[RadarRain],
    heights: Sequence[np.ndarray],
    gauges: Gauges,
    settings: CalibrationSettings | None = None,
) -> Calibration:
    """The factors of radars on one grid, hour by hour.

    Args:
        radars: accumulations over the same intervals on the same grid, NaN outside coverage.
        heights: of the beam of each radar, (ny, nx), km above the ground.
        gauges: of the same intervals; those with flags are left out, and so are intervals that they lack.
        settings: of the fit.

    Raises:
        InputError: radars with other times or grids, or heights of another shape.
    """
    settings = settings or CalibrationSettings()
    _check(radars, heights, gauges)
    heights = [np.asarray(height, float) for height in heights]
    times, count = radars[0].time, len(radars)
    pairs = [_pairs(radars, heights, gauges, hour, settings) for hour in range(times.size)]
    found = np.zeros((times.size, 2 * count))
    for _ in range(12):
        chosen = [one.wet(state, settings.least) for one, state in zip(pairs, found, strict=True)]
        normal = [one.normal(state, settings.freedom) for one, state in zip(chosen, found, strict=True)]
        found = _solve(normal, settings, count)
    number = np.array([[one.count(radar) for radar in range(count)] for one in chosen])
    return Calibration(found[:, 0::2], found[:, 1::2], number[..., 0], number[..., 1])


@dataclass(frozen=True, eq=False)
class _Pairs:
    """Pairs of an hour.

    Attributes:
        matrix: of the parameters in the difference of the partners, over its error, (n, 2 r).
        value: the difference before correction, over its error, (n,).
        half: matrix (n, 2 r) of the parameters in the logarithm of the mean.
        mean: logarithm (n,) of the geometric mean before correction, mm.
        overlap: whether both partners are radars, (n,).
    """

    matrix: np.ndarray
    value: np.ndarray
    half: np.ndarray
    mean: np.ndarray
    overlap: np.ndarray

    def wet(self, state: np.ndarray, least: float) -> _Pairs:
        """Pairs whose mean, corrected with these parameters (2 r,), is at least so many mm."""
        chosen = self.mean + self.half @ state >= np.log(least)
        return _Pairs(*(one[chosen] for one in (self.matrix, self.value, self.half, self.mean, self.overlap)))

    def normal(self, state: np.ndarray, freedom: float) -> tuple[np.ndarray, np.ndarray]:
        """Normal equations, with the weights that Student's t gives at these parameters (2 r,)."""
        weight = (freedom + 1.0) / (freedom + (self.value - self.matrix @ state) ** 2)
        return self.matrix.T @ (weight[:, None] * self.matrix), self.matrix.T @ (weight * self.value)

    def count(self, radar: int) -> tuple[int, int]:
        """Numbers of gauges and of blocks of overlaps that a radar has."""
        mine = self.matrix[:, 2 * radar] != 0.0
        return int(np.count_nonzero(mine & ~self.overlap)), int(np.count_nonzero(mine & self.overlap))


def _check(radars: Sequence[RadarRain], heights: Sequence[np.ndarray], gauges: Gauges) -> None:
    if not radars or len(radars) != len(heights):
        raise InputError(
            f"Calibration needs radars and as many fields of beam height; got {len(radars)}, {len(heights)}"
        )
    first = radars[0]
    for radar, height in zip(radars, heights, strict=True):
        same = radar.grid.shape == first.grid.shape and all(
            np.array_equal(a, b) for a, b in zip(radar.grid.points(), first.grid.points(), strict=True)
        )
        if not same or not np.array_equal(radar.time, first.time) or radar.period != first.period:
            raise InputError("The radars of a calibration must share one grid, the same times and the same interval")
        if np.shape(height) != first.grid.shape:
            raise InputError(f"A field of beam height has shape {np.shape(height)}; the radars have {first.grid.shape}")
    if gauges.period != first.period:
        raise InputError(f"The gauges measure over {gauges.period}, the radars over {first.period}")


def _pairs(
    radars: Sequence[RadarRain], heights: list[np.ndarray], gauges: Gauges, hour: int, settings: CalibrationSettings
) -> _Pairs:
    """All pairs of an hour."""
    found: list[_Pairs] = []

    def add(
        first: np.ndarray, second: np.ndarray, one: tuple[int, np.ndarray], two: tuple[int, np.ndarray] | None
    ) -> None:
        """Pairs of amounts (n,): `one` is radar and beam height of the second, `two` those of a radar as the first."""
        corrected, other = np.zeros((2, first.size, 2 * len(radars)))
        corrected[:, 2 * one[0]], corrected[:, 2 * one[0] + 1] = 1.0, one[1]
        if two is not None:
            other[:, 2 * two[0]], other[:, 2 * two[0] + 1] = 1.0, two[1]
        error = settings.gauge_error if two is None else settings.overlap_error
        difference, mean = np.log(first / second) / error, 0.5 * np.log(first * second)
        overlap = np.full(first.size, two is not None)
        found.append(_Pairs((corrected - other) / error, difference, 0.5 * (corrected + other), mean, overlap))

    now = gauges.at(radars[0].time[hour])
    row, column = (np.rint(one).astype(int) for one in fractional_index(radars[0].grid, gauges.lat, gauges.lon))
    ny, nx = radars[0].grid.shape
    good = now.usable[0] & (row >= 0) & (row < ny) & (column >= 0) & (column < nx)
    row, column, amount = row[good], column[good], now.amount[0][good]
    for number, (radar, height) in enumerate(zip(radars, heights, strict=True)):
        seen, beam = radar.amount[hour][row, column].astype(float), height[row, column]
        wet = (seen >= settings.detected) & (amount >= settings.detected) & np.isfinite(beam)
        add(amount[wet], seen[wet], (number, beam[wet]), None)
    coarse = [
        (_blocks(radar.amount[hour], settings.block), _blocks(height, settings.block))
        for radar, height in zip(radars, heights, strict=True)
    ]
    for one, two in combinations(range(len(radars)), 2):
        (rain, beam), (other, its) = coarse[one], coarse[two]
        wet = (rain >= settings.detected) & (other >= settings.detected) & np.isfinite(beam) & np.isfinite(its)
        add(other[wet], rain[wet], (one, beam[wet]), (two, its[wet]))
    return _Pairs(*(np.concatenate([getattr(one, name) for one in found]) for name in _Pairs.__annotations__))


def _blocks(values: np.ndarray, width: int) -> np.ndarray:
    """Means of square blocks, NaN where any cell is; what is left over at the end of a row or column is dropped."""
    ny, nx = (size // width for size in values.shape)
    cut = np.asarray(values[: ny * width, : nx * width], float).reshape(ny, width, nx, width)
    return np.asarray(cut.mean(axis=(1, 3)))


def _solve(normal: list[tuple[np.ndarray, np.ndarray]], settings: CalibrationSettings, count: int) -> np.ndarray:
    """Parameters (t, 2 r) of all hours: the prior of each, and the walk between them, if there is one."""
    spread = np.tile([settings.sensitivity_spread, settings.slope_spread], count)
    prior = np.diag(spread**-2.0)
    hours, size = len(normal), 2 * count
    if settings.hold <= 0.0 or hours == 1:
        return np.array([cho_solve(cho_factor(matrix + prior), value) for matrix, value in normal])
    # A stationary walk with memory exp(-1/hold): the marginal spread of each hour is that of the prior.
    memory = np.exp(-1.0 / settings.hold)
    inner = prior / (1.0 - memory**2)
    banded = np.zeros((2 * size, hours * size))
    for hour, (matrix, _) in enumerate(normal):
        ends = (hour == 0) + (hour == hours - 1)
        block = matrix + inner * (1.0 + memory**2 - ends * memory**2)
        for diagonal in range(size):
            first = hour * size
            banded[diagonal, first : first + size - diagonal] += np.diagonal(block, -diagonal)
        if hour < hours - 1:
            banded[size, hour * size : (hour + 1) * size] -= memory * np.diagonal(inner)
    value = np.concatenate([one for _, one in normal])
    return np.asarray(solveh_banded(banded, value, lower=True)).reshape(hours, size)
