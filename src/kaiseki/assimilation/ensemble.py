"""Members that go through the window beside the background, and what observations say of them.

The members live on a grid of their own, coarser than that of the background, and are kept centred on it: what they give
is the anomalies. So the analysis is that of the background itself, with the gain of the ensemble (Schraff et al. 2016,
Q. J. R. Meteorol. Soc. 142, 1453-1472, section 2.1), and the anomalies are updated by the ensemble transform.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING

import numpy as np
from scipy.sparse import csr_array, kron

from kaiseki.assimilation.operators import LinearOperator, linearise, locate
from kaiseki.assimilation.operators.plan import places
from kaiseki.assimilation.trajectory import Trajectory
from kaiseki.assimilation.uncertainty import FROM_MEMBERS, of_members
from kaiseki.config import EnsembleSettings
from kaiseki.core.constants import P0
from kaiseki.diagnostics.standard_atmosphere import standard_log_pressure
from kaiseki.grid import Domain
from kaiseki.grid.coarsening import Coarsening
from kaiseki.statistics import ANALYSIS_VARIABLES
from kaiseki.statistics.ensemble import Weights, combine, local_weights
from kaiseki.statistics.localisation import linear_interpolation, neighbourhoods
from kaiseki.statistics.robust import Likelihood

if TYPE_CHECKING:
    from kaiseki.assimilation.contract import Analysis
    from kaiseki.assimilation.problem import Problem


NODES = 2.5
"""Places of weights per half-width of the localisation: linear interpolation of the taper between them is wrong by at
most 7 %, next to an observation."""


@dataclass(frozen=True, eq=False)
class Ensemble:
    """Members at the slots of the window.

    Attributes:
        coarsening: from the background's grid to theirs.
        times: (slots,) of the background's trajectory.
        mean: fields of `ANALYSIS_VARIABLES` at the slots, (nz, J, I) each.
        anomalies: (N, slots, 5, nz, J, I) in the order of `ANALYSIS_VARIABLES`: members less their mean.
    """

    coarsening: Coarsening
    times: np.ndarray
    mean: tuple[Mapping[str, np.ndarray], ...]
    anomalies: np.ndarray

    @property
    def domain(self) -> Domain:
        """The members' grid."""
        return self.coarsening.coarse

    @property
    def members(self) -> int:
        """Number of members N."""
        return len(self.anomalies)


@dataclass(frozen=True, eq=False)
class EnsembleEquivalents:
    """Observation equivalents of the members of an ensemble.

    Attributes:
        operator: (p, slots 5 nz J I) on the members' grid.
        exists: (p,) False where the members have no equivalent; rows of the operator and of `anomalies` are zero there.
        anomalies: (p, N) of the equivalents, in the unit of each value.
    """

    operator: LinearOperator
    exists: np.ndarray
    anomalies: np.ndarray

    @property
    def spread(self) -> np.ndarray:
        """Standard deviation (p,) of the equivalents."""
        return np.asarray(self.anomalies.std(axis=1, ddof=1))


def ensemble_equivalents(problem: Problem, ensemble: Ensemble) -> EnsembleEquivalents:
    """The equivalents of the members, linear in their anomalies."""
    mean = Trajectory(ensemble.times, ensemble.mean, ensemble.domain)
    table = problem.table.take(problem.used)
    operator, equivalent = linearise(mean.stacked(), locate(mean, table), by_slot=True)
    exists = np.isfinite(equivalent)
    matrix = operator.matrix.copy()
    matrix.data[np.repeat(~exists, np.diff(matrix.indptr))] = 0.0
    anomalies = ensemble.anomalies.reshape(ensemble.members, -1).astype(np.float64)
    return EnsembleEquivalents(LinearOperator(matrix), exists, np.asarray(matrix @ anomalies.T))


def _coordinates(problem: Problem, domain: Domain) -> np.ndarray:
    """Places (p, 3) of the values used: x, y on the map over its factor in the middle [m], ln p."""
    rows = problem.used
    j, i, _ = places(domain, problem.table.take(rows))
    values, count = problem.plan.values, problem.plan.count
    at, by_height = (np.asarray(a)[:count][rows] for a in (values.coordinate, values.by_height))
    log_pressure = np.where(by_height, standard_log_pressure(np.where(by_height, at, 0.0)), at + np.log(P0))
    middle = _middle(domain)
    x, y = domain.x[0] + i * domain.spacing, domain.y[0] + j * domain.spacing
    return np.stack([x / middle, y / middle, log_pressure], axis=1)


