"""What the lengths and profiles of a background error stand for: sums of Gaussians, values at heights."""

from __future__ import annotations

import dataclasses
import math
from dataclasses import dataclass

import numpy as np

from kaiseki.config import BackgroundError
from kaiseki.core.errors import ConfigError

FAR_TO_NEAR: float = 2.0
"""Ratio of the two horizontal lengths that replace one, so that correlations have fatter tails than a Gaussian."""

DEEP_TO_SHALLOW: float = 1.5
"""Ratio of the vertical lengths that go with them: large scales are deeper."""

FAR_SHARE: float = 0.5
"""Part of the variance in the larger of the two scales."""


@dataclass(frozen=True)
class Scale:
    """One term of a sum of Gaussian correlations.

    Attributes:
        length: horizontal length L [m] of exp(-r^2 / 2 L^2).
        vertical_length: Lz of exp(-(ln p1/p2)^2 / 2 Lz^2) [1].
        weight: part of the variance; the weights of a sum add up to 1.
    """

    length: float
    vertical_length: float
    weight: float = 1.0

    def __post_init__(self) -> None:
        if not (self.length > 0.0 and self.vertical_length > 0.0 and 0.0 < self.weight <= 1.0):
            raise ConfigError(f"A correlation scale needs positive lengths and a weight in (0, 1]; got {self}")


def two_scales(length: float, vertical_length: float) -> tuple[Scale, Scale]:
    """A far, deep and a near, shallow Gaussian whose sum has the curvature of one Gaussian at the origin.

    The curvature (sum of w / L^2) is what turns the variance of the stream function into that of wind, and of
    geopotential into that of temperature; so `length` and `vertical_length` keep their meaning (Daley 1991, Atmospheric
    Data Analysis, section 4.3) while the tail is fatter.

    Args:
        length: horizontal length of the whole [m].
        vertical_length: vertical length of the whole in ln p [1].
    """
    near = length * math.sqrt(FAR_SHARE / FAR_TO_NEAR**2 + 1.0 - FAR_SHARE)
    shallow = vertical_length * math.sqrt(FAR_SHARE / DEEP_TO_SHALLOW**2 + 1.0 - FAR_SHARE)
    return (
        Scale(FAR_TO_NEAR * near, DEEP_TO_SHALLOW * shallow, FAR_SHARE),
        Scale(near, shallow, 1.0 - FAR_SHARE),
    )


UNBALANCED: float = 0.7
"""Length of unbalanced temperature and surface pressure in units of that of the flow: what is not balanced is
smaller."""


@dataclass(frozen=True)
class Scales:
    """Correlations of the control fields, each a sum of two scales (`two_scales`).

    Attributes:
        flow: of stream function and velocity potential.
        mass: of unbalanced temperature and unbalanced surface pressure.
        humidity: of humidity.
    """

    flow: tuple[Scale, ...]
    mass: tuple[Scale, ...]
    humidity: tuple[Scale, ...]

    @classmethod
    def of(cls, errors: BackgroundError) -> Scales:
        """The correlations that the lengths of a background error stand for."""
        return cls(
            flow=two_scales(errors.length, errors.vertical_length),
            mass=two_scales(UNBALANCED * errors.length, UNBALANCED * errors.vertical_length),
            humidity=two_scales(errors.humidity_length, errors.humidity_vertical_length),
        )


def profile(errors: BackgroundError, name: str, pressure: np.ndarray) -> np.ndarray:
    """Standard deviation `wind`, `temperature` or `humidity` at pressures [Pa] of any shape: linear in ln p between the
    pressures of the profile and constant beyond."""
    return np.interp(-np.log(pressure), -np.log(errors.pressure), getattr(errors, name))


def scaled(errors: BackgroundError, factor: float) -> BackgroundError:
    """The background error with all standard deviations multiplied by a factor."""
    return dataclasses.replace(
        errors,
        wind=tuple(factor * value for value in errors.wind),
        temperature=tuple(factor * value for value in errors.temperature),
        humidity=tuple(factor * value for value in errors.humidity),
        surface_pressure=factor * errors.surface_pressure,
    )
