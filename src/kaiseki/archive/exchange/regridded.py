"""A dataset on another horizontal grid, with its metadata, computed as it is read."""

from __future__ import annotations

import re
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any, Final

import numpy as np
import xarray as xr
from xarray.backends import BackendArray
from xarray.core import indexing

from kaiseki.archive.exchange.mapping import Horizontal, grid_of, horizontal
from kaiseki.archive.store.metadata import (
    AXIS_ATTRIBUTES,
    GRID_MAPPING,
    STATIC_ATTRIBUTES,
    grid_mapping,
    program_version,
)
from kaiseki.core.errors import InputError
from kaiseki.grid.regridding import LatLonGrid, MapGrid, Regridding, bilinear, conservative

__all__ = ["grid_of", "regridded"]

_AT_ONCE: Final = 2**28
"""Bytes of the source that are read at once, unless one step of the first axis has more."""
_NOT_A_COMPONENT: Final = re.compile(r"maximum|minimum|standard_deviation|variance|percentile|median|standard_error")
"""Words of statistics whose values for eastward and northward are no components of one vector."""


def regridded(dataset: xr.Dataset, target: LatLonGrid | MapGrid, method: str = "bilinear") -> xr.Dataset:
    """A dataset of `kaiseki.open`, or one like it, on another grid.

    Every variable over the whole grid is regridded when it is read, a few times at once; the rest is kept. Coordinates
    such as altitude and terrain are regridded in the same way: model levels stay model levels. The dimensions become
    lat, lon or y, x. Pairs of eastward and northward components are regridded as vectors; the spread of a component,
    its extremes and percentiles are no vectors and are regridded as scalars, which their `comment` says. Conservative
    adds "area: mean" to `cell_methods`. Missing values: see `Regridding`.

    Args:
        dataset: with a grid that `grid_of` knows.
        target: the grid wanted.
        method: "bilinear" (values at the points) or "conservative" (means over the cells; for sums, fluxes and
            fractions).

    Raises:
        InputError: no such grid or method; a variable that has no mean (flags, whole numbers, directions), components
            along the axes of the grid, or one component without the other.
    """
    if method not in ("bilinear", "conservative"):
        raise InputError(f"There are the methods bilinear and conservative, not {method!r}")
    place = horizontal(dataset)
    source = grid_of(dataset)
    for name, array in dataset.data_vars.items():
        _refuse(str(name), array, place)
    pairs = _pairs(dataset, place)
    operator = bilinear(source, target) if method == "bilinear" else conservative(source, target)
    axes = ("lat", "lon") if isinstance(target, LatLonGrid) else ("y", "x")
    variables: dict[str, xr.Variable] = {}
    for name in map(str, dataset.variables):
        given = dataset.variables[name]
        over = [axis in given.dims for axis in (place.rows, place.columns)]
        if name == place.mapping or name in ("lat", "lon", "x", "y") or (any(over) and not all(over)):
            continue
        if not any(over):
            variables[name] = given
        elif given.dtype.kind == "f":
            parts = tuple(dataset.variables[part] for part in pairs.get(name, (name,)))
            component = pairs[name].index(name) if name in pairs else None
            variables[name] = _on_target(name, parts, component, operator, place, axes)
    for name in dataset.data_vars:
        if str(name) in variables and axes[0] in variables[str(name)].dims:
            _describe(str(name), variables[str(name)], method, str(name) in pairs)
    coordinates = {name: one for name, one in variables.items() if name in dataset.coords}
    coordinates |= _coordinates(target, dataset, place, source)
    result = xr.Dataset(
        {name: one for name, one in variables.items() if name not in coordinates}, coordinates, dict(dataset.attrs)
    )
    now = datetime.now(UTC).isoformat("T", "seconds").replace("+00:00", "Z")
    line = f"{now} regridded ({method}) by Kaiseki {program_version()}"
    result.attrs["history"] = "\n".join(filter(None, [str(dataset.attrs.get("history", "")), line]))
    result.encoding = dict(dataset.encoding)
    return result


