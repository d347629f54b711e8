"""The ensemble transform against the Kalman filter, local against global, inflation against what is missing."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.sparse import csr_array

from kaiseki.core.errors import ConfigError, NumericsError
from kaiseki.statistics import ensemble
from kaiseki.statistics.ensemble import Weights, adapted_inflation, combine, letkf, local_weights, rotation, transform
from kaiseki.statistics.localisation import Neighbourhoods, gaspari_cohn, linear_interpolation, neighbourhoods


def anomalies(generator: np.random.Generator, size: int, members: int) -> np.ndarray:
    drawn = generator.standard_normal((size, members)) * np.exp(generator.standard_normal((size, 1)))
    return drawn - drawn.mean(axis=1, keepdims=True)


def kalman(
    covariance: np.ndarray, operator: np.ndarray, errors: np.ndarray, departure: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Increment and analysis covariance of the Kalman filter."""
    gain = covariance @ operator.T @ np.linalg.inv(operator @ covariance @ operator.T + np.diag(errors**2))
    return gain @ departure, covariance - gain @ operator @ covariance


@given(st.integers(1, 12), st.integers(1, 15), st.integers(2, 10), st.floats(0.5, 2.0), st.integers(0, 10_000))
@settings(max_examples=60, deadline=None)
def test_the_transform_is_the_kalman_filter_of_the_covariance_of_the_members(
    size: int, number: int, members: int, inflation: float, seed: int
) -> None:
    generator = np.random.default_rng(seed)
    x, operator = anomalies(generator, size, members), generator.standard_normal((number, size))
    errors, departure = generator.uniform(0.5, 2.0, number), generator.standard_normal(number)
    w, root = transform(operator @ x / errors[:, None], departure / errors, inflation)
    background = inflation * x @ x.T / (members - 1)
    increment, covariance = kalman(background, operator, errors, departure)
    # The filter written out inverts H P H^T + R, which costs it digits.
    size_of = np.abs(background).max()
    digits = 1e-14 * size_of * np.linalg.cond(operator @ background @ operator.T + np.diag(errors**2))
    np.testing.assert_allclose(x @ w, increment, rtol=1e-9, atol=1e-9 + digits)
    analysed = x @ root
    np.testing.assert_allclose(analysed @ analysed.T / (members - 1), covariance, rtol=1e-9, atol=1e-9 + digits)


@given(st.integers(2, 12), st.integers(0, 20), st.floats(0.5, 2.0), st.integers(0, 10_000))
@settings(max_examples=40, deadline=None)
def test_the_transform_is_symmetric_positive_and_keeps_the_mean(
    members: int, number: int, inflation: float, seed: int
) -> None:
    generator = np.random.default_rng(seed)
    _, root = transform(anomalies(generator, number, members), generator.standard_normal(number), inflation)
    np.testing.assert_allclose(root, root.T, atol=1e-12)
    np.testing.assert_allclose(root.sum(axis=1), np.sqrt(inflation), rtol=1e-10)
    values = np.linalg.eigvalsh(root)
    assert values[0] > 0.0
    assert values[-1] <= np.sqrt(inflation) * (1.0 + 1e-10)


def test_many_transforms_at_once_are_the_single_ones() -> None:
    generator = np.random.default_rng(1)
    y = np.stack([anomalies(generator, 7, 5) for _ in range(6)]).reshape(2, 3, 7, 5)
    d = generator.standard_normal((2, 3, 7))
    w, root = transform(y, d, 1.2)
    for i in range(2):
        for j in range(3):
            one, matrix = transform(y[i, j], d[i, j], 1.2)
            np.testing.assert_allclose(w[i, j], one, atol=1e-13)
            np.testing.assert_allclose(root[i, j], matrix, atol=1e-13)


def test_what_cannot_be_transformed_is_refused() -> None:
    with pytest.raises(ConfigError, match="at least two members"):
        transform(np.zeros((3, 1)), np.zeros(3))
    with pytest.raises(ConfigError, match="positive inflation"):
        transform(np.zeros((3, 4)), np.zeros(3), 0.0)
    with pytest.raises(NumericsError, match="left the range"):
        transform(np.full((3, 4), np.nan), np.zeros(3))


@given(st.integers(2, 30), st.integers(0, 10_000))
@settings(max_examples=40, deadline=None)
def test_a_rotation_is_orthogonal_and_keeps_the_mean(members: int, seed: int) -> None:
    matrix = rotation(members, np.random.default_rng(seed))
    np.testing.assert_allclose(matrix @ matrix.T, np.eye(members), atol=1e-12)
    np.testing.assert_allclose(matrix.sum(axis=1), 1.0, atol=1e-12)
    np.testing.assert_allclose(matrix.sum(axis=0), 1.0, atol=1e-12)


