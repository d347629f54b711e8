"""Time labels: UTC inside, civil time only at the door; half-open windows (T - 3 h, T].

Times between packages are `numpy.datetime64[s]` in UTC. An accumulation or a mean carries the label of the end of its
interval; an analysis at T uses the reports of the window that ends at T.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta, timezone, tzinfo
from typing import Any

import numpy as np

from kaiseki.core.errors import InputError

Time = np.datetime64
"""An instant in UTC, `numpy.datetime64[s]`."""

HOUR = np.timedelta64(3600, "s")


def parse_time(value: str | datetime | np.datetime64) -> Time:
    """An instant as `datetime64[s]` in UTC.

    Text is ISO 8601 ("1989-01-01T12:00Z", "1989-01-01 12:00", "1989-01-01T21:00+09:00"); without an offset it is UTC. A
    date without a time of day is refused, because it is ambiguous as the end of an interval.

    Raises:
        InputError: the text is not such a time, or has fractions of a second.
    """
    if isinstance(value, np.datetime64):
        seconds = value.astype("datetime64[s]")
        if np.isnat(value) or seconds != value:
            raise InputError(f"The time {value} is not a whole second in UTC; give a time such as 1989-01-01T12:00Z")
        return seconds
    if isinstance(value, str):
        text = value.strip()
        try:
            if len(text) < len("1989-01-01T12"):
                raise ValueError
            moment = datetime.fromisoformat(text)
        except ValueError:
            raise InputError(
                f"{value!r} is not a time; give date and time of day in UTC, as 1989-01-01T12:00Z"
            ) from None
    else:
        moment = value
    if moment.microsecond:
        raise InputError(f"The time {value} has fractions of a second; give whole seconds in UTC")
    if moment.tzinfo is not None:
        try:
            moment = moment.astimezone(UTC).replace(tzinfo=None)
        except OverflowError:
            raise InputError(f"The time {value} lies outside the years 1 to 9999 in UTC") from None
    return np.datetime64(moment, "s")


def to_datetime(time: Time) -> datetime:
    """The instant as an aware `datetime` in UTC."""
    return datetime.fromtimestamp(int(np.datetime64(time, "s").astype(np.int64)), tz=UTC)


def format_utc(time: Time, *, seconds: bool = False) -> str:
    """ "1989-01-01T12:00Z", with seconds on demand or when they are not zero."""
    moment = to_datetime(time)
    return moment.strftime("%Y-%m-%dT%H:%M:%SZ" if seconds or moment.second else "%Y-%m-%dT%H:%MZ")


JST = timezone(timedelta(hours=9), "JST")
"""Japan Standard Time; Japan has had no summer time since 1951."""

_civil: ContextVar[tzinfo | None] = ContextVar("kaiseki_civil_time", default=None)


@contextmanager
def civil_time(zone: tzinfo | None) -> Iterator[None]:
    """Show this civil time beside UTC in the labels made within the block; None shows UTC alone."""
    token = _civil.set(zone)
    try:
        yield
    finally:
        _civil.reset(token)


def label(time: Time) -> str:
    """Label for titles: "1989-01-01 12:00 UTC", and in `civil_time(JST)` "1989-01-01 12:00 UTC (21:00 JST)".

    The date of the civil time is given where it is another; a zone without letters is shown as "UTC-03".
    """
    utc, zone = to_datetime(time), _civil.get()
    text = utc.strftime("%Y-%m-%d %H:%M UTC")
    if zone is None:
        return text
    local = utc.astimezone(zone)
    name = local.tzname() or ""
    clock = local.strftime("%H:%M" if local.date() == utc.date() else "%d %b %H:%M")
    return f"{text} ({clock} {name if name.isalpha() else f'UTC{name}'})"


LONGEST = 9999 * 366 * 86400.0
"""Longest duration [s]: that of all years that times may lie in."""


def hours(count: float) -> np.timedelta64:
    """A duration in hours as whole seconds.

    Raises:
        InputError: the duration is not a whole number of seconds, or longer than all years there are.
    """
    seconds = count * 3600.0
    if not abs(seconds) <= LONGEST:
        raise InputError(f"{count:g} hours is more than {LONGEST / 3600.0:g} hours, the years 1 to 9999")
    if seconds != round(seconds):
        raise InputError(f"{count} hours is not a whole number of seconds")
    return np.timedelta64(round(seconds), "s")


@dataclass(frozen=True, slots=True)
class Window:
    """Half-open interval (start, end]: a report exactly at `start` belongs to the window before.

    Attributes:
        start: last instant that does not belong to it, UTC.
        end: last instant that belongs to it, UTC; the analysis time and the label.
    """

    start: Time
    end: Time

    def __post_init__(self) -> None:
        if not self.start < self.end:
            raise InputError(f"A window must end after it starts; got {self.start} to {self.end}")

    @classmethod
    def ending_at(cls, end: Time, length: np.timedelta64) -> Window:
        """The window of this length that ends at `end`."""
        return cls(np.datetime64(end, "s") - length, np.datetime64(end, "s"))

    @property
    def length(self) -> np.timedelta64:
        """Duration [s]."""
        return self.end - self.start

    def contains(self, time: Any) -> Any:
        """Whether start < time <= end; `time` is one instant or an array of datetime64, NaT is outside."""
        return (time > self.start) & (time <= self.end)

    def __str__(self) -> str:
        return f"({format_utc(self.start)}, {format_utc(self.end)}]"


def windows(start: Time, end: Time, length: np.timedelta64) -> Iterator[Window]:
    """The consecutive windows of this length that together fill (start, end] exactly.

    Raises:
        InputError: the length is not positive or does not divide the period.
    """
    if length <= np.timedelta64(0, "s"):
        raise InputError(f"The length of a window must be positive; got {length}")
    if (end - start) % length != np.timedelta64(0, "s") or end < start:
        raise InputError(
            f"The period {format_utc(start)} to {format_utc(end)} is not a whole number of windows of "
            f"{length / HOUR:g} h"
        )
    while start < end:
        yield Window(start, start + length)
        start = start + length


def window_index(time: Any, start: Time, length: np.timedelta64) -> Any:
    """Number of the window that holds each instant, 0 for (start, start + length]; negative before `start`.

    `time` is one instant or an array of datetime64[s]; the result int64 of the same shape.
    """
    seconds = (np.asarray(time, "datetime64[s]") - np.datetime64(start, "s")).astype(np.int64)
    return -(-seconds // int(length / np.timedelta64(1, "s"))) - 1


def slots(start: Time, end: Time, interval: np.timedelta64) -> np.ndarray:
    """The labels start, start + interval ... up to `end` inclusive, as an array of datetime64[s]."""
    return np.arange(np.datetime64(start, "s"), np.datetime64(end, "s") + np.timedelta64(1, "s"), interval)
