"""Small archives on every kind of map, whose value at a cell follows from its number, to check any reader."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import xarray as xr

import kaiseki
from archive.runs import EXPERIMENT, HOUR, START
from kaiseki.archive import RunStore
from kaiseki.archive.store.layout import Layout
from kaiseki.core.variables import VARIABLES
from kaiseki.grid import Domain, LambertConformal, Mercator, PolarStereographic, Projection

NY, NX, NZ = 14, 12, 4
SPACING = 20e3
LEVELS = np.array([100.0, 500.0, 2000.0, 5000.0])

MAPS: dict[str, tuple[Projection, float, float]] = {
    "lambert": (LambertConformal(), 35.0, 136.0),
    "lambert_south": (LambertConformal(-30.0, -60.0, 135.0), -38.0, 146.0),
    "lambert_tangent": (LambertConformal(40.0, 40.0, 10.0, 6371229.0), 46.0, 8.0),
    "mercator": (Mercator(10.0, 110.0), 4.0, 113.0),
    "stereographic": (PolarStereographic(70.0, -45.0), 72.0, -38.0),
    "stereographic_south": (PolarStereographic(-71.0, 0.0, 6371229.0), -75.0, 20.0),
}
"""Kind of map -> projection, latitude and longitude of the first cell."""


def cells() -> np.ndarray:
    """Numbers of the cells (y, x)."""
    return np.arange(NY * NX, dtype=np.float32).reshape(NY, NX)


def domain(name: str) -> Domain:
    """A small domain with a hill on a map."""
    projection, lat, lon = MAPS[name]
    x0, y0 = projection.forward(np.asarray(lat), np.asarray(lon))
    hill = np.outer(np.sin(np.linspace(0, np.pi, NY)), np.sin(np.linspace(0, np.pi, NX)))
    return Domain(
        name=name,
        projection=projection,
        spacing=SPACING,
        x=float(x0) + SPACING * np.arange(NX),
        y=float(y0) + SPACING * np.arange(NY),
        zeta_half=np.array([0.0, 200.0, 800.0, 3200.0, 6800.0]),
        decay_half=np.array([1.0, 0.9, 0.7, 0.3, 0.0]),
        terrain=800.0 * hill,
        land_fraction=(hill > 0.2).astype(float),
        rim_width=1,
    )


def fields(hour: int) -> dict[str, np.ndarray]:
    """Fields of a time: 200 K + number of the cell / 2 + hour / 100, and others that are physical."""
    base = 200.0 + cells() / 2.0 + np.float32(hour) / 100.0
    air = np.broadcast_to(base, (NZ, NY, NX)) + np.arange(NZ, dtype=np.float32)[:, None, None]
    pressure = np.broadcast_to(1.0e5 * np.exp(-LEVELS / 8000.0)[:, None, None], air.shape)
    return {
        "u": (air - 250.0) / 10.0,
        "v": (air - 240.0) / 10.0,
        "temperature": air,
        "pressure": pressure.astype(np.float32),
        "qv": (cells() * np.float32(1e-5) + np.zeros((NZ, 1, 1), np.float32)),
        "temperature_2m": base,
        "precipitation": cells() / np.float32(8.0),
        "soil_temperature": np.broadcast_to(base, (2, NY, NX)).copy(),
    }


def archive(path: Path, name: str = "lambert", hours: int = 30) -> Path:
    """A run store with hourly fields and one analysis, from 12 UTC."""
    times = START + HOUR * np.arange(hours + 1)
    layout = Layout(
        experiment_json=EXPERIMENT,
        domain=domain(name),
        soil_depth=np.array([0.05, 0.5]),
        times=times,
        cycle_times=times[[0, -1]],
    )
    with RunStore.create(path, layout) as store:
        for end, some in ((times[0], [0]), (times[-1], range(1, hours + 1))):
            with store.cycle(end) as transaction:
                for hour in some:
                    now = fields(hour)
                    if hour == 0:
                        del now["precipitation"]
                    transaction.write_fields("forecast", times[hour], now)
                instants = {key: value for key, value in fields(hour).items() if key != "precipitation"}
                transaction.write_fields("analysis", end, instants)
    return path


def on_heights(run: Path) -> xr.Dataset:
    """Winds at heights above ground, as a product gives them."""
    source = kaiseki.open(run, "background").isel(time=slice(0, 3))
    height = xr.Variable(
        "height",
        np.array([10.0, 100.0, 200.0]),
        {"standard_name": "height", "long_name": "height above ground", "units": "m", "positive": "up", "axis": "Z"},
    )
    values = source["eastward_wind"].isel(level=slice(0, 3)).values
    attributes = VARIABLES["eastward_wind"].attributes() | {"grid_mapping": "crs"}
    kept = {name: source[name] for name in ("time", "x", "y", "lat", "lon", "crs")}
    wind = (("time", "height", "y", "x"), values, attributes)
    return xr.Dataset({"eastward_wind": wind}, kept | {"height": height}, dict(source.attrs))


def on_degrees(*, rising: bool, mapped: bool) -> xr.Dataset:
    """Precipitation and temperature on a latitude-longitude grid, as regridding gives them."""
    lat = 30.0 + 0.25 * np.arange(NY)
    dataset = xr.Dataset(
        {
            "temperature_2m": (("time", "lat", "lon"), fields(0)["temperature_2m"][None]),
            "precipitation": (("time", "lat", "lon"), fields(0)["precipitation"][None]),
        },
        {
            "time": ("time", [START], {"standard_name": "time", "long_name": "time (UTC)", "axis": "T"}),
            "lat": ("lat", lat, {"standard_name": "latitude", "units": "degrees_north", "axis": "Y"}),
            "lon": ("lon", 130.0 + 0.25 * np.arange(NX), {"standard_name": "longitude", "units": "degrees_east"}),
            "height_2m": ((), 2.0, {"standard_name": "height", "units": "m", "positive": "up", "axis": "Z"}),
        },
        {"title": "on degrees", "source": "tests", "history": "made"},
    )
    dataset["time"].attrs["bounds"] = "time_bnds"
    dataset["time_bnds"] = (("time", "bounds"), np.array([[START - HOUR, START]]))
    for name in ("temperature_2m", "precipitation"):
        dataset[name].attrs = VARIABLES[name].attributes()
    if mapped:
        attributes = {"grid_mapping_name": "latitude_longitude", "earth_radius": 6371000.0}
        dataset = dataset.assign_coords(crs=((), np.int32(0), attributes))
    return dataset if rising else dataset.isel(lat=slice(None, None, -1))
