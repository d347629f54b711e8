"""What the model would have observed: a differentiable function of a stacked trajectory.

Two stages. First the columns at the places and times of the reports: bilinear in the horizontal, linear in time, level
by level (ln p instead of p, since that is nearly linear in height and the levels slope with the terrain). Then one
value per observation from its column: linear in ln p or in height between levels. Below the lowest level temperature
follows the standard lapse rate and the others stay as they are; pressure at a height and height at a pressure follow
hydrostatically from the level below:

    ln p(h) = ln p_k - g (h - z_k) / (R Tm),   Tm = (Tv_k + Tv(h)) / 2

which is the relation of the model's own levels, so nothing jumps at a level.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import jax
import jax.numpy as jnp

from kaiseki.assimilation.operators.contract import operator
from kaiseki.core.constants import GRAVITY, P0, R_DRY, STANDARD_LAPSE_RATE
from kaiseki.core.observables import OWN_QUANTITIES, QUANTITIES
from kaiseki.diagnostics.thermodynamics import virtual_temperature


@jax.tree_util.register_dataclass
@dataclass(frozen=True)
class ColumnPlaces:
    """Horizontal places and times of the columns that observations need; (m,) each, padded. `plan.locate` makes it.

    Attributes:
        slot, slot_weight: time slot before, and weight of the one after.
        row, column, row_weight, column_weight: cell to the south-west, and weights of its neighbours.
        height: (m, nz) of the levels [m].
        terrain: height of the model's ground [m].
        cosine, sine: of the grid's rotation at the place.
    """

    slot: Any
    slot_weight: Any
    row: Any
    column: Any
    row_weight: Any
    column_weight: Any
    height: Any
    terrain: Any
    cosine: Any
    sine: Any


@jax.tree_util.register_dataclass
@dataclass(frozen=True)
class ValuePlaces:
    """Vertical places of the values within their columns, and what is compared; (n,) each, padded.

    Attributes:
        at: number of the column.
        quantity: place in `observations.QUANTITIES`.
        by_height: True where `coordinate` is a height [m], otherwise it is ln(p / P0).
        coordinate: finite everywhere.
        reduction: factor on the wind or its speed (from the lowest level to 10 m; 1 above).
        anywhere: True where the value may lie below the model's ground.
    """

    at: Any
    quantity: Any
    by_height: Any
    coordinate: Any
    reduction: Any
    anywhere: Any


@jax.tree_util.register_dataclass
@dataclass(frozen=True)
class Profiles:
    """Columns of a trajectory, (m, nz) each: u, v [m s-1], temperature [K], log_pressure ln(p / P0), qv [kg kg-1]."""

    u: Any
    v: Any
    temperature: Any
    log_pressure: Any
    qv: Any


def corners(columns: ColumnPlaces) -> tuple[tuple[Any, Any, Any], ...]:
    """Row, column and weight of the four cells around each place."""
    j, i, y, x = columns.row, columns.column, columns.row_weight, columns.column_weight
    return (
        (j, i, (1.0 - y) * (1.0 - x)),
        (j, i + 1, (1.0 - y) * x),
        (j + 1, i, y * (1.0 - x)),
        (j + 1, i + 1, y * x),
    )


def profiles(fields: Mapping[str, Any], columns: ColumnPlaces) -> Profiles:
    """The columns of a stacked trajectory (nt, nz, ny, nx)."""
    log_pressure = jnp.log(fields["pressure"] / P0)
    stacked = jnp.stack([fields["u"], fields["v"], fields["temperature"], log_pressure, fields["qv"]], axis=1)
    after = jnp.minimum(columns.slot + 1, stacked.shape[0] - 1)
    late = columns.slot_weight[:, None, None]
    found: Any = 0.0
    for j, i, weight in corners(columns):
        before, behind = stacked[columns.slot, :, :, j, i], stacked[after, :, :, j, i]
        found = found + weight[:, None, None] * (before + late * (behind - before))
    return Profiles(*(found[:, number] for number in range(5)))


def _at(profile: Any, level: Any) -> Any:
    return jnp.take_along_axis(profile, level[:, None], axis=1)[:, 0]


def at_levels(profile: Any, profiles: Profiles, columns: ColumnPlaces, wanted: ValuePlaces) -> Any:
    """A profile (n, nz) at the vertical coordinate of each value, (n,): linear in ln p or in height between levels,
    constant below the lowest and above the highest."""
    by_height = wanted.by_height
    levels = jnp.where(by_height[:, None], columns.height, -profiles.log_pressure)
    place = jnp.where(by_height, wanted.coordinate, -wanted.coordinate)
    k = jnp.clip(jnp.sum(levels <= place[:, None], axis=1) - 1, 0, levels.shape[1] - 2)
    lower, upper = _at(levels, k), _at(levels, k + 1)
    share = jnp.clip((place - lower) / (upper - lower), 0.0, 1.0)
    low = _at(profile, k)
    return low + share * (_at(profile, k + 1) - low)


def _only_of(rows: Any, profile: Profiles) -> Profiles:
    """Profiles with their values, differentiable in some rows (n,) alone: what an operator does in rows that are not
    its own, such as a root at zero, would reach their derivatives as 0 times infinity."""
    return jax.tree_util.tree_map(lambda leaf: jnp.where(rows[:, None], leaf, jax.lax.stop_gradient(leaf)), profile)


def values(profile: Profiles, columns: ColumnPlaces, wanted: ValuePlaces) -> tuple[Any, Any]:
    """Equivalents (n,) and whether they exist (n,) bool.

    Args:
        profile: the column of each observation, (n, nz): already taken by `wanted.at`.
        columns: the columns, likewise taken.
        wanted: what is observed.
    """
    height, log_pressure = columns.height, profile.log_pressure
    top = height.shape[1] - 1
    target, by_height = wanted.coordinate, wanted.by_height
    # Both coordinates made to rise upwards.
    levels = jnp.where(by_height[:, None], height, -log_pressure)
    place = jnp.where(by_height, target, -target)
    k = jnp.clip(jnp.sum(levels <= place[:, None], axis=1) - 1, 0, top - 1)
    lower, upper = _at(levels, k), _at(levels, k + 1)
    share = jnp.clip((place - lower) / (upper - lower), 0.0, 1.0)

    def between(field: Any) -> Any:
        low = _at(field, k)
        return low + share * (_at(field, k + 1) - low)

    virtual = virtual_temperature(profile.temperature, profile.qv)
    under = place < levels[:, 0]
    # Depth below the lowest level [m]; in ln p with the temperature of that level.
    thickness = R_DRY * virtual[:, 0] / GRAVITY
    depth = jnp.where(under, (levels[:, 0] - place) * jnp.where(by_height, 1.0, thickness), 0.0)
    warming = STANDARD_LAPSE_RATE * depth
    temperature = between(profile.temperature) + warming
    virtual_here = between(virtual) + warming
    mean = 0.5 * (_at(virtual, k) + virtual_here)
    z_k, ln_k = _at(height, k), _at(log_pressure, k)
    here = jnp.where(by_height, target, z_k)
    pressure = P0 * jnp.exp(ln_k - GRAVITY * (here - z_k) / (R_DRY * mean))
    geopotential = z_k + R_DRY * mean / GRAVITY * (ln_k - jnp.where(by_height, ln_k, target))
    u, v = between(profile.u), between(profile.v)
    found = {
        "air_temperature": temperature,
        "virtual_temperature": virtual_here,
        "specific_humidity": between(profile.qv),
        "eastward_wind": wanted.reduction * (u * columns.cosine + v * columns.sine),
        "northward_wind": wanted.reduction * (v * columns.cosine - u * columns.sine),
        "surface_pressure": pressure,
        "geopotential_height": geopotential,
        "mean_sea_level_pressure": pressure,
    }
    for number, name in enumerate(QUANTITIES[len(OWN_QUANTITIES) :], len(OWN_QUANTITIES)):
        own = _only_of(wanted.quantity == number, profile)
        found[name] = operator(name).equivalent(own, columns, wanted)
    result = jnp.zeros_like(target)
    for number, name in enumerate(QUANTITIES):
        result = jnp.where(wanted.quantity == number, found[name], result)
    gap = height[:, 0] - columns.terrain
    above_ground = wanted.anywhere | (depth <= gap)
    return result, above_ground & (place <= levels[:, -1])


def taken(tree: Any, at: Any) -> Any:
    """The rows `at` of every array of a pytree."""
    return jax.tree_util.tree_map(lambda leaf: leaf[at], tree)


def equivalents(fields: Mapping[str, Any], columns: ColumnPlaces, wanted: ValuePlaces) -> tuple[Any, Any]:
    """The operator: equivalents (n,) and whether they exist (n,) of a stacked trajectory (nt, nz, ny, nx).

    Differentiable with respect to `fields`; units of the quantities.
    """
    return values(taken(profiles(fields, columns), wanted.at), taken(columns, wanted.at), wanted)
