"""Section `observations`: which reports are used, what is withheld, how they are thinned and trusted."""

from __future__ import annotations

from typing import Literal, Self

from pydantic import Field, model_validator

from kaiseki.core.experiment.base import Files, NotNegative, Positive, Section

Kind = Literal["sonde", "pilot", "synop", "ship", "buoy", "aircraft", "satwind", "paob"]
Quantity = Literal[
    "air_temperature",
    "virtual_temperature",
    "specific_humidity",
    "eastward_wind",
    "northward_wind",
    "surface_pressure",
    "geopotential_height",
    "mean_sea_level_pressure",
]


class ErrorOverride(Section):
    """Observation errors that replace those of the table for one kind and quantity."""

    kind: Kind
    quantity: Quantity
    pressure: tuple[Positive, ...] = ()
    """Pressures of the profile below, Pa, falling; empty for one value at all heights."""
    error: tuple[Positive, ...]
    """Standard deviations in SI units, one per pressure, interpolated in the logarithm of pressure."""

    @model_validator(mode="after")
    def _matched(self) -> Self:
        if len(self.error) != max(1, len(self.pressure)):
            raise ValueError("error needs one value per pressure, or one value when pressure is empty")
        if any(below <= above for below, above in zip(self.pressure, self.pressure[1:], strict=False)):
            raise ValueError("pressure must fall from value to value")
        return self


def _thinning() -> dict[Kind, Positive]:
    return {"aircraft": 100_000.0, "satwind": 150_000.0}


class Observations(Section):
    """Which observations are read and used."""

    files: Files = ()
    """Files of reports; a twin experiment writes its own and needs none."""
    kinds: tuple[Kind, ...] = ("sonde", "pilot", "synop", "ship", "buoy", "aircraft", "satwind")
    """Kinds of report that are assimilated; the others are monitored."""
    folds: int = Field(default=5, ge=0)
    """Number of parts the stations are divided into, stratified by region and kind; 0 withholds nothing."""
    fold: int = Field(default=0, ge=0)
    """Which part is withheld from assimilation, driving, buddy check, error tuning and baselines, from 0."""
    seed: int = Field(default=1989, ge=0)
    """Seed of the division into parts."""
    thinning: dict[Kind, Positive] = Field(default_factory=_thinning)
    """Least horizontal distance between reports of a kind in a window, m; kinds not named are not thinned."""
    errors: tuple[ErrorOverride, ...] = ()
    """Replacements in the table of observation errors."""
    background_check: Positive = 5.0
    """A value is rejected when its departure exceeds this many standard deviations of what is expected."""
    station_height_difference: NotNegative = 300.0
    """Surface pressure is used where model and station height differ by less, m."""

    @model_validator(mode="after")
    def _fold_exists(self) -> Self:
        if self.folds == 1:
            raise ValueError("folds must be 0 (nothing withheld) or at least 2")
        if self.fold >= max(1, self.folds):
            raise ValueError(f"fold counts from 0 and must be below folds = {self.folds}")
        return self

    @property
    def withheld_fraction(self) -> float:
        """Part of the stations that is withheld, 1 / folds."""
        return 1.0 / self.folds if self.folds else 0.0
