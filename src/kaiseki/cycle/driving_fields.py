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
from kaiseki.driving import DrivingData, Nest, SeaSeries, atmosphere_on_domain, with_sea
from kaiseki.driving.soil import bounds_about, onto_layers
from kaiseki.driving.sources.derived import check_ice
from kaiseki.driving.tide import missed_tide, with_tide
from kaiseki.forecast.model import Forcing, Model
from kaiseki.forecast.physics.surface import Sea
from kaiseki.forecast.rim import Boundary
from kaiseki.grid import Domain


@runtime_checkable
class DrivingFields(Protocol):
    """Fields on the domain of the stream that is driven."""

    def __call__(self, time: np.datetime64) -> Fields:
        """The fields at a time (UTC).

        Raises:
            InputError: nothing covers the time.
        """
        ...


@runtime_checkable
class Covering(Protocol):
    """Driving fields that cover a limited range of times; others (a nature run, a formula) cover all."""

    def missing(self, times: np.ndarray) -> np.ndarray:
        """Times (datetime64, UTC) among those asked for that nothing covers."""
        ...


LONGEST_GAP = np.timedelta64(12 * 3600, "s")
"""Longest interval between two global analyses; what changes within a day is lost in a longer one."""


def _uncovered(times: np.ndarray, known: np.ndarray) -> np.ndarray:
    """Times that do not lie at, or between two, of the known times at most LONGEST_GAP apart."""
    after = np.searchsorted(known, times)
    inside = (after > 0) & (after < len(known))
    narrow = np.zeros(len(times), bool)
    narrow[inside] = (known[after[inside]] - known[after[inside] - 1]) <= LONGEST_GAP
    return times[~(narrow | np.isin(times, known))]


@dataclass(frozen=True)
class Dataset:
    """Driving by global analyses, linear in time.

    Attributes:
        dataset: `driving.DrivingData`, or an `xarray.Dataset` of its form.
        domain: which it drives.
        soil: thickness of the layers of soil wanted, m; None leaves the soil out.
    """

    dataset: Any
    domain: Domain
    soil: tuple[float, ...] | None = None

    def __call__(self, time: np.datetime64) -> Fields:
        """Fields at a time (UTC), as of `DrivingFields`."""
        return atmosphere_on_domain(self.dataset, self.domain, time, self.soil)

    def missing(self, times: np.ndarray) -> np.ndarray:
        """Times that the analyses do not cover, as of `Covering`.

        Raises:
            InputError: an analysis is missing between two others.
        """
        if not isinstance(self.dataset, DrivingData):
            return _uncovered(times, self.dataset["time"].values.astype("datetime64[s]"))
        self.dataset.check_gaps(times.min(), times.max())
        return _uncovered(times, self.dataset.times)


@dataclass(frozen=True)
class Steady:
    """Driving fields of one time, held constant.

    Attributes:
        driving: the fields.
        time: of theirs that is held, UTC.
    """

    driving: DrivingFields
    time: np.datetime64

    def __call__(self, time: np.datetime64) -> Fields:
        """Fields at a time (UTC), as of `DrivingFields`: always the same."""
        return self.driving(self.time)

    def missing(self, times: np.ndarray) -> np.ndarray:
        """Times that nothing covers, as of `Covering`: none."""
        return times[:0]


@dataclass(frozen=True)
class WithSea:
    """Driving fields with a sea of their own, which moves in time as they do.

    Attributes:
        driving: the fields.
        domain: of the fields.
        sst: sea-surface temperature on the domain, K, at any time; None keeps that of the fields.
        ice: fraction of the sea covered by ice on the domain at any time; None keeps that of the fields.
    """

    driving: DrivingFields
    domain: Domain
    sst: SeaSeries | None = None
    ice: SeaSeries | None = None

    def __call__(self, time: np.datetime64) -> Fields:
        """Fields at a time (UTC), as of `DrivingFields`.

        Raises:
            InputError: nothing covers the time, or ice lies on warm water.
        """
        sst, ice = (None if series is None else series(time) for series in (self.sst, self.ice))
        made = with_sea(self.driving(time), self.domain, sst, ice)
        if "sst" in made and "sea_ice" in made:
            wet = self.domain.land_fraction < 1.0
            check_ice(f"sea of {self.domain.name}", np.where(wet, made["sea_ice"], 0.0), made["sst"])
        return made

    def missing(self, times: np.ndarray) -> np.ndarray:
        """Times that the driving fields or the sea do not cover, as of `Covering`."""
        lacking = np.zeros(len(times), bool)
        for one in (self.driving, self.sst, self.ice):
            if isinstance(one, Covering):
                lacking |= np.isin(times, one.missing(times))
        return times[lacking]


