"""What has to be fetched for an experiment: files, requests and chunks, with their sizes, before a service is asked."""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from pathlib import PurePosixPath
from typing import Any

from kaiseki.acquisition.area import Area, area_of
from kaiseki.acquisition.descriptor import Part, Source, known, source, utc
from kaiseki.config import Experiment
from kaiseki.core.errors import ConfigError
from kaiseki.core.timing import to_datetime

MOST_FIELDS = 60_000
"""Fields that one request to the Climate Data Store asks for at most; larger ones are refused or wait long."""
_PACKED = 2
"""Bytes of a value in ERA5's GRIB, packed with 16 bits."""


@dataclass(frozen=True)
class Item:
    """One file that is to lie under the data folder, and where its content comes from.

    Attributes:
        source: whose it is.
        part: kind of file.
        path: place under the data folder.
        address: where it lies at the service, or the name of the data set.
        bytes: expected length of the file, an estimate.
        load: bytes that have to be loaded for it, an estimate; more than `bytes` where they are cropped here.
        index: address of the inventory, where only some messages are loaded.
        request: to the Climate Data Store.
        times: of a Zarr store.
        area: what is cropped to.
        tile: name in the part's listing, which decides whether the file exists.
    """

    source: Source
    part: Part
    path: PurePosixPath
    address: str
    bytes: int
    load: int
    index: str = ""
    request: dict[str, Any] = field(default_factory=dict)
    times: tuple[datetime, ...] = ()
    area: Area | None = None
    tile: str = ""

    @property
    def identity(self) -> str:
        """Digest of what was asked for: two files with one name and other content have different ones."""
        what = [self.address, self.request, self.part.messages if self.index else ()]
        if self.part.layout == "zarr":
            what += [str(self.area), [time.isoformat() for time in self.times]]
        return hashlib.sha256(json.dumps(what, sort_keys=True).encode()).hexdigest()[:16]


@dataclass(frozen=True)
class Plan:
    """Everything to fetch for an experiment.

    Attributes:
        items: files to be.
        area: box around the domain, with a margin.
        start, end: period that is asked for, UTC.
    """

    items: tuple[Item, ...]
    area: Area
    start: datetime
    end: datetime

    @property
    def sources(self) -> tuple[Source, ...]:
        """The sources, each once."""
        return tuple({item.source.name: item.source for item in self.items}.values())


def chosen_sources(experiment: Experiment, names: tuple[str, ...]) -> tuple[Source, ...]:
    """The sources of these names, or else those under whose folders files of the experiment lie.

    Raises:
        ConfigError: a name is not known, or no file of the experiment lies in the folder of a source.
    """
    if names:
        return tuple(source(name) for name in dict.fromkeys(names))
    every = [source(name) for name in known()]
    found = [one for one in every if any(_under(pattern, one.folder) for pattern in file_patterns(experiment))]
    if not found:
        raise ConfigError(
            "No file of the experiment lies in the folder of a source, so there is nothing to fetch; write for example "
            f'driving.first_guess_files = ["{source("era5").folder}/*"], or name a source with --source '
            f"({', '.join(known())})"
        )
    return tuple(found)


def file_patterns(experiment: Experiment) -> tuple[str, ...]:
    """The patterns of files in an experiment that a source may give."""
    domains = [experiment.domain, *([experiment.driving.coarse] if experiment.driving.coarse else [])]
    driving = experiment.driving
    patterns = [*driving.first_guess_files, *driving.sea_temperature_files, *driving.sea_ice_files]
    patterns += experiment.observations.files
    for domain in domains:
        patterns += [*domain.terrain_files, *domain.mask_files, *domain.coast_files]
    return tuple(dict.fromkeys(patterns))


def _under(pattern: str, folder: str) -> bool:
    return PurePosixPath(pattern).is_relative_to(PurePosixPath(folder))


