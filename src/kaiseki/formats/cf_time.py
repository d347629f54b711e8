"""Times of NetCDF and Zarr files: "days since 1950-01-01" and the like, by the CF conventions (1.11, section 4.4)."""

from __future__ import annotations

import re

import numpy as np

from kaiseki.core.errors import InputError

SECONDS = {
    name: seconds
    for seconds, names in (
        (1, ("s", "sec", "secs", "second", "seconds")),
        (60, ("min", "mins", "minute", "minutes")),
        (3600, ("h", "hr", "hrs", "hour", "hours")),
        (86400, ("d", "day", "days")),
    )
    for name in names
}
"""Length of the units of time in seconds."""
MIXED, PROLEPTIC = ("standard", "gregorian"), ("proleptic_gregorian",)
"""Calendars that are read: Julian until 1582-10-04 and Gregorian from 1582-10-15 on, or Gregorian always."""
SWITCH = -141_427
"""Day of 1582-10-15, the first of the Gregorian calendar, counted from 1970-01-01."""
UNIX_DAY = 2_440_588
"""Julian day number of 1970-01-01."""
_SINCE = re.compile(
    r"\s*(?P<unit>[A-Za-z]+)\s+since\s+(?P<year>\d{1,4})-(?P<month>\d{1,2})-(?P<day>\d{1,2})"
    r"(?:[T\s]+(?P<hour>\d{1,2})(?::(?P<minute>\d{1,2})(?::(?P<second>\d{1,2}(?:\.\d*)?))?)?)?"
    r"\s*(?P<zone>UTC|GMT|Z|[+-]\d{1,2}(?::?\d{2})?)?\s*$",
    re.IGNORECASE,
)
_DIGITS = 5.0
"""Error in seconds of a time of day that is written in days with four decimals."""


def _julian_day(year: int, month: int, day: int) -> int:
    """Day counted from 1970-01-01 of a date of the Julian calendar (Richards 2013, Explanatory Supplement, 15.11)."""
    back = (14 - month) // 12
    y, m = year + 4800 - back, month + 12 * back - 3
    return day + (153 * m + 2) // 5 + 365 * y + y // 4 - 32083 - UNIX_DAY


def _julian_dates(days: np.ndarray) -> np.ndarray:
    """Days counted from 1970-01-01 that bear, in the Gregorian calendar, the Julian date of the given days."""
    c = days + UNIX_DAY + 32082
    d = (4 * c + 3) // 1461
    e = c - 1461 * d // 4
    m = (5 * e + 2) // 153
    day, month, year = e - (153 * m + 2) // 5 + 1, m + 3 - 12 * (m // 10), d - 4800 + m // 10
    months = ((year - 1970) * 12 + month - 1).astype("datetime64[M]")
    return months.astype("datetime64[D]").astype(np.int64) + day - 1


def _offset(zone: str | None) -> int:
    """Offset of a time zone from UTC in seconds, positive to the east."""
    if zone is None or zone.upper() in ("UTC", "GMT", "Z"):
        return 0
    digits = zone[1:].replace(":", "")
    whole, minutes = (digits[:-2], digits[-2:]) if len(digits) > 2 else (digits, "0")
    return (-1 if zone[0] == "-" else 1) * (3600 * int(whole) + 60 * int(minutes))


def decode_times(where: str, values: np.ndarray, units: str, calendar: str = "standard") -> np.ndarray:
    """Times as datetime64[s], rounded to what their digits can tell.

    A fraction of a day or an hour is seldom a whole number of seconds in the file; times within its error of a whole
    minute, or of a whole hour where single precision tells no more, are that. Dates before 1582-10-15 keep the day,
    month and year that they have in the file's calendar.

    Args:
        where: the file and its variable, for messages.
        values: numbers of any shape.
        units: such as "hours since 1900-01-01".
        calendar: of the CF conventions.

    Raises:
        InputError: units or calendar are not understood, a value is missing, or the numbers are too coarse for a time.
    """
    found = _SINCE.match(units)
    if found is None or found["unit"].lower() not in SECONDS:
        raise InputError(f"{where} has the units {units!r}; expected days, hours, minutes or seconds since a date.")
    calendar = (calendar or "standard").lower()
    if calendar not in (*MIXED, *PROLEPTIC):
        raise InputError(f"{where} has the calendar {calendar!r}; only files of real days (standard) are read.")
    unit = SECONDS[found["unit"].lower()]
    date = (int(found["year"]), int(found["month"]), int(found["day"]))
    try:
        day = int(np.datetime64("{:04d}-{:02d}-{:02d}".format(*date)).astype(np.int64))
    except ValueError as error:
        raise InputError(f"{where} counts from a date that there is not: {units!r}.") from error
    if calendar in MIXED and day < SWITCH:
        day = _julian_day(*date)
    clock = 3600 * int(found["hour"] or 0) + 60 * int(found["minute"] or 0) + float(found["second"] or 0.0)
    values = np.atleast_1d(values)
    if values.dtype.kind not in "iuf" or not np.isfinite(values.astype(np.float64)).all():
        raise InputError(f"{where} holds missing values or no numbers; the file is damaged, fetch it again.")
    seconds = values.astype(np.longdouble) * unit + np.longdouble(clock - _offset(found["zone"]))
    resolution = 0.0
    if values.dtype.kind == "f":
        resolution = float(np.spacing(np.abs(values).max().astype(values.dtype))) * unit
    whole = _snapped(where, seconds, resolution) + day * 86400
    if calendar in MIXED and (early := whole < SWITCH * 86400).any():
        days, rest = np.divmod(whole, 86400)
        whole = np.where(early, _julian_dates(days) * 86400 + rest, whole)
    return whole.astype("datetime64[s]")


def _snapped(where: str, seconds: np.ndarray, resolution: float) -> np.ndarray:
    """Whole seconds: at whole minutes, or hours, as far as all lie within the error of their numbers from them."""
    for step, error in ((60, max(_DIGITS, resolution)), (3600, resolution)):
        nearest = np.rint(seconds / step) * step
        if error < step / 2 and np.abs(seconds - nearest).max() <= error:
            return np.asarray(nearest, dtype=np.int64)
    if resolution > 1.0:
        raise InputError(
            f"{where} is in single precision, which tells times to {resolution:.0f} s only; "
            "give a file with times in double precision."
        )
    return np.asarray(np.rint(seconds), dtype=np.int64)
