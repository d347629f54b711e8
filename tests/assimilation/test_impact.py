"""Impact and influence against the gain written out as a matrix."""

from __future__ import annotations

import numpy as np
import pytest

from assimilation import worlds
from kaiseki.assimilation.impact import Gain, by_group, dry_energy_weights, error_of
from kaiseki.core.constants import CP_DRY, P0, R_DRY
from kaiseki.statistics import ANALYSIS_VARIABLES

RANDOM = np.random.default_rng(5)
FORWARD = RANDOM.standard_normal((9, 7))
"""G: six observations and three penalised oscillations of seven control values."""
WEIGHTS = np.array([1.0, 0.4, 1.0, 0.0, 1.0, 1.0, 1.0, 1.0, 1.0])


def gain() -> tuple[Gain, np.ndarray]:
    """K by iterations, and as a matrix (7, 6)."""
    found = Gain(lambda v: FORWARD @ v, lambda r: FORWARD.T @ r, WEIGHTS, 6, 50, 1e-12)
    hessian = np.eye(7) + FORWARD.T @ np.diag(WEIGHTS) @ FORWARD
    return found, (np.linalg.solve(hessian, FORWARD.T * WEIGHTS))[:, :6]


def test_the_impacts_add_up_to_the_change_of_the_error() -> None:
    found, matrix = gain()
    root, norm = RANDOM.standard_normal((5, 7)), np.abs(RANDOM.standard_normal(5))
    departure, before = RANDOM.standard_normal(6), RANDOM.standard_normal(5)
    after = before + root @ (matrix @ departure)
    slope = 0.5 * norm * (before + after)
    impact = departure * found.transpose(root.T @ slope)
    change = error_of(after, norm) - error_of(before, norm)
    assert impact.sum() == pytest.approx(change, rel=1e-8)
    np.testing.assert_allclose(found.transpose(root.T @ slope), matrix.T @ root.T @ slope, atol=1e-8)


def test_influence_is_the_diagonal_of_what_the_analysis_makes_of_observations() -> None:
    found, matrix = gain()
    diagonal = np.diag(FORWARD[:6] @ matrix)
    estimate = found.influence(4000)
    np.testing.assert_allclose(estimate, diagonal, atol=0.05)
    assert estimate[3] == 0.0
    assert estimate.sum() == pytest.approx(diagonal.sum(), rel=0.05)


def test_the_energy_of_simple_differences() -> None:
    mass = np.ones((4, 3, 3)) * np.array([4.0, 3.0, 2.0, 1.0])[:, None, None]
    mask = np.ones((3, 3), bool)
    mask[0] = False
    weights = dry_energy_weights(mass, mask)
    one = np.zeros((len(ANALYSIS_VARIABLES), 4, 3, 3))
    one[0] = 3.0
    assert error_of(one, weights) == pytest.approx(4.5)
    one[:] = 0.0
    one[2] = 2.0
    assert error_of(one, weights) == pytest.approx(0.5 * CP_DRY / 270.0 * 4.0)
    one[:] = 0.0
    one[3] = 100.0
    assert error_of(one, weights) == pytest.approx(0.5 * R_DRY * 270.0 * (100.0 / P0) ** 2)


def test_groups_hold_every_value_once() -> None:
    table = worlds.ascents(worlds.domain(), 3, levels=2)
    rows = np.flatnonzero(np.arange(len(table)) % 2 == 0)
    impact = np.arange(len(rows), dtype=float) - 5.0
    groups = by_group(table, rows, impact, np.ones(len(rows)))
    assert sum(group["n"] for group in groups) == len(rows)
    assert sum(group["impact"] for group in groups) == pytest.approx(impact.sum())
    assert sum(group["degrees_of_freedom"] for group in groups) == len(rows)
