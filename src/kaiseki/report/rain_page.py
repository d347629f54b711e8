"""The page of a demonstration of analysed precipitation: scores, factors of radars, maps of every hour."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import jinja2

from kaiseki.archive.store.metadata import program_version
from kaiseki.core.files import write_text
from kaiseki.core.timing import format_utc
from kaiseki.report.rain_maps import RainHour, rain_picture

_COLUMNS: Final = {
    "rmse": ("rms error (mm)", "{:.2f}"),
    "mae": ("mean abs. error (mm)", "{:.2f}"),
    "bias": ("amount / true amount", "{:.2f}"),
    "correlation": ("correlation", "{:.3f}"),
    "ets_1mm": ("eq. threat score, 1 mm", "{:.3f}"),
    "ets_10mm": ("eq. threat score, 10 mm", "{:.3f}"),
}
"""Scores that are shown: heading and format."""


@dataclass(frozen=True, eq=False, kw_only=True)
class RainStory:
    """What a page tells.

    Attributes:
        title: of the page.
        hours: to be mapped.
        scores: of each method by name, the last being that of the analysis.
        factors: of radars: radar, height (km), planted, found, error (relative).
        faulty: stations with a planted fault, and which.
        found: those of them that the quality control flagged.
        cells: number of cells that were scored.
        seconds: of an hour of analysis.
        limits: what the page does not show, sentences.
    """

    title: str
    hours: Sequence[RainHour]
    scores: Mapping[str, Mapping[str, float]]
    factors: Sequence[Mapping[str, Any]]
    faulty: Mapping[str, str]
    found: Sequence[str]
    cells: int
    seconds: float
    limits: Sequence[str]


def write_rain_page(story: RainStory, path: Path) -> Path:
    """Write the page, whole or not at all, and return its path.

    Raises:
        StoreError, ResourceError: the page cannot be written.
    """
    environment = jinja2.Environment(
        loader=jinja2.PackageLoader("kaiseki.report"),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    return write_text(path, environment.get_template("rain.html.j2").render(_context(story)))


def _context(story: RainStory) -> dict[str, Any]:
    first, last = story.hours[0].time, story.hours[-1].time
    ny, nx = story.hours[0].mean.shape
    caption = (
        "Truth and analysis: expected amount; radar: composite of the radars as they are; uncertainty: 80 % of what "
        "gauges would measure lies in an interval of this width. White circles are gauges without rain."
    )
    return {
        "title": story.title,
        "subtitle": f"{len(story.hours)} hours, to {format_utc(first)} … {format_utc(last)} · {nx} × {ny} cells",
        "tiles": _tiles(story),
        "heads": [heading for heading, _ in _COLUMNS.values()],
        "scored": f"Over the {story.cells:,} cells and hours that a radar sees, also far from gauges",
        "scores": [
            {
                "name": name,
                "ours": number == len(story.scores) - 1,
                "cells": [form.format(row[key]) for key, (_, form) in _COLUMNS.items()],
            }
            for number, (name, row) in enumerate(story.scores.items())
        ],
        "factors": [
            {
                "radar": row["radar"],
                "height": f"{row['height']:.1f}",
                "planted": f"{row['planted']:.2f}",
                "found": f"{row['found']:.2f}",
                "error": f"{100.0 * row['error']:+.1f} %",
            }
            for row in story.factors
        ],
        "faults": _faults(story),
        "pictures": [rain_picture(hour, caption) for hour in story.hours],
        "limits": list(story.limits),
        "clock": "; titles of maps tell Japan Standard Time too",
        "version": program_version(),
    }


def _tiles(story: RainStory) -> list[dict[str, str]]:
    """Errors of the analysis against each other method, in per cent."""
    *others, ours = story.scores.items()
    tiles = []
    for name, row in others:
        change = 100.0 * (ours[1]["rmse"] / row["rmse"] - 1.0)
        tiles.append(
            {
                "kind": "better" if change < 0.0 else "worse",
                "value": f"{change:+.0f} %".replace("-", "−"),
                "what": "rms error of the analysis",
                "detail": f"against: {name} ({ours[1]['rmse']:.2f} and {row['rmse']:.2f} mm)",
            }
        )
    if "coverage_80" in ours[1]:
        tiles.append(
            {
                "kind": "",
                "value": f"{100.0 * ours[1]['coverage_80']:.0f} %",
                "what": "of the truth lies within the 80 % interval",
                "detail": "of cells with at least 0.1 mm, true or analysed; the interval is for gauges, which err too",
            }
        )
    tiles.append({"kind": "", "value": f"{story.seconds:.1f} s", "what": "for an hour", "detail": "on this machine"})
    return tiles


def _faults(story: RainStory) -> str:
    told = "; ".join(
        f"{name} {fault}: {'flagged' if name in story.found else 'not flagged'}" for name, fault in story.faulty.items()
    )
    return f"Faults planted into gauges, and whether the quality control flagged them: {told}."
