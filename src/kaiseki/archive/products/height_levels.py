"""Fields at heights above the ground, such as wind at the hub of a turbine.

Wind, temperature and humidity are linear in the logarithm of the height above ground, the profile of a neutral surface
layer: between model levels, and from the wind at 10 m and the air at 2 m, if the dataset has them, to the lowest model
level above. At 10 m the wind is therefore the dataset's own. The wind is interpolated as a vector, temperature as dry
static energy (so that a well-mixed layer comes out exactly), ln p linearly in height. Where nothing lies below, the
result is NaN, and so it is above the highest level. Of the stability of the air between two levels nothing is known.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final

import numpy as np
import xarray as xr

from kaiseki.archive.products.blocks import Axes, Block, Target, assembled, known
from kaiseki.archive.products.local_fields import LOCAL, OF_WIND, virtual_temperature
from kaiseki.archive.selection.inputs import numbers
from kaiseki.core.constants import CP_DRY, GRAVITY
from kaiseki.core.errors import InputError
from kaiseki.diagnostics.columns import ColumnInterpolation
from kaiseki.diagnostics.pressure import pressure_below

HEIGHT_LEVELS: Final = (10.0, 20.0, 30.0, 50.0, 80.0, 100.0, 120.0, 150.0, 200.0, 250.0, 300.0)
"""Usual heights above ground, m."""

_GROUND: Final[Mapping[str, tuple[str, float]]] = {
    "eastward_wind": ("eastward_wind_10m", 10.0),
    "northward_wind": ("northward_wind_10m", 10.0),
    "temperature": ("temperature_2m", 2.0),
    "qv": ("specific_humidity_2m", 2.0),
}
"""Fields near the ground that continue those on model levels, and their heights [m]."""

_HEIGHT: Final = {
    "standard_name": "height",
    "long_name": "height above ground",
    "units": "m",
    "positive": "up",
    "axis": "Z",
}


def height_above_ground(block: Block) -> np.ndarray:
    """Height of the model levels above the ground (m), (z, ...).

    Raises:
        InputError: the dataset has no model levels with `altitude` and `terrain`, or the lowest lies under the ground.
    """

    def make() -> np.ndarray:
        if block.axes.vertical != "level" or not block.has("altitude", "terrain"):
            raise InputError(
                "Heights above ground need fields on model levels with the coordinates 'altitude' and 'terrain'"
            )
        height = np.asarray(block["altitude"], float) - block["terrain"]
        if not (np.nanmin(height[0], initial=np.inf) > 0.0 and not np.any(np.diff(height, axis=0) <= 0.0)):
            raise InputError("The model levels must rise from above the ground; 'altitude' and 'terrain' do not fit")
        return height

    return block.once("height above ground", make)


class AtHeights:
    """The fields of a block at heights above ground, each interpolated when it is first asked for."""

    def __init__(self, block: Block, heights: np.ndarray) -> None:
        self.block, self.heights = block, heights
        self._made: dict[str, np.ndarray] = {}

    def has(self, *names: str) -> bool:
        """Whether there are fields of all these names on model levels."""
        return all(self.block.has(name) and "level" in self.block.dataset[name].dims for name in names)

    def __getitem__(self, name: str) -> np.ndarray:
        """A field (height, ...), interpolated, or made of interpolated ones."""
        if name not in self._made:
            stored = name not in OF_WIND and (self.has(name) or name not in LOCAL)
            self._made[name] = self._interpolated(name) if stored else LOCAL[name](self)
        return self._made[name]

    def _interpolation(self, base: float | None) -> ColumnInterpolation:
        height = height_above_ground(self.block)
        bottom = None if base is None else np.log(base)
        make = lambda: ColumnInterpolation.to(np.log(self.heights), np.log(height), bottom)  # noqa: E731
        return self.block.once(("to height", base), make)

    def _interpolated(self, name: str) -> np.ndarray:
        if name == "pressure":
            return self._pressure()
        ground, base = _GROUND.get(name, ("", 0.0))
        near = self.block[ground] if ground and self.block.has(ground) else None
        field = self.block[name]
        if name != "temperature":
            return self._apply(field, near, base)
        # Dry static energy over cp: constant in well-mixed air.
        lift = GRAVITY / CP_DRY
        field = field + lift * height_above_ground(self.block)
        result = self._apply(field, None if near is None else near + lift * base, base)
        return result - lift * self.heights.reshape(-1, *[1] * (result.ndim - 1))

    def _apply(self, field: np.ndarray, near: np.ndarray | None, base: float) -> np.ndarray:
        height = height_above_ground(self.block)
        shape = np.broadcast_shapes(field.shape, height.shape)
        interpolation = self._interpolation(None if near is None else base)
        full = np.broadcast_to(field, shape)
        if height.shape == shape:
            return interpolation(full, near)
        # Heights that do not change along an axis, such as time, have weights that do not.
        spread = (len(self.heights), *shape[1:])
        parts = (interpolation.below, interpolation.above, interpolation.weight)
        return ColumnInterpolation(*(np.broadcast_to(part, spread) for part in parts))(full, near)

    def _pressure(self) -> np.ndarray:
        """Pressure: ln p linear in height between levels, hydrostatic with the standard lapse rate below the lowest."""
        height, pressure = height_above_ground(self.block), self.block["pressure"]
        shape = np.broadcast_shapes(height.shape, pressure.shape)
        linear = ColumnInterpolation.to(self.heights, np.broadcast_to(height, shape))
        inside = np.exp(linear(np.log(np.broadcast_to(pressure, shape))))
        depth = height[0] - self.heights.reshape(-1, *[1] * (height.ndim - 1))
        temperature = virtual_temperature(self.block)[0]
        below = pressure_below(pressure[0], temperature, np.maximum(depth, 0.0))
        return np.where(depth > 0.0, below, inside)


def on_height_levels(
    dataset: xr.Dataset, heights: Sequence[float] | np.ndarray = HEIGHT_LEVELS, variables: Sequence[str] | None = None
) -> xr.Dataset:
    """Fields of `kaiseki.open` at heights above the ground; how they are interpolated is said in the module.

    Some times are read after another; the result is in memory.

    Args:
        dataset: on model levels, with `altitude` and `terrain`; choose times and places before.
        heights: above ground [m], positive.
        variables: fields on model levels, or what `LOCAL` makes of them (speed and direction of the wind, relative
            humidity ...); None for wind, temperature, humidity and pressure as far as the dataset has them.

    Returns:
        Dataset with the axis `height` in the place of `level`.

    Raises:
        InputError: no model levels, a variable that is not there, infinities, or heights that are not positive.
    """
    wanted = np.atleast_1d(numbers(heights, "Heights"))
    if wanted.ndim != 1 or wanted.size == 0 or not np.all(wanted > 0.0):
        raise InputError("Heights above ground must be positive, in m")
    if Axes.of(dataset).vertical != "level":
        raise InputError("Height levels are made of fields on model levels, which this dataset does not have")
    air = [str(name) for name, array in dataset.data_vars.items() if "level" in array.dims]
    if variables is None:
        variables = [name for name in (*_GROUND, "pressure") if name in air]
    names = known(variables, [*air, *(name for name in LOCAL if name not in air)], "field at heights")
    target = Target("height", wanted, _HEIGHT)

    def make(block: Block) -> dict[str, np.ndarray]:
        fields = AtHeights(block, wanted)
        return {name: fields[name] for name in names}

    return assembled(dataset, dict.fromkeys(names, target), make)
