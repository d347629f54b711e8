"""Normals: which years, which calendar entries, and which times of a series belong to each of them.

29 February has its own entry where the period has leap years. In the other years its window is that of 28 February, so
that it rests on as many years as its neighbours. Windows take the days that follow each other in the calendar, 29
February included, and do not reach beyond the period.

Source: WMO-No. 1203, Guidelines on the calculation of climate normals (period, share of the years).
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, tzinfo

import numpy as np
import xarray as xr

from kaiseki.archive.products.time_cells import DATE, DAY, SECOND, SPANS, bounds_of, dates_of, offset_of, times_of
from kaiseki.core.errors import InputError

NORMAL_PERIOD = (1991, 2020)
"""First and last year of the current climatological standard normals of WMO."""


@dataclass(frozen=True, slots=True)
class Normals:
    """What a climatology is made of.

    Attributes:
        cycle: "day" (calendar days), "dekad" (thirds of a month), "month", "season" or "year" (all as one).
        years: first and last year; None takes the standard normals, if the data cover them. A winter is of the year of
            its January.
        window: length of the window centred on each calendar day, an odd number of days; for the cycle "day" alone.
        percentiles: per cent, from 0 to 100.
        completeness: least share of the values that the calendar asks for, per point; else the result is NaN. WMO-No.
            1203 asks for 80 per cent of the years.
        timezone: civil time by which instants, sums and means shorter than a day belong to their day; daily and longer
            statistics carry their own. "UTC", "JST", "+09:00", a name of the IANA database or a `tzinfo`.
    """

    cycle: str = "month"
    years: tuple[int, int] | None = None
    window: int = 1
    percentiles: tuple[float, ...] = (5.0, 10.0, 25.0, 50.0, 75.0, 90.0, 95.0)
    completeness: float = 0.8
    timezone: str | tzinfo = UTC

    def __post_init__(self) -> None:
        if self.cycle != "day" and self.cycle not in SPANS:
            raise InputError(f"A climatology has the cycle day, {', '.join(SPANS)}, not {self.cycle!r}")
        if self.window < 1 or self.window % 2 == 0 or self.window > 365:
            raise InputError(f"The window must be an odd number of days up to 365, not {self.window}")
        if self.window > 1 and self.cycle != "day":
            raise InputError("A window belongs to the cycle of calendar days (cycle='day')")
        if not 0.0 < self.completeness <= 1.0:
            raise InputError(f"The completeness asked for is a share above 0 and up to 1, not {self.completeness}")
        if not all(0.0 <= one <= 100.0 for one in self.percentiles):
            raise InputError(f"Percentiles lie between 0 and 100, not {self.percentiles}")
        if self.years is not None and self.years[0] > self.years[1]:
            raise InputError(f"The first year must not be after the last, as in {self.years}")


@dataclass(frozen=True, slots=True)
class Samples:
    """Times that belong to each entry of a climatology.

    Attributes:
        start: index of the first time that is needed; `members` count from it.
        stop: index after the last one.
        members: times of each entry.
        expected: number of times that the calendar asks for, by entry.
        bounds: (entry, 2) climatological bounds, UTC.
        middle: representative date of each entry.
        kind: "hours", "days" or "periods".
    """

    start: int
    stop: int
    members: list[np.ndarray]
    expected: np.ndarray
    bounds: np.ndarray
    middle: np.ndarray
    kind: str


STANDARD = Normals()
"""Normals of WMO by month."""


def samples_of(dataset: xr.Dataset, normals: Normals) -> Samples:
    """Times of a dataset by entry of the climatology.

    Raises:
        InputError: the data do not cover the years, or do not suit the cycle.
    """
    times = times_of(dataset)
    bounds = bounds_of(dataset)
    lengths = None if bounds is None else bounds[:, 1] - bounds[:, 0]
    if lengths is None or np.all(lengths < DAY):
        step = np.min(np.diff(times)) if times.size > 1 else DAY
        if step >= DAY or DAY % step:
            raise InputError(
                "A climatology needs several times a day, or time bounds that say which day or period a value is of"
            )
        offset = offset_of(normals.timezone, times)
        dates, kind, per_day = (times + offset - SECOND).astype("datetime64[D]"), "hours", int(DAY / step)
    else:
        assert bounds is not None
        dates, per_day = dates_of(bounds), 1
        offset = dates[0].astype("datetime64[s]") - bounds[0, 0]
        if np.all(lengths == DAY):
            kind = "days"
        else:
            kind = "periods"
            offset = _offset_of_periods(bounds, dates, normals.cycle)
    if dates.size == 0:
        raise InputError("There is no time in the dataset to make a climatology of")
    years = _years(dates, kind, normals)
    return _by_entry(dates, years, normals, kind, per_day, offset)


def _offset_of_periods(bounds: np.ndarray, dates: np.ndarray, cycle: str) -> np.timedelta64:
    """Offset of civil time, from bounds that must be those of the periods of the cycle."""
    if cycle != "day":
        spans = np.array([SPANS[cycle](date) for date in dates]).astype("datetime64[s]")
        shift = np.unique(spans - bounds)
        if shift.size == 1:
            return np.timedelta64(shift[0], "s")
    raise InputError(
        f"A climatology by {cycle} is made of values of hours, days or the periods themselves, but the time bounds of "
        "this dataset are of other periods"
    )


def _years(dates: np.ndarray, kind: str, normals: Normals) -> tuple[int, int]:
    """First and last year, checked against what the data cover."""
    if normals.years is not None:
        first, last = normals.years
    else:
        first, last = NORMAL_PERIOD
    begin, end = np.datetime64(f"{first:04d}-01-01"), np.datetime64(f"{last:04d}-12-31")
    if normals.years is None:
        # The middle of the last month or year lies before its end.
        slack = {"hours": 0, "days": 0, "periods": 366}[kind] * DATE
        if dates[0] - slack > begin or dates[-1] + slack < end:
            raise InputError(
                f"The data go from {dates[0]} to {dates[-1]} and do not cover the normals of {first}-{last}; give the "
                "years, as in Normals(years=(2001, 2010))"
            )
    if dates[-1] < begin or dates[0] > end:
        raise InputError(f"The data go from {dates[0]} to {dates[-1]}; none is of the years {first}-{last}")
    return first, last


def _by_entry(
    dates: np.ndarray, years: tuple[int, int], normals: Normals, kind: str, per_day: int, offset: np.timedelta64
) -> Samples:
    """Times by entry, from their civil dates in rising order."""
    leap = [year for year in range(years[0], years[1] + 1) if _is_leap(year)]
    model_year = leap[0] if leap else years[0]
    members, expected, bounds, middle = [], [], [], []
    for entry in _entries(model_year, normals.cycle):
        spans = [_span(entry, year, normals) for year in range(years[0], years[1] + 1)]
        if normals.cycle == "day":
            limits = np.datetime64(f"{years[0]:04d}-01-01"), np.datetime64(f"{years[1] + 1:04d}-01-01")
            spans = [(max(begin, limits[0]), min(end, limits[1])) for begin, end in spans]
        found = [np.arange(*np.searchsorted(dates, np.array(span))) for span in spans]
        days = sum(int((end - begin) / DATE) for begin, end in spans)
        members.append(np.concatenate(found))
        expected.append(len(spans) if kind == "periods" else days * per_day)
        bounds.append([spans[0][0].astype("datetime64[s]") - offset, spans[-1][1].astype("datetime64[s]") - offset])
        begin, end = _span(entry, model_year, normals)
        middle.append(begin.astype("datetime64[s]") + (end - begin).astype("timedelta64[s]") // 2)
    used = np.concatenate(members)
    if used.size == 0:
        raise InputError(f"No value of the years {years[0]}-{years[1]} is in the dataset")
    start, stop = int(used.min()), int(used.max()) + 1
    return Samples(
        start,
        stop,
        [one - start for one in members],
        np.array(expected),
        np.array(bounds),
        np.array(middle),
        kind,
    )


def _is_leap(year: int) -> bool:
    return year % 4 == 0 and (year % 100 != 0 or year % 400 == 0)


def _entries(year: int, cycle: str) -> list[np.datetime64]:
    """A day in each entry of the cycle in this year, in order."""
    begin, end = np.datetime64(f"{year:04d}-01-01"), np.datetime64(f"{year + 1:04d}-01-01")
    days = np.arange(begin, end)
    if cycle == "day":
        return list(days)
    if cycle == "season":
        # The winter of this year has its January.
        return [np.datetime64(f"{year:04d}-{month:02d}-15") for month in (1, 4, 7, 10)]
    return sorted({SPANS[cycle](day)[0] for day in days})


def _span(entry: np.datetime64, year: int, normals: Normals) -> tuple[np.datetime64, np.datetime64]:
    """First day, and the day after the last, of an entry of the cycle in a year."""
    text = str(entry)[5:]
    if text == "02-29" and not _is_leap(year):
        text = "02-28"
    day = np.datetime64(f"{year:04d}-{text}")
    if normals.cycle == "day":
        half = normals.window // 2 * DATE
        return day - half, day + half + DATE
    return SPANS[normals.cycle](day)
