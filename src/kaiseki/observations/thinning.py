"""Thinning: fewer values where they stand so close that their errors are not independent, or tell the same.

Withheld values are thinned among themselves, so that what is used does not depend on what is withheld.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final

import numpy as np
from scipy.spatial import cKDTree

from kaiseki.core.constants import EARTH_RADIUS
from kaiseki.core.errors import ConfigError
from kaiseki.core.observables import KINDS
from kaiseki.observations.flags import Flag, usable
from kaiseki.observations.profiles import dense_reports
from kaiseki.observations.table import Table

BOXED_KINDS: Final = ("aircraft", "satwind")
"""Kinds thinned in boxes of distance and pressure; the others keep a least distance between reports."""

BOX_PRESSURE: Final = 5_000.0
"""Depth of the boxes [Pa]."""

MANDATORY: Final = tuple(
    100.0 * p for p in (1000, 925, 850, 700, 500, 400, 300, 250, 200, 150, 100, 70, 50, 30, 20, 10)
)
"""Mandatory levels of ascents [Pa] (WMO-No. 306, FM 35 TEMP)."""


def thin(table: Table, analysis_time: np.datetime64, distances: Mapping[str, float]) -> Table:
    """Table with `Flag.THINNED` set on the reports of one window that others stand for.

    Within each kind the reports with most usable values come first, then those nearest to the analysis time, then those
    that come first by time, place and station: the answer does not depend on the order of rows. Kinds of `BOXED_KINDS`
    keep one report per box of the distance and 50 hPa; of the others no two kept reports are nearer than the distance.

    Args:
        table: observations of one window.
        analysis_time: UTC.
        distances: least distance [m] by kind; kinds not named are not thinned.

    Raises:
        ConfigError: an unknown kind or a distance that is not positive.
    """
    for kind, distance in distances.items():
        if kind not in KINDS or not distance > 0.0:
            raise ConfigError(f"Thinning of {kind!r} to {distance} m: expected a known kind and a positive distance")
    if not len(table):
        return table
    report = dense_reports(table)
    count = int(report.max()) + 1
    good = np.bincount(report, weights=usable(table.column("flags")), minlength=count)
    first = np.full(count, -1)
    order = np.lexsort((table.column("pressure"), table.column("level"), table.column("time"), report))
    first[report[order][::-1]] = order[::-1]
    heads = table.take(first)
    rank = np.empty(count, dtype=np.int64)
    away = np.abs(heads.column("time") - np.datetime64(analysis_time, "s")).astype(np.int64)
    keys = ("station", "pressure", "longitude", "latitude", "time")
    rank[np.lexsort((*(heads.column(key) for key in keys), away, -good))] = np.arange(count)
    dropped = np.zeros(count, dtype=bool)
    for kind, distance in distances.items():
        for withheld in (False, True):
            chosen = heads.where(kind=kind) & (heads.column("withheld") == withheld) & (good > 0)
            members = np.flatnonzero(chosen)
            members = members[np.argsort(rank[members])]
            choose = _in_boxes if kind in BOXED_KINDS else _apart
            dropped[members] = ~choose(heads.take(members), distance)
    return table.with_flags(dropped[report], Flag.THINNED)


def _unit_vectors(heads: Table) -> np.ndarray:
    latitude, longitude = np.deg2rad(heads.column("latitude")), np.deg2rad(heads.column("longitude"))
    return np.stack(
        [np.cos(latitude) * np.cos(longitude), np.cos(latitude) * np.sin(longitude), np.sin(latitude)], axis=-1
    )


def _apart(heads: Table, distance: float) -> np.ndarray:
    """Mask of the reports, best first, that are kept when no two may be nearer than a distance on the sphere."""
    kept = np.zeros(len(heads), dtype=bool)
    if not len(heads):
        return kept
    chord = 2.0 * np.sin(min(0.5 * distance / EARTH_RADIUS, 0.5 * np.pi))
    vectors = _unit_vectors(heads)
    near = cKDTree(vectors).query_ball_point(vectors, chord * (1.0 - 1e-12))
    blocked = np.zeros(len(heads), dtype=bool)
    for one, others in enumerate(near):
        if not blocked[one]:
            kept[one] = True
            blocked[others] = True
    return kept


def _in_boxes(heads: Table, distance: float) -> np.ndarray:
    """Mask of the first report, best first, of each box."""
    degrees = np.rad2deg(distance / EARTH_RADIUS)
    row = np.floor((heads.column("latitude") + 90.0) / degrees)
    width = degrees / np.maximum(np.cos(np.deg2rad((row + 0.5) * degrees - 90.0)), 0.01)
    column = np.floor((heads.column("longitude") + 180.0) / width)
    layer = np.floor(np.nan_to_num(heads.column("pressure")) / BOX_PRESSURE)
    kept = np.zeros(len(heads), dtype=bool)
    kept[np.unique(np.stack([row, column, layer]), axis=1, return_index=True)[1]] = True
    return kept


def thin_levels(
    table: Table,
    interfaces: Sequence[float],
    maximum: int = 1,
    kinds: Sequence[str] = ("sonde", "pilot"),
    mandatory: Sequence[float] = MANDATORY,
) -> Table:
    """Table with `Flag.THINNED` set on levels of ascents beyond `maximum` usable ones per layer and quantity.

    Mandatory levels and level 0 always stay and count; then those nearest to the middle of their layer in ln p.

    Args:
        table: observations.
        interfaces: pressures [Pa] of the interfaces of the layers, falling (of the model: one level per model layer).
        maximum: values per layer, report and quantity.
        kinds: ascents.
        mandatory: pressures [Pa] that stay.

    Raises:
        ConfigError: interfaces do not fall, or a maximum below 1.
    """
    edges = -np.log(np.asarray(interfaces, dtype=float))
    if maximum < 1 or len(edges) < 2 or not (np.diff(edges) > 0).all():
        raise ConfigError(
            "Thinning of levels needs pressures that fall from interface to interface, and at least 1 level"
        )
    pressure = table.column("pressure")
    chosen = np.flatnonzero(table.where(kind=kinds) & (pressure > 0) & usable(table.column("flags")))
    depth = -np.log(pressure[chosen])
    layer = np.searchsorted(edges, depth)
    middle = np.concatenate([[edges[0]], 0.5 * (edges[1:] + edges[:-1]), [edges[-1]]])[layer]
    stays = np.isin(np.rint(pressure[chosen]), np.rint(mandatory)) | (table.column("level")[chosen] == 0)
    report, quantity = table.column("report")[chosen], table.codes("quantity")[0][chosen]
    order = np.lexsort((depth, np.abs(depth - middle), ~stays, layer, quantity, report))
    new = np.ones(len(order), dtype=bool)
    for key in (report, quantity, layer):
        new[1:] &= key[order][1:] == key[order][:-1]
    new[1:] = ~new[1:]
    place = np.arange(len(order)) - np.maximum.accumulate(np.where(new, np.arange(len(order)), 0))
    dropped = np.zeros(len(table), dtype=bool)
    dropped[chosen[order]] = (place >= maximum) & ~stays[order]
    return table.with_flags(dropped, Flag.THINNED)
