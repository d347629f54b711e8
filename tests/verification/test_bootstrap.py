"""Intervals from draws of whole groups."""

from __future__ import annotations

import numpy as np
import pytest

from kaiseki.core.errors import InputError
from kaiseki.verification import MINIMUM_COUNT, Comparison, compare, verdict
from kaiseki.verification.bootstrap import Groups, interval


def test_the_interval_covers_the_truth_as_often_as_it_says():
    """Stations with errors of their own and noise: the rms of the population is known."""
    generator = np.random.default_rng(7)
    trials, stations, each = 400, 60, 5
    truth = np.sqrt(1.0 + 0.5**2)
    label = np.repeat(np.arange(stations), each)
    covered = 0
    for trial in range(trials):
        values = np.repeat(generator.normal(size=stations), each) + 0.5 * generator.normal(size=label.size)
        low, high = interval(np.sqrt(Groups.draw(label, 300, trial).means(values**2)))
        covered += low <= truth <= high
    # Percentile intervals of 60 groups are a little narrow; 400 trials are sure to about 1.3 per cent.
    assert 0.90 < covered / trials < 0.98


def test_single_values_would_be_too_sure():
    generator = np.random.default_rng(3)
    label = np.repeat(np.arange(40), 10)
    values = np.repeat(generator.normal(size=40), 10)
    by_station = interval(Groups.draw(label, 500).means(values))
    by_value = interval(Groups.draw(np.arange(400), 500).means(values))
    ratio = (by_station[1] - by_station[0]) / (by_value[1] - by_value[0])
    assert ratio == pytest.approx(np.sqrt(10.0), rel=0.2)


def test_weights_count_values():
    label = np.array([0, 0, 1])
    groups = Groups.draw(label, 50)
    values = np.array([1.0, 2.0, 5.0])
    doubled = Groups.draw(np.array([0, 0, 0, 1]), 50)
    np.testing.assert_allclose(
        groups.means(values, np.array([1.0, 2.0, 1.0])), doubled.means(np.array([1.0, 2.0, 2.0, 5.0]))
    )


def test_no_values():
    with pytest.raises(InputError, match="no values"):
        Groups.draw(np.array([], int))


def test_a_smaller_copy_is_better_by_exactly_that_much():
    generator = np.random.default_rng(1)
    baseline = generator.normal(size=(40, 2))
    pair = compare(0.7 * baseline, baseline, np.arange(40) // 4)
    assert (pair.n, pair.ratio) == (40, pytest.approx(0.7))
    assert (pair.low, pair.high) == (pytest.approx(0.7), pytest.approx(0.7))
    assert pair.reduction == pytest.approx(0.3)
    assert verdict(pair) == "better"


def test_pairs_are_drawn_together():
    """Errors that both share widen each rms, not the ratio."""
    generator = np.random.default_rng(2)
    group = np.repeat(np.arange(30), 4)
    size = np.repeat(np.exp(generator.normal(0, 1, 30)), 4)
    one, other = (size * generator.normal(1.0, 0.1, 120) * factor for factor in (0.9, 1.0))
    pair = compare(one, other, group)
    groups = Groups.draw(group)
    apart = interval(np.sqrt(groups.means(one**2)) / np.sqrt(np.mean(other**2)))
    assert pair.high - pair.low < 0.3 * (apart[1] - apart[0])
    assert pair.low < 0.9 < pair.high < 1.0


@pytest.mark.parametrize(
    ("n", "low", "high", "said"),
    [
        (MINIMUM_COUNT - 1, 0.4, 0.6, "too few"),
        (MINIMUM_COUNT, 0.4, 0.6, "better"),
        (100, 1.01, 1.3, "worse"),
        (100, 0.9, 1.0, "no difference shown"),
    ],
)
def test_verdicts(n: int, low: float, high: float, said: str):
    assert verdict(Comparison(n, 0.5 * (low + high), low, high)) == said


def test_faults_of_pairs():
    with pytest.raises(InputError, match="same values"):
        compare(np.ones(3), np.ones(4), np.arange(3))
    with pytest.raises(InputError, match="no error at all"):
        compare(np.ones(3), np.zeros(3), np.arange(3))
