"""Cells of time: days in UTC or another fixed offset, calendar periods, and their CF coordinates.

A day holds the labels 01, 02 ... 24 of its hours: the instant 00 belongs to the day that ends with it, as a sum or mean
does that is labelled there. Cells carry their middle as label, so that a selection by date ("2020-01-31") or month
("2020-01") finds them in UTC and in every offset below twelve hours; what they cover stands in their bounds, in UTC.

Source: CF conventions 1.11, sections 7.1 (bounds) and 7.4 (climatological statistics).
"""

from __future__ import annotations

import re
from collections.abc import Callable, Hashable, Iterable, Iterator, Mapping, Sequence
from datetime import timedelta, timezone, tzinfo
from itertools import chain, groupby
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import xarray as xr

from kaiseki.archive.selection.inputs import need_dataset
from kaiseki.archive.selection.times import fixed_zone
from kaiseki.core.errors import InputError
from kaiseki.core.timing import HOUR, format_utc

DAY = np.timedelta64(86400, "s")
SECOND = np.timedelta64(1, "s")
DATE = np.timedelta64(1, "D")
BOUNDS = "time_bnds"
CLIMATOLOGY_BOUNDS = "climatology_bounds"
UNITS = {"units": "seconds since 1970-01-01 00:00:00", "calendar": "standard", "dtype": "int64"}

type Span = tuple[np.datetime64, np.datetime64]
"""First day of a period and the day after its last, `datetime64[D]`."""


def _months(start: np.datetime64, count: int) -> Span:
    """Span of so many calendar months from the start of a month on."""
    return start.astype("datetime64[D]"), (start + np.timedelta64(count, "M")).astype("datetime64[D]")


def _month(day: np.datetime64) -> Span:
    return _months(day.astype("datetime64[M]"), 1)


