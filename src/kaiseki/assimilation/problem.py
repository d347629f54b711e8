"""What all engines share: which observations count, with which departures, errors and operator; and what came out.

Observations that may be assimilated are evaluated and linearised apart from all others, so withheld and monitored ones
cannot change the analysis, not even in the last bit.
"""

from __future__ import annotations

import dataclasses
from collections import Counter
from dataclasses import dataclass
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from kaiseki.assimilation import background_check, consistency
from kaiseki.assimilation.comparison import evaluate, observed
from kaiseki.assimilation.contract import Analysis, AnalysisInput
from kaiseki.assimilation.operators import LinearOperator, Plan, elevation, linearise, locate, model_height
from kaiseki.assimilation.operators.plan import places
from kaiseki.assimilation.trajectory import Trajectory
from kaiseki.assimilation.uncertainty import FROM_HESSIAN, Uncertainty, randomised
from kaiseki.config import Assimilation
from kaiseki.core.errors import InputError
from kaiseki.core.progress import Log
from kaiseki.observations import Flag, Table, usable
from kaiseki.observations.errors import PRESSURE_PER_METRE
from kaiseki.observations.flags import names
from kaiseki.statistics import ANALYSIS_VARIABLES, BackgroundCovariance, Covariance
from kaiseki.statistics.conjugate_gradients import Step


@jax.jit
def _spread_out(covariance: Covariance, control: Any) -> Any:
    increment = covariance.sqrt(control)
    return jnp.concatenate([increment[name].ravel() for name in ANALYSIS_VARIABLES])


@jax.jit
def _gather(covariance: Covariance, flat: Any) -> Any:
    shape = covariance.shape
    parts = jnp.split(flat, len(ANALYSIS_VARIABLES))
    return covariance.sqrt_transpose(
        {name: part.reshape(shape) for name, part in zip(ANALYSIS_VARIABLES, parts, strict=True)}
    )


def sqrt(covariance: Covariance, control: np.ndarray) -> np.ndarray:
    """Increment S v, (5 nz ny nx,), of a control vector (n,)."""
    return np.asarray(_spread_out(covariance, jnp.asarray(control, dtype=float)))


def sqrt_transpose(covariance: Covariance, flat: np.ndarray) -> np.ndarray:
    """Control-space vector S^T x, (n,) float64, of fields (5 nz ny nx,)."""
    return np.asarray(_gather(covariance, jnp.asarray(flat, dtype=float)), dtype=np.float64)


def as_fields(flat: np.ndarray, shape: tuple[int, int, int]) -> dict[str, np.ndarray]:
    """The five fields of a flat increment, float64."""
    parts = np.asarray(flat, dtype=np.float64).reshape(len(ANALYSIS_VARIABLES), *shape)
    return dict(zip(ANALYSIS_VARIABLES, parts, strict=True))


@dataclass(frozen=True, eq=False)
class Problem:
    """Least-squares problem of an analysis: the observations that are used, with departures, errors and operator.

    Attributes:
        background: trajectory.
        table: all rows, with flags, errors and background departures.
        used: (p,) their rows.
        departure, error, spread: (p,) d_b, sigma_o, sigma_b.
        operator: H, (p, 5 nz ny nx).
        covariance: B.
        plan: of all rows, for departures of the analysis.
    """

    background: Trajectory
    table: Table
    used: np.ndarray
    departure: np.ndarray
    error: np.ndarray
    spread: np.ndarray
    operator: LinearOperator
    covariance: Covariance
    plan: Plan

    def forward(self, control: np.ndarray) -> np.ndarray:
        """Normalised equivalents R^(-1/2) H S v, (p,), of a control vector v (n,)."""
        return self.operator(sqrt(self.covariance, control)) / self.error

    def adjoint(self, normalised: np.ndarray) -> np.ndarray:
        """Adjoint S^T H^T R^(-1/2) r, (n,), of normalised departures r (p,)."""
        return sqrt_transpose(self.covariance, self.operator.transpose(normalised / self.error))

    def randomised(self, weights: np.ndarray) -> list[tuple[np.ndarray, np.ndarray]]:
        """Errors (n,) before and after random 3D-FGAT analyses; see `uncertainty.randomised`."""
        return randomised(self.forward, self.adjoint, weights, self.covariance.control_size)

    def increment(self, control: np.ndarray) -> dict[str, np.ndarray]:
        """Increment S v as fields."""
        return as_fields(sqrt(self.covariance, control), self.background.domain.shape)


