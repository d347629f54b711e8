"""The nature run: the same model on a finer grid and with other physics, which plays the atmosphere.

It is nested in a wide run that starts from the true flow; after the spin-up it has fronts, clouds and a boundary layer
of its own. Nothing of it reaches the assimilating system except through observations. `docs/twins.md` says what the two
kept twins share with the system.
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import numpy as np

from kaiseki.config import Experiment
from kaiseki.core.timing import hours, slots
from kaiseki.experiments.twin.flow import Flow
from kaiseki.experiments.twin.integration import INTERVAL_HOURS, Fields, integrate, make_model, nature_of, twin_of
from kaiseki.experiments.twin.kept import digest_of
from kaiseki.experiments.twin.states import States, kept_or_made
from kaiseki.experiments.twin.wide import place, run_wide
from kaiseki.grid import Domain
from kaiseki.grid.build import domain_from_section

MARGIN: Final = 2
"""Cells by which the nature run reaches beyond the assimilating domain on each side."""


def nature_domain(experiment: Experiment) -> Domain:
    """The grid of the nature run: the assimilating one's place, finer by `twin.spacing_factor`, a little larger.

    Its rim has the width of the assimilating one's in metres, so that it lies within that.
    """
    coarse = domain_from_section(dataclasses.replace(experiment.domain, terrain="flat"))
    factor = twin_of(experiment).spacing_factor
    shape = tuple(math.ceil((n - 1) / factor) + 1 + 2 * MARGIN for n in (coarse.ny, coarse.nx))
    centre = coarse.projection.inverse(np.asarray(coarse.x.mean()), np.asarray(coarse.y.mean()))
    return place(experiment.domain, coarse.spacing * factor, shape, centre, math.ceil(coarse.rim_width / factor))


def nature_times(experiment: Experiment) -> np.ndarray:
    """Hours of the nature run and of what surrounds it, from the start of the spin-up to the end."""
    spin_up = hours(math.ceil(twin_of(experiment).spin_up_hours))
    first, last = experiment.period.first, experiment.period.last
    return slots(first - spin_up, last, hours(INTERVAL_HOURS))


def surrounding_times(experiment: Experiment) -> np.ndarray:
    """Hours of the driving fields: one beyond the end, since after the last analysis the model is looked at for a few
    steps more."""
    times = nature_times(experiment)
    return np.append(times, times[-1] + hours(INTERVAL_HOURS))


def run_nature(experiment: Experiment, directory: Path | None = None) -> States:
    """Make the nature run, or take it from `directory` where the same one was kept.

    It starts `twin.spin_up_hours` before the cold start. Kept are hourly states from one window before the cold start,
    or from its own start, on.

    Args:
        experiment: of kind "twin".
        directory: where `nature.npz` is looked for and kept; None keeps nothing.

    Raises:
        InputError: not a twin experiment.
        NumericsError: the model failed.
        StoreError: the run could not be kept.
    """
    twin, domain, own = twin_of(experiment), nature_domain(experiment), nature_of(experiment)
    flow = Flow.drawn(twin.seed, twin.sea_anomaly, twin.sea_change)
    around_it = own if twin.surroundings == "nature" else experiment
    decisive: tuple[object, ...] = (flow, twin.spacing_factor, twin.spin_up_hours, own.dynamics, own.physics)
    lasts = twin.perturbation_hours > 0.0
    if lasts:
        decisive += ("lasting",)
    digest = digest_of(around_it, ("domain", "period", "dynamics", "physics"), "nature", *decisive)
    path = None if directory is None else directory / "nature.npz"

    def make() -> Iterator[tuple[np.datetime64, Fields]]:
        times = nature_times(experiment)
        # Where it lasts, the driving fields may err about the same weather.
        shared = directory / "weather.npz" if lasts and directory is not None else None
        around_times = surrounding_times(experiment) if lasts else times
        around = run_wide(around_it, flow, around_times, "weather around", shared).onto(domain)
        start = around(times[0])
        model = make_model(own, domain, own.physics, start, times[0])
        for time, fields in integrate(model, start, around, times, "nature run"):
            if time >= experiment.period.first - experiment.period.window:
                yield time, fields

    return kept_or_made(path, digest, domain, make)
