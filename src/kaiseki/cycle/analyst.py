"""What happens at an analysis time: the observations of the window, the covariance about the background, an engine."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from kaiseki.assimilation import Analysis, EngineSettings, Trajectory, departures
from kaiseki.assimilation import engine as engine_named
from kaiseki.assimilation.engine import AT_START, EnsembleSettings, FourD, WindowModel
from kaiseki.core.experiment import Experiment
from kaiseki.core.timing import Window
from kaiseki.cycle import observing
from kaiseki.grid import Domain
from kaiseki.observations import Table
from kaiseki.statistics import BackgroundCovariance, BackgroundErrors
from kaiseki.statistics.correlation import standard_log_pressure
from kaiseki.statistics.covariance import build

TAPER = 0.75
"""Distance over which increments rise from zero inside the rim, in correlation lengths: a step would be a front."""


type Analyst = Callable[..., Analysis]
"""(trajectory, window, model of the window or nothing) -> analysis; see `stream.Analyst`."""


def four_d_of(section: Any) -> FourD:
    """Settings of 4D-Var from the experiment's section."""
    return FourD(
        tuple(section.coarsening),
        section.inner_iterations,
        section.gradient_reduction,
        section.gravity_wave_penalty,
        section.background_deviation,
    )


def ensemble_of(section: Any) -> EnsembleSettings:
    """Settings of the engines with members from the experiment's section."""
    return EnsembleSettings(
        section.localisation_length, section.localisation_depth, section.relaxation, section.hybrid_share
    )


def taper_cells(length: float, spacing: float) -> int:
    """The same in cells of a spacing [m]."""
    return round(TAPER * length / spacing)


def layer_interfaces(domain: Domain) -> np.ndarray:
    """Pressures of the model's interfaces in the standard atmosphere [Pa], falling: what ascents are thinned to."""
    return np.asarray(np.exp(standard_log_pressure(domain.zeta_half)))


def cycled_errors(experiment: Experiment, domain: Domain) -> BackgroundErrors:
    """Background errors of the cycled forecast on a domain."""
    own = experiment.assimilation
    # What an analysis changes in the rim would be lost in the next step if the driving fields did not change with it.
    taper = None if own.boundary_memory_hours > 0.0 else taper_cells(own.cycled.length, domain.spacing)
    return BackgroundErrors.from_section(own.cycled, taper=taper)


def covariance_at_start(
    experiment: Experiment, domain: Domain, errors: BackgroundErrors, fields: Mapping[str, np.ndarray]
) -> BackgroundCovariance:
    """The covariance of the start of a window about its fields, with errors of the cycled forecast."""
    return build(domain, errors.scaled(experiment.assimilation.four_d_var.background_deviation), fields)


def settings_of(experiment: Experiment) -> EngineSettings:
    """Settings of the engines from the experiment."""
    return EngineSettings.from_section(
        experiment.assimilation,
        background_tolerance=experiment.observations.background_check,
        height_limit=experiment.observations.station_height_difference,
        four_d=four_d_of(experiment.assimilation.four_d_var),
        ensemble=ensemble_of(experiment.assimilation.ensemble),
    )


def compare_only(table: Table, experiment: Experiment) -> Analyst:
    """An analyst that changes nothing: departures of every observation, the same before and after."""

    def analyst(trajectory: Trajectory, window: Window, model: WindowModel | None = None) -> Analysis:
        part = observing.of_window(table, window, experiment, layer_interfaces(trajectory.domain))
        away = departures(trajectory, part)
        compared = part.with_columns(background_departure=away, analysis_departure=away)
        return Analysis({}, compared, {"engine": "none", "counts": {"used": 0, "rejected": 0}})

    return analyst


def analyst_of(
    engine: str,
    table: Table,
    experiment: Experiment,
    errors: BackgroundErrors,
    report: Callable[[str], None] | None = None,
) -> Analyst:
    """An analyst with an engine and a background error; "none" only compares.

    Args:
        engine: name of an engine, or "none".
        table: quality-controlled observations of the whole period.
        experiment: thinning, observation errors, minimisation.
        errors: of the background.
        report: takes a line per iteration.
    """
    if engine == "none":
        return compare_only(table, experiment)
    settings = settings_of(experiment)

    def analyst(trajectory: Trajectory, window: Window, model: WindowModel | None = None) -> Analysis:
        domain = trajectory.domain
        part = observing.of_window(table, window, experiment, layer_interfaces(domain))
        if engine in AT_START:
            covariance = covariance_at_start(experiment, domain, errors, trajectory.fields[0])
        else:
            covariance = build(domain, errors, trajectory.fields[-1])
        return with_curves(engine_named(engine)(trajectory, part, covariance, settings, report, model))

    return analyst


def with_curves(analysis: Analysis) -> Analysis:
    """The same with cost and gradient of the iterations as two lists, as they are stored and drawn."""
    steps = analysis.diagnostics.get("iterations", [])
    curves = {"cost": [one["cost"] for one in steps], "gradient": [one["gradient"] for one in steps]}
    named = {"two_j_over_p": analysis.diagnostics.get("chi_square")}
    rest = {name: value for name, value in analysis.diagnostics.items() if name not in ("cost", "iterations")}
    return dataclasses.replace(analysis, diagnostics={**rest, **curves, **named, "iterations": len(steps)})
