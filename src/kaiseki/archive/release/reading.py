"""A group of a release as a lazily read dataset that takes every part from the layout in which it is cheapest."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

import icechunk
import numpy as np
import xarray as xr
import zarr
from xarray.backends import BackendArray
from xarray.core import indexing

from kaiseki.archive.release import schema
from kaiseki.archive.release.encoding import Packing, packing_of, unpack
from kaiseki.archive.release.layout import map_levels
from kaiseki.archive.release.store import QUALITY, ReleaseStore, names_of, states_of
from kaiseki.archive.store.arrays import array_at, axes_of
from kaiseki.archive.store.metadata import GRID_MAPPING
from kaiseki.archive.store.schema import TIME_ATTRIBUTES
from kaiseki.archive.store.storage import Location, first_line
from kaiseki.core.errors import InputError, KaisekiError, StoreError
from kaiseki.core.timing import format_utc
from kaiseki.core.variables import variable

STATIC_COORDINATES: Final = (
    "x", "y", "level", "soil_level", "lat", "lon", "altitude", "decay", "hybrid_a", "hybrid_b",
    "terrain", "land_fraction", "rim", GRID_MAPPING,
)  # fmt: skip
_INTERVAL = ("time: sum", "time: mean")


def open_group(
    location: Location,
    group: str | None = None,
    *,
    version: str | None = None,
    whole_axis: bool = False,
    storage_options: Mapping[str, Any] | None = None,
) -> xr.Dataset:
    """The fields of a group of a release; see `kaiseki.open`.

    Args:
        location: of the release store.
        group: name of the group, of `schema.GROUPS`; None for the first of them that holds something.
        version: a tag, "quality", or None for what was published last.
        whole_axis: keep times of the axis that were not produced, with missing values.
        storage_options: for S3, see `storage.resolve`.

    Raises:
        StoreError: no release store, no such version, or nothing in the group.
        InputError: no such group.
    """
    store = ReleaseStore.open(location, "r", storage_options=storage_options)
    root = store.root(version)
    held = [name for name in schema.GROUPS if name in root and states_of(root, name).any()]
    if group is None:
        group = next(iter(held), "model_levels")
    if group not in schema.GROUPS:
        raise InputError(f"A release has the groups {', '.join(schema.GROUPS)}, not {group!r}")
    if group not in held:
        known = ", ".join(held) or "nothing"
        raise StoreError(f"{store.where} holds nothing in the group {group}; it holds {known}")
    states = states_of(root, group)
    times = store.times.axis(schema.GROUPS[group].axis)
    variables = {name: _variable(store, root, group, name, times) for name in names_of(root, group)}
    coordinates = _coordinates(root, group)
    attributes = TIME_ATTRIBUTES | {}
    time = xr.Variable("time", times.astype("datetime64[ns]"), _without_encoding(attributes))
    time.encoding.update(units=attributes["units"], calendar=attributes["calendar"], dtype="int64")
    dataset = xr.Dataset(variables, coordinates | {"time": time})
    dataset = dataset.assign_coords(state=("time", states, _STATE))
    if any(array.attrs.get("cell_methods") in _INTERVAL for array in dataset.values()):
        step = np.timedelta64(86400 // store.times.steps[schema.GROUPS[group].axis], "s")
        bounds = np.stack([times - step, times], axis=1).astype("datetime64[ns]")
        dataset["time_bnds"] = (("time", "bounds"), bounds)
        dataset["time_bnds"].encoding.update(units=attributes["units"], dtype="int64")
        dataset["time"].attrs["bounds"] = "time_bnds"
    for array in dataset.values():
        if "y" in array.dims:
            names = ["lat", "lon", *(["altitude"] if "level" in array.dims and "altitude" in dataset.coords else [])]
            array.encoding["coordinates"] = " ".join(names)
    dataset.attrs = _attributes(store, group, version)
    if whole_axis:
        return dataset
    used = np.flatnonzero(states)
    first, last = int(used[0]), int(used[-1]) + 1
    return dataset.isel(time=slice(first, last) if used.size == last - first else used)


_STATE: Final = {
    "long_name": "state of the production of this time",
    "flag_values": np.array([0, 1, 2], np.uint8),
    "flag_meanings": "not_produced preliminary final",
}


def _without_encoding(attributes: Mapping[str, Any]) -> dict[str, Any]:
    """Attributes of a time axis without those that xarray keeps in the encoding."""
    return {name: value for name, value in attributes.items() if name not in ("units", "calendar")}


def _variable(store: ReleaseStore, root: zarr.Group, group: str, name: str, times: np.ndarray) -> xr.Variable:
    """A variable of a group, read lazily from the layouts that there are."""
    core = array_at(root, f"{group}/{name}")
    packing = packing_of(variable(name), root.attrs["bounds"])  # type: ignore[arg-type]
    copies = [_Copy(core, None, None)]
    for copy in schema.GROUPS[group].copies:
        if f"{copy}/{group}/{name}" not in root:
            continue
        levels = map_levels(root, schema.GROUPS[group]) if copy == "map" and core.ndim == 4 else None
        states = states_of(root, group, copy)
        copies.append(_Copy(array_at(root, f"{copy}/{group}/{name}"), states > 0, levels, core.shape[1]))
    data = indexing.LazilyIndexedArray(_PickedArray(copies, packing, f"{store.where}: {group}/{name}", times))
    hidden = ("scale_factor", "_FillValue", "coordinates")
    attributes = {key: value for key, value in core.attrs.items() if key not in hidden}
    # Selection of many places reads the cells of a chunk together: those of the copy for series, where there is one.
    chunks = next((copy.array.chunks for copy in copies[1:] if copy.levels is None), core.chunks)
    preferred = dict(zip(axes_of(core), chunks, strict=True))
    return xr.Variable(axes_of(core), data, attributes, {"preferred_chunks": preferred})


def _coordinates(root: zarr.Group, group: str) -> dict[str, xr.Variable]:
    """Coordinates in space: the static fields, and the vertical axis of the group itself."""
    static: Any = root[schema.STATIC]
    members: Any = root[group]
    axes = {axis for name in names_of(root, group) for axis in axes_of(array_at(root, f"{group}/{name}"))}
    result: dict[str, xr.Variable] = {}
    for name in STATIC_COORDINATES:
        if name not in static:
            continue
        array = static[name]
        dimensions = axes_of(array)
        if set(dimensions) <= axes:
            attributes = {key: value for key, value in array.attrs.items() if key != "coordinates"}
            lazy = array.ndim > 2
            values = indexing.LazilyIndexedArray(_PlainArray(array)) if lazy else np.asarray(array[...])
            result[name] = xr.Variable(dimensions, values, attributes)
    for name in ("pressure", "height"):
        if name in axes:
            array = members[name]
            result[name] = xr.Variable((name,), np.asarray(array[...]), dict(array.attrs))
    return result


def _attributes(store: ReleaseStore, group: str, version: str | None) -> dict[str, Any]:
    """Global attributes: what it is, how to cite it, which version it is."""
    root = store.attributes
    keep = ("Conventions", "title", "source", "history", "comment", *root["described_by"], "schema_version")
    snapshot = store.snapshot(version)
    named = version or (store.versions() or [QUALITY])[-1]
    citation = f"{root['title']} ({group}), {root['source']}, version {named}, state {snapshot} of the archive"
    return {name: root[name] for name in keep} | {
        "kind": group,
        "version": named,
        "citation": citation,
        "snapshot": snapshot,
        "experiment": root["experiment"],
        "error_bounds": root["bounds"],
    }


@dataclass(frozen=True)
class _Copy:
    """A layout of a variable.

    Attributes:
        array: of Zarr.
        times: which times it holds, None for all.
        levels: which levels of the core it holds, None for all.
        size: number of levels of the core, if it does not hold all.
    """

    array: zarr.Array
    times: np.ndarray | None
    levels: np.ndarray | None
    size: int = 0

    def key(self, key: tuple[Any, ...]) -> tuple[Any, ...] | None:
        """The key of this copy for a key of the core, None where it lacks something."""
        if self.times is not None and not np.all(self.times[key[0]]):
            return None
        if self.levels is None:
            return key
        asked = np.atleast_1d(np.arange(self.size)[key[1]])
        if not np.isin(asked, self.levels).all():
            return None
        place = np.searchsorted(self.levels, asked)
        if isinstance(key[1], int | np.integer):
            return (key[0], int(place[0]), *key[2:])
        return (key[0], place.reshape(np.shape(key[1])) if isinstance(key[1], np.ndarray) else place, *key[2:])

    def cost(self, key: tuple[Any, ...]) -> float:
        """Number of values that must be unpacked for a key."""
        chunks = self.array.chunks
        touched = [_chunks(part, size, n) for part, size, n in zip(key, chunks, self.array.shape, strict=True)]
        return math.prod(touched) * math.prod(chunks)


def _chunks(part: Any, chunk: int, size: int) -> int:
    """Number of chunks along one axis that a part of a key touches."""
    if isinstance(part, slice):
        start, stop, step = part.indices(size)
        if stop <= start:
            return 0
        return len(range(start, stop, step)) if step >= chunk else (stop - 1) // chunk - start // chunk + 1
    return np.unique(np.asarray(part) // chunk).size


class _PlainArray(BackendArray):
    """An array of Zarr that is read as it is."""

    def __init__(self, array: zarr.Array) -> None:
        self.array, self.shape, self.dtype = array, array.shape, np.dtype(array.dtype)

    def __getitem__(self, key: indexing.ExplicitIndexer) -> Any:
        support = indexing.IndexingSupport.OUTER
        return indexing.explicit_indexing_adapter(key, self.shape, support, self._get)

    def _get(self, key: tuple[Any, ...]) -> Any:
        return self.array.oindex[key] if any(isinstance(part, np.ndarray) for part in key) else self.array[key]


class _PickedArray(BackendArray):
    """A variable in several layouts; each part is read from that in which the fewest values must be unpacked."""

    def __init__(self, copies: list[_Copy], packing: Packing | None, what: str, times: np.ndarray) -> None:
        self.copies, self.packing, self.what, self.times = copies, packing, what, times
        self.shape, self.dtype = copies[0].array.shape, np.dtype(np.float32)

    def __getitem__(self, key: indexing.ExplicitIndexer) -> Any:
        method = self._points if isinstance(key, indexing.VectorizedIndexer) else self._outer
        return indexing.explicit_indexing_adapter(key, self.shape, indexing.IndexingSupport.VECTORIZED, method)

    def _outer(self, key: tuple[Any, ...]) -> np.ndarray:
        """A part that is a product of indices along the axes."""
        chosen, part = self._cheapest(key)
        special = any(isinstance(index, np.ndarray) for index in part)
        return self._read(key, lambda: chosen.array.oindex[part] if special else chosen.array[part])

    def _cheapest(self, key: tuple[Any, ...]) -> tuple[_Copy, tuple[Any, ...]]:
        candidates = [(copy, part) for copy in self.copies if (part := copy.key(key)) is not None]
        return min(candidates, key=lambda pair: pair[0].cost(pair[1]))

    def _read(self, key: tuple[Any, ...], read: Any) -> np.ndarray:
        """Unpacked values; errors of storage and of codecs as one sentence."""
        try:
            values = np.asarray(read())
        except KaisekiError:
            raise
        except (icechunk.IcechunkError, OSError, ValueError, RuntimeError) as error:
            times = np.atleast_1d(self.times[key[0]])
            span = format_utc(times[0]) if times.size == 1 else f"{format_utc(times[0])} to {format_utc(times[-1])}"
            raise StoreError(
                f"{self.what} of {span} is damaged or cannot be reached ({first_line(error)}); check the release with "
                "kaiseki archive verify and bring the damaged days back from a copy"
            ) from error
        return values if self.packing is None else unpack(values, self.packing)

    def _points(self, key: tuple[Any, ...]) -> np.ndarray:
        """Scattered points: the chunks that hold them are read once each.

        Args:
            key: of xarray's vectorised indexing: slices, and integer arrays that broadcast against each other and whose
                axes come first in the result.
        """
        arrays = {axis: np.asarray(part) for axis, part in enumerate(key) if not isinstance(part, slice)}
        shape = np.broadcast_shapes(*(part.shape for part in arrays.values()))
        points = {axis: np.broadcast_to(part, shape).ravel() for axis, part in arrays.items()}
        if not next(iter(points.values())).size:
            return np.zeros((*shape, *self._kept(key)), np.float32)
        hull = tuple(part if isinstance(part, slice) else np.unique(points[axis]) for axis, part in enumerate(key))
        chosen, _ = self._cheapest(hull)
        return self._gather(chosen, key, points, shape)

    def _kept(self, key: tuple[Any, ...]) -> list[int]:
        """Lengths of the axes of which a slice is taken."""
        parts = zip(key, self.shape, strict=True)
        return [len(range(*part.indices(size))) for part, size in parts if isinstance(part, slice)]

    def _gather(
        self, copy: _Copy, key: tuple[Any, ...], points: Mapping[int, np.ndarray], shape: tuple[int, ...]
    ) -> np.ndarray:
        """Values at points of one layout, block of chunks after block."""
        chunks = copy.array.chunks
        number = np.stack([points[axis] // chunks[axis] for axis in points])
        blocks, inverse = np.unique(number, axis=1, return_inverse=True)
        inverse = inverse.ravel()
        kept = [
            len(range(*part.indices(n))) for part, n in zip(key, self.shape, strict=True) if isinstance(part, slice)
        ]
        result = np.empty((inverse.size, *kept), np.float32)
        order = np.argsort(inverse, kind="stable")
        ends = np.searchsorted(inverse[order], np.arange(blocks.shape[1] + 1))
        for block in range(blocks.shape[1]):
            mine = order[ends[block] : ends[block + 1]]
            window: list[Any] = list(key)
            local: list[Any] = [slice(None)] * len(key)
            for axis, index in points.items():
                low, high = int(index[mine].min()), int(index[mine].max())
                window[axis], local[axis] = slice(low, high + 1), index[mine] - low
            values = self._outer(tuple(window))
            picked = values[tuple(local)]
            # NumPy puts the axis of the points first unless the integer arrays are neighbours.
            axes = sorted(points)
            if axes == list(range(axes[0], axes[-1] + 1)):
                picked = np.moveaxis(picked, axes[0], 0)
            result[mine] = picked
        return result.reshape(*shape, *kept)


def produced_times(store: ReleaseStore, group: str, version: str | None = None) -> np.ndarray:
    """Times of a group that were produced, datetime64[s]."""
    states = states_of(store.root(version), group)
    return store.times.axis(schema.GROUPS[group].axis)[states > 0]
