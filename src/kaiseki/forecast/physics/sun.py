"""Position of the sun (Astronomical Almanac's low-precision formulas, as given by Michalsky 1988, Solar Energy 40,
227-235; 0.01 degrees until 2050)."""

from __future__ import annotations

from dataclasses import dataclass

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array

J2000 = np.datetime64("2000-01-01T12:00:00", "s")
DAY = 86400.0


@jax.tree_util.register_dataclass
@dataclass(frozen=True)
class SunClock:
    """The slowly running angles at the start of the run, radians, reduced in double precision so that single precision
    serves afterwards.

    longitude, anomaly: mean ones of the sun; sidereal: mean sidereal time at Greenwich; obliquity: of the ecliptic.
    """

    longitude: Array
    anomaly: Array
    sidereal: Array
    obliquity: Array


def sun_clock(epoch: np.datetime64, dtype: type = np.float32) -> SunClock:
    """Angles at `epoch` (UTC)."""
    n = float((epoch.astype("datetime64[s]") - J2000) / np.timedelta64(1, "s")) / DAY

    def angle(degrees: float) -> Array:
        return jnp.asarray(np.asarray(np.deg2rad(degrees % 360.0), dtype=dtype))

    sidereal = (6.697375 + 0.0657098242 * n) * 15.0 + ((n + 0.5) % 1.0) * 360.0
    return SunClock(
        angle(280.460 + 0.9856474 * n), angle(357.528 + 0.9856003 * n), angle(sidereal), angle(23.439 - 4e-7 * n)
    )


def cosine_of_zenith(clock: SunClock, seconds: Array, lat: Array, lon: Array) -> tuple[Array, Array]:
    """Cosine of the solar zenith angle at latitude and longitude (radians) and (mean distance / distance of the sun)^2,
    `seconds` after the epoch, best as an integer: single precision knows the second for half a year."""
    whole, rest = jnp.divmod(seconds, round(DAY))
    turn = rest.astype(lat.dtype) / DAY
    days = whole.astype(lat.dtype) + turn
    mean = clock.longitude + jnp.deg2rad(0.9856474) * days
    g = clock.anomaly + jnp.deg2rad(0.9856003) * days
    ecliptic = mean + jnp.deg2rad(1.915) * jnp.sin(g) + jnp.deg2rad(0.020) * jnp.sin(2.0 * g)
    ascension = jnp.arctan2(jnp.cos(clock.obliquity) * jnp.sin(ecliptic), jnp.cos(ecliptic))
    sine = jnp.sin(clock.obliquity) * jnp.sin(ecliptic)
    # Whole days and the rest apart: the day's own turn would lose digits in single precision.
    sidereal = clock.sidereal + jnp.deg2rad(0.98564736) * days + 2.0 * jnp.pi * turn
    hour = sidereal + lon - ascension
    cosine = jnp.sin(lat) * sine + jnp.cos(lat) * jnp.sqrt(1.0 - sine**2) * jnp.cos(hour)
    distance = 1.00014 - 0.01671 * jnp.cos(g) - 0.00014 * jnp.cos(2.0 * g)
    return cosine, 1.0 / distance**2
