"""A case made ready: domain, observations, driving fields, model; what the streams of an experiment share."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np

from kaiseki.archive.transaction import to_json
from kaiseki.core.constants import VIRTUAL
from kaiseki.core.errors import InputError
from kaiseki.core.experiment import Experiment
from kaiseki.core.files import files_of, write_text
from kaiseki.core.progress import say
from kaiseki.core.timing import hours
from kaiseki.cycle import observing
from kaiseki.cycle.checks import shortest_stretch
from kaiseki.cycle.driving import Boundaries, Carried, Dataset, Driving, WithSea
from kaiseki.cycle.fields import Fields
from kaiseki.cycle.folder import RunFolder
from kaiseki.cycle.model_checks import check_division
from kaiseki.driving import ground_on_domain, read_joined, sst_on_domain
from kaiseki.forecast.filter import DigitalFilter
from kaiseki.forecast.model import Model
from kaiseki.forecast.physics import PhysicsParameters
from kaiseki.forecast.reference import ReferenceProfile
from kaiseki.grid import Domain
from kaiseki.grid.build import domain_from_section
from kaiseki.grid.terrain import blend_rim
from kaiseki.observations import Table
from kaiseki.observations.sources.inventory import inventory


def reference_of(fields: Fields, domain: Domain) -> ReferenceProfile:
    """The smooth reference profile of a case, fitted to fields of its cold start."""
    tv = np.asarray(fields["temperature"], float) * (1.0 + VIRTUAL * np.asarray(fields["qv"], float))
    return ReferenceProfile.fit(domain.z, tv, np.asarray(fields["pressure"], float))


def filter_of(experiment: Experiment) -> DigitalFilter | None:
    """The digital filter asked for, None when its span is zero."""
    section = experiment.assimilation.digital_filter
    if section.half_span_hours == 0.0:
        return None
    return DigitalFilter(3600.0 * section.half_span_hours, 3600.0 * section.cutoff_hours)


def model_of(experiment: Experiment, domain: Domain, reference: ReferenceProfile) -> Model:
    """The forecast model with the experiment's dynamics and physics on a domain.

    Raises:
        ConfigError: the time step does not divide the output interval or that of the boundary states.
    """
    parameters = Model.parameters_of(experiment.dynamics, domain)
    check_division(parameters.dt, domain, shortest_stretch(experiment), experiment.period.output_hours)
    return Model.make(
        domain,
        reference,
        parameters,
        PhysicsParameters.from_section(experiment.physics),
        epoch=experiment.period.first,
    )


def soil_depth(model: Model) -> np.ndarray | None:
    """Depths of the middle of the soil layers [m], None without physics."""
    if model.physics is None:
        return None
    thickness = np.asarray(model.physics.of_soil.thickness)
    return np.asarray(np.cumsum(thickness) - 0.5 * thickness)


@dataclass(frozen=True)
class Case:
    """What is the same for all experiments of a run.

    Attributes:
        experiment: the description.
        folder: where results go.
        domain: with its terrain.
        table: quality-controlled observations of the whole period.
        driving: fields on the domain at any time.
        reference: profile of the case.
        start: fields of the cold start; the driving fields of that time when absent.
    """

    experiment: Experiment
    folder: RunFolder
    domain: Domain
    table: Table
    driving: Driving
    reference: ReferenceProfile
    start: Fields | None = None

    @cached_property
    def model(self) -> Model:
        """The forecast model."""
        return model_of(self.experiment, self.domain, self.reference)

    def cold_fields(self) -> Fields:
        """Fields that all experiments begin with."""
        return self.driving(self.experiment.period.first) if self.start is None else self.start

    @cached_property
    def boundaries(self) -> Boundaries:
        """Boundary states at the interval asked for."""
        memory = hours(self.experiment.assimilation.boundary_memory_hours)
        return Boundaries(self.model, self.driving, hours(self.experiment.driving.interval_hours), Carried(memory))


def real_observations(experiment: Experiment, folder: RunFolder, data: Path | None, widest: Domain) -> Table:
    """The reports of the experiment's files, checked, divided and saved; read back from there ever after."""
    if not folder.observations.exists():
        paths = files_of(experiment.observations.files, data, "observations.files")
        say(f"observations: reading {len(paths)} files")
        reports = observing.read_reports(paths, widest)
        save_inventory(reports, folder)
        table, counts = observing.quality_controlled(reports, experiment, widest)
        flagged = sum(count.flagged for count in counts)
        say(f"observations: {len(table)} values of {table.count_reports()} reports, {flagged} flags set")
        table.to_parquet(folder.observations)
    return Table.from_parquet(folder.observations)


def save_inventory(table: Table, folder: RunFolder) -> None:
    """Counts and ranges of decoded reports, for the report of the run and for comparison with other decoders."""
    write_text(folder.inventory, json.dumps(to_json(inventory(table))))


def real_case(
    experiment: Experiment, folder: RunFolder, data: Path | None, report: Callable[[str], None] | None = None
) -> Case:
    """A case on real data: with a coarse stream of our own where the experiment has one, else driven by its files."""
    from kaiseki.cycle.nesting import coarse_driving

    domain = domain_from_section(experiment.domain, data)
    files = files_of(experiment.driving.first_guess_files, data, "driving.first_guess_files")
    sea = sea_temperature(experiment, data)
    if experiment.driving.coarse is None:
        driving = direct_driving(files, domain, sea)
        domain = driving.domain
        start = driving(experiment.period.first)
        check_sea(experiment, start, domain, files)
        table = real_observations(experiment, folder, data, domain)
        return Case(experiment, folder, domain, table, driving, reference_of(start, domain))
    wide = domain_from_section(experiment.driving.coarse, data)
    table = real_observations(experiment, folder, data, wide)
    return coarse_driving(experiment, folder, domain, wide, table, files, sea, report)


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
    if "sst" in fields or not sea or not PhysicsParameters.from_section(experiment.physics).feels_sea:
        return
    raise InputError(
        f"The driving data {', '.join(str(path) for path in files)} hold neither a sea-surface temperature nor a skin "
        f"temperature with a land fraction, but {sea} of the {domain.land_fraction.size} cells of {domain.name} hold "
        "sea; name a file of it under driving.sea_temperature_files."
    )


def direct_driving(files: Sequence[Path], domain: Domain, sea: SeaTemperature | None = None) -> Dataset | WithSea:
    """Driving by the files themselves; the terrain of its domain goes over to that of the files in the rim.

    Raises:
        InputError: the files cannot be read or joined, or the domain reaches beyond them.
    """
    dataset = read_joined(files)
    ground = ground_on_domain(dataset, domain)
    if ground is None:
        # Their surface pressure is then that of our own ground, and there is nothing to go over to.
        say(f"{dataset.attrs['file']}: no terrain; {domain.name} keeps its own in the rim")
    else:
        domain = blend_rim(domain, ground)
    driving = Dataset(dataset, domain)
    return driving if sea is None else WithSea(driving, sea(domain), domain)
