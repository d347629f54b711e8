"""Free forecasts: the model from one start after another, without analyses, into a store of forecasts."""

from __future__ import annotations

import time as clock
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np

from kaiseki.archive import CycleTransaction, ForecastStore
from kaiseki.archive.store.forecast_store import Stretch
from kaiseki.archive.store.schema import FORECAST
from kaiseki.core.progress import Progress, say
from kaiseki.core.timing import HOUR, format_utc
from kaiseki.cycle import fields as fd
from kaiseki.cycle.integration import Integration
from kaiseki.cycle.snapshot import from_tree, to_tree
from kaiseki.forecast.state import State


class Start(NamedTuple):
    """Start of a forecast.

    Attributes:
        state: at the start.
        boundary: what analyses found wrong with the driving fields up to there, as a tree; {} where nothing.
        diagnostics: how the start was made.
    """

    state: State
    boundary: Mapping[str, np.ndarray]
    diagnostics: Mapping[str, Any]


@dataclass
class FreeForecasts(Integration):
    """Forecasts from several starts, each to the same lead time.

    Attributes:
        start: makes the start of a time.
    """

    start: Callable[[np.datetime64], Start]

    def run(self, store: ForecastStore) -> None:
        """Do every stretch that the store lacks; what is committed is never done again.

        Raises:
            InputError: driving fields are missing.
            NumericsError: the model failed; the stretches before stay.
            StoreError, ResourceError: the store could not be written.
        """
        left = store.stretches[store.done() :]
        if not left:
            return
        state = None
        if not left[0].is_first:
            say(f"{self.name}: the {store.stretches[left[0].number - 1].words} is there and goes on")
            state = self._restart(store, left[0])
        with Progress(self.name, total=len(left), unit="part") as progress:
            for stretch in left:
                with store.stretch(stretch) as out:
                    begun = clock.perf_counter()
                    diagnostics: Mapping[str, Any] = {}
                    if stretch.is_first or state is None:
                        state, diagnostics = self._begin(stretch.reference, out)
                    state = self._forecast(state, stretch, store.lead_times, out)
                    out.write_diagnostics({**diagnostics, "seconds": {"all": clock.perf_counter() - begun}})
                    out.write_restart({} if stretch.end == store.lead_times[-1] else self._kept(state))
                progress.advance(note=f"{format_utc(stretch.reference)} +{stretch.end / HOUR:g} h")

    def _begin(self, time: np.datetime64, out: CycleTransaction) -> tuple[State, Mapping[str, Any]]:
        start = self.start(time)
        self.boundaries.correction.resume(start.boundary)
        out.write_fields(FORECAST, time, fd.instantaneous(fd.of_state(self.model, start.state)))
        return start.state, start.diagnostics

    def _forecast(self, state: State, stretch: Stretch, leads: np.ndarray, out: CycleTransaction) -> State:
        time = stretch.reference + stretch.start
        for lead in leads[(leads > stretch.start) & (leads <= stretch.end)]:
            state = self.advance(state, time, stretch.reference + lead)
            time = stretch.reference + lead
            out.write_fields(FORECAST, time, fd.of_state(self.model, state))
        return state

    def _kept(self, state: State) -> dict[str, Any]:
        """What the next stretch begins with."""
        kept: dict[str, Any] = {"state": to_tree(state)}
        if boundary := self.boundaries.correction.tree():
            kept["boundary"] = boundary
        return kept

    def _restart(self, store: ForecastStore, stretch: Stretch) -> State:
        tree = store.read_restart()
        self.boundaries.correction.resume(tree.get("boundary", {}))
        return from_tree(tree["state"], self.model.start(self.boundaries.driving(stretch.reference)))
