"""What a release takes: bytes, bits per value, the size of a year of the full configuration, the errors made."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import zarr
from zarr.core.sync import sync

from kaiseki.archive.release import schema
from kaiseki.archive.release.encoding import packing_of
from kaiseki.archive.release.store import QUALITY, ReleaseStore, names_of, states_of
from kaiseki.archive.store.arrays import array_at, axes_of, values_at
from kaiseki.archive.store.storage import Location
from kaiseki.core.progress import Progress
from kaiseki.core.variables import variable

FULL: Final = {"y": 661, "x": 817, "level": 96, "soil_level": 4}
"""Cells and levels of the full configuration, that of RRJ-ClimCORE."""

PLANNED_BYTES: Final = 1.2e13
"""Bytes a year that the plan of ClimCORE foresees: 1.2 TB for each of ten variables on model levels."""

HOURS: Final = 8766
"""Hours in a mean year."""


@dataclass(frozen=True)
class Size:
    """What one variable takes.

    Attributes:
        group, name: of the variable.
        layout: "core", "map" or "series".
        stored: bytes in the store.
        values: number of values of the times that were produced.
        bound: declared largest error, None where every bit is kept.
        error: largest error that packing made, None where it is not known.
        year: bytes of a year of the full configuration at the same bits per value.
    """

    group: str
    name: str
    layout: str
    stored: int
    values: int
    bound: float | None
    error: float | None
    year: float

    @property
    def bits(self) -> float:
        """Bits per value."""
        return 8.0 * self.stored / self.values if self.values else 0.0


def sizes(
    location: Location, version: str | None = QUALITY, *, storage_options: Mapping[str, Any] | None = None
) -> list[Size]:
    """What every variable of a release takes, in all layouts.

    Args:
        location: of the release store.
        version: a tag, "quality", or None for what was published last.
        storage_options: for S3, see `storage.resolve`.
    """
    store = ReleaseStore.open(location, "r", storage_options=storage_options)
    root = store.root(version)
    result = []
    names = [
        (group, name) for group in schema.GROUPS.values() if group.name in root for name in names_of(root, group.name)
    ]
    with Progress("reporting", len(names), unit="variable") as progress:
        for group, name in names:
            place = f"{schema.LEDGER}/{group.name}/statistics/{name}"
            made = values_at(root, place)[:, schema.STATISTICS.index("largest_error")]
            error = float(np.nanmax(made)) if np.isfinite(made).any() else None
            for layout in ("core", *group.copies):
                size = _size(root, group, name, layout, store.times, error)
                if size is not None:
                    result.append(size)
            progress.advance(1, f"{group.name} {name}")
    return result


def _size(
    root: zarr.Group, group: schema.Group, name: str, layout: str, times: schema.Times, error: float | None
) -> Size | None:
    """What one layout of a variable takes, None where it is not there or empty."""
    copy = "" if layout == "core" else layout
    place = "/".join(part for part in (copy, group.name, name) if part)
    if place not in root:
        return None
    array = array_at(root, place)
    produced = int(np.count_nonzero(states_of(root, group.name, copy)))
    if not produced:
        return None
    # The chunks alone: descriptions of arrays count for nothing in a year.
    stored = int(array.nbytes_stored()) - int(sync(array.store.getsize(f"{array.path}/zarr.json")))
    axes = axes_of(array)
    full = float(HOURS * times.steps[group.axis] / 24)
    for axis, length in zip(axes[1:], array.shape[1:], strict=True):
        full *= FULL.get(axis, length)
    values = produced * int(np.prod(array.shape[1:]))
    packing = packing_of(variable(name), root.attrs["bounds"])  # type: ignore[arg-type]
    return Size(
        group.name,
        name,
        layout,
        stored,
        values,
        None if packing is None else packing.bound,
        error,
        full * stored / values,
    )


def as_mapping(rows: list[Size]) -> dict[str, Any]:
    """The sizes for JSON, with their sums."""
    return {
        "variables": [
            {
                "group": row.group,
                "name": row.name,
                "layout": row.layout,
                "bytes": row.stored,
                "bits_per_value": round(row.bits, 3),
                "bound": row.bound,
                "largest_error": row.error,
                "terabytes_per_year": round(row.year / 1e12, 5),
            }
            for row in rows
        ],
        "bytes": sum(row.stored for row in rows),
        "terabytes_per_year": round(sum(row.year for row in rows) / 1e12, 4),
        "bounds_held": all(row.bound is None or row.error is None or row.error <= row.bound for row in rows),
    }


def as_text(rows: list[Size]) -> str:
    """The sizes as a table for people."""
    widths = {"group": -16, "variable": -30, "layout": -8, "bytes": 14, "bits": 7, "bound": 10, "error": 11, "TB/yr": 9}
    lines = ["".join(name.ljust(-width) if width < 0 else name.rjust(width) for name, width in widths.items())]
    for row in rows:
        bound = "lossless" if row.bound is None else f"{row.bound:g}"
        error = "" if row.error is None else f"{row.error:.3g}"
        lines.append(
            f"{row.group:<16}{row.name:<30}{row.layout:<8}{row.stored:>14,}{row.bits:>7.2f}{bound:>10}{error:>11}"
            f"{row.year / 1e12:>9.4f}"
        )
    total = sum(row.year for row in rows)
    lines.append(
        f"{sum(row.stored for row in rows):,} bytes; a year of {FULL['x']} x {FULL['y']} points with {FULL['level']} "
        f"levels would take {total / 1e12:.2f} TB at these bits per value (RRJ-ClimCORE plans "
        f"{PLANNED_BYTES / 1e12:.0f} TB a year)"
    )
    return "\n".join(lines)
