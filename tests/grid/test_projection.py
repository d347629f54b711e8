"""The projection against PROJ and against itself."""

import numpy as np
import pyproj
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kaiseki.core.constants import EARTH_RADIUS
from kaiseki.grid.domain import Domain
from kaiseki.grid.presets import preset
from kaiseki.grid.projection import LambertConformal

PROJECTIONS = [LambertConformal(), LambertConformal(25.0, 55.0, 135.0), LambertConformal(35.0, 35.0, 135.0)]
LAT, LON = np.meshgrid(np.linspace(3.0, 70.0, 12), np.linspace(82.0, 193.0, 13), indexing="ij")
GEOD = pyproj.Geod(a=EARTH_RADIUS, b=EARTH_RADIUS)


def proj(projection: LambertConformal) -> pyproj.Proj:
    """The same projection by PROJ, with its origin at the pole as well."""
    return pyproj.Proj(
        proj="lcc",
        lat_1=projection.parallel_1,
        lat_2=projection.parallel_2,
        lat_0=90.0,
        lon_0=projection.central_longitude,
        R=projection.radius,
    )


@pytest.mark.parametrize("projection", PROJECTIONS)
def test_coordinates_map_factor_and_rotation_are_those_of_proj(projection: LambertConformal) -> None:
    other = proj(projection)
    x, y = projection.forward(LAT, LON)
    x_there, y_there = other(LON, LAT)
    np.testing.assert_allclose(x, x_there, atol=1e-6 * 1e3)
    np.testing.assert_allclose(y, y_there, atol=1e-6 * 1e3)
    factors = other.get_factors(LON, LAT)
    np.testing.assert_allclose(projection.map_factor(LAT), factors.meridional_scale, rtol=1e-6)
    np.testing.assert_allclose(projection.map_factor(LAT), factors.parallel_scale, rtol=1e-6)
    # PROJ's convergence is the angle from true north to grid north counted the same way.
    np.testing.assert_allclose(projection.rotation(LON), np.deg2rad(factors.meridian_convergence), atol=1e-6)


@pytest.mark.parametrize("name", ["japan-5km-76", "japan-60km"])
def test_wind_rotation_follows_the_bearing_of_the_grid_axes(name: str) -> None:
    """A wind along the y axis blows where the y axis points: the bearing by PROJ's geodesic to a point up the axis."""
    domain = preset(name)
    other, step = proj(domain.projection), 50.0
    x, y = np.meshgrid(domain.x[::40], domain.y[::40])
    lon_a, lat_a = other(x, y - step, inverse=True)
    lon_b, lat_b = other(x, y + step, inverse=True)
    lon, lat = other(x, y, inverse=True)
    # Half-way bearing: the bearings at both ends differ by the curvature of the axis over 100 m.
    forward, _, _ = GEOD.inv(lon, lat, lon_b, lat_b)
    backward, _, _ = GEOD.inv(lon, lat, lon_a, lat_a)
    bearing = np.deg2rad(0.5 * (np.asarray(forward) + (np.asarray(backward) + 180.0 + 180.0) % 360.0 - 180.0))
    east, north = domain.to_east_north(np.zeros_like(domain.rotation), np.ones_like(domain.rotation))
    np.testing.assert_allclose(east[::40, ::40], np.sin(bearing), atol=1e-6)
    np.testing.assert_allclose(north[::40, ::40], np.cos(bearing), atol=1e-6)


def test_distances_between_cells_are_those_on_the_sphere() -> None:
    domain = preset("japan-5km-76")
    rows, columns = slice(0, 661, 60), slice(0, 816, 60)
    _, _, along_x = GEOD.inv(domain.lon[:, :-1], domain.lat[:, :-1], domain.lon[:, 1:], domain.lat[:, 1:])
    _, _, along_y = GEOD.inv(domain.lon[:-1], domain.lat[:-1], domain.lon[1:], domain.lat[1:])
    expected_x, expected_y = domain.spacing / domain.map_factor_u[:, 1:-1], domain.spacing / domain.map_factor_v[1:-1]
    np.testing.assert_allclose(np.asarray(along_x)[rows, columns], expected_x[rows, columns], rtol=1e-6)
    np.testing.assert_allclose(np.asarray(along_y)[rows, columns], expected_y[rows, columns], rtol=1e-6)


def test_winds_turn_there_and_back(sample: Domain) -> None:
    random = np.random.default_rng(1)
    u, v = random.normal(size=(2, *sample.shape))
    east, north = sample.to_east_north(u, v)
    np.testing.assert_allclose(np.hypot(east, north), np.hypot(u, v), rtol=1e-12)
    back = sample.to_grid(east, north)
    np.testing.assert_allclose(back[0], u, atol=1e-12)
    np.testing.assert_allclose(back[1], v, atol=1e-12)


@pytest.fixture
def sample() -> Domain:
    return preset("japan-60km")


@given(
    st.floats(-20.0, 85.0), st.floats(-180.0, 180.0), st.sampled_from([p for p in PROJECTIONS if p.parallel_1 != 35.0])
)
@settings(deadline=None)
def test_round_trip(lat: float, lon: float, projection: LambertConformal) -> None:
    there = projection.inverse(*projection.forward(np.asarray(lat), np.asarray(lon)))
    assert float(there[0]) == pytest.approx(lat, abs=1e-9)
    assert (float(there[1]) - lon + 180.0) % 360.0 - 180.0 == pytest.approx(0.0, abs=1e-9)


def test_true_at_the_standard_parallels_and_smaller_between() -> None:
    projection = LambertConformal()
    np.testing.assert_allclose(projection.map_factor(np.array([30.0, 60.0])), 1.0, rtol=1e-12)
    assert float(projection.map_factor(np.asarray(45.0))) == pytest.approx(0.966, abs=5e-4)
    assert float(projection.map_factor(np.asarray(20.0))) == pytest.approx(1.058, abs=5e-4)
    assert projection.cone == pytest.approx(0.7155668, abs=5e-8)
