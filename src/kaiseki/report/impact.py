"""What each kind of observation did, as `kaiseki impact` found it."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.figure import Figure
from matplotlib.ticker import FixedLocator

from kaiseki.core.errors import InputError
from kaiseki.core.timing import label, parse_time
from kaiseki.report.style import FULL_WIDTH, INK, Picture, chart_style, svg_picture

FILE = "impact.json"
"""Name of the file in the folder of a run."""

KEYS = frozenset(("groups", "error_before", "against", "change", "explained", "observations", "time"))
"""Names in the file that the picture needs."""

HELPED, HARMED = "#0072B2", "#D55E00"


def read(directory: Path) -> Mapping[str, Any] | None:
    """What `kaiseki impact` wrote; None where it was not called.

    Raises:
        InputError: the file holds something else.
    """
    path = directory / FILE
    if not path.exists():
        return None
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise InputError(f"{path} cannot be read as JSON: {error}; call kaiseki impact again, or remove it") from None
    if not isinstance(found, dict) or (missing := KEYS - found.keys()):
        what = f"without {', '.join(sorted(missing))}" if isinstance(found, dict) else "no table of names"
        raise InputError(f"{path} is not what kaiseki impact writes ({what}); call it again, or remove the file")
    return found


def impact_chart(found: Mapping[str, Any] | None) -> Picture | None:
    """Impact and degrees of freedom by kind and quantity, the most helpful above; None without any."""
    if found is None or not found["groups"] or not found["error_before"]:
        return None
    groups = sorted(found["groups"], key=lambda row: row["impact"], reverse=True)
    names = [f"{row['kind']}: {row['quantity'].replace('_', ' ')} ({row['n']})" for row in groups]
    share = [100.0 * row["impact"] / found["error_before"] for row in groups]
    heard = [row["degrees_of_freedom"] for row in groups]
    places = np.arange(len(groups))
    with chart_style():
        figure = Figure(figsize=(FULL_WIDTH, 1.0 + 0.26 * len(groups)), layout="constrained")
        left, right = figure.subplots(1, 2, width_ratios=(1.4, 1.0), sharey=True)
        left.barh(places, share, color=[HELPED if value < 0.0 else HARMED for value in share], height=0.66)
        left.axvline(0.0, color=INK, linewidth=0.9)
        left.yaxis.set_major_locator(FixedLocator(places.tolist()))
        left.set_yticklabels(names)
        left.set_title("change of the error (per cent of it), left is better")
        left.margins(x=0.1)
        right.barh(places, heard, color=HELPED, height=0.66)
        right.set_title("degrees of freedom for signal")
        right.set_xlim(left=0.0)
        against = "the truth" if found["against"] == "truth" else "the stations that were withheld"
        whole = 100.0 * found["change"] / found["error_before"]
        explained = 100.0 * found["explained"] / found["error_before"]
        best = groups[-1]
        alt = (
            f"Impact of {found['observations']} observations at {label(parse_time(found['time']))} on the error "
            f"against {against}: {explained:+.1f} per cent in sum, {whole:+.1f} measured; most by {best['kind']} "
            f"{best['quantity'].replace('_', ' ')}."
        )
        caption = (
            f"Analysis of {label(parse_time(found['time']))}: what each kind of observation did to the error against "
            f"{against} ({explained:+.1f} % in sum, {whole:+.1f} % as measured), and how many independent pieces of "
            f"information the analysis took from it ({found['degrees_of_freedom']:.0f} in all)."
        )
        return svg_picture(figure, alt, caption)
