"""Minimisation of robust and nonlinear least squares by outer loops: linearise, weigh, minimise a quadratic, again.

Where the operator is linear, the loops renew only the weights of the robust likelihood; where a forecast stands in it,
each loop linearises about the forecast from the control found so far (incremental 4D-Var, Courtier, Thepaut and
Hollingsworth 1994, Q. J. R. Meteorol. Soc. 120, 1367-1387). It is the Gauss-Newton method (Lawless, Gratton and
Nichols 2005, Q. J. R. Meteorol. Soc. 131, 459-476).
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from kaiseki.core.errors import NumericsError
from kaiseki.core.progress import Log
from kaiseki.statistics.conjugate_gradients import InnerLoop, Minimum, Spectrum, Step, Vector, conjugate_gradients
from kaiseki.statistics.robust import Likelihood

BACKTRACKS = 2
"""How often a step is halved whose true cost is higher than before, where the problem is not linear."""


@dataclass(frozen=True)
class LeastSquares:
    """Least-squares cost v.v / 2 + sum of rho(r) with r = d / sigma - G v, linear or linearised about a control.

    Attributes:
        forward: v -> G v, (n,) -> (p,), divided by sigma.
        adjoint: its transpose.
        departure: d / sigma, (p,); of a tangent at v_k the departure there plus G v_k.
        counted: (p,) 1 or 0; entries with 0 stand for nothing.
        robust: (p,) mask of the entries with the robust likelihood, the others are Gaussian; None for all.
    """

    forward: Callable[[Vector], Vector]
    adjoint: Callable[[Vector], Vector]
    departure: Vector
    counted: Vector
    robust: Vector | None = None

    def residual(self, control: Vector) -> Vector:
        """Residual d / sigma - G v, (p,), zero for values without weight."""
        return self.counted * (self.departure - np.asarray(self.forward(control), dtype=np.float64))

    def penalty(self, residual: Vector, likelihood: Likelihood) -> Vector:
        """Penalty rho(r), (p,), of a residual r (p,)."""
        found = likelihood.penalty(residual)
        return found if self.robust is None else np.where(self.robust, found, 0.5 * residual**2)

    def weight(self, residual: Vector, likelihood: Likelihood) -> Vector:
        """Robust weight rho'(r) / r, (p,), zero for values without weight."""
        found = self.counted * likelihood.weight(residual)
        return found if self.robust is None else np.where(self.robust, found, self.counted)

    def cost(self, control: Vector, likelihood: Likelihood) -> float:
        """The whole cost, with the likelihood's own penalty."""
        return 0.5 * float(control @ control) + float(np.sum(self.penalty(self.residual(control), likelihood)))


type Checkpoint = Callable[[Vector, Callable[[Vector], Vector]], Vector]
"""(question, what answers it) -> answer, which may have been kept from before a kill."""

type LearnSpectrum = Callable[[Spectrum, Vector], None]
"""Takes what the first inner loop has learnt of the Hessian, and the weights (p,) of the observations in it, while the
linearisation it belongs to is at hand."""

type Linearise = Callable[[Vector, int], LeastSquares]
"""The least squares that touch a nonlinear problem at a control (n,), for the outer loop of a number, from 1: same cost
and same gradient there. A NumericsError says that there is none."""


@dataclass(frozen=True, kw_only=True)
class MinimiserSettings:
    """Settings of the minimisation by outer loops: where it ends.

    Attributes:
        outer: largest number of outer loops.
        iterations: largest number of iterations of all inner loops together.
        reduction: part of the reference norm to which the gradient falls in an inner loop, see `conjugate_gradients`.
        tolerance: part of itself by which the true cost must fall in an outer loop, or it is the last.
    """

    outer: int = 4
    iterations: int = 60
    reduction: float = 1e-3
    tolerance: float = 1e-3


@dataclass(frozen=True)
class Robust:
    """Result of `reweighted` and `outer_loops`.

    Attributes:
        minimum: of the last inner loop, with the history of all.
        weights: (p,) of the observations, 0..1.
        costs: true cost before the first outer loop and after each.
        problem: the least squares that touch the problem at the end.
    """

    minimum: Minimum
    weights: np.ndarray
    costs: tuple[float, ...]
    problem: LeastSquares


def reweighted(
    problem: LeastSquares,
    size: int,
    likelihood: Likelihood,
    settings: MinimiserSettings = MinimiserSettings(),
    *,
    log: Log | None = None,
    learn: LearnSpectrum | None = None,
) -> Robust:
    """Minimise a robust cost by outer loops of re-weighted least squares; the true cost falls in every loop.

    The linear case of `outer_loops`: the first loop may use all iterations, later ones are short.
    """
    return outer_loops(lambda control, loop: problem, size, likelihood, settings, shared=False, log=log, learn=learn)


