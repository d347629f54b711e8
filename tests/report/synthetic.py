"""A small run on disk in the form of docs/architecture.md, made without the model: a jet, waves, and known errors."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa

from kaiseki.archive import RunStore, interpolate_to_pressure
from kaiseki.archive.store.layout import Layout
from kaiseki.config import Experiment
from kaiseki.core.constants import GRAVITY, R_DRY
from kaiseki.grid import Domain, LambertConformal

START = np.datetime64("1989-01-01T12:00", "s")
HOUR = np.timedelta64(3600, "s")
STORES = ("analysis", "optimal_interpolation", "free_run", "driving", "truth")
ERRORS = {
    "truth": 0.0,
    "analysis": 0.35,
    "background": 0.55,
    "optimal_interpolation": 0.45,
    "free_run": 1.0,
    "driving": 0.9,
}
"""Size of the error of each experiment, in units of the error of the free run."""

LEVELS = np.array([1000, 925, 850, 700, 500, 400, 300, 250, 200, 150, 100]) * 100.0


def experiment(kind: str = "twin", **verification: Any) -> Experiment:
    values: dict[str, Any] = {
        "case": {"name": "synthetic", "title": "Synthetic winter day over Japan", "kind": kind},
        "domain": {"preset": "japan-60km"},
        "period": {"cold_start": "1989-01-01T12:00Z", "end": "1989-01-02T00:00Z"},
        "verification": {"bootstrap_samples": 200, **verification},
    }
    if kind == "real":
        values["observations"] = {"files": ["observations/prepbufr_198901/*"]}
        values["domain"]["coast_files"] = ["static/ne_50m_coastline.geojson"]
    return Experiment.from_mapping(values)


def domain(shape: tuple[int, int, int] = (8, 10, 12), spacing: float = 300e3) -> Domain:
    """The given number of cells around Japan, with an island arc."""
    nz, ny, nx = shape
    projection = LambertConformal()
    x0, y0 = projection.forward(np.asarray(37.0), np.asarray(137.0))
    half = 22000.0 * np.linspace(0.0, 1.0, nz + 1) ** 1.5
    x = float(x0) + spacing * (np.arange(nx) - (nx - 1) / 2)
    y = float(y0) + spacing * (np.arange(ny) - (ny - 1) / 2)
    flat = np.zeros((ny, nx))
    bare = Domain("synthetic", projection, spacing, x, y, half, (1.0 - half / half[-1]) ** 2, flat, flat, 2)
    along = (bare.lon - 137.0) * 0.75 - (bare.lat - 36.5)
    island = np.exp(-((along / 2.0) ** 2)) * (np.abs(bare.lat - 37.5) < 6.0)
    continent = 1.0 / (1.0 + np.exp((bare.lon - 126.0 - 0.35 * (bare.lat - 38.0)) / 0.6))
    land = np.clip(1.6 * island + continent, 0.0, 1.0)
    return bare.with_terrain(900.0 * island * (spacing < 1e5) + 300.0 * continent + 100.0 * land, land)


def state(where: Domain, hour: float, error: float) -> dict[str, np.ndarray]:
    """Fields as the model would give them; `error` shifts a wave and warms it."""
    east, north = (where.x - where.x.mean()) / 1e6, (where.y - where.y.mean()) / 1e6
    x, y = np.meshgrid(east, north)
    phase = 2.0 * np.pi * (x - 0.12 * hour / 3.0 - 0.16 * error) / 3.2
    warm = -16.0 * np.tanh((y - 0.25 * np.sin(phase)) / 0.55) + 1.2 * error * np.cos(3.0 * phase) * np.cos(2.0 * y)
    z = where.z
    temperature = np.maximum(283.0 + warm - 6.3e-3 * z, 212.0 - 0.4 * warm + 0.3e-3 * z)
    low = (
        1013e2
        - 2100.0 * np.exp(-((x - 0.9 - 0.04 * hour) ** 2 + (y + 0.2) ** 2) / 0.35)
        + 1500.0 * np.exp(-((x + 1.2) ** 2 + (y - 0.3) ** 2) / 0.8)
    )
    low = low + 180.0 * error * np.sin(2.0 * phase)
    first = np.log(low) - GRAVITY * z[0] / (R_DRY * (temperature[0] + 0.5 * 6.3e-3 * z[0]))
    mean = 0.5 * (temperature[1:] + temperature[:-1])
    steps = -GRAVITY * np.diff(z, axis=0) / (R_DRY * mean)
    pressure = np.exp(np.concatenate([first[None], first + np.cumsum(steps, axis=0)]))
    dx = where.spacing
    f = where.coriolis
    grad_y, grad_x = np.gradient(np.log(low), dx, axis=(0, 1))
    shear_y, shear_x = np.gradient(warm, dx, axis=(0, 1))
    depth = np.minimum(z, 10000.0)
    u = -R_DRY * temperature * grad_y / f - GRAVITY * depth * shear_y / (f * 270.0)
    v = R_DRY * temperature * grad_x / f + GRAVITY * depth * shear_x / (f * 270.0)
    return {
        "u": np.clip(u, -40, 90),
        "v": np.clip(v, -50, 50),
        "temperature": temperature,
        "pressure": pressure,
        "qv": np.clip(8e-3 * np.exp(-z / 2500.0) * np.exp(warm / 18.0), 1e-6, 0.02),
        "precipitation": np.maximum(
            0.0, 6.0 * np.exp(-(((y - 0.25 * np.sin(phase) + 0.1) / 0.3) ** 2)) * np.sin(phase) - 0.4
        ),
    }


def network(where: Domain, seed: int = 3, sondes: int = 40, synops: int = 120) -> dict[str, np.ndarray]:
    """Places of stations; about a fifth is withheld."""
    generator = np.random.default_rng(seed)
    n = sondes + synops
    j = generator.uniform(0.6, where.ny - 1.6, n)
    i = generator.uniform(0.6, where.nx - 1.6, n)
    x, y = where.x[0] + where.spacing * i, where.y[0] + where.spacing * j
    latitude, longitude = where.projection.inverse(x, y)
    return {
        "latitude": latitude,
        "longitude": longitude,
        "cell": np.stack([np.rint(j).astype(int), np.rint(i).astype(int)]),
        "kind": np.array(["sonde"] * sondes + ["synop"] * synops),
        "station": np.array([f"47{k:03d}" for k in range(n)]),
        "withheld": np.arange(n) % 5 == 0,
    }


def equivalents(where: Domain, fields: dict[str, np.ndarray], stations: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
    """Values of every quantity at every station: (n, levels) in the air, (n,) at the ground."""
    east, north = where.to_east_north(fields["u"], fields["v"])
    j, i = stations["cell"]
    column = {
        "air_temperature": fields["temperature"],
        "eastward_wind": east,
        "northward_wind": north,
        "specific_humidity": fields["qv"],
        "geopotential_height": where.z,
    }
    found = {
        name: interpolate_to_pressure(values, fields["pressure"], LEVELS)[:, j, i].T for name, values in column.items()
    }
    ground = np.exp(
        np.log(fields["pressure"][0]) + GRAVITY * (where.z[0] - where.terrain) / (R_DRY * fields["temperature"][0])
    )
    return found | {"surface_pressure": ground[j, i]}


SIGMA = {
    "air_temperature": 0.8,
    "eastward_wind": 1.8,
    "northward_wind": 1.8,
    "specific_humidity": 4e-4,
    "geopotential_height": 9.0,
    "surface_pressure": 70.0,
}


def tables(where: Domain, cycle: int, seed: int = 3) -> dict[str, pa.Table]:
    """The observation tables of one cycle by store; soundings every other cycle only."""
    stations = network(where, seed)
    time = START + 3 * HOUR * cycle
    generator = np.random.default_rng(100 * seed + cycle)
    experiments = {
        name: equivalents(where, state(where, 3.0 * cycle, error), stations) for name, error in ERRORS.items()
    }
    rows: dict[str, list[Any]] = {
        name: [] for name in ("station_number", "quantity", "pressure", "level", "truth", *ERRORS)
    }
    with_sondes = cycle % 2 == 0
    for number, kind in enumerate(stations["kind"]):
        if kind == "sonde" and not with_sondes:
            continue
        names = list(SIGMA) if kind == "sonde" else ["surface_pressure"]
        for name in names:
            for level, pressure in enumerate(LEVELS) if name != "surface_pressure" else [(0, np.nan)]:
                values = {
                    e: q[name][number] if name == "surface_pressure" else q[name][number, level]
                    for e, q in experiments.items()
                }
                if not np.isfinite(list(values.values())).all() or (name == "specific_humidity" and pressure < 30000.0):
                    continue
                for e, value in values.items():
                    if e != "truth":
                        rows[e].append(value)
                rows["truth"].append(values["truth"])
                rows["station_number"].append(number)
                rows["quantity"].append(name)
                rows["pressure"].append(pressure)
                rows["level"].append(level + (kind == "sonde" and name != "surface_pressure"))
    number = np.array(rows["station_number"])
    sigma = np.array([SIGMA[name] for name in rows["quantity"]])
    value = np.array(rows["truth"]) + sigma * generator.normal(size=number.size)
    flags = np.where(generator.uniform(size=number.size) < 0.03, 1 << 7, 0).astype(np.uint32)
    flags[np.array(rows["quantity"]) == "geopotential_height"] |= np.uint32(1 << 12)
    common = {
        "report": number.astype(np.int64),
        "time": np.full(number.size, time - 1800 * np.timedelta64(1, "s"), "datetime64[s]"),
        "latitude": stations["latitude"][number],
        "longitude": stations["longitude"][number],
        "pressure": np.array(rows["pressure"]),
        "level": np.array(rows["level"], np.int32),
        "quantity": np.array(rows["quantity"]),
        "value": value,
        "error": sigma,
        "kind": stations["kind"][number],
        "station": stations["station"][number],
        "source": np.full(number.size, "synthetic network"),
        "licence": np.full(number.size, ""),
        "flags": flags,
        "withheld": stations["withheld"][number],
    }
    result = {}
    for store, (before, after) in {
        "analysis": ("background", "analysis"),
        "optimal_interpolation": ("background", "optimal_interpolation"),
        "free_run": ("free_run", "free_run"),
        "driving": ("driving", "driving"),
    }.items():
        result[store] = pa.table(
            common | {"background_departure": value - rows[before], "analysis_departure": value - rows[after]}
        )
    return result


def diagnostics(cycle: int) -> dict[str, Any]:
    steps = np.arange(30)
    return {
        "engine": "3dfgat",
        "cost": (400.0 + (2000.0 - 150 * cycle) * np.exp(-steps / 5.0)).tolist(),
        "gradient": (300.0 * np.exp(-steps / 3.5)).tolist(),
        "two_j_over_p": 1.25 - 0.08 * cycle,
        "desroziers": [
            {
                "kind": "sonde",
                "quantity": "air_temperature",
                "sigma_o_ratio": 0.9 + 0.02 * cycle,
                "sigma_b_ratio": 1.1,
                "n": 220,
            },
            {
                "kind": "sonde",
                "quantity": "eastward_wind",
                "sigma_o_ratio": 0.8,
                "sigma_b_ratio": 0.95 + 0.03 * cycle,
                "n": 220,
            },
            {
                "kind": "synop",
                "quantity": "surface_pressure",
                "sigma_o_ratio": 1.15,
                "sigma_b_ratio": 1.3 - 0.05 * cycle,
                "n": 96,
            },
        ],
        "counts": {"used": 1200, "rejected": 37, "by_kind": {"sonde": 1100, "synop": 100}},
        "surface_pressure_tendency": {"before": 160.0 - 5 * cycle, "after": 55.0 + cycle},
        "seconds": {"minimise": 12.5, "model": 20.0},
    }


def inventory() -> list[dict[str, Any]]:
    rows = []
    for kind, quantity, low in (
        ("sonde", "air_temperature", 205.0),
        ("synop", "surface_pressure", 97000.0),
        ("ship", "surface_pressure", 99000.0),
    ):
        for hour in (12, 15):
            for west in range(-180, 180, 30):
                rows.append(
                    {
                        "kind": kind,
                        "quantity": quantity,
                        "time": f"1989-01-01T{hour}:00:00Z",
                        "west": west,
                        "south": 30,
                        "values": 20 + abs(west),
                        "reports": 10,
                        "stations": 5,
                        "least": low,
                        "mean": 1.03 * low,
                        "greatest": 1.06 * low,
                    }
                )
    return rows


def errors(where: Domain) -> dict[str, np.ndarray]:
    """What the archive says of the error of its analysis: the same everywhere."""
    air = {"temperature": 0.9, "eastward_wind": 2.5, "northward_wind": 2.0}
    found = {f"{name}_spread": np.full(where.shape, value) for name, value in air.items()}
    return found | {"surface_pressure_spread": np.full(where.shape[1:], 55.0)}


def make_run(
    path: Path,
    *,
    kind: str = "twin",
    shape: tuple[int, int, int] = (8, 10, 12),
    spacing: float = 300e3,
    cycles: int = 2,
    stores: Sequence[str] = STORES,
    with_diagnostics: bool = True,
    with_tables: bool = True,
    with_errors: bool = True,
    seed: int = 3,
) -> Path:
    """A complete run directory; cycle 0 is the cold start."""
    path.mkdir(parents=True)
    settings = experiment(kind)
    settings.save(path / "experiment.toml")
    (path / "inventory.json").write_text(json.dumps(inventory()))
    where = domain(shape, spacing)
    times = START + HOUR * np.arange(3 * cycles + 1)
    ends = START + 3 * HOUR * np.arange(cycles + 1)
    layout = Layout(experiment_json=settings.to_json(), domain=where, times=times, cycle_times=ends)
    opened = {name: RunStore.create(path / f"{name}.store", layout) for name in stores}
    for cycle, end in enumerate(ends):
        made = tables(where, cycle, seed)
        for name, store in opened.items():
            with store.cycle(end) as transaction:
                for hour in [0] if cycle == 0 else range(3 * cycle - 2, 3 * cycle + 1):
                    background = "background" if name == "analysis" else name
                    transaction.write_fields("forecast", START + HOUR * hour, state(where, hour, ERRORS[background]))
                fields = state(where, 3 * cycle, ERRORS[name])
                transaction.write_fields("analysis", end, {k: v for k, v in fields.items() if k != "precipitation"})
                if with_errors and name == "analysis" and cycle > 0:
                    transaction.write_fields("analysis", end, errors(where), comment="Errors made up for a test.")
                if with_tables and name in made:
                    transaction.write_observations(made[name])
                if with_diagnostics and name == "analysis" and cycle > 0:
                    transaction.write_diagnostics(diagnostics(cycle))
    for store in opened.values():
        store.close()
    return path


def write_fields_only(path: Path, where: Domain, error: float) -> Path:
    """A store with one analysis."""
    times = START + HOUR * np.arange(1)
    layout = Layout(experiment_json="{}", domain=where, times=times, cycle_times=times)
    with RunStore.create(path, layout) as store, store.cycle(times[0]) as transaction:
        fields = state(where, 0.0, error)
        transaction.write_fields("analysis", times[0], {k: v for k, v in fields.items() if k != "precipitation"})
    return path
