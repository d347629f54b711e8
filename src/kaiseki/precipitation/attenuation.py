"""Specific attenuation of microwaves by rain: k R^a, ITU-R P.838-3 (2005)."""

from __future__ import annotations

from typing import Final

import numpy as np

from kaiseki.core.errors import InputError

# Recommendation ITU-R P.838-3, tables 1 to 4: (a, b, c) of the sums, then m and c of the linear part.
_K: Final = {
    "h": (
        (
            (-5.33980, -0.10008, 1.13098),
            (-0.35351, 1.26970, 0.45400),
            (-0.23789, 0.86036, 0.15354),
            (-0.94158, 0.64552, 0.16817),
        ),
        -0.18961,
        0.71147,
    ),
    "v": (
        (
            (-3.80595, 0.56934, 0.81061),
            (-3.44965, -0.22911, 0.51059),
            (-0.39902, 0.73042, 0.11899),
            (0.50167, 1.07319, 0.27195),
        ),
        -0.16398,
        0.63297,
    ),
}
_ALPHA: Final = {
    "h": (
        (
            (-0.14318, 1.82442, -0.55187),
            (0.29591, 0.77564, 0.19822),
            (0.32177, 0.63773, 0.13164),
            (-5.37610, -0.96230, 1.47828),
            (16.1721, -3.29980, 3.43990),
        ),
        0.67849,
        -1.95537,
    ),
    "v": (
        (
            (-0.07771, 2.33840, -0.76284),
            (0.56727, 0.95545, 0.54039),
            (-0.20238, 1.14520, 0.26809),
            (-48.2991, 0.791669, 0.116226),
            (48.5833, 0.791459, 0.116479),
        ),
        -0.053739,
        0.83433,
    ),
}


def coefficients(frequency: np.ndarray, polarisation: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Coefficients k, dB km-1 (mm h-1)^-a, and a of a horizontal path.

    Args:
        frequency: GHz, from 1 to 1000.
        polarisation: `h` or `v` for each.

    Raises:
        InputError: a frequency or polarisation is none of these.
    """
    frequency = np.atleast_1d(np.asarray(frequency, float))
    kind = np.broadcast_to(np.char.lower(np.asarray(polarisation, dtype=str)), frequency.shape)
    if not ((frequency >= 1.0) & (frequency <= 1000.0)).all():
        raise InputError("Frequencies of microwave links must lie between 1 and 1000 GHz; check their units")
    known = np.char.startswith(kind, "h") | np.char.startswith(kind, "v")
    if not known.all():
        raise InputError(f"The polarisation {kind[~known].ravel()[0]!r} of a microwave link is neither h nor v")
    across = np.char.startswith(kind, "h")
    k = np.where(across, 10.0 ** _sum(_K["h"], frequency), 10.0 ** _sum(_K["v"], frequency))
    return k, np.where(across, _sum(_ALPHA["h"], frequency), _sum(_ALPHA["v"], frequency))


def _sum(terms: tuple[tuple[tuple[float, float, float], ...], float, float], frequency: np.ndarray) -> np.ndarray:
    parts, slope, constant = terms
    log = np.log10(frequency)
    curves = sum(a * np.exp(-(((log - b) / c) ** 2)) for a, b, c in parts)
    return np.asarray(curves + slope * log + constant)
