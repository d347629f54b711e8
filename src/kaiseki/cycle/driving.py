"""What drives a stream: fields on its domain at any time, and the boundary states made of them."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol, runtime_checkable

import jax
import jax.numpy as jnp
import numpy as np

from kaiseki.archive import RunStore
from kaiseki.core.errors import InputError
from kaiseki.core.timing import format_utc
from kaiseki.cycle.fields import ANALYSIS, FORECAST, Fields, from_store
from kaiseki.driving import Nest, atmosphere_on_domain
from kaiseki.driving.tide import missed_tide, with_tide
from kaiseki.forecast.model import Forcing, Model
from kaiseki.forecast.rim import Boundary
from kaiseki.grid import Domain


@runtime_checkable
class Driving(Protocol):
    """Fields on the domain of the stream that is driven."""

    def __call__(self, time: np.datetime64) -> Fields:
        """The fields at a time (UTC).

        Raises:
            InputError: nothing covers the time.
        """
        ...


@runtime_checkable
class Covering(Protocol):
    """Driving fields that know which times they cover; others (a nature run, a formula) cover all."""

    def missing(self, times: np.ndarray) -> np.ndarray:
        """Those of the times (datetime64, UTC) that nothing covers."""
        ...


LONGEST_GAP = np.timedelta64(12 * 3600, "s")
"""Between two global analyses: what changes within a day is lost in a longer one."""


def _uncovered(times: np.ndarray, known: np.ndarray) -> np.ndarray:
    """Times that do not lie at, or between two, of the known times at most LONGEST_GAP apart."""
    after = np.searchsorted(known, times)
    inside = (after > 0) & (after < len(known))
    narrow = np.zeros(len(times), bool)
    narrow[inside] = (known[after[inside]] - known[after[inside] - 1]) <= LONGEST_GAP
    return times[~(narrow | np.isin(times, known))]


@dataclass(frozen=True)
class Dataset:
    """Driving by a global analysis (an `xarray.Dataset` of `driving.read_global`), linear in time."""

    dataset: Any
    domain: Domain

    def __call__(self, time: np.datetime64) -> Fields:
        """See `Driving`."""
        return atmosphere_on_domain(self.dataset, self.domain, None if self.dataset.sizes["time"] == 1 else time)

    def missing(self, times: np.ndarray) -> np.ndarray:
        """See `Covering`."""
        return _uncovered(times, self.dataset["time"].values.astype("datetime64[s]"))


@dataclass(frozen=True)
class Analyses:
    """Driving by fields at a few times, linear between them and constant beyond."""

    fields: Mapping[np.datetime64, Fields]

    def __call__(self, time: np.datetime64) -> Fields:
        """See `Driving`."""
        times = sorted(self.fields)
        if time <= times[0]:
            return self.fields[times[0]]
        if time >= times[-1]:
            return self.fields[times[-1]]
        after = next(i for i, t in enumerate(times) if t >= time)
        weight = float((time - times[after - 1]) / (times[after] - times[after - 1]))
        return mixed(self.fields[times[after - 1]], self.fields[times[after]], weight)

    def missing(self, times: np.ndarray) -> np.ndarray:
        """See `Covering`: none, for they stand still beyond their ends."""
        return times[:0]


def mixed(before: Fields, after: Fields, weight: float) -> Fields:
    """(1 - weight) before + weight after, for the fields that both have; pressure by its logarithm."""
    made: Fields = {}
    for name in before.keys() & after.keys():
        a, b = np.asarray(before[name], np.float64), np.asarray(after[name], np.float64)
        if "pressure" in name:
            made[name] = np.exp((1.0 - weight) * np.log(a) + weight * np.log(b))
        else:
            made[name] = (1.0 - weight) * a + weight * b
    return made


@dataclass(frozen=True)
class WiderRun:
    """Driving by a run of our own on a wider domain.

    Where that run was corrected by an analysis, its forecast up to there is drawn to it: over `ramp` before the
    analysis a growing part of the increment is added, so that what is driven sees no jump. The observations of that
    analysis thereby reach the driving fields up to `ramp` before their time.

    Attributes:
        store: of the wider run.
        nest: from its domain to the one that is driven.
        ramp: see above.
        tide_at: times of the analyses, each of which knows the semidiurnal tide of its own time; what the fields miss
            of it at other times is added (`driving.tide`). Empty adds nothing.
    """

    store: RunStore
    nest: Nest
    ramp: np.timedelta64 = field(default=np.timedelta64(6 * 3600, "s"))
    tide_at: tuple[np.datetime64, ...] = ()

    @classmethod
    def onto(cls, store: RunStore, domain: Domain, **settings: Any) -> WiderRun:
        """From the store of the wider run."""
        return cls(store, Nest.build(store.domain(), domain), **settings)

    def wide(self, time: np.datetime64) -> Fields:
        """The fields of the wider run at a time, on its own domain."""
        times, analyses = self.store.times, self.store.cycle_times
        inside = (times >= time - np.timedelta64(1, "s")) & (times <= time)
        if not inside.any():
            before = times[times < time]
            after = times[times > time]
            if not len(before):
                raise InputError(f"{self.store.where} does not cover {format_utc(time)}")
            if not len(after):
                # Only the step that measures how calm the last analysis is looks beyond the end.
                return self.wide(before[-1])
            weight = float((time - before[-1]) / (after[0] - before[-1]))
            return mixed(self.wide(before[-1]), self.wide(after[0]), weight)
        first = analyses[0]
        if time <= first:
            return from_store(self.store, ANALYSIS, first)
        fields = from_store(self.store, FORECAST, time)
        later = analyses[analyses >= time]
        if not len(later):
            return fields
        weight = 1.0 - float((later[0] - time) / self.ramp)
        if weight <= 0.0 or later[0] not in self.store.completed_cycles() or not self._analysed(later[0]):
            return fields
        forecast = from_store(self.store, FORECAST, later[0])
        analysis = from_store(self.store, ANALYSIS, later[0])
        moved = dict(fields)
        for name in ("u", "v", "temperature", "qv", "surface_pressure"):
            if name in analysis and name in fields:
                moved[name] = fields[name] + weight * (analysis[name] - forecast[name])
        moved["pressure"] = fields["pressure"] * (analysis["pressure"] / forecast["pressure"]) ** weight
        moved["qv"] = np.maximum(moved["qv"], 0.0)
        return moved

    def missing(self, times: np.ndarray) -> np.ndarray:
        """See `Covering`."""
        known = self.store.times.astype("datetime64[s]")
        return _uncovered(times[times <= known[-1]] if len(known) else times, known)

    def _analysed(self, time: np.datetime64) -> bool:
        return bool(self.store.read_diagnostics(time).get("engine", "none") != "none")

    def __call__(self, time: np.datetime64) -> Fields:
        """See `Driving`."""
        fields = self.nest(self.wide(time))
        if not self.tide_at:
            return fields
        domain = self.nest.target
        return with_tide(fields, missed_tide(time, self.tide_at, domain.lat, domain.lon), domain)


@dataclass(frozen=True)
class Carried:
    """What analyses found wrong with the driving fields: a change of them that fades.

    Attributes:
        change: at `since`.
        since: time (UTC).
        memory: time in which it loses 63 %.
    """

    change: Boundary
    since: np.datetime64
    memory: np.timedelta64

    def at(self, time: np.datetime64) -> Boundary:
        """The change at a time."""
        part = float(np.exp(-(time - self.since) / self.memory))
        faded: Boundary = jax.tree.map(lambda a: part * a, self.change)
        return faded


@dataclass
class Boundaries:
    """Boundary states of a model at whole intervals, the last few kept.

    Attributes:
        model, driving: whose and of what.
        interval: between boundary times.
        memory: of what analyses find wrong with the driving fields (`carry`); zero forgets it at once.
        kept: boundary states.
        carried: see `carry`.
    """

    model: Model
    driving: Callable[[np.datetime64], Fields]
    interval: np.timedelta64
    memory: np.timedelta64 = field(default=np.timedelta64(0, "s"))
    kept: int = 4
    carried: Carried | None = None
    _states: OrderedDict[np.datetime64, Boundary] = field(default_factory=OrderedDict)

    def at(self, time: np.datetime64) -> Boundary:
        """The boundary state of a time, with what is carried."""
        if time not in self._states:
            self._states[time] = self.model.boundary(self.driving(time))
            while len(self._states) > self.kept:
                self._states.popitem(last=False)
        found = self._states[time]
        return found if self.carried is None else found.plus(self.carried.at(time))

    def check(self, first: np.datetime64, last: np.datetime64) -> None:
        """Refuse to begin what could not be ended.

        Raises:
            InputError: some of the times needed between `first` and `last` are not covered.
        """
        driving: Any = self.driving
        if not isinstance(driving, Covering):
            return
        times = np.arange(first, last + self.interval, self.interval).astype("datetime64[s]")
        times = times[times <= last]
        if len(lacking := driving.missing(times)):
            raise InputError(
                f"The driving fields lack {len(lacking)} of the {len(times)} times from {format_utc(times[0])} to "
                f"{format_utc(times[-1])} that the run needs, the first {format_utc(lacking[0])}; add files that cover "
                "them or shorten the period."
            )

    def between(self, start: np.datetime64, end: np.datetime64, change: Boundary | None = None) -> Forcing:
        """The forcing of a stretch, linear between its ends, plus a change."""
        ends = self.at(start), self.at(end)
        return Forcing(*(ends if change is None else (one.plus(change) for one in ends)))

    def carry(self, change: Boundary, time: np.datetime64) -> None:
        """Keep a change that an analysis found up to a time, beside what is carried already."""
        if self.memory <= np.timedelta64(0, "s"):
            return
        if self.carried is not None:
            change = jax.tree.map(jnp.add, change, self.carried.at(time))
        self.carried = Carried(change, time, self.memory)

    def kept_tree(self) -> dict[str, np.ndarray]:
        """What is carried, for the restart; {} where nothing is."""
        if self.carried is None:
            return {}
        return {name: np.asarray(one) for name, one in vars(self.carried.change).items()}

    def resume(self, tree: Mapping[str, np.ndarray], time: np.datetime64) -> None:
        """Carry what a restart of that time holds."""
        self.carried = None
        if tree:
            change = Boundary(**{name: jnp.asarray(one) for name, one in tree.items()})
            self.carried = Carried(change, time, self.memory)
