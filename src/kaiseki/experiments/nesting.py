"""The coarse stream run to its end, and the inner case driven by it."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from pathlib import Path

import numpy as np

from kaiseki.archive.run import RunFolder
from kaiseki.archive.store.schema import label
from kaiseki.assimilation import Analysis, Trajectory, engine
from kaiseki.config import Experiment
from kaiseki.core.files import whole_file
from kaiseki.core.progress import Log
from kaiseki.core.timing import Window, hours
from kaiseki.cycle.analyst import analyst_of, compare_only
from kaiseki.cycle.driving_fields import Analyses, Boundaries, WiderRun
from kaiseki.cycle.fields import Fields
from kaiseki.cycle.stream import Analyst, ColdStart, Stream
from kaiseki.cycle.window import OuterWindow
from kaiseki.driving import Nest
from kaiseki.driving.mass_flux import balanced_mass_flux
from kaiseki.experiments.case import PreparedCase, filter_of, model_of, reference_of, soil_depth
from kaiseki.experiments.coarse_analysis import SampleAnalyses, compared, scales_of, sonde_times, tapered
from kaiseki.experiments.sea import SeaFiles
from kaiseki.grid import Domain
from kaiseki.grid.terrain import blend_rim
from kaiseki.observations.windows import Observed


def coarse_driving(
    experiment: Experiment,
    folder: RunFolder,
    domain: Domain,
    wide: Domain,
    table: Observed,
    files: Sequence[Path],
    sea: SeaFiles,
    log: Log | None = None,
) -> PreparedCase:
    """Run (or finish) the coarse stream and put the inner domain into it, its terrain blended to the coarse one.

    A sea of the experiment's own, `sea`, is brought onto either domain by itself.
    """
    period = experiment.period
    analysed = sonde_times(experiment)
    cycles = [*analysed, *([period.last] if analysed[-1] != period.last else [])]
    samples = SampleAnalyses.make(experiment, wide, table, files, sea, log)
    reference = reference_of(samples.first_guess, wide)
    model = model_of(experiment, wide, reference)
    with folder.open_store("coarse", experiment, wide, cycles, soil_depth(model)) as store:
        if store.next_cycle() is not None:
            made = {time: kept(folder, time, samples) for time in analysed}
            made = in_balance(made, wide)
            driving = sea.around(Analyses(made), wide)

            def cold_start() -> ColdStart:
                return compared(experiment, table, made[period.first], wide)

            Stream(
                name="coarse",
                model=model,
                boundaries=Boundaries(model, driving, hours(experiment.driving.interval_hours)),
                cold_start=cold_start,
                analyst=_at_sonde_times(experiment, table, analysed, wide.spacing, log),
                filter_=filter_of(experiment),
                output=period.output_interval,
                window=period.window,
            ).run(store)
    wider = WiderRun(folder.read_store("coarse"), Nest.build(wide, domain))
    blended = blend_rim(domain, wider.nest.ground)
    tide_at = tuple(analysed) if experiment.driving.tide else ()
    soil = experiment.physics.schemes.soil.thickness
    nested = WiderRun(wider.store, Nest.build(wide, blended), tide_at=tide_at, soil=soil)
    inner = sea.around(nested, blended)
    start = balanced_mass_flux(inner(period.first), blended)
    return PreparedCase(experiment, folder, blended, table, inner, reference, start)


def kept(folder: RunFolder, time: np.datetime64, samples: SampleAnalyses) -> Fields:
    """Analysis from the samples at a time; made once and read back ever after, by a resumed run too."""
    path = folder.path / f"samples_{label(time)}.npz"
    if not path.exists():
        analysed = samples.at(time)
        with whole_file(path) as scratch, scratch.open("wb") as file:
            np.savez(file, **analysed)  # type: ignore[arg-type]
    with np.load(path) as file:
        return {name: file[name] for name in file.files}


def in_balance(made: dict[np.datetime64, Fields], domain: Domain) -> dict[np.datetime64, Fields]:
    """Analyses whose winds carry just the mass between them that their pressures ask for."""
    times = sorted(made)
    tendency: np.ndarray | float = 0.0
    if len(times) > 1:
        change = made[times[-1]]["surface_pressure"] - made[times[0]]["surface_pressure"]
        tendency = change / float((times[-1] - times[0]) / np.timedelta64(1, "s"))
    return {time: balanced_mass_flux(fields, domain, tendency) for time, fields in made.items()}


def _at_sonde_times(
    experiment: Experiment,
    table: Observed,
    analysed: Sequence[np.datetime64],
    spacing: float,
    log: Log | None,
) -> Analyst:
    """Analyses the forecast of the coarse model at the sonde times with the smallest scale, and compares at others."""
    analyse = analyst_of(
        engine("3dfgat"), table, experiment, partial(tapered, scales_of(experiment)[-1], spacing=spacing), log
    )
    compare = compare_only(table, experiment)

    def analyst(trajectory: Trajectory, window: Window, model: OuterWindow) -> Analysis:
        return (analyse if window.end in set(analysed) else compare)(trajectory, window, model)

    return analyst
