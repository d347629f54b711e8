"""Departures: observed minus what a trajectory holds at the place and time of the observation."""

from __future__ import annotations

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from kaiseki.assimilation.operators import Plan, equivalents, locate
from kaiseki.assimilation.trajectory import Trajectory
from kaiseki.observations import Table

_equivalents = jax.jit(equivalents)


def evaluate(fields: dict[str, Any], plan: Plan) -> np.ndarray:
    """Equivalents (count,) of a plan in a stacked trajectory, NaN where there is none; float64."""
    if not plan.count:
        return np.empty(0)
    on_device = {name: jnp.asarray(field, dtype=float) for name, field in fields.items()}
    found, exists = _equivalents(on_device, plan.columns, plan.values)
    found, exists = np.asarray(found, dtype=np.float64)[: plan.count], np.asarray(exists)[: plan.count]
    return np.where(exists & plan.known, found, np.nan)


def observed(table: Table) -> np.ndarray:
    """Values (n,) less their bias correction where there is one."""
    return table.column("value") - np.nan_to_num(table.column("bias_correction"), nan=0.0)


def departures(trajectory: Trajectory, table: Table) -> np.ndarray:
    """Departures y - bias correction - H(x), (n,), in the units of the quantities, whatever the flags say.

    NaN where the model has no equivalent: outside the domain, its levels or its times (see `operators.plan.HOLD`),
    below its ground, or without a coordinate. The rim counts as inside.

    Args:
        trajectory: any trajectory.
        table: observations.
    """
    return observed(table) - evaluate(trajectory.stacked(), locate(trajectory, table))
