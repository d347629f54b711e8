"""One hour of many: its radar summed, its gauges checked, analysed, and written."""

from __future__ import annotations

import time as clock
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from kaiseki.core.errors import KaisekiError, NumericsError
from kaiseki.core.files import whole_file
from kaiseki.core.timing import format_utc
from kaiseki.grid.regular import LatLonGrid
from kaiseki.precipitation.analysis import AnalysisSettings, analyse
from kaiseki.precipitation.batch.hour_file import fields_of, file_name, write_hour
from kaiseki.precipitation.batch.inputs import RadarFiles, background_hour
from kaiseki.precipitation.data import HOUR, PROBABILITIES, AnalysisFlag, Gauges, RadarRain, RainAnalysis, RainGrid
from kaiseki.precipitation.quality.gauges import Checks, check


@dataclass(frozen=True, eq=False, kw_only=True)
class HourJob:
    """What a process needs to analyse an hour.

    Attributes:
        time: end of the hour.
        gauges: of the window and an hour around it.
        background: place of a release, empty for none.
        radar_grid: of the sums of the radar, None without radar.
        grid: of the result.
        terrain: height of the cells, None without.
        analysis: settings.
        checks: of gauges, None for none.
        path: of the file of the hour.
        grib2: of the GRIB 2 file of the hour, None for none.
    """

    time: np.datetime64
    gauges: Gauges
    background: str
    radar_grid: RainGrid | None
    grid: RainGrid
    terrain: np.ndarray | None
    analysis: AnalysisSettings
    checks: Checks | None
    path: Path
    grib2: Path | None


def radar_hour(radar: RadarFiles, hour: np.datetime64, folder: Path) -> Path | None:
    """Sum of the radar over an hour as a file for the hours in whose windows it is; None where there is no radar."""
    path = folder / f".radar_{file_name(hour)}.npz"
    if path.exists():
        return path
    found = radar.hour(hour)
    if found is None or not np.isfinite(found.amount).any():
        return None
    with whole_file(path) as scratch, scratch.open("wb") as stream:
        np.savez(stream, amount=found.amount[0], quality=found.quality)
    return path


def analyse_hour(job: HourJob, sums: Sequence[Path | None]) -> Path:
    """Analyse an hour, write its files and return the path of the first.

    Args:
        job: what is to be done.
        sums: files of the radar sums of the hours of the window, in order.

    Raises:
        KaisekiError: the hour cannot be analysed; the message names it.
    """
    begin = clock.monotonic()
    try:
        radar = window_of(job.analysis, job.time, lambda number, time: _radar(job, sums[number], time))
        background = None
        if job.background:
            background = window_of(job.analysis, job.time, lambda _, time: background_hour(job.background, time))
        gauges = job.gauges
        if job.checks is not None and gauges.station.size and gauges.time.size:
            gauges = check(gauges, radar, job.checks)
        analysis = _analysis(job, gauges, radar, background)
    except KaisekiError as error:
        raise type(error)(f"The hour to {format_utc(job.time)}: {error}") from error
    if job.grib2 is not None:
        _write_grib2(job.grib2, analysis)
    seconds = round(clock.monotonic() - begin, 2)
    write_hour(job.path, analysis, _facts(analysis, gauges, radar) | {"hour_seconds": seconds})
    return job.path


def window_of(
    settings: AnalysisSettings, time: np.datetime64, of_hour: Callable[[int, np.datetime64], RadarRain | None]
) -> RadarRain | None:
    """Fields of the hours of a window as one series, None where there is none.

    Args:
        settings: of the analysis, which say how many hours before and after are used.
        time: end of the hour.
        of_hour: gives the field of an hour by its number in the window and its end.
    """
    steps = range(-settings.hours_before, settings.hours_after + 1)
    every = (of_hour(number, time + step * HOUR) for number, step in enumerate(steps))
    found = [one for one in every if one is not None]
    if not found:
        return None
    times, amounts = (np.concatenate([getattr(one, name) for one in found]) for name in ("time", "amount"))
    return replace(found[0], time=times, amount=amounts)


def _radar(job: HourJob, path: Path | None, time: np.datetime64) -> RadarRain | None:
    if path is None or job.radar_grid is None:
        return None
    with np.load(path) as held:
        return RadarRain(
            grid=job.radar_grid, time=np.array([time]), amount=held["amount"][None], quality=held["quality"]
        )


def _analysis(job: HourJob, gauges: Gauges, radar: RadarRain | None, background: RadarRain | None) -> RainAnalysis:
    """The analysis of the hour; a gap where nothing at all is known of it."""
    fields = [one for one in (radar, background) if one is not None]
    if not gauges.at(job.time).usable.any() and not any(np.isfinite(one.at(job.time).amount).any() for one in fields):
        return gap(job.grid, job.time, job.analysis.samples)
    found = analyse(gauges, radar, job.time, job.grid, job.analysis, background, job.terrain)
    known = found.flag != AnalysisFlag.GAP
    for name, values in fields_of(found).items():
        if not np.isfinite(values[known]).all():
            raise NumericsError(
                f"the analysis of {name} is not finite at {int((~np.isfinite(values[known])).sum())} cells"
            )
    return found


def gap(grid: RainGrid, time: np.datetime64, samples: int = 0) -> RainAnalysis:
    """An hour of which nothing is known."""
    nothing = np.full(grid.shape, np.nan, np.float32)
    return RainAnalysis(
        grid=grid,
        time=time,
        mean=nothing,
        quantiles=np.stack([nothing] * len(PROBABILITIES)),
        probability=nothing,
        gauge_weight=nothing,
        flag=np.full(grid.shape, AnalysisFlag.GAP, np.uint8),
        samples=np.full((samples, *grid.shape), np.nan, np.float32),
    )


def _facts(analysis: RainAnalysis, gauges: Gauges, radar: RadarRain | None) -> dict[str, Any]:
    now = gauges.at(analysis.time)
    known = analysis.flag != AnalysisFlag.GAP
    facts: dict[str, Any] = {
        "hour_gauges": int(now.usable.sum()),
        "hour_gauges_flagged": int((np.isfinite(now.amount) & (now.flags != 0)).sum()),
        "hour_radar_part": 0.0 if radar is None else float(np.isfinite(radar.at(analysis.time).amount).mean()),
        "hour_gap_part": float(1.0 - known.mean()),
    }
    if known.any():
        rain = analysis.mean[known]
        facts |= {"hour_mean": float(rain.mean(dtype=float)), "hour_largest": float(rain.max())}
    return facts


def _write_grib2(path: Path, analysis: RainAnalysis) -> None:
    """Write the mean of an hour in JMA's form."""
    from kaiseki.formats.jma_grib.grids import Grid
    from kaiseki.formats.jma_grib.writing import encode

    assert isinstance(analysis.grid, LatLonGrid)
    coded = encode(analysis.mean, Grid.from_axes(analysis.grid.lat, analysis.grid.lon), analysis.time)
    with whole_file(path) as scratch:
        scratch.write_bytes(coded.message)
