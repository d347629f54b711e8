"""Soundings and surface networks whose truth is known in closed form."""

from __future__ import annotations

from typing import Any

import numpy as np

from kaiseki.observations import Table

NOON = np.datetime64("1989-01-01T12:00:00", "s")
PRESSURES = 100.0 * np.array([1000, 925, 850, 780, 700, 610, 500, 450, 400, 300, 250, 200, 150, 120, 100, 70, 50])
WITH_HEIGHT = np.isin(PRESSURES, 100.0 * np.array([1000, 850, 700, 500, 400, 300, 250, 200, 150, 100, 70, 50]))
G_OVER_R = 9.80665 / 287.05


def atmosphere(pressure: np.ndarray, surface: float = 285.0, lapse: float = 0.0065) -> tuple[np.ndarray, np.ndarray]:
    """Temperature and height of a dry atmosphere with a constant lapse rate up to 200 hPa and none above.

    T = T0 (p/p0)^(R L / g) and z = (T0 - T) / L follow exactly from the hydrostatic equation.
    """
    kink = 20_000.0
    below = np.maximum(pressure, kink)
    temperature = surface * (below / 100_000.0) ** (lapse / G_OVER_R)
    height = (surface - temperature) / lapse + temperature / G_OVER_R * np.log(below / pressure)
    return temperature, height + 120.0


def sounding(
    report: int = 0, station: str = "47646", place: tuple[float, float] = (36.0, 140.0), **changes: Any
) -> Table:
    """One sonde; `temperature` and `height` are added to the true values, (levels,)."""
    temperature, height = atmosphere(PRESSURES)
    temperature = temperature + changes.pop("temperature", 0.0)
    height = np.rint(height + changes.pop("height", 0.0))[WITH_HEIGHT]
    east, north = changes.pop("wind", (15.0 + 0.0006 * (100_000.0 - PRESSURES), np.full(len(PRESSURES), 2.0)))
    parts = [
        ("air_temperature", PRESSURES, temperature),
        ("geopotential_height", PRESSURES[WITH_HEIGHT], height),
        ("eastward_wind", PRESSURES, east),
        ("northward_wind", PRESSURES, north),
    ]
    level = {p: i + 1 for i, p in enumerate(PRESSURES)}
    columns = {
        "report": report,
        "time": NOON,
        "latitude": place[0],
        "longitude": place[1],
        "pressure": np.concatenate([p for _, p, _ in parts]),
        "level": np.array([level[p] for _, pressures, _ in parts for p in pressures]),
        "quantity": np.concatenate([np.full(len(p), name) for name, p, _ in parts]),
        "value": np.concatenate([np.broadcast_to(v, p.shape) for _, p, v in parts]),
        "station_elevation": 30.0,
        "station": station,
        "kind": "sonde",
    }
    return Table.from_columns({**columns, **changes})


def wrong(table: Table, flags: np.ndarray) -> set[tuple[str, float]]:
    """(quantity, pressure in hPa) of the flagged rows."""
    rows = np.flatnonzero(flags)
    return {(str(table.column("quantity")[row]), float(table.column("pressure")[row] / 100.0)) for row in rows}


def bump(pressure_hpa: float, size: float) -> np.ndarray:
    """An error at one level, (levels,)."""
    assert pressure_hpa * 100.0 in PRESSURES
    return np.where(pressure_hpa * 100.0 == PRESSURES, size, 0.0)
