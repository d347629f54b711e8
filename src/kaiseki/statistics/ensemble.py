"""The ensemble transform Kalman filter, everywhere at once or in local domains (LETKF).

After Hunt, Kostelich and Szunyogh 2007 (Physica D 230, 112-126). With N members, anomalies of the state X (n, N) and of
what the members say of the observations, divided by sigma_o, Y (p, N), the analysis is a combination of the members:
mean + X w, anomalies X W.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.sparse import sparray

from kaiseki.core.errors import ConfigError, NumericsError
from kaiseki.statistics.localisation import Neighbourhoods

BATCH = 4_000_000
"""Most numbers of the largest array of one batch (32 MB): local domains are treated in batches of bounded memory."""


@dataclass(frozen=True)
class Weights:
    """How members are combined in each of m places.

    Attributes:
        mean: w, (m, N): the increment of the mean is X w.
        transform: W, (m, N, N), symmetric: the analysis anomalies are X W.
    """

    mean: np.ndarray
    transform: np.ndarray


def transform(
    anomalies: np.ndarray, departure: np.ndarray, inflation: float | np.ndarray = 1.0
) -> tuple[np.ndarray, np.ndarray]:
    """Weights of the ensemble transform, of one domain or many at once (Hunt et al. 2007, eqs. 20, 21, 24).

    Args:
        anomalies: Y, (..., p, N): equivalents of the members minus their mean, over sigma_o, times the root of a taper.
        departure: d, (..., p): observation minus mean equivalent, over sigma_o, times the root of a taper.
        inflation: rho, factor of the background covariance, one or (...): (N-1)/rho stands for N-1 in the analysis, so
            that W is sqrt(rho) where there are no observations.

    Returns:
        w, (..., N), and the symmetric square root W, (..., N, N). The root that is symmetric has W 1 = sqrt(rho) 1, so
        the anomalies keep their mean of zero, and depends continuously on the observations.

    Raises:
        ConfigError: fewer than two members, or an inflation that is not positive.
        NumericsError: anomalies are not numbers.
    """
    across = np.swapaxes(anomalies, -1, -2)
    return _solve(across @ anomalies, (across @ departure[..., None])[..., 0], inflation)


def _solve(precision: np.ndarray, gradient: np.ndarray, inflation: float | np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The weights of Y^T Y (..., N, N), which is changed, and Y^T d (..., N)."""
    members, rho = precision.shape[-1], np.asarray(inflation, dtype=np.float64)
    if members < 2 or not (rho > 0.0).all():
        raise ConfigError(
            "An ensemble transform needs at least two members and a positive inflation; "
            f"got {members} members and an inflation of {rho.min(initial=np.inf)}"
        )
    diagonal = np.arange(members)
    precision[..., diagonal, diagonal] += (members - 1) / rho[..., None]
    if not np.isfinite(precision).all():
        raise NumericsError("The members or what they say of the observations left the range of numbers")
    values, vectors = np.linalg.eigh(precision)
    back = np.swapaxes(vectors, -1, -2)
    mean = vectors @ ((back @ gradient[..., None]) / values[..., None])
    root = (vectors * np.sqrt((members - 1) / values)[..., None, :]) @ back
    return mean[..., 0], root


def rotation(members: int, generator: np.random.Generator) -> np.ndarray:
    """A random orthogonal matrix (N, N) that keeps the mean: O 1 = 1, uniform among such.

    Anomalies X O have the covariance of X; it is the only freedom that a square-root filter has (Sakov and Oke 2008,
    Mon. Wea. Rev. 136, 1042-1053), and it keeps nonlinear ensembles from degenerating to an outlier.
    """
    # Uniform on the orthogonal group when R has a positive diagonal (Mezzadri 2007, Notices AMS 54, 592-604).
    q, r = np.linalg.qr(generator.standard_normal((members - 1, members - 1)))
    # The reflection that swaps the first axis with the direction of the mean.
    normal = np.full(members, 1.0 / np.sqrt(members))
    normal[0] -= 1.0
    reflection = np.eye(members) - 2.0 * np.outer(normal, normal) / (normal @ normal)
    across = reflection[:, 1:]
    return np.asarray(np.full((members, members), 1.0 / members) + across @ (q * np.sign(np.diag(r))) @ across.T)


def adapted_inflation(
    inflation: np.ndarray,
    observed: np.ndarray,
    departure: np.ndarray,
    neighbourhoods: Neighbourhoods,
    *,
    variance: float = 0.04,
    kept: float = 0.9,
    least: float = 1.0,
    most: float = 2.0,
) -> np.ndarray:
    """Inflation of the next analysis from what departures say of the spread, in each local domain.

    After Miyoshi 2011 (Mon. Wea. Rev. 139, 1519-1535): with tapers t, squared departures d^2 and ensemble variances s
    of the equivalents, both over sigma_o^2, the departures ask for (sum t d^2 - sum t) / sum t s, known with the
    variance 2 / sum t ((rho mean s + 1) / mean s)^2; it is combined with the inflation before, rho. Here that one first
    returns a part of its way to `least`, so that places forget, and the result stays between `least` and `most`.

    Args:
        inflation: rho of the last analysis, (m,); ones at the start.
        observed: (p, N), departure: (p,), neighbourhoods: as for `local_weights`.
        variance: of the inflation before, the larger the quicker it follows.
        kept: part of rho - least that stays from one analysis to the next.
        least, most: bounds of rho.

    Returns:
        rho, (m,).
    """
    tapers, indices = neighbourhoods.tapers, neighbourhoods.indices
    before = least + kept * (inflation - least)
    number = tapers.sum(axis=1)
    spread = np.sum(tapers * observed.var(axis=1, ddof=1)[indices], axis=1)
    seen = spread > 0.0
    number, spread = np.where(seen, number, 1.0), np.where(seen, spread, 1.0)
    asked = (np.sum(tapers * (departure**2)[indices], axis=1) - number) / spread
    doubt = 2.0 / number * (before + number / spread) ** 2
    after = (variance * asked + doubt * before) / (variance + doubt)
    return np.where(seen, np.clip(after, least, most), before)


