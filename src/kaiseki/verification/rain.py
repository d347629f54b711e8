"""Verification of forecasts of precipitation against a gridded analysis, over boxes.

Amounts of several hours are averaged over boxes of equal area on both sides before a threshold is applied, so that a
forecast on a coarse grid and one on a fine grid are asked the same question; with 3 hours, boxes of 20 km and 10 mm it
is the measure by which regional reanalyses of Japan are compared. Counts of hits, misses, false alarms and correct
negatives give threat score, equitable threat score, frequency bias, probability of detection and false alarm ratio
(Wilks 2019, Statistical Methods in the Atmospheric Sciences, section 9.2.2); the fractions skill score compares shares
of neighbourhoods (Roberts and Lean 2008, Mon. Wea. Rev. 136, 78-97, equations 5 to 7). All are formed from sums over
the cases, never as means of scores of cases, and their intervals from draws of whole days.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy import ndimage

from kaiseki.core.constants import EARTH_RADIUS
from kaiseki.core.errors import InputError
from kaiseki.grid.projection import LambertConformal
from kaiseki.grid.regridding import Regridding, conservative
from kaiseki.grid.regular import LatLonGrid, MapGrid
from kaiseki.verification.bootstrap import DEFAULTS, Groups, interval

type Grid = LatLonGrid | MapGrid


@dataclass(frozen=True, kw_only=True)
class RainVerification:
    """What is asked of forecasts of precipitation.

    Attributes:
        hours: length of the sums.
        box: side of the boxes, m.
        thresholds: amounts, mm.
        neighbourhoods: sides of the squares of the fractions skill score, in boxes, odd.
        least_valid: part of a box that both sides must know.
    """

    hours: int = 3
    box: float = 20e3
    thresholds: tuple[float, ...] = (1.0, 5.0, 10.0, 20.0)
    neighbourhoods: tuple[int, ...] = (1, 3, 5)
    least_valid: float = 0.9

    def __post_init__(self) -> None:
        if self.hours < 1 or not self.box > 0.0 or not 0.0 <= self.least_valid < 1.0:
            raise InputError("Verification of rain needs sums of at least one hour, boxes with a side, a part below 1")
        if not self.thresholds or min(self.thresholds) <= 0.0:
            raise InputError(f"Thresholds of rain must be above 0 mm; got {self.thresholds}")
        if any(width < 1 or width % 2 == 0 for width in self.neighbourhoods):
            raise InputError(f"Neighbourhoods are odd numbers of boxes; got {self.neighbourhoods}")


@dataclass(frozen=True, eq=False)
class RainFields:
    """Amounts over consecutive intervals of whole hours on one grid.

    Attributes:
        grid: of the fields.
        time: ends of the intervals, (t,), datetime64[s], UTC, rising.
        amount: (t, ny, nx), mm, NaN where not known.
        hours: length of the intervals.
        start: initial time of a forecast, None for an analysis or an interpolation.
    """

    grid: Grid
    time: np.ndarray
    amount: np.ndarray
    hours: int = 1
    start: np.datetime64 | None = None

    def __post_init__(self) -> None:
        object.__setattr__(self, "time", np.atleast_1d(np.asarray(self.time, "datetime64[s]")))
        expected = (self.time.size, *self.grid.shape)
        if np.shape(self.amount) != expected:
            raise InputError(f"Fields of rain have shape {np.shape(self.amount)}; their times and grid have {expected}")
        if np.isinf(self.amount).any() or (np.asarray(self.amount) < 0.0).any():
            raise InputError("Amounts of rain are negative or infinite; give NaN where nothing is known")

    def sums(self, end: np.datetime64, hours: int) -> np.ndarray | None:
        """Amounts (ny, nx) over the hours before a time, None where an interval lacks or the lengths do not fit."""
        if hours % self.hours:
            return None
        step = np.timedelta64(3600 * self.hours, "s")
        wanted = np.datetime64(end, "s") - step * np.arange(hours // self.hours)
        index = np.searchsorted(self.time, wanted)
        inside = index < self.time.size
        if not inside.all() or not (self.time[index] == wanted).all():
            return None
        return np.asarray(np.sum(np.asarray(self.amount)[index], axis=0))


@dataclass(frozen=True, eq=False)
class Boxes:
    """Boxes on a map, and how fields of two grids are averaged over them."""

    grid: MapGrid
    forecast: Regridding
    analysis: Regridding

    @classmethod
    def over(cls, forecast: Grid, analysis: Grid, settings: RainVerification) -> Boxes:
        """Boxes that cover the grid of the forecast, on a Lambert map about its middle, true to 1 % within 1,500 km."""
        lat, lon = forecast.points()
        middle = float(0.5 * (lat.min() + lat.max()))
        eastward = np.mod(lon - lon.ravel()[0] + 180.0, 360.0)
        centre = float(0.5 * (eastward.min() + eastward.max()) + lon.ravel()[0] - 180.0)
        middle = middle if abs(middle) > 1.0 else 1.0
        half = min(0.3 * float(np.ptp(lat)), 0.5 * abs(middle))
        chart = LambertConformal(middle - half, middle + half, centre, EARTH_RADIUS)
        x, y = chart.forward(lat, lon)
        axes = [
            settings.box * (np.arange(np.floor(a.min() / settings.box), np.ceil(a.max() / settings.box)) + 0.5)
            for a in (x, y)
        ]
        if min(axis.size for axis in axes) < 2:
            raise InputError(f"The forecast covers less than two boxes of {settings.box / 1e3:g} km each way")
        grid = MapGrid(chart, axes[0], axes[1])
        return cls(grid, *(conservative(one, grid, settings.least_valid) for one in (forecast, analysis)))


@dataclass(frozen=True, eq=False)
class RainCounts:
    """What forecasts of some days add up to.

    Attributes:
        settings: what was asked.
        days: day of each case, (c,), datetime64[D], that of the end of the sum.
        lead: hours from the start of the forecast to the end of the sum, (c,), -1 for what is no forecast.
        counts: hits, misses, false alarms and correct negatives, (c, thresholds, 4).
        fractions: mean squared difference of the shares and the largest it can be, times the number of boxes,
            (c, thresholds, neighbourhoods, 2).
        amounts: boxes, forecast amount and analysed amount, sums, and sum of squared differences, (c, 4).
    """

    settings: RainVerification
    days: np.ndarray
    lead: np.ndarray
    counts: np.ndarray
    fractions: np.ndarray
    amounts: np.ndarray

    def chosen(self, mask: np.ndarray) -> RainCounts:
        """The cases of a mask (c,)."""
        parts = (one[mask] for one in (self.days, self.lead, self.counts, self.fractions, self.amounts))
        return RainCounts(self.settings, *parts)

    @staticmethod
    def pooled(parts: Sequence[RainCounts]) -> RainCounts:
        """All cases of several; they must have been asked the same."""
        if len({part.settings for part in parts}) != 1:
            raise InputError("Counts of rain that were asked different questions cannot be pooled")
        names = ("days", "lead", "counts", "fractions", "amounts")
        return RainCounts(
            parts[0].settings, *(np.concatenate([getattr(part, name) for part in parts]) for name in names)
        )

    def rows(self, samples: int = DEFAULTS.bootstrap_samples, seed: int = 1) -> list[dict[str, Any]]:
        """One row for each threshold: counts, scores and their 95 % intervals over days."""
        if self.days.size == 0:
            return []
        groups = Groups.draw(self.days, samples, seed)

        def drawn(values: np.ndarray) -> np.ndarray:
            total = np.array([np.bincount(groups.index, column, groups.number) for column in values.T])
            return np.asarray(groups.weights @ total.T)

        rows = []
        for number, threshold in enumerate(self.settings.thresholds):
            row: dict[str, Any] = {"threshold": threshold, "cases": int(self.days.size), "days": groups.number}
            counts = self.counts[:, number]
            row |= dict(
                zip(("hits", "misses", "false_alarms", "correct_negatives"), map(int, counts.sum(0)), strict=True)
            )
            found, spread = categorical(counts.sum(0)), categorical(drawn(counts))
            for name, value in found.items():
                row[name] = _number(value)
                row[f"{name}_interval"] = _interval(spread[name])
            for place, width in enumerate(self.settings.neighbourhoods):
                parts = self.fractions[:, number, place]
                row[f"fractions_skill_{width}"] = _number(skill(parts.sum(0)))
                row[f"fractions_skill_{width}_interval"] = _interval(skill(drawn(parts)))
            rows.append(row)
        return rows

    def mean_row(self) -> dict[str, Any]:
        """Mean amounts of both sides, mm, their ratio and the root mean square difference."""
        boxes, forecast, analysis, squares = self.amounts.sum(axis=0)
        if boxes == 0.0:
            return {"boxes": 0, "forecast": None, "analysis": None, "ratio": None, "rms": None}
        ratio = forecast / analysis if analysis > 0.0 else np.nan
        mean = {
            "forecast": forecast / boxes,
            "analysis": analysis / boxes,
            "ratio": ratio,
            "rms": np.sqrt(squares / boxes),
        }
        return {"boxes": int(boxes)} | {name: _number(value) for name, value in mean.items()}


def categorical(counts: np.ndarray) -> dict[str, np.ndarray]:
    """Scores from hits, misses, false alarms and correct negatives (..., 4); NaN where one has no meaning."""
    hits, misses, false, negatives = np.moveaxis(np.asarray(counts, float), -1, 0)
    with np.errstate(divide="ignore", invalid="ignore"):
        chance = (hits + misses) * (hits + false) / (hits + misses + false + negatives)
        scores = {
            "threat": hits / (hits + misses + false),
            "equitable_threat": (hits - chance) / (hits + misses + false - chance),
            "frequency_bias": (hits + false) / (hits + misses),
            "detection": hits / (hits + misses),
            "false_alarm_ratio": false / (hits + false),
        }
    return {name: np.asarray(value) for name, value in scores.items()}


def skill(parts: np.ndarray) -> np.ndarray:
    """Fractions skill score from the sums (..., 2) of squared differences and of the largest possible ones."""
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.asarray(1.0 - parts[..., 0] / parts[..., 1])


def verify_rain(
    forecasts: Iterable[RainFields], analysis: RainFields, settings: RainVerification | None = None
) -> RainCounts:
    """What forecasts (or hourly fields of any kind) make of the rain of an analysis.

    Every sum that ends at a whole multiple of its length after the start of a forecast (after 00 UTC for what is no
    forecast) and that both sides know is a case. Boxes that one side does not know are left out, on both.

    Args:
        forecasts: one after another; each may have a grid of its own.
        analysis: over hours that divide the sums.
        settings: what is asked.
    """
    settings = settings or RainVerification()
    made: dict[int, Boxes] = {}
    kept: list[Grid] = []
    cases: list[tuple[Any, ...]] = []
    for forecast in forecasts:
        if id(forecast.grid) not in made:
            made[id(forecast.grid)] = Boxes.over(forecast.grid, analysis.grid, settings)
            kept.append(forecast.grid)
        boxes = made[id(forecast.grid)]
        origin = np.datetime64(0, "s") if forecast.start is None else np.datetime64(forecast.start, "s")
        for end in forecast.time:
            since = int((end - origin) / np.timedelta64(3600, "s"))
            if since % settings.hours or (forecast.start is not None and since < settings.hours):
                continue
            ours, theirs = forecast.sums(end, settings.hours), analysis.sums(end, settings.hours)
            if ours is None or theirs is None:
                continue
            lead = -1 if forecast.start is None else since
            cases.append(
                (end.astype("datetime64[D]"), lead, *_case(boxes.forecast(ours), boxes.analysis(theirs), settings))
            )
    shape = (len(settings.thresholds), len(settings.neighbourhoods))
    if not cases:
        return RainCounts(
            settings,
            np.empty(0, "datetime64[D]"),
            np.empty(0, int),
            np.empty((0, shape[0], 4)),
            np.empty((0, *shape, 2)),
            np.empty((0, 4)),
        )
    return RainCounts(settings, *(np.array(column) for column in zip(*cases, strict=True)))


def _case(
    ours: np.ndarray, theirs: np.ndarray, settings: RainVerification
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Counts, fractions and amounts of one case on boxes (ny, nx)."""
    known = np.isfinite(ours) & np.isfinite(theirs)
    counts = np.zeros((len(settings.thresholds), 4))
    shares = np.zeros((len(settings.thresholds), len(settings.neighbourhoods), 2))
    for number, threshold in enumerate(settings.thresholds):
        said, seen = (known & (np.nan_to_num(field) >= threshold) for field in (ours, theirs))
        counts[number] = [
            np.count_nonzero(part) for part in (said & seen, seen & ~said, said & ~seen, known & ~said & ~seen)
        ]
        for place, width in enumerate(settings.neighbourhoods):
            shares[number, place] = fractions(said, seen, known, width)
    gap = (ours - theirs)[known]
    amounts = np.array([known.sum(), ours[known].sum(), theirs[known].sum(), np.sum(gap**2)])
    return counts, shares, amounts


