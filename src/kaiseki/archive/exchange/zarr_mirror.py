"""A plain Zarr v3 copy of a dataset, which `xarray.open_zarr` opens without this package, written day by day.

Layout: one group with one array per variable, chunks of Blosc with Zstandard, no shards, dimension names and CF
attributes; packed fields have `scale_factor` and `_FillValue`. The document `zarr.json` of the group holds the
metadata of all arrays (consolidated metadata, as zarr-python and xarray write and look for them).

How a reader never meets half a day: the chunks of a day are written first, beyond the length of the arrays that the
metadata tell; then the one document of the group is replaced, by which all arrays become a day longer at once. The
documents of the single arrays follow, for readers that do not know of consolidated metadata: between two of these
replacements such a reader may find arrays of different lengths, but no wrong value. A writer that was killed is
followed by another that goes on after the last whole day.

What it does not do: change what is there. A source of another state, with other variables or another grid goes to a
new place. Nothing is forced to the disk, so that a loss of power may cost the last days.
"""

from __future__ import annotations

import math
import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import zarr
from zarr.abc.store import Store
from zarr.storage import MemoryStore, StorePath

from kaiseki.archive.exchange.ahead import TIME_DIMENSIONS
from kaiseki.archive.exchange.cf import cf_dataset, times_along
from kaiseki.archive.exchange.encoded import EncodedVariable, encoded
from kaiseki.archive.exchange.mirror_store import (
    METADATA,
    lock_of,
    mirror_errors,
    open_place,
    read_document,
    write_document,
)
from kaiseki.archive.exchange.source import Source
from kaiseki.archive.release.encoding import BoundSet
from kaiseki.archive.store.arrays import codec
from kaiseki.archive.store.schema import PERIOD, REFERENCE_TIME
from kaiseki.core.errors import InputError, StoreError
from kaiseki.core.progress import Progress

STATE: Final = "mirror_state"
"""Attribute of the group: state of the source that the mirror was made of."""

_DONE: Final = "copied to Zarr"
_OURS: Final = f"{_DONE} by Kaiseki"
"""Words of the history by which a mirror without a state is known."""

_CHUNKS: Final = {"time": 24, REFERENCE_TIME: 1, PERIOD: 24}
_LEVELS: Final = 8
_CELLS: Final = 128
_LONG: Final = 8784
"""Length along time of the chunks of what has no space, a leap year of hours."""


@dataclass(frozen=True)
class Mirrored:
    """Outcome of a mirror.

    Attributes:
        times: number of times, or forecasts, that the mirror holds now.
        new: how many of them this call wrote.
    """

    times: int
    new: int


def write_zarr(
    source: Source,
    target: str | os.PathLike[str],
    bounds: BoundSet = "lossless",
    *,
    storage_options: Mapping[str, Any] | None = None,
) -> Mirrored:
    """Write a dataset as plain Zarr v3, or go on with a mirror of it: only the times after its last are written.

    A mirror is gone on with if its attribute `mirror_state` is the state of the source and its variables, coordinates
    and times are those of the source as far as they go. Of one variable one day and a few levels are in memory.

    Args:
        source: what is copied.
        target: new folder, or the mirror; or "s3://bucket/prefix" (nothing keeps two writers of a bucket apart).
        bounds: set of bounds within which fields are packed.
        storage_options: of `obstore.store.S3Store`.

    Raises:
        StoreError: the target is something else, is being written, cannot be written, or is a mirror of other data.
        InputError: a variable or value that cannot be stored, or no axis of time.
        ResourceError: the disk is full; the days before stay whole.
    """
    where = os.fspath(target)
    described = cf_dataset(source.dataset, _DONE)
    along = times_along(described)
    if along is None:
        raise InputError(f"A mirror needs an axis of time, which the fields of {source.where} do not have")
    variables = [one for one in encoded(described, bounds) if _storable(one)]
    attributes = described.attrs | ({} if source.state is None else {STATE: source.state})
    store = open_place(target, storage_options)
    with mirror_errors(where), lock_of(target):
        mirror = _Mirror(store, where, along, variables, attributes)
        done = mirror.times_there(source.state)
        total = described.sizes[along]
        if done == 0:
            mirror.write_fixed()
        end = done
        days = list(_days(described[along].values, done))
        with Progress("writing the mirror", len(days), unit="day") as progress:
            for start, end in days:
                mirror.write(start, end)
                mirror.show(end)
                progress.advance()
        if end == done:
            mirror.show_arrays(done)
    return Mirrored(total, total - done)


