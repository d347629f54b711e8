"""Checks of the axes in time and height of a release and of its fixed fields."""

from __future__ import annotations

from typing import Any

import numpy as np
import zarr

from kaiseki.archive.care.faults import Verification
from kaiseki.archive.release import schema
from kaiseki.archive.store.arrays import array_at, values_at
from kaiseki.archive.store.schema import TIME_ATTRIBUTES, decode_time


def check_axes(root: zarr.Group, times: schema.Times, found: Verification) -> None:
    """Check the axes in time and height of all groups, and the static fields."""
    for group in schema.GROUPS.values():
        if group.name not in root:
            continue
        with found.reading(group.name, "time"):
            _check_time(root, group, times, found)
        name = group.name.removesuffix("_levels")
        if name in ("pressure", "height"):
            with found.reading(group.name, name):
                values = values_at(root, f"{group.name}/{name}")
                if not (np.isfinite(values).all() and (values > 0.0).all() and np.unique(values).size == values.size):
                    found.add("axis", f"levels must be positive and different; they are {values}", group.name, name)
    members: Any = root[schema.STATIC]
    for name in sorted(members.array_keys()):
        with found.reading(schema.STATIC, name):
            _check_static(name, values_at(members, name), found)


def _check_time(root: zarr.Group, group: schema.Group, times: schema.Times, found: Verification) -> None:
    array = array_at(root, f"{group.name}/time")
    have, planned = decode_time(values_at(root, f"{group.name}/time")), times.axis(group.axis)
    if array.attrs.get("units") != TIME_ATTRIBUTES["units"]:
        found.add("axis", f"the units of time are {array.attrs.get('units')!r}", group.name, "time")
    if have.shape != planned.shape:
        text = f"{have.size} times, where {planned.size} were laid out"
        found.add("axis", text, group.name, "time")
        return
    if not np.array_equal(have, planned):
        first = int(np.flatnonzero(have != planned)[0])
        order = "" if (np.diff(have) > np.timedelta64(0, "s")).all() else "; times do not rise"
        text = f"time {first} is {have[first]}, where {planned[first]} was laid out{order}"
        found.add("axis", text, group.name, "time", str(planned[first].astype("datetime64[D]")))


_LIMITS = {"lat": (-90.0, 90.0), "lon": (-360.0, 360.0), "land_fraction": (0.0, 1.0), "rim": (0.0, 1.0)}


def _check_static(name: str, values: np.ndarray, found: Verification) -> None:
    if values.dtype.kind not in "fiu":
        return
    wrong = ~np.isfinite(values)
    if wrong.any():
        place = tuple(int(index) for index in np.argwhere(wrong)[0])
        found.add("coordinate", f"{int(wrong.sum())} values are not finite, first at {place}", schema.STATIC, name)
        return
    low, high = _LIMITS.get(name, (-np.inf, np.inf))
    if values.size and not (low <= values.min() and values.max() <= high):
        text = f"values from {values.min():g} to {values.max():g} pass the limits {low:g} to {high:g}"
        found.add("coordinate", text, schema.STATIC, name)
    if name in ("level", "x", "y") and values.ndim == 1 and not (np.diff(values) > 0.0).all():
        found.add("coordinate", "values do not rise", schema.STATIC, name)
