"""Which reader opens which file."""

from __future__ import annotations

from pathlib import Path
from typing import Protocol, runtime_checkable

import numpy as np
import xarray as xr

from kaiseki.core import plugins
from kaiseki.core.errors import InputError
from kaiseki.driving.sources.pieces import Piece, Refused

HEAD_BYTES = 16


@runtime_checkable
class DrivingSource(Protocol):
    """A reader of one family of files."""

    name: str

    def recognises(self, path: Path, head: bytes) -> bool:
        """Whether the file, of which `head` are the first bytes, is one of this family."""
        ...

    def read(self, path: Path) -> xr.Dataset:
        """The file's content in the common form; raises InputError with the file, the record and what was expected."""
        ...


@runtime_checkable
class IndexedSource(DrivingSource, Protocol):
    """A reader that can tell what a file holds before it reads any value, so that files are read a time at a time."""

    def index(self, path: Path) -> list[Piece]:
        """What the file holds; raises InputError as `read`."""
        ...


@runtime_checkable
class SurfaceSource(IndexedSource, Protocol):
    """A reader that can tell too what a file holds at the ground and near it, over intervals of time too, which an
    archive keeps and no model is driven by."""

    def index_all(self, path: Path, interval: np.timedelta64 | None) -> tuple[list[Piece], list[Refused]]:
        """All that the file holds, and the fields near the ground that are refused.

        `interval` is the length of the interval of sums and means of which the file does not tell it, None where it is
        not known. Raises InputError as `read`.
        """
        ...


def _own() -> dict[str, DrivingSource]:
    from kaiseki.driving.sources.climcore import CLIMCORE
    from kaiseki.driving.sources.grib import GRIB
    from kaiseki.driving.sources.netcdf import NETCDF
    from kaiseki.driving.sources.sst_netcdf import SST_NETCDF

    return {source.name: source for source in (CLIMCORE, GRIB, SST_NETCDF, NETCDF)}


def available() -> dict[str, DrivingSource]:
    """Readers by name in the order in which they are asked: those of plug-ins, then ours, which take any GRIB or NetCDF
    file.

    Raises:
        ConfigError: a plug-in cannot be imported, does not keep the contract or has a name of ours.
    """
    own = _own()
    names = plugins.further("driving_sources", own)
    brought = {name: plugins.make("driving_sources", name, DrivingSource) for name in names}  # type: ignore[type-abstract]
    return brought | own


def reader_of(path: Path, source: str | None = None) -> DrivingSource:
    """Reader of a file or a Zarr store: that of the name, else the first that recognises it.

    Raises:
        InputError: no such file, or no reader for it.
    """
    head = b""
    if not path.is_dir():
        try:
            with path.open("rb") as stream:
                head = stream.read(HEAD_BYTES)
        except OSError as error:
            raise InputError(
                f"{path}: cannot be opened ({error.strerror}); give the path of a GRIB or NetCDF analysis."
            ) from error
    readers = available()
    if source is not None:
        if source not in readers:
            raise InputError(f"There is no driving source {source!r}; known are {', '.join(readers)}.")
        return readers[source]
    for reader in readers.values():
        if reader.recognises(path, head):
            return reader
    if path.is_dir():
        raise InputError(
            f"{path}: is a folder, but neither a Zarr store nor one of files of one variable and time (const/FLAT.nc)."
        )
    raise InputError(
        f"{path}: is neither GRIB nor NetCDF (it begins with {head[:8]!r}); known readers are {', '.join(readers)}."
    )


def read_global(path: str | Path, source: str | None = None) -> xr.Dataset:
    """Read an analysis into the common form.

    Args:
        path: the file.
        source: name of the reader; by default the first that recognises the file.

    Returns:
        Dataset on (time, pressure, latitude, longitude), SI units and CF standard names, as far as the file holds them:
        air_temperature, eastward_wind, northward_wind, geopotential_height, specific_humidity, surface_air_pressure,
        surface_altitude, sea_surface_temperature, surface_temperature, land_area_fraction, sea_ice_area_fraction,
        surface_snow_amount, surface_snow_thickness, soil_temperature on the axis depth,
        volume_fraction_of_condensed_water_in_soil on moisture_depth, both with their layers in depth_bounds and
        moisture_depth_bounds. Latitude ascends, longitude runs 0..360, pressure (Pa) descends, bottom first. Analyses
        on model levels have the dimension level, bottom first, and air_pressure (Pa); those on a Lambert conformal
        grid have y and x (m) and the projection in the attributes.

    Raises:
        InputError: no such file, no reader for it, or it is damaged or incomplete.
    """
    return reader_of(Path(path), source).read(Path(path))
