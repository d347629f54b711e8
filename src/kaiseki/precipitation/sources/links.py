"""Commercial microwave links as gauges: rain along a path, given as a rate or taken from signal levels."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np
import xarray as xr

from kaiseki.core.errors import InputError
from kaiseki.formats.netcdf import opened
from kaiseki.precipitation.attenuation import coefficients
from kaiseki.precipitation.data import Gauges
from kaiseki.precipitation.sources.gridded import times
from kaiseki.precipitation.sources.reading import Reading, measure_of

_ENDS: Final = ("site_0_lat", "site_0_lon", "site_1_lat", "site_1_lon")
_GIGAHERTZ: Final = {"ghz": 1.0, "mhz": 1e-3, "khz": 1e-6, "hz": 1e-9}


@dataclass(frozen=True, kw_only=True)
class LinkRain:
    """How signal levels become rain: wet where the loss varies, a dry level before, a wet antenna, then k R^a.

    Wet and dry are told by the standard deviation of the loss over a window (Schleiss and Berne 2010, IEEE Geosci.
    Remote Sens. Lett. 7, 611-615), against a threshold of each link: a high quantile of its own deviations times a
    factor (Graf and others 2020, HESS 24, 2931-2950).

    Attributes:
        window: of the deviation, minutes.
        quantile: of the deviations of a link over its record.
        factor: on that quantile for the threshold.
        certain: deviation beyond which it rains in any case, dB; it decides where it rains for much of a record.
        wet_antenna: attenuation by water on the antennas while it rains, dB.
        noise: standard deviation of the attenuation along a path by all that is not rain, dB.
        rate: rain rate at which `noise` is turned into the error of a link, mm h-1.
        gap: longest run of missing levels that is bridged, minutes.
    """

    window: int = 60
    quantile: float = 0.8
    factor: float = 1.12
    certain: float = 0.8
    wet_antenna: float = 1.5
    noise: float = 0.7
    rate: float = 2.0
    gap: int = 5


def is_links(path: Path) -> bool:
    """Whether a NetCDF file holds microwave links: paths with two ends."""
    with opened(path) as dataset:
        return all(name in dataset.variables for name in _ENDS)


def read(path: Path, reading: Reading, settings: LinkRain | None = None) -> Gauges:
    """Rain of links at the middles of their paths, the mean of the two directions.

    The rate `R` is taken where the file has it and `reading.variable` is not `rsl`; else rain comes from transmitted
    and received level. The error is that of the attenuation over the length of the path; that the path is no point
    comes on top of it.

    Raises:
        InputError: the file is damaged, lacks what is needed, or levels are no levels.
    """
    settings = settings or LinkRain()
    with opened(path) as dataset:
        name = "R" if "R" in dataset and reading.variable in ("", "R") else "rsl"
        if name not in dataset:
            raise InputError(f"{path}: has neither rain rates R nor received levels rsl of its links")
        field = dataset[name]
        time, period = times(path, dataset, field, reading)
        length = _length(path, dataset)
        k, power = _power_law(path, dataset)
        if name == "R":
            measure, factor = measure_of(f"{path}: R", str(field.attrs.get("units", "")), reading)
            if measure != "rate":
                raise InputError(f"{path}: R of links has units of {measure}; expected a rate")
            rate = _ordered(field) * factor
        else:
            rate = levels_to_rain(path, dataset, period, (k, power, length), settings)
        amount = _mean(rate) * (period / np.timedelta64(3600, "s"))
        slope = k * power * settings.rate ** (power - 1.0)
        error = np.nanmean(settings.noise / (slope * length), axis=0) * (period / np.timedelta64(3600, "s"))
        lat, lon = _middle(dataset)
        return Gauges(
            station=np.asarray(dataset["cml_id"].values).astype(str),
            lat=lat,
            lon=lon,
            time=time,
            amount=amount,
            period=period,
            error=error,
            source=f"microwave links of {dataset.attrs.get('title') or path.name}",
        )


def levels_to_rain(
    path: Path,
    dataset: xr.Dataset,
    period: np.timedelta64,
    law: tuple[np.ndarray, np.ndarray, np.ndarray],
    settings: LinkRain,
) -> np.ndarray:
    """Rain rates (t, sublinks, links), mm h-1, from levels; NaN where one is missing for long.

    Args:
        path: of the file, for messages.
        dataset: with tsl and rsl, dBm.
        period: step of the times.
        law: coefficients k and a (sublinks, links) and lengths (links,), km.
        settings: of the method.
    """
    if "tsl" not in dataset:
        raise InputError(f"{path}: has received levels but no transmitted ones (tsl)")
    for name in ("tsl", "rsl"):
        if str(dataset[name].attrs.get("units", "dBm")) != "dBm":
            raise InputError(f"{path}: {name} is in {dataset[name].attrs['units']}; expected dBm")
    loss = _ordered(dataset["tsl"]) - _ordered(dataset["rsl"])
    loss[(loss < 0.0) | (loss > 150.0)] = np.nan
    steps = max(1, round(settings.window * 60 / (period / np.timedelta64(1, "s"))))
    loss = _bridged(loss, max(1, round(settings.gap * 60 / (period / np.timedelta64(1, "s")))))
    wet = _wet(loss, steps, settings)
    base = _last_dry(loss, wet)
    k, power, length = law
    excess = np.maximum(loss - base - settings.wet_antenna, 0.0)
    rate = (excess / (k * length)) ** (1.0 / power)
    return np.where(np.isnan(loss), np.nan, np.where(wet, rate, 0.0))


def _wet(loss: np.ndarray, steps: int, settings: LinkRain) -> np.ndarray:
    """Whether it rains along a link, (t, ...): the loss varies more than it mostly does."""
    from scipy.ndimage import uniform_filter1d

    known = np.isfinite(loss)
    centred = np.where(known, loss - np.nanmean(np.where(known, loss, 0.0), axis=0), 0.0)
    share = np.maximum(uniform_filter1d(known.astype(float), steps, axis=0, mode="nearest"), 1e-9)
    mean = uniform_filter1d(centred, steps, axis=0, mode="nearest") / share
    square = uniform_filter1d(centred**2, steps, axis=0, mode="nearest") / share
    deviation = np.sqrt(np.maximum(square - mean**2, 0.0))
    threshold = np.minimum(settings.factor * np.quantile(deviation, settings.quantile, axis=0), settings.certain)
    return deviation > threshold


def _last_dry(loss: np.ndarray, wet: np.ndarray) -> np.ndarray:
    """Level of the last dry time, at the beginning the median of the dry times."""
    dry = np.where(wet | np.isnan(loss), np.nan, loss)
    first = np.where(np.isnan(dry).all(axis=0), np.nanmin(np.where(np.isnan(loss), np.inf, loss), axis=0), 0.0)
    has = ~np.isnan(dry).all(axis=0)
    filled = np.array(dry)
    filled[0] = np.where(
        np.isnan(filled[0]), np.where(has, np.nanmedian(np.where(has, dry, 0.0), axis=0), first), filled[0]
    )
    index = np.maximum.accumulate(np.where(np.isnan(filled), 0, np.arange(len(filled))[:, None, None]), axis=0)
    return np.take_along_axis(filled, index, axis=0)


def _bridged(loss: np.ndarray, most: int) -> np.ndarray:
    """Levels with short gaps filled linearly."""
    filled = np.array(loss)
    for series, out in zip(loss.reshape(len(loss), -1).T, filled.reshape(len(loss), -1).T, strict=True):
        bad = np.isnan(series)
        if not bad.any() or bad.all():
            continue
        good = np.flatnonzero(~bad)
        edges = np.flatnonzero(np.diff(np.concatenate([[False], bad, [False]]).astype(int)))
        for start, stop in edges.reshape(-1, 2):
            if 0 < start and stop < len(series) and stop - start <= most:
                out[start:stop] = np.interp(np.arange(start, stop), good, series[good])
    return filled


def _ordered(field: xr.DataArray) -> np.ndarray:
    return np.array(field.transpose("time", "sublink_id", "cml_id").values, float)


def _mean(rate: np.ndarray) -> np.ndarray:
    """Mean of the directions (t, links), of those that are known."""
    known = np.isfinite(rate)
    count = known.sum(axis=1)
    return np.where(count > 0, np.where(known, rate, 0.0).sum(axis=1) / np.maximum(count, 1), np.nan)


def _length(path: Path, dataset: xr.Dataset) -> np.ndarray:
    """Lengths of the paths, km; InputError where a stated one is not that of its ends."""
    from pyproj import Geod

    lat0, lon0, lat1, lon1 = (np.asarray(dataset[name].values, float) for name in _ENDS)
    _, _, apart = Geod(ellps="WGS84").inv(lon0, lat0, lon1, lat1)
    length = np.asarray(apart) * 1e-3
    if "length" in dataset:
        unit = {"m": 1e-3, "km": 1.0}.get(str(dataset["length"].attrs.get("units", "")))
        if unit is None:
            raise InputError(f"{path}: length of links has no units; expected m or km")
        stated = np.asarray(dataset["length"].values, float) * unit
        wrong = np.abs(stated - length) > 0.05 + 0.05 * length
        if wrong.any():
            at = int(np.flatnonzero(wrong)[0])
            raise InputError(
                f"{path}: the link {dataset['cml_id'].values[at]} is said to be {stated[at]:.2f} km long, its ends are "
                f"{length[at]:.2f} km apart; the ends are no latitudes and longitudes, or the units are wrong"
            )
    return np.maximum(length, 0.05)


def _power_law(path: Path, dataset: xr.Dataset) -> tuple[np.ndarray, np.ndarray]:
    for name in ("frequency", "polarization"):
        if name not in dataset:
            raise InputError(f"{path}: has no {name} of its links")
    units = str(dataset["frequency"].attrs.get("units", "")).lower()
    if units not in _GIGAHERTZ:
        raise InputError(f"{path}: frequency has the units {units!r}; expected GHz, MHz, kHz or Hz")
    frequency = dataset["frequency"].transpose("sublink_id", "cml_id").values * _GIGAHERTZ[units]
    return coefficients(frequency, dataset["polarization"].transpose("sublink_id", "cml_id").values.astype(str))


def _middle(dataset: xr.Dataset) -> tuple[np.ndarray, np.ndarray]:
    """Middle of short paths; across the date line as well."""
    lat0, lon0, lat1, lon1 = (np.asarray(dataset[name].values, float) for name in _ENDS)
    across = (lon1 - lon0 + 180.0) % 360.0 - 180.0
    return 0.5 * (lat0 + lat1), (lon0 + 0.5 * across + 180.0) % 360.0 - 180.0
