"""A map of a free forecast: precipitation since its start, pressure at mean sea level, wind near the ground."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import xarray as xr
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from kaiseki.archive import open_archive, open_domain
from kaiseki.archive.store.storage import Location
from kaiseki.core.files import whole_file
from kaiseki.core.timing import HOUR, label
from kaiseki.report.basemap import Basemap
from kaiseki.report.maps import barbs, centres, contours, frame, shade_rain, without_high_ground
from kaiseki.report.style import map_style


def draw_forecast(location: Location, path: Path, coast_files: Sequence[Path] = ()) -> Path:
    """Write a map of the end of the last forecast of a store as PNG, whole or not at all, and return its path.

    Args:
        location: of a store of forecasts.
        path: of the picture.
        coast_files: coastlines (GeoJSON).

    Raises:
        InputError: a file of coastlines cannot be read.
        StoreError, ResourceError: no forecast is there, or the picture cannot be written.
    """
    forecast = open_archive(location, "forecast").isel(forecast_reference_time=-1)
    base = Basemap(open_domain(location), coast_files)
    start, valid = (
        np.datetime64(forecast[name].values.ravel()[-1], "s") for name in ("forecast_reference_time", "time")
    )
    subtitle = f"+{(valid - start) / HOUR:g} h from {label(start)}, valid {label(valid)}"
    if "driving_fields" in forecast.attrs:
        subtitle += "; steady driving fields"
    if hidden := without_high_ground(base.domain.terrain, base)[1]:
        subtitle += f"; {hidden}"
    with map_style():
        figure, axes = frame(base, "Precipitation since the start, pressure, wind", subtitle, bar=True)
        shade_forecast(figure, axes, base, forecast)
        FigureCanvasAgg(figure)
        with whole_file(path) as scratch:
            figure.savefig(scratch, format="png", dpi=150, metadata={"Software": None})
    return path


def shade_forecast(figure: Figure, axes: Axes, base: Basemap, forecast: xr.Dataset, bar: bool = True) -> Any:
    """Draw the end of one forecast, with all its lead times, on axes; returns the shades of precipitation."""
    base.draw(axes)
    base.rim(axes)
    last = forecast.isel(forecast_period=-1)
    rain = np.nansum(forecast["precipitation"].values.astype(float), axis=0)
    pressure = last["mean_sea_level_pressure"].values.astype(float) / 100.0
    ten = "eastward_wind_10m" in last
    names = [f"{name}_10m" if ten else name for name in ("eastward_wind", "northward_wind")]
    east, north = (last[name].values.astype(float) for name in names)
    drawn = shade_rain(figure, axes, base, rain, bar)
    pressure, _ = without_high_ground(pressure, base)
    contours(axes, base, pressure, 4.0, 20.0, color="#0b4a7a")
    barbs(axes, base, *base.domain.to_grid(*((east, north) if ten else (east[0], north[0]))))
    centres(axes, base, pressure)
    return drawn
