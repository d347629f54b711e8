"""Stations withheld for verification: a seeded part of them, balanced over kinds and regions.

A place that reports in several ways (a sonde station that also sends SYNOP) is one station here: otherwise its
pressure would be assimilated while its sonde judges the analysis.
"""

from __future__ import annotations

import hashlib
from collections.abc import Collection, Mapping
from typing import Final

import numpy as np

from kaiseki.core.errors import ConfigError, InputError
from kaiseki.core.observables import KINDS
from kaiseki.observations.table import Table

WITHHELD_KINDS: Final[tuple[str, ...]] = ("sonde", "pilot", "synop", "buoy", "ship")
"""Kinds with a station identity, the one that gives a station its stratum first."""

ANONYMOUS: Final = frozenset({"", "SHIP", "BUOY", "PLAT", "RIGG", "MASKSTID", "MARIN", "XXXX"})
"""Identifiers that many platforms share (WMO-No. 306, section 1, D...D "SHIP"; masked call signs)."""

_FIXED: Final = ("sonde", "pilot", "synop")
_BOX: Final = 10.0
_SAME_PLACE: Final = 0.15
_ANONYMOUS_BOX: Final = 5.0


def station_keys(table: Table) -> np.ndarray:
    """Identity of the station of each row, unicode (n,).

    The identifier; for platforms that share one (`ANONYMOUS`) with the corner of their box of 5 degrees, since nothing
    tells them apart better.
    """
    codes, words = table.codes("station")
    keys = np.array([word.strip() for word in words] or [""], dtype=np.str_)
    shared = np.isin(keys, list(ANONYMOUS))[codes]
    found = keys[codes].astype(object)
    if shared.any():
        south = np.floor(table.column("latitude")[shared] / _ANONYMOUS_BOX) * _ANONYMOUS_BOX
        west = np.floor(table.column("longitude")[shared] / _ANONYMOUS_BOX) * _ANONYMOUS_BOX
        found[shared] = [f"{key}@{y:+.0f}{x:+.0f}" for key, y, x in zip(found[shared], south, west, strict=True)]
    return found.astype(np.str_)


def assign_folds(
    table: Table, seed: int, folds: int = 5, kinds: Collection[str] = WITHHELD_KINDS, box: float = _BOX
) -> dict[str, int]:
    """Give every station to exactly one of `folds` parts; the same answer whatever the order of rows.

    Stations of several kinds, by identifier or within 0.15 degrees of each other, count as one. Within each stratum
    (first kind of `WITHHELD_KINDS`, box of `box` degrees) stations are shuffled by a seeded hash and dealt out in turn,
    the dealing going on from box to box: the parts of a stratum, and of a kind, differ by one station at most.

    Args:
        table: all observations of the period: a station that is not among them has no part.
        seed: seed of the shuffle.
        folds: number of parts.
        kinds: kinds whose stations are divided.
        box: size of the regions, degrees.

    Returns:
        The part, from 0, by station key (`station_keys`).

    Raises:
        ConfigError: fewer than two parts.
    """
    if folds < 2:
        raise ConfigError(f"The stations must be divided into at least 2 folds; got {folds}")
    rows = table.take(table.where(kind=[kind for kind in KINDS if kind in kinds]))
    if not len(rows):
        return {}
    keys, station = np.unique(station_keys(rows), return_inverse=True)
    ranks = np.array([WITHHELD_KINDS.index(kind) if kind in WITHHELD_KINDS else len(WITHHELD_KINDS) for kind in KINDS])
    rank = ranks[rows.codes("kind")[0]]
    has_kind = np.zeros((len(keys), len(WITHHELD_KINDS) + 1), dtype=bool)
    has_kind[station, rank] = True
    latitude, longitude = _places(rows, station, len(keys))
    groups = _together(latitude, longitude, has_kind)

    strata: dict[tuple[int, int, int], list[tuple[str, list[int]]]] = {}
    for members in groups:
        first = min(members, key=lambda one: (int(np.argmax(has_kind[one])), str(keys[one])))
        stratum = (
            int(np.argmax(has_kind[first])),
            int(np.floor(latitude[first] / box)),
            int(np.floor(longitude[first] / box)),
        )
        strata.setdefault(stratum, []).append((_digest(seed, str(keys[first])), members))
    result: dict[str, int] = {}
    dealt: dict[int, int] = {}
    for stratum in sorted(strata):
        kind = stratum[0]
        for _, members in sorted(strata[stratum]):
            turn = dealt.get(kind, int(_digest(seed, f"start {kind}")[:8], 16))
            for one in members:
                result[str(keys[one])] = turn % folds
            dealt[kind] = turn + 1
    return result


