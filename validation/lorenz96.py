"""Lorenz-96 twins: LETKF, ensemble transform filter and incremental 4D-Var beside DAPPER on the same settings.

    python -m validation.lorenz96

The engines are those of the package: `statistics.ensemble` and `statistics.minimise.outer_loops`. 4D-Var slides its
window by one observation time as DAPPER's `Var4D` does: the state `lag` times back is the control, with the background
found for it before; only the newest observations, at the end of the window, enter, because the background has used the
others already. The analysis is the forecast from the control to the end of the window. The background covariance is a
share of the climatological one of another free run; shares are those that served DAPPER best.

RMSE: root of the mean square over the variables of the error of the analysis mean, then the mean over all times after
t = 20, of three seeds. CPU: process time of forecast, analysis and score of all cycles over their number, of the
fastest seed; DAPPER's is its best cycle.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from kaiseki.statistics.ensemble import letkf, rotation, transform
from kaiseki.statistics.localisation import neighbourhoods
from kaiseki.statistics.minimise import LeastSquares, MinimiserSettings, outer_loops
from kaiseki.statistics.robust import Gaussian
from validation.shelf import Row, Source, at_most, record
from validation.toys import lorenz96
from validation.toys.lorenz96 import Twin

CASE = "lorenz96"
CYCLES = 1000
SEEDS = (3000, 3001, 3002)
CLIMATE_SEED = 1
SOURCE = Source(
    "DAPPER 1.7.1 measured, same model, observations and cycles; inflation and climate covariance are ours",
    "peer",
    "errors: the largest of DAPPER's seeds or, where it ran one, at most 5 % above it; CPU: DAPPER's best cycle",
)

type Ensemble = Callable[[np.ndarray, np.ndarray], tuple[np.ndarray, np.ndarray]]
"""(anomalies (n, N), departure (n,)) -> increment (n,), analysis anomalies (n, N)."""


@dataclass(frozen=True)
class Run:
    """Error of the analysis at every observation time, (cycles,); which of them count; CPU per cycle (ms)."""

    errors: np.ndarray
    counted: np.ndarray
    cpu: float

    @property
    def rmse(self) -> float:
        """Mean of the errors that count."""
        return float(np.mean(self.errors[self.counted]))


def cycled(twin: Twin, analyse: Callable[[int], np.ndarray]) -> Run:
    """Score what an analysis gives at one observation time after the other."""
    errors = np.empty(len(twin.truth))
    begun = time.process_time()
    for cycle in range(len(errors)):
        errors[cycle] = np.sqrt(np.mean((analyse(cycle) - twin.truth[cycle]) ** 2))
    cpu = 1e3 * (time.process_time() - begun) / len(errors)
    return Run(errors, twin.counted, cpu)


def filtered(twin: Twin, members: int, analysis: Ensemble) -> Run:
    """An ensemble filter with random rotations after each analysis."""
    ensemble = lorenz96.first_states(twin.generator, members)

    def analyse(cycle: int) -> np.ndarray:
        nonlocal ensemble
        ensemble = lorenz96.forecast(ensemble, twin.interval)
        mean = ensemble.mean(axis=0)
        increment, anomalies = analysis((ensemble - mean).T, twin.observations[cycle] - mean)
        mean = mean + increment
        ensemble = mean + (anomalies @ rotation(members, twin.generator)).T
        return mean

    return cycled(twin, analyse)


def local_filter(twin: Twin, members: int = 7, inflation: float = 1.04, half_width: float = 4.0 * 1.82) -> Run:
    """LETKF; DAPPER's radius is where the taper is exp(-1/2), 1.82 times shorter than the half-width."""
    place = np.arange(lorenz96.SIZE, dtype=np.float64)[:, None]
    near = neighbourhoods(place, place, half_width, np.array([lorenz96.SIZE]))
    return filtered(twin, members, lambda x, d: letkf(x, x, d, near, inflation=inflation**2))


