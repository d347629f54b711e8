"""Areas of overlap against polygons of Shapely, positions of PROJ, and counting of points.

What can go wrong:
- an edge of a map is taken as straight in latitude and longitude, or the other way round;
- rows or columns are swapped where an axis falls, or the hemisphere is southern;
- areas are lost or doubled at the date line, Greenwich, a pole, a parallel tangent to an edge, edges that coincide;
- areas are those of the map, not of the sphere.
"""

from __future__ import annotations

import numpy as np
import pyproj
import pytest
import shapely

from kaiseki.grid import LambertConformal, Mercator, PolarStereographic, Projection
from kaiseki.grid.overlap import overlaps
from kaiseki.grid.regular import LatLonGrid, MapGrid, cell_edges

Grid = MapGrid | LatLonGrid


def proj(projection: Projection) -> pyproj.Proj:
    """A projection by PROJ, with the origin of Kaiseki's."""
    pole = 90.0 if projection.cone > 0.0 else -90.0
    common = {"lon_0": projection.central_longitude, "R": projection.radius}
    match projection:
        case LambertConformal(parallel_1=first, parallel_2=second):
            return pyproj.Proj(proj="lcc", lat_1=first, lat_2=second, lat_0=pole, **common)
        case PolarStereographic(parallel=parallel):
            return pyproj.Proj(proj="stere", lat_0=pole, lat_ts=parallel, **common)
        case Mercator(parallel=parallel):
            return pyproj.Proj(proj="merc", lat_ts=parallel, **common)
    raise TypeError(projection)


def polygons(grid: Grid, plane: pyproj.Proj, pieces: int) -> np.ndarray:
    """Cells (ny nx,) as polygons on an equal-area map, their edges in so many straight pieces."""
    axes = (grid.x, grid.y) if isinstance(grid, MapGrid) else (grid.lon, grid.lat)
    x, y = cell_edges(axes[0], "x"), cell_edges(axes[1], "y")
    if isinstance(grid, LatLonGrid):
        y = y.clip(-90.0, 90.0)
    t = np.arange(pieces) / pieces
    ring_x = np.concatenate([t, np.ones(pieces), 1.0 - t, np.zeros(pieces)])
    ring_y = np.concatenate([np.zeros(pieces), t, np.ones(pieces), 1.0 - t])
    shape = (y.size - 1, x.size - 1, ring_x.size)
    at_x = np.broadcast_to(x[:-1, None] + np.diff(x)[:, None] * ring_x, shape)
    at_y = np.broadcast_to((y[:-1, None] + np.diff(y)[:, None] * ring_y)[:, None], shape)
    lon, lat = (at_x, at_y) if isinstance(grid, LatLonGrid) else proj(grid.projection)(at_x, at_y, inverse=True)
    return shapely.make_valid(shapely.polygons(np.stack(plane(lon, lat), axis=-1).reshape(-1, ring_x.size, 2)))


def by_polygons(source: Grid, target: Grid, centre: tuple[float, float], pieces: int) -> np.ndarray:
    """Overlaps (cells of the source, cells of the target), sr, on Lambert's azimuthal equal-area map about a place."""
    plane = pyproj.Proj(proj="laea", lat_0=centre[0], lon_0=centre[1], R=1.0)
    first, second = polygons(source, plane, pieces), polygons(target, plane, pieces)
    pairs = shapely.STRtree(second).query(first, predicate="intersects")
    result = np.zeros((first.size, second.size))
    result[pairs[0], pairs[1]] = shapely.area(shapely.intersection(first[pairs[0]], second[pairs[1]]))
    return result


def dense(source: Grid, target: Grid) -> np.ndarray:
    result = np.zeros((np.prod(source.shape), np.prod(target.shape)))
    first, second, angle = overlaps(source, target)
    np.add.at(result, (first, second), angle)
    return result


def about(projection: Projection, lat: float, lon: float, step: float, ny: int, nx: int) -> MapGrid:
    x, y = projection.forward(np.asarray(lat), np.asarray(lon))
    return MapGrid(projection, x + step * (np.arange(nx) - 0.5 * (nx - 1)), y + step * (np.arange(ny) - 0.5 * (ny - 1)))


def turned(grid: MapGrid) -> MapGrid:
    return MapGrid(grid.projection, grid.x[::-1], grid.y[::-1])


