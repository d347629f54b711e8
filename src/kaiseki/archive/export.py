"""Export of chosen times and variables to NetCDF-4 with CF metadata."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
import xarray as xr

from kaiseki.archive.metadata import program_version
from kaiseki.archive.open import Kind, open_archive
from kaiseki.archive.storage import Location, storage_errors
from kaiseki.core.errors import InputError, StoreError
from kaiseki.core.timing import format_utc, parse_time


@contextmanager
def whole_file(path: Path) -> Iterator[Path]:
    """A scratch name beside `path` that takes its place at the end of the block, and is removed on an error.

    Raises:
        StoreError: the file cannot be written.
        ResourceError: the disk is full.
    """
    scratch = path.with_name(f".{path.name}.{os.getpid()}.part")
    try:
        with storage_errors(str(path), "written"):
            yield scratch
            scratch.replace(path)
    finally:
        scratch.unlink(missing_ok=True)


def export_netcdf(
    location: Location,
    file: str | Path,
    *,
    times: Sequence[str | np.datetime64] | np.ndarray | None = None,
    variables: Sequence[str] | None = None,
    kind: Kind = "analysis",
    storage_options: Mapping[str, Any] | None = None,
) -> Path:
    """Write fields of a run to one NetCDF-4 file, losslessly compressed, whole or not at all.

    Args:
        location: directory of the run, "s3://bucket/prefix" or an `icechunk.Storage`.
        file: path of the new file; an existing one is replaced.
        times: instants in UTC, None for all that there are.
        variables: internal names, None for all.
        kind: "analysis" or "background".
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
            raise InputError(f"The {kind} fields of {location} have no variable {missing[0]!r}; there are {known}")
        keep = [*variables, *(["time_bnds"] if "time_bnds" in dataset else [])]
        dataset = dataset[keep]
    if times is not None:
        wanted = np.array([parse_time(time) for time in times], "datetime64[s]")
        axis = dataset["time"].values.astype("datetime64[s]")
        absent = wanted[~np.isin(wanted, axis)]
        if wanted.size == 0 or absent.size:
            what = format_utc(absent[0]) if absent.size else "no time at all"
            raise InputError(
                f"{what} was asked of the {kind} fields of {location}, "
                f"which go from {format_utc(axis[0])} to {format_utc(axis[-1])} ({axis.size} times)"
            )
        dataset = dataset.isel(time=np.searchsorted(axis, np.sort(wanted)))
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
    with whole_file(path) as scratch:
        dataset.to_netcdf(scratch, engine="h5netcdf", format="NETCDF4", encoding=encoding)
    return path


def _without_helpers(dataset: xr.Dataset) -> xr.Dataset:
    """Grid mapping and terms of formulas as plain variables: in a file they are no coordinates of a variable."""
    listed = {name for array in dataset.values() for name in (array.encoding.get("coordinates") or "").split()}
    helpers = [name for name in dataset.coords if name not in dataset.dims and name not in listed]
    return dataset.reset_coords(helpers)
