"""Small runs for the tests of the archive: every value follows from its cycle, so that any part can be checked."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa

from kaiseki.archive import ForecastStore, RunStore
from kaiseki.archive.store.layout import ForecastLayout, Layout
from kaiseki.grid import Domain, LambertConformal

START = np.datetime64("1989-01-01T12:00", "s")
HOUR = np.timedelta64(3600, "s")
SHAPE = (3, 5, 6)
EXPERIMENT = '{"name": "small"}'


def small_domain() -> Domain:
    """Five by six cells over Japan with a hill; three levels."""
    _, ny, nx = SHAPE
    projection = LambertConformal()
    x0, y0 = projection.forward(np.asarray(35.0), np.asarray(135.0))
    hill = np.outer(np.sin(np.linspace(0, np.pi, ny)), np.sin(np.linspace(0, np.pi, nx)))
    return Domain(
        name="small",
        projection=projection,
        spacing=60e3,
        x=float(x0) + 60e3 * np.arange(nx),
        y=float(y0) + 60e3 * np.arange(ny),
        zeta_half=np.array([0.0, 500.0, 2000.0, 6000.0]),
        decay_half=np.array([1.0, 0.8, 0.3, 0.0]),
        terrain=800.0 * hill,
        land_fraction=(hill > 0.2).astype(float),
        rim_width=1,
    )


def times(cycles: int) -> np.ndarray:
    """Hourly output times of so many 3-hourly cycles after the cold start."""
    return START + HOUR * np.arange(3 * cycles + 1)


def cycle_times(cycles: int) -> np.ndarray:
    """The cold start and the ends of the cycles."""
    return START + 3 * HOUR * np.arange(cycles + 1)


def create(path: Any, cycles: int, **more: Any) -> RunStore:
    axes = {"times": times(cycles), "cycle_times": cycle_times(cycles)}
    return RunStore.create(path, Layout(experiment_json=EXPERIMENT, domain=small_domain(), **axes, **more))


def field(seed: int, *, levels: bool = True) -> np.ndarray:
    """Random float32 values that a seed decides."""
    return np.random.default_rng(seed).normal(size=SHAPE if levels else SHAPE[1:]).astype(np.float32)


def pressure() -> np.ndarray:
    """Pressure of an isothermal atmosphere at the levels of the small domain."""
    return (1.0e5 * np.exp(-small_domain().z / 8000.0)).astype(np.float32)


def forecast_fields(hour: int) -> dict[str, np.ndarray]:
    fields = {
        "u": field(10 * hour),
        "v": field(10 * hour + 1),
        "temperature": field(10 * hour + 2),
        "pressure": pressure(),
        "temperature_2m": field(10 * hour + 5, levels=False),
    }
    return fields if hour == 0 else fields | {"precipitation": field(10 * hour + 4, levels=False)}


def analysis_fields(number: int) -> dict[str, np.ndarray]:
    return {name: field(1000 + 10 * number + k) for k, name in enumerate(("u", "v", "temperature"))} | {
        "pressure": pressure()
    }


def table(number: int) -> pa.Table:
    """Observations of one cycle; the station names differ from cycle to cycle, one is missing."""
    rows = 2 + number
    return pa.table(
        {
            "report": pa.array(np.arange(rows) + 100 * number, pa.int64()),
            "time": pa.array(np.full(rows, cycle_times(number)[number], "datetime64[s]"), pa.timestamp("s")),
            "quantity": pa.array(["air_temperature"] * (rows - 1) + [f"q{number}"]).dictionary_encode(),
            "station": pa.array([None, *(f"station {number} {k} 東京" for k in range(rows - 1))], pa.string()),
            "value": pa.array(np.random.default_rng(number).normal(size=rows)),
            "flags": pa.array(np.arange(rows), pa.uint32()),
            "withheld": pa.array(np.arange(rows) % 2 == 0),
            "analysis_departure": pa.array(np.r_[np.nan, np.ones(rows - 1)].astype(np.float32)),
        }
    )


def restart(number: int) -> dict[str, Any]:
    return {
        "time": int((cycle_times(number)[number] - START) / np.timedelta64(1, "s")),
        "state": {"theta": field(5000 + number), "mass": np.float64(1.0 + number), "count": 3 * number},
        "seed": np.array([1, 2**63 + number], np.uint64),
    }


def write_cycle(store: RunStore, number: int) -> None:
    """The whole of one cycle; number 0 is the cold start."""
    end = cycle_times(number)[number]
    with store.cycle(end) as transaction:
        for hour in [0] if number == 0 else range(3 * number - 2, 3 * number + 1):
            transaction.write_fields("forecast", START + HOUR * hour, forecast_fields(hour))
        transaction.write_fields("analysis", end, analysis_fields(number))
        transaction.write_observations(table(number))
        transaction.write_restart(restart(number))
        transaction.write_diagnostics({"cost": [2.0 * number, 1.0], "number": np.int64(number)})


def whole_run(path: Path, cycles: int) -> Path:
    """A complete run at the path."""
    with create(path, cycles) as store:
        for number in range(cycles + 1):
            write_cycle(store, number)
    return path


def every_array(group: Any, prefix: str = "") -> dict[str, np.ndarray]:
    """All arrays of a store by path."""
    found = {}
    for name, member in group.members():
        path = f"{prefix}/{name}"
        if hasattr(member, "members"):
            found |= every_array(member, path)
        else:
            found[path] = np.asarray(member[...])
    return found


def same_values(one: dict[str, np.ndarray], other: dict[str, np.ndarray]) -> bool:
    """Every array equal bit for bit."""
    return one.keys() == other.keys() and all(
        one[name].dtype == other[name].dtype
        and one[name].shape == other[name].shape
        and one[name].tobytes() == other[name].tobytes()
        for name in one
    )


LEADS = HOUR * np.arange(4)


def forecast_layout(starts: int, **more: Any) -> ForecastLayout:
    """Forecasts of three hours from every hour, in stretches of two hours."""
    given = {
        "experiment_json": EXPERIMENT,
        "domain": small_domain(),
        "attributes": {"forecasts": "made up"},
        "reference_times": START + HOUR * np.arange(starts),
        "lead_times": LEADS,
        "stretch": 2 * HOUR,
    }
    return ForecastLayout(**{**given, **more})


def write_stretch(store: ForecastStore, number: int) -> None:
    """The whole of one stretch; the fields of a lead time are those of a run's hour, 100 later for every start."""
    stretch = store.stretches[number]
    row = int((stretch.reference - START) / HOUR)
    with store.stretch(stretch) as out:
        for hour in range(4):
            lead = HOUR * hour
            if stretch.start < lead <= stretch.end or (stretch.is_first and hour == 0):
                fields = forecast_fields(100 * row + hour)
                if hour == 0:
                    fields.pop("precipitation", None)
                out.write_fields("forecast", stretch.reference + lead, fields)
        out.write_diagnostics({"row": row})
        out.write_restart({} if stretch.end == LEADS[-1] else restart(row))


def whole_forecasts(path: Path, starts: int, stretches: int | None = None) -> Path:
    """Forecasts at the path, all or the first so many stretches."""
    with ForecastStore.create(path, forecast_layout(starts)) as store:
        for stretch in store.stretches[:stretches]:
            write_stretch(store, stretch.number)
    return path
