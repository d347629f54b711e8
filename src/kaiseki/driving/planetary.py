"""A first guess where no analysis of the date exists: samples of the season, averaged and smoothed to planetary
scales."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import xarray as xr

from kaiseki.core.errors import InputError
from kaiseki.diagnostics.saturation import saturation_specific_humidity
from kaiseki.diagnostics.thermodynamics import virtual_temperature
from kaiseki.driving import spherical
from kaiseki.driving.moisture import from_relative_humidity
from kaiseki.driving.onto_domain import at_time
from kaiseki.driving.sources import read_global
from kaiseki.driving.sources.conventions import STATE, Axes, assemble
from kaiseki.driving.sst import SeaSurface
from kaiseki.driving.weights import from_lat_lon

GRID_STEP = 2.5
"""Spacing of the result's latitude-longitude grid, in degrees, poles included; the smoothed fields need far less."""
CUTOFF, ZONAL_CUTOFF = 6.0, 12.0
"""Total wavenumbers at which the smoothing halves waves and the zonal mean. When GFS 2011-01-15 stands in for ERA5
1959-01-02, its heights and winds at 500 and 250 hPa over 80E-170W, 15-60N are nearest with waves halved at 3 to 5 and
the zonal mean at 10 to 20; the mean of two samples carries a little more."""
LEAST_LEVELS = 10
HUMIDITY_RANGE = (0.02, 1.0)
"""Relative humidity kept after smoothing; the lower bound keeps the specific humidity positive."""


def _samples(paths: Sequence[str | Path]) -> list[xr.Dataset]:
    if not paths:
        raise InputError("A planetary first guess needs at least one global analysis; none was named.")
    samples = []
    for path in paths:
        sample = at_time(read_global(path), None)
        if missing := [v for v in STATE if v not in sample]:
            raise InputError(f"{path}: cannot serve as a first guess without {', '.join(missing)}.")
        samples.append(sample)
    return samples


def _common_pressure(samples: list[xr.Dataset]) -> np.ndarray:
    """Levels (Pa) that every sample has, descending; InputError when they are too few to describe the atmosphere."""
    levels = [set(np.round(s["pressure"].values, 3)) for s in samples]
    common = np.array(sorted(set.intersection(*levels), reverse=True))
    if common.size < LEAST_LEVELS:
        raise InputError(
            f"The analyses share only {common.size} pressure levels, {LEAST_LEVELS} are needed; "
            "choose analyses on like levels."
        )
    return common


def _surface(samples: list[xr.Dataset], latitude: np.ndarray, longitude: np.ndarray) -> dict[str, np.ndarray]:
    """Surface fields (nlat, nlon), averaged over the samples that hold them; not smoothed, since coasts are no
    planetary scale."""
    lat, lon = np.meshgrid(latitude, longitude, indexing="ij")
    result = {}
    for name in (
        "sea_surface_temperature",
        "surface_temperature",
        "sea_ice_area_fraction",
        "land_area_fraction",
        "surface_altitude",
    ):
        parts = []
        for sample in samples:
            own = sample["latitude"].values
            weights = from_lat_lon(own, sample["longitude"].values, np.clip(lat, own[0], own[-1]), lon, "linear")
            if name == "sea_surface_temperature":
                if (sea := SeaSurface.of(sample)) is not None:
                    parts.append(weights(sea.values))
            elif name in sample:
                parts.append(weights(sample[name].values))
        if parts:
            result[name] = np.mean(parts, axis=0)
    return result


def planetary_first_guess(
    paths: Sequence[str | Path],
    cutoff: float = CUTOFF,
    zonal_cutoff: float | None = ZONAL_CUTOFF,
    time: np.datetime64 | None = None,
    grid_step: float = GRID_STEP,
) -> xr.Dataset:
    """Mean of global analyses, smoothed on the sphere, in the common form on one time.

    Mass and wind stay together: geopotential height, virtual temperature and, by way of stream function and velocity
    potential, the wind pass one and the same linear filter on pressure levels, so that the hydrostatic relation holds
    as in the samples and the geostrophic one nearly. Relative humidity is smoothed, bounded by `HUMIDITY_RANGE` and
    turned back with the smoothed virtual temperature.

    Args:
        paths: analyses of the season, read by `sources.read_global`, one time each.
        cutoff: total wavenumber at which waves are halved (`spherical.response`).
        zonal_cutoff: the same for the zonal mean; None for `cutoff`.
        time: time to be written on the result; by default the first sample's.
        grid_step: degrees.

    Returns:
        The five fields of state on the levels that all samples share, and sea_surface_temperature, surface_temperature,
        sea_ice_area_fraction, land_area_fraction and surface_altitude averaged over those samples that hold them,
        unsmoothed. No surface pressure: it follows from the heights over whatever terrain.

    Raises:
        InputError: a file cannot be read, is not global, lacks a field, or the samples share too few levels.
    """
    samples = _samples(paths)
    pressure = _common_pressure(samples)
    widest = 3.0 * max(cutoff, zonal_cutoff or cutoff)
    longitude = np.arange(0.0, 360.0, grid_step)
    latitude = np.linspace(-90.0, 90.0, round(180.0 / grid_step) + 1)
    resolved = min(min(s.sizes["latitude"] - 1, s.sizes["longitude"] // 2 - 1) for s in samples) * 2 // 3
    truncation = int(min(widest, resolved))
    gain = spherical.response(truncation, cutoff, zonal_cutoff)
    names = ("geopotential_height", "virtual_temperature", "relative_humidity")
    total: dict[str, np.ndarray] = {}
    for sample in samples:
        data = sample.sel(pressure=pressure, method="nearest")
        lat, lon = data["latitude"].values, data["longitude"].values
        temperature, humidity = data["air_temperature"].values, data["specific_humidity"].values
        saturation = np.asarray(saturation_specific_humidity(temperature, pressure[:, None, None]))
        tv = virtual_temperature(temperature, humidity)
        scalars = (data["geopotential_height"].values, tv, np.clip(humidity / saturation, 0.0, 1.0))
        parts = {n: spherical.analyse(f, lat, lon, truncation) for n, f in zip(names, scalars, strict=True)}
        psi, chi = spherical.analyse_wind(
            data["eastward_wind"].values, data["northward_wind"].values, lat, lon, truncation
        )
        for name, part in (parts | {"psi": psi, "chi": chi}).items():
            total[name] = total.get(name, 0.0) + part * gain / len(samples)
    height, tv, relative = (spherical.synthesise(total[n], latitude, longitude) for n in names)
    u, v = spherical.synthesise_wind(total["psi"], total["chi"], latitude, longitude)
    temperature, humidity = from_relative_humidity(tv, pressure[:, None, None], np.clip(relative, *HUMIDITY_RANGE))
    when = samples[0]["time"].values if time is None else np.datetime64(time, "s")
    fields = dict(zip(STATE, (temperature, u, v, height, humidity), strict=True)) | _surface(
        samples, latitude, longitude
    )
    static = ("land_area_fraction", "surface_altitude")
    fields = {n: f if n in static else f[None] for n, f in fields.items()}
    dataset = assemble(
        "planetary first guess", "planetary", Axes(np.atleast_1d(when), latitude, longitude, pressure), fields
    )
    dataset.attrs["made_from"] = ", ".join(f"{s.attrs['file']} ({s['time'].values})" for s in samples)
    dataset.attrs |= {"cutoff": float(cutoff), "zonal_cutoff": float(zonal_cutoff or cutoff), "truncation": truncation}
    return dataset
