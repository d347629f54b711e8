"""Fields along the path of an aircraft, a ship or a balloon, and the column above a place."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any, Final

import numpy as np
import xarray as xr

from kaiseki.archive.selection.cells import Cells
from kaiseki.archive.selection.grid import grid_of
from kaiseki.archive.selection.lazy import Key, computed, floating, samples, values
from kaiseki.archive.selection.points import Method, Outside, _places, cells_at, points
from kaiseki.archive.selection.times import instants, is_interval, time_axis
from kaiseki.archive.selection.vertical import Column, Kind, column, locate
from kaiseki.core.errors import InputError
from kaiseki.core.places import place_words

POINT: Final = "point"


@dataclass(frozen=True, eq=False)
class InTime:
    """Position of n instants on the axis of time.

    Attributes:
        low: number (n,) of the time at or before.
        weight: share (n,) of the next time.
        holding: number (n,) of the label of the interval that holds the instant: the first at or after it.
        outside: whether (n,) an instant lies outside the axis or in a gap of it.
    """

    low: np.ndarray
    weight: np.ndarray
    holding: np.ndarray
    outside: np.ndarray

    def terms(self, variable: xr.Variable) -> tuple[np.ndarray, np.ndarray]:
        """Numbers (t, n) along the axis of time and their weights (t, n); sums and means are those of one interval."""
        if is_interval(variable):
            return self.holding[None], np.ones((1, self.holding.size))
        return self.between()

    def between(self) -> tuple[np.ndarray, np.ndarray]:
        """Numbers (2, n) of the times about the instants and their weights (2, n)."""
        after = np.where(self.weight > 0.0, self.low + 1, self.low)
        return np.stack([self.low, after]), np.stack([1.0 - self.weight, self.weight])


def in_time(dataset: xr.Dataset, wanted: np.ndarray) -> InTime:
    """Position of instants [UTC] on the axis of time of a dataset."""
    axis = time_axis(dataset)
    last = axis.size - 1
    low = np.clip(np.searchsorted(axis, wanted, side="right") - 1, 0, max(last - 1, 0))
    step = axis[np.minimum(low + 1, last)] - axis[low]
    with np.errstate(divide="ignore", invalid="ignore"):
        weight = np.where(axis[low] == wanted, 0.0, (wanted - axis[low]) / step)
    outside = ~((weight >= 0.0) & (weight <= 1.0))
    if last > 1:
        # A gap, such as cycles that are missing, is not bridged.
        usual = np.median(np.diff(axis).astype(np.int64))
        outside |= (weight > 0.0) & (weight < 1.0) & (step.astype(np.int64) > 1.5 * usual)
    holding = np.clip(np.searchsorted(axis, wanted, side="left"), 0, last)
    return InTime(low, np.where(outside, 0.0, weight), holding, outside)


@dataclass(frozen=True, eq=False)
class Track:
    """Positions of n points of a path among the cells, times and levels of a dataset.

    Attributes:
        cells: the four cells (4, n) about each point.
        times: positions in time.
        vertical: vertical coordinate, None where levels stay.
        target: position (n,) in it.
        absent: points (n,) without a value.
        levels: lower levels (2, 4, n) about the points in each column at the two times, and the weight of the next.
    """

    cells: Cells
    times: InTime
    vertical: Column | None
    target: np.ndarray | None
    absent: np.ndarray
    levels: tuple[np.ndarray, np.ndarray] | None = None

    def located(self, numbers: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Lower levels (t, 4, n) in each column at times (t, n), weight of the next, whether a point is outside."""
        assert self.vertical is not None
        shape = (*numbers.shape[:1], *self.cells.rows.shape)
        index = {
            "time": numbers[:, None, :],
            self.cells.dims[0]: self.cells.rows[None],
            self.cells.dims[1]: self.cells.columns[None],
        }
        low, weight, outside = locate(self.vertical.at(index, shape), self.target)
        return low, weight, outside

    def part(self, source: xr.Variable, key: dict[Any, Key], chosen: Key) -> np.ndarray:
        """Values (n, ...) of a variable at some of the points."""
        track = self.some(chosen)
        rows, columns, shares = track.cells.rows, track.cells.columns, track.cells.weights
        assert shares is not None
        timed = "time" in source.dims
        numbers, weights = track.times.terms(source) if timed else (np.zeros((1, rows.shape[1]), int), None)
        weight = shares[None] * (np.ones((1, 1, 1)) if weights is None else weights[:, None, :])
        index: dict[Any, np.ndarray] = {track.cells.dims[0]: rows[None], track.cells.dims[1]: columns[None]}
        if timed:
            index["time"] = numbers[:, None, :]
        if track.vertical is not None and track.vertical.axis in source.dims:
            low, above = track.levels if track.levels and not is_interval(source) else track.located(numbers)[:2]
            index = {dim: one[None] for dim, one in index.items()}
            index[track.vertical.axis] = np.stack([low, np.where(above > 0.0, low + 1, low)])
            weight = np.stack([1.0 - above, above]) * weight
        shape = np.broadcast_shapes(weight.shape, *(one.shape for one in index.values()))
        flat = {dim: np.broadcast_to(one, shape).ravel() for dim, one in index.items()}
        kept = {dim: key[dim] for dim in source.dims if dim not in flat}
        narrowed = source[tuple(kept.get(dim, slice(None)) for dim in source.dims)]
        found = samples(narrowed, flat).astype(float)
        found = found.reshape(-1, shape[-1], *found.shape[1:])
        share = np.broadcast_to(weight, shape).reshape(-1, shape[-1], *([1] * (found.ndim - 2)))
        total = np.where(share != 0.0, share * np.where(share != 0.0, found, 0.0), 0.0).sum(axis=0)
        total[track.absent] = np.nan
        return np.asarray(total)

    def some(self, chosen: Key) -> Track:
        """The track at some of its points."""
        cells, times = self.cells, self.times
        assert cells.weights is not None
        return Track(
            Cells(cells.dims, cells.rows[:, chosen], cells.columns[:, chosen], cells.weights[:, chosen]),
            InTime(times.low[chosen], times.weight[chosen], times.holding[chosen], times.outside[chosen]),
            self.vertical,
            None if self.target is None else self.target[chosen],
            self.absent[chosen],
            None if self.levels is None else (self.levels[0][..., chosen], self.levels[1][..., chosen]),
        )


