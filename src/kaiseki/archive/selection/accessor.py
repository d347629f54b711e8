"""`ds.kaiseki`: the functions of selection as methods of a dataset."""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable
from typing import Any, Final

import xarray as xr

from kaiseki.archive.selection.areas import area_mean, box, polygon, prefecture
from kaiseki.archive.selection.mesh import mesh
from kaiseki.archive.selection.names import variables
from kaiseki.archive.selection.path import path, profile
from kaiseki.archive.selection.points import points
from kaiseki.archive.selection.times import in_time_zone, period
from kaiseki.archive.selection.units import units
from kaiseki.archive.selection.vertical import heights

FUNCTIONS: Final[tuple[Callable[..., xr.Dataset], ...]] = (
    points, mesh, prefecture, polygon, area_mean, box, path, profile, heights, period, in_time_zone, units, variables,
)  # fmt: skip
"""Functions that the accessor offers; the dataset comes first."""


@xr.register_dataset_accessor("kaiseki")
class Selection:
    """Selection from a dataset: `ds.kaiseki.points(lon, lat)` is `points(ds, lon, lat)`, and so are all the others."""

    def __init__(self, dataset: xr.Dataset) -> None:
        """The selections of a dataset."""
        self._dataset = dataset


def _method(function: Callable[..., xr.Dataset]) -> Callable[..., xr.Dataset]:
    """A function of a dataset as a method, with its words and its arguments but the first."""

    @functools.wraps(function)
    def method(self: Selection, *arguments: Any, **options: Any) -> xr.Dataset:
        return function(self._dataset, *arguments, **options)

    signature = inspect.signature(function)
    _dataset, *others = signature.parameters.values()
    own = inspect.Parameter("self", inspect.Parameter.POSITIONAL_OR_KEYWORD)
    method.__signature__ = signature.replace(parameters=[own, *others])  # type: ignore[attr-defined]
    return method


for _function in FUNCTIONS:
    setattr(Selection, _function.__name__, _method(_function))
