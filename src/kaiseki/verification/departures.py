"""Departures of several experiments from the same observations, side by side.

A comparison is fair only on the same observations: rows that one experiment has no departure for are left out for all.
Which values are trusted, assimilated or withheld is read from one table, that of the reference experiment.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from kaiseki.core.errors import InputError
from kaiseki.grid import Domain

TableColumns = Mapping[str, np.ndarray]
"""Columns of the observation table by name, one value per row; texts as unicode or object arrays."""

WRONG_BITS = 0b0_0010_1000_0111_1111
"""Bits of `flags` with which a value is not to be trusted, for verification too (`observations.flags.WRONG`)."""

REJECTING_BITS = 0b0_1111_1111_1111_1111
"""Bits of `flags` with which a value is not assimilated (`observations.flags.REJECTING`)."""

NO_EQUIVALENT_BITS = (1 << 9) | (1 << 14)
"""Bits of `flags` that say that the model has no equivalent: outside the domain, below ground, another height."""

IDENTITY = ("time", "latitude", "longitude", "pressure", "kind", "station", "quantity", "level", "value")
"""What makes two rows of two tables the same observation."""

NEEDED = (*IDENTITY, "withheld", "flags")
"""Columns without which nothing can be scored."""

ALSO = ("error",)
"""Columns that are kept where the reference has them."""

GROSS = 8.0
"""Robust standard deviations beyond which a value that no experiment comes near to is taken for a gross error."""

AGAINST = ("withheld", "assimilated")


@dataclass(frozen=True)
class Departures:
    """Observations and the departures y - H(x) of several experiments from them.

    Attributes:
        columns: `NEEDED` columns, those of `ALSO` that are known, and what is added to them, (n,) each.
        values: departures by experiment, (n,) each, all finite.
    """

    columns: TableColumns
    values: Mapping[str, np.ndarray]

    def __len__(self) -> int:
        return len(self.columns["time"])

    def take(self, rows: np.ndarray) -> Departures:
        """The rows of a mask or of indices."""
        columns = {name: column[rows] for name, column in self.columns.items()}
        return Departures(columns, {name: value[rows] for name, value in self.values.items()})

    def keep(self, *experiments: str) -> Departures:
        """Departures of these experiments alone."""
        return Departures(self.columns, {name: self.values[name] for name in experiments})

    def against(self, which: str) -> Departures:
        """The rows that were "withheld" (and that no check doubts), or "assimilated".

        Raises:
            InputError: neither.
        """
        if which not in AGAINST:
            raise InputError(f"Departures are scored against {' or '.join(AGAINST)} observations, not {which!r}")
        withheld = self.columns["withheld"].astype(bool)
        flags = self.columns["flags"].astype(np.int64)
        if which == "withheld":
            return self.take(withheld & (flags & (WRONG_BITS | NO_EQUIVALENT_BITS) == 0))
        return self.take(~withheld & (flags & REJECTING_BITS == 0))

    def inside(self, domain: Domain) -> Departures:
        """The rows inside the rim of the domain."""
        return self.take(inside_rim(domain, self.columns["latitude"], self.columns["longitude"]))

    def plausible(self, tolerance: float = GROSS) -> Departures:
        """The rows that at least one experiment comes near to.

        Withheld values pass no check against their neighbours, so some are gross errors (a pressure 30 hPa off). A
        value is left out, for all experiments alike, when even the nearest of them is further away than `tolerance`
        robust standard deviations (1.4826 times the median absolute departure of that experiment) of its kind and
        quantity.
        """
        if len(self) == 0:
            return self
        group = codes([np.asarray(self.columns[name]) for name in ("kind", "quantity")])
        sizes = np.full((len(self.values), len(self)), np.inf)
        for number, values in enumerate(self.values.values()):
            for one in np.unique(group):
                rows = group == one
                spread = 1.4826 * np.median(np.abs(values[rows]))
                sizes[number, rows] = np.abs(values[rows]) / spread if spread > 0.0 else 0.0
        return self.take(sizes.min(axis=0) <= tolerance)


def inside_rim(domain: Domain, latitude: np.ndarray, longitude: np.ndarray) -> np.ndarray:
    """Mask (n,) of the places that lie in a cell inside the rim."""
    j, i = domain.index(latitude, longitude)
    row, column = np.rint(j).astype(int), np.rint(i).astype(int)
    within = (row >= 0) & (row < domain.ny) & (column >= 0) & (column < domain.nx)
    result = np.zeros(within.shape, bool)
    result[within] = domain.inside_rim[row[within], column[within]]
    return result


def codes(columns: Sequence[np.ndarray]) -> np.ndarray:
    """One number (n,) per row that is equal where all columns are; NaN counts as equal to NaN."""
    code = np.zeros(len(columns[0]), np.int64)
    for column in columns:
        values = column.astype(np.str_) if column.dtype == object else column
        _, part = np.unique(values, return_inverse=True)
        _, code = np.unique(code * (int(part.max(initial=0)) + 1) + part, return_inverse=True)
    return code


def align(reference: TableColumns, experiments: Mapping[str, tuple[TableColumns, str]]) -> Departures:
    """The observations of `reference` for which every experiment has a departure.

    Args:
        reference: columns of the table that decides what is trusted, withheld and assimilated.
        experiments: by name, the columns of its table and which of them holds its departures
            ("background_departure" or "analysis_departure").

    Returns:
        The common rows in the order of `reference`; an observation that stands twice in a table counts once.

    Raises:
        InputError: a column is missing, or no experiments.
    """
    if not experiments:
        raise InputError("There is no experiment to score; give at least one table of departures")
    _check("reference", reference, NEEDED)
    tables = [reference]
    for name, (columns, departure) in experiments.items():
        _check(name, columns, (*IDENTITY, departure))
        tables.append(columns)
    sizes = [len(table["time"]) for table in tables]
    code = codes([np.concatenate([np.asarray(table[name]) for table in tables]) for name in IDENTITY])
    parts = np.split(code, np.cumsum(sizes)[:-1])
    wanted, first = np.unique(parts[0], return_index=True)
    keep = np.ones(wanted.size, bool)
    found: dict[str, np.ndarray] = {}
    for part, (name, (columns, departure)) in zip(parts[1:], experiments.items(), strict=True):
        values = np.full(int(code.max(initial=0)) + 1, np.nan)
        values[part] = columns[departure]
        found[name] = values[wanted]
        keep &= np.isfinite(found[name])
    order = np.argsort(first[keep])
    rows = first[keep][order]
    return Departures(
        {name: np.asarray(reference[name])[rows] for name in (*NEEDED, *ALSO) if name in reference},
        {name: values[keep][order] for name, values in found.items()},
    )


def pool(parts: Sequence[Departures]) -> Departures:
    """Several tables as one: the folds of a cross-validation, or several cycles.

    A station that occurs in several parts stays one station for the bootstrap.

    Raises:
        InputError: no parts, or they hold different experiments.
    """
    if not parts:
        raise InputError("There is nothing to pool; give at least one table of departures")
    names = set(parts[0].values)
    for part in parts[1:]:
        if set(part.values) != names:
            raise InputError(
                f"Only tables of the same experiments can be pooled; got {', '.join(sorted(names))} and "
                f"{', '.join(sorted(part.values))}"
            )
    columns = {name: np.concatenate([np.asarray(part.columns[name]) for part in parts]) for name in NEEDED}
    return Departures(columns, {name: np.concatenate([part.values[name] for part in parts]) for name in sorted(names)})


def _check(where: str, columns: TableColumns, names: Sequence[str]) -> None:
    missing = [name for name in names if name not in columns]
    if missing:
        raise InputError(f"The observation table of {where} lacks the column {missing[0]!r}, which scores need")
