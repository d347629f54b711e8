"""The table of observations: columnar, one row per value, never changed in place."""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, Final, Self

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from kaiseki.core.errors import InputError
from kaiseki.core.files import whole_file
from kaiseki.observations.columns import COLUMNS, REQUIRED

SCHEMA_VERSION: Final = 1
"""Version of the columns, in the metadata of Arrow tables and Parquet files."""

_VERSION_KEY: Final = b"kaiseki_observation_table"

FILE_TIME: Final = "report_time"
FILE_ORDER: Final = "row"
"""Columns that a file sorted by the time of the report has beside those of the table: that time, and where the row was
in the table (see `windows.ObservationFile`)."""


class Coded:
    """Texts as int32 codes into a tuple of distinct words."""

    __slots__ = ("codes", "words")

    def __init__(self, codes: np.ndarray, words: tuple[str, ...]) -> None:
        self.codes = codes
        self.words = words

    def __len__(self) -> int:
        return len(self.codes)

    def texts(self) -> np.ndarray:
        """The texts themselves, unicode (n,)."""
        return np.asarray(self.words or ("",), dtype=np.str_)[self.codes]

    @classmethod
    def of(cls, values: Any) -> Coded:
        """Code an array of texts, words in order of appearance."""
        coded = pa.array(values, type=pa.string()).dictionary_encode()
        if coded.null_count:
            raise ValueError("missing text")
        return cls(np.asarray(coded.indices, dtype=np.int32), tuple(coded.dictionary.to_pylist()))

    def onto(self, words: tuple[str, ...]) -> Coded:
        """Texts coded by other words, which must contain all that occur."""
        places = {word: place for place, word in enumerate(words)}
        return Coded(np.array([places[word] for word in self.words] or [0], dtype=np.int32)[self.codes], words)


def _unknown(name: str, known: Iterable[str], what: str, further: str = "") -> InputError:
    near = difflib.get_close_matches(name, list(known), n=1)
    hint = f"did you mean {near[0]!r}?" if near else f"known are {', '.join(known)}"
    return InputError(f"The observation table has no {what} {name!r}; {hint}{further}")


def _text_column(name: str, values: Any, count: int) -> Coded:
    words = COLUMNS[name].words
    if isinstance(values, Coded):
        coded = values
    elif isinstance(values, str):
        coded = Coded(np.zeros(count, dtype=np.int32), (values,))
    else:
        try:
            coded = Coded.of(values)
        except (pa.ArrowInvalid, pa.ArrowTypeError, ValueError) as error:
            raise InputError(f"Column {name!r} of the observation table must hold texts: {error}") from error
    if words and coded.words != words:
        used = {coded.words[code] for code in np.unique(coded.codes)}
        for word in sorted(used - set(words)):
            raise _unknown(word, words, name, ", or install the plug-in that brings it")
        kept = Coded(coded.codes, tuple(word if word in used else words[0] for word in coded.words))
        coded = kept.onto(words)
    return coded


def _number_column(name: str, values: Any, count: int) -> np.ndarray:
    wanted = np.dtype(COLUMNS[name].dtype)
    given = np.asarray(values)
    if given.ndim == 0:
        given = np.full(count, given)
    allowed = {"f": "fiu", "i": "iu", "u": "iu", "b": "b", "M": "M"}[wanted.kind]
    if given.dtype.kind not in allowed and len(given):
        raise InputError(f"Column {name!r} of the observation table must be {wanted}, not {given.dtype}")
    if wanted.kind in "iu" and len(given):
        bounds = np.iinfo(wanted)
        if given.min() < bounds.min or given.max() > bounds.max:
            raise InputError(f"Column {name!r} of the observation table holds a number that does not fit {wanted}")
    return given.astype(wanted)


def _checked_place(columns: dict[str, Any]) -> None:
    """Longitudes brought to [-180, 180); refuses rows without time or place."""
    latitude, longitude = columns["latitude"], columns["longitude"]
    wrong = ~((np.abs(latitude) <= 90.0) & (np.abs(longitude) <= 360.0)) | np.isnat(columns["time"])
    if wrong.any():
        row = int(np.flatnonzero(wrong)[0])
        raise InputError(
            f"Row {row} of the observations has time {columns['time'][row]}, latitude {latitude[row]}, longitude "
            f"{longitude[row]}: expected a time, -90 to 90 and -180 to 180 degrees; leave such rows out when reading"
        )
    outside = (longitude < -180.0) | (longitude >= 180.0)
    if outside.any():
        columns["longitude"] = np.where(outside, (longitude + 180.0) % 360.0 - 180.0, longitude)