_VERTICAL: Final[dict[str, tuple[Kind, str, dict[str, str]]]] = {
    "height": ("sea", "altitude", {"standard_name": "altitude", "units": "m", "positive": "up"}),
    "above_ground": ("ground", "height", {"standard_name": "height", "units": "m", "positive": "up"}),
    "pressure": ("pressure", "pressure", {"standard_name": "air_pressure", "units": "Pa", "positive": "down"}),
}


def path(
    dataset: xr.Dataset,
    lon: Any,
    lat: Any,
    time: Any,
    *,
    height: Any = None,
    pressure: Any = None,
    above_ground: Any = None,
    outside: Outside = "raise",
) -> xr.Dataset:
    """Fields along a path, linear in both coordinates of the map, in the vertical of each column, and in time.

    In the vertical fields are linear in height, or in the logarithm of pressure where pressure is given. Sums and means
    over an interval are not interpolated in time: they are those of the interval that holds the instant. Fields without
    levels are those of the surface below. The position is found at the call; fields are read when they are asked for.

    Args:
        dataset: from `kaiseki.open`.
        lon: longitudes (n,), degrees east.
        lat: latitudes (n,), degrees north.
        time: instants (n,), UTC: ISO 8601 text, `datetime` or `datetime64`.
        height: heights above mean sea level (n,), or one for all [m].
        pressure: pressures (n,), or one for all [Pa].
        above_ground: heights above ground (n,), or one for all [m]. Without any of the three all levels stay: a
            cross-section.
        outside: "raise" refuses points outside the grid, the levels or the times, or in a gap of the times; "nan" makes
            them missing.

    Returns:
        Dataset with the dimension `point` in the place of time, levels and grid; coordinates `time`, `lon`, `lat` and
        `altitude`, `height` or `pressure` of the points.

    Raises:
        InputError: positions that are none or do not belong together; points outside.
    """
    longitude, latitude, _ = _places(lon, lat)
    moments = instants(time)
    number = longitude.size
    if moments.size == 1 and number > 1:
        moments = np.repeat(moments, number)
    if moments.size != number:
        raise InputError(f"There must be one time for each place of the path; got {moments.size} and {number}")
    cells = cells_at(grid_of(dataset), longitude, latitude, "bilinear", outside)
    given = {"height": height, "pressure": pressure, "above_ground": above_ground}
    name, target = _vertical(given, number)
    times = in_time(dataset, moments)
    absent = times.outside if cells.absent is None else times.outside | cells.absent
    if outside == "raise" and np.any(times.outside):
        first = int(np.flatnonzero(times.outside)[0])
        raise InputError(
            f"{str(moments[first])[:16]} UTC, point number {first} of the path, lies outside the times of the dataset "
            'or in a gap of them (outside="nan" gives missing values)'
        )
    coordinate = None if name is None else _where_known(dataset, column(dataset, _VERTICAL[name][0]))
    if name == "pressure" and target is not None:
        if not np.all(target[np.isfinite(target)] > 0.0):
            raise InputError("The pressures of a path must be positive, in Pa")
        target = -np.log(target)
    track = Track(cells, times, coordinate, target, absent)
    if name is not None:
        track = _checked(track, given[name], name, (longitude, latitude), outside)
    return _along(dataset, track, (longitude, latitude, moments), name, given)


