"""Index of GRIB 1 and 2 files: GFS, GEFS, CFSR, ERA5, ECMWF, JRA-55, MSM, RUC, by the numbers of `layouts`."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import xarray as xr

from kaiseki.core.errors import InputError
from kaiseki.core.progress import say
from kaiseki.driving.sources import model_levels
from kaiseki.driving.sources.grib_near import near_field
from kaiseki.driving.sources.grib_product import INTERVAL_TEMPLATES, PLAIN_TEMPLATES, origin_of, valid_time
from kaiseki.driving.sources.grids import Grid, Lambert, LatitudeLongitude, Window
from kaiseki.driving.sources.intervals import unit_over
from kaiseki.driving.sources.layouts import AT_SURFACE, IN_IFS_SOIL, IN_SOIL, ON_LEVELS, Layer
from kaiseki.driving.sources.origin import Origin
from kaiseki.driving.sources.pieces import GROUND, ON_HYBRID, ON_PRESSURE, Piece, Refused, chosen
from kaiseki.driving.sources.pieces import IN_SOIL as LAYERS
from kaiseki.driving.sources.quantities import QUANTITIES, STATIC
from kaiseki.formats.grib.library import eccodes
from kaiseki.formats.grib.messages import Place, field_at, headers
from kaiseki.grid.projection import LambertConformal

PRESSURE_UNITS = {"isobaricInhPa": 100.0, "isobaricInPa": 1.0}
SOIL_TYPES = ("depthBelowLandLayer", "depthBelowLand", "soilLayer")
MISSING = 1.0e36
HIGHEST_GROUND = 1.0e5
"""Geopotential over which all of a field lies on the uppermost model level of any model, m2 s-2."""
_ROUNDED = 2.0e-3
"""Error in degrees with which GRIB 1, in thousandths, rounds the ends and the step of a grid."""


@dataclass(frozen=True)
class _Field:
    """What the header of a field says of it."""

    quantity: str
    kind: str
    level: float
    layers: tuple[Layer, ...] = ()


def _get(handle: Any, key: str, default: Any = None) -> Any:
    """Value of a key, or the default where the edition or template has none."""
    return eccodes.codes_get(handle, key) if eccodes.codes_is_defined(handle, key) else default


def _layer(handle: Any, kind: str, where: str) -> Layer:
    """Top and bottom of a layer below land, m; of a single depth that twice.

    Edition 1 counts centimetres; edition 2 states the scale.
    """
    get = partial(eccodes.codes_get, handle, ktype=int)
    if eccodes.codes_get(handle, "edition") == 1:
        names = ("topLevel", "bottomLevel") if kind == "depthBelowLandLayer" else ("level", "level")
        return 0.01 * get(names[0]), 0.01 * get(names[1])
    bounds = []
    for which in ("First", "Second") if kind == "depthBelowLandLayer" else ("First", "First"):
        scale, value = get(f"scaleFactorOf{which}FixedSurface"), get(f"scaledValueOf{which}FixedSurface")
        if not (-20 <= scale <= 20 and 0 <= value < 2**31 - 1):
            raise InputError(f"{where} does not say how deep its soil layer lies; leave it out of the file.")
        bounds.append(value * 10.0**-scale)
    return bounds[0], bounds[1]


def _described(handle: Any, where: str) -> _Field | None:
    """What a field is, None if it is not one that can be used."""
    kind, number = eccodes.codes_get(handle, "typeOfLevel"), eccodes.codes_get(handle, "paramId")
    if kind in PRESSURE_UNITS and number in ON_LEVELS:
        return _Field(ON_LEVELS[number], ON_PRESSURE, eccodes.codes_get(handle, "level") * PRESSURE_UNITS[kind])
    if kind == "hybrid":
        level = float(eccodes.codes_get(handle, "level"))
        # The surface's own fields of the IFS stand on model level 1, where geopotential may be that of the level too.
        if level == 1.0 and (number == 152 or (number == 129 and _least(handle) < HIGHEST_GROUND)):
            return _Field(AT_SURFACE[number], GROUND, 0.0)
        return _Field(ON_LEVELS[number], ON_HYBRID, level) if number in ON_LEVELS else None
    if number in IN_IFS_SOIL and kind in (*SOIL_TYPES, "surface"):
        quantity, layer = IN_IFS_SOIL[number]
        return _Field(quantity, LAYERS, round(0.5 * sum(layer), 6), (layer,))
    if kind in SOIL_TYPES and number in IN_SOIL:
        layer = _soil_layer(handle, kind, where)
        return _Field(IN_SOIL[number], LAYERS, round(0.5 * sum(layer), 6), (layer,))
    if kind == "surface" and number in AT_SURFACE:
        return _Field(AT_SURFACE[number], GROUND, 0.0)
    return None


def _least(handle: Any) -> float:
    """Least value of a field, from its header."""
    return float(eccodes.codes_get(handle, "referenceValue")) * 10.0 ** -eccodes.codes_get(handle, "decimalScaleFactor")


def _soil_layer(handle: Any, kind: str, where: str) -> Layer:
    """Soil layer of a field; ECMWF's open data number the layers of the IFS, all others state depths."""
    if kind != "soilLayer":
        return _layer(handle, kind, where)
    layers = [layer for _, layer in list(IN_IFS_SOIL.values())[:4]]
    number = int(eccodes.codes_get(handle, "level"))
    if eccodes.codes_get(handle, "centre") != "ecmf" or not 1 <= number <= len(layers):
        raise InputError(f"{where} numbers its soil layer and does not say how deep it lies; leave it out of the file.")
    return layers[number - 1]


