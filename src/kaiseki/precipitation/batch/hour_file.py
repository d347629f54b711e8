"""The file of one analysed hour: NetCDF with CF metadata, written whole or not at all."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np
import xarray as xr

from kaiseki.archive.store.metadata import CONVENTIONS, grid_mapping, program_version
from kaiseki.core.errors import InputError
from kaiseki.core.files import whole_file
from kaiseki.core.variables import variable
from kaiseki.formats.netcdf import opened
from kaiseki.grid.proj_map import ProjMap, crs_of, grid_of
from kaiseki.grid.regular import LatLonGrid, MapGrid
from kaiseki.precipitation.data import HOUR, RainAnalysis, RainGrid

FIELDS: Final = (
    "precipitation",
    "precipitation_p10",
    "precipitation_p50",
    "precipitation_p90",
    "precipitation_probability",
    "precipitation_gauge_weight",
    "precipitation_flag",
)
"""Internal names of the fields of an analysis."""
SAMPLES: Final = "precipitation_samples"
_MINUTES: Final = "minutes since 1970-01-01 00:00:00"
_CHUNK: Final = 1024


def fields_of(analysis: RainAnalysis) -> dict[str, np.ndarray]:
    """Fields (ny, nx) of an analysis by internal name."""
    values = (
        analysis.mean,
        *analysis.quantiles,
        analysis.probability,
        analysis.gauge_weight,
        analysis.flag.astype(np.float32),
    )
    return dict(zip(FIELDS, values, strict=True))


def file_name(time: np.datetime64) -> str:
    """Name of the file of an hour by its end, such as rain_20241018T0100Z.nc."""
    stamp = str(np.datetime64(time, "m")).replace("-", "").replace(":", "")
    return f"rain_{stamp}Z.nc"


def write_hour(path: Path, analysis: RainAnalysis, facts: Mapping[str, Any]) -> None:
    """Write an analysed hour.

    Args:
        path: new file; one that is there is replaced.
        analysis: of the hour.
        facts: about the hour, as global attributes: numbers and words.

    Raises:
        StoreError, ResourceError: as of `core.files.whole_file`.
    """
    plane, coordinates = _axes(analysis.grid)
    data: dict[str, Any] = {}
    for name, values in fields_of(analysis).items():
        attributes = variable(name).attributes() | {"grid_mapping": "crs"}
        if name == "precipitation_flag":
            values = values.astype(np.int8)
            attributes["flag_values"] = np.array(attributes["flag_values"], np.int8)
        elif name != "precipitation":
            attributes["ancillary_variables"] = "precipitation_flag"
        data[name] = (("time", *plane), values[None], attributes)
    if analysis.samples.size:
        about = {"long_name": "equally likely fields of precipitation", "units": "kg m-2", "cell_methods": "time: sum"}
        about |= {"standard_name": "precipitation_amount", "grid_mapping": "crs"}
        data[SAMPLES] = (("time", "sample", *plane), analysis.samples[None], about)
    time = np.array([analysis.time], "datetime64[ns]")
    data["time_bnds"] = (("time", "bnds"), np.stack([time - HOUR, time], axis=1))
    words = {"standard_name": "time", "long_name": "end of the hour", "axis": "T", "bounds": "time_bnds"}
    attributes = {
        "Conventions": CONVENTIONS,
        "title": "Analysed precipitation of one hour with its uncertainty",
        "source": f"Kaiseki {program_version()}, analysis of rain gauges and radar",
        **facts,
    }
    dataset = xr.Dataset(data, {"time": ("time", time, words), **coordinates}, attributes)
    encoding = {str(name): _encoding(one) for name, one in dataset.variables.items()}
    with whole_file(path) as scratch:
        dataset.to_netcdf(scratch, engine="h5netcdf", encoding=encoding)


def _axes(grid: RainGrid) -> tuple[tuple[str, str], dict[str, Any]]:
    """Names of the two axes of a grid and its coordinates."""
    if isinstance(grid, LatLonGrid):
        north = {"standard_name": "latitude", "units": "degrees_north", "axis": "Y"}
        east = {"standard_name": "longitude", "units": "degrees_east", "axis": "X"}
        mapping = {"grid_mapping_name": "latitude_longitude"}
        return ("lat", "lon"), {
            "lat": ("lat", grid.lat, north),
            "lon": ("lon", grid.lon, east),
            "crs": ((), np.int32(0), mapping),
        }
    axes = {
        name: (name, getattr(grid, name), {
            "standard_name": f"projection_{name}_coordinate", "units": "m", "axis": name.upper(),
        })
        for name in ("y", "x")
    }  # fmt: skip
    return ("y", "x"), {**axes, "crs": ((), np.int32(0), _mapping(grid))}


def _mapping(grid: MapGrid) -> dict[str, Any]:
    """CF attributes of the map of a grid."""
    if isinstance(grid.projection, ProjMap):
        return dict(crs_of("the grid of the analysis", grid.projection.definition).to_cf())
    return grid_mapping(grid.projection)


def _encoding(one: xr.Variable) -> dict[str, Any]:
    if np.issubdtype(one.dtype, np.datetime64):
        return {"units": _MINUTES, "dtype": "int32", "_FillValue": None}
    if one.ndim < 3:
        return {"_FillValue": None}
    chunks = tuple(-(-size // -(-size // _CHUNK)) for size in one.shape[-2:])
    fill = {"_FillValue": np.float32(np.nan)} if one.dtype.kind == "f" else {"_FillValue": None}
    return {"zlib": True, "complevel": 1, "shuffle": True, "chunksizes": (1,) * (one.ndim - 2) + chunks, **fill}


def read_field(path: Path, name: str) -> np.ndarray:
    """A field (ny, nx) of an hour by internal name, float32.

    Raises:
        InputError: the file is damaged or has no such field.
    """
    with opened(path) as dataset:
        if name not in dataset:
            raise InputError(f"{path}: has no {name}; it is no analysed hour, remove it and call the command again")
        return np.asarray(dataset[name].values[0], np.float32)


def read_facts(path: Path) -> dict[str, Any]:
    """Global attributes of the file of an hour.

    Raises:
        InputError: the file is damaged.
    """
    with opened(path) as dataset:
        return {name: value.item() if isinstance(value, np.generic) else value for name, value in dataset.attrs.items()}


@dataclass(frozen=True, eq=False)
class AnalysedHour:
    """An analysed hour as it is read from its file.

    Attributes:
        grid: of the fields.
        time: end of the hour.
        fields: by internal name, (ny, nx).
        facts: about the hour.
    """

    grid: RainGrid
    time: np.datetime64
    fields: Mapping[str, np.ndarray]
    facts: Mapping[str, Any]


def read_hour(path: Path) -> AnalysedHour:
    """All fields of the file of an hour.

    Raises:
        InputError: the file is damaged or is none of an analysed hour.
    """
    facts = read_facts(path)
    with opened(path) as dataset:
        if missing := [name for name in FIELDS if name not in dataset]:
            raise InputError(f"{path}: is no file of an analysed hour; it has no {missing[0]}")
        minutes = np.asarray(dataset["time"].values)[0]
        time = np.datetime64(0, "s") + np.timedelta64(int(minutes) * 60, "s")
        if "lat" in dataset.dims:
            grid: RainGrid = LatLonGrid(dataset["lat"].values, dataset["lon"].values)
        else:
            mapping = dict(dataset["crs"].attrs)
            grid = grid_of(str(path), crs_of(str(path), mapping), dataset["x"].values, dataset["y"].values)
        fields = {name: np.asarray(dataset[name].values[0], np.float32) for name in FIELDS}
    return AnalysedHour(grid, time, fields, facts)
