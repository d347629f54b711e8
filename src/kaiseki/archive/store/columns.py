"""The observation table of one cycle as Zarr arrays, one per column, and back to Arrow without loss.

Numbers, booleans and times are stored as they are (times as int64, booleans as uint8); text as int32 codes into the
attribute `categories`, -1 for a missing value. The Arrow schema is kept in the attributes of the group.
"""

from __future__ import annotations

import base64
from collections.abc import Mapping
from typing import Any

import numpy as np
import pyarrow as pa
import zarr

from kaiseki.archive.store.arrays import array_at, put
from kaiseki.core.errors import StoreError

_ROWS = ("row",)


def as_table(columns: Any) -> pa.Table:
    """The columns as a `pyarrow.Table`.

    Args:
        columns: a `pyarrow.Table`, or a mapping of names to one-dimensional arrays of equal length.

    Raises:
        StoreError: it is neither.
    """
    if isinstance(columns, pa.Table):
        return columns
    if not isinstance(columns, Mapping):
        raise StoreError(f"Observations must be a pyarrow.Table or a mapping of columns; got {type(columns).__name__}")
    try:
        return pa.table({name: pa.array(values) for name, values in columns.items()})
    except (pa.ArrowException, ValueError, TypeError) as error:
        raise StoreError(f"The observation columns do not make a table: {error}") from error


def _is_text(kind: pa.DataType) -> bool:
    return bool(pa.types.is_string(kind) or pa.types.is_large_string(kind))


def write_table(group: zarr.Group, table: pa.Table) -> None:
    """Write all columns into an empty group.

    Raises:
        StoreError: a column has a type other than numbers, booleans, times and text, or missing values in a column
            that is not text.
    """
    group.attrs.update(
        {"rows": table.num_rows, "arrow_schema": base64.b64encode(table.schema.serialize().to_pybytes()).decode()}
    )
    for name, column in zip(table.column_names, table.columns, strict=True):
        kind = column.type
        if pa.types.is_dictionary(kind) and _is_text(kind.value_type):
            column, kind = column.cast(kind.value_type), kind.value_type
        if _is_text(kind):
            _write_text(group, name, column)
            continue
        if column.null_count:
            raise StoreError(
                f"The observation column {name!r} has {column.null_count} missing values; give NaN or a code instead"
            )
        if pa.types.is_timestamp(kind) or pa.types.is_duration(kind):
            put(group, name, column.cast(pa.int64()).to_numpy(), axes=_ROWS, attributes={"arrow_type": str(kind)})
        elif pa.types.is_boolean(kind):
            put(group, name, column.to_numpy().astype(np.uint8), axes=_ROWS, attributes={"arrow_type": str(kind)})
        elif pa.types.is_integer(kind) or pa.types.is_floating(kind):
            put(group, name, column.to_numpy(), axes=_ROWS, attributes={"arrow_type": str(kind)})
        else:
            raise StoreError(f"The observation column {name!r} has the type {kind}, which the archive does not store")


def _write_text(group: zarr.Group, name: str, column: pa.ChunkedArray) -> None:
    """A column of text as codes and categories in order of first appearance."""
    encoded = column.cast(pa.large_string()).combine_chunks().dictionary_encode()
    if isinstance(encoded, pa.ChunkedArray):
        encoded = encoded.combine_chunks()
    codes = encoded.indices.fill_null(-1).to_numpy(zero_copy_only=False).astype(np.int32)
    put(group, name, codes, axes=_ROWS, attributes={"categories": encoded.dictionary.to_pylist()})


def read_table(group: zarr.Group) -> pa.Table:
    """The table that `write_table` wrote, with its Arrow schema."""
    text: Any = group.attrs["arrow_schema"]
    schema = pa.ipc.read_schema(pa.py_buffer(base64.b64decode(text)))
    return pa.Table.from_arrays([_read_column(group, field) for field in schema], schema=schema)


def _read_column(group: zarr.Group, field: pa.Field) -> pa.Array:
    member = array_at(group, field.name)
    values, kind = np.asarray(member[...]), field.type
    if "categories" in member.attrs:
        categories: Any = member.attrs["categories"]
        indices = pa.array(values, mask=values < 0)
        array = pa.DictionaryArray.from_arrays(indices, pa.array(categories, pa.string()))
        return array.cast(kind) if pa.types.is_dictionary(kind) else array.cast(pa.string()).cast(kind)
    if pa.types.is_boolean(kind):
        return pa.array(values.astype(bool), kind)
    if pa.types.is_timestamp(kind) or pa.types.is_duration(kind):
        return pa.array(values, pa.int64()).cast(kind)
    return pa.array(values, kind)
