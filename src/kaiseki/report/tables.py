"""Tables of the report as rows of ready words."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from kaiseki.archive.run import Run
from kaiseki.core.timing import format_utc, label, parse_time, to_datetime
from kaiseki.report import words
from kaiseki.report.style import LOOKS
from kaiseki.verification.run import Judgement

_AGAINST = {"truth": "truth", "withheld": "withheld observations", "assimilated": "assimilated observations"}


def cards(judgement: Judgement, main: np.datetime64, last: np.datetime64) -> list[dict[str, Any]]:
    """The scorecard: for each judged quantity and each baseline the reduction, its interval and the verdict.

    Upper-air quantities at the last time with soundings, surface pressure at the last time with it.
    """
    result = []
    for source, judged in (
        (judgement.truth_card, "analysis"),
        (judgement.card, "analysis"),
        (judgement.background_card, "background"),
    ):
        for against in ("truth", "withheld"):
            groups: dict[tuple[Any, ...], dict[str, Any]] = {}
            for row in source:
                if row["against"] != against or row["time"] != _moment(source, row, main, last):
                    continue
                key = row["variable"], row["level"]
                one = groups.setdefault(
                    key,
                    {
                        "target": words.target_words(row),
                        "time": _short_time(row["time"]),
                        "n": _count(row["n"]),
                        "rms": f"{words.number(row['rms'], row['variable'])} {words.unit(row['variable'])}",
                        "baselines": {},
                    },
                )
                one["baselines"][row["baseline"]] = {
                    "reduction": words.percent(row["reduction"]),
                    "interval": words.interval(row["reduction_low"], row["reduction_high"]),
                    "verdict": row["verdict"],
                    "mark": {"better": "▲", "worse": "▼", "no difference shown": "◆", "too few": "·"}[row["verdict"]],
                    "class": row["verdict"].replace(" ", "-"),
                }
            if groups:
                names = [name for name in LOOKS if any(name in one["baselines"] for one in groups.values())]
                result.append(
                    {
                        "judged": words.experiment_words(judged),
                        "against": _AGAINST[against],
                        "unit_of_n": "cells" if against == "truth" else "values",
                        "baselines": [(name, words.experiment_words(name)) for name in names],
                        "rows": list(groups.values()),
                    }
                )
    return result


def _short_time(text: str) -> str:
    """ "02 Jan 00 UTC"."""
    return to_datetime(parse_time(text)).strftime("%d %b %H UTC")


def _moment(
    source: Sequence[Mapping[str, Any]], row: Mapping[str, Any], main: np.datetime64, last: np.datetime64
) -> str:
    """Time at which a quantity is judged: with the soundings, surface pressure at the last cycle that has it."""
    if row["variable"] != "surface_air_pressure" or row["against"] == "truth":
        return format_utc(main)
    times = [
        other["time"] for other in source if (other["variable"], other["against"]) == (row["variable"], row["against"])
    ]
    return max(time for time in times if parse_time(time) <= last)


def scores(rows: Sequence[Mapping[str, Any]], main: np.datetime64, last: np.datetime64) -> list[dict[str, Any]]:
    """The score table: pooled and surface scores at the time with soundings, by level folded away."""
    result = []
    moment = format_utc(main)
    times = [moment] if main == last else [moment, format_utc(last)]
    for against in ("truth", "withheld", "assimilated"):
        for time in times:
            chosen = [row for row in rows if row["time"] == time and row["against"] == against]
            if not chosen:
                continue
            main_rows = [row for row in chosen if _is_main(row)]
            result.append(
                {
                    "against": _AGAINST[against],
                    "time": label(parse_time(time)),
                    "unit_of_n": "cells" if against == "truth" else "values",
                    "open": against != "assimilated",
                    "main": _score_rows(main_rows),
                    "levels": _score_rows([row for row in chosen if not _is_main(row)]),
                }
            )
    return result


def calibration(rows: Sequence[Mapping[str, Any]]) -> list[dict[str, str]]:
    """Expected over observed departures of the analysis from withheld observations, pooled and at the surface."""
    return [
        {
            "time": _short_time(row["time"]),
            "target": words.target_words(row),
            "n": _count(row["n"]),
            "unit": words.unit(row["variable"]),
            "expected": words.number(row["expected"], row["variable"]),
            "observed": words.number(row["rms"], row["variable"]),
            "ratio": f"{row['expected'] / row['rms']:.2f}" if row["rms"] else "–",
            "interval": f"{row['expected'] / row['rms_high']:.2f} – {row['expected'] / row['rms_low']:.2f}"
            if row["rms_low"]
            else "–",
        }
        for row in rows
        if "expected" in row and _is_main(row)
    ]


def _is_main(row: Mapping[str, Any]) -> bool:
    return not isinstance(row["level"], float | int) or (row["variable"], row["level"]) == ("geopotential_height", 5e4)


def _score_rows(rows: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """Rows in words, grouped by quantity, experiments in the order of the legends."""
    order = {name: number for number, name in enumerate(LOOKS)}
    targets = list(dict.fromkeys((row["variable"], row["level"]) for row in rows))
    result = []
    for target in targets:
        group = [row for row in rows if (row["variable"], row["level"]) == target]
        group.sort(key=lambda row: order.get(row["experiment"], len(order)))
        for place, row in enumerate(group):
            variable = row["variable"]
            result.append(
                {
                    "target": words.target_words(row) if place == 0 else "",
                    "first": place == 0,
                    "span": len(group),
                    "unit": words.unit(variable),
                    "experiment": words.experiment_words(row["experiment"]),
                    "name": row["experiment"],
                    "n": f"{row['n']:,}".replace(",", " "),
                    "bias": words.number(row["bias"], variable, sign=variable != "wind"),
                    "rms": words.number(row["rms"], variable),
                    "low": words.number(row["rms_low"], variable),
                    "high": words.number(row["rms_high"], variable),
                }
            )
    return result


def cycles(diagnostics: Mapping[np.datetime64, Mapping[str, Any]]) -> list[dict[str, str]]:
    """What each cycle did: engine, counts, iterations, consistency, balance, seconds."""
    result = []
    for time, values in sorted(diagnostics.items()):
        counts, tendency = values.get("counts") or {}, values.get("surface_pressure_tendency") or {}
        cost = values.get("cost") or []
        seconds = values.get("seconds") or {}
        spent = sum(part for part in seconds.values() if isinstance(part, int | float))
        result.append(
            {
                "time": format_utc(time),
                "engine": str(values.get("engine", "–")),
                "used": _count(counts.get("used")),
                "unused": _count(_unused(counts)),
                "iterations": str(len(cost) - 1) if len(cost) > 1 else "–",
                "cost": f"{_short(cost[0])} → {_short(cost[-1])}" if len(cost) > 1 else "–",
                "consistency": _fixed(values.get("two_j_over_p"), 2),
                "before": _fixed(tendency.get("before"), 0),
                "after": _fixed(tendency.get("after"), 0),
                "seconds": f"{spent:.0f}" if seconds else "–",
            }
        )
    return result


def _unused(counts: Mapping[str, Any]) -> int | None:
    """Values that were neither assimilated nor withheld."""
    if "rejected" in counts:
        return int(counts["rejected"])
    if not {"given", "used", "withheld"} <= counts.keys():
        return None
    return int(counts["given"] - counts["used"] - counts["withheld"])


def _count(value: Any) -> str:
    return "–" if value is None else f"{int(value):,}".replace(",", " ")


def _fixed(value: Any, decimals: int) -> str:
    return "–" if value is None else f"{value:.{decimals}f}"


def _short(value: Any) -> str:
    return "–" if value is None else f"{value:,.0f}".replace(",", " ")


def rejections(run: Run) -> list[dict[str, Any]]:
    """How many values of all analyses were used, withheld or kept out, by kind, with the commonest reasons."""
    totals: dict[str, dict[str, Any]] = {}
    for time in run.analysed_cycles:
        table = run.table("analysis", time)
        assert table is not None
        flags = table["flags"].astype(np.int64)
        kinds, number = np.unique(table["kind"], return_inverse=True)
        for k, kind in enumerate(kinds):
            mine = number == k
            one = totals.setdefault(str(kind), {"values": 0, "used": 0, "withheld": 0, "reasons": np.zeros(18, int)})
            held = table["withheld"][mine].astype(bool)
            one["values"] += int(mine.sum())
            one["withheld"] += int(held.sum())
            one["used"] += int((~held & (flags[mine] & 0xFFFF == 0)).sum())
            one["reasons"] += np.array([int((flags[mine] >> bit & 1).sum()) for bit in range(18)])
    result = []
    for kind, one in sorted(totals.items()):
        common = [bit for bit in np.argsort(-one["reasons"], kind="stable")[:4] if one["reasons"][bit]]
        reasons = ", ".join(f"{words.FLAG_WORDS[bit]} {_count(one['reasons'][bit])}" for bit in common)
        result.append(
            {
                "kind": kind,
                "values": _count(one["values"]),
                "used": _count(one["used"]),
                "withheld": _count(one["withheld"]),
                "reasons": reasons or "–",
            }
        )
    return result


def inventory(rows: Sequence[Mapping[str, Any]]) -> list[dict[str, str]]:
    """Inventory rows in words."""
    result = []
    for row in rows:
        one = {
            "kind": str(row["kind"]),
            "quantity": str(row["quantity"]).replace("_", " "),
            "values": _count(row["values"]),
            **{name: f"{row[name]:.4g}".replace("-", "−") for name in ("least", "mean", "greatest")},
        }
        if "time" in row:
            one["time"] = str(row["time"])
        if "west" in row:
            one["place"] = f"{_side(row['south'], 'NS')}, {_side(row['west'], 'EW')}"
        result.append(one)
    return result


def _side(corner: float, signs: str) -> str:
    """Band of ten degrees in words: "30–40°N"."""
    if corner < 0:
        return f"{-corner - 10:g}–{-corner:g}°{signs[1]}"
    return f"{corner:g}–{corner + 10:g}°{signs[0]}"


def facts(run: Run) -> list[tuple[str, str]]:
    """What the run was, as pairs of name and value."""
    experiment, domain = run.experiment, run.domain
    assimilation, observations = experiment.assimilation, experiment.observations
    held = f"one of {observations.folds} parts of the stations" if observations.folds else "nothing"
    return [
        ("Case", f"{experiment.case.name} ({experiment.case.kind})"),
        ("Period", f"{format_utc(experiment.period.first)} to {format_utc(experiment.period.last)}"),
        ("Window", f"{experiment.period.window_hours:g} h, half-open: (T − {experiment.period.window_hours:g} h, T]"),
        (
            "Grid",
            f"{domain.name}: {domain.nx} × {domain.ny}, {domain.nz} levels to {domain.zeta_half[-1] / 1000:.1f} km",
        ),
        *([("Driving fields", experiment.steady_words)] if experiment.steady_words else []),
        ("Engine", assimilation.engine),
        (
            "Withheld",
            f"{held} (part {observations.fold + 1}, seed {observations.seed})" if observations.folds else held,
        ),
        ("Complete cycles", str(run.cycles.size)),
        ("Experiment", f"sha256 {experiment.digest()[:16]}…"),
    ]
