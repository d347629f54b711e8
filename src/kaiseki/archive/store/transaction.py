"""What one cycle writes; all of it becomes visible with one commit, or nothing does."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import numpy as np
import zarr

from kaiseki.archive.store import schema
from kaiseki.archive.store.arrays import array_at, create_field, group_at
from kaiseki.archive.store.columns import as_table, write_table
from kaiseki.archive.store.metadata import GRID_MAPPING
from kaiseki.archive.store.restart import write_tree
from kaiseki.archive.store.storage import storage_errors
from kaiseki.core.errors import StoreError
from kaiseki.core.timing import format_utc
from kaiseki.core.variables import Variable, variable

_WINDS = {"u": "eastward_wind", "v": "northward_wind"}


@dataclass(frozen=True)
class TimeAxes:
    """Axes in time of a group of fields, and the times that a piece of work may write.

    Attributes:
        names: of the axes.
        shape: their lengths.
        times: (n,) datetime64[s], rising, along the last axis.
        before: index along the axes before that.
    """

    names: tuple[str, ...]
    shape: tuple[int, ...]
    times: np.ndarray
    before: tuple[int, ...] = ()


@dataclass(frozen=True)
class Piece:
    """What is committed together: a cycle, or a stretch of a forecast.

    Attributes:
        number: from 0, in the order of writing.
        name: of its group.
        words: how messages call it.
        time: its end (UTC).
        axes: of the groups of fields.
    """

    number: int
    name: str
    words: str
    time: np.datetime64
    axes: Mapping[str, TimeAxes]


class CycleTransaction:
    """The writes of one cycle, made by `RunStore.cycle`, or of one stretch of a forecast, made by
    `ForecastStore.stretch`; nothing can be seen by readers before its end.

    Attributes:
        number: number of the cycle, from 0.
        time: end of the cycle (UTC).
    """

    def __init__(self, root: zarr.Group, where: str, piece: Piece, turn: tuple[np.ndarray, np.ndarray]) -> None:
        self.number, self.time = piece.number, piece.time
        self._root, self._where, self._words = root, where, piece.words
        self._cos, self._sin = turn
        self._cycle = root.create_group(f"{schema.CYCLES}/{piece.name}", attributes={"number": piece.number})
        self._axes = piece.axes
        static = group_at(root, schema.STATIC)
        names = ("level", "soil_level", "y", "x")
        self._sizes = {name: array_at(static, name).shape[0] for name in names if name in static}
        self._owners = {name: array_at(root, f"{name}/cycle") for name in self._axes}
        self._fields: dict[tuple[str, str], zarr.Array] = {}
        self._open, self._failed = True, False

    def write_fields(self, group: str, time: np.datetime64, fields: Mapping[str, Any], comment: str = "") -> None:
        """Write fields of one time, float32, without loss.

        Args:
            group: "forecast" (trajectory along the cycle, the background) or "analysis".
            time: UTC, one of the times of the group's axis.
            fields: arrays by internal variable name, (z, y, x), (soil level, y, x) or (y, x) as the table of variables
                says. Grid-relative `u` and `v` at cell centres are given together and stored as eastward and northward
                wind, rotated in single precision.
            comment: CF attribute of the fields that are laid out by this write: how they were made.

        Raises:
            StoreError: no such group or time, the time was written by another cycle, a wrong shape, u without v, an
                accumulation among analyses; or the storage failed.
            InputError: a name that is not in the table of variables.
            ResourceError: the disk is full.
        """
        with self._writing():
            if group not in self._axes:
                raise StoreError(f"{self._where} has the field groups {' and '.join(self._axes)}, not {group!r}")
            index = self._claim(group, time)
            for name, values in self._east_north(fields).items():
                row = variable(name)
                if group == schema.ANALYSIS and not (
                    row.cell_methods == "" or row.cell_methods.startswith("time: point")
                ):
                    raise StoreError(f"{row.name} belongs to an interval and is written to 'forecast', not 'analysis'")
                self._field(group, row, np.asarray(values).shape, comment)[index] = np.asarray(values, np.float32)

    def write_observations(self, columns: Any) -> None:
        """Write the observation table of the cycle with its departures, once.

        Args:
            columns: a `pyarrow.Table` or a mapping of names to one-dimensional arrays of equal length: numbers,
                booleans, times, text.

        Raises:
            StoreError: the columns make no such table, they were written already, or the storage failed.
            ResourceError: the disk is full.
        """
        with self._writing():
            if "observations" in self._cycle:
                raise StoreError(f"The observations of {self._words} were written already")
            write_table(self._cycle.create_group("observations"), as_table(columns))

    def write_restart(self, tree: Mapping[str, Any]) -> None:
        """Write what the next cycle needs, bit for bit, in place of the last; see `restart.write_tree` for the types.

        Raises:
            StoreError: a leaf that cannot be stored, or the storage failed.
            ResourceError: the disk is full.
        """
        with self._writing():
            if schema.RESTART in self._root:
                del self._root[schema.RESTART]
            group = self._root.create_group(schema.RESTART)
            write_tree(group.create_group("state"), tree)
            group.attrs["cycle"] = self.number

    def write_diagnostics(self, values: Mapping[str, Any]) -> None:
        """Write numbers and words about the cycle as JSON; NumPy values become lists, what is not finite null.

        Raises:
            StoreError: a value that has no JSON form, or the storage failed.
            ResourceError: the disk is full.
        """
        with self._writing():
            self._cycle.attrs["diagnostics"] = to_json(values)

    def finish(self) -> None:
        """Mark the cycle complete; `RunStore.cycle` calls it before the commit.

        Raises:
            StoreError: one of the writes failed, so that the cycle is not whole.
        """
        if self._failed:
            raise StoreError(f"A write of {self._words} to {self._where} failed; nothing of it was kept")
        with self._writing():
            array_at(self._root, f"{schema.CYCLES}/complete")[self.number] = 1
        self._open = False

    def close(self) -> None:
        """No more writes."""
        self._open = False

    @contextmanager
    def _writing(self) -> Iterator[None]:
        """Refuse writes after the end, and remember a failure: a cycle with a hole must not be committed."""
        if not self._open:
            raise StoreError(f"The {self._words} is closed; nothing more can be written to it")
        try:
            with storage_errors(self._where, "written"):
                yield
        except BaseException:
            self._failed = True
            raise

    def _claim(self, group: str, time: np.datetime64) -> tuple[int, ...]:
        """Index of the time, which from now on belongs to this cycle."""
        axis = self._axes[group].times
        moment = np.datetime64(time, "s")
        index = int(np.searchsorted(axis, moment))
        if index == axis.size or axis[index] != moment:
            raise StoreError(
                f"{format_utc(moment)} is not among the {axis.size} {group} times of {self._where} "
                f"({format_utc(axis[0])} to {format_utc(axis[-1])})"
            )
        owners, place = self._owners[group], (*self._axes[group].before, index)
        owner = int(np.asarray(owners[place]))
        if owner not in (-1, self.number):
            raise StoreError(f"The {group} fields of {format_utc(moment)} were written by an earlier cycle and stay")
        owners[place] = self.number
        return place

    def _east_north(self, fields: Mapping[str, Any]) -> dict[str, Any]:
        """The fields with grid-relative winds replaced by eastward and northward ones."""
        given = [name for name in _WINDS if name in fields]
        if not given:
            return dict(fields)
        if len(given) == 1 or any(name in fields for name in _WINDS.values()):
            raise StoreError(
                "Winds are given either as u and v of the grid or as eastward and northward, both together"
            )
        u, v = (np.asarray(fields[name], np.float32) for name in _WINDS)
        if u.shape != v.shape or u.shape[-2:] != self._cos.shape:
            raise StoreError(f"u and v must be given at cell centres {self._cos.shape}; got {u.shape} and {v.shape}")
        turned = {"eastward_wind": u * self._cos + v * self._sin, "northward_wind": v * self._cos - u * self._sin}
        return {name: value for name, value in fields.items() if name not in _WINDS} | turned

    def _field(self, group: str, row: Variable, shape: Sequence[int], comment: str) -> zarr.Array:
        """The array of a variable, laid out over the whole time axis the first time it is met."""
        axes = schema.AXES[row.levels]
        if "soil_level" in axes and "soil_level" not in self._sizes:
            raise StoreError(f"{row.name} needs soil layers, and the store was made without soil_depth")
        expected = tuple(self._sizes[axis] for axis in axes[1:])
        if tuple(shape) != expected:
            raise StoreError(f"{row.name} must have the shape {expected} along {axes[1:]}; got {tuple(shape)}")
        known = self._fields.get((group, row.name))
        if known is None:
            known = self._fields[group, row.name] = self._laid_out(group, row, expected, comment)
        return known

    def _laid_out(self, group: str, row: Variable, shape: tuple[int, ...], comment: str) -> zarr.Array:
        """The array of a variable in the store, made if it is not there."""
        members = group_at(self._root, group)
        if row.name in members:
            return array_at(members, row.name)
        encoding: Any = self._root.attrs["field_encoding"]
        times = self._axes[group]
        attributes = row.attributes() | {"grid_mapping": GRID_MAPPING, "coordinates": "lat lon"}
        attributes |= {"comment": comment} if comment else {}
        return create_field(
            members,
            row.name,
            (times.shape, shape),
            (*times.names, *schema.AXES[row.levels][1:]),
            attributes,
            chunk=encoding["chunk"],
            level=encoding["compression_level"],
        )


def to_json(value: Any) -> Any:
    """A value in the types of JSON: mappings, lists, text, numbers; null for what is not finite.

    Raises:
        StoreError: a type that has no such form.
    """
    if value is None or isinstance(value, bool | str):
        return value
    if isinstance(value, np.datetime64):
        return None if np.isnat(value) else format_utc(value, seconds=True)
    if isinstance(value, np.generic):
        return to_json(value.item())
    if isinstance(value, int):
        return value
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if isinstance(value, Mapping):
        return {str(key): to_json(item) for key, item in value.items()}
    if isinstance(value, np.ndarray):
        return [to_json(item) for item in value]
    if isinstance(value, list | tuple):
        return [to_json(item) for item in value]
    raise StoreError(f"Diagnostics are JSON, which has no form for a {type(value).__name__}")
