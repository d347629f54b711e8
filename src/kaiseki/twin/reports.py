"""Who reports what, where and when: the rows of the observation table before anything is measured.

Fixed stations are those of `network`; ships, buoys, aircraft and motion vectors of clouds are drawn from a seed.
Ascents begin half an hour before the hour and rise with 5 m/s, so that their levels have times of their own.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any, Final

import numpy as np
from scipy.ndimage import map_coordinates

from kaiseki.core.constants import EARTH_RADIUS
from kaiseki.core.timing import Window, slots
from kaiseki.grid import Domain
from kaiseki.observations import Table
from kaiseki.observations.moist import standard_height
from kaiseki.twin import network

MANDATORY: Final = (1000, 925, 850, 700, 500, 400, 300, 250, 200, 150, 100, 70, 50)
"""hPa: mandatory levels of ascents (WMO-No. 306, FM 35 TEMP) below the usual top of the model."""
SIGNIFICANT: Final = 14
"""Further levels of an ascent, anywhere between 980 and 60 hPa."""
WINDS: Final = (950, 900, 850, 800, 700, 600, 500)
"""hPa: levels of pilot balloons, which are lost in clouds and distance."""
PROFILED: Final = (950, 900, 850, 800, 750, 700, 650, 600, 550, 500, 450)
"""hPa: levels of wind profilers, which see up to 6 or 7 km in moist air."""
BEFORE_THE_HOUR: Final = np.timedelta64(1800, "s")
"""Balloons are released half an hour before the hour they are labelled with."""
ASCENT_SPEED: Final = 5.0
"""m/s, usual for sondes and pilot balloons."""
SHIPS: Final = 40
BUOYS: Final = 10
SHIP_SPEED: Final = 8.0
"""m/s."""
FLIGHTS_PER_ROUTE: Final = 16
"""Per day and route."""
CRUISE: Final = (19_700.0, 23_800.0, 26_200.0, 28_700.0, 30_100.0)
"""Pa: flight levels 390, 350, 330, 310 and 300 in the standard atmosphere."""
CLIMB: Final = tuple(100.0 * p for p in (925, 850, 775, 700, 600, 500, 400, 325))
"""Pa: reports in climb and descent, below the cruising level."""
CLIMB_DISTANCE: Final = 200e3
"""m over ground to the cruising level."""
FLIGHT_SPEED: Final = 240.0
"""m/s."""
FLIGHT_INTERVAL: Final = 600.0
"""s between two reports of an aircraft."""
CLOUD_WINDS: Final = {(70_000.0, 95_000.0): 80, (40_000.0, 70_000.0): 60, (15_000.0, 40_000.0): 200}
"""Number of atmospheric motion vectors per image by their range of pressure, Pa."""
OPEN_SEA: Final = 0.05
"""Land fraction of a cell below which a ship can be there."""

UPPER_AIR: Final = ("air_temperature", "specific_humidity", "eastward_wind", "northward_wind")
AT_STATION: Final = ("air_temperature", "eastward_wind", "northward_wind", "surface_pressure")
WIND: Final = UPPER_AIR[2:]

CODES: Final = {"sonde": 120, "pilot": 221, "synop": 181, "ship": 180, "buoy": 180, "aircraft": 230, "satwind": 245}
"""Report types in the numbering of PREPBUFR."""

COLUMNS_OF_REPORTS: Final[dict[str, Any]] = {
    **dict.fromkeys(("kind", "station", "quantity", "time", "latitude", "longitude")),
    **dict.fromkeys(("station_elevation", "pressure"), np.nan),
    "level": 0,
}
"""Columns that reports fill, with what stands for those they leave out."""

type Rows = dict[str, Any]


def at(field: np.ndarray, domain: Domain, lat: np.ndarray, lon: np.ndarray) -> np.ndarray:
    """A field (ny, nx) at places, bilinear, held constant beyond the grid."""
    return np.asarray(map_coordinates(field, np.stack(domain.index(lat, lon)), order=1, mode="nearest"))


def blank_reports(domain: Domain, window: Window, seed: int, density: float = 1.0) -> Table:
    """All reports of a period over a domain, every value 0.

    Args:
        domain: of the nature run; its terrain carries the stations, its sea the ships.
        window: reports later than its start, up to its end.
        seed: of ships, aircraft, motion vectors, significant levels, and of the stations that are silent.
        density: part of the stations, ships, flights and motion vectors that report, 0..1.

    Returns:
        Rows inside the domain, `pressure` of surface values missing.
    """
    r = np.random.default_rng([seed, 5])
    parts = [
        *_ascents(domain, window, r),
        *_surface_stations(domain, window, r),
        *_marine(domain, window, r),
        *_aircraft(window, r),
        *_cloud_winds(domain, window, r),
    ]
    # Who is silent is decided last, so that a thinner network is a part of the fuller one.
    silent = {name: r.random() >= density for name in sorted({str(part["station"]) for part in parts})}
    table = _joined([part for part in parts if not silent[str(part["station"])]])
    j, i = domain.index(table.column("latitude"), table.column("longitude"))
    inside = (j >= 0) & (j <= domain.ny - 1) & (i >= 0) & (i <= domain.nx - 1)
    return table.take(inside & np.asarray(window.contains(table.column("time") - _drift(table))))


def _joined(parts: Sequence[Rows]) -> Table:
    """One table of the rows of many reports, each with a number of its own."""
    if not parts:
        return Table.empty()
    counts = np.array([len(part["quantity"]) for part in parts])
    number = np.repeat(np.arange(len(parts)), counts)
    columns: Rows = {"report": number, "value": 0.0, "source": "twin"}
    columns["report_type"] = np.array([CODES[part["kind"]] for part in parts])[number]
    for name, missing in COLUMNS_OF_REPORTS.items():
        values = [np.broadcast_to(part.get(name, missing), n) for part, n in zip(parts, counts, strict=True)]
        columns[name] = np.concatenate(values)
    return Table.from_columns(columns)


def _drift(table: Table) -> np.ndarray:
    """Time from the release of a balloon to its levels; whole reports belong to the time of their first value."""
    aloft = table.where(kind=("sonde", "pilot")) & (table.column("level") > 0)
    return np.where(aloft, _ascent_time(table.column("pressure")), 0).astype("timedelta64[s]")


def _ascent_time(pressure: np.ndarray) -> np.ndarray:
    """Seconds from release to a pressure (Pa)."""
    with np.errstate(invalid="ignore"):
        return np.nan_to_num(np.maximum(standard_height(pressure), 0.0) / ASCENT_SPEED).astype(np.int64)


def _hours(window: Window, interval: int) -> np.ndarray:
    """Hours of the day divisible by `interval` in (start, end]."""
    every = np.timedelta64(interval * 3600, "s")
    day = window.start.astype("datetime64[D]").astype("datetime64[s]")
    times = slots(day, window.end, every)
    return times[times > window.start]


def _stations() -> dict[str, tuple[float, float]]:
    return {**network.PROFILERS, **network.SONDES, **network.SURFACE}


def _elevations(domain: Domain, r: np.random.Generator) -> dict[str, float]:
    """Heights of the stations: in the valleys of the nature run's terrain, none below 2 m."""
    lat, lon = np.array(list(_stations().values())).T
    height = at(domain.terrain, domain, lat, lon) * r.uniform(0.75, 1.0, len(lat))
    return dict(zip(_stations(), np.maximum(height, 2.0).round(0).tolist(), strict=True))


