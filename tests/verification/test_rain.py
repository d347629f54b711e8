"""Verification of forecasts of precipitation.

What can go wrong: a displaced storm counted as a hit, an interval of one side missing, boxes half outside, scores
averaged over cases, longitudes that jump, a perfect forecast that does not score one.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from kaiseki.core.errors import InputError
from kaiseki.grid.projection import LambertConformal
from kaiseki.grid.regular import LatLonGrid, MapGrid
from kaiseki.verification.rain import (
    Boxes,
    RainCounts,
    RainFields,
    RainVerification,
    categorical,
    side_by_side,
    verify_rain,
)

FINE = LatLonGrid(34.0 + 0.02 * np.arange(150), 135.0 + 0.025 * np.arange(150))
START = np.datetime64("2024-07-01T00", "s")
HOUR = np.timedelta64(3600, "s")


def on_map(spacing: float, half: int) -> MapGrid:
    chart = LambertConformal(30.0, 60.0, 137.0)
    x, y = chart.forward(np.array(35.5), np.array(137.0))
    axis = spacing * np.arange(-half, half + 1)
    return MapGrid(chart, float(x) + axis, float(y) + axis)


def storm(grid: LatLonGrid | MapGrid, lat: float, lon: float, amount: float = 30.0) -> np.ndarray:
    """A round storm of 40 km, mm in an hour."""
    at, on = grid.points()
    distance = 111.0 * np.hypot(at - lat, (on - lon) * np.cos(np.deg2rad(lat)))
    return np.where(distance < 40.0, amount, 0.0)


def fields(grid: LatLonGrid | MapGrid, lon: float, hours: int = 6, start: np.datetime64 | None = None) -> RainFields:
    amount = np.stack([storm(grid, 35.5, lon + 0.1 * hour) for hour in range(hours)])
    return RainFields(grid, START + HOUR * np.arange(1, hours + 1), amount, start=start)


def test_a_perfect_forecast_scores_one_though_its_grid_is_another() -> None:
    grid = on_map(5e3, 24)
    found = verify_rain([fields(grid, 136.6, start=START)], fields(FINE, 136.6))
    assert found.lead.tolist() == [3, 6]
    for row in found.rows():
        # The edges of the storm are drawn on two grids.
        assert row["threat"] > 0.9
        assert row["fractions_skill_3"] > 0.98
        assert row["frequency_bias"] == pytest.approx(1.0, abs=0.1)
    assert found.mean_row()["ratio"] == pytest.approx(1.0, abs=0.02)
    same = verify_rain([replace(fields(grid, 136.6), start=START)], fields(grid, 136.6)).rows()[0]
    assert (same["threat"], same["fractions_skill_1"], same["false_alarms"]) == (1.0, 1.0, 0)


def test_a_displaced_storm_has_no_hits_and_skill_only_in_wide_squares() -> None:
    grid = on_map(5e3, 24)
    settings = RainVerification(neighbourhoods=(1, 3, 9))
    found = verify_rain([fields(grid, 137.9, start=START)], fields(FINE, 136.1), settings).rows()[1]
    assert found["hits"] == 0
    assert found["threat"] == 0.0
    assert found["fractions_skill_1"] < found["fractions_skill_3"] + 1e-12 < found["fractions_skill_9"]
    assert found["fractions_skill_9"] > 0.15


def test_published_counts_give_published_scores() -> None:
    """Finley's tornado forecasts (Wilks 2019, table 9.1): hits, misses, false alarms, correct negatives."""
    found = categorical(np.array([28, 23, 72, 2680]))
    assert found["threat"] == pytest.approx(0.228, abs=5e-4)
    assert found["frequency_bias"] == pytest.approx(1.96, abs=5e-3)
    assert found["detection"] == pytest.approx(0.549, abs=5e-4)
    assert found["false_alarm_ratio"] == pytest.approx(0.720, abs=5e-4)
    assert found["equitable_threat"] == pytest.approx(0.216, abs=5e-4)


