from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone
from zoneinfo import ZoneInfo

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from kaiseki.core import timing
from kaiseki.core.errors import InputError
from kaiseki.core.timing import (
    HOUR,
    JST,
    Window,
    civil_time,
    format_utc,
    hours,
    label,
    parse_time,
    slots,
    windows,
)

NOON = np.datetime64("1989-01-01T12:00:00", "s")
instants = st.integers(-(2**32), 2**33).map(lambda seconds: np.datetime64(seconds, "s"))


@pytest.mark.parametrize(
    "text",
    [
        "1989-01-01T12:00Z",
        "1989-01-01T12:00:00",
        "1989-01-01 12:00",
        "1989-01-01T21:00+09:00",
        " 1989-01-01T12:00+00:00 ",
        datetime(1989, 1, 1, 12),
        datetime(1989, 1, 1, 12, tzinfo=UTC),
        datetime(1989, 1, 1, 21, tzinfo=timezone(timedelta(hours=9))),
        np.datetime64("1989-01-01T12", "h"),
    ],
)
def test_one_instant_in_many_forms(text) -> None:
    assert parse_time(text) == NOON
    assert parse_time(text).dtype == np.dtype("datetime64[s]")


@pytest.mark.parametrize(
    "text", ["1989-01-01", "noon", "", "1989-13-01T00:00", "1989-01-01T12:00:00.5", datetime(1989, 1, 1, 0, 0, 0, 5)]
)
def test_what_is_not_an_instant_is_refused(text) -> None:
    with pytest.raises(InputError, match=r"time|seconds"):
        parse_time(text)


def test_not_a_time_is_refused() -> None:
    with pytest.raises(InputError):
        parse_time(np.datetime64("NaT", "s"))
    with pytest.raises(InputError):
        parse_time(np.datetime64("1989-01-01T12:00:00.250", "ms"))


@given(instants)
def test_text_and_back(time) -> None:
    assert parse_time(format_utc(time)) == time


@given(st.datetimes(datetime(1960, 1, 1), datetime(2060, 1, 1)))
def test_jst_is_the_time_zone_of_tokyo(moment) -> None:
    there = moment.replace(tzinfo=UTC).astimezone(ZoneInfo("Asia/Tokyo"))
    assert there.utcoffset() == moment.replace(tzinfo=UTC).astimezone(JST).utcoffset()


def test_titles_show_both_clocks() -> None:
    with civil_time(JST):
        assert label(NOON) == "1989-01-01 12:00 UTC (21:00 JST)"
        assert label(NOON + 6 * HOUR) == "1989-01-01 18:00 UTC (02 Jan 03:00 JST)"
        with civil_time(ZoneInfo("Europe/Berlin")):
            assert label(NOON) == "1989-01-01 12:00 UTC (13:00 CET)"
            assert label(parse_time("1989-07-01T22:30Z")) == "1989-07-01 22:30 UTC (02 Jul 00:30 CEST)"
        with civil_time(ZoneInfo("America/Sao_Paulo")):
            assert label(parse_time("2020-01-01T01:00Z")) == "2020-01-01 01:00 UTC (31 Dec 22:00 UTC-03)"
    assert label(NOON) == "1989-01-01 12:00 UTC"


def test_a_window_is_open_at_its_start_and_closed_at_its_end() -> None:
    window = Window.ending_at(NOON, 3 * HOUR)
    second = np.timedelta64(1, "s")
    times = np.array([window.start, window.start + second, NOON, NOON + second, np.datetime64("NaT", "s")])
    assert window.contains(times).tolist() == [False, True, True, False, False]
    assert str(window) == "(1989-01-01T09:00Z, 1989-01-01T12:00Z]"
    assert window.length == 3 * HOUR


def test_an_empty_window_is_refused() -> None:
    with pytest.raises(InputError, match="must end after it starts"):
        Window(NOON, NOON)


@given(st.integers(1, 20), st.lists(st.integers(1, 20 * 10800), max_size=30))
def test_each_report_enters_exactly_one_window(count, offsets) -> None:
    end = NOON + count * 3 * HOUR
    found = list(windows(NOON, end, 3 * HOUR))
    assert len(found) == count
    for offset in offsets:
        time = NOON + np.timedelta64(offset, "s")
        held = [number for number, window in enumerate(found) if window.contains(time)]
        assert len(held) == (1 if time <= end else 0)
        if held:
            assert timing.window_index(time, NOON, 3 * HOUR) == held[0]


def test_window_index_at_the_edges() -> None:
    times = NOON + np.array([-1, 0, 1, 10800, 10801]).astype("timedelta64[s]")
    assert timing.window_index(times, NOON, 3 * HOUR).tolist() == [-1, -1, 0, 0, 1]


def test_windows_must_fill_the_period() -> None:
    with pytest.raises(InputError, match="not a whole number of windows of 3 h"):
        list(windows(NOON, NOON + 4 * HOUR, 3 * HOUR))
    with pytest.raises(InputError, match="must be positive"):
        list(windows(NOON, NOON + 4 * HOUR, 0 * HOUR))


def test_slots_hold_both_ends() -> None:
    assert slots(NOON, NOON + 3 * HOUR, HOUR).tolist() == [datetime(1989, 1, 1, hour) for hour in (12, 13, 14, 15)]


def test_hours_are_whole_seconds() -> None:
    assert hours(0.5) == np.timedelta64(1800, "s")
    with pytest.raises(InputError, match="whole number of seconds"):
        hours(1 / 7)
    for count in (1e9, 1e300, float("inf"), float("nan")):
        with pytest.raises(InputError, match=r"more than .* hours, the years 1 to 9999"):
            hours(count)
