"""GRIB 1 and 2 analyses on latitude-longitude grids: GFS, GEFS, ERA5, ECMWF."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import xarray as xr

from kaiseki.core.constants import GRAVITY
from kaiseki.core.errors import InputError
from kaiseki.diagnostics.saturation import specific_humidity_from_relative
from kaiseki.driving.sources.conventions import Axes, assemble, fill_humidity, sea_alone
from kaiseki.formats.grib.library import eccodes
from kaiseki.formats.grib.messages import single_fields

PRESSURE_UNITS = {"isobaricInhPa": 100.0, "isobaricInPa": 1.0}
ON_PRESSURE = {
    129: "geopotential",
    130: "air_temperature",
    131: "eastward_wind",
    132: "northward_wind",
    133: "specific_humidity",
    156: "geopotential_height",
    157: "relative_humidity",
}
"""ECMWF parameter numbers, which the library assigns to fields of every centre."""
AT_SURFACE = {
    31: "sea_ice_area_fraction",
    34: "sea_surface_temperature",
    129: "surface_geopotential",
    130: "surface_temperature",
    134: "surface_air_pressure",
    172: "land_area_fraction",
    235: "surface_temperature",
    228002: "surface_altitude",
}
SOIL_LAYER = "depthBelowLandLayer"


@dataclass
class _Content:
    """Fields met so far: {(name, time, level): values (nlat, nlon)} and the grid they must share."""

    latitude: np.ndarray | None = None
    longitude: np.ndarray | None = None
    fields: dict[tuple[str, np.datetime64, float], np.ndarray] = field(default_factory=dict)


def _name_and_level(handle: Any) -> tuple[str, float] | None:
    """The common name and the level (Pa, m of depth, or 0) of a field, None if it is not one we use."""
    if eccodes.codes_get(handle, "stepType") != "instant":
        return None
    kind, number = eccodes.codes_get(handle, "typeOfLevel"), eccodes.codes_get(handle, "paramId")
    if kind in PRESSURE_UNITS and number in ON_PRESSURE:
        return ON_PRESSURE[number], eccodes.codes_get(handle, "level") * PRESSURE_UNITS[kind]
    if kind == "surface" and number in AT_SURFACE:
        return AT_SURFACE[number], 0.0
    if kind == SOIL_LAYER and number == 130:
        bounds = []
        for which in ("First", "Second"):
            scale = eccodes.codes_get(handle, f"scaleFactorOf{which}FixedSurface")
            bounds.append(eccodes.codes_get(handle, f"scaledValueOf{which}FixedSurface") * 10.0**-scale)
        return "soil_temperature", float(np.mean(bounds))
    return None


def _valid_time(handle: Any) -> np.datetime64:
    date, clock = eccodes.codes_get(handle, "validityDate"), eccodes.codes_get(handle, "validityTime")
    day = f"{date // 10000:04d}-{date // 100 % 100:02d}-{date % 100:02d}"
    return np.datetime64(f"{day}T{clock // 100:02d}:{clock % 100:02d}:00", "s")


def _values(handle: Any, where: str, content: _Content) -> np.ndarray:
    """Field values (nlat, nlon), NaN where the bitmap says missing; checks that the grid is the file's one grid."""
    grid = eccodes.codes_get(handle, "gridType")
    odd = [k for k in ("jPointsAreConsecutive", "alternativeRowScanning") if eccodes.codes_get(handle, k)]
    if grid not in ("regular_ll", "regular_gg") or odd:
        raise InputError(
            f"{where} is on a {grid} grid {odd or ''}; "
            "only regular latitude-longitude and Gaussian grids in rows are read."
        )
    latitude = eccodes.codes_get_array(handle, "distinctLatitudes")
    longitude = eccodes.codes_get_array(handle, "distinctLongitudes")
    latitude = np.sort(latitude) if eccodes.codes_get(handle, "jScansPositively") else np.sort(latitude)[::-1]
    if eccodes.codes_get(handle, "iScansNegatively"):
        longitude = longitude[::-1]
    if content.latitude is None or content.longitude is None:
        content.latitude, content.longitude = latitude, longitude
    elif not (np.array_equal(latitude, content.latitude) and np.array_equal(longitude, content.longitude)):
        raise InputError(f"{where} is on another grid than the first field; split the file by grid.")
    eccodes.codes_set(handle, "missingValue", 1.0e36)
    values = eccodes.codes_get_values(handle).reshape(latitude.size, longitude.size)
    if eccodes.codes_get(handle, "bitmapPresent"):
        values = np.where(values == 1.0e36, np.nan, values)
    return np.asarray(values)


