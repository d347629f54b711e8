"""The ensemble that goes beside a stream: members of the same model on a coarser grid, centred on the analysis.

They differ in where they begin, in what drives them, and in what the analyses leave of that. Perturbations of the
driving fields are random increments with the background covariance (Torn, Hakim and Snyder 2006, Mon. Wea. Rev. 134,
2490-2502), correlated in time by a moving average over random numbers that are known by their time, so that nothing has
to be remembered; the members begin with those of their own time.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from kaiseki.assimilation.ensemble import Ensemble
from kaiseki.assimilation.inner import parameters_on
from kaiseki.config import BackgroundError, EnsembleSettings
from kaiseki.cycle.driving_fields import BoundaryCorrection, floored
from kaiseki.cycle.fields import OBSERVED, Fields
from kaiseki.cycle.snapshot import from_tree, to_tree
from kaiseki.forecast.integrate import Forcing
from kaiseki.forecast.model import Model
from kaiseki.forecast.parallel.members import advance_members, stack, unstack
from kaiseki.forecast.physics.surface import Sea
from kaiseki.forecast.rim import Boundary
from kaiseki.forecast.state import State, begin_interval
from kaiseki.grid.coarsening import Coarsening
from kaiseki.statistics import ANALYSIS_VARIABLES
from kaiseki.statistics.covariance import BackgroundCovariance, build

MEMORY_LENGTH = 3
"""Correlation times after which the moving average of the perturbations ends."""


@dataclass(frozen=True, eq=False)
class Perturbations:
    """Random increments (nz, J, I) of every member at whole intervals, with the same covariance at all times.

    Attributes:
        covariance: theirs, on the members' grid.
        members: their number; at each time they add up to zero.
        deviation: factor of the standard deviations.
        interval: between the times.
        hours: correlation time.
        seed: of the random numbers.
    """

    covariance: BackgroundCovariance
    members: int
    deviation: float
    interval: np.timedelta64
    hours: float
    seed: int

    def __call__(self, time: np.datetime64) -> list[dict[str, np.ndarray]]:
        """Increments of `ANALYSIS_VARIABLES` at a time, one per member."""
        each = float(self.interval / np.timedelta64(1, "h"))
        number = int(time.astype("datetime64[s]").astype(np.int64) // int(self.interval / np.timedelta64(1, "s")))
        weights = np.exp(-each / self.hours * np.arange(1 + round(MEMORY_LENGTH * self.hours / each)))
        weights *= self.deviation / np.linalg.norm(weights)
        size = self.covariance.control_size
        control = np.zeros((self.members, size), np.float32)
        for back, weight in enumerate(weights):
            generator = np.random.default_rng([self.seed, number - back])
            control += np.float32(weight) * generator.standard_normal(control.shape, np.float32)
        # Without a mean, and with the variance that they were drawn with.
        control = (control - control.mean(axis=0)) * np.float32(np.sqrt(self.members / (self.members - 1.0)))
        found = []
        for row in control:
            made = _sqrt(self.covariance, jnp.asarray(row, dtype=float))
            found.append({name: np.asarray(made[name], np.float64) for name in ANALYSIS_VARIABLES})
        return found


@jax.jit
def _sqrt(covariance: BackgroundCovariance, control: Any) -> Any:
    return covariance.sqrt(control)


@dataclass
class EnsembleRun:
    """Members of a stream. Make one with `EnsembleRun.make`; `begin` or `resume` gives it its members.

    Attributes:
        coarsening: from the grid of the analysis to that of the members.
        model: on the latter.
        driving: fields on the former at any time.
        interval: between boundary times.
        errors: of the perturbations.
        section: the experiment's section `assimilation.ensemble`.
        carried: what analyses found wrong with the driving fields, the same for all members.
        states: of the members, leading axis members.
    """

    coarsening: Coarsening
    model: Model
    driving: Callable[[np.datetime64], Fields]
    interval: np.timedelta64
    errors: BackgroundError
    section: EnsembleSettings
    correction: BoundaryCorrection
    states: State | None = None
    _perturbations: Perturbations | None = None
    _boundaries: OrderedDict[np.datetime64, Any] = field(default_factory=OrderedDict)

    @classmethod
    def make(
        cls,
        outer: Model,
        driving: Callable[[np.datetime64], Fields],
        interval: np.timedelta64,
        output: np.timedelta64,
        errors: BackgroundError,
        section: EnsembleSettings,
        memory: np.timedelta64,
        epoch: np.datetime64,
    ) -> EnsembleRun:
        """The ensemble of a stream.

        Args:
            outer: model of the stream.
            driving: what drives it.
            interval: between boundary times.
            output: between slots.
            errors: background errors of the stream.
            section: `assimilation.ensemble`.
            memory: of what analyses find wrong with the driving fields.
            epoch: UTC of time 0 of the model.

        Raises:
            ConfigError: too few cells are left.
        """
        coarsening = Coarsening.build(outer.domain, section.coarsening)
        seconds = float(output / np.timedelta64(1, "s"))
        parameters = parameters_on(coarsening, outer.parameters, section.coarsening, seconds)
        model = Model.make(coarsening.coarse, outer.reference, parameters, outer.physics, epoch=epoch)
        return cls(coarsening, model, driving, interval, errors, section, BoundaryCorrection(memory))

    def begin(self, fields: Mapping[str, np.ndarray], time: np.datetime64) -> None:
        """Members about the fields with which the stream begins."""
        driving = self.driving(time)
        # About the driving fields, which a resumed run knows as well.
        self._perturbations = self._perturb(self._means(driving))
        means = self._means({**driving, **fields})
        states = []
        for change in self._perturbations(time):
            states.append(self.model.start(_plus(means, change)))
        self.states = stack(states)

    def resume(self, tree: Mapping[str, Any], carried: Mapping[str, Any], start: np.datetime64) -> None:
        """Members as `tree` kept them and what is carried, in a stream that began at `start`."""
        means = self._means(self.driving(start))
        self._perturbations = self._perturb(means)
        template = self.model.start(means)
        self.correction.resume(carried)
        self.states = from_tree(tree, stack([template] * self.section.members))

    def tree(self) -> dict[str, np.ndarray]:
        """The members as plain arrays, for a restart."""
        assert self.states is not None
        return to_tree(self.states)

    def forecast(self, start: np.datetime64, slots: np.ndarray) -> Ensemble:
        """Carry the members from start to the last slot; what they are at the slots."""
        states, time = self.states, start
        assert states is not None
        fields = []
        for slot in slots:
            states = begin_interval(states)
            while time < slot:
                states, time = self._stretch(states, time, slot)
            fields.append(self._observed(states))
        self.states = states
        every = np.stack(fields, axis=1)
        mean = every.mean(axis=0, dtype=np.float64)
        means = tuple(dict(zip(ANALYSIS_VARIABLES, one, strict=True)) for one in mean)
        return Ensemble(self.coarsening, slots, means, (every - mean).astype(np.float32))

    def centre(self, fields: Mapping[str, np.ndarray], anomalies: np.ndarray | None, time: np.datetime64) -> np.ndarray:
        """Centre the members on the analysis; what that changes of their mean is carried in what drives them.

        Args:
            fields: the analysis.
            anomalies: (N, 5, nz, J, I) of the members; None leaves theirs.
            time: of the analysis (UTC).

        Returns:
            The anomalies.
        """
        assert self.states is not None
        now = self._observed(self.states).astype(np.float64)
        if anomalies is None:
            anomalies = now - now.mean(axis=0)
        target = np.stack([self.coarsening(np.asarray(fields[name], np.float64)) for name in ANALYSIS_VARIABLES])
        changed = []
        for state, before, anomaly in zip(unstack(self.states), now, anomalies, strict=True):
            change = target + anomaly - before
            changed.append(self.model.add_increment(state, dict(zip(ANALYSIS_VARIABLES, change, strict=True))))
        before, self.states = self.states, stack(changed)
        change = Boundary.of(self.states).less(Boundary.of(before))
        self.correction.add(jax.tree.map(lambda a: jnp.mean(a, axis=0), change), time)
        return anomalies

    def spread(self, anomalies: np.ndarray) -> Fields:
        """Standard deviation of the members' pressure and humidity on the grid of the analysis, what `Analysis.errors`
        does not hold, by the names of core/variables.csv."""
        found = {}
        for number, name in enumerate(ANALYSIS_VARIABLES):
            if name in ("pressure", "qv"):
                deviation = np.std(anomalies[:, number], axis=0, ddof=1, dtype=np.float64)
                found[f"{name}_spread"] = self.coarsening.refine(deviation).astype(np.float32)
        return found

    def _stretch(self, states: State, time: np.datetime64, slot: np.datetime64) -> tuple[State, np.datetime64]:
        """Members carried as far as the slot or the next boundary time."""
        one = np.timedelta64(1, "s")
        origin = floored(time, self.interval)
        stop = min(origin + self.interval, slot)
        before, after = (self._driven_by(end) for end in (origin, origin + self.interval))
        seconds, elapsed, span = (float(d / one) for d in (stop - time, time - origin, self.interval))
        return advance_members(self.model, states, Forcing.between(before, after), seconds, span, elapsed), stop

    def _driven_by(self, time: np.datetime64) -> tuple[Boundary, Sea | None]:
        """Boundary states, with what is carried, and the sea of all members at a boundary time; the sea is the same for
        all."""
        if time not in self._boundaries:
            means = self._means(self.driving(time))
            assert self._perturbations is not None
            boundaries = stack([self.model.boundary(_plus(means, change)) for change in self._perturbations(time)])
            sea = self.model.sea(means)
            self._boundaries[time] = boundaries, None if sea is None else stack([sea] * self.section.members)
            while len(self._boundaries) > 2:
                self._boundaries.popitem(last=False)
        boundary, sea = self._boundaries[time]
        return self.correction.onto(boundary, time), sea

    def _means(self, fields: Mapping[str, np.ndarray]) -> Fields:
        return {name: self.coarsening(np.asarray(one, np.float64)) for name, one in fields.items()}

    def _perturb(self, means: Fields) -> Perturbations:
        section = self.section
        # What drives is perturbed right to the edge.
        covariance = build(self.model.domain, self.errors, means)
        return Perturbations(
            covariance, section.members, section.perturbation, self.interval, section.perturbation_hours, section.seed
        )

    def _observed(self, states: State) -> np.ndarray:
        """Fields (N, 5, nz, J, I) that observation operators need, in the order of `ANALYSIS_VARIABLES`."""
        found = []
        for state in unstack(states):
            air = self.model.atmosphere(state)
            found.append(np.stack([np.asarray(getattr(air, name)) for name in OBSERVED]))
        return np.stack(found)


def _plus(fields: Fields, change: Mapping[str, np.ndarray]) -> Fields:
    """Fields of a column model start plus an increment; humidity stays positive."""
    made = dict(fields)
    for name in ANALYSIS_VARIABLES:
        made[name] = fields[name] + change[name]
    made["qv"] = np.maximum(made["qv"], 0.0)
    return made
