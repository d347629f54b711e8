"""Speed and direction of the wind, vertical motion in pressure, and gusts."""

from __future__ import annotations

import numpy as np

from kaiseki.core.constants import GRAVITY
from kaiseki.diagnostics.namespace import Field, namespace

MIXED_EXCESS = 0.5
"""Excess of virtual potential temperature over that of the lowest level up to which air counts as mixed, K."""


def wind_speed(eastward: Field, northward: Field) -> Field:
    """Speed of the horizontal wind (m/s) from its components (m/s)."""
    return namespace(eastward, northward).hypot(eastward, northward)


def wind_from_direction(eastward: Field, northward: Field) -> Field:
    """Direction from which the wind blows, in degrees clockwise from north: 0 < direction <= 360, and 0 in a calm
    (WMO-No. 306, FM 12)."""
    xp = namespace(eastward, northward)
    # Adding zero turns -0 into 0, which counts in atan2.
    degrees = xp.rad2deg(xp.atan2(-eastward + 0.0, -northward + 0.0))
    turned = xp.where(degrees <= 0.0, degrees + 360.0, degrees)
    return xp.where((eastward == 0.0) & (northward == 0.0), 0.0 * turned, turned)


def pressure_velocity(w: Field, density: Field) -> Field:
    """Vertical velocity in pressure, omega = -rho g w (Pa/s), from upward velocity (m/s) and density (kg m-3).

    Left out are the local change of pressure and its horizontal advection, some hundredths of a Pa/s, so that it is an
    approximation where the air moves up or down by less than about a centimetre a second.
    """
    return -GRAVITY * density * w


def mixed_layer_height(theta_v: np.ndarray, height: np.ndarray, excess: float = MIXED_EXCESS) -> np.ndarray:
    """Height (m) up to which the air is mixed: the lowest at which the virtual potential temperature exceeds that of
    the lowest level by `excess` (K), between two levels by linear interpolation.

    Args:
        theta_v: (z, ...) virtual potential temperature [K], z up.
        height: (z, ...) above ground [m].
        excess: as above; a parcel's overshoot in temperature.

    Returns:
        (...); the height of the highest level where the excess is nowhere reached.
    """
    limit = theta_v[0] + excess
    result = np.array(np.broadcast_to(height[-1], theta_v.shape[1:]), float)
    found = np.isnan(theta_v).any(axis=0)
    result[found] = np.nan
    for k in range(1, theta_v.shape[0]):
        here = ~found & (theta_v[k] > limit)
        step = np.where(here, theta_v[k] - theta_v[k - 1], 1.0)
        share = (limit - theta_v[k - 1]) / step
        result = np.where(here, height[k - 1] + share * (height[k] - height[k - 1]), result)
        found = found | here
    return result


def mixed_down_gust(
    speed: np.ndarray, height: np.ndarray, surface_speed: np.ndarray, mixed_height: np.ndarray
) -> np.ndarray:
    """Gust (m/s) at the ground from faster air of the mixed layer that turbulence brings down.

    The largest excess of the wind in the mixed layer over that at the ground is added to it, with a weight that falls
    from 1 at the ground to 1/2 at 1 km and stays so above (the gust potential of NOAA's RUC and Rapid Refresh, in the
    Unified Post Processor). It knows neither the convective gusts of showers nor roughness, and in a stable layer it is
    the mean wind.

    Args:
        speed: (z, ...) wind speed on levels [m/s], z up.
        height: (z, ...) above ground [m].
        surface_speed: (...) wind speed at 10 m [m/s].
        mixed_height: (...) top of the mixed layer above ground [m].
    """
    excess = (speed - surface_speed) * (1.0 - np.minimum(0.5, height / 2000.0))
    # NaN in the mixed layer stays NaN.
    excess = np.where(height > mixed_height, 0.0, excess)
    return np.asarray(surface_speed + np.maximum(excess.max(axis=0), 0.0) + 0.0 * mixed_height)
