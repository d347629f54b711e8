"""Statistics of days and periods of a release, and normals, as NetCDF: what `kaiseki archive statistics` does."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, tzinfo
from pathlib import Path
from typing import Any, Final

import numpy as np
import xarray as xr

from kaiseki.archive.exchange.netcdf import Making, identity_of, write_netcdf
from kaiseki.archive.exchange.source import Source, open_source
from kaiseki.archive.products.accumulation import least_number
from kaiseki.archive.products.climatology import climatology
from kaiseki.archive.products.days import each_day
from kaiseki.archive.products.normals import Normals
from kaiseki.archive.products.periods import each_period
from kaiseki.archive.products.statistics_files import FORM, open_file, open_statistics
from kaiseki.archive.products.time_cells import DATE, DAY, SECOND, SPANS, offset_of, span_function, times_of
from kaiseki.archive.selection.names import variables
from kaiseki.archive.store.export_folder import ExportFolder, digest
from kaiseki.archive.store.storage import Location
from kaiseki.core.errors import InputError
from kaiseki.core.progress import Progress

PERIODS: Final = ("day", *SPANS)
"""Periods of which statistics are made."""


@dataclass(frozen=True, kw_only=True)
class StatisticsSettings:
    """What statistics are made of a release.

    Attributes:
        group: of the release.
        variables: internal, CF or Japanese names; empty for all of which there are statistics.
        every: periods, of "day", "dekad", "month", "season", "year".
        statistics: statistics by variable within the day, see `each_day`; empty for the usual ones.
        start: first civil day, 1989-01-01; None for the first that is complete.
        end: last civil day; None for the last that is complete.
        timezone: civil time of the days, with a fixed offset.
        completeness: least share of the times of a day, and of the days of a period, that must be there.
        normals: climatology to make of the statistics; None for none.
        pool: period whose statistics are the sample of the climatology; None for that of its cycle.
        version: a tag, "quality", or None for what was published last.
    """

    group: str = "surface"
    variables: tuple[str, ...] = ()
    every: tuple[str, ...] = ("day", "month")
    statistics: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    start: str | None = None
    end: str | None = None
    timezone: tzinfo = UTC
    completeness: float = 1.0
    normals: Normals | None = None
    pool: str | None = None
    version: str | None = None


@dataclass(frozen=True)
class Summarised:
    """What a call of `write_statistics` did.

    Attributes:
        files: all files of the statistics by kind, in order of time.
        kept: how many of them were there already.
        incomplete: civil days that lack too many times.
    """

    files: Mapping[str, tuple[Path, ...]]
    kept: int
    incomplete: tuple[str, ...]


def write_statistics(
    release: Location,
    folder: str | Path,
    settings: StatisticsSettings | None = None,
    *,
    storage_options: Mapping[str, Any] | None = None,
) -> Summarised:
    """Write statistics of a release as CF NetCDF, one file per day or period, and normals, one file per variable.

    Files are named `<group>_day_<YYYYMMDD>.nc`, `<group>_month_<YYYYMM>.nc` (seasons and thirds of a month by their
    first day, years `<YYYY>`) and `<group>_normals_<cycle>_<years>_<variable>.nc`; `kaiseki.open(folder,
    "surface_month")` opens all of a kind. Called again with the same settings it goes on: files that are whole and were
    made of the same version stay. One day of all variables is in memory; of normals one variable of the result.

    Args:
        release: place of the release store.
        folder: new, or of an earlier call.
        settings: which.
        storage_options: of the release, for S3; see `storage.resolve`.

    Raises:
        InputError: settings that do not go together; a group, variable or statistic that there is not; no day is
            complete enough.
        StoreError: no release, or the folder cannot be written or holds something else.
        ResourceError: the disk is full; files that were written before are whole.
    """
    settings = settings or StatisticsSettings()
    every = _checked(settings)
    source = open_source(release, settings.group, version=settings.version, storage_options=storage_options)
    if settings.variables:
        source = Source(variables(source.dataset, settings.variables), source.where, source.state)
    work = _Work(source, settings)
    if not work.dates:
        raise InputError(
            f"No day of {source.where} is complete enough: of {work.expected} times a day {work.least} must be there"
        )
    files: dict[str, list[Path]] = {}
    kept = 0
    for period in every:
        noted = {
            "release": str(release),
            "variables": list(settings.variables),
            "statistics": {name: list(some) for name, some in settings.statistics.items()},
            "offset": int(offset_of(settings.timezone).astype(int)),
            "completeness": settings.completeness,
        }
        place = ExportFolder(folder, FORM, f"{settings.group}_{period}", noted)
        done, there = work.days(place) if period == "day" else work.periods(place, period)
        if done:
            files[f"{settings.group}_{period}"] = done
        kept += there
    if settings.normals is not None:
        done, there = _write_normals(Path(folder), settings, settings.normals)
        for path in done:
            files[path.stem] = [path]
        kept += there
    return Summarised({kind: tuple(some) for kind, some in files.items()}, kept, work.incomplete)


def _checked(settings: StatisticsSettings) -> tuple[str, ...]:
    """The periods wanted, days first, so that the others are made of their files."""
    for period in (*settings.every, *((settings.pool,) if settings.pool is not None else ())):
        if period not in PERIODS:
            raise InputError(f"Statistics are of the periods {', '.join(PERIODS)}, not {period!r}")
    if not 0.0 < settings.completeness <= 1.0:
        raise InputError(f"The completeness is a share above 0 and up to 1, not {settings.completeness:g}")
    wanted = set(settings.every)
    if settings.normals is not None:
        wanted.add(settings.pool or settings.normals.cycle)
    if not wanted:
        raise InputError(f"No period was named; statistics are of {', '.join(PERIODS)}")
    return tuple(period for period in PERIODS if period in wanted)


class _Work:
    """Days of a release and what is made of them."""

    def __init__(self, source: Source, settings: StatisticsSettings) -> None:
        self.source, self.settings = source, settings
        self.times = times_of(source.dataset)
        if self.times.size < 2:
            raise InputError(f"{source.where} holds a single time, which makes no statistics")
        self.step = np.min(np.diff(self.times))
        self.offset = offset_of(settings.timezone)
        self.expected = int(DAY / self.step) if self.step <= DAY else 1
        self.least = least_number(settings.completeness, self.expected)
        # A label at midnight belongs to the day that ends there.
        self._of_day = (self.times + self.offset - SECOND).astype("datetime64[D]")
        dates, counts = np.unique(self._of_day, return_counts=True)
        wanted = np.ones(dates.size, bool)
        if settings.start is not None:
            wanted &= dates >= _date(settings.start)
        if settings.end is not None:
            wanted &= dates <= _date(settings.end)
        self.dates = list(dates[wanted & (counts >= self.least)])
        self.incomplete = tuple(str(date) for date in dates[wanted & (counts < self.least)])
        self._files: dict[np.datetime64, Path] = {}

    def days(self, folder: ExportFolder) -> tuple[list[Path], int]:
        """Write the files of all days; how many were there is the second result."""
        kept = 0
        with Progress("statistics of days", len(self.dates), unit="day") as progress:
            for date in self.dates:
                path = folder.path / f"{self.settings.group}_day_{str(date).replace('-', '')}.nc"
                identity = self._identity("day", [str(date)])
                if identity is not None and identity_of(path) == identity:
                    kept += 1
                else:
                    write_netcdf(self._day(date), path, making=Making(identity))
                self._files[date] = path
                progress.advance(1, str(date))
        return list(self._files.values()), kept

    def periods(self, folder: ExportFolder, period: str) -> tuple[list[Path], int]:
        """Write the files of all periods that are complete enough; how many were there is the second result."""
        spans = sorted({span_function(period)(date) for date in self.dates})
        files, kept = [], 0
        with Progress(f"statistics of each {period}", len(spans), unit=period) as progress:
            for first, end in spans:
                members = [date for date in self.dates if first <= date < end]
                if len(members) >= least_number(self.settings.completeness, int((end - first) / DATE)):
                    path = folder.path / f"{self.settings.group}_{period}_{_label(first, period)}.nc"
                    identity = self._identity(period, [str(date) for date in members])
                    if identity is not None and identity_of(path) == identity:
                        kept += 1
                    else:
                        made = next(
                            each_period(self._following(members), period, completeness=self.settings.completeness)
                        )
                        write_netcdf(made, path, making=Making(identity))
                    files.append(path)
                progress.advance(1, str(first))
        return files, kept

    def _following(self, members: list[np.datetime64]) -> Iterator[xr.Dataset]:
        """The days of a period, from their files where there are; missing ones within it are NaN."""
        pattern: xr.Dataset | None = None
        for date in np.arange(members[0], members[-1] + DATE):
            if date not in members:
                assert pattern is not None
                yield _empty(pattern, int((date - pattern["time"].values[0].astype("datetime64[D]")) / DATE))
                continue
            if date in self._files:
                with open_file(self._files[date]) as found:
                    pattern = found.load()
            else:
                pattern = self._day(date)
            yield pattern

    def _day(self, date: np.datetime64) -> xr.Dataset:
        """The statistics of one day."""
        limits = np.searchsorted(self._of_day, [date, date + DATE])
        part = self.source.dataset.isel(time=slice(int(limits[0]), int(limits[1])))
        found = each_day(
            part,
            dict(self.settings.statistics) or None,
            timezone=self.settings.timezone,
            completeness=self.settings.completeness,
            interval=self.step,
        )
        return next(found)

    def _identity(self, period: str, dates: list[str]) -> str | None:
        """What a file is made of."""
        if self.source.state is None:
            return None
        settings = self.settings
        some = {name: list(one) for name, one in settings.statistics.items()}
        names = sorted(map(str, self.source.dataset.data_vars))
        return digest(
            self.source.state, period, dates, names, some, settings.completeness, int(self.offset.astype(int))
        )


def _empty(day: xr.Dataset, later: int) -> xr.Dataset:
    """A day of missing values, so many days after another."""
    shift = np.timedelta64(later * 86400, "s").astype("timedelta64[ns]")
    values = {}
    for name, one in day.variables.items():
        if "time" not in one.dims:
            continue
        moved = one.copy(data=one.values + shift) if one.dtype.kind == "M" else one.copy()
        if one.dtype.kind == "f":
            moved = one.copy(data=np.full_like(one.values, np.nan))
        elif one.dtype.kind in "iu":
            moved = one.copy(data=np.zeros_like(one.values))
        values[name] = moved
    return day.assign_coords({n: v for n, v in values.items() if n in day.coords}).assign(
        {n: v for n, v in values.items() if n not in day.coords}
    )


def _write_normals(folder: Path, settings: StatisticsSettings, normals: Normals) -> tuple[list[Path], int]:
    """Write the climatology, one file for each variable; how many were there is the second result."""
    pool = settings.pool or normals.cycle
    kind = f"{settings.group}_{pool}"
    sample = open_statistics(folder, kind)
    years = normals.years or (1991, 2020)
    names = [str(name) for name, one in sample.data_vars.items() if one.dtype.kind == "f" and "time" in one.dims]
    state = [identity_of(file) for file in sorted(folder.glob(f"{kind}_*.nc"))]
    files, kept = [], 0
    with Progress("normals", len(names), unit="variable") as progress:
        for name in names:
            path = folder / f"{settings.group}_normals_{normals.cycle}_{years[0]}-{years[1]}_{name}.nc"
            identity = digest(state, name, repr(normals)) if all(state) else None
            if identity is not None and identity_of(path) == identity:
                kept += 1
            else:
                made = climatology(sample, normals, [name])
                write_netcdf(made, path, making=Making(identity))
            files.append(path)
            progress.advance(1, name)
    return files, kept


def _label(first: np.datetime64, period: str) -> str:
    """A period in the name of a file."""
    return str(first).replace("-", "")[: {"year": 4, "month": 6}.get(period, 8)]


def _date(text: str) -> np.datetime64:
    """A whole day of a text.

    Raises:
        InputError: it is no date.
    """
    try:
        if len(text) != len("1989-01-01"):
            raise ValueError
        return np.datetime64(text, "D")
    except ValueError:
        raise InputError(f"{text!r} is no date; give one such as 1989-01-31") from None
