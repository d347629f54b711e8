"""Sea-surface temperature and sea ice alone, in NetCDF: NOAA OISST and monthly climatologies."""

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
ICE = ("ice", "icec", "sic")
"""Names of the cover by ice in OISST, in NOAA's fields of ice alone and in HadISST."""
SEA_RANGE = (271.15, 310.15)
"""Plausible sea-surface temperatures, K. Sea water freezes at about -1.9 C (271.25 K at 35 g/kg salt: UNESCO 1983,
Techn. Pap. Mar. Sci. 44); analyses use -1.8 C under ice. Below the first bound a value is the temperature of ice or
land, above the second it is none of an open sea."""


class SstNetcdfSource:
    """Reader of NetCDF files that hold a sea-surface temperature, sea ice or both, and no pressure levels."""

    name = "sst_netcdf"

    def recognises(self, path: Path, head: bytes) -> bool:
        """Whether the file is NetCDF with a variable of SST or ice and no level axis."""
        if not is_netcdf(head):
            return False
        dataset = load(path, decode_times=False)
        return find(dataset, (*SST, *ICE)) is not None and find(dataset, PRESSURE) is None

    def read(self, path: Path) -> xr.Dataset:
        """Dataset with sea_surface_temperature (time, latitude, longitude) in K, sea_ice_area_fraction or both.

        Temperatures outside `SEA_RANGE` are masked (NaN) and counted in the attribute `masked_values`. Twelve monthly
        fields get the attribute `time_axis` "monthly"; whether they are a climatology is the user's to say
        (`sst.SeaSeries`).
        """
        raw = load(path, decode_times=False)
        latitude, longitude, time = (axis(path, raw, a) for a in (LATITUDE, LONGITUDE, TIME))
        if time not in raw.dims:
            raw = raw.expand_dims(time)
        fields, masked = {}, 0
        if (name := find(raw, SST)) is not None:
            values = _values(path, raw, name, (time, latitude, longitude), "temperature")
            with np.errstate(invalid="ignore"):
                wrong = (values < SEA_RANGE[0]) | (values > SEA_RANGE[1])
            fields["sea_surface_temperature"], masked = np.where(wrong, np.nan, values), int(wrong.sum())
        if (name := find(raw, ICE)) is not None:
            fields["sea_ice_area_fraction"] = _values(path, raw, name, (time, latitude, longitude), "ratio")
        attributes = raw[time].attrs
        times = decode_times(
            f"{path}: {time}",
            np.atleast_1d(raw[time].values),
            str(attributes.get("units", "")),
            str(attributes.get("calendar", "")),
        )
        axes = Axes(times, raw[latitude].values, raw[longitude].values)
        dataset = assemble(str(path), self.name, axes, fields)
        dataset.attrs["masked_values"] = masked
        months = times.astype("datetime64[M]").astype(int) % 12
        if np.array_equal(months, np.arange(12)):
            dataset.attrs["time_axis"] = "monthly"
        return dataset


def _values(path: Path, raw: xr.Dataset, name: str, axes: tuple[str, str, str], kind: str) -> np.ndarray:
    """A variable (time, latitude, longitude) in SI, whose unit must be of a kind."""
    single = [d for d in raw[name].dims if d not in axes and raw.sizes[d] == 1]
    variable = raw[name].squeeze(single)
    if set(variable.dims) != set(axes):
        raise InputError(f"{path}: {name} has dimensions {variable.dims}; expected {axes} in any order.")
    values = np.asarray(variable.transpose(*axes).values, dtype=np.float64)
    text = str(raw[name].attrs.get("units", ""))
    unit = unit_of(text)
    if unit is None or unit.kind != kind:
        wanted = "K or degC" if kind == "temperature" else "1 or %"
        raise InputError(f"{path}: {name} has unit {text!r}; expected {wanted}.")
    return np.asarray(unit.factor * values + unit.offset)


SST_NETCDF = SstNetcdfSource()
