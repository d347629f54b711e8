"""Analysed hours into a release store, one commit a day, variable after variable."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

import numpy as np

from kaiseki.archive.release import schema
from kaiseki.archive.release.encoding import BoundSet
from kaiseki.archive.release.layout import Chunks, ReleaseLayout, of_latlon, of_map
from kaiseki.archive.release.store import QUALITY, ReleaseStore
from kaiseki.archive.store.storage import Location
from kaiseki.core.errors import ConfigError, StoreError
from kaiseki.core.timing import format_utc
from kaiseki.core.variables import variable
from kaiseki.grid.proj_map import ProjMap
from kaiseki.grid.regular import LatLonGrid
from kaiseki.precipitation.analysis import AnalysisSettings
from kaiseki.precipitation.batch.hour_file import FIELDS, file_name, read_field
from kaiseki.precipitation.data import HOUR, RainGrid

GROUP: Final = "precipitation"
STREAM: Final = "precipitation analysis"
_STEPS: Final = 24


@dataclass(frozen=True, kw_only=True)
class ReleaseSettings:
    """A release of analysed precipitation.

    Attributes:
        axis_start: first day of the axis of a new release.
        axis_end: last day of the axis of a new release.
        bounds: set of error bounds of a new release.
        preliminary: whether the days will be replaced later.
        replace: whether final days may be replaced.
        chunks: sizes of a new release.
        attributes: further global attributes of a new release: license, references ...
    """

    axis_start: np.datetime64
    axis_end: np.datetime64
    bounds: BoundSet = "tight"
    preliminary: bool = False
    replace: bool = False
    chunks: Chunks = field(default_factory=Chunks)
    attributes: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class IntoRelease:
    """What puts a day of analysed hours into a release store and removes their files.

    Attributes:
        release: place of the store.
        falling: whether the rows of the files run from the north, which a release does not.
        preliminary, replace: as of `ReleaseSettings`.
    """

    release: Location
    falling: bool
    preliminary: bool = False
    replace: bool = False

    def __call__(self, day: np.datetime64, paths: Sequence[Path]) -> None:
        """Write a day of which these are the files of hours; hours without file are not produced."""
        by_name = {path.name: path for path in paths}
        with ReleaseStore.open(self.release, "a") as store:
            slots = store.times.of_day(schema.GROUPS[GROUP].axis, store.times.number(day))
            found = [by_name.get(file_name(time)) for time in slots]
            with store.day(STREAM, day, preliminary=self.preliminary, replace=self.replace) as writer:
                for name in FIELDS:
                    writer.write(GROUP, name, self._values(name, found))
        for path in paths:
            path.unlink()

    def _values(self, name: str, paths: Sequence[Path | None]) -> np.ndarray:
        """A variable of a day (24, ny, nx), rows from the south, within its physical range."""
        row = variable(name)
        some = next(path for path in paths if path is not None)
        values = np.full((len(paths), *read_field(some, name).shape), np.nan, np.float32)
        for number, path in enumerate(paths):
            if path is not None:
                one = read_field(path, name)
                np.clip(one[::-1] if self.falling else one, row.low, row.high, out=values[number])
        return values


def prepare(
    release: Location, grid: RainGrid, analysis: AnalysisSettings, settings: ReleaseSettings, inputs: str
) -> IntoRelease:
    """A release store that takes the days, made where there is none.

    Args:
        release: place of the store.
        grid: of the analyses.
        analysis: settings, which must be the same for all days.
        settings: of the release.
        inputs: what the analysis is made of, in words.

    Raises:
        StoreError: the store holds something else, is on another grid or was made with other settings.
    """
    falling = _falling(grid)
    if ReleaseStore.exists(release):
        store = ReleaseStore.open(release, "a")
        _check(store, grid, analysis)
    else:
        days = int((settings.axis_end - settings.axis_start).astype(int)) + 1
        times = schema.Times(
            settings.axis_start.astype("datetime64[s]"), days, dict.fromkeys(("hourly", "analysis"), _STEPS)
        )
        layout = ReleaseLayout(
            times=times,
            **_place(grid),
            experiment_json=json.dumps({"precipitation_analysis": _identity(analysis)}),
            bounds=settings.bounds,
            chunks=settings.chunks,
            title="Analysed precipitation",
            source="Kaiseki, analysis of rain gauges and radar by a latent Gaussian field in transformed rain",
            origin=inputs,
            attributes=settings.attributes,
        )
        store = ReleaseStore.create(release, layout)
    with store:
        store.add_variables({(GROUP, name): None for name in FIELDS})
    return IntoRelease(release, falling, settings.preliminary, settings.replace)


def days_held(release: Location, hours: np.ndarray, settings: ReleaseSettings) -> frozenset[np.datetime64]:
    """Days that a release holds already with all the hours asked for.

    Raises:
        ConfigError: an hour does not end at a whole hour.
        StoreError: it holds a day without some of them, or a day lies outside its axis.
    """
    if (uneven := hours[(hours - hours.astype("datetime64[D]")) % HOUR != np.timedelta64(0, "s")]).size:
        raise ConfigError(f"A release holds hours that end at whole hours UTC; {format_utc(uneven[0])} is none")
    store = ReleaseStore.open(release)
    states = store.states(GROUP, QUALITY)
    held = set()
    for day in np.unique(hours.astype("datetime64[D]")):
        number = store.times.number(day)
        there = states[store.times.slots("hourly", number)]
        if not there.any() or settings.replace:
            continue
        if (there == schema.PRELIMINARY).any() and not settings.preliminary:
            continue
        wanted = np.isin(store.times.of_day("hourly", number), hours[hours.astype("datetime64[D]") == day])
        if not (there[wanted] > 0).all():
            raise StoreError(
                f"{day} is in {store.where} without all the hours asked for; a day is written at once, so ask for the "
                "whole day and say --replace"
            )
        held.add(day)
    return frozenset(held)


def pack_series(release: Location) -> int:
    """Write the copies for point series of a release where they are old; returns how many blocks were written."""
    with ReleaseStore.open(release, "a") as store:
        return store.pack_series()


def _falling(grid: RainGrid) -> bool:
    along = grid.lat if isinstance(grid, LatLonGrid) else grid.y
    return bool(along[1] < along[0])


def _place(grid: RainGrid) -> dict[str, Any]:
    """Arguments of a layout for the place of a grid."""
    step = -1 if _falling(grid) else 1
    if isinstance(grid, LatLonGrid):
        return of_latlon(grid.lat[::step], grid.lon, {})
    if isinstance(grid.projection, ProjMap):
        raise StoreError(
            f"A release cannot state the map {grid.projection.definition!r}; analyse on --grid W,S,E,N,SPACING"
        )
    if grid.x[1] < grid.x[0]:
        raise StoreError("A release needs columns from the west; analyse on --grid W,S,E,N,SPACING")
    return of_map(grid.projection, grid.y[::step], grid.x, {})


def _identity(analysis: AnalysisSettings) -> dict[str, Any]:
    """Settings that must be the same in all days of a release; the number of samples does not change the fields."""
    stated = dataclasses.asdict(analysis)
    return {
        name: list(value) if isinstance(value, tuple) else value for name, value in stated.items() if name != "samples"
    }


def _check(store: ReleaseStore, grid: RainGrid, analysis: AnalysisSettings) -> None:
    made = json.loads(str(store.attributes["experiment"])).get("precipitation_analysis")
    if made is None:
        raise StoreError(f"{store.where} holds something else than analysed precipitation; give a release of its own")
    mine = _identity(analysis)
    if differing := sorted(name for name in mine.keys() | made.keys() if mine.get(name) != made.get(name)):
        name = differing[0]
        raise StoreError(
            f"{store.where} was made with {name} = {made.get(name)}, not {mine.get(name)}; all its days must be of one "
            "analysis, so give the same settings or a release of its own"
        )
    root: Any = store.root(QUALITY)
    held = root[schema.STATIC]
    for name, (axes, values, _) in _place(grid)["static"].items():
        if name not in axes:
            continue
        there = np.asarray(held[name]) if name in held else np.zeros(0)
        if there.shape != values.shape or not np.allclose(
            there, values, rtol=0.0, atol=1e-6 * abs(values[-1] - values[0])
        ):
            raise StoreError(f"The grid of {store.where} is another than that of this analysis ({name} differs)")