def _vertical(given: dict[str, Any], number: int) -> tuple[str | None, np.ndarray | None]:
    """The vertical position that was given: its name, and its values (n,)."""
    names = [name for name, value in given.items() if value is not None]
    if len(names) > 1:
        raise InputError(
            f"A path has one vertical position: height, pressure or above_ground; got {' and '.join(names)}"
        )
    if not names:
        return None, None
    try:
        target = np.asarray(given[names[0]], float)
    except (TypeError, ValueError):
        raise InputError(f"The {names[0]} of a path must be numbers") from None
    if target.ndim > 1 or target.size not in (1, number):
        raise InputError(f"There must be one {names[0]} for each place of the path; got {target.size} and {number}")
    return names[0], np.array(np.broadcast_to(target.ravel(), (number,)))


def _where_known(dataset: xr.Dataset, vertical: Column) -> Column:
    """The vertical coordinate, missing where the fields are: fixed levels may lie below ground.

    What is missing of one field on pressure or height levels is missing of all; the height of pressure levels is asked
    first.
    """
    if vertical.terms:
        return vertical
    horizontal = set(grid_of(dataset).dims)
    on_levels = [
        name
        for name, one in dataset.data_vars.items()
        if {vertical.axis, *horizontal} <= set(one.dims) and one.dtype.kind == "f"
    ]
    asked = next((name for name in ("geopotential_height", *on_levels) if name in on_levels), None)
    if asked is None:
        return vertical
    return replace(vertical, terms=((np.zeros(vertical.offset.size), dataset[asked].variable),))


def _checked(track: Track, given: Any, name: str, places: tuple[np.ndarray, np.ndarray], outside: Outside) -> Track:
    """The track with the points outside the levels marked, or refused."""
    numbers, weights = track.times.between()
    low, weight, off = track.located(numbers)
    assert track.cells.weights is not None
    used = track.cells.weights[None] * weights[:, None] != 0.0
    beyond = np.any(off & used, axis=(0, 1)) & ~track.absent
    if outside == "raise" and np.any(beyond):
        first = int(np.flatnonzero(beyond)[0])
        value = float(np.broadcast_to(np.asarray(given, float).ravel(), beyond.shape)[first])
        words = {"height": "m above the sea", "above_ground": "m above the ground", "pressure": "Pa"}[name]
        where = place_words(float(places[1][first]), float(places[0][first]), 3)
        raise InputError(
            f"{value:g} {words} at {where}, point number {first} "
            'of the path, lies below the lowest or above the highest level (outside="nan" gives missing values)'
        )
    return Track(track.cells, track.times, track.vertical, track.target, track.absent | beyond, (low, weight))