def _ascents(domain: Domain, window: Window, r: np.random.Generator) -> Iterator[Rows]:
    elevation = _elevations(domain, r)
    for hour in _hours(window, 12):
        for name, place in network.SONDES.items():
            extra = np.exp(r.uniform(np.log(60.0), np.log(980.0), SIGNIFICANT)).round(0)
            pressure = 100.0 * np.unique(np.concatenate([MANDATORY, extra]))[::-1]
            yield _balloon("sonde", name, place, elevation[name], hour, pressure)
    for hour in _hours(window, 6):
        for name, place in list(network.SURFACE.items())[::4]:
            yield _balloon("pilot", name, place, elevation[name], hour, 100.0 * np.array(WINDS))
    for hour in _hours(window, 3):
        for name, place in network.PROFILERS.items():
            profile = _balloon("pilot", name, place, elevation[name], hour, 100.0 * np.array(PROFILED))
            aloft = profile["level"] > 0
            profile |= {column: profile[column][aloft] for column in ("pressure", "level", "quantity")}
            yield profile | {"time": hour}


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


def _surface_stations(domain: Domain, window: Window, r: np.random.Generator) -> Iterator[Rows]:
    elevation = _elevations(domain, r)
    for hour in _hours(window, 3):
        for name, place in _stations().items():
            yield _at_surface("synop", name, place, elevation[name], hour)


def _at_surface(kind: str, name: str, place: tuple[float, float], elevation: float, time: np.datetime64) -> Rows:
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