def test_rotations_are_uniform() -> None:
    """Averages over the group: E[O] = 1 1^T / N, and E[tr(O)^2] = 2 from a fixed vector and an irreducible rest."""
    generator = np.random.default_rng(7)
    drawn = np.stack([rotation(5, generator) for _ in range(4000)])
    np.testing.assert_allclose(drawn.mean(axis=0), 0.2, atol=0.03)
    assert np.mean(np.trace(drawn, axis1=1, axis2=2) ** 2) == pytest.approx(2.0, rel=0.1)


def test_no_observations_make_no_neighbours_and_only_inflate() -> None:
    empty = neighbourhoods(np.zeros((3, 2)), np.empty((0, 2)), 1.0)
    assert empty.indices.shape == (3, 0)
    x = anomalies(np.random.default_rng(2), 3, 4)
    increment, analysed = letkf(x, np.empty((0, 4)), np.empty(0), empty, inflation=1.21)
    np.testing.assert_allclose(increment, 0.0, atol=1e-15)
    np.testing.assert_allclose(analysed, 1.1 * x, rtol=1e-12)
    with pytest.raises(ConfigError, match="must be positive"):
        neighbourhoods(np.zeros((3, 2)), np.zeros((1, 2)), 0.0)


def local_case(seed: int, members: int = 6) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Anomalies at 30 places of two values each, equivalents of 50 observations, departures, and both coordinates."""
    generator = np.random.default_rng(seed)
    x = anomalies(generator, 60, members).reshape(30, 2, members)
    return (
        x,
        anomalies(generator, 50, members),
        generator.standard_normal(50),
        generator.uniform(0, 10, (30, 1)),
        generator.uniform(0, 10, (50, 1)),
    )


def test_without_taper_local_is_global() -> None:
    x, y, d, _, _ = local_case(1)
    everything = Neighbourhoods(np.tile(np.arange(50), (30, 1)), np.ones((30, 50)))
    increment, analysed = letkf(x, y, d, everything, inflation=1.1)
    w, root = transform(y, d, 1.1)
    np.testing.assert_allclose(increment, x @ w, atol=1e-12)
    np.testing.assert_allclose(analysed, x @ root, atol=1e-12)


def test_a_very_wide_taper_is_nearly_global() -> None:
    x, y, d, domains, places = local_case(2)
    increment, _ = letkf(x, y, d, neighbourhoods(domains, places, 1e6))
    np.testing.assert_allclose(increment, x @ transform(y, d)[0], atol=1e-8)


def test_each_domain_is_the_kalman_filter_with_tapered_errors() -> None:
    x, y, d, domains, places = local_case(3)
    near = neighbourhoods(domains, places, 1.0)
    increment, analysed = letkf(x, y, d, near)
    for place in range(30):
        taper = gaspari_cohn(np.abs(domains[place] - places[:, 0]))
        seen = taper > 0.0
        # State and equivalents as one vector, so that the observation operator is linear.
        joint = np.concatenate([x[place], y[seen]])
        operator = np.eye(len(joint))[2:]
        exact, covariance = kalman(joint @ joint.T / 5, operator, 1.0 / np.sqrt(taper[seen]), d[seen])
        np.testing.assert_allclose(increment[place], exact[:2], rtol=1e-9, atol=1e-9)
        np.testing.assert_allclose(analysed[place] @ analysed[place].T / 5, covariance[:2, :2], rtol=1e-9, atol=1e-9)


@given(st.integers(0, 10_000), st.integers(1, 9))
@settings(max_examples=20, deadline=None)
def test_padding_changes_nothing(seed: int, more: int) -> None:
    x, y, d, domains, places = local_case(seed)
    near = neighbourhoods(domains, places, 0.8)
    filler = np.random.default_rng(seed).integers(0, 50, (30, more))
    padded = Neighbourhoods(np.hstack([near.indices, filler]), np.hstack([near.tapers, np.zeros((30, more))]))
    for one, other in zip(letkf(x, y, d, near), letkf(x, y, d, padded), strict=True):
        np.testing.assert_array_equal(one, other)
    root = np.sqrt(padded.tapers)
    w, matrix = transform(y[padded.indices] * root[..., None], d[padded.indices] * root)
    found = local_weights(y, d, near)
    np.testing.assert_allclose(found.mean, w, atol=1e-12)
    np.testing.assert_allclose(found.transform, matrix, atol=1e-12)


def test_batches_change_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    x, y, d, domains, places = local_case(4)
    near = neighbourhoods(domains, places, 0.8)
    matrix = linear_interpolation(np.sort(domains[:, 0]), np.linspace(0.0, 10.0, 30))
    whole = letkf(x, y, d, near, interpolation=matrix)
    monkeypatch.setattr(ensemble, "BATCH", 500)
    for one, other in zip(whole, letkf(x, y, d, near, interpolation=matrix), strict=True):
        np.testing.assert_allclose(one, other, atol=1e-12)


@given(st.integers(0, 10_000))
@settings(max_examples=20, deadline=None)
def test_anomalies_keep_their_mean_of_zero(seed: int) -> None:
    x, y, d, domains, places = local_case(seed)
    matrix = linear_interpolation(np.linspace(0.0, 10.0, 8), domains[:, 0])
    near = neighbourhoods(np.linspace(0.0, 10.0, 8)[:, None], places, 1.0)
    _, analysed = letkf(x, y, d, near, inflation=1.3, interpolation=matrix)
    np.testing.assert_allclose(analysed.sum(axis=-1), 0.0, atol=1e-10)


def test_interpolated_weights_are_exact_at_the_nodes_and_linear_between() -> None:
    x, y, d, _, places = local_case(6)
    nodes = np.linspace(0.0, 10.0, 4)
    found = local_weights(y, d, neighbourhoods(nodes[:, None], places, 1.5))
    points = np.linspace(0.0, 10.0, 30)
    increment, analysed = combine(found, x, linear_interpolation(nodes, points))
    np.testing.assert_allclose(increment[0], x[0] @ found.mean[0], atol=1e-13)
    np.testing.assert_allclose(analysed[-1], x[-1] @ found.transform[-1], atol=1e-13)
    for place in (4, 17):
        mixed = [np.interp(points[place], nodes, found.transform[:, i, j]) for i in range(6) for j in range(6)]
        np.testing.assert_allclose(analysed[place], x[place] @ np.reshape(mixed, (6, 6)), atol=1e-12)


def test_weights_of_other_places_are_refused() -> None:
    weights = Weights(np.zeros((4, 3)), np.zeros((4, 3, 3)))
    with pytest.raises(ConfigError, match="do not fit"):
        combine(weights, np.zeros((5, 3)))
    with pytest.raises(ConfigError, match="do not fit"):
        combine(weights, np.zeros((5, 3)), csr_array((5, 3)))


def innovations(share: float, number: int, members: int = 20) -> tuple[np.ndarray, np.ndarray, Neighbourhoods]:
    """Equivalents whose covariance is too small by `share`, departures, and one domain that sees all alike."""
    generator = np.random.default_rng(9)
    y = anomalies(generator, number, members)
    y /= y.std(axis=1, ddof=1, keepdims=True)
    departure = np.sqrt(share + 1.0) * generator.standard_normal(number)
    return y, departure, Neighbourhoods(np.arange(number)[None], np.ones((1, number)))


def test_inflation_finds_what_the_spread_lacks() -> None:
    y, departure, everything = innovations(1.6, 4000)
    rho = np.ones(1)
    for _ in range(200):
        rho = adapted_inflation(rho, y, departure, everything, kept=1.0)
    exact = (departure**2).mean() - 1.0
    assert rho[0] == pytest.approx(exact, rel=1e-3)
    assert rho[0] == pytest.approx(1.6, rel=0.1)


def test_inflation_of_few_observations_hardly_moves_and_forgets() -> None:
    y, departure, everything = innovations(1.6, 4)
    assert 1.0 <= adapted_inflation(np.ones(1), y, departure, everything)[0] < 1.1
    nothing = Neighbourhoods(np.zeros((1, 0), dtype=int), np.zeros((1, 0)))
    assert adapted_inflation(np.array([1.5]), y, departure, nothing, kept=0.8)[0] == pytest.approx(1.4)


def test_inflation_stays_within_its_bounds() -> None:
    for share, bound in ((9.0, 1.3), (0.01, 1.0)):
        y, departure, everything = innovations(share, 4000)
        assert adapted_inflation(np.ones(1), y, departure, everything, variance=1e3, most=1.3)[0] == bound


def test_each_domain_has_its_own_inflation() -> None:
    _, y, d, domains, places = local_case(8)
    near, rho = neighbourhoods(domains, places, 0.8), np.linspace(1.0, 1.5, 30)
    found = local_weights(y, d, near, rho)
    for place in (0, 11, 29):
        alone = Neighbourhoods(near.indices[[place]], near.tapers[[place]])
        np.testing.assert_allclose(
            found.transform[place], local_weights(y, d, alone, rho[place]).transform[0], atol=1e-12
        )
