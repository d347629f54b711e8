"""Pieces of files: what an index knows of a field before any of its values is read."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from kaiseki.core.errors import InputError
from kaiseki.driving.sources.grids import Grid, Window
from kaiseki.driving.sources.intervals import brought
from kaiseki.driving.sources.layouts import Layer
from kaiseki.driving.sources.origin import Origin
from kaiseki.driving.sources.quantities import QUANTITIES
from kaiseki.driving.sources.units import SI, Unit, spellings, unit_of

ON_PRESSURE, ON_HYBRID, GROUND, IN_SOIL = "pressure", "hybrid", "ground", "soil"
"""Kinds of levels: pressure in Pa, numbers of model levels, the ground (0), middles of soil layers in m."""

type Reader = Callable[[int, Sequence[int], Window], np.ndarray]
"""Gives values (levels, ny, nx) in the file's unit, NaN where missing, from the index of a time, those of levels, and
the part of the grid that is wanted."""


@dataclass(frozen=True, eq=False)
class Piece:
    """Values of one quantity in one file, at some times on some levels of one grid.

    Attributes:
        quantity: of `layouts.QUANTITIES`.
        path, label: file, and variable or record in it, for messages.
        kind: of the levels.
        levels: (n,), in the order of the file.
        times: (nt,) datetime64[s], None for what does not change.
        grid: horizontal grid.
        unit: of the values that `reader` gives.
        reader: reads values.
        layers: tops and bottoms of soil layers, m; empty for others.
        half_levels: coefficients (2, nhalf) a [Pa] and b of the half levels, from the top, p = a + b ps.
        assumed: unit that the file does not state but the layout's description.
        origin: member, version and run.
        starts: (nt,) datetime64[s], of the intervals over which a sum or mean is, which end at `times`; None for an
            instant.
        heights: (2, levels) zz [m] and ff of levels that follow the terrain, z = zz + ff times its height, the lowest
            first; None for others.
    """

    quantity: str
    path: Path
    label: str
    kind: str
    levels: tuple[float, ...]
    times: np.ndarray | None
    grid: Grid
    unit: Unit
    reader: Reader
    layers: tuple[Layer, ...] = ()
    half_levels: np.ndarray | None = None
    assumed: str = ""
    origin: Origin = field(default_factory=Origin)
    starts: np.ndarray | None = None
    heights: np.ndarray | None = None

    @property
    def where(self) -> str:
        """File and variable or record, for messages."""
        return f"{self.path}: {self.label}"

    def read(self, time: int, levels: Sequence[int], window: Window) -> np.ndarray:
        """Values (levels, ny, nx) in SI, NaN where missing; of an interval its sum or mean as the quantity is.

        Raises:
            InputError: the file is damaged, or values are outside the bounds of the quantity.
        """
        values = np.asarray(self.reader(time, levels, window), dtype=np.float64)
        if self.starts is not None and self.times is not None:
            values = brought(self.quantity, self.unit, values, (self.starts[time], self.times[time]))
        elif self.unit.factor != 1.0:
            values = self.unit.factor * values
        if self.unit.offset != 0.0:
            values = values + self.unit.offset
        bounds = QUANTITIES[self.quantity]
        with np.errstate(invalid="ignore"):
            wrong = (values < bounds.low) | (values > bounds.high)
        if wrong.any():
            raise InputError(
                f"{self.where}: {self.quantity} is outside {bounds.low:g} to {bounds.high:g} "
                f"{SI[bounds.kind]} ({values[wrong].flat[0]:g}); check the file's units or whether it is damaged."
            )
        return values


@dataclass(frozen=True)
class Refused:
    """A field that is not taken, with the reason.

    Attributes:
        path, label: file, and variable or record in it.
        reason: as the end of a sentence.
    """

    path: Path
    label: str
    reason: str

    def __str__(self) -> str:
        return f"{self.label} of {self.path.name}: {self.reason}"


def chosen(where: str, quantities: Sequence[str], units: str | None, default: str | None) -> tuple[str, Unit, str]:
    """Quantity that a variable is by its unit, the unit, and the one assumed where the file states none.

    Args:
        where: file and variable, for messages.
        quantities: that the variable may be.
        units: as the file states it, None or "" where it does not.
        default: unit that its layout documents, None if there is none.

    Raises:
        InputError: the unit is not understood, is of another kind, or is not stated and could be another.
    """
    assumed = ""
    if not (units or "").strip():
        if default is None or quantities[0] == "relative_humidity":
            raise InputError(
                f"{where} states no unit; give it the attribute units, one of "
                f"{spellings(QUANTITIES[quantities[0]].kind)}."
            )
        units = assumed = default
    unit = unit_of(str(units))
    for quantity in quantities:
        if unit is not None and unit.kind == QUANTITIES[quantity].kind:
            return quantity, unit, assumed
    kinds = "; ".join(f"{quantity} in {spellings(QUANTITIES[quantity].kind)}" for quantity in quantities)
    raise InputError(f"{where} has the unit {units!r}; expected {kinds}.")


def runs(indices: Sequence[int] | np.ndarray) -> tuple[list[slice], np.ndarray]:
    """Slices that hold all indices with little else, and the places of the indices in what the slices give, joined.

    Indices farther apart than eight go into slices of their own, as columns on either side of a file's seam do.
    """
    wanted = np.asarray(indices)
    ordered = np.unique(wanted)
    parts = np.split(ordered, np.flatnonzero(np.diff(ordered) > 8) + 1)
    slices = [slice(int(part[0]), int(part[-1]) + 1) for part in parts]
    held = np.concatenate([np.arange(part.start, part.stop) for part in slices])
    return slices, np.searchsorted(held, wanted)
