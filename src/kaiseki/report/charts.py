"""Charts of departures: profiles by pressure, histograms before and after the analysis."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FixedLocator, FuncFormatter, MaxNLocator, NullLocator

from kaiseki.report.style import FULL_WIDTH, MUTED, Picture, chart_style, look, ordered, svg_picture
from kaiseki.verification import Departures, Target
from kaiseki.verification.scores import HEIGHT, HUMIDITY, TEMPERATURE, WIND, bias_and_rms, sample

PROFILE_LEVELS = (1000, 925, 850, 700, 500, 400, 300, 250, 200, 150, 100)
"""Mandatory levels of the profiles, hPa."""

_PANELS = (
    (TEMPERATURE, "temperature", "K", 1.0),
    (WIND, "vector wind", "m s⁻¹", 1.0),
    (HEIGHT, "height", "m", 1.0),
    (HUMIDITY, "specific humidity", "g kg⁻¹", 1000.0),
)


def profiles(departures: Departures, words: str) -> Picture | None:
    """Bias and rms by pressure of all experiments; None where there is no sounding.

    Args:
        departures: rows of soundings to be shown.
        words: which observations they are, for the caption.
    """
    panels = []
    for variable, name, unit, factor in _PANELS:
        found = []
        for level in PROFILE_LEVELS:
            values = sample(departures, Target(variable, (100.0 * level,), 100.0 * level))
            if values.n >= 3:
                found.append((level, values))
        if len(found) >= 2:
            panels.append((name, unit, factor, variable, found))
    if not panels:
        return None
    with chart_style():
        figure = Figure(figsize=(FULL_WIDTH, 4.6), layout="constrained")
        plots = np.atleast_1d(figure.subplots(1, len(panels), sharey=True))
        for axes, (name, unit, factor, variable, found) in zip(plots, panels, strict=True):
            levels = [level for level, _ in found]
            for experiment in ordered(departures.values):
                style = look(experiment)
                both = [bias_and_rms(values.values[experiment]) for _, values in found]
                rms = [factor * pair[1] for pair in both]
                axes.plot(rms, levels, color=style.colour, marker=style.marker, label=style.label)
                if variable != WIND:
                    bias = [factor * pair[0] for pair in both]
                    axes.plot(bias, levels, color=style.colour, linewidth=1.0, linestyle=(0, (2, 2)))
            if variable != WIND:
                axes.axvline(0.0, color=MUTED, linewidth=0.8)
            axes.set_title(f"{name} ({unit})")
            for level, values in found:
                axes.annotate(
                    str(values.n), (1.0, level), xycoords=("axes fraction", "data"), xytext=(2, 0),
                    textcoords="offset points", fontsize=6.5, color=MUTED, va="center", annotation_clip=False,
                )  # fmt: skip
            axes.xaxis.set_major_locator(MaxNLocator(5))
        _pressure_axis(plots[0], panels)
        handles, labels = plots[0].get_legend_handles_labels()
        figure.legend(handles, labels, loc="outside lower center", ncols=5, handlelength=2.6)
        alt = "Profiles of bias and root mean square by pressure: " + "; ".join(
            f"{name} of the analysis at {found[0][0]} hPa "
            f"{factor * bias_and_rms(found[0][1].values[ordered(departures.values)[0]])[1]:.2g} {unit}"
            for name, unit, factor, _, found in panels
        )
        caption = (
            f"Root mean square (lines with marks) and bias, observation minus experiment (dotted), against {words}. "
            "The small numbers at the right count values; levels with fewer than three are left out."
        )
        return svg_picture(figure, alt + ".", caption)


def _pressure_axis(axes: Axes, panels: Sequence[tuple[Any, ...]]) -> None:
    used = sorted({level for panel in panels for level, _ in panel[4]})
    axes.set_yscale("log")
    axes.set_ylim(max(used) * 1.06, min(used) / 1.06)
    axes.yaxis.set_major_locator(FixedLocator(used))
    axes.yaxis.set_minor_locator(NullLocator())
    axes.yaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
    axes.set_ylabel("pressure (hPa)")


_HISTOGRAMS = (
    (("air_temperature", "virtual_temperature"), "temperature", "K", 1.0),
    (("eastward_wind", "northward_wind"), "wind components", "m s⁻¹", 1.0),
    (("specific_humidity",), "specific humidity", "g kg⁻¹", 1000.0),
    (("surface_pressure",), "surface pressure", "hPa", 0.01),
)


def histograms(departures: Departures) -> Picture | None:
    """Departures of the assimilated observations before and after the analysis; None without any."""
    panels = []
    for quantities, name, unit, factor in _HISTOGRAMS:
        rows = np.isin(departures.columns["quantity"], quantities)
        if rows.sum() >= 10 and {"background", "analysis"} <= set(departures.values):
            panels.append((name, unit, [factor * departures.values[k][rows] for k in ("background", "analysis")]))
    if not panels:
        return None
    with chart_style():
        figure = Figure(figsize=(FULL_WIDTH, 2.9), layout="constrained")
        plots = np.atleast_1d(figure.subplots(1, len(panels)))
        words = []
        for axes, (name, unit, (before, after)) in zip(plots, panels, strict=True):
            limit = float(np.percentile(np.abs(before), 99.0)) or 1.0
            edges = np.linspace(-limit, limit, 42)
            for values, experiment in ((before, "background"), (after, "analysis")):
                word = "before" if experiment == "background" else "after"
                colour = "#D55E00" if experiment == "background" else "#0072B2"
                axes.hist(
                    values, edges, histtype="stepfilled" if word == "after" else "step", color=colour,
                    alpha=0.55 if word == "after" else 1.0, linewidth=1.5, label=f"{word}: σ {values.std():.2g}",
                )  # fmt: skip
            axes.axvline(0.0, color=MUTED, linewidth=0.8)
            axes.set_title(f"{name} ({unit})\n{before.size:,} values".replace(",", " "))
            axes.yaxis.set_major_locator(NullLocator())
            axes.spines["left"].set_visible(False)
            axes.legend(loc="upper right", handlelength=1.2, borderaxespad=0.0, fontsize=7.5)
            axes.margins(y=0.32)
            words.append(f"{name} from {before.std():.2g} to {after.std():.2g} {unit}")
        alt = f"Histograms of departures before and after the analysis; standard deviations: {'; '.join(words)}."
        caption = (
            "Observation minus background (outline) and minus analysis (filled), assimilated values of all cycles."
        )
        return svg_picture(figure, alt, caption)
