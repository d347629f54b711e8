"""Scorecard, consistency table, balance."""

from __future__ import annotations

import numpy as np
import pytest

from kaiseki.config import Verification
from kaiseki.core.errors import InputError
from kaiseki.verification import align, consistency_rows, mean_absolute_tendency, scorecard
from verification.observed import TIME, network

FEW_DRAWS = Verification(bootstrap_samples=50)


def test_the_scorecard_tells_better_from_worse():
    table = network(3, stations=40)
    good, bad = table["analysis_departure"], 3.0 * table["analysis_departure"]
    tables = {
        "analysis": (table, "analysis_departure"),
        "free_run": (table | {"background_departure": bad}, "background_departure"),
        "driving": (table | {"background_departure": good / 2}, "background_departure"),
    }
    rows = scorecard(
        align(table, tables),
        case="t",
        time=TIME,
        settings=Verification(levels=(85e3, 50e3, 25e3), bootstrap_samples=50),
    )
    found = {(row["baseline"], row["variable"]): row for row in rows}
    for variable in ("air_temperature", "wind", "geopotential_height", "surface_air_pressure"):
        better, worse = found["free_run", variable], found["driving", variable]
        assert better["reduction"] == pytest.approx(2 / 3)
        assert (better["verdict"], worse["verdict"]) == ("better", "worse")
        assert worse["reduction"] == pytest.approx(-1.0)
        assert better["reduction_low"] <= better["reduction_high"]
        assert better["baseline_rms"] == pytest.approx(3 * better["rms"])
    assert ("optimal_interpolation", "wind") not in found


def test_no_verdict_on_few_values():
    table = network(3, stations=8)
    tables = {"analysis": (table, "analysis_departure"), "free_run": (table, "background_departure")}
    rows = scorecard(align(table, tables), case="t", time=TIME, settings=FEW_DRAWS)
    height = next(row for row in rows if row["variable"] == "geopotential_height")
    assert (height["n"], height["verdict"]) == (4, "too few")


def test_consistency_is_tabulated_as_it_was_written():
    one = np.datetime64("1989-01-01T15:00", "s")
    group = {"kind": "sonde", "quantity": "air_temperature", "sigma_o_ratio": 0.9, "sigma_b_ratio": None, "n": 12}
    rows = consistency_rows(
        {
            TIME: {"two_j_over_p": 1.1, "counts": {"used": 7}},
            one: {"desroziers": [group], "two_j_over_p": float("nan")},
        }
    )
    assert [row["time"] for row in rows] == ["1989-01-01T15:00Z", "1989-01-02T00:00Z"]
    assert rows[0] == {
        "time": "1989-01-01T15:00Z",
        "kind": "sonde",
        "quantity": "air_temperature",
        "n": 12,
        "two_j_over_p": None,
        "sigma_o_ratio": 0.9,
        "sigma_b_ratio": None,
    }
    assert (rows[1]["two_j_over_p"], rows[1]["n"], rows[1]["kind"]) == (1.1, 7, None)
    assert consistency_rows({TIME: {}}) == []


def test_tendency_of_a_known_oscillation():
    times = np.arange(5) * 600
    pressure = 1e5 + np.outer([0.0, 10.0, 0.0, -10.0, 0.0], np.ones(6)).reshape(5, 2, 3)
    pressure[:, 0, 0] = 1e5  # one cell of six at rest
    np.testing.assert_allclose(mean_absolute_tendency(pressure, times), 60.0 * 5 / 6)
    mask = np.zeros((2, 3), bool)
    mask[0, 0] = True
    np.testing.assert_allclose(mean_absolute_tendency(pressure, times, mask), 0.0)
    dates = np.datetime64("1989-01-01T12:00", "s") + times * np.timedelta64(1, "s")
    np.testing.assert_allclose(mean_absolute_tendency(pressure, dates), 60.0 * 5 / 6)


def test_faults_of_tendencies():
    with pytest.raises(InputError, match="rising times"):
        mean_absolute_tendency(np.zeros((2, 3, 3)), np.array([0, 0]))
    with pytest.raises(InputError, match="leaves no cell"):
        mean_absolute_tendency(np.zeros((2, 3, 3)), np.array([0, 1]), np.zeros((3, 3), bool))


def test_gross_errors_are_left_out_for_all_alike():
    table = network(5, stations=30)
    gross = np.flatnonzero(table["quantity"] == "surface_pressure")[4]
    for name in ("background_departure", "analysis_departure"):
        table[name][gross] = 60.0
    far = np.flatnonzero(table["quantity"] == "surface_pressure")[7]
    # One experiment may be far away: that is its error, not the observation's.
    table["background_departure"][far] = 60.0
    tables = {"analysis": (table, "analysis_departure"), "free_run": (table, "background_departure")}
    kept = align(table, tables).plausible()
    assert len(kept) == len(table["time"]) - 1
    assert np.abs(kept.values["analysis"]).max() < 10.0
    assert np.abs(kept.values["free_run"]).max() == 60.0
