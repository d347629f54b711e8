"""Percentiles of samples with missing values, exact, by the definition of Hyndman and Fan's type 8.

The quantile p of n values in rising order is the linear interpolation at the place n p + (p + 1) / 3, counted from one,
and the lowest or highest value beyond them: approximately unbiased for the median of the quantile whatever the
distribution, which the authors recommend. It is `method="median_unbiased"` of `numpy.quantile`.

Source: Hyndman and Fan (1996), Sample quantiles in statistical packages, The American Statistician 50, 361-365.
"""

from __future__ import annotations

import numpy as np


def quantiles(ordered: np.ndarray, count: np.ndarray, shares: np.ndarray) -> np.ndarray:
    """Quantiles of each row by type 8.

    Args:
        ordered: (n, samples) in rising order along the last axis, missing values (NaN) at its end, as `numpy.sort`
            puts them.
        count: (n,) number of values that are not missing.
        shares: (q,) between 0 and 1.

    Returns:
        (q, n) in double precision; NaN where there is no value.
    """
    place = count * shares[:, None] + (shares[:, None] + 1.0) / 3.0 - 1.0
    place = np.clip(place, 0.0, np.maximum(count - 1, 0))
    low = place.astype(np.int64)
    high = np.minimum(low + 1, np.maximum(count - 1, 0))
    rows = np.arange(ordered.shape[0])
    below, above = ordered[rows, low].astype(float), ordered[rows, high].astype(float)
    return below + (place - low) * (above - below)