def _storable(variable: EncodedVariable) -> bool:
    """Whether Zarr v3 can hold a variable.

    Raises:
        InputError: it is text, for which Zarr v3 has no agreed type.
    """
    if variable.dtype.kind in "UO":
        raise InputError(f"The variable {variable.name!r} is text, which a Zarr mirror cannot hold; leave it out")
    return True


def _days(axis: np.ndarray, done: int) -> Iterator[tuple[int, int]]:
    """First and last but one index of each day of an axis that is not done, the rest of a begun one first."""
    days = axis.astype("datetime64[D]")
    ends = [*(np.flatnonzero(days[1:] != days[:-1]) + 1), days.size]
    start = done
    for end in ends:
        if end > start:
            yield start, int(end)
            start = int(end)


class _Mirror:
    """The arrays of a mirror: their metadata in memory at full length, their chunks at the place."""

    def __init__(
        self, store: Store, where: str, along: str, variables: list[EncodedVariable], attributes: Mapping[str, Any]
    ) -> None:
        self.store, self.where, self.along, self.variables = store, where, along, variables
        self.attributes = {name: _plain(value) for name, value in attributes.items()}
        group = zarr.create_group(MemoryStore(), zarr_format=3)
        self.arrays = {one.name: _array(group, one, along) for one in variables}

    def times_there(self, state: str | None) -> int:
        """Number of times that the mirror holds already, 0 for a new one.

        Raises:
            StoreError: the place holds something else, or a mirror of other data.
        """
        root = read_document(self.store, METADATA)
        if root is None:
            self._check_free()
            return 0
        found = root.get("consolidated_metadata", {}).get("metadata", {})
        there = root.get("attributes", {}).get(STATE)
        if there is None and _OURS not in str(root.get("attributes", {}).get("history", "")):
            raise StoreError(f"{self.where} holds Zarr that is no mirror of Kaiseki; give a new folder")
        if state is None:
            raise StoreError(
                f"{self.where} holds a mirror already, and of a dataset it is not known whether it goes on with that; "
                "export from the path of the archive, give a text as state= in every call, or give a new folder"
            )
        if there != state:
            words = "of a dataset without a known state" if there is None else "of another state of the archive"
            raise StoreError(f"{self.where} is a mirror {words}; give a new folder")
        if found.keys() != self.arrays.keys():
            raise StoreError(f"{self.where} is a mirror with other variables; give a new folder")
        count = int(found[self.along]["shape"][0])
        for one in self.variables:
            self._check_same(one, found[one.name], count)
        return count

    def _check_free(self) -> None:
        """Refuse a folder with other things in it; what a killed beginning left behind is none."""
        root = getattr(self.store, "root", None)
        if root is None or not root.exists():
            return
        strange = sorted({entry.name for entry in root.iterdir()} - self.arrays.keys())
        if strange:
            raise StoreError(f"{self.where} is not empty (it holds {strange[0]!r}); give a new folder for the mirror")

    def _check_same(self, one: EncodedVariable, found: Mapping[str, Any], count: int) -> None:
        """Refuse to go on with an array of another kind, or of another axis."""
        if _encoding_of(self._document(one, count)) != _encoding_of(found):
            raise StoreError(f"{self.where} is a mirror in which {one.name} is encoded otherwise; give a new folder")
        is_axis = one.packing is None and (self.along not in one.dims or len(one.dims) == 1)
        if is_axis:
            index = tuple(slice(0, count) if name == self.along else slice(None) for name in one.dims)
            here = one.block(**({self.along: slice(0, count)} if self.along in one.dims else {}))
            if not np.array_equal(np.asarray(self._at_place(one)[index]), here, equal_nan=here.dtype.kind == "f"):
                raise StoreError(f"{self.where} is a mirror with another {one.name}; give a new folder")

    def write_fixed(self) -> None:
        """Write what has no time."""
        for one in self.variables:
            if self.along not in one.dims:
                self._at_place(one)[...] = one.block()

    def write(self, start: int, end: int) -> None:
        """Write all variables at the times from `start` to before `end`, unseen by readers."""
        for one in self.variables:
            if self.along not in one.dims:
                continue
            array = self._at_place(one)
            for slab in _slabs(one, self.arrays[one.name].chunks):
                part = {self.along: slice(start, end), **slab}
                array[tuple(part.get(name, slice(None)) for name in one.dims)] = one.block(**part)

    def show(self, count: int) -> None:
        """Tell readers of so many times: those of the consolidated metadata at once, then the others."""
        documents = {one.name: self._document(one, count) for one in self.variables}
        consolidated = {"kind": "inline", "must_understand": False, "metadata": documents}
        group = {"zarr_format": 3, "node_type": "group", "attributes": self.attributes}
        write_document(self.store, METADATA, group | {"consolidated_metadata": consolidated})
        self.show_arrays(count)

    def show_arrays(self, count: int) -> None:
        """Write the documents of the single arrays."""
        for one in self.variables:
            write_document(self.store, f"{one.name}/{METADATA}", self._document(one, count))

    def _document(self, one: EncodedVariable, count: int) -> dict[str, Any]:
        """Metadata of an array with so many times, as in a file."""
        document = dict(read_document(self.arrays[one.name].store, f"{one.name}/{METADATA}"))
        sizes = zip(one.dims, one.shape, strict=True)
        return document | {"shape": [count if name == self.along else size for name, size in sizes]}

    def _at_place(self, one: EncodedVariable) -> zarr.Array:
        """The array at full length, whose chunks go to the place while its metadata stay here."""
        metadata = self.arrays[one.name].metadata
        return zarr.Array(zarr.AsyncArray(metadata=metadata, store_path=StorePath(self.store, one.name)))


