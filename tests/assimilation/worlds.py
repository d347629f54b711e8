"""A small domain with a hill, analytic atmospheres over it, and observations at chosen places."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from kaiseki.assimilation import Analysis, AnalysisInput, Trajectory, engine
from kaiseki.config import Assimilation, BackgroundError
from kaiseki.core.constants import GRAVITY, R_DRY, STANDARD_LAPSE_RATE
from kaiseki.grid import Domain, LambertConformal
from kaiseki.grid.levels import decay, stretched_interfaces
from kaiseki.observations import Table
from kaiseki.statistics import BackgroundCovariance
from kaiseki.statistics.covariance import build

NOON = np.datetime64("1989-01-01T12:00:00", "s")
HOUR = np.timedelta64(3600, "s")
SPACING = 60e3


def domain(*, ny: int = 18, nx: int = 20, nz: int = 16, hill: float = 800.0, rim: int = 2) -> Domain:
    """Around 36N 138E, with a Gaussian hill in the middle."""
    projection = LambertConformal()
    x0, y0 = projection.forward(np.asarray(36.0), np.asarray(138.0))
    x = float(x0) + (np.arange(nx) - (nx - 1) / 2) * SPACING
    y = float(y0) + (np.arange(ny) - (ny - 1) / 2) * SPACING
    half = stretched_interfaces(nz, 20_000.0, 80.0)
    distance = np.hypot(x[None, :] - x.mean(), y[:, None] - y.mean())
    terrain = hill * np.exp(-((distance / 250e3) ** 2))
    return Domain("small", projection, SPACING, x, y, half, decay(half, half[-1]), terrain, (terrain > 50.0) * 1.0, rim)


def isothermal(grid: Domain, temperature: float = 270.0, pressure: float = 101_000.0) -> dict[str, np.ndarray]:
    """At rest, dry; p = p0 exp(-g z / R T)."""
    zero = np.zeros(grid.shape)
    return {
        "u": zero,
        "v": zero,
        "temperature": zero + temperature,
        "pressure": pressure * np.exp(-GRAVITY * grid.z / (R_DRY * temperature)),
        "qv": zero,
    }


def polytropic(height: Any, temperature: float = 288.0, pressure: float = 101_000.0) -> Any:
    """Pressure at a height of the atmosphere with the standard lapse rate everywhere."""
    return pressure * (1.0 - STANDARD_LAPSE_RATE * height / temperature) ** (GRAVITY / (R_DRY * STANDARD_LAPSE_RATE))


def lapsing(grid: Domain, temperature: float = 288.0) -> dict[str, np.ndarray]:
    """The standard lapse rate everywhere, with wind and moisture that vary in all directions."""
    j, i = np.mgrid[: grid.ny, : grid.nx]
    return {
        "u": 10.0 + grid.z / 500.0 + 0.3 * i - 0.2 * j,
        "v": -3.0 + 0.2 * i + 0.1 * j + 0.0 * grid.z,
        "temperature": temperature - STANDARD_LAPSE_RATE * grid.z,
        "pressure": polytropic(grid.z, temperature),
        "qv": 0.008 * np.exp(-grid.z / 2500.0) * (1.0 + 0.01 * i),
    }


def steady(grid: Domain, fields: dict[str, np.ndarray], hours: int = 3) -> Trajectory:
    """The same fields at hourly slots up to noon."""
    times = NOON - HOUR * np.arange(hours, -1, -1)
    return Trajectory.make(times, [fields] * len(times), grid)


def latlon(grid: Domain, j: Any, i: Any) -> tuple[np.ndarray, np.ndarray]:
    """Places at fractional indices."""
    x = np.asarray(grid.x[0] + np.atleast_1d(i).astype(float) * grid.spacing)
    y = np.asarray(grid.y[0] + np.atleast_1d(j).astype(float) * grid.spacing)
    return grid.projection.inverse(x, y)


def at(grid: Domain, j: Any, i: Any, quantity: Any, **columns: Any) -> Table:
    """Values of 0 at fractional indices; upper-air by default."""
    latitude, longitude = latlon(grid, *np.broadcast_arrays(j, i))
    given: dict[str, Any] = {
        "time": np.full(len(latitude), NOON),
        "latitude": latitude,
        "longitude": longitude,
        "quantity": quantity,
        "value": np.zeros(len(latitude)),
        "kind": "sonde",
        "level": 1,
        "error": 1.0,
    }
    return Table.from_columns(given | columns)


def errors(**changes: Any) -> BackgroundError:
    """Background errors of about 2 m/s, 1 K, 15 % and 1 hPa with lengths that the small domain resolves."""
    given: dict[str, Any] = {
        "pressure": (100_000.0, 50_000.0, 10_000.0),
        "wind": (2.0, 3.0, 3.0),
        "temperature": (1.2, 1.0, 1.2),
        "humidity": (0.15, 0.2, 0.1),
        "surface_pressure": 100.0,
        "length": 250e3,
        "vertical_length": 0.5,
        "humidity_length": 200e3,
        "humidity_vertical_length": 0.3,
    }
    return BackgroundError(**(given | changes))


def covariance(
    grid: Domain, fields: dict[str, np.ndarray], taper: int | None = 1, **changes: Any
) -> BackgroundCovariance:
    return build(grid, errors(**changes), fields, taper)


def analyse(
    name: str,
    background: Trajectory,
    observations: Table,
    covariance: Any,
    settings: Assimilation,
    log: Callable[[str], None] | None = None,
    model: Any = None,
) -> Analysis:
    """The analysis of an engine, with the members of the model where it has some."""
    members = None if model is None else model.members
    given = AnalysisInput(background, observations, covariance, settings, model, members, log=log)
    return engine(name).analyse(given)


QUANTITIES = ("air_temperature", "specific_humidity", "eastward_wind", "northward_wind")
ERRORS = (1.0, 8e-4, 2.0, 2.0)


def ascents(grid: Domain, number: int, seed: int = 0, levels: int = 8, margin: float = 3.0) -> Table:
    """Sondes at random places inside the rim, with values of 0, all four quantities per level, and SYNOP pressures."""
    random = np.random.default_rng(seed)
    j, i = (random.uniform(margin, n - 1 - margin, number) for n in (grid.ny, grid.nx))
    report, level, quantity = (
        part.ravel() for part in np.meshgrid(np.arange(number), np.arange(levels), np.arange(4), indexing="ij")
    )
    pressure = np.geomspace(80_000.0, 15_000.0, levels)
    latitude, longitude = latlon(grid, j, i)
    sondes = Table.from_columns(
        {
            "report": report,
            "time": NOON - (random.integers(0, 9000, number) * np.timedelta64(1, "s"))[report],
            "latitude": latitude[report],
            "longitude": longitude[report],
            "pressure": pressure[level],
            "level": level + 1,
            "quantity": np.array(QUANTITIES)[quantity],
            "value": np.zeros(len(report)),
            "kind": "sonde",
            "station": np.array([f"S{n:03d}" for n in range(number)])[report],
            "error": np.array(ERRORS)[quantity],
        }
    )
    j, i = (random.uniform(margin, n - 1 - margin, number) for n in (grid.ny, grid.nx))
    ground = grid.terrain[np.rint(j).astype(int), np.rint(i).astype(int)]
    stations = at(
        grid,
        j,
        i,
        "surface_pressure",
        report=np.arange(number),
        kind="synop",
        level=0,
        station_elevation=ground,
        error=100.0,
    )
    return Table.concat([sondes, stations])


def with_departures(table: Table, background: np.ndarray, wanted: np.ndarray) -> Table:
    """Values such that the departures are `wanted`; `background` are the departures of the table as it is."""
    return table.with_columns(value=table.column("value") - background + wanted)
