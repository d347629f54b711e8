"""NetCDF composites of radars: CF grid mappings, PROJ texts, latitude and longitude, and the map of RADOLAN."""

from __future__ import annotations

from pathlib import Path
from typing import Final

import numpy as np
import xarray as xr

from kaiseki.core.errors import InputError
from kaiseki.formats.cf_time import decode_times
from kaiseki.formats.netcdf import find, opened
from kaiseki.grid.proj_map import crs_of, grid_of
from kaiseki.grid.regular import LatLonGrid, MapGrid
from kaiseki.precipitation.data import RainGrid, fractional_index
from kaiseki.precipitation.sources import radolan
from kaiseki.precipitation.sources.reading import Reading, Scans, ends, measure_of, spacing

NAMES: Final = {
    "rainfall_amount": "",
    "RY": "mm",
    "RW": "mm",
    "YW": "mm",
    "rainfall": "",
    "rain": "",
    "rainfall_rate": "",
    "precipitation": "",
    "precipitation_amount": "",
    "precipitation_flux": "",
    "rainfall_flux": "",
    "rainrate": "",
    "DBZH": "dBZ",
}
"""Names of variables, with the units of products that have but one.

There is no default for `rainfall_amount`: files with rain rates under this name, and without units, are in use.
"""
_STANDARD: Final = (
    "rainfall_amount",
    "precipitation_amount",
    "rainfall_flux",
    "precipitation_flux",
    "rainfall_rate",
    "lwe_precipitation_rate",
    "lwe_thickness_of_precipitation_amount",
    "equivalent_reflectivity_factor",
)
_APART: Final = 0.5
"""Distance in cells by which stated latitudes and longitudes may miss the grid of the projection."""


def read(path: Path, reading: Reading) -> Scans:
    """The fields of a NetCDF composite.

    Raises:
        InputError: the file is damaged, has several variables of rain or none, no units, no known place, or does not
            say what its times are.
    """
    with opened(path) as dataset:
        name = variable(path, dataset, reading)
        field = dataset[name]
        if "time" not in field.dims or field.ndim != 3:
            raise InputError(f"{path}: {name} has the axes {field.dims}; expected time and two of a map")
        field = field.transpose("time", ...)
        where = f"{path}: {name}"
        measure, factor = measure_of(where, str(field.attrs.get("units", "")) or NAMES.get(name, ""), reading)
        values = np.asarray(field.values, np.float32) * np.float32(factor)
        grid, values = _grid(path, dataset, field, values)
        time, period = times(path, dataset, field, reading)
        title = str(dataset.attrs.get("title") or dataset.attrs.get("source") or path.name)
    if measure != "reflectivity" and np.nanmin(values, initial=0.0) < 0.0:
        raise InputError(f"{where} is negative down to {np.nanmin(values):g}; its fill value or units are wrong")
    return Scans(grid=grid, time=time, values=values, measure=measure, period=period, source=f"{name} of {title}")


def variable(path: Path, dataset: xr.Dataset, reading: Reading) -> str:
    """Name of the variable of rain.

    Raises:
        InputError: it is not there, or several are and the user names none.
    """
    if reading.variable:
        if reading.variable not in dataset.data_vars:
            raise InputError(f"{path}: has no variable {reading.variable!r}; it has {', '.join(map(str, dataset))}")
        return reading.variable
    found = [
        str(name)
        for name, one in dataset.data_vars.items()
        if one.ndim >= 2 and (name in NAMES or one.attrs.get("standard_name") in _STANDARD)
    ]
    if len(found) != 1:
        raise InputError(
            f"{path}: has {'the variables ' + ', '.join(found) if found else 'no variable known as precipitation'}; "
            f"state variable, one of {', '.join(str(one) for one in dataset.data_vars)}"
        )
    return found[0]


def times(path: Path, dataset: xr.Dataset, field: xr.DataArray, reading: Reading) -> tuple[np.ndarray, np.timedelta64]:
    """Ends of the intervals of a variable and their length, by the bounds of its time, its words, or the user.

    Raises:
        InputError: none of them says so, or the times are not understood.
    """
    axis = dataset["time"]
    units, calendar = str(axis.attrs.get("units", "")), str(axis.attrs.get("calendar", "standard"))
    where = f"{path}: time"
    time = decode_times(where, axis.values, units, calendar)
    bounds = axis.attrs.get("bounds")
    if bounds in dataset.variables:
        edges = decode_times(where, dataset[bounds].values, units, calendar)
        lengths = np.unique(edges[:, 1] - edges[:, 0])
        if lengths.size != 1 or not lengths[0] > np.timedelta64(0, "s"):
            raise InputError(f"{path}: the bounds of its times have lengths {lengths}; expected one")
        return edges[:, 1], lengths[0]
    period = spacing(str(path), time, reading)
    if "ending at time" in str(field.attrs.get("long_name", "")):
        return time, period
    return ends(str(path), time, period, reading), period


