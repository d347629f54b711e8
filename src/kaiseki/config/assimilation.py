"""Section `assimilation`: engine, background error of the cold start and of the cycle, minimisation, initialisation."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Annotated, Literal

from kaiseki.config.base import (
    Bounds,
    Count,
    Fraction,
    Named,
    NotNegative,
    Positive,
    Section,
    Seed,
)
from kaiseki.core import plugins
from kaiseki.core.errors import ConfigError

ENGINES = ("3dfgat", "4dvar", "4denvar", "hybrid", "letkf", "optimal_interpolation", "none")
"""Engines of this package; plug-ins add theirs."""


def _engines() -> list[str]:
    return [*ENGINES, *plugins.further("assimilation_engines", ENGINES)]


EngineName = Annotated[str, Named("assimilation engine", _engines)]


@dataclass(frozen=True, kw_only=True)
class BackgroundError(Section):
    """Standard deviations and correlation lengths of the background.

    The profiles are given at `pressure` and interpolated in its logarithm. The numbers here are provisional; an
    experiment takes its own from the innovations of stations that are not withheld.
    """

    pressure: tuple[Positive, ...] = (100_000.0, 85_000.0, 70_000.0, 50_000.0, 30_000.0, 20_000.0, 10_000.0)
    """Pressures of the profiles, Pa, falling."""
    wind: tuple[Positive, ...] = (2.0, 2.2, 2.3, 2.6, 3.2, 3.2, 2.8)
    """Standard deviation of a wind component, m s-1."""
    temperature: tuple[Positive, ...] = (1.5, 1.3, 1.1, 1.0, 1.2, 1.5, 1.6)
    """Standard deviation of the temperature that is not balanced by the wind, K."""
    humidity: tuple[Positive, ...] = (0.12, 0.15, 0.18, 0.2, 0.2, 0.1, 0.05)
    """Standard deviation of the pseudo-relative humidity, 1."""
    surface_pressure: Positive = 80.0
    """Standard deviation of the surface pressure that is not balanced by the wind, Pa."""
    length: Positive = 250_000.0
    """Horizontal correlation length of mass and wind, m."""
    humidity_length: Positive = 180_000.0
    """Horizontal correlation length of humidity, m."""
    vertical_length: Positive = 0.35
    """Vertical correlation length of mass and wind, in the logarithm of pressure."""
    humidity_vertical_length: Positive = 0.2
    """Vertical correlation length of humidity, in the logarithm of pressure."""
    balance: Fraction = 0.9
    """Part of the mass variance that is geostrophically balanced with the wind, 0 to 1."""
    divergent: Fraction = 0.15
    """Part of the wind variance in the velocity potential above the boundary layer, 0 to 1."""
    boundary_layer_wind: Fraction = 0.7
    """Ratio of the rotational wind at the ground to the geostrophic wind, 0 to 1; what it lacks in variance is given to
    the velocity potential."""
    boundary_layer_depth: Positive = 1500.0
    """Height above sea level at which `boundary_layer_wind` has come back to 1, m."""

    def __post_init__(self) -> None:
        super().__post_init__()
        for name in ("wind", "temperature", "humidity"):
            if len(getattr(self, name)) != len(self.pressure):
                raise ConfigError(f"{name} needs {len(self.pressure)} values, one per pressure")
        if any(below <= above for below, above in zip(self.pressure, self.pressure[1:], strict=False)):
            raise ConfigError("pressure must fall from value to value")


def _cold() -> BackgroundError:
    return BackgroundError(
        wind=(4.0, 4.5, 5.0, 6.0, 8.0, 8.0, 6.0),
        temperature=(4.0, 3.5, 3.0, 2.5, 2.5, 3.0, 3.0),
        humidity=(0.2, 0.25, 0.25, 0.25, 0.25, 0.15, 0.1),
        surface_pressure=400.0,
        length=500_000.0,
        humidity_length=300_000.0,
        vertical_length=0.5,
        humidity_vertical_length=0.3,
    )


@dataclass(frozen=True, kw_only=True)
class DigitalFilter(Section):
    """Digital-filter initialisation after each analysis."""

    half_span_hours: NotNegative = 1.0
    """Half the span of the digital filter, h; 0 switches it off."""
    cutoff_hours: Positive = 2.0
    """Period below which the digital filter removes oscillations, h; equal to the span is usual."""

    @property
    def half_span(self) -> float:
        """Half the span of the filter, s."""
        return 3600.0 * self.half_span_hours

    @property
    def cutoff(self) -> float:
        """Period below which oscillations are removed, s."""
        return 3600.0 * self.cutoff_hours


@dataclass(frozen=True, kw_only=True)
class FourDVarSettings(Section):
    """Settings of incremental 4D-Var: outer loops, inner model, minimisation."""

    coarsening: tuple[Count, ...] = (2, 2)
    """Grid length of the inner model in units of that of the outer one, one per outer loop; it may fall from loop to
    loop."""
    inner_iterations: Count = 60
    """Largest number of iterations of the 4D-Var minimiser in a window, all outer loops together."""
    gradient_reduction: Annotated[float, Bounds(gt=0, lt=1)] = 0.08
    """Part of its first norm to which the gradient falls before the minimisation of 4D-Var ends."""
    gravity_wave_penalty: NotNegative = 1.0
    """Weight of the penalty of fast oscillations in the window, per (m/s)^2 of their mean square and observation."""
    background_deviation: Positive = 1.0
    """Standard deviation of the background error at the start of the window, in units of that of `cycled`, which is
    that of its end."""

    def __post_init__(self) -> None:
        super().__post_init__()
        if not self.coarsening:
            raise ConfigError("coarsening needs one value per outer loop, at least one")


@dataclass(frozen=True, kw_only=True)
class EnsembleSettings(Section):
    """Settings of the ensemble beside the analysis, of the engines "letkf", "4denvar" and "hybrid"."""

    members: Annotated[int, Bounds(ge=2)] = 20
    """Number of members of the ensemble."""
    coarsening: Count = 2
    """Grid length of the members in units of that of the analysis."""
    localisation_length: Positive = 600_000.0
    """Half-width of the horizontal localisation, m: the taper of Gaspari and Cohn ends at twice it."""
    localisation_depth: Positive = 0.6
    """Half-width of the vertical localisation, in the logarithm of pressure."""
    relaxation: Fraction = 0.7
    """Relaxation to the prior perturbations: part of the anomalies before the analysis in those after it, 0 to 1."""
    perturbation: NotNegative = 1.0
    """Standard deviation of the perturbations of the start and of the driving fields, in units of that of `cycled`."""
    perturbation_hours: Positive = 12.0
    """Time in which the perturbations of the driving fields lose 63 % of their correlation, h."""
    hybrid_share: Fraction = 0.5
    """Part of the background variance that is the ensemble's in the engine "hybrid", 0 to 1."""
    seed: Seed = 1
    """Seed of the random perturbations."""