def _ends(where: str, first: float, last: float, count: int, step: float | None, negative: bool) -> np.ndarray:
    """Longitudes of a row, degrees, from its two ends, of which the last may be written in another turn.

    Raises:
        InputError: ends and step contradict each other.
    """
    if count == 1:
        return np.array([first])
    sign = -1.0 if negative else 1.0
    span = (sign * (last - first)) % 360.0
    if span < _ROUNDED:
        span = 360.0
    made = span / (count - 1)
    if step is not None and abs(made - step) > max(_ROUNDED, 1e-3 * step):
        raise InputError(
            f"{where} has {count} longitudes from {first:g} to {last:g} with a step of {step:g} degrees, which "
            "contradict each other; the file is damaged or was cut wrongly."
        )
    return first + sign * made * np.arange(count)


def _grid(handle: Any, where: str) -> Grid:
    """Grid of a field; refuses those that are not rows of a rectangular grid."""
    kind = eccodes.codes_get(handle, "gridType")
    odd = [k for k in ("jPointsAreConsecutive", "alternativeRowScanning") if _get(handle, k, 0)]
    if kind not in ("regular_ll", "regular_gg", "lambert") or odd:
        raise InputError(
            f"{where} is on a {kind} grid {odd or ''}; "
            "only regular latitude-longitude, Gaussian and Lambert conformal grids in rows are read."
        )
    if kind == "lambert":
        return _lambert(handle, where)
    rows, columns = eccodes.codes_get(handle, "Nj"), eccodes.codes_get(handle, "Ni")
    get = partial(eccodes.codes_get, handle)
    rising = bool(get("jScansPositively"))
    if kind == "regular_gg":
        latitude = np.sort(eccodes.codes_get_array(handle, "distinctLatitudes"))
        latitude = latitude if rising else latitude[::-1]
    else:
        first, last = get("latitudeOfFirstGridPointInDegrees"), get("latitudeOfLastGridPointInDegrees")
        latitude = np.linspace(first, last, rows)
        if rows > 1 and (last > first) != rising:
            raise InputError(
                f"{where} goes from latitude {first:g} to {last:g} but says that it scans the other way; "
                "the file is damaged or was cut wrongly."
            )
    step = float(get("iDirectionIncrementInDegrees")) if get("ijDirectionIncrementGiven") else None
    longitude = _ends(
        where,
        get("longitudeOfFirstGridPointInDegrees"),
        get("longitudeOfLastGridPointInDegrees"),
        columns,
        step,
        bool(get("iScansNegatively")),
    )
    if latitude.size != rows:
        raise InputError(f"{where} has {rows} rows but {latitude.size} latitudes; the file is damaged.")
    return LatitudeLongitude.checked(where, latitude, longitude)


