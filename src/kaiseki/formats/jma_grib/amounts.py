"""Hours of precipitation in NetCDF files and Zarr stores, to be written in the form of JMA's analysed precipitation."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np
import xarray as xr

from kaiseki.core.errors import InputError
from kaiseki.core.files import whole_file
from kaiseki.formats import netcdf
from kaiseki.formats.cf_time import decode_times
from kaiseki.formats.jma_grib.grids import Grid
from kaiseki.formats.jma_grib.writing import Origin, encode

HOUR: Final = np.timedelta64(3600, "s")
_MM: Final = {
    **dict.fromkeys(("kg m-2", "kg/m2", "kg/m^2", "kg m**-2", "mm"), 1.0),
    **dict.fromkeys(("m", "m of water equivalent"), 1000.0),
    "cm": 10.0,
}
"""Units of amounts that are read, in mm."""
_MM_PER_HOUR: Final = {
    **dict.fromkeys(("mm h-1", "mm/h", "mm hour-1", "mm hr-1", "kg m-2 h-1"), 1.0),
    **dict.fromkeys(("kg m-2 s-1", "kg m**-2 s**-1", "mm s-1", "mm/s"), 3600.0),
    "m s-1": 3_600_000.0,
}
"""Units of means of a rate over an hour that are read, in mm per hour."""
_STANDARD: Final = (
    "precipitation_amount",
    "lwe_thickness_of_precipitation_amount",
    "precipitation_flux",
    "lwe_precipitation_rate",
)
_SHORT: Final = ("precipitation_amount", "precipitation")


@dataclass(frozen=True, eq=False)
class Hour:
    """Precipitation of one hour.

    Attributes:
        end: end of the hour, UTC.
        amount: (ny, nx) mm, NaN where there is none.
        grid: of the points, in the order of the amount.
    """

    end: np.datetime64
    amount: np.ndarray
    grid: Grid


@dataclass(frozen=True)
class Summary:
    """Outcome of writing hours.

    Attributes:
        ends: ends of the hours, UTC.
        largest_error: largest error of rounding to the levels, mm, of values up to the last.
        above_last: values above the last level, which got it.
    """

    ends: tuple[np.datetime64, ...]
    largest_error: float
    above_last: int


def convert_to_grib(path: Path, out: Path, origin: Origin | None = None, variable: str | None = None) -> Summary:
    """Write the hours of precipitation of a NetCDF file as GRIB 2, one message an hour, whole or not at all.

    Args:
        path: NetCDF file or Zarr store.
        out: new file.
        origin: what the file says of its maker.
        variable: name in the file; None for the only one that is hourly precipitation by its CF metadata.

    Raises:
        InputError: as of `hours` and `writing.encode`.
        StoreError, ResourceError: as of `core.files.whole_file`.
    """
    ends: list[np.datetime64] = []
    largest, above = 0.0, 0
    with whole_file(out) as scratch, scratch.open("wb") as stream:
        for hour in hours(path, variable):
            try:
                coded = encode(hour.amount, hour.grid, hour.end, origin)
            except InputError as error:
                raise InputError(f"{path}: the hour to {hour.end}Z: {error}") from error
            stream.write(coded.message)
            ends.append(hour.end)
            largest, above = max(largest, coded.largest_error), above + coded.above_last
        if not ends:
            raise InputError(f"{path}: has an axis of time without any hour.")
    return Summary(tuple(ends), largest, above)


def hours(path: Path, variable: str | None = None) -> Iterator[Hour]:
    """Hours of precipitation of a file in their order, one at a time in memory.

    Args:
        path: NetCDF file or Zarr store with a regular latitude-longitude grid.
        variable: as of `convert_to_grib`.

    Raises:
        InputError: there is no such variable or there are several, its units are not read, it is not on a regular
            latitude-longitude grid, or its time bounds do not tell that it is of one hour.
    """
    with netcdf.opened(path) as dataset:
        name = variable or _only(path, dataset)
        if name not in dataset:
            raise InputError(f"{path}: has no variable {name!r}; it has {', '.join(map(str, dataset.data_vars))}.")
        array = dataset[name]
        factor = _factor(path, array)
        latitude, longitude = _axis(path, array, "latitude"), _axis(path, array, "longitude")
        ends = _ends(path, dataset, array)
        try:
            grid = Grid.from_axes(array[latitude].values, array[longitude].values)
        except InputError as error:
            raise InputError(f"{path}: {name}: {error}") from error
        time = next((str(one) for one in array.dims if one not in (latitude, longitude)), None)
        for number, end in enumerate(ends):
            part = array if time is None else array.isel({time: number})
            amount = part.transpose(latitude, longitude).values
            amount = amount.astype(np.float32) if amount.dtype.kind != "f" else amount
            yield Hour(end, amount * amount.dtype.type(factor), grid)


def _only(path: Path, dataset: xr.Dataset) -> str:
    found = [str(name) for name, one in dataset.data_vars.items() if one.attrs.get("standard_name") in _STANDARD]
    found = found or [name for name in _SHORT if name in dataset.data_vars]
    if len(found) != 1:
        named = f"several ({', '.join(found)})" if found else "no variable"
        raise InputError(
            f"{path}: has {named} with a CF standard name of precipitation ({', '.join(_STANDARD)}); "
            "name one by --variable."
        )
    return found[0]


def _factor(path: Path, array: xr.DataArray) -> float:
    """Factor from the units of a variable to mm in the hour."""
    units = str(array.attrs.get("units", "")).strip()
    factor = _MM.get(units, _MM_PER_HOUR.get(units))
    if factor is None:
        raise InputError(
            f"{path}: {array.name} has the units {units!r}; precipitation is read in "
            f"{', '.join([*_MM, *_MM_PER_HOUR])}."
        )
    over_time = str(array.attrs.get("cell_methods", ""))
    expected = "time: mean" if units in _MM_PER_HOUR else "time: sum"
    if "time:" in over_time and expected not in over_time:
        raise InputError(
            f"{path}: {array.name} has the cell methods {over_time!r}, which do not make an amount of the hour of its "
            f"units {units!r}; expected {expected!r}."
        )
    return factor


def _axis(path: Path, array: xr.DataArray, which: str) -> str:
    units = {"latitude": ("degrees_north", "degree_north"), "longitude": ("degrees_east", "degree_east")}[which]
    for name in array.dims:
        attrs = array[name].attrs if name in array.coords else {}
        if attrs.get("standard_name") == which or attrs.get("units") in units:
            return str(name)
    raise InputError(
        f"{path}: {array.name} has no axis of {which}; it must be on a regular latitude-longitude grid; bring it onto "
        "one first (docs/regridding.md)."
    )


def _ends(path: Path, dataset: xr.Dataset, array: xr.DataArray) -> np.ndarray:
    """Ends of the hours, from the bounds of the axis of time."""
    others = [str(name) for name in array.dims if array[name].ndim == 1 and _is_time(array, str(name))]
    scalar = [str(name) for name in array.coords if array[name].ndim == 0 and _is_time(array, str(name))]
    if array.ndim != 2 + len(others) or len(others) > 1 or not (others or scalar):
        raise InputError(f"{path}: {array.name} has the axes {array.dims}; expected time, latitude and longitude.")
    time = array[(others or scalar)[0]]
    bounds = time.attrs.get("bounds")
    if bounds not in dataset.variables:
        raise InputError(
            f"{path}: the time of {array.name} has no bounds, so whether it is the start or the end of an hour is not "
            "known; add them (CF conventions, 7.1)."
        )
    units = dataset[bounds].attrs.get("units", time.attrs.get("units", ""))
    calendar = str(dataset[bounds].attrs.get("calendar", time.attrs.get("calendar", "standard")))
    decoded = decode_times(f"{path}: {bounds}", np.asarray(dataset[bounds].values), str(units), calendar)
    decoded = decoded.reshape(-1, 2)
    lengths = decoded[:, 1] - decoded[:, 0]
    if (lengths != HOUR).any():
        wrong = lengths[lengths != HOUR][0].astype(int)
        raise InputError(f"{path}: {array.name} has an interval of {wrong} s; analysed precipitation is of one hour.")
    return decoded[:, 1]


def _is_time(array: xr.DataArray, name: str) -> bool:
    if name not in array.coords:
        return False
    attrs = array[name].attrs
    return "since" in str(attrs.get("units", "")) and attrs.get("standard_name", "time") == "time"
