"""Opening NetCDF files, classic and version 4, and Zarr stores, with one clear sentence when that fails."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any

import numpy as np
import xarray as xr

from kaiseki.core.errors import InputError, KaisekiError
from kaiseki.core.files import ZARR

CLASSIC, HDF5 = b"CDF", b"\x89HDF"


def is_netcdf(head: bytes) -> bool:
    """Whether a file with these first bytes is NetCDF, classic or version 4."""
    return head.startswith((CLASSIC, HDF5))


DAMAGE = (OSError, ValueError, TypeError, KeyError, RuntimeError, AssertionError, IndexError)
"""What the libraries raise on damaged files."""


def is_zarr(path: Path) -> bool:
    """Whether a folder is a Zarr store, of version 2 or 3."""
    return path.is_dir() and any((path / name).is_file() for name in ZARR)


@contextmanager
def opened(path: Path) -> Iterator[xr.Dataset]:
    """Dataset of a NetCDF file or a Zarr store whose values are read when they are asked for, missing ones as NaN.

    Times stay numbers (`cf_time.decode_times`).

    Raises:
        InputError: the file is damaged, truncated or not NetCDF, as found on opening or within the block.
        KaisekiError: a library that it needs is not installed.
    """
    settings: dict[str, Any] = {"decode_times": False, "decode_timedelta": False, "cache": False}
    try:
        if is_zarr(path):
            with xr.open_dataset(path, engine="zarr", consolidated=False, mask_and_scale=False, **settings) as raw:
                yield xr.decode_cf(_zeros_kept(raw), decode_times=False, decode_timedelta=False)
            return
        # The stream is ours: for damaged files the libraries leave those open that they opened.
        with path.open("rb") as stream:
            if stream.read(len(CLASSIC)) != CLASSIC:
                stream.seek(0)
                with xr.open_dataset(stream, engine="h5netcdf", **settings) as dataset:
                    yield dataset
                return
            stream.seek(0)
            _check_classic(stream)
        # Values of a named file alone are mapped and not read at once.
        with xr.open_dataset(path, engine="scipy", **settings) as dataset:
            yield dataset
    except ImportError as error:
        raise KaisekiError(
            f"{path}: cannot be read without the package {error.name or 'h5netcdf'}; install kaiseki[formats]."
        ) from error
    except DAMAGE as error:
        raise InputError(
            f"{path}: cannot be read as NetCDF ({type(error).__name__}: {error}); it is damaged or truncated."
        ) from error


def _zeros_kept(raw: xr.Dataset) -> xr.Dataset:
    """A Zarr store, not decoded yet, in which 0 counts as a value.

    Version 2 keeps in every array the value of chunks that were never written, which is 0 unless one is chosen; only a
    chosen one can mean missing.
    """
    for name in raw.variables:
        fill = raw[name].attrs.get("_FillValue")
        if fill is not None and not isinstance(fill, str) and np.all(np.asarray(fill) == 0):
            del raw[name].attrs["_FillValue"]
    return raw


def _check_classic(stream: IO[bytes]) -> None:
    """Read the header of a classic file from a stream of ours, which a damaged file does not leave open."""
    from scipy.io import netcdf_file

    with netcdf_file(stream, mmap=True):
        pass


def load(path: Path, *, decode_times: bool = True) -> xr.Dataset:
    """Dataset of a whole NetCDF file in memory, missing values as NaN.

    Args:
        path: of the file.
        decode_times: turn times with CF units into datetime64.

    Raises:
        InputError: the file is damaged, truncated or not NetCDF.
        KaisekiError: it is NetCDF 4 and no HDF5 library is installed.
    """
    # The stream is ours: for damaged files the libraries leave those open that they opened.
    with path.open("rb") as stream:
        engine = "scipy" if stream.read(len(CLASSIC)) == CLASSIC else "h5netcdf"
        stream.seek(0)
        try:
            with xr.open_dataset(stream, engine=engine, decode_times=decode_times) as dataset:
                return dataset.load()
        except ImportError as error:
            raise KaisekiError(
                f"{path}: cannot be read without the package {error.name or engine}; install kaiseki[formats]."
            ) from error
        except DAMAGE as error:
            raise InputError(
                f"{path}: cannot be read as NetCDF ({type(error).__name__}: {error}); it is damaged or truncated."
            ) from error


def find(dataset: xr.Dataset, aliases: tuple[str, ...]) -> str | None:
    """The first of the names that the dataset has as a variable or coordinate."""
    return next((name for name in aliases if name in dataset.variables), None)


def axis(path: Path, dataset: xr.Dataset, aliases: tuple[str, ...]) -> str:
    """Coordinate of one of the names, which must be there and be one-dimensional or scalar."""
    name = find(dataset, aliases)
    if name is None or dataset[name].ndim > 1:
        raise InputError(f"{path}: has no axis named {' or '.join(aliases)}; only latitude-longitude files are read.")
    return name


def seconds(path: Path, values: np.ndarray) -> np.ndarray:
    """Decoded times as datetime64[s]; InputError when they could not be decoded."""
    values = np.atleast_1d(values)
    if not np.issubdtype(values.dtype, np.datetime64):
        raise InputError(
            f"{path}: its time axis could not be decoded; "
            "expected 'hours since ...' or the like in a standard calendar."
        )
    return values.astype("datetime64[s]")