def test_boxes_hold_the_whole_amount_and_have_the_side_asked() -> None:
    settings = RainVerification()
    grid = on_map(5e3, 24)
    boxes = Boxes.over(grid, FINE, settings)
    field = storm(grid, 35.5, 137.0)
    means = boxes.forecast(field)
    area = boxes.grid.solid_angle()
    whole = np.nansum(means * area * boxes.forecast.covered)
    assert whole == pytest.approx(float(np.sum(field * grid.solid_angle())), rel=1e-9)
    np.testing.assert_allclose(np.sqrt(area) * 6371.2e3, settings.box, rtol=0.01)


def test_what_one_side_does_not_know_is_left_out() -> None:
    grid = on_map(5e3, 24)
    ours, theirs = fields(grid, 136.6, start=START), fields(FINE, 136.6)
    half = theirs.amount.copy()
    half[:, :75] = np.nan
    whole, part = (verify_rain([ours], one).amounts[:, 0] for one in (theirs, replace(theirs, amount=half)))
    assert (part < 0.6 * whole).all()
    gone = replace(theirs, time=theirs.time[[0, 1, 3, 4, 5]], amount=theirs.amount[[0, 1, 3, 4, 5]])
    assert verify_rain([ours], gone).lead.tolist() == [6]
    assert verify_rain([ours], replace(theirs, time=theirs.time + np.timedelta64(1800, "s"))).lead.size == 0
    three = RainFields(FINE, theirs.time[2::3], theirs.amount.reshape(2, 3, *FINE.shape).sum(1), hours=3)
    np.testing.assert_array_equal(verify_rain([ours], three).counts, verify_rain([ours], theirs).counts)


def test_scores_come_from_sums_over_cases_and_intervals_from_days() -> None:
    grid = on_map(5e3, 24)
    good = verify_rain([fields(grid, 136.6, start=START)], fields(FINE, 136.6))
    bad = verify_rain([fields(grid, 137.9, start=START)], fields(FINE, 136.1))
    later = RainCounts(
        bad.settings, bad.days + np.timedelta64(1, "D"), bad.lead, bad.counts, bad.fractions, bad.amounts
    )
    pooled = RainCounts.pooled([good, later])
    row = pooled.rows()[0]
    hits, misses, false, _ = (good.counts + bad.counts)[:, 0].sum(axis=0)
    assert row["threat"] == pytest.approx(hits / (hits + misses + false))
    assert row["days"] == 2
    low, high = row["threat_interval"]
    assert (low, high) == (0.0, good.rows()[0]["threat"])
    table = side_by_side({"model": pooled, "global": None}, by="lead")
    assert [one.get("lead") for one in table[:-1:4]] == ["3", "6"]
    assert table[-1] == {"source": "global", "absent": True}


def test_nothing_to_verify_gives_no_rows() -> None:
    grid = on_map(5e3, 24)
    later = replace(fields(FINE, 136.6), time=fields(FINE, 136.6).time + 24 * HOUR)
    found = verify_rain([fields(grid, 136.6, start=START)], later)
    assert found.rows() == []
    assert found.mean_row()["forecast"] is None
    dry = RainFields(grid, START + HOUR * np.arange(1, 4), np.zeros((3, *grid.shape)), start=START)
    row = verify_rain([dry], replace(dry, start=None)).rows()[0]
    assert row["threat"] is None
    assert row["fractions_skill_1"] is None


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (lambda: RainVerification(neighbourhoods=(2,)), "odd"),
        (lambda: RainVerification(thresholds=(0.0,)), "above 0"),
        (lambda: RainVerification(hours=0), "at least one hour"),
        (lambda: RainFields(FINE, np.array([START]), np.full((1, *FINE.shape), -1.0)), "negative"),
        (lambda: RainFields(FINE, np.array([START]), np.zeros((2, *FINE.shape))), "shape"),
        (lambda: Boxes.over(on_map(5e3, 2), FINE, RainVerification(box=40e3)), "two boxes"),
    ],
)
def test_what_makes_no_sense_is_refused(make: object, words: str) -> None:
    with pytest.raises(InputError, match=words):
        make()  # type: ignore[operator]
