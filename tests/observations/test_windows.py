"""Windows are half-open, and every report enters exactly one, whole."""

from __future__ import annotations

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from kaiseki.core.timing import Window, windows
from kaiseki.observations import Table
from kaiseki.observations.windows import numbers, report_times, select, split

START = np.datetime64("1989-01-01T12:00:00", "s")
THREE_HOURS = np.timedelta64(3 * 3600, "s")


def reports(launches: list[int], level_seconds: int, levels: int) -> Table:
    launch = START + np.array(launches, dtype="timedelta64[s]")
    rise = np.arange(levels) * np.timedelta64(level_seconds, "s")
    return Table.from_columns(
        {
            "report": np.repeat(np.arange(len(launches)) * 7, levels),
            "time": (launch[:, None] + rise).ravel().astype("datetime64[s]"),
            "latitude": np.full(len(launches) * levels, 35.0),
            "longitude": 140.0,
            "quantity": "air_temperature",
            "value": np.arange(len(launches) * levels, dtype=float),
            "kind": "sonde",
        }
    )


def test_bounds_are_half_open() -> None:
    table = reports([0, 1, 3 * 3600, 3 * 3600 + 1], 60, 1)
    chosen = select(table, Window(START, START + THREE_HOURS))
    assert chosen.column("report").tolist() == [7, 14]


def test_levels_of_a_sonde_stay_together_at_its_release() -> None:
    table = reports([3 * 3600 - 900], 60, 100)  # most levels are later than the end of the window
    assert len(select(table, Window(START, START + THREE_HOURS))) == 100
    assert (report_times(table) == START + np.timedelta64(3 * 3600 - 900, "s")).all()


def test_an_empty_window_gives_an_empty_table() -> None:
    assert len(select(reports([1], 60, 3), Window(START - THREE_HOURS, START))) == 0
    assert len(select(Table.empty(), Window(START, START + THREE_HOURS))) == 0


@settings(max_examples=60, deadline=None)
@given(
    launches=st.lists(
        st.integers(1, 12 * 3600) | st.sampled_from([10800, 10801, 21600, 43200]), min_size=1, max_size=15
    ),
    rise=st.integers(0, 4000),
    shuffle=st.integers(0, 2**31),
)
def test_each_report_enters_exactly_one_window(launches: list[int], rise: int, shuffle: int) -> None:
    table = reports(launches, rise, 4)
    table = table.take(np.random.default_rng(shuffle).permutation(len(table)))
    day = list(windows(START, START + 4 * THREE_HOURS, THREE_HOURS))
    parts = split(table, day)
    assert sum(map(len, parts)) == len(table)
    for number, (part, window) in enumerate(zip(parts, day, strict=True)):
        assert all(np.count_nonzero(part.column("report") == one) == 4 for one in set(part.column("report").tolist()))
        first = report_times(part)
        assert ((first > window.start) & (first <= window.end)).all()
        assert (numbers(part, START, THREE_HOURS) == number).all()
