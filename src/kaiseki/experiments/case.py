"""A case made ready: domain, observations, driving fields, model; what the streams of an experiment share."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np

from kaiseki.archive.run import RunFolder
from kaiseki.config import DigitalFilter, Experiment
from kaiseki.core.timing import hours
from kaiseki.cycle.driving_fields import Boundaries, BoundaryCorrection, DrivingFields
from kaiseki.cycle.fields import Fields
from kaiseki.diagnostics.thermodynamics import virtual_temperature
from kaiseki.experiments.checks import shortest_stretch
from kaiseki.experiments.model_checks import check_division
from kaiseki.forecast.model import Model, with_time_steps
from kaiseki.forecast.reference import ReferenceProfile
from kaiseki.grid import Domain
from kaiseki.observations.windows import Observed


def reference_of(fields: Fields, domain: Domain) -> ReferenceProfile:
    """The smooth reference profile of a case, fitted to fields of its cold start."""
    tv = virtual_temperature(np.asarray(fields["temperature"], float), np.asarray(fields["qv"], float))
    return ReferenceProfile.fit(domain.z, tv, np.asarray(fields["pressure"], float))


def filter_of(experiment: Experiment) -> DigitalFilter | None:
    """The digital filter asked for, None when its span is zero."""
    section = experiment.assimilation.digital_filter
    if section.half_span_hours == 0.0:
        return None
    return section


def model_of(experiment: Experiment, domain: Domain, reference: ReferenceProfile) -> Model:
    """The forecast model with the experiment's dynamics and physics on a domain.

    Raises:
        ConfigError: the time step does not divide the output interval or that of the boundary states.
    """
    parameters = with_time_steps(experiment.dynamics, domain)
    check_division(parameters.dt, domain, shortest_stretch(experiment), experiment.period.output_hours)
    return Model.make(
        domain,
        reference,
        parameters,
        experiment.physics,
        epoch=experiment.period.first,
    )


def soil_depth(model: Model) -> np.ndarray | None:
    """Depths of the middle of the soil layers [m], None without physics."""
    if model.physics is None:
        return None
    thickness = np.asarray(model.physics.schemes.soil.thickness)
    return np.asarray(np.cumsum(thickness) - 0.5 * thickness)


@dataclass(frozen=True)
class PreparedCase:
    """What is the same for all experiments of a run.

    Attributes:
        experiment: the description.
        folder: where results go.
        domain: with its terrain.
        table: quality-controlled observations of the whole period, or the file that a window of them is read from at a
            time.
        driving: fields on the domain at any time.
        reference: profile of the case.
        start: fields of the cold start; the driving fields of that time when absent.
    """

    experiment: Experiment
    folder: RunFolder
    domain: Domain
    table: Observed
    driving: DrivingFields
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
        return Boundaries(
            self.model, self.driving, hours(self.experiment.driving.interval_hours), BoundaryCorrection(memory)
        )
