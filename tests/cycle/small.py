"""A small world for tests of the cycle: a domain of a few cells in the analytic flow, a few sondes and ships drawn from
it.

Also a program: `python small.py FOLDER` runs (or resumes) the whole run in a folder, so that tests can kill it.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from unittest import mock

import numpy as np
import xarray as xr

from kaiseki.archive.run import RunFolder
from kaiseki.config import DigitalFilter, Experiment
from kaiseki.driving import atmosphere_on_domain
from kaiseki.experiments.baselines import run_experiment
from kaiseki.experiments.case import PreparedCase, reference_of
from kaiseki.experiments.cost import estimate
from kaiseki.experiments.twin.flow import Flow
from kaiseki.forecast.model import Model
from kaiseki.forecast.rim import Boundary
from kaiseki.forecast.state import State
from kaiseki.grid.build import domain_from_section
from kaiseki.observations import Table

DOMAIN = {
    "spacing": 150_000.0,
    "shape": [16, 18],
    "reference_latitude": 37.0,
    "reference_longitude": 138.0,
    "standard_parallels": [30.0, 60.0],
    "central_longitude": 140.0,
    "levels": {"number": 10, "top": 20_000.0, "first_thickness": 300.0},
    "rim_width": 4,
}


def experiment(**sections: object) -> Experiment:
    """Twelve hours would be long: two cycles of one hour on 18 x 16 cells of 150 km, without physics."""
    physics = dict.fromkeys(("microphysics", "boundary_layer", "surface", "radiation", "soil"), False)
    values = {
        "case": {"name": "small", "kind": "twin"},
        "domain": DOMAIN,
        "period": {
            "cold_start": "1989-01-01T12:00Z",
            "end": "1989-01-01T14:00Z",
            "window_hours": 1.0,
            "output_hours": 0.5,
        },
        "observations": {"folds": 0},
        "assimilation": {
            "engine": "3dfgat",
            "inner_iterations": 8,
            "digital_filter": {"half_span_hours": 0.5, "cutoff_hours": 1.0},
        },
        "dynamics": {"time_step": 600.0},
        "physics": physics,
    }
    return Experiment.from_mapping({**values, **sections})


def observations(flow: Flow, origin: np.datetime64) -> Table:
    """Winds and temperatures of six places at two times, drawn from a flow without error; and one absurd value."""
    rows = []
    generator = np.random.default_rng(3)
    for minutes in (40, 100):
        time = origin + np.timedelta64(minutes, "m")
        for number in range(6):
            latitude, longitude = 33.0 + 1.5 * number, 132.0 + 2.0 * number
            for pressure in (85_000.0, 50_000.0, 25_000.0):
                for quantity, value in (
                    ("air_temperature", 285.0 - 70.0 * (1.0 - pressure / 1e5) + generator.normal()),
                    ("eastward_wind", 10.0 + 40.0 * (1.0 - pressure / 1e5) + generator.normal()),
                    ("northward_wind", generator.normal()),
                ):
                    rows.append((time, latitude, longitude, pressure, quantity, value, f"{number}", minutes + number))
    rows.append((origin + np.timedelta64(50, "m"), 36.0, 139.0, 50_000.0, "air_temperature", 320.0, "absurd", 999))
    names = ("time", "latitude", "longitude", "pressure", "quantity", "value", "station", "report")
    columns = {name: np.array([row[i] for row in rows]) for i, name in enumerate(names)}
    columns["time"] = columns["time"].astype("datetime64[s]")
    return Table.from_columns({**columns, "kind": "sonde", "level": 5})


@cache
def weather(time: np.datetime64, origin: np.datetime64) -> xr.Dataset:
    """The flow at a time, computed once for all cases of a process."""
    return Flow().dataset(time, origin)


def case(folder: Path, chosen: Experiment | None = None) -> PreparedCase:
    """The small case with its results in a folder."""
    chosen = chosen or experiment()
    place = RunFolder(folder)
    place.begin(chosen)
    domain = domain_from_section(chosen.domain)
    origin = chosen.period.first

    def driving(time: np.datetime64) -> dict[str, np.ndarray]:
        return atmosphere_on_domain(weather(time, origin), domain)

    return PreparedCase(
        chosen, place, domain, observations(Flow(), origin), driving, reference_of(driving(origin), domain)
    )


@contextmanager
def filters_counted() -> Iterator[list[float]]:
    """The hours that the model goes for each digital filter of the runs within the block."""
    spans: list[float] = []
    initialise = Model.initialise

    def counted(self: Model, state: State, boundary: Boundary, filter_: DigitalFilter) -> State:
        spans.append(3.0 * filter_.half_span_hours)
        return initialise(self, state, boundary, filter_)

    with mock.patch.object(Model, "initialise", counted):
        yield spans


def assert_steps_are_estimated(chosen: Experiment, spans: list[float]) -> None:
    """A run of two hours is said to take the steps that it took, with its filters."""
    cost = estimate(chosen, domain_from_section(chosen.domain))
    assert cost.steps == round((2.0 + sum(spans)) * 3600.0 / cost.step)


if __name__ == "__main__":
    run_experiment(case(Path(sys.argv[1])), "analysis")
