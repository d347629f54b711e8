"""Domains anywhere on the Earth against PROJ: either hemisphere, the tropics, the poles, the date line."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from grid.regions import GEOD, PLACES, proj, region
from kaiseki.core.constants import EARTH_RADIUS, EARTH_ROTATION
from kaiseki.core.errors import ConfigError
from kaiseki.grid import LambertConformal, Mercator, PolarStereographic, Projection
from kaiseki.grid.averaging import average, bounds
from kaiseki.grid.presets import GridSpecification
from kaiseki.grid.raster import Raster

everywhere = pytest.mark.parametrize("name", PLACES)
TURN = 2.0 * np.pi


def same_angle(a: Any, b: Any, atol: float) -> None:
    np.testing.assert_allclose((np.asarray(a) - np.asarray(b) + np.pi) % TURN, np.pi, atol=atol)


@everywhere
def test_places_map_factors_rotation_and_areas_are_those_of_proj(name: str) -> None:
    domain = region(name)
    other = proj(domain.projection)
    for lat, lon, x, y in (
        (domain.lat, domain.lon, domain.x, domain.y),
        (domain.lat_u, domain.lon_u, np.append(domain.x, 2 * domain.x[-1] - domain.x[-2]) - 25e3, domain.y),
        (domain.lat_v, domain.lon_v, domain.x, np.append(domain.y, 2 * domain.y[-1] - domain.y[-2]) - 25e3),
    ):
        there_lon, there_lat = other(*np.meshgrid(x, y), inverse=True)
        np.testing.assert_allclose(lat, there_lat, atol=1e-9)
        same_angle(np.deg2rad(lon), np.deg2rad(there_lon), 1e-9)
        assert np.abs(lon).max() <= 180.0
    factors = other.get_factors(domain.lon, domain.lat)
    np.testing.assert_allclose(domain.map_factor, factors.meridional_scale, rtol=1e-6)
    np.testing.assert_allclose(domain.map_factor, factors.parallel_scale, rtol=1e-6)
    np.testing.assert_allclose(domain.cell_area, domain.spacing**2 / np.asarray(factors.areal_scale), rtol=1e-6)
    same_angle(domain.rotation, np.deg2rad(factors.meridian_convergence), 1e-6)
    for factor, lat, lon in (
        (domain.map_factor_u, domain.lat_u, domain.lon_u),
        (domain.map_factor_v, domain.lat_v, domain.lon_v),
    ):
        np.testing.assert_allclose(factor, other.get_factors(lon, lat).meridional_scale, rtol=1e-6)


@everywhere
def test_the_grid_axes_point_where_geodesics_along_them_lead(name: str) -> None:
    """Wind along y, and along x, blows towards the next point of the axis on the sphere."""
    domain, step = region(name), 50.0
    other = proj(domain.projection)
    x, y = np.meshgrid(domain.x, domain.y)
    one, zero = np.ones(x.shape), np.zeros(x.shape)
    for u, v in ((zero, one), (one, zero)):
        lon_a, lat_a = other(x - u * step, y - v * step, inverse=True)
        lon_b, lat_b = other(x + u * step, y + v * step, inverse=True)
        # Half-way bearing: those at both ends differ by the curvature of the axis over 100 m.
        forward, _, _ = GEOD.inv(domain.lon, domain.lat, lon_b, lat_b)
        backward, _, _ = GEOD.inv(domain.lon, domain.lat, lon_a, lat_a)
        forward, backward = np.deg2rad(forward), np.deg2rad(backward) + np.pi
        bearing = forward + 0.5 * ((backward - forward + np.pi) % TURN - np.pi)
        east, north = domain.to_east_north(u, v)
        # Within a few kilometres of a pole 50 m are no small step.
        usable = np.abs(domain.lat) < 89.5
        np.testing.assert_allclose(east[usable], np.sin(bearing)[usable], atol=1e-6)
        np.testing.assert_allclose(north[usable], np.cos(bearing)[usable], atol=1e-6)


@everywhere
def test_distances_and_whole_areas_are_those_on_the_sphere(name: str) -> None:
    domain = region(name, spacing=5e3, shape=(40, 50))
    _, _, along_x = GEOD.inv(domain.lon[:, :-1], domain.lat[:, :-1], domain.lon[:, 1:], domain.lat[:, 1:])
    _, _, along_y = GEOD.inv(domain.lon[:-1], domain.lat[:-1], domain.lon[1:], domain.lat[1:])
    np.testing.assert_allclose(along_x, domain.spacing / domain.map_factor_u[:, 1:-1], rtol=1e-6)
    np.testing.assert_allclose(along_y, domain.spacing / domain.map_factor_v[1:-1], rtol=1e-6)
    # The polygon of all edges, every corner of a cell a vertex; PROJ adds up its area on the sphere.
    half = 0.5 * domain.spacing
    x = np.append(domain.x - half, domain.x[-1] + half)
    y = np.append(domain.y - half, domain.y[-1] + half)
    around_x = np.concatenate([x, np.full(y.size, x[-1]), x[::-1], np.full(y.size, x[0])])
    around_y = np.concatenate([np.full(x.size, y[0]), y, np.full(x.size, y[-1]), y[::-1]])
    lon, lat = proj(domain.projection)(around_x, around_y, inverse=True)
    area, _ = GEOD.polygon_area_perimeter(lon, lat)
    assert float(domain.cell_area.sum()) == pytest.approx(abs(area), rel=1e-6)


@everywhere
def test_coriolis_has_the_sign_of_the_hemisphere(name: str) -> None:
    domain = region(name)
    lat = np.arcsin(domain.coriolis / (2.0 * EARTH_ROTATION))
    _, there = proj(domain.projection)(*np.meshgrid(domain.x, domain.y), inverse=True)
    np.testing.assert_allclose(np.rad2deg(lat), there, atol=1e-6)


@everywhere
def test_indices_and_places_go_back_and_forth(name: str) -> None:
    domain = region(name)
    for turn in (-360.0, 0.0, 360.0):
        j, i = domain.index(domain.lat, domain.lon + turn)
        np.testing.assert_allclose(j, np.broadcast_to(np.arange(domain.ny)[:, None], j.shape), atol=1e-7)
        np.testing.assert_allclose(i, np.broadcast_to(np.arange(domain.nx), i.shape), atol=1e-7)


@everywhere
def test_the_box_holds_every_place_of_the_domain(name: str) -> None:
    domain = region(name)
    south, north, west, east = bounds(domain)
    x, y = np.meshgrid(
        np.linspace(domain.x[0] - 25e3, domain.x[-1] + 25e3, 301),
        np.linspace(domain.y[0] - 25e3, domain.y[-1] + 25e3, 301),
    )
    lon, lat = proj(domain.projection)(x, y, inverse=True)
    # An edge curves between two corners of a cell by less than this.
    slack = 0.03
    assert south - slack <= lat.min()
    assert lat.max() <= north + slack
    turned = (np.asarray(lon) - 0.5 * (west + east) + 180.0) % 360.0 - 180.0
    assert np.abs(turned).max() <= 0.5 * (east - west) + slack
    if name == "north-pole":
        assert domain.pole_inside == 1
        assert (north, east - west) == (90.0, 360.0)
    else:
        assert domain.pole_inside == 0
        assert east - west < 180.0


@everywhere
def test_a_raster_of_the_globe_fills_every_cell_with_its_own_mean(name: str) -> None:
    """A smooth field on the sphere, on a raster whose seam lies anywhere; no pixel is lost or counted twice."""
    domain, step = region(name), 0.5
    for west in (-180.0, 0.0, 20.0):
        lat = np.deg2rad(-90.0 + step * (np.arange(360) + 0.5))
        lon = np.deg2rad(west + step * (np.arange(720) + 0.5))
        values = np.cos(lat)[:, None] * np.cos(lon) + np.sin(lat)[:, None]
        part = Raster("made up", -90.0, west, step, step, values).cut(*bounds(domain))
        assert part is not None
        mean, coverage = average(domain, [part])
        # Pieces of pixels count as rectangles along the grid's axes, about a pole turned by any angle against them.
        np.testing.assert_allclose(coverage, 1.0, atol=0.12)
        lat, lon = np.deg2rad(domain.lat), np.deg2rad(domain.lon)
        np.testing.assert_allclose(mean, np.cos(lat) * np.cos(lon) + np.sin(lat), atol=2e-3)
        total = float((coverage * domain.cell_area).sum())
        assert total == pytest.approx(float(domain.cell_area.sum()), rel=2e-3)


PROJECTIONS = st.one_of(
    st.builds(
        LambertConformal,
        st.floats(-80.0, 80.0),
        st.floats(-80.0, 80.0),
        st.floats(-180.0, 180.0),
    ).filter(lambda p: abs(p.parallel_1 + p.parallel_2) > 10.0),
    st.builds(Mercator, st.floats(-60.0, 60.0), st.floats(-180.0, 180.0)),
    st.builds(
        PolarStereographic,
        st.one_of(st.floats(-90.0, -45.0), st.floats(45.0, 90.0)),
        st.floats(-180.0, 180.0),
    ),
)


@given(PROJECTIONS, st.floats(-85.0, 85.0), st.floats(-540.0, 540.0))
@settings(deadline=None)
def test_any_projection_is_that_of_proj(projection: Projection, lat: float, lon: float) -> None:
    away = float(projection.from_centre(np.asarray(lon)))
    # On the cut of the map both sides are right; near the other pole the map has no end.
    assume(abs(away) < 179.999)
    assume(projection.cone * lat > -60.0 or projection.cone == 0.0)
    other = proj(projection)
    x, y = (float(a) for a in projection.forward(np.asarray(lat), np.asarray(lon)))
    there = other(lon, lat)
    size = max(abs(x), abs(y), 1e6)
    assert (x, y) == pytest.approx(there, abs=1e-9 * size)
    back_lat, back_lon = (float(a) for a in projection.inverse(np.asarray(x), np.asarray(y)))
    assert back_lat == pytest.approx(lat, abs=1e-8)
    assert (back_lon - lon + 180.0) % 360.0 == pytest.approx(180.0, abs=1e-8)
    factors = other.get_factors(lon, lat)
    assert float(projection.map_factor(np.asarray(lat))) == pytest.approx(factors.meridional_scale, rel=1e-6)
    turn = float(projection.rotation(np.asarray(lon))) - np.deg2rad(factors.meridian_convergence)
    assert (turn + np.pi) % TURN == pytest.approx(np.pi, abs=1e-6)


@given(PROJECTIONS, st.floats(-85.0, 85.0), st.floats(-170.0, 170.0))
@settings(deadline=None)
def test_a_mirrored_projection_is_the_mirror_image(projection: Projection, lat: float, away: float) -> None:
    match projection:
        case LambertConformal(parallel_1=first, parallel_2=second):
            mirrored: Projection = LambertConformal(-first, -second, projection.central_longitude)
        case Mercator():
            mirrored = projection
        case PolarStereographic(parallel=parallel):
            mirrored = PolarStereographic(-parallel, projection.central_longitude)
    place = np.array([lat]), np.array([projection.central_longitude + away])
    x, y = projection.forward(*place)
    x_south, y_south = mirrored.forward(-place[0], place[1])
    size = 1e-11 * max(np.abs(x).max(), np.abs(y).max(), EARTH_RADIUS)
    np.testing.assert_allclose(x_south, x, rtol=0.0, atol=size)
    np.testing.assert_allclose(y_south, -y, rtol=0.0, atol=size)
    np.testing.assert_allclose(mirrored.map_factor(-place[0]), projection.map_factor(place[0]), rtol=1e-11)
    np.testing.assert_allclose(mirrored.rotation(place[1]), -projection.rotation(place[1]), atol=1e-12)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"standard_parallels": (-30.0, 30.0)}, "-30 and 30 of test give no cone; choose two"),
        ({"standard_parallels": (30.0,)}, "30 of test do not fit its projection lambert_conformal"),
        ({"projection": "mercator"}, "30 and 60 of test do not fit its projection mercator"),
        ({"projection": "gnomonic", "standard_parallels": (30.0,)}, "do not fit its projection gnomonic"),
        ({"projection": "polar_stereographic", "standard_parallels": (0.0,)}, "must be positive about the north pole"),
        ({"projection": "mercator", "standard_parallels": (90.0,)}, "must lie between -90 and 90"),
        (
            {"projection": "mercator", "standard_parallels": (10.0,), "shape": (20, 500), "spacing": 100e3},
            "reaches around the Earth",
        ),
        (
            {"projection": "polar_stereographic", "standard_parallels": (70.0,), "shape": (200, 200), "spacing": 200e3},
            "reaches over the equator",
        ),
        (
            {"reference_latitude": 85.0, "shape": (60, 60)},
            "reaches around the pole; make it smaller, move it south or take",
        ),
        (
            {"reference_latitude": -85.0, "shape": (60, 60), "standard_parallels": (-60.0, -30.0)},
            "reaches around the pole; make it smaller, move it north",
        ),
    ],
)
def test_grids_that_no_map_holds_are_refused(change: dict[str, Any], message: str) -> None:
    numbers: dict[str, Any] = {
        "name": "test",
        "spacing": 60e3,
        "shape": (30, 40),
        "reference_latitude": 40.0,
        "reference_longitude": 0.0,
        "interfaces": (0.0, 100.0, 1000.0, 10_000.0, 20_000.0),
        "rim_width": 4,
        "central_longitude": 0.0,
    }
    with pytest.raises(ConfigError, match=message):
        GridSpecification(**(numbers | change)).domain()
