"""Values of variables of NetCDF files and Zarr stores, read in as few blocks as they lie in."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import xarray as xr

from kaiseki.core.errors import InputError
from kaiseki.driving.sources.grids import Window
from kaiseki.driving.sources.layouts import VERSION
from kaiseki.driving.sources.pieces import runs
from kaiseki.formats.netcdf import opened


def read_variable(
    path: Path,
    name: str,
    time_dims: tuple[str, ...],
    level: str | None,
    places: tuple[str, str],
    time: int,
    levels: Sequence[int],
    window: Window,
) -> np.ndarray:
    """Values (levels, ny, nx) of a variable at a time, in its own unit."""
    with opened(path) as dataset:
        variable = dataset[name]
        chosen_time: dict[str, Any] = {}
        sizes = [dataset.sizes[d] for d in time_dims]
        for dim, index in zip(time_dims, np.unravel_index(time, sizes) if sizes else (), strict=True):
            if dim in variable.dims:
                chosen_time[dim] = int(index)
        variable = variable.isel(chosen_time)
        axes = [d for d in (level, *places) if d is not None and d in variable.dims]
        others = [d for d in variable.dims if d not in axes]
        variable = variable.transpose(*others, *axes)
        wanted = {places[0]: window.rows, places[1]: window.columns}
        if level is not None and level in variable.dims:
            wanted[level] = np.asarray(levels)
        values = _taken(variable, [wanted[str(d)] for d in axes])
        if VERSION in others:
            values = _one_version(f"{path}: {name}", np.moveaxis(values, others.index(VERSION), 0))
    values = values.reshape(-1, window.rows.size, window.columns.size)
    return np.broadcast_to(values, (len(levels), *values.shape[1:])) if len(levels) != values.shape[0] else values


def _taken(variable: xr.DataArray, wanted: list[np.ndarray]) -> np.ndarray:
    """Values of a variable at the indices of its last axes, read in as few blocks as they lie in."""
    lead = variable.ndim - len(wanted)
    blocks = [runs(indices) for indices in wanted]

    def read(done: tuple[slice, ...], rest: list[tuple[list[slice], np.ndarray]]) -> np.ndarray:
        if not rest:
            index = dict(zip(map(str, variable.dims[lead:]), done, strict=True))
            return np.asarray(variable.isel(index).values, dtype=np.float64)
        slices, _ = rest[0]
        return np.concatenate([read((*done, part), rest[1:]) for part in slices], axis=lead + len(done))

    values = read((), blocks)
    for number, (_, places) in enumerate(blocks):
        values = np.take(values, places, axis=lead + number)
    return values


def _one_version(where: str, values: np.ndarray) -> np.ndarray:
    """One field of several versions (ERA5 and ERA5T), of which each point has a value in one alone.

    Raises:
        InputError: two versions have different values at a point.
    """
    merged = values[0]
    for other in values[1:]:
        both = np.isfinite(merged) & np.isfinite(other)
        if not np.allclose(merged[both], other[both], rtol=1e-6):
            raise InputError(f"{where}: two versions (expver) give different values; choose one of them.")
        merged = np.where(np.isfinite(merged), merged, other)
    return merged
