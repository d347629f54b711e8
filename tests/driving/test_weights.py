"""Horizontal weights: exactness, order, wrapping, refusal."""

from __future__ import annotations

import numpy as np
import pytest

from kaiseki.core.errors import InputError
from kaiseki.driving.weights import from_lat_lon, interpolation

RANDOM = np.random.default_rng(5)
UNEVEN = np.array([0.0, 1.0, 1.8, 3.1, 4.0, 5.2, 6.0])


@pytest.mark.parametrize(("method", "degree"), [("linear", 1), ("cubic", 2)])
def test_polynomials_are_reproduced_on_an_uneven_grid(method: str, degree: int) -> None:
    y, x = UNEVEN, 2.0 * UNEVEN + 3.0
    ty, tx = RANDOM.uniform(0.0, 6.0, 200), RANDOM.uniform(3.0, 15.0, 200)
    weights = interpolation(y, x, ty, tx, method)
    for a in range(degree + 1):
        for b in range(degree + 1):
            field = y[:, None] ** a * x[None, :] ** b
            np.testing.assert_allclose(weights(field), ty**a * tx**b, rtol=1e-11)


def test_order_of_accuracy() -> None:
    target = RANDOM.uniform(0.5, 2.5, (2, 300))
    errors = {}
    for method in ("linear", "cubic"):
        for n in (16, 32):
            axis = np.linspace(0.0, 3.0, n)
            field = np.sin(axis)[:, None] * np.cos(axis)
            found = interpolation(axis, axis, target[0], target[1], method)(field)
            errors[method, n] = np.abs(found - np.sin(target[0]) * np.cos(target[1])).max()
    assert np.log2(errors["linear", 16] / errors["linear", 32]) > 1.8
    assert np.log2(errors["cubic", 16] / errors["cubic", 32]) > 2.8


def test_nodes_are_reproduced_and_leading_axes_kept() -> None:
    field = RANDOM.normal(size=(3, 2, 7, 7))
    weights = interpolation(UNEVEN, UNEVEN, *np.meshgrid(UNEVEN, UNEVEN, indexing="ij"))
    np.testing.assert_allclose(weights(field), field, atol=1e-13)


def test_longitude_wraps_on_a_global_grid_in_either_convention() -> None:
    lat, lon = np.arange(-80.0, 81.0, 5.0), np.arange(0.0, 360.0, 5.0)
    field = np.cos(np.radians(lat))[:, None] * np.cos(np.radians(lon - 20.0))
    for target in (np.array([357.5, 1.0, 179.9]), np.array([-2.5, 361.0, 179.9])):
        found = from_lat_lon(lat, lon, np.full(3, 31.0), target)(field)
        exact = np.cos(np.radians(31.0)) * np.cos(np.radians(target - 20.0))
        np.testing.assert_allclose(found, exact, atol=2e-4)


def test_regional_grid_refuses_points_beyond_it_and_says_so() -> None:
    lat, lon = np.arange(10.0, 61.0, 1.0), np.arange(90.0, 181.0, 1.0)
    with pytest.raises(InputError, match=r"covers only 10 to 60"):
        from_lat_lon(lat, lon, np.array([62.0]), np.array([120.0]))
    with pytest.raises(InputError, match=r"covers only 90 to 180"):
        from_lat_lon(lat, lon, np.array([50.0]), np.array([190.0]))


def test_unknown_method_and_too_small_grid_are_refused() -> None:
    with pytest.raises(InputError, match="linear or cubic"):
        interpolation(UNEVEN, UNEVEN, np.ones(1), np.ones(1), "spline")
    with pytest.raises(InputError, match="too small"):
        interpolation(UNEVEN[:2], UNEVEN, np.ones(1), np.ones(1))
