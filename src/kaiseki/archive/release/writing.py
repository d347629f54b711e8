"""What is written of one day, and the copies for point series."""

from __future__ import annotations

import dataclasses
from typing import Any

import numpy as np
import pyarrow as pa
import zarr
from zarr.codecs import ShardingCodec

from kaiseki.archive.release import schema
from kaiseki.archive.release.encoding import largest_error, pack, packing_of
from kaiseki.archive.release.layout import map_levels, times_of
from kaiseki.archive.store.arrays import array_at, arrays_at, values_at
from kaiseki.archive.store.columns import write_table
from kaiseki.core.errors import InputError, StoreError
from kaiseki.core.variables import VARIABLES, variable


class DayWriter:
    """The writes of one day; made by `ReleaseStore.day`."""

    def __init__(
        self,
        root: zarr.Group,
        where: str,
        number: int,
        prefix: str,
        *,
        preliminary: bool,
        replace: bool,
    ) -> None:
        self.number = number
        self._root, self._where, self._prefix = root, where, prefix
        self._state = schema.PRELIMINARY if preliminary else schema.FINAL
        self._replace = replace
        self._times = times_of(root)
        self._day = self._times.day(number)
        self._produced: dict[str, np.ndarray] = {}
        self._statistics: dict[tuple[str, str], np.ndarray] = {}
        self._levels: dict[tuple[str, str], int] = {}
        self._replaces = bool(prefix)
        self._has_observations = False

    def shards(self, group: str, name: str) -> list[slice]:
        """Ranges of levels that are written together, one for a field of the surface."""
        array = self._array(group, name)
        if array.ndim < 4:
            return [slice(None)]
        deep = array.shards[1] if array.shards else array.shape[1]
        return [slice(k, min(k + deep, array.shape[1])) for k in range(0, array.shape[1], deep)]

    def write(self, group: str, name: str, values: np.ndarray, levels: slice = slice(None)) -> None:
        """Pack and write a variable of the whole day.

        Args:
            group: name of the group.
            name: internal name.
            values: (time, [level,] y, x), all times of the day; NaN where a time was not produced.
            levels: range of levels, one of `shards`.

        Raises:
            StoreError: the shape is wrong, the day was written before, or the storage failed.
            InputError: values outside the physical range, or infinite ones.
        """
        array = self._array(group, name)
        slots = self._times.slots(schema.GROUPS[group].axis, self.number)
        place: tuple[slice, ...] = (slots,) if array.ndim < 4 else (slots, levels)
        values = np.asarray(values, np.float32)
        expected = (
            tuple(len(range(*part.indices(size))) for part, size in zip(place, array.shape, strict=False))
            + array.shape[len(place) :]
        )
        if values.shape != expected:
            raise StoreError(f"{name} of {self._day} must have the shape {expected} in {group}; got {values.shape}")
        self._claim(group, np.isfinite(values).any(axis=tuple(range(1, values.ndim))))
        packing = packing_of(variable(name), self._root.attrs["bounds"])  # type: ignore[arg-type]
        try:
            packed = values if packing is None else pack(values, packing)
            error = 0.0 if packing is None else largest_error(values, packed, packing)
            if packing is None and np.isinf(values).any():
                raise InputError(f"{name} holds infinite values; nothing of this day is written")
        except InputError as problem:
            raise InputError(f"{self._day}, {group}: {problem}") from None
        self._levels[group, name] = self._levels.get((group, name), 0) + (values.shape[1] if array.ndim == 4 else 1)
        array[place] = packed
        self._copy_for_maps(group, name, packed, levels, slots)
        self._note(group, name, values, error)

    def write_observations(self, table: pa.Table) -> None:
        """Write the observation feedback of the day, in place of what was there."""
        place = self._observations()
        if place in self._root:
            del self._root[place]
        write_table(self._root.create_group(place), table)
        self._has_observations = True

    def finish(self) -> None:
        """Note in the ledger what the day holds; `ReleaseStore.day` calls it before the commit.

        Where the day was there before, what was not written anew is taken away: a day is of one packing.

        Raises:
            StoreError: nothing was written, or some levels of a variable were not.
        """
        if not self._produced:
            raise StoreError(f"Nothing was written for {self._day}, so that there is no day to commit")
        for (group, name), levels in self._levels.items():
            array = self._array(group, name)
            if array.ndim == 4 and levels < array.shape[1]:
                raise StoreError(
                    f"Only {levels} of {array.shape[1]} levels of {name} in {group} were written for {self._day}; "
                    "write all parts that `shards` gives"
                )
        if self._replaces:
            self._clear_rest()
        if self._prefix:
            return
        for group, produced in self._produced.items():
            state = np.where(produced, self._state, schema.NOT_PRODUCED).astype(np.uint8)
            self._note_states(schema.GROUPS[group], state)
        for (group, name), row in self._statistics.items():
            least, total, greatest, missing, error, count = row
            values = (least, total / count, greatest, missing, error) if count else (np.nan,) * 3 + (missing, error)
            array_at(self._root, f"{schema.LEDGER}/{group}/statistics/{name}")[self.number] = values

    def _clear_rest(self) -> None:
        """Take away what the day held before of groups and variables that were not written now."""
        for group in schema.GROUPS.values():
            if f"{self._prefix}{group.name}" not in self._root:
                continue
            slots = self._times.slots(group.axis, self.number)
            for name, array in arrays_at(self._root, f"{self._prefix}{group.name}").items():
                if array.ndim < 3 or (group.name, name) in self._levels:
                    continue
                if not self._prefix:
                    ledger = array_at(self._root, f"{schema.LEDGER}/{group.name}/statistics/{name}")
                    if np.isnan(np.asarray(ledger[self.number])).all():
                        continue
                    ledger[self.number] = np.nan
                array[slots] = array.fill_value
                if not self._prefix and f"map/{group.name}/{name}" in self._root:
                    mapped = array_at(self._root, f"map/{group.name}/{name}")
                    mapped[slots] = mapped.fill_value
            if not self._prefix and group.name not in self._produced:
                self._note_states(group, np.zeros(slots.stop - slots.start, np.uint8))
        place = self._observations()
        if not self._has_observations and place in self._root:
            del self._root[place]

    def _note_states(self, group: schema.Group, state: np.ndarray) -> None:
        slots = self._times.slots(group.axis, self.number)
        for copy in ("", *group.copies):
            place = "/".join(part for part in (schema.LEDGER, copy, group.name, "state") if part)
            # The copy for series is written later, block by block, and is old until then.
            array_at(self._root, place)[slots] = state if copy != "series" else np.zeros_like(state)

    def _observations(self) -> str:
        """Place of the table of observations of the day."""
        return f"{self._prefix}{schema.OBSERVATIONS}/{np.datetime_as_string(self._day).replace('-', '')}"

    def _array(self, group: str, name: str) -> zarr.Array:
        place = f"{self._prefix}{group}/{name}"
        if place not in self._root:
            raise StoreError(f"{self._where} has no {place}; lay it out with add_variables first")
        return _in_order(array_at(self._root, place))

    def _claim(self, group: str, produced: np.ndarray) -> None:
        """Make sure once for each group that the day may be written, and note the times that hold values."""
        if group not in self._produced and not self._prefix:
            slots = self._times.slots(schema.GROUPS[group].axis, self.number)
            state = np.asarray(array_at(self._root, f"{schema.LEDGER}/{group}/state")[slots])
            if (state == schema.FINAL).any() and not self._replace:
                raise StoreError(
                    f"{self._day} of {group} is in {self._where} already and final; pack it with replacement if it is "
                    "to be changed, under a new version"
                )
            self._replaces |= bool(state.any())
        self._produced[group] = self._produced.get(group, False) | produced

    def _copy_for_maps(self, group: str, name: str, packed: np.ndarray, levels: slice, slots: slice) -> None:
        if self._prefix or f"map/{group}/{name}" not in self._root:
            return
        target = array_at(self._root, f"map/{group}/{name}")
        chosen = map_levels(self._root, schema.GROUPS[group])
        if target.ndim < 4 or chosen is None:
            target[(slots,) if target.ndim < 4 else (slots, levels)] = packed
            return
        first = levels.start or 0
        for index, level in enumerate(chosen):
            if first <= level < first + packed.shape[1]:
                target[slots, index] = packed[:, level - first]

    def _note(self, group: str, name: str, values: np.ndarray, error: float) -> None:
        """Add values to the statistics of a variable and day."""
        row = self._statistics.setdefault((group, name), np.array([np.inf, 0.0, -np.inf, 0.0, 0.0, 0.0]))
        row[4] = max(row[4], error)
        for field in values:
            missing = int(np.count_nonzero(np.isnan(field)))
            row[3] += missing
            if missing < field.size:
                row[0] = min(row[0], float(np.fmin.reduce(field, axis=None)))
                row[1] += float(np.sum(field[~np.isnan(field)] if missing else field, dtype=np.float64))
                row[2] = max(row[2], float(np.fmax.reduce(field, axis=None)))
                row[5] += field.size - missing


