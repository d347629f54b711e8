"""The restart state: any nested dictionary of arrays and plain values, stored bit for bit."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import zarr

from kaiseki.archive.store.arrays import put
from kaiseki.core.errors import StoreError

_VALUES = "plain_values"
_NATIVE_KINDS = "biufc"
_TIME_KINDS = "mM"


def write_tree(group: zarr.Group, tree: Mapping[str, Any], path: str = "restart") -> None:
    """Write a nested dictionary into an empty group.

    Leaves are arrays (NumPy, or anything NumPy can view, such as those of JAX) of booleans, integers, floating or
    complex numbers, `datetime64`, `timedelta64`; or plain int, float, bool, str and None.

    Raises:
        StoreError: a key is not a usable name, or a leaf is none of these.
    """
    plain: dict[str, Any] = {}
    for key, value in tree.items():
        here = f"{path}/{key}"
        if not isinstance(key, str) or not key or "/" in key or key.startswith((".", "__")) or key == "zarr.json":
            raise StoreError(f"The restart state has the key {here!r}; keys must be names without '/' and leading '.'")
        if isinstance(value, Mapping):
            write_tree(group.create_group(key), value, here)
        elif value is None or type(value) in (bool, str):
            plain[key] = value
        # Numbers as text, so that every bit comes back: JSON has no NaN and no integers beyond 64 bits.
        elif type(value) is int:
            plain[key] = {"int": str(value)}
        elif type(value) is float:
            plain[key] = {"float": value.hex()}
        else:
            _write_leaf(group, key, value, here)
    group.attrs[_VALUES] = plain


def _write_leaf(group: zarr.Group, key: str, value: Any, here: str) -> None:
    """Write one array."""
    try:
        data = np.asarray(value)
    except (TypeError, ValueError) as error:
        raise StoreError(f"The restart state holds {here} of type {type(value).__name__}, not an array") from error
    if data.dtype.kind in _TIME_KINDS:
        put(group, key, data.view(np.int64), attributes={"dtype": data.dtype.str})
    elif data.dtype.kind in _NATIVE_KINDS and data.dtype.isnative and data.dtype.itemsize <= 16:
        put(group, key, data)
    else:
        raise StoreError(
            f"The restart state holds {here} of type {data.dtype}; give numbers, booleans or times in native byte order"
        )


def read_tree(group: zarr.Group) -> dict[str, Any]:
    """The dictionary that `write_tree` wrote; arrays are NumPy arrays, scalars of NumPy come back with shape ()."""
    tree: dict[str, Any] = {}
    for key, member in group.members():
        if isinstance(member, zarr.Group):
            tree[key] = read_tree(member)
        else:
            data = np.asarray(member[...])
            text = member.attrs.get("dtype")
            tree[key] = data if text is None else data.view(np.dtype(str(text)))
    stored: Any = group.attrs.get(_VALUES, {})
    for key, value in stored.items():
        tree[key] = _plain(value)
    return tree


def _plain(value: Any) -> Any:
    """A plain value from its stored form."""
    if not isinstance(value, dict):
        return value
    return int(value["int"]) if "int" in value else float.fromhex(value["float"])