def local_weights(
    observed: np.ndarray,
    departure: np.ndarray,
    neighbourhoods: Neighbourhoods,
    inflation: float | np.ndarray = 1.0,
) -> Weights:
    """The weights of m local domains, each from the observations that it sees.

    Args:
        observed: (p, N), equivalents of the members minus their mean, over sigma_o.
        departure: (p,), over sigma_o.
        neighbourhoods: of the m domains.
        inflation: rho, one or (m,), see `transform`.

    Raises:
        ConfigError, NumericsError: see `transform`.
    """
    size, members = len(neighbourhoods.indices), observed.shape[1]
    rho = np.broadcast_to(inflation, size)
    found = Weights(np.empty((size, members)), np.empty((size, members, members)))
    step = max(1, BATCH // members**2)
    for start in range(0, size, step):
        rows = slice(start, start + step)
        part = Neighbourhoods(neighbourhoods.indices[rows], neighbourhoods.tapers[rows])
        precision, gradient = _products(observed, departure, part)
        found.mean[rows], found.transform[rows] = _solve(precision, gradient, rho[rows])
    return found


def _products(
    observed: np.ndarray, departure: np.ndarray, neighbourhoods: Neighbourhoods
) -> tuple[np.ndarray, np.ndarray]:
    """Products Y^T T Y (m, N, N) and Y^T T d (m, N) of local domains, T their tapers.

    As the product of all tapers with the products y y^T of each observation: neighbouring domains see nearly the same
    observations, and one matrix product is many times faster than gathering them for each.
    """
    size, members = len(neighbourhoods.indices), observed.shape[1]
    row, slot = np.nonzero(neighbourhoods.tapers)
    index, taper = neighbourhoods.indices[row, slot], neighbourhoods.tapers[row, slot]
    columns, place = np.unique(index, return_inverse=True)
    precision, gradient = np.zeros((size, members**2)), np.zeros((size, members))
    step = max(1, BATCH // max(size, members**2))
    for start in range(0, len(columns), step):
        here = columns[start : start + step]
        chosen = (place >= start) & (place < start + step)
        tapers = np.zeros((size, len(here)))
        tapers[row[chosen], place[chosen] - start] = taper[chosen]
        y = observed[here]
        precision += tapers @ (y[:, :, None] * y[:, None, :]).reshape(len(here), -1)
        gradient += tapers @ (y * departure[here, None])
    return precision.reshape(size, members, members), gradient


def combine(
    weights: Weights, anomalies: np.ndarray, interpolation: sparray | None = None
) -> tuple[np.ndarray, np.ndarray]:
    """The analysis from its weights.

    Args:
        weights: of m places.
        anomalies: X, (n, ..., N): state anomalies at n places, any number of values at each.
        interpolation: (n, m), from the places of the weights to those of the state; absent where they are the same.

    Returns:
        Increment of the mean, (n, ...), and analysis anomalies, (n, ..., N).

    Raises:
        ConfigError: the numbers of places do not agree.
    """
    size, members = len(anomalies), anomalies.shape[-1]
    expected = (size, len(weights.mean))
    if (interpolation is None and size != expected[1]) or (
        interpolation is not None and interpolation.shape != expected
    ):
        raise ConfigError(f"Weights of {expected[1]} places do not fit a state of {size} places as they are given")
    both = np.concatenate([weights.transform, weights.mean[..., None]], axis=-1)
    values = anomalies.reshape(size, -1, members)
    result = np.empty((*values.shape[:2], members + 1))
    length = max(1, BATCH // (members * (members + 1)))
    for start in range(0, size, length):
        rows = slice(start, start + length)
        if interpolation is None:
            here = both[rows]
        else:
            here = (interpolation[rows] @ both.reshape(len(both), -1)).reshape(-1, members, members + 1)
        result[rows] = values[rows] @ here
    return result[..., -1].reshape(anomalies.shape[:-1]), result[..., :-1].reshape(anomalies.shape)


def letkf(
    anomalies: np.ndarray,
    observed: np.ndarray,
    departure: np.ndarray,
    neighbourhoods: Neighbourhoods,
    *,
    inflation: float | np.ndarray = 1.0,
    interpolation: sparray | None = None,
) -> tuple[np.ndarray, np.ndarray]:
    """The local ensemble transform Kalman filter: `local_weights`, then `combine`.

    Args:
        anomalies: X, (n, ..., N), of the state at n places.
        observed: Y, (p, N), over sigma_o.
        departure: d, (p,), over sigma_o.
        neighbourhoods: of m domains; of the n places themselves without `interpolation`.
        inflation: rho, one or (m,), see `transform`.
        interpolation: (n, m), see `combine`.

    Returns:
        Increment of the mean, (n, ...), and analysis anomalies, (n, ..., N).

    Raises:
        ConfigError, NumericsError: see `transform` and `combine`.
    """
    return combine(local_weights(observed, departure, neighbourhoods, inflation), anomalies, interpolation)
