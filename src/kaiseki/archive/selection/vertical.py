"""Vertical position in the columns of a dataset: height above sea level or above ground, or pressure.

Between two levels fields are linear in height, or in the logarithm of pressure. Nothing is extrapolated below the
lowest and above the highest level.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final, Literal

import numpy as np
import xarray as xr

from kaiseki.archive.selection.inputs import need_dataset, numbers
from kaiseki.archive.selection.lazy import Key, computed, floating, samples, values
from kaiseki.archive.selection.units import in_si
from kaiseki.core.errors import InputError

Kind = Literal["sea", "ground", "pressure"]

AXES: Final = ("level", "pressure", "height", "altitude")
"""Dimensions along which a field of the air may lie."""


@dataclass(frozen=True, eq=False)
class Column:
    """A vertical coordinate: `offset` plus the sum of `factor` times a variable, on the levels of an axis.

    Attributes:
        axis: dimension of the levels.
        offset: part (levels,) that is the same in all columns.
        terms: factors (levels,) and variables of the parts that are not, in SI.
        logarithm: whether the coordinate is minus the logarithm of that, as for pressure.
    """

    axis: str
    offset: np.ndarray
    terms: tuple[tuple[np.ndarray, xr.Variable], ...] = ()
    logarithm: bool = False

    def part(self, key: Mapping[Any, Key], dims: tuple[Any, ...]) -> np.ndarray:
        """Values (levels, ...) of a part, with the other dimensions in the order given, of length one where a
        dimension does not matter."""
        total = self.offset.reshape(-1, *([1] * len(dims)))
        for factor, variable in self.terms:
            found = values(variable, key)
            order = [dim for dim in (self.axis, *dims) if dim in variable.dims]
            found = np.transpose(found, [variable.dims.index(dim) for dim in order])
            shape = iter(found.shape)
            full = [next(shape) if dim in variable.dims else 1 for dim in (self.axis, *dims)]
            total = total + factor.reshape(-1, *([1] * len(dims))) * found.reshape(full).astype(float)
        return -np.log(total) if self.logarithm else total

    def at(self, index: Mapping[Any, np.ndarray], shape: tuple[int, ...]) -> np.ndarray:
        """Values (levels, *shape) in scattered columns.

        Args:
            index: numbers of the columns along other dimensions, each of a shape that broadcasts to `shape`.
            shape: of the columns.
        """
        total = np.broadcast_to(self.offset.reshape(-1, *([1] * len(shape))), (self.offset.size, *shape))
        for factor, variable in self.terms:
            chosen = {dim: np.broadcast_to(one, shape).ravel() for dim, one in index.items() if dim in variable.dims}
            found = samples(variable, chosen).astype(float) if chosen else np.asarray(variable.values, float)
            if chosen:
                found = np.moveaxis(found, 0, -1).reshape(-1, *shape)
            else:
                found = found.reshape(-1, *([1] * len(shape)))
            total = total + factor.reshape(-1, *([1] * len(shape))) * found
        return -np.log(total) if self.logarithm else total


def axis_of(dataset: xr.Dataset) -> str:
    """Name of the vertical dimension.

    Raises:
        InputError: there is none.
    """
    for name in AXES:
        if name in dataset.dims:
            return name
    raise InputError("The dataset has no levels (model levels, pressure or heights); open a group that has")


def column(dataset: xr.Dataset, kind: Kind) -> Column:
    """The vertical coordinate of a kind in the columns of a dataset.

    Raises:
        InputError: the dataset does not hold what it follows from.
    """
    axis = axis_of(dataset)
    size = dataset.sizes[axis]
    ones, zero = np.ones(size), np.zeros(size)
    own = {"pressure": "pressure", "height": "ground", "altitude": "sea"}.get(axis)
    if own == kind:
        levels = _si(dataset, axis, "pressure" if kind == "pressure" else "length").values
        return Column(axis, np.asarray(levels, float), (), kind == "pressure")
    if kind == "pressure":
        return Column(axis, zero, ((ones, _field(dataset, "pressure", "pressure", axis)),), True)
    if axis == "pressure":
        height = _field(dataset, "geopotential_height", "length", axis)
        terms: tuple[tuple[np.ndarray, xr.Variable], ...] = ((ones, height),)
        return Column(axis, zero, terms if kind == "sea" else (*terms, (-ones, _terrain(dataset))))
    if axis != "level":
        sign = 1.0 if kind == "sea" else -1.0
        return Column(axis, np.asarray(_si(dataset, axis, "length").values, float), ((sign * ones, _terrain(dataset)),))
    if {"level", "decay", "terrain"} <= set(dataset.variables):
        decay = np.asarray(dataset["decay"].values, float)
        factor = decay if kind == "sea" else decay - 1.0
        levels = np.asarray(_si(dataset, "level", "length").values, float)
        return Column(axis, levels, ((factor, _terrain(dataset)),))
    # Levels of another model, which move with its surface pressure, have their heights as a field.
    moving = "altitude" not in dataset.variables and "geopotential_height" in dataset.variables
    height = _field(dataset, "geopotential_height" if moving else "altitude", "length", axis)
    terms = ((ones, height),)
    return Column(axis, zero, terms if kind == "sea" else (*terms, (-ones, _terrain(dataset))))


def _si(dataset: xr.Dataset, name: str, kind: str) -> xr.Variable:
    """A variable in SI."""
    variable = dataset[name].variable
    function = in_si(variable, kind, name)
    if variable.attrs["units"] in ("m", "Pa"):
        return variable
    return computed(variable.sizes, float, lambda key: function(values(variable, key)))


def _terrain(dataset: xr.Dataset) -> xr.Variable:
    """Height of the ground [m]."""
    if "terrain" not in dataset.variables:
        raise InputError("The dataset has no terrain, from which heights above ground follow")
    return _si(dataset, "terrain", "length")


def _field(dataset: xr.Dataset, name: str, kind: str, axis: str) -> xr.Variable:
    """A field on the levels that gives the vertical coordinate, in SI."""
    if name not in dataset.variables or axis not in dataset[name].dims:
        raise InputError(f"The dataset has no {name} on its levels ({axis}), from which the vertical position follows")
    return _si(dataset, name, kind)


def locate(coordinate: np.ndarray, target: Any) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """The levels about a position: number of the lower one along the axis, weight of the next, whether it is outside.

    Args:
        coordinate: (levels, ...), rising or falling along the axis in all columns alike; NaN where a column does not
            reach a level. Between levels of which one is missing a position is outside.
        target: positions that broadcast to the columns.

    Raises:
        InputError: the coordinate is not monotonic.
    """
    size = coordinate.shape[0]
    if size < 2:
        raise InputError("A single level cannot be interpolated in the vertical")
    steps = np.diff(coordinate, axis=0)
    falling = bool(np.nanmax(steps) < 0.0) if np.any(np.isfinite(steps)) else False
    if falling:
        coordinate, target = -coordinate, -np.asarray(target, float)
    elif np.any(steps <= 0.0):
        raise InputError("The vertical coordinate of the dataset does not rise from level to level in all columns")
    with np.errstate(invalid="ignore"):
        # Levels without a position, as those of pressure below ground, are none of the two about the target.
        first, last = _outermost(np.isfinite(coordinate))
        beneath = coordinate <= target
        found = np.where(beneath.any(axis=0), size - 1 - np.argmax(beneath[::-1], axis=0), first)
        low = np.clip(found, 0, np.clip(last - 1, 0, size - 2))
        low = np.broadcast_to(low, np.broadcast_shapes(low.shape, coordinate.shape[1:]))
        below, above = (np.take_along_axis(coordinate, (low + step)[None], axis=0)[0] for step in (0, 1))
        weight = (target - below) / (above - below)
        # A position on the outermost level itself may be rounded beyond it.
        outside = ~((weight >= -1e-9) & (weight <= 1.0 + 1e-9))
    return low, np.clip(np.where(outside, 0.0, weight), 0.0, 1.0), outside


def _outermost(known: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Numbers of the first and the last level (...) that columns have, of whether they have each (levels, ...)."""
    return np.argmax(known, axis=0), known.shape[0] - 1 - np.argmax(known[::-1], axis=0)


