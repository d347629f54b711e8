"""Folders of statistics (one NetCDF file per day or period) opened as one dataset, read file by file when asked for."""

from __future__ import annotations

import json
from collections import OrderedDict
from pathlib import Path
from typing import Any, Final

import numpy as np
import xarray as xr

from kaiseki.archive.selection.lazy import Key, computed
from kaiseki.archive.store.export_folder import NOTE
from kaiseki.core.errors import InputError, StoreError

FORM: Final = "statistics"
"""Form of such folders in their note."""


def is_statistics(location: Any) -> bool:
    """Whether a location is a folder of statistics, or one file of them."""
    try:
        path = Path(location)
    except TypeError:
        return False
    if path.suffix == ".nc":
        return path.is_file() and is_statistics(path.parent)
    try:
        return bool(json.loads((path / NOTE).read_text("utf-8")).get("form") == FORM)
    except (OSError, ValueError, AttributeError):
        return False


def open_statistics(location: str | Path, kind: str | None = None) -> xr.Dataset:
    """The statistics of a folder that `kaiseki archive statistics` wrote, in order of time, read lazily.

    Args:
        location: the folder, or one of its files.
        kind: group and period, such as "surface_month", or a climatology, such as
            "surface_normals_month_1991-2020_temperature_2m_mean"; None where there is only one, or for a file.

    Raises:
        StoreError: the folder holds no such statistics, or a file of it is damaged.
        InputError: it holds several kinds, and none is named, or not one of them.
    """
    path = Path(location)
    if path.suffix == ".nc":
        return open_file(path)
    kinds = kinds_of(path)
    if not kinds:
        raise StoreError(f"{path} holds no statistics yet; call kaiseki archive statistics")
    if kind is None and len(kinds) == 1:
        kind = next(iter(kinds))
    if kind is None or kind not in kinds:
        there = ", ".join(sorted(kinds))
        raise InputError(
            f"{path} holds the statistics {there}; name one of these" + (f", not {kind!r}" if kind else "")
        )
    return _in_one(kinds[kind])


def kinds_of(folder: Path) -> dict[str, list[Path]]:
    """Files of a folder in order of time by kind."""
    kinds: dict[str, list[Path]] = {}
    for file in sorted(folder.glob("*.nc")):
        stem, _, label = file.stem.rpartition("_")
        kinds.setdefault(stem if label.isdigit() and len(label) >= 4 else file.stem, []).append(file)
    return kinds


def open_file(path: Path) -> xr.Dataset:
    """One file of statistics as it was before it was written: flags and places are coordinates.

    Raises:
        StoreError: the file is damaged.
    """
    try:
        dataset = xr.open_dataset(path, engine="h5netcdf", decode_coords="all", decode_timedelta=False)
    except ImportError:
        raise InputError('NetCDF needs h5netcdf, which is not installed; do: pip install "kaiseki[formats]"') from None
    except (OSError, ValueError) as error:
        raise StoreError(f"{path} is damaged ({error}); remove it and call kaiseki archive statistics again") from error
    flags = [name for name, array in dataset.data_vars.items() if "flag_meanings" in array.attrs]
    bounds = [name for name in dataset.coords if "bounds" in dataset[name].dims]
    return dataset.set_coords(flags).reset_coords(bounds)


def _in_one(files: list[Path]) -> xr.Dataset:
    """Files that follow one another in time as one dataset."""
    first = open_file(files[0])
    if len(files) == 1:
        return first
    short: dict[str, list[np.ndarray]] = {}
    along = [str(name) for name, one in first.variables.items() if one.dims[:1] == ("time",) and _is_small(one)]
    for file in files:
        with open_file(file) as one:
            if one.sizes.get("time") != first.sizes["time"]:
                raise StoreError(
                    f"{file} holds {one.sizes.get('time')} times, where {first.sizes['time']} were expected"
                )
            for name in along:
                short.setdefault(name, []).append(np.asarray(one.variables[name].values))
    joined: dict[str, xr.Variable] = {}
    opened = _Opened(files)
    for key, variable in first.variables.items():
        name = str(key)
        if name in short:
            values = np.concatenate(short[name])
            joined[name] = xr.Variable(variable.dims, values, variable.attrs, variable.encoding)
        elif variable.dims[:1] == ("time",):
            sizes = {**variable.sizes, "time": variable.sizes["time"] * len(files)}
            lazy = computed(sizes, variable.dtype, _Reader(opened, name, variable.sizes["time"]), variable.attrs)
            lazy.encoding = {key: variable.encoding[key] for key in ("coordinates", "grid_mapping")
                             if key in variable.encoding}  # fmt: skip
            joined[name] = lazy
        else:
            joined[name] = variable.load()
    coordinates = {name: one for name, one in joined.items() if name in first.coords}
    fields = {name: one for name, one in joined.items() if name not in coordinates}
    first.close()
    return xr.Dataset(fields, coordinates, dict(first.attrs))


def _is_small(variable: xr.Variable) -> bool:
    """Whether a variable is an axis, its bounds or flags, not a field."""
    return variable.ndim == 1 or (variable.ndim == 2 and variable.dims[1] == "bounds")


class _Opened:
    """Files of which a few are kept open."""

    def __init__(self, files: list[Path]) -> None:
        self.files = files
        self._open: OrderedDict[int, xr.Dataset] = OrderedDict()

    def __getitem__(self, number: int) -> xr.Dataset:
        if number in self._open:
            self._open.move_to_end(number)
            return self._open[number]
        if len(self._open) >= _KEPT_OPEN:
            self._open.popitem(last=False)[1].close()
        self._open[number] = open_file(self.files[number])
        return self._open[number]

    def __reduce__(self) -> Any:
        return type(self), (self.files,)


_KEPT_OPEN: Final = 64


class _Reader:
    """Function that reads a part of one variable from the files that hold it."""

    def __init__(self, opened: _Opened, name: str, times: int) -> None:
        self.opened, self.name, self.times = opened, name, times

    def __call__(self, key: dict[Any, Key]) -> np.ndarray:
        wanted = np.arange(self.times * len(self.opened.files))[key["time"]]
        others = {axis: part for axis, part in key.items() if axis != "time"}
        parts = []
        for number in wanted:
            variable = self.opened[int(number) // self.times].variables[self.name]
            index = slice(int(number) % self.times, int(number) % self.times + 1)
            parts.append(np.asarray(variable.isel({"time": index, **others}).values))
        if not parts:
            # No time is wanted: the shape of the rest is that of a first one.
            variable = self.opened[0].variables[self.name]
            return np.asarray(variable.isel({"time": slice(0, 0), **others}).values)
        return np.concatenate(parts)
