"""Weather maps of one analysis, of its increments and of the precipitation of the last hours."""

from __future__ import annotations

from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.colors import BoundaryNorm, Colormap, ListedColormap
from matplotlib.figure import Figure
from matplotlib.patheffects import Normal, Stroke

from kaiseki.core.timing import format_utc, label
from kaiseki.report.basemap import Basemap
from kaiseki.report.style import MAP_INK, MAP_PAPER, Picture, light, map_style, png_picture
from kaiseki.report.weather import Weather

_HPA = 100.0
_WIDTH = 6.2
RAIN_LEVELS = (0.1, 0.5, 1.0, 2.0, 5.0, 10.0, 20.0, 30.0, 50.0, 100.0)
"""Edges of the shades of precipitation, mm."""
_BARBS = {"half": 2.5, "full": 5.0, "flag": 25.0}
HIGH_GROUND = 1500.0
"""Height of the terrain, m, above which no pressure at mean sea level is drawn: there it tells of the convention by
which it is reduced, as weather maps take it into account by leaving it out."""
BARB_WORDS = "barbs: half 2.5, full 5, pennant 25 m s⁻¹"


def weather_maps(now: Weather, base: Basemap, time: np.datetime64) -> list[Picture]:
    """Sea-level pressure, temperature near the ground, 850 hPa, 500 hPa and 250 hPa."""
    return [draw(now, base, time) for draw in (_surface, _near_ground, _low, _middle, _jet)]


def frame(base: Basemap, title: str, subtitle: str, bar: bool) -> tuple[Figure, Axes]:
    """A figure with one map, its title in the top left corner; room for a colour bar below on demand."""
    left, right, top, bottom = 0.42, 0.12, 0.58, 0.78 if bar else 0.28
    width = _WIDTH - left - right
    height = width * base.aspect
    figure = Figure(figsize=(_WIDTH, height + top + bottom))
    total = height + top + bottom
    axes = figure.add_axes((left / _WIDTH, bottom / total, width / _WIDTH, height / total))
    figure.text(left / _WIDTH, 1.0 - 0.17 / total, title, fontsize=10.5, fontweight="bold", va="center", color=MAP_INK)
    figure.text(left / _WIDTH, 1.0 - 0.40 / total, subtitle, fontsize=8.5, va="center", color="#46505a")
    return figure, axes


def colour_bar(figure: Figure, axes: Axes, drawn: Any, words: str, **options: Any) -> None:
    """A thin colour bar under a map, with the unit."""
    box = axes.get_position()
    height = figure.get_size_inches()[1]
    slot = figure.add_axes((box.x0, box.y0 - 0.36 / height, box.width, 0.10 / height))
    bar = figure.colorbar(drawn, cax=slot, orientation="horizontal", **options)
    bar.set_label(words, fontsize=8, labelpad=2)
    bar.ax.tick_params(labelsize=7.5, length=2, pad=2)
    bar.outline.set_linewidth(0.4)


def contours(axes: Axes, base: Basemap, field: np.ndarray, step: float, thick: float, **style: Any) -> None:
    """Labelled contours every `step`, heavier every `thick`."""
    finite = field[np.isfinite(field)]
    if finite.size == 0:
        return
    levels = np.arange(np.ceil(finite.min() / step), np.floor(finite.max() / step) + 1) * step
    if levels.size == 0:
        return
    colour = style.pop("color", MAP_INK)
    widths = [1.5 if abs(level / thick - round(level / thick)) < 1e-6 else 0.85 for level in levels]
    drawn = axes.contour(base.x, base.y, field, levels=levels, colors=colour, linewidths=widths, zorder=5, **style)
    axes.clabel(drawn, fmt="%g", fontsize=7.0, inline_spacing=3)


def without_high_ground(pressure: np.ndarray, base: Basemap) -> tuple[np.ndarray, str]:
    """Pressure at mean sea level (y, x), NaN over terrain above `HIGH_GROUND`; and words that say so, "" where there is
    none."""
    high = base.domain.terrain > HIGH_GROUND
    words = f"no isobars over terrain above {HIGH_GROUND:g} m" if high.any() else ""
    return np.where(high, np.nan, pressure), words


