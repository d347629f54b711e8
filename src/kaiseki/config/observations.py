"""Section `observations`: which reports are used, what is withheld, how they are thinned and trusted."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Annotated

from kaiseki.config.base import (
    Files,
    Named,
    Positive,
    Section,
    Seed,
)
from kaiseki.core import plugins
from kaiseki.core.errors import ConfigError
from kaiseki.core.observables import KINDS, QUANTITIES

Kind = Annotated[str, Named("kind of report", lambda: KINDS)]
Quantity = Annotated[str, Named("observed quantity", lambda: QUANTITIES)]
Source = Annotated[str, Named("source of observations", lambda: sorted(plugins.available("observation_sources")))]


@dataclass(frozen=True, kw_only=True)
class ErrorOverride(Section):
    """Observation errors that replace those of the table for one kind and quantity."""

    kind: Kind
    quantity: Quantity
    pressure: tuple[Positive, ...] = ()
    """Pressures of the profile `error`, Pa, falling; empty for one value at all heights."""
    error: tuple[Positive, ...]
    """Standard deviations in SI units, one per pressure, interpolated in the logarithm of pressure."""

    def __post_init__(self) -> None:
        super().__post_init__()
        if len(self.error) != max(1, len(self.pressure)):
            raise ConfigError("error needs one value per pressure, or one value when pressure is empty")
        if any(below <= above for below, above in zip(self.pressure, self.pressure[1:], strict=False)):
            raise ConfigError("pressure must fall from value to value")


def _thinning() -> dict[Kind, Positive]:
    return {"aircraft": 100_000.0, "satwind": 150_000.0}


@dataclass(frozen=True, kw_only=True)
class Observations(Section):
    """Settings of the observations: files, kinds, withheld stations, thinning, errors."""

    files: Files = ()
    """Files of reports in PREPBUFR; a twin experiment writes its own reports and needs none."""
    sources: dict[Source, Files] = field(default_factory=dict)
    """Files of sources that plug-ins bring, by the source's name, which is also the kind of their reports."""
    kinds: tuple[Kind, ...] = ("sonde", "pilot", "synop", "ship", "buoy", "aircraft", "satwind")
    """Kinds of report that are assimilated; the others are monitored."""
    folds: Seed = 5
    """Number of parts the stations are divided into, stratified by region and kind; 0 withholds nothing."""
    fold: Seed = 0
    """Number of the part that is withheld from assimilation, driving, buddy check, error tuning and baselines, from
    0."""
    seed: Seed = 1989
    """Seed of the division into parts."""
    thinning: dict[Kind, Positive] = field(default_factory=_thinning)
    """Least horizontal distance between reports of a kind in a window, m; kinds not named are not thinned."""
    errors: tuple[ErrorOverride, ...] = ()
    """Observation errors that replace those of the built-in table."""

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.folds == 1:
            raise ConfigError("folds must be 0 (nothing withheld) or at least 2")
        if self.fold >= max(1, self.folds):
            raise ConfigError(f"fold counts from 0 and must be below folds = {self.folds}")

    @property
    def withheld_fraction(self) -> float:
        """Part of the stations that is withheld, 1 / folds."""
        return 1.0 / self.folds if self.folds else 0.0