def _in_order(array: zarr.Array) -> zarr.Array:
    """An array whose shards are written with their chunks in the order of the axes.

    So the chunks of a map lie together and are read at once. The order of Zarr itself is that of Morton; it is kept in
    no metadata.
    """
    (sharding,) = array.metadata.codecs  # type: ignore[union-attr]
    assert isinstance(sharding, ShardingCodec)
    ordered = ShardingCodec(
        chunk_shape=sharding.chunk_shape,
        codecs=sharding.codecs,
        index_codecs=sharding.index_codecs,
        index_location=sharding.index_location,
        subchunk_write_order="lexicographic",
    )
    metadata = dataclasses.replace(array.metadata, codecs=(ordered,))  # type: ignore[arg-type]
    return zarr.Array(zarr.AsyncArray(metadata=metadata, store_path=array.store_path))


def series_is_old(root: zarr.Group, group: schema.Group, block: int, *, complete_only: bool = False) -> bool:
    """Whether the copy for point series of a block of days lacks times, or has old ones, of the core.

    Args:
        root: of the store.
        group: of the fields.
        block: number of the block, from 0.
        complete_only: say no while days of the block are missing in the core.
    """
    span = _block(root, group, block)
    core = values_at(root, f"{schema.LEDGER}/{group.name}/state")[span]
    copied = values_at(root, f"{schema.LEDGER}/series/{group.name}/state")[span]
    return bool(core.any() and not np.array_equal(core, copied) and (core.all() or not complete_only))


