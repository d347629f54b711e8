"""Inputs of the analysis of many hours: gauges read once and checked, radar files known by their times, a background.

A radar file is opened when its hour comes, so that years of files need no more memory than a few hours of them.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np
import xarray as xr

from kaiseki.archive import open_archive
from kaiseki.core.errors import ConfigError, InputError
from kaiseki.core.progress import Progress
from kaiseki.grid.proj_map import crs_of, grid_of
from kaiseki.grid.regular import LatLonGrid, MapGrid
from kaiseki.precipitation.accumulation import Accumulation, accumulate, accumulate_gauges
from kaiseki.precipitation.data import HOUR, GaugeFlag, Gauges, RadarRain, RainGrid
from kaiseki.precipitation.quality.gauges import Checks, out_of_range, stuck
from kaiseki.precipitation.quality.timing import Timing, shifts
from kaiseki.precipitation.sources.opening import open_gauges, open_radar, read_scans, same_grid
from kaiseki.precipitation.sources.reading import Reading, spacing

_NAT = np.timedelta64("NaT", "s")


@dataclass(frozen=True, kw_only=True)
class InputSettings:
    """What is read, and how it is checked and summed.

    Attributes:
        gauges: files of rain gauges.
        radar: files of radar fields of one grid and interval.
        links: files of microwave links.
        background: place of a release with hourly precipitation; empty for none.
        gauge_reading: what the files of gauges and links leave unsaid.
        radar_reading: what the files of radars leave unsaid.
        accumulation: of scans to hours.
        checks: quality control of gauges, None for none.
    """

    gauges: tuple[Path, ...]
    radar: tuple[Path, ...] = ()
    links: tuple[Path, ...] = ()
    background: str = ""
    gauge_reading: Reading = field(default_factory=Reading)
    radar_reading: Reading = field(default_factory=Reading)
    accumulation: Accumulation = field(default_factory=Accumulation)
    checks: Checks | None = field(default_factory=Checks)

    def __post_init__(self) -> None:
        if not (self.gauges or self.radar or self.links or self.background):
            raise ConfigError("There is nothing to analyse; name gauges, radar files, links or a background")


@dataclass(frozen=True, eq=False)
class RadarFiles:
    """Radar fields in files, known by their times.

    Attributes:
        paths: of the files, (f,).
        grid: of all fields.
        time: ends of the intervals, (t,), rising.
        file: number of the file of each, (t,).
        reading: how they are read, with the length of the intervals.
        accumulation: how they are summed.
    """

    paths: tuple[Path, ...]
    grid: RainGrid
    time: np.ndarray
    file: np.ndarray
    reading: Reading
    accumulation: Accumulation

    @classmethod
    def of(cls, settings: InputSettings) -> RadarFiles | None:
        """Every file opened once for its times, so that one that cannot be read is told before the work begins.

        Raises:
            InputError: a file is not recognised, is damaged, is of another grid or interval, or a time comes twice.
        """
        if not settings.radar:
            return None
        paths, reading = settings.radar, settings.radar_reading
        grids: list[RainGrid] = []
        times: list[np.ndarray] = []
        periods = set()
        with Progress("looking into the radar files", len(paths), unit="file") as progress:
            for path in paths:
                if not path.is_file():
                    raise InputError(f"{path}: there is no such file of precipitation")
                scans = read_scans(path, reading)
                if grids and not same_grid(grids[0], scans.grid):
                    raise InputError(f"{path} has another grid than {paths[0]}; give files of one grid")
                grids[1:] = []
                grids.append(scans.grid)
                times.append(scans.time)
                if scans.period is not None:
                    periods.add(scans.period)
                progress.advance(1, path.name)
        if len(periods) > 1:
            raise InputError(f"The radar files have amounts over {' and '.join(map(str, sorted(periods)))}; give one")
        time = np.concatenate(times).astype("datetime64[s]")
        file = np.repeat(np.arange(len(paths)), [one.size for one in times])
        order = np.argsort(time, kind="stable")
        time, file = time[order], file[order]
        if (twice := np.flatnonzero(np.diff(time) == np.timedelta64(0, "s"))).size:
            at = twice[0]
            raise InputError(f"{paths[file[at]]} and {paths[file[at + 1]]} both hold the field of {time[at]}")
        period = periods.pop() if periods else spacing("The radar files together", time, reading)
        if period > HOUR or HOUR % period != np.timedelta64(0, "s"):
            raise InputError(f"{paths[0]} has amounts over {period}; an hour must be a multiple of it")
        reading = replace(reading, period=period)
        return cls(paths, grids[0], time, file, reading, settings.accumulation)

    def hour(self, end: np.datetime64) -> RadarRain | None:
        """Sum over the hour that ends at a time, None where no file reaches into it."""
        period = self.reading.period
        assert period is not None
        margin = np.timedelta64(0, "s") if period == HOUR else self.accumulation.longest * period
        chosen = (self.time > end - HOUR - margin) & (self.time <= end + margin)
        if not ((self.time > end - HOUR) & (self.time <= end)).any():
            return None
        found = open_radar([self.paths[number] for number in np.unique(self.file[chosen])], self.reading)
        if period == HOUR:
            return found.at(end)
        return accumulate(found, HOUR, np.array([end]), self.accumulation)


@dataclass(frozen=True, eq=False)
class Inputs:
    """Inputs of all hours.

    Attributes:
        gauges: hourly amounts of gauges and links, checked over their whole series; without stations if there are none.
        radar: files of radar fields, None for none.
        background: place of a release, empty for none.
        checks: quality control of one hour, None for none.
    """

    gauges: Gauges
    radar: RadarFiles | None
    background: str
    checks: Checks | None

    @classmethod
    def open(cls, settings: InputSettings) -> Inputs:
        """The gauges read, summed to hours and checked, and the radar files looked into.

        Raises:
            InputError: a file cannot be read or understood; see `open_gauges` and `open_radar`.
        """
        parts = [
            _hourly(open_gauges(paths, settings.gauge_reading)) for paths in (settings.gauges, settings.links) if paths
        ]
        gauges = joined(parts) if parts else nothing()
        if settings.checks is not None:
            gauges = over_series(gauges, settings.checks)
        if settings.background:
            _opened(settings.background)
        return cls(gauges, RadarFiles.of(settings), settings.background, settings.checks)


def nothing() -> Gauges:
    """Gauges without stations and times."""
    none = np.empty(0)
    return Gauges(
        station=none.astype(str), lat=none, lon=none, time=none.astype("datetime64[s]"), amount=np.empty((0, 0))
    )


def _hourly(gauges: Gauges) -> Gauges:
    if gauges.period == HOUR:
        return gauges
    if gauges.period > HOUR:
        raise InputError(f"{gauges.source} has amounts over {gauges.period}; an hourly analysis needs an hour at most")
    return accumulate_gauges(gauges)


def joined(parts: Sequence[Gauges]) -> Gauges:
    """Gauges of several sources over one interval as one; each keeps its stations."""
    if len(parts) == 1:
        return parts[0]
    time = np.unique(np.concatenate([one.time for one in parts]))
    count = [one.station.size for one in parts]
    amount = np.full((time.size, sum(count)), np.nan)
    flags = np.zeros(amount.shape, np.uint16)
    for number, one in enumerate(parts):
        block = np.ix_(np.searchsorted(time, one.time), sum(count[:number]) + np.arange(count[number]))
        amount[block], flags[block] = one.amount, one.flags
    each = {
        name: np.concatenate([getattr(one, name) for one in parts])
        for name in ("station", "lat", "lon", "height", "resolution", "error")
    }
    source = "; ".join(one.source for one in parts)
    return Gauges(**each, time=time, amount=amount, flags=flags, period=parts[0].period, source=source)


def over_series(gauges: Gauges, checks: Checks) -> Gauges:
    """Gauges with the flags of those checks that need their whole series: range, stuck values, clock."""
    gauges = gauges.flagged(out_of_range(gauges, checks), GaugeFlag.RANGE)
    gauges = gauges.flagged(stuck(gauges, checks), GaugeFlag.STUCK)
    if checks.timing is None:
        return gauges
    lag = shifts(gauges, None, checks.timing if isinstance(checks.timing, Timing) else Timing())
    wrong = np.isfinite(lag) & (lag != 0.0)
    return gauges.flagged(np.broadcast_to(wrong, gauges.amount.shape), GaugeFlag.TIME_SHIFT)


def _opened(place: str) -> xr.Dataset:
    dataset = open_archive(place, "precipitation", version="quality")
    if "precipitation" not in dataset:
        raise InputError(f"{place} holds no precipitation in its group precipitation; give a release that does")
    steps = np.diff(dataset["time_bnds"].values, axis=1)
    if not (steps == HOUR).all():
        raise InputError(f"{place} has precipitation over {steps[0, 0].astype('timedelta64[s]')}; an hour is expected")
    return dataset


def background_hour(place: str, end: np.datetime64) -> RadarRain | None:
    """Precipitation of an hour from a release, None where it has none."""
    dataset = _opened(place)
    found = np.flatnonzero(dataset["time"].values == end)
    if not found.size:
        return None
    one = dataset["precipitation"].isel(time=int(found[0]))
    amount = np.asarray(one.values, np.float32)
    return RadarRain(
        grid=release_grid(place, dataset), time=np.array([end]), amount=np.maximum(amount, 0.0)[None], source=place
    )


def release_grid(place: str, dataset: xr.Dataset) -> LatLonGrid | MapGrid:
    """The grid of the fields of a release."""
    if dataset["lat"].ndim == 1:
        return LatLonGrid(dataset["lat"].values, dataset["lon"].values)
    mapping = next(one.attrs for one in dataset.coords.values() if "grid_mapping_name" in one.attrs)
    return grid_of(place, crs_of(place, dict(mapping)), dataset["x"].values, dataset["y"].values)
