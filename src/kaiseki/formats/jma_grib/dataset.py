"""CF datasets of JMA's fields by levels; values stay the whole numbers of the file with a scale factor."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any, Final

import numpy as np
import xarray as xr

from kaiseki.core.errors import InputError
from kaiseki.core.files import whole_file
from kaiseki.formats.jma_grib.grids import Grid
from kaiseki.formats.jma_grib.mosaic import assembled, resolution
from kaiseki.formats.jma_grib.quantities import Quantity
from kaiseki.formats.jma_grib.reading import Field, read

_JMA: Final = 34
_NO_CENTRE: Final = 65535
_EARTHS: Final[dict[int, dict[str, Any]]] = {
    4: {"semi_major_axis": 6_378_137.0, "inverse_flattening": 298.257222101},
    6: {"earth_radius": 6_371_229.0},
}
"""Figures of the Earth by code table 3.2: GRS80 and a sphere."""
_MAP: Final = {"grid_mapping_name": "latitude_longitude", "long_name": "latitude and longitude"}
_MINUTES: Final = "minutes since 1970-01-01 00:00:00"
_CHUNK: Final = 1024
_DEFLATE: Final = 4


def convert_to_netcdf(path: Path, out: Path) -> xr.Dataset:
    """Write the fields of a file as NetCDF-4, whole or not at all, and return what was written.

    Args:
        path: GRIB file, also compressed.
        out: new file.

    Raises:
        InputError: the file is no such file, or holds what is not known here; as of `reading.read`.
        StoreError, ResourceError: as of `core.files.whole_file`.
    """
    dataset = to_dataset(list(read(path)), path)
    encoding = {str(name): _encoding(variable) for name, variable in dataset.variables.items()}
    with whole_file(out) as scratch:
        dataset.to_netcdf(scratch, engine="h5netcdf", encoding=encoding)
    return dataset


def _encoding(variable: xr.Variable) -> dict[str, Any]:
    if np.issubdtype(variable.dtype, np.datetime64):
        return {"units": _MINUTES, "dtype": "int32", "_FillValue": None}
    if variable.ndim < 3:
        return {"_FillValue": None} if "_FillValue" not in variable.attrs else {}
    chunks = tuple(-(-size // -(-size // _CHUNK)) for size in variable.shape[-2:])
    return {"zlib": True, "complevel": _DEFLATE, "shuffle": True, "chunksizes": (1, *chunks)}


def to_dataset(fields: Sequence[Field], path: Path) -> xr.Dataset:
    """CF dataset of the fields of a file, by time, latitude from the south and longitude; integers with scale factors.

    `xarray.decode_cf` gives the values, NaN where a field has none. Times are the ends of intervals, with bounds. Tiles
    are put together; where a file has tiles of several resolutions, each has variables and axes of its own, named after
    it, and nothing is interpolated.

    Args:
        fields: of one file.
        path: of the file, for messages and metadata.

    Raises:
        InputError: the fields do not form such a dataset.
    """
    steps = {field.grid.step: resolution(field.grid) for field in fields}
    groups: dict[tuple[str, str], list[Field]] = {}
    for field in fields:
        suffix = f"_{steps[field.grid.step]}" if len(steps) > 1 else ""
        groups.setdefault((field.quantity.name, suffix), []).append(field)
    variables: dict[str, xr.Variable] = {}
    for (name, suffix), members in groups.items():
        variables |= _variables(name + suffix, suffix, members, path)
    first = fields[0]
    times = _times(fields, path)
    variables["time"] = xr.Variable("time", times, _time_attributes(first))
    if first.definition.length:
        bounds = np.stack([times - np.timedelta64(first.definition.length, "s"), times], axis=-1)
        variables["time_bnds"] = xr.Variable(("time", "bnds"), bounds)
    if first.definition.process != 0:
        variables["forecast_reference_time"] = xr.Variable(
            (), _nanoseconds(np.array(first.reference)), {"standard_name": "forecast_reference_time"}
        )
    if weights := {tuple(field.definition.weights) for field in fields} - {()}:
        variables["mesoscale_model_weight"] = _weights(fields, len(max(weights, key=len)))
    variables["crs"] = xr.Variable((), np.int32(0), _MAP | _EARTHS.get(first.grid.shape_of_earth, {}))
    coordinates = ("time", "lat", "lon", "forecast_reference_time", "crs")
    names = [name for name in variables if name.startswith(coordinates)]
    coords = {name: variables[name] for name in names if name != "time_bnds"}
    data = {name: variable for name, variable in variables.items() if name not in coords}
    return xr.Dataset(data, coords, _attributes(fields, path))


def _variables(name: str, suffix: str, fields: list[Field], path: Path) -> dict[str, xr.Variable]:
    """Variable of one quantity at one resolution with its axes and, where signs are marks, the marks."""
    quantity = fields[0].quantity
    decimal = max(field.table.decimal for field in fields)
    scaled = [_scaled(field, decimal) for field in fields]
    kind = np.int16 if max(int(np.abs(one).max()) for one in scaled) < 2**15 else np.int32
    fill = np.iinfo(kind).min
    lookups = [np.concatenate(([fill], one)).astype(kind) for one in scaled]
    grid, stack = _stacked(fields, lookups, fill, path)
    north_first = grid.last[0] < grid.first[0]
    stack = stack[:, ::-1] if north_first else stack
    dimensions = ("time", f"lat{suffix}", f"lon{suffix}")
    found = {
        f"lat{suffix}": xr.Variable(dimensions[1], _rising(grid, north_first), {
            "standard_name": "latitude", "units": "degrees_north", "axis": "Y",
        }),
        f"lon{suffix}": xr.Variable(dimensions[2], grid.longitudes, {
            "standard_name": "longitude", "units": "degrees_east", "axis": "X",
        }),
    }  # fmt: skip
    attributes = _variable_attributes(quantity) | {"_FillValue": kind(fill)}
    if decimal:
        attributes["scale_factor"] = 10.0**-decimal
    if quantity.marked:
        marks = np.where(stack == fill, 0, stack < 0).astype(np.int8)
        found[f"{name}_mark"] = xr.Variable(dimensions, marks, {
            "long_name": f"whether the number in the file is negative, for {quantity.title}",
            "flag_values": np.array([0, 1], np.int8), "flag_meanings": "positive_or_missing negative",
            "grid_mapping": "crs",
        })  # fmt: skip
        stack = np.where(stack == fill, fill, np.abs(stack))
    found[name] = xr.Variable(dimensions, np.ascontiguousarray(stack), attributes)
    return found


def _rising(grid: Grid, north_first: bool) -> np.ndarray:
    return grid.latitudes[::-1] if north_first else grid.latitudes


def _scaled(field: Field, decimal: int) -> np.ndarray:
    """Values (M,) of the levels from 1 on times 10^decimal, whole numbers."""
    return field.table.scaled.astype(np.int64) * 10 ** (decimal - field.table.decimal)


def _stacked(fields: list[Field], lookups: list[np.ndarray], fill: int, path: Path) -> tuple[Grid, np.ndarray]:
    """Scaled integers (time, ny, nx) of one quantity, and their grid."""
    times = sorted({field.time for field in fields})
    parts, grids = [], []
    for time in times:
        members = [number for number, field in enumerate(fields) if field.time == time]
        grid, part = assembled([fields[n] for n in members], [lookups[n] for n in members], fill, str(path))
        parts.append(part)
        grids.append(grid)
    if any(grid != grids[0] for grid in grids):
        raise InputError(
            f"{path}: has the same quantity on different grids at different times; convert the fields apart."
        )
    return grids[0], np.stack(parts)


def _times(fields: Sequence[Field], path: Path) -> np.ndarray:
    """Times (n,) of all quantities, which must be the same and over intervals of one length."""
    by_name: dict[str, set[np.datetime64]] = {}
    for field in fields:
        by_name.setdefault(f"{field.quantity.name} {field.grid.step}", set()).add(field.time)
    sets = list(by_name.values())
    lengths = {field.definition.length for field in fields}
    forecasts = {field.definition.process != 0 for field in fields}
    references = {field.reference for field in fields}
    starts_differ = len(forecasts) > 1 or (True in forecasts and len(references) > 1)
    if any(one != sets[0] for one in sets) or len(lengths) > 1 or starts_differ:
        raise InputError(
            f"{path}: holds fields of different times, reference times or intervals, which make no common axis of time."
        )
    return _nanoseconds(np.array(sorted(sets[0])))


def _nanoseconds(times: np.ndarray) -> np.ndarray:
    return times.astype("datetime64[ns]")


def _time_attributes(first: Field) -> dict[str, str]:
    attributes = {"standard_name": "time", "axis": "T"}
    if first.definition.length:
        attributes |= {"bounds": "time_bnds", "long_name": "end of the interval"}
    return attributes


def _weights(fields: Sequence[Field], areas: int) -> xr.Variable:
    """Weights (time, area) of the mesoscale model in a short-range forecast."""
    times = sorted({field.time for field in fields})
    weights = np.full((len(times), areas), np.nan)
    for field in fields:
        weights[times.index(field.time), : len(field.definition.weights)] = field.definition.weights
    attributes = {"long_name": "weight of the mesoscale model in areas that JMA numbers", "units": "percent"}
    return xr.Variable(("time", "area"), weights, attributes | {"_FillValue": np.nan})


def _variable_attributes(quantity: Quantity) -> dict[str, Any]:
    attributes: dict[str, Any] = {"long_name": quantity.title, "units": quantity.units, "grid_mapping": "crs"}
    if quantity.standard_name:
        attributes["standard_name"] = quantity.standard_name
    if quantity.cell_methods:
        attributes["cell_methods"] = quantity.cell_methods
    return attributes | dict(quantity.attributes)


def _attributes(fields: Sequence[Field], path: Path) -> dict[str, str]:
    """Global attributes, with the words about radars and gauges of all fields."""
    centres = {field.centre for field in fields}
    words = {field.definition.words for field in fields} - {None}
    named: Mapping[str, Any] = {
        f"{name}": " ".join(sorted({f"{getattr(word, name):016x}" for word in words}))
        for name in ("radars_1", "radars_2", "rain_gauges")
        if words
    }
    return {
        "Conventions": "CF-1.11",
        "title": ", ".join(dict.fromkeys(field.quantity.title for field in fields)),
        "institution": _institution(centres),
        "source": f"GRIB 2 file {path.name}",
        "history": f"converted from GRIB 2 by kaiseki {_version()}",
        **{f"operation_{name}": value for name, value in named.items()},
    }


def _institution(centres: set[int]) -> str:
    """Name of the originating centre, where it is JMA's or none."""
    if centres == {_JMA}:
        return "Japan Meteorological Agency"
    if centres == {_NO_CENTRE}:
        return "no originating centre is stated"
    return f"originating centre {', '.join(map(str, sorted(centres)))} of common code table C-11"


def _version() -> str:
    try:
        return version("kaiseki")
    except PackageNotFoundError:
        return "unknown"