NORTH, SOUTH = LambertConformal(30.0, 60.0, 140.0), LambertConformal(-35.0, -35.0, 175.0)
ARCTIC, ANTARCTIC = PolarStereographic(70.0, -45.0), PolarStereographic(-71.0, 0.0)
CASES: dict[str, tuple[Grid, Grid, tuple[float, float]]] = {
    "Japan, latitudes from the north": (
        about(NORTH, 36.0, 138.0, 150e3, 7, 8),
        LatLonGrid(np.arange(45.0, 28.0, -1.3), np.arange(128.0, 150.0, 1.1)),
        (36.0, 138.0),
    ),
    "coarse map, fine parallels, symmetric about the central meridian": (
        about(NORTH, 38.0, 140.0, 400e3, 3, 4),
        LatLonGrid(np.arange(25.25, 52.0, 0.5), np.arange(125.25, 156.0, 0.5)),
        (38.0, 140.0),
    ),
    "fine map, coarse parallels": (
        about(NORTH, 36.0, 138.0, 60e3, 9, 10),
        LatLonGrid(np.arange(22.5, 60.0, 5.0), np.arange(117.5, 160.0, 5.0)),
        (36.0, 138.0),
    ),
    "south, date line, both axes of the map fall": (
        turned(about(SOUTH, -40.0, 179.0, 130e3, 6, 8)),
        LatLonGrid(np.arange(-50.0, -30.0, 1.2), np.arange(-195.0, -165.0, 1.5)),
        (-40.0, 179.0),
    ),
    "Greenwich": (
        about(LambertConformal(45.0, 55.0, 3.0), 50.0, 0.0, 120e3, 6, 8),
        LatLonGrid(np.arange(42.0, 58.0, 0.9), np.arange(-8.0, 9.0, 0.7)),
        (50.0, 0.0),
    ),
    "north pole within a cell": (
        about(ARCTIC, 90.0, 0.0, 300e3, 7, 9),
        LatLonGrid(np.arange(62.5, 90.0, 5.0), np.arange(5.0, 365.0, 10.0)),
        (90.0, 0.0),
    ),
    "north pole on a corner, meridians on edges, a row on the pole": (
        about(ARCTIC, 90.0, 0.0, 300e3, 6, 8),
        LatLonGrid(np.arange(90.0, 60.0, -4.0), np.arange(0.0, 360.0, 10.0)),
        (90.0, 0.0),
    ),
    "south pole on an edge": (
        turned(about(ANTARCTIC, -90.0, 0.0, 250e3, 7, 8)),
        LatLonGrid(np.arange(-88.0, -60.0, 4.0), np.arange(-180.0, 180.0, 7.5)),
        (-90.0, 0.0),
    ),
    "Mercator over the equator": (
        about(Mercator(10.0, 178.0), 2.0, 179.0, 200e3, 6, 7),
        LatLonGrid(np.arange(-9.0, 12.0, 1.7), np.arange(165.0, 195.0, 2.3)),
        (2.0, 179.0),
    ),
    "Lambert on Lambert": (
        about(NORTH, 36.0, 138.0, 150e3, 7, 8),
        about(LambertConformal(25.0, 50.0, 120.0), 37.0, 137.0, 110e3, 7, 8),
        (36.0, 138.0),
    ),
    "Lambert on a finer grid of the same map": (
        about(NORTH, 36.0, 138.0, 150e3, 5, 6),
        turned(about(NORTH, 37.0, 137.0, 70e3, 9, 8)),
        (36.0, 138.0),
    ),
    "polar stereographic on another, both over the pole": (
        about(ARCTIC, 88.0, 10.0, 300e3, 6, 7),
        about(PolarStereographic(60.0, 20.0), 89.0, 60.0, 210e3, 8, 9),
        (90.0, 0.0),
    ),
    "Mercator on Lambert of the south": (
        about(Mercator(20.0, 170.0), -35.0, 178.0, 200e3, 6, 7),
        turned(about(SOUTH, -36.0, 179.0, 120e3, 7, 7)),
        (-36.0, 179.0),
    ),
    "polar stereographic on Lambert, far from its pole": (
        about(ARCTIC, 45.0, 10.0, 200e3, 5, 6),
        about(LambertConformal(45.0, 55.0, 3.0), 46.0, 9.0, 170e3, 5, 6),
        (45.0, 10.0),
    ),
}


@pytest.mark.parametrize("case", CASES)
@pytest.mark.parametrize("back", [False, True])
def test_overlaps_are_the_areas_of_intersected_polygons(case: str, back: bool) -> None:
    source, target, centre = CASES[case]
    if back:
        source, target = target, source
    got = dense(source, target)
    smallest = min(source.solid_angle().min(), target.solid_angle().min())
    # Chords of the polygons: their error falls with the square of the number of pieces.
    errors = [np.abs(by_polygons(source, target, centre, pieces) - got).max() / smallest for pieces in (10, 40)]
    assert errors[1] < 3e-4
    assert errors[1] < errors[0] / 8.0 or errors[1] < 1e-9