def place_flags(background: Trajectory, table: Table, settings: Assimilation) -> Table:
    """Table with `OUTSIDE_DOMAIN` set in the rim as well, errors of surface pressure grown with the height difference,
    and `NO_EQUIVALENT` where that is too large.
    """
    domain = background.domain
    j, i, outside = places(domain, table)
    in_rim = ~domain.inside_rim[np.rint(j).astype(int), np.rint(i).astype(int)]
    table = table.with_flags(outside | in_rim, Flag.OUTSIDE_DOMAIN)
    pressure = table.where(quantity="surface_pressure")
    difference = model_height(domain, table) - elevation(table)
    far = pressure & ~(np.abs(difference) < settings.station_height_difference)
    grown = np.hypot(table.column("error"), PRESSURE_PER_METRE * difference)
    error = np.where(pressure & ~far, grown, table.column("error"))
    return table.with_columns(error=error).with_flags(far & ~outside, Flag.NO_EQUIVALENT)


def background_spread(operator: LinearOperator, covariance: Covariance, samples: int, seed: int = 0) -> np.ndarray:
    """Standard deviation (p,) of H S v over random v: an estimate of the root of diag(H B H^T)."""
    generator = np.random.default_rng(seed)
    total = np.zeros(operator.matrix.shape[0])
    for _ in range(samples):
        total += operator(sqrt(covariance, generator.standard_normal(covariance.control_size))) ** 2
    return np.sqrt(total / samples)


def prepare(given: AnalysisInput) -> Problem:
    """Flags, departures, linear operator and background check.

    Raises:
        InputError: the covariance belongs to another grid.
    """
    background, covariance, settings = given.background, given.covariance, given.settings
    if covariance.shape != background.domain.shape:
        raise InputError(
            f"The background covariance has shape {covariance.shape}, the background "
            f"{background.domain.shape}; build it on the same domain"
        )
    table = place_flags(background, given.observations, settings)
    error = table.column("error")
    without = ~(np.isfinite(error) & (error > 0.0))
    table = table.with_flags(without, Flag.NO_ERROR)
    candidate = usable(table.column("flags")) & ~table.column("withheld") & np.isfinite(table.column("value"))
    rows = np.flatnonzero(candidate)
    fields = background.stacked()
    plan = locate(background, table)
    equivalent = evaluate(fields, plan)
    operator, equivalent[rows] = linearise(fields, locate(background, table.take(rows)))
    departure = observed(table) - equivalent
    outside = (table.column("flags") & np.uint32(Flag.OUTSIDE_DOMAIN)) != 0
    table = table.with_columns(background_departure=departure, analysis_departure=np.nan, spread=np.nan)
    table = table.with_flags(plan.late, Flag.OUTSIDE_WINDOW)
    table = table.with_flags(np.isnan(departure) & ~outside & ~plan.late, Flag.NO_EQUIVALENT)
    exists = np.isfinite(departure[rows])
    operator = operator.take(exists)
    judged = rows[exists]
    spread = background_spread(operator, covariance, settings.spread_samples) if len(judged) else np.empty(0)
    table = background_check.check(table, judged, departure[judged], spread, error[judged], settings.background_check)
    good = usable(table.column("flags"))[judged]
    used = judged[good]
    return Problem(
        background,
        table,
        used,
        departure[used],
        table.column("error")[used],
        spread[good],
        operator.take(good),
        covariance,
        plan,
    )


@dataclass(frozen=True, eq=False, kw_only=True)
class Solution:
    """Solution of a `Problem` by an engine: the increment, its cost, and how it was found.

    Attributes:
        increment: fields.
        cost: at the minimum.
        cost_before: at the background.
        cost_of_oscillations: the part of the cost that is neither the background's nor the observations'.
        steps: history of the minimiser.
        converged: whether it reached its end.
        weights: (p,) of robust likelihoods; 1 when absent.
        no_equivalent: (p,) mask of the values of which the grid of the increments has no equivalent; they had no
            weight.
        analysed: trajectory from the start of the window plus the increment; when absent the increment is that of all
            times.
        remarks: sentences for the reader of the diagnostics.
    """

    increment: dict[str, np.ndarray]
    cost: float
    cost_before: float
    cost_of_oscillations: float = 0.0
    steps: tuple[Step, ...] = ()
    converged: bool = True
    weights: np.ndarray | None = None
    no_equivalent: np.ndarray | None = None
    analysed: Trajectory | None = None
    remarks: tuple[str, ...] = ()


