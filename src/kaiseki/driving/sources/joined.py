"""Several files of one analysis as one: joined along time."""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from pathlib import Path

import numpy as np
import xarray as xr

from kaiseki.core.errors import InputError
from kaiseki.core.timing import format_utc
from kaiseki.driving.sources.registry import read_global

_PACKED = 3e-5
"""Part of the range of a field by which equal values may differ, packed in 16 bits by another scale in each file."""
_AXIS = 1e-6
"""Part of the range of an axis by which equal coordinates may differ in single precision."""


def read_joined(paths: Sequence[str | Path]) -> xr.Dataset:
    """Read files that hold the same fields on the same grid at different times into one Dataset, times rising.

    A time may stand in two files, as at the seams of monthly files, if both say the same.

    Args:
        paths: the files, in any order.

    Returns:
        The common form, as of `read_global`; its attribute `file` names the files.

    Raises:
        InputError: no file is named, one cannot be read, they differ in fields, grid or what does not change in time,
            or two hold different values at one time.
    """
    if not paths:
        raise InputError("No file of driving data is named; give at least one.")
    parts = [read_global(path) for path in paths]
    for path, part in zip(paths[1:], parts[1:], strict=True):
        _check_alike(parts[0], part, paths[0], path)
    origin = np.concatenate([np.full(part.sizes["time"], number) for number, part in enumerate(parts)])
    times = np.concatenate([part["time"].values for part in parts])
    order = np.argsort(times, kind="stable")
    kept = [order[0]]
    starts = np.cumsum([0, *(part.sizes["time"] for part in parts)])
    for index in order[1:]:
        if times[index] != times[kept[-1]]:
            kept.append(index)
            continue
        one, two = (parts[origin[i]].isel(time=int(i - starts[origin[i]])) for i in (kept[-1], index))
        if name := _different(one, two, list(one.data_vars)):
            raise InputError(
                f"{paths[origin[kept[-1]]]} and {paths[origin[index]]} hold different values of {name} at "
                f"{format_utc(times[index])}; name only one of them."
            )
    if len(parts) == 1:
        return parts[0]
    varying = [name for name in parts[0].data_vars if "time" in parts[0][name].dims]
    fixed = parts[0].drop_vars(["time", *varying])
    # Axes that agree within rounding are those of the first file.
    alike = [part[varying].assign_coords(fixed.coords) for part in parts]
    joined = xr.concat(alike, "time", join="exact", combine_attrs="drop_conflicts").isel(time=kept)
    filled = {level for part in parts for level in str(part.attrs.get("humidity_filled_at", "")).split()}
    attributes = parts[0].attrs | {"file": _names([part.attrs["file"] for part in parts])}
    if filled:
        attributes["humidity_filled_at"] = " ".join(sorted(filled, key=float, reverse=True))
    return joined.assign(dict(fixed.data_vars)).assign_attrs(attributes)


def _names(names: Sequence[str]) -> str:
    return ", ".join(names) if len(names) <= 3 else f"{names[0]} and {len(names) - 1} more files"


def _check_alike(first: xr.Dataset, other: xr.Dataset, first_path: str | Path, other_path: str | Path) -> None:
    """Refuse a file that does not continue the first."""
    both = f"{first_path} and {other_path}"
    if lacking := sorted(map(str, set(first.data_vars) ^ set(other.data_vars))):
        raise InputError(
            f"{both} do not hold the same fields: only one has {', '.join(lacking)}; name files of one kind, and a sea "
            "temperature of its own under driving.sea_temperature_files."
        )
    for name in first.dims:
        if name != "time" and (first.sizes[name] != other.sizes[name] or _different(first, other, [name], _AXIS)):
            raise InputError(f"{both} differ in their {name}; name files on one grid and the same levels.")
    static = [name for name in first.data_vars if "time" not in first[name].dims]
    if name := _different(first, other, static):
        raise InputError(
            f"{both} differ in {name}, which does not change in time within one analysis system; end the run where the "
            "system changes."
        )


def _different(
    one: xr.Dataset, two: xr.Dataset, names: Sequence[Hashable], tolerance: float = _PACKED
) -> Hashable | None:
    """The first of the variables in which the two differ by more than rounding, missing values included."""
    for name in names:
        a, b = (np.asarray(part[name].values, float) for part in (one, two))
        known = a[np.isfinite(a)]
        spread = float(np.ptp(known)) if known.size else 0.0
        if not np.allclose(a, b, rtol=1e-7, atol=tolerance * spread, equal_nan=True):
            return name
    return None
