"""Places that cannot be: ships on land, stations high above the sea, ships that jump."""

from __future__ import annotations

from typing import Final, Protocol, runtime_checkable

import numpy as np

from kaiseki.core.constants import EARTH_RADIUS
from kaiseki.observations.flags import Flag
from kaiseki.observations.profiles import dense_reports
from kaiseki.observations.table import Table
from kaiseki.observations.withholding import ANONYMOUS

LAND: Final = 0.99
"""Land fraction above which a cell and its neighbours hold no water where a ship could be."""

SEA: Final = 0.01
"""Land fraction below which a cell and its neighbours hold no land."""

HIGHEST_ISLAND: Final = 500.0
"""Largest elevation of a station above a sea without land [m]: it may stand on an unresolved island; higher it is
misplaced."""

FASTEST_SHIP: Final = 30.0
"""Speed between two reports of a ship that cannot be [m s-1]; two rounded positions an hour apart may give 10."""

_MARINE: Final = ("ship", "buoy")
_STATIONS: Final = ("synop", "sonde", "pilot")


@runtime_checkable
class SurfaceMap(Protocol):
    """Map of land and sea, the part of a `grid.Domain` that the check needs."""

    @property
    def land_fraction(self) -> np.ndarray:
        """Land fraction (ny, nx), 0 to 1."""

    def index(self, lat: np.ndarray, lon: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Fractional cell-centre indices (j, i)."""


def check_position(table: Table, surface: SurfaceMap | None) -> np.ndarray:
    """`Flag.POSITION` on marine reports on land, on stations more than 500 m above open sea and on ships that jump.

    Stations at sea that could stand on a small island get `Flag.SUSPECT`. Outside the map nothing is judged.

    Args:
        table: observations.
        surface: the land fraction and its grid; None checks only the tracks of ships.

    Returns:
        Flags, uint32 (n,).
    """
    flags = np.where(_jumping(table), np.uint32(Flag.POSITION), np.uint32(0))
    if surface is None or not len(table):
        return flags
    least, most, inside = _around(surface, table.column("latitude"), table.column("longitude"))
    on_land = inside & table.where(kind=_MARINE) & (least > LAND)
    # A map without any land has not been filled in, or can have no stations but those on small islands.
    mapped = bool((np.asarray(surface.land_fraction) > SEA).any())
    at_sea = inside & table.where(kind=_STATIONS) & (most < SEA)
    # Levels of a sonde drift over the sea; its station does not.
    ascent_level = table.where(kind=("sonde", "pilot")) & ~_lowest(table)
    at_sea &= ~ascent_level
    misplaced = at_sea & mapped & (table.column("station_elevation") > HIGHEST_ISLAND)
    report = dense_reports(table)
    misplaced = (np.bincount(report, weights=misplaced) > 0)[report]
    flags[on_land | misplaced] |= np.uint32(Flag.POSITION)
    flags[at_sea & ~misplaced] |= np.uint32(Flag.SUSPECT)
    return flags


def _lowest(table: Table) -> np.ndarray:
    """Mask (n,) of the lowest level of each report."""
    report = dense_reports(table)
    lowest = np.full(report.max() + 1, np.iinfo(np.int64).max)
    np.minimum.at(lowest, report, table.column("level").astype(np.int64))
    return np.asarray(table.column("level") == lowest[report])


def _around(surface: SurfaceMap, latitude: np.ndarray, longitude: np.ndarray) -> tuple[np.ndarray, ...]:
    """Least and largest land fraction of the 3 x 3 cells around each place, and whether it is on the map."""
    land = np.asarray(surface.land_fraction)
    j, i = (np.rint(index) for index in surface.index(latitude, longitude))
    inside = (j >= 0) & (j < land.shape[0]) & (i >= 0) & (i < land.shape[1])
    row, column = np.where(inside, j, 0).astype(np.int64), np.where(inside, i, 0).astype(np.int64)
    cells = np.stack(
        [
            land[np.clip(row + dj, 0, land.shape[0] - 1), np.clip(column + di, 0, land.shape[1] - 1)]
            for dj in (-1, 0, 1)
            for di in (-1, 0, 1)
        ]
    )
    return cells.min(axis=0), cells.max(axis=0), inside


def _jumping(table: Table) -> np.ndarray:
    """Mask (n,) of the reports of ships from which both the one before and the one after are out of reach.

    With only one neighbour nothing tells which of the two is wrong, and none is named.
    """
    codes, words = table.codes("station")
    named = np.array([word.strip() not in ANONYMOUS for word in words] or [False])[codes]
    rows = np.flatnonzero(table.where(kind="ship") & named)
    bad = np.zeros(len(table), dtype=bool)
    if len(rows) < 3:
        return bad
    report = dense_reports(table)
    first = rows[np.unique(report[rows], return_index=True)[1]]
    keys = ("longitude", "latitude", "time")
    order = first[np.lexsort((*(table.column(key)[first] for key in keys), codes[first]))]
    latitude, longitude = np.deg2rad(table.column("latitude")[order]), np.deg2rad(table.column("longitude")[order])
    half = np.sin(0.5 * np.diff(latitude)) ** 2
    half += np.cos(latitude[1:]) * np.cos(latitude[:-1]) * np.sin(0.5 * np.diff(longitude)) ** 2
    distance = 2.0 * EARTH_RADIUS * np.arcsin(np.minimum(np.sqrt(half), 1.0))
    elapsed = np.diff(table.column("time")[order]).astype(np.int64)
    same = codes[order][1:] == codes[order][:-1]
    # A tenth of a degree is what positions are given to.
    far = same & (distance > 20_000.0 + FASTEST_SHIP * elapsed)
    wrong = np.zeros(len(order), dtype=bool)
    wrong[1:-1] = far[1:] & far[:-1]
    refused = np.zeros(int(report.max()) + 1, dtype=bool)
    refused[report[order[wrong]]] = True
    return refused[report]
