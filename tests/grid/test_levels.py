"""Model levels: they rise, they do not fold, they are flat at the top."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from kaiseki.core.errors import ConfigError
from kaiseki.grid import preset
from kaiseki.grid.levels import decay, stretched_interfaces


@pytest.mark.parametrize("name", ["japan-5km-96", "japan-5km-76", "japan-60km", "coarse"])
@pytest.mark.parametrize("height", [-100.0, 500.0, 2000.0, 4000.0])
def test_levels_rise_strictly_over_any_terrain(name: str, height: float) -> None:
    domain = preset(name)
    z_half = domain.zeta_half + height * domain.decay_half
    assert np.all(np.diff(z_half) > 0.25 * np.diff(domain.zeta_half))
    assert z_half[0] == height
    assert z_half[-1] == domain.zeta_half[-1]


def test_heights_of_a_domain_with_a_mountain() -> None:
    domain = preset("japan-60km")
    terrain = np.zeros((domain.ny, domain.nx))
    terrain[20, 30] = 4000.0
    domain = domain.with_terrain(terrain, terrain > 0)
    assert np.diff(domain.z_half, axis=0).min() > 0
    np.testing.assert_array_equal(domain.z_half[0], terrain)
    np.testing.assert_allclose(domain.z_half[-1], 22_000.0)
    assert np.all((domain.z > domain.z_half[:-1]) & (domain.z < domain.z_half[1:]))
    np.testing.assert_allclose(domain.z[:, 20, 30], domain.zeta + 4000.0 * domain.decay, rtol=1e-12)


@given(
    number=st.integers(3, 120),
    top=st.floats(12e3, 50e3),
    part=st.floats(0.01, 0.99),
    stretching=st.floats(0.3, 4.0),
)
def test_stretched_interfaces(number: int, top: float, part: float, stretching: float) -> None:
    first = part * top / number
    zeta = stretched_interfaces(number, top, first, stretching)
    thickness = np.diff(zeta)
    assert zeta.shape == (number + 1,)
    assert zeta[0] == 0.0
    assert zeta[-1] == pytest.approx(top, rel=1e-9)
    assert thickness[0] == pytest.approx(first, rel=1e-9)
    assert np.all(np.diff(thickness) > -1e-9 * top)


@given(top=st.floats(15e3, 50e3), part=st.floats(0.1, 0.75))
def test_decay(top: float, part: float) -> None:
    middle = part * top
    assert float(decay(np.asarray(0.0), top, middle)) == pytest.approx(1.0)
    assert float(decay(np.asarray(top), top, middle)) == pytest.approx(0.0, abs=1e-12)
    assert float(decay(np.asarray(middle), top, middle)) == pytest.approx(0.5)
    assert np.all(np.diff(decay(np.linspace(0.0, top, 200), top, middle)) < 0)


def test_levels_that_do_not_fit_are_refused() -> None:
    with pytest.raises(ConfigError, match="40 layers of at least 600 m do not fit under a top at 22000 m"):
        stretched_interfaces(40, 22_000.0, 600.0)
    with pytest.raises(ConfigError, match=r"must lie below 0\.79 of the top"):
        decay(np.array([0.0]), 10_000.0, 9000.0)