class _Lazy(BackendArray):
    """A variable on the target grid, computed from those of the source as it is indexed."""

    def __init__(self, parts: Sequence[xr.Variable], component: int | None, operator: Regridding) -> None:
        """Lazy array of one field (..., *source.shape), or of one component of a vector that has two."""
        self._parts, self._component, self._operator = tuple(parts), component, operator
        self.shape = (*parts[0].shape[:-2], *operator.target.shape)
        self.dtype = np.result_type(*(part.dtype for part in parts), np.float32)

    def __getitem__(self, key: indexing.ExplicitIndexer) -> Any:
        return indexing.explicit_indexing_adapter(key, self.shape, indexing.IndexingSupport.OUTER, self._read)

    def _read(self, key: tuple[Any, ...]) -> np.ndarray:
        """Values of an index of whole numbers, slices and one-dimensional arrays, each along its own axis."""
        leading = dict(zip(self._parts[0].dims[:-2], key[:-2], strict=True))
        parts = [part.isel(leading) for part in self._parts]
        rows, columns = key[-2:]
        if parts[0].ndim == 2:
            return self._compute(parts)[..., rows, :][..., columns]
        along, number = parts[0].dims[0], parts[0].shape[0]
        size = parts[0].dtype.itemsize * int(np.prod(parts[0].shape[1:])) * len(parts)
        block = max(1, _AT_ONCE // max(size, 1))
        shape = (*parts[0].shape[:-2], *np.empty(self.shape[-2:], bool)[rows, :][..., columns].shape)
        result = np.empty(shape, self.dtype)
        for start in range(0, number, block):
            chosen = slice(start, start + block)
            fields = self._compute([part.isel({along: chosen}) for part in parts])
            result[chosen] = fields[..., rows, :][..., columns]
        return result

    def _compute(self, parts: Sequence[xr.Variable]) -> np.ndarray:
        """Fields of variables (..., *source.shape) on the target."""
        values = [np.asarray(part.values) for part in parts]
        if self._component is None:
            return self._operator(values[0]).astype(self.dtype, copy=False)
        return self._operator.wind(values[0], values[1])[self._component].astype(self.dtype, copy=False)


def _on_target(
    name: str,
    parts: Sequence[xr.Variable],
    component: int | None,
    operator: Regridding,
    place: Horizontal,
    axes: tuple[str, str],
) -> xr.Variable:
    """A variable on the target grid, with the attributes of the source's."""
    own = parts[component or 0]
    leading = [dim for dim in own.dims if dim not in place[:2]]
    ordered = [part.transpose(*leading, place.rows, place.columns) for part in parts]
    lazy = indexing.LazilyIndexedArray(_Lazy(ordered, component, operator))
    # As xarray does with what it opens: it is kept once it is read, and a value set later does not reach the source.
    cached: Any = indexing.MemoryCachedArray(lazy)
    data: Any = indexing.CopyOnWriteArray(cached)
    attributes = {key: value for key, value in own.attrs.items() if key not in ("coordinates", "grid_mapping")}
    listed = str(own.encoding.get("coordinates") or own.attrs.get("coordinates") or "").split()
    more = [one for one in listed if one not in ("lat", "lon", "latitude", "longitude")]
    kept = [*(("lat", "lon") if axes == ("y", "x") else ()), *more]
    encoding = {"coordinates": " ".join(kept)} if kept else {}
    return xr.Variable((*leading, *axes), data, attributes, encoding)


def _describe(name: str, variable: xr.Variable, method: str, vector: bool) -> None:
    """Attributes that say how a data variable came onto its grid."""
    variable.attrs["grid_mapping"] = GRID_MAPPING
    methods = str(variable.attrs.get("cell_methods", ""))
    if method == "conservative" and "area:" not in methods:
        variable.attrs["cell_methods"] = f"{methods} area: mean".strip()
    if not vector and _direction(name, variable) is not None:
        words = "Regridded as a scalar: a statistic of one component is not turned from one place to another."
        variable.attrs["comment"] = " ".join(filter(None, [str(variable.attrs.get("comment", "")), words]))


def _coordinates(
    target: LatLonGrid | MapGrid, dataset: xr.Dataset, place: Horizontal, source: LatLonGrid | MapGrid
) -> dict[str, xr.Variable]:
    """Coordinates of the target grid, with its grid mapping."""
    attributes: dict[str, Any]
    if isinstance(target, MapGrid):
        lat, lon = target.points()
        places = {
            "y": xr.Variable("y", target.y, AXIS_ATTRIBUTES["y"]),
            "x": xr.Variable("x", target.x, AXIS_ATTRIBUTES["x"]),
            "lat": xr.Variable(("y", "x"), lat, STATIC_ATTRIBUTES["lat"]),
            "lon": xr.Variable(("y", "x"), lon, STATIC_ATTRIBUTES["lon"]),
        }
        attributes = grid_mapping(target.projection)
    else:
        places = {
            "lat": xr.Variable("lat", target.lat, STATIC_ATTRIBUTES["lat"] | {"axis": "Y"}),
            "lon": xr.Variable("lon", target.lon, STATIC_ATTRIBUTES["lon"] | {"axis": "X"}),
        }
        attributes = {"grid_mapping_name": "latitude_longitude"}
        if isinstance(source, MapGrid):
            attributes["earth_radius"] = float(source.projection.radius)
        elif place.mapping is not None:
            attributes |= dataset[place.mapping].attrs
    return places | {GRID_MAPPING: xr.Variable((), np.int32(0), attributes)}


def _refuse(name: str, array: xr.DataArray, place: Horizontal) -> None:
    """InputError for a variable of which no mean over space can be taken, or not in this way."""
    over = [axis in array.dims for axis in place[:2]]
    if name == place.mapping or not any(over):
        return
    standard_name = str(array.attrs.get("standard_name", ""))
    if not all(over):
        raise InputError(
            f"The variable {name!r} lies along {' and '.join(map(str, array.dims))} alone; a grid needs both "
            f"{place.rows} and {place.columns}, so leave it out"
        )
    if array.dtype.kind != "f" or "flag_meanings" in array.attrs:
        raise InputError(
            f"The variable {name!r} holds flags or whole numbers ({array.dtype}), which have no mean between them; "
            "leave it out, or make a fraction of it"
        )
    if re.search(r"_(from|to)_direction$", standard_name):
        raise InputError(f"The variable {name!r} is a direction, which has no mean; regrid the components of the wind")
    if re.search(r"(^|_)[xy]_", standard_name) or name in ("u", "v"):
        raise InputError(
            f"The variable {name!r} ({standard_name}) is a component along the axes of the grid; turn it to eastward "
            "and northward first"
        )


def _direction(name: str, variable: xr.Variable | xr.DataArray) -> str | None:
    """The word "eastward" or "northward" in the standard name of a variable, or in its name if it has none."""
    found = re.search(r"eastward|northward", str(variable.attrs.get("standard_name", name)))
    return found.group() if found else None


def _pairs(dataset: xr.Dataset, place: Horizontal) -> dict[str, tuple[str, str]]:
    """Names of both components (eastward, northward) of the vector that a variable belongs to.

    Raises:
        InputError: one component is not there, or several could be it.
    """
    components: dict[str, tuple[str, str]] = {}
    for name, array in dataset.data_vars.items():
        words = f"{array.attrs.get('standard_name', '')} {array.attrs.get('cell_methods', '')}"
        statistic = str(name).endswith("_spread") or _NOT_A_COMPONENT.search(words)
        direction = _direction(str(name), array)
        if place.rows in array.dims and direction is not None and not statistic:
            components[str(name)] = (direction, str(array.attrs.get("standard_name", "")))
    pairs: dict[str, tuple[str, str]] = {}
    for name, (direction, standard_name) in components.items():
        other = "northward" if direction == "eastward" else "eastward"
        wanted = standard_name.replace(direction, other)
        alike = [one for one, what in components.items() if what == (other, wanted)]
        same = [one for one, what in components.items() if what == (direction, standard_name)]
        renamed = {name.replace(direction, other), re.sub("^[uv]", "v" if direction == "eastward" else "u", name)}
        named = [one for one in alike if one in renamed]
        mate = named[0] if len(named) == 1 else alike[0] if len(alike) == len(same) == 1 else None
        if mate is None:
            raise InputError(
                f"The variable {name!r} is the {direction} component of a vector; regridding needs the {other} one "
                f"({name.replace(direction, other)!r}) as well"
            )
        if set(dataset[mate].dims) != set(dataset[name].dims):
            raise InputError(f"The components {name!r} and {mate!r} of a vector have different dimensions")
        pairs[name] = (name, mate) if direction == "eastward" else (mate, name)
    return pairs