def fractions(said: np.ndarray, seen: np.ndarray, known: np.ndarray, width: int) -> tuple[float, float]:
    """Sums of the fractions skill score: of the squared difference of shares, and of the shares squared.

    Args:
        said: where the forecast is at or above the threshold, (ny, nx).
        seen: where the analysis is.
        known: boxes that both know; the others count neither as dry nor as wet.
        width: side of the squares, boxes, odd.
    """
    if not known.any():
        return 0.0, 0.0
    size = ndimage.uniform_filter(known.astype(float), width, mode="constant")[known]
    one, two = (
        ndimage.uniform_filter(part.astype(float), width, mode="constant")[known] / size for part in (said, seen)
    )
    return float(np.sum((one - two) ** 2)), float(np.sum(one**2) + np.sum(two**2))


def _number(value: Any) -> float | None:
    return float(value) if np.isfinite(value) else None


def _interval(values: np.ndarray) -> list[float] | None:
    known = values[np.isfinite(values)]
    return list(interval(known)) if known.size else None


def side_by_side(given: Mapping[str, RainCounts | None], by: str = "all") -> list[dict[str, Any]]:
    """Rows of several sources of rain beside each other; one that is not at hand is named with no numbers.

    Args:
        given: counts by the name of the source, None where the source is absent.
        by: "all", or "year", "month", "lead": how the cases are divided.
    """
    rows: list[dict[str, Any]] = []
    for name, counts in given.items():
        if counts is None or counts.days.size == 0:
            rows.append({"source": name, "absent": True})
            continue
        labels = {
            "all": np.full(counts.days.size, "all"),
            "year": counts.days.astype("datetime64[Y]").astype(str),
            "month": counts.days.astype("datetime64[M]").astype(str),
            "lead": counts.lead.astype(str),
        }
        if by not in labels:
            raise InputError(f"Cases are divided by {', '.join(labels)}; not by {by!r}")
        for label in sorted(set(labels[by]), key=lambda one: (len(one), one)):
            part = counts.chosen(labels[by] == label)
            rows.extend({"source": name, by: label, "absent": False} | row for row in part.rows())
    return rows