def _scan(path: Path) -> _Content:
    content = _Content()
    for count, message in single_fields(path):
        where = f"{path}: field {count}"
        handle = None
        try:
            handle = eccodes.codes_new_from_message(message)
            found = _name_and_level(handle)
            if found is None:
                continue
            key = (found[0], _valid_time(handle), found[1])
            if key in content.fields:
                raise InputError(
                    f"{where} is a second {key[0]} at level {key[2]:g} and {key[1]}; "
                    "give one analysis or member at a time."
                )
            content.fields[key] = _values(handle, where, content)
        except eccodes.CodesInternalError as error:
            raise InputError(f"{where} cannot be decoded ({error}); the file is damaged, fetch it again.") from error
        finally:
            if handle is not None:
                eccodes.codes_release(handle)
    return content


def _stack(path: Path, content: _Content, name: str, times: list[np.datetime64], levels: list[float]) -> np.ndarray:
    """Fields (nt, nlevels, nlat, nlon) of one quantity; InputError names the first field that is missing."""
    for time in times:
        for level in levels:
            if (name, time, level) not in content.fields:
                raise InputError(
                    f"{path}: {name} is missing at level {level:g} and {time}; the file is incomplete or truncated."
                )
    return np.stack([np.stack([content.fields[name, t, k] for k in levels]) for t in times])


def _humidity(
    path: Path, content: _Content, times: list[np.datetime64], levels: list[float], temperature: np.ndarray
) -> tuple[np.ndarray, list[float]] | None:
    """Specific humidity on all levels and the levels that had to be filled, None if the file has no humidity."""
    for name in ("specific_humidity", "relative_humidity"):
        have = [k for k in levels if any((name, t, k) in content.fields for t in times)]
        if not have:
            continue
        missing = np.array([k not in have for k in levels])
        values = np.full(temperature.shape, np.nan)
        values[:, ~missing] = _stack(path, content, name, times, have)
        pressure = np.array(levels)
        if name == "relative_humidity":
            values = specific_humidity_from_relative(
                0.01 * np.clip(values, 0.0, 100.0), temperature, pressure[:, None, None]
            )
        return fill_humidity(np.log(pressure), values, missing), [k for k in levels if k not in have]
    return None


class GribSource:
    """Reader of GRIB analyses on pressure levels with what surface fields they hold."""

    name = "grib"

    def recognises(self, path: Path, head: bytes) -> bool:
        """Whether the file begins with the letters GRIB."""
        return head.startswith(b"GRIB")

    def read(self, path: Path) -> xr.Dataset:
        """Dataset of the file in the common form; relative humidity is turned into specific humidity over the phase
        that its centre would use (mixed).

        Humidity on levels the file leaves out is interpolated in ln p and named in the attribute `humidity_filled_at`.
        Soil temperature is read from GRIB2 layers only; accumulated and averaged fields are ignored.
        """
        content = _scan(path)
        names = {key[0] for key in content.fields}
        times = sorted({key[1] for key in content.fields})
        if "air_temperature" not in names or content.latitude is None or content.longitude is None:
            raise InputError(f"{path}: holds no temperature on pressure levels; give an analysis on pressure levels.")
        levels = sorted({key[2] for key in content.fields if key[0] == "air_temperature"}, reverse=True)
        fields = {name: _stack(path, content, name, times, levels) for name in ("air_temperature",)}
        for name in ("eastward_wind", "northward_wind", "geopotential_height"):
            if name in names:
                fields[name] = _stack(path, content, name, times, levels)
        if ("eastward_wind" in names) != ("northward_wind" in names):
            raise InputError(f"{path}: holds only one of the two wind components; fetch both.")
        if "geopotential_height" not in names and "geopotential" in names:
            fields["geopotential_height"] = _stack(path, content, "geopotential", times, levels) / GRAVITY
        humidity = _humidity(path, content, times, levels, fields["air_temperature"])
        if humidity is not None:
            fields["specific_humidity"] = np.maximum(humidity[0], 0.0)
        for name in set(AT_SURFACE.values()) & names:
            if name in ("surface_altitude", "land_area_fraction", "surface_geopotential"):
                fields[name] = _stack(path, content, name, times[:1], [0.0])[0, 0]
            else:
                fields[name] = _stack(path, content, name, times, [0.0])[:, 0]
        if "surface_geopotential" in fields:
            fields["surface_altitude"] = fields.pop("surface_geopotential") / GRAVITY
        depths = sorted({key[2] for key in content.fields if key[0] == "soil_temperature"})
        if depths:
            fields["soil_temperature"] = _stack(path, content, "soil_temperature", times, depths)
        axes = Axes(
            np.array(times), content.latitude, content.longitude, np.array(levels), np.array(depths) if depths else None
        )
        dataset = assemble(str(path), self.name, axes, sea_alone(fields))
        if humidity is not None and humidity[1]:
            dataset.attrs["humidity_filled_at"] = " ".join(f"{k:g}" for k in humidity[1])
        return dataset


GRIB = GribSource()
