"""The sea-surface temperature of an experiment: from files of its own, or refused where nothing gives it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np

from kaiseki.config import Experiment
from kaiseki.core.errors import InputError
from kaiseki.core.files import files_of
from kaiseki.core.progress import say
from kaiseki.cycle.fields import Fields
from kaiseki.driving import read_joined, sst_on_domain
from kaiseki.grid import Domain

type SeaTemperature = Callable[[Domain], np.ndarray]
"""Gives the sea-surface temperature (ny, nx) K on a domain."""


def sea_temperature(experiment: Experiment, data: Path | None) -> SeaTemperature | None:
    """Sea-surface temperature of the cold start from the experiment's own files, None where it names none.

    Raises:
        ConfigError: a pattern matches no file.
        InputError: a file cannot be read or does not cover the time.
    """
    section = experiment.driving
    if not section.sea_temperature_files:
        say("sea temperature: that of the driving data")
        return None
    dataset = read_joined(files_of(section.sea_temperature_files, data, "driving.sea_temperature_files"))
    first, climatology = experiment.period.first, section.sea_temperature_climatology
    return lambda domain: sst_on_domain(dataset, domain, first, climatology)


def check_sea(experiment: Experiment, fields: Fields, domain: Domain, files: Sequence[Path]) -> None:
    """Refuse driving fields without a sea-surface temperature where the model needs one.

    Args:
        experiment: says which processes there are.
        fields: of the cold start on the domain.
        domain: which cells hold sea.
        files: where the fields are from, for the message.

    Raises:
        InputError: there is none.
    """
    sea = int((domain.land_fraction < 1.0).sum())
    if "sst" in fields or not sea or not experiment.physics.feels_sea:
        return
    raise InputError(
        f"The driving data {', '.join(str(path) for path in files)} hold neither a sea-surface temperature nor a skin "
        f"temperature with a land fraction, but {sea} of the {domain.land_fraction.size} cells of {domain.name} hold "
        "sea; name a file of it under driving.sea_temperature_files."
    )
