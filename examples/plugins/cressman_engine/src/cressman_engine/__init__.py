"""Successive corrections (Cressman 1959, Mon. Wea. Rev. 87, 367-374): the first guess is corrected at every grid point
by a weighted mean of the departures around it, in scans with ever smaller radii of influence.

    x  <-  x + sum_k w_k e_k (y_k - H_k x) / (1 + sum_k w_k e_k),     w = (N^2 - d^2) / (N^2 + d^2) within the radius N

e is the variance of the background over that of the observation. Cressman's mean had no such term; with it a single
value is not drawn for exactly.

What this example does not do: it takes temperature, humidity and wind at given pressures, each for itself, so nothing
keeps mass and wind in balance; surface pressure, heights and winds without a pressure are left out and flagged.
"""

from __future__ import annotations

import numpy as np

from kaiseki.assimilation import Analysis, AnalysisInput, Engine
from kaiseki.assimilation.problem import Problem, Solution, finish, nothing_to_do, prepare
from kaiseki.statistics import ANALYSIS_VARIABLES

RADII = (3.0, 2.0, 1.0)
"""Radii of the scans, in units of `assimilation.cycled.length`."""

DEPTH = 2.0
"""Vertical reach, in units of `assimilation.cycled.vertical_length` (logarithm of pressure)."""

QUANTITIES = ("eastward_wind", "northward_wind", "air_temperature", "specific_humidity")
"""Quantities that are analysed."""


def weight(distance: np.ndarray, radius: float) -> np.ndarray:
    """Cressman's weight: 1 at distance 0, falling to 0 at the radius and beyond; same unit for both, any shape."""
    squared = np.minimum((distance / radius) ** 2, 1.0)
    return (1.0 - squared) / (1.0 + squared)


class Cressman(Engine):
    """Successive corrections; see the module."""

    name = "cressman"

    def analyse(self, given: AnalysisInput) -> Analysis:
        """The analysis of a window, with an increment that is the same at all its times; see `Engine.analyse`."""
        # Which observations count, their departures, errors and linear operator: the same for all engines.
        problem = prepare(given)
        if not len(problem.used):
            return nothing_to_do(problem, self.name, given.log)

        observed = problem.table.take(problem.used)
        known = np.isfinite(observed.column("pressure")) & observed.where(quantity=QUANTITIES)
        # In the rim, where the driving fields rule, increments fall to zero.
        taper = np.asarray(given.covariance.mask, dtype=np.float64)
        increment = {name: np.zeros(given.background.domain.shape) for name in ANALYSIS_VARIABLES}
        costs = [cost_of(problem, increment)]
        for radius in RADII:
            left = problem.departure - operate(problem, increment)
            reach = (radius * given.settings.cycled.length, DEPTH * given.settings.cycled.vertical_length)
            for name, correction in corrections(problem, left, known, reach).items():
                increment[name] += taper * correction
            costs.append(cost_of(problem, increment))
            if given.log is not None:
                given.log(f"cressman: radius {reach[0] / 1000:.0f} km, cost of the observations {costs[-1]:.4g}")

        # Departures after the analysis, flags and the diagnostics of the report.
        solution = Solution(
            increment=increment,
            cost=costs[-1],
            cost_before=costs[0],
            weights=np.ones(len(problem.used)),
            no_equivalent=~known,
        )
        return finish(problem, self.name, solution)


def operate(problem: Problem, increment: dict[str, np.ndarray]) -> np.ndarray:
    """What an increment changes at the observations, (p,)."""
    return problem.operator(np.concatenate([increment[name].ravel() for name in ANALYSIS_VARIABLES]))


def cost_of(problem: Problem, increment: dict[str, np.ndarray]) -> float:
    """Half the sum of squares of what an increment leaves of the departures, in standard deviations."""
    left = (problem.departure - operate(problem, increment)) / problem.error
    return 0.5 * float(left @ left)


def corrections(
    problem: Problem, left: np.ndarray, known: np.ndarray, reach: tuple[float, float]
) -> dict[str, np.ndarray]:
    """One scan: increments (nz, ny, nx) of u, v along the grid, temperature and humidity.

    Args:
        problem: observations.
        left: (p,) departures from what has been reached so far.
        known: (p,) which of them are used.
        reach: radius of influence [m], and in the logarithm of pressure.
    """
    domain = problem.background.domain
    observed = problem.table.take(problem.used)
    x, y = domain.projection.forward(observed.column("latitude"), observed.column("longitude"))
    columns = np.stack([part.ravel() for part in np.meshgrid(domain.x, domain.y)])
    at = np.log(observed.column("pressure"))
    levels = np.log(np.asarray(problem.background.last["pressure"], dtype=np.float64)).reshape(domain.nz, -1)
    ratio = (problem.spread / problem.error) ** 2

    found = {}
    for quantity in QUANTITIES:
        rows = np.flatnonzero(known & observed.where(quantity=quantity))
        # Distances on the map are longer than on the ground by the map factor.
        distance = np.hypot(columns[0] - x[rows, None], columns[1] - y[rows, None])
        distance /= domain.projection.map_factor(observed.column("latitude")[rows])[:, None]
        horizontal = ratio[rows, None] * weight(distance, reach[0])
        field = np.zeros(levels.shape)
        for k, level in enumerate(levels):
            near = (at[rows] > level.min() - reach[1]) & (at[rows] < level.max() + reach[1])
            weights = horizontal[near] * weight(level - at[rows][near, None], reach[1])
            field[k] = left[rows][near] @ weights / (1.0 + weights.sum(axis=0))
        found[quantity] = field.reshape(domain.shape)

    u, v = domain.to_grid(found["eastward_wind"], found["northward_wind"])
    return {"u": u, "v": v, "temperature": found["air_temperature"], "qv": found["specific_humidity"]}