def outer_loops(
    linearise: Linearise,
    size: int,
    likelihood: Likelihood,
    settings: MinimiserSettings,
    *,
    shared: bool = True,
    log: Log | None = None,
    checkpoint: Checkpoint | None = None,
    learn: LearnSpectrum | None = None,
) -> Robust:
    """Minimise a robust and possibly nonlinear cost by outer loops.

    Each inner problem is quadratic and starts where the one before ended, preconditioned with the Ritz pairs of the
    first. The gradient of the first start is the reference of the reduction throughout, so later loops, starting near
    their end, are short. A step to a higher true cost, or to where there is none, is halved and at last given up;
    that does not happen where the problem is linear.

    Args:
        linearise: see `Linearise`; called at the start and after every loop.
        size: number of control values.
        likelihood: penalty of normalised departures.
        settings: where it ends.
        shared: whether each loop gets an equal share of the iterations that are left, or all.
        log: called with a line per iteration.
        checkpoint: gives the products of the Hessian.
        learn: see `LearnSpectrum`.

    Raises:
        NumericsError: see `conjugate_gradients`.
    """
    here = _at(linearise, np.zeros(size), 1, likelihood)
    costs = [here.cost]
    steps: list[Step] = []
    reference: float | None = None
    known = Spectrum()
    inner = Minimum(here.control, (), False)
    for loop in range(1, settings.outer + 1):
        left = max(1, settings.iterations - sum(step.iteration > 0 for step in steps))
        hessian, right, constant = _quadratic(here, likelihood, checkpoint)
        reference = float(np.linalg.norm(right)) if reference is None else reference
        inner = conjugate_gradients(
            hessian,
            right,
            here.control if here.control.any() else None,
            iterations=-(-left // (settings.outer - loop + 1)) if shared else left,
            reduction=settings.reduction,
            loop=InnerLoop(number=loop, constant=constant, reference=reference, known=known),
            log=log,
        )
        if learn is not None and loop == 1:
            learn(inner.spectrum, here.weights)
        known = known if len(known.values) else inner.spectrum.leading()
        # Its vectors are many times the control variable and would be kept through the next loop.
        inner = dataclasses.replace(inner, spectrum=Spectrum())
        steps.extend(inner.steps)
        before, here = here, _not_above(here, inner.control, linearise, loop + 1, likelihood, log)
        costs.append(here.cost)
        unchanged = here.problem is before.problem and np.array_equal(here.weights, before.weights)
        used = sum(step.iteration > 0 for step in steps)
        if unchanged or before.cost - here.cost <= settings.tolerance * here.cost or used >= settings.iterations:
            break
    minimum = Minimum(here.control, tuple(steps), inner.converged, inner.ritz, known)
    return Robust(minimum, here.weights, tuple(costs), here.problem)


@dataclass(frozen=True)
class _Place:
    """A control with the least squares that touch the problem there, its residual, weights and true cost."""

    control: Vector
    problem: LeastSquares
    residual: Vector
    weights: Vector
    cost: float


def _at(linearise: Linearise, control: Vector, loop: int, likelihood: Likelihood) -> _Place:
    problem = linearise(control, loop)
    residual = problem.residual(control)
    cost = 0.5 * float(control @ control) + float(np.sum(problem.penalty(residual, likelihood)))
    return _Place(control, problem, residual, problem.weight(residual, likelihood), cost)


def _not_above(
    here: _Place, control: Vector, linearise: Linearise, loop: int, likelihood: Likelihood, log: Log | None
) -> _Place:
    """The place of a control, or one nearer to where the loop began if the true cost is higher there; `loop` is the
    number of the one that follows."""
    for halved in range(1 + BACKTRACKS):
        try:
            there = _at(linearise, control, loop, likelihood)
        except NumericsError as error:
            found = f"cannot be had ({error})"
        else:
            if there.cost <= here.cost * (1.0 + 1e-9):
                return there
            found = f"rose from {here.cost:.6e} to {there.cost:.6e}"
        if log is not None:
            log(f"the true cost {found}; the step is {'halved' if halved < BACKTRACKS else 'given up'}")
        control = 0.5 * (here.control + control)
    return here


def _quadratic(
    here: _Place, likelihood: Likelihood, checkpoint: Checkpoint | None
) -> tuple[Callable[[Vector], Vector], Vector, float]:
    """Hessian, right-hand side and constant of the quadratic that touches the true cost at a place."""
    problem, weights = here.problem, here.weights

    def hessian(vector: Vector) -> Vector:
        images = np.asarray(problem.forward(vector), dtype=np.float64)
        return vector + np.asarray(problem.adjoint(weights * images), dtype=np.float64)

    right = np.asarray(problem.adjoint(weights * problem.departure), dtype=np.float64)
    # The constant makes the quadratic equal to the true cost where the loop starts.
    touching = float(np.sum(problem.penalty(here.residual, likelihood) - 0.5 * weights * here.residual**2))
    constant = touching + 0.5 * float(weights @ problem.departure**2)
    return hessian if checkpoint is None else lambda vector: checkpoint(vector, hessian), right, constant