@pytest.mark.parametrize("case", ["Japan, latitudes from the north", "north pole within a cell", "Lambert on Lambert"])
def test_overlaps_are_shares_of_points(case: str) -> None:
    """Places spread evenly over a cell of the source, and the cell of the target in which PROJ says that each lies."""
    source, target, _ = CASES[case]
    assert isinstance(source, MapGrid)
    got = dense(source, target).reshape(*source.shape, -1) * source.projection.radius**2
    x, y = cell_edges(source.x, "x"), cell_edges(source.y, "y")
    n = 400
    part = (np.arange(n) + 0.5) / n
    for j, i in ((0, 0), (source.shape[0] // 2, source.shape[1] // 2), (2, 5)):
        at_x, at_y = np.meshgrid(x[i] + part * (x[i + 1] - x[i]), y[j] + part * (y[j + 1] - y[j]))
        lon, lat = proj(source.projection)(at_x, at_y, inverse=True)
        factor = proj(source.projection).get_factors(lon, lat).areal_scale
        area = np.abs((x[i + 1] - x[i]) * (y[j + 1] - y[j])) / n**2 / factor
        if isinstance(target, MapGrid):
            axes, places = (target.y, target.x), proj(target.projection)(lon, lat)[::-1]
        else:
            axes, places = (target.lat, target.lon), (lat, target.lon[0] - 5.0 + (lon - target.lon[0] + 5.0) % 360.0)
        index, inside = [], np.ones(area.shape, bool)
        for axis, place in zip(axes, places, strict=True):
            edges = cell_edges(axis, "axis")
            order = 1 if edges[1] > edges[0] else -1
            cell = np.searchsorted(edges[::order], place) - 1
            inside &= (cell >= 0) & (cell < axis.size)
            index.append(cell if order == 1 else axis.size - 1 - cell)
        number = (index[0] * axes[1].size + index[1])[inside]
        expected = np.bincount(number, area[inside], minlength=got.shape[-1])
        np.testing.assert_allclose(got[j, i], expected, atol=3.0 / n * area.sum())


@pytest.mark.parametrize("case", CASES)
def test_solid_angles_are_the_areas_of_polygons(case: str) -> None:
    source, _, centre = CASES[case]
    plane = pyproj.Proj(proj="laea", lat_0=centre[0], lon_0=centre[1], R=1.0)
    expected = shapely.area(polygons(source, plane, 200)).reshape(source.shape)
    np.testing.assert_allclose(source.solid_angle(), expected, rtol=2e-6)


def test_the_cells_of_the_globe_have_its_area() -> None:
    for lat in (np.linspace(-90.0, 90.0, 19), np.linspace(85.0, -85.0, 18)):
        assert LatLonGrid(lat, np.arange(-170.0, 190.0, 20.0)).solid_angle().sum() == pytest.approx(4.0 * np.pi)


def test_a_grid_on_itself_is_the_identity() -> None:
    for grid in (CASES["Japan, latitudes from the north"][0], CASES["north pole within a cell"][1]):
        np.testing.assert_allclose(dense(grid, grid), np.diag(grid.solid_angle().ravel()), atol=1e-14)


def test_maps_on_two_sides_of_the_earth_do_not_overlap() -> None:
    for target in (about(SOUTH, -40.0, 179.0, 100e3, 5, 5), about(ANTARCTIC, -85.0, 0.0, 100e3, 5, 5)):
        assert overlaps(about(NORTH, 36.0, 138.0, 100e3, 5, 6), target)[0].size == 0
        assert overlaps(about(ARCTIC, 88.0, 0.0, 100e3, 5, 6), target)[0].size == 0


def test_a_map_of_a_hemisphere_covers_a_small_one_whole() -> None:
    """Cells beyond the cut of the small map's projection are no part of it."""
    wide = MapGrid(ARCTIC, 500e3 * np.arange(-16, 17), 500e3 * np.arange(-16, 17))
    small = about(LambertConformal(45.0, 55.0, 3.0), 50.0, 0.0, 300e3, 6, 7)
    np.testing.assert_allclose(dense(wide, small).sum(axis=0), small.solid_angle().ravel(), rtol=1e-9)
    np.testing.assert_allclose(dense(small, wide).sum(axis=1), small.solid_angle().ravel(), rtol=1e-9)
