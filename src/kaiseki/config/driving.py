"""Section `driving`: what surrounds the domain."""

from __future__ import annotations

from dataclasses import dataclass

from kaiseki.config.base import (
    Count,
    Files,
    Positive,
    Section,
)
from kaiseki.config.domain import DomainSettings
from kaiseki.core.errors import ConfigError


@dataclass(frozen=True, kw_only=True)
class Driving(Section):
    """Settings of what drives the domain: a first guess, a coarse cycle of its own, the sea."""

    first_guess_files: Files = ()
    """Files of global analyses: with a coarse domain samples of the season, which are averaged and smoothed; without
    one they drive the domain directly, all files together: split by time, variable or level, in GRIB, NetCDF or Zarr,
    or one store of a run of a wider domain (docs/driving.md)."""
    sea_temperature_files: Files = ()
    """Files of sea-surface temperature (NetCDF) that replace that of the first guess, and are needed where it holds
    none. The field of the cold start stays throughout the run."""
    sea_temperature_climatology: bool = False
    """Whether `sea_temperature_files` hold the twelve monthly means of a climatology, valid in the middles of the
    months of any year; else they are analyses, of which one time serves for a fortnight."""
    steady: bool = False
    """Whether the analysis of the cold start, which `first_guess_files` must hold, is held constant in time and so
    drives a period that they do not cover. For tries and for tests: weather that should come in from outside does not.
    Without it every time must be covered."""
    first_guess_wavenumber: Count = 8
    """Total wavenumber to which the averaged first guess is smoothed (planetary scales)."""
    coarse: DomainSettings | None = None
    """Wider, coarser domain of a cycle of its own whose states become the boundary; none: the files drive the
    domain."""
    scales: tuple[Positive, ...] = (1_200_000.0, 700_000.0, 400_000.0)
    """Correlation lengths of the successive analyses on the coarse domain, m, falling."""
    analysis_hours: tuple[int, ...] = (0, 12)
    """Hours of the day (UTC) at which the coarse analyses are made."""
    tide: bool = True
    """Whether the semidiurnal tide of pressure is added to what the coarse domain gives, since analyses at 0 and 12 UTC
    meet always in the same phase."""
    interval_hours: Positive = 1.0
    """Interval between two boundary states, h."""

    def __post_init__(self) -> None:
        super().__post_init__()
        if any(hour not in range(24) for hour in self.analysis_hours):
            raise ConfigError("analysis_hours are hours of the day from 0 to 23")
        if any(wide <= narrow for wide, narrow in zip(self.scales, self.scales[1:], strict=False)):
            raise ConfigError("scales must fall from value to value")
        if self.steady and self.coarse is not None:
            raise ConfigError("steady holds an analysis of the files constant and cannot be joined with coarse")
        if self.sea_temperature_climatology and not self.sea_temperature_files:
            raise ConfigError("sea_temperature_climatology needs sea_temperature_files")
