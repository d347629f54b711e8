"""Pressure, temperature and height at the ground, at mean sea level and on surfaces below the ground.

The fictitious air below the ground is that of the weather services' pressure-level analyses: Trenberth, Berry and Buja
(1993, Vertical Interpolation and Truncation of Model-Coordinate Data, NCAR/TN-396+STR, equations 5, 13 and 14.1 to
14.3), after the practice of ECMWF. Their truncated series are replaced here by the closed forms.
"""

from __future__ import annotations

from kaiseki.core.constants import GRAVITY, R_DRY, STANDARD_LAPSE_RATE
from kaiseki.diagnostics.namespace import Field, namespace

WARMEST_SEA_LEVEL = 290.5
"""Temperature at sea level that the fictitious column does not exceed, K."""
COLDEST_GROUND = 255.0
"""Temperature at the ground below which the fictitious column starts half way to it, K."""
PLATEAU, HIGH_PLATEAU, WARMEST_PLATEAU = 2000.0, 2500.0, 298.0
"""Heights of the ground (m) between which the extrapolated temperature goes over to one of at most 298 K at sea level,
and that temperature, K."""


def pressure_below(pressure: Field, virtual_temperature: Field, depth: Field) -> Field:
    """Pressure (Pa) `depth` metres below a point with given pressure (Pa) and virtual temperature (K).

    Hydrostatic, the temperature rising downwards with the standard lapse rate (ISO 2533:1975).
    """
    xp = namespace(pressure, virtual_temperature, depth)
    exponent = GRAVITY / (R_DRY * STANDARD_LAPSE_RATE)
    return pressure * xp.exp(exponent * xp.log1p(STANDARD_LAPSE_RATE * depth / virtual_temperature))


def temperature_at_pressure_below(temperature: Field, pressure: Field, lower: Field) -> Field:
    """Temperature (K) at a higher pressure `lower` (Pa) below a point with given temperature (K) and pressure (Pa): the
    standard lapse rate in hydrostatic air."""
    return temperature * (lower / pressure) ** (R_DRY * STANDARD_LAPSE_RATE / GRAVITY)


def _relative_slope_over_logarithm(x: Field) -> Field:
    """The function ln(1 + x) / x, 1 at x = 0."""
    xp = namespace(x)
    small = xp.abs(x) < 1e-3
    return xp.where(small, 1.0 - x / 2.0 + x * x / 3.0, xp.log1p(x) / xp.where(small, 1.0, x))


def _fictitious_column(ground: Field, height: Field) -> tuple[Field, Field]:
    """Temperatures (K) at the upper and lower end of the column between the ground and sea level.

    The lapse rate is the standard one. In warm air the lower end is held at `WARMEST_SEA_LEVEL`, or, where the ground
    is warmer, the column is isothermal half way between the two. Cold ground is taken half way to `COLDEST_GROUND`.
    """
    xp = namespace(ground, height)
    top = xp.where(ground < COLDEST_GROUND, 0.5 * (ground + COLDEST_GROUND), ground)
    bottom = top + STANDARD_LAPSE_RATE * height
    warm = bottom > WARMEST_SEA_LEVEL
    hot = warm & (top > WARMEST_SEA_LEVEL)
    top = xp.where(hot, 0.5 * (top + WARMEST_SEA_LEVEL), top)
    return top, xp.where(hot, top, xp.where(warm, WARMEST_SEA_LEVEL, bottom))


def sea_level_pressure(surface_pressure: Field, virtual_temperature: Field, height: Field) -> Field:
    """Mean sea-level pressure (Pa) from pressure (Pa), virtual temperature (K) and height (m) of the ground.

    Hydrostatic through a fictitious column whose temperature is linear in height, with the standard lapse rate but with
    bounds in very cold and very warm air, which would otherwise make false lows and highs of high ground (see the
    module). Over high ground the result remains a convention, and differs from that of another by some hPa. Below sea
    level the same formula goes upwards.
    """
    xp = namespace(surface_pressure, virtual_temperature, height)
    top, bottom = _fictitious_column(virtual_temperature, height)
    thickness = height / top * _relative_slope_over_logarithm((bottom - top) / top)
    return surface_pressure * xp.exp(GRAVITY / R_DRY * thickness)


def height_below_ground(pressure: Field, surface_pressure: Field, virtual_temperature: Field, height: Field) -> Field:
    """Geopotential height (m) at a pressure (Pa) below the ground, from pressure (Pa), virtual temperature (K) and
    height (m) of the ground.

    Hydrostatic in the fictitious column of `sea_level_pressure`, so that the height is 0 where the pressure is that of
    sea level.
    """
    xp = namespace(pressure, surface_pressure, virtual_temperature, height)
    top, bottom = _fictitious_column(virtual_temperature, height)
    # Above sea level by less than this the column is too thin to have a lapse rate of its own.
    thin = xp.abs(height) < 1e-3
    lapse = xp.where(thin, STANDARD_LAPSE_RATE, (bottom - top) / xp.where(thin, 1.0, height))
    step = R_DRY / GRAVITY * xp.log(pressure / surface_pressure)
    y = lapse * step
    small = xp.abs(y) < 1e-4
    # (exp(y) - 1) / y
    growth = xp.where(small, 1.0 + y / 2.0 + y * y / 6.0, xp.expm1(y) / xp.where(small, 1.0, y))
    return height - top * step * growth


def temperature_below_ground(pressure: Field, surface_pressure: Field, temperature: Field, height: Field) -> Field:
    """Temperature (K) at a pressure (Pa) below the ground, from pressure (Pa), temperature (K) and height (m) of the
    ground.

    It rises with the standard lapse rate under ground below 2000 m. Under higher ground it rises so that it would be at
    most 298 K at sea level (from 2500 m on; in between the two are mixed), and never falls downwards.
    """
    xp = namespace(pressure, surface_pressure, temperature, height)
    standard = temperature + STANDARD_LAPSE_RATE * height
    share = xp.clip((height - PLATEAU) / (HIGH_PLATEAU - PLATEAU), 0.0, 1.0)
    bottom = (1.0 - share) * standard + share * xp.minimum(standard, WARMEST_PLATEAU)
    high = height > PLATEAU
    lapse = xp.where(high, xp.maximum(bottom - temperature, 0.0) / xp.where(high, height, 1.0), STANDARD_LAPSE_RATE)
    return temperature * (pressure / surface_pressure) ** (R_DRY * lapse / GRAVITY)
