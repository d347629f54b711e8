"""Sections of what comes out and how it is judged: archive, verification, twin."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Annotated, Literal

from kaiseki.config.base import Bounds, Count, Fraction, NotNegative, Positive, Section, Seed
from kaiseki.config.dynamics import Dynamics
from kaiseki.core.errors import ConfigError


@dataclass(frozen=True, kw_only=True)
class Archive(Section):
    """Settings of the run store."""

    chunk: tuple[Count, Count] = (256, 256)
    """Number of cells of a chunk (y, x)."""
    compression_level: Annotated[int, Bounds(ge=0, le=22)] = 3
    """Level of the Zstandard compression, 0 to 22."""


@dataclass(frozen=True, kw_only=True)
class Verification(Section):
    """Settings of the scores, their baselines and intervals."""

    baselines: tuple[Literal["driving", "free_run", "optimal_interpolation"], ...] = (
        "driving",
        "free_run",
        "optimal_interpolation",
    )
    """Baselines that the analysis is compared with, made by the same command."""
    levels: tuple[Positive, ...] = (85_000.0, 70_000.0, 50_000.0, 30_000.0, 25_000.0)
    """Pressures at which scores are given, Pa."""
    bootstrap_samples: Count = 1000
    """Number of draws of the bootstrap by station."""
    confidence: Annotated[float, Bounds(gt=0, lt=1)] = 0.95
    """Coverage of the confidence intervals, 0 to 1."""
    minimum_count: Count = 15
    """Smallest number of values from which a verdict is drawn."""
    seed: Seed = 1
    """Seed of the bootstrap."""

    def __post_init__(self) -> None:
        super().__post_init__()
        if not self.levels:
            raise ConfigError("levels is empty; give the pressures at which scores are wanted, at least one")


@dataclass(frozen=True, kw_only=True)
class Twin(Section):
    """Settings of the nature run of a twin experiment, and of how it differs from the assimilating system."""

    seed: Seed = 1
    """Seed of the initial truth, of the boundary perturbation and of the observation errors."""
    spacing_factor: Annotated[float, Bounds(gt=0, le=1)] = 0.75
    """Grid length of the nature run in units of that of the assimilating model."""
    spin_up_hours: NotNegative = 6.0
    """Length of the nature run before the cold start, h."""
    physics: dict[str, float | str] = field(default_factory=dict)
    """Constants of the physics of the nature run by "scheme.parameter", where they differ from the section
    `physics`."""
    dynamics: Dynamics | None = None
    """Damping and horizontal mixing of the nature run; without it, those of the section `dynamics`. Its time steps
    follow from its grid."""
    surroundings: Literal["model", "nature"] = "model"
    """Physics and dynamics of the weather around the nature run: those of the assimilating model ("model") or of the
    nature run ("nature")."""
    sea_anomaly: Annotated[float, Bounds(ge=-5, le=5)] = 0.0
    """Amplitude of the difference between the sea temperature of nature and the one that the assimilating model is
    given, K; a wave pattern, see `kaiseki.experiments.twin.flow`."""
    sea_change: Annotated[float, Bounds(ge=0, le=5)] = 0.0
    """Amplitude of a wave pattern of the sea temperature that travels, K; a crest takes ten days to the place of the
    next. Nature and the driving fields both know it. At 0 the sea stays as it is."""
    boundary_perturbation: NotNegative = 1.0
    """Size of the error of the driving fields, in units of a typical error of a global analysis."""
    perturbation_hours: NotNegative = 0.0
    """Time in which the correlation of the errors of the driving fields falls to 0.61, h. They then change all the time
    and keep their size, however long the period is, and so does the weather. At 0 both are those of one start, which
    leave the region within days; for periods beyond two days give 24 or so."""
    initial_perturbation: NotNegative = 1.0
    """Size of the error of the cold start, in units of a typical error of a global analysis."""
    observation_density: Fraction = 1.0
    """Part of the stations of the built-in network that report, 0 to 1."""
    error_factor: Positive = 1.0
    """Ratio of the standard deviation of the observation errors to the one that the assimilating system assumes."""
    error_vertical_length: NotNegative = 0.0
    """Correlation length of the errors along an ascent, in the logarithm of pressure; at 0 the levels err independently
    but for what all of a report have in common."""
    gross_errors: Fraction = 0.003
    """Part of the values that have gross errors, 0 to 1."""
