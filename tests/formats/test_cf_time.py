"""Times of NetCDF: cut instead of rounded, the wrong calendar, a zone overlooked, digits that tell too little."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from kaiseki.core.errors import InputError
from kaiseki.formats.cf_time import decode_times


def one(value: float, units: str, calendar: str = "standard") -> str:
    return str(decode_times("file.nc: time", np.array([value]), units, calendar)[0])


@given(st.integers(0, 200 * 365 * 24), st.integers(4, 9))
def test_days_of_any_number_of_digits_give_their_hour_back(hours: int, digits: int) -> None:
    days = round(hours / 24.0, digits)
    wanted = np.datetime64("1900-01-01", "s") + np.timedelta64(hours, "h")
    assert decode_times("t", np.array([days]), "days since 1900-01-01")[0] == wanted


@pytest.mark.parametrize(
    ("value", "units", "wanted"),
    [
        (27182.083333, "days since 1950-01-01 00:00:00", "2024-06-03T02:00:00"),
        (0, "Hour since 2010-10-26T12:00:00+00:00", "2010-10-26T12:00:00"),
        (0, "hours since 2010-10-26 12:00:0.0", "2010-10-26T12:00:00"),
        (0, "hours since 2010-10-26 12:00:00 +9:00", "2010-10-26T03:00:00"),
        (90, "seconds since 1970-01-01", "1970-01-01T00:01:30"),
        (41760, "minutes since 2020-03-01", "2020-03-30T00:00:00"),
        # 1950-01-01 is 711857 days after 0001-01-01 of the Gregorian calendar and 711859 after that of the Julian.
        (711857, "days since 1-1-1 00:00:0.0", "1949-12-30T00:00:00"),
        (31, "days since 1-1-1", "0001-02-01T00:00:00"),
    ],
)
def test_units(value: float, units: str, wanted: str) -> None:
    assert one(value, units) == wanted


def test_calendars_differ_where_they_should() -> None:
    assert one(711857, "days since 0001-01-01", "proleptic_gregorian") == "1950-01-01T00:00:00"
    with pytest.raises(InputError, match="calendar '360_day'"):
        one(1, "days since 2000-01-01", "360_day")


def test_what_cannot_be_told_is_refused() -> None:
    with pytest.raises(InputError, match="units 'fortnights since 2000-01-01'"):
        one(1, "fortnights since 2000-01-01")
    with pytest.raises(InputError, match="counts from a date that there is not"):
        one(1, "days since 2001-02-30")
    with pytest.raises(InputError, match="missing values"):
        one(np.nan, "days since 2000-01-01")
    # Single precision tells days since 1900 to some minutes: whole hours are told, half hours are not.
    days = np.array([40000.0 + 1.0 / 24.0], np.float32)
    assert str(decode_times("t", days, "days since 1900-01-01")[0]) == "2009-07-08T01:00:00"
    with pytest.raises(InputError, match="single precision"):
        decode_times("t", np.array([40000.0 + 0.52 / 24.0], np.float32), "days since 1900-01-01")
