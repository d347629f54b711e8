"""Fields of one quantity and time put together: tiles of JMA's 250-m products on one grid per resolution."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from kaiseki.core.errors import InputError
from kaiseki.formats.jma_grib.grids import MICRODEGREES, Grid
from kaiseki.formats.jma_grib.reading import Field

RESOLUTIONS = {2_083: "250m", 4_167: "500m", 8_333: "1km", 20_833: "2500m", 41_667: "5km"}
"""What JMA calls grids by the distance of their rows, millionths of a degree."""
_OFF = 0.02
"""Part of a cell by which a tile may be off the common grid, for its corners are rounded to millionths of a degree."""


def resolution(grid: Grid) -> str:
    """Resolution of a grid as a part of names: "250m", "1km" or, of others, the distance of rows in microdegrees."""
    return RESOLUTIONS.get(grid.step[0], f"{grid.step[0]}udeg")


def common_grid(grids: Sequence[Grid], where: str) -> tuple[Grid, list[tuple[int, int]]]:
    """The grid around tiles of one resolution, rows from north to south, and the place of each tile's first point.

    Args:
        grids: of the tiles.
        where: file, for messages.

    Raises:
        InputError: the tiles do not lie on one grid with rows from north to south.
    """
    if any(grid.last[0] > grid.first[0] for grid in grids):
        raise InputError(f"{where} has tiles with rows from south to north; those from north to south are read.")
    rows, columns = _exact(grids, 0), _exact(grids, 1)
    north, west = max(grid.first[0] for grid in grids), min(grid.first[1] for grid in grids)
    places = []
    for grid in grids:
        row, column = (north - grid.first[0]) / rows, (grid.first[1] - west) / columns
        if max(abs(row - round(row)), abs(column - round(column))) > _OFF:
            raise InputError(
                f"{where} has tiles that do not lie on one grid of step {grid.step} millionths of a degree."
            )
        places.append((round(row), round(column)))
    shape = tuple(max(place[k] + grid.shape[k] for place, grid in zip(places, grids, strict=True)) for k in (0, 1))
    last = (round(north - (shape[0] - 1) * rows), round(west + (shape[1] - 1) * columns))
    return Grid((shape[0], shape[1]), (north, west), last, grids[0].step, grids[0].shape_of_earth), places


def _exact(grids: Sequence[Grid], axis: int) -> float:
    """Distance of rows (0) or columns (1) in microdegrees: the whole part of a degree that the step rounds."""
    step = grids[0].step[axis]
    parts = round(MICRODEGREES / step)
    exact = MICRODEGREES / parts
    return exact if abs(exact - step) <= 0.5 else float(step)


def assembled(fields: Sequence[Field], lookups: Sequence[np.ndarray], fill: int, where: str) -> tuple[Grid, np.ndarray]:
    """One array of scaled integers from the fields of a time, and its grid.

    Args:
        fields: of one quantity, time and resolution.
        lookups: scaled integer of every level, for each field.
        fill: where no field is.
        where: file, for messages.

    Raises:
        InputError: two fields are at one place, or they lie on no common grid.
    """
    if len(fields) == 1:
        return fields[0].grid, lookups[0][fields[0].levels]
    grid, places = common_grid([field.grid for field in fields], where)
    whole = np.full(grid.shape, fill, lookups[0].dtype)
    taken = np.zeros(grid.shape, bool)
    for field, lookup, (row, column) in zip(fields, lookups, places, strict=True):
        part = np.s_[row : row + field.grid.shape[0], column : column + field.grid.shape[1]]
        if taken[part].any():
            raise InputError(f"{where} has two fields of {field.quantity.title} for one time and place.")
        taken[part] = True
        whole[part] = lookup[field.levels]
    return grid, whole
