"""Charts by cycle: errors and departures, balance, minimisation, consistency."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FixedLocator, FuncFormatter, MaxNLocator

from kaiseki.core.timing import to_datetime
from kaiseki.report.style import FULL_WIDTH, INK, RULE, Picture, chart_style, look, ordered, svg_picture
from kaiseki.verification.scores import PRESSURE


def pressure_series(rows: Sequence[Mapping[str, Any]]) -> Picture | None:
    """Rms of surface-pressure departures by cycle, from the score rows; None without any."""
    chosen = [row for row in rows if row["variable"] == PRESSURE and row["against"] != "truth"]
    if not chosen:
        return None
    with chart_style():
        figure = Figure(figsize=(FULL_WIDTH, 3.1), layout="constrained")
        plots = figure.subplots(1, 2, sharey=True)
        words = []
        for axes, against in zip(plots, ("assimilated", "withheld"), strict=True):
            for experiment in ordered({row["experiment"] for row in chosen}):
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


def energy_series(rows: Sequence[Mapping[str, Any]]) -> Picture | None:
    """Dry total-energy norm of the error and error of surface pressure against the truth by cycle; None without it."""
    chosen = [row for row in rows if row["against"] == "truth"]
    if len({row["time"] for row in chosen}) < 2:
        return None
    panels = (
        ("dry_total_energy", "dry total-energy norm (m s⁻¹)", 1.0),
        (PRESSURE, "surface pressure, rms (hPa)", 0.01),
    )
    with chart_style():
        figure = Figure(figsize=(FULL_WIDTH, 3.1), layout="constrained")
        plots = figure.subplots(1, 2)
        words = []
        for axes, (variable, title, factor) in zip(plots, panels, strict=True):
            for experiment in ordered({row["experiment"] for row in chosen}):
                series = [row for row in chosen if (row["variable"], row["experiment"]) == (variable, experiment)]
                style = look(experiment)
                values = [factor * row["rms"] for row in series]
                times = [_date(row["time"]) for row in series]
                axes.plot(times, values, color=style.colour, marker=style.marker, label=style.label)
                if experiment in ("analysis", "free_run"):
                    words.append(f"{title}, {style.label}: {values[0]:.2g} at first, {values[-1]:.2g} at last")
            axes.set_title(title)
            axes.set_ylim(bottom=0.0)
            _time_axis(axes, {_date(row["time"]) for row in chosen})
        handles, labels = plots[0].get_legend_handles_labels()
        figure.legend(handles, labels, loc="outside lower center", ncols=5, handlelength=2.6)
        alt = f"Error against the truth by cycle. {'; '.join(words)}."
        return svg_picture(
            figure, alt, "Error against the truth inside the rim by cycle; the norm from 1000 to 200 hPa."
        )


def tendencies(diagnostics: Mapping[np.datetime64, Mapping[str, Any]]) -> Picture | None:
    """Mean absolute tendency of surface pressure before and after the digital filter; None without any."""
    found = {t: v["surface_pressure_tendency"] for t, v in diagnostics.items() if v.get("surface_pressure_tendency")}
    if not found:
        return None
    with chart_style():
        figure = Figure(figsize=(5.1, 2.9), layout="constrained")
        axes = figure.subplots()
        moments: list[Any] = [to_datetime(time).replace(tzinfo=None) for time in found]
        words = []
        for key, colour, marker in (("before", "#D55E00", "D"), ("after", "#0072B2", "o")):
            values = [_or_nan(pair.get(key)) / 100.0 for pair in found.values()]
            if not np.isfinite(values).any():
                continue
            axes.plot(moments, values, color=colour, marker=marker, label=f"{key} the filter")
            words.append(f"{key} the filter {np.nanmean(values):.2g} hPa/h on average")
        if not words:
            return None
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
        figure = Figure(figsize=(FULL_WIDTH, 3.0), layout="constrained")
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
            f"Cost and gradient by iteration of {len(found)} cycles; in the last the cost falls from "
            f"{falls[-1][0]:.4g} to {falls[-1][1]:.4g} in {len(list(found.values())[-1]['cost']) - 1} iterations."
        )
        return svg_picture(figure, alt, "Minimisation of each cycle, from blue (first) to orange (last).")


def consistency(rows: Sequence[Mapping[str, Any]]) -> Picture | None:
    """Chart of 2J/p by cycle, and the Desroziers ratios of each group over the cycles; None without any."""
    total = [row for row in rows if row["two_j_over_p"] is not None]
    groups: dict[str, list[Mapping[str, Any]]] = {}
    for row in rows:
        if row["kind"] is not None and row["sigma_o_ratio"] is not None:
            groups.setdefault(f"{row['kind']}: {str(row['quantity']).replace('_', ' ')}", []).append(row)
    if not total and not groups:
        return None
    with chart_style():
        height = max(2.9, 0.9 + 0.26 * len(groups))
        figure = Figure(figsize=(FULL_WIDTH, height), layout="constrained")
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
        left.set_ylim(0.0, 1.15 * max([1.3, *(row["two_j_over_p"] for row in total)]))
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
            right.legend(loc="upper center", bbox_to_anchor=(0.5, -0.12), ncols=2, fontsize=7.5)
            words.append(f"Desroziers ratios of {len(groups)} groups of observations")
        alt = f"Consistency of the assumed errors: {'; '.join(words)}."
        caption = (
            "Left: by cycle. Right: median of the cycles (mark) and their range (line); above 1 the assumed error is "
            "too small."
        )
        return svg_picture(figure, alt, caption)


def _blend(part: float) -> str:
    """Colours from blue to vermilion, which can both be told on light and on dark paper."""
    first, last = np.array([86, 180, 233]), np.array([213, 94, 0])
    red, green, blue = (round(float(value)) for value in first + part * (last - first))
    return f"#{red:02x}{green:02x}{blue:02x}"


def _or_nan(value: Any) -> float:
    return float("nan") if value is None else float(value)


def _date(text: str) -> Any:
    """Instant of a score row for the axis, in UTC."""
    return to_datetime(np.datetime64(text.removesuffix("Z"), "s")).replace(tzinfo=None)


def _time_axis(axes: Axes, moments: set[Any]) -> None:
    """Label at most six cycles: hour, and the day under the first of each day."""
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
