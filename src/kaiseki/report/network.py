"""The network: a map of stations used and withheld, and where the decoded observations lie."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np
from matplotlib.collections import PatchCollection
from matplotlib.colors import LogNorm
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle

from kaiseki.core.timing import format_utc, label
from kaiseki.report.basemap import Basemap, degrees
from kaiseki.report.maps import frame
from kaiseki.report.style import MAP_INK, MAP_MUTED, Picture, map_style, png_picture
from kaiseki.verification.departures import REJECTING_BITS

KIND_LOOKS = {
    "synop": ("#6b7783", ".", 14, "SYNOP"),
    "ship": ("#009E73", "s", 11, "ship"),
    "buoy": ("#E69F00", "D", 11, "buoy"),
    "aircraft": ("#CC79A7", "x", 13, "aircraft"),
    "satwind": ("#8c6bb1", "+", 16, "satellite wind"),
    "pilot": ("#56B4E9", "^", 24, "pilot balloon"),
    "sonde": ("#0072B2", "o", 34, "radiosonde"),
    "paob": ("#999999", "v", 12, "bogus pressure"),
}
"""Kinds of report in the order of drawing: colour, marker, size, name."""


def looks_of(kinds: Iterable[str]) -> dict[str, tuple[str, str, int, str]]:
    """Looks of the kinds that are there, in the order of drawing; those of plug-ins, which have none of their own, on
    top."""
    there = set(kinds)
    own = {kind: look for kind, look in KIND_LOOKS.items() if kind in there}
    other = {kind: ("#a5552a", "*", 34, kind.replace("_", " ")) for kind in sorted(there - KIND_LOOKS.keys())}
    return own | other


def station_map(table: Mapping[str, np.ndarray], base: Basemap, time: np.datetime64) -> Picture:
    """Reports of a window: used, withheld (ringed in vermilion) and those without a used value (pale)."""
    flags = table["flags"].astype(np.int64)
    counts = {}
    with map_style():
        figure, axes = frame(base, "Observations of the window, used and withheld", label(time), bar=True)
        base.draw(axes)
        base.rim(axes)
        for kind, (colour, marker, size, name) in looks_of(np.unique(table["kind"]).tolist()).items():
            places = _places(table, (table["kind"] == kind), flags)
            if places is None:
                continue
            x, y = base.place(places["latitude"], places["longitude"])
            west, east, south, north = base.extent
            visible = (x > west) & (x < east) & (y > south) & (y < north)
            used = visible & places["used"] & ~places["withheld"]
            held = visible & places["withheld"]
            idle = visible & ~places["used"] & ~places["withheld"]
            counts[name] = int(used.sum()), int(held.sum())
            style: dict[str, Any] = {"marker": marker, "s": size, "zorder": 5.2}
            line: dict[str, Any] = {"linewidths": 0.8} if marker in "x+" else {"linewidths": 0.0}
            axes.scatter(x[idle], y[idle], color=colour, alpha=0.25, **line, **style)
            axes.scatter(x[used], y[used], color=colour, **line, **style)
            axes.scatter(x[held], y[held], color=colour, **line, **style)
            axes.scatter(
                x[held], y[held], s=size * 1.5 + 26, marker="o", facecolors="none", edgecolors="#D55E00",
                linewidths=1.1, zorder=5.4,
            )  # fmt: skip
            axes.scatter(
                [],
                [],
                color=colour,
                marker=marker,
                s=size,
                linewidths=line["linewidths"],
                label=f"{name} ({used.sum()} used, {held.sum()} withheld)",
            )
        axes.scatter(
            [], [], s=50, marker="o", facecolors="none", edgecolors="#D55E00", linewidths=1.1, label="withheld"
        )
        axes.legend(
            loc="upper left", bbox_to_anchor=(0.0, -0.035), ncols=3, fontsize=6.5, borderaxespad=0.0,
            handletextpad=0.3, columnspacing=1.2, labelspacing=0.4,
        )  # fmt: skip
        words = "; ".join(f"{name} {used} used, {held} withheld" for name, (used, held) in counts.items())
        alt = f"Map of the reports of the window ending {format_utc(time)}: {words}."
        return png_picture(
            figure,
            alt,
            "Reports with a value used (full), withheld (ringed) or without a value used (pale); broken line: inner "
            "edge of the rim.",
        )


def _places(table: Mapping[str, np.ndarray], rows: np.ndarray, flags: np.ndarray) -> dict[str, np.ndarray] | None:
    """One entry per report, where its first value lies (balloons drift): used in part, withheld."""
    if not rows.any():
        return None
    reports, first, number = np.unique(table["report"][rows], return_index=True, return_inverse=True)
    withheld = table["withheld"][rows].astype(bool)
    used = (flags[rows] & REJECTING_BITS == 0) & ~withheld
    return {
        "latitude": table["latitude"][rows][first],
        "longitude": table["longitude"][rows][first],
        "used": np.bincount(number, used, reports.size) > 0,
        "withheld": np.bincount(number, withheld, reports.size) > 0,
    }


_INVENTORY_COLUMNS = (
    "kind", "quantity", "time", "west", "south", "values", "reports", "stations", "least", "mean", "greatest",
)  # fmt: skip


def inventory_csv(rows: Sequence[Mapping[str, Any]]) -> str:
    """The whole inventory as comma-separated text."""
    buffer = io.StringIO()
    writer = csv.DictWriter(buffer, _INVENTORY_COLUMNS, restval="", extrasaction="ignore", lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    return buffer.getvalue()


def inventory_table(rows: Sequence[Mapping[str, Any]], keys: Sequence[str]) -> list[dict[str, Any]]:
    """Counts and ranges by some of `kind`, `quantity`, `time`, `west`, `south`, summed over the others.

    A station that reports in several boxes or hours would be counted more than once, so stations are left out.
    """
    groups: dict[tuple[Any, ...], dict[str, Any]] = {}
    for row in rows:
        key = tuple(row[name] for name in keys)
        one = groups.setdefault(
            key, dict(zip(keys, key, strict=True)) | {"values": 0, "total": 0.0, "least": np.inf, "greatest": -np.inf}
        )
        one["values"] += row["values"]
        one["total"] += row["values"] * row["mean"]
        one["least"], one["greatest"] = min(one["least"], row["least"]), max(one["greatest"], row["greatest"])
    for one in groups.values():
        one["mean"] = one.pop("total") / one["values"] if one["values"] else 0.0
    return [groups[key] for key in sorted(groups)]


def longitudes(west: np.ndarray) -> tuple[float, float]:
    """First and last longitude of boxes of 10 degrees, so that they are in one piece: it begins east of the widest gap.

    Args:
        west: western edges (n,) of the boxes, degrees.
    """
    columns = np.unique(west % 360.0)
    gaps = np.diff(np.append(columns, columns[0] + 360.0))
    widest = int(gaps.argmax())
    first = float(columns[(widest + 1) % columns.size])
    first -= 360.0 if first >= 180.0 else 0.0
    return first, first + 370.0 - float(gaps[widest])


def inventory_maps(rows: Sequence[Mapping[str, Any]]) -> Picture | None:
    """Values by kind in boxes of 10 degrees over the globe; None without rows."""
    looks = looks_of(row["kind"] for row in rows)
    kinds = list(looks)
    if not kinds:
        return None
    totals = {kind: inventory_table([row for row in rows if row["kind"] == kind], ("west", "south")) for kind in kinds}
    greatest = max(box["values"] for boxes in totals.values() for box in boxes)
    west, south = (np.array([row[name] for row in rows], float) for name in ("west", "south"))
    # The part of the globe that has values, with a margin.
    first, last = longitudes(west)
    margin = min(10.0, 0.5 * (360.0 - (last - first)))
    span = [
        (first - margin, last + margin),
        (max(-90.0, south.min() - 10.0), min(90.0, south.max() + 20.0)),
    ]
    with map_style():
        columns = min(3, len(kinds))
        lines = -(-len(kinds) // columns)
        figure = Figure(figsize=(9.0, 0.75 + 1.75 * lines), layout="constrained")
        plots = np.atleast_1d(figure.subplots(lines, columns, sharex=True, sharey=True)).ravel()
        norm = LogNorm(1.0, max(10.0, greatest))
        shades = PatchCollection([])
        for axes, kind in zip(plots, kinds, strict=False):
            boxes = totals[kind]
            patches = [Rectangle(((box["west"] - first) % 360.0 + first, box["south"]), 10.0, 10.0) for box in boxes]
            shades = PatchCollection(patches, cmap="cividis_r", norm=norm, edgecolor="#fdfcf9", linewidth=0.3)
            shades.set_array(np.array([box["values"] for box in boxes], float))
            axes.add_collection(shades)
            count = sum(box["values"] for box in boxes)
            axes.set_title(f"{looks[kind][3]}: {count:,} values".replace(",", " "), fontsize=8.5, pad=3)
            ticks = np.arange(-180, 541, 60)
            axes.set_xticks(ticks, [degrees((tick + 180.0) % 360.0 - 180.0, "EW") for tick in ticks])
            axes.set_yticks([-90, -60, -30, 0, 30, 60, 90], ["90°S", "60°S", "30°S", "0°", "30°N", "60°N", "90°N"])
            axes.set_xlim(*span[0])
            axes.set_ylim(*span[1])
            axes.tick_params(labelsize=6.5, length=2, colors=MAP_MUTED)
            axes.grid(visible=True, linewidth=0.3, color="#c9cdd1")
        for axes in plots[len(kinds) :]:
            axes.set_visible(False)
        bar = figure.colorbar(shades, ax=list(plots), orientation="vertical", fraction=0.025, pad=0.01)
        bar.set_label("values per box of 10°", fontsize=8, color=MAP_INK)
        alt = "Maps of the number of decoded values in boxes of 10 degrees: " + "; ".join(
            f"{looks[kind][3]} {sum(box['values'] for box in totals[kind])} values" for kind in kinds
        )
        return png_picture(figure, alt + ".", "Values as they were decoded, by kind in boxes of 10 degrees.")
