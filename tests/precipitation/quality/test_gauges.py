"""Checks of gauges on planted faults and on rain without faults.

What can go wrong: real showers thrown away, faults let through, drought taken for a fault, clocks turned the wrong way.
"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from kaiseki.core.errors import ConfigError, InputError
from kaiseki.grid.regular import LatLonGrid
from kaiseki.precipitation.data import HOUR, GaugeFlag, Gauges, RadarRain
from kaiseki.precipitation.quality import Checks, Undercatch, check, estimated_resolution, shifts, undercatch
from kaiseki.precipitation.quality.timing import Timing
from kaiseki.precipitation.sources import open_gauges

START = np.datetime64("2024-07-01T01:00:00", "s")
LAT, LON = (one.ravel() for one in np.meshgrid(35.0 + 0.15 * np.arange(6), 135.0 + 0.18 * np.arange(6), indexing="ij"))


def network(hours: int = 240, seed: int = 3) -> Gauges:
    """Gauges 17 km apart under rain that comes and goes over all of them, with differences from place to place."""
    rng = np.random.default_rng(seed)
    wave = np.maximum(np.sin(np.arange(hours) / 5.0) + np.sin(np.arange(hours) / 13.0), 0.0) * 4.0
    amount = wave[:, None] * np.exp(rng.normal(0.0, 0.3, (hours, LAT.size)))
    return Gauges(
        station=np.arange(LAT.size).astype(str),
        lat=LAT,
        lon=LON,
        time=START + HOUR * np.arange(hours),
        amount=np.round(amount * 2.0) / 2.0,
    )


def changed(gauges: Gauges, where: object, value: object) -> Gauges:
    amount = np.array(gauges.amount)
    amount[where] = value  # type: ignore[index]
    return replace(gauges, amount=amount)


def test_rain_without_faults_passes() -> None:
    assert (check(network()).flags != 0).mean() < 0.002


def test_planted_faults_are_flagged() -> None:
    gauges = network()
    dry = int(np.flatnonzero(np.nanmax(gauges.amount, axis=1) == 0.0)[3])
    wet = int(np.argmax(gauges.amount.mean(axis=1)))
    assert check(changed(gauges, (wet, 14), 300.0)).flags[wet, 14] & GaugeFlag.RANGE
    assert check(changed(gauges, (dry, 14), 60.0)).flags[dry, 14] & GaugeFlag.STEP
    assert check(changed(gauges, (dry, 14), 9.0)).flags[dry, 14] & GaugeFlag.NEIGHBOURS
    assert check(changed(gauges, (wet, 14), 0.0)).flags[wet, 14] & GaugeFlag.NEIGHBOURS
    assert (check(changed(gauges, (slice(50, 60), 14), 4.5)).flags[50:60, 14] & GaugeFlag.STUCK).all()
    silent = check(changed(gauges, (slice(None), 14), 0.0))
    assert (silent.flags[:, 14] & GaugeFlag.STUCK).all()
    assert not (silent.flags[:, :14] & GaugeFlag.STUCK).any()


def test_a_drought_of_all_is_no_fault() -> None:
    gauges = network()
    assert not check(replace(gauges, amount=np.zeros_like(gauges.amount))).flags.any()


def test_a_shower_that_the_radar_sees_is_no_fault() -> None:
    gauges = network(24)
    amount = np.zeros_like(gauges.amount)
    amount[12, 14] = 45.0
    gauges = replace(gauges, amount=amount)
    assert check(gauges).flags[12, 14]
    grid = LatLonGrid(34.9 + 0.01 * np.arange(110), 134.9 + 0.01 * np.arange(130))
    field = np.zeros((24, *grid.shape), np.float32)
    row, column = round((LAT[14] - 34.9) / 0.01), round((LON[14] - 134.9) / 0.01)
    field[12, row - 3 : row + 4, column - 3 : column + 4] = 38.0
    radar = RadarRain(grid=grid, time=gauges.time, amount=field)
    assert not check(gauges, radar).flags.any()
    assert check(gauges, replace(radar, amount=np.zeros_like(field))).flags[12, 14]


def test_flags_that_are_there_stay_and_judge_no_others() -> None:
    gauges = network(48)
    wet = int(np.argmax(gauges.amount.mean(axis=1)))
    mask = np.zeros(gauges.amount.shape, bool)
    mask[:, 5] = True
    found = check(gauges.flagged(mask, GaugeFlag.WITHHELD))
    assert (found.flags[:, 5] & GaugeFlag.WITHHELD).all()
    alone = changed(gauges, (wet, [7, 8, 9, 13, 15, 19, 20, 21]), 0.0)
    assert check(alone.flagged(alone.amount == 0.0, GaugeFlag.WITHHELD)).flags[wet, 14] == 0


@pytest.mark.parametrize("lag", [-3, 2, 9])
def test_clocks_that_are_wrong_are_found(lag: int) -> None:
    gauges = network(480)
    amount = np.array(gauges.amount)
    amount[:, 14] = np.roll(amount[:, 14], lag)
    found = shifts(replace(gauges, amount=amount), settings=Timing(lags=12))
    assert found[14] == lag
    assert not np.delete(found, 14).any()
    flagged = check(replace(gauges, amount=amount), settings=Checks(timing=Timing()))
    assert (flagged.flags[:, 14] & GaugeFlag.TIME_SHIFT).all()


def test_clocks_without_rain_are_not_judged() -> None:
    gauges = network(48)
    assert np.isnan(shifts(replace(gauges, amount=np.zeros_like(gauges.amount)))).all()


def test_steps_of_amounts_are_estimated() -> None:
    rng = np.random.default_rng(4)
    base = rng.gamma(0.5, 4.0, (200, 5))
    steps = np.array([1.0, 0.5, 0.2, 0.254, 0.1])
    gauges = Gauges(
        station=np.arange(5).astype(str),
        lat=np.full(5, 35.0),
        lon=135.0 + np.arange(5),
        time=START + HOUR * np.arange(200),
        amount=np.round(base / steps) * steps,
    )
    np.testing.assert_allclose(estimated_resolution(gauges), steps)
    assert np.isnan(estimated_resolution(replace(gauges, amount=np.zeros_like(base)))).all()


def test_amedas_has_buckets_of_half_a_millimetre(data: Path) -> None:
    gauges = open_gauges(data / "amedas/amedas_hourly_20240817_20250815.nc")
    part = replace(gauges, time=gauges.time[:700], amount=gauges.amount[:700], flags=gauges.flags[:700])
    found = estimated_resolution(part)
    assert np.isfinite(found).mean() > 0.9
    assert (found[np.isfinite(found)] == 0.5).mean() > 0.99
    checked = check(part)
    assert (checked.flags[np.isfinite(part.amount)] != 0).mean() < 0.01


def test_undercatch_is_of_rain_and_of_snow() -> None:
    gauges = network(4)
    wind = np.full(gauges.amount.shape, 4.0)
    settings = Undercatch(rain=0.02, snow=0.2)
    warm = undercatch(gauges, wind, np.full(wind.shape, 10.0), settings)
    cold = undercatch(gauges, wind, np.full(wind.shape, -5.0), settings)
    np.testing.assert_allclose(warm.amount, gauges.amount * 1.08)
    np.testing.assert_allclose(cold.amount, gauges.amount * 1.8)
    half = undercatch(gauges, wind, np.full(wind.shape, 1.5), settings)
    np.testing.assert_allclose(half.amount, gauges.amount * 1.44)
    unknown = undercatch(gauges, np.full(wind.shape, np.nan), np.full(wind.shape, 1.5), settings)
    np.testing.assert_array_equal(unknown.amount, gauges.amount)
    with pytest.raises(InputError, match="kelvin"):
        undercatch(gauges, wind, np.full(wind.shape, 280.0), settings)
    with pytest.raises(InputError, match="negative"):
        undercatch(gauges, -wind, np.full(wind.shape, 1.0), settings)
    with pytest.raises(InputError, match="expected"):
        undercatch(gauges, wind[:1], wind, settings)
    with pytest.raises(ConfigError, match="Undercatch"):
        Undercatch(rain=0.3, snow=0.2)
    with pytest.raises(ConfigError, match="least"):
        Checks(least=2)
