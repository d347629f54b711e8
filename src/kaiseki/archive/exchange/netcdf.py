"""NetCDF-4 files with CF metadata: all in one file, one per day, or one variable and time per file."""

from __future__ import annotations

import hashlib
import io
import itertools
import json
import os
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import xarray as xr

from kaiseki.archive.exchange.ahead import TIME_DIMENSIONS, days_along
from kaiseki.archive.exchange.cf import cf_dataset, times_along
from kaiseki.archive.exchange.encoded import EncodedVariable, encoded
from kaiseki.archive.exchange.source import Source, Times, chosen, open_source
from kaiseki.archive.release.encoding import BoundSet
from kaiseki.archive.store.metadata import program_version
from kaiseki.archive.store.schema import PERIOD, REFERENCE_TIME
from kaiseki.archive.store.storage import Location
from kaiseki.core.errors import InputError, StoreError
from kaiseki.core.files import make_folder, whole_file
from kaiseki.core.progress import Progress
from kaiseki.core.timing import format_utc
from kaiseki.core.variables import VARIABLES, Variable

EXPORT_ID = "export_id"
"""Global attribute that tells what a file was made of: a digest of its source, contents and encoding."""

_DEFLATE = 4


@dataclass(frozen=True)
class Written:
    """Outcome of an export.

    Attributes:
        files: paths of all files of the export, in the order of time.
        kept: those among them that an earlier export had left complete.
    """

    files: tuple[Path, ...]
    kept: tuple[Path, ...] = ()


def export_netcdf(
    location: Location,
    file: str | Path,
    *,
    times: Times | None = None,
    variables: Sequence[str] | None = None,
    kind: str | None = None,
    bounds: BoundSet = "lossless",
    storage_options: Mapping[str, Any] | None = None,
) -> Path:
    """Write fields of a run to one NetCDF-4 file, compressed, whole or not at all.

    Args:
        location: directory of the run, "s3://bucket/prefix" or an `icechunk.Storage`.
        file: path of the new file; an existing one is replaced.
        times: instants in UTC, None for all that there are; of forecasts their start times.
        variables: internal names, None for all.
        kind: of the fields, as of `archive.open_archive`.
        bounds: set of bounds within which fields are packed as integers; every bit is kept by default.
        storage_options: for S3, see `storage.resolve`.

    Returns:
        The path of the file.

    Raises:
        StoreError: the location is no run store, or the file cannot be written.
        InputError: a time or variable that the run does not have; h5netcdf is not installed.
        ResourceError: the disk is full.
    """
    _need_h5netcdf()
    source = chosen(open_source(location, kind, storage_options=storage_options), times, variables)
    return write_netcdf(source.dataset, file, bounds)


@dataclass(frozen=True, eq=False)
class Making:
    """How a file is made, besides its contents.

    Attributes:
        identity: value of the attribute `export_id`, None for no such attribute.
        rows: rows of the table of variables, which declare the bounds of packing, by names in the file.
    """

    identity: str | None = None
    rows: Mapping[str, Variable] = field(default_factory=lambda: VARIABLES)


def write_netcdf(
    dataset: xr.Dataset, file: str | Path, bounds: BoundSet = "lossless", making: Making | None = None
) -> Path:
    """Write a dataset to one NetCDF-4 file, whole or not at all; of one variable 256 MiB are in memory, or one map.

    Args:
        dataset: as `kaiseki.open` or a product gives it.
        file: path of the new file; an existing one is replaced.
        bounds: set of bounds within which fields are packed.
        making: identity of the file and other rows of the table of variables.

    Raises:
        StoreError: the file cannot be written, or the archive not read.
        InputError: a variable or value that cannot be stored; h5netcdf is not installed.
        ResourceError: the disk is full.
    """
    _need_h5netcdf()
    path, making = Path(file), making or Making()
    described = cf_dataset(dataset, "exported to NetCDF")
    variables = encoded(described, bounds, making.rows)
    attributes = described.attrs | ({} if making.identity is None else {EXPORT_ID: making.identity})
    axes = {name: described[name].values for name in TIME_DIMENSIONS if name in described.dims}
    if not path.absolute().parent.is_dir():
        raise StoreError(f"The directory {path.absolute().parent} does not exist, so {path} cannot be written")
    with whole_file(path) as scratch, _FileForHDF5(scratch, "w+b") as stream:
        try:
            _fill(stream, variables, attributes, axes)
            # The name must not be given to what a loss of power would leave behind it.
            stream.flush()
            os.fsync(stream.fileno())
        finally:
            # It counts more than what HDF5 makes of a file that is not what it wrote.
            if stream.first_error is not None:
                raise stream.first_error
    return path


