"""The mass that winds carry into columns, before and after the correction."""

from __future__ import annotations

import numpy as np
import pytest

from kaiseki.core.constants import GRAVITY, R_DRY
from kaiseki.driving.mass_flux import balanced_mass_flux, flux_divergence
from kaiseki.grid import Domain, preset


@pytest.fixture(scope="module")
def domain() -> Domain:
    return preset("japan-60km")


@pytest.fixture(scope="module")
def fields(domain: Domain) -> dict[str, np.ndarray]:
    """An isothermal atmosphere at rest but for a smooth inflow of 1 m/s at the edges, the same at all heights."""
    temperature = np.full(domain.shape, 260.0)
    pressure = 1e5 * np.exp(-GRAVITY * domain.z / (R_DRY * temperature))
    x, y = np.meshgrid(np.linspace(-1, 1, domain.nx), np.linspace(-1, 1, domain.ny))
    wave = 3.0 * np.sin(2.0 * np.pi * y)
    u, v = np.broadcast_to(-x + wave, domain.shape), np.broadcast_to(-y, domain.shape)
    return {"u": u, "v": v, "temperature": temperature, "pressure": pressure, "qv": np.zeros(domain.shape)}


def test_the_divergence_is_that_of_the_column_mass(domain: Domain, fields: dict[str, np.ndarray]) -> None:
    # The whole inflow of the box, counted at its edge, equals the sum over its cells.
    divergence = flux_divergence(fields, domain)
    mass = (fields["pressure"] / (R_DRY * 260.0) * np.diff(domain.z_half, axis=0)).sum(axis=0)
    east = (mass * fields["u"][0] / domain.map_factor)[1:-1]
    north = (mass * fields["v"][0] / domain.map_factor)[:, 1:-1]
    through = 0.5 * ((east[:, -1] + east[:, -2]) - (east[:, 0] + east[:, 1])).sum()
    through += 0.5 * ((north[-1] + north[-2]) - (north[0] + north[1])).sum()
    area = (domain.spacing / domain.map_factor[1:-1, 1:-1]) ** 2
    assert (divergence * area).sum() == pytest.approx(through * domain.spacing, rel=1e-10)
    assert through < 0.0


def test_columns_no_longer_gain_mass(domain: Domain, fields: dict[str, np.ndarray]) -> None:
    before, after = flux_divergence(fields, domain), flux_divergence(balanced_mass_flux(fields, domain), domain)
    assert np.abs(after.mean()) < 1e-3 * np.abs(before.mean())
    assert np.sqrt(np.mean(after**2)) < 0.03 * np.sqrt(np.mean(before**2))


def test_rotation_and_shear_stay(domain: Domain, fields: dict[str, np.ndarray]) -> None:
    made = balanced_mass_flux(fields, domain)
    for name in ("u", "v"):
        added = made[name] - fields[name]
        # The same wind at all heights of a column.
        np.testing.assert_allclose(added, np.broadcast_to(added[0], added.shape), atol=1e-12)
    vorticity = np.gradient(made["v"][0] - fields["v"][0], axis=1) - np.gradient(made["u"][0] - fields["u"][0], axis=0)
    divergence = np.gradient(made["u"][0] - fields["u"][0], axis=1) + np.gradient(made["v"][0] - fields["v"][0], axis=0)
    assert np.abs(vorticity[3:-3, 3:-3]).max() < 0.1 * np.abs(divergence[3:-3, 3:-3]).max()


def test_a_wanted_tendency_is_met(domain: Domain, fields: dict[str, np.ndarray]) -> None:
    tendency = 100.0 / 3600.0
    made = balanced_mass_flux(fields, domain, tendency)
    assert -GRAVITY * flux_divergence(made, domain).mean() == pytest.approx(tendency, rel=1e-3)
