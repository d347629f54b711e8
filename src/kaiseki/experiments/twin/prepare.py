"""Everything that a twin experiment needs before its first cycle, in one call."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from kaiseki.config import Experiment
from kaiseki.core.files import make_folder
from kaiseki.core.timing import Window
from kaiseki.experiments.twin.driving import make_driving
from kaiseki.experiments.twin.integration import Fields, twin_of
from kaiseki.experiments.twin.nature import run_nature
from kaiseki.experiments.twin.observe import ErrorModel, draw_observations
from kaiseki.experiments.twin.reports import blank_reports
from kaiseki.experiments.twin.states import Nested, States
from kaiseki.grid import Domain
from kaiseki.observations import Table
from kaiseki.observations.errors import Profile, overridden

REPORTS = "reports.parquet"
"""Name of the file of observations."""


@dataclass(frozen=True, eq=False)
class PreparedTwin:
    """A prepared twin experiment.

    Attributes:
        nature: hourly states of the truth on its own grid, from one window before the cold start; for verification
            only.
        truth: the same on the assimilating domain, called with a time.
        driving: fields that drive the assimilating model, called with a time.
        cold_start: fields it starts from.
        reports: file of observations of the whole period, an observation table without flags.
    """

    nature: States
    truth: Nested
    driving: Nested
    cold_start: Fields
    reports: Path

    def read_reports(self) -> Table:
        """The observations, as they lie in the file."""
        return Table.from_parquet(self.reports)


def write_reports(experiment: Experiment, nature: States, path: Path) -> None:
    """Observe the nature run with the network and write the observation table.

    Reports reach from one window before the cold start to the end.

    Raises:
        StoreError: the file cannot be written.
    """
    twin, period = twin_of(experiment), experiment.period
    window = Window(max(period.first - period.window, nature.times[0]), period.last)
    profiles = overridden({(o.kind, o.quantity): Profile(o.pressure, o.error) for o in experiment.observations.errors})
    reports = blank_reports(nature.domain, window, twin.seed, twin.observation_density)
    errors = ErrorModel(profiles, twin.error_factor, twin.error_vertical_length, gross=twin.gross_errors)
    table, _ = draw_observations(nature.trajectory(), reports, twin.seed, errors)
    table.to_parquet(path)


def prepare(experiment: Experiment, domain: Domain, directory: Path) -> PreparedTwin:
    """Nature run, observations, driving and cold start; what lies in `directory` from the same experiment is used.

    Args:
        experiment: of kind "twin".
        domain: of the assimilating model.
        directory: is made; holds nature.npz, driving.npz and the reports.

    Raises:
        InputError: not a twin experiment.
        NumericsError: the model failed.
        StoreError: the directory cannot be written.
    """
    make_folder(directory)
    nature = run_nature(experiment, directory)
    reports = directory / REPORTS
    write_reports(experiment, nature, reports)
    driving, cold_start = make_driving(experiment, domain, directory)
    return PreparedTwin(nature, nature.onto(domain), driving, cold_start, reports)
