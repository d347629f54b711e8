"""Sea-surface temperature alone, in NetCDF: NOAA OISST and monthly climatologies."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import xarray as xr

from kaiseki.core.errors import InputError
from kaiseki.driving.sources.conventions import Axes, assemble
from kaiseki.driving.sources.layouts import LATITUDE, LONGITUDE, PRESSURE, TIME
from kaiseki.driving.sources.units import unit_of
from kaiseki.formats.cf_time import decode_times
from kaiseki.formats.netcdf import axis, find, is_netcdf, load

SST = ("sst", "sea_surface_temperature", "analysed_sst")
SEA_RANGE = (271.15, 310.15)
"""Plausible sea-surface temperatures, K. Sea water freezes at about -1.9 C (271.25 K at 35 g/kg salt: UNESCO 1983,
Techn. Pap. Mar. Sci. 44); analyses use -1.8 C under ice. Below the first bound a value is the temperature of ice or
land, above the second it is none of an open sea."""


class SstNetcdfSource:
    """Reader of NetCDF files that hold a sea-surface temperature and no pressure levels."""

    name = "sst_netcdf"

    def recognises(self, path: Path, head: bytes) -> bool:
        """Whether the file is NetCDF with an SST variable and no level axis."""
        if not is_netcdf(head):
            return False
        dataset = load(path, decode_times=False)
        return find(dataset, SST) is not None and find(dataset, PRESSURE) is None

    def read(self, path: Path) -> xr.Dataset:
        """Dataset with sea_surface_temperature (time, latitude, longitude) in K.

        Values outside `SEA_RANGE` are masked (NaN) and counted in the attribute `masked_values`. Twelve monthly fields
        get the attribute `time_axis` "monthly"; whether they are a climatology is the user's to say
        (`sst.sst_on_domain`).
        """
        raw = load(path, decode_times=False)
        name = find(raw, SST)
        if name is None:
            raise InputError(f"{path}: holds no sea-surface temperature; expected a variable named {' or '.join(SST)}.")
        latitude, longitude, time = (axis(path, raw, a) for a in (LATITUDE, LONGITUDE, TIME))
        if time not in raw.dims:
            raw = raw.expand_dims(time)
        single = [d for d in raw[name].dims if d not in (time, latitude, longitude) and raw.sizes[d] == 1]
        variable = raw[name].squeeze(single)
        if set(variable.dims) != {time, latitude, longitude}:
            raise InputError(
                f"{path}: {name} has dimensions {variable.dims}; expected {(time, latitude, longitude)} in any order."
            )
        values = np.asarray(variable.transpose(time, latitude, longitude).values, dtype=np.float64)
        text = str(raw[name].attrs.get("units", ""))
        unit = unit_of(text)
        if unit is None or unit.kind != "temperature":
            raise InputError(f"{path}: {name} has unit {text!r}; expected K or degC.")
        values = unit.factor * values + unit.offset
        with np.errstate(invalid="ignore"):
            wrong = (values < SEA_RANGE[0]) | (values > SEA_RANGE[1])
        attributes = raw[time].attrs
        times = decode_times(
            f"{path}: {time}",
            np.atleast_1d(raw[time].values),
            str(attributes.get("units", "")),
            str(attributes.get("calendar", "")),
        )
        axes = Axes(times, raw[latitude].values, raw[longitude].values)
        dataset = assemble(str(path), self.name, axes, {"sea_surface_temperature": np.where(wrong, np.nan, values)})
        dataset.attrs["masked_values"] = int(wrong.sum())
        months = times.astype("datetime64[M]").astype(int) % 12
        if np.array_equal(months, np.arange(12)):
            dataset.attrs["time_axis"] = "monthly"
        return dataset


SST_NETCDF = SstNetcdfSource()
