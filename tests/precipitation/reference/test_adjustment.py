"""The local adjustment of a composite.

What can go wrong: the sea changed by gauges far away, dry cells made wet, NaN spread, a factor without bound.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from kaiseki.grid.regular import LatLonGrid
from kaiseki.precipitation.data import Gauges, RadarRain
from kaiseki.precipitation.reference.adjustment import AdjustmentSettings, adjusted
from precipitation.reference.networks import network

GRID = LatLonGrid(35.0 + 0.01 * np.arange(120), 135.0 + 0.01 * np.arange(400))
TIME = np.array(["2024-10-18T01"], "datetime64[s]")


def one_gauge(radar_amount: float, amount: float) -> tuple[RadarRain, Gauges]:
    field = np.full((1, *GRID.shape), radar_amount)
    field[0, :5] = 0.0
    field[0, -5:] = np.nan
    gauges = Gauges(
        station=np.array(["g"]), lat=GRID.lat[[60]], lon=GRID.lon[[10]], time=TIME, amount=np.array([[amount]])
    )
    return RadarRain(grid=GRID, time=TIME, amount=field), gauges


def test_one_gauge_works_nearby_and_not_far_away() -> None:
    radar, gauges = one_gauge(2.0, 4.0)
    found = adjusted(radar, gauges, AdjustmentSettings(offset=1e-6)).amount[0]
    # The weight of the composite as it is, 0.1, beside that of the gauge, 1.
    np.testing.assert_allclose(found[60, 10], 2.0 * 2.0 ** (1.0 / 1.1), rtol=1e-4)
    np.testing.assert_allclose(found[60, -1], 2.0, rtol=1e-4)
    assert (np.diff(found[60]) <= 1e-6).all() or (np.diff(found[60, 10:]) <= 1e-6).all()
    assert (found[:5] == 0.0).all()
    assert np.isnan(found[-5:]).all()


def test_the_factor_has_a_bound() -> None:
    radar, gauges = one_gauge(0.5, 500.0)
    assert np.nanmax(adjusted(radar, gauges).amount) <= 2.5


def test_the_composite_without_gauges_stays() -> None:
    radar, gauges = one_gauge(2.0, np.nan)
    np.testing.assert_array_equal(adjusted(radar, gauges).amount, radar.amount)
    dry = replace(gauges, amount=np.zeros((1, 1)))
    np.testing.assert_array_equal(adjusted(radar, dry).amount, radar.amount)


def test_a_bias_that_varies_slowly_is_taken_away() -> None:
    made = network(11, noise=0.2, stations=600)
    columns = np.linspace(-1.0, 1.0, 300)
    radar = replace(made.radars[0], amount=made.truth * np.exp(0.7 * columns))
    found = adjusted(radar, made.gauges, rows=64)
    np.testing.assert_allclose(found.amount, adjusted(radar, made.gauges).amount)
    before, after = (np.sqrt(np.mean((one - made.truth) ** 2)) for one in (radar.amount, found.amount))
    assert after < 0.45 * before
