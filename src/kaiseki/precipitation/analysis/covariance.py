"""Points of the model and the covariances between them: Matern 3/2 in space, exponential in time.

Transformed rain at a point is z = h'b + sum_j phi_j f_j + e. The fields f_j (additive and multiplicative bias of radar,
rain where no radar sees) are independent; each is a sum of Matern fields of several ranges r with the correlation
(1 + u) exp(-u), u = sqrt(3) d / r, times exp(-|dt| / h). phi_j is the amplitude of the field at the point: 1, the
transformed radar amount, and 1 where no radar sees. d is the distance on a map in km; a third coordinate, height times
a factor, makes it longer across terrain (Matern functions of the distance are covariances in three dimensions too).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
from scipy.spatial.distance import cdist

from kaiseki.precipitation.analysis.settings import Parameters

MICRO_KM: Final = 2.0
"""Range of the exponential correlation of the errors of gauges: those of one cell share a part."""
_SHARED: Final = 0.75
"""Share of the error that close gauges have in common, small enough for a covariance with any weights."""


@dataclass(frozen=True, eq=False)
class Points:
    """Places and times of the model.

    Attributes:
        x: coordinates, (n, 3), km: two of the map, then height times the factor of the settings.
        hours: time, (n,), h from that of the analysis.
        amplitude: of the fields, (n, 3).
        drift: predictors, (n, p).
    """

    x: np.ndarray
    hours: np.ndarray
    amplitude: np.ndarray
    drift: np.ndarray

    @property
    def size(self) -> int:
        """Number of points."""
        return int(self.hours.size)

    def some(self, chosen: np.ndarray) -> Points:
        """The points chosen, by numbers or mask."""
        return Points(self.x[chosen], self.hours[chosen], self.amplitude[chosen], self.drift[chosen])


def correlations(one: np.ndarray, other: np.ndarray, ranges: np.ndarray) -> list[np.ndarray]:
    """Matern 3/2 correlations (n, m) of each range between coordinates (n, 3) and (m, 3)."""
    distance = cdist(one, other)
    result = []
    for length in ranges:
        u = distance * (np.sqrt(3.0) / length)
        grown = 1.0 + u
        np.negative(u, out=u)
        np.exp(u, out=u)
        u *= grown
        result.append(u)
    return result


def apart(one: Points, other: Points) -> np.ndarray | None:
    """Difference in time (n, m), h; None where all are of one time."""
    if one.size and other.size and np.ptp(one.hours) == np.ptp(other.hours) == one.hours[0] - other.hours[0] == 0.0:
        return None
    return np.abs(one.hours[:, None] - other.hours)


def present(points: Points) -> list[int]:
    """Numbers of the fields that have an amplitude anywhere."""
    return [int(field) for field in np.flatnonzero(np.abs(points.amplitude).max(axis=0, initial=0.0) > 0.0)]


def by_field(targets: Points, gauges: Points, parameters: Parameters, fields: list[int]) -> list[np.ndarray]:
    """Covariances (n, m) of each field, without its amplitude at the n targets, with z at the m gauges."""
    correlation = correlations(targets.x, gauges.x, parameters.ranges)
    hours = apart(targets, gauges)
    result = []
    for field in fields:
        total = np.zeros((targets.size, gauges.size))
        for sd, one, memory in zip(parameters.sd[field], correlation, parameters.hours[field], strict=True):
            total += sd**2 * one if hours is None else sd**2 * one * np.exp(-hours / memory)
        total *= gauges.amplitude[:, field]
        result.append(total)
    return result


def of_signal(points: Points, parameters: Parameters) -> np.ndarray:
    """Covariance (n, n) of the sum of the fields between points."""
    total = np.zeros((points.size, points.size))
    fields = present(points)
    for field, part in zip(fields, by_field(points, points, parameters, fields), strict=True):
        total += points.amplitude[:, field, None] * part
    return total


def of_shared_errors(points: Points, variance: np.ndarray) -> np.ndarray:
    """Covariance (n, n) that close gauges' errors share, zero on the diagonal; variance (n,) is that of the errors."""
    distance = cdist(points.x, points.x)
    sd = np.sqrt(variance)
    shared = np.where(distance < 5.0 * MICRO_KM, _SHARED * np.exp(-distance / MICRO_KM), 0.0) * sd[:, None] * sd
    shared[points.hours[:, None] != points.hours] = 0.0
    np.fill_diagonal(shared, 0.0)
    return np.asarray(shared)
