"""Scores of analysed precipitation.

What could fail: a formula differs from its definition, folds split a cluster, quantiles are scored upside down.
"""

import numpy as np
import pytest
from scipy.stats import norm

from kaiseki.precipitation import scores
from kaiseki.precipitation.scores import LEVELS, Predicted


def test_scores_of_a_small_case_by_hand():
    observed, mean = np.array([0.0, 1.0, 2.0, 0.0]), np.array([0.0, 2.0, 0.0, 1.0])
    assert scores.rmse(observed, mean) == pytest.approx(np.sqrt(1.5))
    assert scores.mae(observed, mean) == 1.0
    assert scores.bias_ratio(observed, mean) == 1.0
    # One hit, one miss, one false alarm; two times two events over four places make one hit by chance.
    assert scores.equitable_threat_score(observed, mean, 1.0) == pytest.approx(0.0)
    assert scores.equitable_threat_score(observed, observed, 1.0) == 1.0
    assert np.isnan(scores.equitable_threat_score(observed, mean, 50.0))
    assert np.isnan(scores.bias_ratio(0.0 * observed, mean))
    assert np.isnan(scores.correlation(0.0 * observed, mean))


def test_crps_of_a_normal_distribution():
    observed = np.array([-1.0, 0.3, 2.0])
    one = Predicted(np.zeros(3), np.repeat(norm.ppf(LEVELS)[:, None], 3, axis=1))
    expected = observed * (2.0 * norm.cdf(observed) - 1.0) + 2.0 * norm.pdf(observed) - 1.0 / np.sqrt(np.pi)
    np.testing.assert_allclose(scores.crps(observed, one), expected, atol=0.02)
    np.testing.assert_allclose(scores.crps(observed, Predicted(np.zeros(3))), np.abs(observed))


def test_coverage_counts_places_with_rain_alone():
    quantiles = np.repeat(LEVELS[:, None], 4, axis=1)
    one = Predicted(np.array([0.5, 0.5, 0.5, 0.0]), quantiles)
    held = scores.inside(np.array([0.5, 0.95, 0.0, 0.0]), one)
    np.testing.assert_array_equal(held, [1.0, 0.0, 0.0, np.nan])
    assert scores.table(np.array([0.5, 0.95, 0.0, 0.0]), one)["coverage_80"] == pytest.approx(1.0 / 3.0)


def test_folds_are_even_and_clusters_stay_together():
    fold = scores.station_folds(103, 5, 1)
    assert np.ptp(np.bincount(fold)) <= 1
    rng = np.random.default_rng(0)
    lat, lon = rng.uniform(47.0, 55.0, 400), rng.uniform(6.0, 15.0, 400)
    cluster = scores.clusters(lat, lon)
    together = scores.cluster_folds(cluster, 5, 1)
    for number in np.unique(cluster):
        assert np.unique(together[cluster == number]).size == 1
        members = np.flatnonzero(cluster == number)
        assert np.ptp(lat[members]) * 111.2 < 21.0
        assert np.ptp(lon[members]) * 111.2 * np.cos(np.deg2rad(lat[members[0]])) < 21.0
    assert np.unique(together).size == 5


def test_intervals_hold_the_score_and_shrink_with_more_places():
    rng = np.random.default_rng(0)
    widths = []
    for count in (50, 800):
        observed = rng.gamma(0.5, 2.0, count)
        one = Predicted(observed + rng.standard_normal(count))
        block = np.arange(count) // 4
        low, high = scores.intervals(observed, {"a": one}, block, draws=200)["a"]["rmse"]
        assert low < scores.rmse(observed, one.mean) < high
        widths.append(high - low)
        ratio, below, above = scores.ratio_interval(observed, one, one, block, draws=20)
        assert ratio == below == above == 1.0
    assert widths[1] < widths[0]
