"""One state of the atmosphere, laid out as the files of various producers."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import xarray as xr

from driving.cases import Profile
from kaiseki.core.constants import GRAVITY
from kaiseki.formats.grib.library import eccodes

LEVELS = 100.0 * np.array([1000.0, 850.0, 700.0, 500.0, 300.0, 200.0, 100.0])
TIMES = np.array(["2000-01-01T00", "2000-01-01T06", "2000-01-01T12"], "datetime64[s]")
DIMS = ("time", "pressure", "latitude", "longitude")
SHORT = {
    "air_temperature": "t",
    "eastward_wind": "u",
    "northward_wind": "v",
    "geopotential": "z",
    "specific_humidity": "q",
    "surface_air_pressure": "sp",
    "surface_temperature": "skt",
}
LONG = {
    "air_temperature": "temperature",
    "eastward_wind": "u_component_of_wind",
    "northward_wind": "v_component_of_wind",
    "geopotential": "geopotential",
    "specific_humidity": "specific_humidity",
    "surface_air_pressure": "surface_pressure",
    "surface_temperature": "skin_temperature",
}
UNITS = {
    "air_temperature": "K",
    "eastward_wind": "m s**-1",
    "northward_wind": "m s**-1",
    "geopotential": "m**2 s**-2",
    "geopotential_height": "m",
    "specific_humidity": "kg kg**-1",
    "surface_air_pressure": "Pa",
    "surface_temperature": "K",
}
PARAMETERS = {
    "air_temperature": 130,
    "eastward_wind": 131,
    "northward_wind": 132,
    "geopotential": 129,
    "specific_humidity": 133,
    "surface_air_pressure": 134,
    "surface_temperature": 235,
}


def content(step: float = 15.0) -> xr.Dataset:
    """A global state with waves in all directions and in time, heights in balance with temperatures; geopotential."""
    latitude, longitude = np.arange(-90.0, 90.1, step), np.arange(0.0, 359.9, step)
    hours = np.arange(TIMES.size)[:, None, None, None]
    level = np.arange(LEVELS.size)[None, :, None, None]
    lat, lon = np.deg2rad(latitude)[None, None, :, None], np.deg2rad(longitude)[None, None, None, :]
    wave = np.sin(lat + 0.3 * level) * np.cos(lon - 0.2 * hours + 0.1 * level) + 0.5 * np.sin(2.0 * lon + lat)
    z = Profile().height(LEVELS)[None, :, None, None]
    fields = {
        "air_temperature": Profile().temperature(z) + 2.0 * wave,
        "eastward_wind": 10.0 + 5.0 * level + 8.0 * wave,
        "northward_wind": 6.0 * np.roll(wave, 3, axis=-1),
        "geopotential": GRAVITY * (z + 20.0 * wave),
        "specific_humidity": 0.008 * (LEVELS / 1e5)[None, :, None, None] ** 3 * (1.0 + 0.3 * wave),
    }
    shape = (TIMES.size, LEVELS.size, latitude.size, longitude.size)
    variables = {name: (DIMS, np.broadcast_to(values, shape)) for name, values in fields.items()}
    surface = ("time", "latitude", "longitude")
    variables["surface_air_pressure"] = (surface, 101000.0 + 800.0 * variables["air_temperature"][1][:, 0] / 300.0)
    variables["surface_temperature"] = (surface, variables["air_temperature"][1][:, 0] + 1.0)
    axes = {"time": TIMES, "pressure": LEVELS, "latitude": latitude, "longitude": longitude}
    return xr.Dataset(variables, axes)


def named(dataset: xr.Dataset, names: dict[str, str]) -> xr.Dataset:
    """Variables under other names, each with its unit."""
    made = dataset.rename({old: new for old, new in names.items() if old in dataset})
    for old, new in names.items():
        if new in made:
            made[new].attrs["units"] = UNITS[old]
    return made


def hours(dataset: xr.Dataset, name: str = "time", unit: str = "hours", since: str = "1900-01-01") -> xr.Dataset:
    """Times as numbers since a date, as they stand in files."""
    length = {"hours": 3600, "seconds": 1, "days": 86400}[unit]
    numbers = (dataset["time"].values - np.datetime64(since, "s")) / np.timedelta64(length, "s")
    numbers = np.rint(numbers).astype(np.int64) if unit != "days" else numbers
    made = dataset.assign_coords(time=("time", numbers, {"units": f"{unit} since {since}", "standard_name": "time"}))
    return made.rename(time=name) if name != "time" else made


def first_generation(dataset: xr.Dataset, path: Path) -> Path:
    """ERA5 as the Climate Data Store wrote it until 2024: classic, `time`, whole `level` in millibars, north first."""
    made = hours(named(dataset, SHORT))
    made = made.assign_coords(pressure=(made["pressure"] / 100.0).astype(np.int32)).rename(pressure="level")
    made["level"].attrs["units"] = "millibars"
    made.isel(latitude=slice(None, None, -1), level=slice(None, None, -1)).to_netcdf(path, engine="scipy")
    return path


def second_generation(dataset: xr.Dataset, path: Path) -> Path:
    """ERA5 as it is written since 2024: NetCDF 4, `valid_time`, `pressure_level` in hPa, `number` and `expver`."""
    made = hours(named(dataset, SHORT), "valid_time", "seconds", "1970-01-01")
    if "pressure" in made.dims:
        made = made.assign_coords(pressure=made["pressure"] / 100.0).rename(pressure="pressure_level")
        made["pressure_level"].attrs |= {"units": "hPa", "standard_name": "air_pressure"}
    made = made.assign_coords(number=0, expver=("valid_time", np.full(made.sizes["valid_time"], "0001")))
    for name in made.data_vars:
        made[name].attrs |= {"GRIB_stepType": "instant"}
    made.isel(latitude=slice(None, None, -1)).to_netcdf(path, engine="h5netcdf")
    return path


def two_versions(dataset: xr.Dataset, path: Path) -> Path:
    """ERA5 with ERA5T at its end, as the first generation kept them apart along `expver`."""
    made = hours(named(dataset, SHORT))
    made = made.assign_coords(pressure=(made["pressure"] / 100.0).astype(np.int32)).rename(pressure="level")
    made["level"].attrs["units"] = "millibars"
    early = xr.DataArray(np.arange(made.sizes["time"]) < 2, dims="time")
    parts = [made.where(early), made.where(~early)]
    joined = xr.concat(parts, xr.IndexVariable("expver", np.array([1, 5], np.int32)))
    for name in joined.data_vars:
        joined[name].attrs = made[name].attrs
    joined.to_netcdf(path, engine="scipy")
    return path


def arco(dataset: xr.Dataset, path: Path) -> Path:
    """ARCO-ERA5: Zarr, long names, levels in whole hPa without a unit, north first, one chunk an hour."""
    made = hours(named(dataset, LONG))
    made = made.assign_coords(pressure=(made["pressure"] / 100.0).astype(np.int64)).rename(pressure="level")
    made = made.isel(latitude=slice(None, None, -1), level=slice(None, None, -1))
    chunks = {name: {"chunks": (1, *made[name].shape[1:])} for name in made.data_vars}
    made.to_zarr(path, encoding=chunks, zarr_format=2, consolidated=True)
    return path


JMA_TABLE_200 = {
    "air_temperature": 11,
    "eastward_wind": 33,
    "northward_wind": 34,
    "geopotential_height": 7,
    "specific_humidity": 51,
}


def jra_55(dataset: xr.Dataset, path: Path) -> Path:
    """JRA-55 as NCAR lays it out (ds628.0): GRIB 1 of centre 34 with JMA's table 200, heights in gpm.

    JMA Climate Prediction Division 2022: JRA-55 Product Users' Handbook, 1.25-degree latitude/longitude grid data,
    tables 4.1 and 4.2.
    """
    height = dataset.assign(geopotential_height=dataset["geopotential"] / GRAVITY).drop_vars("geopotential")
    names = {name: {"centre": 34, "table2Version": 200, "indicatorOfParameter": n} for name, n in JMA_TABLE_200.items()}
    return grib(height, path, edition=1, parameters=names)


def grib(
    dataset: xr.Dataset,
    path: Path,
    edition: int = 2,
    bits: int = 24,
    parameters: dict[str, dict[str, int]] | None = None,
) -> Path:
    """GRIB with 24 bits a value, north first."""
    parameters = parameters or {name: {"paramId": number} for name, number in PARAMETERS.items()}
    turned = dataset.isel(latitude=slice(None, None, -1))
    longitude, latitude = turned["longitude"].values, turned["latitude"].values
    with path.open("wb") as stream:
        for name in (n for n in parameters if n in turned):
            for at, time in enumerate(turned["time"].values):
                for k, pressure in enumerate(turned["pressure"].values if "pressure" in turned[name].dims else [None]):
                    values = turned[name].values[at] if pressure is None else turned[name].values[at, k]
                    where = "sfc" if pressure is None else "pl"
                    handle = eccodes.codes_grib_new_from_samples(f"regular_ll_{where}_grib{edition}")
                    stamp = str(time.astype("datetime64[s]"))
                    keys = {
                        "Ni": longitude.size,
                        "Nj": latitude.size,
                        "latitudeOfFirstGridPointInDegrees": float(latitude[0]),
                        "latitudeOfLastGridPointInDegrees": float(latitude[-1]),
                        "longitudeOfFirstGridPointInDegrees": float(longitude[0]),
                        "longitudeOfLastGridPointInDegrees": float(longitude[-1]),
                        "iDirectionIncrementInDegrees": float(longitude[1] - longitude[0]),
                        "jDirectionIncrementInDegrees": float(latitude[0] - latitude[1]),
                        "dataDate": int(stamp[:10].replace("-", "")),
                        "dataTime": int(stamp[11:13]) * 100,
                        **parameters[name],
                        "bitsPerValue": bits,
                    }
                    for key, value in keys.items():
                        eccodes.codes_set(handle, key, value)
                    if pressure is not None:
                        eccodes.codes_set(handle, "level", round(pressure / 100.0))
                    eccodes.codes_set_values(handle, values.ravel())
                    eccodes.codes_write(handle, stream)
                    eccodes.codes_release(handle)
    return path


def grib_1(dataset: xr.Dataset, path: Path) -> Path:
    """Edition 1 of `grib`."""
    return grib(dataset, path, edition=1)


def merra2_pressure(dataset: xr.Dataset, path: Path) -> Path:
    """MERRA-2 inst3_3d_asm_Np with its surface (GMAO Office Note 9): capital names, levels in hPa from below, heights,
    nothing under the ground."""
    names = {"air_temperature": "T", "eastward_wind": "U", "northward_wind": "V", "specific_humidity": "QV"}
    names |= {"geopotential_height": "H", "surface_air_pressure": "PS", "surface_temperature": "TS"}
    height = dataset.assign(geopotential_height=dataset["geopotential"] / GRAVITY).drop_vars("geopotential")
    made = hours(named(height, names), unit="seconds", since="2000-01-01")
    made = made.assign_coords(pressure=made["pressure"] / 100.0)
    made = made.rename(pressure="lev", latitude="lat", longitude="lon")
    made["lev"].attrs |= {"units": "hPa", "long_name": "vertical level", "positive": "down"}
    to_shifted(made, "lon").to_netcdf(path, engine="h5netcdf")
    return path


def jra3q(dataset: xr.Dataset, path: Path) -> Path:
    """JRA-3Q as NCAR lays it out (d640000): names of parameter, level and grid; levels in hPa, north first."""
    names = {
        "air_temperature": "tmp-pres-an-gauss",
        "eastward_wind": "ugrd-pres-an-gauss",
        "northward_wind": "vgrd-pres-an-gauss",
        "specific_humidity": "spfh-pres-an-gauss",
        "geopotential_height": "hgt-pres-an-gauss",
        "surface_air_pressure": "pres-sfc-an-gauss",
        "surface_temperature": "tsg-sfc-an-gauss",
    }
    height = dataset.assign(geopotential_height=dataset["geopotential"] / GRAVITY).drop_vars("geopotential")
    made = hours(named(height, names))
    made = made.assign_coords(pressure=made["pressure"] / 100.0)
    made = made.rename(pressure="pressure_level", latitude="lat", longitude="lon").isel(lat=slice(None, None, -1))
    made["pressure_level"].attrs |= {"units": "hPa"}
    made.to_netcdf(path, engine="h5netcdf")
    return path


def msm(dataset: xr.Dataset, path: Path) -> Path:
    """MSM on pressure levels as Kyoto University lays it out: `temp`, `z` in m, `p` in hPa, north first."""
    names = {"air_temperature": "temp", "eastward_wind": "u", "northward_wind": "v", "specific_humidity": "q"}
    names |= {"geopotential_height": "z", "surface_air_pressure": "sp", "surface_temperature": "skt"}
    height = dataset.assign(geopotential_height=dataset["geopotential"] / GRAVITY).drop_vars("geopotential")
    made = hours(named(height, names), since="2000-01-01")
    made = made.assign_coords(pressure=made["pressure"] / 100.0)
    made = made.rename(pressure="p", latitude="lat", longitude="lon").isel(lat=slice(None, None, -1))
    made["p"].attrs |= {"units": "hPa"}
    made.to_netcdf(path, engine="scipy")
    return path


def to_shifted(dataset: xr.Dataset, longitude: str) -> xr.Dataset:
    """Longitudes from -180 to 180."""
    own = (dataset[longitude].values + 180.0) % 360.0 - 180.0
    return dataset.assign_coords({longitude: own}).sortby(longitude)


def shifted(dataset: xr.Dataset, path: Path) -> Path:
    """Second generation with longitudes from -180 to 180 and latitudes from the south."""
    return second_generation(to_shifted(dataset, "longitude").isel(latitude=slice(None, None, -1)), path)


def levels_downward(dataset: xr.Dataset, path: Path) -> Path:
    """Second generation from the top down."""
    return second_generation(dataset.isel(pressure=slice(None, None, -1)), path)


WHOLE: dict[str, Callable[[xr.Dataset, Path], Path]] = {
    "first.nc": first_generation,
    "second.nc": second_generation,
    "versions.nc": two_versions,
    "arco.zarr": arco,
    "two.grib2": grib,
    "one.grib": grib_1,
    "shifted.nc": shifted,
    "downward.nc": levels_downward,
    "merra2.nc4": merra2_pressure,
    "jra3q.nc": jra3q,
    "msm.nc": msm,
}
"""Writers of one file or store with everything, by its name."""


def split(dataset: xr.Dataset, folder: Path, way: str) -> list[Path]:
    """Files of the second generation, split by "time", "variable", "level", or "surface" from levels."""
    if way == "time":
        parts = [dataset.isel(time=[k]) for k in range(dataset.sizes["time"])]
    elif way == "variable":
        parts = [dataset[[name]] for name in dataset.data_vars]
    elif way == "level":
        upper = [n for n in dataset.data_vars if "pressure" in dataset[n].dims]
        parts = [dataset[upper].isel(pressure=[k]) for k in range(dataset.sizes["pressure"])]
        parts.append(dataset.drop_vars([*upper, "pressure"]))
    else:
        upper = [n for n in dataset.data_vars if "pressure" in dataset[n].dims]
        parts = [dataset[upper], dataset.drop_vars([*upper, "pressure"])]
    return [second_generation(part, folder / f"{way}_{k}.nc") for k, part in enumerate(parts[::-1])]
