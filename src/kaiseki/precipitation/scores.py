"""Scores of analysed precipitation at places that it did not use, with intervals by resampling blocks of places."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Final

import numpy as np

from kaiseki.precipitation.data import Gauges, RadarRain

LEVELS: Final = np.linspace(0.01, 0.99, 99)
"""Probabilities of the quantiles by which distributions are scored."""
SHOWN: Final = 0.1
"""Amount, measured or expected, from which a place counts in the coverage of intervals, mm."""
_KM_PER_DEGREE: Final = 111.2


@dataclass(frozen=True, eq=False)
class Predicted:
    """Amounts predicted at n places.

    Attributes:
        mean: expected amount, (n,), mm.
        quantiles: of the amount at LEVELS, (99, n), mm; empty where a method gives none.
    """

    mean: np.ndarray
    quantiles: np.ndarray = field(default_factory=lambda: np.empty((0, 0)))


type Method = Callable[[Gauges, RadarRain | None, np.ndarray, np.ndarray], Predicted]
"""A method of analysis: gauges to use, radar, latitude and longitude of places -> what it predicts there."""


def station_folds(count: int, folds: int, seed: int) -> np.ndarray:
    """Fold of each station, (count,), at random and of equal size."""
    return np.random.default_rng(seed).permutation(np.arange(count) % folds)


def clusters(lat: np.ndarray, lon: np.ndarray, size_km: float = 20.0) -> np.ndarray:
    """Number of the square of a size in which each place lies, (n,)."""
    row = np.floor(lat * _KM_PER_DEGREE / size_km).astype(int)
    middle = np.cos(np.deg2rad((row + 0.5) * size_km / _KM_PER_DEGREE))
    column = np.floor(lon * _KM_PER_DEGREE * middle / size_km).astype(int)
    return np.asarray(np.unique(np.column_stack([row, column]), axis=0, return_inverse=True)[1]).ravel()


def cluster_folds(cluster: np.ndarray, folds: int, seed: int) -> np.ndarray:
    """Fold of each station, (n,), such that those of one cluster share it."""
    return station_folds(int(cluster.max()) + 1, folds, seed)[cluster]


def cross_validated(
    method: Method, gauges: Gauges, radar: RadarRain | None, time: np.datetime64, fold: np.ndarray
) -> Predicted:
    """Predictions of a method at the stations of each fold from the stations of the others.

    The values of other times of a station that is left out are left out too.
    """
    mean, quantiles = np.full(fold.size, np.nan), np.empty((0, 0))
    for number in np.unique(fold):
        held = fold == number
        one = method(gauges.some(~held), radar, gauges.lat[held], gauges.lon[held])
        mean[held] = one.mean
        if one.quantiles.size:
            if not quantiles.size:
                quantiles = np.full((LEVELS.size, fold.size), np.nan)
            quantiles[:, held] = one.quantiles
    return Predicted(mean, quantiles)


def rmse(observed: np.ndarray, mean: np.ndarray) -> float:
    """Root-mean-square error."""
    return float(np.sqrt(np.mean((mean - observed) ** 2)))


def mae(observed: np.ndarray, mean: np.ndarray) -> float:
    """Mean absolute error."""
    return float(np.mean(np.abs(mean - observed)))


def bias_ratio(observed: np.ndarray, mean: np.ndarray) -> float:
    """Sum of the predictions over the sum of the observations; NaN without rain."""
    return float(mean.sum() / observed.sum()) if observed.sum() > 0.0 else float("nan")


def correlation(observed: np.ndarray, mean: np.ndarray) -> float:
    """Pearson correlation; NaN where either is constant."""
    if np.ptp(observed) == 0.0 or np.ptp(mean) == 0.0:
        return float("nan")
    return float(np.corrcoef(observed, mean)[0, 1])


def equitable_threat_score(observed: np.ndarray, mean: np.ndarray, threshold: float) -> float:
    """Equitable threat score (Gilbert skill score) of at least a threshold; NaN where neither has an event."""
    seen, said = observed >= threshold, mean >= threshold
    hits = float((seen & said).sum())
    chance = float(seen.sum()) * float(said.sum()) / seen.size
    events = float((seen | said).sum())
    return (hits - chance) / (events - chance) if events > chance else float("nan")


def crps(observed: np.ndarray, one: Predicted) -> np.ndarray:
    """Continuous ranked probability score (n,), mm: twice the mean quantile loss; the absolute error without quantiles.

    Source: Gneiting and Raftery 2007, doi:10.1198/016214506000001437.
    """
    if not one.quantiles.size:
        return np.abs(one.mean - observed)
    ahead = observed - one.quantiles
    return np.asarray(2.0 * np.mean(np.where(ahead >= 0.0, LEVELS[:, None], LEVELS[:, None] - 1.0) * ahead, axis=0))


def inside(observed: np.ndarray, one: Predicted) -> np.ndarray:
    """Whether each place with rain, measured or expected, has its amount in the 80 % interval; NaN at the others."""
    if not one.quantiles.size:
        return np.full(observed.size, np.nan)
    low, high = (one.quantiles[int(np.argmin(np.abs(LEVELS - level)))] for level in (0.1, 0.9))
    shown = (observed >= SHOWN) | (one.mean >= SHOWN)
    return np.where(shown, ((observed >= low) & (observed <= high)).astype(float), np.nan)


def table(
    observed: np.ndarray, one: Predicted, thresholds: tuple[float, ...] = (1.0, 5.0, 10.0, 20.0)
) -> dict[str, float]:
    """All scores of a method by name; NaN where a score is not defined."""
    held = inside(observed, one)
    result = {
        "rmse": rmse(observed, one.mean),
        "mae": mae(observed, one.mean),
        "bias": bias_ratio(observed, one.mean),
        "correlation": correlation(observed, one.mean),
        "crps": float(crps(observed, one).mean()),
        "coverage_80": float(np.nanmean(held)) if np.isfinite(held).any() else float("nan"),
    }
    return result | {f"ets_{one_:g}mm": equitable_threat_score(observed, one.mean, one_) for one_ in thresholds}


def block_samples(block: np.ndarray, draws: int, seed: int) -> Iterator[np.ndarray]:
    """Numbers of the places of blocks drawn with replacement, as many blocks as there are, for each draw."""
    rng = np.random.default_rng(seed)
    members = [np.flatnonzero(block == number) for number in np.unique(block)]
    for _ in range(draws):
        yield np.concatenate([members[number] for number in rng.integers(0, len(members), len(members))])


def intervals(
    observed: np.ndarray, methods: dict[str, Predicted], block: np.ndarray, draws: int = 1000, seed: int = 1
) -> dict[str, dict[str, tuple[float, float]]]:
    """95 % intervals of the scores of each method by resampling blocks, the same draws for all methods."""
    drawn: dict[str, list[dict[str, float]]] = {name: [] for name in methods}
    for chosen in block_samples(block, draws, seed):
        for name, one in methods.items():
            drawn[name].append(table(observed[chosen], _some(one, chosen)))
    return {
        name: {score: _interval(np.array([one[score] for one in values])) for score in values[0]}
        for name, values in drawn.items()
    }


def ratio_interval(
    observed: np.ndarray, one: Predicted, other: Predicted, block: np.ndarray, draws: int = 1000, seed: int = 1
) -> tuple[float, float, float]:
    """Ratio of the root-mean-square error of one method to another's, with its 95 % interval by resampling blocks."""
    ratios = [
        rmse(observed[chosen], one.mean[chosen]) / rmse(observed[chosen], other.mean[chosen])
        for chosen in block_samples(block, draws, seed)
    ]
    return rmse(observed, one.mean) / rmse(observed, other.mean), *_interval(np.array(ratios))


def _some(one: Predicted, chosen: np.ndarray) -> Predicted:
    return Predicted(one.mean[chosen], one.quantiles[:, chosen] if one.quantiles.size else one.quantiles)


def _interval(values: np.ndarray) -> tuple[float, float]:
    known = values[np.isfinite(values)]
    if not known.size:
        return float("nan"), float("nan")
    low, high = np.quantile(known, [0.025, 0.975])
    return float(low), float(high)