def write_days(source: Source, folder: str | Path, stem: str, bounds: BoundSet = "lossless") -> Written:
    """Write one NetCDF-4 file per day (UTC), `<stem>_<YYYYMMDD>.nc`; of forecasts one per start.

    A forecast's file is `<stem>_<YYYYMMDDhhmm>.nc` with the axis `time`, the scalar `forecast_reference_time` and the
    lead times as a coordinate of `time`, so that programs without a notion of forecasts read it.

    A file that is there is kept if it is complete and was made of the same: it can be opened, which a cut file cannot,
    and its attribute `export_id`, a digest of the state of the source, the times, variables, encoding and the version
    of this program, is the one that it would get. Without a known state of the source every file is written anew.

    Args:
        source: what is exported.
        folder: folder of the files; made if it is not there.
        stem: beginning of the names.
        bounds: set of bounds within which fields are packed.

    Raises:
        StoreError, InputError, ResourceError: as of `write_netcdf`; files of earlier days stay.
    """
    _need_h5netcdf()
    make_folder(Path(folder))
    files, kept = [], []
    with Progress(f"writing {stem}", _number_of_parts(source.dataset), unit="file") as progress:
        for label, part in _parts(source):
            path = Path(folder) / f"{stem}_{label}.nc"
            identity = None if source.state is None else export_id(source.state, part, bounds)
            if identity is not None and identity_of(path) == identity:
                kept.append(path)
            else:
                write_netcdf(part, path, bounds, Making(identity))
            files.append(path)
            progress.advance(1, label)
    return Written(tuple(files), tuple(kept))


def export_id(state: str, dataset: xr.Dataset, bounds: str) -> str:
    """Digest of what a file is made of: state of the source, names, types, shapes, axes, encoding, program."""
    axes = {
        str(name): hashlib.sha256(np.ascontiguousarray(dataset[name].values)).hexdigest()
        for name in dataset.dims
        if name in dataset.coords
    }
    variables = sorted(
        [str(name), list(map(str, one.dims)), list(one.shape), str(one.dtype)]
        for name, one in dataset.variables.items()
    )
    content = json.dumps([state, variables, axes, bounds, program_version()], sort_keys=True)
    return hashlib.sha256(content.encode()).hexdigest()


def identity_of(path: Path) -> str | None:
    """The `export_id` of a file; None if there is none or it is no whole NetCDF-4 file."""
    import h5netcdf

    try:
        with h5netcdf.File(path, "r") as file:
            found = file.attrs.get(EXPORT_ID)
    except OSError:
        return None
    return None if found is None else str(found)


def _parts(source: Source) -> Iterator[tuple[str, xr.Dataset]]:
    """The days, or forecasts, of a source with their labels in names of files."""
    dataset = source.dataset
    along = times_along(dataset)
    if along is None:
        raise InputError(f"The fields of {source.where} have no axis of time, so there are no days; export one file")
    axis = dataset[along].values
    if along == REFERENCE_TIME:
        for number, start in enumerate(axis):
            yield compact(start), one_forecast(dataset.isel({along: number}))
        return
    days = axis.astype("datetime64[D]")
    for day in np.unique(days):
        yield str(day).replace("-", ""), dataset.isel({along: np.flatnonzero(days == day)})


