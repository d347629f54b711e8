"""Scalar heights above ground: coordinates of the variables that belong to a fixed height, such as 2 m or 10 m."""

from __future__ import annotations

from typing import Final

import xarray as xr

from kaiseki.core.variables import VARIABLES

_ABOVE_GROUND: Final = 103
"""Type of fixed surface in GRIB 2 (code table 4.5)."""

ATTRIBUTES: Final = {
    "standard_name": "height",
    "long_name": "height above ground",
    "units": "m",
    "positive": "up",
    "axis": "Z",
}
"""CF attributes of a height above ground."""


def height_of(name: str) -> tuple[str, float] | None:
    """Name and value [m] of the scalar height of a variable, ("height_2m", 2.0); None for one of no fixed height."""
    row = VARIABLES.get(name)
    if row is None or row.grib2 is None or row.grib2.surface != _ABOVE_GROUND or row.grib2.height is None:
        return None
    return f"height_{row.grib2.height:g}m", row.grib2.height


def with_heights(dataset: xr.Dataset) -> xr.Dataset:
    """A dataset with the scalar heights of its variables (CF 5.7), which files name in `coordinates`."""
    heights = dict(found for name in dataset if (found := height_of(str(name))) is not None)
    return dataset.assign_coords({label: ((), height, dict(ATTRIBUTES)) for label, height in heights.items()})
