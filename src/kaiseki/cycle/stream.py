"""A stream of cycles: forecast, analysis, initialisation, one commit; from a cold start or from where it was ended."""

from __future__ import annotations

import time as clock
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal, NamedTuple

import numpy as np

from kaiseki.archive import CycleTransaction, RunStore
from kaiseki.assimilation import Analysis, Trajectory
from kaiseki.assimilation.inner import InnerModel
from kaiseki.core.memory import give_freed_memory_back
from kaiseki.core.progress import Progress, say
from kaiseki.core.timing import Window, format_utc
from kaiseki.cycle import fields as fd
from kaiseki.cycle.checkpoint import MinimisationCheckpoint
from kaiseki.cycle.ensemble import EnsembleRun
from kaiseki.cycle.integration import Integration
from kaiseki.cycle.snapshot import from_tree, to_tree
from kaiseki.cycle.window import OuterWindow, brought
from kaiseki.forecast.rim import Boundary
from kaiseki.forecast.state import State
from kaiseki.observations import Table

type Analyst = Callable[[Trajectory, Window, OuterWindow], Analysis]
"""Compares a background with the observations of a window and may ask for its model; an empty increment changes
nothing."""


class ColdStart(NamedTuple):
    """Start of a stream: fields on its domain, the observations that made them, diagnostics of how."""

    fields: fd.Fields
    table: Table | None
    diagnostics: Mapping[str, Any]


