"""A global or regional analysis on a model Domain, over the model's own terrain."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import xarray as xr

from kaiseki.core.errors import InputError
from kaiseki.diagnostics.thermodynamics import virtual_temperature
from kaiseki.driving.column import (
    ColumnInterpolation,
    hydrostatic_pressure,
    log_pressure_at,
    thickness_correction,
)
from kaiseki.driving.moisture import split_virtual_temperature
from kaiseki.driving.sources.conventions import STATE
from kaiseki.driving.sources.data import DrivingData
from kaiseki.driving.sources.grids import projection_of
from kaiseki.driving.sources.model_levels import heights_from_surface
from kaiseki.driving.surface import surface_on_domain
from kaiseki.driving.weights import Interpolation, weights_onto

HEIGHT_ABOVE_TOP = 1500.0
"""Largest height of the model's highest level over the source's, m; there the column is continued isothermally with
constant wind."""
DEPTH_BELOW_LOWEST = 600.0
"""Largest height of the source's lowest level over the model's ground, m, as of 1000 hPa in the strongest highs; below
it the column is continued with `LAPSE_RATE` and constant wind."""
CONDENSATE = ("qc", "qr", "qi", "qs")


def at_time(dataset: xr.Dataset | DrivingData, time: np.datetime64 | None) -> xr.Dataset:
    """One time of a Dataset, linear between its times; the only one when `time` is None.

    Raises:
        InputError: `time` is None and there are several, or it lies outside the Dataset's times.
    """
    if isinstance(dataset, xr.Dataset) and "time" not in dataset.dims:
        # One time, as of `DrivingData.at`.
        own = dataset["time"].values.astype("datetime64[s]") if "time" in dataset else time
        if time is not None and np.datetime64(time, "s") != own:
            raise InputError(f"The driving data are of {own} alone, but {time} is wanted; take them at that time.")
        return dataset
    if isinstance(dataset, DrivingData):
        if time is None and dataset.times.size == 1:
            time = dataset.times[0]
        if time is not None:
            return dataset.at(time)
        times = dataset.times
    else:
        times = dataset["time"].values.astype("datetime64[s]")
    if isinstance(dataset, DrivingData) or (time is None and times.size != 1):
        raise InputError(
            f"The driving data hold {times.size} times from {times[0]} to {times[-1]}; say which one is wanted."
        )
    if time is None:
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


def _check(data: xr.Dataset) -> None:
    """Refuse data that lack a quantity; heights may follow from surface pressure."""
    name = data.attrs.get("file", "driving data")
    missing = [v for v in STATE if v not in data]
    if missing == ["geopotential_height"] and "surface_air_pressure" in data and "pressure" in data.dims:
        return
    if missing:
        raise InputError(f"{name}: cannot drive a model without {', '.join(missing)}; add a file that holds them.")


def _log_pressure(data: xr.Dataset) -> np.ndarray:
    """Logarithm of the pressure of a Dataset's levels, (n, 1, 1) on pressure levels, (n, ny, nx) on model levels."""
    if "air_pressure" in data:
        return np.log(data["air_pressure"].values)
    return np.log(data["pressure"].values)[:, None, None]


def _whole(data: xr.Dataset, name: str, values: np.ndarray) -> np.ndarray:
    """Values of a quantity, none of which may be missing."""
    if np.isnan(values).any():
        share = float(np.isnan(values).mean())
        raise InputError(
            f"{data.attrs.get('file', 'driving data')}: {name} has missing values at {100.0 * share:.2g} % of the "
            "places; give a file with complete levels, with the surface pressure too where levels under the ground "
            "are left out, or a smaller domain."
        )
    return values


def _surface_pressure(
    data: xr.Dataset, cubic: Interpolation, height: np.ndarray, log_p: np.ndarray, tv: np.ndarray, ground: np.ndarray
) -> np.ndarray:
    """Pressure (Pa) at our ground (ny, nx): from the source's profile, shifted by what the source's own surface
    pressure says."""
    log_surface = log_pressure_at(height, log_p, tv, ground[None])[0]
    if "surface_air_pressure" in data and "surface_altitude" in data and "geopotential_height" in data:
        temperature, humidity = data["air_temperature"].values, data["specific_humidity"].values
        at_source_ground = log_pressure_at(
            data["geopotential_height"].values,
            np.broadcast_to(_log_pressure(data), temperature.shape),
            virtual_temperature(temperature, humidity),
            data["surface_altitude"].values[None],
        )[0]
        log_surface = log_surface + cubic(np.log(data["surface_air_pressure"].values) - at_source_ground)
    return np.asarray(np.exp(log_surface))


