"""Export of chosen times and variables to NetCDF-4 with CF metadata."""

from __future__ import annotations

import io
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
import xarray as xr

from kaiseki.archive.reader import FieldKind, open_archive
from kaiseki.archive.store.metadata import program_version
from kaiseki.archive.store.schema import REFERENCE_TIME
from kaiseki.archive.store.storage import Location
from kaiseki.core.errors import InputError, StoreError
from kaiseki.core.files import whole_file
from kaiseki.core.timing import format_utc, parse_time


def export_netcdf(
    location: Location,
    file: str | Path,
    *,
    times: Sequence[str | np.datetime64] | np.ndarray | None = None,
    variables: Sequence[str] | None = None,
    kind: FieldKind | None = None,
    storage_options: Mapping[str, Any] | None = None,
) -> Path:
    """Write fields of a run to one NetCDF-4 file, losslessly compressed, whole or not at all.

    Args:
        location: directory of the run, "s3://bucket/prefix" or an `icechunk.Storage`.
        file: path of the new file; an existing one is replaced.
        times: instants in UTC, None for all that there are; of forecasts their start times.
        variables: internal names, None for all.
        kind: of the fields, as of `archive.open_archive`.
        storage_options: for S3, see `storage.resolve`.

    Returns:
        The path of the file.

    Raises:
        StoreError: the location is no run store, or the file cannot be written.
        InputError: a time or variable that the run does not have; h5netcdf is not installed.
        ResourceError: the disk is full.
    """
    try:
        import h5netcdf  # noqa: F401
    except ImportError:
        raise InputError('NetCDF needs h5netcdf, which is not installed; do: pip install "kaiseki[formats]"') from None
    dataset = open_archive(location, kind, storage_options=storage_options)
    if variables is not None:
        missing = [name for name in variables if name not in dataset]
        if missing:
            known = ", ".join(str(name) for name in dataset)
            raise InputError(
                f"The {dataset.attrs['kind']} fields of {location} have no variable {missing[0]!r}; there are {known}"
            )
        keep = [*variables, *(["time_bnds"] if "time_bnds" in dataset else [])]
        dataset = dataset[keep]
    if times is not None:
        wanted = np.array([parse_time(time) for time in times], "datetime64[s]")
        along = REFERENCE_TIME if REFERENCE_TIME in dataset.dims else "time"
        axis = dataset[along].values.astype("datetime64[s]")
        absent = wanted[~np.isin(wanted, axis)]
        if wanted.size == 0 or absent.size:
            what = format_utc(absent[0]) if absent.size else "no time at all"
            raise InputError(
                f"{what} was asked of the {dataset.attrs['kind']} fields of {location}, "
                f"which go from {format_utc(axis[0])} to {format_utc(axis[-1])} ({axis.size} times)"
            )
        dataset = dataset.isel({along: np.searchsorted(axis, np.sort(wanted))})
    dataset = _without_helpers(dataset)
    encoding: dict[str, dict[str, Any]] = {"time": {"units": "seconds since 1970-01-01 00:00:00", "dtype": "int64"}}
    for name, array in dataset.variables.items():
        # What the encoding of Zarr says about chunks and codecs means nothing here.
        kept = {key: array.encoding[key] for key in ("units", "dtype") if key in array.encoding}
        # None: no attribute, where xarray would list every scalar coordinate.
        kept["coordinates"] = array.encoding.get("coordinates")
        array.encoding = kept
        if array.dtype.kind == "f" and array.ndim >= 2:
            encoding[str(name)] = {"zlib": True, "complevel": 4, "shuffle": True}
    now = datetime.now(UTC).isoformat("T", "seconds").replace("+00:00", "Z")
    dataset.attrs["history"] += f"\n{now} exported to NetCDF by Kaiseki {program_version()}"
    path = Path(file)
    if not path.absolute().parent.is_dir():
        raise StoreError(f"The directory {path.absolute().parent} does not exist, so {path} cannot be written")
    with whole_file(path) as scratch, _FileForHDF5(scratch, "w+b") as stream:
        try:
            dataset.to_netcdf(stream, engine="h5netcdf", format="NETCDF4", encoding=encoding)
        finally:
            # It counts more than what HDF5 makes of a file that is not what it wrote.
            if stream.first_error is not None:
                raise stream.first_error
    return path


class _FileForHDF5(io.FileIO):
    """A binary file that never tells HDF5 of a failed write, which ends the process with a segmentation fault.

    Attributes:
        first_error: what the system said first; everything after it is thrown away. To be asked at the end.
    """

    first_error: OSError | None = None

    def write(self, data: Any, /) -> int:
        """Write all of the data, or do as if."""
        view = memoryview(data).cast("B")
        end = self.tell() + len(view)
        try:
            while self.first_error is None and len(view):
                view = view[super().write(view) :]
        except OSError as error:
            self.first_error = error
        if self.first_error is not None:
            self.seek(end)
        return memoryview(data).nbytes

    def truncate(self, size: int | None = None, /) -> int:
        """Set the size, or do as if."""
        try:
            return super().truncate(size)
        except OSError as error:
            self.first_error = self.first_error or error
            return self.tell() if size is None else size


def _without_helpers(dataset: xr.Dataset) -> xr.Dataset:
    """Grid mapping and terms of formulas as plain variables: in a file they are no coordinates of a variable."""
    listed = {name for array in dataset.values() for name in (array.encoding.get("coordinates") or "").split()}
    helpers = [name for name in dataset.coords if name not in dataset.dims and name not in listed]
    return dataset.reset_coords(helpers)
