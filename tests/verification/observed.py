"""Observation columns for the tests of the scores, made by hand or from a seed."""

from __future__ import annotations

from typing import Any

import numpy as np

from kaiseki.grid import Domain
from kaiseki.grid.presets import preset

TIME = np.datetime64("1989-01-02T00:00", "s")


def columns(rows: list[dict[str, Any]]) -> dict[str, np.ndarray]:
    """Columns of rows that give what matters: station, quantity, pressure, value, flags, withheld, departures."""
    default = {
        "time": TIME,
        "latitude": 36.0,
        "longitude": 140.0,
        "pressure": np.nan,
        "level": 0,
        "kind": "sonde",
        "station": "47646",
        "quantity": "air_temperature",
        "value": 280.0,
        "flags": 0,
        "withheld": True,
        "background_departure": np.nan,
        "analysis_departure": np.nan,
    }
    full = [default | row for row in rows]
    types = {"time": "datetime64[s]", "flags": np.uint32, "withheld": bool, "level": np.int32}
    return {name: np.array([row[name] for row in full], types.get(name)) for name in default}


def network(seed: int, stations: int = 20, levels: tuple[float, ...] = (85e3, 50e3, 25e3)) -> dict[str, np.ndarray]:
    """Soundings with wind and temperature, and surface pressure, at random places; departures of unit size."""
    generator = np.random.default_rng(seed)
    rows = []
    for number in range(stations):
        place = {
            "station": f"47{number:03d}",
            "latitude": float(generator.uniform(30, 42)),
            "longitude": float(generator.uniform(130, 145)),
            "withheld": bool(number % 2),
        }
        for pressure in levels:
            for quantity in ("air_temperature", "eastward_wind", "northward_wind", "geopotential_height"):
                rows.append(place | {"quantity": quantity, "pressure": pressure, **_numbers(generator)})
        rows.append(place | {"quantity": "surface_pressure", "kind": "synop", **_numbers(generator)})
    return columns(rows)


def _numbers(generator: np.random.Generator) -> dict[str, float]:
    return {
        "value": float(generator.normal()),
        "background_departure": float(generator.normal(0.3, 1.0)),
        "analysis_departure": float(generator.normal(0.1, 0.6)),
    }


def flat_domain() -> Domain:
    return preset("japan-60km")
