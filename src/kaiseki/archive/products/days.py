"""Daily statistics of fields: mean, minimum, maximum and sum by what a variable means, one pass in time.

A day holds the labels 01 ... 24 (`time_cells`), each with the same weight, for instants, means and sums alike; so does
the daily mean of Japan Meteorological Agency (24 instants on the hour from 01 to 24 JST). Against the trapezoidal rule,
in which 00 and 24 count half each, the mean of a day differs by (x24 - x00) / 48 with hourly values; over a month these
differences add up to the change from its begin to its end alone, divided by 48 times its days.

Source for the practice of Japan Meteorological Agency: its guidelines on statistics of observations (気象観測統計指針).
"""

from __future__ import annotations

from collections.abc import Hashable, Iterator, Mapping, Sequence
from datetime import UTC, tzinfo
from typing import Any, NamedTuple

import numpy as np
import xarray as xr

from kaiseki.archive.products.accumulation import STATISTICS, WORDS, Accumulation, count_attributes, least_number
from kaiseki.archive.products.time_cells import (
    DATE,
    DAY,
    SECOND,
    bounds_of,
    interval_text,
    joined,
    located,
    lowest_state,
    name_of,
    offset_of,
    replaced_method,
    spatial,
    static_coordinates,
    time_method,
    times_of,
    with_cells,
)
from kaiseki.archive.selection.inputs import names
from kaiseki.core.errors import InputError
from kaiseki.core.timing import format_utc

MEMORY = 256 * 2**20
"""Memory for fields that are read at once [bytes]; at least one time is."""

_ALLOWED: Mapping[str, tuple[str, ...]] = {
    "point": ("mean", "minimum", "maximum"),
    "mean": ("mean", "minimum", "maximum"),
    "sum": ("sum", "minimum", "maximum"),
    "maximum": ("maximum",),
    "minimum": ("minimum",),
}
"""Statistics that make sense, by how the values stand for time."""

_COMMENTS = {"point": " comment: sampled instantaneously", "sum": " comment: of sums", "mean": " comment: of means"}


class _Source(NamedTuple):
    """Variable to make statistics of: as it is in the dataset, or the speed of two components of the wind."""

    parts: tuple[xr.DataArray, ...]
    statistics: tuple[str, ...]
    attributes: Mapping[str, Any]


def daily_statistics(
    dataset: xr.Dataset,
    statistics: Mapping[str, Sequence[str]] | None = None,
    *,
    timezone: str | tzinfo = UTC,
    completeness: float = 1.0,
    interval: np.timedelta64 | None = None,
) -> xr.Dataset:
    """All daily statistics of a dataset, in memory; `each_day` gives them day by day.

    Args, names and errors are those of `each_day`.

    Raises:
        InputError: as `each_day`.
    """
    return joined(
        each_day(dataset, statistics, timezone=timezone, completeness=completeness, interval=interval, memory=MEMORY)
    )


def each_day(
    dataset: xr.Dataset,
    statistics: Mapping[str, Sequence[str]] | None = None,
    *,
    timezone: str | tzinfo = UTC,
    completeness: float = 1.0,
    interval: np.timedelta64 | None = None,
    memory: int = MEMORY,
) -> Iterator[xr.Dataset]:
    """Statistics of one day after the other: datasets with one time each, read in one pass.

    Names are those of the variable and the statistic, such as `temperature_2m_maximum`; `temperature_2m_count` is the
    number of valid times of the day at each point. Winds give the mean of each component (the mean vector) and mean and
    maximum of the speed, `wind_speed_10m_mean`, which is not the length of the mean vector. `time` is the middle of the
    day with its bounds `time_bnds`; days whose time axis is not complete enough are left out at the ends of the series
    and NaN within it.

    Args:
        dataset: fields with the dimension `time` (UTC) and `cell_methods` that say "time: point", "time: sum" or
            "time: mean" (sums and means end at their label); times may be missing.
        statistics: statistics by variable, "mean", "sum", "minimum" or "maximum"; None for those that the meaning of
            each variable suggests: the sum of sums, the mean of means, mean, minimum and maximum of instants.
        timezone: civil time of the days, "UTC", "JST", "+09:00", a name of the IANA database or a `tzinfo`; its offset
            must not change within the series.
        completeness: least share of the times of a day that must be valid, per point; else the result is NaN.
        interval: distance of the times; None takes the smallest on the axis. Of sums and means without time bounds it
            must be given.
        memory: for what is read at once [bytes].

    Raises:
        InputError: a variable or statistic that is not there or makes no sense, a time axis that does not fit days, or
            no day is complete enough.
    """
    if not 0.0 < completeness <= 1.0:
        raise InputError(f"The completeness asked for is a share above 0 and up to 1, not {completeness}")
    times = times_of(dataset)
    offset = offset_of(timezone, times)
    sources = _sources(dataset, statistics)
    step = _step(dataset, times, sources, interval, offset)
    # A label at midnight belongs to the day that ends there.
    dates = (times + offset - SECOND).astype("datetime64[D]")
    expected = int(DAY / step)
    least = least_number(completeness, expected)
    present, numbers = np.unique(dates, return_counts=True)
    enough = present[numbers >= least]
    if enough.size == 0:
        raise InputError(
            f"No day from {format_utc(times[0])} to {format_utc(times[-1])} has {least} of {expected} times, "
            f"from 00 (exclusive) to 24 {name_of(offset)}"
        )
    coordinates = static_coordinates(dataset)
    text = interval_text(step)
    states = dataset["state"].values if "state" in dataset.coords else dates
    for date in np.arange(enough[0], enough[-1] + DATE):
        limits = np.searchsorted(dates, [date, date + DATE])
        variables: dict[Hashable, Any] = {}
        for name, source in sources.items():
            variables |= _statistics_of(name, source, slice(*(int(limit) for limit in limits)), least, text, memory)
        start = date.astype("datetime64[s]") - offset
        day = with_cells(
            variables,
            coordinates,
            np.array([[start, start + DAY]]),
            comment=f"days begin at 00:00 {name_of(offset)}",
        )
        day = day.assign_coords(lowest_state(dataset, states[slice(*limits)]))
        day.attrs = dict(dataset.attrs)
        yield day


