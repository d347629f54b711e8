"""Bilinear and conservative regridding as operators on fields and winds.

What can go wrong:
- the integral is not conserved, or a constant field changes;
- bilinear extrapolates, is not exact for linear fields, or opens at Greenwich, the date line or a reversed axis;
- a neighbour without weight spreads its NaN; a mean of a few valid corners passes for the mean of a cell;
- wind components are averaged along different directions near a pole;
- a field of another grid is taken.
"""

from __future__ import annotations

import numpy as np
import pyproj
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kaiseki.core.errors import InputError
from kaiseki.grid import LambertConformal, Mercator, PolarStereographic, Projection
from kaiseki.grid.regridding import LatLonGrid, MapGrid, Places, bilinear, conservative
from kaiseki.grid.regular import cell_edges

LAMBERT = LambertConformal()


def map_about(
    projection: Projection, lat: float, lon: float, step: float, ny: int, nx: int, turn: tuple[int, int] = (1, 1)
) -> MapGrid:
    """A map grid around a place; an axis with turn -1 falls."""
    x, y = projection.forward(np.asarray(lat), np.asarray(lon))
    along = [c + step * (np.arange(n) - 0.5 * (n - 1)) for c, n in ((float(x), nx), (float(y), ny))]
    return MapGrid(projection, along[0][:: turn[0]], along[1][:: turn[1]])


JAPAN = map_about(LAMBERT, 36.0, 138.0, 60e3, 12, 14)
OVER_JAPAN = LatLonGrid(np.arange(46.0, 25.0, -0.5), np.arange(125.0, 152.0, 0.4))


@st.composite
def maps(draw: st.DrawFn) -> MapGrid:
    """Maps of every projection in both hemispheres, also across the date line and over a pole, axes either way."""
    south = draw(st.sampled_from([1.0, -1.0]))
    centre = draw(st.floats(-180.0, 180.0))
    lon = centre + draw(st.floats(-20.0, 20.0))
    kind = draw(st.sampled_from(["lambert", "tangent", "mercator", "polar", "pole"]))
    projection, lat = {
        "lambert": (LambertConformal(30.0 * south, 60.0 * south, centre), 40.0 * south),
        "tangent": (LambertConformal(50.0 * south, 50.0 * south, centre), 45.0 * south),
        "mercator": (Mercator(15.0, centre), 12.0 * south),
        "polar": (PolarStereographic(60.0 * south, centre), 65.0 * south),
        "pole": (PolarStereographic(70.0 * south, centre), 90.0 * south),
    }[kind]
    turn = draw(st.tuples(st.sampled_from([1, -1]), st.sampled_from([1, -1])))
    step = draw(st.floats(20e3, 250e3))
    return map_about(projection, lat, lon, step, draw(st.integers(2, 9)), draw(st.integers(2, 9)), turn)


@st.composite
def around_the_earth(draw: st.DrawFn) -> LatLonGrid:
    """Global grids of any first meridian and order, with rows on the poles or not."""
    rows, columns = draw(st.integers(4, 120)), draw(st.integers(4, 150))
    edge = 0.0 if draw(st.booleans()) else 90.0 / rows
    lat = np.linspace(-90.0 + edge, 90.0 - edge, rows) * draw(st.sampled_from([1.0, -1.0]))
    return LatLonGrid(lat, draw(st.floats(-360.0, 360.0)) + np.arange(columns) * 360.0 / columns)


def integral(grid: MapGrid | LatLonGrid, field: np.ndarray) -> float:
    return float(np.sum(grid.solid_angle() * field))


@given(maps(), around_the_earth(), st.integers(0, 2**32 - 1))
@settings(max_examples=60, deadline=None)
def test_the_integral_over_a_map_is_kept_on_the_globe(source: MapGrid, target: LatLonGrid, seed: int) -> None:
    field = np.random.default_rng(seed).uniform(0.5, 1.5, source.shape)
    regridding = conservative(source, target, least_valid=0.0)
    result = regridding(field)
    seen = regridding.covered > 0.0
    assert np.array_equal(np.isfinite(result), seen)
    got = float(np.sum(target.solid_angle() * regridding.covered * np.nan_to_num(result)))
    assert got == pytest.approx(integral(source, field), rel=1e-12)
    np.testing.assert_allclose(regridding(np.ones(source.shape))[seen], 1.0, rtol=1e-13)
    assert result[seen].min() >= field.min() - 1e-12
    assert result[seen].max() <= field.max() + 1e-12