def _lambert(handle: Any, where: str) -> Lambert:
    get = partial(eccodes.codes_get, handle)
    parallels = get("Latin1InDegrees"), get("Latin2InDegrees")
    flag = _get(handle, "projectionCentreFlag", 0)
    if _get(handle, "earthIsOblate", 0):
        raise InputError(f"{where} is on a Lambert grid of an ellipsoid; it is not read.")
    if flag & 64 or sum(parallels) == 0.0 or (flag & 128 and sum(parallels) > 0.0):
        raise InputError(
            f"{where} is on a Lambert grid about the {'south' if flag & 128 else 'north'} pole with the standard "
            f"parallels {parallels[0]:g} and {parallels[1]:g}, which contradict it; the file is damaged."
        )
    # Spacing is true at LaD in edition 2, at the parallels in edition 1 and where both agree.
    if get("edition") == 2 and not min(parallels) - 1e-3 <= get("LaDInDegrees") <= max(parallels) + 1e-3:
        raise InputError(f"{where}: its Lambert grid is true at none of its standard parallels; it is not read.")
    radius = float(_get(handle, "radius", 6367470))
    projection = LambertConformal(*parallels, float(get("LoVInDegrees")), radius)
    x, y = projection.forward(
        np.array(get("latitudeOfFirstGridPointInDegrees")), np.array(get("longitudeOfFirstGridPointInDegrees"))
    )
    across, up = (-1.0 if get("iScansNegatively") else 1.0), (1.0 if get("jScansPositively") else -1.0)
    return Lambert(
        projection,
        float(y) + up * float(get("DyInMetres")) * np.arange(get("Ny")),
        float(x) + across * float(get("DxInMetres")) * np.arange(get("Nx")),
        bool(get("uvRelativeToGrid")),
    )


@dataclass
class _Index:
    """Fields met so far in a file, and the grids that they share."""

    path: Path
    pieces: list[Piece] = field(default_factory=list)
    seen: set[tuple[str, str, float, Any]] = field(default_factory=set)
    grids: dict[tuple[Any, ...], Grid] = field(default_factory=dict)
    half_levels: dict[bytes, np.ndarray] = field(default_factory=dict)
    left_out: dict[str, int] = field(default_factory=dict)
    refused: list[Refused] = field(default_factory=list)
    noted: set[str] = field(default_factory=set)

    def add_near(self, handle: Any, place: Place) -> None:
        """Take up a field near the ground, if it is one, or say why not."""
        where = f"{self.path}: field {place.count}"
        label = f"field {place.count} ({eccodes.codes_get(handle, 'shortName')})"
        try:
            found = near_field(handle, where)
            if found is None:
                return
            templates = INTERVAL_TEMPLATES if found.over else PLAIN_TEMPLATES
            origin = origin_of(handle, where, templates)
            if found.over:
                unit = unit_over(where, found.quantity, found.units, found.over)
            else:
                _, unit, _ = chosen(where, (found.quantity,), found.units, None)
            grid = self._grid(handle, where)
        except InputError as problem:
            self.refused.append(Refused(self.path, label, str(problem).removeprefix(f"{self.path}: ")))
            return
        if found.note and found.quantity not in self.noted:
            self.noted.add(found.quantity)
            say(f"{self.path}: {found.quantity} is {found.note}")
        start, end = found.interval or (None, valid_time(handle))
        self.pieces.append(
            Piece(
                found.quantity,
                self.path,
                label,
                GROUND,
                (0.0,),
                np.array([end]),
                grid,
                unit,
                partial(_read, self.path, place),
                origin=origin,
                starts=None if start is None else np.array([start]),
            )
        )

    def add(self, handle: Any, place: Place) -> None:
        """Take up a field, if it is one that can be used."""
        where = f"{self.path}: field {place.count}"
        found = _described(handle, where)
        if found is None:
            return
        if (step := eccodes.codes_get(handle, "stepType")) != "instant":
            self.left_out[step] = self.left_out.get(step, 0) + 1
            return
        static = QUANTITIES[found.quantity].where == STATIC
        origin = Origin() if static else origin_of(handle, where)
        time = None if static else valid_time(handle)
        key = (found.quantity, found.kind, found.level, time)
        if key in self.seen and not static:
            raise InputError(
                f"{where} is a second {found.quantity} at level {found.level:g} and {time}; "
                "give one analysis or member at a time."
            )
        self.seen.add(key)
        label = f"field {place.count} ({eccodes.codes_get(handle, 'shortName')})"
        quantity, unit, _ = chosen(f"{self.path}: {label}", (found.quantity,), eccodes.codes_get(handle, "units"), None)
        half, level = None, found.level
        if found.kind == ON_HYBRID and _get(handle, "PVPresent", 0):
            half, level = self._half(handle, where, found.level)
        self.pieces.append(
            Piece(
                quantity,
                self.path,
                label,
                found.kind,
                (level,),
                None if time is None else np.array([time]),
                self._grid(handle, where),
                unit,
                partial(_read, self.path, place),
                found.layers,
                half,
                origin=origin,
            )
        )

    def _half(self, handle: Any, where: str, level: float) -> tuple[np.ndarray, float]:
        """Coefficients of the half levels from the top, and the number of a level counted from there."""
        values = np.asarray(eccodes.codes_get_array(handle, "pv"), np.float64)
        key = values.tobytes()
        a, b = np.split(values, 2)
        if key not in self.half_levels:
            self.half_levels[key] = model_levels.ordered(where, a, b)
        return self.half_levels[key], (level if b[0] <= b[-1] else a.size - level)

    def _grid(self, handle: Any, where: str) -> Grid:
        keys = ("gridType", "Ni", "Nj", "Nx", "Ny", "scanningMode", "resolutionAndComponentFlags")
        ends = (f"{axis}Of{end}GridPointInDegrees" for axis in ("latitude", "longitude") for end in ("First", "Last"))
        steps = ("iDirectionIncrement", "DxInMetres", "DyInMetres", "N")
        cone = ("LoVInDegrees", "Latin1InDegrees", "Latin2InDegrees", "LaDInDegrees", "projectionCentreFlag", "radius")
        key = tuple(_get(handle, name) for name in (*keys, *ends, *steps, *cone))
        if key not in self.grids:
            self.grids[key] = _grid(handle, where)
        return self.grids[key]


