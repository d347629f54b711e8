"""Index of fields at the ground and near it in NetCDF files and Zarr stores: instants, and sums and means over time.

The interval of a sum or mean is that of the bounds of the time; of the collections of MERRA-2 that are averaged over
time that of their `time_increment`, about the middle of which their times are (Bosilovich et al. 2016, MERRA-2: File
Specification, GMAO Office Note 9); else what the caller states, to the time. It is never guessed.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache, partial
from pathlib import Path

import numpy as np
import xarray as xr

from kaiseki.core.errors import InputError
from kaiseki.driving.sources.grids import LatitudeLongitude, Window
from kaiseki.driving.sources.intervals import check_interval, unit_over
from kaiseki.driving.sources.layouts import MEMBER, NEAR_MEANINGS, TIME, VERSION, Meaning
from kaiseki.driving.sources.netcdf_meaning import (
    check_mapping,
    file_words,
    member_of,
    over_of,
    period_word,
    versions_of,
)
from kaiseki.driving.sources.netcdf_times import Times
from kaiseki.driving.sources.netcdf_values import read_variable
from kaiseki.driving.sources.origin import Origin
from kaiseki.driving.sources.pieces import GROUND, Piece, Reader, Refused, chosen
from kaiseki.driving.sources.quantities import QUANTITIES, Over
from kaiseki.driving.sources.units import unit_of
from kaiseki.formats.cf_time import decode_times
from kaiseki.formats.netcdf import opened

LEVEL_TYPES = ("surface", "heightAboveGround", "meanSea", "entireAtmosphere", "atmosphere", "atmosphereSingleLayer")
"""Kinds of levels (GRIB_typeOfLevel) on which fields near the ground and of the whole column stand."""
HEIGHTS = ("heightAboveGround", "height_above_ground", "height")
"""Names of a height over ground as a single coordinate; as an axis it may have any name."""
TIMES = 24
"""Times of a variable that are read at once."""
_DAY = np.timedelta64(86400, "s")


@dataclass(frozen=True)
class NearGround:
    """What the variables of a file near the ground have in common.

    Attributes:
        path: of the file.
        dataset: open.
        places: names of latitude and longitude.
        grid: of both.
        times: of the file.
    """

    path: Path
    dataset: xr.Dataset
    places: tuple[str, str]
    grid: LatitudeLongitude
    times: Times

    def pieces(self, interval: np.timedelta64 | None) -> tuple[list[Piece], list[Refused]]:
        """Fields that are read, and those that are refused.

        Args:
            interval: length of the interval of sums and means of which the file does not tell it, None for none.
        """
        found: list[Piece] = []
        refused: list[Refused] = []
        for name in map(str, self.dataset.data_vars):
            variable = self.dataset[name]
            meaning = NEAR_MEANINGS.get(name)
            if meaning is None or not set(self.places) <= set(map(str, variable.dims)):
                continue
            try:
                piece = self._piece(name, variable, meaning, interval)
            except InputError as problem:
                refused.append(Refused(self.path, name, str(problem).removeprefix(f"{self.path}: ")))
                continue
            if (twice := next((p for p in found if p.quantity == piece.quantity), None)) is not None:
                refused.append(Refused(self.path, name, f"{piece.quantity} is taken from {twice.label}"))
            else:
                found.append(piece)
        return found, refused

    def _piece(self, name: str, variable: xr.DataArray, meaning: Meaning, interval: np.timedelta64 | None) -> Piece:
        where = f"{self.path}: {name}"
        stated = over_of(variable, self.times.dims)
        if not stated and period_word(file_words(self.dataset.attrs)):
            stated = "mean"
        of_interval = stated in ("sum", "mean")
        fitting = [q for q in meaning.quantities if bool(QUANTITIES[q].over) == of_interval]
        quantity = next(iter(fitting), meaning.quantities[0])
        over = QUANTITIES[quantity].over
        if of_interval and not over:
            raise InputError(f"it is a {stated} over time, not of an instant")
        if over and stated == "instant":
            raise InputError(f"it is of an instant, not a {over} over time")
        text = variable.attrs.get("units")
        units, assumed = None if text is None else str(text), ""
        if over:
            unit = unit_over(where, quantity, units, _over(stated))
        else:
            default = meaning.layout.defaults.get(QUANTITIES[quantity].kind)
            _, unit, assumed = chosen(where, (quantity,), units, default)
        check_mapping(where, self.dataset, variable)
        reader = self._reader(name, variable, quantity)
        stamps = self.times.stamps
        if stamps is None or any(d not in variable.dims for d in self.times.dims):
            raise InputError("it does not change along a time of the file")
        starts, ends = self._interval(interval) if over else (None, stamps)
        versions = versions_of(str(self.path), self.dataset, self.times.dims, stamps.size)
        origin = Origin(member_of(where, self.dataset, variable), versions, self.times.references)
        return Piece(
            quantity, self.path, name, GROUND, (0.0,), ends, self.grid, unit, reader,
            assumed=assumed, origin=origin, starts=starts,
        )  # fmt: skip

    def _reader(self, name: str, variable: xr.DataArray, quantity: str) -> Reader:
        """Reader of the height at which the quantity is."""
        height = QUANTITIES[quantity].height
        stands = str(variable.attrs.get("GRIB_typeOfLevel", "unknown"))
        if stands not in (*LEVEL_TYPES, "unknown"):
            raise InputError(f"it stands on {stands}")
        beside = {*self.places, *self.times.dims, *self.times.single, *MEMBER, VERSION}
        upright = [str(d) for d in variable.dims if str(d) not in beside]
        if len(upright) > 1:
            raise InputError(f"its dimension {upright[-1]} is not expected")
        axis = upright[0] if upright else next((n for n in HEIGHTS if n in variable.coords), None)
        position = 0
        if axis is not None and axis in self.dataset.variables and height:
            values = self._metres(axis)
            matching = np.flatnonzero(np.abs(values - height) < 1e-3)
            if not matching.size:
                raise InputError(f"it is given at {', '.join(f'{v:g}' for v in values)} m, not at {height:g} m")
            position = int(matching[0])
        elif upright and variable.sizes[upright[0]] > 1:
            raise InputError(f"its dimension {upright[0]} is not expected")
        level = upright[0] if upright else None, position
        return partial(_read, self.path, name, level, (self.times.dims, self.places), VERSION in variable.dims)

    def _metres(self, axis: str) -> np.ndarray:
        """Values of an axis of height, m."""
        text = str(self.dataset[axis].attrs.get("units", ""))
        unit = unit_of(text)
        if unit is None or unit.kind != "length":
            raise InputError(f"its axis {axis} has the unit {text!r} and not one of height")
        return np.asarray(unit.factor * np.atleast_1d(self.dataset[axis].values).astype(np.float64))

    def _interval(self, stated: np.timedelta64 | None) -> tuple[np.ndarray, np.ndarray]:
        """Starts and ends of the intervals, (nt,) datetime64[s]."""
        raw, stamps = self.dataset, self.times.stamps
        assert stamps is not None
        name = next((n for n in TIME if n in raw.variables and raw[n].attrs.get("bounds") in raw.variables), None)
        if name is not None and tuple(map(str, raw[name].dims)) == self.times.dims:
            starts, ends = self._bounds(name)
        elif period_word(file_words(raw.attrs)):
            starts, ends = self._about(stamps)
        elif stated is not None:
            starts, ends = stamps - stated, stamps
        else:
            raise InputError(
                "the file does not tell over which interval it is; state its length, to the time of the field, by "
                "--interval"
            )
        for interval in zip(starts, ends, strict=True):
            check_interval("its bounds", interval)
        return starts, ends

    def _bounds(self, name: str) -> tuple[np.ndarray, np.ndarray]:
        raw = self.dataset
        bounds, stamps = raw[raw[name].attrs["bounds"]], self.times.stamps
        assert stamps is not None
        if bounds.values.dtype.kind == "M":
            values = bounds.values.astype("datetime64[s]")
        else:
            attributes = {**raw[name].attrs, **bounds.attrs}
            units, calendar = (str(attributes.get(key, "")) for key in ("units", "calendar"))
            values = decode_times(f"{self.path}: {bounds.name}", bounds.values, units, calendar)
        if values.shape != (stamps.size, 2):
            raise InputError(f"the bounds {bounds.name} of its time have the shape {values.shape}")
        starts, ends = values[:, 0], values[:, 1]
        if (stamps < starts).any() or (stamps > ends).any():
            raise InputError(f"its times lie outside their bounds {bounds.name}")
        return starts, ends

    def _about(self, stamps: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Intervals of a collection of MERRA-2, about its times."""
        stated = [raw.attrs.get("time_increment") for name, raw in self.dataset.variables.items() if name in TIME]
        number = int(stated[0]) if stated and stated[0] is not None else 0
        clock = number // 10000 * 3600 + number // 100 % 100 * 60 + number % 100
        step = np.timedelta64(clock, "s")
        if not np.timedelta64(0, "s") < step <= _DAY or _DAY % step != np.timedelta64(0, "s"):
            raise InputError("the file holds means over time and does not tell over which interval (time_increment)")
        offsets = (stamps - stamps.astype("datetime64[D]").astype("datetime64[s]")) % step
        if (offsets != step / 2).any() or (stamps.size > 1 and (np.diff(stamps) != step).any()):
            raise InputError("its times are not the middles of the intervals that its time_increment tells")
        return stamps - step // 2, stamps + step // 2


