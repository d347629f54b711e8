"""Figures of both cases: maps beside what they are judged by, and curves by the hour."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import matplotlib as mpl
import numpy as np
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.colors import BoundaryNorm
from matplotlib.figure import Figure

from kaiseki.core.files import make_folder
from kaiseki.core.timing import format_utc
from kaiseki.report.basemap import Basemap
from kaiseki.report.style import MAP_INK, MAP_MUTED
from validation.driven_forecast import merra2, ruc13
from validation.driven_forecast.boxes import Boxes
from validation.driven_forecast.forecast import Hourly

OURS, THEIRS, THIRD = "#0072B2", "#D55E00", "#009E73"
"""Colours of our forecast, of what it is judged by, and of a third (Okabe and Ito)."""
RAIN = np.array([0.2, 0.5, 1.0, 2.0, 5.0, 10.0, 20.0, 40.0])
STEPS = np.array([-10.0, -6.0, -4.0, -2.0, -1.0, 1.0, 2.0, 4.0, 6.0, 10.0])
"""Edges of the colours of a difference, in units of the least that is shown."""
RAIN_STEPS = np.array([-40.0, -20.0, -10.0, -4.0, -1.0, 1.0, 4.0, 10.0, 20.0, 40.0])
STYLE: dict[str, Any] = {
    "font.size": 8.5,
    "axes.titlesize": 9.0,
    "axes.titlelocation": "left",
    "axes.spines.top": False,
    "axes.spines.right": False,
    "legend.frameon": False,
    "legend.fontsize": 7.5,
}


def _save(figure: Figure, path: Path) -> None:
    FigureCanvasAgg(figure)
    make_folder(path.parent)
    figure.savefig(path, dpi=110, facecolor="white", metadata={"Software": None})


def _edges(middle: np.ndarray) -> np.ndarray:
    """Corners (ny + 1, nx + 1) of boxes about points (ny, nx) of a rectangular grid."""
    wide = np.pad(middle, 1, "reflect", reflect_type="odd")
    return np.asarray(0.25 * (wide[1:, 1:] + wide[:-1, 1:] + wide[1:, :-1] + wide[:-1, :-1]))


def _boxes(axes: Axes, base: Basemap, lat: np.ndarray, lon: np.ndarray, field: np.ndarray, **style: Any) -> Any:
    """A field on the boxes of a rectangular grid."""
    x, y = base.place(_edges(lat), _edges(lon))
    return axes.pcolormesh(x, y, field, zorder=1, rasterized=True, **style)


def _norm(levels: np.ndarray, colours: str, extend: str) -> dict[str, Any]:
    """Colours between levels; under the lowest white where there is no colour for it."""
    map_ = mpl.colormaps[colours].copy()
    if extend == "max":
        map_.set_under("white")
    return {"cmap": map_, "norm": BoundaryNorm(levels, map_.N, extend=extend)}


def _bar(figure: Figure, axes: Sequence[Axes], drawn: Any, words: str) -> None:
    """A colour bar under one or more maps."""
    boxes = [one.get_position() for one in axes]
    height = figure.get_size_inches()[1]
    west, east = boxes[0].x0, boxes[-1].x1
    slot = figure.add_axes(
        (west + 0.1 * (east - west), boxes[0].y0 - 0.30 / height, 0.8 * (east - west), 0.09 / height)
    )
    bar = figure.colorbar(drawn, cax=slot, orientation="horizontal")
    bar.set_label(words, fontsize=7.5, labelpad=1.5)
    bar.ax.tick_params(labelsize=6.5, length=2, pad=1.5)


def _panels(rows: int, columns: int, base: Basemap, width: float = 10.6) -> tuple[Figure, list[list[Axes]]]:
    """A figure of maps with room for titles and colour bars."""
    left, gap, top, between = 0.35, 0.28, 0.72, 0.80
    wide = (width - left - 0.1 - (columns - 1) * gap) / columns
    high = wide * base.aspect
    total = top + rows * (high + between)
    figure = Figure(figsize=(width, total))
    panels = [
        [
            figure.add_axes(
                (
                    (left + i * (wide + gap)) / width,
                    1.0 - (top + high + j * (high + between)) / total,
                    wide / width,
                    high / total,
                )
            )
            for i in range(columns)
        ]
        for j in range(rows)
    ]
    return figure, panels


def _head(figure: Figure, title: str, words: str) -> None:
    height = figure.get_size_inches()[1]
    figure.text(0.033, 1.0 - 0.17 / height, title, fontsize=11, fontweight="bold", va="center", color=MAP_INK)
    figure.text(0.033, 1.0 - 0.36 / height, words, fontsize=8, va="center", color=MAP_MUTED)


def _wind(axes: Axes, x: np.ndarray, y: np.ndarray, u: np.ndarray, v: np.ndarray) -> None:
    axes.barbs(
        x, y, u, v, length=4.0, linewidth=0.45, color="#2b333b", sizes={"emptybarb": 0.05}, zorder=5.5,
        barb_increments={"half": 2.5, "full": 5.0, "flag": 25.0},
    )  # fmt: skip


def merra2_maps(ours: Hourly, truth: merra2.Truth, path: Path, coast: Path, hour: int = 18) -> None:
    """Pressure with wind, temperature, and precipitation of both, and their differences."""
    base = Basemap(ours.domain, [coast])
    lat, lon = np.meshgrid(truth.latitude, truth.longitude, indexing="ij")
    boxes = Boxes.of(ours.domain, lat, lon)
    figure, panels = _panels(4, 3, base)
    _head(
        figure,
        f"Eastern United States, {format_utc(ours.start)} + {hour} h: MERRA-2 and a forecast driven by it",
        "Left MERRA-2 (NASA GMAO), middle the forecast on its own grid, right the forecast, averaged to the grid of "
        "MERRA-2, minus MERRA-2, inside the rim (broken line).",
    )
    quantities = {q.name: q for q in (*merra2.INSTANT, *merra2.MEAN)}
    rows: list[tuple[str, np.ndarray, np.ndarray, np.ndarray, np.ndarray, str, str]] = []
    for name, levels, step, colours in (
        ("sea_level_pressure", np.arange(1004.0, 1029.0, 2.0), 0.5, "viridis"),
        ("temperature_2m", np.arange(0.0, 32.0, 2.0), 1.0, "turbo"),
        ("shortwave_down", np.arange(0.0, 1001.0, 100.0), 50.0, "inferno"),
    ):
        q = quantities[name]
        part = "instant" if name in ours.instant else "mean"
        at = hour if part == "instant" else hour - 1
        mine, theirs = (getattr(one, part)[name][at] * q.shown + q.offset for one in (ours, truth))
        words = f"{q.words} ({q.unit})" + (", 10-m wind" if name == "sea_level_pressure" else "")
        words += "" if part == "instant" else f", +{hour - 1} to +{hour} h"
        rows.append((words, mine, theirs, levels, step * STEPS, colours, q.unit.replace("°C", "K")))
    sums = [one.mean["precipitation"].sum(axis=0) for one in (ours, truth)]
    rows.append((f"precipitation in {ours.hours} h (mm)", *sums, RAIN, 0.5 * RAIN_STEPS, "YlGnBu", "mm"))
    for (words, mine, theirs, levels, differences, colours, unit), axes in zip(rows, panels, strict=True):
        error = np.where(boxes.inside, boxes(mine) - theirs, np.nan)
        style = _norm(levels, colours, "max" if unit == "mm" else "both")
        _boxes(axes[0], base, lat, lon, theirs, **style)
        drawn = axes[1].pcolormesh(base.x, base.y, mine, zorder=1, rasterized=True, **style)
        difference = _boxes(axes[2], base, lat, lon, error, **_norm(differences, "RdBu_r", "both"))
        for one in axes:
            base.draw(one, tint=False)
            base.rim(one)
        axes[0].set_title(words, fontsize=8.5, loc="left")
        axes[1].set_title("forecast", fontsize=8.5, loc="left")
        axes[2].set_title(f"difference, rms {merra2.rms(error[boxes.inside]):.3g} {unit}", fontsize=8.5, loc="left")
        _bar(figure, axes[:2], drawn, words[words.index("(") + 1 : words.index(")")])
        _bar(figure, axes[2:], difference, f"forecast minus MERRA-2 ({unit})")
    every = slice(2, None, 4)
    x, y = base.place(lat, lon)
    isobars = {"levels": np.arange(960.0, 1060.0, 2.0), "colors": "#1f2730", "linewidths": 0.6, "zorder": 3}
    panels[0][0].contour(x, y, 0.01 * truth.instant["sea_level_pressure"][hour], **isobars)
    panels[0][1].contour(base.x, base.y, 0.01 * ours.instant["sea_level_pressure"][hour], **isobars)
    _wind(panels[0][0], x[every, every], y[every, every],
          *(truth.instant[n][hour][every, every] for n in ("eastward_wind_10m", "northward_wind_10m")))  # fmt: skip
    step = max(1, round(220e3 / ours.domain.spacing))
    own = slice(step // 2, None, step)
    xx, yy = np.meshgrid(base.x[own], base.y[own])
    _wind(panels[0][1], xx, yy,
          *(ours.instant[n][hour][own, own] for n in ("eastward_wind_10m", "northward_wind_10m")))  # fmt: skip
    _save(figure, path)


def merra2_curves(ours: Hourly, found: dict[str, Any], path: Path) -> None:
    """Errors beside persistence, then means of what heats and wets the ground and the air, over land and sea."""
    with mpl.rc_context(STYLE):
        figure = Figure(figsize=(10.6, 9.6), layout="constrained")
        panels = figure.subplots(4, 3)
        hours = np.arange(ours.hours + 1)
        quantities = {q.name: q for q in (*merra2.INSTANT, *merra2.MEAN)}
        for axes, name in zip(panels[0], ("eastward_wind_10m", "sea_level_pressure", "temperature_2m"), strict=True):
            q, one = quantities[name], found["instant"][name]
            unit = "K" if q.unit == "°C" else q.unit
            axes.plot(hours, q.shown * np.array(one["persistence"]), color=MAP_MUTED, ls="--", label="persistence")
            axes.plot(hours, q.shown * np.array(one["rms"]), color=OURS, marker="o", ms=2.5, label="forecast")
            if name != "temperature_2m":
                wanted = 0.6 * q.shown * np.array(one["persistence"])
                axes.plot([12, 18], wanted[[12, 18]], ls="", marker="v", color=THEIRS, label="bound at +12, +18 h")
            axes.set_title(f"rms error, {q.words} ({unit})")
            axes.legend(loc="upper left")
        for axes, name in zip(panels[1], ("temperature_2m", "specific_humidity_2m", "sea_level_pressure"), strict=True):
            q, one = quantities[name], found["instant"][name]
            _both(axes, hours, one, q)
        flat = [*panels[2], *panels[3]]
        for axes, q in zip(flat, merra2.MEAN, strict=True):
            _both(axes, hours[1:] - 0.5, found["mean"][q.name], q)
        for axes in panels.flat:
            axes.set_xlim(0, ours.hours)
            axes.set_xticks(range(0, ours.hours + 1, 3))
        for axes in panels[3]:
            axes.set_xlabel(f"hours after {format_utc(ours.start)}")
        figure.suptitle(
            "Eastern United States, 30 March 2020: a forecast driven by MERRA-2 (NASA GMAO) against it, inside the rim",
            fontsize=11, fontweight="bold", ha="left", x=0.012,
        )  # fmt: skip
    _save(figure, path)


def _both(axes: Axes, hours: np.ndarray, one: dict[str, Any], q: merra2.Quantity) -> None:
    """Means of both over land and over sea."""
    for place, dash in (("land", "-"), ("sea", ":")):
        for who, colour, words in (("ours", OURS, "forecast"), ("theirs", THEIRS, "MERRA-2")):
            values = q.shown * np.array(one[place][who]) + q.offset
            axes.plot(hours, values, color=colour, ls=dash, label=f"{words}, {place}")
    axes.set_title(f"mean {q.words} ({q.unit})")
    if q.name in ("temperature_2m", "sensible_heat"):
        axes.legend(loc="best")


def ruc13_figure(ours: Hourly, rain: ruc13.Rain, found: dict[str, Any], path: Path, coast: Path) -> None:
    """Rain of the day by Stage II, by our forecast and by the one that drives it; rain by the hour; skill by scale."""
    base = Basemap(ours.domain, [coast])
    figure, panels = _panels(2, 2, base)
    _head(
        figure,
        f"Southern United States, rain of the 24 hours from {format_utc(ours.start)}",
        "NCEP Stage II; the forecast on its own grid; the forecast of WRF that drives it, on grid 212 (41 km). Rim: "
        "broken line.",
    )
    style = _norm(np.array([0.5, 1.0, 2.0, 5.0, 10.0, 20.0, 40.0, 80.0]), "YlGnBu", "max")
    style["cmap"].set_bad("#dcdcdc")
    shown = [
        (panels[0][0], "NCEP Stage II", rain.stage2.sum(axis=0)),
        (panels[1][0], "WRF from the RUC, which drives", rain.wrf.sum(axis=0)),
    ]
    for axes, words, field in shown:
        _boxes(axes, base, rain.latitude, rain.longitude, field, **style)
        axes.set_title(words, fontsize=8.5, loc="left")
    axes = panels[0][1]
    drawn = axes.pcolormesh(base.x, base.y, ours.mean["precipitation"].sum(axis=0), zorder=1, rasterized=True, **style)
    axes.set_title(f"forecast, {ours.domain.spacing / 1e3:g} km", fontsize=8.5, loc="left")
    for axes in (panels[0][0], panels[0][1], panels[1][0]):
        base.draw(axes, tint=False)
        base.rim(axes)
    _bar(figure, panels[0], drawn, "mm in 24 h; grey: no value")
    box = panels[1][1].get_position()
    panels[1][1].remove()
    half = 0.5 * box.width
    with mpl.rc_context(STYLE):
        left = figure.add_axes((box.x0 + 0.035, box.y0, half - 0.05, box.height * 0.93))
        right = figure.add_axes((box.x0 + half + 0.035, box.y0, half - 0.035, box.height * 0.93))
        hours = np.arange(1, ours.hours + 1) - 0.5
        left.plot(hours, found["hourly"]["stage2"], color=THEIRS, label="Stage II")
        left.plot(hours, found["hourly"]["ours"], color=OURS, label="forecast")
        left.plot(np.arange(1.5, 24, 3), np.array(found["wrf_3_hourly"]) / 3.0, color=THIRD, label="WRF")
        left.set_title("mean rain (mm/h)")
        left.set_xlabel("hours after 00 UTC")
        left.set_xlim(0, 24)
        left.set_xticks(range(0, 25, 6))
        left.legend(loc="upper center")
        widths = np.array(ruc13.NEIGHBOURHOODS) * 40.6
        for who, colour in (("ours", OURS), ("wrf", THIRD)):
            for threshold, dash in (("1", "-"), ("5", "--")):
                skill = found["day"][who]["fractions_skill"][threshold]
                right.plot(widths, list(skill.values()), color=colour, ls=dash, marker="o", ms=2.5)
        right.set_ylim(0, 1)
        right.set_title("skill, 1 mm (line), 5 mm (broken)")
        right.set_xlabel("side of the squares (km)")
    _save(figure, path)


def _merra2(ours: Hourly, truth: merra2.Truth, found: dict[str, Any], folder: Path, coast: Path) -> None:
    merra2_maps(ours, truth, folder / "driven_forecast_merra2_maps.png", coast)
    merra2_curves(ours, found, folder / "driven_forecast_merra2_curves.png")


def _ruc13(ours: Hourly, rain: ruc13.Rain, found: dict[str, Any], folder: Path, coast: Path) -> None:
    ruc13_figure(ours, rain, found, folder / "driven_forecast_ruc13.png", coast)


DRAW: dict[str, Callable[..., None]] = {"merra2": _merra2, "ruc13": _ruc13}
"""What draws the figures of a case: the forecast, what it is judged by, the comparison, folder, coast."""
