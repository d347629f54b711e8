"""Many hours, each analysed for itself: a graph of tasks that Dask runs in one process or in several.

An hour is written whole to a file beside the result, so that a call that was ended in whatever way goes on with the
hours that lack; a day whose hours are all there is handed on (`finish`), one day after another.
"""

from __future__ import annotations

import multiprocessing
import multiprocessing.connection
import os
import signal
import threading
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np

from kaiseki.core.errors import ConfigError, KaisekiError
from kaiseki.core.files import make_folder
from kaiseki.core.progress import Progress
from kaiseki.core.timing import format_utc
from kaiseki.grid.regular import LatLonGrid
from kaiseki.precipitation.analysis import AnalysisSettings
from kaiseki.precipitation.batch.hour import HourJob, analyse_hour, radar_hour
from kaiseki.precipitation.batch.hour_file import file_name, read_facts
from kaiseki.precipitation.batch.inputs import Inputs
from kaiseki.precipitation.data import HOUR, RainGrid


@dataclass(frozen=True, kw_only=True)
class BatchSettings:
    """Which hours are analysed, and how.

    Attributes:
        start: end of the first hour, UTC.
        end: end of the last hour, UTC.
        analysis: of an hour.
        workers: number of processes; 1 is this one.
        grib2: folder of a GRIB 2 file for each hour, None for none.
    """

    start: np.datetime64
    end: np.datetime64
    analysis: AnalysisSettings = field(default_factory=AnalysisSettings)
    workers: int = 1
    grib2: Path | None = None

    def __post_init__(self) -> None:
        if self.end < self.start:
            raise ConfigError(f"The last hour, {format_utc(self.end)}, lies before the first, {format_utc(self.start)}")
        if self.workers < 1:
            raise ConfigError(f"The number of workers must be at least 1; got {self.workers}")

    @property
    def hours(self) -> np.ndarray:
        """Ends of the hours, (t,)."""
        return np.arange(self.start, self.end + HOUR, HOUR).astype("datetime64[s]")


type Finish = Callable[[np.datetime64, Sequence[Path]], None]
"""What is done with a day whose hours are all analysed, given the day and the files of its hours in order.

It is called in any process, one day after another.
"""


@dataclass(frozen=True, eq=False, kw_only=True)
class Batch:
    """Hours to be analysed.

    Attributes:
        inputs: of all hours.
        grid: of the results.
        settings: which hours and how.
        folder: of the files of the hours.
        terrain: height of the cells, (ny, nx), m, None without.
        finish: what is done with a day that is complete, None for nothing.
        skip: days that need not be done.
    """

    inputs: Inputs
    grid: RainGrid
    settings: BatchSettings
    folder: Path
    terrain: np.ndarray | None = None
    finish: Finish | None = None
    skip: frozenset[np.datetime64] = frozenset()


@dataclass(frozen=True)
class Outcome:
    """Hours that were analysed.

    Attributes:
        hours: facts about each hour in order, with `time` and `file`.
        made: number of hours analysed now.
        kept: number of hours that were there already.
        gaps: number of hours without any input.
    """

    hours: tuple[dict[str, Any], ...]
    made: int
    kept: int
    gaps: int


def analyse_hours(batch: Batch) -> Outcome:
    """Analyse all hours of a batch that are not there yet, and finish its days.

    Raises:
        KaisekiError: of the first hour that cannot be analysed; those before it are kept.
    """
    make_folder(batch.folder)
    if batch.settings.grib2 is not None:
        if not isinstance(batch.grid, LatLonGrid):
            raise ConfigError(
                "GRIB 2 files of rain are on a grid of latitude and longitude; give --grid W,S,E,N,SPACING"
            )
        make_folder(batch.settings.grib2)
    hours = batch.settings.hours
    days = hours.astype("datetime64[D]")
    skipped = np.isin(days, np.array(sorted(batch.skip), "datetime64[D]"))
    wanted = hours[~skipped]
    paths = {hour: batch.folder / file_name(hour) for hour in wanted}
    missing = [hour for hour in wanted if not _is_there(batch, paths[hour])]
    with Progress("analysing rain", len(missing), unit="hour") as progress:
        facts = _compute(batch, paths, missing, progress)
    gaps = sum(one["gap_part"] == 1.0 for one in facts)
    return Outcome(tuple(facts), len(missing), int(hours.size) - len(missing), gaps)


def _is_there(batch: Batch, path: Path) -> bool:
    grib2 = batch.settings.grib2
    return path.exists() and (grib2 is None or (grib2 / path.with_suffix(".grib2").name).exists())


def _facts(hour: np.datetime64, path: Path) -> dict[str, Any]:
    facts = read_facts(path)
    shown = {name.removeprefix("hour_"): value for name, value in facts.items() if name.startswith("hour_")}
    return {"time": format_utc(hour), "file": str(path), **shown}


