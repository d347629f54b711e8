"""Driving fields where no global analysis exists: a coarse stream of our own on a wider domain.

From samples of the season, smoothed to planetary scales, analyses of falling scale are made at the sonde times: each
takes what the one before left of the departures. The model carries the first of them to the next sonde time, where its
forecast is analysed again, and on to the end; its rim relaxes to the analyses made from the samples, linearly in time.
It is the same stream, model and operators as inside, on another domain, with 3D-FGAT as engine; stations that are
withheld inside are withheld here.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from functools import partial
from pathlib import Path

import numpy as np

from kaiseki.assimilation import Trajectory, engine
from kaiseki.config import BackgroundError, Experiment
from kaiseki.core.progress import Log, say
from kaiseki.core.timing import Window, format_utc
from kaiseki.cycle.analyst import analyst_of, compare_only, taper_cells
from kaiseki.cycle.fields import OBSERVED, Fields
from kaiseki.cycle.stream import ColdStart
from kaiseki.diagnostics.thermodynamics import virtual_temperature
from kaiseki.driving import atmosphere_on_domain, planetary_first_guess
from kaiseki.driving.column import hydrostatic_pressure, surface_pressure_below
from kaiseki.experiments.sea import SeaFiles, check_sea, surface_start
from kaiseki.grid import Domain
from kaiseki.observations.windows import Observed
from kaiseki.statistics import BackgroundCovariance
from kaiseki.statistics.covariance import build


def added(fields: Fields, increment: Fields, domain: Domain) -> Fields:
    """Fields plus an increment, every column hydrostatic again.

    Args:
        fields: u, v, temperature, pressure, qv and whatever else, which stays.
        increment: u, v, temperature, pressure (the lowest level counts), qv.
        domain: of both.
    """
    made = {name: np.asarray(f, np.float64) for name, f in fields.items()}
    for name in ("u", "v", "temperature", "qv"):
        made[name] = made[name] + increment[name]
    made["qv"] = np.maximum(made["qv"], 0.0)
    tv = virtual_temperature(made["temperature"], made["qv"])
    lowest = made["pressure"] + np.asarray(increment["pressure"], np.float64)
    surface = surface_pressure_below(lowest, tv, domain.z, domain.terrain)
    made["pressure"] = hydrostatic_pressure(surface, tv, domain.z, domain.terrain)
    made["surface_pressure"] = surface
    return made


def still(fields: Fields, window: Window, domain: Domain) -> Trajectory:
    """Fields that do not change during a window."""
    seen = {name: fields[name] for name in OBSERVED}
    return Trajectory(np.array([window.start, window.end], "datetime64[s]"), (seen, seen), domain)


def scales_of(experiment: Experiment) -> list[BackgroundError]:
    """Background errors of the successive analyses: lengths as asked for, the deviations falling with them.

    What is left after an analysis of a larger scale is smaller: deviations go with the root of the ratio of lengths."""
    cold, scales = experiment.assimilation.cold, experiment.driving.scales
    made = []
    for length in scales:
        factor = (length / scales[0]) ** 0.5
        made.append(
            dataclasses.replace(
                cold,
                length=length,
                humidity_length=min(cold.humidity_length, length),
                wind=tuple(factor * v for v in cold.wind),
                temperature=tuple(factor * v for v in cold.temperature),
                surface_pressure=factor * cold.surface_pressure,
            )
        )
    return made


def tapered(
    errors: BackgroundError, domain: Domain, fields: Mapping[str, np.ndarray], *, spacing: float
) -> BackgroundCovariance:
    """The covariance about fields whose increments fall to zero inside the rim, over a distance that goes with the
    length of the errors; with an infinite spacing [m] they do not fall."""
    return build(domain, errors, fields, taper_cells(errors.length, spacing))


def successive(
    fields: Fields,
    window: Window,
    domain: Domain,
    table: Observed,
    experiment: Experiment,
    scales: Sequence[BackgroundError],
    log: Log | None = None,
) -> Fields:
    """Fields at the end of the window after analyses of falling scale."""
    for errors in scales:
        about = partial(tapered, errors, spacing=np.inf)
        analyst = analyst_of(engine("3dfgat"), table, experiment, about, log)
        analysis = analyst(still(fields, window, domain), window)
        fields = added(fields, analysis.increment, domain)
    return fields


def compared(experiment: Experiment, table: Observed, fields: Fields, domain: Domain) -> ColdStart:
    """Fields as the beginning of a stream, and the observations of the window before it compared with them."""
    window = Window.ending_at(experiment.period.first, experiment.period.window)
    found = compare_only(table, experiment)(still(fields, window, domain), window)
    return ColdStart(fields, found.table, {"engine": "cold_start", "surface": surface_start(experiment, fields)})


@dataclasses.dataclass(frozen=True)
class SampleAnalyses:
    """Analyses made from samples of the season at the sonde times; also the cold start of the coarse stream."""

    experiment: Experiment
    domain: Domain
    table: Observed
    first_guess: Fields
    log: Log | None = None

    @classmethod
    def make(
        cls,
        experiment: Experiment,
        domain: Domain,
        table: Observed,
        files: Sequence[Path],
        sea: SeaFiles | None = None,
        log: Log | None = None,
    ) -> SampleAnalyses:
        """Read the samples and bring them onto the domain, with the sea of the experiment or else theirs.

        Raises:
            InputError: a sample cannot be used, or neither holds a sea-surface temperature where it is needed.
        """
        sample = planetary_first_guess(files, cutoff=float(experiment.driving.first_guess_wavenumber))
        first = experiment.period.first
        fields = (sea or SeaFiles()).around(lambda _: atmosphere_on_domain(sample, domain), domain)(first)
        check_sea(experiment, fields, domain, files)
        return cls(experiment, domain, table, fields, log)

    def at(self, time: np.datetime64) -> Fields:
        """The analysis at a sonde time from the observations of the window before it, right to the edge."""
        say(f"analysis of the coarse domain from the samples, {format_utc(time)}")
        whole = dataclasses.replace(self.domain, rim_width=0)
        window = Window.ending_at(time, self.experiment.period.window)
        return successive(
            self.first_guess, window, whole, self.table, self.experiment, scales_of(self.experiment), self.log
        )


def sonde_times(experiment: Experiment) -> list[np.datetime64]:
    """The times from the cold start to the end at which the coarse domain is analysed."""
    hours = experiment.driving.analysis_hours
    first, last = experiment.period.first, experiment.period.last
    every = np.arange(first, last + np.timedelta64(1, "s"), np.timedelta64(3600, "s"))
    of_day = (every.astype("datetime64[h]").astype(np.int64) % 24).tolist()
    return [t for t, hour in zip(every, of_day, strict=True) if t == first or hour in hours]
