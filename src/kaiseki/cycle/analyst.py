"""What happens at an analysis time: the observations of the window, the covariance about the background, an engine."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping
from functools import partial
from typing import Literal

import numpy as np

from kaiseki.assimilation import Analysis, AnalysisInput, Engine, Trajectory, departures
from kaiseki.config import Experiment
from kaiseki.core.progress import Log
from kaiseki.core.timing import Window
from kaiseki.cycle import observing
from kaiseki.cycle.window import OuterWindow
from kaiseki.diagnostics.standard_atmosphere import standard_log_pressure
from kaiseki.grid import Domain
from kaiseki.observations.windows import Observed
from kaiseki.statistics import BackgroundCovariance
from kaiseki.statistics.configuration import scaled
from kaiseki.statistics.covariance import build

TAPER = 0.75
"""Distance over which increments rise from zero inside the rim, in correlation lengths: a step would be a front."""


type Analyst = Callable[..., Analysis]
"""(trajectory, window, model of the window or nothing) -> analysis; see `stream.Analyst`."""

type CovarianceAbout = Callable[[Domain, Mapping[str, np.ndarray]], BackgroundCovariance]
"""(domain, fields) -> covariance of the background linearised about the fields."""


def taper_cells(length: float, spacing: float) -> int:
    """Distance `TAPER` over which increments rise from zero inside the rim, in cells of a spacing [m]."""
    return round(TAPER * length / spacing)


def layer_interfaces(domain: Domain) -> np.ndarray:
    """Pressures of the model's interfaces in the standard atmosphere [Pa], falling: what ascents are thinned to."""
    return np.asarray(np.exp(standard_log_pressure(domain.zeta_half)))


def cycled_taper(experiment: Experiment, domain: Domain) -> int | None:
    """Cells inside the rim over which increments of the cycled forecast rise from zero; None where they reach to the
    edge: what an analysis changes in the rim is lost in the next step if the driving fields do not change with it."""
    own = experiment.assimilation
    return None if own.boundary_memory_hours > 0.0 else taper_cells(own.cycled.length, domain.spacing)


def cycled_covariance(
    experiment: Experiment,
    domain: Domain,
    fields: Mapping[str, np.ndarray],
    increment_time: Literal["start", "end"] = "end",
) -> BackgroundCovariance:
    """The static covariance of the cycled forecast about fields of the end of a window, or of its start."""
    own, errors = experiment.assimilation, experiment.assimilation.cycled
    if increment_time == "start":
        errors = scaled(errors, own.four_d_var.background_deviation)
    return build(domain, errors, fields, cycled_taper(experiment, domain))


def compare_only(table: Observed, experiment: Experiment) -> Analyst:
    """An analyst that changes nothing: departures of every observation, the same before and after."""

    def analyst(trajectory: Trajectory, window: Window, model: OuterWindow | None = None) -> Analysis:
        part = observing.of_window(table, window, experiment, layer_interfaces(trajectory.domain))
        away = departures(trajectory, part)
        compared = part.with_columns(background_departure=away, analysis_departure=away)
        return Analysis({}, compared, {"engine": "none", "counts": {"used": 0, "rejected": 0}})

    return analyst


def analyst_of(
    engine: Engine | None,
    table: Observed,
    experiment: Experiment,
    covariance: CovarianceAbout | None = None,
    log: Log | None = None,
) -> Analyst:
    """An analyst with an engine; without one it only compares.

    Args:
        engine: see `assimilation.engine`.
        table: quality-controlled observations of the whole period.
        experiment: thinning, observation errors, minimisation.
        covariance: of the background about fields; by default that of the cycled forecast.
        log: takes a line per iteration.
    """
    if engine is None:
        return compare_only(table, experiment)
    about = covariance or partial(cycled_covariance, experiment, increment_time=engine.increment_time)

    def analyst(trajectory: Trajectory, window: Window, model: OuterWindow | None = None) -> Analysis:
        domain = trajectory.domain
        part = observing.of_window(table, window, experiment, layer_interfaces(domain))
        given = AnalysisInput(
            background=trajectory,
            observations=part,
            covariance=about(domain, trajectory.fields[0 if engine.increment_time == "start" else -1]),
            settings=experiment.assimilation,
            window_model=model,
            members=None if model is None else model.members,
            checkpoint=None if model is None else model.checkpoint,
            log=log,
        )
        return with_curves(engine.analyse(given))

    return analyst


def with_curves(analysis: Analysis) -> Analysis:
    """Diagnostics with cost and gradient of the iterations as two lists, as they are stored and drawn."""
    steps = analysis.diagnostics.get("iterations", [])
    curves = {"cost": [one["cost"] for one in steps], "gradient": [one["gradient"] for one in steps]}
    named = {"two_j_over_p": analysis.diagnostics.get("chi_square")}
    rest = {name: value for name, value in analysis.diagnostics.items() if name not in ("cost", "iterations")}
    return dataclasses.replace(analysis, diagnostics={**rest, **curves, **named, "iterations": len(steps)})
