"""Terrain and land in NetCDF files on latitude and longitude."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import xarray as xr

from kaiseki.core.constants import GRAVITY
from kaiseki.core.errors import InputError
from kaiseki.formats.netcdf import load
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
_SHORT = {"height": ("z", "orog", "elevation", "topo", "hgt"), "land": ("lsm", "land_sea_mask", "land", "sftlf")}


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

    Raises:
        InputError: damaged, not on a regular latitude-longitude grid, without the quantity, or in other units.
        KaisekiError: NetCDF 4 and no HDF5 library.
    """
    dataset = load(path, decode_times=False)
    row, lat = _axis(path, dataset, _LATITUDE)
    column, lon = _axis(path, dataset, _LONGITUDE)
    known = [n for n in dataset.data_vars if dataset[n].attrs.get("standard_name") in _NAMES[quantity]]
    known += [n for n in dataset.data_vars if n in _SHORT[quantity]]
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