@given(around_the_earth(), maps(), st.integers(0, 2**32 - 1))
@settings(max_examples=40, deadline=None)
def test_the_integral_of_cells_inside_a_map_is_kept(source: LatLonGrid, target: MapGrid, seed: int) -> None:
    """A field that is zero except in cells wholly inside the map has the same integral there."""
    regridding = conservative(source, target)
    area, there = source.solid_angle().ravel(), target.solid_angle().ravel()
    overlap = regridding.weights * np.repeat(there, np.diff(regridding.starts))
    part = np.bincount(regridding.indices, overlap, minlength=area.size) / area
    assert part.max() <= 1.0 + 1e-11
    np.testing.assert_allclose(regridding.covered, 1.0, rtol=1e-11)
    field = np.where(part > 1.0 - 1e-9, np.random.default_rng(seed).uniform(0.5, 1.5, area.size), 0.0)
    assert integral(target, regridding(field.reshape(source.shape))) == pytest.approx(np.sum(field * area), rel=1e-12)


@given(maps(), st.floats(0.3, 3.0), st.floats(-15.0, 15.0), st.integers(0, 2**32 - 1))
@settings(max_examples=30, deadline=None)
def test_the_integral_is_kept_from_map_to_map(source: MapGrid, ratio: float, turn: float, seed: int) -> None:
    """The target covers the source on another map of the same place."""
    lat, lon = source.points()
    middle = source.shape[0] // 2, source.shape[1] // 2
    at, about = float(lat[middle]), float(lon[middle])
    projection: Projection
    if abs(at) > 60.0:
        projection = PolarStereographic(np.copysign(75.0, at), about + turn)
    elif abs(at) > 25.0:
        projection = LambertConformal(np.copysign(35.0, at), np.copysign(50.0, at), about + turn)
    else:
        projection = Mercator(5.0, about + turn)
    step = ratio * abs(float(np.diff(source.x)[0]))
    number = int(np.ceil(18.0 * 2.5 / ratio)) + 2
    target = map_about(projection, at, about, step, number, number)
    field = np.random.default_rng(seed).uniform(0.5, 1.5, source.shape)
    regridding = conservative(source, target, least_valid=0.0)
    got = float(np.sum(target.solid_angle() * regridding.covered * np.nan_to_num(regridding(field))))
    assert got == pytest.approx(integral(source, field), rel=1e-12)


def test_grids_of_parallels_and_meridians_are_products_of_their_axes() -> None:
    coarse = LatLonGrid(np.arange(-85.0, 90.0, 10.0), np.arange(5.0, 365.0, 10.0))
    fine = LatLonGrid(np.arange(89.0, -90.0, -2.0), np.arange(-179.0, 180.0, 2.0))
    field = np.random.default_rng(1).normal(size=fine.shape)
    result = conservative(fine, coarse)(field)
    # Blocks of 5 x 5 fine cells from the south, and from Greenwich.
    ordered = np.roll(field[::-1], -90, axis=1)
    area = np.roll(fine.solid_angle()[::-1], -90, axis=1)
    blocks = lambda a: a.reshape(18, 5, 36, 5).sum(axis=(1, 3))  # noqa: E731
    np.testing.assert_allclose(result, blocks(ordered * area) / blocks(area), rtol=1e-12, atol=1e-14)


