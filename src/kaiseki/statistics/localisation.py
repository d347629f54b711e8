"""Which observations a place sees, how much of each, and how weights found at few places reach all the others.

Observation localisation after Hunt, Kostelich and Szunyogh 2007 (Physica D 230, 112-126): the inverse error variance of
an observation is multiplied by a taper of its distance. Interpolation of weights after Yang, Kalnay, Hunt and Bowler
2009 (Q. J. R. Meteorol. Soc. 135, 251-262).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.sparse import csr_array
from scipy.spatial import cKDTree

from kaiseki.core.errors import ConfigError


def gaspari_cohn(distance: np.ndarray, half_width: float = 1.0) -> np.ndarray:
    """The compactly supported correlation of Gaspari and Cohn 1999 (Q. J. R. Meteorol. Soc. 125, 723-757, eq. 4.10).

    Args:
        distance: (...), at least 0.
        half_width: c of the paper, in the unit of `distance`.

    Returns:
        (...): 1 at 0, 5/24 at `half_width`, 0 from twice `half_width` on; positive definite in three dimensions, and
        near to a Gaussian of standard deviation half_width sqrt(3/10).
    """
    r = np.asarray(distance, dtype=np.float64) / half_width
    near = np.minimum(r, 1.0)
    far = np.clip(r, 1.0, 2.0)
    inner = 1.0 + near**2 * (-5.0 / 3.0 + near * (5.0 / 8.0 + near * (0.5 - 0.25 * near)))
    outer = 4.0 + far * (-5.0 + far * (5.0 / 3.0 + far * (5.0 / 8.0 + far * (far / 12.0 - 0.5)))) - 2.0 / (3.0 * far)
    return np.where(r <= 1.0, inner, np.where(r < 2.0, np.maximum(outer, 0.0), 0.0))


@dataclass(frozen=True)
class Neighbourhoods:
    """The observations that each of m local domains sees, in rows padded to the longest.

    Attributes:
        indices: (m, q) into the observations; any valid number where padded.
        tapers: (m, q) in 0..1: the factor of the inverse error variance, 0 where padded. Padding comes last.
    """

    indices: np.ndarray
    tapers: np.ndarray


def neighbourhoods(
    domains: np.ndarray, observations: np.ndarray, half_width: float | np.ndarray, box: np.ndarray | None = None
) -> Neighbourhoods:
    """The neighbourhoods with the taper of Gaspari and Cohn of the Euclidean distance in units of the half-width.

    The table has m q entries; for many levels build and use it level by level.

    Args:
        domains: coordinates of the centres, (m, d).
        observations: coordinates, (p, d).
        half_width: where the taper is 5/24, one for all directions or (d,), in the unit of the coordinates.
        box: length after which each coordinate repeats, (d,), 0 for one that does not; none repeats when absent.

    Raises:
        ConfigError: a half-width is not positive.
    """
    scale = np.broadcast_to(np.asarray(half_width, dtype=np.float64), domains.shape[1:])
    if not (scale > 0.0).all():
        raise ConfigError(f"The half-width of a localisation must be positive; got {half_width}")
    size = np.zeros_like(scale) if box is None else np.asarray(box, dtype=np.float64) / scale

    def tree(points: np.ndarray) -> cKDTree:
        scaled = points / scale
        wrapped = np.mod(scaled, np.where(size > 0.0, size, 1.0))
        return cKDTree(np.where(size > 0.0, wrapped, scaled), boxsize=size)

    near = tree(domains).sparse_distance_matrix(tree(observations), 2.0, output_type="coo_matrix")
    tapers = gaspari_cohn(near.data)
    seen = tapers > 0.0
    row, index, tapers = near.row[seen], near.col[seen], tapers[seen]
    order = np.argsort(row, kind="stable")
    counts = np.bincount(row, minlength=len(domains))
    slot = np.arange(len(row)) - np.repeat(np.cumsum(counts) - counts, counts)
    found = Neighbourhoods(
        np.zeros((len(domains), counts.max(initial=0)), dtype=np.intp),
        np.zeros((len(domains), counts.max(initial=0))),
    )
    found.indices[row[order], slot] = index[order]
    found.tapers[row[order], slot] = tapers[order]
    return found


def linear_interpolation(nodes: np.ndarray, points: np.ndarray) -> csr_array:
    """The matrix (n, m) of linear interpolation from rising nodes (m,) to points (n,), constant beyond the ends.

    Its rows sum to 1. For a grid take the Kronecker product of the matrices of its directions.

    Raises:
        ConfigError: fewer than two nodes, or nodes that do not rise.
    """
    if len(nodes) < 2 or not (np.diff(nodes) > 0.0).all():
        raise ConfigError("Interpolation needs at least two nodes in rising order")
    left = np.clip(np.searchsorted(nodes, points, side="right") - 1, 0, len(nodes) - 2)
    share = np.clip((points - nodes[left]) / (nodes[left + 1] - nodes[left]), 0.0, 1.0)
    row = np.arange(len(points))
    entries = (np.concatenate([1.0 - share, share]), (np.tile(row, 2), np.concatenate([left, left + 1])))
    matrix = csr_array(entries, shape=(len(points), len(nodes)))
    matrix.eliminate_zeros()
    return matrix
