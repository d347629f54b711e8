"""States of the model at the time slots of a window: what observations are compared with."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Self

import numpy as np

from kaiseki.core.errors import InputError
from kaiseki.core.timing import format_utc
from kaiseki.grid import Domain
from kaiseki.statistics import ANALYSIS_VARIABLES


@dataclass(frozen=True, eq=False)
class Trajectory:
    """Fields at rising times; see docs/architecture.md.

    Attributes:
        times: (nt,) datetime64[s], rising.
        fields: per time `u v temperature pressure qv` (nz, ny, nx); u, v grid-relative [m s-1], K, Pa, kg kg-1.
        domain: their grid.
    """

    times: np.ndarray
    fields: tuple[Mapping[str, np.ndarray], ...]
    domain: Domain

    def __post_init__(self) -> None:
        if len(self.times) == 0 or len(self.times) != len(self.fields):
            raise InputError(
                f"A trajectory needs one set of fields per time; got {len(self.times)} times, {len(self.fields)} sets"
            )
        if len(self.times) > 1 and not (np.diff(self.times) > np.timedelta64(0, "s")).all():
            raise InputError("The times of a trajectory must rise")
        for time, fields in zip(self.times, self.fields, strict=True):
            for name in ANALYSIS_VARIABLES:
                if name not in fields:
                    raise InputError(
                        f"The trajectory at {format_utc(time)} lacks {name}; it needs {ANALYSIS_VARIABLES}"
                    )
                if np.shape(fields[name]) != self.domain.shape:
                    raise InputError(
                        f"{name} of the trajectory at {format_utc(time)} has shape {np.shape(fields[name])}, the "
                        f"domain {self.domain.shape}"
                    )

    @classmethod
    def make(cls, times: Sequence[Any] | np.ndarray, fields: Sequence[Mapping[str, Any]], domain: Domain) -> Self:
        """Trajectory made of sequences; of the fields the five of `statistics.ANALYSIS_VARIABLES` are kept, as NumPy
        arrays.

        Raises:
            InputError: see the class; or a field is missing.
        """
        kept = tuple({name: np.asarray(one[name]) for name in ANALYSIS_VARIABLES if name in one} for one in fields)
        return cls(np.asarray(times, dtype="datetime64[s]"), kept, domain)

    @property
    def last(self) -> Mapping[str, np.ndarray]:
        """The fields at the end."""
        return self.fields[-1]

    def stacked(self) -> dict[str, np.ndarray]:
        """Each field (nt, nz, ny, nx): the form in which operators take a trajectory."""
        return {name: np.stack([one[name] for one in self.fields]) for name in ANALYSIS_VARIABLES}

    def plus(self, increment: Mapping[str, np.ndarray]) -> Trajectory:
        """Trajectory with one increment added at every time (the model is the identity within the window); qv is held
        at 0."""
        moved = []
        for one in self.fields:
            sums = {name: one[name] + np.asarray(increment[name]) for name in ANALYSIS_VARIABLES}
            moved.append({**sums, "qv": np.maximum(sums["qv"], 0.0)})
        return Trajectory(self.times, tuple(moved), self.domain)