def _along(
    dataset: xr.Dataset,
    track: Track,
    position: tuple[np.ndarray, np.ndarray, np.ndarray],
    name: str | None,
    given: dict[str, Any],
) -> xr.Dataset:
    """The dataset along the track."""
    dims = set(track.cells.dims)
    gone = dims | {"time"} | (set() if track.vertical is None else {track.vertical.axis})
    fields: dict[Any, xr.Variable] = {}
    for key, one in dataset.variables.items():
        wanted = key in dataset.data_vars or key == "terrain"
        if wanted and dims <= set(one.dims) and one.dtype.kind in "fiub" and "grid_mapping_name" not in one.attrs:
            sizes = {POINT: track.absent.size} | {dim: one.sizes[dim] for dim in one.dims if dim not in gone}
            attributes = {attribute: value for attribute, value in one.attrs.items() if attribute != "grid_mapping"}
            fields[key] = computed(sizes, floating(one.dtype), _reader(track, one), attributes)
    kept = {
        key: dataset.variables[key]
        for key in dataset.coords
        if not set(dataset.variables[key].dims) & gone and key not in ("crs", "time", "terrain")
    }
    result = xr.Dataset(fields, kept, dict(dataset.attrs))
    lon, lat, time = position
    more: dict[str, Any] = {
        "time": (POINT, time, dict(dataset["time"].attrs)),
        "lon": (POINT, lon, {"standard_name": "longitude", "units": "degrees_east"}),
        "lat": (POINT, lat, {"standard_name": "latitude", "units": "degrees_north"}),
    }
    more["time"][2].pop("bounds", None)
    more["time"][2].pop("axis", None)
    if name is not None:
        _, coordinate, attributes = _VERTICAL[name]
        value = np.array(np.broadcast_to(np.asarray(given[name], float).ravel(), lon.shape))
        more[coordinate] = (POINT, value, dict(attributes))
        result = result.drop_vars(coordinate) if coordinate in result.data_vars else result
    result = result.assign_coords(more)
    return result.set_coords([key for key in ("terrain",) if key in result.data_vars])


def _reader(track: Track, source: xr.Variable) -> Any:
    """Function that gives a part of a variable along a track."""
    return lambda key: track.part(source, key, key[POINT])


def profile(
    dataset: xr.Dataset, lon: Any, lat: Any, time: Any, method: Method = "nearest", *, outside: Outside = "raise"
) -> xr.Dataset:
    """The column above one place at one instant, on the levels of the dataset.

    Args:
        dataset: from `kaiseki.open`.
        lon: longitude, degrees east.
        lat: latitude, degrees north.
        time: instant, UTC: ISO 8601 text, `datetime` or `datetime64`; between two times fields are linear in time, and
            sums and means are those of the interval that holds it.
        method: "nearest" or "bilinear", as of `points`.
        outside: "raise" refuses a place or instant outside, "nan" makes it missing.

    Returns:
        Dataset with the levels alone; on model levels with the coordinate `altitude`.

    Raises:
        InputError: more than one place or instant; a place or instant outside.
    """
    if np.ndim(lon) or np.ndim(lat):
        raise InputError("A profile is that of one place; for many use points")
    moments = instants(time)
    if moments.size != 1:
        raise InputError("A profile is that of one instant; for many select times")
    where = in_time(dataset, moments)
    if where.outside[0] and outside == "raise":
        raise InputError(
            f"{str(moments[0])[:16]} UTC lies outside the times of the dataset or in a gap of them "
            '(outside="nan" gives missing values)'
        )
    here = points(dataset, lon, lat, method, outside=outside)
    fields = {
        key: _at_time(one.variable, where) if "time" in one.dims else one.variable
        for key, one in here.data_vars.items()
        if key != "time_bnds"
    }
    kept = {key: one for key, one in here.coords.items() if "time" not in one.dims}
    attributes = {key: value for key, value in dataset["time"].attrs.items() if key not in ("bounds", "axis")}
    result = xr.Dataset(fields, kept, dict(here.attrs))
    return result.assign_coords(time=((), moments[0], attributes))


def _at_time(source: xr.Variable, where: InTime) -> xr.Variable:
    """A variable at one instant."""
    numbers, weights = (one[:, 0] for one in where.terms(source))
    axis = source.dims.index("time")
    sizes = {dim: size for dim, size in source.sizes.items() if dim != "time"}
    used = weights != 0.0
    if not used.all() and not where.outside[0]:
        numbers, weights = numbers[used], weights[used]

    def part(key: dict[Any, Key]) -> np.ndarray:
        read = np.moveaxis(values(source, {**key, "time": numbers}), axis, -1).astype(float)
        return np.full(read.shape[:-1], np.nan) if where.outside[0] else np.asarray(read @ weights)

    return computed(sizes, floating(source.dtype), part, source.attrs)
