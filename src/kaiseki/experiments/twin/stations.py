"""Reports of fixed stations: sondes, pilot balloons, wind profilers, surface stations.

Ascents begin half an hour before the hour and rise with 5 m/s, so that their levels have times of their own.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Final

import numpy as np

from kaiseki.core.timing import Window
from kaiseki.diagnostics.standard_atmosphere import standard_height
from kaiseki.experiments.twin import network
from kaiseki.experiments.twin.rows import BEFORE_THE_HOUR, UPPER_AIR, WIND, Rows, at, at_surface, hours_of
from kaiseki.grid import Domain

MANDATORY: Final = (1000, 925, 850, 700, 500, 400, 300, 250, 200, 150, 100, 70, 50)
"""Mandatory levels of ascents (WMO-No. 306, FM 35 TEMP) below the usual top of the model, hPa."""
SIGNIFICANT: Final = 14
"""Further levels of an ascent, anywhere between 980 and 60 hPa."""
WINDS: Final = (950, 900, 850, 800, 700, 600, 500)
"""Levels of pilot balloons, hPa, which are lost in clouds and distance."""
PROFILED: Final = (950, 900, 850, 800, 750, 700, 650, 600, 550, 500, 450)
"""Levels of wind profilers, hPa, which reach 6 or 7 km in moist air."""
ASCENT_SPEED: Final = 5.0
"""Ascent speed of sondes and pilot balloons, m/s."""


def stations() -> dict[str, tuple[float, float]]:
    """All fixed stations: number -> (latitude, longitude), degrees."""
    return {**network.PROFILERS, **network.SONDES, **network.SURFACE}


def elevations(domain: Domain, r: np.random.Generator) -> dict[str, float]:
    """Heights of the stations (m): in the valleys of the nature run's terrain, none below 2 m."""
    lat, lon = np.array(list(stations().values())).T
    height = at(domain.terrain, domain, lat, lon) * r.uniform(0.75, 1.0, len(lat))
    return dict(zip(stations(), np.maximum(height, 2.0).round(0).tolist(), strict=True))


def fixed_reports(domain: Domain, window: Window, r: np.random.Generator) -> Iterator[Rows]:
    """Ascents at 00 and 12 UTC, pilot balloons every 6 h, profilers and surface stations every 3 h."""
    elevation = elevations(domain, r)
    for hour in hours_of(window, 12):
        for name, place in network.SONDES.items():
            extra = np.exp(r.uniform(np.log(60.0), np.log(980.0), SIGNIFICANT)).round(0)
            pressure = 100.0 * np.unique(np.concatenate([MANDATORY, extra]))[::-1]
            yield _balloon("sonde", name, place, elevation[name], hour, pressure)
    for hour in hours_of(window, 6):
        for name, place in list(network.SURFACE.items())[::4]:
            yield _balloon("pilot", name, place, elevation[name], hour, 100.0 * np.array(WINDS))
    for hour in hours_of(window, 3):
        for name, place in network.PROFILERS.items():
            profile = _balloon("pilot", name, place, elevation[name], hour, 100.0 * np.array(PROFILED))
            aloft = profile["level"] > 0
            profile |= {column: profile[column][aloft] for column in ("pressure", "level", "quantity")}
            yield profile | {"time": hour}
        for name, place in stations().items():
            yield at_surface("synop", name, place, elevation[name], hour)


def _balloon(
    kind: str, name: str, place: tuple[float, float], elevation: float, hour: np.datetime64, pressure: np.ndarray
) -> Rows:
    """Values of one ascent: the station, every level, and of sondes the heights of the mandatory levels."""
    sonde = kind == "sonde"
    quantities: list[str] = []
    levels: list[int] = []
    for level in range(len(pressure) + 1):
        found: Sequence[str] = UPPER_AIR if sonde else WIND
        if sonde and level == 0:
            found = (*found, "surface_pressure")
        elif sonde and round(pressure[level - 1] / 100.0) in MANDATORY:
            found = (*found, "geopotential_height")
        quantities += found
        levels += [level] * len(found)
    number = np.array(levels)
    values = np.concatenate([[np.nan], pressure])[number]
    release = hour - BEFORE_THE_HOUR
    return {
        "kind": kind,
        "station": name,
        "latitude": place[0],
        "longitude": place[1],
        "station_elevation": elevation,
        "pressure": values,
        "level": number,
        "quantity": np.array(quantities),
        "time": release + _ascent_time(values).astype("timedelta64[s]"),
    }


def _ascent_time(pressure: np.ndarray) -> np.ndarray:
    """Time from release to a pressure (Pa), s."""
    with np.errstate(invalid="ignore"):
        return np.nan_to_num(np.maximum(standard_height(pressure), 0.0) / ASCENT_SPEED).astype(np.int64)
