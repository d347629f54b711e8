"""Averages over cells: conservation, accuracy, order of files, gaps."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from grid.grids import small
from kaiseki.grid.averaging import average, bounds
from kaiseki.grid.domain import Domain
from kaiseki.grid.raster import Raster, water

DOMAIN = small()


def raster(south: float, west: float, step: float, values: np.ndarray, missing: float | None = None) -> Raster:
    return Raster("made up", south, west, step, step, np.asarray(values), missing)


def cut(layer: Raster, domain: Domain = DOMAIN) -> Raster:
    part = layer.cut(*bounds(domain))
    assert part is not None
    return part


def around(domain: Domain, step: float) -> tuple[float, float, tuple[int, int]]:
    """South-west corner and shape of pixels that cover a domain."""
    south, north, west, east = bounds(domain)
    shape = int(np.ceil((north - south) / step)) + 3, int(np.ceil((east - west) / step)) + 3
    return south - 1.3 * step, west - 1.4 * step, shape


def solid_angles(layer: Raster) -> np.ndarray:
    """Of the pixels of a raster, steradian, (rows, 1)."""
    edge = np.deg2rad(layer.south + np.arange(layer.values.shape[0] + 1) * layer.step_lat)
    return np.asarray(np.diff(np.sin(edge)) * np.deg2rad(layer.step_lon))[:, None]


@settings(max_examples=25, deadline=None)
@given(
    values=arrays(float, (7, 6), elements=st.floats(-500.0, 4000.0)),
    south=st.floats(34.6, 36.0),
    west=st.floats(131.0, 133.0),
    step=st.floats(0.1, 0.4),
)
def test_the_integral_of_an_island_is_conserved(values: np.ndarray, south: float, west: float, step: float) -> None:
    """Whatever lies inside the domain: the sum over cells equals the sum over pixels, both with areas on the sphere."""
    island = cut(raster(south, west, step, values))
    # The island was cut with a margin, nothing of it is lost at the edge of the domain.
    assert island.values.shape == values.shape
    mean, coverage = average(DOMAIN, [island])
    radius = DOMAIN.projection.radius
    total = np.nansum(mean * coverage * DOMAIN.cell_area)
    expected = float((solid_angles(island) * values).sum()) * radius**2
    scale = float((solid_angles(island) * np.abs(values)).sum()) * radius**2
    assert abs(total - expected) <= 1e-10 * scale + 1e-3
    area = float((coverage * DOMAIN.cell_area).sum())
    assert area == pytest.approx(float(solid_angles(island).sum() * values.shape[1]) * radius**2, rel=1e-12)


@pytest.mark.parametrize("step", [0.07, 0.25, 1.1])
def test_the_integral_over_the_domain_is_that_of_the_field(step: float) -> None:
    """With the cells' true areas, against an independent integral of a smooth field over the domain."""

    def field(lat: np.ndarray, lon: np.ndarray) -> np.ndarray:
        return 700.0 + 400.0 * np.sin(np.deg2rad(20.0 * lat)) * np.cos(np.deg2rad(15.0 * lon))

    south, west, (rows, columns) = around(DOMAIN, step)
    inner = (np.arange(8) + 0.5) / 8
    lat = south + (np.arange(rows)[:, None] + inner).ravel() * step
    lon = west + (np.arange(columns)[:, None] + inner).ravel() * step
    fine = field(lat[:, None], lon[None, :])
    values = fine.reshape(rows, 8, columns, 8).mean((1, 3))
    mean, coverage = average(DOMAIN, [cut(raster(south, west, step, values))])
    # Gauss points of every cell, in the projection, with the area on the sphere.
    node, weight = np.polynomial.legendre.leggauss(4)
    offset = 0.5 * DOMAIN.spacing * node
    lat, lon = DOMAIN.projection.inverse(
        *np.meshgrid((DOMAIN.x[:, None] + offset).ravel(), (DOMAIN.y[:, None] + offset).ravel())
    )
    shape = (DOMAIN.ny, 4, DOMAIN.nx, 4)
    share = (
        np.outer(np.tile(weight, DOMAIN.ny), np.tile(weight, DOMAIN.nx)) / DOMAIN.projection.map_factor(lat) ** 2
    ).reshape(shape)
    exact = (share * field(lat, lon).reshape(shape)).sum((1, 3)) / share.sum((1, 3))
    # What pixels that reach across the outer edge hold beyond it is known to their own resolution only.
    tolerance = {0.07: 1e-4, 0.25: 1e-3, 1.1: 5e-3}[step]
    assert (mean * DOMAIN.cell_area).sum() == pytest.approx((exact * DOMAIN.cell_area).sum(), rel=tolerance)
    np.testing.assert_allclose(coverage, 1.0, atol=0.1)
    # Pixels of 1.1 degrees cannot give more than their own resolution holds; finer ones give each cell.
    np.testing.assert_allclose(mean, exact, atol={0.07: 6.0, 0.25: 6.0, 1.1: 25.0}[step])


