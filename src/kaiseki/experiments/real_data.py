"""A case on real data, made ready: reports read and checked, driving fields of files or of a coarse stream."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from kaiseki.archive import RunStore
from kaiseki.archive.run import RunFolder
from kaiseki.archive.store.transaction import to_json
from kaiseki.config import Experiment
from kaiseki.core.errors import InputError
from kaiseki.core.files import files_of, write_text
from kaiseki.core.progress import Log, say
from kaiseki.core.timing import format_utc
from kaiseki.cycle import observing
from kaiseki.cycle.driving_fields import Dataset, DrivingFields, Steady, WiderRun
from kaiseki.driving import Nest, ground_on_domain, open_driving
from kaiseki.driving.nest import check_within
from kaiseki.experiments.case import PreparedCase, reference_of
from kaiseki.experiments.nesting import coarse_driving
from kaiseki.experiments.sea import SeaFiles, check_sea, sea_files
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
    if experiment.driving.coarse is None:
        case = driven_case(experiment, folder, data)
        return dataclasses.replace(case, table=real_observations(experiment, folder, data, case.domain))
    domain = domain_from_section(experiment.domain, data)
    files = files_of(experiment.driving.first_guess_files, data, "driving.first_guess_files")
    sea = sea_files(experiment, data)
    wide = domain_from_section(experiment.driving.coarse, data)
    table = real_observations(experiment, folder, data, wide)
    return coarse_driving(experiment, folder, domain, wide, table, files, sea, log)


def driven_case(experiment: Experiment, folder: RunFolder, data: Path | None) -> PreparedCase:
    """A case on real data that its files drive, without its observations.

    Raises:
        ConfigError: files are not there.
        InputError: they cannot be used, or hold no sea temperature where one is needed.
    """
    domain = domain_from_section(experiment.domain, data)
    files = files_of(experiment.driving.first_guess_files, data, "driving.first_guess_files")
    first, soil = experiment.period.first, experiment.physics.schemes.soil.thickness
    held_at = first if experiment.driving.steady else None
    driving, domain = direct_driving(files, domain, sea_files(experiment, data), soil=soil, held_at=held_at)
    if held_at is not None:
        say(experiment.steady_words)
    start = driving(first)
    check_sea(experiment, start, domain, files)
    return PreparedCase(experiment, folder, domain, Table.empty(), driving, reference_of(start, domain))


def direct_driving(
    files: Sequence[Path],
    domain: Domain,
    sea: SeaFiles | None = None,
    *,
    soil: tuple[float, ...] | None = None,
    held_at: np.datetime64 | None = None,
) -> tuple[DrivingFields, Domain]:
    """Driving by the files themselves, or by the store of a run of our own, and the domain that they drive.

    The terrain of the domain goes over to that of the files in the rim.

    Args:
        files: split in any way, read a time at a time, about the domain only; or one store of a run.
        domain: which they drive.
        sea: of the experiment's own.
        soil: thickness of the model's layers of soil, m; None leaves the soil out.
        held_at: time (UTC) of theirs that is held constant; None follows them in time.

    Raises:
        InputError: the files cannot be read or joined, lack a level or a variable, or the domain reaches beyond
            them; or they do not have the time that is to be held.
    """
    driving: DrivingFields
    if any(path.is_dir() and RunStore.exists(path) for path in files):
        if len(files) > 1:
            raise InputError(f"{files[0]} and {files[1]}: a store of a run drives alone; name no other file beside it.")
        store = RunStore.open(files[0], "r")
        check_within(domain, store.domain(), f"The domain {domain.name}", store.where)
        domain = blend_rim(domain, Nest.build(store.domain(), domain).ground)
        driving, where, times = WiderRun.onto(store, domain, soil=soil), store.where, store.times
    else:
        data = open_driving(files, domain)
        ground = ground_on_domain(data, domain)
        if ground is None:
            # Their surface pressure is then that of our own ground, and there is nothing to go over to.
            say(f"{data.file}: no terrain; {domain.name} keeps its own in the rim")
        else:
            domain = blend_rim(domain, ground)
        driving, where, times = Dataset(data, domain, soil), data.file, data.times
    if held_at is not None:
        driving = held(driving, held_at, where, times)
    return (driving if sea is None else sea.around(driving, domain)), domain


def held(driving: DrivingFields, first: np.datetime64, where: str, times: np.ndarray) -> Steady:
    """Driving fields of the cold start, held constant.

    Args:
        driving: the fields.
        first: time of the cold start, UTC.
        where: the fields are from, for the message.
        times: of theirs.

    Raises:
        InputError: they do not have the time of the cold start.
    """
    if first not in times:
        there = f"{format_utc(times[0])} to {format_utc(times[-1])}" if len(times) > 1 else format_utc(times[0])
        raise InputError(
            f"{where}: driving.steady holds the analysis of the cold start, {format_utc(first)}, but the driving data "
            f"are of {there}; set period.cold_start to a time of theirs"
        )
    return Steady(driving, first)
