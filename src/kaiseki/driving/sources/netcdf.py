"""Index of NetCDF files and Zarr stores: what they hold, by the names of `layouts`, read from metadata alone."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np
import xarray as xr

from kaiseki.core.errors import InputError
from kaiseki.core.progress import say
from kaiseki.driving.sources import model_levels
from kaiseki.driving.sources.grids import LatitudeLongitude
from kaiseki.driving.sources.layouts import (
    DEPTH,
    HALF_COEFFICIENTS,
    HYBRID,
    LATITUDE,
    LONGITUDE,
    MEANINGS,
    MEMBER,
    PRESSURE,
    VERSION,
    Meaning,
)
from kaiseki.driving.sources.netcdf_meaning import (
    LEVEL_TYPES,
    check_axes,
    check_mapping,
    check_pressure_axis,
    file_words,
    listed,
    member_of,
    period_word,
    refuse_means,
    statistic_of,
    versions_of,
)
from kaiseki.driving.sources.netcdf_near import NearGround
from kaiseki.driving.sources.netcdf_times import times_of
from kaiseki.driving.sources.netcdf_values import read_variable
from kaiseki.driving.sources.origin import Origin
from kaiseki.driving.sources.pieces import GROUND, IN_SOIL, ON_HYBRID, ON_PRESSURE, Piece, Refused, chosen
from kaiseki.driving.sources.quantities import LEVEL, QUANTITIES, SOIL, STATIC
from kaiseki.driving.sources.units import unit_of
from kaiseki.formats.netcdf import axis, is_netcdf, is_zarr, opened

MODEL_LEVEL_WORDS = ("hybrid", "model_level", "model level", "layer")
"""Words in the description of an axis that say that it numbers model levels."""


def _named(dataset: xr.Dataset, variable: xr.DataArray, names: Sequence[str]) -> str | None:
    """The first of the names that is a coordinate of the variable: one of its axes, or a single value."""
    return next((n for n in names if n in dataset.variables and (n in variable.dims or n in variable.coords)), None)


def pressure_of(where: str, values: np.ndarray, units: str, name: str) -> np.ndarray:
    """Pressure levels in Pa.

    ERA5 by way of Zarr carries no unit; its levels are whole hPa up to 1000.

    Raises:
        InputError: the unit is not one of pressure.
    """
    values = np.atleast_1d(values).astype(np.float64)
    unit = unit_of(units) if units else None
    if units == "" and 300.0 <= values.max() <= 1100.0:
        return 100.0 * values
    if unit is None or unit.kind != "pressure":
        raise InputError(f"{where}: the level axis {name} has unit {units.lower()!r}; expected Pa or hPa.")
    return unit.factor * values


@dataclass(frozen=True)
class _Level:
    """Axis of levels: its name, what kind they are of, and their values."""

    name: str | None
    kind: str
    values: tuple[float, ...]


@dataclass
class _Indexer:
    """What the variables of one file have in common."""

    path: Path
    dataset: xr.Dataset

    def __post_init__(self) -> None:
        raw = self.dataset
        self.latitude, self.longitude = axis(self.path, raw, LATITUDE), axis(self.path, raw, LONGITUDE)
        self.grid = LatitudeLongitude.checked(str(self.path), raw[self.latitude].values, raw[self.longitude].values)
        check_axes(self.path, raw, self.latitude, self.longitude)
        self.times = times_of(self.path, raw)
        self.time_dims = self.times.dims
        self._levels: dict[str, _Level] = {}
        self._left_out: list[str] = []
        self._beside = {self.latitude, self.longitude, *self.time_dims, *self.times.single, *MEMBER, VERSION}

    def pieces(self) -> list[Piece]:
        """Everything that the file holds of what drives a model."""
        refuse_means(self.path, self.dataset.attrs)
        found = self.state()
        if not found and self._left_out:
            raise InputError(f"{self.path}: holds nothing that drives a model: {listed(self._left_out)}.")
        if not found:
            known = ", ".join(list(MEANINGS)[:8])
            raise InputError(
                f"{self.path}: holds nothing that drives a model; expected variables named as of a known layout "
                f"({known}, ...), or convert it."
            )
        return found

    def state(self) -> list[Piece]:
        """What drives a model, or nothing; InputError where two variables are one quantity."""
        found = []
        for name in map(str, self.dataset.data_vars):
            meaning = MEANINGS.get(name)
            if meaning is not None and set(self.dataset[name].dims) & {self.latitude, self.longitude}:
                found += self._pieces(name, self.dataset[name], meaning)
        kinds = [(p.quantity, p.kind) for p in found if p.kind != IN_SOIL]
        for twice in {k for k in kinds if kinds.count(k) > 1}:
            labels = " and ".join(p.label for p in found if (p.quantity, p.kind) == twice)
            raise InputError(f"{self.path}: {labels} are both {twice[0]}; leave one of them out.")
        return found

    def _level(self, name: str, variable: xr.DataArray, meaning: Meaning) -> _Level:
        """Levels of a variable that stands on some."""
        raw, where = self.dataset, f"{self.path}: {name}"
        stands = str(variable.attrs.get("GRIB_typeOfLevel", "unknown"))
        if stands not in LEVEL_TYPES:
            raise InputError(
                f"{where} stands on {stands}; expected {meaning.quantities[0]} on pressure or model levels; "
                "leave it out."
            )
        dims = [str(d) for d in variable.dims if d not in self._beside]
        if len(dims) > 1:
            raise InputError(
                f"{where} has dimensions {variable.dims}; expected time, level, latitude and longitude in any order."
            )
        axis_name = dims[0] if dims else _named(raw, variable, (*PRESSURE, *HYBRID))
        if axis_name is None or axis_name not in raw.variables:
            raise InputError(
                f"{where} is not on pressure levels; "
                f"expected {meaning.quantities[0]} on (time, level, latitude, longitude)."
            )
        if axis_name not in self._levels:
            coordinate = raw[axis_name]
            text = " ".join(str(coordinate.attrs.get(k, "")).lower() for k in ("standard_name", "long_name", "units"))
            units = str(coordinate.attrs.get("units", "")).strip()
            values = np.atleast_1d(coordinate.values)
            unit = unit_of(units)
            of_model = axis_name in HYBRID[:4] or any(word in text for word in MODEL_LEVEL_WORDS)
            pressure = unit is not None and unit.kind == "pressure"
            if pressure:
                check_pressure_axis(where, axis_name, text, axis_name in HYBRID[:4])
            if of_model and not pressure:
                kind, levels = ON_HYBRID, self._from_the_top(values.astype(np.float64))
            else:
                kind, levels = ON_PRESSURE, pressure_of(str(self.path), values, units, axis_name)
            self._levels[axis_name] = _Level(axis_name, kind, tuple(float(v) for v in levels))
        return self._levels[axis_name]

    def _pieces(self, name: str, variable: xr.DataArray, meaning: Meaning) -> list[Piece]:
        where = f"{self.path}: {name}"
        if reason := statistic_of(variable, self.time_dims):
            say(f"{where} is left out: it is no field of one run at an instant ({reason})")
            self._left_out.append(f"{name} is no field of one run at an instant ({reason})")
            return []
        units = variable.attrs.get("units")
        kinds = meaning.quantities
        upright = {str(d) for d in variable.dims} - self._beside
        if kinds[0] == "geopotential" and self._is_ground(variable, upright):
            kinds = ("surface_geopotential",)
        default = meaning.layout.defaults.get(QUANTITIES[kinds[0]].kind)
        quantity, unit, assumed = chosen(where, kinds, None if units is None else str(units), default)
        kind = QUANTITIES[quantity].where
        layers: tuple[tuple[float, float], ...] = ()
        if kind == LEVEL:
            level = self._level(name, variable, meaning)
        elif kind == SOIL:
            layers = meaning.layers
            depth = next((str(d) for d in variable.dims if d in DEPTH), None)
            level = _Level(depth, IN_SOIL, tuple(0.5 * (top + bottom) for top, bottom in layers))
            if (1 if depth is None else variable.sizes[depth]) != len(layers):
                raise InputError(f"{where} holds other than the {len(layers)} soil layers of {meaning.layout.title}.")
        else:
            single = next(iter(upright)) if len(upright) == 1 and variable.sizes[next(iter(upright))] == 1 else None
            level = _Level(single, GROUND, (0.0,))
        check_mapping(where, self.dataset, variable)
        allowed = {*self._beside, level.name}
        if extra := [str(d) for d in variable.dims if d not in allowed]:
            raise InputError(f"{where} has dimensions {variable.dims}; {', '.join(extra)} is not expected.")
        if missing := {self.latitude, self.longitude} - set(map(str, variable.dims)):
            raise InputError(f"{where} lacks the dimension {', '.join(sorted(missing))}.")
        if member := next((d for d in MEMBER if variable.sizes.get(d, 1) > 1), None):
            raise InputError(f"{where} holds {variable.sizes[member]} members; give a file of one member.")
        present = tuple(d for d in self.time_dims if d in variable.dims)
        stamps = self.times.stamps
        if kind != STATIC and stamps is None:
            raise InputError(f"{where} has no axis named valid_time or time; give a file with times.")
        if kind != STATIC and stamps is not None and present != self.time_dims and stamps.size > 1:
            raise InputError(f"{where} does not change along {', '.join(self.time_dims)}; give it at every time.")
        reader = partial(read_variable, self.path, name, self.time_dims, level.name, (self.latitude, self.longitude))
        return [
            Piece(
                quantity,
                self.path,
                name,
                level.kind,
                level.values,
                None if kind == STATIC else stamps,
                self.grid,
                unit,
                reader,
                layers,
                self._half_levels(level) if level.kind == ON_HYBRID else None,
                assumed,
                Origin() if kind == STATIC or stamps is None else self._origin(where, variable, stamps.size),
            )
        ]

    def _origin(self, where: str, variable: xr.DataArray, count: int) -> Origin:
        """Member, versions and reference times of a variable."""
        versions = versions_of(str(self.path), self.dataset, self.time_dims, count)
        return Origin(member_of(where, self.dataset, variable), versions, self.times.references)

    def _is_ground(self, variable: xr.DataArray, upright: set[str]) -> bool:
        """Whether a geopotential is that of the surface, which the IFS keeps on the first of its model levels."""
        name = _named(self.dataset, variable, (*PRESSURE, *HYBRID))
        if variable.attrs.get("GRIB_typeOfLevel") == "surface":
            return not upright
        if name is None and not upright:
            alone = not any(n in self.dataset.dims for n in (*PRESSURE, *HYBRID))
            return alone or variable.attrs.get("GRIB_typeOfLevel") == "hybrid"
        if name is None or not upright <= {name} or self.dataset[name].size != 1:
            return False
        return name in HYBRID[:4] and float(self.dataset[name].values.flat[0]) == 1.0

    def _coefficients(self) -> tuple[np.ndarray, np.ndarray] | None:
        """Coefficients a and b of the half levels that the file states, in its order."""
        for a, b in HALF_COEFFICIENTS:
            if a in self.dataset.variables and b in self.dataset.variables:
                return self.dataset[a].values, self.dataset[b].values
        return None

    def _from_the_top(self, numbers: np.ndarray) -> np.ndarray:
        """Numbers of model levels, counted from the top: those of the file unless its coefficients begin below."""
        stated = self._coefficients()
        if stated is None or stated[1][0] <= stated[1][-1]:
            return numbers
        return stated[1].size - numbers

    def _half_levels(self, level: _Level) -> np.ndarray | None:
        """Coefficients of the half levels, from the top, that the file states or its number of levels implies."""
        if (stated := self._coefficients()) is not None:
            return model_levels.ordered(str(self.path), *stated)
        return model_levels.ifs_137() if model_levels.is_ifs_137(level.values) else None


class NetcdfSource:
    """Reader of NetCDF files and Zarr stores in one of the layouts of `layouts.LAYOUTS`."""

    name = "netcdf"

    def recognises(self, path: Path, head: bytes) -> bool:
        """Whether the file is NetCDF or a Zarr store; what it lacks is reported when it is read."""
        return is_netcdf(head) or is_zarr(path)

    def index(self, path: Path) -> list[Piece]:
        """What the file holds; InputError when nothing of it is known, or a name, unit or axis is not understood."""
        with opened(path) as dataset:
            return _Indexer(path, dataset).pieces()

    def index_all(self, path: Path, interval: np.timedelta64 | None) -> tuple[list[Piece], list[Refused]]:
        """What the file holds, at the ground and over intervals too; see `registry.SurfaceSource`."""
        with opened(path) as dataset:
            indexer = _Indexer(path, dataset)
            of_means = period_word(file_words(dataset.attrs)) is not None
            held = NearGround(path, dataset, (indexer.latitude, indexer.longitude), indexer.grid, indexer.times)
            near, refused = held.pieces(interval)
            told = bool(near or refused)
            state = [] if of_means and told else indexer.state() if told else indexer.pieces()
            if of_means:
                names = [str(name) for name in dataset.data_vars if str(name) in MEANINGS]
                refused += [Refused(path, name, "it is a mean over time, not of an instant") for name in names]
        return [*state, *near], refused

    def read(self, path: Path) -> xr.Dataset:
        """Dataset of the file in the common form; InputError when it is not understood or incomplete."""
        from kaiseki.driving.sources.data import DrivingData

        return DrivingData.of(self.index(path), self.name).load()


NETCDF = NetcdfSource()