@pytest.mark.parametrize("value", [0.0, 1234.5])
@pytest.mark.parametrize("step", [0.05, 0.9])
def test_a_constant_stays_and_covers_every_cell(value: float, step: float) -> None:
    south, west, shape = around(DOMAIN, step)
    mean, coverage = average(DOMAIN, [cut(raster(south, west, step, np.full(shape, value)))])
    np.testing.assert_allclose(mean, value, rtol=1e-12)
    np.testing.assert_allclose(coverage, 1.0, atol=0.1)
    assert coverage.mean() == pytest.approx(1.0, abs=2e-3)


@settings(max_examples=20, deadline=None)
@given(arrays(float, (8, 10), elements=st.floats(-100.0, 4000.0)))
def test_pieces_keep_the_mean_and_the_range_of_each_pixel(values: np.ndarray) -> None:
    layer = raster(30.0, 120.0, 1.0, values)
    rows = [(angle, inner) for _, _, angle, inner in layer.pieces(0.2)]
    angle = np.concatenate([a for a, _ in rows])
    inner = np.concatenate([v for _, v in rows])
    n, m = inner.shape[0] // 8, inner.shape[1] // 10
    assert n == 5
    share = angle.reshape(8, n, 1, 1)
    blocks = inner.reshape(8, n, 10, m)
    mean = (share * blocks).sum((1, 3)) / (share.sum(1)[..., 0] * m)
    np.testing.assert_allclose(mean, values, atol=1e-9)
    assert angle.sum() * inner.shape[1] == pytest.approx(float(solid_angles(layer).sum() * 10), rel=1e-12)


def test_the_first_file_with_data_counts() -> None:
    south, west, (rows, columns) = around(DOMAIN, 0.2)
    best = np.full((rows, columns), 100)
    best[:, columns // 2 :] = -32768
    fine = cut(raster(south, west, 0.2, best, missing=-32768))
    coarse_values = np.full([n // 4 + 2 for n in (rows, columns)], 900.0)
    coarse = cut(raster(south, west, 0.8, coarse_values))
    mean, coverage = average(DOMAIN, [fine, coarse])
    np.testing.assert_allclose(mean[:, :4], 100.0)
    np.testing.assert_allclose(mean[:, -4:], 900.0)
    assert np.all((mean >= 100.0 - 1e-9) & (mean <= 900.0 + 1e-9))
    np.testing.assert_allclose(coverage, 1.0, atol=0.15)
    other, _ = average(DOMAIN, [coarse, fine])
    np.testing.assert_allclose(other, 900.0)


def test_sea_of_the_better_mask_counts() -> None:
    shape = (4, 4)
    first = raster(30.0, 130.0, 1.0, np.array([[0.0, 1.0, np.nan, np.nan]] * 4))
    second = raster(30.0, 130.0, 1.0, np.array([[1.0, 0.0, 0.0, 0.5]] * 4))
    np.testing.assert_array_equal(water(first).values, np.broadcast_to([0.0, np.nan, np.nan, np.nan], shape))
    np.testing.assert_array_equal(water(second, [first]).values, np.broadcast_to([np.nan, np.nan, 0.0, np.nan], shape))


@pytest.mark.parametrize("west", [-180.0, 0.0, 20.0])
def test_global_rasters_reach_across_the_date_line(west: float) -> None:
    domain = small(longitude=179.0, central_longitude=175.0)
    step = 1.0
    lon = west + 0.5 + np.arange(360)
    # Smooth on the sphere, east and west of the date line.
    values = np.broadcast_to(1000.0 * np.cos(np.deg2rad(lon - 170.0)), (180, 360)).copy()
    mean, coverage = average(domain, [cut(raster(-90.0, west, step, values), domain)])
    np.testing.assert_allclose(coverage, 1.0, atol=0.1)
    np.testing.assert_allclose(mean, 1000.0 * np.cos(np.deg2rad(domain.lon - 170.0)), atol=1.5)


def test_a_raster_elsewhere_is_nothing_and_one_west_of_the_start_is_found() -> None:
    values = np.ones((10, 10))
    assert raster(-40.0, 130.0, 1.0, values).cut(*bounds(DOMAIN)) is None
    assert raster(30.0, 10.0, 1.0, values).cut(*bounds(DOMAIN)) is None
    found = raster(34.0, 131.0 - 360.0, 0.7, values).cut(*bounds(DOMAIN))
    assert found is not None
    assert found.west == pytest.approx(131.0)