def barbs(axes: Axes, base: Basemap, u: np.ndarray, v: np.ndarray, across: int = 15) -> None:
    """Wind barbs on every so-manieth cell."""
    step = max(1, round(len(base.x) / across))
    chosen = slice(step // 2, None, step)
    u, v = u[chosen, chosen], v[chosen, chosen]
    x, y = np.meshgrid(base.x[chosen], base.y[chosen])
    good = np.isfinite(u) & np.isfinite(v)
    # Barbs point to the low pressure, which lies left of the wind in the north and right of it in the south.
    south = base.domain.lat[chosen, chosen][good] < 0.0
    axes.barbs(
        x[good], y[good], u[good], v[good], length=4.6, linewidth=0.5, color="#2b333b", barb_increments=_BARBS,
        zorder=5.5, sizes={"emptybarb": 0.06}, flip_barb=south,
        path_effects=[Stroke(linewidth=1.5, foreground="#fdfcf9", alpha=0.8), Normal()],
    )  # fmt: skip


def centres(axes: Axes, base: Basemap, field: np.ndarray, reach: float = 600e3, least: float = 2.0) -> None:
    """Marks H and L where a field is the highest or lowest within `reach` [m], by `least` over the mean there; places
    without a value (NaN) do not count."""
    # On a fine grid every so-manieth cell is enough, and the windows stay small.
    step = max(1, round(50e3 / base.domain.spacing))
    field, x, y = field[::step, ::step], base.x[::step], base.y[::step]
    r = max(2, round(reach / (step * base.domain.spacing)))
    if min(field.shape) < 2 * r + 1:
        return
    there = np.isfinite(field)

    def windows(absent: float) -> np.ndarray:
        filled = np.where(there, field, absent)
        return np.lib.stride_tricks.sliding_window_view(filled, (2 * r + 1, 2 * r + 1))

    middle = field[r:-r, r:-r]
    count = np.lib.stride_tricks.sliding_window_view(there, (2 * r + 1, 2 * r + 1)).sum((2, 3))
    mean = windows(0.0).sum((2, 3)) / np.maximum(count, 1)
    extremes = (("H", windows(-np.inf).max((2, 3)), "#0b4a7a"), ("L", windows(np.inf).min((2, 3)), "#a8430a"))
    for letter, extreme, colour in extremes:
        for j, i in np.argwhere((middle == extreme) & (np.abs(middle - mean) >= least)):
            place = (x[i + r], y[j + r])
            text = f"{letter}\n{middle[j, i]:.0f}"
            halo = [Stroke(linewidth=2.5, foreground=MAP_PAPER), Normal()]
            axes.text(*place, text, color=colour, fontsize=9, fontweight="bold", ha="center", va="center",
                      linespacing=0.95, path_effects=halo, zorder=6.5)  # fmt: skip


def _shade(
    axes: Axes, base: Basemap, field: np.ndarray, levels: np.ndarray, cmap: Colormap, extend: str = "both"
) -> Any:
    return axes.contourf(base.x, base.y, field, levels=levels, cmap=cmap, extend=extend, zorder=1)


def _steps(field: np.ndarray, step: float, count: int = 6) -> np.ndarray:
    """Round levels that hold the field without its extremes."""
    finite = field[np.isfinite(field)]
    if finite.size == 0:
        return np.array([0.0, step])
    low, high = np.percentile(finite, [1.0, 99.0])
    levels = np.arange(np.floor(low / step), np.ceil(high / step) + 1) * step
    return levels if levels.size >= count else levels[0] + step * np.arange(count)


def _surface(now: Weather, base: Basemap, time: np.datetime64) -> Picture:
    with map_style():
        figure, axes = frame(base, "Pressure at mean sea level and wind near the ground", label(time), bar=False)
        base.draw(axes)
        pressure, hidden = without_high_ground(now.sea_level_pressure / _HPA, base)
        contours(axes, base, pressure, 4.0, 20.0, color="#0b4a7a")
        barbs(axes, base, now.u, now.v)
        centres(axes, base, pressure)
        drawn = pressure[np.isfinite(pressure)]
        found = f"isobars every 4 hPa from {drawn.min():.0f} to {drawn.max():.0f} hPa" if drawn.size else "no isobars"
        alt = f"Map of the pressure at mean sea level at {format_utc(time)}: {found}, with coastlines and wind barbs."
        caption = f"Isobars every 4 hPa{', ' if hidden else ''}{hidden}; wind at the lowest model level, {BARB_WORDS}."
        return png_picture(figure, alt, caption)


def _near_ground(now: Weather, base: Basemap, time: np.datetime64) -> Picture:
    with map_style():
        figure, axes = frame(base, f"Temperature {now.temperature_height}", label(time), bar=True)
        base.draw(axes, tint=False)
        celsius = now.temperature - 273.15
        drawn = _shade(axes, base, celsius, _steps(celsius, 4.0), light("RdYlBu_r", 0.45))
        contours(axes, base, celsius, 4.0, 20.0)
        colour_bar(figure, axes, drawn, "temperature (°C)")
        alt = (
            f"Map of the temperature {now.temperature_height} at {format_utc(time)} from {np.nanmin(celsius):.0f} to "
            f"{np.nanmax(celsius):.0f} degrees Celsius, with contours every 4 degrees."
        )
        return png_picture(figure, alt, "Temperature every 4 °C, over the terrain of the model.")


def _middle(now: Weather, base: Basemap, time: np.datetime64) -> Picture:
    level = now.levels[50_000.0]
    with map_style():
        figure, axes = frame(base, "500 hPa: height, temperature, wind", label(time), bar=True)
        base.draw(axes, tint=False)
        drawn = _shade(
            axes, base, level.temperature - 273.15, _steps(level.temperature - 273.15, 4.0), light("RdYlBu_r", 0.45)
        )
        contours(axes, base, level.height, 60.0, 300.0)
        barbs(axes, base, level.u, level.v)
        colour_bar(figure, axes, drawn, "temperature (°C)")
        alt = (
            f"Map at 500 hPa at {format_utc(time)}: height contours every 60 m from "
            f"{np.nanmin(level.height):.0f} to {np.nanmax(level.height):.0f} m, temperature shaded, wind barbs."
        )
        return png_picture(figure, alt, f"Height every 60 m, temperature shaded every 4 °C, {BARB_WORDS}.")


def _jet(now: Weather, base: Basemap, time: np.datetime64) -> Picture:
    level = now.levels[25_000.0]
    with map_style():
        figure, axes = frame(base, "250 hPa: wind speed and height", label(time), bar=True)
        base.draw(axes, tint=False)
        top = max(60.0, 10.0 * np.ceil(np.nanpercentile(level.speed, 99.5) / 10.0))
        drawn = _shade(axes, base, level.speed, np.arange(20.0, top + 1.0, 10.0), light("YlGnBu", 0.2), "max")
        contours(axes, base, level.height, 120.0, 600.0)
        barbs(axes, base, level.u, level.v, across=13)
        colour_bar(figure, axes, drawn, "wind speed (m s⁻¹)")
        alt = (
            f"Map of the wind speed at 250 hPa at {format_utc(time)}, greatest value "
            f"{np.nanmax(level.speed):.0f} m/s, with height contours every 120 m."
        )
        return png_picture(figure, alt, f"Speed shaded from 20 m s⁻¹, height every 120 m, {BARB_WORDS}.")


def _low(now: Weather, base: Basemap, time: np.datetime64) -> Picture:
    level = now.levels[85_000.0]
    with map_style():
        figure, axes = frame(base, "850 hPa: temperature and height", label(time), bar=True)
        base.draw(axes, tint=False)
        celsius = level.temperature - 273.15
        drawn = _shade(axes, base, celsius, _steps(celsius, 3.0), light("RdYlBu_r", 0.45))
        contours(axes, base, celsius, 3.0, 15.0, color="#8a2f1d")
        contours(axes, base, level.height, 30.0, 150.0)
        colour_bar(figure, axes, drawn, "temperature (°C)")
        alt = (
            f"Map of the temperature at 850 hPa at {format_utc(time)} from {np.nanmin(celsius):.0f} to "
            f"{np.nanmax(celsius):.0f} degrees Celsius, with height contours every 30 m."
        )
        caption = "Temperature every 3 °C (shades and red lines), height every 30 m (dark lines); blank below ground."
        return png_picture(figure, alt, caption)


def shade_rain(figure: Figure, axes: Axes, base: Basemap, rain: np.ndarray, bar: bool = True) -> Any:
    """Shades of precipitation (y, x) [kg m-2], which is mm, on a map; below it its colour bar, unless left out."""
    shades = [
        "#cfe8f3", "#a6d3e8", "#74b6d9", "#4393c3", "#2b6ca8", "#3b4d9b", "#5a3c99", "#7d2f8a", "#9c2a6b",
    ]  # fmt: skip
    drawn = axes.pcolormesh(
        base.x,
        base.y,
        np.ma.masked_less(rain, RAIN_LEVELS[0]),
        cmap=ListedColormap(shades).with_extremes(over="#5e1440", bad=(0.0, 0.0, 0.0, 0.0)),
        norm=BoundaryNorm(RAIN_LEVELS, len(shades)),
        shading="nearest",
        zorder=1,
    )
    if bar:
        colour_bar(
            figure, axes, drawn, "precipitation (mm)", extend="max", ticks=RAIN_LEVELS, format="%g", spacing="uniform"
        )
    return drawn


def precipitation_map(rain: np.ndarray, base: Basemap, start: np.datetime64, end: np.datetime64) -> Picture:
    """Precipitation of an interval (y, x) [kg m-2], which is mm."""
    with map_style():
        hours = (end - start) / np.timedelta64(3600, "s")
        figure, axes = frame(
            base, f"Precipitation of the last {hours:g} h of forecast", f"up to {label(end)}", bar=True
        )
        base.draw(axes)
        shade_rain(figure, axes, base, rain)
        wet = 100.0 * float((rain >= RAIN_LEVELS[0]).mean())
        alt = (
            f"Map of the precipitation of the {hours:g} hours to {format_utc(end)}: at least 0.1 mm in {wet:.0f} per "
            f"cent of the area, at most {np.nanmax(rain):.1f} mm."
        )
        caption = "Sum along the forecasts of the cycle, cell by cell; blank below 0.1 mm."
        return png_picture(figure, alt, caption)


def increment_map(analysis: Weather, background: Weather, base: Basemap, time: np.datetime64) -> Picture:
    """Analysis minus background in four panels."""
    mid, mid_b = analysis.levels[50_000.0], background.levels[50_000.0]
    low, low_b = analysis.levels[85_000.0], background.levels[85_000.0]
    top, top_b = analysis.levels[25_000.0], background.levels[25_000.0]
    panels = [
        ("sea-level pressure", (analysis.sea_level_pressure - background.sea_level_pressure) / _HPA, "hPa", None),
        ("height 500 hPa", mid.height - mid_b.height, "m", None),
        ("temperature 850 hPa", low.temperature - low_b.temperature, "K", None),
        ("wind 250 hPa (speed; arrows)", top.speed - top_b.speed, "m s⁻¹", (top.u - top_b.u, top.v - top_b.v)),
    ]
    signed = [
        (name, field, unit, np.linspace(-limit, limit, 11), arrows)
        for name, field, unit, arrows in panels
        for limit in [_round_up(float(np.nanpercentile(np.abs(field), 99.5)))]
    ]
    figure = _four(base, "Increments: analysis minus background", label(time), signed, "RdBu_r")
    largest = [f"{name} up to {np.nanmax(np.abs(field)):.2g} {unit}" for name, field, unit, _ in panels]
    alt = f"Four maps of analysis minus background at {format_utc(time)}: {'; '.join(largest)}."
    return png_picture(figure, alt, "What the observations changed. Red: the analysis is higher.", wide=True)


def uncertainty_map(
    surface_pressure: np.ndarray,
    temperature: np.ndarray,
    wind: tuple[np.ndarray, np.ndarray],
    base: Basemap,
    time: np.datetime64,
    made: str = "",
) -> Picture:
    """Standard deviation of the analysis error in four panels.

    Args:
        surface_pressure: at the ground [Pa], (ny, nx).
        temperature: at 850 hPa [K].
        wind: of the vector wind at 500 and 250 hPa [m s-1].
        base: the map below.
        time: of the analysis.
        made: sentence that says how it was found.
    """
    fields = [
        ("pressure at the ground", surface_pressure / _HPA, "hPa"),
        ("temperature 850 hPa", temperature, "K"),
        ("wind 500 hPa", wind[0], "m s⁻¹"),
        ("wind 250 hPa", wind[1], "m s⁻¹"),
    ]
    panels = [
        (name, field, unit, np.linspace(0.0, _round_up(float(np.nanpercentile(field, 99.5))), 11), None)
        for name, field, unit in fields
    ]
    figure = _four(base, "Uncertainty of the analysis", label(time), panels, "YlGnBu")
    medians = [f"{name} {np.nanmedian(field):.2g} {unit}" for name, field, unit in fields]
    alt = f"Four maps of the analysis error's standard deviation at {format_utc(time)}, medians: {'; '.join(medians)}."
    caption = f"How far off the analysis is thought to be: little where observations are many. {made}".rstrip()
    return png_picture(figure, alt, caption, wide=True)


def _four(base: Basemap, title: str, subtitle: str, panels: list[tuple[Any, ...]], colours: str) -> Figure:
    """Four maps, each (name, field, unit, levels, arrows or None) with its colour bar."""
    with map_style():
        width, gap, bar, head = 5.0, 0.46, 0.78, 0.50
        height = width * base.aspect
        size = (2 * width + 3 * gap, 2 * (height + bar + 0.3) + head)
        figure = Figure(figsize=size)
        figure.text(gap / size[0], 1 - 0.18 / size[1], title, fontsize=10.5, fontweight="bold", va="center")
        figure.text(gap / size[0], 1 - 0.40 / size[1], subtitle, fontsize=8.5, va="center", color="#46505a")
        for number, (name, field, unit, levels, arrows) in enumerate(panels):
            row, column = divmod(number, 2)
            bottom = size[1] - head - (row + 1) * (height + 0.3) - row * bar
            left = gap + column * (width + gap)
            axes = figure.add_axes((left / size[0], bottom / size[1], width / size[0], height / size[1]))
            base.draw(axes, tint=False)
            drawn = _shade(axes, base, field, levels, light(colours, 0.2), "both" if levels[0] < 0.0 else "max")
            if arrows is not None:
                _arrows(axes, base, *arrows)
            axes.set_title(f"{name} ({unit})", fontsize=8.5, pad=4)
            colour_bar(figure, axes, drawn, unit, ticks=np.linspace(levels[0], levels[-1], 5), format="%g")
    return figure


def _arrows(axes: Axes, base: Basemap, u: np.ndarray, v: np.ndarray) -> None:
    step = max(1, round(len(base.x) / 20))
    chosen = slice(step // 2, None, step)
    u, v = u[chosen, chosen], v[chosen, chosen]
    speed = np.hypot(u, v)
    # The strong ones reach a good step of the arrows' own grid.
    length = _round_up(float(np.nanpercentile(speed, 95.0)))
    options: dict[str, Any] = {"scale": 14.0 * length, "scale_units": "width"}
    arrows = axes.quiver(base.x[chosen], base.y[chosen], u, v, color=MAP_INK, width=0.0026, zorder=5.5, **options)
    axes.quiverkey(arrows, 0.93, 1.03, length, f"{length:g} m s⁻¹", labelpos="W", fontproperties={"size": 7.5})


def _round_up(value: float) -> float:
    """The next round number (1, 1.5, 2, 2.5, 3, 4, 5, 6, 8 times a power of ten); 1 for nothing at all."""
    if not np.isfinite(value) or value <= 0.0:
        return 1.0
    power = 10.0 ** np.floor(np.log10(value))
    return float(
        next(
            step * power
            for step in (1.0, 1.5, 2.0, 2.5, 3.0, 4.0, 5.0, 6.0, 8.0, 10.0)
            if value <= step * power * (1.0 + 1e-9)
        )
    )
