"""What is exported: fields of an archive or any dataset of its kind, with chosen times and variables."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import xarray as xr

from kaiseki.archive.exchange.cf import times_along
from kaiseki.archive.reader import analysis_of, open_archive
from kaiseki.archive.selection.inputs import names
from kaiseki.archive.store import schema
from kaiseki.archive.store.storage import Location
from kaiseki.archive.store.transactional import kind_at
from kaiseki.core.errors import InputError
from kaiseki.core.timing import format_utc, parse_time

Times = Sequence[str | np.datetime64] | np.ndarray


@dataclass(frozen=True, eq=False)
class Source:
    """A dataset to be exported.

    Attributes:
        dataset: as of `kaiseki.open`, lazy.
        where: how messages name it.
        state: text that is equal for equal values at equal times, so that what an earlier export left can be told to be
            the same; None where nothing is known of that.
    """

    dataset: xr.Dataset
    where: str
    state: str | None = None


def open_source(
    location: Location,
    kind: str | None = None,
    *,
    version: str | None = None,
    storage_options: Mapping[str, Any] | None = None,
) -> Source:
    """The fields at a location, its kind or group and version as of `reader.open_archive`.

    The state of a run store is its creation, for one cycle owns a time and nothing is overwritten there; of another
    archive it is its snapshot.

    Raises:
        StoreError, InputError: as of `reader.open_archive`.
    """
    dataset = open_archive(location, kind, version=version, storage_options=storage_options)
    of_run = kind_at(analysis_of(location), storage_options) in schema.KINDS
    known = dataset.attrs.get("history" if of_run else "snapshot")
    parts = [known, dataset.attrs.get("kind"), dataset.attrs.get("experiment")]
    state = None if known is None else hashlib.sha256(json.dumps(parts).encode()).hexdigest()
    return Source(dataset, str(location), state)


def chosen(source: Source, times: Times | None = None, variables: Sequence[str] | None = None) -> Source:
    """A part of a source.

    Args:
        source: the whole.
        times: instants in UTC, None for all that there are; of forecasts their start times.
        variables: internal names, None for all.

    Raises:
        InputError: a time or variable that the source does not have.
    """
    dataset = source.dataset
    words = f"{kind} fields of {source.where}" if (kind := dataset.attrs.get("kind")) else f"fields of {source.where}"
    if variables is not None:
        variables = names(variables, "The variables of an export")
        missing = [name for name in variables if name not in dataset]
        if missing:
            known = ", ".join(str(name) for name in dataset)
            raise InputError(f"The {words} have no variable {missing[0]!r}; there are {known}")
        bounds = [str(array.attrs[key]) for array in dataset.coords.values() for key in _BOUNDS if key in array.attrs]
        dataset = dataset[[*variables, *(name for name in bounds if name in dataset.data_vars)]]
    if times is not None:
        if isinstance(times, str | slice | np.datetime64) or not isinstance(times, Iterable):
            raise InputError(
                f"The times of an export are a list of instants in UTC, not {times!r}; for a day or a period export "
                "the dataset kaiseki.open(...).kaiseki.period(start, end)"
            )
        dataset = _at(dataset, np.array([parse_time(time) for time in times], "datetime64[s]"), words)
    return Source(dataset, source.where, source.state)


_BOUNDS = ("bounds", "climatology")


def _at(dataset: xr.Dataset, wanted: np.ndarray, words: str) -> xr.Dataset:
    """The times wanted, in their order on the axis."""
    along = times_along(dataset)
    if along is None:
        raise InputError(f"Times were asked of the {words}, which have no axis of time")
    axis = dataset[along].values.astype("datetime64[s]")
    absent = wanted[~np.isin(wanted, axis)]
    if wanted.size == 0 or absent.size:
        what = format_utc(absent[0]) if absent.size else "no time at all"
        raise InputError(
            f"{what} was asked of the {words}, "
            f"which go from {format_utc(axis[0])} to {format_utc(axis[-1])} ({axis.size} times)"
        )
    return dataset.isel({along: np.flatnonzero(np.isin(axis, wanted))})
