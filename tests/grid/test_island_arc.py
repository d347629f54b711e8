"""The invented surface of the twin experiments."""

import numpy as np
import pytest

from grid.grids import small
from kaiseki.grid import island_arc, preset
from kaiseki.grid.domain import Domain


def arc(domain: Domain) -> Domain:
    return domain.with_terrain(*island_arc.on(domain))


def test_it_looks_like_japan() -> None:
    domain = arc(preset("japan-60km"))
    assert 1000.0 < domain.terrain.max() <= 1500.0
    assert domain.terrain.min() == 0.0
    assert 0.0 <= domain.land_fraction.min() < domain.land_fraction.max() <= 1.0

    def at(lat: float, lon: float) -> tuple[float, float]:
        j, i = (round(float(v)) for v in domain.index(np.asarray(lat), np.asarray(lon)))
        return float(domain.terrain[j, i]), float(domain.land_fraction[j, i])

    assert at(36.2, 138.4)[0] > 1000.0
    for place in ((36.2, 138.4), (43.3, 142.8), (33.0, 131.2), (45.0, 120.0), (37.0, 128.0)):
        assert at(*place)[1] > 0.9, place
    for place in ((30.0, 145.0), (39.0, 135.0), (36.0, 123.0), (41.5, 150.0), (25.0, 130.0)):
        assert at(*place) == (0.0, pytest.approx(0.0, abs=1e-6)), place


@pytest.mark.parametrize("place", [(36.0, 138.0), (37.0, 127.0), (42.0, 132.0)])
def test_cell_averages_agree_between_spacings(place: tuple[float, float]) -> None:
    """The mean of nine cells of 20 km, weighted with their areas, is the cell of 60 km that they make up."""
    coarse, fine = small(60e3, (6, 6), *place), small(20e3, (18, 18), *place)
    terrain, land = island_arc.on(coarse)
    for wide, narrow, tolerance in zip((terrain, land), island_arc.on(fine), (2.0, 0.02), strict=True):
        parts = (6, 3, 6, 3)
        area = fine.cell_area.reshape(parts)
        mean = (area * narrow.reshape(parts)).sum((1, 3)) / area.sum((1, 3))
        np.testing.assert_allclose(wide, mean, atol=tolerance)


def test_land_and_mountains_are_smooth() -> None:
    """Along a line through the arc the height has no steps: halving the distance halves the largest difference."""
    differences = []
    for number in (4001, 8001):
        lat, lon = np.linspace(31.0, 41.0, number), np.linspace(141.0, 135.0, number)
        height, land = island_arc.surface(lat, lon)
        differences.append([np.abs(np.diff(height)).max(), np.abs(np.diff(land)).max()])
    ratio = np.divide(*differences)
    np.testing.assert_allclose(ratio, 2.0, rtol=0.25)


def test_high_ground_is_land() -> None:
    lat, lon = np.meshgrid(np.linspace(10.0, 65.0, 200), np.linspace(85.0, 185.0, 300), indexing="ij")
    height, land = island_arc.surface(lat, lon)
    assert land[height > 20.0].min() > 0.6
    assert height[land < 0.01].max() < 1.0
    assert height.max() < 1510.0
