"""A group of a release as a lazily read dataset that takes every part from the layout in which it is cheapest."""

from __future__ import annotations

import math
import warnings
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Final

import icechunk
import numpy as np
import pyarrow as pa
import xarray as xr
import zarr
from xarray.backends import BackendArray
from xarray.core import indexing

from kaiseki.archive.release import schema
from kaiseki.archive.release.chunks import ShardedArray, blocks_of
from kaiseki.archive.release.encoding import Packing, stored_packing, unpack
from kaiseki.archive.release.issues import known_issues
from kaiseki.archive.release.layout import map_levels
from kaiseki.archive.release.store import QUALITY, ReleaseStore, fields_of
from kaiseki.archive.store.arrays import array_at, arrays_at, axes_of
from kaiseki.archive.store.columns import read_table
from kaiseki.archive.store.heights import height_of, with_heights
from kaiseki.archive.store.metadata import GRID_MAPPING
from kaiseki.archive.store.schema import TIME_ATTRIBUTES
from kaiseki.archive.store.storage import Location, first_line
from kaiseki.core.errors import InputError, KaisekiError, StoreError
from kaiseki.core.timing import format_utc

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
        group: name of the group, of `schema.GROUPS`, or "static" for the fields that do not change; None for the first
            of the groups that holds something.
        version: a tag, "quality", or None for what was published last.
        whole_axis: keep times of the axis that were not produced, with missing values.
        storage_options: for S3, see `storage.resolve`.

    Raises:
        StoreError: no release store, no such version, or nothing in the group.
        InputError: no such group.
    """
    store = ReleaseStore.open(location, "r", storage_options=storage_options)
    # All is read of one commit, whatever others commit meanwhile.
    snapshot = store.snapshot(version)
    root = store.at(snapshot)
    ledger = store.ledger(snapshot, root)
    held = (name for name in schema.GROUPS if name in root and ledger(name).any())
    if group == schema.STATIC:
        return _static(store, root, version, snapshot)
    if group is None:
        group = next(held, "model_levels")
    if group not in schema.GROUPS:
        hint = "; the observations come from kaiseki.open_observations" if group == schema.OBSERVATIONS else ""
        raise InputError(f"A release has the groups {', '.join([*schema.GROUPS, schema.STATIC])}, not {group!r}{hint}")
    states = ledger(group) if group in root else np.zeros(0)
    if not states.any():
        known = ", ".join(held) or "nothing"
        raise StoreError(f"{store.where} holds nothing in the group {group}; it holds {known}")
    times = store.times.axis(schema.GROUPS[group].axis)
    fields = fields_of(root, group)
    variables = _variables(store, root, group, fields, ledger)
    coordinates = _coordinates(root, group, fields)
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
    dataset = with_heights(dataset)
    for name, array in dataset.items():
        names = ["lat", "lon"] if "y" in array.dims else []
        names += ["altitude"] if "level" in array.dims and "altitude" in dataset.coords else []
        names += [height[0]] if (height := height_of(str(name))) is not None else []
        if names:
            array.encoding["coordinates"] = " ".join(names)
    dataset.attrs = _attributes(store, group, version, snapshot) | _issues(store, group, version)
    if whole_axis:
        return dataset
    used = np.flatnonzero(states)
    first, last = int(used[0]), int(used[-1]) + 1
    return dataset.isel(time=slice(first, last) if used.size == last - first else used)


def release_observations(
    location: Location,
    period: tuple[np.datetime64 | None, np.datetime64 | None] = (None, None),
    *,
    version: str | None = None,
    storage_options: Mapping[str, Any] | None = None,
) -> pa.Table:
    """The observations of a release with their departures; see `kaiseki.open_observations`.

    Args:
        location: of the release store.
        period: first and last cycle wanted (UTC), None for the first and the last that there is.
        version: a tag, "quality", or None for what was published last.
        storage_options: for S3, see `storage.resolve`.

    Raises:
        StoreError: no release store, no such version, a damaged table, or no observations in the period.
    """
    store = ReleaseStore.open(location, "r", storage_options=storage_options)
    root = store.at(store.snapshot(version))
    days: Any = root[schema.OBSERVATIONS]
    first, last = (None if one is None else one.astype("datetime64[s]") for one in period)
    tables = []
    for name in sorted(days.group_keys()):
        day = np.datetime64(f"{name[:4]}-{name[4:6]}-{name[6:]}", "D")
        if (first is not None and day < first.astype("datetime64[D]")) or (last is not None and day > last):
            continue
        try:
            table = read_table(days[name])
        except (icechunk.IcechunkError, OSError, ValueError, RuntimeError) as error:
            raise StoreError(
                f"{store.where}: the observations of {day} cannot be read ({first_line(error)})"
            ) from error
        cycles = table["cycle"].to_numpy().astype("datetime64[s]")
        within = np.ones(cycles.size, bool)
        within &= True if first is None else cycles >= first
        within &= True if last is None else cycles <= last
        if within.any():
            tables.append(table.filter(pa.array(within)))
    if not tables:
        words = "" if first is None and last is None else f" from {first or 'the first'} to {last or 'the last'} cycle"
        raise StoreError(f"{store.where} holds no observations{words}")
    return pa.concat_tables(tables, promote_options="default").unify_dictionaries()


def _static(store: ReleaseStore, root: zarr.Group, version: str | None, snapshot: str) -> xr.Dataset:
    """The fields that do not change: terrain, land, rim and what there is besides, on their coordinates."""
    arrays = arrays_at(root, schema.STATIC)
    variables = {}
    for name, array in arrays.items():
        attributes = {key: value for key, value in array.attrs.items() if key != "coordinates"}
        data = indexing.LazilyIndexedArray(_PlainArray(array)) if array.ndim > 2 else np.asarray(array[...])
        variables[name] = xr.Variable(axes_of(array), data, attributes)
    fields = [name for name in variables if name not in STATIC_COORDINATES or name in _FIXED_FIELDS]
    dataset = xr.Dataset(
        {name: variables[name] for name in fields},
        {name: one for name, one in variables.items() if name not in fields},
    )
    for field in dataset.values():
        if "y" in field.dims:
            field.encoding["coordinates"] = "lat lon"
    dataset.attrs = _attributes(store, schema.STATIC, version, snapshot) | _issues(store, schema.STATIC, version)
    return dataset


_FIXED_FIELDS: Final = ("terrain", "land_fraction", "rim")
"""Fixed fields that are coordinates of the groups in time."""

_STATE: Final = {
    "long_name": "state of the production of this time",
    "flag_values": np.array([0, 1, 2], np.uint8),
    "flag_meanings": "not_produced preliminary final",
}


def _without_encoding(attributes: Mapping[str, Any]) -> dict[str, Any]:
    """Attributes of a time axis without those that xarray keeps in the encoding."""
    return {name: value for name, value in attributes.items() if name not in ("units", "calendar")}


def _variables(
    store: ReleaseStore,
    root: zarr.Group,
    group: str,
    fields: Mapping[str, zarr.Array],
    ledger: Callable[..., np.ndarray],
) -> dict[str, xr.Variable]:
    """The variables of a group, read lazily from the layouts that there are."""
    row = schema.GROUPS[group]
    times = store.times.axis(row.axis)
    copies = {copy: (arrays_at(root, f"{copy}/{group}"), ledger(group, copy) > 0) for copy in row.copies}
    levels = map_levels(root, row) if "map" in copies else None
    result = {}
    for name, core in fields.items():
        layouts = [_Copy(core, None, None)]
        for copy, (arrays, held) in copies.items():
            if name in arrays:
                some = levels if copy == "map" and core.ndim == 4 else None
                layouts.append(_Copy(arrays[name], held, some, core.shape[1]))
        packing = stored_packing(name, core.dtype, core.attrs)
        data = indexing.LazilyIndexedArray(_PickedArray(layouts, packing, f"{store.where}: {group}/{name}", times))
        hidden = ("scale_factor", "_FillValue", "coordinates")
        attributes = {key: value for key, value in core.attrs.items() if key not in hidden}
        # Selection of many places reads the cells of a chunk together: those of the copy for series, if there is one.
        chunks = next((one.array.chunks for one in layouts[1:] if one.levels is None), core.chunks)
        encoding = {"preferred_chunks": dict(zip(axes_of(core), chunks, strict=True)), "reads_points": True}
        result[name] = xr.Variable(axes_of(core), data, attributes, encoding)
    return result


def _coordinates(root: zarr.Group, group: str, fields: Mapping[str, zarr.Array]) -> dict[str, xr.Variable]:
    """Coordinates in space: the static fields, and the vertical axis of the group itself."""
    static = arrays_at(root, schema.STATIC)
    axes = {axis for array in fields.values() for axis in axes_of(array)}
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
            array = array_at(root, f"{group}/{name}")
            result[name] = xr.Variable((name,), np.asarray(array[...]), dict(array.attrs))
    return result


def _attributes(store: ReleaseStore, group: str, version: str | None, snapshot: str) -> dict[str, Any]:
    """Global attributes: what it is, how to cite it, which version it is."""
    root = store.attributes
    keep = ("Conventions", "title", "source", "history", "comment", *root["described_by"], "schema_version")
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


def _issues(store: ReleaseStore, group: str, version: str | None) -> dict[str, str]:
    """The attribute `known_issues`, a line for each that touches the group, none where there are none."""
    try:
        lines = [issue.short() for issue in known_issues(store, group, version=version)]
    except StoreError as error:
        # The data are as good as before; that nobody can say what is known of them must be seen.
        lines = [str(error)]
    return {"known_issues": "\n".join(lines)} if lines else {}


_FETCHING: Final = 30_000
"""Number of values that are unpacked in the time that one chunk more takes to be found and fetched, from a disk."""


@dataclass(frozen=True)
class _Copy:
    """A layout of a variable.

    Attributes:
        array: of Zarr.
        times: which times it holds, None for all.
        levels: which levels of the core it holds, None for all.
        depth: number of levels of the core.
    """

    array: zarr.Array
    times: np.ndarray | None
    levels: np.ndarray | None
    depth: int = 0

    @cached_property
    def sharded(self) -> ShardedArray:
        """The array read by chunks."""
        return ShardedArray.of(self.array)

    def key(self, key: tuple[Any, ...]) -> tuple[Any, ...] | None:
        """The key of this copy for a key of the core, None where it lacks something."""
        if self.times is not None and not np.all(self.times[key[0]]):
            return None
        if self.levels is None:
            return key
        asked = np.atleast_1d(np.arange(self.depth)[key[1]])
        if not np.isin(asked, self.levels).all():
            return None
        place = np.searchsorted(self.levels, asked)
        if isinstance(key[1], int | np.integer):
            return (key[0], int(place[0]), *key[2:])
        return (key[0], place.reshape(np.shape(key[1])) if isinstance(key[1], np.ndarray) else place, *key[2:])

    def cost(self, key: tuple[Any, ...], points: Collection[int] = ()) -> float:
        """What a key costs, along some axes of which it has points: values to unpack, and chunks to fetch."""
        chunks, shape = self.array.chunks, self.array.shape
        touched = [_chunks(part, chunks[axis], shape[axis]) for axis, part in enumerate(key) if axis not in points]
        blocks = blocks_of({axis: key[axis] for axis in points}, chunks, shape)[0].shape[1] if points else 1
        return blocks * math.prod(touched) * (math.prod(chunks) + _FETCHING)


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


_Reading = Callable[[ShardedArray, tuple[Any, ...]], np.ndarray]

_DAMAGE: Final = (KaisekiError, icechunk.IcechunkError, OSError, ValueError, RuntimeError)
"""Errors by which a layout shows that it is damaged or cannot be reached."""


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
        return self._read(key, (), lambda array, part: array.box(part))

    def _cheapest(self, key: tuple[Any, ...], points: Collection[int] = ()) -> tuple[_Copy, tuple[Any, ...]]:
        candidates = [(copy, part) for copy in self.copies if (part := copy.key(key)) is not None]
        return min(candidates, key=lambda pair: pair[0].cost(pair[1], points))

    def _read(self, key: tuple[Any, ...], points: Collection[int], read: _Reading) -> np.ndarray:
        """Unpacked values from the cheapest layout, from the core where a copy is damaged.

        Args:
            key: of the core.
            points: axes along which the key has points.
            read: gives the part of an array that a key tells.

        Raises:
            StoreError: the core is damaged or cannot be reached.
        """
        chosen, part = self._cheapest(key, points)
        core = self.copies[0]
        try:
            values = read(chosen.sharded, part)
        except _DAMAGE as error:
            if chosen is core:
                raise self._damaged(key, error) from error
            warnings.warn(
                f"A copy of {self.what} of {self._span(key)} is damaged or cannot be reached ({first_line(error)}), so "
                "the core was read; check the release with kaiseki archive verify",
                RuntimeWarning,
                stacklevel=2,
            )
            try:
                values = read(core.sharded, key)
            except _DAMAGE as again:
                raise self._damaged(key, again) from again
        return values if self.packing is None else unpack(values, self.packing)

    def _damaged(self, key: tuple[Any, ...], error: Exception) -> KaisekiError:
        if isinstance(error, KaisekiError):
            return error
        return StoreError(
            f"{self.what} of {self._span(key)} is damaged or cannot be reached ({first_line(error)}); check the "
            "release with kaiseki archive verify and bring the damaged days back from a copy"
        )

    def _span(self, key: tuple[Any, ...]) -> str:
        times = np.atleast_1d(self.times[key[0]])
        return format_utc(times[0]) if times.size == 1 else f"{format_utc(times[0])} to {format_utc(times[-1])}"

    def _points(self, key: tuple[Any, ...]) -> np.ndarray:
        """Scattered points: the chunks that hold them are read once each.

        Args:
            key: of xarray's vectorised indexing: slices, and integer arrays that broadcast against each other and whose
                axes come first in the result.
        """
        arrays = {axis: np.asarray(part) for axis, part in enumerate(key) if not isinstance(part, slice)}
        shape = np.broadcast_shapes(*(part.shape for part in arrays.values()))
        arrays = {axis: np.broadcast_to(part, shape) for axis, part in arrays.items()}
        kept = {axis: len(range(*part.indices(self.shape[axis]))) for axis, part in _slices(key).items()}
        if not math.prod(shape):
            return np.zeros((*shape, *kept.values()), np.float32)
        along = _along_one_dimension(arrays)
        inner = [dim for dim in range(len(shape)) if dim not in [dim for dim, _ in along.values()]]
        first = tuple(slice(None) if dim in inner else 0 for dim in range(len(shape)))
        points = {axis: part[first].ravel() for axis, part in arrays.items() if axis not in along}
        whole = dict(enumerate(key)) | points | {axis: part for axis, (_, part) in along.items()}
        there = tuple(whole[axis] for axis in range(len(key)))
        found = self._read(there, points, lambda array, part: array.points(part, {axis: part[axis] for axis in points}))
        # Dimensions as they came: those of the points, then all other axes in order.
        names = [*inner, *(along[axis][0] if axis in along else ("axis", axis) for axis in whole if axis not in points)]
        found = found.reshape(*(shape[dim] for dim in inner), *found.shape[1:])
        return found.transpose([names.index(name) for name in [*range(len(shape)), *(("axis", one) for one in kept)]])


def _slices(key: tuple[Any, ...]) -> dict[int, slice]:
    """The slices of a key by axis."""
    return {axis: part for axis, part in enumerate(key) if isinstance(part, slice)}


def _along_one_dimension(arrays: Mapping[int, np.ndarray]) -> dict[int, tuple[int, slice]]:
    """The axes along which points are after all a stretch of neighbours: the dimension of that stretch, and its slice.

    xarray gives every point of a series at many places a time of its own.

    Args:
        arrays: numbers along some axes, of one shape, not empty.
    """
    shape = next(iter(arrays.values())).shape
    varying = {
        axis: [dim for dim, size in enumerate(shape) if size > 1 and (part != part.take([0], dim)).any()]
        for axis, part in arrays.items()
    }
    result: dict[int, tuple[int, slice]] = {}
    for axis, dims in varying.items():
        if (
            len(dims) != 1
            or sum(dims[0] in others for others in varying.values()) > 1
            or len(result) + 1 == len(arrays)
        ):
            continue
        numbers = arrays[axis][tuple(slice(None) if dim == dims[0] else 0 for dim in range(len(shape)))]
        if (np.diff(numbers) == 1).all():
            result[axis] = (dims[0], slice(int(numbers[0]), int(numbers[-1]) + 1))
    return result


def produced_times(store: ReleaseStore, group: str, version: str | None = None) -> np.ndarray:
    """Times of a group that were produced, datetime64[s]."""
    return store.times.axis(schema.GROUPS[group].axis)[store.states(group, version) > 0]
