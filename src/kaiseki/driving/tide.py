"""The semidiurnal tide of the atmosphere, for driving fields that cannot show it.

The sun's heating of ozone makes the pressure at the ground rise and fall twice a day by 0.6 hPa at 35 degrees. A
model with a low model top does not make this wave; it comes in through the boundary. Analyses twelve hours apart meet
it always in the same phase, so fields interpolated between them lack it: six hours from an analysis they are more than
1 hPa too high over Japan, everywhere with the same sign, and every barometer says so.

Pressure after Chapman and Lindzen 1970 (Atmospheric Tides, section 2S.2): migrating part 1.16 hPa cos^3(latitude)
sin(2 t + 158 degrees), t the local mean solar time as an angle from midnight. Winds are what this pressure asks for in
the linear equations of motion without friction, the same at all heights.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from kaiseki.core.constants import EARTH_RADIUS, EARTH_ROTATION, R_DRY, STANDARD_PRESSURE, STANDARD_TEMPERATURE

AMPLITUDE = 116.0
"""Amplitude of the semidiurnal tide of surface pressure on the equator, Pa."""

PHASE = 158.0
"""Phase of the semidiurnal tide, degrees."""

DENSITY = STANDARD_PRESSURE / (R_DRY * STANDARD_TEMPERATURE)
"""Density of the standard atmosphere at sea level, kg m-3."""


class Tide(NamedTuple):
    """Deviations of surface pressure (Pa) and of the wind to east and north (m/s)."""

    pressure: np.ndarray
    east: np.ndarray
    north: np.ndarray


def solar_angle(time: np.datetime64, lon: np.ndarray) -> np.ndarray:
    """Local mean solar time as an angle from midnight, degrees."""
    seconds = int(time.astype("datetime64[s]").astype(np.int64)) % 86400
    return np.asarray(seconds / 240.0 + lon)


def semidiurnal_tide(time: np.datetime64, lat: np.ndarray, lon: np.ndarray) -> Tide:
    """The migrating semidiurnal tide at a time (UTC).

    With p = A c^3 sin(theta), c and s cosine and sine of latitude, d(theta)/dt = 2 Omega and f = 2 Omega s, the winds
    u = U sin(theta), v = V cos(theta) satisfy du/dt - f v = -(dp/dx) / rho and dv/dt + f u = -(dp/dy) / rho with
    U = -k (2 + 3 s^2) and V = s (U - 3 k c^2), k = A / (2 Omega rho a).

    Args:
        time: UTC.
        lat, lon: degrees, of any equal shape.
    """
    theta = np.deg2rad(2.0 * solar_angle(time, lon) + PHASE)
    s, c = np.sin(np.deg2rad(lat)), np.cos(np.deg2rad(lat))
    k = AMPLITUDE / (2.0 * EARTH_ROTATION * DENSITY * EARTH_RADIUS)
    east = -k * (2.0 + 3.0 * s**2)
    north = s * (east - 3.0 * k * c**2)
    return Tide(AMPLITUDE * c**3 * np.sin(theta), east * np.sin(theta), north * np.cos(theta))


def missed_tide(time: np.datetime64, analyses: Sequence[np.datetime64], lat: np.ndarray, lon: np.ndarray) -> Tide:
    """Tide at a time that is missing in fields interpolated between the times of some analyses.

    Between two analyses the fields are taken to hold the tide interpolated linearly, before the first and after the
    last that of the nearest.

    Args:
        time: UTC.
        analyses: times of analyses, at least one.
        lat, lon: degrees.
    """
    times = sorted(analyses)
    after = min(int(np.searchsorted(np.array(times), time)), len(times) - 1)
    before = max(after - 1, 0) if time < times[after] else after
    known = [semidiurnal_tide(times[i], lat, lon) for i in (before, after)]
    span = times[after] - times[before]
    weight = float((time - times[before]) / span) if span else 0.0
    now = semidiurnal_tide(time, lat, lon)
    return Tide(*(n - ((1.0 - weight) * a + weight * b) for n, a, b in zip(now, *known, strict=True)))


def with_tide(fields: dict[str, np.ndarray], tide: Tide, domain: object) -> dict[str, np.ndarray]:
    """Fields plus a tide, every column hydrostatic as before: pressures at all heights change by the same factor.

    Args:
        fields: u, v (grid-relative), pressure, surface_pressure and whatever else, which stays.
        tide: on the cells of the domain.
        domain: a `grid.Domain`.
    """
    u, v = domain.to_grid(tide.east, tide.north)  # type: ignore[attr-defined]
    factor = 1.0 + tide.pressure / STANDARD_PRESSURE
    made = dict(fields)
    made["u"], made["v"] = fields["u"] + u, fields["v"] + v
    for name in ("pressure", "surface_pressure"):
        made[name] = fields[name] * factor
    return made