@dataclass(frozen=True)
class Analyses:
    """Driving by fields at a few times, linear between them and constant beyond."""

    fields: Mapping[np.datetime64, Fields]

    def __call__(self, time: np.datetime64) -> Fields:
        """Fields at a time (UTC), as of `DrivingFields`."""
        times = sorted(self.fields)
        if time <= times[0]:
            return self.fields[times[0]]
        if time >= times[-1]:
            return self.fields[times[-1]]
        after = next(i for i, t in enumerate(times) if t >= time)
        weight = float((time - times[after - 1]) / (times[after] - times[after - 1]))
        return mixed(self.fields[times[after - 1]], self.fields[times[after]], weight)

    def missing(self, times: np.ndarray) -> np.ndarray:
        """Times that the analyses do not cover, as of `Covering`: none, since they are constant beyond their ends."""
        return times[:0]


def mixed(before: Fields, after: Fields, weight: float) -> Fields:
    """Weighted mean (1 - weight) before + weight after, for the fields that both have; pressure by its logarithm."""
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
        soil: thickness of the layers of soil wanted, m; None leaves the soil on those of the store.
    """

    store: RunStore
    nest: Nest
    ramp: np.timedelta64 = field(default=np.timedelta64(6 * 3600, "s"))
    tide_at: tuple[np.datetime64, ...] = ()
    soil: tuple[float, ...] | None = None

    @classmethod
    def onto(cls, store: RunStore, domain: Domain, **settings: Any) -> WiderRun:
        """Driving of a domain by the store of the wider run."""
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
        """Times that the wider run does not cover, as of `Covering`."""
        known = self.store.times.astype("datetime64[s]")
        late = times > known[-1]
        beyond = times[late]
        # Where the run ends between two boundary times, the later one is as its end; nothing is constant beyond that.
        if known[-1] not in times:
            beyond = beyond[1:]
        return np.concatenate([_uncovered(times[~late], known), beyond])

    def _soil(self, fields: Fields) -> Fields:
        """The fields with their soil on the layers wanted."""
        depth = None if self.soil is None else self.store.soil_depth()
        if self.soil is None or depth is None:
            return fields
        made, bounds = dict(fields), bounds_about(depth)
        for name in fields.keys() & {"soil_temperature", "soil_moisture"}:
            made[name] = onto_layers(fields[name], depth, bounds, self.soil, amount=name == "soil_moisture")
        return made

    def _analysed(self, time: np.datetime64) -> bool:
        return bool(self.store.read_diagnostics(time).get("engine", "none") != "none")

    def __call__(self, time: np.datetime64) -> Fields:
        """Fields at a time (UTC), as of `DrivingFields`."""
        fields = self._soil(self.nest(self.wide(time)))
        if not self.tide_at:
            return fields
        domain = self.nest.target
        return with_tide(fields, missed_tide(time, self.tide_at, domain.lat, domain.lon), domain)


@dataclass
class BoundaryCorrection:
    """What analyses found wrong with the driving fields: a change of them that fades.

    Attributes:
        memory: time in which it loses 63 %; zero forgets it at once.
        change: at `since`; None when there is none.
        since: time (UTC).
    """

    memory: np.timedelta64
    change: Boundary | None = None
    since: np.datetime64 | None = None

    def add(self, change: Boundary, time: np.datetime64) -> None:
        """Keep a change that an analysis found up to a time, beside what is carried already."""
        if self.memory <= np.timedelta64(0, "s"):
            return
        before = self._at(time)
        self.change = change if before is None else jax.tree.map(jnp.add, change, before)
        self.since = time

    def onto(self, boundary: Boundary, time: np.datetime64) -> Boundary:
        """Driving fields of a time with the change; they may have a leading axis of members."""
        change = self._at(time)
        return boundary if change is None else boundary.plus(change)

    def tree(self) -> dict[str, np.ndarray]:
        """What is carried, for the restart; {} where nothing is."""
        if self.change is None:
            return {}
        return {"since": np.asarray(self.since)} | {name: np.asarray(one) for name, one in vars(self.change).items()}

    def resume(self, tree: Mapping[str, np.ndarray]) -> None:
        """Carry what a restart holds."""
        self.change = self.since = None
        if tree:
            self.since = np.datetime64(tree["since"].item(), "s")
            self.change = Boundary(**{name: jnp.asarray(one) for name, one in tree.items() if name != "since"})

    def _at(self, time: np.datetime64) -> Boundary | None:
        """The change at a time; before `since`, which an interval that straddles it asks for, as it was found."""
        if self.change is None or self.since is None:
            return None
        part = float(np.exp(-max(0.0, float((time - self.since) / self.memory))))
        faded: Boundary = jax.tree.map(lambda a: part * a, self.change)
        return faded


@dataclass
class Boundaries:
    """Boundary states and states of the sea of a model at whole intervals, the last few kept.

    Attributes:
        model, driving: whose and of what.
        interval: between boundary times.
        carried: what analyses found wrong with the driving fields.
        kept: number of times.
    """

    model: Model
    driving: Callable[[np.datetime64], Fields]
    interval: np.timedelta64
    correction: BoundaryCorrection = field(default_factory=lambda: BoundaryCorrection(np.timedelta64(0, "s")))
    kept: int = 4
    _states: OrderedDict[np.datetime64, tuple[Boundary, Sea | None]] = field(default_factory=OrderedDict)

    def at(self, time: np.datetime64) -> Boundary:
        """The boundary state of a time, with what is carried."""
        return self._at(time)[0]

    def _at(self, time: np.datetime64) -> tuple[Boundary, Sea | None]:
        """The boundary state of a time, with what is carried, and that of the sea."""
        if time not in self._states:
            fields = self.driving(time)
            self._states[time] = self.model.boundary(fields), self.model.sea(fields)
            while len(self._states) > self.kept:
                self._states.popitem(last=False)
        boundary, sea = self._states[time]
        return self.correction.onto(boundary, time), sea

    def check(self, first: np.datetime64, last: np.datetime64) -> None:
        """Refuse to begin what could not be ended.

        Raises:
            InputError: some of the times needed between `first` and `last` are not covered.
        """
        driving: Any = self.driving
        if not isinstance(driving, Covering):
            return
        begin, end = floored(first, self.interval), floored(last, self.interval)
        end = end if end == last else end + self.interval
        times = np.arange(begin, end + self.interval, self.interval).astype("datetime64[s]")
        if len(lacking := driving.missing(times)):
            alone = len(lacking) == len(times) - 1
            raise InputError(
                f"The driving fields lack {len(lacking)} of the {len(times)} times from {format_utc(times[0])} to "
                f"{format_utc(times[-1])} that the run needs, the first {format_utc(lacking[0])}; add files that cover "
                "them or shorten the period"
                + (", or hold the one analysis constant with driving.steady = true, for a try." if alone else ".")
            )

    def between(self, start: np.datetime64, end: np.datetime64, change: Boundary | None = None) -> Forcing:
        """The forcing of a stretch, linear between its ends, plus a change of the boundary."""
        ends = self._at(start), self._at(end)
        if change is not None:
            ends = (ends[0][0].plus(change), ends[0][1]), (ends[1][0].plus(change), ends[1][1])
        return Forcing.between(*ends)


def floored(time: np.datetime64, interval: np.timedelta64) -> np.datetime64:
    """The last whole interval up to a time."""
    second = np.timedelta64(1, "s")
    return time - np.timedelta64(int(time.astype("datetime64[s]").astype(np.int64)) % int(interval / second), "s")
