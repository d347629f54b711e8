"""Climatology against numpy, date by date.

What can go wrong:
- 29 February, windows across the year and at the ends of the period, the winter of the first year;
- percentiles of another definition than said, or with missing values counted in;
- results depend on the blocks; data of other periods than those of the cycle are taken; too few years pass.
"""

from __future__ import annotations

from datetime import date, timedelta

import numpy as np
import pytest
import xarray as xr
from hypothesis import given, settings
from hypothesis import strategies as st

from archive.products.series import SHAPE, daily, dataset, hours
from kaiseki.archive.products.climatology import climatology, each_block
from kaiseki.archive.products.normals import Normals
from kaiseki.archive.products.percentiles import quantiles
from kaiseki.archive.products.periods import period_statistics
from kaiseki.core.errors import InputError
from kaiseki.core.timing import JST

YEARS = (2003, 2009)
SHARES = (10.0, 50.0, 90.0)


@pytest.fixture(scope="module")
def days() -> xr.Dataset:
    """Days from December 2002 to January 2010, with some missing values."""
    made = daily(np.datetime64("2002-12-01"), 2618)
    made["temperature_2m_mean"][::37, 1, 2] = np.nan
    return made


@pytest.fixture(scope="module")
def months(days: xr.Dataset) -> xr.Dataset:
    return period_statistics(days, completeness=0.5)


def by_date(days: xr.Dataset, name: str) -> dict[date, np.ndarray]:
    return {
        date.fromisoformat(str(moment)[:10]): values
        for moment, values in zip(days["time"].values, days[name].values, strict=True)
    }


def windows(month: int, day: int, half: int) -> list[date]:
    """Dates of the windows of a calendar day in all years, inside the period."""
    found = []
    for year in range(YEARS[0], YEARS[1] + 1):
        leap = year % 4 == 0
        centre = date(year, month, day if (month, day) != (2, 29) or leap else 28)
        found += [centre + timedelta(days=shift) for shift in range(-half, half + 1)]
    return [one for one in found if YEARS[0] <= one.year <= YEARS[1]]


def test_calendar_days_with_a_window_agree_with_numpy(days: xr.Dataset) -> None:
    normals = Normals("day", YEARS, 31, SHARES)
    result = climatology(days, normals, ["temperature_2m_mean"])
    values = by_date(days, "temperature_2m_mean")
    assert result.sizes == {"time": 366, "percentile": 3, "y": 3, "x": 4, "bounds": 2}
    for number in (0, 10, 58, 59, 60, 200, 365):
        moment = date.fromisoformat(str(result["time"].values[number])[:10])
        assert moment == date(2004, 1, 1) + timedelta(days=number)
        sample = np.array([values[one] for one in windows(moment.month, moment.day, 15)], float)
        at = result.isel(time=number)
        np.testing.assert_allclose(at["temperature_2m_mean_mean_over_years"], np.nanmean(sample, axis=0), rtol=1e-6)
        np.testing.assert_allclose(
            at["temperature_2m_mean_standard_deviation_over_years"], np.nanstd(sample, axis=0, ddof=1), rtol=1e-4
        )
        np.testing.assert_array_equal(at["temperature_2m_mean_minimum_over_years"], np.nanmin(sample, axis=0))
        np.testing.assert_array_equal(at["temperature_2m_mean_maximum_over_years"], np.nanmax(sample, axis=0))
        expected = np.nanquantile(sample, np.array(SHARES) / 100, axis=0, method="median_unbiased")
        np.testing.assert_allclose(at["temperature_2m_mean_percentile_over_years"], expected, rtol=1e-6)
        np.testing.assert_array_equal(at["temperature_2m_mean_count_over_years"], np.sum(~np.isnan(sample), axis=0))
    # 29 February rests on as many years as its neighbours.
    assert result["temperature_2m_mean_count_over_years"].values[59, 0, 0] == 31 * 7
    assert result["climatology_bounds"].values[59, 0] == np.datetime64("2003-02-13")
    assert result["climatology_bounds"].values[59, 1] == np.datetime64("2009-03-16")


