"""How well the inner model of 4D-Var follows the difference of two full forecasts over three hours.

    python -m validation.inner_model --run out/japan-1989 --data ../shared/data

Increments of the size of an analysis (drawn from the background covariance of the run's experiment) are added to the
state three hours after its cold start, and to what drives the model at the rim from there on; the full model runs
with and without them. What the linear model makes of them on the grid twice as coarse is compared with the difference
of the two forecasts, averaged to that grid, inside the rim: relative error in the dry energy norm (u'^2 + v'^2 + cp
T'^2 / T0 + R T0 (p'/p)^2, by mass), and by level and variable. Beside it stand the model without physics; the
difference of two nonlinear forecasts of that same model about a trajectory of its own, which a nonlinear cost would
differentiate; and the increment left as it was. What is left of the standard deviation of such increments after the
three hours is printed as well.

Bounds. An outer loop of 4D-Var leaves to the next one the share of the increment by which the inner model errs, so an
error of 0.4 leaves 16 % after the two loops of the default: 0.4 for the whole and for every variable, each of which is
observed by itself. The same for two nonlinear forecasts of the dry model: what the coarse grid and the missing physics
cost is the floor of any linear model of that grid, and above 0.4 the first bound would be out of reach of its dynamics.
Linearising may add at most half as much squared error as that floor, and linear physics must take away at least a
twentieth of the dry model's error. A model that does nothing has an error of 1, physics that do nothing a ratio of 1:
neither meets the bounds.
"""

from __future__ import annotations

import argparse
import dataclasses
from collections.abc import Callable
from pathlib import Path

import jax.numpy as jnp
import matplotlib.pyplot as plt
import numpy as np

from kaiseki.archive.run import RunFolder
from kaiseki.assimilation.inner import BROUGHT, InnerModel
from kaiseki.core.constants import CP_DRY, R_DRY
from kaiseki.core.timing import HOUR
from kaiseki.cycle.analyst import cycled_covariance
from kaiseki.experiments.case import PreparedCase
from kaiseki.experiments.compilation import keep_compiled, keep_loops_apart
from kaiseki.experiments.real_data import real_case
from kaiseki.forecast.integrate import Forcing
from kaiseki.forecast.linear.forecast import smooth
from kaiseki.forecast.rim import Boundary
from kaiseki.forecast.state import State
from kaiseki.statistics import ANALYSIS_VARIABLES
from validation.shelf import FIGURES, Row, Source, at_most, record

CASE = "inner_model"
SAMPLES, FACTOR, T0 = 4, 2, 270.0
LARGEST, LINEARISATION, PHYSICS = 0.4, np.sqrt(1.5), 0.95
_TRUTH = "difference of two full forecasts; 0 for a perfect linear model, 1 for none at all"
LOOPS = Source(_TRUTH, "chosen", "0.4: two outer loops, each of which leaves that share to the next, leave 16 %")
FLOOR = Source(
    _TRUTH, "chosen", "0.4: the floor of any linear model of this grid without physics must lie below the bound"
)
LINEARISED = Source(
    _TRUTH, "chosen", "1.22 times the row of two nonlinear forecasts: linearising adds at most half its squared error"
)
HELPS = Source(
    "ratio of two rows of this case; 1 for linear physics that does nothing",
    "chosen",
    "0.95: physics in the linear model takes away at least a twentieth of the error of dry dynamics",
)
LABELS = {"u": "u, m/s", "v": "v, m/s", "temperature": "T, K", "pressure": "p, Pa", "qv": "qv, kg/kg"}

type Fields = dict[str, np.ndarray]
type Forecast = Callable[[Fields], Fields]


def start_of(case: PreparedCase) -> tuple[np.datetime64, State]:
    """Three hours after the cold start."""
    first = case.experiment.period.first
    forcing = case.boundaries.between(first, first + 3 * HOUR)
    return first + 3 * HOUR, case.model.advance(case.model.start(case.cold_fields()), forcing, 3 * 3600.0)


def nonlinear(dry: InnerModel, start: Fields, end: Fields) -> Forecast:
    """From outer fields (`BROUGHT`) to inner ones after three hours, with the inner model's dynamics; what drives it
    goes from `start` to `end`, changed by what the fields differ from `start`."""
    model = dataclasses.replace(dry.model, parameters=smooth(dry.model.parameters))
    first, last = (Boundary.of(dry.state(fields)) for fields in (start, end))

    def run(fields: Fields) -> Fields:
        state = dry.state(fields)
        change = Boundary.of(state).less(first)
        reached = model.advance(state, Forcing(first.plus(change), last.plus(change)), 3 * 3600.0)
        return {name: np.asarray(field, float) for name, field in model.atmosphere(reached).as_dict().items()}

    return run


