"""A case on real data, made ready: reports read and checked, driving fields of files or of a coarse stream."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

from kaiseki.archive.run import RunFolder
from kaiseki.archive.store.transaction import to_json
from kaiseki.config import Experiment
from kaiseki.core.files import files_of, write_text
from kaiseki.core.progress import say
from kaiseki.cycle import observing
from kaiseki.cycle.driving_fields import Dataset
from kaiseki.driving import read_global
from kaiseki.experiments.case import Case, reference_of
from kaiseki.experiments.nesting import coarse_driving
from kaiseki.grid import Domain
from kaiseki.grid.build import domain_from_section
from kaiseki.observations import Table
from kaiseki.observations.sources.inventory import inventory


def real_observations(experiment: Experiment, folder: RunFolder, data: Path | None, widest: Domain) -> Table:
    """The reports of the experiment's files, checked, divided and saved; read back from there ever after."""
    if not folder.observations.exists():
        wanted = experiment.observations
        paths = files_of(wanted.files, data, "observations.files") if wanted.files else []
        others = {name: files_of(files, data, f"observations.sources.{name}") for name, files in wanted.sources.items()}
        say(f"observations: reading {len(paths) + sum(map(len, others.values()))} files")
        reports = observing.read_reports(paths, widest, others)
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
