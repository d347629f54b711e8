"""The experiments of a run: the analysis and what it is compared with, each in a store of its own.

All begin with the same state and see the same table of observations; they differ in what happens at the analysis times
only. The driving fields themselves are judged in the same way, without a model.
"""

from __future__ import annotations

import dataclasses
import time as clock

import numpy as np

from kaiseki.archive import RunStore
from kaiseki.archive.store.schema import ANALYSIS
from kaiseki.assimilation import Engine, Trajectory, engine
from kaiseki.config import Experiment
from kaiseki.core.progress import Log, Progress
from kaiseki.core.timing import Window, format_utc, slots
from kaiseki.cycle import fields as fd
from kaiseki.cycle.analyst import analyst_of, compare_only
from kaiseki.cycle.checkpoint import MinimisationCheckpoint
from kaiseki.cycle.driving_fields import BoundaryCorrection
from kaiseki.cycle.ensemble import EnsembleRun
from kaiseki.cycle.stream import Stream
from kaiseki.experiments.case import PreparedCase, filter_of, soil_depth
from kaiseki.experiments.coarse_analysis import compared, still

EXPERIMENT_ENGINES = {"analysis": "", "optimal_interpolation": "optimal_interpolation", "free_run": "none"}
"""Experiments with the model, and the engine of each; that of the analysis is the experiment's own."""


def cycle_times(experiment: Experiment) -> list[np.datetime64]:
    """The cold start and the ends of all windows."""
    return [experiment.period.first, *(window.end for window in experiment.period.windows())]


def engine_of(experiment: Experiment, name: str) -> Engine | None:
    """The engine of one of the experiments of a run; None for the model without assimilation."""
    chosen = EXPERIMENT_ENGINES[name] or experiment.assimilation.engine
    return None if chosen == "none" else engine(chosen)


def run_experiment(case: PreparedCase, name: str, log: Log | None = None) -> None:
    """Run one of `EXPERIMENT_ENGINES` or "driving" to its end, from where its store stands."""
    soil = soil_depth(case.model)
    with case.folder.open_store(name, case.experiment, case.domain, cycle_times(case.experiment), soil) as store:
        if name == "driving":
            _judge_driving(case, store)
        else:
            _stream(case, name, log).run(store)


def ensemble_beside(case: PreparedCase) -> EnsembleRun:
    """The members of the case's analysis, not yet begun."""
    experiment = case.experiment
    return EnsembleRun.make(
        case.model,
        case.driving,
        case.boundaries.interval,
        experiment.period.output_interval,
        experiment.assimilation.cycled,
        experiment.assimilation.ensemble,
        case.boundaries.correction.memory,
        experiment.period.first,
    )


def _stream(case: PreparedCase, name: str, log: Log | None) -> Stream:
    experiment = case.experiment
    chosen = engine_of(experiment, name)
    ensemble = ensemble_beside(case) if chosen is not None and chosen.needs_ensemble else None
    return Stream(
        name=name,
        model=case.model,
        # Its own, for an analysis may add to them; what was computed is shared.
        boundaries=dataclasses.replace(
            case.boundaries, correction=BoundaryCorrection(case.boundaries.correction.memory)
        ),
        cold_start=lambda: compared(experiment, case.table, case.cold_fields(), case.domain),
        analyst=analyst_of(chosen, case.table, experiment, log=log),
        filter_=filter_of(experiment),
        output=experiment.period.output_interval,
        window=experiment.period.window,
        ensemble=ensemble,
        increment_time="end" if chosen is None else chosen.increment_time,
        checkpoint=MinimisationCheckpoint(case.folder.path / f"{name}.minimisation"),
    )


def _judge_driving(case: PreparedCase, store: RunStore) -> None:
    """Departures from the driving fields themselves, window by window."""
    compare = compare_only(case.table, case.experiment)
    period = case.experiment.period
    done = len(store.completed_cycles())
    with Progress("driving", total=len(store.cycle_times) - done, unit="cycle") as progress:
        for time in store.cycle_times[done:]:
            begun = clock.perf_counter()
            window = Window.ending_at(time, period.window)
            if time == period.first:
                trajectory = still(case.driving(time), window, case.domain)
            else:
                times = slots(window.start, window.end, period.output_interval)
                trajectory = Trajectory(times, tuple(fd.observed(case.driving(t)) for t in times), case.domain)
            found = compare(trajectory, window)
            with store.cycle(time) as out:
                out.write_fields(ANALYSIS, time, trajectory.fields[-1])
                out.write_observations(found.table.to_arrow())
                out.write_diagnostics({"engine": "none", "seconds": {"all": clock.perf_counter() - begun}})
            progress.advance(note=format_utc(time))
