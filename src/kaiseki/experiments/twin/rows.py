"""What the makers of reports share: rows of the observation table before they are measured, hours, places."""

from __future__ import annotations

from typing import Any, Final

import numpy as np
from scipy.ndimage import map_coordinates

from kaiseki.core.timing import Window, slots
from kaiseki.grid import Domain

type Rows = dict[str, Any]
"""One report: columns of the observation table, (n,) or scalars; `quantity` always (n,)."""

WIND: Final = ("eastward_wind", "northward_wind")
UPPER_AIR: Final = ("air_temperature", "specific_humidity", *WIND)
AT_STATION: Final = ("air_temperature", *WIND, "surface_pressure")
BEFORE_THE_HOUR: Final = np.timedelta64(1800, "s")
"""Balloons are released, and satellites scan, half an hour before the hour their reports are labelled with."""


def at(field: np.ndarray, domain: Domain, lat: np.ndarray, lon: np.ndarray) -> np.ndarray:
    """A field (ny, nx) at places, bilinear, held constant beyond the grid."""
    return np.asarray(map_coordinates(field, np.stack(domain.index(lat, lon)), order=1, mode="nearest"))


def hours_of(window: Window, interval: int) -> np.ndarray:
    """Hours of the day divisible by `interval` in (start, end]."""
    every = np.timedelta64(interval * 3600, "s")
    day = window.start.astype("datetime64[D]").astype("datetime64[s]")
    times = slots(day, window.end, every)
    return times[times > window.start]


def at_surface(kind: str, name: str, place: tuple[float, float], elevation: float, time: np.datetime64) -> Rows:
    """The report of a station or ship at the ground; place in degrees, elevation in m."""
    quantities = (*AT_STATION, "mean_sea_level_pressure") if kind == "synop" else AT_STATION
    return {
        "kind": kind,
        "station": name,
        "latitude": place[0],
        "longitude": place[1],
        "station_elevation": elevation,
        "quantity": np.array(quantities),
        "time": time,
    }
