"""A run on disk: where everything lies, and whether what lies there belongs to the experiment."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from kaiseki.archive import RunStore
from kaiseki.archive.lock import WriterLock
from kaiseki.config import Experiment
from kaiseki.core.errors import ConfigError, InputError
from kaiseki.core.files import make_folder
from kaiseki.core.timing import slots
from kaiseki.grid import Domain


@dataclass(frozen=True)
class RunFolder:
    """The directory of one run; see docs/architecture.md, "A run on disk"."""

    path: Path

    @property
    def experiment(self) -> Path:
        """The experiment with all defaults."""
        return self.path / "experiment.toml"

    @property
    def observations(self) -> Path:
        """All reports with withheld stations and quality flags."""
        return self.path / "observations.parquet"

    @property
    def inventory(self) -> Path:
        """Counts and ranges of what was decoded."""
        return self.path / "inventory.json"

    @property
    def scores(self) -> Path:
        """Rows of scores."""
        return self.path / "scores.json"

    @property
    def report(self) -> Path:
        """The page."""
        return self.path / "report.html"

    def store(self, name: str) -> Path:
        """The run store of one experiment: analysis, free_run, optimal_interpolation, driving, coarse, truth."""
        return self.path / f"{name}.store"

    def preparing(self) -> WriterLock:
        """The lock under which a case is made ready, a context manager; two at once would mix their files.

        Raises:
            StoreError: another process makes it ready (the message names it), or the folder cannot be written.
            ResourceError: the disk is full.
        """
        make_folder(self.path)
        return WriterLock(self.path / "preparation.lock", f"The run in {self.path}")

    def begin(self, experiment: Experiment) -> None:
        """Make the directory and note the experiment, or make sure that it is the one noted.

        Raises:
            ConfigError: the directory holds a run of another experiment.
            StoreError: it cannot be written.
            ResourceError: the disk is full.
        """
        if self.experiment.exists():
            noted = Experiment.load(self.experiment)
            if noted.digest() != experiment.digest():
                raise ConfigError(
                    f"{self.path} holds a run of another experiment ({noted.case.name}); "
                    "give another folder with --out, or remove that one"
                )
            return
        make_folder(self.path)
        experiment.save(self.experiment)

    def noted(self) -> Experiment:
        """The experiment of the run that lies here.

        Raises:
            InputError: there is none.
        """
        if not self.experiment.exists():
            raise InputError(f"{self.path} holds no run (there is no experiment.toml); begin one with kaiseki run")
        return Experiment.load(self.experiment)

    def open_store(
        self,
        name: str,
        experiment: Experiment,
        domain: Domain,
        cycles: list[np.datetime64],
        soil_depth: np.ndarray | None = None,
    ) -> RunStore:
        """The store of one experiment, made with its whole layout when it is not there, open for writing."""
        place = self.store(name)
        if RunStore.exists(place):
            return RunStore.open(place)
        archive, period = experiment.archive, experiment.period
        return RunStore.create(
            place,
            experiment.to_json(),
            domain,
            slots(period.first, period.last, period.output_interval),
            np.array(cycles, "datetime64[s]"),
            soil_depth=soil_depth,
            title=f"{experiment.case.title or experiment.case.name}: {name.replace('_', ' ')}",
            chunk=archive.chunk,
            compression_level=archive.compression_level,
        )

    def read_store(self, name: str) -> RunStore:
        """The store of one experiment for reading.

        Raises:
            StoreError: there is none.
        """
        return RunStore.open(self.store(name), "r")
