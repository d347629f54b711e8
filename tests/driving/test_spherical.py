"""Spherical harmonics against SciPy and closed forms."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.special import sph_harm_y

from kaiseki.core.constants import EARTH_RADIUS
from kaiseki.core.errors import InputError
from kaiseki.driving import spherical

LAT, LON = np.linspace(-90.0, 90.0, 37), np.arange(0.0, 360.0, 5.0)
GAUSS = np.degrees(np.arcsin(np.polynomial.legendre.leggauss(32)[0]))
RANDOM = np.random.default_rng(3)


def test_legendre_functions_agree_with_scipy() -> None:
    p, slope = spherical.legendre(12, GAUSS)
    colatitude = np.radians(90.0 - GAUSS)
    for m in range(13):
        for degree in range(m, 13):
            wanted = (-1) ** m * np.sqrt(2.0 * np.pi) * sph_harm_y(degree, m, colatitude, 0.0).real
            np.testing.assert_allclose(p[m, degree], wanted, atol=1e-12)
    step = 1e-4
    high, low = spherical.legendre(12, GAUSS + step)[0], spherical.legendre(12, GAUSS - step)[0]
    np.testing.assert_allclose(slope, (high - low) / np.radians(2 * step), atol=1e-6 * np.abs(slope).max())


@pytest.mark.parametrize(("lat", "lon"), [(LAT, LON), (GAUSS, np.arange(64) * 5.625)])
def test_band_limited_fields_come_back(lat: np.ndarray, lon: np.ndarray) -> None:
    coefficients = RANDOM.normal(size=(2, 11, 11)) + 1j * RANDOM.normal(size=(2, 11, 11))
    coefficients *= np.triu(np.ones((11, 11)))
    coefficients[:, 0] = coefficients[:, 0].real
    field = spherical.synthesise(coefficients, lat, lon)
    np.testing.assert_allclose(spherical.analyse(field, lat, lon, 10), coefficients, atol=1e-10)


def test_wind_of_solid_body_rotation_is_its_stream_function() -> None:
    u = np.broadcast_to(25.0 * np.cos(np.radians(LAT))[:, None], (LAT.size, LON.size))
    psi, chi = spherical.analyse_wind(u, np.zeros_like(u), LAT, LON, 10)
    # psi = -a U sin(lat)
    wanted = np.zeros_like(psi)
    wanted[0, 1] = -EARTH_RADIUS * 25.0 * np.sqrt(2.0 / 3.0)
    np.testing.assert_allclose(psi, wanted, atol=1e-6 * EARTH_RADIUS)
    np.testing.assert_allclose(chi, 0.0, atol=1e-6 * EARTH_RADIUS)
    back = spherical.synthesise_wind(psi, chi, LAT, LON)
    np.testing.assert_allclose(back[0], u, atol=1e-2)
    np.testing.assert_allclose(back[1], 0.0, atol=1e-6)


def test_rossby_haurwitz_wind_from_its_height_like_field() -> None:
    """Wind of a wave written in closed form: psi = a V sin(lat) cos(lat)^3 cos(3 lon)."""
    lat, lon = np.meshgrid(np.radians(LAT), np.radians(LON), indexing="ij")
    u = -10.0 * (np.cos(lat) ** 4 - 3 * np.sin(lat) ** 2 * np.cos(lat) ** 2) * np.cos(3 * lon)
    v = -30.0 * np.sin(lat) * np.cos(lat) ** 2 * np.sin(3 * lon)
    psi, chi = spherical.analyse_wind(u, v, LAT, LON, 8)
    wanted = EARTH_RADIUS * 10.0 * np.sin(lat) * np.cos(lat) ** 3 * np.cos(3 * lon)
    np.testing.assert_allclose(spherical.synthesise(psi, LAT, LON), wanted, atol=1e-8 * EARTH_RADIUS * 10)
    assert np.abs(spherical.synthesise(chi, LAT, LON)).max() < 1e-8 * EARTH_RADIUS * 10


def test_response_halves_at_the_cutoff_and_never_rises() -> None:
    gain = spherical.response(20, 6.0, 12.0)
    assert gain[1, 6] == pytest.approx(0.5)
    assert gain[0, 12] == pytest.approx(0.5)
    assert gain[0, 0] == 1.0
    assert (np.diff(gain, axis=1) <= 0).all()


def test_regional_and_coarse_grids_are_refused() -> None:
    field = np.zeros((LAT.size, LON.size))
    with pytest.raises(InputError, match="regional or uneven"):
        spherical.analyse(field[:, :20], LAT, LON[:20], 5)
    with pytest.raises(InputError, match="finer than"):
        spherical.analyse(field, LAT, LON, 36)
    with pytest.raises(InputError, match="positive"):
        spherical.response(10, 0.0)
