"""Standard deviation of the analysis error on the grid, from what the minimiser has learnt of the Hessian.

In control space the background error is the identity and the analysis error the inverse of the Hessian (Fisher and
Courtier 1995, ECMWF Tech. Memo. 220; Leutbecher 2003, Q. J. R. Meteorol. Soc. 129, 2131-2158), of which a minimisation
has learnt 1 - sum of y y^T (`Spectrum.explained`). So the variance of the error is

    diag(S S^T) - sum of (S y)^2

with the first term exact (`statistics.variance`). Where the assumed errors are right this is the error variance of an
analysis of part of the data, so never less than that of all: what observations tell along directions that the minimiser
has not searched is not in it. In 4D-Var, S y is carried to the end of the window by the inner linear model, on its
grid; the background error there is the cycled one of the experiment. What is left out: errors of the inner model, which
damps the smallest scales, and what later outer loops change. The penalty of gravity waves counts as an observation.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, Final

import jax
import jax.numpy as jnp
import numpy as np

from kaiseki.core.constants import GRAVITY, R_DRY
from kaiseki.diagnostics.thermodynamics import virtual_temperature
from kaiseki.grid import Domain
from kaiseki.grid.coarsening import Coarsening
from kaiseki.statistics import BackgroundCovariance
from kaiseki.statistics.localisation import linear_interpolation
from kaiseki.statistics.variance import variances

FIELDS: Final = ("eastward_wind", "northward_wind", "temperature", "surface_pressure")
"""What the error is known of: (nz, ny, nx) each, but surface pressure (ny, nx)."""

FLOOR: Final = 0.01
"""Least part of the background's variance that is left, against round-off and what a linear model makes too large."""

PAIRS: Final = 40
"""Most eigenpairs whose increments are made: each costs a third of an iteration."""

PAIRS_CARRIED: Final = 8
"""Most eigenpairs that the linear model carries through the window."""

FROM_HESSIAN: Final = (
    "Standard deviation of the analysis error from the assumed errors of background and observations and the leading "
    "eigenpairs of the Hessian of the minimisation; rather too large than too small where the assumed errors are right."
)
FROM_MEMBERS: Final = "Standard deviation of the members of the ensemble after the analysis."

type Errors = dict[str, np.ndarray]
"""Standard deviations by the names in `FIELDS`, float32, in the units of core/variables.csv."""


@jax.jit
def _add(total: Any, fields: Any, turn: tuple[Any, Any], factor: Any) -> Any:
    """`total` (3 nz + 1, ny, nx) plus the squares of an increment (5, nz, ny, nx) in the order of `VARIABLES`."""
    u, v, temperature, pressure = fields[:4]
    c, s = turn
    parts = (c * u + s * v, c * v - s * u, temperature, factor * pressure[:1])
    return total + jnp.concatenate(parts) ** 2


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
        anomalies: (N, 5, nz, J, I) at the time of the analysis, in the order of `VARIABLES`.
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
    """The error of one analysis: that of the background, less what increments explain of it.

    Args:
        covariance: of the background error.
        domain: the grid.
        fields: at the time of the analysis; surface pressure goes with that of the lowest level as they say.
        scale: standard deviation of the background error at that time, in units of that of `covariance`.
    """

    def __init__(
        self, covariance: BackgroundCovariance, domain: Domain, fields: Mapping[str, np.ndarray], scale: float = 1.0
    ) -> None:
        self.domain = domain
        self.pairs = 0
        self._prior = scale**2 * np.asarray(_prior(covariance, _turn(domain), _to_ground(domain, fields)))
        self._explained: Any = 0.0

    def explain(self, increments: Iterable[Any], domain: Domain, fields: Mapping[str, np.ndarray]) -> None:
        """Take the squares of increments from the variance; none of them is kept.

        Args:
            increments: at the time of the analysis, (5, nz, J, I) each in the order of `VARIABLES`.
            domain: their grid, of the same levels.
            fields: at that time on their grid.
        """
        total = jnp.zeros((3 * domain.nz + 1, domain.ny, domain.nx))
        turn, factor = _turn(domain), _to_ground(domain, fields)
        for increment in increments:
            total = _add(total, increment, turn, factor)
            self.pairs += 1
        explained = np.asarray(total)
        if domain.shape != self.domain.shape:
            across = linear_interpolation(domain.x, self.domain.x).toarray().T
            explained = linear_interpolation(domain.y, self.domain.y).toarray() @ explained @ across
        self._explained = self._explained + explained

    def errors(self) -> Errors:
        """The standard deviations."""
        deviation = np.sqrt(np.maximum(self._prior - self._explained, FLOOR * self._prior)).astype(np.float32)
        *air, ground = np.split(deviation, [self.domain.nz * n for n in (1, 2, 3)])
        return dict(zip(FIELDS, (*air, ground[0]), strict=True))
