"""Series at places as Parquet: long or wide, one row group per place, with units and CF attributes in the schema.

The files are GeoParquet 1.1: the column `geometry` holds the places as points (longitude, latitude) in WKB.
Source of the metadata: GeoParquet specification 1.1.0 (https://geoparquet.org/releases/v1.1.0/).
"""

from __future__ import annotations

import json
import struct
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Final, Literal

import numpy as np
import pyarrow as pa
import pyarrow.parquet
import xarray as xr

from kaiseki.archive.exchange.cf import cf_dataset
from kaiseki.archive.exchange.netcdf import EXPORT_ID, Written, export_id
from kaiseki.archive.exchange.source import Source
from kaiseki.archive.selection.inputs import need_dataset
from kaiseki.core.errors import InputError
from kaiseki.core.files import make_folder, whole_file
from kaiseki.core.progress import Progress

Shape = Literal["long", "wide"]

_PLACES_AT_ONCE: Final = 64


def write_points(
    dataset: xr.Dataset, file: str | Path, shape: Shape = "wide", *, along: str = "place", identity: str | None = None
) -> Path:
    """Write series at places to one Parquet file, whole or not at all.

    Wide: one row per place and time (and level, lead time ...), one column per variable; all variables have the same
    axes. Long: one row per value, with the columns `variable`, `value` (float64) and `units`; an axis that a variable
    does not have is null there. Rows are sorted by place in the order of the dataset, then by variable (long) and the
    axes; each place is a row group of its own, so that a reader of one place reads no other. Columns of the place:
    the axis itself if it has labels, else its number from 0, `lat`, `lon`, `geometry`, and every other coordinate of
    places (names, say). Missing values are null.

    CF attributes stand in the metadata of the columns (wide) and, as JSON by variable, in the metadata of the schema
    under `variables`; those of the dataset under `attributes`.

    Args:
        dataset: in memory or lazy, with a dimension of places and the coordinates `lat` and `lon` along it.
        file: path of the new file; an existing one is replaced.
        shape: "wide" or "long".
        along: name of the dimension of places.
        identity: digest of what the file is made of, kept in the metadata of the schema as `export_id`.

    Raises:
        InputError: no such dimension or coordinates, no places, or wide variables of different axes.
        StoreError: the file cannot be written.
        ResourceError: the disk is full.
    """
    _check(dataset, along)
    described = cf_dataset(dataset, "exported to Parquet")
    mappings = [name for name, array in described.variables.items() if "grid_mapping_name" in array.attrs]
    described = described.set_coords([name for name in dataset.coords if name in described]).drop_vars(mappings)
    names = [str(name) for name, array in described.data_vars.items() if along in array.dims]
    if not names:
        raise InputError(f"No variable has the dimension {along!r}; select places before")
    if shape == "wide":
        _check_same_axes(described, names)
    schema: pa.Schema | None = None
    path = Path(file)
    writer: pa.parquet.ParquetWriter | None = None
    # Arrow takes no path that is no text in the locale's encoding.
    with whole_file(path) as scratch, scratch.open("wb") as stream:
        try:
            for place in _places(described, along):
                table = _wide(place, names, along) if shape == "wide" else _long(place, names, along)
                if schema is None or writer is None:
                    schema = _with_metadata(table.schema, described, names, identity)
                    writer = pa.parquet.ParquetWriter(stream, schema, compression="zstd")
                # One call is one row group unless the table passes the limit of a group.
                writer.write_table(table.cast(schema), row_group_size=max(table.num_rows, 1))
        finally:
            if writer is not None:
                writer.close()
    return path


def write_point_months(source: Source, folder: str | Path, stem: str, shape: Shape = "wide") -> Written:
    """Write series at places to one Parquet file per calendar month (UTC), `<stem>_<YYYYMM>.parquet`.

    A file that is there is kept if it is whole and its `export_id` is the one that it would get, as by
    `netcdf.write_days`.

    Args:
        source: what is exported, with the dimension `place`; its state must tell the places too.
        folder: folder of the files; made if it is not there.
        stem: beginning of the names.
        shape: "wide" or "long", see `write_points`.

    Raises:
        InputError, StoreError, ResourceError: as of `write_points`, and no axis of time; files of earlier months stay.
    """
    dataset = source.dataset
    if "time" not in dataset.dims:
        raise InputError(f"The fields of {source.where} have no axis of time, so there are no months; export one file")
    months = dataset["time"].values.astype("datetime64[M]")
    make_folder(Path(folder))
    files, kept = [], []
    with Progress(f"writing {stem}", np.unique(months).size, unit="file") as progress:
        for month in np.unique(months):
            part = dataset.isel(time=np.flatnonzero(months == month))
            path = Path(folder) / f"{stem}_{str(month).replace('-', '')}.parquet"
            identity = None if source.state is None else export_id(source.state, part, shape)
            if identity is not None and _identity_of(path) == identity:
                kept.append(path)
            else:
                write_points(part, path, shape, identity=identity)
            files.append(path)
            progress.advance(1, str(month))
    return Written(tuple(files), tuple(kept))


def _identity_of(path: Path) -> str | None:
    """The `export_id` of a Parquet file; None if there is none or it is no whole file."""
    try:
        found = pa.parquet.read_schema(path).metadata or {}
    except (OSError, pa.ArrowInvalid):
        return None
    identity = found.get(EXPORT_ID.encode())
    return None if identity is None else identity.decode()