def ground_on_domain(dataset: xr.Dataset | DrivingData, domain: Any) -> np.ndarray | None:
    """The terrain of the driving data on the domain's cell centres (ny, nx) m, None where they hold none.

    Raises:
        InputError: the domain reaches beyond the data.
    """
    data = dataset.fixed() if isinstance(dataset, DrivingData) else dataset
    if "surface_altitude" not in data:
        return None
    return np.asarray(weights_onto(data, domain)(data["surface_altitude"].values))


def _heights(data: xr.Dataset, cubic: Interpolation, log_p: np.ndarray, tv: np.ndarray, domain: Any) -> np.ndarray:
    """Heights (n, ny, nx) of the source's levels over the domain, m: its own, or hydrostatic from its surface pressure.

    The surface pressure then holds at the source's own ground where it tells it, else at that of the domain.
    """
    if "geopotential_height" in data:
        return _whole(data, "geopotential_height", cubic(data["geopotential_height"].values))
    ground = domain.terrain
    if "surface_altitude" in data:
        ground = cubic(data["surface_altitude"].values)
    log_surface = _whole(data, "surface_air_pressure", cubic(np.log(data["surface_air_pressure"].values)))
    return heights_from_surface(log_p, tv, log_surface, ground)


def _check_reach(data: xr.Dataset, height: np.ndarray, domain: Any) -> None:
    """Refuse a source whose levels end far below the domain's top or begin far over its ground."""
    name = data.attrs.get("file", "driving data")

    def level(k: int) -> str:
        return f"{data['pressure'].values[k] / 100:g} hPa" if "pressure" in data.dims else "of the model"

    if (gap := float((domain.z[-1] - height[-1]).max())) > HEIGHT_ABOVE_TOP:
        raise InputError(
            f"{name}: the highest level ({level(-1)}) lies {gap:.0f} m under the domain's top; "
            "lower the top of the domain or use a source that reaches higher."
        )
    if (gap := float((height[0] - domain.terrain).max())) > DEPTH_BELOW_LOWEST:
        raise InputError(
            f"{name}: the lowest level ({level(0)}) lies {gap:.0f} m over the domain's ground; add the levels below it "
            "or use a source that reaches lower."
        )


def atmosphere_on_domain(
    dataset: xr.Dataset | DrivingData,
    domain: Any,
    time: np.datetime64 | None = None,
    soil: Sequence[float] | None = None,
) -> dict[str, np.ndarray]:
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
        soil: thickness of the layers of soil wanted, m, downwards; None for no soil.

    Returns:
        (nz, ny, nx): u, v (m/s, grid-relative), w (0), temperature (K), pressure (Pa), qv (kg/kg), qc, qr, qi, qs (0:
        left to the model); (ny, nx): surface_pressure (Pa) and what `surface.surface_on_domain` gives.

    Raises:
        InputError: quantities or values are missing, the domain reaches beyond the source or over its top, or the time
            is not covered.
    """
    data = at_time(dataset, time)
    _check(data)
    if isinstance(dataset, xr.Dataset) and projection_of(data.attrs) is None:
        # A whole grid of latitude and longitude has no place without a value unless something is wrong with it.
        for name in (v for v in STATE if v in data):
            _whole(data, name, data[name].values)
    cubic, linear = weights_onto(data, domain), weights_onto(data, domain, "linear")
    temperature, humidity = data["air_temperature"].values, data["specific_humidity"].values
    tv = _whole(data, "air_temperature", cubic(virtual_temperature(temperature, humidity)))
    log_p = _log_pressure(data)
    log_p = cubic(log_p) if log_p.shape == temperature.shape else np.broadcast_to(log_p, tv.shape)
    height = _heights(data, cubic, log_p, tv, domain)
    _check_reach(data, height, domain)
    surface_pressure = _surface_pressure(data, cubic, height, log_p, tv, domain.terrain)
    columns = ColumnInterpolation.build(height, domain.z)
    tv_model = columns.temperature(tv, thickness_correction(height, log_p, tv))
    pressure = hydrostatic_pressure(surface_pressure, tv_model, domain.z, domain.terrain)
    t_model, qv = split_virtual_temperature(
        tv_model, pressure, columns.linear(_whole(data, "specific_humidity", linear(humidity)))
    )
    east, north = (
        columns.linear(_whole(data, name, cubic(data[name].values))) for name in ("eastward_wind", "northward_wind")
    )
    u, v = domain.to_grid(east, north)
    zero = np.zeros(domain.shape)
    fields = {"u": u, "v": v, "w": zero, "temperature": t_model, "pressure": pressure, "qv": qv}
    fields |= {name: zero.copy() for name in CONDENSATE}
    fields["surface_pressure"] = surface_pressure
    slope = (t_model[1] - t_model[0]) / (domain.z[1] - domain.z[0])
    ground_air = t_model[0] - slope * (domain.z[0] - domain.terrain)
    return fields | surface_on_domain(data, linear, domain, ground_air, soil)
