"""Polygons on the Earth, from GeoJSON or arrays, and how much of each cell of a grid they cover.

Edges are straight in longitude and latitude, as in GeoJSON (RFC 7946). Longitudes go on across the date line: from one
corner to the next the shorter way is taken. An edge is cut where it leaves a cell, and each piece adds the area between
itself and the eastern side of its row of cells, so that the area covered is exact cell by cell, with holes, for
polygons of any form.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np

from kaiseki.archive.selection.grid import Grid, _fraction
from kaiseki.core.constants import EARTH_RADIUS
from kaiseki.core.errors import InputError

Ring = np.ndarray
"""Corners (n, 2) of a closed line: longitude and latitude [degrees], the last equal to the first."""
Polygon = list[Ring]
"""An outer ring and its holes."""

_FINE: Final = 0.25
"""Longest piece of an edge, in cells: short enough for curves on the map and for the curve of a parallel."""
_MOST: Final = 5_000_000
_DATUMS: Final = (
    "CRS84",
    "EPSG::4326",
    "EPSG:4326",
    "EPSG::6668",
    "EPSG:6668",
    "EPSG::4612",
    "EPSG:4612",
    "EPSG::4979",
)


def read_json(file: str | Path) -> Any:
    """The content of a GeoJSON file.

    Raises:
        InputError: there is no such file, or it is no JSON.
    """
    if not isinstance(file, str | Path):
        raise InputError(f"The path of a GeoJSON file is needed, not {type(file).__name__}")
    path = Path(file)
    try:
        return json.loads(path.read_text(encoding="utf-8-sig"))
    except FileNotFoundError:
        raise InputError(f"There is no file {path}; give a GeoJSON file with polygons") from None
    except OSError as error:
        raise InputError(f"The file {path} cannot be read: {error.strerror}") from None
    except ValueError as error:
        raise InputError(f"The file {path} is no GeoJSON: {error}") from None


def polygons_of(shape: Any) -> list[Polygon]:
    """The polygons of a shape.

    Args:
        shape: GeoJSON as a mapping, the path of a GeoJSON file, a pair (longitudes, latitudes) of one ring, or an
            object with `__geo_interface__`.

    Raises:
        InputError: it is none of these, holds no polygon, or a ring is not closed or not on Earth.
    """
    where = "The polygon"
    if isinstance(shape, str | Path):
        where, shape = f"The polygon in {shape}", read_json(shape)
    elif hasattr(shape, "__geo_interface__"):
        shape = shape.__geo_interface__
    if isinstance(shape, Mapping):
        check_datum(shape)
        found = [[_ring(ring, where) for ring in polygon] for polygon in _geometries(shape, where)]
        if not found:
            raise InputError(f"{where} is empty: there is no Polygon or MultiPolygon in the GeoJSON")
        return found
    try:
        lon, lat = (np.asarray(one, float) for one in shape)
    except (TypeError, ValueError):
        raise InputError(
            "A polygon is GeoJSON, a file of GeoJSON, or a pair (longitudes, latitudes); got something else"
        ) from None
    if lon.ndim != 1 or lon.shape != lat.shape or lon.size < 3:
        raise InputError("A polygon of arrays needs at least three longitudes and as many latitudes")
    corners = np.stack([lon, lat], axis=-1)
    return [[_ring(corners if np.array_equal(corners[0], corners[-1]) else [*corners, corners[0]], where)]]


def check_datum(shape: Mapping[str, Any]) -> None:
    """Refuse coordinates that are not longitude and latitude of WGS 84, JGD2000 or JGD2011.

    Raises:
        InputError: the GeoJSON says that they are others, such as those of the old Tokyo datum.
    """
    crs = shape.get("crs")
    name = str(crs.get("properties", {}).get("name", crs)) if isinstance(crs, Mapping) else None
    if name is not None and not name.endswith(_DATUMS):
        raise InputError(
            f"The coordinates of the polygon are those of {name}; expected longitude and latitude of WGS 84 or JGD2011 "
            "(the old Tokyo datum is not supported; convert the file first)"
        )


def _geometries(shape: Mapping[str, Any], where: str) -> Iterator[Sequence[Any]]:
    """Coordinates of each polygon in a GeoJSON object."""
    kind = shape.get("type")
    try:
        if kind == "FeatureCollection":
            for feature in shape["features"]:
                yield from _geometries(feature, where)
        elif kind == "Feature":
            if shape["geometry"] is not None:
                yield from _geometries(shape["geometry"], where)
        elif kind == "GeometryCollection":
            for geometry in shape["geometries"]:
                yield from _geometries(geometry, where)
        elif kind == "Polygon":
            yield shape["coordinates"]
        elif kind == "MultiPolygon":
            yield from shape["coordinates"]
        else:
            raise InputError(f"{where} is a GeoJSON {kind!r}; expected a Polygon or MultiPolygon")
    except (KeyError, TypeError) as error:
        raise InputError(f"{where} is GeoJSON without {error}; expected a Polygon or MultiPolygon") from None


def _ring(corners: Any, where: str) -> Ring:
    """One closed line, its longitudes going on from corner to corner."""
    try:
        ring = np.array([[float(one[0]), float(one[1])] for one in corners])
    except (TypeError, ValueError, IndexError, KeyError):
        raise InputError(f"{where} has a corner that is no pair of longitude and latitude") from None
    if len(ring) < 4:
        raise InputError(f"{where} has a ring of {len(ring)} corners; a closed ring has at least four")
    wrong = ~np.all(np.isfinite(ring), axis=1) | (np.abs(ring[:, 1]) > 90.0) | (np.abs(ring[:, 0]) > 540.0)
    if np.any(wrong):
        lon, lat = ring[np.flatnonzero(wrong)[0]]
        raise InputError(f"{where} has a corner at longitude {lon:g} and latitude {lat:g}, which is no place on Earth")
    if not (np.isclose((ring[0, 0] - ring[-1, 0] + 180.0) % 360.0, 180.0) and ring[0, 1] == ring[-1, 1]):
        raise InputError(f"{where} has a ring that is not closed; its last corner must be its first")
    steps = np.diff(ring[:, 0])
    # An edge of exactly half a turn is left as it is given.
    steps = np.where(np.abs(steps) > 180.0, (steps + 180.0) % 360.0 - 180.0, steps)
    ring[:, 0] = ring[0, 0] + np.concatenate([[0.0], np.cumsum(steps)])
    if abs(ring[-1, 0] - ring[0, 0]) > 1e-6:
        raise InputError(f"{where} goes round a pole, which is not supported; cut it along a meridian")
    return ring


def area_of(polygons: Sequence[Polygon]) -> float:
    """Area of polygons on the sphere, m2."""
    total = 0.0
    for polygon in polygons:
        for number, ring in enumerate(polygon):
            lon, lat = np.deg2rad(_cut(ring, np.max(np.abs(np.diff(ring, axis=0)), axis=1) / 0.05)).T
            total += (-1 if number else 1) * abs(np.sum(np.diff(lon) * 0.5 * (np.sin(lat[1:]) + np.sin(lat[:-1]))))
    return float(EARTH_RADIUS**2 * total)


@dataclass(frozen=True, eq=False)
class Cover:
    """What polygons cover of a block of cells.

    Attributes:
        row: number of the first row of the block.
        column: number of its first column.
        fraction: part of each cell (m, n) that is covered, 0 to 1.
        centre: whether the centre of each cell lies inside.
    """

    row: int
    column: int
    fraction: np.ndarray
    centre: np.ndarray


def cover(grid: Grid, polygons: Sequence[Polygon]) -> Cover | None:
    """What polygons cover of the cells of a grid; None where they miss it.

    Raises:
        InputError: the polygons overlap, cross themselves, or cannot be drawn on the map of the grid.
    """
    drawn = [[_drawn(grid, ring, shift) for ring in polygon] for polygon in polygons for shift in _shifts(grid)]
    ny, nx = grid.shape
    inside = [
        line
        for polygon in drawn
        for line in polygon[:1]
        if line[:, 0].max() > 0 and line[:, 1].max() > 0 and line[:, 0].min() < nx and line[:, 1].min() < ny
    ]
    if not inside:
        return None
    corners = np.concatenate(inside)
    low = np.clip(np.floor(corners.min(axis=0)).astype(int), 0, [nx - 1, ny - 1])
    high = np.clip(np.ceil(corners.max(axis=0)).astype(int), low + 1, [nx, ny])
    width, height = (int(one) for one in high - low)
    fraction, centre = np.zeros((height, width)), np.zeros((height, width), bool)
    for polygon in drawn:
        odd = np.zeros((height, width), bool)
        for number, line in enumerate(polygon):
            moved = line - low
            part = _covered(moved, height, width)
            # The direction in which a ring is written says nothing: many files have it the other way round.
            sign = np.sign(_signed(line)) * (-1.0 if number else 1.0)
            fraction += sign * part
            odd ^= _odd(moved, height, width)
        centre |= odd
    if fraction.max() > 1.0 + 1e-6 or fraction.min() < -1e-6:
        raise InputError("The polygon crosses itself, or parts of it overlap; mend it first (in shapely: make_valid)")
    return Cover(int(low[1]), int(low[0]), np.clip(fraction, 0.0, 1.0), centre)


def _shifts(grid: Grid) -> tuple[float, ...]:
    """Turns on which a polygon is drawn: on a map one."""
    return (0.0,) if grid.on_map else (-720.0, -360.0, 0.0, 360.0, 720.0)


def _drawn(grid: Grid, ring: Ring, shift: float) -> np.ndarray:
    """A ring in fine pieces, in numbers of cells (column, row) counted from the outer edges of the grid, and brought to
    a margin of one cell about the grid where it goes beyond."""
    rows, columns = grid.edges()
    ny, nx = grid.shape
    if grid.cut is not None:
        centre = grid.cut - 180.0
        ring = ring - [360.0 * np.round((ring[:, 0].mean() - centre) / 360.0), 0.0]
        if np.abs(ring[:, 0] - centre).max() > 180.0:
            raise InputError(
                f"The polygon crosses the meridian {(grid.cut + 180.0) % 360.0 - 180.0:g}, along which the map of the "
                "grid is cut; cut it there first"
            )
    line = _cut(ring, np.max(np.abs(np.diff(ring, axis=0)), axis=1))
    while True:
        if grid.on_map:
            x, y = grid.forward(line[:, 1], line[:, 0])
            if not np.all(np.isfinite(x) & np.isfinite(y)):
                raise InputError("The polygon reaches a pole that the map of the grid cannot show; cut it first")
            drawn = np.stack([_fraction(columns, x), _fraction(rows, y)], axis=-1)
        else:
            # Along the sine of the latitude equal steps are equal areas.
            sines = np.sin(np.deg2rad(rows))
            x, y = line[:, 0] + shift, np.sin(np.deg2rad(line[:, 1]))
            drawn = np.stack([_fraction(columns, x), _fraction(sines, y)], axis=-1)
        drawn = np.clip(drawn, -1.0, [nx + 1.0, ny + 1.0])
        reach = np.max(np.abs(np.diff(drawn, axis=0)), axis=1) / _FINE
        if np.all(reach <= 1.0):
            return drawn
        line = _cut(line, reach)


def _cut(line: np.ndarray, pieces: np.ndarray) -> np.ndarray:
    """A line with each edge cut into a number of equal pieces, rounded up to whole ones."""
    whole = np.maximum(1, np.ceil(pieces)).astype(int)
    if whole.sum() > _MOST:
        raise InputError(f"The polygon is too large for the grid: its edges cross {whole.sum():,} parts of cells")
    number = np.arange(whole.sum()) - np.repeat(np.cumsum(whole) - whole, whole)
    share = (number / np.repeat(whole, whole))[:, None]
    start, steps = np.repeat(line[:-1], whole, axis=0), np.repeat(np.diff(line, axis=0), whole, axis=0)
    return np.concatenate([start + share * steps, line[-1:]])


def _signed(line: np.ndarray) -> float:
    """Twice the area within a closed line, negative when it runs clockwise."""
    x, y = (line - line[0]).T
    return float(np.sum(x[:-1] * y[1:] - x[1:] * y[:-1]))


def _covered(line: np.ndarray, height: int, width: int) -> np.ndarray:
    """Part of each cell (height, width) within a closed line of fine pieces, negative when it runs clockwise."""
    start, step = line[:-1], np.diff(line, axis=0)
    border = np.maximum(np.floor(start), np.floor(line[1:]))
    crossed = np.floor(start) != np.floor(line[1:])
    with np.errstate(divide="ignore", invalid="ignore"):
        at = np.where(crossed, (border - start) / step, 1.0)
    at = np.sort(np.clip(at, 0.0, 1.0), axis=1)
    cuts = np.concatenate([np.zeros((len(step), 1)), at, np.ones((len(step), 1))], axis=1)
    middle = 0.5 * (cuts[:, 1:] + cuts[:, :-1])
    x = start[:, :1] + middle * step[:, :1]
    row = np.floor(start[:, 1:] + middle * step[:, 1:]).astype(int)
    rise = np.diff(cuts, axis=1) * step[:, 1:]
    used = (row >= 0) & (row < height) & (x < width) & (rise != 0.0)
    x, row, rise = x[used], row[used], rise[used]
    # An edge takes what lies to the east of it: a part of its own cell, and all of the cells beyond.
    column = np.clip(np.floor(x).astype(int), -1, width - 1)
    own = column >= 0
    size = height * (width + 1)
    part = np.bincount((row * (width + 1) + column)[own], (rise * (column + 1 - x))[own], size)
    beyond = np.bincount(row * (width + 1) + column + 1, rise, size)
    part, beyond = (one.reshape(height, width + 1)[:, :width] for one in (part, beyond))
    return np.asarray(-(part + np.cumsum(beyond, axis=1)))


def _odd(line: np.ndarray, height: int, width: int) -> np.ndarray:
    """Whether the centre of each cell (height, width) lies within a closed line of fine pieces, by crossings."""
    (x0, y0), (x1, y1) = line[:-1].T, line[1:].T
    below = np.floor(y0 - 0.5), np.floor(y1 - 0.5)
    crossing = below[0] != below[1]
    row = np.maximum(*below)[crossing]
    x0, y0, x1, y1 = (one[crossing] for one in (x0, y0, x1, y1))
    x = x0 + (row + 0.5 - y0) / (y1 - y0) * (x1 - x0)
    first = np.clip(np.floor(x - 0.5).astype(int) + 1, 0, width)
    used = (row >= 0) & (row < height)
    crossed = np.bincount((row[used].astype(int) * (width + 1) + first[used]), minlength=height * (width + 1))
    return np.asarray(np.cumsum(crossed.reshape(height, width + 1)[:, :width], axis=1) % 2 == 1)