@dataclass(frozen=True, kw_only=True)
class Assimilation(Section):
    """Settings of the analysis: engine, errors of the background, minimisation, quality control."""

    engine: EngineName = "hybrid"
    """Analysis engine, one of this package or of a plug-in; "none" runs the model alone."""
    cold: BackgroundError = field(default_factory=_cold)
    """Background error of the cold start, whose first guess is far from the truth."""
    cycled: BackgroundError = field(default_factory=BackgroundError)
    """Background error of the cycled 3-h forecast."""
    boundary_memory_hours: NotNegative = 12.0
    """Time in which the boundary correction, what an analysis changes in the rim and under the model top, loses 63 %,
    h; it is added to the driving fields after the analysis. At 0 there is none, and increments fall to zero before the
    rim."""
    inner_iterations: Count = 60
    """Largest number of iterations of the minimiser of the engines "optimal_interpolation", "3dfgat" and "4denvar"."""
    gradient_reduction: Annotated[float, Bounds(gt=0, lt=1)] = 1e-3
    """Factor by which the norm of the gradient falls before the minimisation ends."""
    outer_loops: Count = 4
    """Largest number of outer loops, in which robust weights are renewed; those of 4D-Var are counted by its
    `coarsening`."""
    background_check: Positive = 5.0
    """Limit of the background check, in expected standard deviations of the departure; values with larger ones are
    rejected."""
    station_height_difference: Positive = 300.0
    """Largest difference between model and station height with which surface pressure is used, m."""
    spread_samples: Annotated[int, Bounds(ge=2)] = 24
    """Number of random states from which the background's standard deviation at the observations is estimated, with the
    relative error 1 / sqrt(2 spread_samples)."""
    robust: Literal["huber", "none"] = "huber"
    """Likelihood of the observations; "huber" gives gross values a linear penalty (variational quality control)."""
    robust_threshold: Positive = 2.5
    """Departure in standard deviations where the penalty turns from quadratic to linear."""
    four_d_var: FourDVarSettings = field(default_factory=FourDVarSettings)
    """Settings of 4D-Var, for the engines "4dvar" and "hybrid"."""
    ensemble: EnsembleSettings = field(default_factory=EnsembleSettings)
    """Settings of the ensemble, for the engines "letkf", "4denvar" and "hybrid"."""
    digital_filter: DigitalFilter = field(default_factory=DigitalFilter)