def _over(stated: str) -> Over:
    return "sum" if stated == "sum" else "mean" if stated == "mean" else ""


def _read(
    path: Path,
    name: str,
    level: tuple[str | None, int],
    axes: tuple[tuple[str, ...], tuple[str, str]],
    versions: bool,
    time: int,
    levels: Sequence[int],
    window: Window,
) -> np.ndarray:
    """Values (1, ny, nx) of a variable at a time and one place of its axis of height, in its own unit."""
    time_dims, places = axes
    if len(time_dims) != 1 or versions:
        return read_variable(path, name, time_dims, level[0], places, time, [level[1]], window)
    state = path.stat()
    block = _block(path, name, time_dims[0], level, places, time // TIMES, (state.st_mtime_ns, state.st_size))
    return block[time % TIMES][np.ix_(window.rows, window.columns)][None]


@lru_cache(maxsize=1)
def _block(
    path: Path,
    name: str,
    time: str,
    level: tuple[str | None, int],
    places: tuple[str, str],
    number: int,
    state: tuple[int, int],
) -> np.ndarray:
    """Values (time, ny, nx) of `TIMES` times of a variable, as a file is opened anew for each read; the last are kept
    while the file, of a time of change and a size, stays."""
    with opened(path) as dataset:
        variable = dataset[name].isel({time: slice(number * TIMES, (number + 1) * TIMES)})
        if level[0] is not None:
            variable = variable.isel({level[0]: level[1]})
        others = {d: 0 for d in variable.dims if d not in (time, *places)}
        return np.asarray(variable.isel(others).transpose(time, *places).values, dtype=np.float64)
