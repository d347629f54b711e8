"""Minimisation of quadratic costs by conjugate gradients, and of robust ones by re-weighted quadratics.

The control variable is already preconditioned by the square root of the background covariance, so the Hessian is the
identity plus something of rank at most the number of observations. Vectors are kept on the host in double precision
with all residuals, so that orthogonality survives a Hessian that is applied in single precision (Fisher 1998, ECMWF
Seminar on Data Assimilation, on the value of re-orthogonalisation).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np

from kaiseki.core.errors import NumericsError
from kaiseki.statistics.robust import Likelihood

type Vector = np.ndarray
type Report = Callable[[str], None]


@dataclass(frozen=True)
class Step:
    """One iteration: number of the outer loop and iteration, cost, norm of the gradient."""

    outer: int
    iteration: int
    cost: float
    gradient: float

    def __str__(self) -> str:
        return f"outer {self.outer} iteration {self.iteration:3d}  cost {self.cost:.6e}  gradient {self.gradient:.3e}"


@dataclass(frozen=True)
class Minimum:
    """Where the minimisation ended.

    Attributes:
        control: (n,) float64.
        steps: history, the start included.
        converged: whether the gradient fell by the factor asked for.
        ritz: Ritz values of the Hessian, rising, from the Lanczos tridiagonal of the last inner loop.
    """

    control: Vector
    steps: tuple[Step, ...]
    converged: bool
    ritz: np.ndarray = field(default_factory=lambda: np.empty(0))


def _ritz(alphas: list[float], betas: list[float]) -> np.ndarray:
    """Eigenvalues of the Lanczos tridiagonal that conjugate gradients build (Golub and Van Loan 2013, section 11.3)."""
    size = len(alphas)
    if not size:
        return np.empty(0)
    inverse = 1.0 / np.asarray(alphas)
    diagonal = inverse + np.concatenate([[0.0], np.asarray(betas[: size - 1]) * inverse[:-1]])
    beside = np.sqrt(np.asarray(betas[: size - 1])) * inverse[:-1]
    return np.linalg.eigvalsh(np.diag(diagonal) + np.diag(beside, 1) + np.diag(beside, -1))


def conjugate_gradients(
    hessian: Callable[[Vector], Vector],
    right: Vector,
    start: Vector | None = None,
    *,
    iterations: int = 60,
    reduction: float = 1e-3,
    reference: float | None = None,
    constant: float = 0.0,
    outer: int = 1,
    report: Report | None = None,
) -> Minimum:
    """Minimise v.A v / 2 - b.v + constant.

    Args:
        hessian: v -> A v, symmetric and positive definite.
        right: b, (n,).
        start: first v, (n,); zero when absent.
        iterations: most iterations.
        reduction: ends when the norm of the gradient is below this part of `reference`.
        reference: norm to compare with; that of the first gradient when absent.
        constant: added to the cost.
        outer: number of the outer loop for the history.
        report: called with a line per iteration.

    Raises:
        NumericsError: the cost is not a number, or A is not positive definite.
    """
    right = np.asarray(right, dtype=np.float64)
    control = np.zeros_like(right) if start is None else np.array(start, dtype=np.float64)
    product = np.zeros_like(right) if start is None else np.asarray(hessian(control), dtype=np.float64)
    residual = right - product
    cost = constant + 0.5 * float(control @ product) - float(right @ control)
    norm = float(np.linalg.norm(residual))
    target = reduction * (norm if reference is None else reference)
    steps: list[Step] = []
    alphas: list[float] = []
    betas: list[float] = []

    def note(iteration: int) -> None:
        if not np.isfinite(cost) or not np.isfinite(norm):
            raise NumericsError(f"The minimisation left the range of numbers at iteration {iteration} (cost {cost})")
        steps.append(Step(outer, iteration, cost, norm))
        if report is not None:
            report(str(steps[-1]))

    note(0)
    basis: list[Vector] = []
    direction = residual.copy()
    for iteration in range(1, iterations + 1):
        if norm <= target or norm == 0.0:
            break
        basis.append(residual / norm)
        product = np.asarray(hessian(direction), dtype=np.float64)
        curvature = float(direction @ product)
        if not curvature > 0.0:
            raise NumericsError(f"The Hessian of the minimisation is not positive (curvature {curvature:g})")
        alpha = norm**2 / curvature
        control = control + alpha * direction
        residual = residual - alpha * product
        for vector in basis:
            residual -= (vector @ residual) * vector
        # The decrease of a conjugate-gradient step is alpha |r|^2 / 2 exactly.
        cost -= 0.5 * alpha * norm**2
        previous, norm = norm, float(np.linalg.norm(residual))
        beta = (norm / previous) ** 2
        direction = residual + beta * direction
        alphas.append(alpha)
        betas.append(beta)
        note(iteration)
    return Minimum(control, tuple(steps), norm <= target, _ritz(alphas, betas))


@dataclass(frozen=True)
class LeastSquares:
    """v.v / 2 + sum of rho(r), r = (G v - d) / sigma.

    Attributes:
        forward: v -> G v / sigma, (n,) -> (p,).
        adjoint: its transpose.
        departure: d / sigma, (p,); 0 where an observation does not count.
        counted: (p,) 1 or 0; entries with 0 stand for nothing.
    """

    forward: Callable[[Vector], Vector]
    adjoint: Callable[[Vector], Vector]
    departure: Vector
    counted: Vector

    def residual(self, control: Vector) -> Vector:
        """(d - G v) / sigma, (p,), zero where nothing counts."""
        return self.counted * (self.departure - np.asarray(self.forward(control), dtype=np.float64))

    def cost(self, control: Vector, likelihood: Likelihood) -> float:
        """The whole cost, with the likelihood's own penalty."""
        return 0.5 * float(control @ control) + float(np.sum(likelihood.penalty(self.residual(control))))


