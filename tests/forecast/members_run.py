"""Carries members on all devices there are and compares them with one forecast after another; see test_members.py."""

from __future__ import annotations

import dataclasses

import jax
import numpy as np
import pytest
from divided_run import model_sea, windy

from kaiseki.core.errors import NumericsError
from kaiseki.forecast.integrate import Forcing
from kaiseki.forecast.model import Model
from kaiseki.forecast.parallel.members import advance_members, devices_for, stack, unstack
from kaiseki.forecast.rim import Boundary
from kaiseki.forecast.state import State


def different(state: State, number: int) -> State:
    """The state with another wind."""
    return dataclasses.replace(state, ru=state.ru * (1.0 + 0.05 * number), rv=state.rv * (1.0 - 0.03 * number))


def compare(model: Model, states: list[State], ends: list[tuple[Boundary, Boundary]]) -> None:
    """Members carried together, which are the same as one after another."""
    number = len(states)
    before, after = (stack([pair[side] for pair in ends]) for side in (0, 1))
    sea = model_sea(model)
    every = Forcing(before, after, (stack([sea[0]] * number), stack([sea[1]] * number)))
    found = unstack(advance_members(model, stack(states), every, 100.0, 400.0, 200.0))
    worst = 0.0
    for one, own, member in zip(states, ends, found, strict=True):
        expected = model.advance(one, Forcing(*own, sea), 100.0, 400.0, 200.0)
        for a, b in zip(jax.tree.leaves(expected), jax.tree.leaves(member), strict=True):
            worst = max(worst, float(np.max(np.abs(np.asarray(a) - np.asarray(b))) / max(np.max(np.abs(a)), 1e-6)))
    assert worst < 1e-11, worst
    assert float(np.abs(found[0].ru - found[-1].ru).max()) > 1.0
    broken = [*states[:2], dataclasses.replace(states[2], drt=states[2].drt.at[0, 3, 4].set(np.nan)), *states[3:]]
    with pytest.raises(NumericsError, match=r"^Member 3: "):
        advance_members(model, stack(broken), every, 100.0, 400.0, 200.0)
    used = f"{number} members on {len(devices_for(number))} of {len(jax.devices())} devices"
    print(f"{used}: largest relative difference {worst:.1e}", flush=True)


if __name__ == "__main__":
    model, state, forcing = windy("rim", True)
    assert forcing is not None
    states = [different(state, number) for number in range(5)]
    ends = [(forcing.before, dataclasses.replace(forcing.after, ru=forcing.after.ru * (1 + 0.1 * n))) for n in range(5)]
    compare(model, states, ends)
    compare(model, states[:4], ends[:4])
