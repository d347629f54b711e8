"""Factors of four radars that are known, and the composite of the calibrated radars.

What can go wrong: a sign of the slope, a radar without gauges left alone, one wild gauge that bends a factor, hours
that disturb each other, too little rain for any fit.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from kaiseki.core.errors import InputError
from kaiseki.precipitation.data import GaugeFlag
from kaiseki.precipitation.reference.adjustment import composite
from kaiseki.precipitation.reference.calibration import CalibrationSettings, calibrate
from precipitation.reference.networks import SENSITIVITY, SLOPE, Network, network


def worst(made: Network, found: np.ndarray) -> float:
    """Largest error of the factors, relative, over the cells that each radar sees."""
    return max(
        float(np.nanmax(np.where(np.isfinite(radar.amount[0]), np.abs(np.expm1(found[k] - truth)), np.nan)))
        for k, (radar, truth) in enumerate(zip(made.radars, truths(made), strict=True))
    )


def truths(made: Network) -> list[np.ndarray]:
    return [s + v * h for s, v, h in zip(SENSITIVITY, SLOPE, made.heights, strict=True)]


def logarithms(made: Network, **settings: float) -> np.ndarray:
    found = calibrate(made.radars, made.heights, made.gauges, CalibrationSettings(**settings))  # type: ignore[arg-type]
    return np.array([np.log(found.factor(0, k, h)) for k, h in enumerate(made.heights)])


def test_known_factors_are_recovered_within_5_percent() -> None:
    made = network(1, hours=24, stations=1200, noise=0.3)
    # The day has one set of factors, which hours that are tied find from all gauges.
    found = calibrate(made.radars, made.heights, made.gauges, CalibrationSettings(hold=1000.0))
    at_radar = np.exp(found.sensitivity[3] + found.slope[3] - SENSITIVITY - SLOPE)
    np.testing.assert_allclose(at_radar, 1.0, atol=0.05)
    assert worst(made, np.array([np.log(found.factor(3, k, h)) for k, h in enumerate(made.heights)])) < 0.05
    assert found.gauges.min() > 10
    assert found.overlaps.min() > 0


def test_without_errors_one_hour_gives_the_factors_but_for_the_prior() -> None:
    made = network(2, noise=0.0)
    exact = replace(made.gauges, amount=made.truth[:, *places(made)])
    made = replace(made, gauges=exact)
    found = logarithms(made, sensitivity_spread=1e3, slope_spread=1e3, block=2)
    assert worst(made, found) < 0.01


def places(made: Network) -> tuple[np.ndarray, np.ndarray]:
    grid = made.radars[0].grid
    row = np.rint((made.gauges.lat - grid.lat[0]) / (grid.lat[1] - grid.lat[0])).astype(int)  # type: ignore[union-attr]
    column = np.rint((made.gauges.lon - grid.lon[0]) / (grid.lon[1] - grid.lon[0])).astype(int)  # type: ignore[union-attr]
    return row, column


def test_radars_over_the_sea_are_calibrated_through_their_neighbours() -> None:
    made = network(3, hours=24, stations=500, noise=0.3, land=0.4)
    found = calibrate(made.radars, made.heights, made.gauges, CalibrationSettings(hold=1000.0))
    # The eastern radars are the second and the fourth: few gauges or none, and factors of 1.0 and 2.4.
    assert found.gauges[:, [1, 3]].sum() < 0.3 * found.gauges.sum()
    for radar in (1, 3):
        at = np.exp(found.sensitivity[3, radar] + 1.5 * found.slope[3, radar])
        assert at == pytest.approx(np.exp(SENSITIVITY[radar] + 1.5 * SLOPE[radar]), rel=0.08)


def test_one_wild_gauge_bends_nothing() -> None:
    made = network(4, stations=600)
    usual = logarithms(made)
    wet = np.flatnonzero(made.gauges.amount[0] > 1.0)[:2]
    amount = made.gauges.amount.copy()
    amount[0, wet] = 500.0
    spoilt = replace(made, gauges=replace(made.gauges, amount=amount))
    change = np.abs(logarithms(spoilt) - usual)[[np.isfinite(radar.amount[0]) for radar in made.radars]]
    assert change.max() < 0.1
    marked = replace(made.gauges, amount=amount).flagged(amount > 499.0, GaugeFlag.RANGE)
    left = np.ones(amount.shape[1], bool)
    left[wet] = False
    without = replace(made, gauges=made.gauges.some(left))
    np.testing.assert_array_equal(logarithms(replace(made, gauges=marked)), logarithms(without))


def test_hours_that_are_not_tied_do_not_meet() -> None:
    made = network(5, hours=3)
    found = calibrate(made.radars, made.heights, made.gauges)
    last = [replace(radar, time=radar.time[2:], amount=radar.amount[2:]) for radar in made.radars]
    alone = calibrate(last, made.heights, made.gauges.at(made.gauges.time[2]))
    np.testing.assert_allclose(found.sensitivity[2], alone.sensitivity[0], atol=1e-12)
    # Tied so weakly that they do not feel each other, they are the same.
    weak = calibrate(made.radars, made.heights, made.gauges, CalibrationSettings(hold=1e-2))
    np.testing.assert_allclose(weak.sensitivity, found.sensitivity, atol=1e-9)


def test_a_dry_hour_has_the_factor_one() -> None:
    made = network(6)
    dry = [replace(radar, amount=np.zeros_like(radar.amount)) for radar in made.radars]
    found = calibrate(dry, made.heights, replace(made.gauges, amount=np.zeros_like(made.gauges.amount)))
    assert (found.factor(0, 2, made.heights[2]) == 1.0).all()
    assert found.gauges.sum() == found.overlaps.sum() == 0


def test_the_composite_is_nearer_to_the_truth_and_has_no_seams() -> None:
    made = network(7, hours=6, noise=0.2)
    found = calibrate(made.radars, made.heights, made.gauges, CalibrationSettings(hold=1000.0))
    whole = composite(made.radars, made.heights, found)
    seen = np.isfinite(whole.amount)
    np.testing.assert_array_equal(seen, np.any([np.isfinite(radar.amount) for radar in made.radars], axis=0))
    raw = composite(
        made.radars, made.heights, replace(found, sensitivity=0.0 * found.sensitivity, slope=0.0 * found.slope)
    )
    error = np.log((whole.amount[seen] + 0.1) / (made.truth[seen] + 0.1))
    before = np.log((raw.amount[seen] + 0.1) / (made.truth[seen] + 0.1))
    assert error.std() < 0.6 * before.std()


def test_what_does_not_fit_is_refused() -> None:
    made = network(8)
    with pytest.raises(InputError, match="beam height"):
        calibrate(made.radars, made.heights[:3], made.gauges)
    with pytest.raises(InputError, match="share one grid"):
        calibrate([*made.radars[:3], network(8, hours=2).radars[3]], made.heights, made.gauges)
    with pytest.raises(InputError, match="measure over"):
        calibrate(made.radars, made.heights, replace(made.gauges, period=np.timedelta64(600, "s")))
