"""Statistics of calendar periods against pandas, and their CF description.

What can go wrong:
- days go to the wrong month, season or year, in UTC or JST; February of leap years; the winter across the year;
- a month with a missing day, or only begun, passes as complete;
- the mean of maxima and the highest value are confused; a result depends on how the days come.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from datetime import UTC, timezone

import numpy as np
import pandas as pd
import pytest
import xarray as xr
from hypothesis import given, settings
from hypothesis import strategies as st

from archive.products.series import daily, dataset, hours
from kaiseki.archive.products.days import daily_statistics, each_day
from kaiseki.archive.products.periods import each_period, monthly_statistics, period_statistics
from kaiseki.archive.products.time_cells import SPANS
from kaiseki.core.errors import InputError
from kaiseki.core.timing import JST

SIX = np.timedelta64(6 * 3600, "s")


def daily_frames(source: xr.Dataset, name: str, how: str) -> pd.DataFrame:
    frame = pd.DataFrame(source[name].values.reshape(source.sizes["time"], -1).astype(float), source["time"].values)
    return getattr(frame.resample("24h", closed="right", label="left"), how)()


@pytest.fixture(scope="module")
def source() -> xr.Dataset:
    """Three-hourly fields from November 2019 to January 2021: a leap year."""
    step = np.timedelta64(3 * 3600, "s")
    return dataset(hours("2019-11-01T03", 8 * 458, step))


@pytest.fixture(scope="module")
def days(source: xr.Dataset) -> xr.Dataset:
    return daily_statistics(source)


@pytest.mark.parametrize(("period", "rule"), [("month", "MS"), ("season", "QS-DEC"), ("year", "YS")])
def test_periods_agree_with_pandas(source: xr.Dataset, days: xr.Dataset, period: str, rule: str) -> None:
    product = period_statistics(days, period)
    lengths = daily_frames(source, "temperature_2m", "mean")[0].resample(rule).count()
    whole = lengths.index[[n == (i + pd.tseries.frequencies.to_offset(rule) - i).days for i, n in lengths.items()]]
    assert len(whole) == {"month": 15, "season": 4, "year": 1}[period]
    for name, within, over, word in (
        ("temperature_2m", "mean", "mean", "mean"),
        ("temperature_2m", "max", "max", "maximum"),
        ("temperature_2m", "max", "mean", "mean_of_daily_maximum"),
        ("temperature_2m", "min", "mean", "mean_of_daily_minimum"),
        ("precipitation", "sum", "sum", "sum"),
    ):
        expected = getattr(daily_frames(source, name, within).resample(rule), over)().loc[whole]
        result = product[f"{name}_{word}"].values
        np.testing.assert_allclose(result.reshape(len(whole), -1), expected.values, rtol=1e-5)
    np.testing.assert_array_equal(product["climatology_bounds"].values[:, 0], whole.values)
    np.testing.assert_array_equal(product["temperature_2m_count"][:, 0, 0], lengths.loc[whole])


def test_cell_methods_and_bounds_are_those_of_a_climatological_axis(days: xr.Dataset) -> None:
    product = period_statistics(days)
    assert product["temperature_2m_mean_of_daily_maximum"].attrs["cell_methods"] == (
        "time: maximum within days time: mean over days"
    )
    assert product["precipitation_sum"].attrs["cell_methods"] == ("time: sum within days time: sum over days")
    assert product["time"].attrs["climatology"] == "climatology_bounds"
    assert "bounds" not in product["time"].attrs
    assert product.sel(time="2020-02")["temperature_2m_count"].values[0, 0, 0] == 29


@settings(max_examples=12, deadline=None)
@given(cuts=st.sets(st.integers(1, 39), max_size=6), period=st.sampled_from(["dekad", "month"]))
def test_parts_of_any_length_give_the_same_bits(cuts: set[int], period: str) -> None:
    days = daily(np.datetime64("2020-01-25"), 40)
    whole = period_statistics(days, period, completeness=0.1)
    edges = [0, *sorted(cuts), 40]
    parts = (days.isel(time=slice(a, b)) for a, b in itertools.pairwise(edges))
    xr.testing.assert_identical(period_statistics(parts, period, completeness=0.1), whole)


def test_the_whole_chain_never_holds_more_than_a_day() -> None:
    source = dataset(hours("2020-01-01T06", 4 * 45, SIX))
    alive = []

    def counted() -> Iterator[xr.Dataset]:
        for day in each_day(source):
            alive.append(day.nbytes)
            yield day

    months = each_period(counted())
    first = next(months)
    # The month is out as soon as the first day of the next one has been seen.
    assert len(alive) == 32
    assert first["precipitation_count"].values[0, 0, 0] == 31
    xr.testing.assert_identical(first, monthly_statistics(source))


@pytest.mark.parametrize("zone", [UTC, JST])
def test_months_begin_at_midnight_of_the_civil_time(zone: timezone) -> None:
    rain = np.zeros((24 * 61 + 1, 1, 1))
    source = dataset(hours("2020-12-31T15", rain.shape[0]), ("precipitation",))
    new_month = source["time"].values == np.datetime64("2021-01-31T16")
    rain[new_month] = 5.0
    source = dataset(hours("2020-12-31T15", rain.shape[0]), ("precipitation",), precipitation=rain)
    product = period_statistics(each_day(source, timezone=zone), completeness=0.8)
    expected = [0.0, 5.0] if zone is JST else [5.0, 0.0]
    np.testing.assert_array_equal(product["precipitation_sum"][:, 0, 0], expected)
    assert list(product["time"].dt.month) == [1, 2]
    assert product["time"].attrs["comment"] == f"days begin at 00:00 {'UTC+09:00' if zone is JST else 'UTC'}"


def test_a_missing_day_makes_the_month_missing_or_is_counted(days: xr.Dataset) -> None:
    holed = days.copy(deep=True)
    number = int(np.flatnonzero(days["time"].dt.strftime("%Y-%m-%d") == "2020-02-29")[0])
    for name in ("temperature_2m_mean", "temperature_2m_maximum"):
        holed[name][number, 1, 1] = np.nan
    strict = period_statistics(holed).sel(time="2020-02")
    assert np.isnan(strict["temperature_2m_mean"].values[0, 1, 1])
    assert np.isnan(strict["temperature_2m_maximum"].values).sum() == 1
    lenient = period_statistics(holed, completeness=0.9).sel(time="2020-02")
    assert lenient["temperature_2m_count"].values[0, 1, 1] == 28
    expected = days["temperature_2m_mean"].sel(time=slice("2020-02-01", "2020-02-28"))[:, 1, 1].astype(float).mean()
    assert lenient["temperature_2m_mean"].values[0, 1, 1] == pytest.approx(float(expected), rel=1e-6)


@settings(max_examples=200, deadline=None)
@given(day=st.integers(-80_000, 80_000), name=st.sampled_from(sorted(SPANS)))
def test_spans_hold_their_day_and_join(day: int, name: str) -> None:
    date = np.datetime64(day, "D")
    first, end = SPANS[name](date)
    assert first <= date < end
    one = np.timedelta64(1, "D")
    assert SPANS[name](first) == SPANS[name](end - one) == (first, end)
    assert SPANS[name](end)[0] == end
    assert (
        int((end - first) / one)
        in {"dekad": range(8, 12), "month": range(28, 32), "season": range(90, 93), "year": range(365, 367)}[name]
    )


def test_refusals(days: xr.Dataset) -> None:
    with pytest.raises(InputError, match="must follow each other"):
        period_statistics(days.isel(time=[0, 2]))
    with pytest.raises(InputError, match="Periods are"):
        period_statistics(days, "week")
    with pytest.raises(InputError, match="no daily variable"):
        period_statistics(days, over={"rain_sum": ("sum",)})
    with pytest.raises(InputError, match="makes no sense"):
        period_statistics(days, over={"temperature_2m_mean": ("sum",)})
    words = r"No period is complete enough: .* has 5 of \d+ days, of which \d+ are needed; .* as completeness=,"
    with pytest.raises(InputError, match=words):
        period_statistics(days.isel(time=slice(0, 5)))
    with pytest.raises(InputError, match="daily statistics with their time bounds"):
        period_statistics(dataset(hours("2020-01-01T01", 3)))
    with pytest.raises(InputError, match="completeness"):
        period_statistics(days, completeness=1.5)
