"""Stations are divided once and for all: exactly one part each, balanced, whatever the order of rows."""

from __future__ import annotations

from collections import Counter

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kaiseki.core.errors import ConfigError, InputError
from kaiseki.observations import Table
from kaiseki.observations.withholding import assign_folds, station_keys, withhold


def network(stations: list[tuple[str, str, float, float]]) -> Table:
    kind, station, latitude, longitude = zip(*stations, strict=True)
    return Table.from_columns(
        {
            "time": np.datetime64("1989-01-01T12:00:00", "s"),
            "latitude": np.array(latitude),
            "longitude": np.array(longitude),
            "quantity": "surface_pressure",
            "value": np.full(len(stations), 1e5),
            "kind": list(kind),
            "station": list(station),
        }
    )


def scattered(seed: int, count: int) -> Table:
    draw = np.random.default_rng(seed)
    kinds = draw.choice(["sonde", "synop", "ship", "buoy"], count, p=[0.25, 0.5, 0.2, 0.05])
    return network(
        [
            (str(kind), f"{kind[:2]}{i}", float(draw.uniform(10, 60)), float(draw.uniform(100, 180)))
            for i, kind in enumerate(kinds)
        ]
    )


@settings(max_examples=25, deadline=None)
@given(seed=st.integers(0, 10**6), shuffle=st.integers(0, 10**6), count=st.integers(1, 120), folds=st.integers(2, 6))
def test_every_station_has_one_fold_whatever_the_order(seed: int, shuffle: int, count: int, folds: int) -> None:
    table = scattered(seed, count)
    given_folds = assign_folds(table, 1989, folds)
    assert set(given_folds) == set(table.column("station").tolist())
    assert set(given_folds.values()) <= set(range(folds))
    order = np.random.default_rng(shuffle).permutation(len(table))
    assert assign_folds(table.take(order), 1989, folds) == given_folds
    masks = [withhold(table, given_folds, fold).column("withheld") for fold in range(folds)]
    assert (np.sum(masks, axis=0) == 1).all()


def test_strata_are_balanced() -> None:
    table = scattered(3, 2000)
    folds = assign_folds(table, 7)
    kind, key = table.column("kind"), station_keys(table)
    box = np.stack([np.floor(table.column("latitude") / 10), np.floor(table.column("longitude") / 10)], axis=1)
    together = {key[i] for i in range(len(key))}
    assert len(together) == len(key)
    for one in ("ship", "buoy"):  # fixed stations near each other may be dealt out together
        sizes = Counter(folds[k] for k in key[kind == one])
        assert max(sizes.values()) - min(sizes.values()) <= 1
        for corner in np.unique(box, axis=0):
            part = Counter(folds[k] for k in key[(kind == one) & (box == corner).all(axis=1)])
            counts = [part.get(fold, 0) for fold in range(5)]
            assert max(counts) - min(counts) <= 1


def test_another_seed_divides_otherwise() -> None:
    table = scattered(3, 100)
    assert assign_folds(table, 1) != assign_folds(table, 2)


def test_a_place_with_several_kinds_is_one_station() -> None:
    pairs = []
    for i in range(40):
        latitude, longitude = 25.0 + i, 100.0 + 1.7 * i
        pairs += [("sonde", f"S{i}", latitude, longitude), ("synop", f"L{i}", latitude + 0.14, longitude - 0.1)]
        pairs += [("synop", f"F{i}", latitude + 0.5, longitude)]
    pairs += [("sonde", "47412", 43.0, 141.3), ("synop", "47412", 43.06, 141.33), ("pilot", "47412", 43.0, 141.3)]
    folds = assign_folds(network(pairs), 1989)
    assert all(folds[f"S{i}"] == folds[f"L{i}"] for i in range(40))
    assert any(folds[f"S{i}"] != folds[f"F{i}"] for i in range(40))
    held = withhold(network(pairs), folds, folds["47412"])
    assert held.column("withheld")[held.where(station="47412")].all()


def test_the_same_place_across_the_date_line() -> None:
    folds = [
        assign_folds(
            network([("sonde", "A", 52.0, 179.95), ("synop", "B", 52.0, -179.95), ("synop", "C", 52.0, 0.0)]), seed
        )
        for seed in range(12)
    ]
    assert all(one["A"] == one["B"] for one in folds)
    assert any(one["A"] != one["C"] for one in folds)


def test_aircraft_are_not_withheld_and_nameless_ships_are_divided_by_place() -> None:
    rows = [("aircraft", "JAL1", 35.0, 140.0), ("satwind", "", 35.0, 140.0)]
    rows += [("ship", "SHIP", 32.0, 141.0 + 6.0 * i) for i in range(6)]
    table = network(rows)
    folds = assign_folds(table, 1989)
    assert "JAL1" not in folds
    assert len(folds) == 6
    held = np.array([withhold(table, folds, fold).column("withheld") for fold in range(5)])
    assert not held[:, :2].any()
    assert held[:, 2:].sum(axis=0).tolist() == [1] * 6


def test_misuse_is_refused() -> None:
    table = scattered(1, 20)
    with pytest.raises(ConfigError, match="at least 2"):
        assign_folds(table, 1, 1)
    with pytest.raises(InputError, match="in none of the folds"):
        withhold(table, assign_folds(table.take(slice(0, 10)), 1), 0)
    assert assign_folds(Table.empty(), 1) == {}
