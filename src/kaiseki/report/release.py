"""What users get, drawn from the release of a run: maps of the whole period and the series of one place."""

from __future__ import annotations

from typing import Any

import numpy as np
import xarray as xr
from matplotlib.figure import Figure

from kaiseki.archive import open_archive
from kaiseki.archive.run import Run
from kaiseki.core.errors import StoreError
from kaiseki.core.timing import format_utc, label, to_datetime
from kaiseki.report.basemap import Basemap
from kaiseki.report.maps import colour_bar, frame, light, shade_rain
from kaiseki.report.style import FULL_WIDTH, INK, RULE, Picture, chart_style, map_style, png_picture, svg_picture

_BLUE, _RED = "#0072b2", "#D55E00"


def release_pictures(run: Run, base: Basemap) -> tuple[list[Picture], list[Picture]]:
    """Maps, and charts of point series, from the release of a run; none where there is no release."""
    if not run.folder.release.is_dir():
        return [], []
    surface, rain = _opened(run, "surface"), _opened(run, "precipitation")
    drawn = [] if rain is None else [_rain_map(rain, base)]
    if surface is None or "temperature_2m" not in surface:
        return drawn, []
    return [*drawn, _range_map(surface["temperature_2m"], base)], [_series(surface, rain, run)]


def _opened(run: Run, group: str) -> xr.Dataset | None:
    try:
        return open_archive(run.folder.release, group)
    except StoreError:
        return None


def _rain_map(rain: xr.Dataset, base: Basemap) -> Picture:
    """The precipitation of the whole release, hour after hour from its maps."""
    times = rain["time"].values.astype("datetime64[s]")
    total = np.zeros(rain["precipitation"].shape[1:])
    for index in range(times.size):
        total += np.nan_to_num(rain["precipitation"].isel(time=index).values)
    hours = times.size
    with map_style():
        figure, axes = frame(
            base, f"Precipitation of {hours} h", f"hours ending {label(times[0])} to {label(times[-1])}", bar=True
        )
        base.draw(axes)
        shade_rain(figure, axes, base, total)
        alt = f"Map of the precipitation of {hours} hours to {format_utc(times[-1])}: at most {total.max():.1f} mm."
        return png_picture(figure, alt, "Sum of the hourly maps of the release; blank below 0.1 mm.")


def _range_map(temperature: xr.DataArray, base: Basemap) -> Picture:
    """The lowest temperature at 2 m of the whole release."""
    times = temperature["time"].values.astype("datetime64[s]")
    lowest = np.full(temperature.shape[1:], np.inf)
    for index in range(times.size):
        lowest = np.fmin(lowest, temperature.isel(time=index).values)
    celsius = lowest - 273.15
    with map_style():
        figure, axes = frame(base, "Lowest temperature at 2 m", f"{label(times[0])} to {label(times[-1])}", bar=True)
        base.draw(axes)
        edge = float(np.ceil(np.abs(celsius).max() / 5.0) * 5.0)
        drawn = axes.pcolormesh(
            base.x, base.y, celsius, cmap=light("RdYlBu_r", 0.25), vmin=-edge, vmax=edge, shading="nearest", zorder=1
        )
        colour_bar(figure, axes, drawn, "temperature (°C)")
        alt = (
            f"Map of the lowest temperature at 2 m from {format_utc(times[0])} to {format_utc(times[-1])}: "
            f"{celsius.min():.0f} to {celsius.max():.0f} degrees Celsius."
        )
        return png_picture(figure, alt, "Least of the hourly values of the release, cell by cell.")


def _series(surface: xr.Dataset, rain: xr.Dataset | None, run: Run) -> Picture:
    """Temperature, wind and precipitation at the land point nearest to the middle of the domain."""
    land = run.domain.land_fraction > 0.5
    ny, nx = land.shape
    j, i = np.mgrid[:ny, :nx]
    far = np.hypot(j - 0.5 * (ny - 1), i - 0.5 * (nx - 1)) + np.where(land, 0.0, 1e6)
    y, x = (int(index) for index in np.unravel_index(int(np.argmin(far)), far.shape))
    here = surface.isel(y=y, x=x)
    times = [to_datetime(time).replace(tzinfo=None) for time in here["time"].values.astype("datetime64[s]")]
    lat, lon = float(here["lat"]), float(here["lon"])
    where = f"{abs(lat):.2f}°{'N' if lat >= 0 else 'S'} {abs(lon):.2f}°{'E' if lon >= 0 else 'W'}"
    celsius = here["temperature_2m"].values - 273.15
    with chart_style():
        figure = Figure(figsize=(FULL_WIDTH, 3.4), layout="constrained")
        upper, lower = figure.subplots(2, 1, sharex=True)
        upper.plot(times, celsius, color=_RED)
        upper.set_ylabel("2 m temperature (°C)")
        upper.set_title(f"Hourly values at {where}, the land point nearest to the middle")
        words = f"temperature at 2 m from {np.nanmin(celsius):.1f} to {np.nanmax(celsius):.1f} degrees Celsius"
        if {"eastward_wind_10m", "northward_wind_10m"} <= set(surface):
            speed = np.hypot(here["eastward_wind_10m"].values, here["northward_wind_10m"].values)
            lower.plot(times, speed, color=INK)
            lower.set_ylabel("10 m wind (m s⁻¹)")
            words += f", wind at 10 m up to {np.nanmax(speed):.1f} m/s"
        if rain is not None:
            point = rain["precipitation"].isel(y=y, x=x)
            ends = [to_datetime(time).replace(tzinfo=None) for time in point["time"].values.astype("datetime64[s]")]
            bars: Any = upper.twinx()
            bars.bar(ends, np.nan_to_num(point.values), width=-1 / 24, align="edge", color=_BLUE, alpha=0.45)
            bars.set_ylabel("precipitation (mm h⁻¹)")
            bars.set_ylim(0.0, max(2.0, 1.3 * float(np.nanmax(point.values))))
            bars.grid(visible=False)
            words += f", {float(np.nansum(point.values)):.1f} mm of precipitation"
        for axes in (upper, lower):
            axes.grid(visible=True, axis="x", color=RULE)
        lower.set_xlabel("UTC")
        alt = f"Series of hourly values at {where}: {words}."
        return svg_picture(figure, alt, f"From the copy of the release for point series; {words}.")
