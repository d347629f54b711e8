"""What each observation did: its part in the change of a forecast's error, and how much the analysis listened to it.

Impact. With e(x) = (x - t).C(x - t) / 2 the error against t, x_b and x_a what background and analysis become at the
time of t, g = M^T C ((x_b - t) + (x_a - t)) / 2 the sensitivity to the increment and K the gain,

    e(x_a) - e(x_b) = (K d).g = d.(K^T g)

observation by observation (Langland and Baker 2004, Tellus 56A, 189-201; the mean of both errors makes it exact where
the model is linear, Errico 2007, Tellus 59A, 273-276). A negative impact is a gain.

Influence. The degrees of freedom for signal are tr(H K), the sensitivity of the analysis to the observations
(Cardinali, Pezzulli and Andersson 2004, Q. J. R. Meteorol. Soc. 130, 2767-2786), estimated with random signs
(Hutchinson 1990, Commun. Stat. Simul. Comput. 19, 433-450).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from kaiseki.core.constants import CP_DRY, P0, R_DRY
from kaiseki.observations import KINDS, QUANTITIES, Table
from kaiseki.statistics import ANALYSIS_VARIABLES
from kaiseki.statistics.conjugate_gradients import InnerLoop, Spectrum, conjugate_gradients

REFERENCE_TEMPERATURE = 270.0
"""Reference temperature Tr of the dry energy [K]."""


@dataclass(frozen=True, eq=False)
class Gain:
    """Gain matrix K = S (1 + G^T W G)^-1 G^T W of an analysis, without S.

    Attributes:
        forward: G, (n,) -> (p + more,); what follows the p observations is a penalty with target zero.
        adjoint: its transpose.
        weights: W, (p + more,).
        count: p.
        iterations, reduction: of each minimisation.
    """

    forward: Callable[[np.ndarray], np.ndarray]
    adjoint: Callable[[np.ndarray], np.ndarray]
    weights: np.ndarray
    count: int
    iterations: int = 60
    reduction: float = 1e-2

    def solve(self, right: np.ndarray) -> np.ndarray:
        """Solution (1 + G^T W G)^-1 b, (n,), for a right-hand side b (n,)."""

        def hessian(vector: np.ndarray) -> np.ndarray:
            return vector + self.adjoint(self.weights * self.forward(vector))

        found = conjugate_gradients(
            hessian, right, iterations=self.iterations, reduction=self.reduction, loop=InnerLoop(known=Spectrum())
        )
        return found.control

    def transpose(self, gradient: np.ndarray) -> np.ndarray:
        """Sensitivity K^T g (p,) to the normalised departures, of a gradient S^T g (n,)."""
        return (self.weights * self.forward(self.solve(gradient)))[: self.count]

    def influence(self, probes: int, seed: int = 0) -> np.ndarray:
        """An unbiased estimate (p,) of the diagonal of H K."""
        generator = np.random.default_rng(seed)
        # In the symmetric form, whose diagonal is the same: values without weight add no noise.
        root = np.sqrt(self.weights)
        total = np.zeros(self.count)
        for _ in range(probes):
            signs = np.zeros(len(self.weights))
            signs[: self.count] = generator.choice([-1.0, 1.0], self.count)
            answer = root * self.forward(self.solve(self.adjoint(root * signs)))
            total += (signs * answer)[: self.count]
        return total / probes


def dry_energy_weights(mass: np.ndarray, mask: np.ndarray) -> np.ndarray:
    """Weights C (5, nz, ny, nx) of the dry total energy of a difference of `ANALYSIS_VARIABLES` [J kg-1 for x.C x / 2].

    u^2 + v^2 + (cp / Tr) T^2 over the mass, and R Tr (p / pr)^2 of the lowest level over the columns (Ehrendorfer,
    Errico and Raeder 1999, J. Atmos. Sci. 56, 1627-1648); vapour does not count.

    Args:
        mass: (nz, ny, nx) of the cells [kg].
        mask: (ny, nx) True where differences count.
    """
    share = np.where(mask, mass, 0.0)
    share = share / share.sum()
    found = np.zeros((len(ANALYSIS_VARIABLES), *mass.shape))
    found[0] = found[1] = share
    found[2] = share * CP_DRY / REFERENCE_TEMPERATURE
    found[3, 0] = mask / mask.sum() * R_DRY * REFERENCE_TEMPERATURE / P0**2
    return found


def error_of(difference: np.ndarray, weights: np.ndarray) -> float:
    """Dry total energy e = x.C x / 2 of an error x."""
    return 0.5 * float(np.sum(weights * difference**2))


def by_group(table: Table, rows: np.ndarray, impact: np.ndarray, influence: np.ndarray) -> list[dict[str, Any]]:
    """Sums over the values of each kind and quantity.

    Args:
        table: of the window.
        rows: (p,) those used.
        impact: (p,) change of the error by each.
        influence: (p,) degrees of freedom of each.
    """
    kind, quantity = table.codes("kind")[0][rows], table.codes("quantity")[0][rows]
    cell = kind.astype(np.int64) * len(QUANTITIES) + quantity
    found = []
    for one in np.unique(cell):
        k, q = divmod(int(one), len(QUANTITIES))
        chosen = cell == one
        found.append(
            {
                "kind": KINDS[k],
                "quantity": QUANTITIES[q],
                "n": int(chosen.sum()),
                "impact": float(impact[chosen].sum()),
                "helpful": float(np.mean(impact[chosen] < 0.0)),
                "degrees_of_freedom": float(influence[chosen].sum()),
            }
        )
    return found


def stacked(fields: Mapping[str, np.ndarray]) -> np.ndarray:
    """Fields as one array (5, nz, ny, nx), float64, in the order of `ANALYSIS_VARIABLES`."""
    return np.stack([np.asarray(fields[name], np.float64) for name in ANALYSIS_VARIABLES])
