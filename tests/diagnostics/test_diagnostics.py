"""Saturation, temperatures and pressures against published values, on NumPy and JAX arrays alike."""

from __future__ import annotations

import jax.numpy as jnp
import numpy as np
import pytest

from kaiseki.diagnostics import pressure, saturation, thermodynamics

# Vapour pressure (Pa) by the formulas of Goff and Gratch (WMO-No. 49; Smithsonian Meteorological Tables, tables 94
# and 96).
OVER_WATER = {-20.0: 125.40, -10.0: 286.27, 0.0: 610.78, 10.0: 1227.2, 20.0: 2337.3, 30.0: 4243.0, 40.0: 7377.7}
OVER_ICE = {-60.0: 1.0797, -40.0: 12.836, -20.0: 103.24, -10.0: 259.90, 0.0: 610.7}


@pytest.mark.parametrize(("celsius", "published"), OVER_WATER.items())
def test_saturation_over_water(celsius: float, published: float) -> None:
    assert float(saturation.over_water(np.asarray(celsius + 273.15))) == pytest.approx(published, rel=3e-3)


@pytest.mark.parametrize(("celsius", "published"), OVER_ICE.items())
def test_saturation_over_ice(celsius: float, published: float) -> None:
    assert float(saturation.over_ice(np.asarray(celsius + 273.15))) == pytest.approx(published, rel=5e-3)


def test_mixture_lies_between_ice_and_water() -> None:
    t = np.linspace(200.0, 310.0, 500)
    mixed, water, ice = saturation.saturation_vapour_pressure(t), saturation.over_water(t), saturation.over_ice(t)
    assert np.all(mixed <= np.maximum(water, ice) * (1 + 1e-12))
    assert np.all(mixed >= np.minimum(water, ice) * (1 - 1e-12))
    np.testing.assert_allclose(mixed[t < saturation.ALL_ICE], ice[t < saturation.ALL_ICE])
    assert np.all(np.diff(mixed) > 0.0)


def test_humidity_measures_agree() -> None:
    e, p = np.asarray(2000.0), np.asarray(95000.0)
    q, r = saturation.specific_humidity(e, p), saturation.mixing_ratio(e, p)
    assert q == pytest.approx(r / (1.0 + r), rel=1e-12)
    assert r == pytest.approx(0.62199 * 2000.0 / 93000.0, rel=1e-4)


def test_both_kinds_of_arrays() -> None:
    t, p = np.linspace(210.0, 300.0, 7), np.linspace(2e4, 1e5, 7)
    here = saturation.saturation_specific_humidity(t, p)
    there = saturation.saturation_specific_humidity(jnp.asarray(t), jnp.asarray(p))
    assert isinstance(here, np.ndarray)
    assert isinstance(there, jnp.ndarray)
    np.testing.assert_allclose(there, here, rtol=2e-5)


def test_density_temperature_gives_the_density_of_the_mixture() -> None:
    """Density of dry air, vapour and condensate at one temperature and the pressure of both gases (Dalton)."""
    t, rho, qv, qc = 285.0, 1.1, 0.009, 0.002
    p = rho * t * ((1.0 - qv - qc) * 287.05 + qv * 461.5)
    assert p / (287.05 * t * thermodynamics.density_factor(qv, qc)) == pytest.approx(rho, rel=1e-12)
    theta = thermodynamics.density_potential_temperature(t, 1e5, qv, qc)
    assert theta == pytest.approx(t * thermodynamics.density_factor(qv, qc), rel=1e-12)


@pytest.mark.parametrize(
    ("height", "p", "t"), [(500.0, 95460.8, 284.9), (1000.0, 89874.6, 281.65), (3000.0, 70108.5, 268.65)]
)
def test_sea_level_pressure_of_the_standard_atmosphere(height: float, p: float, t: float) -> None:
    """Pressures of ISO 2533:1975 at geopotential heights."""
    assert pressure.sea_level_pressure(p, t, height) == pytest.approx(101325.0, abs=2.0)