def write_series(root: zarr.Group, group: schema.Group, block: int) -> None:
    """Write the copy for point series of one block of days from the core.

    Args:
        root: of a writable session.
        group: of the fields.
        block: number of the block, from 0.
    """
    span = _block(root, group, block)
    members: Any = root[group.name]
    for name in VARIABLES:
        if name not in members or f"series/{group.name}/{name}" not in root:
            continue
        source, target = array_at(root, f"{group.name}/{name}"), array_at(root, f"series/{group.name}/{name}")
        shard: Any = target.shards
        for level in range(source.shape[1]) if source.ndim == 4 else (None,):
            deep = () if level is None else (level,)
            for row in range(0, source.shape[-2], shard[-2]):
                rows = slice(row, min(row + shard[-2], source.shape[-2]))
                target[(span, *deep, rows)] = np.asarray(source[(span, *deep, rows)])
    states = values_at(root, f"{schema.LEDGER}/{group.name}/state")
    copied = array_at(root, f"{schema.LEDGER}/series/{group.name}/state")
    steps = copied.chunks[0]
    for day in range(span.start, span.stop, steps):
        # Days that are not there are left alone: another writer may be writing them.
        if states[day : day + steps].any():
            copied[day : day + steps] = states[day : day + steps]


def _block(root: zarr.Group, group: schema.Group, block: int) -> slice:
    """Indices of the times of a block of days."""
    times = times_of(root)
    steps = times.steps[group.axis]
    return slice(block * schema.BLOCK_DAYS * steps, min((block + 1) * schema.BLOCK_DAYS, times.days) * steps)
