"""Counts and ranges of a table of observations, to be compared with an independent decoding of the same files."""

from __future__ import annotations

from typing import Any

import numpy as np

from kaiseki.observations.table import Table

BOX_DEGREES = 10


def inventory(table: Table) -> list[dict[str, Any]]:
    """Counts by kind, quantity, hour and 10-degree box.

    Args:
        table: any observations.

    Returns:
        One row per group that occurs, ordered: `kind`, `quantity`, `time` (start of the hour, datetime64[s]), `west`,
        `south` (deg, corner of the box; 90N counts to the box below), `values`, `reports`, `stations` (numbers of),
        `least`, `mean`, `greatest` (of the values, SI).
    """
    if not len(table):
        return []
    hour = table.column("time").astype("datetime64[h]").astype(np.int64)
    west = _corner(table.column("longitude"), 180)
    south = _corner(table.column("latitude"), 90)
    kind, kinds = table.codes("kind")
    quantity, quantities = table.codes("quantity")
    # One number per group sorts many times faster than rows of five.
    first = np.array([0, 0, hour.min(), -180, -90])
    shape = (len(kinds), len(quantities), int(hour.max() - first[2]) + 1, 360, 180)
    keys = np.stack([kind, quantity, hour, west, south]) - first[:, None]
    flat, group = np.unique(np.ravel_multi_index(tuple(keys), shape), return_inverse=True)
    groups = np.stack(np.unravel_index(flat, shape), axis=1) + first
    value = table.column("value")
    order = np.argsort(group, kind="stable")
    starts = np.searchsorted(group[order], np.arange(len(groups)))
    counts = np.bincount(group)
    sums = np.add.reduceat(value[order], starts)
    least, greatest = np.minimum.reduceat(value[order], starts), np.maximum.reduceat(value[order], starts)
    reports = _distinct(group, table.column("report"), len(groups))
    stations = _distinct(group, table.codes("station")[0], len(groups))
    return [
        {
            "kind": kinds[key[0]],
            "quantity": quantities[key[1]],
            "time": np.datetime64(int(key[2]), "h").astype("datetime64[s]"),
            "west": int(key[3]),
            "south": int(key[4]),
            "values": int(counts[i]),
            "reports": int(reports[i]),
            "stations": int(stations[i]),
            "least": float(least[i]),
            "mean": float(sums[i] / counts[i]),
            "greatest": float(greatest[i]),
        }
        for i, key in enumerate(groups)
    ]


def _corner(degrees: np.ndarray, last: int) -> np.ndarray:
    corner = np.floor(degrees / BOX_DEGREES).astype(np.int64) * BOX_DEGREES
    return np.minimum(corner, last - BOX_DEGREES)


def _distinct(group: np.ndarray, of: np.ndarray, groups: int) -> np.ndarray:
    words, code = np.unique(of, return_inverse=True)
    return np.bincount(np.unique(group * len(words) + code) // len(words), minlength=groups)