@pytest.mark.parametrize("cycle", ["month", "season", "dekad", "year"])
def test_pooled_days_of_the_cycle(days: xr.Dataset, cycle: str) -> None:
    result = climatology(days, Normals(cycle, YEARS, percentiles=SHARES), ["temperature_2m_maximum"])
    values = by_date(days, "temperature_2m_maximum")
    seasons = [(12, 1, 2), (3, 4, 5), (6, 7, 8), (9, 10, 11)]

    def entry(one: date) -> tuple[int, int]:
        """Entry and year; a December is of the next year's winter."""
        if cycle == "season":
            return next(i for i, months in enumerate(seasons) if one.month in months), one.year + (one.month == 12)
        if cycle == "dekad":
            return 3 * (one.month - 1) + min((one.day - 1) // 10, 2), one.year
        return (one.month - 1, one.year) if cycle == "month" else (0, one.year)

    assert result.sizes["time"] == {"month": 12, "season": 4, "dekad": 36, "year": 1}[cycle]
    for number in range(result.sizes["time"]):
        wanted = {(number, year) for year in range(YEARS[0], YEARS[1] + 1)}
        sample = np.array([value for one, value in values.items() if entry(one) in wanted], float)
        at = result.isel(time=number)
        expected = np.nanquantile(sample, np.array(SHARES) / 100, axis=0, method="median_unbiased")
        np.testing.assert_allclose(at["temperature_2m_maximum_percentile_over_years"], expected, rtol=1e-6)
        np.testing.assert_array_equal(at["temperature_2m_maximum_count_over_years"], np.sum(~np.isnan(sample), axis=0))
    methods = result["temperature_2m_maximum_mean_over_years"].attrs["cell_methods"]
    assert methods.startswith("time: maximum within days")
    assert methods.endswith("time: mean over days time: mean over years")


def test_monthly_values_give_the_variation_of_the_years(months: xr.Dataset) -> None:
    result = climatology(months, Normals("month", YEARS, percentiles=(33.3,)), ["temperature_2m_mean"])
    july = months["temperature_2m_mean"][(months["time"].dt.month == 7).values].values.astype(float)
    assert july.shape[0] == 7
    np.testing.assert_allclose(result["temperature_2m_mean_mean_over_years"][6], july.mean(axis=0), rtol=1e-6)
    np.testing.assert_allclose(
        result["temperature_2m_mean_standard_deviation_over_years"][6], july.std(axis=0, ddof=1), rtol=1e-4
    )
    expected = np.quantile(july, 0.333, axis=0, method="median_unbiased")
    np.testing.assert_allclose(result["temperature_2m_mean_percentile_over_years"][0, 6], expected, rtol=1e-6)
    assert np.all(result["temperature_2m_mean_count_over_years"] == 7)
    assert result["climatology_bounds"].values[6, 1] == np.datetime64("2009-08-01")


def test_hours_in_japan() -> None:
    source = dataset(hours("2001-12-31T15", 24 * 31 + 1), ("temperature_2m",))
    result = climatology(source, Normals("month", (2002, 2002), timezone=JST, percentiles=(50.0,)))
    np.testing.assert_array_equal(result["temperature_2m_count_over_years"][:2, 0, 0], [24 * 31, 0])
    sample = source["temperature_2m"].values[1:].astype(float)
    np.testing.assert_allclose(result["temperature_2m_mean_over_years"][0], sample.mean(axis=0), rtol=1e-6)
    assert np.all(np.isnan(result["temperature_2m_mean_over_years"][1:]))
    assert result["climatology_bounds"].values[0, 0] == np.datetime64("2001-12-31T15")
    assert result["temperature_2m_mean_over_years"].attrs["cell_methods"] == (
        "time: mean within years time: mean over years"
    )


@settings(max_examples=15, deadline=None)
@given(memory=st.integers(1, 2_000_000))
def test_blocks_change_no_bit(days: xr.Dataset, memory: int) -> None:
    normals = Normals("month", YEARS, percentiles=SHARES)
    whole = climatology(days, normals)
    xr.testing.assert_identical(climatology(days, normals, memory=memory), whole)
    places = [where for where, _ in each_block(days, normals, ["temperature_2m_mean"], memory=memory)]
    covered = np.zeros(SHAPE, int)
    for where in places:
        covered[where["y"], where["x"]] += 1
    assert np.all(covered == 1)


def test_one_point_is_done_at_a_time_where_memory_is_small(days: xr.Dataset) -> None:
    assert (
        len(list(each_block(days, Normals("month", YEARS), ["temperature_2m_mean"], memory=1))) == SHAPE[0] * SHAPE[1]
    )


@settings(max_examples=150, deadline=None)
@given(
    count=st.integers(0, 40),
    missing=st.integers(0, 5),
    share=st.floats(0.0, 1.0),
    seed=st.integers(0, 1000),
)
def test_quantiles_are_those_of_numpy(count: int, missing: int, share: float, seed: int) -> None:
    sample = np.random.default_rng(seed).normal(size=(3, count))
    ordered = np.concatenate(
        [np.sort(sample, axis=-1), np.full((3, missing + (count + missing == 0)), np.nan)], axis=-1
    )
    result = quantiles(ordered, np.full(3, count), np.array([share]))[0]
    if count == 0:
        assert np.all(np.isnan(result))
    else:
        np.testing.assert_allclose(
            result, np.quantile(sample, share, axis=-1, method="median_unbiased"), rtol=1e-12, atol=1e-14
        )


def test_too_few_values_are_missing(days: xr.Dataset) -> None:
    short = days.sel(time=slice("2003-01-01", "2007-06-30"))
    result = climatology(short, Normals("month", YEARS), ["temperature_2m_mean"])
    # January to June have five of seven years, July to December four.
    assert np.all(np.isnan(result["temperature_2m_mean_mean_over_years"]))
    lenient = climatology(short, Normals("month", YEARS, completeness=0.65), ["temperature_2m_mean"])
    valid = np.isfinite(lenient["temperature_2m_mean_mean_over_years"].values[:, 0, 0])
    np.testing.assert_array_equal(valid, [True] * 6 + [False] * 6)


def test_refusals(days: xr.Dataset, months: xr.Dataset) -> None:
    with pytest.raises(InputError, match="do not cover the normals of 1991-2020"):
        climatology(days)
    with pytest.raises(InputError, match="none is of the years"):
        climatology(days, Normals(years=(1950, 1960)))
    with pytest.raises(InputError, match="no variable 'rain'"):
        climatology(days, Normals(years=YEARS), ["rain"])
    for cycle in ("day", "season", "dekad"):
        with pytest.raises(InputError, match="of other periods"):
            climatology(months, Normals(cycle, YEARS))
    with pytest.raises(InputError, match="time bounds that say"):
        climatology(days.drop_vars("time_bnds"), Normals(years=YEARS))
    for wrong in (
        {"cycle": "week"},
        {"window": 31},
        {"cycle": "day", "window": 4},
        {"percentiles": (101.0,)},
        {"years": (2000, 1999)},
        {"completeness": 0.0},
    ):
        with pytest.raises(InputError):
            Normals(**wrong)
