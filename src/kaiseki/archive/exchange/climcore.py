"""NetCDF files of one variable and one time each, laid out as RRJ-ClimCORE's trial data are.

`<JMA name>/<YYYYMM>/<JMA name>.<YYYYMMDDhhmm>.nc` holds the field (1, level, y, x) under its JMA name (P in hPa, T,
QVa, UMET, VMET ...). `const/FLAT.nc`, `FLON.nc` and `ZS.nc` hold latitude, longitude and terrain, and
`const/model_height.full_level.txt` the heights of the levels, z = zz + ff * ZS. That much public readers of the trial
data tell. Beside it every file says all of its grid in the terms of CF, which the trial data do not.

What it does not do: forecasts, two of which may be valid at one time.
"""

from __future__ import annotations

import dataclasses
import itertools
from pathlib import Path
from typing import Final

import xarray as xr

from kaiseki.archive.exchange.ahead import read_ahead
from kaiseki.archive.exchange.netcdf import Making, Written, compact, export_id, identity_of, write_netcdf
from kaiseki.archive.exchange.source import Source
from kaiseki.archive.release.encoding import BoundSet
from kaiseki.core.errors import InputError
from kaiseki.core.files import make_folder, write_text
from kaiseki.core.progress import Progress
from kaiseki.core.variables import VARIABLES, Variable

_FACTORS: Final = {"P": (0.01, "hPa")}
"""JMA name -> factor from our units and the units of JMA's files, where they differ."""
_CONSTANTS: Final = {"FLAT": "lat", "FLON": "lon", "ZS": "terrain"}


def write_single_fields(source: Source, folder: str | Path, bounds: BoundSet = "lossless") -> Written:
    """Write one file per variable and time, with the files of constants.

    A file that is there is kept or written again as by `netcdf.write_days`.

    Args:
        source: analyses or background of an archive, or a dataset of that kind; every variable needs a JMA name.
        folder: folder of the files; made if it is not there.
        bounds: set of bounds within which fields are packed; pressure in hPa within a hundredth of that in Pa.

    Raises:
        InputError: forecasts, no axis of time, or a variable without a JMA name.
        StoreError, ResourceError: as of `netcdf.write_netcdf`.
    """
    dataset, root = source.dataset, Path(folder)
    if dataset.sizes.get("time", 0) == 0 or "time" not in dataset.indexes:
        raise InputError(
            f"One file per variable and time needs fields along the axis of time, which those of {source.where} are "
            "not; forecasts go into one file each (day files)"
        )
    names = [str(name) for name, array in dataset.data_vars.items() if "time" in array.dims and name != "time_bnds"]
    rows = {name: VARIABLES[name] for name in names if name in VARIABLES and VARIABLES[name].jma}
    if unnamed := [name for name in names if name not in rows]:
        known = ", ".join(name for name, row in VARIABLES.items() if row.jma)
        raise InputError(f"{unnamed[0]} has no name in files of JMA; choose among the variables {known}")
    make_folder(root / "const")
    _write_constants(dataset, root / "const")
    files, kept = [], []
    dataset = read_ahead(dataset)
    pairs = list(itertools.product(range(dataset.sizes["time"]), rows.values()))
    with Progress("writing single fields", len(pairs), unit="file") as progress:
        for number, row in pairs:
            label = compact(dataset["time"].values[number])
            path = root / str(row.jma) / label[:6] / f"{row.jma}.{label}.nc"
            part = _single(dataset, row.name, number)
            identity = None if source.state is None else export_id(source.state, part, bounds)
            if identity is not None and identity_of(path) == identity:
                kept.append(path)
            else:
                make_folder(path.parent)
                field, packed_as = _as_jma(part, row)
                write_netcdf(field, path, bounds, Making(identity, {packed_as.name: packed_as}))
            files.append(path)
            progress.advance(1, label)
    return Written(tuple(files), tuple(kept))


def _single(dataset: xr.Dataset, name: str, number: int) -> xr.Dataset:
    """One variable at one time, with the coordinates that belong to it alone."""
    part = dataset[[name, *(["time_bnds"] if "time_bnds" in dataset and _has_interval(dataset[name]) else [])]]
    part = part.isel(time=slice(number, number + 1))
    if "time_bnds" not in part:
        without = {key: value for key, value in part["time"].attrs.items() if key != "bounds"}
        part = part.assign_coords(time=part["time"].drop_attrs(deep=False).assign_attrs(without))
    # Terrain and decay serve the heights of levels alone.
    spare = () if "level" in part[name].dims else ("terrain", "decay", "altitude")
    unused = [
        axis
        for axis in map(str, part.coords)
        if axis in spare
        or not set(part[axis].dims) <= {"bounds", *part[name].dims}
        or (axis.startswith("height_") and not name.endswith(axis.removeprefix("height")))
    ]
    return part.drop_vars(unused)


def _as_jma(part: xr.Dataset, row: Variable) -> tuple[xr.Dataset, Variable]:
    """A single field under its JMA name and in the units of JMA's files, with the row of the table for these."""
    code, factor = str(row.jma), _FACTORS.get(str(row.jma))
    renamed = part.rename({row.name: code})
    if factor is None:
        return renamed, dataclasses.replace(row, name=code)
    scale, units = factor
    field = renamed[code]
    values = (field.values * field.dtype.type(scale)).astype(field.dtype, copy=False)
    renamed[code] = field.copy(data=values).assign_attrs(units=units)
    numbers = {name: getattr(row, name) * scale for name in ("bound", "user_bound", "low", "high")}
    return renamed, dataclasses.replace(row, name=code, units=units, **numbers)


def _write_constants(dataset: xr.Dataset, folder: Path) -> None:
    """Latitude, longitude, terrain and the heights of the levels, as far as the dataset has them."""
    for code, name in _CONSTANTS.items():
        if name in dataset.coords:
            keep = [name, *(other for other in ("y", "x", "crs") if other in dataset.coords)]
            held = dataset[keep].reset_coords(name)
            described = held.drop_vars([other for other in ("lat", "lon", "terrain") if other in held.coords])
            described.attrs = dict(dataset.attrs)
            write_netcdf(described.rename({name: code}), folder / f"{code}.nc")
    if {"level", "decay"} <= set(dataset.coords) and dataset["level"].ndim == 1:
        lines = ["# heights of the full levels above mean sea level", "# z = zz + ff * ZS, in m", "# k zz ff"]
        pairs = zip(dataset["level"].values, dataset["decay"].values, strict=True)
        lines += [f"{k} {zz!r} {ff!r}" for k, (zz, ff) in enumerate(((float(a), float(b)) for a, b in pairs), 1)]
        write_text(folder / "model_height.full_level.txt", "\n".join(lines) + "\n")


def _has_interval(array: xr.DataArray) -> bool:
    return array.attrs.get("cell_methods") in ("time: sum", "time: mean")