def make_plan(experiment: Experiment, sources: tuple[Source, ...], every_hours: float | None = None) -> Plan:
    """The files of the sources that the period and domain of an experiment need.

    Times of driving data and of the sea reach from the last before the cold start to the first after the end, so that
    every instant lies between two of them; observations are those of all windows, that of the cold start included.

    Args:
        experiment: whose period and domain count.
        sources: of the data.
        every_hours: interval of driving data instead of the source's.

    Raises:
        ConfigError: the period lies outside the data of a source, or the interval does not fit.
    """
    area = area_of(experiment)
    first, last = to_datetime(experiment.period.first), to_datetime(experiment.period.last)
    items: list[Item] = []
    for one in sources:
        start = first - timedelta(hours=experiment.period.window_hours) if one.use == "observations" else first
        interval = one.interval_hours
        if every_hours is not None and one.use == "driving":
            if every_hours % 1 or 24 % every_hours or every_hours < 1:
                raise ConfigError(f"--every {every_hours:g}: give whole hours that divide the day")
            fixed = [part.every for part in one.parts if part.layout == "files"]
            if fixed and every_hours % interval:
                raise ConfigError(f"--every {every_hours:g}: {one.name} has data every {interval:g} h only")
            interval = every_hours
        needed = _needed(start, last, interval, one)
        _check_period(one, (first, last) if one.use == "observations" else needed)
        for part in one.parts:
            items += items_of(one, part, area, needed, interval)
    names: dict[PurePosixPath, Item] = {}
    for item in items:
        if (other := names.setdefault(item.path, item)) is not item:
            raise ConfigError(f"{item.address} and {other.address} would both become {item.path}; see the descriptors")
    return Plan(tuple(items), area, first, last)


def _needed(start: datetime, end: datetime, interval: float, one: Source) -> tuple[datetime, datetime]:
    """First and last time of the data that enclose a period."""
    if not interval or one.use == "observations":
        return start, end
    origin = datetime(start.year, start.month, start.day, tzinfo=UTC) + timedelta(hours=one.offset_hours)
    step = timedelta(hours=interval)
    return origin + math.floor((start - origin) / step) * step, origin + math.ceil((end - origin) / step) * step


def _check_period(one: Source, needed: tuple[datetime, datetime]) -> None:
    if (one.first is None or needed[0].date() >= one.first) and (one.last is None or needed[1].date() <= one.last):
        return
    others = [
        other.name
        for other in (source(name) for name in known())
        if other.use == one.use
        and other.name != one.name
        and other.first is not None
        and other.first <= needed[0].date()
        and (other.last is None or needed[1].date() <= other.last)
    ]
    has = f"from {one.first or 'the beginning'} to {one.last or 'today'}"
    raise ConfigError(
        f"{one.name} has data {has}, but {needed[0]:%Y-%m-%d %H} to {needed[1]:%Y-%m-%d %H} UTC are needed"
        + (f"; these sources have them: {', '.join(others)}" if others else "")
    )


def needs_time(one: Source, part: Part) -> bool:
    """Whether the files of a part of a source depend on the time."""
    if part.layout == "files":
        return part.every not in ("once", "tile")
    return (part.layout == "zarr" and part.time is None) or one.interval_hours > 0


def items_of(one: Source, part: Part, area: Area, needed: tuple[datetime, datetime], interval: float) -> Iterator[Item]:
    """Files of a part of a source for a period that begins and ends at times of the data."""
    if part.layout == "zarr":
        yield _cropped(one, part, area, [utc(part.time)] if part.time else _times(needed, interval))
    elif part.layout == "climate-data-store":
        yield from _requests(one, part, area.outward(part.grid), _times(needed, interval) if interval else [])
    elif part.every == "tile":
        for latitude, longitude in area.tiles():
            yield _file(one, part, {"latitude": latitude, "longitude": longitude})
    elif part.every == "once":
        for row in part.each or ({},):
            yield _file(one, part, dict(row))
    else:
        for begin, end in _spans(part, needed):
            low, high = (timedelta(hours=h) for h in part.holds_hours)
            holds = (begin + low, (end if part.every == "month" else begin) + high)
            # What ends just where the period begins belongs to the window before.
            outside = holds[0] > needed[1] or (
                holds[1] <= needed[0] if one.use == "observations" else holds[1] < needed[0]
            )
            # A file of one time between those that are asked for is not needed.
            between = (
                low == high and interval and one.use == "driving" and (holds[0] - needed[0]) % timedelta(hours=interval)
            )
            if outside or between:
                continue
            dated = {
                name: next((v for day, v in reversed(table.items()) if date.fromisoformat(day) <= begin.date()), "")
                for name, table in part.by_date.items()
            }
            for row in part.each or ({},):
                yield _file(one, part, {"time": begin, "end": end - timedelta(days=1), **dated, **row})


