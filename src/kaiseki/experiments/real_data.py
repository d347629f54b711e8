"""A case on real data, made ready: reports read and checked, driving fields of files or of a coarse stream."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path

from kaiseki.archive import RunStore
from kaiseki.archive.run import RunFolder
from kaiseki.archive.store.transaction import to_json
from kaiseki.config import Experiment
from kaiseki.core.errors import InputError
from kaiseki.core.files import files_of, write_text
from kaiseki.core.progress import Log, say
from kaiseki.cycle import observing
from kaiseki.cycle.driving_fields import Dataset, WiderRun, WithSea
from kaiseki.driving import Nest, ground_on_domain, open_driving
from kaiseki.experiments.case import PreparedCase, reference_of
from kaiseki.experiments.nesting import coarse_driving
from kaiseki.experiments.sea import SeaTemperature, check_sea, sea_temperature
from kaiseki.grid import Domain
from kaiseki.grid.build import domain_from_section
from kaiseki.grid.terrain import blend_rim
from kaiseki.observations import Table
from kaiseki.observations.sources.inventory import inventory
from kaiseki.observations.windows import ObservationFile


def real_observations(experiment: Experiment, folder: RunFolder, data: Path | None, widest: Domain) -> ObservationFile:
    """The file of the reports of the experiment's files, checked and divided; made once, and read by windows."""
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
        ObservationFile.write(table, folder.observations)
    return ObservationFile(folder.observations)


def save_inventory(table: Table, folder: RunFolder) -> None:
    """Counts and ranges of decoded reports, for the report of the run and for comparison with other decoders."""
    write_text(folder.inventory, json.dumps(to_json(inventory(table))))


def real_case(experiment: Experiment, folder: RunFolder, data: Path | None, log: Log | None = None) -> PreparedCase:
    """A case on real data: with a coarse stream of our own where the experiment has one, else driven by its files."""
    domain = domain_from_section(experiment.domain, data)
    files = files_of(experiment.driving.first_guess_files, data, "driving.first_guess_files")
    sea = sea_temperature(experiment, data)
    if experiment.driving.coarse is None:
        driving, domain = direct_driving(files, domain, sea)
        start = driving(experiment.period.first)
        check_sea(experiment, start, domain, files)
        table = real_observations(experiment, folder, data, domain)
        return PreparedCase(experiment, folder, domain, table, driving, reference_of(start, domain))
    wide = domain_from_section(experiment.driving.coarse, data)
    table = real_observations(experiment, folder, data, wide)
    return coarse_driving(experiment, folder, domain, wide, table, files, sea, log)


def direct_driving(
    files: Sequence[Path], domain: Domain, sea: SeaTemperature | None = None
) -> tuple[Dataset | WiderRun | WithSea, Domain]:
    """Driving by the files themselves, or by the store of a run of our own, and the domain that they drive.

    The terrain of the domain goes over to that of the files in the rim.

    Args:
        files: split in any way, read a time at a time, about the domain only; or one store of a run.
        domain: which they drive.
        sea: sea-surface temperature of the experiment's own.

    Raises:
        InputError: the files cannot be read or joined, lack a level or a variable, or the domain reaches beyond
            them.
    """
    driving: Dataset | WiderRun
    if any(path.is_dir() and RunStore.exists(path) for path in files):
        if len(files) > 1:
            raise InputError(f"{files[0]} and {files[1]}: a store of a run drives alone; name no other file beside it.")
        store = RunStore.open(files[0], "r")
        domain = blend_rim(domain, Nest.build(store.domain(), domain).ground)
        driving = WiderRun.onto(store, domain)
        return (driving if sea is None else WithSea(driving, sea(domain), domain)), domain
    data = open_driving(files, domain)
    ground = ground_on_domain(data, domain)
    if ground is None:
        # Their surface pressure is then that of our own ground, and there is nothing to go over to.
        say(f"{data.file}: no terrain; {domain.name} keeps its own in the rim")
    else:
        domain = blend_rim(domain, ground)
    driving = Dataset(data, domain)
    return (driving if sea is None else WithSea(driving, sea(domain), domain)), domain