def _grid(path: Path, dataset: xr.Dataset, field: xr.DataArray, values: np.ndarray) -> tuple[RainGrid, np.ndarray]:
    rows, columns = (str(one) for one in field.dims[1:])
    lat, lon = find(dataset, ("lat", "latitude")), find(dataset, ("lon", "longitude"))
    if lat is not None and lon is not None and dataset[lat].ndim == dataset[lon].ndim == 1:
        if (rows, columns) == (lon, lat):
            values = values.swapaxes(1, 2)
        elif (rows, columns) != (lat, lon):
            raise InputError(f"{path}: {field.name} has the axes {rows} and {columns}, not {lat} and {lon}")
        return LatLonGrid(dataset[lat].values, dataset[lon].values), values
    for one in (rows, columns):
        if one not in dataset.variables:
            raise InputError(f"{path}: the axis {one} has no coordinates; the place of the field is not known")
    across, up = (str(dataset[one].attrs.get("standard_name", one)) for one in (columns, rows))
    if across.startswith(("projection_y", "y")) and up.startswith(("projection_x", "x")):
        rows, columns, values = columns, rows, values.swapaxes(1, 2)
    x, y = (_metres(path, dataset[one]) for one in (columns, rows))
    grid = _mapped(path, dataset, field, x, y)
    if lat is not None and lon is not None and dataset[lat].ndim == 2:
        _check(path, grid, dataset[lat].transpose(rows, columns), dataset[lon].transpose(rows, columns))
    return grid, values


def _mapped(path: Path, dataset: xr.Dataset, field: xr.DataArray, x: np.ndarray, y: np.ndarray) -> RainGrid:
    mapping = field.attrs.get("grid_mapping") or field.encoding.get("grid_mapping")
    if mapping is None:
        named = [str(name) for name, one in dataset.variables.items() if "grid_mapping_name" in one.attrs]
        mapping = named[0] if len(named) == 1 else None
    if mapping in dataset.variables:
        attributes = dict(dataset[mapping].attrs)
        # `spatial_ref` may be a WKT that PROJ reads otherwise than the CF attributes; those are the convention.
        attributes.pop("spatial_ref", None)
        return grid_of(str(path), crs_of(str(path), attributes), x, y)
    text = dataset.attrs.get("proj_string") or dataset.attrs.get("proj4") or dataset.attrs.get("projection")
    if text:
        return grid_of(str(path), crs_of(str(path), str(text)), x, y)
    known = radolan.grid_of_shape((y.size, x.size))
    if known is not None:
        # Centres of cells and their lower left corners are both in use for the axes of RADOLAN.
        for half in (0.0, 500.0):
            if np.abs(x + half - known.x).max() < 1.0 and np.abs(y + half - known.y).max() < 1.0:
                return known
    raise InputError(
        f"{path}: has axes of a map but says nothing of its projection (grid mapping or proj_string); add it"
    )


def _metres(path: Path, axis: xr.DataArray) -> np.ndarray:
    values = np.asarray(axis.values, float)
    units = str(axis.attrs.get("units", ""))
    if units in ("km", "kilometer", "kilometre"):
        return values * 1e3
    if units in ("m", "metre", "meter", ""):
        # Without units, cells of half a metre to a few are kilometres: no radar has cells of metres.
        step = float(np.abs(np.diff(values)).min()) if values.size > 1 else 0.0
        return values * 1e3 if not units and 0.1 <= step <= 10.0 else values
    raise InputError(f"{path}: the axis {axis.name} counts in {units!r}; expected m or km")


def _check(path: Path, grid: RainGrid, lat: xr.DataArray, lon: xr.DataArray) -> None:
    """InputError where latitudes and longitudes of a file are not those of the grid."""
    rows, columns = np.meshgrid(
        np.linspace(0, grid.shape[0] - 1, 5, dtype=int), np.linspace(0, grid.shape[1] - 1, 5, dtype=int), indexing="ij"
    )
    row, column = fractional_index(grid, lat.values[rows, columns], lon.values[rows, columns])
    apart = max(np.abs(row - rows).max(), np.abs(column - columns).max())
    if not apart <= _APART + 0.1:
        kind = grid.projection.name if isinstance(grid, MapGrid) else "latitudes and longitudes"
        raise InputError(
            f"{path}: its latitudes and longitudes lie {apart:.1f} cells from those of its map ({kind}); one is wrong"
        )