def _file(one: Source, part: Part, names: dict[str, Any]) -> Item:
    address = part.address.format(**names)
    name = part.file.format(**names) if part.file else address.rsplit("/", 1)[-1]
    path = PurePosixPath(one.folder) / name
    index = part.index.format(**names) if part.index else ""
    tile = part.listed.format(**names) if part.listed else ""
    return Item(one, part, path, address, part.bytes, part.bytes, index=index, tile=tile)


def _spans(part: Part, needed: tuple[datetime, datetime]) -> Iterator[tuple[datetime, datetime]]:
    """Time in the name of each file that may be needed, and that of the next."""
    reach = timedelta(hours=max(abs(h) for h in part.holds_hours) + 24.0)
    time = (needed[0] - reach).replace(hour=0, minute=0, second=0)
    if part.every == "month":
        time = needed[0].replace(day=1, hour=0, minute=0, second=0)
    while time <= needed[1] + reach:
        if part.every == "month":
            after = (time + timedelta(days=32)).replace(day=1)
        else:
            after = time + (timedelta(days=1) if part.every == "day" else timedelta(hours=int(part.every)))
        yield time, after
        time = after


def _times(needed: tuple[datetime, datetime], interval: float) -> list[datetime]:
    step, time, found = timedelta(hours=interval), needed[0], []
    while time <= needed[1]:
        found.append(time)
        time += step
    return found


def _requests(one: Source, part: Part, area: Area, times: list[datetime]) -> Iterator[Item]:
    """Requests to the Climate Data Store: whole products of days and hours, within a month, of a size it accepts."""
    fields = math.prod(len(part.request.get(key, ["one"])) for key in ("variable", "pressure_level"))
    north, west, south, east = area.bounds
    request = dict(part.request) | {"area": [north, west, south, east], "grid": [part.grid, part.grid]}
    points = area.points(part.grid)
    if not times:
        path = PurePosixPath(one.folder) / part.file
        yield Item(one, part, path, part.address, fields * points * 8, fields * points * 8, request=request, area=area)
        return
    for group in _grouped(times, max(1, MOST_FIELDS // fields)):
        dated = request | {
            "year": [f"{group[0]:%Y}"],
            "month": [f"{group[0]:%m}"],
            "day": [f"{day:02d}" for day in sorted({time.day for time in group})],
            "time": [f"{hour:02d}:00" for hour in sorted({time.hour for time in group})],
        }
        name = part.file.format(time=group[0], end=group[-1])
        size = len(group) * fields * points * _PACKED
        yield Item(
            one,
            part,
            PurePosixPath(one.folder) / name,
            part.address,
            size,
            size,
            request=dated,
            times=tuple(group),
            area=area,
        )


def _grouped(times: list[datetime], most: int) -> Iterator[list[datetime]]:
    """Times in groups of neighbouring days of one month that have the same hours, each of a number of times at most."""
    days: dict[date, list[datetime]] = {}
    for time in times:
        days.setdefault(time.date(), []).append(time)
    group: list[datetime] = []
    for day, of_day in days.items():
        same = group and {t.hour for t in group} == {t.hour for t in of_day} and group[0].month == day.month
        if group and not (same and len(group) + len(of_day) <= most):
            yield group
            group = []
        group = group + of_day
    yield group


def _cropped(one: Source, part: Part, area: Area, times: list[datetime]) -> Item:
    """A Zarr store: what is loaded are whole chunks, what is kept is the area."""
    on_levels = sum(name in _ON_LEVELS for name in part.variables)
    flat = len(part.variables) + len(part.optional) - on_levels
    whole = round(180.0 / part.grid + 1.0) * round(360.0 / part.grid)
    levels = part.bytes // (4 * whole)
    cropped = area.points(part.grid)
    number = len(times)
    load = number * (on_levels * part.bytes + flat * 4 * whole)
    size = number * 4 * cropped * (on_levels * levels + flat)
    path = PurePosixPath(one.folder) / part.file.format(time=times[0], end=times[-1])
    return Item(one, part, path, part.address, size, load, times=tuple(times), area=area)


_ON_LEVELS = frozenset(
    {"geopotential", "temperature", "u_component_of_wind", "v_component_of_wind", "specific_humidity"}
)
"""Variables of ERA5 on pressure levels; all others of the descriptor are at the surface."""
