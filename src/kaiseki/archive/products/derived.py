"""Derived fields of a dataset by name: docs/products.md lists formulas and sources."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Final

import numpy as np
import xarray as xr

from kaiseki.archive.products.blocks import VERTICAL, Axes, Block, assembled, known
from kaiseki.archive.products.column_fields import COLUMN
from kaiseki.archive.products.geometry import horizontal_grid
from kaiseki.archive.products.local_fields import LOCAL, density
from kaiseki.core.errors import InputError
from kaiseki.diagnostics import vorticity
from kaiseki.diagnostics.thermodynamics import potential_temperature


def _grid(block: Block) -> vorticity.HorizontalGrid:
    return block.once("grid", lambda: horizontal_grid(block.dataset))


def _height(block: Block) -> np.ndarray:
    """Height of the levels above sea level (m)."""
    return np.asarray(block["altitude" if block.axes.vertical == "level" else "geopotential_height"], float)


def _relative(block: Block) -> np.ndarray:
    winds = block["eastward_wind"], block["northward_wind"]
    return block.once("vorticity", lambda: vorticity.relative_vorticity(*winds, _height(block), _grid(block)))


def _divergence(block: Block) -> np.ndarray:
    winds = block["eastward_wind"], block["northward_wind"]
    return vorticity.horizontal_divergence(*winds, _height(block), _grid(block))


def _potential(block: Block) -> np.ndarray:
    flow = vorticity.Flow(
        block["eastward_wind"],
        block["northward_wind"],
        potential_temperature(block["temperature"], block["pressure"]),
        density(block),
        _height(block),
    )
    return vorticity.potential_vorticity(flow, _grid(block))


ROTATION: Final[Mapping[str, Callable[[Block], np.ndarray]]] = {
    "relative_vorticity": _relative,
    "absolute_vorticity": lambda block: _relative(block) + _grid(block).coriolis,
    "divergence": _divergence,
    "potential_vorticity": _potential,
}
"""Fields in the air that need horizontal derivatives, by name."""

DERIVED: Final = (*LOCAL, *ROTATION, *COLUMN)
"""Names of all derived fields."""


def air_field(block: Block, name: str) -> np.ndarray:
    """A field in the air (z, ...): the dataset's own or, without it, derived."""
    if block.has(name):
        return block[name]
    recipes: Mapping[str, Callable[[Block], np.ndarray]] = {**LOCAL, **ROTATION}
    return block.once(("derived", name), lambda: recipes[name](block))


def derived_fields(dataset: xr.Dataset, variables: Sequence[str]) -> xr.Dataset:
    """Derived fields of a dataset of `kaiseki.open`.

    Some times are read after another; the result is in memory. Fields in the air keep the levels of the dataset, which
    may be model levels or, for all but those without a vertical axis, pressure levels; what follows at each point from
    other fields there is also made on one level that was chosen before.

    Args:
        dataset: choose times and places before.
        variables: names out of `DERIVED`.

    Returns:
        Dataset of these fields with CF attributes; NaN where a field that is needed is NaN.

    Raises:
        InputError: no such field, or the dataset lacks what it needs or holds infinities.
    """
    names = known(variables, DERIVED, "derived field")
    vertical = Axes.of(dataset).vertical
    single = any(one in dataset.coords and not dataset[one].dims for one in (*VERTICAL, "altitude"))
    for name in names if vertical is None else ():
        if name not in COLUMN and not (single and name in LOCAL):
            raise InputError(
                f"The dataset has no vertical axis level, pressure or height, which {name} needs"
                + ("; derive it before you choose a level" if single else "; open a group on levels")
            )

    def make(block: Block) -> dict[str, np.ndarray]:
        recipes: Mapping[str, Callable[[Block], np.ndarray]] = {**LOCAL, **ROTATION, **COLUMN}
        return {name: recipes[name](block) for name in names}

    return assembled(dataset, {name: None if name in COLUMN else vertical for name in names}, make)