_NEW: Final[Mapping[str, tuple[str, dict[str, str]]]] = {
    "ground": ("height", {"standard_name": "height", "long_name": "height above ground"}),
    "sea": ("altitude", {"standard_name": "altitude", "long_name": "height above mean sea level"}),
}


def heights(dataset: xr.Dataset, metres: Any, above: Literal["ground", "sea"] = "ground") -> xr.Dataset:
    """Fields of the air at heights, linear in height between the levels of each column.

    Values are worked out when they are asked for; only the levels about the heights are read. Missing (NaN) below the
    lowest and above the highest level: nothing is extrapolated to the ground.

    Args:
        dataset: from `kaiseki.open`, on model levels, pressure levels (with geopotential height) or height levels; or
            after a selection of places.
        metres: height or heights [m].
        above: "ground" or "sea" (mean sea level).

    Returns:
        Dataset with the dimension `height` (above ground) or `altitude` (above mean sea level) in the place of the
        levels, or with neither for a single height. Fields of the surface and the soil stay.

    Raises:
        InputError: no such word; heights that are none; the dataset has no levels.
    """
    if above not in _NEW:
        raise InputError(f"Heights are above the ground or above the sea, not above {above!r}")
    need_dataset(dataset)
    wanted = numbers(metres, "Heights")
    if wanted.ndim > 1 or wanted.size == 0 or not np.all(np.isfinite(wanted)):
        raise InputError("Heights must be one number or a list of numbers, in m")
    if above == "ground" and (wanted < 0.0).any():
        raise InputError(f"Heights above ground cannot be negative; got {wanted.min():g} m")
    name, attributes = _NEW[above]
    coordinate = column(dataset, above)
    axis, targets = coordinate.axis, np.atleast_1d(wanted)
    fields = {
        key: _at_heights(one.variable, coordinate, targets, name) if axis in one.dims else one.variable
        for key, one in dataset.data_vars.items()
    }
    kept = {key: one for key, one in dataset.coords.items() if axis not in one.dims and key != name}
    result = xr.Dataset(fields, kept, dict(dataset.attrs))
    more = {**attributes, "units": "m", "positive": "up", "axis": "Z"}
    result = result.assign_coords({name: (name, targets, more)})
    return result.isel({name: 0}) if wanted.ndim == 0 else result


