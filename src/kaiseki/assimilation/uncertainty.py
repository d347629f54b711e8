"""Standard deviation of the analysis error on the grid, from what the minimiser has learnt of the Hessian.

In control space the background error is the identity and the analysis error the inverse of the Hessian A (Fisher and
Courtier 1995, ECMWF Tech. Memo. 220; Leutbecher 2003, Q. J. R. Meteorol. Soc. 129, 2131-2158), of which a minimisation
has learnt 1 - sum of y y^T (`Spectrum.explained`). So, with the first term exact (`statistics.variance`), the variance
of the error is at most

    diag(S S^T) - sum of (S y)^2

where the assumed errors are right: it is that of an analysis of part of the data. But a minimisation ends with some
thirty pairs where the observations tell hundreds of things, and that bound is then nearly twice too large, as others
found (Bousserez et al. 2015, Q. J. R. Meteorol. Soc. 141, 1906-1921). What the pairs do not resolve is taken to lie
where the resolved lies: with b the variance of the background and r the bound, that of the error is

    1 / (1/b + c (1/r - 1/b)),   c >= 1,

one c each for wind, temperature and surface pressure and each level, such that the mean over the level is that of the
error of a random analysis with the same observations (`randomised`). Where the spectrum is complete c is 1 and the
error exact. One random analysis is a sample of few independent places, so that its error is judged by that of the
random background it started from, whose mean is known: a control variate.

In 4D-Var, S y is carried to the end of the window by the inner linear model, on its grid; the background error there is
the cycled one of the experiment, and the random analysis that of 3D-FGAT, which costs little and tells rather less.
What is left out: errors of the inner model, which damps the smallest scales, and what later outer loops change. The
penalty of gravity waves counts as an observation.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any, Final

import jax
import jax.numpy as jnp
import numpy as np

from kaiseki.core.constants import GRAVITY, R_DRY
from kaiseki.diagnostics.standard_atmosphere import standard_log_pressure
from kaiseki.diagnostics.thermodynamics import virtual_temperature
from kaiseki.grid import Domain
from kaiseki.grid.coarsening import Coarsening
from kaiseki.statistics import ANALYSIS_VARIABLES, BackgroundCovariance
from kaiseki.statistics.conjugate_gradients import conjugate_gradients
from kaiseki.statistics.correlation import gaussian
from kaiseki.statistics.localisation import linear_interpolation
from kaiseki.statistics.variance import variances

FIELDS: Final = ("eastward_wind", "northward_wind", "temperature", "surface_pressure")
"""What the error is known of: (nz, ny, nx) each, but surface pressure (ny, nx)."""

FLOOR: Final = 0.01
"""Least part of the background's variance that is left, against round-off and what a linear model makes too large."""

PAIRS: Final = 40
"""Most eigenpairs whose increments are made."""

PAIRS_CARRIED: Final = 8
"""Most eigenpairs that the linear model carries through the window."""

DRAWS: Final = 1
"""Random analyses that say how much the observations tell in all."""

DRAW_ITERATIONS: Final = 12
"""Most iterations of a random analysis."""

SEED: Final = 1
"""Seed of the random analyses."""

MOST: Final = 1e4
"""Most that the observations tell in all, over what the pairs resolve of it."""

LEVELS: Final = 0.4
"""Width in ln p of the layers in which a random analysis says how much the observations tell."""

FROM_HESSIAN: Final = (
    "Standard deviation of the analysis error that the assumed errors of background and observations imply: its "
    "pattern from the leading eigenpairs of the Hessian of the minimisation, its size from a random analysis."
)
FROM_MEMBERS: Final = "Standard deviation of the members of the ensemble after the analysis."

type Errors = dict[str, np.ndarray]
"""Standard deviations by the names in `FIELDS`, float32, in the units of core/variables.csv."""


@jax.jit
def _add(total: Any, fields: Any, turn: tuple[Any, Any], factor: Any) -> Any:
    """`total` (3 nz + 1, ny, nx) plus the squares of an increment (5, nz, ny, nx) in the order of
    `ANALYSIS_VARIABLES`."""
    u, v, temperature, pressure = fields[:4]
    c, s = turn
    parts = (c * u + s * v, c * v - s * u, temperature, factor * pressure[:1])
    return total + jnp.concatenate(parts) ** 2


@jax.jit
def _add_sqrt(total: Any, covariance: BackgroundCovariance, control: Any, turn: tuple[Any, Any], factor: Any) -> Any:
    """`total` plus the squares of the increment of a control vector (n,)."""
    increment = covariance.sqrt(control)
    return _add(total, [increment[name] for name in ANALYSIS_VARIABLES], turn, factor)


