"""Schema of the run store, version 1: the groups, the axes, how times are written, how a newer version is refused.

Groups (Zarr v3): `static` (what does not change in time), `forecast` (the trajectory along the cycles, hourly),
`analysis` (at the analysis times), `cycles` (which cycles are complete; one group per cycle with its diagnostics and
its observation table), `restart` (what the next cycle needs, of the last complete cycle only).

A store of forecasts has the same groups but `analysis`; its fields have the axes `forecast_reference_time` and
`forecast_period` in the place of `time`, which becomes a coordinate of both, and its cycles are stretches of forecasts.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any, Final

import numpy as np

from kaiseki.core.errors import StoreError
from kaiseki.core.timing import format_utc

SCHEMA_VERSION: Final = 1
"""Version written by this program; all versions from 1 on are read."""

KIND: Final = "kaiseki-run-store"
"""Value of the root attribute `kaiseki_store` of a run store, which tells it from other Zarr."""

FORECASTS_KIND: Final = "kaiseki-forecast-store"
"""Value of the root attribute `kaiseki_store` of a store of forecasts."""

KINDS: Final[Mapping[str, str]] = {KIND: "a run store", FORECASTS_KIND: "a store of forecasts"}
"""Kinds of stores, in words."""

STATIC, FORECAST, ANALYSIS, CYCLES, RESTART = "static", "forecast", "analysis", "cycles", "restart"

FIELD_GROUPS: Final = (FORECAST, ANALYSIS)

TIME_ATTRIBUTES: Final = {
    "standard_name": "time",
    "long_name": "time (UTC)",
    "units": "seconds since 1970-01-01 00:00:00",
    "calendar": "standard",
    "axis": "T",
}
"""CF attributes of every time axis; values are int64."""

REFERENCE_TIME, PERIOD = "forecast_reference_time", "forecast_period"

REFERENCE_TIME_ATTRIBUTES: Final = {
    "standard_name": "forecast_reference_time",
    "long_name": "time at which the forecast starts (UTC)",
    "units": TIME_ATTRIBUTES["units"],
    "calendar": "standard",
}
"""CF attributes of the start times of forecasts; values are int64."""

PERIOD_ATTRIBUTES: Final = {
    "standard_name": "forecast_period",
    "long_name": "lead time: time since the start of the forecast",
    "units": "seconds",
}
"""CF attributes of lead times; values are int64."""

AIR_AXES: Final = ("time", "level", "y", "x")
SOIL_AXES: Final = ("time", "soil_level", "y", "x")
SURFACE_AXES: Final = ("time", "y", "x")

AXES: Final[Mapping[str, tuple[str, ...]]] = {"air": AIR_AXES, "soil": SOIL_AXES, "surface": SURFACE_AXES}
"""Axes of a field by `levels` of the table of variables."""


def encode_time(times: Any) -> np.ndarray:
    """Time in seconds since 1970-01-01 as int64, from one instant or an array of datetime64."""
    return np.asarray(times, "datetime64[s]").astype(np.int64)


def decode_time(seconds: Any) -> np.ndarray:
    """Time as datetime64[s], the inverse of `encode_time`."""
    return np.asarray(seconds, np.int64).astype("datetime64[s]")


def label(time: np.datetime64) -> str:
    """Name of the group of one cycle, "19890101T150000Z"."""
    return format_utc(time, seconds=True).replace("-", "").replace(":", "")


def check_axis(name: str, times: Any) -> np.ndarray:
    """The times as datetime64[s], strictly rising.

    Raises:
        StoreError: no times, or not strictly rising.
    """
    axis = np.atleast_1d(np.asarray(times, "datetime64[s]"))
    if axis.ndim != 1 or axis.size == 0 or np.any(np.diff(axis) <= np.timedelta64(0, "s")):
        raise StoreError(f"The {name} times of a run store must be at least one and strictly rising; got {axis.size}")
    return axis


def check_depth(depth: Any) -> np.ndarray:
    """The depths of the soil layers as float64 [m], strictly rising.

    Raises:
        StoreError: none, or not strictly rising from above zero.
    """
    axis = np.atleast_1d(np.asarray(depth, float))
    if axis.ndim != 1 or axis.size == 0 or axis[0] <= 0.0 or np.any(np.diff(axis) <= 0.0):
        raise StoreError(f"The depths of the soil layers must be positive and strictly rising, in m; got {axis}")
    return axis


def check_experiment(text: str) -> None:
    """Refuse an experiment that is not JSON text.

    Raises:
        StoreError: it is not.
    """
    try:
        json.loads(text)
    except ValueError as error:
        raise StoreError(f"The experiment of a run store must be JSON text: {error}") from None


def check_version(attributes: Mapping[str, Any], where: str, kind: str = KIND) -> None:
    """Refuse what is not a store of the kind that is wanted, or is newer than this program.

    Raises:
        StoreError: either.
    """
    found = attributes.get("kaiseki_store")
    if found not in KINDS:
        raise StoreError(
            f"{where} holds an Icechunk repository that is not a Kaiseki run store; give the path of a run"
        )
    if found != kind:
        raise StoreError(f"{where} is {KINDS[str(found)]} and not {KINDS[kind]}; give the path of {KINDS[kind]}")
    version = attributes.get("schema_version")
    if not isinstance(version, int) or version > SCHEMA_VERSION:
        raise StoreError(
            f"{where} has schema version {version}, and this Kaiseki reads up to {SCHEMA_VERSION}; install a newer one"
        )
