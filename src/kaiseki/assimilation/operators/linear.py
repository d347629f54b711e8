"""The operator linearised, as a sparse matrix: for an increment that does not change within the window, or by slot.

The derivatives by the columns come from `equivalents.values` by automatic differentiation, so there is one operator;
what is written here is only the bilinear stage before it, where each value touches four cells and two or three levels.
A matrix-vector product takes a few milliseconds, where gathering and scattering on the device takes some hundred.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from scipy import sparse

from kaiseki.assimilation.operators.equivalents import (
    ColumnPlaces,
    Profiles,
    ValuePlaces,
    corners,
    profiles,
    taken,
    values,
)
from kaiseki.assimilation.operators.plan import Plan
from kaiseki.statistics import ANALYSIS_VARIABLES


@jax.jit
def _derivatives(
    fields: dict[str, Any], columns: ColumnPlaces, wanted: ValuePlaces
) -> tuple[Profiles, tuple[Any, Any]]:
    """Derivative of each value by its own column, (n, nz) each; the values, and whether they exist."""
    here = taken(columns, wanted.at)

    def total(profile: Profiles) -> tuple[Any, tuple[Any, Any]]:
        found, exists = values(profile, here, wanted)
        return jnp.sum(found), (found, exists)

    return jax.grad(total, has_aux=True)(taken(profiles(fields, columns), wanted.at))


@dataclass(frozen=True, eq=False)
class LinearOperator:
    """Linearised observation operator H, (p, 5 nz ny nx): from the fields of `statistics.ANALYSIS_VARIABLES`, one after
    another, to values; or (p, slots 5 nz ny nx), the fields of one slot after another.

    Attributes:
        matrix: sparse, float64.
    """

    matrix: sparse.csr_array

    @cached_property
    def _transposed(self) -> sparse.csr_array:
        return self.matrix.T.tocsr()

    def __call__(self, increment: np.ndarray) -> np.ndarray:
        """Changes (p,) of the values for an increment (5 nz ny nx,)."""
        return np.asarray(self.matrix @ np.asarray(increment, dtype=np.float64))

    def transpose(self, values: np.ndarray) -> np.ndarray:
        """Transpose H^T y, (5 nz ny nx,), of values y (p,)."""
        return np.asarray(self._transposed @ np.asarray(values, dtype=np.float64))

    def take(self, rows: np.ndarray) -> LinearOperator:
        """Some of the rows, by mask or index."""
        return LinearOperator(self.matrix[rows])


def linearise(fields: dict[str, np.ndarray], plan: Plan, *, by_slot: bool = False) -> tuple[LinearOperator, np.ndarray]:
    """The operator of a plan linearised about a stacked trajectory; and its values.

    Args:
        fields: `statistics.ANALYSIS_VARIABLES`, (nt, nz, ny, nx) each.
        plan: where the values lie.
        by_slot: False for an increment that is the same at all times, True for one of each slot.

    Returns:
        H, and the equivalents (plan.count,) of the trajectory, NaN where there is none (their rows of H mean nothing).
    """
    nt, nz, ny, nx = np.shape(fields["pressure"])
    size, n = nz * ny * nx, plan.count
    derivatives, (found, exists) = _derivatives(
        {name: jnp.asarray(fields[name], dtype=float) for name in ANALYSIS_VARIABLES}, plan.columns, plan.values
    )
    # In NumPy, for JAX would compile and keep programs for each number of observations, and memory would grow by cycle.
    columns = taken(jax.tree_util.tree_map(np.asarray, plan.columns), np.asarray(plan.values.at)[:n])
    slot, late = columns.slot, np.asarray(columns.slot_weight, dtype=np.float64)
    ends = ((slot, 1.0 - late), (np.minimum(slot + 1, nt - 1), late))
    cells = [(j, i, np.asarray(w, dtype=np.float64)) for j, i, w in corners(columns)]
    rows: list[np.ndarray] = []
    places: list[np.ndarray] = []
    weights: list[np.ndarray] = []
    for number, name in enumerate(ANALYSIS_VARIABLES):
        derivative = np.asarray(getattr(derivatives, "log_pressure" if name == "pressure" else name), dtype=np.float64)[
            :n
        ]
        row, level = np.nonzero(derivative)
        slope = derivative[row, level]
        for j, i, weight in cells:
            for at, share in ends:
                factor = slope * weight[row] * share[row]
                if name == "pressure":  # d ln p = dp / p
                    factor = factor / np.asarray(fields["pressure"][at[row], level, j[row], i[row]], dtype=np.float64)
                block = (at[row] * len(ANALYSIS_VARIABLES) if by_slot else 0) + number
                rows.append(row)
                places.append(block * size + (level * ny + j[row]) * nx + i[row])
                weights.append(factor)
    triplets = (np.concatenate(weights), (np.concatenate(rows), np.concatenate(places)))
    width = len(ANALYSIS_VARIABLES) * size * (nt if by_slot else 1)
    matrix = sparse.coo_array(triplets, shape=(n, width)).tocsr()
    equivalents = np.asarray(found, dtype=np.float64)[:n]
    return LinearOperator(matrix), np.where(np.asarray(exists)[:n] & plan.known, equivalents, np.nan)
