"""Grids of an analysis by name: JMA's 1-km grid, that of the radar, or a box of latitude and longitude."""

from __future__ import annotations

from typing import Final

import numpy as np

from kaiseki.core.errors import ConfigError
from kaiseki.grid.regular import LatLonGrid
from kaiseki.precipitation.data import RainGrid

_KM_PER_DEGREE: Final = 111.195
MOST_CELLS: Final = 100_000_000
"""Largest number of cells of a grid."""


def japan_1km() -> LatLonGrid:
    """JMA's grid of 3360 x 2560 cells of 1/120 by 1/80 degree, rows from the south."""
    from kaiseki.formats.jma_grib.grids import JMA_1KM

    return LatLonGrid(JMA_1KM.latitudes[::-1], JMA_1KM.longitudes)


def grid_named(text: str, radar: RainGrid | None) -> RainGrid:
    """A grid by "japan-1km", "radar", or "W,S,E,N,SPACING" with the spacing in degrees, or in km as "1km".

    Raises:
        ConfigError: no such grid, or a box that is none.
    """
    if text == "japan-1km":
        return japan_1km()
    if text == "radar":
        if radar is None:
            raise ConfigError("--grid radar needs radar files; give them, or another grid such as japan-1km")
        return radar
    parts = text.replace(" ", "").split(",")
    spacing = parts[-1].removesuffix("km")
    try:
        west, south, east, north, step = (float(one) for one in (*parts[:-1], spacing))
    except ValueError:
        raise ConfigError(
            f"--grid {text}: give japan-1km, radar, or W,S,E,N,SPACING in degrees such as 138,35,140,36,0.01 (or 1km)"
        ) from None
    if not (-90.0 <= south < north <= 90.0 and west < east <= west + 360.0 and step > 0.0):
        raise ConfigError(f"--grid {text}: west and south must be below east and north, and the spacing above 0")
    steps = np.array([step, step])
    if parts[-1].endswith("km"):
        middle = np.cos(np.deg2rad(0.5 * (south + north)))
        steps = np.array([step / _KM_PER_DEGREE, step / (_KM_PER_DEGREE * middle)])
    ny, nx = (round(float(one)) for one in np.array([north - south, east - west]) / steps)
    if ny < 2 or nx < 2 or ny * nx > MOST_CELLS:
        raise ConfigError(
            f"--grid {text}: has {ny} x {nx} cells; between 2 x 2 and {MOST_CELLS:g} together are possible"
        )
    # Cells fill the box: the first centre lies half a cell within it.
    lat = south + (np.arange(ny) + 0.5) * (north - south) / ny
    lon = west + (np.arange(nx) + 0.5) * (east - west) / nx
    return LatLonGrid(lat, lon)
