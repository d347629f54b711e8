"""The two embedded twins: the same assimilating system, two natures, and nothing of the harder one that gets out."""

from __future__ import annotations

import numpy as np
import pytest

from kaiseki.config import Experiment
from kaiseki.experiments.twin import TWINS, make_driving, nature_domain, run_nature
from kaiseki.experiments.twin.flow import sea_surface_temperature
from kaiseki.experiments.twin.integration import nature_of
from kaiseki.grid import Domain
from kaiseki.grid.build import domain_from_section

FIRST = np.datetime64("1989-01-01T12:00:00")
SMALL = {
    "case": {"name": "small-twin", "kind": "twin"},
    "domain": {
        "spacing": 200_000.0,
        "shape": (15, 19),
        "reference_latitude": 36.0,
        "reference_longitude": 135.0,
        "standard_parallels": (30.0, 60.0),
        "central_longitude": 140.0,
        "rim_width": 4,
        "terrain": "analytic",
        "levels": {"number": 14, "top": 22_000.0, "first_thickness": 200.0},
    },
    "period": {"cold_start": "1989-01-01T12:00Z", "end": "1989-01-01T13:00Z", "window_hours": 1.0},
    "physics": {"microphysics": False, "boundary_layer": False, "radiation": False, "soil": False},
    "twin": {"spin_up_hours": 1.0, "spacing_factor": 0.75},
}


def of(name: str) -> Experiment:
    return Experiment.load(TWINS[name])


def small(name: str) -> Experiment:
    """What an embedded twin says of its nature, on a small grid."""
    said = of(name).as_mapping()["twin"] | SMALL["twin"]  # type: ignore[operator]
    return Experiment.from_mapping({**SMALL, "twin": said})


def test_the_assimilating_system_is_the_same() -> None:
    one, other = (of(name).as_mapping() for name in TWINS)
    for section in one:
        if section not in ("case", "twin"):
            assert one[section] == other[section], section


def test_the_harder_nature_differs_in_what_it_says() -> None:
    one, other = of("twin-1"), of("twin-2")
    first, second, system = nature_of(one).physics, nature_of(other).physics, other.physics
    assert (
        first.schemes.microphysics.autoconversion == system.schemes.microphysics.autoconversion == "khairoutdinov-kogan"
    )
    assert first.schemes.boundary_layer.closure == system.schemes.boundary_layer.closure == "profile"
    assert (second.schemes.microphysics.autoconversion, second.schemes.boundary_layer.closure) == ("kessler", "level-2")
    assert nature_of(one).dynamics == one.dynamics == other.dynamics != nature_of(other).dynamics
    assert nature_domain(one).spacing == 45_000.0
    assert nature_domain(other).spacing == pytest.approx(36_000.0)


def test_without_further_keys_a_twin_is_the_first_one() -> None:
    """What twin-2 adds is off by default, so that experiments written before it mean what they meant."""
    twin = of("twin-1").twin
    assert twin is not None
    assert (twin.dynamics, twin.surroundings, twin.sea_anomaly) == (None, "model", 0.0)
    assert (twin.error_factor, twin.error_vertical_length, twin.gross_errors) == (1.0, 0.0, 0.003)


@pytest.fixture(scope="module")
def domain() -> Domain:
    return domain_from_section(small("twin-1").domain)


@pytest.mark.slow
def test_nothing_of_nature_is_in_what_the_system_is_given(domain: Domain) -> None:
    """Driving fields and cold start are the same to the bit whatever nature is; nature itself differs."""
    (driving, start), (other_driving, other_start) = (make_driving(small(name), domain) for name in TWINS)
    for name, field in driving(FIRST).items():
        np.testing.assert_array_equal(other_driving(FIRST)[name], field, err_msg=name)
        np.testing.assert_array_equal(other_start[name], start[name], err_msg=name)
    nature, harder = (run_nature(small(name)) for name in TWINS)
    domain = harder.domain
    colder = sea_surface_temperature(domain.lat, domain.lon)
    wave = sea_surface_temperature(domain.lat, domain.lon, ((1.7, 0.0),)) - colder
    sea = domain.land_fraction == 0.0
    difference = (harder.at(FIRST)["sst"] - nature.at(FIRST)["sst"])[sea]
    # It comes through the wide run, whose cells of 500 km flatten it a little here.
    assert np.corrcoef(difference, wave[sea])[0, 1] > 0.9
    assert 0.5 < np.sqrt(np.mean(difference**2)) < 1.7
    # Air over a warmer sea becomes warmer and moister within the two hours.
    for name in ("temperature", "qv"):
        lowest = (harder.at(FIRST)[name] - nature.at(FIRST)[name])[0][sea]
        assert np.corrcoef(lowest, wave[sea])[0, 1] > 0.3, name
