"""A global or regional analysis on a model Domain, over the model's own terrain."""

from __future__ import annotations

from typing import Any

import numpy as np
import xarray as xr

from kaiseki.core.errors import InputError
from kaiseki.diagnostics.thermodynamics import virtual_temperature
from kaiseki.driving.column import (
    LAPSE_RATE,
    ColumnInterpolation,
    hydrostatic_pressure,
    log_pressure_at,
    thickness_correction,
)
from kaiseki.driving.moisture import split_virtual_temperature
from kaiseki.driving.sources.conventions import STATE
from kaiseki.driving.sst import SeaSurface
from kaiseki.driving.weights import Interpolation, from_lat_lon

HEIGHT_ABOVE_TOP = 1500.0
"""Largest height of the model's highest level over the source's, m; there the column is continued isothermally with
constant wind."""
CONDENSATE = ("qc", "qr", "qi", "qs")


def at_time(dataset: xr.Dataset, time: np.datetime64 | None) -> xr.Dataset:
    """One time of a Dataset, linear between its times; the only one when `time` is None.

    Raises:
        InputError: `time` is None and there are several, or it lies outside the Dataset's times.
    """
    times = dataset["time"].values.astype("datetime64[s]")
    if time is None:
        if times.size != 1:
            raise InputError(
                f"The driving data hold {times.size} times from {times[0]} to {times[-1]}; say which one is wanted."
            )
        return dataset.isel(time=0)
    time = np.datetime64(time, "s")
    if not times[0] <= time <= times[-1]:
        raise InputError(
            f"The driving data reach from {times[0]} to {times[-1]}, but {time} is wanted; add files for that time."
        )
    after = int(np.searchsorted(times, time))
    if times[after] == time:
        return dataset.isel(time=after)
    weight = float((time - times[after - 1]) / (times[after] - times[after - 1]))
    before, later = dataset.isel(time=after - 1, drop=True), dataset.isel(time=after, drop=True)
    return ((1.0 - weight) * before + weight * later).assign_coords(time=time).assign_attrs(dataset.attrs)


def _check(dataset: xr.Dataset) -> None:
    name = dataset.attrs.get("file", "driving data")
    missing = [v for v in STATE if v not in dataset]
    if missing:
        raise InputError(f"{name}: cannot drive a model without {', '.join(missing)}; add a file that holds them.")
    for variable in STATE:
        if np.isnan(dataset[variable].values).any():
            raise InputError(f"{name}: {variable} has missing values; give a file with complete pressure levels.")


def _surface_pressure(
    data: xr.Dataset, cubic: Interpolation, height: np.ndarray, log_p: np.ndarray, tv: np.ndarray, ground: np.ndarray
) -> np.ndarray:
    """Pressure (Pa) at our ground (ny, nx): from the source's profile, shifted by what the source's own surface
    pressure says."""
    log_surface = log_pressure_at(height, log_p, tv, ground[None])[0]
    if "surface_air_pressure" in data and "surface_altitude" in data:
        temperature, humidity = data["air_temperature"].values, data["specific_humidity"].values
        at_source_ground = log_pressure_at(
            data["geopotential_height"].values,
            np.broadcast_to(np.log(data["pressure"].values)[:, None, None], temperature.shape),
            virtual_temperature(temperature, humidity),
            data["surface_altitude"].values[None],
        )[0]
        log_surface = log_surface + cubic(np.log(data["surface_air_pressure"].values) - at_source_ground)
    return np.asarray(np.exp(log_surface))


def _skin_and_soil(
    data: xr.Dataset, linear: Interpolation, domain: Any, sst: np.ndarray | None, ground_air: np.ndarray
) -> dict[str, np.ndarray]:
    """Skin and soil temperature on the domain, moved from the source's to our altitude with `LAPSE_RATE`.

    Without a skin temperature in the source, land takes the air's at the ground; over sea the skin is the sea surface.
    """
    lowering = 0.0
    if "surface_altitude" in data:
        lowering = LAPSE_RATE * (linear(data["surface_altitude"].values) - domain.terrain)
    land = ground_air
    if "surface_temperature" in data:
        land = linear(data["surface_temperature"].values) + lowering
    fraction = domain.land_fraction
    result = {"skin_temperature": land if sst is None else fraction * land + (1.0 - fraction) * sst}
    if "soil_temperature" in data:
        soil = data["soil_temperature"].values
        # Sources leave soil undefined over sea; there it stands for nothing and takes the skin's value.
        known = np.where(
            np.isnan(soil), data["surface_temperature"].values if "surface_temperature" in data else np.nan, soil
        )
        if not np.isnan(known).any():
            result["soil_temperature"] = linear(known) + lowering
    return result


