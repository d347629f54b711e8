"""Periods and civil time: days of Japan, sums that end with the day, changes of clocks.

What can go wrong:
- a day in Japan is taken as a day of UTC;
- the sum that ends at the first label, and belongs to the day before, is counted;
- the civil time takes the place of UTC, and other selections then go wrong by nine hours.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone
from typing import Any

import numpy as np
import pandas as pd
import pytest
import xarray as xr
from hypothesis import given, settings
from hypothesis import strategies as st

from archive.selection.grids import START, on_map
from kaiseki.archive.selection import in_time_zone, period
from kaiseki.archive.selection.times import instants
from kaiseki.core.errors import InputError


def of_hour(x: Any, y: Any, z: Any, t: Any) -> Any:
    return t + 0.0 * (x + y)


def dataset(*names: str, hours: int = 72) -> xr.Dataset:
    return on_map(dict.fromkeys(names, of_hour), hours=hours).isel(y=[0, 1], x=[0, 1])


def labels(found: xr.Dataset) -> tuple[str, str, int]:
    time = found["time"].values.astype("datetime64[h]")
    return str(time[0]), str(time[-1]), time.size


@pytest.mark.parametrize(
    ("start", "end", "tz", "instant", "interval"),
    [
        ("2019-10-12", None, "UTC", ("2019-10-12T00", "2019-10-12T23", 24), ("2019-10-12T01", "2019-10-13T00", 24)),
        ("2019-10-12", None, "JST", ("2019-10-11T15", "2019-10-12T14", 24), ("2019-10-11T16", "2019-10-12T15", 24)),
        ("2019-10-12", "2019-10-13", "Asia/Tokyo", ("2019-10-11T15", "2019-10-13T14", 48),
         ("2019-10-11T16", "2019-10-13T15", 48)),
        ("2019-10", None, "UTC", ("2019-10-11T12", "2019-10-14T11", 72), ("2019-10-11T12", "2019-10-14T11", 72)),
        ("2019", None, "JST", ("2019-10-11T12", "2019-10-14T11", 72), ("2019-10-11T12", "2019-10-14T11", 72)),
        ("2019-10-12T00", "2019-10-12T03", "UTC", ("2019-10-12T00", "2019-10-12T03", 4),
         ("2019-10-12T01", "2019-10-12T03", 3)),
        ("2019-10-12T09:00", "2019-10-12T12:00", "JST", ("2019-10-12T00", "2019-10-12T03", 4),
         ("2019-10-12T01", "2019-10-12T03", 3)),
        ("2019-10-12T09:00+09:00", "2019-10-12T03:00Z", "Europe/Berlin", ("2019-10-12T00", "2019-10-12T03", 4),
         ("2019-10-12T01", "2019-10-12T03", 3)),
        (datetime(2019, 10, 12, 0, tzinfo=UTC), np.datetime64("2019-10-12T03"), "JST",
         ("2019-10-12T00", "2019-10-12T03", 4), ("2019-10-12T01", "2019-10-12T03", 3)),
        (datetime(2019, 10, 12, 9), "2019-10-12", "JST", ("2019-10-12T00", "2019-10-12T14", 15),
         ("2019-10-12T01", "2019-10-12T15", 15)),
    ],
)  # fmt: skip
def test_periods(start: Any, end: Any, tz: str, instant: Any, interval: Any) -> None:
    assert labels(period(dataset("temperature_2m"), start, end, tz)) == instant
    assert labels(period(dataset("precipitation"), start, end, tz)) == interval


def test_instants_and_sums_together() -> None:
    got = period(dataset("temperature_2m", "precipitation"), "2019-10-12")
    assert labels(got) == ("2019-10-12T00", "2019-10-13T00", 25)
    np.testing.assert_array_equal(got["temperature_2m"][:, 0, 0], [*np.arange(12.0, 36.0), np.nan])
    np.testing.assert_array_equal(got["precipitation"][:, 0, 0], [np.nan, *np.arange(13.0, 37.0)])
    # So that what xarray makes of it is that of the day.
    assert float(got["precipitation"].sum("time")[0, 0]) == np.arange(13.0, 37.0).sum()
    assert got["temperature_2m"].attrs["units"] == "K"


@settings(max_examples=50, deadline=None)
@given(hours=st.integers(1, 71), offset=st.integers(-12, 14))
def test_days_in_any_zone_against_pandas(hours: int, offset: int) -> None:
    source = dataset("temperature_2m")
    zone = timezone(timedelta(hours=offset))
    local = pd.DatetimeIndex(source["time"].values).tz_localize("UTC").tz_convert(zone)
    day = local[hours].date()
    got = period(source, day.isoformat(), tz=zone)
    expected = source["time"].values[[one.date() == day for one in local]]
    np.testing.assert_array_equal(got["time"].values, expected)


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("2019-10-13", "2019-10-12"), "ends before it starts: from 2019-10-13 to 2019-10-12"),
        (("2019-10-13T02:00", "2019-10-12"), "from 2019-10-13T02:00 to 2019-10-12$"),
        (("2019-13",), "is no time; give 2019, 2019-10"),
        (("2019-10-32",), "is no time"),
        (("yesterday",), "is no time"),
        (("2019-10-12T00",), "has no end"),
        (("2019-10-13", "2019-10-12T00"), "ends before it starts"),
        (
            ("2001",),
            "has no time in the period 2001-01-01T00:00 to 2002-01-01T00:00 UTC; it goes from 2019-10-11T12:00",
        ),
        (("2019-10-12", None, "Japan/Tokyo"), "There is no time zone 'Japan/Tokyo'"),
        (("2019-10-27T02:30", "2019-10-28", "Europe/Berlin"), "does not exist once in the time zone"),
        (("2019-03-31T02:30", "2019-04-28", "Europe/Berlin"), "does not exist once in the time zone"),
        ((7,), "is not an instant"),
    ],
)
def test_periods_that_are_none(arguments: tuple[Any, ...], words: str) -> None:
    with pytest.raises(InputError, match=words):
        period(dataset("temperature_2m"), *arguments)


def test_datasets_without_times() -> None:
    source = dataset("temperature_2m")
    with pytest.raises(InputError, match="has no dimension time; select times before"):
        period(source.isel(time=0), "2019")
    with pytest.raises(InputError, match="do not rise"):
        period(source.isel(time=slice(None, None, -1)), "2019")


def test_civil_time() -> None:
    got = in_time_zone(dataset("precipitation"), "JST")
    assert got["local_time"].values[0] == np.datetime64("2019-10-11T21:00")
    assert got["time"].values[0] == START
    assert "JST" in got["local_time"].attrs["long_name"]
    days = got["precipitation"].groupby("local_time.dayofyear").count()
    assert days.sizes["dayofyear"] == 4
    berlin = in_time_zone(dataset("precipitation"), "Europe/Berlin")
    assert berlin["local_time"].values[0] == np.datetime64("2019-10-11T14:00")


def test_instants() -> None:
    expected = np.array(["2019-10-12T00:00"], "datetime64[ns]")
    for given_ in (
        "2019-10-12T09:00+09:00",
        ["2019-10-12 00:00"],
        datetime(2019, 10, 12, tzinfo=UTC),
        np.datetime64("2019-10-12T00"),
        np.array(["2019-10-12"], "datetime64[D]"),
        pd.DatetimeIndex(["2019-10-12T09:00"]).tz_localize("Asia/Tokyo"),
        pd.Series(pd.DatetimeIndex(["2019-10-12T09:00"]).tz_localize("Asia/Tokyo")),
        xr.DataArray(expected),
        pd.Timestamp("2019-10-12T09:00", tz="Asia/Tokyo"),
    ):
        np.testing.assert_array_equal(instants(given_), expected)
    for wrong in ([], np.array(["NaT"], "datetime64[s]"), "2019", 5):
        with pytest.raises(InputError):
            instants(wrong)
