"""Carrying a model through a period with a boundary that is known every hour."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Final

import numpy as np

from kaiseki.config import DigitalFilter, Experiment, Physics, Twin
from kaiseki.core.errors import InputError
from kaiseki.core.progress import Progress
from kaiseki.core.timing import format_utc, hours
from kaiseki.diagnostics.thermodynamics import virtual_temperature
from kaiseki.forecast.model import Forcing, Model, default_parameters, with_time_steps
from kaiseki.forecast.reference import ReferenceProfile
from kaiseki.forecast.state import begin_interval
from kaiseki.grid import Domain

INTERVAL_HOURS: Final = 1
"""Hours between two kept states, and between two states of a boundary."""

STEP_PER_KILOMETRE: Final = 6.7
"""Time step per spacing, s/km: a Courant number of 0.65 in the strongest jet of these flows, 95 m/s. Longer than the
model's own choice, which must bear any weather."""

LASTING_STEP: Final = 450.0
"""Longest time step of runs of many days, s: with 900 s on cells of 300 km the vertical motion over a coast at the edge
of the rim grows by half each eight hours, and the model fails on day 9; with 450 s it does not grow at all."""

RELAXATION_HOURS: Final = 12.0
"""Time in which a run that is drawn towards fields comes near them, h: short against the days in which weather leaves a
region."""

type Fields = dict[str, np.ndarray]
"""Fields at cell centres by internal name, as `forecast.Model.start` takes them."""


@dataclass(frozen=True, eq=False)
class Relaxation:
    """Fields that a run is drawn to.

    Attributes:
        fields: u, v, temperature, pressure and qv on the domain of the run at any of its times.
        weight: (ny, nx) 1 where the run comes near them within `RELAXATION_HOURS`, 0 where it is left alone.
    """

    fields: Callable[[np.datetime64], Fields]
    weight: np.ndarray

    def increment(self, time: np.datetime64, have: Fields) -> Fields:
        """The part of the way from fields of a time to those wanted that is gone in an hour."""
        wanted, part = self.fields(time), INTERVAL_HOURS / RELAXATION_HOURS * self.weight
        return {name: part * (wanted[name] - have[name]) for name in ("u", "v", "temperature", "pressure", "qv")}


def twin_of(experiment: Experiment) -> Twin:
    """The section `twin`.

    Raises:
        InputError: the experiment has none.
    """
    if experiment.twin is None:
        raise InputError(f'The case {experiment.case.name} is no twin experiment; give it kind = "twin"')
    return experiment.twin


def nature_of(experiment: Experiment) -> Experiment:
    """The experiment with the physics and dynamics of its nature run in place of those of the assimilating model."""
    twin = twin_of(experiment)
    own = experiment.physics.with_constants(twin.physics)
    return dataclasses.replace(experiment, physics=own, dynamics=twin.dynamics or experiment.dynamics)


def time_step(spacing: float) -> float:
    """The longest divisor of an hour, s, within `STEP_PER_KILOMETRE` of a spacing in m, at most 900 s."""
    limit = min(STEP_PER_KILOMETRE * spacing / 1000.0, 900.0)
    return float(max((d for d in range(1, 901) if 3600 % d == 0 and d <= limit), default=1))


def make_model(experiment: Experiment, domain: Domain, physics: Physics, start: Fields, epoch: np.datetime64) -> Model:
    """A model on another grid than the assimilating one: the case's dynamics but for the time steps, which follow from
    the grid, and a reference profile fitted to the start.

    Args:
        experiment: its section `dynamics`.
        domain: the grid.
        physics: switches and values.
        start: fields on the domain.
        epoch: time of the start, UTC.
    """
    virtual = virtual_temperature(start["temperature"], start["qv"])
    reference = ReferenceProfile.fit(domain.z, virtual, start["pressure"])
    step = time_step(domain.spacing)
    if twin_of(experiment).perturbation_hours > 0.0:
        step = min(step, LASTING_STEP)
    base = default_parameters(domain.spacing, float(domain.map_factor.max()))
    short = 2 * math.ceil(step / base.dt * base.substeps[-1] / 2.0)
    own_steps = dataclasses.replace(experiment.dynamics, time_step=step, acoustic_substeps=short)
    parameters = with_time_steps(own_steps, domain)
    return Model.make(domain, reference, parameters, physics, epoch)


def integrate(
    model: Model,
    start: Fields,
    boundary: Callable[[np.datetime64], Fields],
    times: np.ndarray,
    title: str,
    filter_: DigitalFilter | None = None,
    towards: Relaxation | None = None,
) -> Iterator[tuple[np.datetime64, Fields]]:
    """States of the model at `times`, from fields at the first of them.

    Args:
        model: of which `times[0]` is the epoch.
        start: fields at `times[0]`.
        boundary: fields on the model's domain at any of the times.
        times: (nt,) datetime64[s], hourly.
        title: what the progress is called.
        filter_: digital filter of the start; None leaves it as it is.
        towards: what the state is drawn to every hour; None leaves it alone.

    Yields:
        Time and fields, float32: all of the atmosphere and of the ground; precipitation of the hour before.

    Raises:
        NumericsError: the model failed.
    """
    before = model.boundary(start), model.sea(start)
    state = model.start(start)
    if filter_ is not None:
        state = model.initialise(state, before[0], filter_)
    seconds = float(hours(INTERVAL_HOURS) / np.timedelta64(1, "s"))
    with Progress(title, len(times) - 1, unit="hour") as progress:
        for number, time in enumerate(times):
            if number:
                around = boundary(time)
                after = model.boundary(around), model.sea(around)
                state = model.advance(begin_interval(state), Forcing.between(before, after), seconds)
                before = after
                if towards is not None:
                    have = {name: np.asarray(field) for name, field in model.atmosphere(state).as_dict().items()}
                    state = model.add_increment(state, towards.increment(time, have))
                progress.advance(note=format_utc(time))
            fields = model.atmosphere(state).as_dict() | model.surface_fields(state)
            yield time, {name: np.asarray(values, dtype=np.float32) for name, values in fields.items()}
