"""The twin experiment as a case: its truth stored for verification, its reports read like any other."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from kaiseki.archive import RunStore
from kaiseki.archive.store.schema import FORECAST
from kaiseki.config import Experiment
from kaiseki.core.errors import ConfigError
from kaiseki.core.progress import Log, say

if TYPE_CHECKING:
    from kaiseki.archive.run import RunFolder
    from kaiseki.experiments.case import PreparedCase
    from kaiseki.experiments.twin import States


def check_twin(experiment: Experiment) -> None:
    """The part of `experiments.checks.check_experiment` that belongs to a twin: grids and times of its nature run.

    Raises:
        ConfigError: says which key is wrong and what would help.
    """
    from kaiseki.experiments.model_checks import check_inside
    from kaiseki.experiments.twin.integration import INTERVAL_HOURS, twin_of
    from kaiseki.experiments.twin.nature import nature_domain
    from kaiseki.experiments.twin.wide import wide_domain
    from kaiseki.grid.build import domain_from_section

    period, hour = experiment.period, round(3600 * INTERVAL_HOURS)
    times = {
        "period.cold_start": int(period.first.astype("datetime64[s]").astype(np.int64)),
        "period.output_hours": round(3600 * period.output_hours),
        "driving.interval_hours": round(3600 * experiment.driving.interval_hours),
    }
    for key, seconds in times.items():
        if seconds % hour:
            raise ConfigError(f"{key} must be whole hours in a twin experiment, whose nature run is kept every hour")
    experiment.physics.with_constants(twin_of(experiment).physics)
    inner = domain_from_section(dataclasses.replace(experiment.domain, terrain="flat"))
    try:
        nature, wide = nature_domain(experiment), wide_domain(experiment)
    except ConfigError as error:
        raise ConfigError(f"The twin's nature run or the weather around it cannot be placed: {error}") from error
    check_inside(inner, nature, "domain", "the grid of the nature run")
    check_inside(nature, wide, "The grid of the nature run", "that of the weather around it")


def store_truth(experiment: Experiment, folder: RunFolder, nature: States) -> None:
    """The nature run at the output times as a run store of its own, for verification and for maps."""
    from kaiseki.cycle.fields import ACCUMULATED

    place = folder.store("truth")
    if RunStore.exists(place) and RunStore.open(place, "r").next_cycle() is None:
        return
    period = experiment.period
    with folder.open_store("truth", experiment, nature.domain, [period.last]) as store, store.cycle(period.last) as out:
        for time in store.times:
            fields = nature.at(time)
            # Soil layers judge nothing; precipitation is of an hour, not of the output interval.
            kept = {name: f for name, f in fields.items() if name != ACCUMULATED and not name.startswith("soil")}
            out.write_fields(FORECAST, time, kept)
        out.write_diagnostics({"engine": "nature"})


def twin_case(
    experiment: Experiment, folder: RunFolder, data: Path | None = None, log: Log | None = None
) -> PreparedCase:
    """Nature run, observations, driving fields and cold start of a twin experiment, each made once.

    Nothing of the truth goes into the case but through the file of reports.

    Args:
        experiment: of kind "twin".
        folder: of the run.
        data, log: not needed; they make the signature that of a real case.
    """
    from kaiseki.cycle import observing
    from kaiseki.experiments.case import PreparedCase, reference_of
    from kaiseki.experiments.real_data import save_inventory
    from kaiseki.experiments.twin import prepare
    from kaiseki.grid.build import domain_from_section
    from kaiseki.observations.windows import ObservationFile

    domain = domain_from_section(experiment.domain)
    twin = prepare(experiment, domain, folder.path / "twin")
    store_truth(experiment, folder, twin.nature)
    if not folder.observations.exists():
        reports = twin.read_reports()
        save_inventory(reports, folder)
        table, _ = observing.quality_controlled(reports, experiment, domain)
        say(f"observations: {len(table)} values of {table.count_reports()} reports")
        ObservationFile.write(table, folder.observations)
    start = {name: np.asarray(field) for name, field in twin.cold_start.items()}
    return PreparedCase(
        experiment,
        folder,
        domain,
        ObservationFile(folder.observations),
        twin.driving,
        reference_of(start, domain),
        start,
    )
