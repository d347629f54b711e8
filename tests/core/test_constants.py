from __future__ import annotations

import pytest
from scipy import constants as codata

from kaiseki.core import constants as c


def test_the_gas_constants_are_those_of_the_molar_masses() -> None:
    assert pytest.approx(codata.R / 28.9647e-3, rel=1e-4) == c.R_DRY  # ISO 2533 mean molar mass of dry air
    assert pytest.approx(codata.R / 18.01528e-3, rel=1e-4) == c.R_VAPOUR


def test_dry_air_is_a_diatomic_ideal_gas() -> None:
    assert pytest.approx(2 / 7, rel=1e-15) == c.KAPPA
    assert pytest.approx(7 / 5, rel=1e-15) == c.CP_DRY / c.CV_DRY


def test_agree_with_codata() -> None:
    assert pytest.approx(codata.Stefan_Boltzmann, rel=1e-9) == c.STEFAN_BOLTZMANN
    assert pytest.approx(codata.g, rel=1e-12) == c.GRAVITY
    assert pytest.approx(codata.R, rel=1e-9) == c.GAS_CONSTANT


def test_the_earth_turns_once_in_a_sidereal_day() -> None:
    sidereal_day = 86164.0905
    assert pytest.approx(2 * codata.pi / sidereal_day, rel=1e-6) == c.EARTH_ROTATION


def test_the_standard_atmosphere_has_the_published_density() -> None:
    assert c.STANDARD_PRESSURE / (c.R_DRY * c.STANDARD_TEMPERATURE) == pytest.approx(1.225, rel=1e-4)


def test_the_derived_humidity_constants() -> None:
    assert pytest.approx(0.622, abs=5e-4) == c.EPSILON
    assert pytest.approx(0.608, abs=5e-4) == c.VIRTUAL
