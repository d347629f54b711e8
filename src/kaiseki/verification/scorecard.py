"""The scorecard: by how much the analysis reduces the error of each baseline, on the same observations."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from kaiseki.config import Verification
from kaiseki.core.timing import format_utc
from kaiseki.verification.bootstrap import DEFAULTS
from kaiseki.verification.departures import AGAINST, Departures
from kaiseki.verification.paired import compare, verdict
from kaiseki.verification.scores import HEIGHT, MANDATORY_LEVELS, PRESSURE, TEMPERATURE, WIND, Target, sample

BASELINES = ("free_run", "driving", "optimal_interpolation")
"""What the analysis is compared with."""

HEIGHT_LEVEL = 50_000.0
"""Level of the height in the scorecard [Pa]."""


def headline_targets(levels: Sequence[float] = MANDATORY_LEVELS) -> list[Target]:
    """Temperature and vector wind pooled over the levels, height at 500 hPa, surface pressure."""
    ordered = tuple(sorted((float(level) for level in levels), reverse=True))
    pooled = f"{ordered[0] / 100:g}-{ordered[-1] / 100:g}"
    return [
        Target(TEMPERATURE, ordered, pooled),
        Target(WIND, ordered, pooled),
        Target(HEIGHT, (HEIGHT_LEVEL,), HEIGHT_LEVEL),
        Target(PRESSURE, (), None),
    ]


def scorecard(
    departures: Departures,
    *,
    case: str,
    time: np.datetime64,
    experiment: str = "analysis",
    baselines: Sequence[str] = BASELINES,
    against: Sequence[str] = AGAINST[:1],
    settings: Verification = DEFAULTS,
) -> list[dict[str, Any]]:
    """Relative reductions of the rms of each baseline that the departures hold.

    Args:
        departures: of the experiment and the baselines; choose the rows inside the rim before.
        case: name of the case.
        time: analysis time (UTC).
        experiment: what is judged.
        baselines: what it is compared with; those that `departures` lacks are left out.
        against: "withheld", "assimilated" or both.
        settings: pressures that are pooled, bootstrap by station, smallest number of values with a verdict.

    Returns:
        {case, experiment, baseline, against, variable, level, time, n, rms, baseline_rms, reduction, reduction_low,
        reduction_high, verdict}; reductions as parts of 1, positive where the experiment is better.
    """
    rows: list[dict[str, Any]] = []
    for which in against:
        chosen = departures.against(which)
        for target in headline_targets(settings.levels):
            values = sample(chosen, target)
            if values.n == 0:
                continue
            for baseline in baselines:
                if baseline not in values.values or experiment not in values.values:
                    continue
                one, other = values.values[experiment], values.values[baseline]
                pair = compare(one, other, values.station, settings=settings)
                rows.append(
                    {
                        "case": case,
                        "experiment": experiment,
                        "baseline": baseline,
                        "against": which,
                        "variable": target.variable,
                        "level": target.level,
                        "time": format_utc(time),
                        "n": pair.n,
                        "rms": float(np.sqrt(np.square(one).sum(axis=1).mean())),
                        "baseline_rms": float(np.sqrt(np.square(other).sum(axis=1).mean())),
                        "reduction": pair.reduction,
                        "reduction_low": 1.0 - pair.high,
                        "reduction_high": 1.0 - pair.low,
                        "verdict": verdict(pair, settings.minimum_count),
                    }
                )
    return rows
