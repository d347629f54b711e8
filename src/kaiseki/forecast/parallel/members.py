"""Many forecasts of one model at once, divided among all devices: the members of an ensemble."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax
from jax.sharding import Mesh, PartitionSpec

from kaiseki.core.errors import NumericsError
from kaiseki.core.interrupt import stop_if_asked
from kaiseki.forecast.integrate import FixedParts, Forcing, advance, steps
from kaiseki.forecast.model import Model
from kaiseki.forecast.state import State


def stack(trees: Sequence[Any]) -> Any:
    """Trees of arrays as one whose arrays have a leading axis of members."""
    return jax.tree.map(lambda *leaves: jnp.stack([jnp.asarray(leaf) for leaf in leaves]), *trees)


def unstack(tree: Any) -> list[Any]:
    """The members of a stacked tree."""
    number = jax.tree.leaves(tree)[0].shape[0]
    return [jax.tree.map(lambda leaf, k=k: leaf[k], tree) for k in range(number)]


def devices_for(members: int) -> list[Any]:
    """The devices that share so many members evenly: as many as divide their number."""
    found = jax.devices()
    number = max(n for n in range(1, len(found) + 1) if members % n == 0)
    return found[:number]


@partial(jax.jit, static_argnames=("mesh",))
def _advance(
    states: State,
    forcing: Forcing | None,
    fixed: FixedParts,
    course: tuple[Any, Any, Any],
    mesh: Mesh,
) -> State:
    """Members one after another on each device; `course` is n, start and increment of `integrate.steps`."""

    def part(states: State, forcing: Forcing | None, fixed: Any, course: Any) -> State:
        def one(row: tuple[State, Forcing | None]) -> State:
            state, own = row
            n, start, increment = course
            return steps(state, own, fixed, n, start, increment, 1.0)

        found: State = lax.map(one, (states, forcing))
        return found

    member, same = PartitionSpec("member"), PartitionSpec()
    divided = jax.shard_map(part, mesh=mesh, in_specs=(member, member, same, same), out_specs=member, check_vma=False)
    found: State = divided(states, forcing, fixed, course)
    return found


def advance_members(
    model: Model,
    states: State,
    forcing: Forcing | None,
    seconds: float,
    duration: float | None = None,
    elapsed: float = 0.0,
) -> State:
    """Carry all members forwards; see `Model.advance`.

    Args:
        model: of every member.
        states: leading axis members.
        forcing: over `duration`, leading axis members; None where nothing drives them.
        seconds: a whole number of steps.
        duration, elapsed: see `Model.advance`.

    Raises:
        BlownUp: says where and when the first member that is no longer finite left the range of numbers.
    """
    stop_if_asked()
    n, dt = model.steps(seconds), model.parameters.dt
    span = duration or seconds
    mesh = Mesh(np.array(devices_for(states.drho.shape[0])), ("member",))
    new = _advance(states, forcing, model.fixed, (n, elapsed / span, dt / span), mesh)
    finite = np.isfinite(np.asarray(jnp.sum(new.drt + new.drho, axis=(1, 2, 3))))
    if not finite.all():
        _explain(model, states, forcing, int(np.flatnonzero(~finite)[0]), n, elapsed, span)
    return new


def _explain(
    model: Model,
    states: State,
    forcing: Forcing | None,
    member: int,
    n: int,
    elapsed: float,
    span: float,
) -> None:
    state, forcing = jax.tree.map(lambda a: a[member], (states, forcing))
    dt = model.parameters.dt

    def go(state: State, k: int) -> State:
        return advance(state, forcing, model.fixed, 1, (elapsed + k * dt) / span, dt / span, 1.0)

    try:
        model.explain(state, go, n)
    except NumericsError as error:
        error.args = (f"Member {member + 1}: {error.args[0]}", *error.args[1:])
        raise
