"""Free forecasts of an experiment: from the analyses of a run, or from its driving fields."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np

from kaiseki.archive import ForecastStore, RunStore
from kaiseki.archive.store.layout import ForecastLayout
from kaiseki.archive.store.schema import ANALYSIS
from kaiseki.config import Experiment
from kaiseki.core.errors import ConfigError, InputError, StoreError
from kaiseki.core.progress import say
from kaiseki.core.timing import HOUR, format_utc, hours, to_datetime
from kaiseki.cycle import fields as fd
from kaiseki.cycle.free_forecasts import FreeForecasts, Start
from kaiseki.cycle.snapshot import from_tree
from kaiseki.experiments.case import PreparedCase, filter_of, soil_depth
from kaiseki.experiments.cost import Cost, estimate
from kaiseki.experiments.sea import surface_start
from kaiseki.forecast.state import State
from kaiseki.grid import Domain

DRIVING: Final = "driving"
"""Name of the driving fields as the source of the starts."""
LAST: Final = np.datetime64("9999-12-31T23:59:59", "s")
"""Last time that can be written as a date."""


@dataclass(frozen=True)
class Request:
    """Forecasts that are wanted.

    Attributes:
        source: `DRIVING`, or the name of the run store with the analyses, such as "analysis".
        starts: start times (n,), datetime64[s], rising.
        length: of each forecast.
    """

    source: str
    starts: np.ndarray
    length: np.timedelta64

    @property
    def words(self) -> str:
        """The request in words, which is also how a store knows what it was made for."""
        first, last = format_utc(self.starts[0]), format_utc(self.starts[-1])
        many = "" if len(self.starts) == 1 else f" to {last} every {(self.starts[1] - self.starts[0]) / HOUR:g} h"
        source = "the driving fields" if self.source == DRIVING else f"the analyses of {self.source}.store"
        return f"{self.length / HOUR:g} h from {source} of {first}{many}"


def start_times(first: np.datetime64, last: np.datetime64, every: float | None) -> np.ndarray:
    """Start times from the first on, every so many hours, up to the last.

    Raises:
        ConfigError: the interval is not positive, or not whole seconds.
    """
    if every is None:
        return np.array([first], "datetime64[s]")
    try:
        interval = hours(every)
    except InputError as error:
        raise ConfigError(f"--every: {error}") from None
    if interval <= np.timedelta64(0, "s"):
        raise ConfigError(f"--every {every:g}: give a positive number of hours between two starts")
    return np.arange(first, last + np.timedelta64(1, "s"), interval).astype("datetime64[s]")


def check_request(experiment: Experiment, request: Request) -> None:
    """Refuse forecasts that the experiment cannot make.

    Raises:
        ConfigError: a start outside the period, an end after the year 9999, or a length that is not whole output
            intervals.
    """
    period = experiment.period
    if request.starts[-1] + request.length > LAST:
        raise ConfigError(f"--hours {request.length / HOUR:g} end after the year 9999; give fewer")
    for time in request.starts[[0, -1]]:
        if not period.first <= time <= period.last:
            raise ConfigError(
                f"{format_utc(time)} is outside the period of {experiment.case.name}, {format_utc(period.first)} to "
                f"{format_utc(period.last)}; give a start within it, or change the section period"
            )
    steps = {
        "--hours": [request.length],
        "--at": request.starts - period.first,
    }
    for option, durations in steps.items():
        for one in durations:
            if one % period.output_interval != np.timedelta64(0, "s"):
                raise ConfigError(
                    f"{option}: {one / HOUR:g} h is not a whole number of output intervals of "
                    f"{period.output_hours:g} h (period.output_hours)"
                )


def check_starts(source: RunStore, starts: np.ndarray) -> None:
    """Refuse starts of which a run store has no analysis.

    Raises:
        StoreError: it has no analyses at all.
        InputError: names the first start that it lacks, and the analyses that there are.
    """
    owners = np.asarray(source.root()[f"{ANALYSIS}/cycle"][...])  # type: ignore[index]
    times = source.cycle_times[owners >= 0]
    if not times.size:
        raise StoreError(f"{source.where} holds no analyses; give the analysis.store of a run that has some")
    lacking = starts[~np.isin(starts, times)]
    if lacking.size:
        raise InputError(
            f"{source.where} has no analysis of {format_utc(lacking[0])}; it has {times.size} from "
            f"{format_utc(times[0])} to {format_utc(times[-1])}"
        )


def check_grid(source: RunStore, experiment: Experiment, domain: Domain) -> None:
    """Refuse a run store whose analyses lie on another grid or terrain than the domain of the experiment.

    Raises:
        ConfigError: they do.
    """
    there = source.domain()
    same = there.shape == domain.shape and all(
        np.array_equal(getattr(there, name), getattr(domain, name)) for name in ("x", "y", "zeta_half", "terrain")
    )
    if not same or there.projection != domain.projection:
        raise ConfigError(
            f"The analyses in {source.where} lie on another grid or terrain than the domain of {experiment.case.name}; "
            "give the folder of their own run in the place of the experiment file"
        )


def forecast_cost(experiment: Experiment, domain: Domain, request: Request) -> Cost:
    """Cost of all forecasts: each that of a run without analyses."""
    end = request.starts[0] + request.length
    of_one = dataclasses.replace(
        experiment,
        period=dataclasses.replace(
            experiment.period,
            cold_start=to_datetime(request.starts[0]),
            end=to_datetime(end),
            window_hours=float(request.length / HOUR),
        ),
        assimilation=dataclasses.replace(experiment.assimilation, engine="none"),
        verification=dataclasses.replace(experiment.verification, baselines=()),
    )
    one, n = estimate(of_one, domain), len(request.starts)
    return dataclasses.replace(one, steps=n * one.steps, cycles=0, seconds=n * one.seconds, disk=n * one.disk)


def check_covered(case: PreparedCase, request: Request) -> None:
    """Refuse forecasts that the driving fields do not cover to their ends.

    Raises:
        InputError: names the first time that is not covered.
    """
    for start in request.starts:
        case.boundaries.check(start, start + request.length)


def open_forecasts(place: Path, case: PreparedCase, request: Request) -> ForecastStore:
    """The store of the forecasts, made with its whole layout when it is not there, open for writing.

    Raises:
        ConfigError: there are other forecasts.
        StoreError: the place is taken, locked or cannot be written.
        ResourceError: the disk is full.
    """
    experiment, period = case.experiment, case.experiment.period
    if ForecastStore.exists(place):
        store = ForecastStore.open(place)
        made_for = store.attributes.get("forecasts"), store.experiment_json
        if made_for != (request.words, experiment.to_json()):
            store.close()
            raise ConfigError(
                f"{place} was made for other forecasts ({made_for[0]}"
                + ("" if made_for[0] != request.words else ", of another experiment")
                + "); give another folder with --out, or remove that one"
            )
        return store
    leads = np.arange(np.timedelta64(0, "s"), request.length + np.timedelta64(1, "s"), period.output_interval)
    return ForecastStore.create(
        place,
        ForecastLayout(
            experiment_json=experiment.to_json(),
            domain=case.domain,
            soil_depth=soil_depth(case.model),
            title=f"{experiment.case.title or experiment.case.name}: free forecasts",
            encoding=experiment.archive,
            attributes={"forecasts": request.words} | experiment.remarks,
            reference_times=request.starts,
            lead_times=leads,
            stretch=period.window,
        ),
    )


def run_forecasts(case: PreparedCase, request: Request, store: ForecastStore, source: RunStore | None) -> None:
    """Make the forecasts, from where their store stands.

    Args:
        case: made ready.
        request: what is wanted.
        store: where they go.
        source: run store with the analyses; None starts from the driving fields.
    """
    experiment = case.experiment
    forecasts = FreeForecasts(
        name="forecasts",
        model=case.model,
        boundaries=case.boundaries,
        filter_=filter_of(experiment),
        output=experiment.period.output_interval,
        start=lambda time: (
            _from_driving(forecasts, case, time) if source is None else _from_analysis(forecasts, case, source, time)
        ),
    )
    forecasts.run(store)


def _from_driving(forecasts: FreeForecasts, case: PreparedCase, time: np.datetime64) -> Start:
    fields = case.cold_fields() if time == case.experiment.period.first else case.driving(time)
    start = _from_fields(forecasts, case, time, fields, DRIVING)
    return start._replace(diagnostics={**start.diagnostics, "surface": surface_start(case.experiment, fields)})


def _from_fields(
    forecasts: FreeForecasts, case: PreparedCase, time: np.datetime64, fields: fd.Fields, origin: str
) -> Start:
    """Start from fields at cell centres, filtered."""
    forecasts.boundaries.correction.resume({})
    state = forecasts.model.start(fields, time=_seconds(case, time))
    state, tendency = forecasts.initialise(state, time, fd.of_state(forecasts.model, state))
    return Start(state, {}, {"start": origin, "surface_pressure_tendency": tendency})


def _from_analysis(forecasts: FreeForecasts, case: PreparedCase, source: RunStore, time: np.datetime64) -> Start:
    """Start from the state with which the run itself went on after its analysis, bit for bit, with what the analysis
    changed in the boundary. Where that is forgotten, or the experiment is another, from the stored fields, filtered."""
    tree = _kept(source, case.experiment, time)
    if tree is None:
        fields = {k: f for k, f in fd.from_store(source, ANALYSIS, time, case.domain).items() if not np.isnan(f).all()}
        say(f"{format_utc(time)}: begun from the fields of the analysis, for the state of the model is not there")
        return _from_fields(forecasts, case, time, fields, "fields of the analysis")
    state: State = from_tree(tree["state"], forecasts.model.start(case.driving(time)))
    return Start(state, tree.get("boundary", {}), {"start": "state after the analysis"})


def _kept(source: RunStore, experiment: Experiment, time: np.datetime64) -> Mapping[str, Any] | None:
    """The restart of an analysis; None where the history is compacted or the run is one of another experiment, whose
    state counts from another reference profile."""
    if source.experiment_json != experiment.to_json():
        return None
    try:
        tree = source.read_restart(time)
    except StoreError:
        return None
    return tree if "state" in tree else None


def _seconds(case: PreparedCase, time: np.datetime64) -> int:
    return int((time - case.experiment.period.first) / np.timedelta64(1, "s"))
