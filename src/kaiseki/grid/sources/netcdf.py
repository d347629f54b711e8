"""Terrain and land in NetCDF files and Zarr stores on latitude and longitude."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import xarray as xr

from kaiseki.core.constants import GRAVITY
from kaiseki.core.errors import InputError
from kaiseki.formats.netcdf import opened
from kaiseki.grid.raster import Raster

if TYPE_CHECKING:
    from kaiseki.grid.sources.opening import RasterQuantity

_LATITUDE, _LONGITUDE = ("latitude", "lat"), ("longitude", "lon")
_METRES = ("m", "metre", "metres", "meter", "meters", "gpm")
_GEOPOTENTIAL = ("m**2 s**-2", "m2 s-2", "m^2 s^-2", "m2/s2", "m^2/s^2")
_NAMES = {
    "height": ("surface_altitude", "height", "altitude", "geopotential", "surface_geopotential"),
    "land": ("land_area_fraction", "land_binary_mask"),
}
"""CF standard names; a file without them is asked for the short names below."""
_SHORT = {
    "height": ("geopotential_at_surface", "z", "orog", "elevation", "topo", "hgt"),
    "land": ("lsm", "land_sea_mask", "land", "sftlf"),
}
_ANY = ("time", "valid_time", "number", "expver")
"""Dimensions of any length of which the first value is taken."""
_LEVELS = ("level", "lev", "plev", "pressure", "pressure_level", "isobaricInhPa", "isobaricInPa")
_PRESSURES = ("Pa", "hPa", "mbar", "mb", "millibar", "millibars")


def _axis(path: Path, dataset: xr.Dataset, names: tuple[str, ...]) -> tuple[str, np.ndarray]:
    """Name and values of a regular axis."""
    name = next((n for n in names if n in dataset.variables and dataset[n].ndim == 1), None)
    if name is None:
        raise InputError(f"{path}: has no axis named {' or '.join(names)}; only latitude-longitude files are read.")
    values = dataset[name].values.astype(float)
    if values.size < 2 or not np.allclose(np.diff(values), (values[-1] - values[0]) / (values.size - 1), rtol=1e-3):
        raise InputError(f"{path}: its {name} is not evenly spaced; only regular grids are read.")
    return name, values


def read(path: Path, quantity: RasterQuantity) -> Raster:
    """Heights (surface altitude, or geopotential over standard gravity) or land fraction; the first of several times.

    Geopotential and height of pressure levels are passed over.

    Raises:
        InputError: damaged, not on a regular latitude-longitude grid, without the quantity, or in other units.
        KaisekiError: NetCDF 4 and no HDF5 library.
    """
    with opened(path) as dataset:
        return _read(path, dataset, quantity)


def _aloft(dataset: xr.Dataset, name: str, axes: tuple[str, str]) -> bool:
    """Whether a variable stands on pressure levels, or on several of anything that is not known."""
    variable = dataset[name]
    for other in {*map(str, variable.dims), *map(str, variable.coords)} - {*axes}:
        about = dataset[other].attrs if other in dataset.variables else {}
        words = f"{about.get('long_name', '')} {about.get('standard_name', '')}".lower()
        pressure = about.get("units") in _PRESSURES or "pressure" in words
        # The IFS keeps the geopotential of the surface on the first of its model levels.
        of_model = any(word in words for word in ("hybrid", "model level", "model_level"))
        if pressure or (other in _LEVELS and not of_model):
            return True
        if other in variable.dims and variable.sizes[other] > 1 and other not in _ANY:
            return True
    return False


def _read(path: Path, dataset: xr.Dataset, quantity: RasterQuantity) -> Raster:
    row, lat = _axis(path, dataset, _LATITUDE)
    column, lon = _axis(path, dataset, _LONGITUDE)
    named = [str(n) for n in dataset.data_vars if dataset[n].attrs.get("standard_name") in _NAMES[quantity]]
    named += [str(n) for n in dataset.data_vars if n in _SHORT[quantity]]
    known = [name for name in named if not _aloft(dataset, name, (row, column))]
    if named and not known:
        raise InputError(
            f"{path}: {named[0]} has the dimensions {dataset[named[0]].dims} and stands on levels; "
            "expected a field of the surface."
        )
    if not known:
        raise InputError(
            f"{path}: holds no {'terrain height or surface geopotential' if quantity == 'height' else 'land fraction'} "
            f"(looked for {', '.join(_NAMES[quantity] + _SHORT[quantity])}); "
            f"its variables are {', '.join(map(str, dataset.data_vars)) or 'none'}."
        )
    variable = dataset[known[0]]
    for name in variable.dims:
        if name not in (row, column):
            variable = variable.isel({name: 0})
    if set(variable.dims) != {row, column}:
        raise InputError(f"{path}: {known[0]} has the dimensions {variable.dims}; expected {row} and {column}.")
    values = variable.transpose(row, column).values.astype(float)
    units = str(variable.attrs.get("units", ""))
    if quantity == "height" and units in _GEOPOTENTIAL:
        values = values / GRAVITY
    elif quantity == "height" and units not in _METRES:
        raise InputError(f"{path}: {known[0]} is in {units or 'no units'!r}; expected m or m2 s-2.")
    elif quantity == "land":
        values = values / 100.0 if units == "%" else values
        if np.nanmin(values) < -1e-6 or np.nanmax(values) > 1.0 + 1e-6:
            raise InputError(
                f"{path}: {known[0]} runs from {np.nanmin(values):g} to {np.nanmax(values):g}; expected 0 to 1."
            )
        values = values.clip(0.0, 1.0)
    if lat[0] > lat[-1]:
        lat, values = lat[::-1], values[::-1]
    if lon[0] > lon[-1]:
        lon, values = lon[::-1], values[:, ::-1]
    if lon.size > 2 and abs(lon[-1] - lon[0] - 360.0) < 1e-3 * (lon[1] - lon[0]):
        # The first meridian once more, at the end.
        lon, values = lon[:-1], values[:, :-1]
    step_lat, step_lon = (lat[-1] - lat[0]) / (lat.size - 1), (lon[-1] - lon[0]) / (lon.size - 1)
    south, west = float(lat[0] - 0.5 * step_lat), float(lon[0] - 0.5 * step_lon)
    return Raster(str(path), south, west, float(step_lat), float(step_lon), values)
