"""Means, sums and extremes of fields that arrive one after the other, missing values left out."""

from __future__ import annotations

from collections.abc import Hashable, Sequence

import numpy as np

STATISTICS = ("mean", "sum", "minimum", "maximum")
WORDS = {"mean": "mean", "sum": "sum", "minimum": "lowest", "maximum": "highest"}


class Accumulation:
    """Sums, extremes and number of valid values at each point of fields that are added one by one.

    Sums are in double precision and in the order of the fields, so that a result does not depend on how many are read
    at once. Memory: 4 bytes a point for the number, 8 for a sum or mean, those of the field for each extreme.

    Args:
        shape: of a field.
        dtype: of the fields and results.
        statistics: what will be asked for.
    """

    def __init__(self, shape: tuple[int, ...], dtype: np.dtype, statistics: Sequence[str]) -> None:
        self.count = np.zeros(shape, np.int32)
        self._dtype = dtype
        self._total = np.zeros(shape) if {"mean", "sum"} & set(statistics) else None
        self._low = np.full(shape, np.nan, dtype) if "minimum" in statistics else None
        self._high = np.full(shape, np.nan, dtype) if "maximum" in statistics else None

    def add(self, field: np.ndarray) -> None:
        """Take in one field, NaN where a value is missing."""
        valid = ~np.isnan(field)
        self.count += valid
        if self._total is not None:
            if valid.all():
                self._total += field
            else:
                np.add(self._total, field, out=self._total, where=valid)
        if self._low is not None:
            np.fmin(self._low, field, out=self._low)
        if self._high is not None:
            np.fmax(self._high, field, out=self._high)

    def result(self, statistic: str, least: int) -> np.ndarray:
        """A statistic at each point, NaN where fewer than `least` values, or none, are valid."""
        values: np.ndarray | None
        if statistic == "mean" and self._total is not None:
            values = self._total / np.maximum(self.count, 1)
        else:
            values = {"sum": self._total, "minimum": self._low, "maximum": self._high}[statistic]
        assert values is not None, f"{statistic} was not asked for"
        return np.where(self.count >= max(least, 1), values, np.nan).astype(self._dtype)


def count_attributes(name: Hashable, what: str) -> dict[str, str]:
    """CF attributes of the number of values that the statistics of a variable rest on."""
    return {"standard_name": "number_of_observations", "long_name": f"number of {what} of {name}", "units": "1"}


def least_number(share: float, expected: int) -> int:
    """Smallest number of values that is a share of those expected; the share of a third of 24 is eight."""
    return int(np.ceil(share * expected - 1e-9))