@given(maps(), st.integers(0, 2**32 - 1))
@settings(max_examples=40, deadline=None)
def test_bilinear_is_exact_for_what_is_bilinear_on_a_map(source: MapGrid, seed: int) -> None:
    random = np.random.default_rng(seed)
    a, b, c, d = random.normal(size=4)
    x0, y0, scale = source.x.mean(), source.y.mean(), np.abs(np.diff(source.x)).max()

    def field(x: np.ndarray, y: np.ndarray) -> np.ndarray:
        x, y = (x - x0) / scale, (y - y0) / scale
        return a + b * x + c * y + d * x * y

    x, y = (random.uniform(axis.min(), axis.max(), 200) for axis in (source.x, source.y))
    lat, lon = source.projection.inverse(x, y)
    turned = lon + 360.0 * random.integers(-1, 2, 200)
    got = bilinear(source, Places(lat, turned))(field(*np.meshgrid(source.x, source.y)))
    np.testing.assert_allclose(got, field(x, y), atol=1e-9)
    wide = [
        np.where(random.random(200) < 0.5, axis.max() + 0.01 * scale, v) for axis, v in ((source.x, x), (source.y, y))
    ]
    outside = (wide[0] > source.x.max()) | (wide[1] > source.y.max())
    if isinstance(source.projection, Mercator):
        outside &= wide[0] - x0 < np.pi * 6e6
    values = bilinear(source, Places(*source.projection.inverse(*wide)))(np.ones(source.shape))
    assert np.array_equal(np.isnan(values), outside)


@given(around_the_earth(), st.integers(0, 2**32 - 1))
@settings(max_examples=40, deadline=None)
def test_bilinear_is_exact_for_linear_fields_of_latitude_and_closed_around_the_earth(
    source: LatLonGrid, seed: int
) -> None:
    random = np.random.default_rng(seed)
    places = Places(random.uniform(-90.0, 90.0, 300), random.uniform(-720.0, 720.0, 300))
    got = bilinear(source, places)(np.repeat(source.lat[:, None], source.shape[1], axis=1))
    inside = np.abs(places.lat) <= source.lat.max()
    assert np.array_equal(np.isfinite(got), inside)
    np.testing.assert_allclose(got[inside], places.lat[inside], atol=1e-8)
    # Along a parallel it is the piecewise linear function through the points, closed over the last interval.
    ring = random.normal(size=source.shape[1])
    got = bilinear(source, places)(np.broadcast_to(ring, source.shape))
    expected = np.interp(places.lon, source.lon, ring, period=360.0)
    np.testing.assert_allclose(got[inside], expected[inside], atol=1e-7)


def test_a_regional_grid_is_not_closed() -> None:
    source = LatLonGrid(np.array([10.0, 20.0]), np.array([170.0, 180.0, 190.0]))
    places = Places(np.full(6, 15.0), np.array([170.0, -170.0, 190.0, 190.1, 169.9, -175.0]))
    got = bilinear(source, places)(np.broadcast_to(source.lon, source.shape))
    np.testing.assert_allclose(got, [170.0, 190.0, 190.0, np.nan, np.nan, 185.0])
    # A cell reaches half a step further.
    target = LatLonGrid(np.array([14.0, 16.0]), np.array([165.0, 167.0]))
    np.testing.assert_allclose(conservative(source, target).covered, [[0.5, 1.0], [0.5, 1.0]])


def test_positions_agree_with_proj() -> None:
    """The value of x and y at places is that of PROJ: an independent computation of where they lie."""
    proj = pyproj.Proj(proj="lcc", lat_1=30, lat_2=60, lat_0=90, lon_0=140, R=LAMBERT.radius)
    random = np.random.default_rng(3)
    places = Places(random.uniform(34.0, 38.0, 50), random.uniform(135.5, 140.5, 50))
    x, y = proj(places.lon, places.lat)
    got = bilinear(JAPAN, places)(np.stack(np.meshgrid(JAPAN.x, JAPAN.y)))
    np.testing.assert_allclose(got, [x, y], atol=1e-6)


@pytest.mark.parametrize(("make", "order"), [(bilinear, 2.0), (conservative, 1.0)])
def test_errors_fall_with_the_spacing_at_the_order_of_the_scheme(make: object, order: float) -> None:
    """A smooth field from finer and finer maps onto one grid's points, or onto grids that become finer with them."""

    def field(grid: MapGrid | LatLonGrid) -> np.ndarray:
        lat, lon = (np.deg2rad(a) for a in grid.points())
        return np.asarray(np.cos(8.0 * lat) * np.sin(7.0 * lon))

    errors = []
    for factor in (1, 2, 4):
        source = map_about(LAMBERT, 36.0, 138.0, 60e3 / factor, 24 * factor, 26 * factor)
        target = LatLonGrid(
            33.02 + np.arange(11 * factor) * 0.5 / factor, 135.03 + np.arange(13 * factor) * 0.4 / factor
        )
        errors.append(np.sqrt(np.mean((make(source, target)(field(source)) - field(target)) ** 2)))  # type: ignore[operator]
    measured = np.log2(errors[1] / errors[2])
    assert order - 0.35 < measured, errors
    assert np.isfinite(errors).all()


