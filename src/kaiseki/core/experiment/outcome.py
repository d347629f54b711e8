"""Sections of what comes out and how it is judged: archive, verification, twin."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from kaiseki.core.experiment.base import Count, Fraction, NotNegative, Positive, Section


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
    physics: dict[str, float] = Field(default_factory=dict)
    """Values by "scheme.parameter" of the nature run, where they differ from the section `physics`."""
    boundary_perturbation: NotNegative = 1.0
    """Size of the error of the driving fields, in units of a typical error of a global analysis."""
    initial_perturbation: NotNegative = 1.0
    """Size of the error of the cold start, in the same units."""
    observation_density: Fraction = 1.0
    """Part of the stations of the written-down network that report."""