def _number_of_parts(dataset: xr.Dataset) -> int:
    """Number of the days, or forecasts, of a dataset."""
    along = times_along(dataset)
    if along is None or along == REFERENCE_TIME:
        return dataset.sizes.get(along, 0)
    return int(np.unique(dataset[along].values.astype("datetime64[D]")).size)


def one_forecast(dataset: xr.Dataset) -> xr.Dataset:
    """A single forecast along the axis `time` in the place of its lead times."""
    single = dataset.swap_dims({PERIOD: "time"}) if PERIOD in dataset.dims else dataset
    return single.assign_coords(time=single["time"].assign_attrs(axis="T"))


def compact(time: np.datetime64) -> str:
    """A time in a name of a file, YYYYMMDDhhmm in UTC."""
    return "".join(character for character in format_utc(time) if character.isdigit())


def _fill(
    stream: _FileForHDF5,
    variables: list[EncodedVariable],
    attributes: Mapping[str, Any],
    axes: Mapping[str, np.ndarray],
) -> None:
    """Write the contents of a file, part by part."""
    import h5netcdf

    days = {name: days_along(axis) for name, axis in axes.items()}
    with h5netcdf.File(stream, "w") as file:
        file.attrs.update(attributes)
        file.dimensions = {name: size for one in variables for name, size in zip(one.dims, one.shape, strict=True)}
        for one in variables:
            target = file.create_variable(one.name, one.dims, _type(one), fillvalue=one.fill, **_filters(one))
            target.attrs.update(one.attributes)
            for part in one.blocks(days):
                index = tuple(part.get(name, slice(None)) for name in one.dims)
                target[index if one.dims else ()] = _values(one, part, axes)
                if stream.first_error is not None:
                    return


def _type(variable: EncodedVariable) -> Any:
    """Type of a variable for h5netcdf; text has any length."""
    import h5py

    return h5py.string_dtype() if variable.dtype.kind in "UO" else variable.dtype


def _values(variable: EncodedVariable, part: Mapping[str, slice], axes: Mapping[str, np.ndarray]) -> np.ndarray:
    """The stored values of a part; a value that is refused is named with its time."""
    try:
        values = variable.block(**part)
    except InputError:
        timed = [name for name in variable.dims if name in axes and name in part]
        for numbers in itertools.product(*(range(part[name].start, part[name].stop) for name in timed)):
            _check_one(variable, dict(zip(timed, numbers, strict=True)), axes)
        raise
    return values.astype(object) if variable.dtype.kind == "U" else values


def _check_one(variable: EncodedVariable, place: Mapping[str, int], axes: Mapping[str, np.ndarray]) -> None:
    """Refuse the values of one time, if they are to be refused, with the time."""
    try:
        variable.block(**place)
    except InputError as refusal:
        moments = [axes[name][number] for name, number in place.items()]
        words = [format_utc(one) if one.dtype.kind == "M" else f"{_hours(one)} h" for one in moments]
        raise InputError(f"{' + '.join(words)}: {refusal}") from None


def _hours(lead: np.timedelta64) -> str:
    return f"{lead / np.timedelta64(1, 'h'):g}"


def _filters(variable: EncodedVariable) -> dict[str, Any]:
    """Compression and chunks, one map each, of what is worth it."""
    if variable.dtype.kind in "UO" or len(variable.dims) < 2 or 0 in variable.shape:
        return {}
    chunks = (*(1 for _ in variable.shape[:-2]), *variable.shape[-2:])
    return {"compression": "gzip", "compression_opts": _DEFLATE, "shuffle": True, "chunks": chunks}


def _need_h5netcdf() -> None:
    try:
        import h5netcdf  # noqa: F401
    except ImportError:
        raise InputError('NetCDF needs h5netcdf, which is not installed; do: pip install "kaiseki[formats]"') from None


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
