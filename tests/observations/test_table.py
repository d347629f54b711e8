"""The observation table: defaults, checks, round trips through Arrow and Parquet, joining."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kaiseki.core.errors import InputError, StoreError
from kaiseki.observations import KINDS, QUANTITIES, Flag, Table, usable
from kaiseki.observations.columns import COLUMNS
from kaiseki.observations.flags import names

T0 = np.datetime64("1989-01-01T12:00:00", "s")


def few(count: int = 3, **columns: Any) -> Table:
    base: dict[str, Any] = {
        "time": T0,
        "latitude": 35.0,
        "longitude": 140.0,
        "quantity": "air_temperature",
        "value": np.linspace(250.0, 280.0, count),
        "kind": "sonde",
    }
    return Table.from_columns({**base, **columns})


def same(one: Table, other: Table) -> bool:
    return len(one) == len(other) and all(
        np.array_equal(one.column(name), other.column(name), equal_nan=COLUMNS[name].dtype == "float64")
        for name in COLUMNS
    )


@st.composite
def columns(draw: st.DrawFn, max_rows: int = 20) -> dict[str, Any]:
    """Columns, not tables: the run-time type checks draw random numbers, which strategies must not do."""
    n = draw(st.integers(0, max_rows))
    rows = lambda values: draw(st.lists(values, min_size=n, max_size=n))  # noqa: E731
    return {
        "report": np.array(rows(st.integers(0, 5)), dtype=np.int64),
        "time": np.datetime64("1989-01-01", "s") + np.array(rows(st.integers(0, 86400)), dtype="timedelta64[s]"),
        "latitude": np.array(rows(st.floats(-90, 90)), dtype=float),
        "longitude": np.array(rows(st.floats(-180, 360)), dtype=float),
        "pressure": np.array(rows(st.one_of(st.just(float("nan")), st.floats(100, 110000))), dtype=float),
        "quantity": rows(st.sampled_from(QUANTITIES)),
        "value": np.array(rows(st.floats(-1e5, 1e5)), dtype=float),
        "kind": rows(st.sampled_from(KINDS)),
        "station": rows(st.text(max_size=8)),
        "withheld": np.array(rows(st.booleans()), dtype=bool),
        "flags": np.array(rows(st.integers(0, 2**32 - 1)), dtype=np.uint32),
    }


def test_absent_columns_get_defaults() -> None:
    table = few()
    assert len(table) == 3
    assert list(table.column("report")) == [0, 1, 2]
    assert np.isnan(table.column("error")).all()
    assert not table.column("withheld").any()
    assert table.column("station").tolist() == ["", "", ""]
    for name, column in COLUMNS.items():
        values = table.column(name)
        assert len(values) == 3
        assert values.dtype.kind == "U" if column.is_text else values.dtype == np.dtype(column.dtype)


@pytest.mark.parametrize(
    ("columns", "message"),
    [
        ({"presure": 1.0}, "did you mean 'pressure'"),
        ({"pressure": np.ones(2)}, "'pressure' .* has 2 rows, expected 3"),
        ({"pressure": np.ones((3, 1))}, "one dimension"),
        ({"quantity": "air_temprature"}, "did you mean 'air_temperature'"),
        ({"kind": np.array(["sonde", "ship", "sub"])}, "no kind 'sub'"),
        ({"value": np.array(["a", "b", "c"])}, "'value' .* must be float64"),
        ({"station": np.array([1, 2, 3])}, "'station' .* must hold texts"),
        ({"level": np.array([0.5, 1.0, 2.0])}, "'level' .* must be int32"),
        ({"level": np.array([0, 1, 2**40])}, "does not fit int32"),
        ({"flags": np.array([0, 1, -2])}, "does not fit uint32"),
        ({"latitude": np.array([0.0, 91.0, 0.0])}, "Row 1 .* latitude 91"),
        ({"longitude": np.array([0.0, 0.0, np.nan])}, "Row 2 "),
        ({"time": np.array(["NaT", "1989-01-01", "1989-01-01"], dtype="datetime64[s]")}, "Row 0 "),
        ({"withheld": np.array([0, 1, 0])}, "'withheld' .* must be bool"),
    ],
)
def test_malformed_columns_are_refused(columns: dict[str, Any], message: str) -> None:
    with pytest.raises(InputError, match=message):
        few(**columns)


def test_missing_column_is_named() -> None:
    with pytest.raises(InputError, match="needs the columns quantity, kind"):
        Table.from_columns({"time": T0, "latitude": 0.0, "longitude": 0.0, "value": np.ones(2)})


def test_arrays_cannot_be_changed_and_methods_leave_the_table_alone() -> None:
    table = few()
    with pytest.raises(ValueError, match="read-only"):
        table.column("value")[0] = 0.0
    changed = table.with_columns(value=np.zeros(3)).with_flags(np.array([True, False, True]), Flag.RANGE)
    assert table.column("value")[0] == 250.0
    assert list(usable(changed.column("flags"))) == [False, True, False]
    assert names(int(changed.column("flags")[0])) == ["range"]
    given_values = np.ones(3)
    few(value=given_values)
    given_values[0] = 2.0  # the caller's own array stays writable


def test_longitudes_are_wrapped() -> None:
    assert list(few(longitude=np.array([190.0, 180.0, -180.0])).column("longitude")) == [-170.0, -180.0, -180.0]


def test_where_and_take() -> None:
    table = few(kind=np.array(["sonde", "ship", "sonde"]), station=np.array(["47412", "JABC", "47646"]))
    assert list(table.where(kind="sonde")) == [True, False, True]
    assert list(table.where(kind=("ship", "buoy"), station="JABC")) == [False, True, False]
    assert table.take(table.where(kind="sonde")).column("station").tolist() == ["47412", "47646"]
    assert table.take(np.array([2, 0])).column("value").tolist() == [280.0, 250.0]
    assert len(table.take(np.array([], dtype=bool).astype(int))) == 0
    with pytest.raises(InputError, match="mask has 2 rows"):
        table.take(np.array([True, False]))
    with pytest.raises(InputError, match="no kind 'boat'"):
        table.where(kind="boat")
    with pytest.raises(InputError, match="no column 'temperature'"):
        table.column("temperature")


@settings(max_examples=30, deadline=None)
@given(made=columns())
def test_arrow_round_trip(made: dict[str, Any]) -> None:
    table = Table.from_columns(made)
    assert same(Table.from_arrow(table.to_arrow()), table)


@settings(max_examples=15, deadline=None)
@given(made=columns())
def test_parquet_round_trip(made: dict[str, Any], tmp_path_factory: pytest.TempPathFactory) -> None:
    table = Table.from_columns(made)
    path = tmp_path_factory.mktemp("tables") / "table.parquet"
    table.to_parquet(path)
    assert same(Table.from_parquet(path), table)
    assert [file.name for file in path.parent.iterdir()] == ["table.parquet"]


@settings(max_examples=30, deadline=None)
@given(made=st.lists(columns(8), max_size=4))
def test_concat_keeps_rows_and_renumbers_reports(made: list[dict[str, Any]]) -> None:
    parts = [Table.from_columns(one) for one in made]
    joined = Table.concat(parts)
    assert len(joined) == sum(map(len, parts))
    start = 0
    seen: set[int] = set()
    for part in parts:
        piece = joined.take(slice(start, start + len(part)))
        start += len(part)
        for name in COLUMNS:
            if name != "report":
                equal_nan = COLUMNS[name].dtype == "float64"
                assert np.array_equal(piece.column(name), part.column(name), equal_nan=equal_nan)
        pairs = set(zip(part.column("report").tolist(), piece.column("report").tolist(), strict=True))
        assert len(pairs) == len({old for old, _ in pairs}) == len({new for _, new in pairs})
        assert not seen & {new for _, new in pairs}
        seen |= {new for _, new in pairs}
    assert seen == set(range(len(seen)))


def test_files_that_are_no_tables(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="no file of observations"):
        Table.from_parquet(tmp_path / "absent.parquet")
    text = tmp_path / "text.parquet"
    text.write_text("no parquet here")
    with pytest.raises(InputError, match="is not a Parquet file"):
        Table.from_parquet(text)
    other = tmp_path / "other.parquet"
    pq.write_table(pa.table({"a": [1]}), other)
    with pytest.raises(InputError, match=r"other\.parquet: .*no column 'a'"):
        Table.from_parquet(other)
    with pytest.raises(StoreError, match="could not be written"):
        few().to_parquet(tmp_path / "nowhere" / "table.parquet")
    newer = few().to_arrow().replace_schema_metadata({b"kaiseki_observation_table": b"99"})
    with pytest.raises(InputError, match="version 99"):
        Table.from_arrow(newer)
    holes = few().to_arrow().set_column(7, "level", pa.array([1, None, 2], pa.int32()))
    with pytest.raises(InputError, match=r"'level' .* missing values"):
        Table.from_arrow(holes)


def test_missing_float_in_arrow_is_nan() -> None:
    arrow = few().to_arrow()
    place = arrow.column_names.index("error")
    table = Table.from_arrow(arrow.set_column(place, "error", pa.array([1.0, None, 2.0])))
    assert np.isnan(table.column("error")[1])
