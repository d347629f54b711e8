"""Checks of one ascent: hydrostatic consistency, lapse rate, shear; errors put into true soundings must be found."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kaiseki.observations import Flag, Table
from kaiseki.observations.quality.hydrostatic import check_hydrostatic
from kaiseki.observations.quality.lapse import check_lapse
from kaiseki.observations.quality.shear import check_shear
from kaiseki.observations.quality.spikes import odd_one_out
from observations.soundings import PRESSURES, WITH_HEIGHT, bump, sounding, wrong

INNER_HEIGHTS = (PRESSURES[WITH_HEIGHT] / 100.0).tolist()[1:-1]


@settings(max_examples=30, deadline=None)
@given(seed=st.integers(0, 10**6))
def test_good_soundings_pass_all(seed: int) -> None:
    noise = np.random.default_rng(seed).normal(size=(3, len(PRESSURES)))
    table = sounding(temperature=0.5 * noise[0], wind=(20.0 + 2.0 * noise[1], 3.0 * noise[2]))
    for check in (check_hydrostatic, check_lapse, check_shear):
        assert not check(table).any()


@pytest.mark.parametrize("level", INNER_HEIGHTS)
@pytest.mark.parametrize("sign", [1.0, -1.0])
def test_a_wrong_height_is_found_alone(level: float, sign: float) -> None:
    table = sounding(height=bump(level, 200.0 * sign))
    assert wrong(table, check_hydrostatic(table)) == {("geopotential_height", level)}


@pytest.mark.parametrize("level", [850.0, 700.0, 610.0, 500.0, 400.0, 300.0, 250.0, 200.0, 150.0, 100.0])
@pytest.mark.parametrize("sign", [1.0, -1.0])
def test_a_wrong_temperature_is_found_alone(level: float, sign: float) -> None:
    table = sounding(temperature=bump(level, 30.0 * sign))
    assert wrong(table, check_hydrostatic(table)) == {("air_temperature", level)}


@pytest.mark.parametrize("level", [700.0, 500.0, 300.0, 150.0])
def test_a_wrong_sum_spoils_all_heights_above(level: float) -> None:
    table = sounding(height=np.where(level * 100.0 >= PRESSURES, 150.0, 0.0))
    above = {("geopotential_height", p / 100.0) for p in PRESSURES[WITH_HEIGHT] if p <= level * 100.0}
    assert wrong(table, check_hydrostatic(table)) == above


def test_the_end_of_an_ascent_leaves_it_open_which_value_is_wrong() -> None:
    table = sounding(height=bump(50.0, 300.0))
    assert wrong(table, check_hydrostatic(table)) == {("geopotential_height", 50.0), ("air_temperature", 50.0)}


def test_two_sums_in_a_row_spoil_the_heights_above_and_leave_the_temperatures() -> None:
    # As in a real message: 117 m lost below 850 hPa and as much again below 700 hPa; the station is at 120 m.
    height = np.where(PRESSURES <= 85_000.0, -117.0, 0.0) + np.where(PRESSURES <= 70_000.0, -117.0, 0.0)
    table = sounding(height=height, station_elevation=120.0)
    flags = check_hydrostatic(table)
    above = {("geopotential_height", p / 100.0) for p in PRESSURES[WITH_HEIGHT] if p <= 85_000.0}
    assert wrong(table, flags & np.uint32(Flag.HYDROSTATIC)) == above
    assert {quantity for quantity, _ in wrong(table, flags & np.uint32(Flag.SUSPECT))} == {"air_temperature"}


def test_two_errors_are_found() -> None:
    table = sounding(height=bump(700.0, 200.0), temperature=bump(200.0, 30.0))
    expected = {("geopotential_height", 700.0), ("air_temperature", 200.0)}
    assert wrong(table, check_hydrostatic(table)) == expected


def test_a_hopeless_ascent_is_refused_where_it_is_doubtful() -> None:
    table = sounding(height=1000.0 * np.random.default_rng(5).normal(size=len(PRESSURES)))
    flagged = check_hydrostatic(table) != 0
    heights = table.where(quantity="geopotential_height")
    assert flagged[heights].mean() > 0.6
    assert not flagged[table.where(quantity=("eastward_wind", "northward_wind"))].any()


def test_moisture_counts_in_the_thickness() -> None:
    dry = sounding()
    # 40 g/kg would make the column 2.4 % thicker than the heights say.
    humid = Table.from_columns(
        {
            "report": 0, "time": dry.column("time")[0], "latitude": 36.0, "longitude": 140.0, "kind": "sonde",
            "pressure": PRESSURES, "quantity": "specific_humidity", "value": np.full(len(PRESSURES), 0.04),
        }
    )  # fmt: skip
    both = Table.concat([dry, humid]).with_columns(report=0)
    assert check_hydrostatic(both).any()


def test_a_cold_spike_is_superadiabatic_below_it() -> None:
    table = sounding(temperature=bump(500.0, -15.0))
    assert wrong(table, check_lapse(table)) == {("air_temperature", 500.0)}


def test_a_warm_spike_is_superadiabatic_above_it() -> None:
    table = sounding(temperature=bump(610.0, 15.0))
    assert wrong(table, check_lapse(table)) == {("air_temperature", 610.0)}


def test_heated_ground_is_allowed() -> None:
    close = np.where(PRESSURES == 92_500.0, 97_000.0, PRESSURES)
    table = sounding(temperature=bump(1000.0, 4.0))
    pressure = np.where(table.column("pressure") == 92_500.0, 97_000.0, table.column("pressure"))
    assert 97_000.0 in close
    assert not check_lapse(table.with_columns(pressure=pressure)).any()


@pytest.mark.parametrize("level", [850.0, 500.0, 250.0, 70.0])
def test_a_wind_spike_is_found(level: float) -> None:
    east = 15.0 + 0.0006 * (100_000.0 - PRESSURES) + bump(level, -110.0)
    table = sounding(wind=(east, 2.0))
    assert wrong(table, check_shear(table)) == {("eastward_wind", level), ("northward_wind", level)}
    assert set(check_shear(table).tolist()) == {0, int(Flag.WIND_SHEAR)}


def test_the_winter_jet_is_credible() -> None:
    height = 7000.0 * np.log(100_000.0 / PRESSURES)
    jet = 10.0 + 100.0 * np.exp(-(((height - 10_000.0) / 3500.0) ** 2))
    assert not check_shear(sounding(wind=(jet, 0.0))).any()


def test_the_end_is_named_only_when_the_inner_level_fits() -> None:
    depth = np.arange(4.0)
    report = np.zeros(4, dtype=int)
    end = odd_one_out(report, depth, np.array([50.0, 1.0, 2.0, 3.0]), np.array([0]))
    assert end.tolist() == [True, False, False, False]
    inner = odd_one_out(report, depth, np.array([0.0, 50.0, 2.0, 3.0]), np.array([0, 1]))
    assert inner.tolist() == [False, True, False, False]
