"""Driving fields whose errors keep their size in periods of any length.

The errors of a perturbed start leave the region with the weather, and none come in behind them. Here the weather around
the region is the unperturbed run, and each hour gets the difference between the analytic flow as a global analysis
would give it at that hour and the flow itself: errors in balance that travel, change and last.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from kaiseki.core.progress import Progress
from kaiseki.core.timing import format_utc
from kaiseki.driving import atmosphere_on_domain
from kaiseki.experiments.coarse_analysis import added
from kaiseki.experiments.twin.flow import Flow
from kaiseki.experiments.twin.integration import Fields
from kaiseki.experiments.twin.states import States, kept_or_made


@dataclass(frozen=True)
class LastingErrors:
    """Errors of driving fields that change in time and keep their size.

    Attributes:
        flow: the true one, about which they are balanced.
        origin: time at which its phase holds.
        seed, size, memory, longitude: see `Flow.perturbed_at`; memory in s.
    """

    flow: Flow
    origin: np.datetime64
    seed: int
    size: float
    memory: float
    longitude: float

    def wrong(self, time: np.datetime64) -> Flow:
        """The flow as the analysis of a time has it."""
        seconds = float((time - self.origin) / np.timedelta64(1, "s"))
        return self.flow.perturbed_at(seconds, self.seed, self.size, self.memory, self.longitude)

    def onto(self, weather: States, time: np.datetime64) -> Fields:
        """Weather of a time with the errors in u, v, temperature, pressure and humidity; the ground has none.

        Humidity errs in proportion, so that it stays positive; the columns are hydrostatic.
        """
        domain, fields = weather.domain, weather.at(time)
        right, wrong = (
            atmosphere_on_domain(flow.dataset(time, self.origin), domain) for flow in (self.flow, self.wrong(time))
        )
        error = {name: wrong[name] - right[name] for name in ("u", "v", "temperature", "pressure")}
        error["qv"] = fields["qv"] * (wrong["qv"] / right["qv"] - 1.0)
        return {name: np.asarray(field, np.float32) for name, field in added(fields, error, domain).items()}


def with_errors(weather: States, errors: LastingErrors, times: np.ndarray, path: Path | None, digest: str) -> States:
    """Weather at some of its times with errors, taken from a file where the same was kept.

    Args:
        weather: around the region.
        errors: of it.
        times: (nt,) datetime64[s].
        path: file where the result is looked for and kept; None keeps nothing.
        digest: of all that decides it.

    Raises:
        StoreError: it could not be kept.
    """

    def make() -> Iterator[tuple[np.datetime64, Fields]]:
        with Progress("errors of the driving fields", len(times), unit="hour") as progress:
            for time in times:
                yield time, errors.onto(weather, time)
                progress.advance(note=format_utc(time))

    return kept_or_made(path, digest, weather.domain, make)
