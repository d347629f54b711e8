"""Checks of an experiment that need the model and the engines, and hence JAX."""

from __future__ import annotations

from kaiseki.assimilation import engine
from kaiseki.assimilation.operators.contract import operator
from kaiseki.config import Experiment
from kaiseki.core.errors import ConfigError, InputError
from kaiseki.core.observables import OWN_QUANTITIES, QUANTITIES
from kaiseki.cycle.observing import error_table
from kaiseki.driving.nest import check_top, check_within
from kaiseki.driving.sources.registry import available
from kaiseki.experiments.coarse_analysis import scales_of
from kaiseki.forecast.checks import check_levels, check_steps
from kaiseki.forecast.model import with_time_steps
from kaiseki.grid import Domain
from kaiseki.grid.coarsening import Coarsening


def check_model(experiment: Experiment, domains: dict[str, Domain], stretch: int) -> None:
    """Refuse an experiment that the model or the engine cannot run; see `checks.check_experiment`.

    Args:
        experiment: the description.
        domains: by the key of their sections, "domain" and perhaps "driving.coarse".
        stretch: time of which every stretch that the model is run for is a multiple [s].

    Raises:
        ConfigError: says which key is wrong and what would help.
    """
    if experiment.case.kind == "real" and "driving.coarse" in domains:
        check_inside(domains["domain"], domains["driving.coarse"], "domain", "driving.coarse")
    if experiment.case.kind == "real":
        available()
    for domain in domains.values():
        check_levels(domain)
        parameters = with_time_steps(experiment.dynamics, domain)
        check_steps(domain, parameters)
        check_division(parameters.dt, domain, stretch, experiment.period.output_hours)
    error_table(experiment)
    for quantity in QUANTITIES[len(OWN_QUANTITIES) :]:
        operator(quantity)
    if "driving.coarse" in domains:
        scales_of(experiment)
    own = experiment.assimilation
    chosen = None if own.engine == "none" else engine(own.engine)
    at_start = chosen is not None and chosen.increment_time == "start"
    factors = {"four_d_var": own.four_d_var.coarsening if at_start else ()}
    factors["ensemble"] = (own.ensemble.coarsening,) if chosen is not None and chosen.needs_ensemble else ()
    for section, values in factors.items():
        for factor in values:
            try:
                Coarsening.build(domains["domain"], factor)
            except ConfigError as error:
                raise ConfigError(f"assimilation.{section}.coarsening = {factor}: {error}") from error


def check_inside(inner: Domain, outer: Domain, name: str, outer_name: str) -> None:
    """Refuse a domain that reaches beyond the one it is nested in.

    Args:
        inner, outer: the domains.
        name, outer_name: what the user calls them.

    Raises:
        ConfigError: says which.
    """
    try:
        check_within(inner, outer, name, outer_name)
    except InputError as error:
        raise ConfigError(str(error)) from error
    try:
        check_top(inner.zeta[-1:], outer.zeta[-1:])
    except InputError as error:
        raise ConfigError(f"{name} does not lie inside {outer_name}: {error}") from error


def check_division(dt: float, domain: Domain, stretch: int, output_hours: float) -> None:
    """Refuse a time step that is no whole number of seconds or does not divide what the model is run for.

    Args:
        dt: time step [s].
        domain: of the model.
        stretch: time of which every stretch that the model is run for is a multiple [s].
        output_hours: interval of the output.

    Raises:
        ConfigError: says what would help.
    """
    if dt != round(dt):
        raise ConfigError(f"The time step of {dt:g} s on {domain.name} is not a whole number of seconds; give one")
    if (output := 3600.0 * output_hours) % dt:
        raise ConfigError(
            f"The time step of {dt:g} s on {domain.name} does not divide the output interval of "
            f"{output:g} s; give dynamics.time_step a divisor of it"
        )
    if stretch % dt:
        raise ConfigError(
            f"The time step of {dt:g} s on {domain.name} does not divide {stretch} s, of which the output interval, "
            "driving.interval_hours and the cold start's distance from a boundary time are multiples; give "
            "dynamics.time_step a divisor of it"
        )
