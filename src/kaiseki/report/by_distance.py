"""Tables of the scores by day and by distance to the nearest assimilated sonde."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from kaiseki.report import words
from kaiseki.report.style import LOOKS

_DISTANCES = {"0-300": "below 300 km", "300-700": "300 to 700 km", "700-": "beyond 700 km"}
_AGAINST = {"truth": "the truth", "withheld": "withheld stations"}
_SHOWN = (
    ("wind", 85_000.0), ("air_temperature", 85_000.0), ("wind", 25_000.0), ("surface_air_pressure", None),
    ("dry_total_energy", "1000-200"),
)  # fmt: skip


def tables(rows: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """One table for each quantity and each thing it is judged by; quantities that have no row are left out.

    Args:
        rows: `verification.by_distance`.
    """
    result = []
    for against in _AGAINST:
        for variable, level in _SHOWN:
            chosen = [
                row for row in rows if (row["against"], row["variable"], row["level"]) == (against, variable, level)
            ]
            if not chosen:
                continue
            names = [name for name in LOOKS if any(row["experiment"] == name for row in chosen)]
            result.append(
                {
                    "target": words.target_words(chosen[0]),
                    "against": _AGAINST[against],
                    "unit": words.unit(variable),
                    "experiments": [words.experiment_words(name) for name in names],
                    "rows": _lines(chosen, names, variable),
                }
            )
    return result


def _lines(rows: Sequence[Mapping[str, Any]], names: Sequence[str], variable: str) -> list[dict[str, Any]]:
    """One line for each day and distance."""
    lines = []
    for day in sorted({row["time"] for row in rows}):
        for distance, text in _DISTANCES.items():
            here = {row["experiment"]: row for row in rows if (row["time"], row["distance"]) == (day, distance)}
            if not here:
                continue
            errors = [words.number(here[name]["rms"], variable) if name in here else "–" for name in names]
            word = "–"
            if {"analysis", "background"} <= here.keys():
                word = "better" if here["analysis"]["rms"] <= here["background"]["rms"] else "worse"
            most = max(int(row["n"]) for row in here.values())
            lines.append({"day": day, "distance": text, "n": most, "errors": errors, "word": word})
    return lines