def _marine(domain: Domain, window: Window, r: np.random.Generator) -> Iterator[Rows]:
    """Ships on straight courses and buoys that stay; what comes to land no longer reports."""
    for number in range(SHIPS + BUOYS):
        ship = number < SHIPS
        south, north, west, east = network.SHIP_BOX[number % len(network.SHIP_BOX)]
        lat, lon = r.uniform(south, north), r.uniform(west, east)
        course = r.uniform(0.0, 2.0 * np.pi)
        for hour in _hours(window, 6 if ship and number % 3 else 3):
            away = SHIP_SPEED * float((hour - window.start) / np.timedelta64(1, "s")) if ship else 0.0
            there = moved(lat, lon, course, away)
            if at(domain.land_fraction, domain, *np.array(there)[:, None])[0] < OPEN_SEA:
                rounded = (round(there[0], 1), round(there[1], 1))
                name = f"KSK{number:02d}" if ship else f"{21500 + number}"
                yield _at_surface("ship" if ship else "buoy", name, rounded, 0.0, hour)


def moved(lat: float, lon: float, course: float, distance: float) -> tuple[float, float]:
    """The place at a distance (m) along a great circle that starts with a course (rad from north); degrees."""
    angle, phi = distance / EARTH_RADIUS, np.deg2rad(lat)
    sine = np.sin(phi) * np.cos(angle) + np.cos(phi) * np.sin(angle) * np.cos(course)
    east = np.arctan2(np.sin(course) * np.sin(angle) * np.cos(phi), np.cos(angle) - np.sin(phi) * sine)
    return float(np.rad2deg(np.arcsin(sine))), float(lon + np.rad2deg(east))


def bearing(a: tuple[float, float], b: tuple[float, float]) -> tuple[float, float]:
    """Course (rad from north) and distance (m) from one place to another along the great circle."""
    (lat_a, lon_a), (lat_b, lon_b) = np.deg2rad(a), np.deg2rad(b)
    east, north = (
        np.sin(lon_b - lon_a) * np.cos(lat_b),
        np.cos(lat_a) * np.sin(lat_b) - np.sin(lat_a) * np.cos(lat_b) * np.cos(lon_b - lon_a),
    )
    along = np.sin(lat_a) * np.sin(lat_b) + np.cos(lat_a) * np.cos(lat_b) * np.cos(lon_b - lon_a)
    return float(np.arctan2(east, north)), float(EARTH_RADIUS * np.arctan2(np.hypot(east, north), along))


def _aircraft(window: Window, r: np.random.Generator) -> Iterator[Rows]:
    quantities = np.array(("air_temperature", *WIND))
    period = float(window.length / np.timedelta64(1, "s"))
    flights = max(1, round(FLIGHTS_PER_ROUTE * period / 86400.0))
    number = 0
    for ends in network.AIR_ROUTES:
        for _ in range(flights):
            number += 1
            start, end = ends if r.random() < 0.5 else ends[::-1]
            course, length = bearing(start, end)
            cruise, departure = float(r.choice(CRUISE)), r.uniform(0.0, period)
            for away, pressure in _flight(length, cruise):
                place = moved(*start, course, away)
                yield {
                    "kind": "aircraft",
                    "station": f"JA{number:03d}",
                    "latitude": round(place[0], 2),
                    "longitude": round(place[1], 2),
                    "pressure": pressure,
                    "quantity": quantities,
                    "time": window.start + np.timedelta64(round(departure + away / FLIGHT_SPEED), "s"),
                }


def _flight(length: float, cruise: float) -> list[tuple[float, float]]:
    """Distance from the start (m) and pressure (Pa) of the reports of a flight."""
    climb = np.array([p for p in CLIMB if p > cruise])
    share = standard_height(climb) / standard_height(np.array(cruise))
    up = [(float(s * CLIMB_DISTANCE), float(p)) for s, p in zip(share, climb, strict=True)]
    down = [(length - away, pressure) for away, pressure in up[::-1]]
    level = np.arange(CLIMB_DISTANCE, length - CLIMB_DISTANCE, FLIGHT_SPEED * FLIGHT_INTERVAL)
    return [*up, *((float(away), cruise) for away in level), *down]


def _cloud_winds(domain: Domain, window: Window, r: np.random.Generator) -> Iterator[Rows]:
    for hour in _hours(window, 3):
        for (low, high), count in CLOUD_WINDS.items():
            j, i = r.uniform(0, domain.ny - 1, count), r.uniform(0, domain.nx - 1, count)
            x, y = domain.x[0] + i * domain.spacing, domain.y[0] + j * domain.spacing
            lat, lon = domain.projection.inverse(x, y)
            for number, pressure in enumerate(r.uniform(low, high, count)):
                yield {
                    "kind": "satwind",
                    "station": f"MTSAT{number:03d}",
                    "latitude": round(float(lat[number]), 2),
                    "longitude": round(float(lon[number]), 2),
                    "pressure": round(float(pressure), -2),
                    "quantity": np.array(WIND),
                    "time": hour - BEFORE_THE_HOUR,
                }
