"""The forecast model in one window, as engines ask for it: run again from the start, or linearised."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

import numpy as np

from kaiseki.assimilation import Trajectory
from kaiseki.assimilation.ensemble import Ensemble
from kaiseki.assimilation.inner import BROUGHT, InnerModel, Propagation
from kaiseki.core.progress import say
from kaiseki.cycle import fields as fd
from kaiseki.forecast.model import Model
from kaiseki.forecast.rim import Boundary
from kaiseki.forecast.state import State
from kaiseki.statistics.minimise import Remember

type Advance = Callable[[State, np.datetime64, np.datetime64, Boundary | None], State]


@dataclass
class OuterWindow:
    """The forecast model in one window; see `assimilation.contract.WindowModel`.

    Attributes:
        model: the forecast model.
        advance: carries a state from one time to another, with a change of the boundary.
        times: slots, rising; the first is the start of the window.
        states: of the last trajectory at the slots; at first those of the background.
        inner: inner models by coarsening, kept by the caller from window to window.
        members: members that went through the window; None where there are none.
        checkpoint: keeps what a minimisation has paid for over a kill; None where nothing does.
        change: of the boundary in the last trajectory; None in that of the background.
    """

    model: Model
    advance: Advance
    times: np.ndarray
    states: tuple[State, ...]
    inner: dict[int, InnerModel]
    members: Ensemble | None = None
    checkpoint: Remember | None = None
    change: Boundary | None = None
    _start: State = field(init=False)

    def __post_init__(self) -> None:
        self._start = self.states[0]

    def rerun(self, increment: Mapping[str, np.ndarray]) -> Trajectory:
        """The trajectory from the background's start plus an increment, by which the boundary is changed as well;
        `states` are its states."""
        states = [self.model.add_increment(self._start, increment)]
        change = Boundary.of(states[0]).less(Boundary.of(self._start))
        for before, after in zip(self.times, self.times[1:], strict=False):
            states.append(self.advance(states[-1], before, after, change))
        self.states, self.change = tuple(states), change
        return self.trajectory()

    def trajectory(self) -> Trajectory:
        """What observations are compared with, of the last trajectory."""
        slots = tuple(fd.observed(fd.of_state(self.model, state)) for state in self.states)
        return Trajectory(self.times, slots, self.model.domain)

    def linear(self, factor: int) -> Propagation:
        """The linear model about the last trajectory."""
        seconds = float((self.times[1] - self.times[0]) / np.timedelta64(1, "s"))
        new = factor not in self.inner
        if new:
            self.inner[factor] = InnerModel.build(self.model, factor, seconds)
        inner = self.inner[factor]
        air = [self.model.atmosphere(state).as_dict() for state in self.states]
        states = [{name: np.asarray(one[name]) for name in BROUGHT} for one in air]
        found = inner.linearise(states, seconds)
        if new:
            say(
                f"inner model: {inner.domain.ny} x {inner.domain.nx} x {inner.domain.nz} cells of "
                f"{inner.domain.spacing / 1000:g} km, steps of {inner.model.parameters.dt:g} s, trajectory "
                f"{found.window.memory / 1e6:.0f} MB"
            )
        return found
