"""Climatology: mean, spread, extremes and percentiles over years, by month, season, third of a month or calendar day.

What is pooled follows from what comes in. Of monthly statistics, each calendar month gives one value a year: the mean
is the normal, the percentiles are those of the year-to-year variation. Of daily statistics, all days of the month (or
of the window around a calendar day) of all years are one sample. Of hourly fields, all hours are.

Percentiles are exact and by type 8 of Hyndman and Fan (`percentiles`). They need all values of a point at once, so the
work goes by blocks of rows, each read once over all years. That suits data kept in long series; from data kept as maps,
each block reads every map again.

Source: CF conventions 1.11, section 7.4.
"""

from __future__ import annotations

from collections.abc import Hashable, Iterator, Mapping, Sequence
from itertools import product

import numpy as np
import xarray as xr

from kaiseki.archive.products.accumulation import count_attributes, least_number
from kaiseki.archive.products.normals import STANDARD, Normals, Samples, samples_of
from kaiseki.archive.products.percentiles import quantiles
from kaiseki.archive.products.time_cells import (
    located,
    name_of,
    offset_of,
    spatial,
    static_coordinates,
    times_of,
    with_cells,
    within_days,
)
from kaiseki.core.errors import InputError

MEMORY = 2**30
"""Memory for the values of a block, with what is made of them [bytes]."""

_COPIES = 4
"""Times that the values of a block are in memory at the worst: as read, in series, in a window, as valid or not."""


def climatology(
    dataset: xr.Dataset,
    normals: Normals = STANDARD,
    variables: Sequence[str] | None = None,
    *,
    memory: int = MEMORY,
) -> xr.Dataset:
    """The whole climatology of a dataset, in memory; `each_block` gives it by blocks, and has the arguments.

    Names are those of the variable and what was done over the years: `temperature_2m_mean_over_years` and likewise
    `minimum`, `maximum`, `standard_deviation` (of a sample, n - 1), `percentile` with the dimension `percentile`, and
    `temperature_2m_count_over_years`, the number of values used. `time` is a climatological axis (CF 7.4) whose labels
    are dates in the middle of each entry in a year of the period, one with 29 February where there is one.

    Raises:
        InputError: as `each_block`.
    """
    samples = samples_of(dataset, normals)
    results: dict[Hashable, xr.Variable] = {}
    for where, block in each_block(dataset, normals, variables, memory=memory):
        for name, variable in block.data_vars.items():
            if "time" not in variable.dims or "bounds" in variable.dims:
                continue
            if name not in results:
                sizes: dict[Hashable, int] = {**dataset.sizes, "time": block.sizes["time"]}
                sizes["percentile"] = block.sizes["percentile"]
                shape = tuple(sizes[axis] for axis in variable.dims)
                values = np.empty(shape, variable.dtype)
                results[name] = xr.Variable(variable.dims, values, variable.attrs, variable.encoding)
            place = tuple(where.get(axis, slice(None)) for axis in variable.dims)
            results[name].values[place] = variable.values
    return _described(dataset, normals, samples, results)