def energy(fields: Fields, pressure: np.ndarray, mask: np.ndarray) -> float:
    """Dry energy of changes in the cells of a mask, by mass."""
    density = pressure / (R_DRY * T0)
    wind = fields["u"] ** 2 + fields["v"] ** 2
    total = wind + CP_DRY / T0 * fields["temperature"] ** 2 + R_DRY * T0 * (fields["pressure"] / pressure) ** 2
    return float(np.sum((density * total)[:, mask]))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--run", type=Path, required=True)
    parser.add_argument("--data", type=Path, required=True)
    given = parser.parse_args()
    keep_loops_apart()
    keep_compiled()
    folder = RunFolder(given.run)
    experiment = folder.noted()
    case = real_case(experiment, folder, given.data)
    model, domain = case.model, case.domain
    begin, state = start_of(case)

    def forecast(start: State) -> list[Fields]:
        change = Boundary.of(start).less(Boundary.of(state))
        forcing = case.boundaries.between(begin, begin + 3 * HOUR, change)
        states = [start]
        for hour in range(3):
            states.append(model.advance(states[-1], forcing, 3600.0, 3 * 3600.0, 3600.0 * hour))
        return [{name: np.asarray(field) for name, field in model.atmosphere(s).as_dict().items()} for s in states]

    control = forecast(state)
    covariance = cycled_covariance(experiment, domain, control[0], "start")
    states = [{name: one[name] for name in BROUGHT} for one in control]
    inner = InnerModel.build(model, FACTOR, 3600.0)
    dry = InnerModel(inner.coarsening, inner.model, None)
    full, without = (one.linearise(states, 3600.0) for one in (inner, dry))
    means, mask = inner.coarsening, inner.domain.inside_rim
    pressure = means(control[-1]["pressure"])
    moving = nonlinear(dry, states[0], states[-1])
    unmoved = moving(states[0])
    random = np.random.default_rng(0)
    totals = dict.fromkeys(("inner", "without physics", "nonlinear", "persistence", "difference"), 0.0)
    squares = {name: np.zeros((2, domain.nz)) for name in ANALYSIS_VARIABLES}
    grown = {name: np.zeros(2) for name in ANALYSIS_VARIABLES}
    for _ in range(SAMPLES):
        change = covariance.sqrt(jnp.asarray(random.standard_normal(covariance.control_size), float))
        increment = {name: np.asarray(field, np.float64) for name, field in change.items()}
        moved = forecast(model.add_increment(state, increment))
        true = {name: means(moved[-1][name].astype(float) - control[-1][name]) for name in ANALYSIS_VARIABLES}
        begun = model.atmosphere(model.add_increment(state, increment)).as_dict()
        there = moving({name: np.asarray(begun[name]) for name in BROUGHT})
        found = {
            "inner": dict(zip(ANALYSIS_VARIABLES, full.tangent(increment)[0][-1].astype(float), strict=True)),
            "without physics": dict(
                zip(ANALYSIS_VARIABLES, without.tangent(increment)[0][-1].astype(float), strict=True)
            ),
            "nonlinear": {name: there[name] - unmoved[name] for name in ANALYSIS_VARIABLES},
            "persistence": {name: means(field) for name, field in increment.items()},
        }
        totals["difference"] += energy(true, pressure, mask)
        for name, guess in found.items():
            totals[name] += energy({n: guess[n] - true[n] for n in ANALYSIS_VARIABLES}, pressure, mask)
        for name in ANALYSIS_VARIABLES:
            wrong = found["inner"][name] - true[name]
            grown[name] += [np.sum(found[which][name][:, mask] ** 2) for which in ("persistence", "inner")]
            squares[name] += [np.sum(wrong[:, mask] ** 2, axis=1), np.sum(true[name][:, mask] ** 2, axis=1)]
    report(totals, squares, grown, domain.zeta)


def compared(relative: dict[str, float]) -> list[Row]:
    """Rows of the relative errors in the dry energy norm of the inner model, of the one without physics, and of two
    nonlinear forecasts without physics."""
    inner, dry, nonlinear_dry = (relative[name] for name in ("inner", "without physics", "nonlinear"))
    norm = "relative error after 3 h, dry energy norm, 60/120 km"
    return [
        at_most(CASE, norm, inner, LARGEST, LOOPS, null_value=1.0),
        at_most(CASE, "the same without physics", dry, LINEARISATION * nonlinear_dry, LINEARISED, null_value=1.0),
        at_most(CASE, "two nonlinear forecasts without physics", nonlinear_dry, LARGEST, FLOOR, null_value=1.0),
        at_most(
            CASE, "error of the inner model over that without physics", inner / dry, PHYSICS, HELPS, null_value=1.0
        ),
    ]


def by_variable(relative: dict[str, float]) -> list[Row]:
    """Rows of the relative errors of the variables."""
    text = "relative error after 3 h of {}, all levels"
    return [at_most(CASE, text.format(name), value, LARGEST, LOOPS, null_value=1.0) for name, value in relative.items()]


def report(
    totals: dict[str, float], squares: dict[str, np.ndarray], grown: dict[str, np.ndarray], height: np.ndarray
) -> None:
    """Rows and figure."""
    relative = {name: float(np.sqrt(value / totals["difference"])) for name, value in totals.items()}
    record(compared(relative) + by_variable({n: float(np.sqrt(w.sum() / t.sum())) for n, (w, t) in squares.items()}))
    for name, (before, after) in grown.items():
        print(f"standard deviation of {name} after three hours over that before: {np.sqrt(after / before):.2f}")
    print(f"persistence of the increment: {relative['persistence']:.3f}")
    figure, axes = plt.subplots(1, 2, figsize=(9, 5), sharey=True, layout="constrained")
    for name, (wrong, true) in squares.items():
        axes[0].plot(np.sqrt(wrong / true), height / 1000.0, label=LABELS[name])
        axes[1].plot(np.sqrt(true / true.max()), height / 1000.0)
    axes[0].axvline(LARGEST, color="0.7", lw=0.8)
    axes[0].set(xlim=(0, 1), xlabel="relative error of the inner model after 3 h", ylabel="height, km")
    axes[1].set(xlabel="size of the difference, relative to its largest")
    axes[0].legend(frameon=False)
    figure.savefig(FIGURES / f"{CASE}.png", dpi=130)


if __name__ == "__main__":
    main()
