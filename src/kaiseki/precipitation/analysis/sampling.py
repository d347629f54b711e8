"""Draws of the random fields of the model from their prior, by the fast Fourier transform on a periodic box.

The covariance of each range is sampled exactly on the points of the box as far as it is zero half-way around (circulant
embedding, Dietrich and Newsam 1997, doi:10.1137/S1064827592240555); what negative eigenvalues that leaves are dropped.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.fft import irfftn, next_fast_len, rfftn
from scipy.ndimage import map_coordinates

from kaiseki.precipitation.analysis.settings import Parameters


@dataclass(frozen=True, eq=False)
class Box:
    """A periodic box of points around places: its origin, spacing (km) and shape in three directions."""

    origin: np.ndarray
    spacing: np.ndarray
    shape: tuple[int, int, int]

    @classmethod
    def around(cls, x: np.ndarray, spacing_km: float, longest: float) -> Box:
        """The box of a spacing around coordinates (n, 3), with room for the longest range to decay."""
        low, size = x.min(axis=0), np.ptp(x, axis=0)
        room = 3.0 * longest
        # Heights, in the unit of the correlations, need as fine a spacing as the map; without terrain they are one.
        shape = [next_fast_len(int((one + room) / spacing_km) + 2, real=True) if one > 0.0 else 1 for one in size]
        return cls(low, np.full(3, spacing_km), (shape[2], shape[1], shape[0]))

    def draw(self, sd: np.ndarray, ranges: np.ndarray, rng: np.random.Generator) -> np.ndarray:
        """A field of the sum of Matern fields of standard deviations and ranges, of the shape of the box."""
        axes = [
            np.minimum(np.arange(n), n - np.arange(n)) * d for n, d in zip(self.shape, self.spacing[::-1], strict=True)
        ]
        distance = np.sqrt(axes[0][:, None, None] ** 2 + axes[1][:, None] ** 2 + axes[2] ** 2)
        covariance = np.zeros(self.shape)
        for one, length in zip(sd, ranges, strict=True):
            u = np.sqrt(3.0) / length * distance
            covariance += one**2 * (1.0 + u) * np.exp(-u)
        spectrum = np.maximum(rfftn(covariance).real, 0.0)
        # What the dropped negative eigenvalues would have taken from the variance is taken evenly.
        kept = irfftn(spectrum, s=self.shape)[0, 0, 0]
        spectrum *= covariance[0, 0, 0] / kept if kept > 0.0 else 1.0
        white = rfftn(rng.standard_normal(self.shape))
        return np.asarray(irfftn(white * np.sqrt(spectrum), s=self.shape))

    def at(self, field: np.ndarray, x: np.ndarray) -> np.ndarray:
        """Linear values (n,) of a field at coordinates (n, 3)."""
        index = ((x - self.origin) / self.spacing).T[::-1]
        return np.asarray(map_coordinates(field, index, order=1, mode="grid-wrap"))


def prior_draws(
    box: Box,
    targets: np.ndarray,
    gauges: np.ndarray,
    hours: np.ndarray,
    parameters: Parameters,
    rng: np.random.Generator,
) -> tuple[np.ndarray, np.ndarray]:
    """One draw of the fields at targets (n, 3) at hour 0, (3, n), and at gauges (m, 3) at their hours, (3, m)."""
    at_targets, at_gauges = np.zeros((3, len(targets))), np.zeros((3, len(gauges)))
    times = np.unique(np.append(hours, 0.0))
    for number in range(3):
        if not parameters.sd[number].any():
            continue
        parts = [_of_range(box, parameters, number, one, rng) for one in range(parameters.ranges.size)]
        for before, time in zip(np.append(np.nan, times[:-1]), times, strict=True):
            if np.isfinite(before):
                for one, lasting in enumerate(parameters.hours[number]):
                    kept = np.exp(-(time - before) / lasting)
                    fresh = _of_range(box, parameters, number, one, rng)
                    parts[one] = kept * parts[one] + np.sqrt(1.0 - kept**2) * fresh
            field = np.sum(parts, axis=0)
            if time == 0.0:
                at_targets[number] = box.at(field, targets)
            now = hours == time
            at_gauges[number, now] = box.at(field, gauges[now])
    return at_targets, at_gauges


def _of_range(box: Box, parameters: Parameters, field: int, number: int, rng: np.random.Generator) -> np.ndarray:
    """A draw of one field at one range."""
    return box.draw(parameters.sd[field, [number]], parameters.ranges[[number]], rng)
