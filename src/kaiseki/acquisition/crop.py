"""A box of a Zarr store: each chunk that holds a part of it is asked for once, cropped and discarded.

The result is a Zarr store (format 3) with the names, attributes and units of the source, one chunk a time, each with a
check sum. Stores of format 2 and 3 with consolidated metadata are read.
"""

from __future__ import annotations

import itertools
import json
import shutil
import threading
import warnings
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import xarray as xr
import zarr
from zarr.codecs import Crc32cCodec, ZstdCodec

from kaiseki.acquisition.credentials import Secrets
from kaiseki.acquisition.inventory import text_of
from kaiseki.acquisition.ledger import add_line, lines_of
from kaiseki.acquisition.plan import Item
from kaiseki.acquisition.remote import Absent, Found
from kaiseki.acquisition.retry import Passing, Stopped
from kaiseki.acquisition.service import Services
from kaiseki.acquisition.transfer import Loaded
from kaiseki.core.errors import InputError
from kaiseki.core.files import out_of_space, size_of

AT_A_TIME = 3
"""Chunks at a time; each takes about 0.4 GB of memory while it is unpacked, for ERA5 on 37 levels."""
_AXES = ("time", "level", "latitude", "longitude")
_EVERYWHERE = ("surface_pressure", "skin_temperature", "geopotential_at_surface", "land_sea_mask")
"""Variables at the surface that have a value in every cell."""


@dataclass(frozen=True)
class Unit:
    """What is loaded and written together: a variable over the times of one chunk.

    Attributes:
        variable: name.
        times: positions in the result; empty for what has no time.
        indices: positions of the same times in the source.
    """

    variable: str
    times: tuple[int, ...]
    indices: tuple[int, ...]


