"""Several files as one: split by time, by variable, by level or in any other way."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import xarray as xr

from kaiseki.core.errors import InputError
from kaiseki.driving.sources.catalogue import Catalogue
from kaiseki.driving.sources.conventions import DIMENSIONS, UNITS
from kaiseki.driving.sources.data import DrivingData, names_of
from kaiseki.driving.sources.grids import LatitudeLongitude, Window
from kaiseki.driving.sources.near_data import NearData
from kaiseki.driving.sources.netcdf import NETCDF
from kaiseki.driving.sources.origin import check_origins
from kaiseki.driving.sources.pieces import GROUND, IN_SOIL, ON_PRESSURE, Piece, Refused
from kaiseki.driving.sources.quantities import NEAR, QUANTITIES, STATIC
from kaiseki.driving.sources.registry import IndexedSource, SurfaceSource, reader_of
from kaiseki.driving.sources.sst_netcdf import SST_NETCDF
from kaiseki.driving.sources.units import SI, unit_of


def open_driving(paths: Sequence[str | Path], domain: Any = None, source: str | None = None) -> DrivingData:
    """Index files that together hold analyses, and check that nothing is missing; values are read later.

    The files may be split by time, variable or level. A field may stand in two files, as at the seams of monthly files,
    if both say the same.

    Args:
        paths: files and Zarr stores, in any order.
        domain: a `grid.Domain` about which values will be read; all over by default.
        source: name of the reader of all files; by default the first that recognises each.

    Raises:
        InputError: no file is named, one cannot be read or is not understood, a time, variable or level is missing,
            they lie on different grids, or two contradict each other.
    """
    if not paths:
        raise InputError("No file of driving data is named; give at least one.")
    pieces: list[Piece] = []
    names: list[str] = []
    for path in map(Path, paths):
        reader = reader_of(path, source)
        # Among driving data a file that holds a sea temperature may hold other fields of the surface too.
        reader = NETCDF if reader is SST_NETCDF else reader
        names.append(reader.name)
        pieces += reader.index(path) if isinstance(reader, IndexedSource) else pieces_of(path, reader.read(path))
    return DrivingData.of(pieces, ", ".join(dict.fromkeys(names)), domain)


@dataclass(frozen=True)
class AllData:
    """What files hold: the state, and the fields near the ground that an archive keeps beside it.

    Attributes:
        state: what drives a model, on the whole grid; nothing where the files hold none of it.
        near: fields at the ground and near it.
        refused: fields near the ground that are not taken, with the reasons.
    """

    state: DrivingData
    near: NearData
    refused: tuple[Refused, ...]


def open_all(paths: Sequence[str | Path], source: str | None = None, interval: np.timedelta64 | None = None) -> AllData:
    """Index files that together hold analyses or fields near the ground; values are read later.

    Args:
        paths: files and Zarr stores, in any order.
        source: name of the reader of all files; by default the first that recognises each.
        interval: length of the interval of sums and means of which NetCDF files do not tell it; it ends at their time.

    Raises:
        InputError: as `open_driving`.
    """
    pieces: list[Piece] = []
    refused: list[Refused] = []
    names: list[str] = []
    for path in map(Path, paths):
        reader = reader_of(path, source)
        reader = NETCDF if reader is SST_NETCDF else reader
        names.append(reader.name)
        if isinstance(reader, SurfaceSource):
            found, left = reader.index_all(path, interval)
            pieces, refused = pieces + found, refused + left
        else:
            pieces += reader.index(path) if isinstance(reader, IndexedSource) else pieces_of(path, reader.read(path))
    near, left = _of_one_kind([piece for piece in pieces if QUANTITIES[piece.quantity].where == NEAR])
    refused += left
    state = [piece for piece in pieces if QUANTITIES[piece.quantity].where != NEAR]
    if not pieces:
        reasons = "; ".join(map(str, refused[:3]))
        raise InputError(f"{names_of(paths)}: no field is of use{': ' * bool(reasons)}{reasons}.")
    check_origins(pieces)
    readers = ", ".join(dict.fromkeys(names))
    if state:
        data = DrivingData.of(state, readers)
    else:
        grid = near[0].grid
        none = Catalogue({}, ON_PRESSURE, [], np.array([], dtype="datetime64[s]"), grid)
        data = DrivingData(none, grid.window(), readers, names_of([p.path for p in near]))
    data.file = names_of(paths)
    return AllData(data, NearData.of(near, data.catalogue.grid), tuple(refused))


def _of_one_kind(pieces: Sequence[Piece]) -> tuple[list[Piece], list[Refused]]:
    """Fields near the ground without those that give as a rate what others give as an amount, or the reverse."""
    kept, left = [], []
    own = {p.quantity for p in pieces if p.unit.kind == QUANTITIES[p.quantity].kind}
    for piece in pieces:
        kind = QUANTITIES[piece.quantity].kind
        if piece.unit.kind == kind or piece.quantity not in own:
            kept.append(piece)
        else:
            reason = f"{piece.quantity} is taken from the fields in {SI[kind]}"
            left.append(Refused(piece.path, piece.label, reason))
    return kept, left


def read_joined(paths: Sequence[str | Path]) -> xr.Dataset:
    """Read files that together hold analyses into one Dataset, times rising.

    Args:
        paths: the files, in any order; see `open_driving`.

    Returns:
        The common form, as of `read_global`; its attribute `file` names the files.

    Raises:
        InputError: as `open_driving`.
    """
    if not paths:
        raise InputError("No file of driving data is named; give at least one.")
    readers = [reader_of(Path(path)) for path in paths]
    if len(paths) == 1:
        return readers[0].read(Path(paths[0]))
    if all(reader is SST_NETCDF for reader in readers):
        parts = [(Path(path), SST_NETCDF.read(Path(path))) for path in paths]
        pieces = [piece for path, part in parts for piece in pieces_of(path, part)]
        joined = DrivingData.of(pieces, SST_NETCDF.name).load()
        return joined.assign_attrs(masked_values=sum(part.attrs["masked_values"] for _, part in parts))
    return open_driving(paths).load()


def pieces_of(path: Path, dataset: xr.Dataset) -> list[Piece]:
    """Index of a Dataset in the common form that a reader has read as a whole.

    Raises:
        InputError: its axes are not those of the common form.
    """
    where = str(path)
    grid = LatitudeLongitude.checked(where, dataset["latitude"].values, dataset["longitude"].values)
    pieces = []
    for name in map(str, dataset.data_vars):
        if name not in QUANTITIES or name not in UNITS:
            continue
        variable = dataset[name]
        upright = next((d for d in map(str, variable.dims) if d not in DIMENSIONS), None)
        kinds = {None: GROUND, "pressure": ON_PRESSURE}
        unit = unit_of(SI[QUANTITIES[name].kind])
        if unit is None or not {"latitude", "longitude"} <= set(variable.dims):
            raise InputError(f"{where}: {name} is not in the common form of driving sources.")
        levels = (0.0,) if upright is None else tuple(float(v) for v in dataset[upright].values)
        static = QUANTITIES[name].where == STATIC
        times = None if static else dataset["time"].values.astype("datetime64[s]")
        kind = kinds.get(upright, IN_SOIL)
        reader = _reader(variable.transpose("time", ..., "latitude", "longitude", missing_dims="ignore").values)
        pieces.append(Piece(name, path, name, kind, levels, times, grid, unit, reader))
    return pieces


def _reader(values: np.ndarray) -> Any:
    def read(time: int, levels: Sequence[int], window: Window) -> np.ndarray:
        part = values if values.ndim == 2 else values[time]
        part = part if part.ndim == 3 else part[None]
        return part[np.ix_(np.asarray(levels), window.rows, window.columns)]

    return read
