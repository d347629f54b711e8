"""A run as an `xarray.Dataset` with CF metadata, read lazily; and its observation feedback archive as one table."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal

import numpy as np
import pyarrow as pa
import pyarrow.parquet
import xarray as xr
import zarr

from kaiseki.archive.selection import Selection
from kaiseki.archive.store import schema
from kaiseki.archive.store.arrays import values_at
from kaiseki.archive.store.forecast_store import ForecastStore
from kaiseki.archive.store.metadata import GRID_MAPPING
from kaiseki.archive.store.run_store import RunStore
from kaiseki.archive.store.storage import Location, storage_errors
from kaiseki.archive.store.transactional import kind_at
from kaiseki.core.errors import InputError, StoreError
from kaiseki.core.files import whole_file
from kaiseki.core.timing import parse_time
from kaiseki.core.variables import VARIABLES
from kaiseki.grid import Domain

FieldKind = Literal["analysis", "background", "forecast"]

_GROUPS: Mapping[str, str] = {"analysis": schema.ANALYSIS, "background": schema.FORECAST}
_COORDINATES = ("x", "y", "level", "soil_level", "lat", "lon", "altitude", "decay", "terrain", "rim", GRID_MAPPING)
_INTERVAL = ("time: sum", "time: mean")
_HEIGHTS = {"_2m": 2.0, "_10m": 10.0}


def open_archive(
    location: Location, kind: FieldKind | None = None, *, storage_options: Mapping[str, Any] | None = None
) -> xr.Dataset:
    """The fields of a run, as far as its complete cycles go, or free forecasts.

    Nothing but the axes is read before it is used (xarray's own lazy indexing; Dask is not needed). Variables have
    their internal names with CF standard names and units; winds are eastward and northward. Coordinates: `time` (UTC),
    `level` (nominal height [m]), `lat`, `lon` (y, x), `altitude` (level, y, x) [m above mean sea level], `x`, `y` of
    the map. `ds.kaiseki` (`archive.selection`) selects places, areas, heights, paths, periods and units. `time_bnds` is there when a variable is a sum or mean over the interval that ends at its label.

    Forecasts have the dimensions `forecast_reference_time` (start, UTC) and `forecast_period` (lead time) in the place
    of `time`, which is a coordinate of both: the time for which the forecast is valid. Sums are missing at the start.

    Args:
        location: folder of a run (its analysis is opened), one of its stores, or a store of forecasts;
            "s3://bucket/prefix" or an `icechunk.Storage`.
        kind: "analysis" (at the analysis times, usual for a run), "background" (the trajectory along the cycles,
            hourly), or "forecast", the only kind of a store of forecasts.
        storage_options: for S3, see `storage.resolve`.

    Raises:
        StoreError: the location is no store, or holds no fields of this kind yet.
        InputError: no such kind.
    """
    if kind is not None and kind not in _GROUPS and kind != "forecast":
        raise InputError(
            f"There are fields of the kinds analysis and background, in a store of forecasts forecast, not {kind!r}; "
            "the observations come from kaiseki.open_observations"
        )
    location = analysis_of(location)
    if kind == "forecast" or (kind is None and kind_at(location, storage_options) == schema.FORECASTS_KIND):
        return _forecasts(ForecastStore.open(location, "r", storage_options=storage_options))
    return _run(RunStore.open(location, "r", storage_options=storage_options), kind or "analysis")


def _run(store: RunStore, kind: FieldKind) -> xr.Dataset:
    """The fields of a run store, as of `open_archive`."""
    root, snapshot = store.root(), store.snapshot()
    with storage_errors(store.where, "read"):
        fields = _lazy(root, _GROUPS[kind])
        static = _lazy(root, schema.STATIC)
    produced = np.flatnonzero(fields["cycle"].values >= 0)
    if produced.size == 0:
        raise StoreError(f"{store.where} holds no {kind} fields yet; {_alternative(root, kind)}")
    whole = produced.size == fields.sizes["time"]
    # Members of a Zarr group have no order of their own; users see that of the table of variables.
    dataset = fields.drop_vars("cycle")[[name for name in VARIABLES if name in fields]]
    bounds = _bounds(store.times) if any(_has_interval(array) for array in dataset.values()) else None
    if bounds is not None:
        dataset["time_bnds"] = (("time", "bounds"), bounds)
        dataset["time"].attrs["bounds"] = "time_bnds"
        dataset["time_bnds"].encoding.update(units=schema.TIME_ATTRIBUTES["units"], dtype="int64")
    dataset = dataset if whole else dataset.isel(time=produced)
    return _described(dataset, static, _attributes(dict(root.attrs), kind, snapshot))


def _forecasts(store: ForecastStore) -> xr.Dataset:
    """The fields of a store of forecasts, as of `open_archive`; without lead times that none has reached."""
    root, snapshot = store.root(), store.snapshot()
    with storage_errors(store.where, "read"):
        fields = _lazy(root, schema.FORECAST)
        static = _lazy(root, schema.STATIC)
    produced = fields["cycle"].values >= 0
    if not produced.any():
        raise StoreError(f"{store.where} holds no forecast yet; call kaiseki forecast again, which goes on")
    dataset = fields.drop_vars("cycle").set_coords("time")[[name for name in VARIABLES if name in fields]]
    if any(_has_interval(array) for array in dataset.values()):
        time = fields["time"].values
        # Nothing is summed up at the start: an interval of no length.
        bounds = np.stack([np.concatenate([time[:, :1], time[:, :-1]], axis=1), time], axis=-1)
        dataset["time_bnds"] = ((*fields["time"].dims, "bounds"), bounds)
        dataset["time"].attrs["bounds"] = "time_bnds"
        dataset["time_bnds"].encoding.update(units=schema.TIME_ATTRIBUTES["units"], dtype="int64")
    used = {
        schema.REFERENCE_TIME: np.flatnonzero(produced.any(axis=1)),
        schema.PERIOD: np.flatnonzero(produced.any(axis=0)),
    }
    if not all(chosen.size == dataset.sizes[name] for name, chosen in used.items()):
        dataset = dataset.isel(used)
    return _described(dataset, static, _attributes(dict(root.attrs), "forecast", snapshot))


def _described(dataset: xr.Dataset, static: xr.Dataset, attributes: Mapping[str, Any]) -> xr.Dataset:
    """Fields with their coordinates in space and global attributes."""
    dataset = dataset.assign_coords({name: static[name] for name in _COORDINATES if name in static})
    dataset = _with_heights(dataset)
    for array in dataset.values():
        _set_coordinates(array)
    dataset.attrs = dict(attributes)
    return dataset


def analysis_of(location: Location) -> Location:
    """The store that is meant: of the folder of a run its analysis, else the location itself."""
    if isinstance(location, str | os.PathLike) and (own := Path(location) / "analysis.store").is_dir():
        return own
    return location


def _lazy(root: zarr.Group, group: str) -> xr.Dataset:
    """One group of the store as a dataset without reading its arrays."""
    return xr.open_zarr(root.store, group=group, consolidated=False, zarr_format=3, chunks=None, decode_timedelta=True)


def _alternative(root: zarr.Group, kind: str) -> str:
    other = next(name for name in _GROUPS if name != kind)
    owners = values_at(root, f"{_GROUPS[other]}/cycle")
    return f"its {other} fields can be opened with kind={other!r}" if np.any(owners >= 0) else "run it first"


def _has_interval(array: xr.DataArray) -> bool:
    return array.attrs.get("cell_methods") in _INTERVAL


def _bounds(times: np.ndarray) -> np.ndarray:
    """Bounds (time, 2) of the intervals: each interval ends at its label and starts at the one before; the first is as
    long as the second."""
    step = times[1] - times[0] if times.size > 1 else np.timedelta64(3600, "s")
    return np.stack([np.concatenate([times[:1] - step, times[:-1]]), times], axis=1).astype("datetime64[ns]")


def _with_heights(dataset: xr.Dataset) -> xr.Dataset:
    """Scalar heights above ground for the variables at 2 m and 10 m."""
    for suffix, height in _HEIGHTS.items():
        if any(str(name).endswith(suffix) for name in dataset):
            attributes = {"standard_name": "height", "long_name": "height above ground", "units": "m", "positive": "up"}
            dataset = dataset.assign_coords({f"height{suffix}": ((), height, attributes | {"axis": "Z"})})
    return dataset


def _set_coordinates(array: xr.DataArray) -> None:
    """The auxiliary coordinates that belong to a variable when it is written to a file."""
    if "y" not in array.dims:
        return
    more = {schema.PERIOD: "time", "level": "altitude"}
    names = ["lat", "lon", *(name for axis, name in more.items() if axis in array.dims)]
    names += [f"height{suffix}" for suffix in _HEIGHTS if str(array.name).endswith(suffix)]
    array.encoding["coordinates"] = " ".join(names)


def _attributes(root: Mapping[str, Any], kind: str, snapshot: str) -> dict[str, Any]:
    """Global attributes: what it is, how to cite it, how it came about."""
    keep = ("Conventions", "title", "source", "history", "comment", *root["described_by"], "schema_version")
    attributes = {name: root[name] for name in keep}
    citation = (
        f"{root['title']} ({kind}), {root['source']}, created {root['date_created']}, state {snapshot} of the archive"
    )
    return attributes | {"kind": kind, "citation": citation, "snapshot": snapshot, "experiment": root["experiment"]}


def open_domain(location: Location, *, storage_options: Mapping[str, Any] | None = None) -> Domain:
    """The `Domain` of a run or of forecasts.

    Raises:
        StoreError: the location is no store.
    """
    if kind_at(location, storage_options) == schema.FORECASTS_KIND:
        return ForecastStore.open(location, "r", storage_options=storage_options).domain()
    return RunStore.open(location, "r", storage_options=storage_options).domain()


def observations(
    location: Location,
    start: str | np.datetime64 | None = None,
    end: str | np.datetime64 | None = None,
    *,
    storage_options: Mapping[str, Any] | None = None,
) -> pa.Table:
    """The observation feedback archive of a run: one row per value, with departures, and the column `cycle`.

    Args:
        location: as of `open_archive`.
        start: first cycle wanted (UTC), None from the first one.
        end: last cycle wanted (UTC), None to the last complete one.
        storage_options: for S3, see `storage.resolve`.

    Raises:
        StoreError: the location is no run store, or no complete cycle in the period has observations.
    """
    first = None if start is None else parse_time(start)
    last = None if end is None else parse_time(end)
    store = RunStore.open(analysis_of(location), "r", storage_options=storage_options)
    tables = []
    for time in store.completed_cycles():
        if (first is not None and time < first) or (last is not None and time > last):
            continue
        table = store.read_observations(time)
        if table is not None:
            cycle = pa.array(np.full(table.num_rows, time, "datetime64[s]"), pa.timestamp("s"))
            tables.append(table if "cycle" in table.column_names else table.append_column("cycle", cycle))
    if not tables:
        period = "" if first is None and last is None else f" from {start} to {end}"
        raise StoreError(f"{store.where} has no complete cycle with observations{period}")
    try:
        return pa.concat_tables(tables, promote_options="default").unify_dictionaries()
    except pa.ArrowInvalid as error:
        raise StoreError(f"The observation tables of {store.where} have different columns: {error}") from error


def export_observations(location: Location, file: str | Path, **selection: Any) -> Path:
    """Write `observations(location, **selection)` as Parquet, whole or not at all; returns the path of the file.

    Raises:
        StoreError: as `observations`, or the file cannot be written.
        ResourceError: the disk is full.
    """
    table = observations(location, **selection)
    metadata = {**(table.schema.metadata or {}), b"kaiseki_schema_version": str(schema.SCHEMA_VERSION).encode()}
    # Arrow takes no path that is no text in the locale's encoding.
    with whole_file(Path(file)) as scratch, scratch.open("wb") as stream:
        pyarrow.parquet.write_table(table.replace_schema_metadata(metadata), stream, compression="zstd")
    return Path(file)
