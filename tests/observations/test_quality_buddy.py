"""Buddy check: wrong values in smooth fields are found, weather is not; withheld values play no part."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kaiseki.observations import Flag, Table
from kaiseki.observations.quality import run_all, summary
from kaiseki.observations.quality.buddy import check_buddies
from observations.soundings import NOON, PRESSURES, atmosphere, sounding

G_OVER_R = 9.80665 / 287.05


def surface(seed: int, count: int = 150, cold: float = 0.0, **columns: Any) -> Table:
    """Stations under a deep low, up to 800 m high, in air that is colder than the standard by `cold`."""
    draw = np.random.default_rng(seed)
    latitude, longitude = draw.uniform(32, 46, count), draw.uniform(130, 146, count)
    elevation = draw.uniform(0, 800, count)
    distance = np.hypot(latitude - 40.0, (longitude - 140.0) * np.cos(np.deg2rad(39.0))) * 111e3
    sea_level = 102_000.0 - 4_000.0 * np.exp(-((distance / 700e3) ** 2))
    mean = 288.15 - cold - 0.0065 * elevation / 2.0
    pressure = sea_level * np.exp(-G_OVER_R * elevation / mean) + draw.normal(0.0, 80.0, count)
    base = {
        "time": NOON, "latitude": latitude, "longitude": longitude, "quantity": "surface_pressure", "value": pressure,
        "kind": "synop", "station_elevation": elevation, "station": [f"S{i}" for i in range(count)],
    }  # fmt: skip
    return Table.from_columns({**base, **columns})


def spoiled(table: Table, row: int, by: float) -> Table:
    value = table.column("value").copy()
    value[row] += by
    return table.with_columns(value=value)


@settings(max_examples=8, deadline=None)
@given(seed=st.integers(0, 10**6), cold=st.sampled_from([0.0, 30.0]))
def test_a_deep_low_and_cold_air_over_high_ground_are_no_errors(seed: int, cold: float) -> None:
    assert check_buddies(surface(seed, cold=cold)).sum() == 0


@settings(max_examples=8, deadline=None)
@given(seed=st.integers(0, 10**6), row=st.integers(0, 149), sign=st.sampled_from([-1.0, 1.0]))
def test_one_wrong_pressure_is_found_alone(seed: int, row: int, sign: float) -> None:
    table = surface(seed)
    table = table.with_columns(
        latitude=np.where(np.arange(150) == row, 39.0, table.column("latitude")),
        longitude=np.where(np.arange(150) == row, 138.0, table.column("longitude")),
        station_elevation=np.zeros(150),
        value=np.full(150, 101_000.0),
    )
    flags = check_buddies(spoiled(table, row, sign * 2_000.0))
    assert np.flatnonzero(flags).tolist() == [row]
    assert flags[row] == int(Flag.BUDDY)


def test_withheld_values_are_neither_judged_nor_used() -> None:
    table = surface(1)
    inside = int(np.argmin(np.hypot(table.column("latitude") - 39, table.column("longitude") - 138)))
    held = np.zeros(150, dtype=bool)
    held[::3] = True
    held[inside] = False
    bad = spoiled(table.with_columns(withheld=held), inside, 3_000.0)
    flags = check_buddies(bad)
    assert np.flatnonzero(flags).tolist() == [inside]
    changed = np.where(held, 90_000.0, bad.column("value"))
    assert np.array_equal(check_buddies(bad.with_columns(value=changed)), flags)
    without = check_buddies(bad.take(~held))
    assert np.array_equal(without, flags[~held])
    everything = held | (np.arange(150) == inside)
    assert not check_buddies(bad.with_columns(withheld=everything))[inside]


def test_values_already_known_to_be_wrong_are_not_used() -> None:
    table = surface(2)
    inside = int(np.argmin(np.hypot(table.column("latitude") - 39, table.column("longitude") - 138)))
    known = np.where(np.arange(150) == inside, int(Flag.RANGE), 0).astype(np.uint32)
    assert check_buddies(spoiled(table, inside, 3_000.0).with_columns(flags=known)).sum() == 0


def ascents(count: int = 20, **changes: Any) -> Table:
    draw = np.random.default_rng(9)
    parts = []
    for i in range(count):
        latitude, longitude = float(draw.uniform(32, 42)), float(draw.uniform(130, 145))
        true, _ = atmosphere(PRESSURES)
        colder, _ = atmosphere(PRESSURES, 285.0 - 0.8 * (latitude - 36.0))
        mine = changes if i == 7 else {}
        error = mine.get("temperature", 0.0)
        wind = (40.0 + mine.get("wind", 0.0) + draw.normal(0, 2, len(PRESSURES)), np.full(len(PRESSURES), 5.0))
        height = -25.0 * (latitude - 36.0) + mine.get("height", 0.0)
        temperature = colder - true + error
        parts.append(sounding(0, f"4{i}", (latitude, longitude), temperature=temperature, wind=wind, height=height))
    return Table.concat(parts)


def test_good_ascents_pass() -> None:
    assert check_buddies(ascents()).sum() == 0


@pytest.mark.parametrize(
    ("name", "size", "quantities"),
    [
        ("temperature", 25.0, {"air_temperature"}),
        ("height", 400.0, {"geopotential_height"}),
        ("wind", 70.0, {"eastward_wind", "northward_wind"}),
    ],
)
def test_a_whole_ascent_that_is_wrong_is_found(name: str, size: float, quantities: set[str]) -> None:
    table = ascents(**{name: size})
    flagged = check_buddies(table) != 0
    station = table.where(station="47")
    assert not flagged[~station].any()
    assert set(table.column("quantity")[flagged].tolist()) == quantities
    assert flagged[station & table.where(quantity=quantities)].mean() > 0.8


def test_summary_counts_what_the_flags_say() -> None:
    checked = run_all(spoiled(surface(1), 3, -60_000.0))
    assert [(c.check, c.kind, c.quantity, c.flagged, c.total) for c in checked.summary] == [
        ("range", "synop", "surface_pressure", 1, 150)
    ]
    assert checked.summary == summary(checked.table)
    assert run_all(Table.empty()).summary == ()
