"""Balance after the analysis: how fast surface pressure changes, averaged over the domain.

Gravity waves that an unbalanced analysis sets free show first in the surface pressure; weather itself gives some tens
of Pa per hour (Lynch and Huang 1992, Mon. Wea. Rev. 120, 1019-1034: the measure N1).
"""

from __future__ import annotations

import numpy as np

from kaiseki.core.errors import InputError


def mean_absolute_tendency(
    surface_pressure: np.ndarray, times: np.ndarray, mask: np.ndarray | None = None
) -> np.ndarray:
    """Domain mean of the absolute tendency of surface pressure between consecutive times.

    Args:
        surface_pressure: (time, y, x) [Pa].
        times: (time,) datetime64[s] or seconds, rising.
        mask: (y, x) True where cells count, for instance `domain.inside_rim`; all without it.

    Returns:
        (time - 1,) [Pa per hour].

    Raises:
        InputError: fewer than two times, times that do not rise, or an empty mask.
    """
    pressure = np.asarray(surface_pressure, float)
    seconds = np.asarray(times)
    if np.issubdtype(seconds.dtype, np.datetime64):
        seconds = seconds.astype("datetime64[s]").astype(np.int64)
    step = np.diff(seconds.astype(float))
    if pressure.ndim != 3 or len(pressure) != len(seconds) or step.size == 0 or np.any(step <= 0.0):
        raise InputError("A pressure tendency needs surface pressure (time, y, x) at two or more rising times")
    cells = np.ones(pressure.shape[1:], bool) if mask is None else mask
    if not cells.any():
        raise InputError("The mask leaves no cell for the mean pressure tendency")
    change = np.abs(np.diff(pressure[:, cells], axis=0)).mean(axis=1)
    return np.asarray(3600.0 * change / step)
