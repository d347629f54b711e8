"""The named domains."""

import dataclasses
from typing import Any

import numpy as np
import pytest

from kaiseki.core.errors import ConfigError
from kaiseki.grid import coarse_domain, preset
from kaiseki.grid.domain import Domain
from kaiseki.grid.presets import specification

JAPAN = ["japan-5km-96", "japan-5km-76", "japan-20km", "japan-40km", "japan-60km"]


def corners(domain: Domain) -> dict[str, tuple[float, float]]:
    """Latitude and longitude of the corner cells."""
    places = {"NW": (-1, 0), "NE": (-1, -1), "SW": (0, 0), "SE": (0, -1)}
    return {name: (float(domain.lat[at]), float(domain.lon[at])) for name, at in places.items()}


@pytest.mark.parametrize(("name", "layers", "top"), [("japan-5km-96", 96, 37_500.0), ("japan-5km-76", 76, 21_800.0)])
def test_corners_of_the_5_km_grid(name: str, layers: int, top: float) -> None:
    """The corner coordinates published for the reference point 565, 445; they are given to a tenth of a degree."""
    domain = preset(name)
    assert domain.shape == (layers, 661, 817)
    assert domain.zeta_half[-1] == pytest.approx(top, rel=1e-12)
    expected = {"NW": (44.1, 102.0), "NE": (49.2, 158.1), "SW": (16.8, 115.1), "SE": (19.8, 151.4)}
    for corner, place in corners(domain).items():
        assert place == pytest.approx(expected[corner], abs=0.05), corner
    assert float(domain.lat[330, 408]) == pytest.approx(34.8, abs=0.05)
    assert float(domain.lon[330, 408]) == pytest.approx(131.3, abs=0.05)
    # The reference point itself, counted from 1 from the west and from the north.
    assert float(domain.lat[661 - 445, 565 - 1]) == pytest.approx(30.0, abs=1e-9)
    assert float(domain.lon[661 - 445, 565 - 1]) == pytest.approx(140.0, abs=1e-9)


def test_the_box_of_the_distributed_fields_lies_inside_the_rim() -> None:
    """Margins W 141, E 38, N 26, S 44 cells of the box 120-150E, 22.4-47.6N."""
    domain = preset("japan-5km-96")
    edge = np.linspace(0.0, 1.0, 201)
    lat = np.concatenate([22.4 + 25.2 * edge, 22.4 + 25.2 * edge, np.full(201, 22.4), np.full(201, 47.6)])
    lon = np.concatenate([np.full(201, 120.0), np.full(201, 150.0), 120.0 + 30.0 * edge, 120.0 + 30.0 * edge])
    j, i = domain.index(lat, lon)
    margins = [i.min(), domain.nx - 1 - i.max(), domain.ny - 1 - j.max(), j.min()]
    np.testing.assert_allclose(margins, [141, 38, 26, 44], atol=1.0)
    assert min(margins) > domain.rim_width


@pytest.mark.parametrize("name", JAPAN[2:])
def test_coarser_presets_cover_the_same_region(name: str) -> None:
    full, domain = preset("japan-5km-76"), preset(name)
    assert domain.spacing == 1000.0 * int(name[6:8])
    for axis in ("x", "y"):
        for end, sign in ((0, -0.5), (-1, 0.5)):
            edge = getattr(domain, axis)[end] + sign * domain.spacing
            assert abs(edge - (getattr(full, axis)[end] + sign * full.spacing)) < domain.spacing
    assert domain.nz == 40
    assert domain.zeta_half[-1] == pytest.approx(22_000.0)
    assert domain.projection == full.projection


@pytest.mark.parametrize("name", [*JAPAN, "coarse"])
def test_every_preset_is_sane(name: str) -> None:
    domain = preset(name)
    assert domain.name == name
    assert 4 <= domain.rim_width <= 25
    assert domain.inside_rim.sum() == (domain.ny - 2 * domain.rim_width) * (domain.nx - 2 * domain.rim_width) > 0
    assert 0.96 < domain.map_factor.min() < domain.map_factor.max() < 1.2
    assert not domain.terrain.any()
    assert not domain.land_fraction.any()


@pytest.mark.parametrize("name", JAPAN[1:])
def test_the_coarse_domain_surrounds_the_others_beyond_its_rim(name: str) -> None:
    wide, inner = coarse_domain(), preset(name)
    assert 120e3 <= wide.spacing <= 150e3
    j, i = wide.index(inner.lat, inner.lon)
    margin = min(j.min(), wide.ny - 1 - j.max(), i.min(), wide.nx - 1 - i.max())
    assert margin > wide.rim_width + 2
    # Most of the box 80E-170W, 5-65N: what is left out are corners that no rectangle in this projection holds.
    lat, lon = np.meshgrid(np.linspace(5.0, 65.0, 61), np.linspace(80.0, 190.0, 111), indexing="ij")
    j, i = wide.index(lat, lon)
    inside = (j > -0.5) & (j < wide.ny - 0.5) & (i > -0.5) & (i < wide.nx - 0.5)
    assert np.average(inside, weights=np.cos(np.deg2rad(lat))) > 0.75


def test_an_unknown_name_is_refused() -> None:
    with pytest.raises(ConfigError, match="No domain 'japan-3km'; known are japan-5km-96"):
        preset("japan-3km")


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"rim_width": 40}, "rim of 40 cells leaves nothing"),
        ({"standard_parallels": (-30.0, 30.0)}, "give no cone"),
        ({"reference_latitude": 86.0}, "reaches around the pole"),
        ({"terrain_decay": 18_000.0}, "lower terrain_decay"),
    ],
)
def test_numbers_that_make_no_grid_are_refused(change: dict[str, Any], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        dataclasses.replace(specification("japan-60km"), **change).domain()
