"""What can be refused before any data are read: `kaiseki config check` and every run ask the same function."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Iterator

import numpy as np

from kaiseki.config import Experiment
from kaiseki.core.errors import ConfigError, InputError
from kaiseki.core.timing import hours
from kaiseki.experiments.size import check_grid_fits
from kaiseki.grid import Domain
from kaiseki.grid.build import domain_from_section
from kaiseki.observations.sources.registry import source


def check_experiment(experiment: Experiment) -> bool:
    """Refuse an experiment that cannot be run, whatever the data are.

    Checked are the grids and how they lie in each other, the files that must be named, the grids of inner models and
    members, time steps, physics parameters, errors, plug-ins. Terrain from files counts as flat: what it does to levels
    and steps is known when it has been read.

    Returns:
        Whether all was checked: without JAX, what depends on the model is not.

    Raises:
        ConfigError: says which key is wrong and what would help.
        ResourceError: this machine cannot even lay out the grid.
    """
    domains = dict(_domains(experiment))
    _check_sources(experiment)
    stretch = shortest_stretch(experiment)
    try:
        from kaiseki.experiments import model_checks
    except (ImportError, RuntimeError):
        # The client alone, or a processor that JAX refuses: a file can be checked where it cannot be run.
        return False
    model_checks.check_model(experiment, domains, stretch)
    return True


def _domains(experiment: Experiment) -> Iterator[tuple[str, Domain]]:
    """The domain and, where there is one, the coarse one, by the key of their sections."""
    sections = {"domain": experiment.domain, "driving.coarse": experiment.driving.coarse}
    for key, section in sections.items():
        if section is None:
            continue
        if section.terrain == "files":
            if not section.mask_files:
                raise ConfigError(f'{key}.terrain = "files" needs {key}.mask_files too: where is land and where sea')
            section = dataclasses.replace(section, terrain="flat")
        check_grid_fits(section, experiment.case.name)
        try:
            domain = domain_from_section(section, name=key)
        except ImportError:
            # The island arc needs SciPy.
            domain = domain_from_section(dataclasses.replace(section, terrain="flat"), name=key)
        yield key, domain


def _check_sources(experiment: Experiment) -> None:
    for name in experiment.observations.sources:
        source(name)
    driving = experiment.driving
    if experiment.case.kind == "real" and not driving.first_guess_files:
        raise ConfigError(
            'kind = "real" needs driving.first_guess_files: global analyses that drive the domain or, with '
            "driving.coarse, make its first guess"
        )
    if driving.coarse is not None and not driving.scales:
        raise ConfigError("driving.scales is empty; give the correlation lengths of the coarse analyses, at least one")


def shortest_stretch(experiment: Experiment) -> int:
    """The longest time [s] of which every stretch that the model is run for is a multiple.

    Raises:
        ConfigError: an interval is not a whole number of seconds.
    """
    period = experiment.period
    interval = _seconds("driving.interval_hours", experiment.driving.interval_hours)
    _seconds("assimilation.boundary_memory_hours", experiment.assimilation.boundary_memory_hours)
    # Boundary times are whole intervals since 1970, from which the cold start may be off.
    output = int(period.output_interval / np.timedelta64(1, "s"))
    return math.gcd(output, interval, int(period.first.astype("datetime64[s]").astype(np.int64)))


def _seconds(key: str, value: float) -> int:
    try:
        return int(hours(value) / np.timedelta64(1, "s"))
    except InputError as error:
        raise ConfigError(f"{key}: {error}") from error