@dataclass(frozen=True)
class Robust:
    """Result of `reweighted`.

    Attributes:
        minimum: of the last inner loop, with the history of all.
        weights: (p,) of the observations, 0..1.
        costs: true cost before the first outer loop and after each.
    """

    minimum: Minimum
    weights: np.ndarray
    costs: tuple[float, ...]


def reweighted(
    problem: LeastSquares,
    size: int,
    likelihood: Likelihood,
    *,
    outer: int = 4,
    iterations: int = 60,
    reduction: float = 1e-3,
    tolerance: float = 1e-3,
    report: Report | None = None,
) -> Robust:
    """Minimise a robust cost by outer loops of re-weighted least squares; the true cost falls in every loop.

    Each inner problem is quadratic and starts where the one before ended. The gradient of the first start is the
    reference of `reduction` throughout, so later loops, which start near their end, are short.

    Args:
        problem: the cost.
        size: number of control values.
        likelihood: penalty of normalised departures.
        outer: most outer loops.
        iterations: most iterations of all inner loops together.
        reduction: see `conjugate_gradients`.
        tolerance: ends when the true cost falls by less than this part of itself.
        report: called with a line per iteration.

    Raises:
        NumericsError: see `conjugate_gradients`.
    """
    control = np.zeros(size)
    steps: list[Step] = []
    residual = problem.residual(control)
    costs = [problem.cost(control, likelihood)]
    weights = problem.counted * likelihood.weight(residual)
    reference: float | None = None
    ritz = np.empty(0)
    converged = False
    for loop in range(1, outer + 1):
        scaled = weights

        def hessian(vector: Vector, scaled: Vector = scaled) -> Vector:
            images = np.asarray(problem.forward(vector), dtype=np.float64)
            return vector + np.asarray(problem.adjoint(scaled * images), dtype=np.float64)

        right = np.asarray(problem.adjoint(weights * problem.departure), dtype=np.float64)
        if reference is None:
            reference = float(np.linalg.norm(right))
        # The touching quadratic: its constant makes it equal to the true cost where the loop starts.
        touching = float(np.sum(likelihood.penalty(residual) - 0.5 * weights * residual**2))
        inner = conjugate_gradients(
            hessian,
            right,
            control if loop > 1 else None,
            iterations=max(1, iterations - sum(step.iteration > 0 for step in steps)),
            reduction=reduction,
            reference=reference,
            constant=touching + 0.5 * float(weights @ problem.departure**2),
            outer=loop,
            report=report,
        )
        control, converged = inner.control, inner.converged
        steps.extend(inner.steps)
        ritz = inner.ritz if len(inner.ritz) else ritz
        residual = problem.residual(control)
        costs.append(problem.cost(control, likelihood))
        used = sum(step.iteration > 0 for step in steps)
        previous, weights = weights, problem.counted * likelihood.weight(residual)
        if np.array_equal(previous, weights) or costs[-2] - costs[-1] <= tolerance * costs[-1] or used >= iterations:
            break
    return Robust(Minimum(control, tuple(steps), converged, ritz), weights, tuple(costs))
