"""Interpolation, crossings and derivatives in columns against NumPy, MetPy and polynomials."""

from __future__ import annotations

import metpy.calc as mpcalc
import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from metpy.units import units

from diagnostics.soundings import Columns, columns
from kaiseki.diagnostics.columns import ColumnInterpolation, lowest_fall_through, vertical_derivative
from kaiseki.diagnostics.wind import mixed_down_gust, mixed_layer_height


@settings(max_examples=60, deadline=None)
@given(seed=st.integers(0, 10_000), wanted=st.floats(-1.0, 12.0))
def test_each_column_agrees_with_numpy(seed: int, wanted: float) -> None:
    generator = np.random.default_rng(seed)
    coordinate = np.cumsum(generator.uniform(0.1, 2.0, (7, 3)), axis=0)
    field = generator.normal(size=(7, 3))
    result = ColumnInterpolation.to(np.array([wanted]), coordinate)(field)[0]
    for i in range(3):
        expected = np.interp(wanted, coordinate[:, i], field[:, i], left=np.nan, right=np.nan)
        np.testing.assert_allclose(result[i], expected, rtol=1e-12, atol=1e-12)


@settings(max_examples=60, deadline=None)
@given(seed=st.integers(0, 10_000), base=st.floats(0.0, 4.0), wanted=st.floats(0.0, 8.0))
def test_a_base_replaces_the_levels_below_it(seed: int, base: float, wanted: float) -> None:
    generator = np.random.default_rng(seed)
    coordinate = np.cumsum(generator.uniform(0.3, 2.0, (7, 3)), axis=0)
    field, ground = generator.normal(size=(7, 3)), generator.normal(size=3)
    result = ColumnInterpolation.to(np.array([wanted]), coordinate, base)(field, ground)[0]
    for i in range(3):
        above = coordinate[:, i] > base
        nodes, values = np.r_[base, coordinate[above, i]], np.r_[ground[i], field[above, i]]
        expected = np.interp(wanted, nodes, values, left=np.nan, right=np.nan)
        np.testing.assert_allclose(result[i], expected, rtol=1e-9, atol=1e-9)


def test_levels_themselves_and_nan() -> None:
    coordinate = np.array([[1.0, 1.0], [2.0, 2.0], [3.0, np.nan]])
    field = np.array([[5.0, 5.0], [6.0, 6.0], [np.nan, 7.0]])
    result = ColumnInterpolation.to(np.array([1.0, 2.0, 3.0, 0.9, 3.1]), coordinate)(field)
    np.testing.assert_array_equal(result[:, 0], [5.0, 6.0, np.nan, np.nan, np.nan])
    assert np.isnan(result[:, 1]).all()


def test_a_base_without_a_value_is_refused() -> None:
    interpolation = ColumnInterpolation.to(np.array([1.5]), np.array([[2.0], [3.0]]), 1.0)
    with pytest.raises(ValueError, match="gives no value"):
        interpolation(np.ones((2, 1)))


@settings(max_examples=40, deadline=None)
@given(air=columns(), threshold=st.floats(230.0, 300.0))
def test_the_lowest_fall_is_metpys(air: Columns, threshold: float) -> None:
    temperature, height = air.temperature[:, 0], air.height[:, 0]
    # On a level itself the two differ in what is a crossing.
    assume(np.abs(temperature - threshold).min() > 1e-6)
    ours = float(lowest_fall_through(air.temperature, air.height, threshold)[0])
    crossings, _ = mpcalc.find_intersections(
        height * units.m, temperature * units.K, np.full_like(height, threshold) * units.K, direction="decreasing"
    )
    if np.isfinite(ours):
        assert ours == pytest.approx(crossings.m[0], abs=1e-6)
    else:
        assert crossings.size == 0
        assert (ours > 0) == (temperature[-1] > threshold)


def test_several_crossings_all_below_and_all_above() -> None:
    height = np.array([2.0, 100.0, 500.0, 1000.0, 2000.0])[:, None] * np.ones(5)
    profiles = np.array(
        [[275, 271, 271, 271, 260], [270, 276, 272, 275, 260], [270, 270, 270, 270, 260], [290, 290, 290, 290, 280],
         [290, 290, np.nan, 290, 260]], float,
    ).T  # fmt: skip
    found = lowest_fall_through(profiles, height, 273.0)
    np.testing.assert_allclose(found, [51.0, 400.0, -np.inf, np.inf, np.nan])


def test_derivatives_are_exact_for_parabolas() -> None:
    generator = np.random.default_rng(1)
    height = np.cumsum(generator.uniform(10.0, 300.0, (9, 4)), axis=0)
    field = 3.0 - 0.2 * height + 1e-4 * height**2
    np.testing.assert_allclose(vertical_derivative(field, height), -0.2 + 2e-4 * height, rtol=1e-9, atol=1e-10)


def test_gusts_of_a_jet_in_the_mixed_layer() -> None:
    """Mixed up to the inversion between 800 and 1200 m: 0.5 K of 4 K, so 850 m. The wind above does not count."""
    height = np.array([20.0, 400.0, 800.0, 1200.0, 2000.0])[:, None]
    theta_v = np.array([300.0, 300.0, 300.0, 304.0, 310.0])[:, None]
    top = mixed_layer_height(theta_v, height)
    assert top[0] == pytest.approx(850.0)
    speed = np.array([6.0, 10.0, 12.0, 60.0, 60.0])[:, None]
    gust = mixed_down_gust(speed, height, np.array([5.0]), top)
    assert gust[0] == pytest.approx(5.0 + 7.0 * 0.6)
    # Above 1 km the weight is a half.
    assert mixed_down_gust(speed, height, np.array([5.0]), np.array([3000.0]))[0] == pytest.approx(5.0 + 55.0 * 0.5)
    calm = mixed_down_gust(np.full((5, 1), 1.0), height, np.array([5.0]), top)
    assert calm[0] == 5.0


def test_a_column_mixed_throughout_and_nan() -> None:
    height = np.array([20.0, 400.0])[:, None] * np.ones(2)
    theta = np.array([[300.0, 300.0], [300.1, np.nan]])
    np.testing.assert_array_equal(mixed_layer_height(theta, height), [400.0, np.nan])