@jax.jit
def _prior(covariance: BackgroundCovariance, turn: tuple[Any, Any], factor: Any) -> Any:
    """Variances (3 nz + 1, ny, nx) of the background, in the order of `FIELDS`."""
    own = variances(covariance)
    c, s = turn
    parts = (
        c**2 * own.u + s**2 * own.v + 2.0 * c * s * own.uv,
        c**2 * own.v + s**2 * own.u - 2.0 * c * s * own.uv,
        own.temperature,
        factor**2 * own.pressure[None],
    )
    return jnp.concatenate(parts)


def _turn(domain: Domain) -> tuple[Any, Any]:
    return jnp.asarray(np.cos(domain.rotation), float), jnp.asarray(np.sin(domain.rotation), float)


def _to_ground(domain: Domain, fields: Mapping[str, np.ndarray]) -> Any:
    """Pressure at the ground over that of the lowest level (ny, nx), hydrostatic with the temperature of the level."""
    temperature, qv = (np.asarray(fields[name][0], np.float64) for name in ("temperature", "qv"))
    depth = domain.z[0] - domain.terrain
    return jnp.asarray(np.exp(GRAVITY * depth / (R_DRY * virtual_temperature(temperature, qv))), float)


def of_members(anomalies: np.ndarray, coarsening: Coarsening, fields: Mapping[str, np.ndarray]) -> Errors:
    """Standard deviations of members on the grid of the analysis.

    Args:
        anomalies: (N, 5, nz, J, I) at the time of the analysis, in the order of `ANALYSIS_VARIABLES`.
        coarsening: from the grid of the analysis to theirs.
        fields: their mean.
    """
    u, v = coarsening.coarse.to_east_north(anomalies[:, 0], anomalies[:, 1])
    ground = anomalies[:, 3, 0] * np.asarray(_to_ground(coarsening.coarse, fields))
    found = {}
    for name, values in zip(FIELDS, (u, v, anomalies[:, 2], ground), strict=True):
        deviation = np.std(values, axis=0, ddof=1, dtype=np.float64)
        found[name] = coarsening.refine(deviation).astype(np.float32)
    return found


