"""Grids of GRIB 2 files: the dataset's own map, JMA's, or another latitude-longitude grid."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import xarray as xr

from kaiseki.core.errors import InputError
from kaiseki.formats.grib.writing import Keys, lambert, latitude_longitude

Change = Callable[[np.ndarray], np.ndarray]
ChangeOfWind = Callable[[np.ndarray, np.ndarray], tuple[np.ndarray, np.ndarray]]

HORIZONTAL = (("y", "x"), ("lat", "lon"))
"""Horizontal dimensions of a dataset on a map and on a latitude-longitude grid."""


@dataclass(frozen=True)
class GribGrid:
    """Grid of a file and the way onto it.

    Attributes:
        keys: section 3 for ecCodes.
        label: part of the file's name that says which grid it is.
        dims: horizontal dimensions of the fields that are given.
        field: a field (..., *source) on the grid as (..., points) in the order of the file.
        total: an amount per area, such as precipitation, likewise.
        wind: eastward and northward wind likewise, as vectors.
    """

    keys: Keys
    label: str
    dims: tuple[str, str]
    field: Change
    total: Change
    wind: ChangeOfWind


def dims_of(dataset: xr.Dataset) -> tuple[str, str]:
    """Horizontal dimensions of a dataset.

    Raises:
        InputError: they are neither y, x nor lat, lon.
    """
    for dims in HORIZONTAL:
        if set(dims) <= set(dataset.dims):
            return dims
    raise InputError(
        f"GRIB needs fields on a map (dimensions y, x) or on a latitude-longitude grid (lat, lon); the dataset has the "
        f"dimensions {', '.join(map(str, dataset.dims))}"
    )


def own_grid(dataset: xr.Dataset) -> GribGrid:
    """The grid of a dataset as it is: latitude-longitude (template 3.0) with rows from the north, as JMA has them, or
    Lambert conformal (template 3.30) with rows from the south.

    Raises:
        InputError: the grid is neither, or cannot be stated in GRIB.
    """
    dims = dims_of(dataset)
    down, across = (dataset[name].values.astype(float) for name in dims)
    from_north = dims == ("lat", "lon")
    rows = slice(None, None, -1) if down.size > 1 and bool(down[1] > down[0]) is from_north else slice(None)
    columns = slice(None, None, -1) if across.size > 1 and across[1] < across[0] else slice(None)
    down, across = down[rows], across[columns]
    if from_north:
        keys, label = latitude_longitude(down, across), spacing_label(down, across)
    else:
        keys, label = _lambert(dataset, down, across)

    def in_order(field: np.ndarray) -> np.ndarray:
        return np.ascontiguousarray(field[..., rows, columns]).reshape(*field.shape[:-2], -1)

    return GribGrid(keys, label, dims, in_order, in_order, lambda east, north: (in_order(east), in_order(north)))


def spacing_label(lat: np.ndarray, lon: np.ndarray) -> str:
    """Name of a latitude-longitude grid by its spacing in longitude and latitude: "Gll0p0625x0p05deg"."""
    text = (f"{abs(float(axis[1] - axis[0])):.6f}".rstrip("0").rstrip(".") for axis in (lon, lat))
    return f"Gll{'x'.join(text).replace('.', 'p')}deg"


def _lambert(dataset: xr.Dataset, y: np.ndarray, x: np.ndarray) -> tuple[Keys, str]:
    """Section 3 and name of the dataset's own Lambert conformal grid; y and x rise."""
    if "crs" not in dataset.variables:
        raise InputError("The dataset lacks its grid mapping 'crs', without which no map can be stated in GRIB")
    crs = dataset["crs"].attrs
    if crs.get("grid_mapping_name") != "lambert_conformal_conic":
        raise InputError(
            "Of maps, GRIB files are written on Lambert conformal grids alone, not on "
            f"{crs.get('grid_mapping_name')!r}; choose a latitude-longitude grid"
        )
    step = float(x[1] - x[0])
    if np.abs(np.diff(x) - step).max() > 1e-6 * step or np.abs(np.diff(y) - step).max() > 1e-6 * step:
        raise InputError("The map of the dataset has no single even spacing, so it cannot be stated in GRIB")
    parallels = [float(number) for number in np.atleast_1d(crs["standard_parallel"])]
    corner = dataset[["lat", "lon"]].sel(y=y[0], x=x[0])
    keys = lambert(
        (y.size, x.size),
        (float(corner["lat"]), float(corner["lon"])),
        step,
        (parallels[0], parallels[-1]),
        float(crs["longitude_of_central_meridian"]),
        float(crs["earth_radius"]),
    )
    return keys, f"Glc{step / 1000.0:g}km".replace(".", "p")
