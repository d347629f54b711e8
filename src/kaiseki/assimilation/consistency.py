"""Are the errors what they are said to be? Cost at the minimum, Desroziers ratios, statistics of departures.

Desroziers, Berre, Chapnik and Poli 2005 (Q. J. R. Meteorol. Soc. 131, 3385-3396): with d_b = y - H(x_b) and
d_a = y - H(x_a),

    E[d_a d_b] = R (equation 3),   E[(d_b - d_a) d_b] = H B H^T (equation 2),

where the assumed covariances are the true ones. Twice the cost at the minimum divided by the number of observations is
then 1 on average (Talagrand 1999, ECMWF workshop on diagnosis of data assimilation systems).
"""

from __future__ import annotations

from typing import Any

import numpy as np

from kaiseki.observations import KINDS, QUANTITIES, Table

LEAST: int = 15
"""Fewer values than this give no verdict: their entries are None."""


def chi_square(cost: float, count: int) -> float | None:
    """Cost at the minimum over the number of observations, 2 J / p; None without observations."""
    return 2.0 * cost / count if count else None


def _root(value: float) -> float | None:
    return float(np.sqrt(value)) if np.isfinite(value) and value >= 0.0 else None


def _groups(table: Table, rows: np.ndarray) -> list[tuple[str, str, np.ndarray]]:
    """Kind, quantity and the chosen rows of each, in the order of `KINDS` and `QUANTITIES`."""
    kind, quantity = table.codes("kind")[0], table.codes("quantity")[0]
    cell = kind.astype(np.int64) * len(QUANTITIES) + quantity
    chosen = np.flatnonzero(rows)
    found = []
    for one in np.unique(cell[chosen]):
        k, q = divmod(int(one), len(QUANTITIES))
        found.append((KINDS[k], QUANTITIES[q], chosen[cell[chosen] == one]))
    return found


def desroziers(table: Table, rows: np.ndarray, spread: np.ndarray) -> list[dict[str, Any]]:
    """Diagnosed over assumed standard deviations per kind and quantity.

    Args:
        table: with `error` and both departures.
        rows: mask (n,) of the assimilated values.
        spread: (n,) assumed standard deviation of the background at the values.

    Returns:
        `kind, quantity, n, sigma_o_assumed, sigma_o, sigma_o_ratio, sigma_b_assumed, sigma_b, sigma_b_ratio`; None
        where the product of departures is negative on average or there are fewer than `LEAST` values.
    """
    before, after = table.column("background_departure"), table.column("analysis_departure")
    error = table.column("error")
    found = []
    for kind, quantity, group in _groups(table, rows & np.isfinite(before) & np.isfinite(after)):
        row: dict[str, Any] = {"kind": kind, "quantity": quantity, "n": len(group)}
        enough = len(group) >= LEAST
        for name, assumed, product in (
            ("sigma_o", error, after * before),
            ("sigma_b", spread, (before - after) * before),
        ):
            expected = _root(float(np.mean(assumed[group] ** 2)))
            diagnosed = _root(float(np.mean(product[group]))) if enough else None
            row |= {
                f"{name}_assumed": expected,
                name: diagnosed,
                f"{name}_ratio": diagnosed / expected if diagnosed is not None and expected else None,
            }
        found.append(row)
    return found


def innovations(table: Table, rows: np.ndarray) -> list[dict[str, Any]]:
    """Mean and root mean square of both departures per kind and quantity of the rows of a mask (n,)."""
    found = []
    both = {name: table.column(f"{name}_departure") for name in ("background", "analysis")}
    for kind, quantity, group in _groups(table, rows & np.isfinite(both["background"])):
        row: dict[str, Any] = {"kind": kind, "quantity": quantity, "n": len(group)}
        for name, departure in both.items():
            finite = departure[group][np.isfinite(departure[group])]
            row[f"{name}_bias"] = float(np.mean(finite)) if len(finite) else None
            row[f"{name}_rms"] = _root(float(np.mean(finite**2))) if len(finite) else None
        found.append(row)
    return found


def spread_skill(table: Table, rows: np.ndarray, spread: np.ndarray) -> dict[str, Any]:
    """Expected over observed size of the background departures, all values together in units of their error.

    sqrt(mean((s^2 + sigma_o^2) / sigma_o^2)) / rms(d_b / sigma_o): 1 where the spread is what it should be, below 1
    where it is too small (Fortin et al. 2014, J. Hydrometeorol. 15, 1708-1713, with the error of observation added).

    Args:
        table: with `error` and `background_departure`.
        rows: mask (n,) of the assimilated values.
        spread: (n,) standard deviation of the background at the values.

    Returns:
        `n`, `ratio`; None for fewer than `LEAST` values.
    """
    before, error = table.column("background_departure"), table.column("error")
    good = rows & np.isfinite(before) & np.isfinite(spread)
    number = int(good.sum())
    if number < LEAST:
        return {"n": number, "ratio": None}
    expected = np.mean(1.0 + (spread[good] / error[good]) ** 2)
    return {"n": number, "ratio": float(np.sqrt(expected / np.mean((before[good] / error[good]) ** 2)))}
