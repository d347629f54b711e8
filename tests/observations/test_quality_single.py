"""Checks of single values: ranges, duplicates, positions, marks of the source; standard atmosphere and saturation."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kaiseki.diagnostics.saturation import saturation_humidity_over_water
from kaiseki.diagnostics.standard_atmosphere import (
    reduced_to_sea_level,
    standard_height,
    standard_pressure,
    standard_temperature,
)
from kaiseki.observations import Flag, Table
from kaiseki.observations.quality.duplicates import check_duplicates
from kaiseki.observations.quality.marks import check_marks
from kaiseki.observations.quality.position import check_position
from kaiseki.observations.quality.ranges import check_ranges
from observations.soundings import NOON, PRESSURES, atmosphere, bump, sounding, wrong


def one(kind: str, quantity: str, value: float, **columns: Any) -> Table:
    base = {"time": NOON, "latitude": 35.0, "longitude": 140.0, "quantity": quantity, "value": [value], "kind": kind}
    return Table.from_columns({**base, **columns})


def test_standard_atmosphere_and_saturation_against_published_values() -> None:
    # ISO 2533:1975, table of the standard atmosphere; WMO-No. 188, Goff-Gratch over water.
    pressure = np.array([85_000.0, 50_000.0, 20_000.0, 10_000.0])
    assert standard_height(pressure) == pytest.approx([1457.0, 5574.0, 11784.0, 16180.0], abs=1.5)
    assert standard_temperature(pressure) == pytest.approx([278.7, 251.9, 216.65, 216.65], abs=0.05)
    assert standard_pressure(np.array([5574.4])) == pytest.approx([50_000.0], rel=1e-4)
    assert reduced_to_sea_level(np.array([89_874.6]), np.array([1000.0])) == pytest.approx([101_325.0], rel=1e-4)
    vapour = np.array([6.1078, 23.373, 42.430]) * 100.0
    expected = 0.62198 * vapour / (1e5 - 0.37802 * vapour)
    humidity = saturation_humidity_over_water(np.array([273.15, 293.15, 303.15]), np.full(3, 1e5))
    assert humidity == pytest.approx(expected, rel=2e-3)


@pytest.mark.parametrize(
    ("kind", "quantity", "good", "bad", "columns"),
    [
        ("sonde", "air_temperature", 250.0, 300.0, {"pressure": 50_000.0}),
        ("sonde", "air_temperature", 220.0, 168.0, {"pressure": 20_000.0}),
        ("sonde", "virtual_temperature", 322.0, 335.0, {"pressure": 85_000.0}),
        ("sonde", "geopotential_height", 5200.0, 4100.0, {"pressure": 50_000.0}),
        ("sonde", "geopotential_height", 5200.0, 6500.0, {"pressure": 50_000.0}),
        ("sonde", "geopotential_height", -250.0, -1200.0, {"pressure": 103_000.0}),
        ("sonde", "eastward_wind", 120.0, 160.0, {"pressure": 25_000.0}),
        ("synop", "eastward_wind", 45.0, 93.0, {}),
        ("synop", "air_temperature", 215.0, 368.0, {}),
        ("ship", "specific_humidity", 0.02, 0.05, {}),
        ("synop", "specific_humidity", 0.02, -0.001, {}),
        ("synop", "mean_sea_level_pressure", 102_000.0, 109_960.0, {}),
        ("synop", "surface_pressure", 87_000.0, 102_000.0, {"station_elevation": 1250.0}),
        ("synop", "surface_pressure", 101_000.0, 52_000.0, {"station_elevation": 10.0}),
        ("synop", "surface_pressure", 101_000.0, 51_000.0, {}),
        ("synop", "air_temperature", 280.0, float("nan"), {}),
        ("synop", "air_temperature", 280.0, float("inf"), {}),
    ],
)
def test_ranges(kind: str, quantity: str, good: float, bad: float, columns: dict[str, float]) -> None:
    assert check_ranges(one(kind, quantity, good, **columns)).tolist() == [0]
    assert check_ranges(one(kind, quantity, bad, **columns)).tolist() == [int(Flag.RANGE)]


def test_both_components_of_a_wind_fall_together() -> None:
    table = sounding(wind=(bump(500.0, 200.0), 0.0))
    assert wrong(table, check_ranges(table)) == {("eastward_wind", 500.0), ("northward_wind", 500.0)}


def test_supersaturation_is_refused_and_saturation_kept() -> None:
    saturation = saturation_humidity_over_water(np.array([280.0]), np.array([85_000.0]))[0]
    for ratio, expected in ((1.0, 0), (1.1, 0), (1.4, int(Flag.RANGE))):
        table = Table.concat(
            [
                one("sonde", "air_temperature", 280.0, pressure=85_000.0),
                one("sonde", "specific_humidity", float(ratio * saturation), pressure=85_000.0),
            ]
        ).with_columns(report=0)
        assert check_ranges(table).tolist() == [0, expected]


@pytest.mark.parametrize("surface", [255.0, 285.0, 305.0])
def test_atmospheres_of_all_climates_are_in_range(surface: float) -> None:
    lapse = 0.002 if surface < 270 else 0.0065
    temperature, height = atmosphere(PRESSURES, surface, lapse)
    true_temperature, true_height = atmosphere(PRESSURES)
    table = sounding(temperature=temperature - true_temperature, height=height - true_height)
    troposphere = table.take(table.column("pressure") >= 10_000.0)  # the formula knows no stratosphere
    assert not check_ranges(troposphere).any()


def test_the_more_complete_of_two_reports_is_kept_and_other_parts_stay() -> None:
    full = sounding(0)
    low = full.column("pressure") > 30_000.0
    extra = full.take(slice(0, 1)).with_columns(pressure=1_000.0, value=230.0)
    part = Table.concat([full.take(low), extra]).with_columns(report=1, time=NOON + np.timedelta64(1800, "s"))
    both = Table.concat([part, full])
    flags = check_duplicates(both)
    assert flags[: int(low.sum())].tolist() == [int(Flag.DUPLICATE)] * int(low.sum())
    assert not flags[int(low.sum()) :].any()


def test_what_is_no_duplicate() -> None:
    table = sounding(0)
    later = sounding(1, time=NOON + np.timedelta64(6 * 3600, "s"))
    elsewhere = sounding(2, station="47590")
    moved = sounding(3, place=(38.0, 140.0))
    assert not check_duplicates(Table.concat([table, later, elsewhere, moved])).any()
    flights = Table.concat([one("aircraft", "eastward_wind", 50.0, station="JL5", latitude=35.0 + i) for i in range(3)])
    assert not check_duplicates(flights).any()
    assert check_duplicates(Table.concat([flights, flights])).sum() == 3 * int(Flag.DUPLICATE)


@settings(max_examples=30, deadline=None)
@given(copies=st.integers(1, 4), seed=st.integers(0, 10**6), missing=st.integers(0, 20))
def test_one_of_each_value_stays_whatever_the_order(copies: int, seed: int, missing: int) -> None:
    draw = np.random.default_rng(seed)
    parts = []
    for copy in range(copies):
        table = sounding(copy, time=NOON + np.timedelta64(60 * copy, "s"))
        parts.append(table.take(np.sort(draw.permutation(len(table))[missing:])))
    both = Table.concat(parts)
    kept = both.take(check_duplicates(both) == 0)
    pairs = list(zip(kept.column("quantity").tolist(), kept.column("pressure").tolist(), strict=True))
    everything = set(zip(both.column("quantity").tolist(), both.column("pressure").tolist(), strict=True))
    assert len(pairs) == len(set(pairs))
    assert set(pairs) == everything
    order = draw.permutation(len(both))
    assert np.array_equal(check_duplicates(both.take(order)), check_duplicates(both)[order])


ISLAND = SimpleNamespace(
    land_fraction=np.pad(np.ones((6, 6)), 7), index=lambda lat, lon: (np.asarray(lat) - 30.0, np.asarray(lon) - 130.0)
)
"""A square island, 37-42N 137-142E, on a grid of one degree."""


@pytest.mark.parametrize(
    ("kind", "latitude", "longitude", "elevation", "flag"),
    [
        ("ship", 40.0, 140.0, 0.0, Flag.POSITION),
        ("ship", 37.0, 137.0, 0.0, 0),
        ("ship", 33.0, 133.0, 0.0, 0),
        ("synop", 40.0, 140.0, 500.0, 0),
        ("synop", 33.0, 133.0, 600.0, Flag.POSITION),
        ("synop", 33.0, 133.0, 20.0, Flag.SUSPECT),
        ("ship", 10.0, 170.0, 0.0, 0),
        ("aircraft", 40.0, 140.0, float("nan"), 0),
    ],
)
def test_positions(kind: str, latitude: float, longitude: float, elevation: float, flag: int) -> None:
    place = {"latitude": latitude, "longitude": longitude, "station_elevation": elevation}
    table = one(kind, "eastward_wind", 5.0, **place)
    assert check_position(table, ISLAND).tolist() == [int(flag)]


def test_a_map_without_land_refuses_no_station() -> None:
    empty = SimpleNamespace(land_fraction=np.zeros((20, 20)), index=ISLAND.index)
    table = one("synop", "surface_pressure", 9e4, latitude=40.0, longitude=140.0, station_elevation=900.0)
    assert check_position(table, empty).tolist() == [int(Flag.SUSPECT)]


def test_a_ship_that_jumps() -> None:
    hours = np.arange(5) * np.timedelta64(3600, "s")
    track = [30.0, 30.2, 35.0, 30.6, 30.8]
    parts = [
        one("ship", "surface_pressure", 1e5, station="JABC", latitude=latitude, time=NOON + hour)
        for latitude, hour in zip(track, hours, strict=True)
    ]
    table = Table.concat(parts)
    assert check_position(table, None).tolist() == [0, 0, int(Flag.POSITION), 0, 0]
    assert not check_position(table.with_columns(station="SHIP"), None).any()


def test_marks_of_the_source() -> None:
    table = one("synop", "surface_pressure", 1e5, quality_mark=12)
    assert check_marks(table).tolist() == [int(Flag.SOURCE_MARK)]
    assert not check_marks(table, ()).any()
    assert not check_marks(one("synop", "surface_pressure", 1e5)).any()
