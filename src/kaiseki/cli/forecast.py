"""`kaiseki forecast`: free forecasts from the analyses of a run or the driving fields, into a store of their own."""

from __future__ import annotations

import dataclasses
import math
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

from cyclopts import Parameter

from kaiseki.cli.installed import is_there, need
from kaiseki.cli.output import Json, begin, emit
from kaiseki.core.errors import ConfigError, InputError
from kaiseki.core.progress import duration, say
from kaiseki.core.timing import format_utc, hours, parse_time

if TYPE_CHECKING:
    import numpy as np

    from kaiseki.archive import RunStore
    from kaiseki.archive.run import RunFolder
    from kaiseki.config import Experiment
    from kaiseki.experiments.case import PreparedCase
    from kaiseki.experiments.forecasts import Request

Data = Annotated[Path | None, Parameter(name="--data", help="Folder that the paths of the experiment are relative to.")]
Force = Annotated[bool, Parameter(name="--force", negative="", help="Run what this machine is thought too small for.")]


@Parameter(name="*")
@dataclasses.dataclass(frozen=True, kw_only=True)
class Options:
    """Options that say which forecasts are wanted, as text."""

    from_: Annotated[str | None, Parameter(name="--from")] = None
    """Where the forecasts start: "driving", or a run store (its folder) with analyses; of the folder of a run its
    analysis.store, unless this says otherwise."""
    at: str
    """Start of the first forecast, UTC: 2020-03-01T00:00Z."""
    hours: float
    """Length of every forecast, whole hours."""
    every: str | None = None
    """Time between two starts, such as 3h; one forecast alone without it."""
    until: str | None = None
    """Last start that may be, UTC; by default the end of the experiment's period, or the last analysis."""


def forecast(
    experiment: Path,
    /,
    *,
    options: Options,
    data: Data = None,
    out: Annotated[Path | None, Parameter(name="--out", help="Store of the forecasts, a new folder.")] = None,
    force: Force = False,
    json: Json = False,
) -> None:
    """Make free forecasts from the analyses of a run, or from the driving fields, into a store of their own.

    A start from an analysis is the state with which the run itself went on. The driving fields must cover the
    forecasts to their ends. Forecasts that were ended in whatever way go on after the last hours that are complete,
    and the result is the same.

    Parameters
    ----------
    experiment
        Folder of a run, or an experiment file.
    """
    begin(json)
    need("run", what="kaiseki forecast")
    from kaiseki.cli.config import check_experiment
    from kaiseki.core.files import make_folder
    from kaiseki.experiments.compilation import prepare_process
    from kaiseki.experiments.forecasts import check_covered, check_grid, check_starts, open_forecasts, run_forecasts

    if data is not None and not data.is_dir():
        raise ConfigError(
            f"There is no data folder {data}; give the folder that the experiment's paths are relative to"
        )
    chosen, folder, is_run = _experiment(experiment)
    source = _source(options.from_, folder, is_run)
    request = _request(chosen, options, source)
    if source is not None:
        check_starts(source, request.starts)
    prepare_process()
    check_experiment(chosen)
    _announce(chosen, request, force)
    name = f"forecast-{request.source}-{format_utc(request.starts[0]).replace(':', '').replace('-', '')}.store"
    place = out or folder.path / name
    make_folder(place.absolute().parent)
    case = _case(chosen, folder, data, is_run)
    if source is not None:
        check_grid(source, chosen, case.domain)
    check_covered(case, request)
    with open_forecasts(place, case, request) as store:
        run_forecasts(case, request, store, source)
    picture = _draw(chosen, place, data)
    result = {
        "store": str(place),
        "map": None if picture is None else str(picture),
        "from": request.source,
        "starts": [format_utc(time) for time in request.starts],
        "hours": options.hours,
        "remarks": list(chosen.remarks.values()),
    }
    lines = [
        f"forecasts: {request.words}",
        *chosen.remarks.values(),
        f"store:     {place}",
        *([] if picture is None else [f"map:       {picture}"]),
        f'python:    kaiseki.open("{place}")',
    ]
    emit(result, json=json, text=lambda: "\n".join(lines))


def _draw(experiment: Experiment, place: Path, data: Path | None) -> Path | None:
    """The map of the end of the last forecast; None where it cannot be drawn without the extra."""
    if not is_there("report"):
        say('No map is drawn, for matplotlib is not installed; do: pip install "kaiseki[report]"')
        return None
    from kaiseki.core.files import files_of
    from kaiseki.report.forecast_map import draw_forecast

    try:
        coast = files_of(experiment.domain.coast_files, data, "domain.coast_files")
    except ConfigError:
        coast = []
    return draw_forecast(place, place.with_suffix(".png"), coast)