@dataclass
class Stream(Integration):
    """One run of the model through the cycles of a store; observations are compared with it at the output times.

    Attributes:
        cold_start: makes the state at the first cycle time.
        analyst: of every later cycle time.
        window: length of the window of observations; the forecast from one cycle to the next may be longer.
        ensemble: members beside the run; None where the engine needs none.
        checkpoint: keeps the minimisation of the cycle that is not complete; None keeps nothing.
        increment_time: whether increments of the analyst belong to the start of the window or to its end.
        inner: models of 4D-Var by coarsening, made when an engine asks for them.
    """

    cold_start: Callable[[], ColdStart]
    analyst: Analyst
    window: np.timedelta64
    ensemble: EnsembleRun | None = None
    checkpoint: MinimisationCheckpoint | None = None
    increment_time: Literal["start", "end"] = "end"
    inner: dict[int, InnerModel] = field(default_factory=dict)

    def run(self, store: RunStore) -> None:
        """Do every cycle that the store lacks; what is committed is never done again.

        Raises:
            InputError: driving fields are missing; nothing is begun.
            NumericsError: the model or the minimisation failed; the cycles before stay.
            StoreError, ResourceError: the store could not be written.
        """
        done, times = len(store.completed_cycles()), store.cycle_times
        if done == len(times):
            # A kill between the last commit and this leaves it.
            if self.checkpoint is not None:
                self.checkpoint.close()
            return
        if done:
            say(f"{self.name}: goes on after {format_utc(times[done - 1])}")
        self.boundaries.check(times[max(done - 1, 0)], times[-1])
        state = self._restart(store) if done else None
        with Progress(self.name, total=len(times) - done, unit="cycle") as progress:
            for number in range(done, len(times)):
                with store.cycle(times[number]) as transaction:
                    if state is None:
                        state = self._begin(times[number], transaction)
                    else:
                        state = self._cycle(state, times[number - 1], times[number], transaction)
                if self.checkpoint is not None:
                    self.checkpoint.close()
                # What the minimisation needed; the forecast that follows needs a fraction of it.
                give_freed_memory_back()
                progress.advance(note=format_utc(times[number]))

    def _restart(self, store: RunStore) -> State:
        tree = store.read_restart()
        template = self.model.start(self.boundaries.driving(store.completed_cycles()[-1]))
        if self.ensemble is not None:
            self.ensemble.resume(tree["members"], tree.get("members_boundary", {}), store.cycle_times[0])
        self.boundaries.correction.resume(tree.get("boundary", {}))
        return from_tree(tree["state"], template)

    def _begin(self, time: np.datetime64, out: CycleTransaction) -> State:
        begun = clock.perf_counter()
        start = self.cold_start()
        state = self.model.start(start.fields)
        found = fd.of_state(self.model, state)
        out.write_fields(fd.ANALYSIS, time, fd.instantaneous(found))
        state, tendency = self.initialise(state, time, found)
        begun_with = fd.of_state(self.model, state)
        out.write_fields(fd.FORECAST, time, begun_with)
        if self.ensemble is not None:
            self.ensemble.begin(begun_with, time)
        if start.table is not None:
            out.write_observations(start.table.to_arrow())
        seconds = {"all": clock.perf_counter() - begun}
        out.write_diagnostics({**start.diagnostics, "surface_pressure_tendency": tendency, "seconds": seconds})
        out.write_restart(self._kept(state))
        return state

    def _cycle(self, state: State, start: np.datetime64, end: np.datetime64, out: CycleTransaction) -> State:
        begun = clock.perf_counter()
        state, model = self._forecast(state, start, end, out)
        forecast_done = clock.perf_counter()
        if self.ensemble is not None:
            model.members = self.ensemble.forecast(start, model.times)
        if self.checkpoint is not None:
            self.checkpoint.open(end)
            model.checkpoint = self.checkpoint
        members_done = clock.perf_counter()
        analysed = continued = model.last
        analysis = self.analyst(model.trajectory(), Window.ending_at(end, self.window), model)
        analysis_done = clock.perf_counter()
        tendency: Mapping[str, Any] = {}
        # Where nothing was changed nothing has to be filtered.
        changed = any(np.any(field) for field in analysis.increment.values())
        if changed and self.increment_time == "start":
            # The model has smoothed the increment on its way: it needs no filter.
            state = model.states[-1]
            assert model.change is not None
            self.boundaries.correction.add(model.change, end)
            analysed = continued = model.last
            tendency = {"before": self.tendency(state, end, analysed)}
        elif changed:
            before, state = state, self.model.add_increment(state, analysis.increment)
            self.boundaries.correction.add(Boundary.of(state).less(Boundary.of(before)), end)
            analysed = fd.of_state(self.model, state)
            state, tendency = self.initialise(state, end, analysed)
            continued = fd.of_state(self.model, state)
        out.write_fields(fd.ANALYSIS, end, fd.instantaneous(analysed))
        spread = {f"{name}_spread": field for name, field in (analysis.errors or {}).items()}
        if self.ensemble is not None:
            anomalies = self.ensemble.centre(continued, analysis.anomalies, end)
            spread |= self.ensemble.spread(anomalies)
        if spread:
            out.write_fields(fd.ANALYSIS, end, spread, comment=analysis.errors_from)
        out.write_observations(analysis.table.to_arrow())
        seconds = {
            "forecast": forecast_done - begun,
            "members": members_done - forecast_done,
            "analysis": analysis_done - members_done,
            "rest": clock.perf_counter() - analysis_done,
        }
        out.write_diagnostics({**analysis.diagnostics, "surface_pressure_tendency": tendency, "seconds": seconds})
        out.write_restart(self._kept(state))
        return state

    def _kept(self, state: State) -> dict[str, Any]:
        """What the next cycle begins with."""
        kept: dict[str, Any] = {"state": to_tree(state)}
        if self.ensemble is not None:
            kept["members"] = self.ensemble.tree()
            kept["members_boundary"] = self.ensemble.correction.tree()
        kept["boundary"] = self.boundaries.correction.tree()
        return {name: tree for name, tree in kept.items() if tree}

    def _forecast(
        self, state: State, start: np.datetime64, end: np.datetime64, out: CycleTransaction
    ) -> tuple[State, OuterWindow]:
        """Carry the state from start to end, storing every output time and keeping the slots of the window."""
        first_slot = end - self.window
        current = fd.of_state(self.model, state)
        slots = [(start, state, brought(current))] if start >= first_slot else []
        time = start
        while time < end:
            nxt = min(time + self.output, end)
            state = self.advance(state, time, nxt)
            time, current = nxt, fd.of_state(self.model, state)
            out.write_fields(fd.FORECAST, time, current)
            if time >= first_slot:
                slots.append((time, state, brought(current)))
        times, states, fields = zip(*slots, strict=True)
        times = np.array(times, "datetime64[s]")
        return state, OuterWindow(self.model, self.advance, times, states, fields, current, self.inner)