def _array(group: zarr.Group, one: EncodedVariable, along: str) -> zarr.Array:
    """An array of the layout in memory."""
    attributes = {name: _plain(value) for name, value in one.attributes.items()}
    if one.packing is not None:
        # The factor in all its digits: text has no single precision.
        attributes |= {"scale_factor": one.packing.step, "_FillValue": one.packing.fill}
    return group.create_array(
        one.name,
        shape=one.shape,
        chunks=_chunks(one),
        dtype=one.dtype,
        fill_value=0 if one.fill is None else one.fill,
        compressors=codec(5),
        dimension_names=one.dims,
        attributes=attributes,
        config={"write_empty_chunks": True},
    )


def _encoding_of(document: Mapping[str, Any]) -> dict[str, Any]:
    """What of the metadata of an array says how its values are stored; words may change from version to version."""
    attributes = {name: value for name, value in document["attributes"].items() if name in _MEANING}
    return {**document, "attributes": attributes}


_MEANING: Final = ("units", "calendar", "scale_factor", "_FillValue")


def _chunks(one: EncodedVariable) -> tuple[int, ...]:
    """Chunks that do not depend on how long the axis of time is yet."""
    spatial = [name for name in one.dims if name not in TIME_DIMENSIONS]
    sizes = []
    for name, size in zip(one.dims, one.shape, strict=True):
        if name in TIME_DIMENSIONS:
            sizes.append(_CHUNKS[name] if len(spatial) >= 2 else _LONG)
        else:
            sizes.append(min(max(size, 1), _CELLS if name in spatial[-2:] else _LEVELS))
    return tuple(sizes)


def _slabs(one: EncodedVariable, chunks: tuple[int, ...]) -> Iterator[dict[str, slice]]:
    """Parts of a variable along its third axis in space, of one chunk each."""
    spatial = [name for name in one.dims if name not in TIME_DIMENSIONS]
    if len(spatial) < 3:
        yield {}
        return
    axis = one.dims.index(spatial[-3])
    step = chunks[axis]
    for number in range(math.ceil(one.shape[axis] / step)):
        yield {spatial[-3]: slice(number * step, (number + 1) * step)}


def _plain(value: Any) -> Any:
    """A value of an attribute in the types of JSON."""
    if isinstance(value, np.generic | np.ndarray):
        return value.tolist()
    return value
