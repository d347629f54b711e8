"""Thinning: distances kept, the best chosen, withheld values apart, order of rows irrelevant."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pyproj import Geod

from kaiseki.core.constants import EARTH_RADIUS
from kaiseki.core.errors import ConfigError
from kaiseki.observations import Table, usable
from kaiseki.observations.thinning import thin, thin_levels

NOON = np.datetime64("1989-01-01T12:00:00", "s")
SPHERE = Geod(a=EARTH_RADIUS, b=EARTH_RADIUS)


def reports(latitude: Any, longitude: Any, kind: str = "synop", **columns: Any) -> Table:
    count = len(latitude)
    base = {"time": NOON, "quantity": "surface_pressure", "value": np.full(count, 1e5), "kind": kind}
    return Table.from_columns({**base, "latitude": np.array(latitude), "longitude": np.array(longitude), **columns})


@settings(max_examples=25, deadline=None)
@given(seed=st.integers(0, 10**6), count=st.integers(1, 60), distance=st.floats(50e3, 800e3))
def test_kept_reports_are_apart_and_dropped_ones_near(seed: int, count: int, distance: float) -> None:
    draw = np.random.default_rng(seed)
    table = reports(
        draw.uniform(25, 45, count),
        draw.uniform(170, 190, count),
        station=[f"S{i}" for i in range(count)],
        withheld=draw.random(count) < 0.2,
    )
    kept = usable(thin(table, NOON, {"synop": distance}).column("flags"))
    latitude, longitude, withheld = (table.column(name) for name in ("latitude", "longitude", "withheld"))
    for group in (withheld, ~withheld):
        members = np.flatnonzero(group)
        for one in members:
            others = members[kept[members] & (members != one)]
            _, _, apart = SPHERE.inv(
                np.full(len(others), longitude[one]),
                np.full(len(others), latitude[one]),
                longitude[others],
                latitude[others],
            )
            assert (np.min(apart, initial=np.inf) >= distance * (1 - 1e-6)) == kept[one]
    order = draw.permutation(count)
    again = usable(thin(table.take(order), NOON, {"synop": distance}).column("flags"))
    assert np.array_equal(again, kept[order])


def test_the_most_complete_then_the_nearest_in_time_is_kept() -> None:
    table = reports(
        [35.0, 35.0, 35.0, 35.0],
        [140.0] * 4,
        report=np.array([0, 1, 2, 2]),
        time=NOON - np.array([600, 0, 1200, 1200], dtype="timedelta64[s]"),
        quantity=["surface_pressure", "surface_pressure", "surface_pressure", "air_temperature"],
    )
    assert usable(thin(table, NOON, {"synop": 1e5}).column("flags")).tolist() == [False, False, True, True]
    first_two = table.take(slice(0, 2))
    assert usable(thin(first_two, NOON, {"synop": 1e5}).column("flags")).tolist() == [False, True]
    assert usable(thin(first_two, NOON, {"ship": 1e5}).column("flags")).all()


def test_boxes_keep_one_per_place_and_layer() -> None:
    draw = np.random.default_rng(4)
    count = 400
    table = reports(
        draw.uniform(30, 34, count),
        draw.uniform(140, 144, count),
        kind="satwind",
        quantity="eastward_wind",
        pressure=draw.uniform(20_000.0, 40_000.0, count),
    )
    kept = usable(thin(table, NOON, {"satwind": 150e3}).column("flags"))
    # 4 by 4 degrees hold at most 4 x 4 boxes of 150 km in each of 4 layers of 50 hPa, 5 x 5 with those cut off.
    assert 9 * 4 <= kept.sum() <= 25 * 4
    layers = np.floor(table.column("pressure") / 5_000.0)
    assert set(layers[kept]) == set(layers)


def test_rejected_reports_do_not_push_out_good_ones() -> None:
    table = reports(
        [35.0, 35.1], [140.0, 140.0], flags=np.array([1, 0]), time=NOON - np.array([0, 3600], "timedelta64[s]")
    )
    assert usable(thin(table, NOON, {"synop": 1e5}).column("flags")).tolist() == [False, True]


def test_levels_mandatory_stay_and_layers_hold_at_most_one() -> None:
    pressure = np.array([1000, 990, 980, 870, 850, 840, 700, 690, 500, 90]) * 100.0
    table = reports(
        np.full(10, 35.0), np.full(10, 140.0), kind="sonde", quantity="air_temperature", report=0,
        pressure=pressure, level=np.arange(1, 11),
    )  # fmt: skip
    out = thin_levels(table, [101_000.0, 97_000.0, 88_000.0, 84_500.0, 83_000.0, 65_000.0, 40_000.0, 9_500.0])
    kept = usable(out.column("flags"))
    assert (pressure[kept] / 100).tolist() == [1000, 850, 840, 700, 500, 90]


def test_wrong_settings_are_refused() -> None:
    table = reports([35.0], [140.0])
    with pytest.raises(ConfigError, match="positive distance"):
        thin(table, NOON, {"synop": 0.0})
    with pytest.raises(ConfigError, match="known kind"):
        thin(table, NOON, {"boat": 1.0})
    with pytest.raises(ConfigError, match="fall"):
        thin_levels(table, [50_000.0, 100_000.0])