def _statistics_of(
    name: str, source: _Source, day: slice, least: int, interval: str, memory: int
) -> dict[Hashable, xr.Variable]:
    """Statistics of one variable in one day, with the number of valid times."""
    first = source.parts[0]
    axes = spatial(first)
    shape = tuple(first.sizes[axis] for axis in axes)
    dtype = np.result_type(first.dtype, np.float32)
    accumulation = Accumulation(shape, dtype, source.statistics)
    size = max(1, int(np.prod(shape))) * dtype.itemsize * len(source.parts)
    at_once = max(1, memory // size)
    for begin in range(day.start, day.stop, at_once):
        block = slice(begin, min(begin + at_once, day.stop))
        parts = [part.variable.isel(time=block).transpose("time", *axes).values.astype(dtype) for part in source.parts]
        for number in range(block.stop - block.start):
            fields = [part[number] for part in parts]
            accumulation.add(fields[0] if len(fields) == 1 else np.hypot(*fields))
    dims = ("time", *axes)
    method = time_method(first)
    count = f"{name}_count"
    results: dict[Hashable, xr.Variable] = {}
    for statistic in source.statistics:
        comment = "" if statistic == method else _COMMENTS.get(method, "")
        attributes = dict(source.attributes) | {
            "long_name": f"{WORDS[statistic]} in the day of {source.attributes.get('long_name', name)}",
            "cell_methods": replaced_method(
                source.attributes["cell_methods"], f"time: {statistic} (interval: {interval}{comment})"
            ),
            "ancillary_variables": count,
        }
        values = accumulation.result(statistic, least)[np.newaxis]
        results[f"{name}_{statistic}"] = xr.Variable(dims, values, attributes, located(first))
    results[count] = xr.Variable(
        dims, accumulation.count[np.newaxis], count_attributes(name, "valid times in the day"), located(first)
    )
    return results


def _sources(dataset: xr.Dataset, statistics: Mapping[str, Sequence[str]] | None) -> dict[str, _Source]:
    """What to make statistics of, by name."""
    fields = {
        str(name): array
        for name, array in dataset.data_vars.items()
        if "time" in array.dims and array.dtype.kind in "fiu" and "bounds" not in array.dims
    }
    speeds = {
        name: parts
        for component in fields
        if component.startswith("eastward_wind")
        and "spread" not in component
        and (name := component.replace("eastward_wind", "wind_speed")) not in fields
        and len(parts := _components(fields, component)) == 2
    }
    if statistics is None:
        chosen = {name: _usual(array) for name, array in fields.items() if not _refusal(array)}
        chosen |= dict.fromkeys(speeds, ("mean", "maximum"))
        if not chosen:
            raise InputError("There is no variable to make daily statistics of in this dataset")
    else:
        if not isinstance(statistics, Mapping):
            raise InputError(
                f"Statistics are given by variable, such as {{'temperature_2m': ['maximum']}}, not as {statistics!r}"
            )
        chosen = {name: tuple(names(wanted, "Statistics")) for name, wanted in statistics.items()}
    sources = {}
    for name, wanted in chosen.items():
        if name not in fields and name not in speeds:
            known = ", ".join([*fields, *speeds])
            raise InputError(f"There is no variable {name!r} with times to make daily statistics of; there are {known}")
        parts = speeds.get(name) or (fields[name],)
        if name in fields and (reason := _refusal(fields[name])):
            raise InputError(f"There are no daily statistics of {name!r}: {reason}")
        allowed = _ALLOWED.get(time_method(parts[0]), ())
        for statistic in wanted:
            if statistic not in allowed:
                raise InputError(
                    f"{statistic!r} makes no sense of {name!r}, whose cell_methods are "
                    f"{parts[0].attrs['cell_methods']!r}; possible: {', '.join(allowed) or 'nothing'}"
                    if statistic in STATISTICS
                    else f"Daily statistics are {', '.join(STATISTICS)}, not {statistic!r}"
                )
        sources[name] = _Source(parts, wanted, _attributes(parts))
    return sources


def _components(fields: Mapping[str, xr.DataArray], eastward: str) -> tuple[xr.DataArray, ...]:
    """Both components of a wind where both are there on the same axes."""
    northward = eastward.replace("eastward", "northward")
    if northward not in fields or fields[northward].dims != fields[eastward].dims:
        return ()
    return fields[eastward], fields[northward]


def _attributes(parts: tuple[xr.DataArray, ...]) -> dict[str, Any]:
    """CF attributes of a variable, or of the speed of the wind with these components."""
    kept = ("standard_name", "long_name", "units", "cell_methods", "grid_mapping")
    attributes = {key: parts[0].attrs[key] for key in kept if key in parts[0].attrs}
    if len(parts) == 2:
        attributes["standard_name"] = "wind_speed"
        attributes["long_name"] = str(attributes.get("long_name", "")).replace("eastward wind", "wind speed")
    return attributes


def _usual(array: xr.DataArray) -> tuple[str, ...]:
    """Statistics that the meaning of a variable suggests."""
    method = time_method(array)
    if method == "point":
        component = str(array.attrs.get("standard_name", "")).removesuffix("_wind") in ("eastward", "northward")
        return ("mean",) if component else ("mean", "minimum", "maximum")
    return (method,) if method in _ALLOWED else ()


def _refusal(array: xr.DataArray) -> str:
    """Why no statistics are made of a variable; empty where they are."""
    standard_name = str(array.attrs.get("standard_name", ""))
    if "direction" in standard_name:
        return "angles cannot be averaged or compared; take the components of the vector"
    if standard_name.endswith("standard_error"):
        return "the error of a mean does not follow from the errors of its values without their correlations"
    return ""


def _step(
    dataset: xr.Dataset,
    times: np.ndarray,
    sources: Mapping[str, _Source],
    interval: np.timedelta64 | None,
    offset: np.timedelta64,
) -> np.timedelta64:
    """Distance of the times, checked against the axis, the bounds and the day."""
    if interval is None and times.size < 2:
        raise InputError("The distance of the times does not follow from one time; give interval")
    step = np.min(np.diff(times)) if interval is None else interval.astype("timedelta64[s]")
    if not np.timedelta64(0, "s") < step <= DAY or DAY % step != np.timedelta64(0, "s"):
        raise InputError(f"Times {step} apart do not divide a day; give their distance as interval")
    zero = np.timedelta64(0, "s")
    wrong = times[(times - np.datetime64(0, "s")) % step != zero]
    if wrong.size:
        raise InputError(
            f"Times must be whole multiples of {interval_text(step)} from 00 UTC on; {format_utc(wrong[0])} is not"
        )
    intervals = [name for name, source in sources.items() if time_method(source.parts[0]) != "point"]
    if not intervals:
        return step
    if offset % step != zero:
        raise InputError(
            f"Values of {intervals[0]!r} over {interval_text(step)} do not fit into days that begin {offset} before "
            "00 UTC"
        )
    bounds = bounds_of(dataset)
    if bounds is None:
        if interval is None:
            raise InputError(
                f"{intervals[0]!r} is a sum or mean over an interval, but the dataset has no time bounds; give "
                "interval, if each of them ends at its label"
            )
        return step
    wrong = times[(bounds[:, 1] != times) | (bounds[:, 1] - bounds[:, 0] != step)]
    if wrong.size:
        raise InputError(
            f"Sums and means must end at their label and be as long as the times are apart, {interval_text(step)}; "
            f"that of {format_utc(wrong[0])} is not, so its day has no sum"
        )
    return step
