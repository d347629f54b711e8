"""Sections of the model and the world around it: dynamics, physics, driving."""

from __future__ import annotations

from typing import Self

from pydantic import Field, model_validator

from kaiseki.core.experiment.base import Count, Files, NotNegative, Positive, Section
from kaiseki.core.experiment.place import Domain


class Dynamics(Section):
    """Time steps and damping of the model; what is left out follows from the grid."""

    time_step: Positive | None = None
    """Long time step, s; must divide the output interval."""
    acoustic_substeps: Count | None = None
    """Acoustic sub-steps in the last stage of a long step, even."""
    off_centring: float = Field(default=0.6, ge=0.5, le=1)
    """Weight of the new time in the vertically implicit step; 0.5 is centred, 1 backward."""
    divergence_damping: float = Field(default=0.1, ge=0, le=0.5)
    """Forward weight of the pressure perturbation in the sub-steps."""
    momentum_diffusion: float = Field(default=0.01, ge=0, le=0.03)
    """Fourth-order horizontal diffusion of momentum, in units of spacing^4 / time step."""
    damping_depth: NotNegative = 6000.0
    """Depth of the layer under the model top where vertical motion is damped, m."""
    damping_rate: NotNegative = 0.1
    """Rate of that damping at the model top, s-1."""
    driving_depth: NotNegative = 4000.0
    """Depth of the layer under the model top where the state is drawn to the driving state, m."""
    driving_time: Positive = 3600.0
    """Time scale of that relaxation at the model top, s."""
    rim_time: Positive = 2.0
    """Relaxation time at the outermost cells, in multiples of the time a gravity wave of 300 m/s needs for a cell."""


class Physics(Section):
    """Which processes the model has, and values that differ from those of the schemes."""

    microphysics: bool = True
    """Cloud and precipitation, single moment."""
    boundary_layer: bool = True
    """Turbulent mixing in the vertical."""
    surface: bool = True
    """Exchange of momentum, heat and moisture with land and sea."""
    radiation: bool = True
    """Solar and thermal radiation."""
    soil: bool = True
    """Temperature and moisture of the ground; without it they stay as they were."""
    radiation_interval: Positive = 900.0
    """Time between two calls of the radiation, s."""
    parameters: dict[str, float | str] = Field(default_factory=dict)
    """Values by "scheme.parameter", text where a scheme is chosen; the model refuses those that its schemes do not
    have."""


class Driving(Section):
    """What surrounds the domain: a first guess, a coarse cycle of our own, the sea."""

    first_guess_files: Files = ()
    """Global analyses: with a coarse domain samples of the season, which are averaged and smoothed; without one they
    drive the domain directly, all files joined along time."""
    sea_temperature_files: Files = ()
    """Sea-surface temperature (NetCDF) in place of what the first guess holds; needed where that holds none. The field
    of the cold start stays throughout the run."""
    sea_temperature_climatology: bool = False
    """Take the twelve monthly fields of those files as means about the middles of the months of any year; else they are
    analyses, of which one time serves for a fortnight."""
    first_guess_wavenumber: Count = 8
    """Total wavenumber to which the averaged first guess is smoothed (planetary scales)."""
    coarse: Domain | None = None
    """Wider domain of a cycle of our own whose states become the boundary; none: the files drive the domain."""
    scales: tuple[Positive, ...] = (1_200_000.0, 700_000.0, 400_000.0)
    """Correlation lengths of the successive analyses on the coarse domain, m, falling."""
    analysis_hours: tuple[int, ...] = (0, 12)
    """Hours of the day (UTC) at which the coarse analyses are made."""
    tide: bool = True
    """Add to what the coarse domain gives the semidiurnal tide of pressure, which analyses at 0 and 12 UTC meet always
    in the same phase."""
    interval_hours: Positive = 1.0
    """Interval of the boundary states."""

    @model_validator(mode="after")
    def _ordered(self) -> Self:
        if any(hour not in range(24) for hour in self.analysis_hours):
            raise ValueError("analysis_hours are hours of the day from 0 to 23")
        if any(wide <= narrow for wide, narrow in zip(self.scales, self.scales[1:], strict=False)):
            raise ValueError("scales must fall from value to value")
        if self.sea_temperature_climatology and not self.sea_temperature_files:
            raise ValueError("sea_temperature_climatology needs sea_temperature_files")
        return self
