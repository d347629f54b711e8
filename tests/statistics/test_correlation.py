"""Correlations and their square roots."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kaiseki.diagnostics.standard_atmosphere import standard_log_pressure
from kaiseki.statistics.correlation import gaussian, square_root, wind_curvature


@given(st.integers(2, 40), st.floats(0.3, 30.0))
@settings(max_examples=50, deadline=None)
def test_rows_of_the_root_have_length_one_whatever_is_left_out(number: int, length: float) -> None:
    root = square_root(gaussian(np.arange(number, dtype=float), length))
    np.testing.assert_allclose(np.sum(root**2, axis=1), 1.0, rtol=1e-13)
    assert root.shape[1] <= number


@given(st.integers(2, 30), st.floats(0.3, 20.0))
@settings(max_examples=50, deadline=None)
def test_the_square_of_the_root_is_the_correlation(number: int, length: float) -> None:
    correlation = gaussian(np.arange(number, dtype=float), length)
    root = square_root(correlation, kept=1.0 - 1e-12)
    np.testing.assert_allclose(root @ root.T, correlation, atol=1e-5)
    # What is left out of the trace bounds the error of every entry, before and after the rows are scaled.
    coarse = square_root(correlation)
    assert np.max(np.abs(coarse @ coarse.T - correlation)) <= 4.0 * np.sqrt(1e-4 * number)


@pytest.mark.parametrize("number", [2, 9, 16, 18, 61])
@pytest.mark.parametrize("length", [0.7, 2.0, 5.0, 20.0])
def test_the_root_does_not_depend_on_rounding(number: int, length: float) -> None:
    # Eigenvectors on an even grid are symmetric or antisymmetric about its middle; the latter have two largest
    # components of either sign, and which is the larger is a matter of the processor.
    correlation = gaussian(150e3 * np.arange(number), 150e3 * length)
    root = square_root(correlation)
    generator = np.random.default_rng(1)
    for _ in range(8):
        noise = 1e-14 * generator.standard_normal(correlation.shape)
        np.testing.assert_allclose(square_root(correlation + noise + noise.T), root, atol=1e-7)


def test_gaussian_has_the_length_of_its_definition() -> None:
    matrix = gaussian(np.array([0.0, 2.0, 7.0]), 2.0)
    assert matrix[0, 1] == pytest.approx(np.exp(-0.5))
    assert matrix[0, 2] == pytest.approx(np.exp(-49.0 / 8.0))
    np.testing.assert_array_equal(matrix, matrix.T)


def test_standard_atmosphere() -> None:
    # ISO 2533:1975: 0, 5000, 11000, 20000 m.
    heights = np.array([0.0, 5_000.0, 11_000.0, 20_000.0])
    # Heights there are geopotential ones; pressures in Pa.
    expected = np.array([101_325.0, 54_020.0, 22_632.0, 5_474.9])
    np.testing.assert_allclose(np.exp(standard_log_pressure(heights)), expected, rtol=2e-4)


@pytest.mark.parametrize("length", [100e3, 300e3, 2000e3])
def test_curvature_is_the_variance_of_the_centred_difference(length: float) -> None:
    spacing = 60e3
    # Variance of (psi(d) - psi(-d)) / 2d from the correlation itself.
    exact = 2.0 * (1.0 - np.exp(-0.5 * (2.0 * spacing / length) ** 2)) / (2.0 * spacing) ** 2
    assert wind_curvature(spacing, length) == pytest.approx(exact, rel=1e-9)
    assert wind_curvature(1.0, length) == pytest.approx(length**-2, rel=1e-6)
