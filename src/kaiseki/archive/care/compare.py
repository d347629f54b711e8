"""Differences between two releases, or two versions of one, by variable, level, region and month."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import icechunk
import numpy as np
import xarray as xr

from kaiseki.archive.care.comparison import ALL, CompareSettings, Comparison, Row, Side
from kaiseki.archive.release import schema
from kaiseki.archive.release.reading import open_group
from kaiseki.archive.release.store import ReleaseStore, names_of, states_of
from kaiseki.archive.selection.areas import covered_cells
from kaiseki.archive.selection.grid import grid_of
from kaiseki.archive.selection.shapes import polygons_of
from kaiseki.archive.store.arrays import array_at, values_at
from kaiseki.core.errors import InputError
from kaiseki.core.progress import Progress

_COUNT, _SUM, _SQUARES, _LARGEST, _ONLY_A, _ONLY_B = range(6)
_MISSING = schema.STATISTICS.index("missing")


def compare(a: Side, b: Side, settings: CompareSettings | None = None) -> Comparison:
    """Differences B - A between two releases on one grid, of what their users get.

    Days of which both versions of one repository have the same chunks are not read; they count with differences of 0.
    A day of some levels is in memory at a time.

    Args:
        a, b: both sides.
        settings: what is compared.

    Raises:
        StoreError: no release, or no such version.
        InputError: the grids differ, nothing is in both, or the polygon cannot be used.
    """
    settings = settings or CompareSettings()
    for name in settings.groups:
        if name not in schema.GROUPS:
            raise InputError(f"A release has the groups {', '.join(schema.GROUPS)}, not {name!r}")
    for text in (settings.start, settings.end):
        _date(text)
    one, two = _Opened(a), _Opened(b)
    result = Comparison(one.name, two.name)
    changed = _changed(one, two)
    tasks = list(_tasks(one, two, settings, result))
    if not tasks:
        raise InputError(f"{one.name} and {two.name} have no variable and day in common that could be compared")
    with Progress("comparing", len(tasks), unit="variable") as progress:
        for group, name in tasks:
            _Pair(one, two, group, name, settings, changed).run(result)
            progress.advance(1, f"{group} {name}")
    return result


class _Opened:
    """A side that is open."""

    def __init__(self, side: Side) -> None:
        self.side = side
        self.store = ReleaseStore.open(side.location, "r", storage_options=side.storage_options)
        self.root = self.store.root(side.version)
        self.snapshot = self.store.snapshot(side.version)
        version = side.version or self.store.versions()[-1]
        self.name = f"{self.store.where}, version {version}"
        self.times = self.store.times

    def groups(self) -> dict[str, list[str]]:
        """Names of the variables by group, of the groups that hold something."""
        return {
            name: names_of(self.root, name)
            for name in schema.GROUPS
            if name in self.root and states_of(self.root, name).any()
        }

    def fields(self, group: str) -> xr.Dataset:
        """A group over its whole axis."""
        side = self.side
        return open_group(
            side.location, group, version=side.version, whole_axis=True, storage_options=side.storage_options
        )

    def states(self, group: str) -> np.ndarray:
        """States of a group, (day, step)."""
        return states_of(self.root, group).reshape(self.times.days, -1)


def _changed(one: _Opened, two: _Opened) -> Mapping[str, set[int]] | None:
    """Numbers of the days whose chunks differ, by path of the core array, or None where that is not known."""
    if one.store.where != two.store.where:
        return None
    if one.snapshot == two.snapshot:
        return {}
    for first, last in ((one.snapshot, two.snapshot), (two.snapshot, one.snapshot)):
        try:
            found = one.store.repository.diff(from_snapshot_id=first, to_snapshot_id=last)
        except icechunk.IcechunkError:
            # The one does not descend from the other, or the history between them has expired.
            continue
        if found.moved_nodes:
            return None
        days = {path.lstrip("/"): {int(place[0]) for place in chunks} for path, chunks in found.updated_chunks.items()}
        everything = set(range(one.times.days))
        new = {path.lstrip("/"): everything for path in found.new_arrays | found.deleted_arrays | found.updated_arrays}
        return days | new
    return None


def _tasks(one: _Opened, two: _Opened, settings: CompareSettings, result: Comparison) -> Iterator[tuple[str, str]]:
    """Groups and variables that both have; what only one has is noted."""
    mine, theirs = one.groups(), two.groups()
    for group in schema.GROUPS:
        if settings.groups and group not in settings.groups:
            continue
        if (group in mine) != (group in theirs):
            result.lacking.append({"in": "A" if group in mine else "B", "what": f"the group {group}", "group": group})
        if group not in mine or group not in theirs:
            continue
        axis = schema.GROUPS[group].axis
        if one.times.steps[axis] != two.times.steps[axis]:
            raise InputError(
                f"The times of {group} are {one.times.steps[axis]} a day in {one.name} and {two.times.steps[axis]} in "
                f"{two.name}; compare other groups"
            )
        _note_days(one, two, group, settings, result)
        for name in dict.fromkeys([*mine[group], *theirs[group]]):
            if settings.variables and name not in settings.variables:
                continue
            if name in mine[group] and name in theirs[group]:
                yield group, name
            else:
                side = "A" if name in mine[group] else "B"
                result.lacking.append({"in": side, "what": f"{group}/{name}", "group": group, "variable": name})


def _note_days(one: _Opened, two: _Opened, group: str, settings: CompareSettings, result: Comparison) -> None:
    """Note the times of a group that only one has."""
    produced = [_produced(side, group, settings) for side in (one, two)]
    for label, mine, theirs in (("A", produced[0], produced[1]), ("B", produced[1], produced[0])):
        alone = mine[~np.isin(mine, theirs)]
        if alone.size:
            what = f"{alone.size} times of {group}, {alone[0]} to {alone[-1]}"
            result.lacking.append({"in": label, "what": what, "group": group})


def _produced(side: _Opened, group: str, settings: CompareSettings) -> np.ndarray:
    times = side.times.axis(schema.GROUPS[group].axis)
    times = times[states_of(side.root, group) > 0]
    days = times.astype("datetime64[D]")
    first, last = _date(settings.start), _date(settings.end)
    return times[(True if first is None else days >= first) & (True if last is None else days <= last)]


def _date(text: str | None) -> np.datetime64 | None:
    try:
        return None if text is None else np.datetime64(text, "D")
    except ValueError:
        raise InputError(f"{text!r} is no date; give one such as 1989-01-31") from None


def regions_of(fields: xr.Dataset, polygon: Any = None) -> dict[str, np.ndarray]:
    """Regions of a grid: name -> (y, x) whether a cell belongs to it.

    Args:
        fields: a group of a release.
        polygon: a further region, of the cells whose centre lies inside.

    Raises:
        InputError: the polygon cannot be used or misses the grid.
    """
    grid = grid_of(fields)
    found = {"whole": np.ones(grid.shape, bool)}
    if "rim" in fields.coords:
        found["interior"] = np.asarray(fields["rim"]) == 0
    if "land_fraction" in fields.coords:
        land = np.asarray(fields["land_fraction"]) >= 0.5
        found |= {"land": land, "sea": ~land}
    if polygon is not None:
        rows, columns, _ = covered_cells(grid, polygons_of(polygon), "The polygon", "drop", centre=True)
        found["polygon"] = np.zeros(grid.shape, bool)
        found["polygon"][rows, columns] = True
    return {name: mask for name, mask in found.items() if mask.any()}


class _Pair:
    """One variable of both sides."""

    def __init__(
        self,
        one: _Opened,
        two: _Opened,
        group: str,
        name: str,
        settings: CompareSettings,
        changed: Mapping[str, set[int]] | None,
    ) -> None:
        self.one, self.two, self.group, self.name = one, two, group, name
        self.settings, self.changed = settings, changed
        fields, others = one.fields(group), two.fields(group)
        _check_grids(fields, others, one.name, two.name)
        self.arrays = fields[name], others[name]
        self.regions = regions_of(fields, settings.polygon)
        self.vertical = next((str(dim) for dim in self.arrays[0].dims[1:-2]), None)
        self.places = _common_levels(*self.arrays, self.vertical)
        self.levels = [None] if self.vertical is None else fields[self.vertical].values[self.places[0]].tolist()
        self.masks = np.stack([mask.ravel() for mask in self.regions.values()]).astype(float)
        ny, nx = self.arrays[0].shape[-2:]
        self.map = np.zeros((2, ny, nx)) if name in settings.maps else None

    def run(self, result: Comparison) -> None:
        """Compare all days and add the rows."""
        self._note_levels(result)
        months = dict[str, np.ndarray]()
        steps = self.one.times.steps[schema.GROUPS[self.group].axis]
        mine, theirs = self.one.states(self.group), self.two.states(self.group)
        first, last = _date(self.settings.start), _date(self.settings.end)
        for number in range(self.one.times.days):
            day = self.one.times.day(number)
            other = int((day - self.two.times.day(0)).astype(int))
            if (
                not 0 <= other < self.two.times.days
                or (first is not None and day < first)
                or (last is not None and day > last)
            ):
                continue
            both = np.flatnonzero((mine[number] > 0) & (theirs[other] > 0))
            if not both.size:
                continue
            sums = months.setdefault(str(day)[:7], self._zeros())
            if self.changed is not None and number not in self.changed.get(f"{self.group}/{self.name}", ()):
                self._count_identical(sums, number, both, steps)
                result.identical += 1
            else:
                self._add_day(sums, (number * steps, other * steps), both)
                result.read += 1
        self._rows(months, result)
        if self.map is not None:
            with np.errstate(invalid="ignore"):
                result.maps[self.group, self.name] = np.sqrt(self.map[1] / self.map[0])

    def _note_levels(self, result: Comparison) -> None:
        """Note the levels that only one side has."""
        if self.vertical is None:
            return
        for label, array, places in zip("AB", self.arrays, self.places, strict=True):
            alone = np.delete(array[self.vertical].values, places)
            if alone.size:
                what = f"{self.group}/{self.name} at {self.vertical} {', '.join(f'{level:g}' for level in alone)}"
                result.lacking.append({"in": label, "what": what, "group": self.group, "variable": self.name})

    def _zeros(self) -> np.ndarray:
        """Sums by level and region."""
        return np.zeros((len(self.levels), len(self.regions), 6))

    def _blocks(self) -> Iterator[slice]:
        """Ranges of the common levels as they lie in chunks of the core."""
        array = array_at(self.one.root, f"{self.group}/{self.name}")
        depth = array.chunks[1] if array.ndim == 4 else 1
        for first in range(0, len(self.levels), depth):
            yield slice(first, min(first + depth, len(self.levels)))

    def _values(self, side: int, start: int, both: np.ndarray, block: slice) -> np.ndarray:
        """Values (time, level, cell) of one side."""
        array = self.arrays[side].isel(time=slice(start + int(both[0]), start + int(both[-1]) + 1))
        if self.vertical is not None:
            places = self.places[side][block]
            whole = np.array_equal(places, np.arange(places[0], places[-1] + 1))
            array = array.isel({self.vertical: slice(int(places[0]), int(places[-1]) + 1) if whole else places})
        values = array.values
        return values.reshape(values.shape[0], block.stop - block.start, -1)[both - both[0]]

    def _add_day(self, sums: np.ndarray, starts: tuple[int, int], both: np.ndarray) -> None:
        for block in self._blocks():
            left, right = (self._values(side, starts[side], both, block) for side in (0, 1))
            for mine, theirs in zip(left, right, strict=True):
                here, there = np.isfinite(mine), np.isfinite(theirs)
                good = here & there
                difference = np.where(good, theirs.astype(float) - mine, 0.0)
                squares = difference**2
                part = sums[block]
                part[..., _COUNT] += good @ self.masks.T
                part[..., _SUM] += difference @ self.masks.T
                part[..., _SQUARES] += squares @ self.masks.T
                part[..., _ONLY_A] += (here & ~there) @ self.masks.T
                part[..., _ONLY_B] += (there & ~here) @ self.masks.T
                size = np.abs(difference)
                for index, mask in enumerate(self.masks > 0.0):
                    part[:, index, _LARGEST] = np.maximum(part[:, index, _LARGEST], size[:, mask].max(axis=1))
                if self.map is not None:
                    shape = self.map.shape[1:]
                    self.map[0] += good.sum(axis=0).reshape(shape)
                    self.map[1] += squares.sum(axis=0).reshape(shape)

    def _count_identical(self, sums: np.ndarray, number: int, both: np.ndarray, steps: int) -> None:
        """Count the values of a day that is equal in both; they are read only where some are missing."""
        missing = values_at(self.one.root, f"{schema.LEDGER}/{self.group}/statistics/{self.name}")[number, _MISSING]
        for block in self._blocks():
            if missing == 0.0:
                cells = np.ones((both.size, block.stop - block.start, self.masks.shape[1]), bool)
            else:
                cells = np.isfinite(self._values(0, number * steps, both, block))
            for good in cells:
                sums[block][..., _COUNT] += good @ self.masks.T
                if self.map is not None:
                    self.map[0] += good.sum(axis=0).reshape(self.map.shape[1:])

    def _rows(self, months: Mapping[str, np.ndarray], result: Comparison) -> None:
        """Rows by level and month, over all levels, over all months, over both."""
        tables = dict(months)
        if months:
            tables[ALL] = _merged(np.stack(list(months.values())))
        for month, sums in tables.items():
            levels = [(level, sums[index]) for index, level in enumerate(self.levels)]
            if self.vertical is not None:
                levels.append((None, _merged(sums)))
            for level, by_region in levels:
                for region, row in zip(self.regions, by_region, strict=True):
                    n = int(row[_COUNT])
                    bias = row[_SUM] / n if n else np.nan
                    rms = float(np.sqrt(row[_SQUARES] / n)) if n else np.nan
                    largest = float(row[_LARGEST]) if n else np.nan
                    alone = int(row[_ONLY_A]), int(row[_ONLY_B])
                    result.rows.append(
                        Row(self.group, self.name, level, region, month, n, float(bias), rms, largest, *alone)
                    )


def _merged(sums: np.ndarray) -> np.ndarray:
    """Sums over the first axis, of the largest differences the largest."""
    merged = sums.sum(axis=0)
    merged[..., _LARGEST] = sums[..., _LARGEST].max(axis=0)
    return np.asarray(merged)


def _check_grids(fields: xr.Dataset, others: xr.Dataset, one: str, two: str) -> None:
    for name in ("lat", "lon"):
        mine, theirs = np.asarray(fields[name]), np.asarray(others[name])
        if mine.shape != theirs.shape or not np.allclose(mine, theirs, rtol=0.0, atol=1e-6):
            raise InputError(
                f"The grids of {one} and {two} differ in {name}; bring them on one grid first "
                "(kaiseki.archive.exchange.regridded)"
            )


def _common_levels(mine: xr.DataArray, theirs: xr.DataArray, vertical: str | None) -> tuple[np.ndarray, np.ndarray]:
    """Indices of the levels that both have, in each of them."""
    if vertical is None:
        return np.zeros(1, int), np.zeros(1, int)
    if vertical not in theirs.dims:
        raise InputError(f"{mine.name} has the vertical axis {vertical} in one release and another in the other")
    levels, others = mine[vertical].values, theirs[vertical].values
    pairs = [(i, int(np.flatnonzero(others == level)[0])) for i, level in enumerate(levels) if level in others]
    if not pairs:
        raise InputError(f"The releases have no level of {mine.name} in common; bring them on the same levels first")
    return np.array([i for i, _ in pairs]), np.array([j for _, j in pairs])
