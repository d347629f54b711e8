"""A small dataset as `kaiseki.open` gives it, over a hill on a Lambert map, with profiles in closed form."""

from __future__ import annotations

import numpy as np
import xarray as xr

from kaiseki.archive.store.metadata import grid_mapping
from kaiseki.core.constants import GRAVITY, R_DRY
from kaiseki.core.variables import VARIABLES
from kaiseki.diagnostics.saturation import over_water, specific_humidity
from kaiseki.grid import LambertConformal

SHAPE = (14, 5, 6)
LAPSE = 0.0065
GROUND_TEMPERATURE = 290.0
SEA_LEVEL_PRESSURE = 1.0e5
FRICTION_VELOCITY, ROUGHNESS = 0.4, 0.1


def log_wind(height: np.ndarray | float) -> np.ndarray:
    """Speed of a neutral surface layer (m/s) at a height above ground (m)."""
    return FRICTION_VELOCITY / 0.4 * np.log(np.asarray(height) / ROUGHNESS)


def dataset(times: int = 3) -> xr.Dataset:
    """Dry-bulb temperature with the standard lapse rate, hydrostatic and dry in its pressure, 60 % relative humidity;
    a log wind from the west-south-west; the hours differ by one kelvin."""
    nz, ny, nx = SHAPE
    projection = LambertConformal()
    x0, y0 = projection.forward(np.array(36.0), np.array(138.0))
    x, y = float(x0) + 20e3 * np.arange(nx), float(y0) + 20e3 * np.arange(ny)
    lat, lon = projection.inverse(*np.meshgrid(x, y))
    terrain = 1500.0 * np.outer(np.sin(np.linspace(0, np.pi, ny)), np.sin(np.linspace(0, np.pi, nx)))
    level = np.concatenate([[25.0, 80.0, 160.0, 260.0], np.geomspace(400.0, 15_000.0, nz - 4)])
    decay = 1.0 - level / 16_000.0
    altitude = level[:, None, None] + decay[:, None, None] * terrain
    above = altitude - terrain
    fields: dict[str, list[np.ndarray]] = {}
    for hour in range(times):
        surface = GROUND_TEMPERATURE + hour
        temperature = np.maximum(surface - LAPSE * altitude, 190.0)
        pressure = SEA_LEVEL_PRESSURE * (1.0 - LAPSE * altitude / surface) ** (GRAVITY / (R_DRY * LAPSE))
        qv = specific_humidity(0.6 * over_water(temperature), pressure)
        speed = log_wind(above)
        t_2m = surface - LAPSE * (terrain + 2.0)
        at_ground = SEA_LEVEL_PRESSURE * (1.0 - LAPSE * terrain / surface) ** (GRAVITY / (R_DRY * LAPSE))
        for name, values in {
            "eastward_wind": speed * np.cos(0.3),
            "northward_wind": speed * np.sin(0.3),
            "w": 0.1 + 0.0 * speed,
            "temperature": temperature,
            "pressure": pressure,
            "qv": qv,
            "surface_pressure": at_ground,
            "temperature_2m": t_2m,
            "specific_humidity_2m": specific_humidity(0.6 * over_water(t_2m), at_ground),
            "eastward_wind_10m": log_wind(10.0) * np.cos(0.3) + 0.0 * terrain,
            "northward_wind_10m": log_wind(10.0) * np.sin(0.3) + 0.0 * terrain,
        }.items():
            fields.setdefault(name, []).append(values)
    time = np.datetime64("2020-07-01T00:00", "ns") + np.arange(times) * np.timedelta64(1, "h")
    variables = {
        name: (
            ("time", "level", "y", "x") if values[0].ndim == 3 else ("time", "y", "x"),
            np.stack(values),
            VARIABLES[name].attributes(),
        )
        for name, values in fields.items()
    }
    return xr.Dataset(
        variables,
        {
            "time": time,
            "level": level,
            "y": y,
            "x": x,
            "lat": (("y", "x"), lat),
            "lon": (("y", "x"), lon),
            "altitude": (("level", "y", "x"), altitude),
            "decay": ("level", decay),
            "terrain": (("y", "x"), terrain),
            "crs": ((), 0, grid_mapping(projection)),
        },
        {"title": "made up", "Conventions": "CF-1.11", "history": "made"},
    )