def finish(problem: Problem, name: str, solution: Solution, uncertainty: Uncertainty | None = None) -> Analysis:
    """The analysis of a solution: departures after, flags of what lost weight, diagnostics.

    Args:
        problem: what was solved.
        name: of the engine.
        solution: increment, costs and history.
        uncertainty: of the analysis; None where the engine finds it elsewhere.
    """
    increment, analysed, weights = solution.increment, solution.analysed, solution.weights
    table = problem.table
    fields = (problem.background.plus(increment) if analysed is None else analysed).stacked()
    after = observed(table) - evaluate(fields, problem.plan)
    before = table.column("background_departure")
    # An increment can put a value near the ground below it: then it has a departure before and none after.
    after = np.where(np.isfinite(before), after, np.nan)
    spread = np.full(len(table), np.nan)
    spread[problem.used] = problem.spread
    table = table.with_columns(
        analysis_departure=after,
        spread=spread,
    )
    if weights is not None:
        without = np.zeros(len(weights), dtype=bool) if solution.no_equivalent is None else solution.no_equivalent
        for rows, flag in ((without, Flag.NO_EQUIVALENT), ((weights < 0.5) & ~without, Flag.DOWNWEIGHTED)):
            marked = np.zeros(len(table), dtype=bool)
            marked[problem.used[rows]] = True
            table = table.with_flags(marked, flag)
    diagnostics = diagnose(table, problem, spread)
    diagnostics |= {
        "engine": name,
        "iterations": [
            {"outer": one.outer, "iteration": one.iteration, "cost": one.cost, "gradient": one.gradient}
            for one in solution.steps
        ],
        "converged": bool(solution.converged),
        "cost_before": float(solution.cost_before),
        "cost": float(solution.cost),
        "cost_of_oscillations": solution.cost_of_oscillations,
        "chi_square": consistency.chi_square(solution.cost - solution.cost_of_oscillations, len(problem.used)),
        "remarks": list(solution.remarks),
    }
    analysis = Analysis(increment, table, diagnostics)
    if uncertainty is None:
        return analysis
    errors = uncertainty.errors()
    diagnostics["uncertainty"] = {"pairs": uncertainty.pairs, "factors": uncertainty.factors}
    return dataclasses.replace(analysis, errors=errors, errors_from=FROM_HESSIAN)


def diagnose(table: Table, problem: Problem, spread: np.ndarray) -> dict[str, Any]:
    """Counts, Desroziers ratios, statistics of departures of what was used and what was withheld."""
    used = np.zeros(len(table), dtype=bool)
    used[problem.used] = True
    withheld = table.column("withheld")
    reasons: Counter[str] = Counter()
    for flags, number in zip(*np.unique(table.column("flags")[~used & ~withheld], return_counts=True), strict=True):
        for name in names(int(flags)):
            reasons[name] += int(number)
    good = withheld & np.asarray((table.column("flags") & ~np.uint32(Flag.OUTSIDE_DOMAIN)) == 0)
    return {
        "counts": {
            "given": len(table),
            "used": int(used.sum()),
            "withheld": int(withheld.sum()),
            "not_used": dict(sorted(reasons.items())),
            "downweighted": int(((table.column("flags")[used] & np.uint32(Flag.DOWNWEIGHTED)) != 0).sum()),
        },
        "spread_skill": consistency.spread_skill(table, used, spread),
        "desroziers": consistency.desroziers(table, used, spread),
        "innovations": consistency.innovations(table, used),
        "innovations_withheld": consistency.innovations(table, good),
    }


def uncertainty_of(problem: Problem, scale: float = 1.0) -> Uncertainty | None:
    """The uncertainty at the end of the window before any observation is used; None where members know it.

    Args:
        problem: gives the covariance.
        scale: see `Uncertainty`.
    """
    if not isinstance(problem.covariance, BackgroundCovariance):
        return None
    background = problem.background
    return Uncertainty(problem.covariance, background.domain, background.fields[-1], scale)


def nothing_to_do(problem: Problem, name: str, log: Log | None, uncertainty: Uncertainty | None = None) -> Analysis:
    """The background as analysis, with a clear line, where no observation counts."""
    line = f"No observation of {len(problem.table)} values can be assimilated; the analysis is the background"
    if log is not None:
        log(line)
    zero = {variable: np.zeros(problem.background.domain.shape) for variable in ANALYSIS_VARIABLES}
    return finish(problem, name, Solution(increment=zero, cost=0.0, cost_before=0.0, remarks=(line,)), uncertainty)
