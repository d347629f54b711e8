"""Sums of scans: moving cells against their exact integral, missing scans, and gauges over longer intervals.

What can go wrong: rates taken for amounts, rain moved the wrong way, mass lost, gaps taken for dryness.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kaiseki.core.errors import ConfigError, InputError
from kaiseki.grid.projection import PolarStereographic
from kaiseki.grid.regular import LatLonGrid, MapGrid
from kaiseki.precipitation.accumulation import Accumulation, accumulate, accumulate_gauges
from kaiseki.precipitation.data import HOUR, GaugeFlag, Gauges, RadarRain
from kaiseki.precipitation.motion import Matching, displacement
from kaiseki.precipitation.sources import Reading, open_radar

START = np.datetime64("2024-07-01T00:00:00", "s")
MINUTE = np.timedelta64(60, "s")
SIZE = 96
GRID = MapGrid(PolarStereographic(60.0, 10.0), np.arange(SIZE) * 1000.0 - 5e4, np.arange(SIZE) * 1000.0 - 2e6)


def rain(seconds: float, wind: tuple[float, float], seed: int = 1) -> np.ndarray:
    """Rain rate of round cells that move with a wind, m s-1 along columns and rows, mm h-1."""
    rng = np.random.default_rng(seed)
    rows, columns = np.meshgrid(np.arange(SIZE), np.arange(SIZE), indexing="ij")
    field = np.zeros((SIZE, SIZE))
    for _ in range(10):
        row, column, width, height = rng.uniform(15, 75), rng.uniform(15, 75), rng.uniform(2, 4), rng.uniform(5, 40)
        at = row + wind[1] * (seconds - 1800.0) / 1000.0, column + wind[0] * (seconds - 1800.0) / 1000.0
        field += height * np.exp(-((rows - at[0]) ** 2 + (columns - at[1]) ** 2) / (2.0 * width**2))
    return np.where(field < 0.1, 0.0, field)


def scans(minutes: int, wind: tuple[float, float], instant: float = 0.5) -> RadarRain:
    count = 60 // minutes
    return RadarRain(
        grid=GRID,
        time=START + MINUTE * minutes * np.arange(1, count + 1),
        amount=np.array([rain((one + instant) * minutes * 60.0, wind) * minutes / 60.0 for one in range(count)]),
        period=MINUTE * minutes,
    )


def exact(wind: tuple[float, float]) -> np.ndarray:
    return np.mean([rain(second, wind) for second in np.arange(5.0, 3600.0, 10.0)], axis=0)


@pytest.mark.parametrize(("minutes", "share"), [(10, 0.35), (15, 0.15)])
@pytest.mark.parametrize("wind", [(12.0, 4.0), (-9.0, 10.0)])
def test_moving_cells_come_near_their_exact_integral(minutes: int, share: float, wind: tuple[float, float]) -> None:
    radar, truth = scans(minutes, wind), exact(wind)
    moved = accumulate(radar).amount[0]
    plain = accumulate(radar, settings=Accumulation(motion=False)).amount[0]

    def error(field: np.ndarray) -> float:
        return float(np.sqrt(np.mean((field - truth) ** 2)))

    assert error(moved) < share * error(plain)
    assert moved.sum() == pytest.approx(truth.sum(), rel=0.01)


def test_the_time_of_a_scan_within_its_interval_counts() -> None:
    wind = (14.0, 0.0)
    radar, truth = scans(10, wind, instant=1.0), exact(wind)
    right = accumulate(radar, settings=Accumulation(instant=1.0)).amount[0]
    wrong = accumulate(radar, settings=Accumulation(instant=0.0)).amount[0]
    assert np.abs(right - truth).mean() < 0.3 * np.abs(wrong - truth).mean()


def test_rain_that_stands_still_is_summed_as_it_is() -> None:
    radar = scans(10, (0.0, 0.0))
    moved = accumulate(radar)
    plain = accumulate(radar, settings=Accumulation(motion=False))
    # Displacements are found to a few hundredths of a cell.
    np.testing.assert_allclose(moved.amount, plain.amount, rtol=0.002, atol=0.001)
    assert moved.period == HOUR
    assert moved.time[0] == START + HOUR


@given(row=st.integers(-8, 8), column=st.integers(-8, 8), seed=st.integers(0, 50))
@settings(max_examples=20, deadline=None)
def test_a_shift_of_the_whole_field_is_found(row: int, column: int, seed: int) -> None:
    first = rain(1800.0, (0.0, 0.0), seed)
    second = np.roll(first, (row, column), axis=(0, 1))
    found = displacement(first, second, Matching(block=48, reach=12))
    wet = np.roll(first, (row // 2, column // 2), axis=(0, 1)) > 5.0
    wet[:16], wet[-16:], wet[:, :16], wet[:, -16:] = False, False, False, False
    if wet.any():
        np.testing.assert_allclose(np.median(found[:, wet], axis=1), [row, column], atol=0.5)


def test_without_rain_nothing_moves() -> None:
    dry = np.zeros((40, 50))
    assert not displacement(dry, dry).any()
    assert not displacement(np.full((40, 50), np.nan), dry).any()
    assert not displacement(np.full((40, 50), 2.0), np.full((40, 50), 2.0)).any()


def test_missing_scans_are_made_up_for_to_a_share_and_never_dry() -> None:
    radar = scans(10, (8.0, 0.0))
    keep = np.array([0, 1, 2, 4, 5])
    fewer = RadarRain(grid=GRID, time=radar.time[keep], amount=radar.amount[keep], period=radar.period)
    full = accumulate(radar).amount[0]
    found = accumulate(fewer).amount[0]
    np.testing.assert_allclose(found.sum(), full.sum(), rtol=0.03)
    gone = accumulate(fewer, settings=Accumulation(missing=0.1))
    assert np.isnan(gone.amount).all()
    every_other = np.array(radar.amount)
    every_other[::2] = np.nan
    blind = RadarRain(grid=GRID, time=radar.time, amount=every_other, period=radar.period)
    assert np.isnan(accumulate(blind).amount).all()
    hole = np.array(radar.amount)
    hole[:, :20, :20] = np.nan
    hole[0, 60:, 60:] = np.nan
    holed = RadarRain(grid=GRID, time=radar.time, amount=hole, period=radar.period)
    for motion in (True, False):
        total = accumulate(holed, settings=Accumulation(motion=motion)).amount[0]
        assert np.isnan(total[:15, :15]).all()
        assert np.isfinite(total[70:, 70:]).all()
        assert np.isfinite(total[40, 40])


def test_hours_are_those_asked_for_or_of_the_clock() -> None:
    radar = scans(10, (0.0, 0.0))
    late = RadarRain(grid=GRID, time=radar.time + 30 * MINUTE, amount=radar.amount, period=radar.period)
    found = accumulate(late)
    assert found.time.tolist() == [(START + HOUR).tolist(), (START + 2 * HOUR).tolist()]
    assert np.isnan(found.amount).all()
    whole = accumulate(late, ends=np.array([START + 90 * MINUTE]))
    assert np.isfinite(whole.amount).all()
    with pytest.raises(InputError, match="multiple"):
        accumulate(radar, 25 * MINUTE)
    with pytest.raises(ConfigError, match="instant"):
        Accumulation(instant=1.5)


def test_grids_of_latitude_and_longitude_are_summed_too() -> None:
    radar = scans(15, (10.0, 0.0))
    grid = LatLonGrid(36.0 - np.arange(SIZE) / 120.0, 135.0 + np.arange(SIZE) / 80.0)
    moved = accumulate(RadarRain(grid=grid, time=radar.time, amount=radar.amount, period=radar.period))
    np.testing.assert_allclose(moved.amount, accumulate(radar).amount, rtol=0.02, atol=0.05)


def test_thinned_radolan_comes_nearer_to_the_full_hour(data: Path) -> None:
    radar = open_radar(data / "radar_gauge/radolan/radolan_ry_data_compressed.nc", Reading(time_is="start"))
    # Rain in the south east of the composite.
    part = np.s_[:, 300:540, 300:540]
    grid = MapGrid(radar.grid.projection, radar.grid.x[300:540], radar.grid.y[300:540])  # type: ignore[union-attr]
    every = RadarRain(grid=grid, time=radar.time, amount=radar.amount[part], period=radar.period)
    thin = RadarRain(grid=grid, time=radar.time[2::3], amount=radar.amount[part][1::3] * 3, period=radar.period * 3)
    end = radar.time[-1:]
    plain = Accumulation(motion=False)
    full = accumulate(every, ends=end, settings=plain).amount[0]

    def error(field: np.ndarray) -> float:
        apart = (field - full)[np.isfinite(field) & np.isfinite(full)]
        return float(np.sqrt(np.mean(apart**2)))

    assert error(accumulate(thin, ends=end).amount[0]) < 0.75 * error(
        accumulate(thin, ends=end, settings=plain).amount[0]
    )


def minutes_of(amount: np.ndarray) -> Gauges:
    names = np.arange(amount.shape[1]).astype(str)
    return Gauges(
        station=names,
        lat=np.full(names.size, 35.0),
        lon=135.0 + np.arange(names.size),
        time=START + 10 * MINUTE * np.arange(1, len(amount) + 1),
        amount=amount,
        period=10 * MINUTE,
        error=np.full(names.size, 0.1),
    )


def test_gauges_are_summed_and_gaps_stay_gaps() -> None:
    amount = np.ones((12, 3))
    amount[2, 1] = np.nan
    amount[:3, 2] = np.nan
    gauges = minutes_of(amount)
    found = accumulate_gauges(gauges)
    np.testing.assert_allclose(found.amount, [[6.0, 6.0, np.nan], [6.0, 6.0, 6.0]])
    assert found.error[0] == pytest.approx(0.6)
    strict = accumulate_gauges(gauges, missing=0.0)
    np.testing.assert_array_equal(np.isnan(strict.amount), [[False, True, True], [False, False, False]])
    flagged = gauges.flagged(np.broadcast_to(np.array([True, False, False]), (12, 3)), GaugeFlag.STUCK)
    assert np.isnan(accumulate_gauges(flagged).amount[:, 0]).all()
    with pytest.raises(InputError, match="multiple"):
        accumulate_gauges(gauges, 15 * MINUTE)