def _season(day: np.datetime64) -> Span:
    number = int(day.astype("datetime64[M]").astype(int))
    return _months(np.datetime64((number + 1) // 3 * 3 - 1, "M"), 3)


def _year(day: np.datetime64) -> Span:
    return _months(day.astype("datetime64[Y]").astype("datetime64[M]"), 12)


def _dekad(day: np.datetime64) -> Span:
    first, end = _month(day)
    third = min(int((day - first) / DATE) // 10, 2)
    start = first + 10 * third * DATE
    return start, end if third == 2 else start + 10 * DATE


SPANS: Mapping[str, Callable[[np.datetime64], Span]] = {
    "dekad": _dekad,
    "month": _month,
    "season": _season,
    "year": _year,
}
"""Calendar periods by name: thirds of a month (days 1-10, 11-20, 21 to the end; 旬), months, the seasons that begin in
December, March, June and September, calendar years."""


def span_function(period: str) -> Callable[[np.datetime64], Span]:
    """The function that gives the span of the period in which a day lies.

    Raises:
        InputError: no such period.
    """
    if period not in SPANS:
        raise InputError(f"Periods are {', '.join(SPANS)}, not {period!r}")
    return SPANS[period]


def offset_of(zone: str | tzinfo, times: np.ndarray | None = None) -> np.timedelta64:
    """Offset of civil time from UTC, a whole number of seconds.

    Args:
        zone: time zone or its name.
        times: of the data, within which the offset must not change; see `selection.times.fixed_zone`.

    Raises:
        InputError: no such zone; the offset is not fixed (summer time), or twelve hours or more.
    """
    fixed = fixed_zone(zone, times)
    seconds = int(fixed.utcoffset(None).total_seconds())
    if abs(seconds) >= 12 * 3600:
        raise InputError(f"Days of {fixed} cannot be labelled in UTC; the offset must be below twelve hours")
    return np.timedelta64(seconds, "s")


def name_of(offset: np.timedelta64) -> str:
    """Offset in words, "UTC" or "UTC+09:00"."""
    return str(timezone(timedelta(seconds=int(offset / SECOND))))


def times_of(dataset: xr.Dataset) -> np.ndarray:
    """The time axis as `datetime64[s]`.

    Raises:
        InputError: there is no such axis, it does not rise, or its times are no whole seconds.
    """
    need_dataset(dataset)
    if "time" not in dataset.dims or "time" not in dataset.coords:
        axes = ", ".join(str(name) for name in dataset.dims)
        raise InputError(
            f"Statistics in time need a dataset with the dimension time; this one has {axes or 'no dimension'}"
        )
    times = dataset["time"].values
    if times.dtype.kind != "M":
        raise InputError("Statistics in time need times of the standard calendar, decoded to datetime64")
    seconds = times.astype("datetime64[s]")
    if np.any(np.isnat(times)) or np.any(seconds != times):
        raise InputError("Statistics in time need times that are whole seconds")
    back = np.flatnonzero(np.diff(seconds) <= np.timedelta64(0, "s"))
    if back.size:
        first, second = seconds[back[0]], seconds[back[0] + 1]
        raise InputError(
            f"Times must rise; {format_utc(second)} follows {format_utc(first)}, so sort the dataset by time and "
            "remove what is there twice"
        )
    return seconds


def bounds_of(dataset: xr.Dataset) -> np.ndarray | None:
    """Bounds (time, 2) of the cells of time, `datetime64[s]`, from the variable that `time` names; None without.

    Raises:
        InputError: the bounds are numbers, and the time axis does not say of what.
    """
    described = {**dataset["time"].encoding, **dataset["time"].attrs}
    for key in ("bounds", "climatology"):
        name = described.get(key)
        if name not in dataset.variables:
            continue
        bounds = dataset[name].variable
        if bounds.dtype.kind != "M":
            # In a file, bounds have the units of the axis; xarray gives them to `bounds`, not to `climatology`.
            if "units" not in described:
                raise InputError(f"The time bounds {name!r} are numbers without units; decode them to datetime64")
            units = {key: described[key] for key in ("units", "calendar") if key in described}
            numbers = xr.Dataset({name: (("time", "bounds"), bounds.values, units)})
            bounds = xr.decode_cf(numbers)[name].variable
        return bounds.values.astype("datetime64[s]")
    return None


def dates_of(bounds: np.ndarray) -> np.ndarray:
    """Civil date on which each cell's middle lies, `datetime64[D]`; see the module for why UTC serves."""
    return (bounds[:, 0] + (bounds[:, 1] - bounds[:, 0]) // 2).astype("datetime64[D]")


def with_cells(
    variables: Mapping[Hashable, Any],
    coordinates: Mapping[Hashable, Any],
    bounds: np.ndarray,
    *,
    climatological: bool = False,
    comment: str = "",
) -> xr.Dataset:
    """A dataset with these variables on a time axis of cells.

    Args:
        variables: name to `xr.Variable`, the first dimension `time`.
        coordinates: what does not depend on time.
        bounds: (time, 2) `datetime64[s]`, UTC.
        climatological: whether the axis is a climatological one (CF 7.4).
        comment: attribute of the axis, such as the offset of the days.
    """
    name, key = (CLIMATOLOGY_BOUNDS, "climatology") if climatological else (BOUNDS, "bounds")
    middle = (bounds[:, 0] + (bounds[:, 1] - bounds[:, 0]) // 2).astype("datetime64[ns]")
    attributes = {"standard_name": "time", "long_name": "middle of the cell", "axis": "T", key: name}
    time = xr.Variable("time", middle, attributes | ({"comment": comment} if comment else {}))
    cells = xr.Variable(("time", "bounds"), bounds.astype("datetime64[ns]"))
    return _encoded(xr.Dataset({**variables, name: cells}, {**coordinates, "time": time}))


def _encoded(dataset: xr.Dataset) -> xr.Dataset:
    """The dataset with the units in which its time axis and the bounds of it are written, which must be the same."""
    for name in ("time", BOUNDS, CLIMATOLOGY_BOUNDS):
        if name in dataset.variables:
            dataset[name].encoding = dict(UNITS)
    return dataset


def static_coordinates(dataset: xr.Dataset) -> dict[Hashable, Any]:
    """Coordinates that do not depend on time."""
    return {name: array.variable for name, array in dataset.coords.items() if "time" not in array.dims}


def spatial(array: xr.DataArray) -> tuple[Hashable, ...]:
    """Dimensions other than time, in the order of the array."""
    return tuple(name for name in array.dims if name != "time")


def located(array: xr.DataArray) -> dict[str, Any]:
    """What the encoding of a variable says about its place, kept for what is made of it."""
    return {key: array.encoding[key] for key in ("coordinates", "grid_mapping") if array.encoding.get(key)}


class Lack(NamedTuple):
    """A period that has too few days: its first day and the day after its last, days seen and days needed."""

    first: np.datetime64
    end: np.datetime64
    seen: int
    least: int

    @property
    def days(self) -> int:
        """Number of days of the period."""
        return int((self.end - self.first) / DATE)

    def __str__(self) -> str:
        return (
            f"{self.first} to {self.end - DATE} has {self.seen} of {self.days} days, of which {self.least} are needed"
        )


def joined(parts: Iterable[xr.Dataset], lacking: Sequence[Lack] = ()) -> xr.Dataset:
    """One dataset of parts that follow each other in time.

    Args:
        parts: of the series.
        lacking: the periods that were left out, filled while the parts are made; see `lack`.

    Raises:
        InputError: there are no parts.
    """
    parts = list(parts)
    if not parts:
        most = f": {max(lacking, key=lambda one: one.seen / one.days)}" if lacking else ""
        raise InputError(
            f"No period is complete enough{most}; give a longer series or, as completeness=, a smaller share"
        )
    # Coordinates of all parts are the same, so nothing is compared.
    how = {"data_vars": "minimal", "coords": "minimal", "compat": "override", "join": "override"}
    return _encoded(xr.concat(parts, "time", combine_attrs="override", **how))  # type: ignore[call-overload]


def lowest_state(dataset: xr.Dataset, values: np.ndarray) -> dict[Hashable, Any]:
    """Coordinate `state` of one cell of time of a release: the lowest of those that it is made of, so that what holds
    preliminary fields is preliminary; 0 (not produced) without any. Empty where the dataset has no state."""
    if "state" not in dataset.coords:
        return {}
    lowest = np.min(values, keepdims=True) if values.size else np.zeros(1, dataset["state"].dtype)
    return {"state": xr.Variable("time", lowest, dataset["state"].attrs)}


def one_by_one(days: xr.Dataset | Iterable[xr.Dataset]) -> Iterator[xr.Dataset]:
    """Days one at a time, from a dataset of days (read lazily) or from parts of one."""
    if isinstance(days, str | Path | xr.DataArray) or not isinstance(days, Iterable):
        need_dataset(days)
    for part in [days] if isinstance(days, xr.Dataset) else days:
        for number in range(part.sizes.get("time", 0)):
            yield part.isel(time=slice(number, number + 1))


def by_period(
    days: xr.Dataset | Iterable[xr.Dataset], period: str
) -> Iterator[tuple[Span, np.timedelta64, Iterator[xr.Dataset]]]:
    """The days of each calendar period: its span, the offset of UTC from the days' civil time, and the days one by one.

    Raises:
        InputError: no such period, cells that are no days of 24 hours, or days that do not follow each other.
    """
    span = span_function(period)

    def described() -> Iterator[tuple[Span, np.timedelta64, xr.Dataset]]:
        expected: np.datetime64 | None = None
        for day in one_by_one(days):
            bounds = bounds_of(day)
            if bounds is None or bounds[0, 1] - bounds[0, 0] != DAY:
                raise InputError(
                    "Statistics of periods are made of daily statistics with their time bounds, as "
                    "daily_statistics and each_day give them"
                )
            if expected is not None and bounds[0, 0] != expected:
                raise InputError(
                    f"Days must follow each other; one begins at {format_utc(bounds[0, 0])}, "
                    f"where {format_utc(expected)} was expected"
                )
            expected = bounds[0, 1]
            date = dates_of(bounds)[0]
            yield span(date), bounds[0, 0] - date.astype("datetime64[s]"), day

    days_with_spans = described()
    first = next(days_with_spans, None)
    if first is None:
        return
    for limits, group in groupby(chain([first], days_with_spans), key=lambda one: one[0]):
        yield limits, first[1], (day for _, _, day in group)


_TIME_METHOD = re.compile(r"\btime: (\w+)(?: (?:within|over) \w+)?(?: \([^)]*\))?")


def time_method(array: xr.DataArray) -> str:
    """How values stand for time, from `cell_methods`: "point", "sum", "mean", "maximum" or "minimum".

    Raises:
        InputError: `cell_methods` does not say, or says more than one thing.
    """
    methods = _TIME_METHOD.findall(str(array.attrs.get("cell_methods", "")))
    if len(methods) != 1:
        raise InputError(
            f"The attribute cell_methods of {array.name!r} must say once how its values stand for time "
            f"('time: point', 'time: sum', 'time: mean'); it is {array.attrs.get('cell_methods')!r}"
        )
    return str(methods[0])


def replaced_method(text: str, method: str) -> str:
    """`cell_methods` with another statement about time; what it says of other axes is kept."""
    return _TIME_METHOD.sub(method, text, count=1)


def within_days(text: str) -> str:
    """`cell_methods` of a daily statistic as the first part of a climatological statement (CF 7.4).

    What it says in parentheses belongs into a comment: checkers accept it at the end of the statement alone.
    """
    return _TIME_METHOD.sub(lambda found: f"time: {found[1]} within days", text, count=1)


def interval_text(step: np.timedelta64) -> str:
    """Duration for `cell_methods`, "1 hour" or "10 minute"."""
    if step % HOUR == np.timedelta64(0, "s"):
        return f"{step // HOUR} hour"
    return f"{step // np.timedelta64(60, 's')} minute"
