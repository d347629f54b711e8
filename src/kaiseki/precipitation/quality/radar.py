"""Quality of radar fields: clutter and blockage by how often cells show rain, height of the beam, attenuation."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from kaiseki.core.errors import ConfigError, InputError
from kaiseki.precipitation.attenuation import coefficients
from kaiseki.precipitation.data import HOUR, RadarRain


@dataclass(frozen=True, eq=False, kw_only=True)
class Exceedance:
    """How often each cell of a radar shows rain, against its surroundings.

    Attributes:
        frequency: share of the scans with rain, (ny, nx), NaN where there are too few.
        surroundings: median share of the cells around, (ny, nx).
        clutter: cells that show rain far more often, (ny, nx).
        blockage: cells that show it far less often, (ny, nx).
    """

    frequency: np.ndarray
    surroundings: np.ndarray
    clutter: np.ndarray
    blockage: np.ndarray


@dataclass(frozen=True, kw_only=True)
class Limits:
    """Limits of the maps of clutter and blockage.

    Attributes:
        rate: rain rate from which a scan counts, mm h-1.
        side: of the square of surroundings, cells.
        often: number of standard deviations of a count, as of independent scans, beyond which it is clutter.
        more: least share of scans by which clutter exceeds its surroundings.
        seldom: share of the surroundings' frequency below which a cell is blocked.
        least: frequency of the surroundings from which blockage can be told, times the number of scans.
        scans: number of scans needed at a cell.
    """

    rate: float = 0.1
    side: int = 15
    often: float = 4.0
    more: float = 0.1
    seldom: float = 0.3
    least: float = 8.0
    scans: int = 10

    def __post_init__(self) -> None:
        if self.side < 3 or not 0.0 <= self.seldom < 1.0:
            raise ConfigError(f"Maps of clutter need side >= 3 and 0 <= seldom < 1; got {self.side}, {self.seldom:g}")


def exceedance(radar: RadarRain, settings: Limits | None = None) -> Exceedance:
    """Maps of clutter and blockage from how often cells show rain over many scans; months are better than days.

    Raises:
        InputError: there are too few scans.
    """
    from scipy.ndimage import median_filter

    settings = settings or Limits()
    if radar.time.size < settings.scans:
        raise InputError(f"Maps of clutter need {settings.scans} scans at least; there are {radar.time.size}")
    known = np.zeros(radar.grid.shape)
    wet = np.zeros(radar.grid.shape)
    limit = settings.rate * (radar.period / HOUR)
    for scan in radar.amount:
        known += np.isfinite(scan)
        wet += np.nan_to_num(scan) >= limit
    frequency = np.where(known >= settings.scans, wet / np.maximum(known, 1.0), np.nan)
    around = median_filter(np.nan_to_num(frequency), size=settings.side, mode="nearest")
    error = np.sqrt(np.maximum(around * (1.0 - around), 0.25 / np.maximum(known, 1.0)) / np.maximum(known, 1.0))
    excess = frequency - around
    clutter = (excess > settings.often * error) & (excess > settings.more)
    blockage = (around * known >= settings.least) & (frequency < settings.seldom * around)
    return Exceedance(
        frequency=frequency,
        surroundings=around,
        clutter=np.asarray(clutter & np.isfinite(frequency)),
        blockage=np.asarray(blockage & np.isfinite(frequency)),
    )


def masked(radar: RadarRain, maps: Exceedance) -> RadarRain:
    """Radar fields with clutter as not known, and quality zero there and in blocked cells.

    Raises:
        InputError: the maps are of another grid.
    """
    if maps.clutter.shape != radar.grid.shape:
        raise InputError(f"Maps of clutter have shape {maps.clutter.shape}, the radar {radar.grid.shape}")
    bad = maps.clutter | maps.blockage
    return replace(
        radar,
        amount=np.where(bad, np.float32(np.nan), radar.amount),
        quality=np.where(bad, 0.0, radar.quality),
    )


def beam_quality(height: np.ndarray, fades: float = 2000.0) -> np.ndarray:
    """Quality from 0 to 1 by the height of the beam above the ground, m: 1 / (1 + (h / fades)^2), 0 where unknown."""
    if fades <= 0.0:
        raise ConfigError(f"The height over which the quality of a beam fades must be above 0; got {fades:g} m")
    height = np.asarray(height, float)
    return np.where(np.isfinite(height), 1.0 / (1.0 + (np.nan_to_num(height) / fades) ** 2), 0.0)


def two_way_attenuation(rate: np.ndarray, distance: np.ndarray, frequency: float) -> np.ndarray:
    """Attenuation by rain on the way to each bin and back (m, n), dB, by ITU-R P.838-3, without feedback.

    It is a lower bound, since attenuated rain is itself seen too weak; bins with more than some 3 dB are to be flagged.

    Args:
        rate: rain rate (m, n) along rays, mm h-1; NaN counts as none.
        distance: of the bins' centres, (n,), m, evenly spaced.
        frequency: of the radar, GHz.

    Raises:
        InputError: the shapes do not fit, or the frequency is none of a weather radar.
    """
    if rate.ndim != 2 or distance.shape != rate.shape[1:]:
        raise InputError(f"Rays of shape {rate.shape} and bins of shape {distance.shape} do not fit")
    k, power = coefficients(np.array([frequency]), np.array(["h"]))
    each = 2.0 * k[0] * np.nan_to_num(rate) ** power[0] * float(distance[1] - distance[0]) * 1e-3
    # Half of a bin's own rain lies before its centre.
    return np.asarray(np.cumsum(each, axis=1) - 0.5 * each)
