"""NetCDF of rain gauges by station and time, in the convention of OpenSense (as poligrain has it) or CF's."""

from __future__ import annotations

from pathlib import Path
from typing import Final

import numpy as np
import xarray as xr

from kaiseki.core.errors import InputError
from kaiseki.formats.netcdf import find, opened
from kaiseki.precipitation.data import Gauges
from kaiseki.precipitation.sources.gridded import NAMES, times, variable
from kaiseki.precipitation.sources.reading import Reading, measure_of

_STATION: Final = ("station_id", "station", "id", "station_name")
_HEIGHT: Final = ("elevation", "altitude", "alt", "height")


def is_stations(path: Path) -> bool:
    """Whether a NetCDF file has places along one axis: latitudes and longitudes of stations."""
    with opened(path) as dataset:
        lat = find(dataset, ("lat", "latitude"))
        return lat is not None and dataset[lat].ndim == 1 and dataset[lat].dims[0] not in ("lat", "latitude", "y")


def read(path: Path, reading: Reading) -> Gauges:
    """Gauges of a NetCDF file of stations.

    Raises:
        InputError: the file is damaged, has several variables of rain or none, or does not say what its times are.
    """
    with opened(path) as dataset:
        name = variable(path, dataset, reading)
        field = dataset[name]
        lat, lon = find(dataset, ("lat", "latitude")), find(dataset, ("lon", "longitude"))
        if lat is None or lon is None:
            raise InputError(f"{path}: has no latitudes and longitudes of its stations")
        axis = dataset[lat].dims[0]
        if set(field.dims) != {"time", axis}:
            raise InputError(f"{path}: {name} has the axes {field.dims}; expected time and {axis}")
        where = f"{path}: {name}"
        measure, factor = measure_of(where, str(field.attrs.get("units", "")) or NAMES.get(name, ""), reading)
        if measure == "reflectivity":
            raise InputError(f"{where} is reflectivity; gauges measure rain")
        time, period = times(path, dataset, field, reading)
        amount = np.asarray(field.transpose("time", axis).values, float) * factor
        if measure == "rate":
            amount = amount * (period / np.timedelta64(3600, "s"))
        return Gauges(
            station=_names(dataset, str(axis)),
            lat=dataset[lat].values,
            lon=dataset[lon].values,
            time=time,
            amount=_known(where, amount),
            period=period,
            height=_optional(dataset, _HEIGHT),
            resolution=_optional(dataset, ("quantization", "resolution")),
            source=str(dataset.attrs.get("title") or path.name),
        )


def _names(dataset: xr.Dataset, axis: str) -> np.ndarray:
    name = find(dataset, (axis, *_STATION))
    if name is None:
        return np.arange(dataset.sizes[axis]).astype(str)
    return np.array([one.decode() if isinstance(one, bytes) else str(one) for one in dataset[name].values])


def _optional(dataset: xr.Dataset, aliases: tuple[str, ...]) -> np.ndarray:
    name = find(dataset, aliases)
    return np.empty(0) if name is None else np.asarray(dataset[name].values, float)


def _known(where: str, amount: np.ndarray) -> np.ndarray:
    """Amounts; InputError where some are negative, which is a fill value that the file does not declare."""
    if np.nanmin(amount, initial=0.0) < 0.0:
        raise InputError(f"{where} is negative down to {np.nanmin(amount):g}; its fill value is not declared")
    return amount
