"""Parts of a dataset that are read together, because one chunk of an archive holds many times."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from itertools import pairwise
from typing import Any, Final

import numpy as np
import xarray as xr

from kaiseki.archive.selection.lazy import Key, computed, count, values
from kaiseki.archive.store.schema import PERIOD, REFERENCE_TIME

TIME_DIMENSIONS: Final = ("time", REFERENCE_TIME, PERIOD)
"""Dimensions along which fields are read and written one part after another."""

BLOCK: Final = 256 * 2**20
"""Largest number of bytes of one variable that are in memory at a time: a day on four levels of 661 x 817 cells."""

_AHEAD: Final = 128 * 2**20
"""Largest number of bytes of each of several variables that are kept for later times."""


def days_along(axis: np.ndarray) -> list[slice]:
    """The numbers of each day of an axis of times, UTC, or of lead times, in their order.

    Args:
        axis: (n,), datetime64 or timedelta64; numbers of another kind have no days and count as one.
    """
    if axis.dtype.kind not in "mM":
        return [slice(0, axis.size)]
    days = np.asarray(axis).astype(f"{axis.dtype.kind}8[D]")
    edges = [0, *(np.flatnonzero(days[1:] != days[:-1]) + 1).tolist(), days.size]
    return [slice(start, end) for start, end in pairwise(edges) if end > start]


def blocks(sizes: Mapping[str, int], itemsize: int, days: Mapping[str, list[slice]]) -> Iterator[dict[str, slice]]:
    """Parts of a variable, in the order of time: many days as far as they fit into memory, else a day on some levels.

    Args:
        sizes: length of each dimension, in order; the last two in space are those of a map.
        itemsize: bytes of a value.
        days: of each dimension of time, as of `days_along`.
    """
    along = [name for name in sizes if name in TIME_DIMENSIONS]
    spatial = [name for name in sizes if name not in along]
    each = max(1, itemsize * math.prod(sizes[name] for name in spatial))
    level = each // max(1, sizes[spatial[0]]) if len(spatial) > 2 else each
    runs = _runs(days[along[-1]], each, level) if along else [slice(0, 1)]
    for place in np.ndindex(*(sizes[name] for name in along[:-1])):
        before = {name: slice(number, number + 1) for name, number in zip(along[:-1], place, strict=True)}
        for run in runs:
            part = before | ({along[-1]: run} if along else {})
            length = run.stop - run.start
            if length * each <= BLOCK or level == each:
                yield part
                continue
            for levels in _cut(slice(0, sizes[spatial[0]]), BLOCK // (length * level)):
                yield part | {spatial[0]: levels}


def _runs(days: list[slice], each: int, level: int) -> list[slice]:
    """Days in a row as far as they fit into memory; a day of which not even one level does is cut.

    Args:
        days: runs of numbers that follow each other.
        each: bytes of one time.
        level: bytes of one time on one level.
    """
    runs: list[slice] = []
    for day in [part for whole in days for part in _cut(whole, BLOCK // level)]:
        if runs and (day.stop - runs[-1].start) * each <= BLOCK:
            runs[-1] = slice(runs[-1].start, day.stop)
        else:
            runs.append(day)
    return runs


def _cut(numbers: slice, length: int) -> list[slice]:
    """Parts of a run of numbers, of at least one each."""
    length = max(1, length)
    return [slice(start, min(start + length, numbers.stop)) for start in range(numbers.start, numbers.stop, length)]


def read_ahead(dataset: xr.Dataset) -> xr.Dataset:
    """A dataset that is read a day at a time where it is asked for whole maps of one time after another.

    Of each variable the times last read are kept, as many of a day as fit into memory. What is asked for in parts of a
    map, or has no axis of time, is read as it is asked for.

    Args:
        dataset: lazy, with rising times.
    """
    along = next((name for name in (PERIOD, "time") if name in dataset.dims and name in dataset.coords), None)
    if along is None:
        return dataset
    days = days_along(dataset[along].values)
    ahead = {
        name: _ahead(one.variable, along, days)
        for name, one in dataset.data_vars.items()
        if along in one.dims and one.ndim > 1 and one.dtype.kind in "fiu"
    }
    return dataset.assign(ahead)


def _ahead(source: xr.Variable, along: str, days: list[slice]) -> xr.Variable:
    """One variable of which some times are read together, of several forecasts those of one."""
    spatial = {dim: size for dim, size in source.sizes.items() if dim not in (along, REFERENCE_TIME)}
    each = max(1, source.dtype.itemsize * math.prod(spatial.values()))
    runs = [part for day in days for part in _cut(day, _AHEAD // each)]
    starts = np.array([run.start for run in runs])
    axis = source.dims.index(along)
    kept: dict[str, Any] = {"what": None, "values": None}

    def part(key: dict[Any, Key]) -> np.ndarray:
        numbers = np.arange(source.sizes[along])[key[along]]
        run = None if numbers.size == 0 else runs[int(np.searchsorted(starts, numbers.min(), side="right")) - 1]
        if run is None or numbers.max() >= run.stop or not all(_whole(key[dim], size) for dim, size in spatial.items()):
            return values(source, key)
        forecasts = {dim: np.arange(source.sizes[dim])[key[dim]] for dim in source.dims if dim == REFERENCE_TIME}
        what = (run, *(number for one in forecasts.values() for number in one.tolist()))
        if kept["what"] != what:
            kept.update(values=None)  # Two runs at a time would be twice the memory.
            kept.update(values=values(source, {along: run, **forecasts}), what=what)
        return np.take(kept["values"], numbers - run.start, axis=axis)

    result = computed(source.sizes, source.dtype, part, source.attrs)
    result.encoding = dict(source.encoding)
    return result


def _whole(key: Key, size: int) -> bool:
    """Whether a choice along a dimension is all of it, in its order."""
    return count(key, size) == size and np.array_equal(np.arange(size)[key], np.arange(size))
