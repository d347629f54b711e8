"""Which of two neighbouring levels is the odd one out: common to the checks of shear and lapse rate."""

from __future__ import annotations

import numpy as np


def odd_one_out(report: np.ndarray, depth: np.ndarray, values: np.ndarray, lower: np.ndarray) -> np.ndarray:
    """Levels at fault in pairs of neighbours that cannot both be right.

    Of each pair the level at fault is the one without which its neighbours are joined more smoothly: the level that
    deviates more from the straight line, in ln p, between the levels around it. Where one level of the pair is the end
    of its ascent and the other is not, nothing can be said of the end, and both are named unless the inner one
    lies close to the line that leaves the end out.

    Args:
        report: (m,) number of the report, sorted.
        depth: (m,) -ln p, rising within a report.
        values: (m,) or (m, components).
        lower: (pairs,) index of the lower level of each pair; the upper one is the next.

    Returns:
        Mask (m,).
    """
    count = len(report)
    values = values.reshape(count, -1)
    fault = np.zeros(count, dtype=bool)
    if not len(lower):
        return fault
    below = np.maximum(np.arange(count) - 1, 0)
    above = np.minimum(np.arange(count) + 1, count - 1)
    inner = (
        (report[below] == report) & (report[above] == report) & (below < np.arange(count)) & (above > np.arange(count))
    )
    span = np.where(inner, depth[above] - depth[below], 1.0)
    part = np.where(inner, (depth - depth[below]) / span, 0.0)[:, None]
    line = values[below] * (1.0 - part) + values[above] * part
    kink = np.where(inner, np.linalg.norm(values - line, axis=1), np.nan)
    upper = lower + 1
    step = np.linalg.norm(values[upper] - values[lower], axis=1)
    low, high = kink[lower], kink[upper]
    both_known = np.isfinite(low) & np.isfinite(high)
    fault[lower[both_known & (low >= high)]] = True
    fault[upper[both_known & (high > low)]] = True
    # A spike at the inner level deviates by more than half of the step; a spike at the end does so by less.
    for one, other, known in ((lower, upper, low), (upper, lower, high)):
        ended = np.isfinite(known) & ~both_known
        fault[one[ended & (known >= 0.5 * step)]] = True
        fault[other[ended & (known < 0.75 * step)]] = True
    nothing = ~np.isfinite(low) & ~np.isfinite(high)
    fault[lower[nothing]] = fault[upper[nothing]] = True
    return fault
