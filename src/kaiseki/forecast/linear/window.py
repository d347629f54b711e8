"""The linear model over a window that is linearised once and applied often: tangent-linear and adjoint between a
change at the start and what it becomes at a few times (slots). What drives the model at the rim and under the model top
is changed as the start is, by the same amount all through the window: a change of a limited area that reaches its edge
comes from outside and stays, and what the wind brings in follows from it (control of the lateral boundary, Gustafsson
2012, Tellus 64A, 17518, here with one change for the whole window).

What it is linearised about is kept at the start of every segment of a few steps, as many as the memory allowed for it
holds; within a segment it is computed again. With segments of one step nothing is computed twice.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array, lax

from kaiseki.forecast.dynamics.metrics import Metrics
from kaiseki.forecast.dynamics.parameters import DynamicsParameters
from kaiseki.forecast.dynamics.step import dynamics_step
from kaiseki.forecast.integrate import Forcing, driven
from kaiseki.forecast.linear.forecast import smooth
from kaiseki.forecast.linear.increments import ANALYSED, from_model, into_model
from kaiseki.forecast.linear.simplified_physics import RegularPhysics, regular_physics
from kaiseki.forecast.model import Model
from kaiseki.forecast.perturbation import Perturbation
from kaiseki.forecast.rim import Boundary, Relaxation
from kaiseki.forecast.state import State

MEMORY = 4e9
"""Bytes that the trajectory may take unless told otherwise."""

type Fixed = tuple[Forcing | None, Metrics, Relaxation | None, Array]
"""What does not change with the start; last the fraction of land."""

type Settings = tuple[DynamicsParameters, RegularPhysics | None, int]
"""What is fixed at compilation: dynamics, physics, steps per segment."""

type AdjointState = tuple[Perturbation, Boundary]
"""Sensitivities to the fields and to the boundary."""

type Slots = dict[str, Array]
"""`increments.ANALYSED` at the slots, (slots, z, y, x) each."""


@jax.tree_util.register_dataclass
@dataclass(frozen=True)
class LinearisationTrajectory:
    """What a window is linearised about.

    Attributes:
        slots: states at the slots, leading axis slots.
        bases: fields at the start of every segment between them, leading axes (slots - 1, segments).
        state: any state of the window: what a `Perturbation` does not hold.
        penalty: (slots - 1, segments) weights of the sum over the window that `LinearWindow.tangent` returns beside the
            slots.
    """

    slots: Perturbation
    bases: Perturbation
    state: State
    penalty: Array


@dataclass(frozen=True, eq=False)
class LinearWindow:
    """A linearised window. Make one with `LinearWindow.about`.

    Attributes:
        model: with the smooth form of the dynamics.
        forcing: boundary at the start and the end of the window; None without a rim.
        course: see `LinearisationTrajectory`.
        physics: of the linear model; None leaves dry dynamics and the transport of vapour.
        segment: steps per segment.
    """

    model: Model
    forcing: Forcing | None
    course: LinearisationTrajectory
    physics: RegularPhysics | None
    segment: int

    @classmethod
    def about(
        cls,
        model: Model,
        forcing: Forcing | None,
        states: Sequence[State],
        seconds: float,
        physics: RegularPhysics | None = None,
        penalty: np.ndarray | None = None,
        memory: float = MEMORY,
    ) -> LinearWindow:
        """Linearise about states at the slots: between two of them about the model's own forecast from the first.

        Args:
            model: the inner model; its smooth form is taken.
            forcing: see the class.
            states: at the slots, at least two.
            seconds: between two slots, a whole number of steps.
            physics: see the class.
            penalty: weights by step from the start, (steps,), of the sum returned beside the slots; none when absent.
            memory: bytes for the trajectory.
        """
        inner = dataclasses.replace(model, parameters=smooth(model.parameters), physics=None, site=None)
        between = inner.steps(seconds)
        starts = jax.tree.map(lambda *a: jnp.stack(a), *(Perturbation.of(s) for s in states))
        bytes_of_state = sum(a[0].nbytes for a in jax.tree.leaves(starts))
        steps = between * (len(states) - 1)
        fits = [d for d in range(1, between + 1) if between % d == 0 and steps / d * bytes_of_state <= memory]
        segment = min(fits, default=between)
        weights = np.zeros(steps) if penalty is None else np.asarray(penalty)
        per_segment = weights.reshape(len(states) - 1, between // segment, segment).sum(axis=-1)
        window = cls(
            inner,
            forcing,
            LinearisationTrajectory(starts, starts, states[0], jnp.asarray(per_segment)),
            physics,
            segment,
        )
        first = jax.tree.map(lambda a: a[:-1], starts)
        bases = _bases(first, states[0], window._fixed, window._settings, between // segment, steps)
        return dataclasses.replace(window, course=dataclasses.replace(window.course, bases=bases))

    @property
    def memory(self) -> float:
        """Bytes of the trajectory."""
        return float(sum(a.nbytes for a in jax.tree.leaves(self.course.bases)))

    @property
    def _fixed(self) -> Fixed:
        land = jnp.asarray(self.model.domain.land_fraction, self.course.slots.drho.dtype)
        return self.forcing, self.model.metrics, self.model.relaxation, land

    @property
    def _settings(self) -> Settings:
        return self.model.parameters, self.physics, self.segment

    def tangent(self, change: Mapping[str, Any]) -> tuple[Slots, Perturbation]:
        """What a change of `ANALYSED` at the start becomes at the slots, and the weighted sum over the window."""
        return _tangent(dict(change), self.course, self._fixed, self._settings)

    def adjoint(self, slots: Mapping[str, Any], total: Perturbation | None = None) -> dict[str, Array]:
        """Transpose of `tangent`: sensitivity (z, y, x) to `ANALYSED` at the start."""
        if total is None:
            total = jax.tree.map(lambda a: jnp.zeros_like(a[0]), self.course.slots)
        return _adjoint(dict(slots), total, self.course, self._fixed, self._settings)


def _segment(
    fields: Perturbation,
    change: Boundary | None,
    state: State,
    first: Array,
    fixed: Fixed,
    settings: Settings,
    steps: int,
) -> Perturbation:
    """The steps of a segment from step number `first` of the `steps` of the window; `change` is of the boundary."""
    forcing, metrics, relaxation, land = fixed
    p, physics, m = settings

    def one(fields: Perturbation, k: Array) -> tuple[Perturbation, None]:
        now = fields.onto(state)
        slow, water = (None, None) if physics is None else regular_physics(now, land, metrics, physics, p.dt)
        new = driven(dynamics_step(now, slow, water, metrics, p), forcing, (k + 1.0) / steps, relaxation, change)
        return Perturbation.of(new), None

    if m == 1:
        return one(fields, first)[0]
    return lax.scan(jax.checkpoint(one), fields, first + jnp.arange(m))[0]


def _numbers(course: LinearisationTrajectory, m: int) -> tuple[Array, int]:
    """First step of every segment (slots - 1, segments), and steps of the window."""
    shape = course.penalty.shape
    return m * jnp.arange(shape[0] * shape[1]).reshape(shape), m * shape[0] * shape[1]


@partial(jax.jit, static_argnames=("settings", "segments", "steps"))
def _bases(
    starts: Perturbation, state: State, fixed: Fixed, settings: Settings, segments: int, steps: int
) -> Perturbation:
    m = settings[2]

    def between(_: None, row: tuple[Array, Perturbation]) -> tuple[None, Perturbation]:
        slot, fields = row

        def go(fields: Perturbation, k: Array) -> tuple[Perturbation, Perturbation]:
            return _segment(fields, None, state, (slot * segments + k) * m, fixed, settings, steps), fields

        return None, lax.scan(go, fields, jnp.arange(segments))[1]

    number = jnp.arange(starts.drho.shape[0])
    found: Perturbation = lax.scan(between, None, (number, starts))[1]
    return found


def _at(course: LinearisationTrajectory, fields: Perturbation) -> State:
    return fields.onto(course.state)


@partial(jax.jit, static_argnames=("settings",))
def _tangent(
    change: dict[str, Array], course: LinearisationTrajectory, fixed: Fixed, settings: Settings
) -> tuple[Slots, Perturbation]:
    metrics = fixed[1]
    numbers, steps = _numbers(course, settings[2])
    first = jax.tree.map(lambda a: a[0], course.slots)
    start = into_model(change, _at(course, first), metrics)
    none = jax.tree.map(jnp.zeros_like, start)
    still, held = Boundary.of(none), Boundary.of(start)

    def segment(
        carry: tuple[Perturbation, Perturbation], row: tuple[Perturbation, Array, Array]
    ) -> tuple[tuple[Perturbation, Perturbation], None]:
        (moved, total), (base, number, weight) = carry, row
        total = jax.tree.map(lambda s, a: s + weight * a, total, moved)
        grown = jax.jvp(
            lambda f, c: _segment(f, c, course.state, number, fixed, settings, steps), (base, still), (moved, held)
        )[1]
        return (grown, total), None

    def between(
        carry: tuple[Perturbation, Perturbation], row: tuple[Any, ...]
    ) -> tuple[tuple[Perturbation, Perturbation], Slots]:
        end, *rows = row
        carry, _ = lax.scan(segment, carry, tuple(rows))
        return carry, from_model(carry[0], _at(course, end), metrics)

    ends = jax.tree.map(lambda a: a[1:], course.slots)
    (_, total), later = lax.scan(between, (start, none), (ends, course.bases, numbers, course.penalty))
    here = from_model(start, _at(course, first), metrics)
    return {name: jnp.concatenate([here[name][None], later[name]]) for name in ANALYSED}, total


@partial(jax.jit, static_argnames=("settings",))
def _adjoint(
    slots: Slots, total: Perturbation, course: LinearisationTrajectory, fixed: Fixed, settings: Settings
) -> dict[str, Array]:
    metrics = fixed[1]
    numbers, steps = _numbers(course, settings[2])

    def read(moved: Perturbation, fields: Perturbation, sensitivity: Slots) -> Perturbation:
        """The sensitivity with that of what is read at a slot added."""
        back = jax.vjp(lambda c: from_model(c, _at(course, fields), metrics), moved)[1](sensitivity)[0]
        return jax.tree.map(jnp.add, moved, back)

    def segment(carry: AdjointState, row: tuple[Perturbation, Array, Array]) -> tuple[AdjointState, None]:
        (moved, held), (base, number, weight) = carry, row
        back, at_rim = jax.vjp(lambda f, c: _segment(f, c, course.state, number, fixed, settings, steps), base, still)[
            1
        ](moved)
        moved = jax.tree.map(lambda a, s: a + weight * s, back, total)
        return (moved, jax.tree.map(jnp.add, held, at_rim)), None

    def between(carry: AdjointState, row: tuple[Any, ...]) -> tuple[AdjointState, None]:
        end, sensitivity, *rows = row
        return lax.scan(segment, (read(carry[0], end, sensitivity), carry[1]), tuple(rows), reverse=True)[0], None

    ends = jax.tree.map(lambda a: a[1:], course.slots)
    later = {name: slots[name][1:] for name in ANALYSED}
    none = jax.tree.map(lambda a: jnp.zeros_like(a[0]), course.slots)
    still = Boundary.of(none)
    rows = (ends, later, course.bases, numbers, course.penalty)
    (moved, held), _ = lax.scan(between, (none, still), rows, reverse=True)
    moved = dataclasses.replace(moved, **{name: getattr(moved, name) + a for name, a in vars(held).items()})
    first = jax.tree.map(lambda a: a[0], course.slots)
    moved = read(moved, first, {name: slots[name][0] for name in ANALYSED})
    zero = {name: jnp.zeros_like(slots[name][0]) for name in ANALYSED}
    found: dict[str, Array] = jax.vjp(lambda c: into_model(c, _at(course, first), metrics), zero)[1](moved)[0]
    return found
