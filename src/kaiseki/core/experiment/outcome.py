"""Sections of what comes out and how it is judged: archive, verification, twin."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from kaiseki.core.experiment.base import Count, Fraction, NotNegative, Positive, Section
from kaiseki.core.experiment.model import Dynamics


class Archive(Section):
    """What is written to the run store."""

    chunk: tuple[Count, Count] = (256, 256)
    """Cells of a chunk (y, x)."""
    compression_level: int = Field(default=3, ge=0, le=22)
    """Level of the Zstandard compression."""


class Verification(Section):
    """Scores, baselines and their uncertainty."""

    baselines: tuple[Literal["driving", "free_run", "optimal_interpolation"], ...] = (
        "driving",
        "free_run",
        "optimal_interpolation",
    )
    """What the analysis is compared with, made by the same command."""
    levels: tuple[Positive, ...] = (85_000.0, 70_000.0, 50_000.0, 30_000.0, 25_000.0)
    """Pressures at which scores are given, Pa."""
    bootstrap_samples: Count = 1000
    """Draws of the bootstrap by station."""
    confidence: float = Field(default=0.95, gt=0, lt=1)
    """Coverage of the intervals."""
    minimum_count: Count = 15
    """Below this number of values no verdict is drawn."""
    seed: int = Field(default=1, ge=0)
    """Seed of the bootstrap."""


class Twin(Section):
    """The nature run of a twin experiment and how the assimilating system is kept from knowing it."""

    seed: int = Field(default=1, ge=0)
    """Seed of the initial truth, of the boundary perturbation and of the observation errors."""
    spacing_factor: float = Field(default=0.75, gt=0, le=1)
    """Grid length of the nature run in units of that of the assimilating model."""
    spin_up_hours: NotNegative = 6.0
    """Nature run before the cold start."""
    physics: dict[str, float | str] = Field(default_factory=dict)
    """Values by "scheme.parameter" of the nature run, where they differ from the section `physics`."""
    dynamics: Dynamics | None = None
    """Damping and horizontal mixing of the nature run; without it, those of the section `dynamics`. Its time steps
    follow from its grid."""
    surroundings: Literal["model", "nature"] = "model"
    """Whose physics and dynamics the weather around the nature run has: those of the assimilating model, or its own."""
    sea_anomaly: float = Field(default=0.0, ge=-5, le=5)
    """Amplitude of the difference between the sea temperature of nature and the one that the assimilating model is
    given, K; a wave pattern, see `kaiseki.twin.flow`."""
    boundary_perturbation: NotNegative = 1.0
    """Size of the error of the driving fields, in units of a typical error of a global analysis."""
    initial_perturbation: NotNegative = 1.0
    """Size of the error of the cold start, in the same units."""
    observation_density: Fraction = 1.0
    """Part of the stations of the written-down network that report."""
    error_factor: Positive = 1.0
    """Standard deviation of the observation errors over the one that the assimilating system assumes."""
    error_vertical_length: NotNegative = 0.0
    """Correlation length of the errors along an ascent, in the logarithm of pressure; at 0 the levels err independently
    but for what all of a report have in common."""
    gross_errors: float = Field(default=0.003, ge=0, le=1)
    """Part of the values that are grossly wrong."""
