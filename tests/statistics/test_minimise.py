"""Conjugate gradients against dense algebra; robust likelihoods and their re-weighted minimisation."""

from __future__ import annotations

import dataclasses
import itertools

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.optimize import least_squares, minimize

from kaiseki.core.errors import ConfigError, NumericsError
from kaiseki.statistics.conjugate_gradients import InnerLoop, Spectrum, conjugate_gradients
from kaiseki.statistics.minimise import LeastSquares, MinimiserSettings, outer_loops, reweighted
from kaiseki.statistics.robust import Gaussian, Huber, Likelihood, likelihood

LIKELIHOODS: list[Likelihood] = [Gaussian(), Huber(1.5)]


def positive(size: int, seed: int, rank: int | None = None) -> np.ndarray:
    """Identity plus something positive of low rank, as the Hessians here are."""
    root = np.random.default_rng(seed).standard_normal((size, rank or size // 2))
    return np.eye(size) + root @ root.T


@given(st.integers(2, 30), st.integers(0, 10_000))
@settings(max_examples=40, deadline=None)
def test_conjugate_gradients_solve_what_dense_algebra_solves(size: int, seed: int) -> None:
    matrix, right = positive(size, seed), np.random.default_rng(seed + 1).standard_normal(size)
    found = conjugate_gradients(lambda v: matrix @ v, right, iterations=2 * size, reduction=1e-11)
    np.testing.assert_allclose(found.control, np.linalg.solve(matrix, right), rtol=1e-7, atol=1e-8)
    assert found.converged
    # Rank r of the observations: at most r + 1 distinct eigenvalues, so r + 1 iterations.
    assert found.steps[-1].iteration <= size // 2 + 2


def test_cost_in_the_history_is_the_cost() -> None:
    matrix, right = positive(20, 3), np.arange(20.0)
    found = conjugate_gradients(
        lambda v: matrix @ v, right, iterations=50, reduction=1e-10, loop=InnerLoop(constant=7.0)
    )
    v = found.control
    assert found.steps[-1].cost == pytest.approx(7.0 + 0.5 * v @ matrix @ v - right @ v, rel=1e-10)
    costs = [step.cost for step in found.steps]
    assert all(later < earlier for earlier, later in itertools.pairwise(costs))


def test_ritz_values_are_eigenvalues_at_the_end() -> None:
    matrix = positive(12, 4, rank=4)
    found = conjugate_gradients(lambda v: matrix @ v, np.arange(1.0, 13.0), iterations=30, reduction=1e-12)
    exact = np.linalg.eigvalsh(matrix)
    assert found.ritz[-1] == pytest.approx(exact[-1], rel=1e-6)
    assert found.ritz[0] == pytest.approx(1.0, rel=1e-6)


def test_a_start_at_the_solution_takes_no_step() -> None:
    matrix, right = positive(10, 5), np.ones(10)
    exact = np.linalg.solve(matrix, right)
    found = conjugate_gradients(lambda v: matrix @ v, right, exact, loop=InnerLoop(reference=1.0))
    assert len(found.steps) == 1
    np.testing.assert_array_equal(found.control, exact)


def test_zero_right_hand_side_gives_zero() -> None:
    found = conjugate_gradients(lambda v: v, np.zeros(5))
    assert found.converged
    assert not found.control.any()


def test_an_indefinite_matrix_is_refused() -> None:
    with pytest.raises(NumericsError, match="not positive"):
        conjugate_gradients(lambda v: -v, np.ones(3))


def test_a_cost_that_is_no_number_is_refused() -> None:
    with pytest.raises(NumericsError, match="left the range"):
        conjugate_gradients(lambda v: v * 1.0, np.array([1.0, np.nan]))


@pytest.mark.parametrize("penalty", LIKELIHOODS)
@given(departure=st.floats(-30.0, 30.0))
@settings(deadline=None)
def test_weight_is_the_slope_over_the_departure(penalty: Likelihood, departure: float) -> None:
    r, step = np.array([departure]), 1e-5
    slope = (penalty.penalty(r + step) - penalty.penalty(r - step)) / (2.0 * step)
    np.testing.assert_allclose(penalty.weight(r) * r, slope, atol=2e-5)


@pytest.mark.parametrize("penalty", LIKELIHOODS)
@given(start=st.floats(-10.0, 10.0), other=st.floats(-10.0, 10.0))
@settings(deadline=None)
def test_the_touching_quadratic_lies_above(penalty: Likelihood, start: float, other: float) -> None:
    r0, r = np.array([start]), np.array([other])
    quadratic = penalty.penalty(r0) + 0.5 * penalty.weight(r0) * (r**2 - r0**2)
    assert (quadratic >= penalty.penalty(r) - 1e-9).all()


def test_penalties_known_values() -> None:
    r = np.array([0.0, 1.0, 4.0])
    np.testing.assert_allclose(Huber(2.0).penalty(r), [0.0, 0.5, 2.0 * 4.0 - 2.0])
    np.testing.assert_allclose(Huber(2.0).weight(r), [1.0, 1.0, 0.5])


def problem(seed: int, size: int = 15, number: int = 25) -> tuple[LeastSquares, np.ndarray, np.ndarray]:
    """Random G and departures, a fifth of which are gross."""
    random = np.random.default_rng(seed)
    matrix = random.standard_normal((number, size))
    departure = matrix @ random.standard_normal(size) + random.standard_normal(number)
    departure[::5] += 30.0
    return (
        LeastSquares(lambda v: matrix @ v, lambda r: matrix.T @ r, departure, np.ones(number)),
        matrix,
        departure,
    )


@pytest.mark.parametrize("penalty", LIKELIHOODS)
@given(seed=st.integers(0, 10_000))
@settings(max_examples=20, deadline=None)
def test_the_true_cost_falls_in_every_outer_loop(penalty: Likelihood, seed: int) -> None:
    cost, _, _ = problem(seed)
    found = reweighted(cost, 15, penalty, MinimiserSettings(outer=10, iterations=300, reduction=1e-8, tolerance=1e-12))
    assert all(later <= earlier * (1 + 1e-12) for earlier, later in zip(found.costs[:-1], found.costs[1:], strict=True))
    assert found.costs[-1] < found.costs[0]
    assert found.costs[-1] == pytest.approx(cost.cost(found.minimum.control, penalty))


def test_the_huber_minimum_is_that_of_a_general_minimiser() -> None:
    cost, _, _ = problem(11)
    penalty = Huber(2.0)
    found = reweighted(
        cost, 15, penalty, MinimiserSettings(outer=60, iterations=2000, reduction=1e-10, tolerance=1e-14)
    )
    other = minimize(lambda v: cost.cost(v, penalty), np.zeros(15), method="BFGS", options={"gtol": 1e-7})
    assert found.costs[-1] == pytest.approx(other.fun, rel=1e-8)
    assert found.weights[::5].max() < 0.5


def test_the_gaussian_needs_one_loop_and_equals_dense_algebra() -> None:
    cost, matrix, departure = problem(12)
    found = reweighted(cost, 15, Gaussian(), MinimiserSettings(reduction=1e-12))
    assert len(found.costs) == 2
    exact = np.linalg.solve(np.eye(15) + matrix.T @ matrix, matrix.T @ departure)
    np.testing.assert_allclose(found.minimum.control, exact, rtol=1e-9, atol=1e-10)
    # Cost of the history and cost by definition.
    assert found.minimum.steps[-1].cost == pytest.approx(found.costs[-1], rel=1e-9)


def test_what_is_not_counted_does_not_matter() -> None:
    cost, _, departure = problem(13)
    counted = np.ones(25)
    counted[::5] = 0.0
    changed = np.where(counted > 0, departure, 1e6)
    results = [
        reweighted(LeastSquares(cost.forward, cost.adjoint, d, counted), 15, Huber(2.5)).minimum.control
        for d in (departure, changed)
    ]
    np.testing.assert_array_equal(results[0], results[1])


def test_iterations_are_limited_over_all_loops() -> None:
    cost, _, _ = problem(14)
    lines: list[str] = []
    found = reweighted(
        cost,
        15,
        Huber(1.0),
        MinimiserSettings(outer=10, iterations=7, reduction=1e-12, tolerance=0.0),
        log=lines.append,
    )
    assert sum(step.iteration > 0 for step in found.minimum.steps) == 7
    assert len(lines) == len(found.minimum.steps)


def test_likelihoods_by_name() -> None:
    assert likelihood("huber", 3.0) == Huber(3.0)
    assert likelihood("none", 3.0) == Gaussian()
    with pytest.raises(ConfigError, match="no robust likelihood 'tukey'"):
        likelihood("tukey", 1.0)
    with pytest.raises(ConfigError, match="must be positive"):
        Huber(0.0)


def curved(seed: int, size: int = 6, number: int = 12) -> tuple[np.ndarray, np.ndarray]:
    """Matrix and departures of the nonlinear problem d - (M v + sin(M v) / 4)."""
    generator = np.random.default_rng(seed)
    return generator.standard_normal((number, size)), 2.0 * generator.standard_normal(number)


@pytest.mark.parametrize("seed", range(4))
def test_outer_loops_find_the_minimum_of_a_nonlinear_problem(seed: int) -> None:
    matrix, departure = curved(seed)

    def linearise(control: np.ndarray, loop: int) -> LeastSquares:
        images = matrix @ control
        slope = (1.0 + 0.25 * np.cos(images))[:, None] * matrix
        here = departure - images - 0.25 * np.sin(images)
        return LeastSquares(lambda v: slope @ v, lambda r: slope.T @ r, here + slope @ control, np.ones(len(departure)))

    found = outer_loops(
        linearise, 6, Gaussian(), MinimiserSettings(outer=40, iterations=4000, reduction=1e-10, tolerance=1e-14)
    )

    def residuals(control: np.ndarray) -> np.ndarray:
        images = matrix @ control
        return np.concatenate([control, departure - images - 0.25 * np.sin(images)])

    exact = least_squares(residuals, np.zeros(6), xtol=1e-14, ftol=1e-14, gtol=1e-14)
    assert found.costs[-1] <= exact.cost * (1.0 + 1e-8)
    assert all(later <= earlier * (1.0 + 1e-9) for earlier, later in itertools.pairwise(found.costs))


def test_entries_that_are_not_robust_keep_the_quadratic_penalty() -> None:
    cost, _, departure = problem(3)
    robust = np.arange(len(departure)) < 20
    mixed = dataclasses.replace(cost, robust=robust)
    found = reweighted(
        mixed, 15, Huber(0.5), MinimiserSettings(outer=60, iterations=2000, reduction=1e-10, tolerance=1e-14)
    )
    assert (found.weights[~robust] == 1.0).all()
    assert (found.weights[robust] < 1.0).any()


@pytest.mark.parametrize("part", [65_536, 60, 17, 1])
def test_ritz_pairs_are_known_as_well_as_they_say_and_speed_up_the_next_search(
    part: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("kaiseki.statistics.conjugate_gradients.PART", part)
    matrix, right = positive(60, 11, rank=25), np.arange(60.0)
    first = conjugate_gradients(lambda v: matrix @ v, right, iterations=20, reduction=1e-12)
    spectrum = first.spectrum
    for value, vector, error in zip(spectrum.values, spectrum.vectors.T, spectrum.errors, strict=True):
        assert np.linalg.norm(vector) == pytest.approx(1.0, rel=1e-8)
        assert np.linalg.norm(matrix @ vector - value * vector) == pytest.approx(error, rel=1e-4, abs=1e-8 * value)
    other = np.random.default_rng(1).standard_normal(60)
    plain = conjugate_gradients(lambda v: matrix @ v, other, iterations=60, reduction=1e-8)
    helped = conjugate_gradients(
        lambda v: matrix @ v, other, iterations=60, reduction=1e-8, loop=InnerLoop(known=spectrum.leading())
    )
    np.testing.assert_allclose(helped.control, np.linalg.solve(matrix, other), rtol=1e-5, atol=1e-6)
    assert len(helped.steps) < 0.7 * len(plain.steps)


@given(st.integers(2, 24), st.integers(0, 10_000), st.integers(1, 24))
@settings(max_examples=40, deadline=None)
def test_what_ritz_pairs_explain_never_promises_more_than_the_inverse(size: int, seed: int, iterations: int) -> None:
    matrix, right = positive(size, seed), np.random.default_rng(seed + 1).standard_normal(size)
    exact = np.linalg.inv(matrix)
    found = conjugate_gradients(lambda v: matrix @ v, right, iterations=iterations, reduction=1e-10).spectrum
    before = np.eye(size)
    for number in range(1, len(found.values) + 1):
        y = np.stack([np.zeros(size), *found.largest(number).explained()], axis=1)
        covariance = np.eye(size) - y @ y.T
        # Differences of covariances are never negative: above the inverse, and less with every pair.
        assert np.linalg.eigvalsh(covariance - exact).min() > -1e-7
        assert np.linalg.eigvalsh(before - covariance).min() > -1e-7
        before = covariance


def test_with_all_pairs_the_inverse_is_explained_whole() -> None:
    # Six distinct values above 1: a right-hand side without symmetry leads to all of them.
    matrix, right = positive(20, 8, rank=6), np.random.default_rng(9).standard_normal(20)
    found = conjugate_gradients(lambda v: matrix @ v, right, iterations=30, reduction=1e-12).spectrum
    y = np.stack(list(found.largest(30).explained()), axis=1)
    np.testing.assert_allclose(np.eye(20) - y @ y.T, np.linalg.inv(matrix), atol=1e-9)


def test_pairs_that_have_not_converged_would_promise_too_much_by_themselves() -> None:
    # Why `explained` is not simply (1 - 1/theta) u u^T: after two iterations that is below the inverse.
    matrix, right = positive(20, 8), np.random.default_rng(9).standard_normal(20)
    found = conjugate_gradients(lambda v: matrix @ v, right, iterations=2, reduction=1e-12).spectrum
    plain = np.eye(20) - found.vectors @ np.diag(1.0 - 1.0 / found.values) @ found.vectors.T
    assert np.linalg.eigvalsh(plain - np.linalg.inv(matrix)).min() < -1e-3


def test_the_first_loop_tells_what_it_has_learnt() -> None:
    cost, matrix, _ = problem(16)
    told: list[tuple[Spectrum, np.ndarray]] = []
    reweighted(cost, 15, Huber(2.0), MinimiserSettings(reduction=1e-10), learn=lambda *both: told.append(both))
    ((spectrum, weights),) = told
    np.testing.assert_array_equal(weights, Huber(2.0).weight(cost.departure))
    assert spectrum.values[-1] <= np.linalg.eigvalsh(np.eye(15) + matrix.T @ matrix)[-1] * (1.0 + 1e-9)
