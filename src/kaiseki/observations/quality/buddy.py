"""Buddy check: is a value what its neighbours make one expect?

Each value is predicted from its neighbours by a plane fitted in the horizontal, in ln p, in time and, for surface
pressure, in elevation. The fit is Bayesian with prior slopes of zero mean and the size of strong weather, so that it
knows how uncertain an extrapolation is, and robust (Huber 1964, Ann. Math. Stat. 35, 73-101), so that one bad neighbour
does not spoil it. Cf. Lorenc 1981 (Mon. Wea. Rev. 109, 701-721), who compares with an analysis without the value.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
from scipy.spatial import cKDTree

from kaiseki.core.constants import EARTH_RADIUS
from kaiseki.diagnostics.standard_atmosphere import reduced_to_sea_level
from kaiseki.observations.flags import WRONG, Flag
from kaiseki.observations.profiles import dense_reports
from kaiseki.observations.table import Table


@dataclass(frozen=True)
class BuddyGroup:
    """Values that are compared with each other.

    Attributes:
        quantities: components that are judged together (two for wind).
        kinds: kinds of report.
        radius: distance of the farthest neighbours [m].
        depth: difference in ln p that counts as much as `radius`.
        sigma: departure from the plane [SI] of good values at hand: measurement and small scales.
        slope, slope_depth, slope_time: prior standard deviations of the slopes [per m, per unit of ln p, per s].
        slope_elevation: the same per m of elevation; None leaves elevation out.
    """

    quantities: tuple[str, ...]
    kinds: tuple[str, ...]
    radius: float
    depth: float
    sigma: float
    slope: float
    slope_depth: float
    slope_time: float
    slope_elevation: float | None = None


_UPPER_WIND: Final = ("sonde", "pilot", "aircraft", "satwind")

GROUPS: Final = (
    BuddyGroup(("surface_pressure",), ("synop", "sonde", "ship", "buoy"), 500e3, 0.0, 150.0, 2e-3, 0.0, 0.02, 1.5),
    BuddyGroup(("air_temperature",), ("sonde", "aircraft"), 1000e3, 0.1, 2.5, 1e-5, 30.0, 1e-4),
    BuddyGroup(("geopotential_height",), ("sonde",), 1000e3, 0.002, 25.0, 3e-4, 1.0, 2e-3),
    BuddyGroup(("eastward_wind", "northward_wind"), _UPPER_WIND, 1000e3, 0.1, 5.0, 3e-5, 30.0, 3e-4),
    BuddyGroup(("eastward_wind", "northward_wind"), ("ship", "buoy"), 500e3, 0.0, 4.0, 2e-5, 0.0, 3e-4),
)
"""What is compared, with sizes that are this program's own choice, tried on winter data of East Asia."""

TOLERANCE: Final = 5.0
"""Departures beyond this many standard deviations of what is expected are refused."""

NEIGHBOURS: Final = 16
"""Largest number of neighbours used."""

FEWEST: Final = 4
"""Smallest number of neighbours with which a value is judged."""

LONGEST: Final = 3.0 * 3600.0
"""Difference in time that counts as much as the radius [s]."""

HIGHEST: Final = 1500.0
"""Surface pressures of stations higher than this are not reduced to sea level, hence not judged [m]."""

_HUBER: Final = 1.5
_ROUNDS: Final = 4
_PASSES: Final = 2


def check_buddies(table: Table, tolerance: float = TOLERANCE) -> np.ndarray:
    """`Flag.BUDDY` on values that disagree with their neighbours, uint32 (n,).

    Surface pressure is compared after reduction to sea level with the standard lapse rate; temperature, wind and height
    aloft with neighbours near in place, pressure and time, ships' winds among themselves. Both components of a wind are
    judged and flagged together. Withheld values and values that are wrong already are neither judged nor used.

    Args:
        table: observations with the flags of the other checks.
        tolerance: in standard deviations of what is expected.
    """
    flags = np.zeros(len(table), dtype=np.uint32)
    eligible = ((table.column("flags") & np.uint32(WRONG)) == 0) & ~table.column("withheld")
    for group in GROUPS:
        rows, values = _members(table, group, eligible)
        if len(rows) <= FEWEST:
            continue
        bad = _outliers(table, group, rows, values, tolerance)
        flags[rows[bad].ravel()] = np.uint32(Flag.BUDDY)
    return flags


