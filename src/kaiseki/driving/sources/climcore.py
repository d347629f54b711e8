"""Index of folders of NetCDF files of one variable and one time each, as RRJ-ClimCORE's trial data are laid out.

`<name>/<YYYYMM>/<name>.<YYYYMMDDhhmm>.nc` holds a field (1, level, y, x) under its JMA name, with winds to the east and
north. `const/FLAT.nc`, `FLON.nc` and `ZS.nc` hold latitude, longitude and terrain, `const/model_height.full_level.txt`
the heights of the model levels, the lowest first: z = zz + ff * ZS. The trial data say no more; `archive.exchange.
climcore` writes the terms of CF beside it, which are read and checked. Where no map is named it is taken for JMA's
(Lambert conformal, true at 30N and 60N, 140E, sphere of 6,371 km), if the places lie evenly on it, and refused else.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, Final

import numpy as np
import xarray as xr

from kaiseki.core.errors import InputError
from kaiseki.core.timing import format_utc
from kaiseki.driving.sources.grids import Grid, Lambert, LatitudeLongitude, Window, projection_of
from kaiseki.driving.sources.intervals import check_interval, unit_over
from kaiseki.driving.sources.pieces import GROUND, ON_HYBRID, ON_PRESSURE, Piece, Refused, chosen
from kaiseki.driving.sources.quantities import LEVEL, NEAR, QUANTITIES
from kaiseki.driving.sources.units import unit_of
from kaiseki.formats.cf_time import decode_times
from kaiseki.formats.netcdf import opened
from kaiseki.grid.projection import LambertConformal

NAMES: Final = {
    "T": "air_temperature",
    "QVa": "specific_humidity",
    "UMET": "eastward_wind",
    "VMET": "northward_wind",
    "P": "air_pressure",
    "HGT": "geopotential_height",
    "PRES": "surface_air_pressure",
    "BRTMP": "surface_temperature",
    "PRMSL": "air_pressure_at_mean_sea_level",
    "TMP": "air_temperature_2m",
    "SPFH": "specific_humidity_2m",
    "UGRD": "eastward_wind_10m",
    "VGRD": "northward_wind_10m",
    "RH": "relative_humidity_2m",
    "TCDC": "cloud_area_fraction",
    "DSWRF": "surface_downwelling_shortwave_flux_in_air",
    "DLWRF": "surface_downwelling_longwave_flux_in_air",
}
"""Quantities by JMA name."""
DEFAULTS: Final = {"P": "hPa", "T": "K", "QVa": "kg kg-1", "UMET": "m s-1", "VMET": "m s-1"}
"""Units of the trial data, which may not state them."""
JMA_MAP: Final = LambertConformal(30.0, 60.0, 140.0, 6.371e6)
HEIGHTS: Final = "model_height.full_level.txt"
_EVEN: Final = 0.01
"""Part of the spacing by which places may lie beside an even grid."""
_PLACE: Final = 1e-3
"""Difference in degrees of places from those that the stated map gives them."""


@dataclass(frozen=True)
class _Folder:
    """What the files of a folder have in common.

    Attributes:
        path: of the folder.
        grid: of all files.
        heights: (2, levels) zz [m] and ff of the model levels, the lowest first; None where the folder has none.
    """

    path: Path
    grid: Grid
    heights: np.ndarray | None

    def piece(self, file: Path, name: str, time: np.datetime64) -> Piece:
        """Field of a file; InputError says why it is none."""
        quantity = NAMES[name]
        with opened(file) as dataset:
            if name not in dataset.data_vars:
                raise InputError(f"{file}: does not hold {name}, as its name says.")
            variable = dataset[name]
            _check_time(file, dataset, time)
            where = f"{file}: {name}"
            shape = variable.shape[1:] if variable.ndim == 4 or variable.shape[0] == 1 else variable.shape
            if len(shape) not in (2, 3) or shape[-2:] != self.grid.shape or variable.size != np.prod(shape):
                raise InputError(f"{where} has the shape {variable.shape}, not one time on {self.grid.shape}.")
            text = variable.attrs.get("units")
            start = None
            if QUANTITIES[quantity].over:
                unit, assumed = unit_over(where, quantity, None if text is None else str(text), "mean"), ""
                start = _start(file, dataset, time)
            else:
                stated = None if text is None else str(text)
                _, unit, assumed = chosen(where, (quantity,), stated, DEFAULTS.get(name))
            kind = GROUND
            levels: tuple[float, ...] = (0.0,)
            if QUANTITIES[quantity].where == LEVEL:
                kind, levels = self._levels(where, variable, shape)
            elif len(shape) == 3:
                raise InputError(f"{where} has levels, but {quantity} has none.")
        return Piece(
            quantity, file, f"field {name}", kind, levels, np.array([time]), self.grid, unit,
            partial(_read, file, name), assumed=assumed, starts=None if start is None else np.array([start]),
            heights=self.heights if kind == ON_HYBRID else None,
        )  # fmt: skip

    def _levels(self, where: str, variable: xr.DataArray, shape: tuple[int, ...]) -> tuple[str, tuple[float, ...]]:
        """Kind and keys of the levels of a variable."""
        if len(shape) != 3:
            raise InputError(f"{where} has no levels.")
        axis = variable[variable.dims[-3]] if variable.dims[-3] in variable.coords else None
        unit = None if axis is None else unit_of(str(axis.attrs.get("units", "")))
        if axis is not None and unit is not None and unit.kind == "pressure":
            return ON_PRESSURE, tuple(float(v) for v in unit.factor * axis.values.astype(np.float64))
        if self.heights is None or self.heights.shape[1] != shape[0]:
            held = "no" if self.heights is None else f"{self.heights.shape[1]}"
            raise InputError(
                f"{where} has {shape[0]} levels, but const/{HEIGHTS} of {self.path} tells {held} heights; add the file "
                "that belongs to it."
            )
        return ON_HYBRID, tuple(float(shape[0] - k) for k in range(shape[0]))


def _check_time(file: Path, dataset: xr.Dataset, time: np.datetime64) -> None:
    """Refuse a file whose own time is not that of its name."""
    if "time" not in dataset.variables or "since" not in str(dataset["time"].attrs.get("units", "")):
        return
    units, calendar = (str(dataset["time"].attrs.get(key, "")) for key in ("units", "calendar"))
    found = decode_times(f"{file}: time", np.atleast_1d(dataset["time"].values), units, calendar)
    if found.size != 1 or found[0] != time:
        raise InputError(f"{file}: is of {format_utc(time)} by its name and of {format_utc(found[0])} by its time.")


def _start(file: Path, dataset: xr.Dataset, time: np.datetime64) -> np.datetime64:
    """Start of the interval of a mean."""
    bounds = dataset.variables.get(str(dataset["time"].attrs.get("bounds"))) if "time" in dataset.variables else None
    if bounds is None or bounds.size != 2:
        raise InputError("the file does not tell over which interval it is")
    attributes = {**dataset["time"].attrs, **bounds.attrs}
    units, calendar = (str(attributes.get(key, "")) for key in ("units", "calendar"))
    start, end = decode_times(f"{file}: bounds of time", bounds.values.ravel(), units, calendar)
    check_interval("its bounds", (start, end))
    if end != time:
        raise InputError(f"its interval ends at {format_utc(end)}, not at {format_utc(time)}")
    return np.datetime64(start, "s")


def _read(file: Path, name: str, time: int, levels: Sequence[int], window: Window) -> np.ndarray:
    """Values (levels, ny, nx) of the field of a file."""
    with opened(file) as dataset:
        values = np.asarray(dataset[name].values, dtype=np.float64)
    values = values.reshape(-1, *values.shape[-2:])
    return values[np.ix_(np.asarray(levels), window.rows, window.columns)]


def _grid(folder: Path) -> Grid:
    """Grid by the constants of a folder."""
    places: dict[str, np.ndarray] = {}
    axes: dict[str, np.ndarray] = {}
    mapping: dict[str, Any] = {}
    for name in ("FLAT", "FLON"):
        file = folder / "const" / f"{name}.nc"
        with opened(file) as dataset:
            if name not in dataset.variables:
                raise InputError(f"{file}: does not hold {name}, as its name says.")
            places[name] = np.squeeze(np.asarray(dataset[name].values, np.float64))
            for variable in dataset.variables.values():
                mapping = dict(variable.attrs) if "grid_mapping_name" in variable.attrs else mapping
            axes |= {one: dataset[one].values.astype(np.float64) for one in ("y", "x") if one in dataset.variables}
    where, lat, lon = f"{folder}/const", places["FLAT"], places["FLON"]
    if lat.ndim == 1 and lon.ndim == 1:
        return LatitudeLongitude.checked(where, lat, lon)
    if lat.ndim != 2 or lat.shape != lon.shape:
        raise InputError(f"{where}: FLAT and FLON have the shapes {lat.shape} and {lon.shape}.")
    if mapping and mapping["grid_mapping_name"] != "lambert_conformal_conic":
        raise InputError(
            f"{where}: is on the map {mapping['grid_mapping_name']}; only Lambert conformal ones are read."
        )
    projection = (projection_of(mapping) if mapping else None) or JMA_MAP
    if mapping and axes.keys() == {"y", "x"}:
        made_lat, made_lon = projection.inverse(*np.meshgrid(axes["x"], axes["y"]))
        if (
            made_lat.shape != lat.shape
            or max(np.abs(made_lat - lat).max(), np.abs(_turn(made_lon - lon)).max()) > _PLACE
        ):
            raise InputError(f"{where}: FLAT and FLON are not the places of the map that is named beside them.")
        return Lambert(projection, axes["y"], axes["x"], False)
    x, y = (np.asarray(one) for one in projection.forward(lat, lon))
    if not np.isfinite(x).all() or not np.isfinite(y).all():
        raise InputError(f"{where}: FLAT or FLON is missing somewhere.")
    made = [np.linspace(one[0], one[-1], one.size) for one in (y.mean(axis=1), x.mean(axis=0))]
    beside = max(np.abs(y - made[0][:, None]).max(), np.abs(x - made[1]).max())
    if beside > _EVEN * abs(float(made[1][1] - made[1][0])):
        raise InputError(
            f"{where}: names no map, and its places lie up to {beside:.0f} m beside an even grid on JMA's (Lambert "
            "conformal, true at 30N and 60N, 140E); give files that name theirs."
        )
    return Lambert(projection, made[0], made[1], False)


def _turn(degrees: np.ndarray) -> np.ndarray:
    return np.asarray((degrees + 180.0) % 360.0 - 180.0)


def _heights(folder: Path) -> np.ndarray | None:
    """Heights (2, levels) zz [m] and ff of the model levels."""
    file = folder / "const" / HEIGHTS
    if not file.is_file():
        return None
    try:
        found = np.loadtxt(file, usecols=(1, 2), unpack=True, ndmin=2)
    except (OSError, ValueError) as error:
        raise InputError(f"{file}: is not lines of a number, zz and ff for each level ({error}).") from error
    if np.any(np.diff(found[0]) <= 0.0):
        raise InputError(f"{file}: its heights do not rise from the lowest level.")
    return np.asarray(found)


class ClimcoreSource:
    """Reader of folders of one file for each variable and time."""

    name = "climcore"

    def recognises(self, path: Path, head: bytes) -> bool:
        """Whether it is a folder with the constants of such files."""
        return (path / "const" / "FLAT.nc").is_file()

    def index(self, path: Path) -> list[Piece]:
        """What the folder holds of what drives a model; InputError when it is not understood."""
        return [piece for piece in self.index_all(path, None)[0] if QUANTITIES[piece.quantity].where != NEAR]

    def index_all(self, path: Path, interval: np.timedelta64 | None) -> tuple[list[Piece], list[Refused]]:
        """All that the folder holds; see `registry.SurfaceSource`."""
        folder = _Folder(path, _grid(path), _heights(path))
        pieces: list[Piece] = []
        refused: list[Refused] = []
        for file in sorted(path.glob("*/*/*.nc")):
            name = file.parents[1].name
            found = re.fullmatch(rf"{re.escape(name)}\.(\d{{4}})(\d\d)(\d\d)(\d\d)(\d\d)\.nc", file.name)
            if found is None:
                refused.append(Refused(file, name, "its name is not one of a variable and a time"))
                continue
            if name not in NAMES:
                refused.append(Refused(file, name, "no name of JMA that the readers know"))
                continue
            try:
                time = np.datetime64("{}-{}-{}T{}:{}:00".format(*found.groups()), "s")
            except ValueError:
                raise InputError(f"{file}: its name tells no time.") from None
            if QUANTITIES[NAMES[name]].where != NEAR:
                pieces.append(folder.piece(file, name, time))
                continue
            try:
                pieces.append(folder.piece(file, name, time))
            except InputError as problem:
                refused.append(Refused(file, name, str(problem).removeprefix(f"{file}: ")))
        terrain = path / "const" / "ZS.nc"
        if terrain.is_file():
            unit = unit_of("m")
            assert unit is not None
            reader = partial(_read, terrain, "ZS")
            pieces.append(
                Piece("surface_altitude", terrain, "field ZS", GROUND, (0.0,), None, folder.grid, unit, reader)
            )
        if not any(piece.times is not None for piece in pieces):
            raise InputError(f"{path}: holds no file of a known variable, <name>/<YYYYMM>/<name>.<YYYYMMDDhhmm>.nc.")
        return pieces, refused

    def read(self, path: Path) -> xr.Dataset:
        """Dataset of the folder in the common form; InputError when it is not understood or incomplete."""
        from kaiseki.driving.sources.data import DrivingData

        return DrivingData.of(self.index(path), self.name).load()


CLIMCORE = ClimcoreSource()
