"""A run on disk: where everything lies, whether it belongs to the experiment, and what a finished run holds."""

from __future__ import annotations

import json
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, Final

import numpy as np
import pyarrow as pa
import xarray as xr

from kaiseki.archive.reader import FieldKind, open_archive
from kaiseki.archive.store.layout import Layout
from kaiseki.archive.store.run_store import RunStore
from kaiseki.config import Experiment
from kaiseki.core.errors import ConfigError, InputError, StoreError
from kaiseki.core.files import make_folder
from kaiseki.core.lock import WriterLock
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
        """Path of the report page."""
        return self.path / "report.html"

    @property
    def release(self) -> Path:
        """The release store that a run is packed into."""
        return self.path / "release"

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
        period = experiment.period
        return RunStore.create(
            place,
            Layout(
                experiment_json=experiment.to_json(),
                domain=domain,
                times=slots(period.first, period.last, period.output_interval),
                cycle_times=np.array(cycles, "datetime64[s]"),
                soil_depth=soil_depth,
                title=f"{experiment.case.title or experiment.case.name}: {name.replace('_', ' ')}",
                encoding=experiment.archive,
                attributes=experiment.remarks,
            ),
        )

    def read_store(self, name: str) -> RunStore:
        """The store of one experiment for reading.

        Raises:
            StoreError: there is none.
        """
        return RunStore.open(self.store(name), "r")


BASELINE_STORES: Final = ("optimal_interpolation", "free_run", "driving")
"""Baselines by the name of their store, without the suffix."""

DEPARTURES: Final[dict[str, tuple[str, str]]] = {
    "analysis": ("analysis", "analysis_departure"),
    "background": ("analysis", "background_departure"),
    "optimal_interpolation": ("optimal_interpolation", "analysis_departure"),
    "free_run": ("free_run", "background_departure"),
    "driving": ("driving", "background_departure"),
}
"""Store and column that hold the departures of each experiment."""


ERRORS: Final = ("temperature_spread", "eastward_wind_spread", "northward_wind_spread", "surface_pressure_spread")
"""Errors of the analysis by their names in the archive, whatever the engine."""


INVENTORY_KEYS: Final = frozenset(("kind", "quantity", "time", "west", "south", "values", "least", "mean", "greatest"))
"""What every row of `inventory.json` has."""