def _members(table: Table, group: BuddyGroup, eligible: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Rows (m, components) and values (m, components) that are compared in a group."""
    chosen = eligible & table.where(kind=group.kinds)
    value = table.column("value")
    if group.quantities == ("surface_pressure",):
        elevation = table.column("station_elevation")
        rows = np.flatnonzero(chosen & table.where(quantity="surface_pressure") & (elevation <= HIGHEST))
        return rows[:, None], reduced_to_sea_level(value[rows], elevation[rows])[:, None]
    if group.depth > 0.0:
        chosen &= table.column("pressure") > 0
    parts = [np.flatnonzero(chosen & table.where(quantity=quantity)) for quantity in group.quantities]
    if len(parts) == 1:
        return parts[0][:, None], value[parts[0]][:, None]
    # Components of one wind share report, level and pressure.
    keys = [np.stack([table.column("report")[part], table.column("level")[part]], axis=1) for part in parts]
    first, second = (np.unique(key, axis=0, return_index=True) for key in keys)
    both, place = np.unique(np.concatenate([first[0], second[0]]), axis=0, return_inverse=True)
    at = np.full((len(both), 2), -1, dtype=np.int64)
    at[place[: len(first[0])], 0] = parts[0][first[1]]
    at[place[len(first[0]) :], 1] = parts[1][second[1]]
    rows = at[(at >= 0).all(axis=1)]
    return rows, value[rows]


def _outliers(table: Table, group: BuddyGroup, rows: np.ndarray, values: np.ndarray, tolerance: float) -> np.ndarray:
    """Mask (m,) of the members that disagree with their neighbours."""
    head = rows[:, 0]
    latitude, longitude = np.deg2rad(table.column("latitude")[head]), np.deg2rad(table.column("longitude")[head])
    seconds = (table.column("time")[head] - table.column("time")[head].min()).astype(np.float64)
    depth = -np.log(table.column("pressure")[head]) if group.depth > 0.0 else np.zeros(len(head))
    elevation = np.nan_to_num(table.column("station_elevation")[head])
    points = np.stack(
        [
            np.cos(latitude) * np.cos(longitude) * EARTH_RADIUS / group.radius,
            np.cos(latitude) * np.sin(longitude) * EARTH_RADIUS / group.radius,
            np.sin(latitude) * EARTH_RADIUS / group.radius,
            depth / group.depth if group.depth > 0.0 else depth,
            seconds / LONGEST,
        ],
        axis=1,
    )
    report, station = dense_reports(table)[head], _stations(table)[head]
    bad = np.zeros(len(head), dtype=bool)
    for _ in range(_PASSES):
        good = np.flatnonzero(~bad)
        distance, near = _neighbours(points, good, report, station)
        known = np.isfinite(distance)
        east = (longitude[near] - longitude[:, None] + np.pi) % (2.0 * np.pi) - np.pi
        offsets = [
            east * np.cos(latitude)[:, None] * EARTH_RADIUS * group.slope,
            (latitude[near] - latitude[:, None]) * EARTH_RADIUS * group.slope,
            (seconds[near] - seconds[:, None]) * group.slope_time,
        ]
        if group.depth > 0.0:
            offsets.append((depth[near] - depth[:, None]) * group.slope_depth)
        if group.slope_elevation is not None:
            offsets.append((elevation[near] - elevation[:, None]) * group.slope_elevation)
        regressors = np.stack(offsets, axis=-1)
        departure = _departures(regressors, distance, values[near] - values[:, None, :], known, group.sigma)
        bad = (departure > tolerance) & (known.sum(axis=1) >= FEWEST)
    return bad


def _stations(table: Table) -> np.ndarray:
    """Codes (n,) of stations that are the same place or platform; -1 where the identifier does not tell."""
    codes, words = table.codes("station")
    named = np.array([bool(word.strip()) for word in words] or [False])[codes]
    return np.where(named & ~table.where(kind=("satwind", "ship")), codes, -1)


def _neighbours(
    points: np.ndarray, good: np.ndarray, report: np.ndarray, station: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Scaled distances (m, NEIGHBOURS), infinite where there is none, and members, of other reports and stations."""
    asked = min(2 * NEIGHBOURS, len(good))
    distance, place = cKDTree(points[good]).query(points, k=asked, distance_upper_bound=1.0)
    distance, place = distance.reshape(len(points), asked), place.reshape(len(points), asked)
    near = good[np.minimum(place, len(good) - 1)]
    own = report[near] == report[:, None]
    own |= (station[near] == station[:, None]) & (station[:, None] >= 0)
    distance = np.where(own, np.inf, distance)
    order = np.argsort(distance, axis=1, kind="stable")[:, :NEIGHBOURS]
    return np.take_along_axis(distance, order, axis=1), np.take_along_axis(near, order, axis=1)


def _departures(
    regressors: np.ndarray, distance: np.ndarray, values: np.ndarray, known: np.ndarray, sigma: float
) -> np.ndarray:
    """Departure from the robust plane in standard deviations of what is expected, (m,).

    Args:
        regressors: (m, k, slopes) offsets of the neighbours times the prior deviation of the slope.
        distance: (m, k) scaled distance.
        values: (m, k, components) neighbours minus the value judged.
        known: (m, k) which neighbours exist.
        sigma: expected departure of good values from the plane.
    """
    m, k, slopes = regressors.shape
    design = np.concatenate([np.ones((m, k, 1)), regressors], axis=-1)
    design = np.where(known[:, :, None], design, 0.0)
    target = np.where(known[:, :, None], values, 0.0)
    # Curvature of the field: neighbours far away count less.
    base = known / (1.0 + 4.0 * np.where(known, distance, 0.0) ** 4) / sigma**2
    weight = base.copy()
    prior = np.eye(slopes + 1)
    prior[0, 0] = 1e-12
    residual = values
    for _ in range(_ROUNDS):
        normal = np.einsum("mki,mk,mkj->mij", design, weight, design) + prior
        right = np.einsum("mki,mk,mkc->mic", design, weight, target)
        fitted = np.linalg.solve(normal, right)
        residual = target - np.einsum("mki,mic->mkc", design, fitted)
        size = np.linalg.norm(residual, axis=-1) / (sigma * np.sqrt(values.shape[-1]))
        weight = base * np.minimum(1.0, _HUBER / np.maximum(size, 1e-12))
    variance = sigma**2 + np.linalg.inv(normal)[:, 0, 0]
    # Where neighbours scatter more than expected (a front, a jet), more is allowed.
    # One wrong neighbour must not count as scatter, hence the bound.
    bounded = np.minimum(size, 2.0 * _HUBER) ** 2
    scatter = np.sqrt((base * bounded).sum(axis=1) / np.maximum(base.sum(axis=1), 1e-30))
    predicted = np.linalg.norm(fitted[:, 0, :], axis=-1) / np.sqrt(values.shape[-1])
    return predicted / (np.sqrt(variance) * np.maximum(scatter, 1.0))