def global_filter(twin: Twin, members: int = 24, inflation: float = 1.02) -> Run:
    """The ensemble transform filter without localisation."""

    def analysis(x: np.ndarray, d: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        weights, root = transform(x, d, inflation**2)
        return x @ weights, x @ root

    return filtered(twin, members, analysis)


def four_d_var(twin: Twin, covariance: np.ndarray, lag: int, outer: int = 3) -> Run:
    """Incremental strong-constraint 4D-Var in a sliding window."""
    values, vectors = np.linalg.eigh(covariance)
    root = (vectors * np.sqrt(np.maximum(values, 0.0))) @ vectors.T
    state = np.zeros(lorenz96.SIZE)
    state[0] = 1.0
    counted = np.ones(lorenz96.SIZE)

    def analyse(cycle: int) -> np.ndarray:
        nonlocal state
        steps = min(lag, cycle + 1) * twin.interval

        def linearise(control: np.ndarray, loop: int) -> LeastSquares:
            model = lorenz96.Linear(state + root @ control, steps)

            def forward(vector: np.ndarray) -> np.ndarray:
                return model.tangent(root @ vector)

            departure = twin.observations[cycle] - model.end + forward(control)
            return LeastSquares(forward, lambda r: root @ model.adjoint(r), departure, counted)

        found = outer_loops(linearise, lorenz96.SIZE, Gaussian(), MinimiserSettings(outer=outer))
        control = found.minimum.control
        # The last linearisation has made the forecast from the control: its residual is y minus that.
        analysis = twin.observations[cycle] - found.problem.residual(control)
        state = state + root @ control
        if cycle + 1 >= lag:
            state = lorenz96.forecast(state, twin.interval)
        return analysis

    return cycled(twin, analyse)


@dataclass(frozen=True)
class Entry:
    """A method with its interval in model steps, its bound on the RMSE and DAPPER's CPU per cycle (ms), if compared."""

    name: str
    interval: int
    method: Callable[[Twin], Run]
    bound: float
    cpu: float | None = None


def entries() -> list[Entry]:
    """All that is compared."""
    climate = lorenz96.climate(CLIMATE_SEED)

    def variational(lag: int, share: float) -> Callable[[Twin], Run]:
        return lambda twin: four_d_var(twin, share * climate, lag)

    return [
        Entry("LETKF, 7 members, interval 0.05", 1, local_filter, 0.24, 5.5),
        Entry("ensemble transform, 24 members, interval 0.05", 1, global_filter, 0.20, 2.3),
        Entry("4D-Var, lag 1, interval 0.05", 1, variational(1, 0.01), 0.37, 4.5),
        Entry("4D-Var, lag 4, interval 0.05", 1, variational(4, 0.005), 0.31, 10.0),
        Entry("4D-Var, lag 1, interval 0.2", 4, variational(1, 0.02), 0.48, 14.0),
        Entry("4D-Var, lag 2, interval 0.2", 4, variational(2, 0.005), 0.43, 23.0),
        Entry("4D-Var, lag 4, interval 0.2", 4, variational(4, 0.003), 0.41, 44.0),
    ]


def main() -> None:
    rows: list[Row] = []
    runs: dict[str, list[Run]] = {}
    for entry in entries():
        runs[entry.name] = done = [entry.method(lorenz96.twin(seed, CYCLES, entry.interval)) for seed in SEEDS]
        scores = " ".join(f"{run.rmse:.3f}" for run in done)
        print(f"{entry.name}: by seed {scores}; {min(run.cpu for run in done):.2f} ms per cycle", flush=True)
        rmse = float(np.mean([run.rmse for run in done]))
        rows.append(at_most(CASE, f"{entry.name}: analysis RMSE, mean of 3 seeds", rmse, entry.bound, SOURCE))
        if entry.cpu is not None:
            cpu = min(run.cpu for run in done)
            rows.append(at_most(CASE, f"{entry.name}: CPU per cycle (ms)", cpu, entry.cpu, SOURCE))
    record(rows)


if __name__ == "__main__":
    main()
