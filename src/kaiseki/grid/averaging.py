"""Area averages of latitude-longitude rasters over the cells of a domain."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from kaiseki.core.errors import InputError
from kaiseki.grid.domain import Domain
from kaiseki.grid.raster import Raster

PIECES_PER_CELL = 4
"""Least number of pieces of a pixel that fit into a cell along each axis; larger pixels are split."""
FINE = 0.125
"""Part of a cell below which a piece belongs to the cell in which its centre lies."""


def bounds(domain: Domain) -> tuple[float, float, float, float]:
    """South, north, west, east (degrees) of the domain; longitudes may lie beyond +-180."""
    half = 0.5 * domain.spacing
    x = np.concatenate([domain.x - half, domain.x[-1:] + half])
    y = np.concatenate([domain.y - half, domain.y[-1:] + half])
    x, y = np.meshgrid(x, y)
    return domain.box(*domain.projection.inverse(x, y))


def _shares(position: np.ndarray, width: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """First cell that intervals about `position` (in cells from the grid's edge) touch, and their part in the next."""
    end = position + 0.5 * width
    first = np.floor(position - 0.5 * width)
    return first.astype(np.int32), np.clip(end - first - 1.0, 0.0, width) / width


def average(
    domain: Domain, layers: Sequence[Raster], within: tuple[float, float] | None = None
) -> tuple[np.ndarray, np.ndarray]:
    """Mean over each cell of the first layer that has data, and how much of the cell's area had any.

    The pixels are split into pieces smaller than a cell, and each piece, taken as a rectangle along the grid's axes, is
    shared out to the cells that it touches (a very small one goes to one cell). So the sum over the cells of mean times
    covered area equals the integral over the pixels to round-off.

    Args:
        domain: the target.
        layers: rasters that `Raster.cut` made for `bounds(domain)`, in order of preference.
        within: least and greatest value that can be right; those that do not count, because a layer before them has
            data there or they lie outside the domain, may be others.

    Returns:
        mean (ny, nx), NaN in cells without any data, and coverage (ny, nx), about 0 to 1.

    Raises:
        InputError: a value that counts is not within the bounds.
    """
    # One cell more on each side takes what lies across the edge.
    ny, nx = domain.ny + 2, domain.nx + 2
    total, weight = np.zeros(ny * nx), np.zeros(ny * nx)
    radius = domain.projection.radius
    size = np.rad2deg(domain.spacing / radius / domain.map_factor.max()) / PIECES_PER_CELL
    for number, layer in enumerate(layers):
        for lat, lon, angle, values in layer.pieces(size):
            wanted = np.isfinite(values)
            for better in layers[:number]:
                wanted &= ~better.has_data(lat, lon)
            x, y = domain.projection.forward(lat[:, None], lon[None, :])
            x = (x - domain.x[0]) / domain.spacing + 1.5
            y = (y - domain.y[0]) / domain.spacing + 1.5
            wanted &= (x > 0.5) & (x < nx - 0.5) & (y > 0.5) & (y < ny - 0.5)
            if within is not None and (wrong := wanted & ((values < within[0]) | (values > within[1]))).any():
                row, column = np.argwhere(wrong)[0]
                raise InputError(
                    f"{layer.name}: has the value {layer.pixel_words(float(lat[row]), float(lon[column]))}, where "
                    f"{within[0]:g} to {within[1]:g} is possible; if it marks a void, say so in the file (no-data "
                    'value) or set terrain_voids = "mask" beside terrain_files in the experiment.'
                )
            scale = domain.projection.map_factor(lat) * radius / domain.spacing
            high = np.deg2rad(lat[1] - lat[0] if lat.size > 1 else layer.step_lat) * scale
            wide = np.deg2rad(lon[1] - lon[0] if lon.size > 1 else layer.step_lon) * np.cos(np.deg2rad(lat)) * scale
            index = np.flatnonzero(wanted)
            row = index // lon.size
            x, y, values, angles = x.ravel()[index], y.ravel()[index], values.ravel()[index], angle[row]
            if max(high.max(), wide.max()) < FINE:
                cell = y.astype(np.int32) * nx + x.astype(np.int32)
                weight += np.bincount(cell, angles, minlength=weight.size)
                total += np.bincount(cell, angles * values, minlength=weight.size)
                continue
            i, right = _shares(x, wide[row])
            j, upper = _shares(y, high[row])
            for dj, part_y in ((0, 1.0 - upper), (1, upper)):
                for di, part_x in ((0, 1.0 - right), (1, right)):
                    share = angles * part_y * part_x
                    some = np.flatnonzero(share)
                    cell = (j[some] + dj) * nx + i[some] + di
                    weight += np.bincount(cell, share[some], minlength=weight.size)
                    total += np.bincount(cell, share[some] * values[some], minlength=weight.size)
    weight, total = (a.reshape(ny, nx)[1:-1, 1:-1] for a in (weight, total))
    mean = np.full(weight.shape, np.nan)
    np.divide(total, weight, out=mean, where=weight > 0)
    return mean, weight * radius**2 / domain.cell_area
