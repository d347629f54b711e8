"""Spherical harmonics of scalar and wind fields on any latitude-longitude grid, by least squares; smoothing to
planetary scales."""

from __future__ import annotations

import numpy as np

from kaiseki.core.constants import EARTH_RADIUS
from kaiseki.core.errors import InputError


def legendre(truncation: int, latitude: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Normalised associated Legendre functions and their derivative along latitude.

    Args:
        truncation: highest degree N (triangular).
        latitude: (n,) degrees.

    Returns:
        P[m, l, j] with the integral of P^2 over sin(latitude) equal to 1, and dP/d(latitude in rad), (N+1, N+1, n)
        each, zero for l < m.
        Recurrences: Holmes and Featherstone 2002, J. Geodesy 76, 279-299, eqs. 11 and 13, 15, for this norm.
    """
    mu, cosine = np.sin(np.radians(latitude)), np.cos(np.radians(latitude))
    n = truncation + 2
    p = np.zeros((n, n, mu.size))
    p[0, 0] = np.sqrt(0.5)
    for m in range(1, n):
        p[m, m] = np.sqrt((2 * m + 1) / (2 * m)) * cosine * p[m - 1, m - 1]

    def epsilon(degree: int, order: int) -> float:
        return float(np.sqrt((degree * degree - order * order) / (4.0 * degree * degree - 1.0)))

    for m in range(n):
        for degree in range(m + 1, n):
            before = epsilon(degree - 1, m) * p[m, degree - 2] if degree - 2 >= m else 0.0
            p[m, degree] = (mu * p[m, degree - 1] - before) / epsilon(degree, m)
    # cos(lat) dP_l/dlat = (l + 1) eps_l P_{l-1} - l eps_{l+1} P_{l+1}
    slope = np.zeros((n, n, mu.size))
    for m in range(truncation + 1):
        for degree in range(m, truncation + 1):
            lower = (degree + 1) * epsilon(degree, m) * p[m, degree - 1] if degree > m else 0.0
            slope[m, degree] = (lower - degree * epsilon(degree + 1, m) * p[m, degree + 1]) / np.maximum(cosine, 1e-12)
    keep = slice(0, truncation + 1)
    return p[keep, keep], slope[keep, keep]


def area_weights(latitude: np.ndarray) -> np.ndarray:
    """Share of the sphere that belongs to each ascending latitude (degrees), (n,), sum 1."""
    edges = np.concatenate([[-90.0], 0.5 * (latitude[1:] + latitude[:-1]), [90.0]])
    return np.asarray(0.5 * np.diff(np.sin(np.radians(edges))))


def _check(latitude: np.ndarray, longitude: np.ndarray, truncation: int) -> None:
    steps = np.diff(longitude)
    if (
        not np.allclose(steps, steps[0], atol=1e-3)
        or not np.isclose(steps[0] * longitude.size, 360.0, atol=0.1)
        or latitude.size < 2
    ):
        raise InputError(
            "Planetary smoothing needs a global field on evenly spaced longitudes; this one is regional or uneven."
        )
    if truncation > min(latitude.size - 1, longitude.size // 2 - 1):
        raise InputError(
            f"Truncation T{truncation} is finer than a grid of {latitude.size} x {longitude.size} points resolves; "
            "choose a smaller one."
        )


def _fourier(field: np.ndarray, longitude: np.ndarray, truncation: int) -> np.ndarray:
    """Complex coefficients (..., nlat, m) so that field = Re sum c_m exp(i m lon), all m >= 0."""
    coefficients = np.fft.rfft(field, axis=-1)[..., : truncation + 1] / longitude.size
    coefficients[..., 1:] *= 2.0
    return np.asarray(coefficients * np.exp(-1j * np.arange(truncation + 1) * np.radians(longitude[0])))


def analyse(field: np.ndarray, latitude: np.ndarray, longitude: np.ndarray, truncation: int) -> np.ndarray:
    """Coefficients (..., m, l) of a scalar field (..., nlat, nlon), area-weighted least squares for each m.

    Raises:
        InputError: the grid is not global, not even in longitude, or too coarse for the truncation.
    """
    _check(latitude, longitude, truncation)
    p, _ = legendre(truncation, latitude)
    waves = _fourier(field, longitude, truncation)
    root = np.sqrt(area_weights(latitude))
    result = np.zeros((*field.shape[:-2], truncation + 1, truncation + 1), dtype=complex)
    for m in range(truncation + 1):
        operator = np.linalg.pinv(root[:, None] * p[m, m:].T)
        result[..., m, m:] = (waves[..., m] * root) @ operator.T
    return result


def synthesise(coefficients: np.ndarray, latitude: np.ndarray, longitude: np.ndarray) -> np.ndarray:
    """The field (..., nlat, nlon) of coefficients (..., m, l)."""
    truncation = coefficients.shape[-1] - 1
    p, _ = legendre(truncation, latitude)
    waves = np.einsum("...ml,mlj->...jm", coefficients, p)
    phase = np.exp(1j * np.arange(truncation + 1)[:, None] * np.radians(longitude))
    return np.asarray((waves @ phase).real)


def _wind_operator(m: int, p: np.ndarray, slope: np.ndarray, latitude: np.ndarray) -> np.ndarray:
    """Complex matrix (2 nlat, 2 nl): coefficients of (psi, chi) of order m to Fourier coefficients of (u, v).

    u = (-dpsi/dlat + dchi/dlon / cos) / a and v = (dpsi/dlon / cos + dchi/dlat) / a (Helmholtz, on the sphere).
    """
    cosine = np.maximum(np.cos(np.radians(latitude)), 1e-12)[:, None]
    east, north = 1j * m * p[m, m:].T / cosine, slope[m, m:].T
    return np.asarray(np.block([[-north, east], [east, north]]) / EARTH_RADIUS)


def analyse_wind(
    u: np.ndarray, v: np.ndarray, latitude: np.ndarray, longitude: np.ndarray, truncation: int
) -> tuple[np.ndarray, np.ndarray]:
    """Coefficients of stream function and velocity potential (m2/s), (..., m, l) each, from east and north wind (...,
    nlat, nlon).

    The rows at the poles, where components have no direction, are left out. Raises InputError as `analyse`.
    """
    _check(latitude, longitude, truncation)
    inner = np.abs(latitude) < 89.9
    lat = latitude[inner]
    p, slope = legendre(truncation, lat)
    waves = np.concatenate([_fourier(w[..., inner, :], longitude, truncation) for w in (u, v)], axis=-2)
    root = np.sqrt(np.tile(area_weights(latitude)[inner], 2))
    psi = np.zeros((*u.shape[:-2], truncation + 1, truncation + 1), dtype=complex)
    chi = np.zeros_like(psi)
    for m in range(truncation + 1):
        operator = np.linalg.pinv(root[:, None] * _wind_operator(m, p, slope, lat), rcond=1e-10)
        both = (waves[..., m] * root) @ operator.T
        count = truncation + 1 - m
        psi[..., m, m:], chi[..., m, m:] = both[..., :count], both[..., count:]
    return psi, chi


def synthesise_wind(
    psi: np.ndarray, chi: np.ndarray, latitude: np.ndarray, longitude: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """East and north wind (..., nlat, nlon) m/s of stream function and velocity potential; at a pole that of a point
    just beside it."""
    truncation = psi.shape[-1] - 1
    lat = np.clip(latitude, -89.99, 89.99)
    p, slope = legendre(truncation, lat)
    phase = np.exp(1j * np.arange(truncation + 1)[:, None] * np.radians(longitude))
    waves = np.empty((*psi.shape[:-2], 2 * lat.size, truncation + 1), dtype=complex)
    for m in range(truncation + 1):
        both = np.concatenate([psi[..., m, m:], chi[..., m, m:]], axis=-1)
        waves[..., m] = both @ _wind_operator(m, p, slope, lat).T
    wind = (waves @ phase).real
    return wind[..., : lat.size, :], wind[..., lat.size :, :]


def response(truncation: int, cutoff: float, zonal_cutoff: float | None = None) -> np.ndarray:
    """Filter (m, l) that falls smoothly from 1 to 1/2 at total wavenumber `cutoff`: exp(-ln 2 (l (l+1) / (c (c+1)))^2).

    The form is that of an implicit-free biharmonic smoother, isotropic on the sphere, with little Gibbs overshoot.
    `zonal_cutoff` replaces the cutoff for the zonal mean (m = 0), whose jets are narrower than the waves and known
    better.
    """
    if cutoff <= 0 or (zonal_cutoff is not None and zonal_cutoff <= 0):
        raise InputError(
            f"The planetary cutoff must be a positive total wavenumber; it is {min(cutoff, zonal_cutoff or cutoff)}."
        )
    degree = np.arange(truncation + 1.0)
    eigenvalue = degree * (degree + 1.0)
    limit = np.full(truncation + 1, float(cutoff))
    limit[0] = cutoff if zonal_cutoff is None else zonal_cutoff
    return np.asarray(np.exp(-np.log(2.0) * (eigenvalue / (limit * (limit + 1.0))[:, None]) ** 2))
