"""Area averages of latitude-longitude rasters over the cells of a domain."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from kaiseki.core.errors import InputError
from kaiseki.grid.domain import Domain
from kaiseki.grid.raster import Raster

PIECES_PER_CELL = 6
"""A pixel is split until at least so many pieces fit into a cell along each axis."""


def bounds(domain: Domain) -> tuple[float, float, float, float]:
    """South, north, west, east (degrees) of the domain's outer edge; longitudes may lie beyond +-180.

    Raises:
        InputError: the domain contains the pole.
    """
    half = 0.5 * domain.spacing
    x = np.concatenate([domain.x - half, domain.x[-1:] + half])
    y = np.concatenate([domain.y - half, domain.y[-1:] + half])
    if y[-1] >= 0.0:
        raise InputError(f"The domain {domain.name} reaches the pole; move its northern edge south.")
    x, y = np.meshgrid(x, y)
    lat, lon = domain.projection.inverse(x, y)
    centre = domain.projection.central_longitude
    lon = (lon - centre + 180.0) % 360.0 - 180.0 + centre
    return float(lat.min()), float(lat.max()), float(lon.min()), float(lon.max())


def average(domain: Domain, layers: Sequence[Raster]) -> tuple[np.ndarray, np.ndarray]:
    """Mean over each cell of the first layer that has data, and how much of the cell's area had any.

    The pixels are split into pieces much smaller than a cell; each piece belongs to the cell in which its centre lies.
    So the sum over the cells of mean times covered area equals the sum over the pieces in the domain to round-off.

    Args:
        domain: the target.
        layers: rasters that `Raster.cut` made for `bounds(domain)`, in order of preference.

    Returns:
        mean (ny, nx), NaN in cells without any data, and coverage (ny, nx), about 0 to 1.
    """
    total, weight = np.zeros(domain.ny * domain.nx), np.zeros(domain.ny * domain.nx)
    size = np.rad2deg(domain.spacing / domain.projection.radius / domain.map_factor.max()) / PIECES_PER_CELL
    for number, layer in enumerate(layers):
        for lat, lon, angle, values in layer.pieces(size):
            wanted = np.isfinite(values)
            for better in layers[:number]:
                wanted &= ~better.has_data(lat, lon)
            x, y = domain.projection.forward(lat[:, None], lon[None, :])
            j = np.floor((y - domain.y[0]) / domain.spacing + 0.5).astype(np.int32)
            i = np.floor((x - domain.x[0]) / domain.spacing + 0.5).astype(np.int32)
            wanted &= (j >= 0) & (j < domain.ny) & (i >= 0) & (i < domain.nx)
            cell = (j * domain.nx + i)[wanted]
            angles = np.broadcast_to(angle[:, None], wanted.shape)[wanted]
            weight += np.bincount(cell, angles, minlength=weight.size)
            total += np.bincount(cell, angles * values[wanted], minlength=weight.size)
    shape = (domain.ny, domain.nx)
    mean = np.full(weight.size, np.nan)
    np.divide(total, weight, out=mean, where=weight > 0)
    area = domain.cell_area / domain.projection.radius**2
    return mean.reshape(shape), weight.reshape(shape) / area
