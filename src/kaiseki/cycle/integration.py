"""The model driven by its boundary states: carried from one time to another, initialised, and how calm it is."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from kaiseki.config import DigitalFilter
from kaiseki.core.timing import HOUR
from kaiseki.cycle import fields as fd
from kaiseki.cycle.driving_fields import Boundaries, floored
from kaiseki.forecast.integrate import Forcing
from kaiseki.forecast.model import Model
from kaiseki.forecast.rim import Boundary
from kaiseki.forecast.state import State, begin_interval


@dataclass
class Integration:
    """The model and what drives it; streams of cycles and free forecasts are both made of it.

    Attributes:
        name: how progress and messages call it.
        model: on its domain.
        boundaries: what drives it.
        filter_: digital filter after a start from fields and after each change by an analysis; None leaves it out.
        output: interval of the stored forecast.
    """

    name: str
    model: Model
    boundaries: Boundaries
    filter_: DigitalFilter | None
    output: np.timedelta64

    def advance(self, state: State, start: np.datetime64, end: np.datetime64, change: Boundary | None = None) -> State:
        """Carry the state from start to end, from one boundary time to the next; `change` is added to the boundary.

        Its precipitation is then what fell from start to end.
        """
        state = begin_interval(state)
        step = self.boundaries.interval
        time, origin = start, floored(start, step)
        while time < end:
            after = origin + step
            stop = min(after, end)
            forcing = self.boundaries.between(origin, after, change)
            seconds, elapsed = (float(d / np.timedelta64(1, "s")) for d in (stop - time, time - origin))
            state = self.model.advance(state, forcing, seconds, float(step / np.timedelta64(1, "s")), elapsed)
            time, origin = stop, after
        return state

    def initialise(self, state: State, time: np.datetime64, fields: fd.Fields) -> tuple[State, Mapping[str, float]]:
        """The filtered state of one whose fields are given, and the domain-mean |dps/dt| of the first step before and
        after."""
        before = self.tendency(state, time, fields)
        if self.filter_ is None:
            return state, {"before": before}
        filtered = self.model.initialise(state, self.boundaries.at(time), self.filter_)
        return filtered, {
            "before": before,
            "after": self.tendency(filtered, time, self.model.surface_fields(filtered)),
        }

    def tendency(self, state: State, time: np.datetime64, fields: fd.Fields) -> float:
        """Mean of |dps/dt| inside the rim over one time step, Pa per hour (unit of the usual plots of spin-up); the
        boundary stands still, for at the end of a period there is none after it."""
        dt = self.model.parameters.dt
        step = np.timedelta64(round(dt), "s")
        inside = self.model.domain.inside_rim
        one = fields["surface_pressure"]
        held = Forcing(*[self.boundaries.at(time)] * 2)
        two = self.model.surface_fields(self.model.advance(state, held, dt))["surface_pressure"]
        return float(np.mean(np.abs(np.asarray(two) - np.asarray(one))[inside])) * float(HOUR / step)
