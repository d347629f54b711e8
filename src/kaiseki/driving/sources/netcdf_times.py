"""Valid times and reference times of NetCDF files, of which the valid time alone may count as the time of a field."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import xarray as xr

from kaiseki.core.errors import InputError
from kaiseki.driving.sources.layouts import TIME
from kaiseki.formats.cf_time import decode_times

LEADS = (
    "step",
    "forecast_period",
    "leadtime",
    "lead_time",
    "prediction_timedelta",
    "forecast_hour",
    "forecast_time",
    "fhour",
    "lead",
)
"""Names of the time by which a forecast is ahead of its reference time; its CF standard name is forecast_period."""
REFERENCE = "forecast_reference_time"
REFERENCE_WORDS = ("reference time", "reference_time", "initial time", "initialization", "initialisation", "base time")
"""Words in the long name of a time that is the reference time of forecasts."""


@dataclass(frozen=True)
class Times:
    """Times of a file.

    Attributes:
        stamps: valid times (nt,) datetime64[s], flat over their dimensions; None where the file has no time.
        dims: these dimensions, in order.
        single: further dimensions of time, of one value each.
        references: reference times (nt,), None where they are not told.
    """

    stamps: np.ndarray | None
    dims: tuple[str, ...]
    single: frozenset[str] = frozenset()
    references: np.ndarray | None = None


def decoded(path: Path, dataset: xr.Dataset, name: str) -> np.ndarray:
    """Values of a variable of time, flat, datetime64[s]."""
    values, attributes = dataset[name].values, dataset[name].attrs
    if values.dtype.kind == "M":
        return np.atleast_1d(values).astype("datetime64[s]").ravel()
    units, calendar = (str(attributes.get(key, "")) for key in ("units", "calendar"))
    return decode_times(f"{path}: {name}", values, units, calendar).ravel()


def times_of(path: Path, dataset: xr.Dataset) -> Times:
    """Times of a file.

    A `time` that is the reference time of a forecast, by its standard name, is that and the forecast period together.

    Raises:
        InputError: the file does not say whether its time is the valid time, or the times are not understood.
    """
    raw = dataset
    names = [n for n in TIME if n in raw.variables]
    reference, lead = _reference(raw), _lead(raw)
    valid = next((n for n in names if raw[n].attrs.get("standard_name", "time") == "time"), None)
    if valid is not None:
        stamps, dims = decoded(path, raw, valid), tuple(map(str, raw[valid].dims))
        if valid != "valid_time":
            _check_valid(path, raw, valid, reference, lead)
        references = None
        if reference is not None and set(raw[reference].dims) <= set(dims):
            numbers = xr.DataArray(
                decoded(path, raw, reference).reshape(raw[reference].shape), dims=raw[reference].dims
            )
            references = numbers.broadcast_like(raw[valid]).transpose(*dims).values.ravel()
        return Times(stamps, dims, _single(raw, dims), references)
    if reference is None:
        return Times(None, (), _single(raw, ()))
    if lead is None:
        raise InputError(
            f"{path}: {reference} is the reference time of a forecast and its valid time is not in the file; "
            "add a variable valid_time."
        )
    base = decoded(path, raw, reference)
    ahead = _ahead(path, raw, lead)
    dims = (*map(str, raw[reference].dims), *map(str, raw[lead].dims))
    if len(set(dims)) < len(dims):
        # Both stand along one dimension, a period for each reference time.
        return Times(base + ahead, dims[: raw[reference].ndim], _single(raw, dims), base)
    stamps = (base[:, None] + ahead[None]).ravel()
    return Times(stamps, dims, _single(raw, dims), np.repeat(base, ahead.size))


def _reference(raw: xr.Dataset) -> str | None:
    """Variable of the reference time of forecasts."""
    named = [str(n) for n in raw.variables if raw[n].attrs.get("standard_name") == REFERENCE]
    return next(iter(named), REFERENCE if REFERENCE in raw.variables else None)


def _lead(raw: xr.Dataset) -> str | None:
    """Variable of the time by which forecasts are ahead."""
    named = next((n for n in LEADS if n in raw.variables), None)
    return named or next(
        (str(n) for n in raw.variables if raw[n].attrs.get("standard_name") == "forecast_period"), None
    )


def _single(raw: xr.Dataset, dims: tuple[str, ...]) -> frozenset[str]:
    names = {*TIME, *LEADS, REFERENCE}
    return frozenset(str(d) for d in raw.dims if str(d) in names and str(d) not in dims and raw.sizes[d] == 1)


def _ahead(path: Path, raw: xr.Dataset, lead: str) -> np.ndarray:
    values = np.atleast_1d(raw[lead].values)
    if values.dtype.kind == "m":
        return values.astype("timedelta64[s]").ravel()
    unit = str(raw[lead].attrs.get("units", ""))
    return decode_times(f"{path}: {lead}", values, f"{unit} since 1970-01-01").ravel() - np.datetime64(0, "s")


def _check_valid(path: Path, raw: xr.Dataset, valid: str, reference: str | None, lead: str | None) -> None:
    """Refuse a time that may be the reference time of its forecasts, whatever its standard name says."""
    if lead is not None and np.any(raw[lead].values.astype(np.float64)):
        if reference is not None and set(raw[lead].dims) | set(raw[reference].dims) <= set(raw[valid].dims):
            found = decoded(path, raw, reference) + _ahead(path, raw, lead)
            if (np.abs(found - decoded(path, raw, valid)) < np.timedelta64(60, "s")).all():
                return
        raise InputError(
            f"{path}: {valid} may be the reference time or the valid time of its forecasts, which are ahead by "
            f"{lead}; add a variable valid_time."
        )
    text = str(raw[valid].attrs.get("long_name", "")).lower()
    if lead is None and (word := next((w for w in REFERENCE_WORDS if w in text), None)):
        raise InputError(
            f"{path}: {valid} is the {word} of forecasts by its long name and their valid time is not in the file; "
            "add a variable valid_time."
        )
