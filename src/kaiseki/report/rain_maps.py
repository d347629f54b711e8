"""Maps of analysed precipitation: radar, analysis, uncertainty and gauges side by side.

The classes and colours of rain are those that the Japan Meteorological Agency shows rain with and had checked for
readers with other colour vision ("Guideline for colours of weather information on the web site", 2012; thresholds 1, 5,
10, 20, 30, 50 and 80 mm h-1), with one more class, of less than 1 mm. Missing values are grey, dry places paper.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.cm import ScalarMappable
from matplotlib.colors import BoundaryNorm, Colormap, ListedColormap
from matplotlib.figure import Figure
from matplotlib.patches import Patch

from kaiseki.core.files import whole_file
from kaiseki.core.timing import JST, civil_time, format_utc, label
from kaiseki.grid.regular import LatLonGrid
from kaiseki.precipitation.data import Gauges, RadarRain, RainGrid
from kaiseki.report.basemap import coast_lines, degrees
from kaiseki.report.style import MAP_INK, MAP_MUTED, MAP_PAPER, Picture, map_style, png_picture

RAIN_CLASSES: Final = (0.1, 1.0, 5.0, 10.0, 20.0, 30.0, 50.0, 80.0)
"""Lower edges of the classes of rain, mm in an hour; the last is open."""
RAIN_COLOURS: Final = ("#e2e2f7", "#a0d2ff", "#218cff", "#0041ff", "#faf500", "#ff9900", "#ff2800", "#b40068")
"""Colours of the classes."""
WIDTH_CLASSES: Final = (0.1, 0.5, 1.0, 2.0, 5.0, 10.0, 20.0)
"""Lower edges of the classes of uncertainty, mm."""
WIDTH_COLOURS: Final = ("#e8e5f3", "#cfcbe4", "#b0aed4", "#8d85bd", "#6f57a3", "#552a86", "#33145c")
"""Colours of the classes, from light to dark."""
UNKNOWN: Final = "#b9bcc0"
"""Colour of places where nothing is known."""
_WIDTH: Final = 10.4
_MOST: Final = 900
"""Largest number of cells along an axis that is drawn; of finer grids the largest value of each block."""


@dataclass(frozen=True, eq=False)
class RainHour:
    """What is shown of an hour; what is not there is None.

    Attributes:
        time: end of the hour.
        grid: of the analysis.
        mean: (ny, nx), mm.
        low, high: quantiles 0.1 and 0.9, (ny, nx), mm.
        radar: fields of the hour on a grid of their own.
        gauges: of the hour.
        truth: (ny, nx), mm, of a synthetic case.
        land: (ny, nx), whether a cell is land, for its outline where there are no coastlines.
    """

    time: np.datetime64
    grid: RainGrid
    mean: np.ndarray
    low: np.ndarray
    high: np.ndarray
    radar: RadarRain | None = None
    gauges: Gauges | None = None
    truth: np.ndarray | None = None
    land: np.ndarray | None = None


class Ground:
    """Axes of a map of a grid: latitude and longitude, or kilometres on its own map, with coast and graticule.

    Attributes:
        grid: of the fields.
        extent: west, east, south, north of the map, in its coordinates.
    """

    def __init__(
        self, grid: RainGrid, coast: Sequence[Path] = (), area: tuple[float, float, float, float] | None = None
    ) -> None:
        """Read the coast.

        Args:
            grid: of the fields.
            coast: GeoJSON files.
            area: west, south, east, north, degrees; the whole grid by default.
        """
        self.grid = grid
        x, y = self.axes_of(grid)
        (west, east), (south, north) = (sorted((_edge(axis, 0), _edge(axis, -1))) for axis in (x, y))
        self.extent = (west, east, south, north)
        if area is not None:
            west, south, east, north = area
            px, py = self.place(np.array([south, south, north, north]), np.array([west, east, west, east]))
            self.extent = (float(px.min()), float(px.max()), float(py.min()), float(py.max()))
        self.coast = [
            self.place(line[:, 1].clip(-89.9, 89.9), line[:, 0]) for one in coast for line in coast_lines(one)
        ]

    @property
    def aspect(self) -> float:
        """Height over width of a unit of the axes."""
        if isinstance(self.grid, LatLonGrid):
            return float(1.0 / np.cos(np.deg2rad(0.5 * (self.extent[2] + self.extent[3]))))
        return 1.0

    @property
    def shape(self) -> float:
        """Height of the map over its width."""
        west, east, south, north = self.extent
        return (north - south) / (east - west) * self.aspect

    def axes_of(self, grid: RainGrid) -> tuple[np.ndarray, np.ndarray]:
        """Coordinates (nx,), (ny,) of the cells of a grid of this kind."""
        return (grid.lon, grid.lat) if isinstance(grid, LatLonGrid) else (grid.x * 1e-3, grid.y * 1e-3)

    def place(self, lat: np.ndarray, lon: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Coordinates of places on the map."""
        if isinstance(self.grid, LatLonGrid):
            west = float(self.grid.lon[0]) - 90.0
            return west + np.mod(np.asarray(lon, float) - west, 360.0), np.asarray(lat, float)
        x, y = self.grid.projection.forward(np.asarray(lat, float), np.asarray(lon, float))
        return x * 1e-3, y * 1e-3

    def draw(self, axes: Axes) -> None:
        """Coast, graticule, frame."""
        west, east, south, north = self.extent
        axes.set_xlim(west, east)
        axes.set_ylim(south, north)
        axes.set_aspect(self.aspect)
        for x, y in self.coast:
            # The line would cross the whole map where it passes its cut.
            cut = np.flatnonzero(np.abs(np.diff(x)) > 180.0) + 1
            for part_x, part_y in zip(np.split(x, cut), np.split(y, cut), strict=True):
                axes.plot(part_x, part_y, color=MAP_INK, linewidth=0.6, zorder=4, solid_joinstyle="round")
        self._graticule(axes)
        axes.tick_params(length=2, labelsize=6.5, pad=2, labelcolor=MAP_MUTED, color=MAP_MUTED)

    def _graticule(self, axes: Axes) -> None:
        west, east, south, north = self.extent
        style: dict[str, Any] = {"colors": [MAP_MUTED], "linewidths": 0.4, "alpha": 0.5, "zorder": 3.5}
        x, y = np.linspace(west, east, 60), np.linspace(south, north, 60)
        if isinstance(self.grid, LatLonGrid):
            lon, lat = np.meshgrid(x, y)
        else:
            lat, lon = self.grid.projection.inverse(*np.meshgrid(x * 1e3, y * 1e3))
            lon = lon[0, 0] - 180.0 + np.mod(lon - lon[0, 0] + 180.0, 360.0)
        step = next((one for one in (10.0, 5.0, 2.0, 1.0, 0.5, 0.2, 0.1) if np.ptp(lat) / one >= 2.5), 0.05)
        for field, signs, edge, along, set_ticks in (
            (lat, "NS", lat[:, 0], y, axes.set_yticks),
            (lon, "EW", lon[0], x, axes.set_xticks),
        ):
            values = np.arange(np.ceil(field.min() / step), np.floor(field.max() / step) + 1) * step
            if values.size:
                axes.contour(x, y, field, levels=values, **style)
            inside = values[(values >= edge.min()) & (values <= edge.max())]
            words = [degrees(round(float((one + 180.0) % 360.0 - 180.0), 6), signs) for one in inside]
            set_ticks(np.interp(inside, edge, along), labels=words)

    def shade(self, axes: Axes, grid: RainGrid, field: np.ndarray, cmap: Any, norm: Any) -> None:
        """Shades of a field (ny, nx) on a grid of the kind of the map or of another."""
        axes.set_facecolor(MAP_PAPER)
        if (isinstance(grid, LatLonGrid) and isinstance(self.grid, LatLonGrid)) or grid is self.grid:
            x, y = self.axes_of(grid)
            rows, columns = _within(y, self.extent[2:]), _within(x, self.extent[:2])
            x, y, field = x[columns], y[rows], field[rows, columns]
            size = max(-(-max(field.shape) // _MOST), 1)
            x, y, field = _blocks(x, size), _blocks(y, size), _largest(field, size)
        else:
            row_step, column_step = (max(-(-n // _MOST), 1) for n in grid.shape)
            lat, lon = grid.points()
            x, y = self.place(lat[::row_step, ::column_step], lon[::row_step, ::column_step])
            field = field[::row_step, ::column_step]
        shown = np.ma.masked_invalid(field)
        axes.pcolormesh(x, y, shown, cmap=cmap, norm=norm, shading="nearest", zorder=1, rasterized=True)

    def circles(self, axes: Axes, gauges: Gauges, cmap: Any, norm: Any) -> None:
        """Filled circles at the gauges of an hour, in the colours of the classes; those without rain are small."""
        x, y = self.place(gauges.lat, gauges.lon)
        amount, usable = gauges.amount[0], gauges.usable[0]
        west, east, south, north = self.extent
        inside = usable & (x >= west) & (x <= east) & (y >= south) & (y <= north)
        size = 26.0 if inside.sum() <= 200 else 13.0 if inside.sum() <= 600 else 7.0
        dry = inside & (amount < RAIN_CLASSES[0])
        wet = np.flatnonzero(inside & ~dry)
        axes.scatter(x[dry], y[dry], s=0.22 * size, c="#ffffff", edgecolors=MAP_MUTED, linewidths=0.4, zorder=5)
        wet = wet[np.argsort(amount[wet], kind="stable")]
        axes.scatter(
            x[wet], y[wet], s=size, c=amount[wet], cmap=cmap, norm=norm, edgecolors=MAP_INK, linewidths=0.4, zorder=5.5
        )


def rain_colours() -> tuple[Colormap, BoundaryNorm]:
    """Colour map and norm of the classes of rain."""
    return _classes(RAIN_CLASSES, RAIN_COLOURS)


def width_colours() -> tuple[Colormap, BoundaryNorm]:
    """Colour map and norm of the classes of uncertainty."""
    return _classes(WIDTH_CLASSES, WIDTH_COLOURS)


def _classes(edges: Sequence[float], colours: Sequence[str]) -> tuple[Colormap, BoundaryNorm]:
    cmap = ListedColormap(list(colours[:-1])).with_extremes(over=colours[-1], under=(0.0, 0.0, 0.0, 0.0), bad=UNKNOWN)
    return cmap, BoundaryNorm(list(edges), len(colours) - 1)


def draw_hour(
    hour: RainHour, coast: Sequence[Path] = (), area: tuple[float, float, float, float] | None = None
) -> Figure:
    """A figure with the maps of an hour; call within `map_style`."""
    ground = Ground(hour.grid, coast, area)
    rain, width = rain_colours(), width_colours()
    panels: list[tuple[str, Any]] = []
    if hour.truth is not None:
        panels.append(("truth", (hour.grid, hour.truth, rain)))
    if hour.radar is not None:
        panels.append(("radar", (hour.radar.grid, hour.radar.at(hour.time).amount[0], rain)))
    panels.append(("analysis (expected amount)", (hour.grid, hour.mean, rain)))
    panels.append(("uncertainty: width of the 80 % interval", (hour.grid, hour.high - hour.low, width)))
    if hour.gauges is not None:
        panels.append(("gauges", None))
    columns = 3 if len(panels) > 4 or (ground.shape > 1.25 and len(panels) > 2) else 2
    rows = -(-len(panels) // columns)
    figure, slots = _frame(ground, rows, columns)
    zone = JST if _in_japan(hour.grid) else None
    with civil_time(zone):
        words = f"Precipitation of the hour to {label(hour.time)}"
    height = figure.get_size_inches()[1]
    figure.text(0.05, 1.0 - 0.26 / height, words, fontsize=12, fontweight="bold", va="center", color=MAP_INK)
    for number, (title, shown) in enumerate(panels):
        axes = slots[number]
        ground.draw(axes)
        if hour.land is not None and not ground.coast:
            axes.contour(
                *ground.axes_of(hour.grid), hour.land, levels=[0.5], colors=[MAP_INK], linewidths=0.7, zorder=4
            )
        axes.set_title(f"{chr(97 + number)}  {title}", fontsize=9.5, color=MAP_INK, pad=4)
        if shown is not None:
            grid, field, (cmap, norm) = shown
            ground.shade(axes, grid, field, cmap, norm)
        elif hour.gauges is not None:
            axes.set_facecolor(MAP_PAPER)
            ground.circles(axes, hour.gauges.at(hour.time), *rain)
    for axes in slots[len(panels) :]:
        axes.set_visible(False)
    _legends(figure, rain, width)
    return figure


def _frame(ground: Ground, rows: int, columns: int) -> tuple[Figure, list[Axes]]:
    """Figure with a grid of maps, room for a title above and two legends below."""
    left, gap, top, bottom, above = 0.52, 0.42, 0.46, 0.86, 0.44
    width = (_WIDTH - left - 0.15 - gap * (columns - 1)) / columns
    height = min(width * ground.shape, 9.0)
    total = top + bottom + rows * (height + above)
    figure = Figure(figsize=(_WIDTH, total))
    slots = []
    for number in range(rows * columns):
        row, column = divmod(number, columns)
        x, y = left + column * (width + gap), total - top - (row + 1) * (height + above) + 0.14
        slots.append(figure.add_axes((x / _WIDTH, y / total, width / _WIDTH, height / total)))
    return figure, slots


def _legends(figure: Figure, rain: Any, width: Any) -> None:
    """Bars of both sets of classes at the foot, and what grey means."""
    height = figure.get_size_inches()[1]
    for left, share, (cmap, norm), edges, words in (
        (0.05, 0.40, rain, RAIN_CLASSES, "precipitation in the hour (mm); gauges: circles of the same colours"),
        (0.52, 0.30, width, WIDTH_CLASSES, "90 % quantile less 10 % quantile (mm)"),
    ):
        slot = figure.add_axes((left, 0.48 / height, share, 0.13 / height))
        bar = figure.colorbar(
            ScalarMappable(norm, cmap), cax=slot, orientation="horizontal", extend="max", ticks=edges, format="%g",
            spacing="uniform",
        )  # fmt: skip
        bar.set_label(words, fontsize=8, labelpad=2)
        bar.ax.tick_params(labelsize=7.5, length=2, pad=2)
    figure.legend(
        handles=[Patch(facecolor=UNKNOWN, edgecolor=MAP_MUTED, label="nothing known")],
        loc="center left", bbox_to_anchor=(0.85, 0.54 / height), fontsize=8, frameon=False, handlelength=1.4,
    )  # fmt: skip


def rain_picture(hour: RainHour, caption: str, coast: Sequence[Path] = ()) -> Picture:
    """The maps of an hour as a picture of a page."""
    with map_style():
        figure = draw_hour(hour, coast)
        known = np.isfinite(hour.mean)
        most = float(hour.mean[known].max()) if known.any() else 0.0
        alt = f"Maps of rain of the hour to {format_utc(hour.time)}; analysed at most {most:.1f} mm."
        return png_picture(figure, alt, caption, dpi=110, wide=True)


def write_maps(
    hour: RainHour, path: Path, coast: Sequence[Path] = (), area: tuple[float, float, float, float] | None = None
) -> Path:
    """Write the maps of an hour as PNG, whole or not at all, and return the path.

    Raises:
        InputError: a file of coastlines cannot be read.
        StoreError, ResourceError: the picture cannot be written.
    """
    with map_style():
        figure = draw_hour(hour, coast, area)
        FigureCanvasAgg(figure)
        with whole_file(path) as scratch:
            figure.savefig(scratch, format="png", dpi=150, metadata={"Software": None})
    return path


def _edge(axis: np.ndarray, end: int) -> float:
    """Outer edge of the first or the last cell of an axis."""
    inner = axis[1] if end == 0 else axis[-2]
    return float(axis[end] + 0.5 * (axis[end] - inner))


def _within(axis: np.ndarray, ends: tuple[float, float]) -> slice:
    """Cells of an axis between two coordinates, and one more on either side."""
    inside = np.flatnonzero((axis >= min(ends)) & (axis <= max(ends)))
    if not inside.size:
        return slice(0, axis.size)
    return slice(max(inside[0] - 1, 0), min(inside[-1] + 2, axis.size))


def _blocks(axis: np.ndarray, size: int) -> np.ndarray:
    """Means (n // size,) of the coordinates of blocks."""
    count = axis.size // size
    return axis[: count * size].reshape(count, size).mean(axis=1)


def _largest(field: np.ndarray, size: int) -> np.ndarray:
    """Largest known value of each block of cells; NaN where nothing is known."""
    if size == 1:
        return field
    ny, nx = (n // size for n in field.shape)
    blocks = field[: ny * size, : nx * size].reshape(ny, size, nx, size)
    return np.fmax.reduce(np.fmax.reduce(blocks, axis=3), axis=1)


def _in_japan(grid: RainGrid) -> bool:
    """Whether the middle of a grid is in or near Japan, where the time is told in its standard time too."""
    lat, lon = (one[one.shape[0] // 2, one.shape[1] // 2] for one in grid.points())
    return bool(20.0 <= lat <= 50.0 and 118.0 <= lon <= 155.0)
