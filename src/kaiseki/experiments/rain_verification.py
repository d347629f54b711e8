"""Rain of several sources against an analysis of precipitation, side by side: threat score, bias, fractions skill.

The comparisons by which regional reanalyses are judged: gauges interpolated, a global reanalysis interpolated, the
model without assimilation, an operational model; and the reanalysis itself.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

import numpy as np

from kaiseki.core.errors import InputError
from kaiseki.core.progress import Progress
from kaiseki.experiments.rain_series import RainSeries
from kaiseki.verification.rain import RainCounts, RainVerification, side_by_side, verify_rain

SOURCES: Final = (
    "reanalysis",
    "gauges interpolated",
    "global reanalysis interpolated",
    "model without assimilation",
    "operational model",
)
"""Sources in the order of tables; one that is not at hand is named as absent."""


def compare_rain(
    sources: Mapping[str, Sequence[RainSeries] | None],
    analysis: RainSeries,
    settings: RainVerification | None = None,
    leads: tuple[int, int] = (3, 15),
) -> dict[str, RainCounts | None]:
    """Counts of every source against an analysis; None for a source that is absent or has no time in common.

    Args:
        sources: series by name, None for what is absent.
        analysis: of precipitation.
        settings: what is asked.
        leads: first and last lead time of forecasts, h; what is no forecast is taken whole.

    Raises:
        InputError: no source has a time in common with the analysis.
    """
    settings = settings or RainVerification()
    found: dict[str, RainCounts | None] = {}
    for name, series in sources.items():
        parts = [part for one in series or () for part in _counts(one, analysis, settings)]
        kept = RainCounts.pooled(parts) if parts else None
        if kept is not None:
            wanted = (kept.lead < 0) | ((kept.lead >= leads[0]) & (kept.lead <= leads[1]))
            kept = kept.chosen(wanted)
        found[name] = None if kept is None or not kept.days.size else kept
    if all(one is None for one in found.values()):
        raise InputError(
            f"No source has a sum of {settings.hours} h in common with {analysis.name}; give times that both have"
        )
    return found


def _counts(one: RainSeries, analysis: RainSeries, settings: RainVerification) -> list[RainCounts]:
    """Counts of a series, span after span."""
    parts = []
    spans = [(one.start, one.time[-1])] if one.start is not None else list(one.spans())
    with Progress(f"verifying {one.name}", len(spans), unit="span") as progress:
        for first, last in spans:
            theirs = analysis.between(first, last)
            ours = one.between(first, last) if theirs is not None else None
            if ours is not None and theirs is not None:
                parts.append(verify_rain([ours], theirs, settings))
            progress.advance(1, str(np.datetime64(first, "h")))
    # A sum that is known in no box of both is no case.
    known = [part.chosen(part.amounts[:, 0] > 0.0) for part in parts]
    return [part for part in known if part.days.size]


def rows_of(counts: Mapping[str, RainCounts | None], by: str) -> list[dict[str, Any]]:
    """Rows of all sources beside each other, with the mean amounts of each."""
    means = {name: one.mean_row() for name, one in counts.items() if one is not None}
    return [row | {"amounts": means.get(row["source"])} for row in side_by_side(counts, by)]


def as_text(rows: Sequence[Mapping[str, Any]], settings: RainVerification) -> str:
    """The rows as a table for a terminal."""
    lines = [
        f"sums of {settings.hours} h over boxes of {settings.box / 1e3:g} km",
        f"{'':40}{'mm':>6}{'cases':>7}{'threat':>8} {'[95 %]':>15}{'bias':>7}{'FSS 1':>8}{'FSS 3':>8}{'FSS 5':>8}",
    ]
    for row in rows:
        if row["absent"]:
            lines.append(f"{row['source']:32}absent")
            continue
        ends = row["threat_interval"]
        within = "" if ends is None else f"[{ends[0]:.3f}, {ends[1]:.3f}]"
        skills = "".join(_cell(row.get(f"fractions_skill_{width}"), 8) for width in (1, 3, 5))
        label = next((str(row[key]) for key in ("all", "year", "month", "lead") if key in row), "")
        lines.append(
            f"{row['source']:32}{label:>8}{row['threshold']:6g}{row['cases']:7d}{_cell(row['threat'], 8)} {within:>15}"
            f"{_cell(row['frequency_bias'], 7, 2)}{skills}"
        )
    return "\n".join(lines)


def _cell(value: float | None, width: int, digits: int = 3) -> str:
    return f"{'-':>{width}}" if value is None else f"{value:{width}.{digits}f}"