class ChunkedStore:
    """A Zarr store of a service, of which nothing but consolidated metadata and asked-for chunks is loaded.

    Args:
        address: of the store.
        services: to ask.
        item: whose part says how.

    Raises:
        InputError: there is no store with consolidated metadata.
    """

    def __init__(self, address: str, services: Services, item: Item) -> None:
        self.address, self._services, self._item = address.rstrip("/"), services, item
        self._kept: dict[str, Any] = {}
        self._lock = threading.Lock()
        for name in (".zmetadata", "zarr.json"):
            try:
                text = text_of(self._remote(name), services.patience)
            except Absent:
                continue
            try:
                documents = json.loads(text)["metadata"] if name == ".zmetadata" else {}
                # The root of format 2 has its own documents beside the consolidated ones.
                for document in (".zgroup", ".zattrs"):
                    if document in documents:
                        self._put(document, json.dumps(documents[document]).encode())
                self._put(name, text.encode())
                store: Any = zarr.storage.MemoryStore(self._kept)
                self.group = zarr.open_group(store, mode="r", use_consolidated=True)
            except (ValueError, KeyError, TypeError) as error:
                raise InputError(f"{self.address}: its {name} cannot be understood ({error})") from None
            return
        raise InputError(f"{self.address} has neither .zmetadata nor zarr.json; it is no Zarr store that can be read")

    def dims(self, name: str) -> tuple[str, ...]:
        """Names of the dimensions of an array."""
        array = self.array(name)
        named = getattr(array.metadata, "dimension_names", None) or array.attrs.get("_ARRAY_DIMENSIONS")
        if not named:
            raise InputError(f"{self.address}: {name} does not say which dimensions it has")
        return tuple(str(one) for one in named)

    def array(self, name: str) -> Any:
        """An array, of which only the metadata are loaded.

        Raises:
            InputError: it is not in the store.
        """
        if name not in self.group:
            raise InputError(f"{self.address} holds no {name}; see kaiseki fetch --probe")
        return self.group[name]

    def read(self, name: str, selection: tuple[np.ndarray, ...]) -> np.ndarray:
        """Values of an array at positions along each dimension; its chunks there are each asked for once.

        Raises:
            InputError: a chunk is absent, damaged or cannot be loaded.
        """
        array = self.array(name)
        along = [sorted({int(i) // size for i in axis}) for axis, size in zip(selection, _stored(array), strict=True)]
        keys = [f"{name}/{array.metadata.encode_chunk_key(place)}" for place in itertools.product(*along)]
        try:
            for key in keys:
                self._put(key, self._chunk(key))
            try:
                return np.asarray(array.oindex[selection])
            except (RuntimeError, ValueError, TypeError) as error:
                raise InputError(f"{self.address}/{keys[0]}: is damaged and cannot be unpacked ({error})") from None
        finally:
            with self._lock:
                for key in keys:
                    self._kept.pop(key, None)

    def whole(self, name: str) -> np.ndarray:
        """All values of a small array: a coordinate."""
        return self.read(name, tuple(np.arange(n) for n in self.array(name).shape))

    def _chunk(self, key: str) -> bytes:
        """Content of a chunk, compared with the MD5 that the service gives, where it gives one."""
        import hashlib

        remote = self._remote(key)

        def work() -> bytes:
            content = bytearray()
            with remote.read(0, None, None) as body:
                for block in body:
                    self._services.patience.check()
                    content += block
                found = body.found
            if found.size is not None and len(content) != found.size:
                raise Passing(f"the answer ended after {len(content)} of {found.size} bytes")
            for algorithm, value in found.digests:
                if hashlib.new(algorithm, content, usedforsecurity=False).hexdigest() != value:
                    raise Passing(f"the {algorithm} of the answer is wrong")
            return bytes(content)

        try:
            return self._services.patience.keep_trying(f"Loading {remote.address}", work)
        except Absent:
            raise InputError(
                f"{remote.address} is not there: the store ends before that time, or has a gap; missing values are not "
                "taken for data"
            ) from None

    def _remote(self, key: str) -> Any:
        return self._services.remote(f"{self.address}/{key}", self._item.part, self._item.source.account)

    def _put(self, key: str, content: bytes) -> None:
        from zarr.core.buffer import default_buffer_prototype

        with self._lock:
            self._kept[key] = default_buffer_prototype().buffer.from_bytes(content)


class Crop:
    """The box of an item in a store, made beside its place and renamed at the end."""

    def __init__(self, item: Item, path: Path, services: Services) -> None:
        if item.area is None:
            raise ValueError("a crop needs an area")
        self.item, self.path, self.services, self.area = item, path, services, item.area
        self.part = path.with_name(f".{path.name}.part")
        self.ledger = path.with_name(f".{path.name}.chunks.jsonl")
        self._lock = threading.Lock()

    def left(self) -> int:
        """Bytes that the result will still take, an estimate."""
        there = size_of(self.part) if self.part.exists() else 0
        return max(0, self.item.bytes - there)

    def run(self, count: Callable[[int], None], record: Callable[[Loaded], None]) -> Loaded:
        """Load, crop and write what is not there yet.

        Raises:
            InputError: the store lacks a variable, time or chunk, or has missing values where there must be none.
            ResourceError: the disk is full.
        """
        try:
            return self._run(count, record)
        except OSError as error:
            full = out_of_space(error, str(self.path), "what was loaded is kept", "call the command again")
            raise full or InputError(f"{self.path} could not be written: {error.strerror or error}") from None

    def _run(self, count: Callable[[int], None], record: Callable[[Loaded], None]) -> Loaded:
        store = ChunkedStore(self.item.address, self.services, self.item)
        part = self.item.part
        names = [*part.variables, *(name for name in part.optional if name in store.group)]
        for name in names:
            if unknown := set(store.dims(name)) - set(_AXES):
                raise InputError(f"{store.address}: {name} has a dimension {sorted(unknown)[0]}, which is not expected")
        # A time or level that none of the variables has is not loaded: the times of a century are many.
        used = {dim for name in names for dim in store.dims(name)} | {"latitude", "longitude"}
        axes = {name: store.whole(name) for name in _AXES if name in used}
        rows = self.area.latitudes(axes["latitude"])
        columns, longitudes = self.area.longitudes(axes["longitude"])
        if not rows.size or not columns.size:
            raise InputError(f"{store.address} has no grid points in {self.area}")
        steps = self._steps(store, axes["time"]) if "time" in axes else np.arange(0)
        places = {"latitude": rows, "longitude": columns}
        if "level" in axes:
            places["level"] = np.arange(axes["level"].size)
        units = [unit for name in names for unit in self._units(store, name, steps)]
        done = self._resumed()
        if done is None:
            self._lay_out(store, names, axes | {"longitude": longitudes}, rows, steps)
            done = set()
        target = zarr.open_group(str(self.part), mode="r+", use_consolidated=False)

        def work(unit: Unit) -> None:
            self.services.patience.check()
            array = store.array(unit.variable)
            if (unit.variable, unit.times) not in done:
                self._write(target, store, unit, places)
                with self._lock:
                    add_line(self.ledger, {"variable": unit.variable, "times": unit.times})
            count(int(np.prod(_stored(array))) * array.dtype.itemsize)

        self._together(units, work)
        with warnings.catch_warnings():
            # Format 3 has no word on consolidated metadata yet; readers that do not know them go without.
            warnings.simplefilter("ignore")
            zarr.consolidate_metadata(str(self.part), zarr_format=3)
        loaded = Loaded(size_of(self.part), "", "length and digest of each chunk, no gaps", Found(None))
        record(loaded)
        self.part.rename(self.path)
        self.ledger.unlink(missing_ok=True)
        return loaded

    def _together(self, units: list[Unit], work: Callable[[Unit], None]) -> None:
        """Several units at a time; the first error ends the others."""
        with ThreadPoolExecutor(AT_A_TIME, thread_name_prefix="chunk") as pool:
            waiting = [pool.submit(work, unit) for unit in units]
            errors = []
            for one in waiting:
                try:
                    one.result()
                except Stopped as error:
                    errors.append(error)
                except BaseException as error:
                    self.services.patience.stop.set()
                    errors.insert(0, error)  # type: ignore[arg-type]
            if errors:
                raise errors[0]

    def _steps(self, store: ChunkedStore, values: np.ndarray) -> np.ndarray:
        """Positions of the wanted times in the source, each of which must be there and valid."""
        attributes = dict(store.array("time").attrs)
        try:
            decoded = xr.decode_cf(xr.Dataset(coords={"time": ("time", values, attributes)}))["time"].values
            times = decoded.astype("datetime64[s]")
        except (ValueError, TypeError, OverflowError) as error:
            raise InputError(f"{store.address}: its times cannot be understood ({error})") from None
        wanted = np.array([time.replace(tzinfo=None) for time in self.item.times], "datetime64[s]")
        found = np.searchsorted(times, wanted)
        right = np.array([k < times.size and times[k] == t for k, t in zip(found, wanted, strict=True)])
        # The arrays of ARCO-ERA5 reach further than its data; these attributes say how far the data go.
        for name, beyond in (("valid_time_start", np.less), ("valid_time_stop", np.greater)):
            if text := store.group.attrs.get(name):
                right &= ~beyond(
                    wanted,
                    np.datetime64(str(text), "s").astype("datetime64[D]").astype("datetime64[s]")
                    + (np.timedelta64(86399, "s") if "stop" in name else np.timedelta64(0, "s")),
                )
        if not right.all():
            raise InputError(f"{store.address} has no data for {wanted[~right][0]} UTC; take another source or period")
        return found

    def _units(self, store: ChunkedStore, name: str, steps: np.ndarray) -> list[Unit]:
        dims = store.dims(name)
        if "time" not in dims:
            return [Unit(name, (), ())]
        size = _stored(store.array(name))[dims.index("time")]
        groups: dict[int, list[int]] = {}
        for position, step in enumerate(steps):
            groups.setdefault(int(step) // size, []).append(position)
        return [Unit(name, tuple(of), tuple(int(steps[k]) for k in of)) for of in groups.values()]

    def _write(self, target: Any, store: ChunkedStore, unit: Unit, places: dict[str, np.ndarray]) -> None:
        dims = store.dims(unit.variable)
        selection = tuple(np.array(unit.indices) if dim == "time" else places[dim] for dim in dims)
        values = store.read(unit.variable, selection)
        if ("level" in dims or unit.variable in _EVERYWHERE) and not np.isfinite(values).all():
            raise InputError(f"{store.address}: {unit.variable} has missing values at {self._named(unit)}")
        if "time" in dims:
            for k, position in enumerate(unit.times):
                target[unit.variable][position] = values[k]
        else:
            target[unit.variable][...] = values

    def _named(self, unit: Unit) -> str:
        return f"{self.item.times[unit.times[0]]:%Y-%m-%d %H} UTC" if unit.times else "all times"

    def _resumed(self) -> set[tuple[str, tuple[int, ...]]] | None:
        """What is written already; None where a new store has to be laid out."""
        kept = list(lines_of(self.ledger))
        if kept and kept[0].get("of") == self.item.identity and (self.part / "zarr.json").exists():
            return {(line["variable"], tuple(line["times"])) for line in kept[1:] if "variable" in line}
        shutil.rmtree(self.part, ignore_errors=True)
        self.ledger.unlink(missing_ok=True)
        return None

    def _lay_out(
        self, store: ChunkedStore, names: list[str], axes: dict[str, np.ndarray], rows: np.ndarray, steps: np.ndarray
    ) -> None:
        """The empty result: coordinates, and arrays with the attributes of the source."""
        source = self.item.source
        coordinates = axes | {"latitude": axes["latitude"][rows]}
        if "time" in axes:
            coordinates["time"] = axes["time"][steps]
        attributes = {
            "Conventions": "CF-1.11",
            "title": f"{source.title}: {self.area}",
            "source": Secrets().hidden(store.address),
            "references": source.citation,
            "license": source.licence,
        }
        group = zarr.create_group(str(self.part), zarr_format=3, attributes=attributes, overwrite=True)
        for name, values in coordinates.items():
            made = group.create_array(
                name, data=values, chunks=values.shape, dimension_names=(name,), attributes=_plain(store.array(name))
            )
            del made
        for name in names:
            dims = store.dims(name)
            shape = tuple(coordinates[dim].size for dim in dims)
            group.create_array(
                name,
                shape=shape,
                chunks=tuple(1 if dim == "time" else n for dim, n in zip(dims, shape, strict=True)),
                dtype=store.array(name).dtype,
                fill_value=np.nan,
                compressors=[ZstdCodec(level=3), Crc32cCodec()],
                dimension_names=dims,
                attributes=_plain(store.array(name)),
            )
        add_line(self.ledger, {"of": self.item.identity})


def _stored(array: Any) -> tuple[int, ...]:
    """Shape of what one object of the store holds: a chunk, or a shard of several."""
    return tuple(getattr(array, "shards", None) or array.chunks)


def _plain(array: Any) -> dict[str, Any]:
    """Attributes of an array that JSON can hold, without what format 3 keeps elsewhere."""
    return {name: json.loads(json.dumps(value)) for name, value in array.attrs.items() if name != "_ARRAY_DIMENSIONS"}
