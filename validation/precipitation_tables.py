"""Tables of the studies of precipitation: the head and the rows of each from the JSON that a study wrote."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

type Table = tuple[list[str], list[list[str]]]


def number(value: float | None, digits: int = 2) -> str:
    """A number with so many digits, nothing where it is not defined."""
    return "" if value is None or value != value else f"{value:.{digits}f}"


def with_interval(value: float | None, ends: list[float | None], digits: int) -> str:
    """A number with its 95 % interval."""
    if value is None or ends[0] is None or ends[0] != ends[0]:
        return number(value, digits)
    return f"{value:.{digits}f} ({number(ends[0], digits)} to {number(ends[1], digits)})"


def methods(found: Mapping[str, Any], ours: str = "analysis", *, thresholds: tuple[str, ...] = ("1", "5")) -> Table:
    """Scores of all methods beside the ratio of our error to theirs; a ratio whose interval holds 1 decides nothing."""
    lines = []
    for name, one in found.items():
        scores, within = one["scores"], one["intervals"]
        ratio, *ends = one["rmse_of_analysis_over_this"]
        lines.append(
            [
                name,
                with_interval(scores["rmse"], within["rmse"], 3),
                number(scores["mae"], 3),
                number(scores["bias"]),
                number(scores.get("correlation"), 3),
                *(number(scores[f"ets_{threshold}mm"]) for threshold in thresholds),
                number(scores["crps"], 3),
                with_interval(scores["coverage_80"], within["coverage_80"], 2),
                "" if name == ours else with_interval(ratio, ends, 2),
            ]
        )
    places = max((one.get("places", 0) for one in found.values()), default=0)
    head = [f"n = {places}" if places else "", "rmse, mm", "mae, mm", "bias, ratio", "correlation"]
    head += [f"ets, {threshold} mm" for threshold in thresholds]
    return [*head, "crps, mm", "in the 80 % interval", "rmse of ours over this"], lines


def month(found: Mapping[str, Any]) -> Table:
    """Scores of the month by gauges alone."""
    one = found["month"]
    head, lines = methods(one["methods"], thresholds=("1", "5", "10", "20"))
    return [f"n = {one['places']} in {one['hours']} hours of {one['days']} days", *head[1:]], lines


def other_tools(found: Mapping[str, Any], ours: str = "analysis") -> Table:
    """Methods of other tools with the places where each says something and how long it took."""
    head, lines = methods(found, ours)
    for line, one in zip(lines, found.values(), strict=True):
        seconds = one.get("processor_seconds")
        line += [str(one["places"]), "" if seconds is None else f"{seconds:.0f}"]
    return ["", *head[1:], "places", "processor, s, 5 folds"], lines


def scans(found: Mapping[str, Any]) -> Table:
    """RADOLAN's hour with some of its scans in place of all."""
    lines = []
    for name, one in found["radolan_scans"].items():
        raw, ours = one["raw radar"], one["analysis"]
        lines.append(
            [
                name,
                *(with_interval(raw["scores"][score], raw["intervals"][score], 3) for score in ("correlation", "rmse")),
                *(
                    with_interval(ours["scores"][score], ours["intervals"][score], 3)
                    for score in ("correlation", "rmse")
                ),
                number(ours["scores"]["ets_1mm"]),
                number(ours["scores"]["coverage_80"]),
            ]
        )
    head = ["scans", "radar: correlation", "radar: rmse, mm", "analysis: correlation", "analysis: rmse, mm"]
    return [*head, "analysis: ets, 1 mm", "in the 80 % interval"], lines


def agreement(found: Mapping[str, Any]) -> Table:
    """Correlation of the single scan over Japan with the gauges of hours."""
    lines = [
        [time.replace("T", " ") + " UTC", str(one["gauges"]), with_interval(one["correlation"], one["interval"], 3)]
        for time, one in found["agreement"].items()
    ]
    return ["gauges of the hour to", "gauges", "correlation with the scan"], lines


def day(found: Mapping[str, Any]) -> Table:
    """Hours of the day on the whole grid."""
    if "grid" not in found:
        return ["hour to"], [["not run yet"]]
    lines = []
    for one in found["grid"]["hours"]:
        known = not one["gap"]
        lines.append(
            [
                one["time"],
                str(one["gauges"]),
                f"{100.0 * one['covered_share']:.1f}" if known else "gap",
                number(one["mean_where_covered"]),
                number(one["largest"], 0),
                str(one["not_finite_where_covered"]),
                number(one["seconds"], 0) if known else "",
            ]
        )
    head = ["hour to", "gauges", "covered, % of the grid", "mean there, mm", "largest, mm", "not finite there"]
    return [*head, "s of the clock"], lines
