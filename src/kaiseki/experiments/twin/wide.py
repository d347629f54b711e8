"""The weather around the region: a coarse run of the model on a wider domain, started from the analytic flow.

No steady pattern solves the equations, so the analytic flow itself would quarrel with the model at its rim. Carried by
the model on a wider domain it becomes weather that the nature run and the assimilating model can be nested in. Run once
more from the perturbed flow, it is the imperfect global analysis of the twin experiment, and its errors grow as errors
do.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator
from functools import lru_cache
from pathlib import Path
from typing import Final

import numpy as np

from kaiseki.config import DigitalFilter, DomainSettings, Experiment
from kaiseki.driving import atmosphere_on_domain
from kaiseki.experiments.twin.flow import Flow
from kaiseki.experiments.twin.integration import Fields, Relaxation, integrate, make_model, twin_of
from kaiseki.experiments.twin.kept import digest_of
from kaiseki.experiments.twin.states import States, kept_or_made
from kaiseki.grid import Domain
from kaiseki.grid.build import domain_from_section

COARSENING: Final = 2.5
"""Grid length of the wide run in units of the assimilating model's: 150 km for 60 km, like an analysis of the 1990s."""
BEYOND: Final = (2.0e6, 1.2e6, 0.6e6, 1.2e6)
"""Distances by which the wide domain reaches beyond the region to the west, east, south and north, m: most where the
wind comes from, least towards the equator, where the flow is not balanced."""
FADING: Final = 0.6e6
"""Distance from the region over which the relaxation of a run that lasts rises to its whole strength, m."""
RIM: Final = 4
"""Width of the relaxation zone of the wide domain, cells."""


def wide_domain(experiment: Experiment) -> Domain:
    """The wide domain around the region of an experiment, on the same projection and levels."""
    inner = domain_from_section(dataclasses.replace(experiment.domain, terrain="flat"))
    spacing = COARSENING * inner.spacing
    west, east, south, north = BEYOND
    x, y = (inner.x[0] - west, inner.x[-1] + east), (inner.y[0] - south, inner.y[-1] + north)
    shape = tuple(round((b - a) / spacing) + 1 for a, b in (y, x))
    centre = inner.projection.inverse(np.asarray(np.mean(x)), np.asarray(np.mean(y)))
    return place(experiment.domain, spacing, shape, centre, RIM)


def place(
    section: DomainSettings,
    spacing: float,
    shape: tuple[int, ...],
    centre: tuple[np.ndarray, np.ndarray],
    rim_width: int,
) -> Domain:
    """A domain with the projection, levels and terrain of a section, but another spacing, shape and centre."""
    ny, nx = shape
    own = dataclasses.replace(
        section,
        spacing=spacing,
        shape=(ny, nx),
        reference_latitude=float(centre[0]),
        reference_longitude=float(centre[1]),
        reference_index=(0.5 * (ny - 1), 0.5 * (nx - 1)),
        rim_width=rim_width,
    )
    return domain_from_section(own)


def run_wide(experiment: Experiment, flow: Flow, times: np.ndarray, title: str, path: Path | None = None) -> States:
    """Run the model on the wide domain from the flow.

    Args:
        experiment: of kind "twin"; its domain, dynamics and physics.
        flow: start and, without change, far boundary; its phase holds at the cold start.
        times: hourly, datetime64[s].
        title: what the progress is called.
        path: file where the same run is looked for and kept; None keeps nothing.

    Where the errors of the driving last (`twin.perturbation_hours`), the weather does too: outside the region the run
    is drawn towards the flow of each hour, so that waves come in; within, it is left to itself, as the nature run is.
    Without that it would have no weather after three days.

    Raises:
        NumericsError: the model failed.
        StoreError: the run could not be kept.
    """
    domain, origin = wide_domain(experiment), experiment.period.first
    lasts = twin_of(experiment).perturbation_hours > 0.0

    def make() -> Iterator[tuple[np.datetime64, Fields]]:
        start = atmosphere_on_domain(flow.dataset(times[0], origin), domain)
        model = make_model(experiment, domain, experiment.physics, start, times[0])
        # At the far boundary there are no waves, so that it stays as it is; the sea may change.
        towards = Relaxation(weather, outside(experiment, domain)) if lasts else None
        return integrate(model, start, lambda time: {**start, **sea(time)}, times, title, DigitalFilter(), towards)

    def sea(time: np.datetime64) -> Fields:
        return {"sst": weather(time)["sst"]} if flow.sea_change else {}

    @lru_cache(maxsize=1)
    def weather(time: np.datetime64) -> Fields:
        return atmosphere_on_domain(flow.dataset(time, origin), domain)

    further = ("lasting",) if lasts else ()
    decisive = ("wide", origin, flow, times[0], times[-1], *further)
    digest = digest_of(experiment, ("domain", "dynamics", "physics"), *decisive)
    return kept_or_made(path, digest, domain, make)


def outside(experiment: Experiment, domain: Domain) -> np.ndarray:
    """Weight (ny, nx) of the cells of the wide domain: 0 over the region, rising to 1 over `FADING`."""
    inner = domain_from_section(dataclasses.replace(experiment.domain, terrain="flat"))
    beyond = [
        np.maximum(np.maximum(own[0] - outer, outer - own[-1]), 0.0)
        for own, outer in ((inner.y, domain.y), (inner.x, domain.x))
    ]
    return np.clip(np.hypot(beyond[0][:, None], beyond[1][None, :]) / FADING, 0.0, 1.0)
