"""The columns of the observation table: name, type, default."""

from __future__ import annotations

from typing import Any, Final, NamedTuple

import numpy as np

from kaiseki.core.observables import KINDS, QUANTITIES


class Column(NamedTuple):
    """One column: NumPy type ("text" for dictionary-coded strings), default of a row, the only words allowed."""

    dtype: str
    default: Any
    words: tuple[str, ...] = ()

    @property
    def is_text(self) -> bool:
        """Whether the column holds dictionary-coded strings."""
        return self.dtype == "text"


_NAN: Final = float("nan")

COLUMNS: Final[dict[str, Column]] = {
    "report": Column("int64", None),
    "time": Column("datetime64[s]", None),
    "latitude": Column("float64", None),
    "longitude": Column("float64", None),
    "pressure": Column("float64", _NAN),
    "height": Column("float64", _NAN),
    "station_elevation": Column("float64", _NAN),
    "level": Column("int32", 0),
    "quantity": Column("text", None, QUANTITIES),
    "value": Column("float64", None),
    "error": Column("float64", _NAN),
    "error_group": Column("int32", 0),
    "kind": Column("text", None, KINDS),
    "report_type": Column("int32", 0),
    "station": Column("text", ""),
    "source": Column("text", ""),
    "licence": Column("text", ""),
    "quality_mark": Column("int32", -1),
    "flags": Column("uint32", 0),
    "withheld": Column("bool", False),
    "bias_correction": Column("float64", _NAN),
    "background_departure": Column("float64", _NAN),
    "analysis_departure": Column("float64", _NAN),
    "spread": Column("float64", _NAN),
}
"""Columns in their printed order; a default of None marks a column that must be given (`report`: one per row)."""

REQUIRED: Final[tuple[str, ...]] = ("time", "latitude", "longitude", "quantity", "value", "kind")
"""Columns without which a table makes no sense."""


def empty_column(name: str) -> np.ndarray:
    """A column of this name with no rows (texts as unicode)."""
    column = COLUMNS[name]
    return np.empty(0, dtype="U1" if column.is_text else column.dtype)
