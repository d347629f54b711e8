"""Tapers against their paper, neighbourhoods against all distances, interpolation against bilinear functions."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.integrate import quad
from scipy.sparse import kron

from kaiseki.core.errors import ConfigError
from kaiseki.statistics.localisation import gaspari_cohn, linear_interpolation, neighbourhoods


def test_gaspari_cohn_known_values() -> None:
    np.testing.assert_allclose(
        gaspari_cohn(np.array([0.0, 3.0, 6.0, 7.0]), 3.0), [1.0, 5.0 / 24.0, 0.0, 0.0], atol=1e-15
    )
    # Half a half-width by hand from equation 4.10: -1/128 + 1/32 + 5/64 - 5/12 + 1.
    assert gaspari_cohn(np.array(0.5)) == pytest.approx(-1 / 128 + 1 / 32 + 5 / 64 - 5 / 12 + 1.0)
    r = np.linspace(0.0, 2.5, 2001)
    value = gaspari_cohn(r)
    assert (np.diff(value) <= 1e-15).all()
    assert ((value >= 0.0) & (value <= 1.0)).all()


def test_gaspari_cohn_is_smooth_at_its_joints() -> None:
    """First and second derivatives are continuous at 0 (even), the half-width and its double."""
    step = 1e-4
    for joint in (0.0, 1.0, 2.0):
        before, after = (
            gaspari_cohn(np.abs(joint + step * np.array(offsets))) for offsets in ([-3, -2, -1, 0], [0, 1, 2, 3])
        )
        for order, tolerance in ((1, 2e-3), (2, 5e-3)):
            slopes = [np.diff(part, order) / step**order for part in (before, after)]
            assert slopes[0][-1] == pytest.approx(slopes[1][0], abs=tolerance)


def test_gaspari_cohn_is_the_ball_of_triangles_of_its_paper() -> None:
    """Equation 4.10 is the self-convolution of max(0, 1 - 2 r) in three dimensions, over its value at zero."""

    def convolved(distance: float) -> float:
        # In bipolar coordinates: 2 pi / d int int f(s) f(t) s t dt ds, |s - t| <= d <= s + t, support 1/2 each.
        def inner(s: float) -> float:
            low, high = abs(distance - s), min(distance + s, 0.5)
            if high <= low:
                return 0.0
            return s * (1.0 - 2.0 * s) * ((high**2 / 2.0 - 2.0 * high**3 / 3.0) - (low**2 / 2.0 - 2.0 * low**3 / 3.0))

        return 2.0 * np.pi / distance * quad(inner, 0.0, 0.5, points=[min(distance, 0.5), abs(0.5 - distance)])[0]

    whole = 4.0 * np.pi * quad(lambda s: (s * (1.0 - 2.0 * s)) ** 2, 0.0, 0.5)[0]
    r = np.array([0.1, 0.35, 0.5, 0.7, 0.95])
    np.testing.assert_allclose(gaspari_cohn(r, 0.5), [convolved(d) / whole for d in r], rtol=1e-6, atol=1e-9)


def test_gaspari_cohn_is_positive_definite_in_three_dimensions() -> None:
    points = np.random.default_rng(3).uniform(0.0, 3.0, (300, 3))
    distance = np.linalg.norm(points[:, None] - points[None], axis=-1)
    assert np.linalg.eigvalsh(gaspari_cohn(distance, 0.8))[0] > -1e-12


@pytest.mark.parametrize("box", [None, np.array([10.0, 0.0])])
def test_neighbourhoods_are_those_of_all_distances(box: np.ndarray | None) -> None:
    generator = np.random.default_rng(5)
    domains, places = generator.uniform(0.0, 10.0, (40, 2)), generator.uniform(0.0, 10.0, (90, 2))
    half_width = np.array([1.5, 0.7])
    found = neighbourhoods(domains, places, half_width, box)
    apart = np.abs(domains[:, None] - places[None])
    if box is not None:
        apart[..., 0] = np.minimum(apart[..., 0], 10.0 - apart[..., 0])
    exact = gaspari_cohn(np.linalg.norm(apart / half_width, axis=-1))
    dense = np.zeros((40, 90))
    counts = np.count_nonzero(found.tapers, axis=1)
    for row, count in enumerate(counts):
        assert (found.tapers[row, count:] == 0.0).all()
        dense[row, found.indices[row, :count]] = found.tapers[row, :count]
    np.testing.assert_allclose(dense, exact, atol=1e-13)
    assert found.indices.shape[1] == counts.max()


def test_interpolation_reproduces_bilinear_functions() -> None:
    nodes_y, nodes_x = np.array([0.0, 1.0, 4.0]), np.array([-2.0, 3.0])
    y, x = np.linspace(0.0, 4.0, 9), np.linspace(-2.0, 3.0, 6)
    matrix = kron(linear_interpolation(nodes_y, y), linear_interpolation(nodes_x, x), format="csr")

    def plane(a: np.ndarray, b: np.ndarray) -> np.ndarray:
        return (1.0 + 2.0 * a[:, None] - b[None] + 0.5 * a[:, None] * b[None]).ravel()

    np.testing.assert_allclose(matrix @ plane(nodes_y, nodes_x), plane(y, x), atol=1e-12)
    np.testing.assert_allclose(linear_interpolation(nodes_y, np.array([-5.0, 9.0])).toarray(), np.eye(3)[[0, 2]])
    with pytest.raises(ConfigError, match="rising order"):
        linear_interpolation(np.array([1.0, 1.0]), y)
