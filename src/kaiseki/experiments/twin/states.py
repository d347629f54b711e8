"""States of a run on its domain at whole hours, and how another domain sees them."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from kaiseki.assimilation import Trajectory
from kaiseki.core.errors import InputError
from kaiseki.core.timing import format_utc
from kaiseki.driving import Nest
from kaiseki.experiments.twin.integration import Fields
from kaiseki.experiments.twin.kept import find, keep
from kaiseki.grid import Domain


@dataclass(frozen=True, eq=False)
class States:
    """States at rising times.

    Attributes:
        domain: their grid.
        times: (nt,) datetime64[s].
        fields: name -> float32 (nt, nz, ny, nx) of u, v (grid-relative), w, temperature, pressure, qv, qc, qr, qi, qs,
            (nt, ny, nx) and (nt, nsoil, ny, nx) of what the model has at the ground; precipitation of the hour before.
    """

    domain: Domain
    times: np.ndarray
    fields: dict[str, np.ndarray]

    def at(self, time: np.datetime64) -> Fields:
        """The fields of a time.

        Raises:
            InputError: the time is not among them.
        """
        found = np.flatnonzero(self.times == time)
        if not len(found):
            raise InputError(
                f"The run on {self.domain.name} has states from {format_utc(self.times[0])} to "
                f"{format_utc(self.times[-1])}, but {format_utc(time)} is wanted"
            )
        return {name: values[found[0]] for name, values in self.fields.items()}

    def trajectory(self) -> Trajectory:
        """The states as observation operators take them."""
        return Trajectory.make(self.times, [self.at(time) for time in self.times], self.domain)

    def onto(self, domain: Domain) -> Nested:
        """The run as seen from a domain within.

        Raises:
            InputError: the domain reaches beyond.
        """
        return Nested(self, Nest.build(self.domain, domain))


@dataclass(frozen=True, eq=False)
class Nested:
    """A run on a domain within; called with one of its times it gives the fields there, over that domain's terrain."""

    run: States
    nest: Nest

    def __call__(self, time: np.datetime64) -> Fields:
        """The fields of a time on the inner domain, as `driving.interpolate_atmosphere` gives them.

        Raises:
            InputError: the run does not have the time.
        """
        return self.nest(self.run.at(np.datetime64(time, "s")))

    def missing(self, times: np.ndarray) -> np.ndarray:
        """Times (datetime64, UTC) among those asked for that the run does not have."""
        return times[~np.isin(times, self.run.times)]


def kept_or_made(
    path: Path | None, digest: str, domain: Domain, make: Callable[[], Iterable[tuple[np.datetime64, Fields]]]
) -> States:
    """States from a file where the same ones were kept, otherwise made and, with a path, kept.

    Raises:
        StoreError: they could not be kept.
    """
    if path is not None and (found := find(path, digest)) is not None:
        return States(domain, *found)
    times, states = zip(*make(), strict=True)
    fields = {name: np.stack([state[name] for state in states]) for name in states[0]}
    made = States(domain, np.array(times, dtype="datetime64[s]"), fields)
    if path is not None:
        keep(path, digest, made.times, made.fields)
    return made
