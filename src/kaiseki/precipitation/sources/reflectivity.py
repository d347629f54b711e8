"""Reflectivity and rain: Z = a R^b."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from kaiseki.core.errors import ConfigError


@dataclass(frozen=True, kw_only=True)
class ZR:
    """A relation Z = a R^b between reflectivity Z, mm6 m-3, and rain R, mm h-1.

    The default is that of Marshall and Palmer (1948, J. Meteor. 5, 165-166) as it is used since: a = 200, b = 1.6.

    Attributes:
        a: factor.
        b: exponent.
        least: reflectivity below which it does not rain, dBZ.
        cap: reflectivity above which hail is assumed and the rain grows no more, dBZ.
    """

    a: float = 200.0
    b: float = 1.6
    least: float = 7.0
    cap: float = 53.0

    def __post_init__(self) -> None:
        if not (self.a > 0.0 and self.b > 0.0 and self.least < self.cap):
            raise ConfigError(
                f"Z = a R^b needs a > 0, b > 0 and least < cap; got a = {self.a:g}, b = {self.b:g}, "
                f"least = {self.least:g} and cap = {self.cap:g} dBZ"
            )

    def rain(self, dbz: np.ndarray) -> np.ndarray:
        """Rain rate, mm h-1, of reflectivities, dBZ; NaN stays, minus infinity is dryness."""
        dbz = np.asarray(dbz)
        rate = (10.0 ** (0.1 * np.clip(dbz, self.least, self.cap)) / self.a) ** (1.0 / self.b)
        return np.where(np.isnan(dbz), np.nan, np.where(dbz < self.least, 0.0, rate))