def each_block(
    dataset: xr.Dataset,
    normals: Normals = STANDARD,
    variables: Sequence[str] | None = None,
    *,
    memory: int = MEMORY,
) -> Iterator[tuple[dict[Hashable, slice], xr.Dataset]]:
    """The climatology by blocks of rows: where the block lies (slices by dimension) and its part of the result.

    Args:
        dataset: hourly fields, daily statistics, or statistics of the periods of the cycle, with their time bounds
            (instants need none).
        normals: what to make.
        variables: names; None for all floating-point variables of time but numbers of values.
        memory: for the values of a block and what is made of them [bytes]; at least one point is done.

    Raises:
        InputError: the data do not cover the years, are of other periods than those of the cycle, or lack a variable.
    """
    samples = samples_of(dataset, normals)
    names = [str(name) for name, array in dataset.data_vars.items() if array.dtype.kind == "f" and "time" in array.dims]
    for name in names if variables is None else variables:
        if name not in names:
            raise InputError(f"There is no variable {name!r} with times in this dataset; there are {', '.join(names)}")
        array = dataset[name]
        axes = spatial(array)
        for where in _blocks(array, samples.stop - samples.start, memory // _COPIES):
            values = array.isel({"time": slice(samples.start, samples.stop), **where}).transpose(*axes, "time").values
            shape = values.shape[:-1]
            flat = np.ascontiguousarray(values.reshape(-1, values.shape[-1]))
            results = _statistics_of(flat, samples, normals)
            part: dict[Hashable, xr.Variable] = {
                f"{name}_{statistic}_over_years": _variable(array, statistic, field, shape, samples.kind)
                for statistic, field in results.items()
            }
            yield where, _described(dataset.isel(where), normals, samples, part)


def _statistics_of(values: np.ndarray, samples: Samples, normals: Normals) -> dict[str, np.ndarray]:
    """Statistics (entry, point), percentiles (percentile, entry, point), of values (point, time)."""
    shares = np.array(normals.percentiles) / 100.0
    size = (len(samples.members), values.shape[0])
    names = ("mean", "standard_deviation", "minimum", "maximum")
    results = {name: np.full(size, np.nan, values.dtype) for name in names}
    results["percentile"] = np.full((shares.size, *size), np.nan, values.dtype)
    results["count"] = np.zeros(size, np.int32)
    whole = not np.isnan(values).any()
    for entry, members in enumerate(samples.members):
        if members.size == 0:
            continue
        ordered = values[:, members]
        ordered.sort(axis=-1)
        count = np.full(size[1], members.size) if whole else np.sum(~np.isnan(ordered), axis=-1)
        enough = count >= max(1, least_number(normals.completeness, int(samples.expected[entry])))
        some = np.maximum(count, 1)
        mean = np.nansum(ordered, axis=-1, dtype=float) / some
        deviation = ordered - mean.astype(values.dtype)[:, None]
        # The mean in the precision of the values is not exactly that of the deviations.
        squares = np.nansum(deviation * deviation, axis=-1, dtype=float)
        squares -= np.nansum(deviation, axis=-1, dtype=float) ** 2 / some
        spread = np.sqrt(np.maximum(squares, 0.0) / np.maximum(count - 1, 1))
        fields = {
            "mean": mean,
            "standard_deviation": np.where(count > 1, spread, np.nan),
            "minimum": ordered[:, 0],
            "maximum": ordered[np.arange(size[1]), some - 1],
        }
        for name, field in fields.items():
            results[name][entry] = np.where(enough, field, np.nan)
        results["percentile"][:, entry] = np.where(enough, quantiles(ordered, count, shares), np.nan)
        results["count"][entry] = count
    return results


def _variable(array: xr.DataArray, statistic: str, field: np.ndarray, shape: tuple[int, ...], kind: str) -> xr.Variable:
    """One statistic with CF attributes."""
    first = ("percentile", "time") if statistic == "percentile" else ("time",)
    values = field.reshape(*field.shape[: len(first)], *shape)
    dims = (*first, *spatial(array))
    if statistic == "count":
        return xr.Variable(dims, values, count_attributes(str(array.name), "values used"), located(array))
    kept = ("standard_name", "units", "grid_mapping")
    attributes = {key: array.attrs[key] for key in kept if key in array.attrs}
    title = statistic.replace("_", " ")
    pooled = {"hours": "all times", "days": "all days", "periods": "the values"}[kind]
    attributes["long_name"] = f"{title} over years of {array.attrs.get('long_name', array.name)}"
    methods = _cell_methods(str(array.attrs.get("cell_methods", "")), statistic, kind)
    if methods:
        attributes["cell_methods"] = methods
    attributes["comment"] = (
        f"{title} of {pooled} of this entry in all years as one sample, each {array.attrs.get('cell_methods')}"
    )
    if statistic == "standard_deviation" and "temperature" in str(attributes.get("standard_name", "")):
        attributes["units_metadata"] = "temperature: difference"
    attributes["ancillary_variables"] = f"{array.name}_count_over_years"
    return xr.Variable(dims, values, attributes, located(array))


def _cell_methods(text: str, statistic: str, kind: str) -> str:
    """`cell_methods` of the result; empty where CF has no words: percentiles, and the spread of a pooled sample."""
    if statistic == "percentile" or (statistic == "standard_deviation" and kind != "periods"):
        return ""
    if kind == "periods":
        return f"{text} time: {statistic} over years"
    if kind == "days":
        return f"{within_days(text)} time: {statistic} over days time: {statistic} over years"
    return f"time: {statistic} within years time: {statistic} over years"


def _described(
    dataset: xr.Dataset, normals: Normals, samples: Samples, variables: Mapping[Hashable, xr.Variable]
) -> xr.Dataset:
    """Results on their climatological axis."""
    attributes = {"long_name": "percentile by type 8 of Hyndman and Fan (1996)", "units": "percent"}
    coordinates = static_coordinates(dataset)
    coordinates["percentile"] = xr.Variable("percentile", np.array(normals.percentiles), attributes)
    comment = str(dataset["time"].attrs.get("comment", ""))
    if samples.kind == "hours":
        comment = f"days begin at 00:00 {name_of(offset_of(normals.timezone, times_of(dataset)))}"
    result = with_cells(variables, coordinates, samples.bounds, climatological=True, comment=comment)
    # The bounds reach over all years, so the label is not their middle.
    label = xr.Variable("time", samples.middle.astype("datetime64[ns]"), result["time"].attrs, result["time"].encoding)
    result = result.assign_coords(time=label)
    result["time"].encoding = label.encoding
    result.attrs = dict(dataset.attrs)
    return result


def _blocks(array: xr.DataArray, times: int, memory: int) -> Iterator[dict[Hashable, slice]]:
    """Parts of space whose values over all times fit into memory, whole along the last dimensions, in order.

    Rows come in multiples of the chunks of the store, where those are known and fit.
    """
    axes = spatial(array)
    points = max(1, memory // (max(1, times) * array.dtype.itemsize))
    chunks = array.encoding.get("preferred_chunks", {})
    lengths = {}
    for axis in reversed(axes):
        length = min(array.sizes[axis], max(1, points))
        chunk = chunks.get(axis, 1)
        lengths[axis] = length // chunk * chunk if chunk < length < array.sizes[axis] else length
        points //= array.sizes[axis]
    ranges = [range(0, array.sizes[axis], lengths[axis]) for axis in axes]
    for begins in product(*ranges):
        yield {
            axis: slice(begin, min(begin + lengths[axis], array.sizes[axis]))
            for axis, begin in zip(axes, begins, strict=True)
        }