def _middle(domain: Domain) -> float:
    return float(domain.map_factor[domain.ny // 2, domain.nx // 2])


def transformed(
    problem: Problem, ensemble: Ensemble, found: EnsembleEquivalents, settings: EnsembleSettings, robust: Likelihood
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """The local ensemble transform at the end of the window.

    Robust: a departure beyond the threshold of the likelihood, in standard deviations of the innovation, counts with
    the weight that the likelihood gives it.

    Returns:
        Increment (5, nz, J, I) of the background, anomalies (N, 5, nz, J, I) of the members, both on the members' grid;
        weights (p,) of the observations.
    """
    domain = ensemble.domain
    expected = np.hypot(problem.error, found.spread)
    weights = np.where(found.exists, robust.weight(problem.departure / expected), 0.0)
    root = np.sqrt(weights)
    observed = root[:, None] * found.anomalies / problem.error[:, None]
    departure = root * problem.departure / problem.error
    at = _coordinates(problem, domain)
    half_widths = np.array([settings.localisation_length, settings.localisation_length, settings.localisation_depth])
    nodes = _Nodes.make(domain, settings)

    def of_level(log_pressure: float) -> Weights:
        place = np.column_stack([nodes.places, np.full(len(nodes.places), log_pressure)])
        return local_weights(observed, departure, neighbourhoods(place, at, half_widths))

    last = np.moveaxis(ensemble.anomalies[:, -1], 0, -1).astype(np.float64)
    increment = np.empty(last.shape[:-1])
    anomalies = np.empty_like(last)
    below, above = -1, 0
    lower = upper = of_level(nodes.log_pressure[0])
    for level, log_pressure in enumerate(standard_log_pressure(domain.zeta)):
        while above + 1 < len(nodes.log_pressure) and (below < 0 or nodes.log_pressure[above] > log_pressure):
            below, above, lower = above, above + 1, upper
            upper = of_level(nodes.log_pressure[above])
        here = np.moveaxis(last[:, level], 0, 2).reshape(domain.ny * domain.nx, len(ANALYSIS_VARIABLES), -1)
        share = nodes.share(log_pressure, below, above)
        mean, changed = combine(_between(lower, upper, share), here, nodes.interpolation)
        mixed = (1.0 - settings.relaxation) * changed + settings.relaxation * here
        increment[:, level] = mean.T.reshape(-1, domain.ny, domain.nx)
        anomalies[:, level] = np.moveaxis(mixed.reshape(domain.ny, domain.nx, len(ANALYSIS_VARIABLES), -1), 2, 0)
    return increment, np.moveaxis(anomalies, -1, 0).astype(ensemble.anomalies.dtype), weights


@dataclass(frozen=True, eq=False)
class _Nodes:
    """Nodes of the grid on which weights are computed; between them weights are interpolated (Yang, Kalnay, Hunt and
    Bowler 2009, Q. J. R. Meteorol. Soc. 135, 251-262).

    Attributes:
        places: (m, 2) x, y over the map factor in the middle [m].
        interpolation: (ny nx, m).
        log_pressure: falling, of the levels.
    """

    places: np.ndarray
    interpolation: csr_array
    log_pressure: np.ndarray

    @classmethod
    def make(cls, domain: Domain, settings: EnsembleSettings) -> _Nodes:
        """Nodes at every so many cells and levels that a half-width holds `NODES` of them."""
        middle = _middle(domain)
        along = []
        for axis in (domain.y, domain.x):
            stride = max(1, int(settings.localisation_length / NODES / (domain.spacing / middle)))
            chosen = np.unique([*range(0, len(axis) - 1, stride), len(axis) - 1])
            along.append((axis[chosen] / middle, linear_interpolation(axis[chosen], axis)))
        (y, of_y), (x, of_x) = along
        grid_y, grid_x = np.meshgrid(y, x, indexing="ij")
        every = standard_log_pressure(domain.zeta)
        levels = [every[0]]
        for this, following in pairwise(every[1:]):
            if levels[-1] - following > settings.localisation_depth / NODES:
                levels.append(this)
        levels.append(every[-1])
        places = np.stack([grid_x.ravel(), grid_y.ravel()], axis=1)
        return cls(places, csr_array(kron(of_y, of_x)), np.array(levels))

    def share(self, log_pressure: float, below: int, above: int) -> float:
        """Weight of the node above at a level between two."""
        first, second = self.log_pressure[max(below, 0)], self.log_pressure[above]
        return 1.0 if below < 0 or first == second else float(np.clip((first - log_pressure) / (first - second), 0, 1))


def _between(lower: Weights, upper: Weights, share: float) -> Weights:
    return Weights(
        (1.0 - share) * lower.mean + share * upper.mean, (1.0 - share) * lower.transform + share * upper.transform
    )


def with_members(analysis: Analysis, ensemble: Ensemble, anomalies: np.ndarray | None) -> Analysis:
    """An analysis with the anomalies of its members and the errors that they say it has.

    Args:
        analysis: of an engine.
        ensemble: of the window.
        anomalies: after the analysis, see `Analysis`; None where it left the members as they are.
    """
    errors = of_members(
        ensemble.anomalies[:, -1] if anomalies is None else anomalies, ensemble.coarsening, ensemble.mean[-1]
    )
    return dataclasses.replace(analysis, anomalies=anomalies, errors=errors, errors_from=FROM_MEMBERS)


def onto_outer(increment: np.ndarray, ensemble: Ensemble, mask: np.ndarray) -> dict[str, np.ndarray]:
    """Fields on the background's grid of an increment (5, nz, J, I) of the members'.

    Args:
        increment: in the order of `ANALYSIS_VARIABLES`.
        ensemble: gives the grids.
        mask: (ny, nx), see `statistics.balance.rim_mask`.
    """
    fine = ensemble.coarsening.refine(increment) * np.asarray(mask, np.float64)
    return dict(zip(ANALYSIS_VARIABLES, fine, strict=True))


def onto_outer_transpose(fine: np.ndarray, ensemble: Ensemble, mask: np.ndarray) -> np.ndarray:
    """Sensitivity (5, nz, J, I) to the members' increment of one (5, nz, ny, nx) to that of the background's grid."""
    back = ensemble.coarsening
    masked = fine * np.asarray(mask, np.float64)
    return np.einsum("jJ,mkji,iI->mkJI", back.back_y, masked, back.back_x, optimize=True)
