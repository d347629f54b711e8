"""Which of two neighbouring levels is the odd one out: common to the checks of shear and lapse rate."""

from __future__ import annotations

from typing import Final

import numpy as np

UNSURE: Final = 0.1
"""Part of the step around the border between the two verdicts where both levels are named."""


def odd_one_out(report: np.ndarray, depth: np.ndarray, values: np.ndarray, lower: np.ndarray) -> np.ndarray:
    """Levels at fault in pairs of neighbours that cannot both be right.

    Of each pair the level at fault is the one without which its neighbours are joined more smoothly: the level that
    deviates more from the straight line, in ln p, between the levels around it. Where one level of the pair is the end
    of its ascent, the inner one is at fault when it deviates by about the whole step; close to the border both are.

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
    # A spike of the inner level deviates by the whole step, a spike of the end only by its weight in the line.
    weights = (part[lower, 0], 1.0 - part[upper, 0])
    for one, other, known, weight in zip((lower, upper), (upper, lower), (low, high), weights, strict=True):
        ended = np.isfinite(known) & ~both_known
        between = 0.5 * (1.0 + weight) * step
        fault[one[ended & (known >= between - UNSURE * step)]] = True
        fault[other[ended & (known < between + UNSURE * step)]] = True
    nothing = ~np.isfinite(low) & ~np.isfinite(high)
    fault[lower[nothing]] = fault[upper[nothing]] = True
    return fault
