"""Driving fields and cold start of the assimilating system in a twin experiment: both with errors of known size."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from kaiseki.config import Experiment
from kaiseki.experiments.twin.flow import Flow
from kaiseki.experiments.twin.integration import Fields, twin_of
from kaiseki.experiments.twin.kept import digest_of
from kaiseki.experiments.twin.lasting import LastingErrors, with_errors
from kaiseki.experiments.twin.nature import surrounding_times
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
    times = surrounding_times(experiment)
    truth = Flow.drawn(twin.seed, sea_change=twin.sea_change)
    if twin.perturbation_hours > 0.0:
        return _lasting(experiment, truth, domain, times, directory)
    flow = truth.perturbed(twin.seed, twin.boundary_perturbation)
    path = None if directory is None else directory / "driving.npz"
    boundary = run_wide(experiment, flow, times, "driving weather", path).onto(domain)
    if twin.initial_perturbation == twin.boundary_perturbation:
        return boundary, boundary(first)
    other = truth.perturbed(twin.seed, twin.initial_perturbation)
    path = None if directory is None else directory / "start.npz"
    start = run_wide(experiment, other, times[times <= first], "weather of the cold start", path)
    return boundary, start.onto(domain)(first)


def _lasting(
    experiment: Experiment, truth: Flow, domain: Domain, times: np.ndarray, directory: Path | None
) -> tuple[Nested, Fields]:
    """Driving and cold start as `make_driving` gives them: the true weather around the region with errors that last."""
    twin, first = twin_of(experiment), experiment.period.first
    middle = float(domain.lon[domain.ny // 2, domain.nx // 2] % 360.0)

    def kept(name: str) -> Path | None:
        return None if directory is None else directory / f"{name}.npz"

    weather = run_wide(experiment, truth, times, "weather that the driving errs about", kept("weather"))

    def seen(name: str, size: float, times: np.ndarray) -> Nested:
        errors = LastingErrors(
            truth,
            first,
            twin.seed,
            size,
            3600.0 * twin.perturbation_hours,
            middle,
        )
        digest = digest_of(experiment, ("domain", "dynamics", "physics"), name, errors, times[0], times[-1])
        return with_errors(weather, errors, times, kept(name), digest).onto(domain)

    boundary = seen("driving", twin.boundary_perturbation, times)
    if twin.initial_perturbation == twin.boundary_perturbation:
        return boundary, boundary(first)
    return boundary, seen("start", twin.initial_perturbation, times[times == first])(first)
