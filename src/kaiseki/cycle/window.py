"""The forecast model in one window, as engines ask for it: run again from the start, or linearised."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np

from kaiseki.assimilation import Trajectory
from kaiseki.assimilation.ensemble import Ensemble
from kaiseki.assimilation.inner import BROUGHT, InnerModel, InnerPropagation
from kaiseki.core.progress import say
from kaiseki.cycle import fields as fd
from kaiseki.forecast.model import Model
from kaiseki.forecast.rim import Boundary
from kaiseki.forecast.state import State
from kaiseki.statistics.minimise import Checkpoint

type Advance = Callable[[State, np.datetime64, np.datetime64, Boundary | None], State]


def brought(fields: Mapping[str, np.ndarray]) -> fd.Fields:
    """Fields of a state that observation operators and the inner model need."""
    return {name: fields[name] for name in BROUGHT}


def of_states(model: Model, states: Sequence[State]) -> tuple[tuple[fd.Fields, ...], fd.Fields]:
    """Fields of each state that observation operators and the inner model need, and all fields of the last, each
    computed once."""
    air = [fd.of_air(model, state) for state in states[:-1]]
    last = fd.of_state(model, states[-1])
    return tuple(brought(one) for one in (*air, last)), last


@dataclass
class OuterWindow:
    """The forecast model in one window; see `assimilation.contract.WindowModel`.

    Attributes:
        model: the forecast model.
        advance: carries a state from one time to another, with a change of the boundary.
        times: slots, rising; the first is the start of the window.
        states: of the last trajectory at the slots; at first those of the background.
        fields: what observations and the inner model look at (`BROUGHT`) at the slots of the last trajectory.
        last: all fields at the last slot of the last trajectory.
        inner: inner models by coarsening, kept by the caller from window to window.
        members: members that went through the window; None where there are none.
        checkpoint: keeps what a minimisation has paid for over a kill; None where nothing does.
        change: of the boundary in the last trajectory; None in that of the background.
    """

    model: Model
    advance: Advance
    times: np.ndarray
    states: tuple[State, ...]
    fields: tuple[fd.Fields, ...]
    last: fd.Fields
    inner: dict[int, InnerModel]
    members: Ensemble | None = None
    checkpoint: Checkpoint | None = None
    change: Boundary | None = None
    _start: State = field(init=False)

    def __post_init__(self) -> None:
        self._start = self.states[0]

    def rerun(self, increment: Mapping[str, np.ndarray]) -> Trajectory:
        """The trajectory from the background's start plus an increment, by which the boundary is changed as well;
        `states`, `fields` and `last` are those of it."""
        states = [self.model.add_increment(self._start, increment)]
        change = Boundary.of(states[0]).less(Boundary.of(self._start))
        for before, after in zip(self.times, self.times[1:], strict=False):
            states.append(self.advance(states[-1], before, after, change))
        self.states, self.change = tuple(states), change
        self.fields, self.last = of_states(self.model, states)
        return self.trajectory()

    def trajectory(self) -> Trajectory:
        """What observations are compared with, of the last trajectory."""
        return Trajectory(self.times, tuple(fd.observed(fields) for fields in self.fields), self.model.domain)

    def linear(self, factor: int) -> InnerPropagation:
        """The linear model about the last trajectory."""
        seconds = float((self.times[1] - self.times[0]) / np.timedelta64(1, "s"))
        new = factor not in self.inner
        if new:
            self.inner[factor] = InnerModel.build(self.model, factor, seconds)
        inner = self.inner[factor]
        found = inner.linearise(self.fields, seconds)
        if new:
            say(
                f"inner model: {inner.domain.ny} x {inner.domain.nx} x {inner.domain.nz} cells of "
                f"{inner.domain.spacing / 1000:g} km, steps of {inner.model.parameters.dt:g} s, trajectory "
                f"{found.window.memory / 1e6:.0f} MB"
            )
        return found