def _at_heights(source: xr.Variable, coordinate: Column, targets: np.ndarray, name: str) -> xr.Variable:
    """One field at heights."""
    axis = coordinate.axis
    others = tuple(dim for dim in source.dims if dim != axis)
    where = source.dims.index(axis)

    def part(key: dict[Any, Key]) -> np.ndarray:
        own = {dim: key[dim] for dim in others}
        position = coordinate.part(own, others)
        found = [locate(position, target) for target in targets[key[name]]]
        low, high = (int(pick([one[0] for one in found])) for pick in (np.min, np.max))
        read = np.moveaxis(values(source, {**own, axis: slice(low, high + 2)}), where, 0).astype(float)
        results = []
        for number, weight, outside in found:
            below, above = (np.take_along_axis(read, (number - low + step)[None], axis=0)[0] for step in (0, 1))
            value = np.where(weight == 0.0, below, np.where(weight == 1.0, above, below + weight * (above - below)))
            results.append(np.where(outside, np.nan, value))
        return np.moveaxis(np.stack(results), 0, where)

    sizes = {name if dim == axis else dim: targets.size if dim == axis else source.sizes[dim] for dim in source.dims}
    result = computed(sizes, floating(source.dtype), part, source.attrs)
    coordinates = source.encoding.get("coordinates")
    if coordinates:
        result.encoding["coordinates"] = " ".join(one for one in coordinates.split() if one != "altitude")
    return result
