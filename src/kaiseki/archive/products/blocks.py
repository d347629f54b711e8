"""A product made block by block: some times of a dataset are read, used and let go.

Inside a block the fields are NumPy arrays with the vertical axis first, then the axes in which columns are repeated
(times, members, places), the horizontal ones last; axes that a field does not have are of length one. Of a
single column there is one such axis.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import xarray as xr

from kaiseki.archive.selection import inputs
from kaiseki.archive.selection.inputs import need_dataset
from kaiseki.archive.store.heights import height_of, with_heights
from kaiseki.core.errors import InputError
from kaiseki.core.variables import VARIABLES

VERTICAL: Final = ("level", "pressure", "height")
"""Names of vertical axes of the air."""

LARGEST_BLOCK: Final = 16_000_000
"""Values of one field that a block may hold, unless one time has more."""


@dataclass(frozen=True)
class Axes:
    """Names of the axes of a dataset's fields in the air.

    Attributes:
        columns: axes along which columns are repeated, such as times, in the order of the dataset.
        vertical: "level", "pressure" or "height"; None if there is no field in the air.
        horizontal: axes of latitude and longitude: two of a grid, one of a list of places, none of a single place.
    """

    columns: tuple[str, ...]
    vertical: str | None
    horizontal: tuple[str, ...]

    @classmethod
    def of(cls, dataset: xr.Dataset) -> Axes:
        """Axes of a dataset of `kaiseki.open`, or of one selected from it.

        Raises:
            InputError: there are no coordinates `lat` and `lon`, or fields on different vertical axes.
        """
        need_dataset(dataset)
        missing = [name for name in ("lat", "lon") if name not in dataset.coords]
        if missing:
            raise InputError(f"A product needs the coordinate {missing[0]!r}, which the dataset does not have")
        horizontal = tuple(str(name) for name in dict.fromkeys((*dataset["lat"].dims, *dataset["lon"].dims)))
        fields = [array for array in dataset.data_vars.values() if array.dtype.kind == "f"]
        verticals = [name for name in VERTICAL if any(name in array.dims for array in fields)]
        if len(verticals) > 1:
            raise InputError(
                f"The dataset holds fields on {' and on '.join(verticals)}; choose those of one of them before"
            )
        fixed = {*horizontal, *VERTICAL, "soil_level", "bounds"}
        columns = dict.fromkeys(str(name) for array in fields for name in array.dims if name not in fixed)
        return cls(tuple(columns), verticals[0] if verticals else None, horizontal)


class Block:
    """Some times of a dataset; every field is read when it is first asked for, and kept."""

    def __init__(self, dataset: xr.Dataset, axes: Axes) -> None:
        self.dataset, self.axes = dataset, axes
        self._made: dict[object, Any] = {}

    def has(self, *names: str) -> bool:
        """Whether there are fields or coordinates of all these names."""
        return all(name in self.dataset.variables for name in names)

    def __getitem__(self, name: str) -> np.ndarray:
        """A field or coordinate, (vertical, ...) if it has a vertical axis, else (...).

        Raises:
            InputError: there is none, it has other axes, or it holds infinities.
        """
        return np.asarray(self.once(name, lambda: self._read(name)))

    def once[T](self, key: object, make: Callable[[], T]) -> T:
        """What `make` returns, made once for each key."""
        if key not in self._made:
            self._made[key] = make()
        found: T = self._made[key]
        return found

    def _read(self, name: str) -> np.ndarray:
        if name not in self.dataset.variables:
            raise InputError(f"This product needs the field {name!r}, which the dataset does not have; {self._words()}")
        array = self.dataset[name]
        order = [*([self.axes.vertical] if self.axes.vertical else []), *self.axes.columns, *self.axes.horizontal]
        strange = [str(axis) for axis in array.dims if axis not in order]
        if strange:
            raise InputError(f"The field {name!r} has the axis {strange[0]!r}; expected are {', '.join(order)}")
        own = [axis for axis in order if axis in array.dims]
        values = array.transpose(*own).values
        if np.isinf(values).any():
            raise InputError(f"The field {name!r} holds infinities{self._when()}, of which no product is made")
        vertical = self.axes.vertical in array.dims
        upright = [array.sizes[self.axes.vertical]] if vertical else []
        columns = [array.sizes.get(axis, 1) for axis in order if axis != self.axes.vertical]
        return np.asarray(values.reshape([*upright, *(columns or [1])]))

    def _when(self) -> str:
        if "time" not in self.dataset.coords or self.dataset["time"].size == 0:
            return ""
        return f" at or after {self.dataset['time'].values.ravel()[0].astype('datetime64[m]')} UTC"

    def _words(self) -> str:
        return f"there are {', '.join(str(name) for name in self.dataset.data_vars)}"

    @property
    def column_shape(self) -> tuple[int, ...]:
        """Lengths of all axes but the vertical one; one of length 1 if there is no other."""
        return tuple(self.dataset.sizes[axis] for axis in (*self.axes.columns, *self.axes.horizontal)) or (1,)


def blocks(dataset: xr.Dataset, axes: Axes) -> Iterator[tuple[slice, Block]]:
    """The dataset in blocks along the first of its axes of columns, each with its place on that axis."""
    if not axes.columns:
        yield slice(None), Block(dataset, axes)
        return
    first = axes.columns[0]
    per_step = max(1, dataset.sizes[axes.vertical] if axes.vertical else 1)
    for axis in (*axes.columns[1:], *axes.horizontal):
        per_step *= dataset.sizes[axis]
    length = max(1, LARGEST_BLOCK // per_step)
    for start in range(0, dataset.sizes[first], length):
        part = slice(start, start + length)
        yield part, Block(dataset.isel({first: part}), axes)


@dataclass(frozen=True)
class Target:
    """Vertical axis of a product that is not that of the dataset.

    Attributes:
        name: of the axis.
        values: along the axis.
        attributes: CF attributes of the coordinate.
    """

    name: str
    values: np.ndarray
    attributes: Mapping[str, Any]


def assembled(
    dataset: xr.Dataset,
    vertical: Mapping[str, Target | str | None],
    make: Callable[[Block], Mapping[str, np.ndarray]],
    attributes: Mapping[str, Mapping[str, Any]] | None = None,
) -> xr.Dataset:
    """A product of a dataset, made block by block, as a dataset in memory with the coordinates and attributes.

    Args:
        dataset: of `kaiseki.open`.
        vertical: the fields of the product: the vertical axis of each, the dataset's own by name, None for none.
        make: gives these fields of one block, (vertical, ...) or (...), broadcast against the block.
        attributes: of fields that are not in the table of variables.
    """
    axes = Axes.of(dataset)
    columns = [*axes.columns, *axes.horizontal]
    targets = {one.name: one for one in vertical.values() if isinstance(one, Target)}
    names = {name: one.name if isinstance(one, Target) else one for name, one in vertical.items()}
    sizes: dict[Any, int] = {**dataset.sizes, **{name: one.values.size for name, one in targets.items()}}
    results: dict[str, np.ndarray] = {}
    for part, block in blocks(dataset, axes):
        made = make(block)
        for name, axis in names.items():
            values = np.asarray(made[name])
            upright = [sizes[axis]] if axis else []
            if name not in results:
                kind = np.float32 if values.dtype.kind == "f" else values.dtype
                results[name] = np.empty([*upright, *(sizes[one] for one in columns)], kind)
            place = (*([slice(None)] if axis else []), *([part] if axes.columns else []))
            whole = np.broadcast_to(values, [*upright, *block.column_shape])
            results[name][place] = whole if columns else whole[..., 0]
    mapping = {"grid_mapping": "crs"} if "crs" in dataset.coords else {}
    described = attributes or {}
    variables = {}
    for name, values in results.items():
        own = described.get(name) or VARIABLES[name].attributes()
        axis = names[name]
        order = [*axes.columns, *([axis] if axis else []), *axes.horizontal]
        field = xr.DataArray(values, dims=[*([axis] if axis else []), *columns], attrs=dict(own) | mapping)
        variables[name] = field.transpose(*order)
    product = xr.Dataset(variables, attrs=dict(dataset.attrs))
    used = set(product.dims)
    # A fixed height above ground belongs to the variables of the source.
    coordinates = {
        name: array
        for name, array in dataset.coords.items()
        if set(array.dims) <= used and not str(name).startswith("height_")
    }
    product = product.assign_coords(
        coordinates | {one.name: (one.name, one.values, dict(one.attributes)) for one in targets.values()}
    )
    return _with_listed(with_heights(product))


def _with_listed(product: xr.Dataset) -> xr.Dataset:
    """The product, of which each variable knows what a file calls its coordinates."""
    for name, array in product.items():
        listed = [one for one in ("lat", "lon") if one in product.coords and product[one].dims]
        if (height := height_of(str(name))) is not None:
            listed.append(height[0])
        if "level" in array.dims and "altitude" in product.coords:
            listed.append("altitude")
        if listed and "lat" not in array.dims:
            product[name].encoding["coordinates"] = " ".join(listed)
    return product


def known(names: Sequence[str], possible: Sequence[str], what: str) -> list[str]:
    """The names, all of which must be possible.

    Raises:
        InputError: one is not, or there is none.
    """
    wanted = inputs.names(names, f"The names of each {what}")
    if not wanted:
        raise InputError(f"Name at least one {what}; there are {', '.join(possible)}")
    for name in wanted:
        if name not in possible:
            raise InputError(f"There is no {what} {name!r}; there are {', '.join(possible)}")
    return wanted
