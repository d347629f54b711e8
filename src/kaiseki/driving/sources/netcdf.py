"""NetCDF analyses on pressure levels: ERA5 and others that use its names, in any order of dimensions."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import xarray as xr

from kaiseki.core.constants import GRAVITY
from kaiseki.core.errors import InputError
from kaiseki.diagnostics.saturation import specific_humidity_from_relative
from kaiseki.driving.sources.conventions import SURFACE_DIMS, UNITS, Axes, assemble, sea_alone
from kaiseki.formats.netcdf import axis, find, is_netcdf, load, seconds

LATITUDE, LONGITUDE = ("latitude", "lat"), ("longitude", "lon")
LEVEL = ("pressure", "level", "pressure_level", "isobaricInhPa", "plev")
TIME = ("time", "valid_time")
HECTOPASCAL = ("hpa", "millibars", "mb", "mbar")

LEVEL_FIELDS = {
    "air_temperature": ("temperature", "t", "air_temperature"),
    "eastward_wind": ("u_component_of_wind", "u", "eastward_wind"),
    "northward_wind": ("v_component_of_wind", "v", "northward_wind"),
    "geopotential": ("geopotential", "z"),
    "geopotential_height": ("geopotential_height", "gh"),
    "specific_humidity": ("specific_humidity", "q"),
    "relative_humidity": ("relative_humidity", "r"),
}
SURFACE_FIELDS = {
    "surface_air_pressure": ("surface_pressure", "sp", "surface_air_pressure"),
    "sea_surface_temperature": ("sea_surface_temperature", "sst"),
    "surface_temperature": ("skin_temperature", "skt", "surface_temperature"),
    "sea_ice_area_fraction": ("sea_ice_cover", "siconc", "ci", "sea_ice_area_fraction"),
    "land_area_fraction": ("land_sea_mask", "lsm", "land_area_fraction"),
    "surface_altitude": ("surface_altitude", "orog"),
    "surface_geopotential": ("geopotential_at_surface",),
}


def _pressure(path: Path, dataset: xr.Dataset, name: str) -> np.ndarray:
    """The level axis in Pa. ERA5 files by way of Zarr carry no unit; their levels are whole hPa up to 1000."""
    values = np.atleast_1d(dataset[name].values).astype(np.float64)
    unit = str(dataset[name].attrs.get("units", "")).lower()
    if unit == "pa":
        return values
    if unit in HECTOPASCAL or (unit == "" and 300.0 <= values.max() <= 1100.0):
        return 100.0 * values
    raise InputError(f"{path}: the level axis {name} has unit {unit!r}; expected Pa or hPa.")


class NetcdfSource:
    """Reader of ERA5-like NetCDF files with fields on pressure levels."""

    name = "netcdf"

    def recognises(self, path: Path, head: bytes) -> bool:
        """Whether the file is NetCDF; what it lacks is reported when it is read."""
        return is_netcdf(head)

    def read(self, path: Path) -> xr.Dataset:
        """Dataset of the file in the common form; InputError when there is no temperature on pressure levels or a unit
        is not the expected one."""
        raw = load(path)
        latitude, longitude = axis(path, raw, LATITUDE), axis(path, raw, LONGITUDE)
        level, time = axis(path, raw, LEVEL), axis(path, raw, TIME)
        raw = raw.expand_dims([d for d in (level, time) if d not in raw.dims])
        pressure = _pressure(path, raw, level)
        axes = Axes(seconds(path, raw[time].values), raw[latitude].values, raw[longitude].values, pressure)
        fields: dict[str, np.ndarray] = {}
        for name, aliases in LEVEL_FIELDS.items():
            if (found := find(raw, aliases)) is not None:
                if level not in raw[found].dims:
                    raise InputError(
                        f"{path}: {found} is not on pressure levels; "
                        f"expected {name} on (time, level, latitude, longitude)."
                    )
                fields[name] = self._array(path, raw[found], (time, level, latitude, longitude))
        if "air_temperature" not in fields:
            raise InputError(
                f"{path}: holds no temperature on pressure levels; expected one of {LEVEL_FIELDS['air_temperature']}."
            )
        if "geopotential" in fields:
            fields.setdefault("geopotential_height", fields.pop("geopotential") / GRAVITY)
        relative = fields.pop("relative_humidity", None)
        if "specific_humidity" not in fields and relative is not None:
            fraction = 0.01 * np.clip(relative, 0.0, 100.0)
            fields["specific_humidity"] = specific_humidity_from_relative(
                fraction, fields["air_temperature"], pressure[:, None, None]
            )
        if "specific_humidity" in fields:
            fields["specific_humidity"] = np.maximum(fields["specific_humidity"], 0.0)
        for name, aliases in SURFACE_FIELDS.items():
            if (found := find(raw, aliases)) is not None:
                values = self._array(path, raw[found], (time, latitude, longitude))
                static = UNITS.get(name, (None,))[0] != SURFACE_DIMS
                fields[name] = values[0] if static else values
        if "surface_geopotential" in fields:
            fields["surface_altitude"] = fields.pop("surface_geopotential") / GRAVITY
        return assemble(str(path), self.name, axes, sea_alone(fields))

    @staticmethod
    def _array(path: Path, variable: xr.DataArray, dims: tuple[str, ...]) -> np.ndarray:
        if not set(variable.dims) <= set(dims):
            raise InputError(f"{path}: {variable.name} has dimensions {variable.dims}; expected {dims} in any order.")
        missing = [d for d in dims if d not in variable.dims]
        return np.asarray(variable.expand_dims(missing).transpose(*dims).values, dtype=np.float64)


NETCDF = NetcdfSource()
