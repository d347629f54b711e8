"""Statistics of calendar periods (thirds of a month, months, seasons, years), made of daily ones in one pass.

A period is the mean, sum or extreme over its days of what was found within each day, and says so in `cell_methods`: the
month's mean of daily maxima is another thing than its highest value. Where days lack hours, the mean of daily means
weighs days, not hours. The time axis is therefore a climatological one in the sense of CF 7.4 ("within days", "over
days"); its bounds are those of the period.
"""

from __future__ import annotations

from collections.abc import Hashable, Iterable, Iterator, Mapping, Sequence
from typing import Any

import numpy as np
import xarray as xr

from kaiseki.archive.products.accumulation import WORDS, Accumulation, count_attributes, least_number
from kaiseki.archive.products.days import each_day
from kaiseki.archive.products.time_cells import (
    DATE,
    Lack,
    by_period,
    joined,
    located,
    lowest_state,
    spatial,
    static_coordinates,
    time_method,
    with_cells,
    within_days,
)
from kaiseki.core.errors import InputError

_USUAL: Mapping[str, tuple[str, ...]] = {
    "mean": ("mean",),
    "sum": ("sum",),
    "minimum": ("minimum", "mean"),
    "maximum": ("maximum", "mean"),
}
"""Statistics over the days, by that within the day."""


def period_statistics(
    days: xr.Dataset | Iterable[xr.Dataset],
    period: str = "month",
    over: Mapping[str, Sequence[str]] | None = None,
    *,
    completeness: float = 1.0,
) -> xr.Dataset:
    """All statistics of periods, in memory; `each_period` gives them one by one, and has the arguments and errors.

    Raises:
        InputError: as `each_period`.
    """
    lacking: list[Lack] = []
    return joined(each_period(days, period, over, completeness=completeness, lacking=lacking), lacking)


def monthly_statistics(dataset: xr.Dataset, **day: Any) -> xr.Dataset:
    """Statistics of the months of a dataset of hourly (or other) fields; complete days and months alone.

    Args:
        dataset: as of `each_day`.
        day: arguments of `each_day`, such as `statistics` and `timezone`.

    Raises:
        InputError: as `each_day` and `each_period`.
    """
    return period_statistics(each_day(dataset, **day))


def each_period(
    days: xr.Dataset | Iterable[xr.Dataset],
    period: str = "month",
    over: Mapping[str, Sequence[str]] | None = None,
    *,
    completeness: float = 1.0,
    lacking: list[Lack] | None = None,
) -> Iterator[xr.Dataset]:
    """Statistics of one period after the other: datasets with one time each.

    The mean of daily means, the sum of daily sums, the lowest of daily minima keep their name, such as
    `temperature_2m_minimum`; the others name both: `temperature_2m_mean_of_daily_minimum`. The number of valid days is
    `temperature_2m_count`.
    Periods of which the days given are not enough are left out at the ends.

    Args:
        days: daily statistics in order of time without a gap, a dataset or one part after the other.
        period: "dekad" (third of a month, 旬), "month", "season" (of December, March, June, September) or "year".
        over: statistics over the days by daily variable; None for all variables those that the daily one suggests.
        completeness: least share of the days of a period that must be valid, per point; else the result is NaN.
        lacking: gets the periods that are left out.

    Raises:
        InputError: days that are none or do not follow each other, a variable that is not there, a statistic that makes
            no sense.
    """
    if not 0.0 < completeness <= 1.0:
        raise InputError(f"The completeness asked for is a share above 0 and up to 1, not {completeness}")
    for (first, end), shift, members in by_period(days, period):
        expected = int((end - first) / DATE)
        least = least_number(completeness, expected)
        sums: dict[str, Accumulation] = {}
        wanted: Mapping[str, Sequence[str]] = {}
        seen, day = 0, xr.Dataset()
        states: list[int] = []
        for day in members:
            if not seen:
                wanted = _wanted(day, over)
                sums = {name: _accumulation(day[name], statistics) for name, statistics in wanted.items()}
            for name, accumulation in sums.items():
                accumulation.add(_field(day[name]))
            states += day["state"].values.tolist() if "state" in day.coords else []
            seen += 1
        if seen < least:
            if lacking is not None:
                lacking.append(Lack(first, end, seen, least))
            continue
        bounds = np.array([[first.astype("datetime64[s]") + shift, end.astype("datetime64[s]") + shift]])
        variables: dict[Hashable, Any] = {}
        for name, statistics in wanted.items():
            variables |= _statistics_of(day[name], sums[name], statistics, least, period)
        result = with_cells(
            variables,
            static_coordinates(day),
            bounds,
            climatological=True,
            comment=str(day["time"].attrs.get("comment", "")),
        )
        result = result.assign_coords(lowest_state(day, np.array(states, np.uint8)))
        result.attrs = dict(day.attrs)
        yield result


def _field(array: xr.DataArray) -> np.ndarray:
    """The one field of a day."""
    return array.transpose("time", *spatial(array)).values[0]


def _accumulation(array: xr.DataArray, statistics: Sequence[str]) -> Accumulation:
    shape = tuple(array.sizes[axis] for axis in spatial(array))
    return Accumulation(shape, np.result_type(array.dtype, np.float32), statistics)


def _statistics_of(
    array: xr.DataArray, accumulation: Accumulation, statistics: Sequence[str], least: int, period: str
) -> dict[Hashable, xr.Variable]:
    """Statistics of one daily variable over a period, with the number of valid days."""
    within = time_method(array)
    name = str(array.name)
    base = name.removesuffix(f"_{within}")
    dims = ("time", *spatial(array))
    results: dict[Hashable, xr.Variable] = {}
    for statistic in statistics:
        attributes = dict(array.attrs) | {
            "long_name": f"{WORDS[statistic]} in the {period} of {array.attrs.get('long_name', name)}",
            "cell_methods": f"{within_days(array.attrs['cell_methods'])} time: {statistic} over days",
            "comment": f"within days: {array.attrs['cell_methods']}",
            "ancillary_variables": f"{base}_count",
        }
        values = accumulation.result(statistic, least)[np.newaxis]
        own = name if statistic == within else f"{base}_{statistic}_of_daily_{within}"
        results[own] = xr.Variable(dims, values, attributes, located(array))
    results[f"{base}_count"] = xr.Variable(
        dims, accumulation.count[np.newaxis], count_attributes(base, f"valid days in the {period}"), located(array)
    )
    return results


def _wanted(day: xr.Dataset, over: Mapping[str, Sequence[str]] | None) -> dict[str, tuple[str, ...]]:
    """Statistics over the days by daily variable, checked."""
    daily = {
        str(name): array
        for name, array in day.data_vars.items()
        if "cell_methods" in array.attrs and "time" in array.dims and array.dtype.kind == "f"
    }
    chosen = {name: _USUAL[time_method(array)] for name, array in daily.items()} if over is None else dict(over)
    for name, statistics in chosen.items():
        if name not in daily:
            raise InputError(f"There is no daily variable {name!r}; there are {', '.join(daily)}")
        within = time_method(daily[name])
        for statistic in statistics:
            if statistic not in WORDS or (statistic == "sum" and within != "sum"):
                possible = [one for one in WORDS if one != "sum" or within == "sum"]
                raise InputError(f"{statistic!r} over days makes no sense of {name!r}; possible: {', '.join(possible)}")
    return {name: tuple(statistics) for name, statistics in chosen.items()}