def withhold(table: Table, folds: Mapping[str, int], fold: int, kinds: Collection[str] = WITHHELD_KINDS) -> Table:
    """Table with the column `withheld`, True for all values of the stations in part `fold` and False for the others.

    Args:
        table: observations.
        folds: parts by station, from `assign_folds`.
        fold: the part to withhold.
        kinds: kinds that have parts.

    Raises:
        InputError: a station has no part; a table that was divided did not hold it.
    """
    chosen = table.where(kind=[kind for kind in KINDS if kind in kinds])
    keys, station = np.unique(station_keys(table.take(chosen)), return_inverse=True)
    unknown = [str(key) for key in keys if str(key) not in folds]
    if unknown:
        raise InputError(
            f"Station {unknown[0]!r} ({len(unknown)} in all) is in none of the folds; divide the stations "
            "of all files of the period at once"
        )
    withheld = np.zeros(len(table), dtype=bool)
    withheld[chosen] = np.array([folds[str(key)] == fold for key in keys], dtype=bool)[station]
    return table.with_columns(withheld=withheld)


def _digest(seed: int, text: str) -> str:
    return hashlib.sha256(f"{seed}:{text}".encode()).hexdigest()


def _places(rows: Table, station: np.ndarray, count: int) -> tuple[np.ndarray, np.ndarray]:
    """Median latitude and longitude of each station, degrees; across the date line as well."""
    latitude, longitude = np.deg2rad(rows.column("latitude")), np.deg2rad(rows.column("longitude"))
    vectors = (np.cos(latitude) * np.cos(longitude), np.cos(latitude) * np.sin(longitude), np.sin(latitude))
    x, y, z = (_median(vector, station, count) for vector in vectors)
    return np.rad2deg(np.arctan2(z, np.hypot(x, y))), np.rad2deg(np.arctan2(y, x))


def _median(values: np.ndarray, group: np.ndarray, count: int) -> np.ndarray:
    """Lower median of each group, (count,); exact, hence independent of the order."""
    order = np.lexsort((values, group))
    sizes = np.bincount(group, minlength=count)
    return values[order][np.cumsum(sizes) - sizes + (sizes - 1) // 2]


def _together(latitude: np.ndarray, longitude: np.ndarray, has_kind: np.ndarray) -> list[list[int]]:
    """Stations that are one: fixed stations of different kinds within 0.15 degrees, one of them an ascent's."""
    parent = list(range(len(latitude)))

    def root(one: int) -> int:
        while parent[one] != one:
            parent[one] = parent[parent[one]]
            one = parent[one]
        return one

    fixed = np.flatnonzero(has_kind[:, [WITHHELD_KINDS.index(kind) for kind in _FIXED]].any(axis=1))
    for one in fixed[has_kind[fixed, 0] | has_kind[fixed, 1]]:
        apart = np.abs((longitude[fixed] - longitude[one] + 180.0) % 360.0 - 180.0) * np.cos(np.deg2rad(latitude[one]))
        near = fixed[(np.abs(latitude[fixed] - latitude[one]) <= _SAME_PLACE) & (apart <= _SAME_PLACE)]
        for other in near[(has_kind[near] != has_kind[one]).any(axis=1)]:
            parent[root(int(other))] = root(int(one))
    groups: dict[int, list[int]] = {}
    for one in range(len(latitude)):
        groups.setdefault(root(one), []).append(one)
    return list(groups.values())
