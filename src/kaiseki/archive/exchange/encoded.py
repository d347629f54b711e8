"""Variables as a file stores them: times as numbers, fields as they are or packed within their declared error."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import xarray as xr

from kaiseki.archive.exchange.ahead import blocks
from kaiseki.archive.exchange.cf import PERIOD_UNITS, TIME_UNITS, bounds_of, is_coordinate
from kaiseki.archive.release.encoding import BoundSet, Packing, pack, packing_of
from kaiseki.archive.store.schema import TIME_ATTRIBUTES
from kaiseki.core.errors import InputError
from kaiseki.core.variables import VARIABLES, Variable

_OF_OTHER_ENCODINGS: Final = ("_FillValue", "missing_value", "scale_factor", "add_offset", "dtype")


@dataclass(frozen=True, eq=False)
class EncodedVariable:
    """One variable as a file stores it; its values are read and encoded block by block.

    Attributes:
        name: of the variable.
        dims: names of its dimensions.
        shape: of the array.
        dtype: of the values that are stored.
        attributes: CF attributes, with `scale_factor` of the type to which the values are unpacked, without
            `_FillValue`.
        fill: the stored value that means missing, None where nothing may be missing.
        packing: how a field becomes integers, None where the values are kept.
        source: the lazy variable.
    """

    name: str
    dims: tuple[str, ...]
    shape: tuple[int, ...]
    dtype: np.dtype
    attributes: Mapping[str, Any]
    fill: Any
    packing: Packing | None
    source: xr.Variable

    def block(self, **indexers: int | slice) -> np.ndarray:
        """The stored values of a part, named by its dimensions.

        Raises:
            InputError: a value that its packing refuses: infinite or outside the physical range.
            StoreError: the archive cannot be read.
        """
        values = np.asarray(self.source.isel(indexers, missing_dims="ignore").values)
        return values.astype(self.dtype, copy=False) if self.packing is None else pack(values, self.packing)

    def blocks(self, days: Mapping[str, list[slice]]) -> Iterator[dict[str, slice]]:
        """Parts that are read and written one after another, see `ahead.blocks`; a single one where it has no times.

        Args:
            days: of each dimension of time, as of `ahead.days_along`.
        """
        return blocks(dict(zip(self.dims, self.shape, strict=True)), self.source.dtype.itemsize, days)


def encoded(
    dataset: xr.Dataset, bounds: BoundSet = "lossless", rows: Mapping[str, Variable] = VARIABLES
) -> list[EncodedVariable]:
    """All variables of a dataset of `cf.cf_dataset`, coordinates first.

    Args:
        dataset: from `cf.cf_dataset`.
        bounds: set of bounds within which fields are packed; "lossless" keeps every bit. A field without a row in the
            table of variables has no declared bound and is kept.
        rows: the table of variables by the names of the dataset.

    Raises:
        InputError: a variable of a type that no file here can hold.
    """
    names = [*dataset.coords, *dataset.data_vars]
    return [_encoded(dataset, str(name), bounds, rows.get(str(name))) for name in names]


def _encoded(dataset: xr.Dataset, name: str, bounds: BoundSet, row: Variable | None) -> EncodedVariable:
    variable, fixed = dataset.variables[name].to_base_variable(), is_coordinate(dataset, name)
    attributes = {key: value for key, value in variable.attrs.items() if key not in _OF_OTHER_ENCODINGS}
    if variable.dtype.kind in "mM":
        variable = _as_numbers(variable, name)
        attributes |= variable.attrs
    if name in bounds_of(dataset):
        # Bounds take units and calendar from their coordinate (CF 7.1).
        attributes = {}
    if variable.dtype.kind == "b":
        # Files know no truth values, but flags.
        variable = xr.Variable(variable.dims, variable.values.astype(np.int8))
        attributes |= {"flag_values": np.array([0, 1], np.int8), "flag_meanings": "false true"}
    kind = variable.dtype.kind
    if kind not in "fiuU" and not (kind == "O" and fixed):
        raise InputError(f"The variable {name!r} has the type {variable.dtype}, which cannot be exported; leave it out")
    packing = packing_of(row, bounds) if row is not None and kind == "f" and not fixed else None
    dtype, fill = variable.dtype, None if fixed or kind != "f" else variable.dtype.type(np.nan)
    if packing is not None:
        dtype, fill = packing.dtype, packing.dtype.type(packing.fill)
        # CF 8.1: 16-bit integers unpack to single precision, longer ones to double, by the type of the factor.
        factor = np.float32 if dtype.itemsize <= 2 else np.float64
        attributes |= {"scale_factor": factor(packing.step), "maximum_absolute_error": packing.bound}
    return EncodedVariable(
        name, tuple(map(str, variable.dims)), variable.shape, dtype, attributes, fill, packing, variable
    )


def _as_numbers(variable: xr.Variable, name: str) -> xr.Variable:
    """Times as whole seconds since 1970, intervals as whole seconds.

    Raises:
        InputError: a time is missing or has fractions of a second.
    """
    values = variable.values
    if np.isnat(values).any():
        raise InputError(f"{name!r} has missing times, which cannot be exported; leave those out")
    whole = values.astype(f"{variable.dtype.kind}8[s]")
    if np.any(whole != values):
        raise InputError(f"{name!r} has times with fractions of a second, which cannot be exported; round them before")
    if variable.dtype.kind == "M":
        return xr.Variable(
            variable.dims, whole.astype(np.int64), {"units": TIME_UNITS, "calendar": TIME_ATTRIBUTES["calendar"]}
        )
    return xr.Variable(variable.dims, whole.astype(np.int64), {"units": PERIOD_UNITS})
