"""Charts of departures and cycles: profiles, histograms, time series, minimisation, consistency."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FixedLocator, FuncFormatter, MaxNLocator, NullLocator

from kaiseki.core.timing import to_datetime
from kaiseki.report.style import INK, LOOKS, MUTED, RULE, Picture, chart_style, look, svg_picture
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
        figure = Figure(figsize=(10.4, 4.6), layout="constrained")
        plots = np.atleast_1d(figure.subplots(1, len(panels), sharey=True))
        for axes, (name, unit, factor, variable, found) in zip(plots, panels, strict=True):
            levels = [level for level, _ in found]
            for experiment in _ordered(departures.values):
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
            f"{factor * bias_and_rms(found[0][1].values[_ordered(departures.values)[0]])[1]:.2g} {unit}"
            for name, unit, factor, _, found in panels
        )
        caption = (
            f"Root mean square (lines with marks) and bias, observation minus experiment (dotted), against {words}. "
            "The small numbers at the right count values; levels with fewer than three are left out."
        )
        return svg_picture(figure, alt + ".", caption)


def _ordered(experiments: Any) -> list[str]:
    names = list(experiments)
    return [name for name in LOOKS if name in names] + sorted(name for name in names if name not in LOOKS)


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
        figure = Figure(figsize=(10.4, 2.9), layout="constrained")
        plots = np.atleast_1d(figure.subplots(1, len(panels)))
        words = []
        for axes, (name, unit, (before, after)) in zip(plots, panels, strict=True):
            limit = float(np.percentile(np.abs(before), 99.0)) or 1.0
            edges = np.linspace(-limit, limit, 42)
            for values, experiment in ((before, "background"), (after, "analysis")):
                style = look(experiment)
                word = "before" if experiment == "background" else "after"
                axes.hist(
                    values, edges, histtype="stepfilled" if word == "after" else "step", color=style.colour,
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


def pressure_series(rows: Sequence[Mapping[str, Any]]) -> Picture | None:
    """Rms of surface-pressure departures by cycle, from the score rows; None without any."""
    chosen = [row for row in rows if row["variable"] == "surface_air_pressure" and row["against"] != "truth"]
    if not chosen:
        return None
    with chart_style():
        figure = Figure(figsize=(10.4, 3.1), layout="constrained")
        plots = figure.subplots(1, 2, sharey=True)
        words = []
        for axes, against in zip(plots, ("assimilated", "withheld"), strict=True):
            for experiment in _ordered({row["experiment"] for row in chosen}):
                series = [row for row in chosen if row["experiment"] == experiment and row["against"] == against]
                if not series:
                    continue
                style = look(experiment)
                times = [_date(row["time"]) for row in series]
                rms = [row["rms"] / 100.0 for row in series]
                axes.plot(times, rms, color=style.colour, marker=style.marker, label=style.label)
                if experiment == "analysis":
                    low, high = ([row[key] / 100.0 for row in series] for key in ("rms_low", "rms_high"))
                    axes.fill_between(times, low, high, color=style.colour, alpha=0.15, linewidth=0)
                    words.append(f"{against}: analysis {rms[0]:.2f} hPa in the first cycle, {rms[-1]:.2f} in the last")
            axes.set_title(f"{against} observations")
            _time_axis(axes, {_date(row["time"]) for row in chosen})
        plots[0].set_ylabel("rms (hPa)")
        plots[0].set_ylim(bottom=0.0)
        handles, labels = max((axes.get_legend_handles_labels() for axes in plots), key=lambda pair: len(pair[0]))
        figure.legend(handles, labels, loc="outside lower center", ncols=5, handlelength=2.6)
        alt = f"Rms of surface-pressure departures by cycle. {'; '.join(words)}."
        return svg_picture(
            figure, alt, "Surface-pressure departures by cycle inside the rim; shaded: 95 % interval of the analysis."
        )


def tendencies(diagnostics: Mapping[np.datetime64, Mapping[str, Any]]) -> Picture | None:
    """Mean absolute tendency of surface pressure before and after the digital filter; None without any."""
    found = {t: v["surface_pressure_tendency"] for t, v in diagnostics.items() if v.get("surface_pressure_tendency")}
    if not found:
        return None
    with chart_style():
        figure = Figure(figsize=(5.1, 2.9), layout="constrained")
        axes = figure.subplots()
        moments = [to_datetime(time).replace(tzinfo=None) for time in found]
        words = []
        for key, colour, marker in (("before", "#D55E00", "D"), ("after", "#0072B2", "o")):
            values = [_or_nan(pair.get(key)) / 100.0 for pair in found.values()]
            axes.plot(moments, values, color=colour, marker=marker, label=f"{key} the filter")
            words.append(f"{key} the filter {np.nanmean(values):.2g} hPa/h on average")
        axes.set_ylim(bottom=0.0)
        axes.set_ylabel("mean |dp/dt| (hPa h⁻¹)")
        axes.legend()
        _time_axis(axes, set(moments))
        alt = f"Domain mean of the absolute surface-pressure tendency by cycle: {'; '.join(words)}."
        return svg_picture(figure, alt, "Domain mean of |∂p/∂t| at the surface, before and after the digital filter.")


def minimisation(diagnostics: Mapping[np.datetime64, Mapping[str, Any]]) -> Picture | None:
    """Cost and gradient by iteration, one line per cycle; None without any."""
    found = {time: values for time, values in diagnostics.items() if len(values.get("cost") or []) > 1}
    if not found:
        return None
    with chart_style():
        figure = Figure(figsize=(10.4, 3.0), layout="constrained")
        plots = figure.subplots(1, 2)
        shades = [_blend(k / max(1, len(found) - 1)) for k in range(len(found))]
        for (time, values), colour in zip(found.items(), shades, strict=True):
            name = to_datetime(time).strftime("%d %b %H UTC")
            for axes, key in zip(plots, ("cost", "gradient"), strict=True):
                series = np.array([_or_nan(value) for value in values.get(key) or []])
                if series.size and series[0] > 0.0:
                    axes.plot(series / series[0], color=colour, label=name, linewidth=1.4)
        for axes, title in zip(plots, ("cost J, relative to the start", "norm of the gradient, relative"), strict=True):
            axes.set_title(title)
            axes.set_xlabel("iteration")
            axes.xaxis.set_major_locator(MaxNLocator(integer=True))
            axes.set_yscale("log")
        axes = plots[0]
        axes.yaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
        axes.yaxis.set_minor_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
        axes.tick_params(which="minor", labelsize=7)
        handles, labels = plots[0].get_legend_handles_labels()
        if len(labels) > 10:
            handles, labels = [handles[0], handles[-1]], [f"first: {labels[0]}", f"last: {labels[-1]}"]
        figure.legend(handles, labels, loc="outside right upper")
        falls = [(_or_nan(values["cost"][0]), _or_nan(values["cost"][-1])) for values in found.values()]
        alt = (
            f"Cost and gradient by iteration of {len(found)} cycles; in the last the cost falls from {falls[-1][0]:.4g} "
            f"to {falls[-1][1]:.4g} in {len(list(found.values())[-1]['cost']) - 1} iterations."
        )
        return svg_picture(figure, alt, "Minimisation of each cycle, from light (first) to dark (last).")


def consistency(rows: Sequence[Mapping[str, Any]]) -> Picture | None:
    """2J/p by cycle, and the Desroziers ratios of each group over the cycles; None without any."""
    total = [row for row in rows if row["two_j_over_p"] is not None]
    groups: dict[str, list[Mapping[str, Any]]] = {}
    for row in rows:
        if row["kind"] is not None and row["sigma_o_ratio"] is not None:
            groups.setdefault(f"{row['kind']}: {str(row['quantity']).replace('_', ' ')}", []).append(row)
    if not total and not groups:
        return None
    with chart_style():
        height = max(2.9, 0.9 + 0.26 * len(groups))
        figure = Figure(figsize=(10.4, height), layout="constrained")
        left, right = figure.subplots(1, 2, width_ratios=(1.0, 1.35))
        words = []
        if total:
            times = [_date(row["time"]) for row in total]
            values = [row["two_j_over_p"] for row in total]
            left.plot(times, values, color="#0072B2", marker="o")
            _time_axis(left, set(times))
            words.append(f"2J/p from {min(values):.2f} to {max(values):.2f}")
        left.axhline(1.0, color=INK, linewidth=0.9, linestyle=(0, (4, 3)))
        left.set_title("2J/p (1 where the assumed errors fit)")
        left.set_ylim(bottom=0.0)
        left.margins(y=0.2)
        names = sorted(groups, reverse=True)
        for place, name in enumerate(names):
            for key, colour, marker, shift in (
                ("sigma_o_ratio", "#D55E00", "D", 0.14),
                ("sigma_b_ratio", "#0072B2", "o", -0.14),
            ):
                values = [row[key] for row in groups[name] if row[key] is not None]
                if not values:
                    continue
                right.plot([min(values), max(values)], [place + shift] * 2, color=colour, linewidth=1.2, alpha=0.5)
                first = {"label": f"{'observation' if '_o_' in key else 'background'} error"} if place == 0 else {}
                right.plot(
                    [float(np.median(values))], [place + shift], color=colour, marker=marker, linestyle="", **first
                )
        right.axvline(1.0, color=INK, linewidth=0.9, linestyle=(0, (4, 3)))
        right.yaxis.set_major_locator(FixedLocator(range(len(names))))
        right.set_yticklabels(names)
        right.set_title("Desroziers ratio, diagnosed over assumed σ")
        right.set_xlim(left=0.0)
        right.margins(x=0.1, y=0.08)
        if groups:
            right.legend(loc="lower right", fontsize=7.5)
            words.append(f"Desroziers ratios of {len(groups)} groups of observations")
        alt = f"Consistency of the assumed errors: {'; '.join(words)}."
        caption = (
            "Left: by cycle. Right: median of the cycles (mark) and their range (line); above 1 the assumed error is "
            "too small."
        )
        return svg_picture(figure, alt, caption)


def _blend(part: float) -> str:
    """From light to dark blue."""
    light, dark = np.array([158, 202, 225]), np.array([8, 81, 156])
    red, green, blue = (round(float(value)) for value in light + part * (dark - light))
    return f"#{red:02x}{green:02x}{blue:02x}"


def _or_nan(value: Any) -> float:
    return float("nan") if value is None else float(value)


def _date(text: str) -> Any:
    """Instant of a score row for the axis, in UTC."""
    return to_datetime(np.datetime64(text.removesuffix("Z"), "s")).replace(tzinfo=None)


def _time_axis(axes: Axes, moments: set[Any]) -> None:
    """At most six labels, at cycles: hour, and the day under the first of each day."""
    ordered = sorted(moments)
    step = max(1, -(-len(ordered) // 6))
    ticks = ordered[::step]
    axes.set_xticks(ticks)
    axes.set_xticklabels(
        [
            moment.strftime("%H\n%d %b" if k == 0 or moment.date() != ticks[k - 1].date() else "%H")
            for k, moment in enumerate(ticks)
        ]
    )
    axes.set_xlabel("UTC")
    axes.grid(visible=True, axis="x", color=RULE)