def ground_on_domain(dataset: xr.Dataset, domain: Any) -> np.ndarray | None:
    """The terrain of the driving data on the domain's cell centres (ny, nx) m, None where they hold none.

    Raises:
        InputError: the domain reaches beyond the data.
    """
    if "surface_altitude" not in dataset:
        return None
    where = (dataset["latitude"].values, dataset["longitude"].values, domain.lat, domain.lon)
    return np.asarray(from_lat_lon(*where)(dataset["surface_altitude"].values))


def atmosphere_on_domain(dataset: xr.Dataset, domain: Any, time: np.datetime64 | None = None) -> dict[str, np.ndarray]:
    """The analysis on the domain's cell centres, every column hydrostatic over the domain's terrain.

    Horizontally each pressure level is interpolated (cubic; humidity linear). Vertically wind and humidity are linear
    in height, and so is virtual temperature but for a parabola in each layer that keeps the layer's thickness. Surface
    pressure follows hydrostatically from the source's heights and virtual temperatures at our ground (below its lowest
    level with the standard lapse rate), shifted by the difference between the source's own surface pressure and that
    profile. Pressure is integrated upward by the discrete relation of `driving.column`. Humidity is cut at saturation,
    which leaves Tv and so pressure as they are.

    Args:
        dataset: the common form of `driving.sources`.
        domain: a `grid.Domain`.
        time: which time, interpolated linearly; may be None if the dataset has only one.

    Returns:
        (nz, ny, nx): u, v (m/s, grid-relative), w (0), temperature (K), pressure (Pa), qv (kg/kg), qc, qr, qi, qs (0:
        left to the model); (ny, nx): surface_pressure (Pa), skin_temperature (K), sst (K, if the source has one),
        soil_temperature (ndepth, ny, nx; if the source has it).

    Raises:
        InputError: quantities or values are missing, the domain reaches beyond the source or over its top, or the time
            is not covered.
    """
    _check(dataset)
    data = at_time(dataset, time)
    where = (data["latitude"].values, data["longitude"].values, domain.lat, domain.lon)
    cubic, linear = from_lat_lon(*where), from_lat_lon(*where, method="linear")
    temperature, humidity = data["air_temperature"].values, data["specific_humidity"].values
    height = cubic(data["geopotential_height"].values)
    tv = cubic(virtual_temperature(temperature, humidity))
    log_p = np.broadcast_to(np.log(data["pressure"].values)[:, None, None], height.shape)
    if (gap := float((domain.z[-1] - height[-1]).max())) > HEIGHT_ABOVE_TOP:
        raise InputError(
            f"{dataset.attrs.get('file', 'driving data')}: the highest level "
            f"({data['pressure'].values[-1] / 100:g} hPa) lies {gap:.0f} m under the domain's top; "
            "lower the top of the domain or use a source that reaches higher."
        )
    surface_pressure = _surface_pressure(data, cubic, height, log_p, tv, domain.terrain)
    columns = ColumnInterpolation.build(height, domain.z)
    tv_model = columns.temperature(tv, thickness_correction(height, log_p, tv))
    pressure = hydrostatic_pressure(surface_pressure, tv_model, domain.z, domain.terrain)
    t_model, qv = split_virtual_temperature(tv_model, pressure, columns.linear(linear(humidity)))
    u, v = domain.to_grid(
        columns.linear(cubic(data["eastward_wind"].values)), columns.linear(cubic(data["northward_wind"].values))
    )
    zero = np.zeros(domain.shape)
    fields = {"u": u, "v": v, "w": zero, "temperature": t_model, "pressure": pressure, "qv": qv}
    fields |= {name: zero.copy() for name in CONDENSATE}
    fields["surface_pressure"] = surface_pressure
    sea = SeaSurface.of(data, domain=domain)
    sst = None if sea is None else sea.on(domain)
    if sst is not None:
        fields["sst"] = sst
    slope = (t_model[1] - t_model[0]) / (domain.z[1] - domain.z[0])
    return fields | _skin_and_soil(data, linear, domain, sst, t_model[0] - slope * (domain.z[0] - domain.terrain))
