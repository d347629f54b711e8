"""Conjugate gradients with full re-orthogonalisation, Ritz pairs of the Hessian, and preconditioning by them.

The control variable is already preconditioned by the square root of the background covariance, so the Hessian is the
identity plus something of rank at most the number of observations. Vectors are kept on the host in double precision
with all residuals, so that orthogonality survives a Hessian that is applied in single precision (Fisher 1998, ECMWF
Seminar on Data Assimilation, on the value of re-orthogonalisation).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

import numpy as np

from kaiseki.core.errors import NumericsError
from kaiseki.core.interrupt import stop_if_asked
from kaiseki.core.progress import Log

type Vector = np.ndarray

RITZ_ERROR = 0.05
"""Largest norm of the residual of a Ritz pair, in parts of its value, with which it is used for preconditioning."""

PART = 65_536
"""Elements of vectors that are combined at a time."""

INFORMATIVE = 1.001
"""Ritz value from which a pair says something of the observations: a thousandth of the variance along it."""


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
class Spectrum:
    """What a minimisation has learnt of the Hessian: A u_k = theta_k u_k + e_k b.

    Attributes:
        values: (k,) Ritz values, rising.
        vectors: (n, k) of length 1.
        remainders: (k,) e, whose sizes are the norms of A u - theta u.
        beyond: (n,) b of length 1, the next Lanczos vector, the same for all pairs; zero where the search space holds
            all that the right-hand side leads to.
    """

    values: np.ndarray = field(default_factory=lambda: np.empty(0))
    vectors: np.ndarray = field(default_factory=lambda: np.empty((0, 0)))
    remainders: np.ndarray = field(default_factory=lambda: np.empty(0))
    beyond: np.ndarray = field(default_factory=lambda: np.empty(0))

    @property
    def errors(self) -> np.ndarray:
        """Norms (k,) of the residuals A u - theta u."""
        return np.asarray(np.abs(self.remainders))

    @property
    def complete(self) -> bool:
        """Whether the search space holds all that the right-hand side leads to."""
        return bool((self.errors < INFORMATIVE - 1.0).all())

    def leading(self, error: float = RITZ_ERROR) -> Spectrum:
        """The pairs that are known well."""
        return self._some(self.errors <= error * self.values)

    def largest(self, number: int) -> Spectrum:
        """The pairs of the largest values, at most `number` of them, that say something of the observations."""
        rank = len(self.values) - np.arange(len(self.values))
        return self._some((rank <= number) & (self.values > INFORMATIVE))

    def _some(self, chosen: np.ndarray) -> Spectrum:
        return Spectrum(self.values[chosen], self.vectors[:, chosen], self.remainders[chosen], self.beyond)

    def explained(self) -> Iterator[Vector]:
        """Vectors y (n,), one per pair, for which 1 - sum of y y^T is never below the inverse of A = 1 + G^T G.

        It is the covariance of v ~ N(0, 1) given the observations' combinations (G u_k)^T (G v + noise) alone: fewer
        data than all, so a covariance that is nowhere smaller, that shrinks with every pair added, and that is the
        inverse where the pairs are all there are. Where the pairs are exact, y y^T = (1 - 1/theta) u u^T (Fisher and
        Courtier 1995, ECMWF Tech. Memo. 220); with these alone, pairs that have not converged would promise
        too much. With Theta the values and e the remainders,

            y = [U (Theta - 1) + b e^T] L^-T,   L L^T = Theta^2 - Theta + e e^T,

        for the combinations have the signal U^T (A - 1)^2 U and the noise U^T (A - 1) U. Every value must be above 1.
        """
        lower = np.linalg.cholesky(np.diag(self.values**2 - self.values) + np.outer(self.remainders, self.remainders))
        inverse = np.linalg.inv(lower)
        within, without = (self.values - 1.0)[:, None] * inverse.T, inverse @ self.remainders
        for number in range(len(self.values)):
            yield self.vectors @ within[:, number] + without[number] * self.beyond

    def inverse(self, vector: Vector) -> Vector:
        """The inverse Hessian as far as it is known, v + U (1/theta - 1) U^T v: the spectral preconditioner of Fisher
        1998 and of Tshimanga, Gratton, Weaver and Sartenaer 2008 (Q. J. R. Meteorol. Soc. 134, 751-769, section 3.3).
        """
        if not len(self.values):
            return vector
        return np.asarray(vector + self.vectors @ ((1.0 / self.values - 1.0) * (self.vectors.T @ vector)))


@dataclass(frozen=True, kw_only=True)
class InnerLoop:
    """Place of a minimisation among outer loops, and what it takes over from the loops before.

    Attributes:
        number: of the outer loop, from 1, for the history.
        constant: added to the cost.
        reference: norm of the gradient that the reduction refers to; that of the first gradient when absent.
        known: what is known of a Hessian near to A: the search is preconditioned with it.
    """

    number: int = 1
    constant: float = 0.0
    reference: float | None = None
    known: Spectrum | None = None


@dataclass(frozen=True)
class Minimum:
    """Result of a minimisation: where it ended.

    Attributes:
        control: (n,) float64.
        steps: history, the start included.
        converged: whether the gradient fell by the factor asked for.
        ritz: Ritz values, rising, of the (preconditioned) Hessian of the last inner loop.
        spectrum: with the vectors; empty where the loop was preconditioned.
    """

    control: Vector
    steps: tuple[Step, ...]
    converged: bool
    ritz: np.ndarray = field(default_factory=lambda: np.empty(0))
    spectrum: Spectrum = field(default_factory=Spectrum)


def _tridiagonal(alphas: list[float], betas: list[float]) -> tuple[np.ndarray, np.ndarray]:
    """Eigenvalues and eigenvectors of the Lanczos tridiagonal that conjugate gradients build, in the basis of the
    residuals divided by their length (Golub and Van Loan 2013, section 11.3)."""
    size = len(alphas)
    inverse = 1.0 / np.asarray(alphas)
    diagonal = inverse + np.concatenate([[0.0], np.asarray(betas[: size - 1]) * inverse[:-1]])
    beside = -np.sqrt(np.asarray(betas[: size - 1])) * inverse[:-1]
    values, vectors = np.linalg.eigh(np.diag(diagonal) + np.diag(beside, 1) + np.diag(beside, -1))
    return values, vectors


def _rotated(basis: list[Vector], rotation: np.ndarray) -> np.ndarray:
    """Combinations (n, k) of k vectors (n,), a part of the vectors at a time: a copy of them all would be the largest
    array of an analysis."""
    size = len(basis[0])
    made = np.empty((size, len(basis)))
    for start in range(0, size, PART):
        part = slice(start, start + PART)
        np.matmul(np.stack([vector[part] for vector in basis], axis=1), rotation, out=made[part])
    return made


def _spectrum(alphas: list[float], betas: list[float], basis: list[Vector], residual: Vector) -> Spectrum:
    values, rotation = _tridiagonal(alphas, betas)
    remainders = -np.sqrt(betas[-1]) / alphas[-1] * rotation[-1]
    norm = float(np.linalg.norm(residual))
    beyond = residual / norm if norm > 0.0 else np.zeros_like(residual)
    return Spectrum(values, _rotated(basis, rotation), remainders, beyond)


def conjugate_gradients(
    hessian: Callable[[Vector], Vector],
    right: Vector,
    start: Vector | None = None,
    *,
    iterations: int = 60,
    reduction: float = 1e-3,
    loop: InnerLoop = InnerLoop(),
    log: Log | None = None,
) -> Minimum:
    """Minimise v.A v / 2 - b.v + constant.

    Args:
        hessian: v -> A v, symmetric and positive definite.
        right: b, (n,).
        start: first v, (n,); zero when absent.
        iterations: most iterations.
        reduction: ends when the norm of the gradient is below this part of `loop.reference`.
        loop: place among outer loops.
        log: called with a line per iteration.

    Raises:
        NumericsError: the cost is not a number, or A is not positive definite.
    """
    known = loop.known
    right = np.asarray(right, dtype=np.float64)
    control = np.zeros_like(right) if start is None else np.array(start, dtype=np.float64)
    product = np.zeros_like(right) if start is None else np.asarray(hessian(control), dtype=np.float64)
    residual = right - product
    cost = loop.constant + 0.5 * float(control @ product) - float(right @ control)
    norm = float(np.linalg.norm(residual))
    target = reduction * (norm if loop.reference is None else loop.reference)
    plain = known is None or not len(known.values)
    steps: list[Step] = []
    alphas: list[float] = []
    betas: list[float] = []

    def inverse(vector: Vector) -> Vector:
        return vector if known is None else known.inverse(vector)

    def note(iteration: int) -> None:
        if not np.isfinite(cost) or not np.isfinite(norm):
            raise NumericsError(f"The minimisation left the range of numbers at iteration {iteration} (cost {cost})")
        steps.append(Step(loop.number, iteration, cost, norm))
        if log is not None:
            log(str(steps[-1]))

    note(0)
    # Residuals are orthogonal in the product of the preconditioner: each with what it becomes there.
    basis: list[Vector] = []
    duals: list[Vector] = []
    turned = inverse(residual)
    square = float(residual @ turned)
    direction = turned.copy()
    for iteration in range(1, iterations + 1):
        stop_if_asked()
        if norm <= target or norm == 0.0:
            break
        basis.append(residual / np.sqrt(square))
        duals.append(basis[-1] if plain else turned / np.sqrt(square))
        product = np.asarray(hessian(direction), dtype=np.float64)
        curvature = float(direction @ product)
        if not curvature > 0.0:
            raise NumericsError(f"The Hessian of the minimisation is not positive (curvature {curvature:g})")
        alpha = square / curvature
        control = control + alpha * direction
        residual = residual - alpha * product
        for vector, dual in zip(basis, duals, strict=True):
            residual -= (dual @ residual) * vector
        # The decrease of a conjugate-gradient step is alpha |r|^2 / 2 exactly.
        cost -= 0.5 * alpha * square
        turned = inverse(residual)
        previous, square = square, float(residual @ turned)
        norm = float(np.linalg.norm(residual))
        beta = square / previous
        direction = turned + beta * direction
        alphas.append(alpha)
        betas.append(beta)
        note(iteration)
    ritz = _tridiagonal(alphas, betas)[0] if alphas else np.empty(0)
    spectrum = _spectrum(alphas, betas, basis, residual) if plain and alphas else Spectrum()
    return Minimum(control, tuple(steps), norm <= target, ritz, spectrum)