def _check(dataset: xr.Dataset, along: str) -> None:
    """Refuse what has no places."""
    need_dataset(dataset)
    if along not in dataset.dims:
        single = "lat" in dataset.coords and not dataset["lat"].dims
        raise InputError(
            f"A table of points needs a dimension {along!r}, and there are {', '.join(map(str, dataset.dims))}; "
            + ("select the single place as a list of one, points([lon], [lat])" if single else
               "select places before, or name the dimension")
        )  # fmt: skip
    for name in ("lat", "lon"):
        if name not in dataset.coords or dataset[name].dims != (along,):
            raise InputError(f"A table of points needs the coordinate {name!r} of each place, along {along!r} alone")
    if dataset.sizes[along] == 0:
        raise InputError("A table of points needs at least one place")


def _check_same_axes(dataset: xr.Dataset, names: list[str]) -> None:
    axes = {frozenset(map(str, dataset[name].dims)): name for name in names}
    if len(axes) > 1:
        one, other = list(axes.values())[:2]
        raise InputError(
            f"{one} and {other} have different axes, {sorted(map(str, dataset[one].dims))} and "
            f"{sorted(map(str, dataset[other].dims))}; a wide table holds one kind, export them apart or long"
        )


def _places(dataset: xr.Dataset, along: str) -> Iterator[xr.Dataset]:
    """Each place, with some of them read together."""
    for start in range(0, dataset.sizes[along], _PLACES_AT_ONCE):
        block = dataset.isel({along: slice(start, start + _PLACES_AT_ONCE)}).load()
        if along not in block.coords:
            numbers = np.arange(start, start + block.sizes[along])
            block = block.assign_coords({along: (along, numbers, {"long_name": "number of the place"})})
        for number in range(block.sizes[along]):
            yield block.isel({along: number})


def _axes(array: xr.DataArray) -> dict[str, np.ndarray]:
    """Axes and further coordinates of an array along them, flat in the order of its values; none of the places."""
    shape, found = array.shape, {}
    for name in [*array.dims, *(name for name in array.coords if name not in array.dims)]:
        coordinate = array[name]
        if set(coordinate.dims) and set(coordinate.dims) <= set(array.dims):
            spread = coordinate.broadcast_like(array).transpose(*array.dims).values
            found[str(name)] = np.broadcast_to(spread, shape).ravel()
    return found


def _of_place(place: xr.Dataset, along: str, rows: int) -> dict[str, pa.Array]:
    """Columns that are the same in all rows of a place."""
    lat, lon = float(place["lat"].values), float(place["lon"].values)
    names = [along, *(str(name) for name, one in place.coords.items() if not one.dims and name != along)]
    columns = {name: _column(np.repeat(place[name].values, rows)) for name in names}
    return columns | {"geometry": pa.array([_point(lon, lat)] * rows, pa.binary())}


def _wide(place: xr.Dataset, names: list[str], along: str) -> pa.Table:
    """The rows of a place, one column per variable."""
    order = place[names[0]].dims
    arrays = {name: place[name].transpose(*order) for name in names}
    axes = _axes(arrays[names[0]])
    rows = arrays[names[0]].size
    columns = _of_place(place, along, rows) | {name: _column(values) for name, values in axes.items()}
    return pa.table(columns | {name: _column(array.values.ravel()) for name, array in arrays.items()})


def _long(place: xr.Dataset, names: list[str], along: str) -> pa.Table:
    """The rows of a place, one per value."""
    parts = []
    for name in names:
        array = place[name]
        columns = _of_place(place, along, array.size)
        columns |= {axis: _column(values) for axis, values in _axes(array).items()}
        columns["variable"] = pa.array([name] * array.size, pa.string())
        columns["value"] = _column(array.values.astype(float).ravel())
        columns["units"] = pa.array([str(array.attrs.get("units", ""))] * array.size, pa.string())
        parts.append(pa.table(columns))
    whole = pa.concat_tables(parts, promote_options="default")
    last = [name for name in ("variable", "value", "units") if name in whole.column_names]
    return whole.select([*(name for name in whole.column_names if name not in last), *last])


def _column(values: Any) -> pa.Array:
    """A column: times in UTC in milliseconds, NaN as null."""
    array = np.asarray(values)
    if array.dtype.kind == "M":
        return pa.array(array.astype("datetime64[ms]"), pa.timestamp("ms", tz="UTC"))
    if array.dtype.kind == "m":
        # As CF counts lead times; Parquet has no type for intervals that others read.
        return pa.array(array.astype("timedelta64[s]").astype(np.int64))
    return pa.array(array, from_pandas=True)


def _point(lon: float, lat: float) -> bytes:
    """A point in WKB, little-endian."""
    return struct.pack("<BIdd", 1, 1, lon, lat)


def _with_metadata(schema: pa.Schema, dataset: xr.Dataset, names: list[str], identity: str | None) -> pa.Schema:
    """The schema with CF attributes of the columns and of the dataset, and GeoParquet's description."""
    described = {name: _text(dataset[name].attrs) for name in dataset.variables if name in {*names, *schema.names}}
    fields = [field.with_metadata(described.get(field.name, {})) for field in schema]
    geo = {
        "version": "1.1.0",
        "primary_column": "geometry",
        # Without a crs longitude and latitude are those of OGC:CRS84, which is what the places were selected by.
        "columns": {"geometry": {"encoding": "WKB", "geometry_types": ["Point"]}},
    }
    metadata = {
        "geo": json.dumps(geo),
        "variables": json.dumps({name: _text(dataset[name].attrs) for name in names}, ensure_ascii=False),
        "attributes": json.dumps(_text(dataset.attrs), ensure_ascii=False),
    }
    return pa.schema(fields, metadata if identity is None else metadata | {EXPORT_ID: identity})


def _text(attributes: Mapping[Any, Any]) -> dict[str, str]:
    """Attributes as text; those that name variables of a file mean nothing in a table."""
    left_out = ("coordinates", "grid_mapping", "bounds", "formula_terms")
    return {str(name): str(value) for name, value in attributes.items() if name not in left_out}
