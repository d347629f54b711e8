"""What is assumed of the background error: standard deviations, correlation lengths, balance."""

from __future__ import annotations

import dataclasses
import math
from dataclasses import dataclass
from typing import Any

import numpy as np

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


@dataclass(frozen=True)
class BackgroundErrors:
    """Standard deviations, scales and balance of the background error.

    Profiles are given at falling `pressure` [Pa], linear in ln p between and constant beyond.

    Attributes:
        pressure: pressures of the profiles [Pa].
        wind: standard deviation of each wind component [m s-1].
        temperature: standard deviation of temperature that the balance does not explain [K].
        humidity: standard deviation of pseudo-relative humidity [1].
        surface_pressure: standard deviation of pressure at sea level that the balance does not explain [Pa].
        flow, temperature_scales, pressure_scales, humidity_scales: correlations of stream function and velocity
            potential, of unbalanced temperature, unbalanced surface pressure and humidity.
        balance: r, correlation between the mass field and the stream function's geostrophic mass field, 0..1.
        divergent: part of the wind variance in the velocity potential, 0..1, above the boundary layer.
        boundary_layer_wind: rotational wind at the ground over geostrophic wind, 0..1; what it lacks in variance is
            given to the velocity potential.
        boundary_layer_depth: height above sea level at which that ratio has come back to 1 [m].
        taper: cells inside the rim over which increments rise from zero; None where they reach to the edge.
    """

    pressure: tuple[float, ...]
    wind: tuple[float, ...]
    temperature: tuple[float, ...]
    humidity: tuple[float, ...]
    surface_pressure: float
    flow: tuple[Scale, ...]
    temperature_scales: tuple[Scale, ...]
    pressure_scales: tuple[Scale, ...]
    humidity_scales: tuple[Scale, ...]
    balance: float = 0.95
    divergent: float = 0.15
    boundary_layer_wind: float = 0.7
    boundary_layer_depth: float = 1500.0
    taper: int | None = 3

    def __post_init__(self) -> None:
        for name in ("wind", "temperature", "humidity"):
            values = getattr(self, name)
            if len(values) != len(self.pressure) or min(values) <= 0.0:
                raise ConfigError(f"The background error of {name} needs one positive value per pressure; got {values}")
        if any(low <= high for low, high in zip(self.pressure, self.pressure[1:], strict=False)):
            raise ConfigError(f"The pressures of the background error must fall; got {self.pressure}")
        for name in ("flow", "temperature_scales", "pressure_scales", "humidity_scales"):
            total = sum(scale.weight for scale in getattr(self, name))
            if abs(total - 1.0) > 1e-6:
                raise ConfigError(f"The weights of the {name} of the background error add up to {total:g}, not to 1")
        for name in ("balance", "divergent", "boundary_layer_wind"):
            if not 0.0 <= getattr(self, name) <= 1.0:
                raise ConfigError(f"The {name} of the background error must lie in 0 to 1; got {getattr(self, name)}")
        if self.surface_pressure <= 0.0 or self.boundary_layer_depth <= 0.0:
            raise ConfigError("Surface pressure and boundary-layer depth of the background error must be positive")
        if self.taper is not None and self.taper < 0:
            raise ConfigError(f"The taper of increments at the rim cannot be negative; got {self.taper} cells")

    @classmethod
    def from_lengths(
        cls,
        *,
        pressure: tuple[float, ...],
        wind: tuple[float, ...],
        temperature: tuple[float, ...],
        humidity: tuple[float, ...],
        surface_pressure: float,
        length: float,
        vertical_length: float,
        humidity_length: float,
        humidity_vertical_length: float,
        balance: float = 0.9,
        **others: Any,
    ) -> BackgroundErrors:
        """From one length per group of variables, each made a sum of two scales (`two_scales`).

        Unbalanced temperature and surface pressure take 0.7 of the length of the flow: what is not balanced is smaller.

        Args:
            pressure, wind, temperature, humidity, surface_pressure: see the attributes.
            length, vertical_length: of the flow [m], [ln p].
            humidity_length, humidity_vertical_length: of humidity.
            balance: part of the mass *variance* that is balanced with the wind; the attribute is its root.
            others: further attributes.
        """
        small = two_scales(0.7 * length, 0.7 * vertical_length)
        return cls(
            pressure=tuple(pressure),
            wind=tuple(wind),
            temperature=tuple(temperature),
            humidity=tuple(humidity),
            surface_pressure=surface_pressure,
            flow=two_scales(length, vertical_length),
            temperature_scales=small,
            pressure_scales=small,
            humidity_scales=two_scales(humidity_length, humidity_vertical_length),
            balance=math.sqrt(balance),
            **others,
        )

    @classmethod
    def from_section(cls, section: Any, **others: Any) -> BackgroundErrors:
        """From any object with the attributes that `from_lengths` names, such as the experiment's section."""
        names = (
            "pressure wind temperature humidity surface_pressure length vertical_length humidity_length "
            "humidity_vertical_length balance"
        ).split()
        return cls.from_lengths(**{name: getattr(section, name) for name in names}, **others)

    def profile(self, name: str, pressure: np.ndarray) -> np.ndarray:
        """Standard deviations `wind`, `temperature` or `humidity` at pressures [Pa] of any shape."""
        return np.interp(-np.log(pressure), -np.log(self.pressure), getattr(self, name))

    def scaled(self, factor: float) -> BackgroundErrors:
        """The same with all standard deviations multiplied by a factor."""
        profiles = {
            name: tuple(factor * value for value in getattr(self, name)) for name in ("wind", "temperature", "humidity")
        }
        return self.replace(**profiles, surface_pressure=factor * self.surface_pressure)

    def replace(self, **changes: Any) -> BackgroundErrors:
        """The same with some attributes changed.

        Raises:
            ConfigError: the result makes no sense.
        """
        return dataclasses.replace(self, **changes)
