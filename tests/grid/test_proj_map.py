"""Grids on maps of PROJ against PROJ and against areas on the ellipsoid.

What can go wrong: a map of the ellipsoid taken for one of the sphere, an origin lost, areas without the map's scale.
"""

from __future__ import annotations

import pickle

import numpy as np
import pytest
from pyproj import Geod, Proj

from kaiseki.core.errors import InputError
from kaiseki.grid.proj_map import ProjGrid, crs_of, grid_of
from kaiseki.grid.projection import LambertConformal, Mercator, PolarStereographic
from kaiseki.grid.regular import LatLonGrid, MapGrid

X, Y = np.arange(5) * 2000.0, np.arange(4) * -2000.0


@pytest.mark.parametrize(
    ("text", "kind"),
    [
        ("+proj=stere +lat_0=90 +lat_ts=60 +lon_0=10 +R=6370040 +x_0=1000", PolarStereographic),
        ("+proj=stere +lat_0=-90 +lat_ts=-71 +lon_0=30 +R=6371229", PolarStereographic),
        ("+proj=lcc +lat_1=30 +lat_2=60 +lat_0=36 +lon_0=140 +R=6371000 +x_0=-5000 +y_0=2000", LambertConformal),
        ("+proj=lcc +lat_1=45 +lat_0=45 +lon_0=10 +R=6371000", LambertConformal),
        ("+proj=merc +lat_ts=20 +lon_0=120 +R=6371000", Mercator),
    ],
)
def test_maps_of_the_sphere_become_our_own(text: str, kind: type) -> None:
    grid = grid_of("file", crs_of("file", text), X, Y - 1e6)
    assert isinstance(grid, MapGrid)
    assert isinstance(grid.projection, kind)
    lat, lon = grid.points()
    x, y = Proj(text)(lon, lat)
    np.testing.assert_allclose(x, np.broadcast_to(X, x.shape), atol=0.01)
    np.testing.assert_allclose(y, np.broadcast_to(Y[:, None] - 1e6, y.shape), atol=0.01)


@pytest.mark.parametrize(
    "text",
    [
        "+proj=stere +lat_0=90 +lat_ts=60 +lon_0=14 +ellps=bessel +x_0=-2e5 +y_0=3.4e6",
        "+proj=laea +lat_0=55 +lon_0=10 +ellps=WGS84",
        "+proj=aeqd +lat_0=36 +lon_0=138 +datum=WGS84",
        "+proj=stere +lat_0=52 +lon_0=19 +R=6371000",
        "+proj=stere +lat_0=90 +k_0=0.97 +lon_0=14 +R=6371000 +y_0=3e6",
    ],
)
def test_other_maps_keep_their_projection_and_have_true_areas(text: str) -> None:
    grid = grid_of("file", crs_of("file", text), X, Y)
    assert isinstance(grid, MapGrid)
    lat, lon = grid.points()
    x, y = grid.projection.forward(lat, lon)
    np.testing.assert_allclose(x, np.broadcast_to(grid.x, x.shape), atol=1e-3)
    np.testing.assert_allclose(y, np.broadcast_to(grid.y[:, None], y.shape), atol=1e-3)
    if not isinstance(grid, ProjGrid):
        return
    corner_x, corner_y = np.array([1000.0, 3000.0, 3000.0, 1000.0]), np.array([-1000.0, -1000.0, -3000.0, -3000.0])
    lon, lat = Proj(text)(corner_x, corner_y, inverse=True)
    geod = Geod(ellps="bessel" if "bessel" in text else "WGS84") if "+R" not in text else Geod(a=6371000, b=6371000)
    area, _ = geod.polygon_area_perimeter(lon, lat)
    np.testing.assert_allclose(grid.solid_angle()[1, 1] * grid.projection.radius**2, abs(area), rtol=1e-4)
    with pytest.raises(InputError, match="no cone constant"):
        _ = grid.projection.cone
    with pytest.raises(InputError, match="no map factor"):
        grid.projection.map_factor(lat)
    again = pickle.loads(pickle.dumps(grid))
    assert again.projection == grid.projection


def test_latitudes_and_longitudes_stay_so() -> None:
    grid = grid_of("file", crs_of("file", "EPSG:4326"), np.array([135.0, 136.0]), np.array([36.0, 35.0]))
    assert isinstance(grid, LatLonGrid)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("+proj=merc +R=6371000 +units=us-ft", "expected metres"),
        ("+proj=geocent +ellps=WGS84", "neither a map"),
        ("+proj=ortho +lat_0=50 +lon_0=10 +R=6371000", "outside the map"),
    ],
)
def test_maps_that_cannot_be_used(text: str, words: str) -> None:
    with pytest.raises(InputError, match=words):
        grid_of("file", crs_of("file", text), np.array([0.0, 9e6]), np.array([0.0, 9e6]))