def test_nan_of_a_contributor_alone_makes_bilinear_nan() -> None:
    source = LatLonGrid(np.array([0.0, 1.0, 2.0]), np.array([0.0, 1.0, 2.0]))
    field = np.ones(source.shape)
    field[2, 2] = np.nan
    places = Places(np.array([1.0, 1.0, 1.5, 2.0, 2.0, 1.0001]), np.array([1.0, 1.5, 1.5, 1.0, 2.0, 1.0001]))
    assert np.isnan(bilinear(source, places)(field)).tolist() == [False, False, True, False, True, True]


def test_conservative_gives_the_mean_of_the_valid_part_where_it_is_more_than_half() -> None:
    source = LatLonGrid(np.array([-0.5, 0.5]), np.arange(0.5, 8.0))
    target = LatLonGrid(np.array([-0.5, 0.5]), np.arange(2.0, 8.0, 4.0))
    field = np.tile(np.arange(8.0), (2, 1))
    field[0, :2] = np.nan
    field[1, :1] = np.nan
    got = conservative(source, target)(field)
    np.testing.assert_allclose(got, [[np.nan, 5.5], [2.0, 5.5]])
    np.testing.assert_allclose(conservative(source, target, least_valid=0.4)(field), [[2.5, 5.5], [2.0, 5.5]])
    # What the source does not cover is not valid either.
    wider = LatLonGrid(np.array([-0.5, 0.5]), np.array([-2.0, 2.0]))
    np.testing.assert_allclose(conservative(source, wider)(np.ones(source.shape)), [[np.nan, 1.0]] * 2)


