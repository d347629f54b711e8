"""The sea of an experiment: temperature and ice from files of its own, refused where nothing gives a temperature; and
what is said of the surface that a run starts with."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import xarray as xr

from kaiseki.config import Experiment
from kaiseki.core.errors import InputError
from kaiseki.core.files import files_of
from kaiseki.core.progress import say
from kaiseki.cycle.driving_fields import DrivingFields, WithSea
from kaiseki.cycle.fields import Fields
from kaiseki.driving import SeaSeries, read_joined
from kaiseki.grid import Domain


@dataclass(frozen=True)
class SeaFiles:
    """Sea-surface temperature and ice of an experiment's own files; None where it names none.

    Attributes:
        temperature, ice: in the common form of `driving`.
        temperature_climatology, ice_climatology: whether they hold monthly means of any year.
    """

    temperature: xr.Dataset | None = None
    ice: xr.Dataset | None = None
    temperature_climatology: bool = False
    ice_climatology: bool = False

    def around(self, driving: DrivingFields, domain: Domain) -> DrivingFields:
        """Driving fields with this sea in place of theirs, as far as there is one."""
        if self.temperature is None and self.ice is None:
            return driving
        sst = ice = None
        if self.temperature is not None:
            sst = SeaSeries(self.temperature, domain, "temperature", self.temperature_climatology)
        if self.ice is not None:
            ice = SeaSeries(self.ice, domain, "ice", self.ice_climatology)
        return WithSea(driving, domain, sst, ice)


def sea_files(experiment: Experiment, data: Path | None) -> SeaFiles:
    """Sea-surface temperature and ice of the experiment's own files.

    Raises:
        ConfigError: a pattern matches no file.
        InputError: a file cannot be read.
    """
    section = experiment.driving

    def read(patterns: tuple[str, ...], key: str, what: str) -> xr.Dataset | None:
        if not patterns:
            say(f"{what}: no files of its own ({key}); that of the driving data, where they hold one")
            return None
        return read_joined(files_of(patterns, data, key))

    temperature = read(section.sea_temperature_files, "driving.sea_temperature_files", "sea temperature")
    ice = read(section.sea_ice_files, "driving.sea_ice_files", "sea ice")
    return SeaFiles(temperature, ice, section.sea_temperature_climatology, section.sea_ice_climatology)


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


COLD_STARTS: Mapping[str, str] = {
    "sea_ice": "no sea ice",
    "snow": "no snow on the ground",
    "soil_temperature": "soil as warm as its skin at every depth",
    "soil_moisture": "soil moisture of {moisture:g} m3 m-3 everywhere",
}
"""What a run starts with where the driving data lack a field of the surface."""


def surface_start(experiment: Experiment, fields: Fields) -> dict[str, str]:
    """What the surface of a run starts from, by field: "driving data", or in words what takes their place; said too.

    Args:
        experiment: says which processes there are; without any that the surface belongs to, the result is empty.
        fields: of the cold start on the domain.
    """
    physics = experiment.physics
    if not physics.before_dynamics:
        return {}
    found = {}
    for name, words in COLD_STARTS.items():
        if name == "sea_ice" and not physics.sea_ice:
            found[name] = "left out by physics.sea_ice"
        elif name in fields and np.isfinite(fields[name]).any():
            found[name] = "driving data"
        else:
            found[name] = f"cold start: {words.format(moisture=physics.schemes.soil.initial_moisture)}"
    if cold := [words.removeprefix("cold start: ") for words in found.values() if words.startswith("cold start: ")]:
        say(f"the driving data do not tell all of the surface; cold start with {'; '.join(cold)}")
    return found
