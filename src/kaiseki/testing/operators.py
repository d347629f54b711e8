"""Conformance of observation operators."""

from __future__ import annotations

import dataclasses

import jax
import jax.numpy as jnp
import numpy as np

from kaiseki.assimilation.operators import ObservationOperator, locate
from kaiseki.assimilation.operators.equivalents import profiles, taken
from kaiseki.assimilation.trajectory import Trajectory
from kaiseki.observations import Table


def check_operator(operator: ObservationOperator, trajectory: Trajectory, table: Table) -> None:
    """Apply an operator and check what the contract promises.

    Args:
        operator: to be checked; it need not be registered.
        trajectory: over a window.
        table: observations inside the domain of the trajectory, at the vertical coordinates that the operator is for.

    Raises:
        AssertionError: says what was not kept.
    """
    assert isinstance(operator, ObservationOperator), "an operator is an instance of a subclass of ObservationOperator"
    plan = locate(trajectory, table)
    fields = {name: jnp.asarray(field, dtype=float) for name, field in trajectory.stacked().items()}
    columns = taken(plan.columns, plan.values.at)
    column = taken(profiles(fields, plan.columns), plan.values.at)
    found = operator.equivalent(column, columns, plan.values)
    assert found.shape == plan.values.coordinate.shape, "one value per row"
    assert bool(jnp.isfinite(found).all()), "values are finite"

    calm = dataclasses.replace(column, u=0.0 * column.u, v=0.0 * column.v, qv=0.0 * column.qv)

    def of(one: object) -> jax.Array:
        return jnp.sum(operator.equivalent(one, columns, plan.values)[: plan.count])

    gradient = jax.grad(of)(column)
    leaves = [np.asarray(leaf) for leaf in jax.tree.leaves(gradient)]
    assert all(np.isfinite(leaf).all() for leaf in leaves), "derivatives are finite"
    assert any(leaf.any() for leaf in leaves), "the model's state moves the values"
    at_rest = jax.tree.leaves(jax.grad(of)(calm))
    assert all(np.isfinite(leaf).all() for leaf in at_rest), "derivatives are finite in calm, dry air"
    random = np.random.default_rng(0)
    direction = jax.tree.map(
        lambda a: jnp.asarray(random.standard_normal(a.shape) * (1e-3 * np.abs(a).max()), a.dtype), column
    )
    slope = sum(float(np.vdot(g, np.asarray(d))) for g, d in zip(leaves, jax.tree.leaves(direction), strict=True))
    ahead, behind = (of(jax.tree.map(lambda a, d, s=s: a + s * d, column, direction)) for s in (0.5, -0.5))
    scale = max(abs(slope), float(jnp.abs(found[: plan.count]).sum()) * 1e-5)
    assert abs(float(ahead - behind) - slope) < 0.05 * scale, "derivatives are those of the values"