class Uncertainty:
    """The error of one analysis: that of the background, less what observations tell.

    Args:
        covariance: of the background error.
        domain: the grid.
        fields: at the time of the analysis; surface pressure goes with that of the lowest level as they say.
        scale: standard deviation of the background error at that time, in units of that of `covariance`.
    """

    def __init__(
        self, covariance: BackgroundCovariance, domain: Domain, fields: Mapping[str, np.ndarray], scale: float = 1.0
    ) -> None:
        self.covariance = covariance
        self.domain = domain
        self.pairs = 0
        self.scale = scale
        self.factors = dict.fromkeys(_GROUPS, 1.0)
        self._turn, self._to_ground = _turn(domain), _to_ground(domain, fields)
        self._prior = np.asarray(_prior(covariance, self._turn, self._to_ground))
        self._explained = np.zeros_like(self._prior)
        self._drawn: tuple[np.ndarray, np.ndarray] | None = None

    def explain(self, controls: Iterable[np.ndarray]) -> None:
        """Take what vectors y (n,) explain from the variance; no field of theirs is kept."""
        self._explained += self._squares(controls)

    def explain_carried(self, increments: Iterable[Any], domain: Domain, fields: Mapping[str, np.ndarray]) -> None:
        """Take what vectors y (n,) explain from the variance, S y carried by a linear model to the time of the
        analysis.

        Args:
            increments: (5, nz, J, I) each in the order of `ANALYSIS_VARIABLES`.
            domain: their grid, of the same levels.
            fields: at that time on their grid.
        """
        total = jnp.zeros((3 * domain.nz + 1, domain.ny, domain.nx))
        turn, factor = _turn(domain), _to_ground(domain, fields)
        for increment in increments:
            total = _add(total, increment, turn, factor)
            self.pairs += 1
        explained = np.asarray(total) / self.scale**2
        if domain.shape != self.domain.shape:
            across = linear_interpolation(domain.x, self.domain.x).toarray().T
            explained = linear_interpolation(domain.y, self.domain.y).toarray() @ explained @ across
        self._explained += explained

    def draw(self, errors: Iterable[tuple[np.ndarray, np.ndarray]]) -> None:
        """Let errors (n,) of the control variable before and after random analyses say how much is explained in all,
        `randomised` makes them."""
        before, after = zip(*errors, strict=True)
        pairs = self.pairs
        self._drawn = self._squares(before) / len(before), self._squares(after) / len(after)
        self.pairs = pairs

    def errors(self) -> Errors:
        """The standard deviations."""
        share = np.divide(self._explained, self._prior, out=np.zeros_like(self._prior), where=self._prior > 0.0)
        told = share / np.maximum(1.0 - share, FLOOR)
        left = 1.0 / (1.0 + told)
        if self._drawn is not None:
            before, after = (
                np.divide(square, self._prior, out=np.ones_like(self._prior), where=self._prior > 0.0)
                for square in self._drawn
            )
            inside = self._prior[-1] > 0.0
            for name, rows in _rows(self.domain.nz).items():
                factors = self._factors(*(part[rows][:, inside] for part in (told, before, after)))
                self.factors[name] = float(np.median(factors))
                left[rows] = 1.0 / (1.0 + factors[:, None, None] * told[rows])
        left = np.maximum(left, FLOOR)
        deviation = (self.scale * np.sqrt(self._prior * left)).astype(np.float32)
        *air, ground = np.split(deviation, [self.domain.nz * n for n in (1, 2, 3)])
        return dict(zip(FIELDS, (*air, ground[0]), strict=True))

    def _factors(self, told: np.ndarray, before: np.ndarray, after: np.ndarray) -> np.ndarray:
        """Factor c by row, the same for all components of a level, of a group (rows, points): what is told, and the
        squares of random errors before and after the analysis over the variance of the background."""
        nz = self.domain.nz
        components, levels = max(1, len(told) // nz), min(nz, len(told))
        told = np.concatenate(told.reshape(components, levels, -1), axis=-1)
        before, after = (part.reshape(components, levels, -1).mean(axis=(0, 2)) for part in (before, after))
        if levels > 1:
            weights = gaussian(standard_log_pressure(self.domain.zeta), LEVELS)
            before, after = (weights @ part / weights.sum(axis=1) for part in (before, after))
        wanted = left_by_draws(before, after)
        return np.tile([_factor(level, float(mean)) for level, mean in zip(told, wanted, strict=True)], components)

    def _squares(self, controls: Iterable[np.ndarray]) -> np.ndarray:
        total = jnp.zeros((3 * self.domain.nz + 1, self.domain.ny, self.domain.nx))
        for control in controls:
            total = _add_sqrt(total, self.covariance, jnp.asarray(control, float), self._turn, self._to_ground)
            self.pairs += 1
        return np.asarray(total)


_GROUPS: Final = ("wind", "temperature", "surface_pressure")
"""What has a factor of its own for the information that the pairs do not resolve."""


def _rows(nz: int) -> dict[str, slice]:
    """Rows of the stacked variances by group."""
    return dict(zip(_GROUPS, (slice(0, 2 * nz), slice(2 * nz, 3 * nz), slice(3 * nz, 3 * nz + 1)), strict=True))


def left_by_draws(before: np.ndarray, after: np.ndarray) -> np.ndarray:
    """Mean share of the background's variance that an analysis leaves, from means of squares of random errors before
    and after it over that variance, any shape.

    What the error after keeps of the error before is s of it, where s is that share, so that the two squares have the
    covariance s^2 in units of the variance of the first, whose expectation is 1: the least noisy unbiased combination
    is after - s^2 (before - 1), with the ratio of the two for s.
    """
    share = np.minimum(np.divide(after, before, out=np.ones_like(after), where=before > 0.0), 1.0)
    return after - share**2 * (before - 1.0)


def _factor(told: np.ndarray, wanted: float) -> float:
    """Factor c, from 1 to `MOST`, for which the mean of 1 / (1 + c told) is nearest to the one wanted."""
    least, most = 0.0, np.log(MOST)
    if float(np.mean(1.0 / (1.0 + told))) <= wanted:
        return 1.0
    for _ in range(40):
        middle = 0.5 * (least + most)
        if float(np.mean(1.0 / (1.0 + np.exp(middle) * told))) > wanted:
            least = middle
        else:
            most = middle
    return float(np.exp(least))


def randomised(
    forward: Callable[[np.ndarray], np.ndarray],
    adjoint: Callable[[np.ndarray], np.ndarray],
    weights: np.ndarray,
    size: int,
) -> list[tuple[np.ndarray, np.ndarray]]:
    """Errors (n,) of the control variable before and after random analyses: v ~ N(0, 1), and a vector drawn from its
    distribution given the observations, N(0, A^-1).

    The latter is the analysis of a random background with random observations of it, less the truth: v + w with
    A w = G^T W^(1/2) (e - W^(1/2) G v), e ~ N(0, 1) (Desroziers, Brousseau and Chapnik 2005, Q. J. R. Meteorol. Soc.
    131, 2821-2837); its covariance with v is A^-1 as well. A few iterations leave a variance somewhat too large.

    Args:
        forward, adjoint: G of the normalised observations and its transpose.
        weights: W, (p,), of robust likelihoods.
        size: n.
    """
    generator, found = np.random.default_rng(SEED), []
    for _ in range(DRAWS):
        before, noise = generator.standard_normal(size), generator.standard_normal(len(weights))
        right = adjoint(np.sqrt(weights) * noise - weights * forward(before))

        def hessian(vector: np.ndarray) -> np.ndarray:
            return vector + adjoint(weights * forward(vector))

        change = conjugate_gradients(hessian, right, iterations=DRAW_ITERATIONS, reduction=1e-2)
        found.append((before, before + change.control))
    return found
