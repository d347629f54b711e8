"""Settings of the analysis of precipitation, and the parameters of its covariances with their prior."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Final

import numpy as np

from kaiseki.config.base import Bounds, Count, NotNegative, Positive, Section, Seed
from kaiseki.core.errors import ConfigError

FIELDS: Final = ("additive", "multiplicative", "unseen")
"""Random fields of the model: bias of radar that is added, that multiplies, and rain where no radar sees."""
PRIOR_SPREAD: Final = 0.5
"""Standard deviation of the prior of the logarithm of each parameter; the second guard against dry networks."""

SPEED: Final = 40.0
"""Speed at which rain moves through its own range, and is forgotten, km/h; it also weighs hours against km."""


@dataclass(frozen=True, kw_only=True)
class AnalysisSettings(Section):
    """Settings of the analysis of precipitation from gauges and radar."""

    exponent: Annotated[float, Bounds(gt=0, le=1)] = 0.5
    """Power of the transform of amounts, z = P^exponent; 0.5 is the square root."""
    ranges_km: tuple[Positive, ...] = (20.0, 60.0, 150.0)
    """Ranges of the Matern 3/2 correlations of the random fields, km."""
    fit: bool = True
    """Whether the parameters are found from the gauges of the hour, by maximum posterior density."""
    fit_gauges: Count = 600
    """Largest number of gauge values from which the parameters are found."""
    degrees_of_freedom: Annotated[float, Bounds(gt=2)] = 4.0
    """Number of degrees of freedom of the Student t distribution of gauge errors; a large one is Gaussian."""
    hours_before: Annotated[int, Bounds(ge=0, le=12)] = 0
    """Number of intervals before the time of the analysis whose gauges and radar are used."""
    hours_after: Annotated[int, Bounds(ge=0, le=12)] = 0
    """Number of intervals after the time of the analysis; with 0 it could have been made at once (filter)."""
    smoothing_km: Positive = 9.0
    """Width of the mean of the radar field that is the second predictor, km."""
    wet_box_km: Positive = 25.0
    """Width of the box whose share of wet radar cells is the third predictor and decides what is active, km."""
    wet_mm: Positive = 0.05
    """Smallest amount of a radar cell that counts as wet, mm."""
    active_km: Positive = 60.0
    """Distance from a wet gauge up to which a dry one without radar is active, km."""
    resolution_mm: Positive = 0.1
    """Step of the amounts of gauges that do not say theirs, mm."""
    drizzle_mm: NotNegative = 0.02
    """Mean below which a cell is dry where its median is 0, mm."""
    terrain_km_per_km: NotNegative = 0.0
    """Horizontal distance that a difference in height of 1 km is worth in the correlations; 0 leaves heights out."""
    mesh_km: Positive = 4.0
    """Spacing of the mesh on which the smooth fields are evaluated before interpolation to the cells, km."""
    reach_km: Positive = 300.0
    """Distance beyond which gauges are not used, km."""
    gauge_reach_km: Positive = 75.0
    """Distance from the nearest gauge up to which a cell without radar and background is analysed, km."""
    neighbours: Annotated[int, Bounds(ge=20)] = 700
    """Largest number of gauge values of one local solution."""
    samples: Annotated[int, Bounds(ge=0, le=100)] = 0
    """Number of conditional samples."""
    seed: Seed = 1
    """Seed of the samples."""

    def __post_init__(self) -> None:
        super().__post_init__()
        if not self.ranges_km or any(b <= a for a, b in zip(self.ranges_km, self.ranges_km[1:], strict=False)):
            raise ConfigError(f"ranges_km = {self.ranges_km}: give at least one range, rising")


@dataclass(frozen=True, eq=False)
class Parameters:
    """Parameters of the covariances of the transformed rain.

    Attributes:
        sd: standard deviations of each field at each range, (3, s), in the unit of z (the multiplicative one relative).
        ranges: of the correlations, (s,), km.
        hours: time in which each field at each range loses its memory, (3, s), h.
        noise: standard deviation of the error of gauges where it is dry, and its growth with z.
    """

    sd: np.ndarray
    ranges: np.ndarray
    hours: np.ndarray
    noise: np.ndarray

    @property
    def variance(self) -> np.ndarray:
        """Prior variance of each field, (3,)."""
        return np.asarray((self.sd**2).sum(axis=1))

    def to_vector(self) -> np.ndarray:
        """Logarithms of the standard deviations and the noise, of the ranges' and of the hours' common factor."""
        return np.log(np.concatenate([self.sd.ravel(), self.noise, self.ranges[:1], self.hours[0, :1]]))

    def from_vector(self, vector: np.ndarray) -> Parameters:
        """Parameters of a vector like that of `to_vector`; ranges and hours keep their ratios."""
        value = np.exp(vector)
        count = self.sd.size
        return Parameters(
            value[:count].reshape(self.sd.shape),
            self.ranges * (value[count + 2] / self.ranges[0]),
            self.hours * (value[count + 3] / self.hours[0, 0]),
            value[count : count + 2],
        )


def prior(settings: AnalysisSettings) -> Parameters:
    """Parameters in the middle of the prior: round numbers, for hourly rain in mm."""
    ranges = np.asarray(settings.ranges_km)
    total = np.array([0.2, 0.25, 1.5])
    shares = np.full(ranges.size, 1.0 / np.sqrt(ranges.size))
    moved = ranges / SPEED
    hours = np.stack([moved, np.full_like(moved, 3.0), moved])
    return Parameters(total[:, None] * shares, ranges, hours, np.full(2, 0.1))