def _experiment(path: Path) -> tuple[Experiment, RunFolder, bool]:
    """The experiment, the folder of its run, and whether it was given by that folder."""
    from kaiseki.archive.run import RunFolder
    from kaiseki.config import Experiment

    if path.is_dir():
        folder = RunFolder(path)
        return folder.noted(), folder, True
    found = Experiment.load(path)
    return found, RunFolder(Path("out") / found.case.name), False


def _source(text: str | None, folder: RunFolder, is_run: bool) -> RunStore | None:
    """The store with the analyses; None for the driving fields."""
    from kaiseki.archive import RunStore
    from kaiseki.archive.reader import analysis_of

    if text == "driving":
        return None
    if text is None and not is_run:
        raise ConfigError("Where do the forecasts start? Give --from driving, or --from with the store of a run")
    return RunStore.open(analysis_of(folder.path if text is None else Path(text)), "r")


def _request(experiment: Experiment, options: Options, source: RunStore | None) -> Request:
    from kaiseki.experiments.forecasts import DRIVING, Request, check_request, start_times

    if not (math.isfinite(options.hours) and options.hours >= 1.0 and options.hours == round(options.hours)):
        raise ConfigError(f"--hours {options.hours:g}: give whole hours, at least one")
    try:
        length = hours(options.hours)
    except InputError as error:
        raise ConfigError(f"--hours: {error}") from None
    first = _time("--at", options.at)
    done = None if source is None else source.completed_cycles()
    last = experiment.period.last if done is None or not done.size else done[-1]
    if options.until is not None:
        last = _time("--until", options.until)
        if options.every is None:
            raise ConfigError("--until needs --every, the time between two starts")
        if last < first:
            raise ConfigError(f"--until {options.until} lies before --at {options.at}")
    starts = start_times(first, max(first, last), _interval(options.every))
    name = DRIVING if source is None else Path(source.where).name.removesuffix(".store")
    request = Request(name, starts, length)
    check_request(experiment, request)
    return request


def _interval(text: str | None) -> float | None:
    """Hours of "3h" or "3"."""
    if text is None:
        return None
    try:
        return float(text.strip().lower().removesuffix("h"))
    except ValueError:
        raise ConfigError(f"--every {text!r}: give hours, such as 3h") from None


def _time(option: str, text: str) -> np.datetime64:
    try:
        return parse_time(text)
    except InputError as error:
        raise ConfigError(f"{option}: {error}") from None


def _announce(experiment: Experiment, request: Request, force: bool) -> None:
    """Say what the forecasts cost, and refuse what this machine cannot do."""
    from kaiseki.experiments.cost import refuse_what_is_too_much
    from kaiseki.experiments.forecasts import forecast_cost
    from kaiseki.grid.build import domain_from_section

    flat = dataclasses.replace(experiment.domain, terrain="flat")
    cost = forecast_cost(experiment, domain_from_section(flat), request)
    count = f"{len(request.starts)} forecast{'s' if len(request.starts) > 1 else ''}"
    say(
        f"{experiment.case.name}: {cost.cells:,} cells, {count} in {cost.steps} steps of {cost.step:g} s; about "
        f"{cost.memory / 1e9:.1f} GB of memory, {cost.disk / 1e9:.1f} GB of disk, and {duration(cost.seconds)} on two "
        "cores"
    )
    refuse_what_is_too_much(experiment.case.name, cost, force)


def _case(experiment: Experiment, folder: RunFolder, data: Path | None, is_run: bool) -> PreparedCase:
    """The case made ready, without observations where its driving fields need none.

    Raises:
        ConfigError: the driving fields are those that a run makes, and no run was given.
    """
    from kaiseki.cli.runs import make_case_of
    from kaiseki.experiments.real_data import driven_case

    if experiment.case.kind == "real" and experiment.driving.coarse is None:
        return driven_case(experiment, folder, data)
    if not is_run:
        raise ConfigError(
            f"The driving fields of {experiment.case.name} are made by its run; give the folder of that run in the "
            "place of the experiment file"
        )
    with folder.preparing():
        made: PreparedCase = make_case_of(experiment)(experiment, folder, data, None)
    return made
