"""Runs and releases of some days on a few cells, with plausible values that follow from the time."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from archive.runs import SHAPE, small_domain, table
from kaiseki.archive import RunStore
from kaiseki.archive.release.layout import ReleaseLayout, of_domain
from kaiseki.archive.release.schema import Times
from kaiseki.archive.release.store import ReleaseStore
from kaiseki.archive.store.layout import Layout

START = np.datetime64("1989-01-01T12:00", "s")
DAY = np.datetime64("1989-01-01", "D")
HOUR = np.timedelta64(3600, "s")
MEANS = {
    "eastward_wind": (10.0, 5.0),
    "northward_wind": (-2.0, 5.0),
    "temperature": (270.0, 10.0),
    "qv": (1e-3, 2e-4),
    "temperature_2m": (280.0, 5.0),
    "precipitation": (2.0, 0.5),
    "temperature_spread": (0.6, 0.1),
}
SURFACE = ("temperature_2m", "precipitation")


def date(day: int) -> np.datetime64:
    """A day by its number from 0."""
    return DAY + np.timedelta64(day, "D")


def values(name: str, time: np.datetime64, shape: tuple[int, ...] = SHAPE) -> np.ndarray:
    """The field of a variable at a time, which only both decide; pressure falls with height."""
    seed = [ord(letter) for letter in name] + [int(time.astype("datetime64[s]").astype(int)) % 2**31]
    random = np.random.default_rng(seed)
    if name == "pressure":
        heights = np.array([250.0, 1250.0, 4000.0])[:, None, None]
        return (101_325.0 * np.exp(-heights / 8000.0) + random.normal(size=shape) * 20.0).astype(np.float32)
    mean, spread = MEANS[name]
    result = mean + spread * np.clip(random.normal(size=shape[1:] if name in SURFACE else shape), -3.0, 3.0)
    return result.astype(np.float32)


def a_run(path: Path, hours: int = 36, *, complete: int | None = None) -> Path:
    """A run from 1989-01-01 12 UTC with 3-hourly cycles, of which some may be left to do."""
    times = START + HOUR * np.arange(hours + 1)
    cycles = START + 3 * HOUR * np.arange(hours // 3 + 1)
    path.mkdir(parents=True, exist_ok=True)
    layout = Layout(experiment_json='{"name": "small"}', domain=small_domain(), times=times, cycle_times=cycles)
    with RunStore.create(path / "analysis.store", layout) as store:
        for number, end in enumerate(cycles[:complete]):
            with store.cycle(end) as cycle:
                for time in times[(times <= end) & (times > (cycles[number - 1] if number else START - HOUR))]:
                    names = [name for name in MEANS if name != "temperature_spread"]
                    if time == START:
                        names.remove("precipitation")
                    cycle.write_fields("forecast", time, {name: values(name, time) for name in (*names, "pressure")})
                analysed = ("temperature", "eastward_wind", "northward_wind", "pressure", "temperature_spread")
                cycle.write_fields("analysis", end, {name: values(name, end) for name in analysed})
                cycle.write_observations(table(number))
    return path


def layout(days: int = 2, **more: Any) -> ReleaseLayout:
    """The layout of a release of some days from 1989-01-01 on."""
    times = Times(DAY.astype("datetime64[s]"), days, {"hourly": 24, "analysis": 8})
    return ReleaseLayout(times=times, **of_domain(small_domain()), **more)


VARIABLES = {("model_levels", "temperature"): "level", ("surface", "temperature_2m"): None}


def a_release(place: Any, days: int = 2, **more: Any) -> ReleaseStore:
    """An empty release with two variables."""
    store = ReleaseStore.create(place, layout(days), **more)
    store.add_variables(VARIABLES)
    return store


def of_day(name: str, day: int) -> np.ndarray:
    """All hours of a day of a variable, by the number of the day."""
    first = date(day).astype("datetime64[s]")
    return np.stack([values(name, first + HOUR * hour) for hour in range(24)])


def write(store: ReleaseStore, day: int, stream: str = "one", **more: Any) -> None:
    """Write a day of both variables."""
    with store.day(stream, date(day), **more) as writer:
        writer.write("model_levels", "temperature", of_day("temperature", day))
        writer.write("surface", "temperature_2m", of_day("temperature_2m", day))
