"""Mesh and tiles of a grid.

What could fail: the last cells lie beyond the mesh, interpolation is shifted, tiles leave nodes out or have seams.
"""

import numpy as np
import pytest
from pyproj import Geod

from kaiseki.grid.proj_map import ProjGrid, crs_of, grid_of
from kaiseki.grid.projection import LambertConformal, PolarStereographic
from kaiseki.grid.regular import LatLonGrid, MapGrid
from kaiseki.precipitation.analysis import AnalysisSettings, analyse, at_places
from kaiseki.precipitation.analysis.mesh import Mesh, spacing, tiles
from kaiseki.precipitation.analysis.plane import plane_of
from kaiseki.precipitation.data import Gauges, RadarRain
from precipitation.analysis.synthetic import TIME, gauges, grid, storms

GRIDS = {
    "lat-lon": LatLonGrid(40.0 - np.arange(37) / 100.0, 139.0 + np.arange(51) / 80.0),
    "one cell more than the mesh": LatLonGrid(30.0 + np.arange(33) / 100.0, 139.0 + np.arange(49) / 80.0),
    "map": MapGrid(PolarStereographic(60.0, 10.0), np.arange(-40.0, 30.0) * 1e3, np.arange(-4e6, -3.96e6, 1e3)),
    "two by two": LatLonGrid(np.array([30.0, 30.01]), np.array([130.0, 130.01])),
}


@pytest.mark.parametrize("name", GRIDS)
def test_linear_fields_are_interpolated_exactly(name):
    one = GRIDS[name]
    mesh = Mesh.of(one, 4.0)
    ny, nx = one.shape
    assert mesh.rows[-1] >= ny - 1
    assert mesh.columns[-1] >= nx - 1
    field = 2.0 * mesh.rows[:, None] - 3.0 * mesh.columns
    expected = 2.0 * np.arange(ny)[:, None] - 3.0 * np.arange(nx)
    np.testing.assert_allclose(mesh.interpolate(field[None], 0, ny)[0], expected, atol=1e-9)
    lat, lon = one.points()
    inside = np.ix_(mesh.rows[mesh.rows < ny].astype(int), mesh.columns[mesh.columns < nx].astype(int))
    shape = lat[inside].shape
    np.testing.assert_allclose(mesh.lat[: shape[0], : shape[1]], lat[inside], atol=1e-9)
    np.testing.assert_allclose(mesh.lon[: shape[0], : shape[1]], lon[inside], atol=1e-9)


def test_tiles_cover_the_mesh_and_have_no_more_gauges_than_asked():
    one = LatLonGrid(40.0 - np.arange(300) / 100.0, 139.0 + np.arange(300) / 80.0)
    mesh = Mesh.of(one, 4.0)
    x = np.stack([np.meshgrid(4.0 * np.arange(mesh.shape[1]), 4.0 * np.arange(mesh.shape[0]))[k] for k in (0, 1)], -1)
    x = np.concatenate([x, np.zeros((*mesh.shape, 1))], axis=2).astype(float)
    some = np.column_stack([np.random.default_rng(0).uniform(0.0, 300.0, (900, 2)), np.zeros(900)])
    weight = np.zeros(mesh.shape)
    for tile in tiles(mesh, x, some, 300.0, 200):
        assert tile.near.size <= 200
        weight[tile.rows, tile.columns] += tile.weight
    assert (weight >= 1.0).all()
    assert not list(tiles(mesh, x, some[:0], 300.0, 200))


def test_tiles_with_few_gauges_differ_little_from_one_solution():
    truth, radar = storms()
    some = gauges(truth, 200)
    one, many = (
        analyse(some, radar, TIME, grid(), AnalysisSettings(fit=False, neighbours=number)) for number in (400, 60)
    )
    difference = np.abs(np.sqrt(one.mean) - np.sqrt(many.mean))
    assert np.sqrt(np.mean(difference**2)) < 0.05
    assert difference.max() < 0.4


@pytest.mark.parametrize(
    "one",
    [
        LatLonGrid(48.0 - np.arange(0.0, 28.0), 118.0 + np.arange(32.0)),
        LatLonGrid(-10.0 + np.arange(15.0), 170.0 + np.arange(30.0)),
        LatLonGrid(-50.0 + np.arange(15.0), 170.0 + np.arange(30.0)),
        LatLonGrid(70.0 + np.arange(15.0), np.arange(30.0)),
        MapGrid(LambertConformal(), np.arange(5) * 1e5, -8e6 + np.arange(6) * 1e5),
    ],
)
def test_distances_on_the_plane_are_right_within_a_few_per_cent(one):
    lat, lon = one.points()
    scale = plane_of(one).map_factor(lat)
    assert scale.min() > 0.95
    assert scale.max() < 1.05
    assert all(0.5 < part for part in spacing(one))
    turn = (lon - plane_of(one).central_longitude + 180.0) % 360.0 - 180.0
    assert np.abs(turn).max() < 90.0


def test_a_radar_on_the_map_of_an_ellipsoid_is_analysed():
    """The composites of many services are on such maps, which have no scale by latitude."""
    definition = "+proj=stere +lat_0=90 +lat_ts=60 +lon_0=14 +ellps=bessel"
    x, y = -160e3 + 2e3 * np.arange(20), -3.4e6 - 2e3 * np.arange(24)
    one = grid_of("here", crs_of("here", definition), x, y)
    assert isinstance(one, ProjGrid)
    lat, lon = one.points()
    _, _, rows = Geod(ellps="bessel").inv(lon[11, 10], lat[11, 10], lon[12, 10], lat[12, 10])
    _, _, columns = Geod(ellps="bessel").inv(lon[12, 10], lat[12, 10], lon[12, 11], lat[12, 11])
    np.testing.assert_allclose(spacing(one), (rows * 1e-3, columns * 1e-3), rtol=5e-3)
    amount = np.full((1, *one.shape), 2.0, np.float32)
    radar = RadarRain(grid=one, time=np.array([TIME]), amount=amount)
    place = {"lat": lat[::8, ::8].ravel(), "lon": lon[::8, ::8].ravel()}
    some = Gauges(station=np.arange(9).astype(str), time=np.array([TIME]), amount=np.full((1, 9), 2.0), **place)
    found = analyse(some, radar, TIME, one)
    np.testing.assert_allclose(found.mean, 2.0, rtol=0.25)
    there = at_places(some, radar, TIME, place["lat"], place["lon"])
    np.testing.assert_allclose(there.mean, found.mean[::8, ::8].ravel(), rtol=0.05)
