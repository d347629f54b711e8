"""`kaiseki precip analyse`: hours of rain from gauges and radar into a release, or a folder of files."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import numpy as np
from cyclopts import Parameter

from kaiseki.cli.installed import need
from kaiseki.cli.output import Json, begin, emit
from kaiseki.cli.precip_inputs import InputOptions, Mode, analysis_settings, hour
from kaiseki.core.errors import ConfigError

if TYPE_CHECKING:
    from kaiseki.precipitation.batch import Batch, InputSettings, Outcome


@Parameter(name="*")
@dataclass(frozen=True, kw_only=True)
class Options:
    """Options that say what is analysed and where it goes."""

    start: str
    """End of the first hour, UTC: 2024-10-18T01:00Z; of a date alone its first hour, to 00 UTC."""
    end: str
    """End of the last hour, UTC; of a date alone its last hour, to 23 UTC."""
    into: str | None = None
    """Place of the release store: a folder or s3://bucket/prefix; made where there is none."""
    out: Path | None = None
    """Folder of one NetCDF file for each hour."""
    grib2: Path | None = None
    """Folder of one GRIB 2 file for each hour too, in the form of JMA's analysed precipitation."""
    grid: Annotated[str | None, Parameter(allow_leading_hyphen=True)] = None
    """Grid: japan-1km, radar (usual where there is one), or W,S,E,N,SPACING in degrees (or km: 138,35,140,36,1km)."""
    mode: Mode = "hour"
    """Which hours are used: the hour alone, with those before it (filter), or those before and after it (smoother)."""
    window: int = 1
    """Number of hours before, and after, of filter and smoother."""
    samples: int = 0
    """Number of equally likely fields in the files of hours."""
    workers: int = 1
    """Number of processes."""
    axis_start: str | None = None
    """First day of the axis of a new release; by default that of the first hour."""
    axis_end: str | None = None
    """Last day of the axis of a new release; by default that of the last hour. The axis cannot grow later."""
    bounds: Literal["tight", "user", "lossless"] = "tight"
    """Set of error bounds of a new release."""
    preliminary: Annotated[bool, Parameter(negative="")] = False
    """The days will be replaced later."""
    replace: Annotated[bool, Parameter(negative="")] = False
    """Replace days that are final."""
    series: bool = True
    """Write the copies for point series of the release at the end."""
    scratch: Path | None = None
    """Folder of the hours until their day is in the release; by default beside it."""


def analyse(*, options: Options, inputs: InputOptions | None = None, json: Json = False) -> None:
    """Analyse hourly precipitation with its uncertainty from rain gauges, radar, microwave links and a model field.

    Each hour is analysed for itself. A call that was ended in whatever way is made again and goes on. An hour of which
    nothing is known is written as a gap, never as zero.
    """
    begin(json)
    need("formats", "precip", what="kaiseki precip analyse")
    from kaiseki.precipitation.batch import Batch, BatchSettings, Inputs, analyse_hours
    from kaiseki.precipitation.batch.grids import grid_named
    from kaiseki.precipitation.batch.noted import note

    if (options.into is None) == (options.out is None):
        raise ConfigError("Give one place for the result: --into RELEASE or --out FOLDER")
    if options.into is not None and options.samples:
        raise ConfigError("A release holds no samples; write them with --out FOLDER")
    wanted = (inputs or InputOptions()).settings()
    settings = BatchSettings(
        start=hour(options.start),
        end=hour(options.end, last=True),
        analysis=analysis_settings(options.mode, options.window, options.samples),
        workers=options.workers,
        grib2=options.grib2,
    )
    opened = Inputs.open(wanted)
    radar_grid = None if opened.radar is None else opened.radar.grid
    grid = grid_named(options.grid or ("japan-1km" if radar_grid is None else "radar"), radar_grid)
    folder = _folder(options)
    batch = Batch(inputs=opened, grid=grid, settings=settings, folder=folder)
    if options.into is None:
        note(folder, wanted, grid, settings.analysis)
        done = analyse_hours(batch)
        series = 0
    else:
        done, series = _into(options, batch, wanted)
    result = _result(options, done)
    emit(result | {"series": series}, json=json, text=lambda: _text(options, done))


def _folder(options: Options) -> Path:
    """Folder of the files of hours."""
    if options.out is not None:
        return options.out
    if options.scratch is not None:
        return options.scratch
    assert options.into is not None
    name = options.into.rstrip("/").rpartition("/")[2]
    beside = Path() if options.into.startswith("s3://") else Path(options.into).parent
    return beside / f".{name}.hours"


def _into(options: Options, batch: Batch, wanted: InputSettings) -> tuple[Outcome, int]:
    """Analyse into a release, and remove the folder of the hours at the end."""
    from kaiseki.precipitation.batch import analyse_hours
    from kaiseki.precipitation.batch.noted import forget, note
    from kaiseki.precipitation.batch.release import ReleaseSettings, days_held, pack_series, prepare

    assert options.into is not None
    hours = batch.settings.hours
    settings = ReleaseSettings(
        axis_start=_day(options.axis_start, hours[0]),
        axis_end=_day(options.axis_end, hours[-1]),
        bounds=options.bounds,
        preliminary=options.preliminary,
        replace=options.replace,
    )
    source = batch.inputs.gauges.source or "radar"
    finish = prepare(options.into, batch.grid, batch.settings.analysis, settings, source)
    held = days_held(options.into, hours, settings)
    note(batch.folder, wanted, batch.grid, batch.settings.analysis)
    done = analyse_hours(dataclasses.replace(batch, finish=finish, skip=held))
    series = pack_series(options.into) if options.series else 0
    forget(batch.folder)
    return done, series


def _day(text: str | None, usual: np.datetime64) -> np.datetime64:
    if text is None:
        return np.datetime64(usual, "D")
    try:
        return np.datetime64(text, "D")
    except ValueError:
        raise ConfigError(f"{text!r} is no date; give one such as 2024-10-18") from None


def _result(options: Options, done: Outcome) -> dict[str, Any]:
    return {
        "into": options.into,
        "out": None if options.out is None else str(options.out),
        "analysed": done.made,
        "kept": done.kept,
        "gaps": [one["time"] for one in done.hours if one["gap_part"] == 1.0],
        "hours": list(done.hours),
    }


def _text(options: Options, done: Outcome) -> str:
    place = options.into or options.out
    lines = [f"{done.made} hours analysed into {place}, {done.kept} were there already"]
    gaps = [one["time"] for one in done.hours if one["gap_part"] == 1.0]
    if gaps:
        shown = ", ".join(gaps[:5]) + (" ..." if len(gaps) > 5 else "")
        lines.append(f"gaps:      {len(gaps)} hours of which nothing is known: {shown}")
    if seconds := [one["seconds"] for one in done.hours]:
        lines.append(f"time:      {np.mean(seconds):.1f} s an hour, {max(seconds):.1f} s at most")
    if options.into:
        lines.append(f"publish with: kaiseki archive publish {options.into} v1")
    return "\n".join(lines)
