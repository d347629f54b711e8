"""The horizontal grid of a dataset, for derivatives: lengths of the coordinates on the sphere, rotation, Coriolis."""

from __future__ import annotations

from typing import Final

import numpy as np
import xarray as xr

from kaiseki.archive.store.metadata import GRID_MAPPING, projection_of_mapping
from kaiseki.core.constants import EARTH_RADIUS, EARTH_ROTATION
from kaiseki.core.errors import InputError
from kaiseki.diagnostics.vorticity import HorizontalGrid

LARGEST_MISMATCH: Final = 1e-3
"""Largest difference between the latitudes and longitudes of a dataset and those of its projection, degrees."""

_HIGHEST_LATITUDE: Final = 89.999
"""Latitude from which on meridians are too near to each other for differences, degrees."""


def horizontal_grid(dataset: xr.Dataset) -> HorizontalGrid:
    """The grid of a dataset with the axes y, x of a conformal map or lat, lon.

    Raises:
        InputError: it has other axes, fewer than three cells along one, no or another grid mapping, latitudes that are
            not those of the mapping, or a pole among its points.
    """
    horizontal = tuple(dict.fromkeys((*dataset["lat"].dims, *dataset["lon"].dims)))
    if horizontal not in {("y", "x"), ("lat", "lon")}:
        raise InputError(
            "Horizontal derivatives need a grid with the axes y, x or lat, lon; "
            f"this dataset has {', '.join(map(str, horizontal)) or 'none'}"
        )
    if min(dataset.sizes[str(axis)] for axis in horizontal) < 3:
        raise InputError("Horizontal derivatives need at least three cells along each axis of the grid")
    lat, lon = dataset["lat"].values.astype(float), dataset["lon"].values.astype(float)
    if horizontal == ("lat", "lon"):
        _monotone("lat", lat)
        _monotone("lon", lon)
        if np.abs(lat).max() > _HIGHEST_LATITUDE:
            raise InputError("Horizontal derivatives are not defined at a pole of a grid of latitude and longitude")
        shape = (lat.size, lon.size)
        radians = np.deg2rad(lat)[:, None]
        return HorizontalGrid(
            x=np.deg2rad(lon),
            y=np.deg2rad(lat),
            length_x=np.broadcast_to(EARTH_RADIUS * np.cos(radians), shape),
            length_y=np.full(shape, EARTH_RADIUS),
            rotation=np.zeros(shape),
            coriolis=np.broadcast_to(2.0 * EARTH_ROTATION * np.sin(radians), shape),
        )
    if GRID_MAPPING not in dataset.coords:
        raise InputError(f"Horizontal derivatives on a map need its grid mapping {GRID_MAPPING!r}, which is missing")
    projection = projection_of_mapping(dataset[GRID_MAPPING].attrs)
    x, y = dataset["x"].values.astype(float), dataset["y"].values.astype(float)
    own_lat, own_lon = projection.inverse(*np.meshgrid(x, y))
    turned = (lon - own_lon + 180.0) % 360.0 - 180.0
    if max(np.abs(lat - own_lat).max(), np.abs(turned * np.cos(np.deg2rad(lat))).max()) > LARGEST_MISMATCH:
        raise InputError(
            "The latitudes and longitudes of the dataset are not those of its grid mapping and its x and y"
        )
    length = 1.0 / projection.map_factor(lat)
    return HorizontalGrid(
        x=x,
        y=y,
        length_x=length,
        length_y=length,
        rotation=projection.rotation(lon),
        coriolis=2.0 * EARTH_ROTATION * np.sin(np.deg2rad(lat)),
    )


def _monotone(name: str, axis: np.ndarray) -> None:
    step = np.diff(axis)
    if not (np.all(step > 0.0) or np.all(step < 0.0)):
        raise InputError(f"Horizontal derivatives need {name} rising or falling all along, which it is not")
