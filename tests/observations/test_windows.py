"""Windows are half-open, and every report enters exactly one, whole."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kaiseki.core.errors import InputError
from kaiseki.core.timing import Window, windows
from kaiseki.observations import Table
from kaiseki.observations import windows as module
from kaiseki.observations.columns import COLUMNS
from kaiseki.observations.windows import ObservationFile, numbers, report_times, select, split

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


def assert_same(one: Table, other: Table) -> None:
    assert len(one) == len(other)
    for name in COLUMNS:
        np.testing.assert_array_equal(one.column(name), other.column(name), err_msg=name)


@settings(max_examples=30, deadline=None)
@given(
    launches=st.lists(
        st.integers(1, 12 * 3600) | st.sampled_from([10800, 10801, 21600, 43200]), min_size=1, max_size=15
    ),
    rise=st.integers(0, 4000),
    shuffle=st.integers(0, 2**31),
    group=st.integers(1, 9),
)
def test_a_file_gives_each_window_as_the_table_does(
    tmp_path_factory: pytest.TempPathFactory, launches: list[int], rise: int, shuffle: int, group: int
) -> None:
    """Same values in the same order, wherever the row groups end; and the file is read back whole as it was."""
    table = reports(launches, rise, 4)
    random = np.random.default_rng(shuffle)
    table = table.with_columns(
        station=np.array(["47646", "47401", "", "kush\u012bro"])[random.integers(0, 4, len(table))],
        flags=random.integers(0, 2**17, len(table)).astype(np.uint32),
        error=np.where(random.random(len(table)) < 0.5, np.nan, 1.0),
    )
    table = table.take(random.permutation(len(table)))
    path = tmp_path_factory.mktemp("file") / "observations.parquet"
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(module, "ROWS_OF_A_GROUP", group)
        file = ObservationFile.write(table, path)
    assert pq.ParquetFile(path).num_row_groups == -(-len(table) // group)
    assert_same(Table.from_parquet(path), table)
    for window in windows(START - THREE_HOURS, START + 6 * THREE_HOURS, THREE_HOURS):
        assert_same(select(file, window), select(table, window))


def test_only_the_row_groups_of_the_window_are_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """With every other row group's bytes destroyed a window can still be read, and another cannot."""
    monkeypatch.setattr(module, "ROWS_OF_A_GROUP", 40)
    path = tmp_path / "observations.parquet"
    table = reports([1 + 3600 * hour for hour in range(24)], 60, 10)
    file = ObservationFile.write(table, path)
    window = Window(START, START + np.timedelta64(4 * 3600, "s"))
    wanted = select(table, window)
    meta = pq.ParquetFile(path).metadata
    content = bytearray(path.read_bytes())
    for group in range(1, meta.num_row_groups):
        for number in range(meta.num_columns):
            column = meta.row_group(group).column(number)
            first = column.dictionary_page_offset or column.data_page_offset
            content[first : first + column.total_compressed_size] = b"\xff" * column.total_compressed_size
    path.write_bytes(content)
    assert_same(file.window(window), wanted)
    with pytest.raises(InputError, match="is not a Parquet file of observations"):
        file.window(Window(window.end, window.end + THREE_HOURS))


def test_a_file_that_is_not_sorted_is_read_too(tmp_path: Path) -> None:
    """Runs that were begun before have such a file."""
    table = reports([1, 2 * 3600, 3 * 3600 + 1], 60, 3)
    table.to_parquet(tmp_path / "old.parquet")
    window = Window(START, START + THREE_HOURS)
    assert_same(ObservationFile(tmp_path / "old.parquet").window(window), select(table, window))


def test_what_is_no_file_of_observations_is_named(tmp_path: Path) -> None:
    window = Window(START, START + THREE_HOURS)
    with pytest.raises(InputError, match=r"no file of observations at .*absent"):
        ObservationFile(tmp_path / "absent.parquet").window(window)
    (tmp_path / "text").write_text("nothing")
    with pytest.raises(InputError, match="is not a Parquet file of observations"):
        ObservationFile(tmp_path / "text").window(window)
