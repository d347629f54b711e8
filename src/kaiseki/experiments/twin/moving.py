"""Reports from places that move, drawn from a random generator: ships, buoys, aircraft, clouds seen by satellites."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

import numpy as np

from kaiseki.core.constants import EARTH_RADIUS
from kaiseki.core.timing import Window
from kaiseki.diagnostics.standard_atmosphere import standard_height
from kaiseki.experiments.twin import network
from kaiseki.experiments.twin.rows import BEFORE_THE_HOUR, WIND, Rows, at, at_surface, hours_of
from kaiseki.grid import Domain

SHIPS: Final = 40
BUOYS: Final = 10
SHIP_SPEED: Final = 8.0
"""Speed of ships, m/s."""
FLIGHTS_PER_ROUTE: Final = 16
"""Number of flights per day and route."""
CRUISE: Final = (19_700.0, 23_800.0, 26_200.0, 28_700.0, 30_100.0)
"""Cruising levels of aircraft, Pa: flight levels 390, 350, 330, 310 and 300 in the standard atmosphere."""
CLIMB: Final = tuple(100.0 * p for p in (925, 850, 775, 700, 600, 500, 400, 325))
"""Pressures of reports in climb and descent, below the cruising level, Pa."""
CLIMB_DISTANCE: Final = 200e3
"""Distance over ground to the cruising level, m."""
FLIGHT_SPEED: Final = 240.0
"""Speed of aircraft over ground, m/s."""
FLIGHT_INTERVAL: Final = 600.0
"""Time between two reports of an aircraft, s."""
CLOUD_WINDS: Final = {(70_000.0, 95_000.0): 80, (40_000.0, 70_000.0): 60, (15_000.0, 40_000.0): 200}
"""Number of atmospheric motion vectors per image by their range of pressure, Pa."""
OPEN_SEA: Final = 0.05
"""Land fraction of a cell below which a ship can be there."""


def marine_reports(domain: Domain, window: Window, r: np.random.Generator) -> Iterator[Rows]:
    """Ships on straight courses and buoys that stay; what comes to land no longer reports."""
    for number in range(SHIPS + BUOYS):
        ship = number < SHIPS
        south, north, west, east = network.SHIP_BOX[number % len(network.SHIP_BOX)]
        lat, lon = r.uniform(south, north), r.uniform(west, east)
        course = r.uniform(0.0, 2.0 * np.pi)
        for hour in hours_of(window, 6 if ship and number % 3 else 3):
            away = SHIP_SPEED * float((hour - window.start) / np.timedelta64(1, "s")) if ship else 0.0
            there = moved(lat, lon, course, away)
            if at(domain.land_fraction, domain, *np.array(there)[:, None])[0] < OPEN_SEA:
                rounded = (round(there[0], 1), round(there[1], 1))
                name = f"KSK{number:02d}" if ship else f"{21500 + number}"
                yield at_surface("ship" if ship else "buoy", name, rounded, 0.0, hour)


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


def aircraft_reports(window: Window, r: np.random.Generator) -> Iterator[Rows]:
    """Flights along the routes in either direction, with climb and descent."""
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
    share = standard_height(climb) / standard_height(np.array([cruise]))
    up = [(float(s * CLIMB_DISTANCE), float(p)) for s, p in zip(share, climb, strict=True)]
    down = [(length - away, pressure) for away, pressure in up[::-1]]
    level = np.arange(CLIMB_DISTANCE, length - CLIMB_DISTANCE, FLIGHT_SPEED * FLIGHT_INTERVAL)
    return [*up, *((float(away), cruise) for away in level), *down]


def motion_vectors(domain: Domain, window: Window, r: np.random.Generator) -> Iterator[Rows]:
    """Winds of clouds and vapour anywhere over the domain, every 3 h."""
    for hour in hours_of(window, 3):
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
