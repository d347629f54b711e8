"""The 40 variables of Lorenz and Emanuel 1998 (J. Atmos. Sci. 55, 399-414, eq. 1), with tangent and adjoint steps.

    dx_i/dt = (x_{i+1} - x_{i-2}) x_{i-1} - x_i + F

on a circle, F = 8, fourth-order Runge-Kutta with steps of 0.05 (6 hours of their atmosphere). The twin is the usual one
(Sakov and Oke 2008, Tellus 60A, 361-371): every variable observed with errors of variance 1, the truth begun
from a draw around the first unit vector with variance 0.001; as in DAPPER's `mods.Lorenz96.sakov2008` methods know that
distribution, and what is before t = 20 does not count.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

SIZE = 40
FORCING = 8.0
STEP = 0.05
BURN_IN = 20.0
FIRST_VARIANCE = 0.001


def neighbours(state: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Values at i-2, i-1 and i+1 on the circle, each (..., n)."""
    size = state.shape[-1]
    around = np.empty((*state.shape[:-1], size + 3))
    around[..., 2:-1] = state
    around[..., :2] = state[..., -2:]
    around[..., -1] = state[..., 0]
    return around[..., :size], around[..., 1:-2], around[..., 3:]


def tendency(state: np.ndarray, forcing: float = FORCING, damping: float = 1.0) -> np.ndarray:
    """dx/dt of states (..., n)."""
    second, first, after = neighbours(state)
    return (after - second) * first - damping * state + forcing


def step(state: np.ndarray) -> np.ndarray:
    """One Runge-Kutta step of states (..., n)."""
    k1 = tendency(state)
    k2 = tendency(state + 0.5 * STEP * k1)
    k3 = tendency(state + 0.5 * STEP * k2)
    k4 = tendency(state + STEP * k3)
    return state + STEP / 6.0 * (k1 + 2.0 * (k2 + k3) + k4)


def forecast(state: np.ndarray, steps: int) -> np.ndarray:
    """States (..., n) after a number of steps."""
    for _ in range(steps):
        state = step(state)
    return state


def jacobian(state: np.ndarray) -> np.ndarray:
    """The derivative of `tendency`, (..., n, n), at states (..., n)."""
    second, first, after = neighbours(state)
    found = np.zeros((*state.shape, state.shape[-1]))
    row = np.arange(state.shape[-1])
    found[..., row, (row + 1) % len(row)] = first
    found[..., row, row - 2] = -first
    found[..., row, row - 1] = after - second
    found[..., row, row] = -1.0
    return found


class Linear:
    """The derivative of some steps about the forecast from a state (n,), and its transpose.

    Attributes:
        end: (n,), the forecast itself.
        factors: (steps, n, n), the derivative of each step.
    """

    def __init__(self, state: np.ndarray, steps: int) -> None:
        stages = np.empty((steps, 4, len(state)))
        for here in stages:
            here[0] = state
            k1 = tendency(state)
            here[1] = state + 0.5 * STEP * k1
            k2 = tendency(here[1])
            here[2] = state + 0.5 * STEP * k2
            k3 = tendency(here[2])
            here[3] = state + STEP * k3
            state = state + STEP / 6.0 * (k1 + 2.0 * (k2 + k3) + tendency(here[3]))
        self.end = state
        a1, a2, a3, a4 = np.moveaxis(jacobian(stages), 1, 0)
        d2 = a2 + 0.5 * STEP * (a2 @ a1)
        d3 = a3 + 0.5 * STEP * (a3 @ d2)
        d4 = a4 + STEP * (a4 @ d3)
        self.factors = np.eye(len(state)) + STEP / 6.0 * (a1 + 2.0 * (d2 + d3) + d4)

    def tangent(self, change: np.ndarray) -> np.ndarray:
        """The derivative applied to (n,)."""
        for factor in self.factors:
            change = factor @ change
        return change

    def adjoint(self, change: np.ndarray) -> np.ndarray:
        """The transpose applied to (n,)."""
        for factor in self.factors[::-1]:
            change = change @ factor
        return change


@dataclass(frozen=True)
class Twin:
    """A truth and its observations.

    Attributes:
        interval: model steps between observations.
        truth: (cycles, n) at the times of the observations, the first one interval after the start.
        observations: (cycles, n).
        generator: what a method draws from.
    """

    interval: int
    truth: np.ndarray
    observations: np.ndarray
    generator: np.random.Generator

    @property
    def counted(self) -> np.ndarray:
        """(cycles,) mask of the times after the burn-in."""
        return (1 + np.arange(len(self.truth))) * self.interval * STEP > BURN_IN


def first_states(generator: np.random.Generator, number: int) -> np.ndarray:
    """Draws (number, n) from what is known of the start."""
    drawn = np.sqrt(FIRST_VARIANCE) * generator.standard_normal((number, SIZE))
    drawn[:, 0] += 1.0
    return drawn


def twin(seed: int, cycles: int, interval: int) -> Twin:
    """The twin of a seed."""
    nature, method = np.random.default_rng(seed).spawn(2)
    state = first_states(nature, 1)[0]
    truth = np.empty((cycles, SIZE))
    for cycle in range(cycles):
        truth[cycle] = state = forecast(state, interval)
    return Twin(interval, truth, truth + nature.standard_normal(truth.shape), method)


def climate(seed: int, runs: int = 500, states: int = 20) -> np.ndarray:
    """Covariance (n, n) of states one time unit apart in free runs that are not the truth."""
    here = forecast(first_states(np.random.default_rng(seed), runs), 400)
    sample = np.empty((states, runs, SIZE))
    for index in range(states):
        sample[index] = here = forecast(here, 20)
    return np.cov(sample.reshape(-1, SIZE).T)