class Run:
    """A run on disk, see docs/architecture.md.

    Attributes:
        folder: where it lies.
        experiment: what the run was made with.
        analysis: store of the analyses.
        domain: its grid.
        cycles: ends of the complete cycles, datetime64[s].
        stores: open stores by name, `analysis` and those baselines and `truth` that are there.
    """

    def __init__(self, directory: Path) -> None:
        """Open what is there.

        Raises:
            InputError: no such directory.
            ConfigError: `experiment.toml` is missing or wrong.
            StoreError: there is no `analysis.store`, or it has no complete cycle.
        """
        self.folder = RunFolder(directory)
        if not directory.is_dir():
            raise InputError(f"There is no run directory {directory}; give the folder that `kaiseki run` wrote")
        if not RunStore.exists(self.folder.store("analysis")):
            raise StoreError(
                f"{directory} has no analysis.store, so that there is nothing to report; run the case first"
            )
        self.experiment = Experiment.load(self.folder.experiment)
        names = ("analysis", *BASELINE_STORES, "truth")
        places = {name: self.folder.store(name) for name in names}
        self.stores = {name: RunStore.open(place, "r") for name, place in places.items() if RunStore.exists(place)}
        self.analysis = self.stores["analysis"]
        self.domain: Domain = self.analysis.domain()
        self.cycles = self.analysis.completed_cycles()
        if self.cycles.size == 0:
            raise StoreError(f"{places['analysis']} has no complete cycle yet; resume the run and make the report then")
        self._tables: dict[tuple[str, np.datetime64], dict[str, np.ndarray] | None] = {}
        self._datasets: dict[tuple[str, str], xr.Dataset | None] = {}

    @property
    def missing(self) -> list[str]:
        """Baselines, and the truth of a twin experiment, that the directory does not hold."""
        wanted = [*BASELINE_STORES, *(["truth"] if self.experiment.case.kind == "twin" else [])]
        return [name for name in wanted if name not in self.stores]

    def table(self, store: str, time: np.datetime64) -> dict[str, np.ndarray] | None:
        """Columns of the observation table of a cycle, None where there is none."""
        key = (store, time)
        if key not in self._tables:
            self._tables[key] = self._read(store, time)
        return self._tables[key]

    def _read(self, name: str, time: np.datetime64) -> dict[str, np.ndarray] | None:
        store = self.stores.get(name)
        if store is None or time not in store.completed_cycles():
            return None
        table = store.read_observations(time)
        return None if table is None or table.num_rows == 0 else as_columns(table)

    def diagnostics(self, store: str = "analysis") -> dict[np.datetime64, dict[str, Any]]:
        """What each complete cycle wrote, by its time; cycles that wrote nothing are left out."""
        if store not in self.stores:
            return {}
        opened = self.stores[store]
        found = {time: opened.read_diagnostics(time) for time in opened.completed_cycles()}
        return {time: values for time, values in found.items() if values}

    @cached_property
    def observed_cycles(self) -> list[np.datetime64]:
        """Cycles that have an observation table."""
        return [time for time in self.cycles if self.table("analysis", time) is not None]

    @cached_property
    def analysed_cycles(self) -> list[np.datetime64]:
        """Cycles that have an observation table and follow a forecast: all but the cold start, whose observations are
        only compared with it."""
        return [time for time in self.observed_cycles if time > self.experiment.period.first]

    @cached_property
    def main_time(self) -> np.datetime64 | None:
        """Cycle that is shown and scored first: the last analysis with at least half as many soundings as the fullest
        has, the last one where none has any; None without analyses."""
        counts = {}
        for time in self.analysed_cycles:
            table = self.table("analysis", time)
            assert table is not None
            sondes = (table["kind"] == "sonde") & (table["quantity"] != "surface_pressure")
            counts[time] = len(np.unique(table["station"][sondes]))
        fullest = max(counts.values(), default=0)
        good = [time for time, count in counts.items() if count > 0 and count >= 0.5 * fullest]
        return good[-1] if good else max(self.analysed_cycles, default=None)

    def fields(self, store: str, time: np.datetime64, *, background: bool = False) -> xr.Dataset | None:
        """Fields of a store at one time; None where there are none.

        Args:
            store: name of the store.
            time: instant wanted.
            background: the forecast; otherwise the analysis or, where there is none, the forecast.
        """
        if store not in self.stores:
            return None
        kinds: tuple[FieldKind, ...] = ("background",) if background else ("analysis", "background")
        for kind in kinds:
            dataset = self._dataset(store, kind)
            if dataset is None:
                continue
            moments = dataset["time"].values.astype("datetime64[s]")
            if time in moments and "temperature" in dataset:
                return dataset.isel(time=int(np.flatnonzero(moments == time)[0]))
        return None

    def errors(self, time: np.datetime64) -> dict[str, np.ndarray] | None:
        """Pressure and the errors of the analysis of a time by their names in the archive; None where it gives none."""
        dataset = self._dataset("analysis", "analysis")
        if dataset is None or any(name not in dataset for name in ERRORS):
            return None
        moments = np.flatnonzero(dataset["time"].values.astype("datetime64[s]") == time)
        if not moments.size:
            return None
        now = dataset.isel(time=int(moments[0]))
        fields = {name: np.asarray(now[name].values, float) for name in ("pressure", *ERRORS)}
        # The cold start has no error of its own.
        return fields if np.isfinite(fields[ERRORS[0]]).any() else None

    def _dataset(self, store: str, kind: FieldKind) -> xr.Dataset | None:
        """All fields of one kind, opened once; None where a store has none yet."""
        if (store, kind) not in self._datasets:
            try:
                self._datasets[store, kind] = open_archive(self.folder.store(store), kind)
            except StoreError:
                self._datasets[store, kind] = None
        return self._datasets[store, kind]

    def inventory(self) -> list[dict[str, Any]]:
        """Rows of `inventory.json`, [] where the run has none.

        Raises:
            InputError: the file is not a list of rows.
        """
        path = self.folder.inventory
        if not path.is_file():
            return []
        try:
            rows = json.loads(path.read_text(encoding="utf-8"))
        except ValueError as error:
            raise InputError(f"{path} is not JSON: {error}") from None
        if not isinstance(rows, list) or not all(isinstance(row, dict) for row in rows):
            raise InputError(f"{path} must hold a list of rows, as the inventory of the observations is written")
        if any((missing := INVENTORY_KEYS - row.keys()) for row in rows):
            raise InputError(f"{path} has a row without {', '.join(sorted(missing))}; make the run anew")
        return rows


def as_columns(table: pa.Table) -> dict[str, np.ndarray]:
    """Columns of an Arrow table as NumPy arrays; texts as unicode, missing ones empty."""
    columns = {}
    for name, column in zip(table.column_names, table.columns, strict=True):
        kind = column.type
        if pa.types.is_dictionary(kind):
            column, kind = column.cast(kind.value_type), kind.value_type
        if pa.types.is_string(kind) or pa.types.is_large_string(kind):
            columns[name] = np.array(column.fill_null("").to_pylist(), np.str_)
        elif pa.types.is_timestamp(kind):
            columns[name] = column.cast(pa.timestamp("s")).to_numpy().astype("datetime64[s]")
        else:
            columns[name] = column.to_numpy()
    return columns