def _read(path: Path, place: Place, time: int, levels: Sequence[int], window: Window) -> np.ndarray:
    """Values (1, ny, nx) of a field, NaN where its bitmap says missing."""
    message = field_at(path, place)
    handle = None
    try:
        handle = eccodes.codes_new_from_message(message)
        lambert = eccodes.codes_get(handle, "gridType") == "lambert"
        shape = tuple(eccodes.codes_get(handle, k) for k in (("Ny", "Nx") if lambert else ("Nj", "Ni")))
        eccodes.codes_set(handle, "missingValue", MISSING)
        values = np.asarray(eccodes.codes_get_values(handle))
        if values.size != shape[0] * shape[1]:
            raise InputError(
                f"{path}: field {place.count} holds {values.size} values for a grid of {shape[0]} x {shape[1]}; "
                "the file is damaged, fetch it again."
            )
        values = values.reshape(shape)[np.ix_(window.rows, window.columns)]
        # A bitmap says what is missing, or, in complex packing, a number.
        return np.where(values == MISSING, np.nan, values)[None]
    except eccodes.CodesInternalError as error:
        raise InputError(
            f"{path}: field {place.count} cannot be decoded ({error}); the file is damaged, fetch it again."
        ) from error
    finally:
        if handle is not None:
            eccodes.codes_release(handle)


class GribSource:
    """Reader of GRIB analyses on pressure or model levels, with what surface and soil fields they hold."""

    name = "grib"

    def recognises(self, path: Path, head: bytes) -> bool:
        """Whether the file begins with the letters GRIB."""
        return head.startswith(b"GRIB")

    def index(self, path: Path) -> list[Piece]:
        """What the file holds, from the headers of its fields; accumulated and averaged ones are left out.

        Raises:
            InputError: a field is not built as the standard says, or one that can be used is on a grid that is not
                read, or stands there twice.
        """
        index = self._indexed(path, near=False)
        if not index.pieces:
            left = ", ".join(f"{count} of stepType {step}" for step, count in index.left_out.items())
            why = f" (left out as no instants: {left})" if left else ""
            raise InputError(f"{path}: holds no field that drives a model{why}; give an analysis on pressure levels.")
        return index.pieces

    def index_all(self, path: Path, interval: np.timedelta64 | None) -> tuple[list[Piece], list[Refused]]:
        """What the file holds, at the ground and over intervals too, which are those of its headers alone."""
        index = self._indexed(path, near=True)
        if not index.pieces:
            reasons = "; ".join(str(one) for one in index.refused[:3])
            raise InputError(f"{path}: holds no field that can be used{': ' * bool(reasons)}{reasons}.")
        return index.pieces, index.refused

    def _indexed(self, path: Path, *, near: bool) -> _Index:
        index = _Index(path)
        for place, message in headers(path):
            handle = None
            try:
                handle = eccodes.codes_new_from_message(message)
                index.add(handle, place)
                if near:
                    index.add_near(handle, place)
            except eccodes.CodesInternalError as error:
                raise InputError(
                    f"{path}: field {place.count} cannot be decoded ({error}); the file is damaged, fetch it again."
                ) from error
            finally:
                if handle is not None:
                    eccodes.codes_release(handle)
        return index

    def read(self, path: Path) -> xr.Dataset:
        """Dataset of the file in the common form; relative humidity is turned into specific humidity over the phase
        that its centre would use (mixed).

        Humidity on levels the file leaves out is interpolated in ln p and named in the attribute `humidity_filled_at`.
        """
        from kaiseki.driving.sources.data import DrivingData

        return DrivingData.of(self.index(path), self.name).load()


GRIB = GribSource()