class Table:
    """Observations, one row per value; the columns are those of docs/architecture.md (`columns.COLUMNS`).

    Methods return new tables; the arrays that `column` gives cannot be written to. SI units, degrees, UTC.
    """

    __slots__ = ("_columns", "_count")

    def __init__(self, columns: dict[str, np.ndarray | Coded]) -> None:
        """Take checked columns; for this module alone, others use `from_columns`."""
        for column in columns.values():
            (column.codes if isinstance(column, Coded) else column).setflags(write=False)
        self._columns = columns
        self._count = len(columns["value"])

    @classmethod
    def from_columns(cls, columns: Mapping[str, Any]) -> Self:
        """A table from arrays by column name; scalars are repeated, absent columns get their default.

        `report` counts the rows when absent. Longitudes are brought to [-180, 180).

        Raises:
            InputError: an unknown or missing column, unequal lengths, a type that does not fit, an unknown quantity
                or kind, a row without time or place.
        """
        for name in columns:
            if name not in COLUMNS:
                raise _unknown(name, COLUMNS, "column")
        missing = [name for name in REQUIRED if name not in columns]
        if missing:
            raise InputError(f"The observation table needs the column{'s' * (len(missing) > 1)} {', '.join(missing)}")
        lengths = {
            name: len(values)
            for name, values in columns.items()
            if not isinstance(values, str) and (isinstance(values, Coded) or np.ndim(values) > 0)
        }
        for name, values in columns.items():
            if not isinstance(values, (str, Coded)) and np.ndim(values) > 1:
                raise InputError(f"Column {name!r} of the observation table must have one dimension")
        count = lengths.get("value", next(iter(lengths.values()), 1))
        for name, length in lengths.items():
            if length != count:
                raise InputError(f"Column {name!r} of the observation table has {length} rows, expected {count}")
        made: dict[str, Any] = {}
        for name, column in COLUMNS.items():
            values = columns.get(name, np.arange(count) if name == "report" else column.default)
            made[name] = _text_column(name, values, count) if column.is_text else _number_column(name, values, count)
        _checked_place(made)
        return cls(made)

    @classmethod
    def empty(cls) -> Self:
        """A table without rows."""
        nothing: dict[str, Any] = {name: [] for name in REQUIRED}
        nothing["time"] = np.empty(0, "datetime64[s]")
        return cls.from_columns(nothing)

    def __len__(self) -> int:
        return self._count

    def __repr__(self) -> str:
        return f"Table({self._count} values, {self.count_reports()} reports)"

    def count_reports(self) -> int:
        """Number of distinct reports."""
        return len(np.unique(self.column("report")))

    def _column(self, name: str) -> Any:
        if name not in self._columns:
            raise _unknown(name, COLUMNS, "column")
        return self._columns[name]

    def column(self, name: str) -> np.ndarray:
        """Values of a column (n,), read-only; texts as unicode.

        Raises:
            InputError: no such column.
        """
        column = self._column(name)
        return column.texts() if isinstance(column, Coded) else column

    def codes(self, name: str) -> tuple[np.ndarray, tuple[str, ...]]:
        """Codes int32 (n,) of a text column and the words they point at; far cheaper than the texts.

        The words of `quantity` and `kind` are always `QUANTITIES` and `KINDS`.
        """
        column = self._column(name)
        if not isinstance(column, Coded):
            raise InputError(f"Column {name!r} of the observation table holds numbers, not texts")
        return column.codes, column.words

    def where(self, **texts: str | Iterable[str]) -> np.ndarray:
        """Mask (n,) of the rows whose text columns hold one of the given words: `where(kind="sonde")`."""
        mask = np.ones(self._count, dtype=bool)
        for name, wanted in texts.items():
            codes, words = self.codes(name)
            chosen = {wanted} if isinstance(wanted, str) else set(wanted)
            for word in chosen - set(COLUMNS[name].words) if COLUMNS[name].words else ():
                raise _unknown(word, COLUMNS[name].words, name)
            mask &= np.array([word in chosen for word in words] or [False])[codes]
        return mask

    def take(self, rows: np.ndarray | slice) -> Self:
        """The rows chosen by a mask (n,) or by indices; reports keep their numbers."""
        chosen = rows if isinstance(rows, slice) else np.asarray(rows)
        if not isinstance(chosen, slice):
            if chosen.dtype == bool and len(chosen) != self._count:
                raise InputError(f"The mask has {len(chosen)} rows, the observation table {self._count}")
            if len(chosen) == 0:
                chosen = chosen.astype(np.int64)
        return type(self)(
            {
                name: Coded(column.codes[chosen], column.words) if isinstance(column, Coded) else column[chosen]
                for name, column in self._columns.items()
            }
        )

    def with_columns(self, **columns: Any) -> Self:
        """Table with columns replaced (arrays (n,) or scalars).

        Raises:
            InputError: as `from_columns`.
        """
        return self.from_columns({**self._columns, **columns})

    def with_flags(self, rows: np.ndarray, flag: int) -> Self:
        """Table with the bits of `flag` set where the mask (n,) is True."""
        added = np.where(rows, np.uint32(flag), np.uint32(0))
        return self.with_columns(flags=self.column("flags") | added)

    @classmethod
    def concat(cls, tables: Iterable[Table]) -> Self:
        """Tables one after another; reports are numbered anew from 0 in order of first appearance of their number."""
        parts = [table for table in tables if len(table)]
        if not parts:
            return cls.empty()
        made: dict[str, Any] = {}
        for name, column in COLUMNS.items():
            if column.is_text:
                words = tuple(dict.fromkeys(word for part in parts for word in part.codes(name)[1]))
                made[name] = Coded(
                    np.concatenate([part._columns[name].onto(words).codes for part in parts]),  # type: ignore[union-attr]
                    words,
                )
            elif name == "report":
                numbers, start = [], 0
                for part in parts:
                    distinct, number = np.unique(part.column("report"), return_inverse=True)
                    numbers.append(number.astype(np.int64) + start)
                    start += len(distinct)
                made[name] = np.concatenate(numbers)
            else:
                made[name] = np.concatenate([part.column(name) for part in parts])
        return cls(made)

    def to_arrow(self) -> pa.Table:
        """Arrow table of all columns; texts dictionary-coded, times in seconds."""
        arrays = [
            pa.DictionaryArray.from_arrays(pa.array(column.codes), pa.array(column.words or ("",), pa.string()))
            if isinstance(column, Coded)
            else pa.array(column)
            for column in self._columns.values()
        ]
        table = pa.Table.from_arrays(arrays, names=list(self._columns))
        return table.replace_schema_metadata({_VERSION_KEY: str(SCHEMA_VERSION).encode()})

    @classmethod
    def from_arrow(cls, table: pa.Table) -> Self:
        """Table made of an Arrow table with the columns of this one; absent ones get their default.

        Raises:
            InputError: as `from_columns`, missing values where there is no NaN, or columns of a newer version.
        """
        version = int((table.schema.metadata or {}).get(_VERSION_KEY, b"1"))
        if version > SCHEMA_VERSION:
            raise InputError(
                f"The observation table has version {version} of its columns, this program knows up to "
                f"{SCHEMA_VERSION}; install a newer kaiseki"
            )
        columns: dict[str, Any] = {}
        for name in table.column_names:
            array = table.column(name).combine_chunks()
            kind = COLUMNS[name].dtype if name in COLUMNS else "float64"
            if array.null_count and kind != "float64":
                raise InputError(f"Column {name!r} of the observation table has missing values")
            if kind == "text":
                if pa.types.is_dictionary(array.type):
                    codes = np.asarray(array.indices, dtype=np.int32)
                    columns[name] = Coded(codes, tuple(array.dictionary.to_pylist()))
                else:
                    columns[name] = array
            elif kind == "datetime64[s]":
                columns[name] = array.to_numpy(zero_copy_only=False).astype(kind)
            else:
                columns[name] = array.to_numpy(zero_copy_only=False)
        return cls.from_columns(columns)

    def to_parquet(self, path: str | Path) -> None:
        """Write as Parquet, whole or not at all.

        Raises:
            StoreError: the file cannot be written.
            ResourceError: the disk is full.
        """
        # Arrow takes no path that is no text in the locale's encoding.
        with whole_file(Path(path)) as scratch, scratch.open("wb") as file:
            pq.write_table(self.to_arrow(), file, compression="zstd")

    @classmethod
    def from_parquet(cls, path: str | Path) -> Self:
        """Read a Parquet file written by `to_parquet` or by `windows.ObservationFile`, rows in the order of its table.

        Raises:
            InputError: no such file, not Parquet, or columns that do not fit.
        """
        try:
            with Path(path).open("rb") as file:
                table = pq.read_table(file)
        except FileNotFoundError as error:
            raise InputError(f"There is no file of observations at {path}") from error
        except (OSError, pa.ArrowInvalid) as error:
            raise InputError(f"{path} is not a Parquet file of observations: {error}") from error
        if {FILE_TIME, FILE_ORDER} <= set(table.column_names):
            table = table.unify_dictionaries().sort_by(FILE_ORDER).drop_columns([FILE_TIME, FILE_ORDER])
        try:
            return cls.from_arrow(table)
        except InputError as error:
            raise InputError(f"{path}: {error}") from error
