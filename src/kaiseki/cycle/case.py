"""A case made ready: domain, observations, driving fields, model; what the streams of an experiment share."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np

from kaiseki.archive.transaction import to_json
from kaiseki.core.constants import VIRTUAL
from kaiseki.core.experiment import Experiment
from kaiseki.core.files import files_of, write_text
from kaiseki.core.progress import say
from kaiseki.core.timing import hours
from kaiseki.cycle import observing
from kaiseki.cycle.checks import shortest_stretch
from kaiseki.cycle.driving import Boundaries, Carried, Dataset, Driving
from kaiseki.cycle.fields import Fields
from kaiseki.cycle.folder import RunFolder
from kaiseki.cycle.model_checks import check_division
from kaiseki.driving import read_global
from kaiseki.forecast.filter import DigitalFilter
from kaiseki.forecast.model import Model
from kaiseki.forecast.physics import PhysicsParameters
from kaiseki.forecast.reference import ReferenceProfile
from kaiseki.grid import Domain
from kaiseki.grid.build import domain_from_section
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
    if experiment.driving.coarse is None:
        dataset = read_global(files[0])
        fields = Dataset(dataset, domain)
        table = real_observations(experiment, folder, data, domain)
        return Case(experiment, folder, domain, table, fields, reference_of(fields(experiment.period.first), domain))
    wide = domain_from_section(experiment.driving.coarse, data)
    table = real_observations(experiment, folder, data, wide)
    return coarse_driving(experiment, folder, domain, wide, table, files, report)
