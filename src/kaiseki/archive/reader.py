"""A run as an `xarray.Dataset` with CF metadata, read lazily; and its observation feedback archive as one table."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet
import xarray as xr

import kaiseki.archive.selection  # noqa: F401, for it registers the accessor ds.kaiseki
from kaiseki.archive.release.reading import open_group, release_observations
from kaiseki.archive.release.schema import KIND as RELEASE_KIND
from kaiseki.archive.store import schema
from kaiseki.archive.store.dataset import RUN_GROUPS, FieldKind, analysis_of, forecasts_dataset, run_dataset
from kaiseki.archive.store.export_folder import NOTE
from kaiseki.archive.store.forecast_store import ForecastStore
from kaiseki.archive.store.run_store import RunStore
from kaiseki.archive.store.storage import Location
from kaiseki.archive.store.transactional import kind_at
from kaiseki.core.errors import InputError, StoreError
from kaiseki.core.files import whole_file
from kaiseki.core.timing import parse_time
from kaiseki.grid import Domain


def open_archive(
    location: Location,
    kind: str | None = None,
    *,
    version: str | None = None,
    storage_options: Mapping[str, Any] | None = None,
) -> xr.Dataset:
    """The fields of a release, of a run as far as its complete cycles go, or of free forecasts.

    Nothing but the axes is read before it is used (xarray's own lazy indexing; Dask is not needed). Variables have
    their internal names with CF standard names and units; winds are eastward and northward. Coordinates: `time` (UTC),
    `level` (nominal height [m]), `lat`, `lon` (y, x), `altitude` (level, y, x) [m above mean sea level], `x`, `y` of
    the map. `time_bnds` is there when a variable is a sum or mean over the interval that ends at its label. The
    accessor `ds.kaiseki` selects places, areas, heights, paths, periods and units: see `archive.selection`.

    Forecasts have the dimensions `forecast_reference_time` (start, UTC) and `forecast_period` (lead time) in the place
    of `time`, which is a coordinate of both: the time for which the forecast is valid. Sums are missing at the start.

    A release has packed values with a declared largest error, the attribute `maximum_absolute_error`; each part is read
    from that layout of the release in which it is cheapest. Its coordinate `state` tells preliminary times (1) from
    final ones (2), and `rim` the points near the edge where the driving data rule.

    Args:
        location: a release store; the folder of a run (its analysis is opened), one of its stores, or a store of
            forecasts; "s3://bucket/prefix" or an `icechunk.Storage`; a folder of statistics, or a file of it.
        kind: of a release the group: "model_levels" (usual), "analysis", "surface", "precipitation",
            "pressure_levels", "height_levels" or "uncertainty", or "static", the fields that do not change; of a run
            "analysis" (at the analysis times, usual) or "background" (the trajectory along the cycles, hourly);
            "forecast", the only kind of a store of forecasts;
            of statistics group and period, "surface_month".
        version: of a release: the tag of a version, "quality" for what is not published yet, None for the last version.
        storage_options: for S3: region, endpoint_url, anonymous, profile ..., see `object_store.s3_arguments`; without
            them keys come from the environment.

    Raises:
        StoreError: the location is no store, or holds no fields of this kind yet.
        InputError: no such kind or version.
    """
    if (statistics := _statistics(location)) is not None:
        return statistics(location, kind)
    found = kind_at(analysis_of(location), storage_options)
    if found == RELEASE_KIND:
        return open_group(location, kind, version=version, storage_options=storage_options)
    if version is not None:
        raise InputError(f"{location} is no release store, and only these have versions; leave the version out")
    if kind is not None and kind not in RUN_GROUPS and kind != "forecast":
        raise InputError(
            f"There are fields of the kinds analysis and background, in a store of forecasts forecast, not {kind!r}; "
            "the observations come from kaiseki.open_observations"
        )
    location = analysis_of(location)
    if kind == "forecast" or (kind is None and found == schema.FORECASTS_KIND):
        return forecasts_dataset(ForecastStore.open(location, "r", storage_options=storage_options))
    wanted: FieldKind = "background" if kind == "background" else "analysis"
    return run_dataset(RunStore.open(location, "r", storage_options=storage_options), wanted)


def _statistics(location: Location) -> Callable[..., xr.Dataset] | None:
    """The function that opens a folder of statistics, None where the location is something else."""
    if not isinstance(location, str | os.PathLike) or (
        not (Path(location) / NOTE).is_file() and Path(location).suffix != ".nc"
    ):
        return None
    from kaiseki.archive.products.statistics_files import is_statistics, open_statistics

    return open_statistics if is_statistics(location) else None


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
    version: str | None = None,
    storage_options: Mapping[str, Any] | None = None,
) -> pa.Table:
    """The observation feedback archive of a run or a release: a row per value, with departures, and the column `cycle`.

    Args:
        location: as of `open_archive`.
        start: first cycle wanted (UTC), None from the first one.
        end: last cycle wanted (UTC), None to the last complete one.
        version: of a release, as of `open_archive`.
        storage_options: for S3, see `storage.resolve`.

    Raises:
        StoreError: the location is no run store and no release, or no complete cycle in the period has observations.
        InputError: no such version, or a version of a run.
    """
    first = None if start is None else parse_time(start)
    last = None if end is None else parse_time(end)
    if kind_at(analysis_of(location), storage_options) == RELEASE_KIND:
        return release_observations(location, (first, last), version=version, storage_options=storage_options)
    if version is not None:
        raise InputError(f"{location} is no release store, and only these have versions; leave the version out")
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
