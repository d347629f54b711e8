"""The ground of every map: coastline, graticule and frame on the projection of the domain."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.patheffects import Normal, Stroke

from kaiseki.core.errors import InputError
from kaiseki.core.files import files_of
from kaiseki.grid import Domain
from kaiseki.report.style import MAP_INK, MAP_MUTED, MAP_PAPER

_KM = 1.0e-3
_LINES = {"LineString", "MultiLineString", "Polygon", "MultiPolygon"}


class Basemap:
    """Draws the ground of maps of one domain; coordinates of the axes are kilometres on the map.

    Attributes:
        domain: the grid.
        coast: lines (n, 2) [km] of the coast; empty where the land of the grid is used instead.
        x, y: cell centres [km].
    """

    def __init__(self, domain: Domain, coast_files: Sequence[Path] = ()) -> None:
        """Read the coastlines.

        Raises:
            InputError: a file is not GeoJSON.
        """
        self.domain = domain
        self.x, self.y = domain.x * _KM, domain.y * _KM
        self.extent = (self.x[0], self.x[-1], self.y[0], self.y[-1])
        self.coast = [line for path in coast_files for line in self._visible(path)]

    @property
    def aspect(self) -> float:
        """Height of the map over its width."""
        west, east, south, north = self.extent
        return (north - south) / (east - west)

    def draw(self, axes: Axes, *, tint: bool = True) -> None:
        """Coast, meridians and parallels, frame; land is tinted where `tint` is set."""
        west, east, south, north = self.extent
        axes.set_xlim(west, east)
        axes.set_ylim(south, north)
        axes.set_aspect("equal")
        axes.set_xticks([])
        axes.set_yticks([])
        land = self.domain.land_fraction
        mixed = land.min() < 0.5 <= land.max()
        if tint and land.max() >= 0.5:
            axes.contourf(self.x, self.y, land, levels=[0.5, 2.0], colors=["#ece7da"], zorder=0)
        for line in self.coast:
            axes.plot(line[:, 0], line[:, 1], color=MAP_INK, linewidth=0.55, zorder=4, solid_joinstyle="round")
        if not self.coast and mixed:
            axes.contour(self.x, self.y, land, levels=[0.5], colors=[MAP_INK], linewidths=0.7, zorder=4)
        self._graticule(axes)

    def rim(self, axes: Axes) -> None:
        """The inner edge of the rim as a thin broken line."""
        r = self.domain.rim_width
        half = 0.5 * self.domain.spacing * _KM
        if 2 * r >= min(self.domain.nx, self.domain.ny):
            return
        west, east = self.x[r] - half, self.x[-1 - r] + half
        south, north = self.y[r] - half, self.y[-1 - r] + half
        axes.plot(
            [west, east, east, west, west],
            [south, south, north, north, south],
            color=MAP_MUTED,
            linewidth=0.8,
            linestyle=(0, (4, 3)),
            zorder=4,
        )

    def place(self, latitude: Any, longitude: Any) -> tuple[np.ndarray, np.ndarray]:
        """Coordinates of places [km]."""
        x, y = self.domain.projection.forward(np.asarray(latitude, float), np.asarray(longitude, float))
        return x * _KM, y * _KM

    def _graticule(self, axes: Axes) -> None:
        lowest, highest, first, last = self.domain.box(self.domain.lat, self.domain.lon)
        step = next(s for s in (10.0, 5.0, 2.0, 1.0, 0.5) if (highest - lowest) / s >= 2.5 or s == 0.5)
        # Meridians crowd towards the poles.
        across = next((s for s in (step, 5.0, 10.0, 15.0) if s >= step and (last - first) / s <= 13.0), 30.0)
        style: dict[str, Any] = {"color": MAP_MUTED, "linewidth": 0.4, "alpha": 0.55, "zorder": 3.5}
        west, east, south, north = self.extent
        label: dict[str, Any] = {"fontsize": 6.5, "color": MAP_MUTED, "zorder": 6}
        pole = self.domain.pole_inside
        for value in np.arange(np.ceil(lowest / step), np.floor(highest / step) + 1) * step:
            if abs(value) == 90.0:
                continue
            # Not quite to the cut of the map, on whose far side the line would go on; about a pole there is no cut.
            middle, half = 0.5 * (first + last), min(0.5 * (last - first) + 5.0, 180.0 if pole else 179.999)
            span = np.linspace(middle - half, middle + half, 121 if half < 90.0 else 361)
            x, y = self.place(np.full_like(span, value), span)
            axes.plot(x, y, **style)
            edges = _crossings(x, y, west, south, north)[:1]
            if pole and not edges:
                # Turned a little from the central meridian, along which another line is drawn.
                self._label_inside(
                    axes, x, y, np.roll(np.arange(span.size), -(span.size // 2 + 8)), degrees(value, "NS")
                )
            for edge in edges:
                axes.annotate(
                    degrees(value, "NS"),
                    (west, edge),
                    (-3, 0),
                    textcoords="offset points",
                    ha="right",
                    va="center",
                    annotation_clip=False,
                    **label,
                )
        for value in np.unique(np.arange(np.ceil(first / across), np.floor(last / across) + 1) * across % 360.0):
            # To the pole that the map holds; else never quite to a pole, which not every map has.
            least, most = (-90.0 if pole < 0 else -89.0), (90.0 if pole > 0 else 89.0)
            span = np.linspace(max(lowest - 5.0, least), min(highest + 5.0, most), 121)
            x, y = self.place(span, np.full_like(span, value))
            # Round-off of a straight meridian would show as a kink where it passes the middle of a pixel.
            axes.plot(x.round(6), y.round(6), **style)
            edges = _crossings(y, x, south, west, east)[:1]
            words = degrees((value + 180.0) % 360.0 - 180.0, "EW")
            if pole and not edges:
                outwards = np.arange(span.size) if pole > 0 else np.arange(span.size)[::-1]
                self._label_inside(axes, x, y, outwards, words)
            for edge in edges:
                axes.annotate(
                    words,
                    (edge, south),
                    (0, -3),
                    textcoords="offset points",
                    ha="center",
                    va="top",
                    annotation_clip=False,
                    **label,
                )

    def _label_inside(self, axes: Axes, x: np.ndarray, y: np.ndarray, order: np.ndarray, words: str) -> None:
        """Words on a line at the first of its points, in an order, that lies well inside the map."""
        west, east, south, north = self.extent
        margin = 0.035 * max(east - west, north - south)
        good = (x > west + margin) & (x < east - margin) & (y > south + margin) & (y < north - margin)
        for one in order[good[order]][:1]:
            halo = [Stroke(linewidth=2.0, foreground=MAP_PAPER, alpha=0.9), Normal()]
            axes.text(
                x[one], y[one], words, fontsize=6.5, color=MAP_MUTED, ha="center", va="center", zorder=6,
                path_effects=halo,
            )  # fmt: skip

    def _visible(self, path: Path) -> Iterator[np.ndarray]:
        """Lines of a file that come near the map, cut where they leave it."""
        west, east, south, north = self.extent
        margin = 0.05 * max(east - west, north - south)
        for line in coast_lines(path):
            longitude, latitude = line[:, 0], np.clip(line[:, 1], -89.9, 89.9)
            x, y = self.place(latitude, longitude)
            near = (x > west - margin) & (x < east + margin) & (y > south - margin) & (y < north + margin)
            for piece in np.split(np.arange(len(x)), np.flatnonzero(np.diff(near.astype(int))) + 1):
                if near[piece[0]] and piece.size > 1:
                    yield np.stack([x[piece], y[piece]], axis=1)


def _crossings(along: np.ndarray, across: np.ndarray, at: float, least: float, greatest: float) -> list[float]:
    """Places between two bounds where a line crosses an edge.

    Args:
        along, across: coordinates (n,) of the line, the first of which the edge has one value of.
        at: that value.
        least, greatest: bounds of the other coordinate on the edge.
    """
    first = np.flatnonzero((along[:-1] - at) * (along[1:] - at) <= 0.0)
    first = first[along[first + 1] != along[first]]
    part = (at - along[first]) / (along[first + 1] - along[first])
    found = across[first] + part * (across[first + 1] - across[first])
    return [float(one) for one in found if least < one < greatest]


def coast_files(patterns: Sequence[str], root: Path | None) -> list[Path]:
    """Files of coastlines that the experiment names, [] without a data root.

    Raises:
        ConfigError: a pattern finds nothing.
    """
    return [] if root is None else files_of(tuple(patterns), root, "domain.coast_files")


def coast_lines(path: Path) -> Iterator[np.ndarray]:
    """Lines (n, 2) of longitude and latitude in a GeoJSON file."""
    try:
        document = json.loads(path.read_text(encoding="utf-8"))
        features = document["features"]
        for feature in features:
            geometry = feature["geometry"]
            if geometry is not None and geometry["type"] in _LINES:
                for part in _flat(geometry["coordinates"]):
                    yield np.asarray(part, float)[:, :2]
    except (OSError, ValueError, KeyError, TypeError, IndexError) as error:
        raise InputError(f"{path} is not a GeoJSON file of coastlines: {error}") from None


def _flat(coordinates: Any) -> Iterator[Any]:
    """The lists of points in coordinates of any depth."""
    if coordinates and isinstance(coordinates[0][0], int | float):
        yield coordinates
        return
    for part in coordinates:
        yield from _flat(part)


def degrees(value: float, signs: str) -> str:
    """An angle as maps label it, such as "40°S"; `signs` has the letters of positive and negative ones."""
    if value == 0.0 or (abs(value) == 180.0 and signs == "EW"):
        return f"{abs(value):g}°"
    return f"{abs(value):g}°{signs[0] if value > 0 else signs[1]}"
