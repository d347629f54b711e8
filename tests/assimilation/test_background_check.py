"""The background check: gross errors, wind vectors, whole ascents."""

from __future__ import annotations

import numpy as np
import pytest

from assimilation import worlds
from kaiseki.assimilation import departures
from kaiseki.assimilation.background_check import check
from kaiseki.config import Assimilation
from kaiseki.observations import Flag, Table

GRID = worlds.domain()
FIELDS = worlds.lapsing(GRID)
WINDOW = worlds.steady(GRID, FIELDS)


def judged(table: Table, departure: np.ndarray, tolerance: float = 5.0) -> np.ndarray:
    """Which rows are flagged, with sigma_b equal to sigma_o."""
    error = table.column("error")
    after = check(table, np.arange(len(table)), departure * error, error, error, tolerance)
    return (after.column("flags") & np.uint32(Flag.BACKGROUND)) != 0


@pytest.mark.parametrize("name", ["3dfgat", "optimal_interpolation"])
def test_a_gross_error_is_rejected_and_leaves_no_trace(name: str) -> None:
    table = worlds.ascents(GRID, 6)
    random = np.random.default_rng(0)
    table = table.with_columns(
        value=-departures(WINDOW, table) + table.column("error") * random.standard_normal(len(table))
    )
    row = int(np.flatnonzero(table.where(quantity="air_temperature"))[5])
    value = table.column("value").copy()
    value[row] += 40.0
    settings = Assimilation(inner_iterations=15)
    covariance = worlds.covariance(GRID, FIELDS)
    wrong = worlds.analyse(name, WINDOW, table.with_columns(value=value), covariance, settings)
    without = worlds.analyse(name, WINDOW, table.take(np.arange(len(table)) != row), covariance, settings)
    assert wrong.table.column("flags")[row] == Flag.BACKGROUND
    assert wrong.diagnostics["counts"]["not_used"] == {"background": 1}
    for field, increment in wrong.increment.items():
        scale = np.max(np.abs(increment))
        np.testing.assert_allclose(increment, without.increment[field], rtol=0, atol=1e-4 * scale)


def test_the_limit_is_that_of_both_errors_together() -> None:
    table = worlds.at(GRID, np.full(4, 5.0), np.full(4, 5.0), "air_temperature", report=np.arange(4), pressure=5e4)
    limit = 5.0 * np.sqrt(2.0)
    assert judged(table, np.array([0.0, limit - 0.01, limit + 0.01, -limit - 0.01])).tolist() == [
        False,
        False,
        True,
        True,
    ]


def test_winds_are_judged_as_vectors() -> None:
    names = ["eastward_wind", "northward_wind"] * 3
    table = worlds.at(
        GRID,
        np.full(6, 5.0),
        np.full(6, 5.0),
        np.array(names),
        report=np.repeat([1, 2, 3], 2),
        pressure=5e4,
        kind="pilot",
    )
    limit = 5.0 * np.sqrt(2.0)
    # One component beyond the limit with the other at 0 is half of it as a vector; both beyond are too much.
    departure = np.array([1.2 * limit, 0.0, 1.2 * limit, -1.2 * limit, 1.5 * limit, 0.0])
    assert judged(table, departure).tolist() == [False, False, True, True, True, True]


def test_an_ascent_that_is_mostly_wrong_loses_the_group() -> None:
    table = worlds.ascents(GRID, 2, levels=6).take(slice(0, 48))
    temperature = table.where(quantity="air_temperature")
    first = table.column("report") == 0
    departure = np.zeros(len(table))
    departure[np.flatnonzero(temperature & first)[:4]] = 20.0
    departure[np.flatnonzero(temperature & ~first)[:3]] = 20.0
    flagged = judged(table, departure)
    assert flagged[temperature & first].all()
    assert flagged[temperature & ~first].sum() == 3
    assert not flagged[~temperature].any()