def _compute(
    batch: Batch, paths: dict[np.datetime64, Path], missing: list[np.datetime64], progress: Progress
) -> list[dict[str, Any]]:
    """Build the graph, let Dask run it, and return the facts about all hours."""
    from dask import delayed
    from dask.callbacks import Callback
    from dask.local import get_sync
    from dask.multiprocessing import get as get_processes

    sums: dict[np.datetime64, Any] = {}

    def radar_sum(hour: np.datetime64) -> Any:
        if batch.inputs.radar is None:
            return None
        if hour not in sums:
            name = f"radar-{file_name(hour)}"
            sums[hour] = delayed(radar_hour)(batch.inputs.radar, hour, batch.folder, dask_key_name=name)
        return sums[hour]

    chosen = batch.settings.analysis
    steps = [np.timedelta64(3600 * step, "s") for step in range(-chosen.hours_before, chosen.hours_after + 1)]
    made: dict[np.datetime64, Any] = {}
    for hour in missing:
        job = _job(batch, hour, paths[hour])
        window = [radar_sum(hour + step) for step in steps]
        made[hour] = delayed(analyse_hour)(job, window, dask_key_name=f"hour-{file_name(hour)}")
    before = None
    for day in np.unique(np.array(list(paths), "datetime64[s]").astype("datetime64[D]")):
        of_day = [hour for hour in paths if hour.astype("datetime64[D]") == day]
        needs = [made[hour] for hour in of_day if hour in made]
        files = [paths[hour] for hour in of_day]
        before = delayed(_finish_day)(batch.finish, of_day, files, needs, before, dask_key_name=f"day-{day}")
    if before is None:
        return []

    def done(key: Any, *_: Any) -> None:
        if str(key).startswith("hour-"):
            progress.advance(1, str(key).removeprefix("hour-rain_").removesuffix(".nc"))

    graph = before.__dask_graph__()
    try:
        with Callback(posttask=done):
            if batch.settings.workers == 1:
                (facts,) = get_sync(graph, [before.key])
            else:
                with _processes(batch.settings.workers) as pool:
                    (facts,) = get_processes(graph, [before.key], pool=pool, optimize_graph=False, chunksize=1)
    except KaisekiError as error:
        # Dask wraps what a process raises in a type of its own, with the traceback as its words.
        raise getattr(error, "exception", error) from None
    for path in batch.folder.glob(".radar_*.npz"):
        path.unlink()
    return list(facts)


@contextmanager
def _processes(count: int) -> Iterator[ProcessPoolExecutor]:
    """Processes that end with this one, however it ends."""
    pool = ProcessPoolExecutor(count, multiprocessing.get_context("spawn"), initializer=_end_with_parent)
    try:
        yield pool
    finally:
        pool.shutdown(wait=True, cancel_futures=True)


def _end_with_parent() -> None:
    """Leave interrupts from the keyboard to the parent, and end when it has ended."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    parent = multiprocessing.parent_process()
    if parent is None:
        return

    def watch() -> None:
        multiprocessing.connection.wait([parent.sentinel])
        os._exit(1)

    threading.Thread(target=watch, daemon=True).start()


def _finish_day(
    finish: Finish | None,
    hours: Sequence[np.datetime64],
    paths: Sequence[Path],
    needs: Sequence[Any],
    before: list[dict[str, Any]] | None,
) -> list[dict[str, Any]]:
    """Hand on a day, and return the facts about its hours after those of the days before.

    The hours needed only have to be there.
    """
    facts = [_facts(hour, path) for hour, path in zip(hours, paths, strict=True)]
    if finish is not None:
        finish(hours[0].astype("datetime64[D]"), paths)
    return [*(before or []), *facts]


def _job(batch: Batch, hour: np.datetime64, path: Path) -> HourJob:
    chosen, gauges = batch.settings.analysis, batch.inputs.gauges
    first = hour - (chosen.hours_before + 1) * HOUR
    last = hour + (chosen.hours_after + 1) * HOUR
    rows = (gauges.time >= first) & (gauges.time <= last)
    part = replace(gauges, time=gauges.time[rows], amount=gauges.amount[rows], flags=gauges.flags[rows])
    grib2 = batch.settings.grib2
    return HourJob(
        time=hour,
        gauges=part,
        background=batch.inputs.background,
        radar_grid=None if batch.inputs.radar is None else batch.inputs.radar.grid,
        grid=batch.grid,
        terrain=batch.terrain,
        analysis=chosen,
        checks=batch.inputs.checks,
        path=path,
        grib2=None if grib2 is None else grib2 / path.with_suffix(".grib2").name,
    )
