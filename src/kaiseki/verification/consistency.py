"""Consistency of an analysis with its own error statistics, tabulated from the diagnostics of each cycle.

2J/p is near 1 when the assumed errors have the right size (Talagrand 1999, Proc. ECMWF Workshop on Diagnosis of Data
Assimilation Systems, 17-28: the cost at the minimum is half the number of observations). The ratios of Desroziers et
al. (2005, Q. J. R. Meteorol. Soc. 131, 3385-3396) say the same for each kind of observation: diagnosed over assumed
standard deviation of the observation error and of the background error in observation space.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import numpy as np

from kaiseki.core.timing import format_utc


def consistency_rows(diagnostics: Mapping[np.datetime64, Mapping[str, Any]]) -> list[dict[str, Any]]:
    """One row per cycle for the whole table, and one per cycle and group of observations.

    Args:
        diagnostics: by analysis time, with `two_j_over_p` and `desroziers` (a list of {kind, quantity,
            sigma_o_ratio, sigma_b_ratio, n}); what is absent gives no row.

    Returns:
        {time, kind, quantity, n, two_j_over_p, sigma_o_ratio, sigma_b_ratio}; None where a number does not apply or
        is not finite, `kind` and `quantity` None in the row of the whole table.
    """
    rows: list[dict[str, Any]] = []
    for time, values in sorted(diagnostics.items()):
        stamp = format_utc(time)
        total = _number(values.get("two_j_over_p"))
        if total is not None:
            n = _number((values.get("counts") or {}).get("used"))
            rows.append(_row(stamp, None, None, n, total, None, None))
        for group in values.get("desroziers") or []:
            o, b = _number(group.get("sigma_o_ratio")), _number(group.get("sigma_b_ratio"))
            rows.append(_row(stamp, group.get("kind"), group.get("quantity"), _number(group.get("n")), None, o, b))
    return rows


def _row(
    time: str,
    kind: str | None,
    quantity: str | None,
    n: float | None,
    total: float | None,
    o: float | None,
    b: float | None,
) -> dict[str, Any]:
    return {
        "time": time,
        "kind": kind,
        "quantity": quantity,
        "n": None if n is None else int(n),
        "two_j_over_p": total,
        "sigma_o_ratio": o,
        "sigma_b_ratio": b,
    }


def _number(value: Any) -> float | None:
    if value is None or isinstance(value, bool | str) or not math.isfinite(value):
        return None
    return float(value)
