"""Diagnosed error variances of samples whose variances are known."""

from __future__ import annotations

import json

import numpy as np
import pytest

from assimilation import worlds
from kaiseki.assimilation.consistency import chi_square, desroziers, innovations
from kaiseki.observations import Table

GRID = worlds.domain()


def sampled(number: int, sigma_o: float, sigma_b: float, assumed_o: float, assumed_b: float) -> Table:
    """Scalar analyses: d_b ~ N(0, sigma_o^2 + sigma_b^2), d_a = R / (R + B) d_b with the assumed variances."""
    before = np.random.default_rng(2).normal(0.0, np.hypot(sigma_o, sigma_b), number)
    after = before * assumed_o**2 / (assumed_o**2 + assumed_b**2)
    place = np.full(number, 5.0)
    return worlds.at(
        GRID,
        place,
        place,
        "air_temperature",
        pressure=5e4,
        error=assumed_o,
        background_departure=before,
        analysis_departure=after,
    )


def test_ratios_are_one_where_the_errors_are_true() -> None:
    table = sampled(20_000, 1.0, 2.0, 1.0, 2.0)
    (row,) = desroziers(table, np.ones(len(table), bool), np.full(len(table), 2.0))
    assert row["n"] == 20_000
    assert row["sigma_o_ratio"] == pytest.approx(1.0, abs=0.02)
    assert row["sigma_b_ratio"] == pytest.approx(1.0, abs=0.02)


def test_errors_both_too_small_are_seen() -> None:
    table = sampled(20_000, 2.0, 4.0, 1.0, 2.0)
    (row,) = desroziers(table, np.ones(len(table), bool), np.full(len(table), 2.0))
    assert row["sigma_o_ratio"] == pytest.approx(2.0, rel=0.02)
    assert row["sigma_b"] == pytest.approx(4.0, rel=0.02)


def test_few_values_give_no_verdict() -> None:
    table = sampled(14, 1.0, 2.0, 1.0, 2.0)
    (row,) = desroziers(table, np.ones(14, bool), np.full(14, 2.0))
    assert row["sigma_o"] is None
    assert row["sigma_o_ratio"] is None
    assert row["n"] == 14


def test_rows_outside_the_mask_do_not_count_and_all_is_json() -> None:
    table = sampled(100, 1.0, 2.0, 1.0, 2.0)
    mask = np.arange(100) < 40
    (row,) = innovations(table, mask)
    before = table.column("background_departure")[mask]
    assert row["n"] == 40
    assert row["background_bias"] == pytest.approx(before.mean())
    assert row["background_rms"] == pytest.approx(np.sqrt(np.mean(before**2)))
    json.dumps([row, *desroziers(table, mask, np.full(100, 2.0))], allow_nan=False)
    assert innovations(table, np.zeros(100, bool)) == []


def test_chi_square() -> None:
    assert chi_square(50.0, 100) == 1.0
    assert chi_square(0.0, 0) is None
