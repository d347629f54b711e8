"""What is assimilated, monitored, verified."""

from __future__ import annotations

import numpy as np
import pytest

from kaiseki.observations import Flag, Table, usable
from kaiseki.observations.selection import Use, select, uses
from kaiseki.observations.surface_level import surface_levels
from observations.soundings import PRESSURES, sounding


def rows(cases: list[tuple[str, str, int]]) -> Table:
    kind, quantity, level = zip(*cases, strict=True)
    return Table.from_columns(
        {
            "time": np.datetime64("1989-01-01T12:00:00", "s"),
            "latitude": np.full(len(cases), 35.0),
            "longitude": 140.0,
            "quantity": list(quantity),
            "value": 1.0,
            "kind": list(kind),
            "level": np.array(level),
        }
    )


@pytest.mark.parametrize(
    ("kind", "quantity", "level", "use"),
    [
        ("sonde", "air_temperature", 3, Use.ASSIMILATED),
        ("sonde", "specific_humidity", 3, Use.ASSIMILATED),
        ("sonde", "eastward_wind", 3, Use.ASSIMILATED),
        ("sonde", "surface_pressure", 0, Use.ASSIMILATED),
        ("sonde", "geopotential_height", 3, Use.VERIFIED),
        ("sonde", "air_temperature", 0, Use.MONITORED),
        ("sonde", "eastward_wind", 0, Use.MONITORED),
        ("pilot", "northward_wind", 4, Use.ASSIMILATED),
        ("synop", "surface_pressure", 0, Use.ASSIMILATED),
        ("synop", "air_temperature", 0, Use.MONITORED),
        ("synop", "eastward_wind", 0, Use.MONITORED),
        ("synop", "mean_sea_level_pressure", 0, Use.VERIFIED),
        ("ship", "eastward_wind", 0, Use.ASSIMILATED),
        ("buoy", "northward_wind", 0, Use.ASSIMILATED),
        ("ship", "air_temperature", 0, Use.MONITORED),
        ("aircraft", "air_temperature", 0, Use.ASSIMILATED),
        ("aircraft", "eastward_wind", 0, Use.ASSIMILATED),
        ("satwind", "eastward_wind", 0, Use.ASSIMILATED),
        ("paob", "mean_sea_level_pressure", 0, Use.UNUSED),
        ("paob", "surface_pressure", 0, Use.UNUSED),
    ],
)
def test_use(kind: str, quantity: str, level: int, use: Use) -> None:
    table = rows([(kind, quantity, level)])
    assert uses(table).tolist() == [str(use)]
    assert usable(select(table).column("flags")).tolist() == [use == Use.ASSIMILATED]


def test_kinds_and_overrides() -> None:
    table = rows([("aircraft", "eastward_wind", 0), ("ship", "eastward_wind", 0)])
    assert uses(table, kinds=("ship",)).tolist() == ["monitored", "assimilated"]
    changed = select(table, overrides={("ship", "eastward_wind"): Use.MONITORED})
    assert changed.column("flags").tolist() == [0, int(Flag.MONITORED)]


@pytest.mark.parametrize(("elevation", "levels"), [(120.0, 1), (130.0, 1), (200.0, 0), (30.0, 0)])
def test_an_unmarked_surface_level_is_known_by_its_height(elevation: float, levels: int) -> None:
    table = sounding(station_elevation=elevation)  # its lowest level, 1000 hPa, is at 120 m
    mask = surface_levels(table)
    assert set(table.column("pressure")[mask].tolist()) == set(PRESSURES[:levels].tolist())
    monitored = uses(table)[mask & table.where(quantity=("air_temperature", "eastward_wind"))]
    assert monitored.tolist() == ["monitored"] * (2 * levels)


def test_a_surface_level_below_the_lowest_height() -> None:
    # 1013.25 hPa, 1000 hPa and their thickness in air of 280 K: R T / g ln(1013.25 / 1000) = 107.9 m.
    made = Table.from_columns(
        {
            "report": 0, "time": np.datetime64("1989-01-01T12:00:00", "s"), "latitude": 36.0, "longitude": 140.0,
            "kind": "sonde", "station_elevation": 12.1, "level": np.array([1, 2, 1, 2]),
            "quantity": ["air_temperature", "air_temperature", "eastward_wind", "geopotential_height"],
            "pressure": np.array([101_325.0, 100_000.0, 101_325.0, 100_000.0]),
            "value": np.array([280.0, 280.0, 3.0, 120.0]),
        }
    )  # fmt: skip
    assert not surface_levels(made.take(slice(0, 0))).any()
    assert surface_levels(made).tolist() == [True, False, True, False]
    assert not surface_levels(made.with_columns(station_elevation=60.0)).any()
