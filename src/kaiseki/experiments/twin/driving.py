"""Driving fields and cold start of the assimilating system in a twin experiment: both with errors of known size."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from kaiseki.config import Experiment
from kaiseki.core.timing import hours
from kaiseki.experiments.twin.flow import Flow
from kaiseki.experiments.twin.integration import INTERVAL_HOURS, Fields, twin_of
from kaiseki.experiments.twin.nature import nature_times
from kaiseki.experiments.twin.states import Nested
from kaiseki.experiments.twin.wide import run_wide
from kaiseki.grid import Domain


def make_driving(experiment: Experiment, domain: Domain, directory: Path | None = None) -> tuple[Nested, Fields]:
    """Run the perturbed weather around the region, or take it from `directory` where the same one was kept.

    Args:
        experiment: of kind "twin"; sizes and seed of the perturbations.
        domain: of the assimilating model.
        directory: where files are looked for and kept; None keeps nothing.

    Returns:
        The driving: called with an hour from the start of the spin-up to one after the end, it gives u, v
        (grid-relative), w, temperature, pressure, qv, qc, qr, qi, qs on the domain, and at the ground surface_pressure,
        skin_temperature, sst, soil_temperature. And the fields of the cold start, of the same names.

    Raises:
        InputError: not a twin experiment.
        NumericsError: the model failed.
        StoreError: a run could not be kept.
    """
    twin, first = twin_of(experiment), experiment.period.first
    times = nature_times(experiment)
    # One hour beyond the end, since after the last analysis the model is looked at for a few steps more.
    times = np.append(times, times[-1] + hours(INTERVAL_HOURS))
    truth = Flow.drawn(twin.seed)
    flow = truth.perturbed(twin.seed, twin.boundary_perturbation)
    path = None if directory is None else directory / "driving.npz"
    boundary = run_wide(experiment, flow, times, "driving weather", path).onto(domain)
    if twin.initial_perturbation == twin.boundary_perturbation:
        return boundary, boundary(first)
    other = truth.perturbed(twin.seed, twin.initial_perturbation)
    path = None if directory is None else directory / "start.npz"
    start = run_wide(experiment, other, times[times <= first], "weather of the cold start", path)
    return boundary, start.onto(domain)(first)
