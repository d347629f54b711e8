"""Cells: areas, staggering, indices."""

import numpy as np
import pyproj
import pytest

from grid.grids import small
from kaiseki.core.constants import EARTH_RADIUS, EARTH_ROTATION
from kaiseki.grid import preset

GEOD = pyproj.Geod(a=EARTH_RADIUS, b=EARTH_RADIUS)


@pytest.mark.parametrize(("spacing", "tolerance"), [(5e3, 2e-7), (20e3, 3e-6), (60e3, 3e-5)])
def test_area_of_cells_on_the_sphere(spacing: float, tolerance: float) -> None:
    """Against the area of the polygon through many points of the cell's edge; second order in the spacing."""
    domain = small(spacing, (9, 9))
    t = (np.arange(40) / 40 - 0.5) * spacing
    half = np.full(40, 0.5 * spacing)
    dx, dy = np.concatenate([t, half, -t, -half]), np.concatenate([-half, t, half, -t])
    for j, i in ((0, 0), (4, 4), (8, 2)):
        lat, lon = domain.projection.inverse(domain.x[i] + dx, domain.y[j] + dy)
        area, _ = GEOD.polygon_area_perimeter(lon, lat)
        assert domain.cell_area[j, i] == pytest.approx(area, rel=tolerance)


def test_area_of_a_whole_domain() -> None:
    domain = preset("japan-60km")
    x = np.linspace(domain.x[0] - 30e3, domain.x[-1] + 30e3, 2000)
    y = np.linspace(domain.y[0] - 30e3, domain.y[-1] + 30e3, 2000)
    edge_x = np.concatenate([x, np.full(2000, x[-1]), x[::-1], np.full(2000, x[0])])
    edge_y = np.concatenate([np.full(2000, y[0]), y, np.full(2000, y[-1]), y[::-1]])
    lat, lon = domain.projection.inverse(edge_x, edge_y)
    area, _ = GEOD.polygon_area_perimeter(lon, lat)
    assert domain.cell_area.sum() == pytest.approx(area, rel=2e-5)


def test_faces_lie_between_cells() -> None:
    domain = small()
    assert domain.lat_u.shape == domain.lon_u.shape == domain.map_factor_u.shape == (domain.ny, domain.nx + 1)
    assert domain.lat_v.shape == domain.lon_v.shape == domain.map_factor_v.shape == (domain.ny + 1, domain.nx)
    j, i = domain.index(domain.lat_u, domain.lon_u)
    np.testing.assert_allclose(j, np.broadcast_to(np.arange(domain.ny)[:, None], j.shape), atol=1e-8)
    np.testing.assert_allclose(i, np.broadcast_to(np.arange(domain.nx + 1) - 0.5, i.shape), atol=1e-8)
    j, i = domain.index(domain.lat_v, domain.lon_v)
    np.testing.assert_allclose(j, np.broadcast_to(np.arange(domain.ny + 1)[:, None] - 0.5, j.shape), atol=1e-8)
    np.testing.assert_allclose(i, np.broadcast_to(np.arange(domain.nx), i.shape), atol=1e-8)


def test_indices_round_trip_across_the_date_line() -> None:
    domain = small(longitude=179.0, central_longitude=175.0)
    assert domain.lon.min() < 0 < domain.lon.max()
    j, i = domain.index(domain.lat, domain.lon)
    np.testing.assert_allclose(j, np.indices(j.shape)[0], atol=1e-8)
    np.testing.assert_allclose(i, np.indices(i.shape)[1], atol=1e-8)


def test_coriolis() -> None:
    domain = small()
    np.testing.assert_allclose(domain.coriolis, 2.0 * EARTH_ROTATION * np.sin(np.deg2rad(domain.lat)), rtol=1e-14)


def test_inside_rim() -> None:
    domain = small()
    assert not domain.inside_rim[:2].any()
    assert not domain.inside_rim[:, -2:].any()
    assert domain.inside_rim[2:-2, 2:-2].all()