def solid_body(axis: np.ndarray, lat: np.ndarray, lon: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """East and north wind of a rotation of the air about an axis through the centre of the Earth."""
    phi, lam = np.deg2rad(lat), np.deg2rad(lon)
    place = np.stack([np.cos(phi) * np.cos(lam), np.cos(phi) * np.sin(lam), np.sin(phi)], axis=-1)
    flow = np.cross(axis, place)
    zero = np.zeros_like(phi)
    east = np.stack([-np.sin(lam), np.cos(lam), zero], axis=-1)
    north = np.stack([-np.sin(phi) * np.cos(lam), -np.sin(phi) * np.sin(lam), np.cos(phi)], axis=-1)
    return np.sum(flow * east, axis=-1), np.sum(flow * north, axis=-1)


@pytest.mark.parametrize("axis", [(0.0, 0.0, 30.0), (20.0, -10.0, 15.0), (30.0, 0.0, 0.0)])
@pytest.mark.parametrize("pole", [1.0, -1.0])
@pytest.mark.parametrize("make", [bilinear, conservative])
def test_a_solid_rotation_goes_over_the_pole(axis: tuple[float, ...], pole: float, make: object) -> None:
    """Within the error of the interpolation of a linear field, which is (step / radius)^2 / 8 of the wind's speed."""
    source = LatLonGrid(np.arange(-90.0, 90.5, 1.0), np.arange(0.0, 360.0, 1.0))
    target = MapGrid(PolarStereographic(70.0 * pole, 20.0), 1e5 * np.arange(-6, 7), 1e5 * np.arange(-6, 7))
    vector = np.asarray(axis)
    step = np.deg2rad(1.0)
    for there, here in ((source, target), (target, LatLonGrid(pole * np.arange(90.0, 86.5, -0.5), source.lon))):
        regridding = make(there, here)  # type: ignore[operator]
        got = regridding.wind(*solid_body(vector, *there.points()))
        expected = solid_body(vector, *here.points())
        for one, other in zip(got, expected, strict=True):
            inside = np.isfinite(one)
            assert inside.mean() > 0.9
            # A mean over cells is centred to first order only where they are cut.
            atol = 36.0 * (step**2 / 4.0 if make is bilinear else step)
            np.testing.assert_allclose(one[inside], other[inside], atol=atol)


def test_the_components_of_a_wind_across_a_pole_are_not_averaged_one_by_one() -> None:
    """The wind over the pole is to the north on one side and to the south on the other."""
    source = LatLonGrid(np.arange(80.0, 90.0, 1.0), np.arange(0.0, 360.0, 10.0))
    east, north = solid_body(np.array([10.0, 0.0, 0.0]), *source.points())
    target = MapGrid(PolarStereographic(90.0), np.array([-5e4, 5e4]), np.array([-5e4, 5e4]))
    regridding = conservative(source, target)
    right = np.hypot(*regridding.wind(east, north))
    wrong = np.hypot(regridding(east), regridding(north))
    np.testing.assert_allclose(right, 10.0, rtol=0.02)
    assert np.all(wrong < 0.95 * right)


def test_leading_axes_and_types_are_kept() -> None:
    regridding = bilinear(JAPAN, OVER_JAPAN)
    field = np.random.default_rng(0).normal(size=(2, 3, *JAPAN.shape)).astype(np.float32)
    got = regridding(field)
    assert got.shape == (2, 3, *OVER_JAPAN.shape)
    assert got.dtype == np.float32
    np.testing.assert_array_equal(got[1, 2], regridding(field[1, 2]))
    assert regridding(np.ones(JAPAN.shape, int)).dtype == np.float64
    east, north = regridding.wind(field, field)
    assert east.shape == north.shape == got.shape
    np.testing.assert_array_equal(east[1, 2], regridding.wind(field[1, 2], field[1, 2])[0])


@pytest.mark.parametrize(
    ("action", "words"),
    [
        (lambda: bilinear(JAPAN, OVER_JAPAN)(np.zeros((14, 12))), "does not lie on the source grid"),
        (lambda: bilinear(JAPAN, OVER_JAPAN).wind(np.zeros((12, 14)), np.zeros((2, 12, 14))), "differ in shape"),
        (lambda: conservative(JAPAN, OVER_JAPAN, least_valid=1.0), "from 0 to below 1"),
        (lambda: LatLonGrid(np.array([0.0, 91.0]), np.array([0.0, 1.0])), "beyond a pole"),
        (lambda: LatLonGrid(np.array([0.0, 1.0]), np.array([1.0, 0.0])), "must rise from west to east"),
        (lambda: LatLonGrid(np.array([0.0, 1.0]), np.linspace(0.0, 360.0, 5)), "first meridian twice"),
        (lambda: LatLonGrid(np.array([0.0, 1.0, 0.5]), np.array([0.0, 1.0])), "rise or fall all along"),
        (lambda: LatLonGrid(np.array([0.0, np.nan]), np.array([0.0, 1.0])), "finite numbers"),
        (lambda: MapGrid(LAMBERT, np.array([0.0]), np.array([0.0, 1.0])), "at least 2"),
        (lambda: Places(np.zeros(3), np.zeros(2)), "as many latitudes as longitudes"),
        (lambda: conservative(LatLonGrid(np.array([1.0]), np.array([0.0, 1.0])), OVER_JAPAN), "one point"),
        (lambda: cell_edges(np.array([0.0, 1.0, 2.0, 5.0]), "lat"), "changes from 1 to 3 at 2"),
        (
            lambda: conservative(LatLonGrid(np.array([0.0, 1.0]), np.array([0.0, 100.0, 200.0, 355.0])), OVER_JAPAN),
            "overlap around the Earth",
        ),
        (
            lambda: conservative(MapGrid(LAMBERT, 1e6 * np.arange(-2, 3), 1e6 * np.arange(-2, 3)), OVER_JAPAN),
            "where the map is cut",
        ),
        (
            lambda: conservative(MapGrid(Mercator(), 1e7 * np.arange(-2, 3), 1e6 * np.arange(-2, 3)), OVER_JAPAN),
            "more than once",
        ),
    ],
)
def test_what_cannot_be_regridded_is_refused(action: object, words: str) -> None:
    with pytest.raises(InputError, match=words):
        action()  # type: ignore[operator]
